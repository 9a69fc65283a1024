"""An array made once from files and kept on disk: there whole, or not there at all.

It lies in the cache folder as NAME.npy, memory-mapped when it is loaded, and NAME.json, the list of
what was left out. It is written under another name and moved into place when whole, so a killed
process leaves nothing that is taken for whole; a lock makes a second process wait for the first.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from t2ilab.errors import DataError
from t2ilab.paths import cache_dir

Broken = list[tuple[int, str]]  # (place, what was wrong)

_ABANDONED = 86_400  # seconds after which a half-written file belongs to nobody


def fingerprint(paths: list[Path], *how) -> str:
    """24 characters that change with the paths, the files' sizes and times of change, and `how`."""
    digest = hashlib.sha256(repr(how).encode())
    for path in paths:
        try:
            state = path.stat()
            facts = (state.st_size, state.st_mtime_ns, state.st_mode)
        except OSError:
            facts = None  # missing: another name once it is there
        digest.update(f"\n{path.absolute()} {facts}".encode(errors="surrogateescape"))
    return digest.hexdigest()[:24]


def array(
    name: str, rows: Iterable[np.ndarray | str], n: int, shape: tuple[int, ...], *, partial: bool
) -> tuple[np.ndarray, Broken]:
    """The array kept as `name`, made from `rows` first if it is not there.

    Args:
        rows: n rows, uint8 of `shape`, or a text that says why a row is missing.
        partial: False keeps nothing when a row is missing.

    Returns:
        uint8 [n - missing, *shape] and the missing rows. The array may be written to; that changes
        neither the file nor what others read.

    Raises:
        DataError: the cache folder cannot be written, or is full.
    """
    path = cache_dir() / "pictures" / f"{name}.npy"
    try:
        found = _load(path, n, shape)
        return _make(path, rows, n, shape, partial) if found is None else found
    except OSError as error:
        needed = n * int(np.prod(shape)) / 1e6
        raise DataError(
            f"{path.parent}: the pictures, {needed:.1f} MB, cannot be kept there ({error}). Make "
            "room, or set T2ILAB_CACHE to another folder, or read with cache=False."
        ) from error


def _load(path: Path, n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, Broken] | None:
    """What is kept at `path`; None if it is missing or not whole."""
    try:
        listed = json.loads(path.with_suffix(".json").read_text())
        broken = [(int(i), str(text)) for i, text in listed]
        rows = np.load(path, mmap_mode="c")
    except (OSError, ValueError, EOFError, TypeError):
        return None
    whole = rows.shape == (n - len(broken), *shape) and rows.dtype == np.uint8
    return (rows, broken) if whole else None


def _make(path: Path, rows, n: int, shape: tuple[int, ...], partial: bool):
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        found = _load(path, n, shape)  # another process may have made it while this one waited
        if found is not None:
            return found
        _clear_abandoned(path.parent)
        parts = [path.with_name(f"{path.stem}.{os.getpid()}{end}.tmp") for end in (".npy", ".json")]
        try:
            broken = _write(parts[0], rows, n, shape)
            if len(broken) == n or (broken and not partial):
                return np.empty((0, *shape), np.uint8), broken
            parts[1].write_text(json.dumps(broken))
            os.replace(parts[1], path.with_suffix(".json"))
            os.replace(parts[0], path)
        finally:
            for part in parts:
                part.unlink(missing_ok=True)
        return np.load(path, mmap_mode="c"), broken


def _write(path: Path, rows, n: int, shape: tuple[int, ...]) -> Broken:
    """Row after row as a stream, not through a memory map: a full disk is then an `OSError`."""
    broken: Broken = []
    with open(path, "wb") as file:
        _header(file, n, shape)
        for i, row in enumerate(rows):
            if isinstance(row, str):
                broken.append((i, row))
            else:
                file.write(row.tobytes())
        file.seek(0)
        _header(file, n - len(broken), shape)
        file.flush()
        os.fsync(file.fileno())
    return broken


def _header(file, n: int, shape: tuple[int, ...]) -> None:
    """The header of a .npy file. NumPy pads it so that its length does not depend on n."""
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (n, *shape)}
    )


def _clear_abandoned(folder: Path) -> None:
    """Remove what processes that were killed long ago left half written."""
    for path in folder.glob("*.tmp"):
        try:
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()
        except OSError:
            pass  # another process was faster
