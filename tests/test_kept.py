"""What is kept in the cache folder: nothing of it is trusted, and no place is taken for granted."""

import errno
import json
import os
import random
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from t2ilab.data import kept, paperworld, pictures
from t2ilab.data.paperworld import cache
from t2ilab.durable import SUFFIX
from t2ilab.errors import DataError

ROWS = [np.full((2, 3), i, np.uint8) for i in range(5)]
ONE = random.Random(0)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("T2ILAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


# ---------------------------------------------------------------------------------- rows and files


def test_rows_are_made_once_and_may_be_written_to(folder):
    path = folder / "a" / "x.npy"
    first, out = kept.rows(path, ROWS, (5, 2, 3))
    first[:] = 9
    again, _ = kept.rows(path, None, (5, 2, 3))  # not made again: None has no rows
    assert out == [] and np.array_equal(again, ROWS) and isinstance(again, np.memmap)
    assert sorted(p.name for p in path.parent.iterdir()) == ["x.json", "x.npy", "x.npy.lock"]


def test_rows_that_are_missing_are_named_and_kept_only_on_demand(folder):
    path, made = folder / "x.npy", [ROWS[0], "a\udc80.png: broken", ROWS[2]]
    images, out = kept.rows(path, made, (3, 2, 3))
    assert out == [(1, r"a\udc80.png: broken")] and not path.exists()
    for rows in (made, None):
        images, out = kept.rows(path, rows, (3, 2, 3), partial=True)
        assert out == [(1, r"a\udc80.png: broken")]
        assert np.array_equal(images, [ROWS[0], ROWS[2]])
    kept.rows(folder / "y.npy", ["all", "are", "broken"], (3, 2, 3), partial=True)
    assert not (folder / "y.npy").exists() and not list(folder.glob(f".*{SUFFIX}"))


def test_the_header_has_one_length_for_every_number_of_rows(tmp_path):
    lengths = set()
    for n in (0, 1, 999, 10**9):
        with open(tmp_path / "h", "wb") as file:
            kept._header(file, (n, 64, 64, 3))
            lengths.add(file.tell())
    assert len(lengths) == 1


def test_a_file_under_another_files_name_is_not_taken_for_it(folder):
    kept.rows(folder / "x.npy", ROWS, (5, 2, 3))
    for end in (".npy", ".json"):
        (folder / f"y{end}").write_bytes((folder / f"x{end}").read_bytes())
    with pytest.warns(UserWarning, match=r"y\.npy.*digest differs"):
        found, _ = kept.rows(folder / "y.npy", ROWS[::-1], (5, 2, 3))
    assert np.array_equal(found, ROWS[::-1])


# ----------------------------------------------------------------------------------------- damages


def of_bytes(data: bytes) -> bytes:
    """A damage of a .npy or .npz file, whose header has 128 bytes."""
    damaged, at = bytearray(data), ONE.randrange(128, len(data))
    kind = ONE.randrange(9)
    if kind < 2:  # a bit of the header
        damaged[ONE.randrange(128)] ^= 1 << ONE.randrange(8)
    elif kind < 4:  # a bit behind it
        damaged[at] ^= 1 << ONE.randrange(8)
    elif kind == 4:  # black
        damaged[128:] = bytes(len(data) - 128)
    elif kind == 5:
        del damaged[ONE.randrange(len(data)) :]
    elif kind == 6:
        damaged += bytes(ONE.randrange(1, 99))
    elif kind == 7:
        del damaged[at]
    else:
        damaged[:] = ONE.randbytes(len(data))
    return bytes(damaged)


def of_json(text: bytes) -> bytes:
    """A damage of the JSON beside it: dropped, retyped, swapped, enlarged, nested, cut, flipped."""
    found = json.loads(text)
    name = ONE.choice(list(found))
    odd = [None, 3, 1e300, "", "0" * 64, [], {}, [[0, "x"]], [[-1, "x"]], [["0", "x"]], [[0]], True]
    kind = ONE.randrange(10)
    if kind == 0:
        del found[name]
    elif kind < 4:
        found[name] = ONE.choice(odd)
    elif kind == 4:
        found["digest"], found["left_out"] = found["left_out"], found["digest"]
    elif kind == 5:
        found[ONE.choice(["more", "Digest"])] = 1
    elif kind == 6:
        return text.replace(b"[", b"[" * ONE.choice([2, 100_000]), 1)
    elif kind == 7:
        return text[: ONE.randrange(len(text))]
    elif kind == 8:
        at = ONE.randrange(len(text))
        return text[:at] + bytes([text[at] ^ 1 << ONE.randrange(8)]) + text[at + 1 :]
    else:
        return ONE.choice([b"\xef\xbb\xbf" + text, b"[" + text + b"]", b"9" * 10_000, b"NaN", b""])
    return json.dumps(found).encode()


def drawn() -> tuple:
    data = paperworld.world("flowers").load("train", 32, 2)
    return data.images.tolist(), data.captions, data.classes.tolist(), data.stated.tolist()


def from_files(paths: list[Path]) -> tuple:
    found = pictures.read_many(paths, 4, skip=True, report=None)
    return found.images.tolist(), found.broken


def test_no_damage_of_what_is_kept_passes_or_is_a_traceback(tmp_path, folder):
    """Pictures, captions, and what stands beside them: what comes back is what was made."""
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for i in (0, 2):
        Image.new("RGB", (9, 9), (i, 100, 200)).save(files[i])
    total, said = 0, 0
    for load, place in ((drawn, "paperworld"), (lambda: from_files(files), "pictures")):
        expected = load()
        for path in sorted(p for p in (folder / place).iterdir() if p.suffix != ".lock"):
            whole = path.read_bytes()
            for _ in range(40):
                damaged = of_json(whole) if path.suffix == ".json" else of_bytes(whole)
                path.write_bytes(damaged)
                with warnings.catch_warnings(record=True) as heard:
                    warnings.simplefilter("always")
                    assert load() == expected, (path.name, damaged[:200])
                assert heard or path.suffix == ".json", (path.name, damaged[:200])
                assert path.read_bytes() == (whole if heard else damaged)
                total, said = total + 1, said + bool(heard)
    print(f"{total} damages of kept files: 0 tracebacks, 0 wrong; {said} said and made again")
    assert total >= 200 and said > 0.9 * total


# ------------------------------------------------------------------------------------------ places


@contextmanager
def small_files(size: int):
    """No file may be larger than `size` bytes: what a full disk is, without one."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("fallocate", [True, False])
def test_a_full_disk_is_said_in_words_and_leaves_nothing(folder, monkeypatch, fallocate):
    if not fallocate:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    with small_files(10_000):
        with pytest.raises(DataError, match=r"0\.1 MB.*T2ILAB_CACHE"):
            cache.pictures(paperworld.world("birds"), "train", 64, 10)
        with pytest.raises(DataError, match="npz.*T2ILAB_CACHE"):
            cache.words(paperworld.world("birds"), "train", 50)
    assert not [p for p in (folder / "paperworld").iterdir() if p.suffix != ".lock"]


def test_a_full_disk_is_noticed_before_anything_is_drawn(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    monkeypatch.setattr(paperworld.World, "picture", None)  # drawing would fail
    with pytest.raises(DataError, match="No space left.*Make room.*T2ILAB_CACHE"):
        cache.pictures(paperworld.world("birds"), "train", 32, 4)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_will_do(folder, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl")

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(os, "posix_fallocate", flock, raising=False)  # nor can it allocate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # filelock's own, of its other way to lock
        found, _ = kept.rows(folder / "x.npy", ROWS, (5, 2, 3))
    assert np.array_equal(found, ROWS)


def test_a_place_that_cannot_be_is_said_in_words(tmp_path, monkeypatch):
    def load():
        return paperworld.world("birds").load("train", 32, 2)

    (tmp_path / "file").write_text("in the way")
    for place in ("file", "file/below"):
        monkeypatch.setenv("T2ILAB_CACHE", str(tmp_path / place))
        with pytest.raises(DataError, match="set T2ILAB_CACHE to another folder"):
            load()
        with pytest.raises(DataError, match="T2ILAB_CACHE.*or read with cache=False"):
            pictures.read_many([tmp_path / "a.png"], 4)


def test_what_is_whole_in_a_folder_that_may_only_be_read_is_used(folder, monkeypatch):
    kept.rows(folder / "x.npy", ROWS, (5, 2, 3))
    monkeypatch.setattr(kept, "in_turn", None)  # using it, or writing, would fail
    assert np.array_equal(kept.rows(folder / "x.npy", None, (5, 2, 3))[0], ROWS)


def test_a_drawing_process_that_dies_is_said_in_words(folder, monkeypatch):
    monkeypatch.setattr(cache, "ALONE", 1)
    monkeypatch.setattr(sys, "executable", str(folder.parent / "python"))
    (folder.parent / "python").write_text("#!/bin/sh\nexit 3\n")
    (folder.parent / "python").chmod(0o755)
    with pytest.raises(DataError, match=r"birds/val ended too early \(status 3\)"):
        cache.pictures(paperworld.world("birds"), "val", 32, 10)
    assert not list((folder / "paperworld").glob("*.np*[yp]"))


def test_no_drawing_process_outlives_a_full_disk(folder, monkeypatch):
    started = []

    class Watched(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(cache, "ALONE", 1)
    monkeypatch.setattr(cache.subprocess, "Popen", Watched)
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    with small_files(100_000), pytest.raises(DataError, match=r"0\.5 MB"):
        cache.pictures(paperworld.world("birds"), "val", 64, 40)
    assert started and all(job.returncode is not None for job in started)
