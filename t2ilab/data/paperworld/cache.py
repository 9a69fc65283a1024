"""Pictures drawn once and kept: one memory-mapped file a world, split and size (see `data.kept`).

A file's name carries a fingerprint of the world's drawing code and data, so a changed world is
drawn anew.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import numpy as np

from t2ilab.data import kept
from t2ilab.errors import DataError
from t2ilab.paths import DATA, cache_dir

ALONE = 1500  # up to this many pictures are drawn without starting other processes
FACTS = ("values", "stated", "classes", "captions")


@lru_cache
def fingerprint(world: str) -> str:
    """Eight characters that change with a world's drawing code and with its data."""
    code, data = Path(__file__).parent, DATA / "paperworld"
    drawn_with = ("places", world) if world == "birds" else ("places", "cutouts", "settings", world)
    digest = hashlib.sha256()
    for path in [
        *(code / f"{name}.py" for name in ("paper", "captions", "world", *drawn_with)),
        *(data / f"{name}.json" for name in ("paint", "lexicon", world)),
    ]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def pictures(world, split: str, size: int, n: int) -> np.ndarray:
    """The first n pictures, uint8 [n, size, size, 3], memory-mapped and read-only.

    Raises:
        DataError: they cannot be kept, or a drawing process died.
    """
    path = _path(world, f"{split}-{size}-{n}", ".npy")
    draw = drawn if n <= ALONE else _drawn_in_processes
    with closing(draw(world, split, size, range(n))) as made:
        kept.rows(path, made, (n, size, size, 3))
    return np.load(path, mmap_mode="r")


def words(world, split: str, n: int) -> dict:
    """Facts and captions of the first n pictures: values [n, attributes], stated, captions, ...

    Ten captions each: from complete to bare, and the same with asides.

    Raises:
        DataError: they cannot be kept.
    """

    def write(file) -> kept.LeftOut:
        np.savez(file, **_describe(world, split, n))
        return []

    path = _path(world, f"{split}-{n}", ".npz")
    kept.file(path, write)
    with np.load(path) as found:
        facts = {name: found[name] for name in FACTS}
    levels = facts["stated"].shape[1]
    lines = facts["captions"].tobytes().decode().split("\n")
    facts["captions"] = [lines[i : i + levels] for i in range(0, len(lines), levels)]
    return facts


def _path(world, what: str, suffix: str) -> Path:
    return cache_dir() / "paperworld" / f"{world.name}-{what}-{fingerprint(world.name)}{suffix}"


def drawn(world, split: str, size: int, places: range) -> Generator[np.ndarray]:
    """The pictures at `places` of a split, one after the other."""
    for i in places:
        yield world.picture(split, i, size)


def _drawn_in_processes(world, split: str, size: int, places: range) -> Generator[np.ndarray]:
    """As `drawn`: process k of c draws every c-th picture from the k-th on, into a pipe.

    Fresh interpreters are safe in notebooks, too; a full pipe makes them wait for the reader.
    """
    count = os.cpu_count() or 1
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "t2ilab.data.paperworld.worker"]
    jobs = []
    for k in range(count):
        job = json.dumps([world.name, split, size, k, len(places), count])
        pipe = subprocess.PIPE
        jobs.append(subprocess.Popen([*command, job], env=environment, stdout=pipe))
    try:
        for i in places:
            job = jobs[i % count]
            pixels = job.stdout.read(size * size * 3)
            if len(pixels) < size * size * 3:
                raise DataError(
                    f"a process that drew {world.name}/{split} ended too early (status "
                    f"{job.wait()}); what it said stands above. Was there enough memory?"
                )
            yield np.frombuffer(pixels, np.uint8)
    finally:
        for job in jobs:
            job.kill()
            job.communicate()


def _describe(world, split: str, n: int) -> dict[str, np.ndarray]:
    index = {
        name: {value: k for k, value in enumerate(values)}
        for name, values in world.attributes.items()
    }
    names, classes = list(world.attributes), {c: k for k, c in enumerate(world.classes)}
    values, stated, numbers, lines = [], [], [], []
    for i in range(n):
        facts = world.facts(split, i)
        said = world._captions(facts, split, i) + world._with_asides(facts, split, i)
        values.append([index[name][facts[name]] for name in index])
        stated.append([[name in states for name in names] for _, states in said])
        numbers.append(classes[tuple(facts[a] for a in world.definition["class"])])
        lines.extend(text for text, _ in said)
    return {
        "values": np.array(values, np.uint8),
        "stated": np.array(stated, bool),
        "classes": np.array(numbers, np.int64),
        "captions": np.frombuffer("\n".join(lines).encode(), np.uint8),
    }
