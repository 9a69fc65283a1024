"""A file made once and kept in the cache folder: there whole, or not there at all.

Beside NAME.npy (or .npz) lies NAME.json with a digest of both (`schemas.caches`). It is compared
each time that the file is opened, and what does not agree is made again, with a warning: that costs
0.8 s for each gigabyte, where the processor helps with SHA-256, and no more than three times that
where it does not. A file is written under another name and moved into place when whole, so a killed
process leaves nothing that is taken for whole; a lock makes a second process wait for the first.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from t2ilab.durable import aside
from t2ilab.errors import DataError
from t2ilab.locks import UNSUPPORTED, in_turn
from t2ilab.schemas import caches, read, to_dict

LeftOut = list[tuple[int, str]]  # (place, what was wrong)


def fingerprint(paths: list[Path], *how) -> str:
    """24 characters that change with the paths, the files' sizes and times of change, and `how`."""
    digest = hashlib.sha256(repr(how).encode())
    for path in paths:
        try:
            state = path.stat()
            facts = (state.st_size, state.st_mtime_ns, state.st_mode)
        except (OSError, ValueError):
            facts = None  # missing: another name once it is there
        digest.update(f"\n{path.absolute()} {facts}".encode(errors="surrogateescape"))
    return digest.hexdigest()[:24]


def rows(
    path: Path,
    made: Iterable[np.ndarray | str],
    shape: tuple[int, ...],
    *,
    partial: bool = False,
    otherwise: str = "",
) -> tuple[np.ndarray, LeftOut]:
    """The array kept at `path` (a .npy), made first if it is not there.

    Args:
        made: shape[0] rows, uint8 of shape[1:], or a text that says why a row is missing.
        partial: False keeps nothing when a row is missing.
        otherwise: as in `file`.

    Returns:
        uint8 [rows there are, *shape[1:]] and the missing rows. The array is memory-mapped and may
        be written to; that changes neither the file nor what others read.

    Raises:
        DataError: as `file`.
    """

    def write(file: BinaryIO) -> LeftOut:
        return _write(file, made, shape, partial)

    try:
        left_out = file(path, write, megabytes=np.prod(shape) / 1e6, otherwise=otherwise)
    except _NotKept as left:
        return np.empty((0, *shape[1:]), np.uint8), left.out
    return np.load(path, mmap_mode="c"), left_out


def file(
    path: Path,
    write: Callable[[BinaryIO], LeftOut],
    *,
    megabytes: float | None = None,
    otherwise: str = "",
) -> LeftOut:
    """See that the file at `path` is there and whole, or make it; return what was left out of it.

    Args:
        write: fills an empty file.
        megabytes: how large it will be, for the message when there is no room.
        otherwise: what else can be done then; ends the message.

    Raises:
        DataError: the cache folder cannot be made, read or written, or is full.
    """
    try:
        left_out, _ = _whole(path)
        if left_out is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with in_turn(Path(f"{path}.lock")):
                left_out, doubt = _whole(path)  # another process may have made it meanwhile
                if left_out is None:
                    if doubt:
                        warnings.warn(f"{path} {doubt}: it is made again.", stacklevel=3)
                    left_out = _make(path, write)
        return left_out
    except OSError as error:
        size = f", {megabytes:.1f} MB," if megabytes else ""
        raise DataError(
            f"{path.parent}: {path.name}{size} cannot be kept there "
            f"({error.strerror or error}). Make room or let it be written, or set T2ILAB_CACHE to "
            f"another folder{otherwise}."
        ) from error


class _NotKept(Exception):
    """Rows are missing, and without them the rest is not wanted."""

    def __init__(self, out: LeftOut):
        self.out = out


def _whole(path: Path) -> tuple[LeftOut | None, str]:
    """What was left out of a file that is whole; else None, and why one that is there is not."""
    if not path.exists():
        return None, ""
    try:
        beside = read(path.with_suffix(".json"), caches.Kept, largest=caches.LARGEST)
    except DataError as error:
        return None, f"cannot be trusted ({str(error).rstrip('.')})"
    if _digest(path, path, beside.left_out) != beside.digest:
        return None, "is not what was written (its digest differs)"
    return beside.left_out, ""


def _digest(path: Path, named: Path, left_out: LeftOut) -> str:
    digest = hashlib.sha256(json.dumps([named.name, left_out]).encode())
    with open(path, "rb", buffering=0) as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def _make(path: Path, write: Callable[[BinaryIO], LeftOut]) -> LeftOut:
    with aside(path.with_suffix(".json"), path) as (beside, whole):
        left_out = write(whole)
        whole.flush()
        kept = caches.Kept(digest=_digest(Path(whole.name), path, left_out), left_out=left_out)
        beside.write(json.dumps(to_dict(kept)).encode())
    return left_out


def _write(file: BinaryIO, made, shape: tuple[int, ...], partial: bool) -> LeftOut:
    """Row after row as a stream, not through a memory map: a full disk is then an `OSError`."""
    left_out: LeftOut = []
    _header(file, shape)
    _allocate(file, file.tell() + int(np.prod(shape)))
    for i, row in enumerate(made):
        if isinstance(row, str):
            left_out.append((i, row.encode("utf-8", "backslashreplace").decode()))
        else:
            file.write(row.tobytes())
    there = shape[0] - len(left_out)
    if left_out and not (partial and there):
        raise _NotKept(left_out)
    file.truncate()
    file.seek(0)
    _header(file, (there, *shape[1:]))
    return left_out


def _header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """The header of a .npy file. NumPy pads it so that its length does not depend on shape[0]."""
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )


def _allocate(file: BinaryIO, size: int) -> None:
    """Learn that a disk is full before anything is drawn, where the system can tell."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
