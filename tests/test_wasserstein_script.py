"""The script that compares three games at equal processor time, in its smallest size."""

import sys

import numpy as np
import pytest

from t2ilab.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import wasserstein  # noqa: E402

TINY = {"minutes": 0.002, "n": 50, "profile": "smoke", "width": 4, "batch_size": 4}


def test_a_row_and_pictures_for_each_run_and_none_twice(tmp_path, monkeypatch):
    file = tmp_path / "results" / "table.csv"
    monkeypatch.setattr(wasserstein, "TIMED", 2)
    rows = wasserstein.measured(file, seeds=1, rates={"dcgan": 1e-3, "wgan_gp": 1e-3}, **TINY)
    assert list(rows["system"]) == ["dcgan", "wgan_gp"] and list(rows["k"]) == [1, 1]
    assert np.isfinite(rows["fid"]).all() and rows["fid"].nunique() > 1
    assert (rows["updates"] >= 1).all()
    kept = np.load(file.with_suffix(".npz"))
    assert kept["wgan_gp_1_0"].shape == (wasserstein.SHOWN, 32, 32, 3)
    written = file.read_bytes()
    monkeypatch.setattr(wasserstein, "one", None)  # nothing is left to run
    again = wasserstein.measured(file, seeds=1, rates={"dcgan": 1e-3, "wgan_gp": 1e-3}, **TINY)
    assert len(again) == 2 and file.read_bytes() == written
    with pytest.raises(TypeError):  # another k is another run, and so is another rate
        wasserstein.measured(file, seeds=1, k=2, rates={"dcgan": 1e-3}, **TINY)
    with pytest.raises(TypeError):
        wasserstein.measured(file, seeds=1, rates={"dcgan": 2e-3}, **TINY)


def test_more_minutes_hold_more_updates(monkeypatch):
    monkeypatch.setattr(wasserstein, "TIMED", 2)
    given = {"profile": "smoke", "data": "digits", "width": 4}
    few, many = (wasserstein.updates("dcgan", m, **given) for m in (0.001, 1.0))
    assert few < many
