"""Where things lie: what ships with the course, and what is made once and kept."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"


def cache_dir() -> Path:
    """The folder for what can be made again (drawn pictures); `T2ILAB_CACHE` moves it."""
    from platformdirs import user_cache_path

    folder = os.environ.get("T2ILAB_CACHE")
    return Path(folder).expanduser() if folder else user_cache_path("t2ilab", appauthor=False)
