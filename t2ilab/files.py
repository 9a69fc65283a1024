"""Files never seen half written, folders never shared by accident, values that JSON can hold."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2ilab.durable import replacing
from t2ilab.errors import T2ILabError, UsageError
from t2ilab.paths import NOTEBOOKS, ROOT

if TYPE_CHECKING:
    import pandas as pd

LARGEST_ARRAY = 10_000  # numbers in one recorded array; more belongs into a file of its own


def runs_dir() -> Path:
    """Where runs are kept: `runs/` of the checkout, or of the current folder without one.

    The environment variable T2ILAB_RUNS moves it.
    """
    if os.environ.get("T2ILAB_RUNS"):
        return Path(os.environ["T2ILAB_RUNS"]).expanduser().resolve()
    return (ROOT if NOTEBOOKS.is_dir() else Path.cwd()) / "runs"


def new_folder(parent: Path, name: str) -> Path:
    """Make `parent/name`, or `name-2`, `name-3`, ... where that is taken; never an existing one."""
    parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            continue
    raise T2ILabError(f"there are too many folders named {name}: remove some of them")


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that no reader ever sees half of it, and a full disk leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(data)


def write_csv(path: Path, table: "pd.DataFrame", **how: Any) -> None:
    """`write_atomically` of a table without its index; `how`: as `DataFrame.to_csv` takes it."""
    write_atomically(path, table.to_csv(index=False, **how).encode())


def write_json(path: Path, data: Any) -> None:
    """`write_atomically` of readable JSON; a number that is not finite is a ValueError."""
    write_atomically(path, json.dumps(data, indent=1, allow_nan=False).encode() + b"\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is no such file, or no JSON object in it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def plain(value: Any, name: str, not_finite: list[str]) -> Any:
    """`value` as JSON holds it; a number that is not finite becomes None and is named in the list.

    Raises:
        UsageError: a type without a plain form, or an array of more than 10,000 numbers.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        not_finite.append(f"{name} = {value}")
        return None
    if isinstance(value, Mapping):
        return {str(k): plain(v, f"{name}.{k}", not_finite) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v, f"{name}[{i}]", not_finite) for i, v in enumerate(value)]
    size = getattr(value, "numel", lambda: getattr(value, "size", None))()
    if hasattr(value, "tolist") and isinstance(size, int) and size <= LARGEST_ARRAY:
        return plain(value.tolist(), name, not_finite)
    held = (
        f"{size} numbers" if isinstance(size, int) else f"something of type {type(value).__name__}"
    )
    raise UsageError(
        f"{name}: {held} cannot be recorded; give a number, text, or a list or dict of them "
        f"(at most {LARGEST_ARRAY} numbers)"
    )
