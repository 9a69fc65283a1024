"""Collecting the comparison of the four GANs from the folders of its runs."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from t2ilab.errors import DataError
from t2ilab.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import four_gans  # noqa: E402


def a_run(folder, system, seed, value):
    where = folder / f"{system}-{seed}"
    where.mkdir(parents=True)
    parameters = {
        "SYSTEM": system,
        "SEED": seed,
        "STEPS": 5,
        "PROFILE": "smoke",
        "RECIPE": "stable",
        "WORLD": "birds",
    }
    run = {
        "notebook": "18_text_to_image",
        "hash": where.name,
        "parameters": parameters,
        "finished": "2020-01-01T00:00:00",
        "seconds": 1.0,
    }
    recorded = dict.fromkeys(four_gans.METRICS, value)
    (where / "metrics.json").write_text(json.dumps({"run": run, "recorded": recorded}))
    shade = int(100 * value)
    np.savez_compressed(
        where / "frames.npz",
        steps=[0, 5],
        training=np.full((2, 16, 32, 32, 3), shade, np.uint8),
        between=np.full((8, 8, 32, 32, 3), shade, np.uint8),
    )


def test_the_table_has_a_row_a_run_and_the_pictures_are_of_seed_0(tmp_path):
    for system, value in (("gan", 0.1), ("gan_cls", 0.6)):
        for seed in (1, 0):
            a_run(tmp_path / "runs", system, seed, value + seed / 10)
    four_gans.collect(tmp_path / "runs", tmp_path / "results")
    table = pd.read_csv(tmp_path / "results" / "four_gans.csv")
    assert table[["SYSTEM", "SEED"]].to_numpy().tolist() == [
        ["gan", 0],
        ["gan", 1],
        ["gan_cls", 0],
        ["gan_cls", 1],
    ]
    assert table["live_all_unseen"].tolist() == [0.1, 0.2, 0.6, 0.7]
    with np.load(tmp_path / "results" / "four_gans.npz") as kept:
        assert kept["gan_training"].shape == (2, 8, 32, 32, 3)
        assert kept["gan_between"].shape == (4, 8, 32, 32, 3)
        assert kept["gan_training"].max() == 10 and kept["gan_cls_training"].max() == 60


def test_where_nothing_ran_nothing_is_written(tmp_path):
    with pytest.raises(DataError, match="no finished runs"):
        four_gans.collect(tmp_path, tmp_path / "results")
    assert not (tmp_path / "results").exists()
