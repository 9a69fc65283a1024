"""The script that compares three roads to 64 pixels, in its smallest size."""

import sys

import numpy as np
import pytest

from t2ilab.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import three_roads  # noqa: E402
import wasserstein  # noqa: E402

TINY = {"minutes": 0.002, "n": 50, "profile": "smoke", "size": 64, "batch_size": 4}


def test_a_row_and_pictures_for_each_run_and_none_twice(tmp_path, monkeypatch):
    file = tmp_path / "results" / "table.csv"
    monkeypatch.setattr(wasserstein, "TIMED", 2)
    rows = three_roads.measured(file, seeds=1, **TINY)
    assert list(rows["road"]) == ["dcgan", "lapgan", "progressive"]
    assert np.isfinite(rows["fid"]).all() and rows["fid"].nunique() == 3
    assert (rows["updates"] >= 1).all() and rows["fid_from_32"].notna().sum() == 1
    kept = np.load(file.with_suffix(".npz"))
    assert kept["lapgan_0.002_0"].shape == (three_roads.SHOWN, 64, 64, 3)
    written = file.read_bytes()
    monkeypatch.setattr(three_roads, "one", None)  # nothing is left to run
    assert len(three_roads.measured(file, seeds=1, **TINY)) == 3 and file.read_bytes() == written
    for other in ({"minutes": 0.003}, {"size": 32}, {"batch_size": 8}, {"world": "flowers"}):
        with pytest.raises(TypeError):  # another run
            three_roads.measured(file, seeds=1, **TINY | other)
