"""The script that measures every system that draws, in its smallest size."""

import sys

import numpy as np
import pandas as pd
import pytest

from t2ilab.errors import UsageError
from t2ilab.metrics.controls import CONTROLS
from t2ilab.paths import ROOT
from t2ilab.systems import weights

sys.path.insert(0, str(ROOT / "scripts"))

import scoreboard  # noqa: E402

TINY = {"n": 50, "memory": 100}
ONE = "gan_int_cls-birds-64-alike"


@pytest.fixture
def few(monkeypatch):
    """Two controls, and no counting of passes, which loads all pictures."""
    monkeypatch.setattr(scoreboard, "CONTROLS", dict(list(CONTROLS.items())[:2]))
    monkeypatch.setattr(scoreboard, "picture_steps", lambda entry: 7.0)


def test_a_row_for_each_and_none_twice_but_where_the_weights_changed(tmp_path, monkeypatch, few):
    file = tmp_path / "results" / "board.csv"
    rows = scoreboard.measured(file, only=ONE, **TINY)
    assert list(zip(rows["drawn"], rows["size"], strict=True)) == [
        (32, 32), (64, 32), (64, 64), (32, 32), (64, 32), (64, 64)
    ]  # fmt: skip
    row = rows.iloc[4]
    assert row["name"] == ONE and row["system"] == "gan_int_cls" and row["asked"] == "captions"
    assert np.isfinite(row[["fid", "right", "right_judge", "right_4", "diversity", "ms", "copied"]]
                       .astype(float)).all()  # fmt: skip
    assert row["seconds"] > weights.described()[ONE].seconds  # its encoder's training counts too
    kept = np.load(file.with_suffix(".npz"))
    bits = np.unpackbits(kept[f"{ONE}/-1/right"])[:50]
    assert bits.mean() == pytest.approx(row["right"])
    assert kept[f"{ONE}/-1/pictures"].shape == (scoreboard.SHOWN, 64, 64, 3)
    planted = pd.read_csv(file.with_name("board_planted.csv"))
    assert (
        list(planted["planted"]) == [0, 0.05, 0.2, 0.5]
        and planted["copied"].is_monotonic_increasing
    )

    written = file.read_bytes()
    with monkeypatch.context() as m:
        m.setattr(scoreboard, "draw", lambda *_, **__: pytest.fail("measured again"))
        assert len(scoreboard.measured(file, only=ONE, **TINY)) == 6
    assert file.read_bytes() == written
    changed = scoreboard.read_rows(file)
    changed.loc[changed["name"] == ONE, "sha"] = "123456789012"
    changed.to_csv(file, index=False)
    assert scoreboard.read_rows(file)["sha"].iloc[4] == "123456789012"
    again = scoreboard.measured(file, only=ONE, **TINY)
    assert len(again) == 6 and list(again["sha"])[4:] == [weights.described()[ONE].tensors[:12]] * 2


def test_all_that_draws_birds_is_there_and_nothing_else():
    names = {entry.name for entry in scoreboard.shipped("birds")}
    assert {
        "winn-birds-32",
        "factors-birds-32",
        "gan_int_cls-birds-128",
        "pix2pix-birds-32",
    } <= names
    assert not {name for name in names if name.startswith(("reader", "judge", "encoder", "prior"))}
    assert len(names) >= 12


def test_what_has_no_weights_is_trained_with_several_seeds(tmp_path, monkeypatch, few):
    monkeypatch.setenv("T2ILAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(scoreboard, "updates", lambda *_, **__: 2)
    monkeypatch.setattr(scoreboard, "shipped", lambda world: iter(()))
    given = {"only": "iwae", "seeds": 2, "minutes": 0.001, "profile": "smoke"}
    rows = scoreboard.measured(tmp_path / "board.csv", **given, **TINY)
    rows = rows[rows["kind"] == "trained"]
    assert list(rows["seed"]) == [0, 1] and (rows["name"] == "iwae-birds-32, 0.001 min").all()
    assert rows["fid"].nunique() == 2 and list(rows["seconds"]) == [0.06, 0.06]
    assert (rows["likelihood_kind"] == "bound").all() and (rows["likelihood"] > 0).all()
    assert rows["asked"].iloc[0] == "nothing" and "right" not in rows.dropna(axis=1)


def test_passes_through_networks_are_counted(tmp_path, monkeypatch):
    """A GAN's step: D sees real and made pictures, G makes some for D and some for itself."""
    monkeypatch.setenv("T2ILAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(scoreboard, "updates", lambda *_, **__: 2)
    monkeypatch.setattr(scoreboard, "shipped", lambda world: iter(()))
    options = {"profile": "smoke", "batch_size": 8}
    (entry,) = scoreboard.trained("birds", 1, 0.001, "dcgan", **options)
    assert scoreboard.picture_steps(entry) % 8 == 0
    assert 3 * 8 * 2 <= scoreboard.picture_steps(entry) <= 6 * 8 * 2


def test_an_unknown_world_is_refused(tmp_path):
    with pytest.raises(UsageError, match="birds"):
        scoreboard.measured(tmp_path / "board.csv", world="bird")
