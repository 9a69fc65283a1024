"""A lock of a name among all processes that share a folder; it dies with the process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from filelock import FileLock, Timeout


@contextmanager
def locked(path: Path, stop: Event | None = None) -> Iterator[None]:
    """Hold the lock while the block runs; who waits for it gives up once `stop` is set.

    Where the folder cannot be written to, or its file system has no locks, nothing is locked.
    """
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while not (stop and stop.is_set()):
            try:
                lock.acquire(timeout=0.5)
                break
            except Timeout:
                continue
    except (OSError, NotImplementedError):
        pass
    try:
        yield
    finally:
        lock.release()
