"""Execute notebooks in place, as they are committed: `python -m t2ilab.runs.refresh [18 ...]`.

Unlike `t2ilab run` nothing is injected: the parameters are those of the file (profile `laptop`).
The state of widgets goes, and so do times and paths of this machine. A notebook in which a cell
fails is left as it was.
"""

import os
import re
import sys
import time
from pathlib import Path

from t2ilab.errors import T2ILabError
from t2ilab.files import write_atomically
from t2ilab.runs.kernel import ThisPython
from t2ilab.runs.notebook import find_notebook, notebooks, read_book, strip_widgets

_TOLD = re.compile(r"\*Run on this page\*: .*")
_OF_THE_MACHINE = ("papermill", "execution", "vscode", "collapsed", "scrolled")


def refresh(path: Path) -> None:
    """Execute one notebook and save it where it is.

    Raises:
        T2ILabError: no notebook; a cell failed, or the kernel died; the file is then untouched.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    read_book(path)  # what is damaged is refused here
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=None,
        record_timing=False,
        coalesce_streams=True,
        kernel_manager_class=ThisPython,
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute(env=os.environ | {"JPY_SESSION_NAME": str(path)})
    except (CellExecutionError, DeadKernelError) as error:
        raise T2ILabError(f"{path.stem} was left as it was: {error}") from error
    clean(notebook)
    tell_time(notebook)
    text = nbformat.writes(notebook, indent=1).rstrip("\n") + "\n"
    write_atomically(path, text.encode())


def clean(notebook: dict) -> None:
    """Remove what belongs to one machine or to one session, in place."""
    strip_widgets(notebook)
    about = notebook["metadata"]
    about["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about.get("language_info", {}).pop("version", None)
    for holder in (notebook, *notebook["cells"]):
        for name in _OF_THE_MACHINE:
            holder["metadata"].pop(name, None)


def tell_time(notebook: dict) -> None:
    """Write into the header what the run took, as the notebook's own cells print it, in place.

    The line replaces the last such one, or stands at the end of the second cell of words. A
    notebook that does not print it is left alone.
    """
    printed = "".join(
        "".join(output.get("text", ""))
        for cell in notebook["cells"]
        for output in cell.get("outputs", ())
    )
    began = re.search(r"profile (\w+) · device (\w+) · (\d+) cores?", printed)
    took = re.search(r"^finished in (\d+) s", printed, re.MULTILINE)
    words = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    if not (began and took and len(words) > 1):
        return
    profile, device, cores = began.groups()
    on = f"{cores} CPU cores" if device == "cpu" else f"one GPU ({device})"
    line = f"*Run on this page*: `{profile}` {took[1]} s on {on}."
    for cell in words[:4]:
        if _TOLD.search(text := "".join(cell["source"])):
            cell["source"] = _TOLD.sub(line, text)
            return
    words[1]["source"] = "".join(words[1]["source"]).rstrip() + f"\n\n{line}"


def main(names: list[str]) -> int:
    """Refresh the notebooks named, or all; returns the exit status."""
    failed = 0
    for path in [find_notebook(name) for name in names] or notebooks():
        began = time.perf_counter()
        try:
            refresh(path)
            said = f"{time.perf_counter() - began:.0f} s, {path.stat().st_size / 1e6:.2f} MB"
        except T2ILabError as error:
            failed, said = 1, str(error)
        print(f"{path.stem}: {said}", flush=True)
    return failed


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except T2ILabError as error:
        sys.exit(str(error))
