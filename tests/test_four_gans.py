"""The comparison of the four GANs: a row a run, and pictures of the longer ones."""

import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest

from t2ilab.data import paperworld
from t2ilab.errors import DataError
from t2ilab.fit import strips
from t2ilab.metrics.evaluate import drawn_for, readable
from t2ilab.paths import DATA, ROOT
from t2ilab.systems.single import load_reader
from t2ilab.systems.text_to_image import TextToImage

sys.path.insert(0, str(ROOT / "scripts"))
import four_gans  # noqa: E402


def test_a_row_is_added_for_each_run_and_a_finished_one_is_not_run_again(tmp_path, monkeypatch):
    few = partial(four_gans.measured, noises=2)
    monkeypatch.setattr(four_gans, "measured", few)
    monkeypatch.setattr(four_gans, "SYSTEMS", ["text_gan", "gan_int"])
    options = dict(size=32, steps=2, width=8, batch_size=4)
    first = four_gans.compare(1, 50, tmp_path / "runs", tmp_path, **options)
    assert first[["system", "seed"]].to_numpy().tolist() == [["text_gan", 0], ["gan_int", 0]]
    assert ((first["readable_between"] >= 0) & (first["readable_between"] <= 1)).all()
    assert (first[["fid", "fid_between"]] > 0).all(axis=None)
    written = (tmp_path / "four_gans.csv").read_bytes()
    monkeypatch.setattr(four_gans, "train", lambda *_, **__: pytest.fail("trained again"))
    assert len(four_gans.compare(1, 50, tmp_path / "runs", tmp_path, **options)) == 2
    assert (tmp_path / "four_gans.csv").read_bytes() == written
    assert list(pd.read_csv(tmp_path / "four_gans.csv")["steps"]) == [2, 2]


def test_pictures_are_kept_of_all_four_at_the_same_moments(tmp_path):
    for shade, system in enumerate(four_gans.SYSTEMS):
        (tmp_path / f"{system}-0").mkdir()
        taken = [(10 * k, np.full((16, 4, 4, 3), shade + k, np.uint8)) for k in range(20)]
        strips.write(tmp_path / f"{system}-0", taken)
    four_gans.keep_pictures(tmp_path, tmp_path / "results")
    with np.load(tmp_path / "results" / "four_gans.npz") as kept:
        assert set(kept) == {"steps", *four_gans.SYSTEMS}
        assert len(kept["steps"]) == 12 and kept["steps"][-1] == 190
        for shade, system in enumerate(four_gans.SYSTEMS):
            assert kept[system].shape == (12, 8, 4, 4, 3) and kept[system][-1].max() == shade + 19


def test_where_a_run_is_missing_nothing_is_written(tmp_path):
    with pytest.raises(DataError):
        four_gans.keep_pictures(tmp_path, tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("system", four_gans.SYSTEMS)
def test_the_table_is_of_the_weights_that_ship(system):
    table = pd.read_csv(DATA / "results" / "four_gans.csv").set_index(["system", "seed"])
    row, made = table.loc[(system, 0)], TextToImage.load(f"{system}-birds-64-alike")
    assert made.about["steps"] == row["steps"] and made.about["system"] == system
    assert made.about["measured"]["fid"] == pytest.approx(row["fid"], rel=0.01)
    test = paperworld.world("birds").load("test", 64).subset(slice(128))
    drawn = drawn_for(made, test, 0, seed=5)
    share = readable(load_reader("birds"), drawn)
    error = (row["readable"] * (1 - row["readable"]) / len(test)) ** 0.5
    assert abs(share - row["readable"]) < 4 * error
