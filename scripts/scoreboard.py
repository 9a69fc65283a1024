"""Every system of the catalogue that draws, on one world, under one protocol.

    python scripts/scoreboard.py                        # the weights that ship, and the controls
    python scripts/scoreboard.py --train --minutes 5    # and what none ship of: three seeds each
    python scripts/scoreboard.py --only winn            # rows whose weights have this in their name

Writes `data/results/scoreboard.csv`, a row for each set of weights (or control), at 32 pixels and
at the size of its own pictures; and `scoreboard.npz`, of each row what was right of which caption,
and a few pictures. Notebook 23 shows both. A row is added when it is measured; a row whose weights
are still the same (sha256) is kept. Systems come from the catalogue and the weights that ship:
there is no list of names here. A time is of the processor, one thread, so other work on the machine
does not count.

Also written: `scoreboard_planted.csv`, what the memorisation tests say of planted copies.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from wasserstein import updates

from t2ilab import catalogue
from t2ilab.commands.pictures import options_of
from t2ilab.data import paperworld
from t2ilab.errors import T2ILabError, UsageError, choose
from t2ilab.files import add_row, has_row, write_csv
from t2ilab.fit import fit
from t2ilab.metrics.controls import CONTROLS, held_out
from t2ilab.metrics.memorisation import planted
from t2ilab.metrics.protocol import Drawn, Found, Protocol, averaged, draw
from t2ilab.metrics.scoreboard import FILE, read_rows
from t2ilab.paths import runs_dir
from t2ilab.recipes.train import train
from t2ilab.systems import weights
from t2ilab.systems.system import System

KEY = ["name", "sha", "seed", "drawn", "size", "n"]
LIKELIHOODS = {"bits_per_value": "bound", "bits_a_value": "bound"}  # what recipes measure -> type
TIMED = 48  # pictures of a timed drawing
NOISES = 25  # pictures of a caption for the diversity
SLOW, FEW = 20.0, 100  # where a picture takes so many ms, sparse captions are tried so few times
SHOWN = 8  # pictures of each that are kept
PLANTED = (0.0, 0.05, 0.2, 0.5)


@dataclass(frozen=True)
class Entry:
    """What is measured in one go.

    Attributes:
        name: of the weights; of what was trained here, that of the system and its time.
        system: in the catalogue.
        path, about: the weight file, and what it says of itself.
        seed, minutes: of the training, where it was trained here (minutes of the processor).
    """

    name: str
    system: str
    path: Path
    about: Any
    seed: int | None = None
    minutes: float | None = None

    @property
    def sha(self) -> str:
        return self.about.tensors[:12]

    def load(self) -> System:
        return catalogue.recipe(self.system).System.load(self.path)


def shipped(world: str) -> Iterator[Entry]:
    """The weights of this world that ship and draw."""
    for name, about in weights.described().items():
        if about.world == world and about.system in catalogue.CATALOGUE:
            if catalogue.recipe(about.system).System.draws:
                yield Entry(name, about.system, weights.FOLDER / f"{name}.safetensors", about)


def trained(world: str, seeds: int, minutes: float, only: str, **options) -> Iterator[Entry]:
    """What draws, learns from a world, and has no weights that ship: trained now, or before."""
    have = {entry.system for entry in shipped(world)}
    for seed in range(seeds):
        for system in catalogue.CATALOGUE:
            recipe = catalogue.recipe(system)
            learns = "world" in {f.name for f in fields(recipe.Options)}
            if system in have or not (recipe.System.draws and learns) or only not in system:
                continue
            folder = runs_dir() / "scoreboard" / f"{system}-{world}-{minutes:g}-{seed}"
            if not list(folder.glob("*.safetensors")):
                given = {"world": world, "seed": seed, "device": "cpu"} | options
                steps = updates(system, minutes, **given)
                made = train(system, out=folder, show=False, steps=steps, **given)
                if made.fitted.stopped == "signal":
                    raise SystemExit("interrupted: this run is not counted.")
            (path,) = folder.glob("*.safetensors")
            about = weights.intact(path)[0]
            yield Entry(f"{path.stem}, {minutes:g} min", system, path, about, seed, minutes)


def training_seconds(about: Any) -> float:
    """Of these weights, of those that they began with, and of parts that lie in other weights."""
    began = about.more.get("start", {}).get("seconds", 0)
    parts = {shared.name for shared in about.shared.values()}
    return about.seconds + began + sum(weights.described()[name].seconds for name in parts)


def picture_steps(entry: Entry, steps: int = 3) -> float:
    """Pictures times passes through a network, in the whole training.

    Counted: some steps are made again, and each call of a network of the trainer counts the
    pictures that it is given, those of an ascent and of a penalty too (a backward pass does not).
    NaN where no network of the trainer is called as a whole: nothing can be counted then.
    """
    recipe = catalogue.recipe(entry.system)
    about = {"name": entry.name, "world": entry.about.world, "more": entry.about.more}
    smaller = {"size": "64"} if (entry.about.size or 0) > 64 else {}  # as many, sooner drawn
    built = recipe.build(options_of(entry.system, about, None, smaller), _not_prepared)
    counted = [0]

    def count(_, inputs, __):
        first = next((x for x in inputs if isinstance(x, torch.Tensor)), None)
        counted[0] += 0 if first is None else len(first)

    networks = {id(m): m for m in vars(built.trainer).values() if isinstance(m, nn.Module)}
    handles = [network.register_forward_hook(count) for network in networks.values()]
    fit(built.trainer, built.batches, steps=steps, device="cpu", precision=built.precision,
        show=False, strips=0)  # fmt: skip
    for handle in handles:
        handle.remove()
    return counted[0] / steps * entry.about.steps if counted[0] else float("nan")


def _not_prepared(name: str, **_: Any) -> System:
    raise UsageError(f"this training needs a trained {name}, which is not made for a count.")


def drawing_ms(system: System, world: str, n: int) -> float:
    """Milliseconds of one processor core a picture, TIMED drawn at once; the least of some times,
    for what else runs on the machine only ever makes it longer.
    """
    threads, few, took = torch.get_num_threads(), min(TIMED, n), []
    torch.set_num_threads(1)
    while len(took) < 5 and sum(took) < 3:
        began = time.process_time()
        draw(system, world, few)
        took.append(time.process_time() - began)
    torch.set_num_threads(threads)
    return 1000 * min(took) / few


def about_entry(entry: Entry, system: System, world: str, n: int) -> dict[str, Any]:
    """What a row says that no picture is measured for."""
    likely = [(v, kind) for k, kind in LIKELIHOODS.items() if (v := entry.about.measured.get(k))]
    try:
        passes = picture_steps(entry)
    except T2ILabError as error:
        print(f"  picture-steps of {entry.name} are not known: {error}"[:200], flush=True)
        passes = np.nan
    return {
        "parameters": sum(p.numel() for p in system.parameters()),
        "seconds": training_seconds(entry.about) if entry.minutes is None else 60 * entry.minutes,
        "steps": entry.about.steps,
        "trained_on": entry.about.trained_on,
        "picture_steps": passes,
        "ms": drawing_ms(system, world, n),
        "likelihood": likely[0][0] if likely else np.nan,
        "likelihood_kind": likely[0][1] if likely else "",
    }


def asked(system: System, protocol: Protocol, row: dict, each: dict) -> dict[str, float]:
    """Of a system that reads captions: obedience to sparser ones, and diversity."""
    if not system.takes_captions:
        return {}
    few = protocol.n if row["ms"] < SLOW else min(FEW, protocol.n)
    levels = [each["right"]] + [
        protocol.by_level(system, level, few) for level in range(1, paperworld.LEVELS)
    ]
    found = {f"right_{k}": float(right.mean()) for k, right in enumerate(levels)}
    return found | {"n_levels": few, "diversity": protocol.diversity(system, min(NOISES, few))}


class Board:
    """The table, the file of what was right and of pictures, and how rows are added to both."""

    def __init__(self, file: Path, world: str, n: int, memory: int):
        self.file, self.world, self.n, self.memory = file, world, n, memory
        self.table = read_rows(file) if file.exists() else pd.DataFrame(columns=KEY)
        self._protocols: dict[int, Protocol] = {}

    @property
    def seen(self) -> int:
        """How many training pictures the controls know."""
        return self.memory or paperworld.SPLITS["train"]

    def protocol(self, size: int) -> Protocol:
        """At 32 pixels with the tests of memory; at other sizes without."""
        if size not in self._protocols:
            memory = self.memory if size == 32 else 0
            self._protocols[size] = Protocol(self.world, self.n, size=size, memory=memory)
        return self._protocols[size]

    def has(self, **known: Any) -> bool:
        return len(self.table) > 0 and has_row(self.table, known)

    def add(self, size: int, found: Found, drawn: Drawn, head: dict, more: dict) -> None:
        """One row, in place of rows of the same name, seed and sizes that were of other weights."""
        side = drawn.pictures.shape[1]
        key = head | {"drawn": side, "size": size, "n": self.n}
        same = ["name", "seed", "drawn", "size", "n"]
        if len(self.table):
            old = (self.table[same] == pd.Series({k: key[k] for k in same})).all(axis=1)
            self.table = self.table[~old]
        row = key | {"asked": drawn.terms, "of": " ".join(drawn.attributes)} | found.row | more
        self.table = add_row(self.file, self.table, row)
        if size == 32:
            self._keep(head, found, drawn)
        shown = {k: row.get(k, np.nan) for k in ("fid", "right", "right_judge", "nearer", "copied")}
        print(f"{head['name']} {side} -> {size}:", {k: round(v, 3) for k, v in shown.items()},
              flush=True)  # fmt: skip

    def _keep(self, head: dict, found: Found, drawn: Drawn) -> None:
        """What was right of which caption, and pictures of at most 64 pixels a side."""
        file = self.file.with_suffix(".npz")
        kept = dict(np.load(file)) if file.exists() else {}
        name = f"{head['name']}/{head['seed']}"
        if drawn.terms == "captions":
            kept |= {f"{name}/{what}": np.packbits(bits) for what, bits in found.each.items()}
        if head["seed"] < 1:
            small = min(64, drawn.pictures.shape[1])
            kept[f"{name}/pictures"] = averaged(drawn.pictures[:SHOWN], small)
        np.savez_compressed(file, **kept)


def measure_controls(board: Board) -> None:
    """Each control at 32 pixels; the world itself at the other sizes too, as their floor."""
    for name, make in CONTROLS.items():
        for drawn, size in [(32, 32)] + ([(64, 32), (64, 64)] if name == first(CONTROLS) else []):
            head = {"kind": "control", "name": name, "system": "", "sha": "", "seed": -1}
            known = {"name": name, "drawn": drawn, "size": size, "n": board.n}
            if not board.has(**known):
                made = make(board.world, board.n, drawn, board.seen)
                board.add(size, board.protocol(size).measure(made), made, head, {})


def first(names) -> str:
    return next(iter(names))


def measure_entry(board: Board, entry: Entry) -> None:
    """At 32 pixels, and at the size of its own pictures; what is in the table already is kept."""
    seed = -1 if entry.seed is None else entry.seed
    side = entry.about.size
    if side is None or side % 32:
        print(f"{entry.name}: left out, for its pictures of {side} pixels cannot be averaged to 32")
        return
    known = {"name": entry.name, "sha": entry.sha, "seed": seed, "n": board.n}
    sizes = [size for size in dict.fromkeys((32, side)) if not board.has(**known, size=size)]
    if not sizes:
        return
    system, kind = entry.load(), "shipped" if entry.seed is None else "trained"
    head = {"kind": kind, "name": entry.name, "system": entry.system}
    head |= {"sha": entry.sha, "seed": seed}
    drawn = draw(system, board.world, board.n)
    about = about_entry(entry, system, board.world, board.n)
    for size in sizes:
        found = board.protocol(size).measure(drawn)
        more = asked(system, board.protocol(32), about, found.each) if size == 32 else {}
        board.add(size, found, drawn, head, about | more)


def calibrate(board: Board, file: Path) -> None:
    """What the memorisation tests say of held-out pictures with planted copies among them."""
    if file.exists() or not board.memory:
        return
    memory = board.protocol(32).memory
    train_set = paperworld.world(board.world).load("train", 32, board.memory).images
    fresh = held_out(board.world, board.n, 32, board.seen).pictures
    rows = [
        {"planted": share, **memory.measure(planted(fresh, train_set, share))._asdict()}
        for share in PLANTED
    ]
    write_csv(file, pd.DataFrame(rows), float_format="%.6g")


def measured(
    file: Path = FILE,
    *,
    world: str = "birds",
    n: int = 1000,
    memory: int = paperworld.SPLITS["train"],
    only: str = "",
    seeds: int = 0,
    minutes: float = 5.0,
    **options: Any,
) -> pd.DataFrame:
    """Measure what is missing; the whole table.

    Args:
        memory: training pictures that the memorisation tests look at; 0: none.
        only: weights, or systems, with this in their name.
        seeds: of each system without weights that ship, trained for `minutes`; 0: none.
        options: of these trainings.
    """
    choose("world", world, paperworld.WORLDS)
    board = Board(file, world, n, memory)
    measure_controls(board)
    calibrate(board, file.with_name(f"{file.stem}_planted.csv"))
    for entry in shipped(world):
        if only in entry.name:
            measure_entry(board, entry)
    for entry in trained(world, seeds, minutes, only, **options):
        measure_entry(board, entry)
    return board.table


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--world", default="birds")
    words.add_argument("-n", type=int, default=1000, help="captions and pictures; default 1000")
    words.add_argument("--only", default="", help="weights or systems with this in their name")
    words.add_argument("--train", action="store_true", help="train what has no weights that ship")
    words.add_argument("--seeds", type=int, default=3, help="of what is trained; default 3")
    words.add_argument("--minutes", type=float, default=5, help="of each training; default 5")
    words.add_argument("--memory", type=int, default=paperworld.SPLITS["train"],
                       help="training pictures that the memorisation tests look at")  # fmt: skip
    words.add_argument("--out", type=Path, default=FILE, help="the table")
    given = words.parse_args()
    table = measured(
        given.out, world=given.world, n=given.n, memory=given.memory, only=given.only,
        seeds=given.seeds if given.train else 0, minutes=given.minutes,
    )  # fmt: skip
    columns = ["name", "seed", "drawn", "size", "asked", "fid", "precision", "recall", "right",
               "right_judge", "copied", "ms"]  # fmt: skip
    print(table.reindex(columns=columns).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
