"""The script that takes away each guideline of DCGAN, in its smallest size."""

import os
import signal
import sys

import numpy as np
import pytest

from t2ilab.data.batches import PictureBatches
from t2ilab.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import dcgan_guidelines  # noqa: E402

TINY = {"steps": 1, "n": 50, "profile": "smoke", "size": 32, "world": "birds"}


def test_a_row_for_each_variant_and_none_twice(tmp_path, monkeypatch):
    file = tmp_path / "results" / "table.csv"
    monkeypatch.setattr(dcgan_guidelines, "GUIDELINES", {"batch_norm": "", "leaky": ""})
    rows = dcgan_guidelines.measured(file, seeds=1, **TINY)
    assert list(rows["without"]) == ["none", "batch_norm", "leaky"]
    assert np.isfinite(rows["fid"]).all() and rows["fid"].nunique() > 1  # they are other networks
    written = file.read_bytes()
    monkeypatch.setattr(dcgan_guidelines, "one", None)  # nothing is left to run
    again = dcgan_guidelines.measured(file, seeds=1, **TINY)
    assert len(again) == 3 and file.read_bytes() == written


def test_seeds_are_the_outer_loop_and_every_guideline_is_there():
    runs = dcgan_guidelines.variants(2)
    assert [seed for seed, _ in runs] == [0] * 6 + [1] * 6
    assert {name for _, name in runs} == {"none", *dcgan_guidelines.GUIDELINES}


def test_a_training_that_was_interrupted_leaves_no_row(tmp_path, monkeypatch):
    batch = PictureBatches.__call__

    def interrupted(batches, step):
        os.kill(os.getpid(), signal.SIGTERM)
        return batch(batches, step)

    monkeypatch.setattr(PictureBatches, "__call__", interrupted)
    with pytest.raises(SystemExit, match="interrupted"):
        dcgan_guidelines.measured(tmp_path / "t.csv", seeds=1, **TINY | {"steps": 1000})
    assert not (tmp_path / "t.csv").exists()
