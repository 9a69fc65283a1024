"""Finding a notebook, reading the parameters it declares, and clearing away dead widgets."""

import ast
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2ilab.errors import DataError, T2ILabError, UsageError, shortened, unknown
from t2ilab.paths import NOTEBOOKS, user_path
from t2ilab.runs.parameters import UNREADABLE, Parameter
from t2ilab.schemas import read, to_dict
from t2ilab.schemas.runs import Notebook

LARGEST = 2**28  # bytes of a notebook, with all its pictures
_VIEW = "application/vnd.jupyter.widget-view+json"


def notebooks() -> list[Path]:
    """The notebooks of the course, in teaching order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def find_notebook(notebook: str | int | Path) -> Path:
    """The file of a notebook given by its number (18), its name, or its path.

    Raises:
        UsageError: there is none; with the nearest name and the list.
    """
    path = user_path(str(notebook), "notebook")
    if path.suffix == ".ipynb" and os.path.isfile(path):
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


@dataclass(frozen=True)
class Book:
    """A notebook that has been read: its file, the sources of its code cells, its parameters."""

    path: Path
    code: list[str]
    declared: dict[str, Parameter]


def read_book(path: Path) -> Book:
    """Read a notebook and check it, as `nbformat` has it.

    Raises:
        UsageError: the file is no notebook, or a damaged one.
        T2ILabError: two cells of parameters, or a line that is no `NAME = literal`.
    """
    cells = [cell for cell in _validated(path)["cells"] if cell["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    tagged = [
        source
        for cell, source in zip(cells, sources, strict=True)
        if "parameters" in cell["metadata"].get("tags", [])
    ]
    if len(tagged) > 1:
        raise T2ILabError(f"{path.name} has {len(tagged)} cells tagged 'parameters'; keep one")
    return Book(path, sources, _declared(path.name, tagged[0] if tagged else ""))


def parameters_of(path: Path) -> dict[str, Parameter]:
    """What the cell tagged `parameters` declares: plain literals, with annotations or without.

    Raises:
        UsageError, T2ILabError: as `read_book`.
    """
    return read_book(path).declared


def _validated(path: Path) -> dict[str, Any]:
    advice = "Save it in JupyterLab, as a notebook of format 4"
    try:
        notebook = to_dict(read(path, Notebook, largest=LARGEST, advice=advice))
    except DataError as error:
        raise UsageError(f"{path.name} cannot be read as a notebook: {error}") from error
    import nbformat  # two seconds

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cells without ids, which every version mends
            nbformat.validate(notebook)
    except (nbformat.ValidationError, TypeError) as error:  # TypeError: an id that is a list
        steps = getattr(error, "path", ())
        place = "".join(f"[{x}]" if isinstance(x, int) else f".{x}" for x in steps)
        said = shortened(str(getattr(error, "message", error)), 200)
        raise UsageError(
            f"{path.name} cannot be read as a notebook: {place.lstrip('.')}: {said}. {advice}"
        ) from error
    return notebook


def _declared(name: str, source: str) -> dict[str, Parameter]:
    try:
        statements = ast.parse(source).body
    except UNREADABLE as error:
        raise T2ILabError(f"{name}: the parameters cell is not Python: {error}") from error
    declared = {}
    for statement in statements:
        parameter = _parameter(statement)
        if parameter is None:
            line = ast.get_source_segment(source, statement) or ""
            raise T2ILabError(f"{name}: parameters are plain literals, unlike '{line[:200]}'")
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
    except UNREADABLE:
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
