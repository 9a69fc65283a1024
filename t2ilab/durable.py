"""Large files written so that neither a kill nor a full disk nor a power cut leaves half of one."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

SUFFIX = ".partial"


@contextmanager
def replacing(path: Path, *, before: Callable[[], None] | None = None) -> Iterator["Sink"]:
    """A binary file to write to, which takes the place of `path` once the block has ended well.

    The bytes go to a temporary file in the same folder and to the disk itself (fsync) first. When
    the block raises or the disk is full, the temporary file is removed and `path` is untouched.
    After a kill it stays behind, for `remove_leftovers`. `before` runs when all is written, just
    before the replacing.

    Raises:
        OSError: the writing failed.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{SUFFIX}")
    file = open(temporary, "wb")
    try:
        with file:
            sink = Sink(file)
            yield sink
            if sink.error is not None:
                raise sink.error
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            before()
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            file.close()
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


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


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed writer left in `folder`; nobody else may be writing there."""
    for temporary in folder.glob(f".*{SUFFIX}"):
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not everywhere can a folder be opened, and the file itself is safe
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
