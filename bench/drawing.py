"""How fast PaperWorld is drawn: on all cores, with all that surrounds it, beside one bare loop."""

import shutil
from collections.abc import Iterator

from bench.row import Row, in_turn
from bench.sizes import Sizes
from t2ilab.data import paperworld
from t2ilab.data.paperworld import cache
from t2ilab.paths import cache_dir


def measure(sizes: Sizes) -> Iterator[Row]:
    """Rows of drawing birds; the folder of drawn pictures must be a temporary one."""
    for side, n in sizes.pictures:
        yield _pictures(side, n, sizes.repeats)
    side, n = sizes.pictures[0]
    yield _with_captions(side, n, sizes.repeats)


def _pictures(side: int, n: int, repeats: int) -> Row:
    world, few = paperworld.world("birds"), max(1, n // 10)
    ours, theirs = in_turn(
        lambda: _drawn_anew(side, n),
        lambda: list(cache.drawn(world, "train", side, range(few))),
        repeats=repeats,
    )
    return Row.of(
        f"PaperWorld drawing, birds {side}x{side}",
        [n / t for t in ours],
        [few / t for t in theirs],
        unit="pictures/s",
        more=True,
        target=">= 2000 pictures/s on two cores" if side == 32 else "",
        note=f"{n} pictures into the cache, start of the processes included; "
        "reference: a loop in one process, nothing kept",
    )


def _with_captions(side: int, n: int, repeats: int) -> Row:
    def load() -> None:
        shutil.rmtree(cache_dir() / "paperworld", ignore_errors=True)
        paperworld.world("birds").load("train", side, n)

    ours, theirs = in_turn(load, lambda: _drawn_anew(side, n), repeats=repeats)
    return Row.of(
        f"PaperWorld first load, birds {side}x{side}",
        [n / t for t in ours],
        [n / t for t in theirs],
        unit="pictures/s",
        more=True,
        note="pictures, facts and five captions each; reference: the pictures alone",
    )


def _drawn_anew(side: int, n: int) -> None:
    shutil.rmtree(cache_dir() / "paperworld", ignore_errors=True)
    cache.pictures(paperworld.world("birds"), "train", side, n)
