"""Finding a notebook, reading the parameters it declares, and clearing away dead widgets."""

import ast
import json
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from t2ilab.errors import T2ILabError, UsageError
from t2ilab.paths import NOTEBOOKS
from t2ilab.runs.parameters import Parameter

_VIEW = "application/vnd.jupyter.widget-view+json"


def notebooks() -> list[Path]:
    """The notebooks of the course, in teaching order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def find_notebook(notebook: str | int | Path) -> Path:
    """The file of a notebook given by its number (18), its name, or its path.

    Raises:
        UsageError: there is none; with the nearest name and the list.
    """
    path = Path(str(notebook)).expanduser()
    if path.suffix == ".ipynb" and path.is_file():
        return path.resolve()
    given = path.stem if path.suffix == ".ipynb" else str(notebook)
    known: dict[str, Path] = {}
    for file in notebooks():
        number, _, words = file.stem.partition("_")
        known |= {file.stem: file, words: file, number: file, str(int(number)): file}
    if given in known:
        return known[given]
    names = [file.stem for file in notebooks()]
    raise UsageError(unknown("notebook", str(notebook), [*names, *known], listed=names))


def unknown(kind: str, name: str, choices: Iterable[str], *, listed: Iterable[str]) -> str:
    """The sentence about an unknown name: the nearest one, whatever its case, and the list."""
    by_lower = {choice.lower(): choice for choice in choices}
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    guess = f" did you mean '{by_lower[near[0]]}'?" if near else ""
    return f"unknown {kind} '{name}':{guess} Choose one of: {', '.join(listed) or '(none)'}."


def code_cells(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook, each with its `source` as one string.

    Raises:
        UsageError: the file is no notebook.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [
            {**cell, "source": "".join(cell["source"])}
            for cell in cells
            if cell["cell_type"] == "code"
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path.name} cannot be read as a notebook: {error}") from error


def parameters_of(path: Path) -> dict[str, Parameter]:
    """What the cell tagged `parameters` declares: plain literals, with annotations or without.

    Raises:
        T2ILabError: two such cells, or a line that is no `NAME = literal`.
    """
    tagged = [c for c in code_cells(path) if "parameters" in c["metadata"].get("tags", [])]
    if len(tagged) > 1:
        raise T2ILabError(f"{path.name} has {len(tagged)} cells tagged 'parameters'; keep one")
    source = tagged[0]["source"] if tagged else ""
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise T2ILabError(f"{path.name}: the parameters cell is not Python: {error}") from error
    declared = {}
    for statement in statements:
        parameter = _parameter(statement)
        if parameter is None:
            line = ast.unparse(statement)
            raise T2ILabError(f"{path.name}: parameters are plain literals, unlike '{line}'")
        declared[parameter.name] = parameter
    return declared


def _parameter(statement: ast.stmt) -> Parameter | None:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value) if value:
            pass
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            annotation = None
        case _:
            return None
    try:
        return Parameter.declared(name, ast.literal_eval(value), annotation)
    except ValueError:
        return None


def strip_widgets(notebook: dict[str, Any]) -> None:
    """Remove the state of widgets, and views of them, which are dead without their kernel.

    What stays is the text that stands for the widget, or a picture beside it. Works on the
    dict of a notebook, in place.
    """
    notebook.get("metadata", {}).pop("widgets", None)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if len(data) > 1:
                data.pop(_VIEW, None)
