"""Collecting the comparison of the caption encoders from the folders of their trainings."""

import sys

import pandas as pd
import pytest
import torch

from t2ilab.errors import DataError
from t2ilab.paths import ROOT
from t2ilab.systems import weights

sys.path.insert(0, str(ROOT / "scripts"))
import encoders  # noqa: E402


def test_a_row_an_encoder_the_best_at_binding_last(tmp_path):
    for name, kind, objective, right in (
        ("gru", "gru", "cross_entropy", 0.9),
        ("mean", "mean", "cross_entropy", 0.5),
        ("char-sje", "char", "sje", 0.8),
    ):
        (tmp_path / "runs" / name).mkdir(parents=True)
        measured = {
            "top1_unseen": 0.7,
            "map50_unseen": 0.6,
            "binding_unseen": right,
            "binding_after": 0.4,
        }
        about = {
            "kind": "caption_encoder",
            "arguments": {"encoder": {"kind": kind}},
            "command": "a test",
            "data": "none",
            "steps": 5,
            "seconds": 1.0,
            "measured": measured,
            "more": {"objective": objective},
        }
        folder = tmp_path / "runs" / name
        weights.save(folder, {"x": torch.ones(1)}, about, name=f"encoder_{kind}-birds")
        (tmp_path / "runs" / name / "run.json").write_text("{}")
    encoders.collect(tmp_path / "runs", tmp_path / "results")
    table = pd.read_csv(tmp_path / "results" / "encoders.csv")
    assert table["encoder"].tolist() == ["mean", "char", "gru"]
    assert table["objective"].tolist() == ["cross_entropy", "sje", "cross_entropy"]
    assert table["binding_unseen"].tolist() == [0.5, 0.8, 0.9]


def test_where_nothing_was_trained_nothing_is_written(tmp_path):
    with pytest.raises(DataError, match="no trained encoders"):
        encoders.collect(tmp_path, tmp_path / "results")
    assert not (tmp_path / "results").exists()
