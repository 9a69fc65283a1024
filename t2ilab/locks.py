"""One process at a time: a file lock that dies with its holder, or else a soft one."""

import errno
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

UNSUPPORTED = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL)


def locked(path: Path, *, wait: bool = True) -> BaseFileLock:
    """The lock file `path`, held until `release()` or the end of a `with` block.

    Where the file system knows no locks, a second file, `path` and ".soft", that exists while it
    is held, serves instead; a file that its dead holder left there is in the way until
    `filelock` sees that the process is gone.

    Args:
        wait: False: raise at once if another process holds it.

    Raises:
        filelock.Timeout: another process holds it, and `wait` is off.
        OSError: the file cannot be made.
    """
    lock = FileLock(path, blocking=wait)
    try:
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        if isinstance(error, Timeout) or getattr(error, "errno", errno.ENOSYS) not in UNSUPPORTED:
            raise
        lock = SoftFileLock(f"{path}.soft", blocking=wait)
        lock.acquire()
    return lock


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
