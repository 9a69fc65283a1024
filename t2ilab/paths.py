"""Where things lie: what ships with the course, and what is made once and kept."""

import os
from pathlib import Path

from t2ilab.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"
LONGEST_NAME = 255  # bytes of one part of a path, on nearly all file systems


def user_path(text: str | os.PathLike, called: str = "path") -> Path:
    """A path as a person wrote it: with ~ for the home folder.

    Args:
        called: what it is, for the message: "--out", "VECTORS".

    Raises:
        UsageError: there is no such home folder; a NUL, or a name too long for any file system.
    """
    text = os.fspath(text)
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    if "\0" in text:
        raise UsageError(f"{called} {shown!r}: a path holds no NUL character.")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in Path(text).parts):
        raise UsageError(f"{called} {shown}: a name in it has more than {LONGEST_NAME} bytes.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ~nobody, or ~ of a user without a home
        raise UsageError(f"{called} {shown}: {error}; write the folder out.") from error


def cache_dir() -> Path:
    """The folder for what can be made again (drawn pictures); `T2ILAB_CACHE` moves it."""
    from platformdirs import user_cache_path

    if folder := os.environ.get("T2ILAB_CACHE"):
        return user_path(folder, "T2ILAB_CACHE")
    return user_cache_path("t2ilab", appauthor=False)
