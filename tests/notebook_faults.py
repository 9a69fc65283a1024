"""What a committed notebook must be: executed, clean, small, and ready for a lecture."""

import re
from collections.abc import Iterator
from typing import Any

LARGEST_MB = 1.0
_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|work|opt|usr|var|Users|private)/[\w.-]+")
_VIEW = "application/vnd.jupyter.widget-view+json"


def faults(notebook: dict[str, Any]) -> list[str]:
    """Everything that is wrong with a notebook (its JSON), in words; [] where nothing is."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [*_metadata(notebook), *_parameters(code), *_execution(code), *_slides(notebook)]


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)


def _metadata(notebook: dict[str, Any]) -> Iterator[str]:
    if "widgets" in notebook["metadata"]:
        yield "it carries the state of widgets"
    if "papermill" in notebook["metadata"]:
        yield "it is the copy of a run (papermill's metadata)"


def _parameters(code: list[dict[str, Any]]) -> Iterator[str]:
    tags = [tag for cell in code for tag in cell["metadata"].get("tags", [])]
    if tags.count("parameters") != 1:
        yield f"{tags.count('parameters')} cells are tagged 'parameters', not one"
    for unwanted in ("injected-parameters", "raises-exception"):
        if unwanted in tags:
            yield f"a cell is tagged '{unwanted}'"


def _execution(code: list[dict[str, Any]]) -> Iterator[str]:
    counts = [cell["execution_count"] for cell in code if _text(cell["source"]).strip()]
    if counts != list(range(1, len(counts) + 1)):
        yield f"not executed from top to bottom: the cells' numbers are {counts}"
    for number, output in ((c["execution_count"], o) for c in code for o in c["outputs"]):
        data = output.get("data", {})
        texts = [
            _text(output.get("text", "")),
            *(_text(v) for k, v in data.items() if k.startswith("text/")),
        ]
        if output["output_type"] == "error":
            yield f"cell [{number}] ends with {output['ename']}"
        if _VIEW in data:
            yield f"cell [{number}] shows a widget that is dead without its kernel"
        for path in _PATH.findall("\n".join(texts)):
            yield f"cell [{number}] prints a path of a machine: {path}"


def _slides(notebook: dict[str, Any]) -> Iterator[str]:
    kinds = [cell["metadata"].get("slideshow", {}).get("slide_type") for cell in notebook["cells"]]
    if not kinds or kinds[0] != "slide":
        yield "the first cell is no slide"
    for cell, kind in zip(notebook["cells"], kinds, strict=True):
        heading = re.match(r"##? .*", _text(cell["source"]))
        if cell["cell_type"] == "markdown" and heading and kind not in ("slide", "subslide"):
            yield f"no slide begins at '{heading[0]}'"
