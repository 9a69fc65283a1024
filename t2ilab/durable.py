"""Files written so that neither a kill nor a full disk nor a power cut leaves half of one."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

SUFFIX = ".t2ilab-partial"  # of files that are being written; no other program's
ABANDONED = 86_400  # seconds after which, without file locks, a half-written file is nobody's


@contextmanager
def replacing(path: Path, *, before: Callable[[], None] | None = None) -> Iterator["Sink"]:
    """A binary file to write to, which takes the place of `path` once the block has ended well.

    As `replacing_all` of one file.
    """
    with replacing_all(path, before=before) as (sink,):
        yield sink


@contextmanager
def replacing_all(*paths: Path, before: Callable[[], None] | None = None) -> Iterator[list["Sink"]]:
    """Files that belong together: all are on the disk before the first takes its place.

    As `aside`, with sinks that `torch.save` can write to. Only a kill between two renamings, which
    are microseconds apart, leaves a new file beside an old one.

    Raises:
        OSError: the writing failed; every one of `paths` is as it was.
    """
    with aside(*paths, before=before) as files:
        sinks = [Sink(file) for file in files]
        yield sinks
        for sink in sinks:
            if sink.error is not None:
                raise sink.error


@contextmanager
def aside(*paths: Path, before: Callable[[], None] | None = None) -> Iterator[list[IO[bytes]]]:
    """Open binary files that take the places of `paths` once the block has ended well.

    They are temporary files in the same folders (`file.name`, which may be opened once more, as a
    memory map) and go to the disk itself (fsync) first. When the block raises or the disk is full
    they are removed, and `paths` are untouched. After a kill they stay behind until the next
    writing into the same folder. `before` runs when all is written, just before the replacing.

    A link stays, and what it leads to is replaced. What is there and is no file (a device, a pipe)
    is never replaced, but written to.

    Raises:
        OSError: the writing failed.
    """
    opened: list[tuple[IO[bytes], Path | None]] = []
    try:
        for path in paths:
            opened.append(_open(path))
        yield [file for file, _ in opened]
        for file, target in opened:
            file.flush()
            if target is not None:
                os.fsync(file.fileno())
        if before is not None:
            before()
        for file, target in opened:
            if target is not None:
                if os.name == "nt":  # there an open file cannot be moved
                    file.close()
                os.replace(file.name, target)  # still locked: nobody takes it for a leftover
    except BaseException:
        for file, target in opened:
            with suppress(OSError):
                file.close()
            if target is not None:
                Path(file.name).unlink(missing_ok=True)
        raise
    for file, _ in opened:
        file.close()
    for folder in {target.parent for _, target in opened if target is not None}:
        _sync_folder(folder)


class Sink:
    """Passes bytes on to a file; keeps the first OSError for later and then drops the rest.

    `torch.save` turns an error of the file below it into a RuntimeError about positions, and its
    writer may be in C++ code that no exception should cross: so it never sees one.
    """

    def __init__(self, file: IO[bytes]):
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        return len(data)

    def flush(self) -> None:
        """Nothing to do: `replacing` flushes."""


def remove_leftovers(folder: Path, *, below: str = "") -> None:
    """Remove what killed writers left in `folder`; what is still being written stays.

    `below`: "*/" looks into its sub-folders in its place.
    """
    for temporary in folder.glob(f"{below}.*{SUFFIX}"):
        with suppress(OSError), open(temporary, "r+b") as file:
            held = _lock(file)
            old = time.time() - os.fstat(file.fileno()).st_mtime > ABANDONED
            if held or (held is None and old):
                temporary.unlink()  # while it is held: see _open


def _open(path: Path) -> tuple[IO[bytes], Path | None]:
    """A locked temporary file and what it will replace; or a device itself, and None."""
    if _is_special(path):
        return open(path, "ab"), None
    target = Path(os.path.realpath(path))
    remove_leftovers(target.parent)
    while True:
        temporary = target.with_name(f".{target.name[:40]}.{token_hex(4)}{SUFFIX}")
        file = open(temporary, "xb")
        if _lock(file) is not False and temporary.exists():
            return file, target
        file.close()  # taken for a leftover between opening and locking it


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def _lock(file: IO[bytes]) -> bool | None:
    """Take the lock that dies with its process: True; False where another holds it; None where the
    file system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not everywhere can a folder be opened, and the file itself is safe
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
