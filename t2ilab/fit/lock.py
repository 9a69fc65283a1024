"""One run a folder: a lock that dies with the process that holds it."""

import errno
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from t2ilab.errors import TrainingError

NAME = "lock"


class Lock:
    """The file `lock` in a folder, held by the operating system's own file lock.

    A process that dies, however it dies, lets go of it, so a lock file that was left behind is no
    obstacle. On file systems without locks the number of the process in the file decides.
    """

    def __init__(self, folder: Path):
        self.path = folder / NAME
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            TrainingError: another run holds it.
            OSError: the folder cannot be written to.
        """
        while True:
            file = open(self.path, "a+", encoding="utf-8")
            if not _take(file):
                owner = _owner(file)
                file.close()
                raise TrainingError(
                    f"another run is writing to {self.path.parent} ({owner}). Wait for "
                    f"it, stop it, or give this run another folder."
                )
            if _still_there(file, self.path):
                break
            file.close()  # its holder deleted it between our opening and our locking it
        self._file = file
        try:
            self._sign(file)
        except OSError:
            self.release()
            raise

    def _sign(self, file: IO[str]) -> None:
        """Write into the file whose lock it is, for the message to the next one."""
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        file.seek(0)
        file.truncate()
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": since}, file)
        file.flush()

    def release(self) -> None:
        """Delete the file and let go; nothing happens if it is not held."""
        if self._file is None:
            return
        with suppress(OSError):  # Windows deletes no open file
            self.path.unlink()
        with suppress(OSError):  # a full disk, when what could not be written is flushed again
            self._file.close()
        with suppress(OSError):
            if os.name == "nt":
                self.path.unlink()
        self._file = None


def _take(file: IO[str]) -> bool:
    """Whether the operating system gave us the lock on `file`."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(1 << 30)  # the lock is mandatory there: leave the text readable
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL):
            return not _alive(file)
        return False
    return True


def _still_there(file: IO[str], path: Path) -> bool:
    try:
        there, ours = os.stat(path), os.fstat(file.fileno())
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _read(file: IO[str]) -> dict:
    file.seek(0)
    try:
        return dict(json.loads(file.read() or "{}"))
    except (ValueError, TypeError):
        return {}


def _alive(file: IO[str]) -> bool:
    """Whether the process named in the file still runs; one on another machine is taken to."""
    owner = _read(file)
    if not owner:
        return False
    if owner.get("host") != socket.gethostname():
        return True
    try:
        os.kill(int(owner["pid"]), 0)
    except (ProcessLookupError, KeyError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _owner(file: IO[str]) -> str:
    owner = _read(file)
    if not owner:
        return "its process has not said which it is"
    return f"process {owner.get('pid')} on {owner.get('host')}, since {owner.get('since')}"
