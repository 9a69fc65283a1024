"""Files never seen half written, folders never shared by accident, values that JSON can hold."""

import json
import math
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2ilab.durable import remove_leftovers, replacing
from t2ilab.errors import UsageError
from t2ilab.paths import runs_dir as runs_dir

if TYPE_CHECKING:
    import pandas as pd

LARGEST_ARRAY = 10_000  # numbers in one recorded array; more belongs into a file of its own


def new_folder(parent: Path, name: str) -> Path:
    """Make `parent/name`, or `name-2`, `name-3`, ... where that is taken; never an existing one.

    What killed writers left in its neighbours is swept up.

    Raises:
        UsageError: it cannot be made there.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(parent, below="*/")
        for number in count(1):
            folder = parent / (name if number == 1 else f"{name}-{number}")
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UsageError(
            f"cannot make the folder {name} in {parent}: {getattr(error, 'strerror', error)}. Give "
            f"another place with --out, or set T2ILAB_RUNS to a folder that you may write to."
        ) from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that no reader ever sees half of it, and a full disk leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(data)


def write_csv(path: Path, table: "pd.DataFrame", **how: Any) -> None:
    """`write_atomically` of a table without its index; `how`: as `DataFrame.to_csv` takes it."""
    write_atomically(path, table.to_csv(index=False, **how).encode())


def has_row(table: "pd.DataFrame", known: Mapping[str, Any]) -> bool:
    """Whether some row of the table has all these values."""
    import pandas as pd

    return bool((table[list(known)] == pd.Series(known)).all(axis=1).any())


def add_row(path: Path, table: "pd.DataFrame", row: dict[str, Any]) -> "pd.DataFrame":
    """The table with a row more, kept in `path`, whose folder is made if need be."""
    import pandas as pd

    new = pd.DataFrame([row])
    table = new if table.empty else pd.concat([table, new], ignore_index=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_csv(path, table, float_format="%.6g")
    return table


def write_json(path: Path, data: Any) -> None:
    """`write_atomically` of readable JSON; a number that is not finite is a ValueError."""
    write_atomically(path, json.dumps(data, indent=1, allow_nan=False).encode() + b"\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is no such file, or no JSON object in it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # the last: thousands of brackets
        return None
    return found if isinstance(found, dict) else None


def see_checksums(path: Path) -> None:
    """Look at the checksums of a zip archive, as torch.save writes it, for torch does not.

    Raises:
        ValueError: names a part that was altered.
        zipfile.BadZipFile: no zip archive, or one that is cut short.
    """
    with zipfile.ZipFile(path) as archive:
        if altered := archive.testzip():
            raise ValueError(f"{altered} in it has another checksum than it says")


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
