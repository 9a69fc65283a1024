"""Where things lie: what ships with the course, and what is made once and kept."""

import os
from pathlib import Path

from t2ilab.errors import UsageError, shortened

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"
OWN_RUNS = "t2ilab-runs"  # in the home folder, where the course's own may not be written to
LONGEST_NAME = 255  # bytes of one part of a path, on nearly all file systems
LONGEST_PATH = 4096  # bytes, on Linux; Windows and macOS take less


def user_path(text: str | os.PathLike, called: str = "path") -> Path:
    """A path as a person wrote it: with ~ for the home folder.

    Args:
        called: what it is, for the message: "--out", "VECTORS".

    Raises:
        UsageError: there is no such home folder; a NUL, or a name too long for any file system.
    """
    text = os.fspath(text)
    shown = shortened(text, 80)
    if "\0" in text:
        raise UsageError(f"{called} {shown!r}: a path holds no NUL character.")
    if len(os.fsencode(text)) >= LONGEST_PATH:
        raise UsageError(f"{called} {shown}: a path has fewer than {LONGEST_PATH} bytes.")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in Path(text).parts):
        raise UsageError(f"{called} {shown}: a name in it has more than {LONGEST_NAME} bytes.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # ~nobody, or ~ of a user without a home
        raise UsageError(f"{called} {shown}: {error}; write the folder out.") from error


def cache_dir() -> Path:
    """The folder for what can be made again (drawn pictures); `T2ILAB_CACHE` moves it.

    Raises:
        UsageError: the user has no home folder, and the variable is not set; or it is no path.
    """
    from platformdirs import user_cache_path

    if folder := os.environ.get("T2ILAB_CACHE"):
        return user_path(folder, "T2ILAB_CACHE")
    try:
        folder = user_cache_path("t2ilab", appauthor=False)
    except RuntimeError:  # as Path.home() says it
        folder = Path("~")
    if not folder.is_absolute():
        raise UsageError(
            "this user has no home folder to keep drawn pictures in: set HOME, or "
            "T2ILAB_CACHE, to a folder of yours"
        )
    return folder


def runs_dir() -> Path:
    """Where runs are kept: `runs/` of the checkout, or of the current folder without one.

    The environment variable T2ILAB_RUNS moves it. Where the course may be read but not written to,
    as on a server for a class, it is OWN_RUNS.

    Raises:
        UsageError: there is none that may be written to, and no home folder; or no path.
    """
    if given := os.environ.get("T2ILAB_RUNS"):
        return user_path(given, "T2ILAB_RUNS").absolute()
    course = ROOT if NOTEBOOKS.is_dir() else Path.cwd()
    folder = course / "runs"
    if os.access(folder if folder.exists() else course, os.W_OK | os.X_OK):
        return folder
    try:
        return Path.home() / OWN_RUNS
    except RuntimeError:
        raise UsageError(
            f"runs cannot go to {folder}, which may not be written to, and this user has no home "
            f"folder: set HOME, or T2ILAB_RUNS, to a folder of yours"
        ) from None
