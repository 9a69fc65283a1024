"""Execute notebooks in place, as they are committed: `python -m t2ilab.runs.refresh [18 ...]`.

Unlike `t2ilab run` nothing is injected: the parameters are those of the file (profile `laptop`).
The state of widgets goes, and so do times and paths of this machine. A notebook in which a cell
fails is left as it was.
"""

import os
import sys
import time
from pathlib import Path

from t2ilab.errors import T2ILabError
from t2ilab.files import write_atomically
from t2ilab.runs.kernel import ThisPython
from t2ilab.runs.notebook import find_notebook, notebooks, read_book, strip_widgets

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
