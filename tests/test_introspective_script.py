"""The script that compares INNg, WINN and a GAN, and classifiers before and after introspection."""

import os
import signal
import sys

import pandas as pd
import pytest

from t2ilab.data.batches import PictureBatches
from t2ilab.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import introspective  # noqa: E402


def test_a_row_for_each_classifier_and_none_twice(tmp_path):
    introspective.classes(seeds=1, steps=2, folder=tmp_path, mnist=None)
    rows = pd.read_csv(tmp_path / "introspective_classes.csv")
    assert list(rows["system"]) == ["plain", "inng", "winn"] and set(rows["data"]) == {"digits"}
    accuracies = rows[["0", "4", "8", "16", "24", "32"]]
    assert ((accuracies >= 0) & (accuracies <= 1)).all(axis=None)
    introspective.classes(seeds=1, steps=2, folder=tmp_path, mnist=None)
    assert len(pd.read_csv(tmp_path / "introspective_classes.csv")) == 3


def test_a_training_that_was_interrupted_leaves_no_row(tmp_path, monkeypatch):
    batch = PictureBatches.__call__

    def interrupted(batches, step):
        os.kill(os.getpid(), signal.SIGTERM)
        return batch(batches, step)

    monkeypatch.setattr(PictureBatches, "__call__", interrupted)
    with pytest.raises(SystemExit, match="interrupted"):
        introspective.classes(seeds=1, steps=1000, folder=tmp_path, mnist=None)
    assert not list(tmp_path.iterdir())
