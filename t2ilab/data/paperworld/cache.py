"""Pictures drawn once and kept: one memory-mapped file a world, split and size.

A file's name carries a fingerprint of the world's drawing code and data, so a changed world is
drawn anew. Files are written under another name and moved into place when complete; a lock makes a
second process wait for the first, and a killed one leaves nothing that is taken for whole.
"""

import hashlib
import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from filelock import FileLock

from t2ilab.paths import DATA, cache_dir

ALONE = 1500  # up to this many pictures are drawn without starting other processes


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
    """The first n pictures, uint8 [n, size, size, 3], memory-mapped and read-only."""
    path = _path(world, f"{split}-{size}-{n}", ".npy")
    if not _whole(path, (n, size, size, 3)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not _whole(path, (n, size, size, 3)):
                _build(path, world, split, size, n)
    return np.load(path, mmap_mode="r")


def words(world, split: str, n: int) -> dict:
    """Facts and captions of the first n pictures: values [n, attributes], stated, captions, ..."""
    path = _path(world, f"{split}-{n}", ".npz")
    try:
        with open(path, "rb") as file:
            found = np.load(file)
            kept = {k: found[k] for k in ("values", "stated", "classes", "captions")}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        kept = _describe(world, split, n)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.stem}.{os.getpid()}.npz")
        np.savez(temporary, **kept)
        os.replace(temporary, path)
    levels = kept["stated"].shape[1]
    lines = kept["captions"].tobytes().decode().split("\n")
    kept["captions"] = [lines[i : i + levels] for i in range(0, len(lines), levels)]
    return kept


def _path(world, what: str, suffix: str) -> Path:
    return cache_dir() / "paperworld" / f"{world.name}-{what}-{fingerprint(world.name)}{suffix}"


def _whole(path: Path, shape: tuple) -> bool:
    try:
        return np.load(path, mmap_mode="r").shape == shape
    except (OSError, ValueError, EOFError):
        return False


def _build(path: Path, world, split: str, size: int, n: int) -> None:
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp")
    try:
        out = np.lib.format.open_memmap(temporary, "w+", np.uint8, (n, size, size, 3))
        if n <= ALONE:
            draw_into(out, world, split, size, 0, n)
        else:
            _draw_in_processes(temporary, world, split, size, n)
        out.flush()
        del out
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def draw_into(out: np.ndarray, world, split: str, size: int, start: int, stop: int) -> None:
    """Draw pictures start to stop of a split into their places in `out`."""
    for i in range(start, stop):
        out[i] = world.picture(split, i, size)


def _draw_in_processes(path: Path, world, split: str, size: int, n: int) -> None:
    """Each process fills its share of the file; fresh interpreters are safe in notebooks, too."""
    count = os.cpu_count() or 1
    bounds = np.linspace(0, n, count + 1).astype(int).tolist()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    jobs = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "t2ilab.data.paperworld.worker",
                json.dumps([str(path), world.name, split, size, start, stop]),
            ],
            env=environment,
        )
        for start, stop in zip(bounds, bounds[1:], strict=False)
    ]
    try:
        failed = [job.returncode for job in jobs if job.wait() != 0]
    finally:
        for job in jobs:
            job.kill()
    if failed:
        raise RuntimeError(f"drawing {world.name}/{split} failed in a worker (exit {failed[0]})")


def _describe(world, split: str, n: int) -> dict[str, np.ndarray]:
    index = {
        name: {value: k for k, value in enumerate(values)}
        for name, values in world.attributes.items()
    }
    content, classes = list(world.content), {c: k for k, c in enumerate(world.classes)}
    values, stated, numbers, lines = [], [], [], []
    for i in range(n):
        facts = world.facts(split, i)
        said = world._captions(facts, split, i)
        values.append([index[name][facts[name]] for name in index])
        stated.append([[name in names for name in content] for _, names in said])
        numbers.append(classes[tuple(facts[a] for a in world.definition["class"])])
        lines.extend(text for text, _ in said)
    return {
        "values": np.array(values, np.uint8),
        "stated": np.array(stated, bool),
        "classes": np.array(numbers, np.int64),
        "captions": np.frombuffer("\n".join(lines).encode(), np.uint8),
    }
