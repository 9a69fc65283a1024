"""The scoreboard as it is kept: rows, ranks, paired intervals; and its explorer."""

import numpy as np
import pandas as pd
import pytest

from t2ilab.errors import DataError, UsageError
from t2ilab.explore.scoreboard import (
    ScoreboardExplorer,
    columns_drawn,
    in_order,
    pictures_drawn,
    short,
)
from t2ilab.metrics.scoreboard import Scoreboard, paired_interval, share_error

N = 40
COLUMNS = ("kind", "name", "system", "asked", "seed", "drawn", "fid", "right", "ms", "density")
ROWS = (
    ("control", "the world itself", "", "captions", -1, 32, 5.0, 1.0, np.nan, 1.0),
    ("control", "the world itself", "", "captions", -1, 64, 6.0, 1.0, np.nan, 1.0),
    ("control", "training pictures", "", "nothing", -1, 32, 8.0, np.nan, np.nan, 0.8),
    ("shipped", "good", "gan_cls", "captions", -1, 64, 20.0, 0.9, 4.0, 0.8),
    ("shipped", "fair", "text_gan", "captions", -1, 64, 30.0, 0.85, 2.0, 0.4),
    ("shipped", "poor", "text_gan", "captions", -1, 64, 90.0, 0.1, 9.0, 0.2),
    ("shipped", "free", "winn", "nothing", -1, 32, 40.0, np.nan, 250.0, 0.4),
    ("trained", "short", "vae", "nothing", 0, 32, 90.0, np.nan, 1.0, 0.1),
    ("trained", "short", "vae", "nothing", 1, 32, 110.0, np.nan, 1.0, 0.3),
)


@pytest.fixture
def board(tmp_path):
    rows = pd.DataFrame(ROWS, columns=COLUMNS).assign(size=32, n=N, sha="12e4", of="", coverage=0.9)
    fewer = rows.iloc[3:4].assign(n=20, fid=1.0)  # another number of pictures: never beside these
    own = rows.iloc[3:4].assign(size=64, fid=2.0)
    pd.concat([rows, fewer, own]).to_csv(tmp_path / "board.csv", index=False)
    rng, kept = np.random.default_rng(0), {}
    hard = (np.arange(N) + 0.5) / N
    for name, share in (("good", 0.9), ("fair", 0.85), ("poor", 0.1)):
        kept[f"{name}/-1/right"] = np.packbits(hard < share)
    for name in ("good", "fair", "poor", "free"):
        kept[f"{name}/-1/pictures"] = rng.integers(0, 256, (8, 32, 32, 3), np.uint8)
    kept["short/0/pictures"] = kept["free/-1/pictures"]
    np.savez(tmp_path / "board.npz", **kept)
    return Scoreboard.load(tmp_path / "board.csv")


def test_rows_of_one_number_and_size_one_for_each_name(board):
    assert board.n == N and list(board.table.index) == [
        "the world itself", "training pictures", "good", "fair", "poor", "free", "short"
    ]  # fmt: skip
    assert board.table.loc["good", "fid"] == 20 and board.table.loc["the world itself", "fid"] == 5
    assert board.table.loc["short", ["fid", "seeds"]].tolist() == [100, 2]
    assert board.table.loc["short", "fid_seeds"] == pytest.approx(200**0.5)
    assert board.table.loc["fair", "density_share"] == pytest.approx(0.5)
    assert board.systems == ["good", "fair", "poor", "free", "short"]
    assert board.readers == ["good", "fair", "poor"] and board.free == ["free", "short"]
    assert board.controls == ["the world itself", "training pictures"]


def test_ranks_by_the_better_end_and_obedience_among_those_that_read(board):
    ranks = board.ranks(["fid", "ms", "right"])
    assert ranks["fid"].tolist() == [1, 2, 4, 3, 5]
    assert ranks["ms"].tolist() == [3, 2, 4, 5, 1]
    assert (
        ranks["right"].tolist()[:3] == [1, 2, 3]
        and ranks["right"].isna().tolist()[3:] == [True] * 2
    )
    with pytest.raises(UsageError, match="drawn"):
        board.ranks(["drawn"])


def test_the_best_and_who_may_be_as_good(board):
    assert board.best("right") == ["good", "fair"]
    assert 0 < board.right("poor").mean() < 0.3 and board.right("good").shape == (N,)
    with pytest.raises(UsageError, match="free"):
        board.right("free")


def test_a_paired_interval_by_hand_and_its_width():
    same = np.ones(50, bool)
    assert paired_interval(same, same) == (0, 0)
    rng = np.random.default_rng(1)
    hard = rng.random(400)
    a, b = hard < 0.6, hard < 0.5  # whatever obeys b's limit obeys a's
    low, high = paired_interval(a, b)
    assert 0 < low < (a.mean() - b.mean()) < high
    alone = 1.96 * np.hypot(share_error(a.mean(), 400), share_error(b.mean(), 400))
    assert (high - low) / 2 < 0.6 * alone  # paired it is narrower
    assert share_error(0.5, 100) == pytest.approx(0.05)
    with pytest.raises(UsageError, match="50 and 49"):
        paired_interval(same, same[1:])


def test_where_there_is_no_table_it_says_how_to_make_one(tmp_path):
    with pytest.raises(DataError, match=r"python scripts/scoreboard\.py"):
        Scoreboard.load(tmp_path / "none.csv")


def test_the_table_is_drawn_in_order(board):
    names = [*board.systems, *board.controls]
    assert in_order(board, names, "fid")[:3] == ["the world itself", "training pictures", "good"]
    assert in_order(board, board.systems, "right")[:2] == ["good", "fair"]
    wide = columns_drawn(board, names, ["fid", "right", "ms"])
    assert wide.width > columns_drawn(board, names, ["fid"]).width
    assert np.asarray(wide).std() > 10
    assert [short(x) for x in (0.98442, 12.345, 1230, 45678, 2.5e6, 3e9)] == [
        "0.984", "12.3", "1,230", "45.7k", "2.5M", "3G"
    ]  # fmt: skip


def test_pictures_have_a_frame_that_says_whether_the_caption_was_obeyed(board):
    drawn = np.asarray(pictures_drawn(board, ["good", "free"], 0)).astype(int)
    obeyed = bool(board.right("good")[0])
    assert (drawn[1, 1] == ((36, 124, 62) if obeyed else (208, 48, 44))).all()
    with pytest.raises(UsageError, match="no pictures are kept"):
        pictures_drawn(board, ["training pictures"], 0)


def test_the_explorer_draws_what_is_chosen(board):
    captions = [f"a bird, {k}" for k in range(8)]
    explorer = ScoreboardExplorer(board, captions)
    first = explorer.picture()
    fewer = explorer.picture(systems=("good", "poor"), sort="right")
    assert fewer.height < first.height
    assert explorer.picture(caption=3).tobytes() != first.tobytes()
    with pytest.raises(UsageError, match="at least one"):
        explorer.picture(systems=())
