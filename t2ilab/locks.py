"""One process at a time: a file lock that dies with its holder, or else a soft one."""

import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

UNSUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)


def locked(path: Path, *, timeout: float = -1) -> BaseFileLock:
    """The lock file `path`, held until `release()`.

    Where the file system knows no locks, a second file, `path` and ".soft", that exists while it
    is held, serves instead; one that its dead holder left there is in the way until `filelock`
    sees that the process is gone.

    Args:
        timeout: seconds to wait while another process holds it; 0: not at all; -1: for ever.

    Raises:
        filelock.Timeout: another process holds it.
        OSError: the file cannot be made.
    """
    lock: BaseFileLock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except (OSError, NotImplementedError) as error:
        if isinstance(error, Timeout) or getattr(error, "errno", errno.ENOSYS) not in UNSUPPORTED:
            raise
        lock = SoftFileLock(f"{path}.soft")
        lock.acquire(timeout=timeout)
    return lock


@contextmanager
def in_turn(path: Path, stop: Event | None = None) -> Iterator[None]:
    """One process at a time in this block; who waits gives up once `stop` is set.

    Where the folder of `path` cannot be written to, nothing is locked: two processes may then do
    the same work twice.
    """
    held = None
    while not (held or (stop and stop.is_set())):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held = locked(path, timeout=0.5)
        except Timeout:
            continue
        except OSError:
            break
    try:
        yield
    finally:
        if held:
            held.release()


def sign(path: Path) -> None:
    """Write into a lock file who holds it, for the message to the next one."""
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    with suppress(OSError):  # Windows lets nobody write there
        path.write_text(json.dumps(owner), encoding="utf-8")


def holder(path: Path) -> str:
    """Who signed the lock file, in words."""
    try:
        owner = dict(json.loads(path.read_text(encoding="utf-8")))
        return f"process {owner['pid']:d} on {owner['host']}, since {owner['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "its process has not said which it is"
