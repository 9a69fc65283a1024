"""The frame around the package: what is installed, what is tracked, how notebooks look."""

import ast
import copy
import json
import re
import subprocess
import sys
import warnings
from importlib import metadata
from pathlib import Path

import pytest
from notebook_faults import LARGEST_MB, faults
from packaging.requirements import Requirement

from t2ilab.cli import main as command_line
from t2ilab.paths import DATA, NOTEBOOKS, ROOT
from t2ilab.runs.refresh import tell_time

MB = 1_000_000
WEIGHTS = DATA / "weights"
HEAVY = {
    "torch",
    "numpy",
    "pandas",
    "matplotlib",
    "ipywidgets",
    "lightning_fabric",
    "torchmetrics",
    "gensim",
    "sklearn",
    "papermill",
    "IPython",
}
# A package of requirements.txt brings these along as part of what it is for.
COMES_WITH = {
    "IPython": "ipykernel",
    "jupyter_client": "ipykernel",
    "jupyter_core": "ipykernel",
    "nbclient": "papermill",
    "nbformat": "papermill",
    "traitlets": "ipywidgets",
    "lightning_utilities": "lightning-fabric",
    "scipy": "scikit-learn",
}
DISTRIBUTION = {"PIL": "pillow", "sklearn": "scikit-learn", "lightning_fabric": "lightning-fabric"}


def lines_of(name: str) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


REQUIRED, PINNED = lines_of("requirements.txt"), lines_of("constraints.txt")
README = ROOT / "README.md"


def pin(name: str) -> str:
    return next(p for p in PINNED if p.name.lower() == name.lower()).specifier.__str__()[2:]


def tracked() -> list[Path]:
    """The files of the repository: what a clone gets, and what is about to be added to it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def text_of(path: Path) -> str | None:
    """None for what is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


# -------------------------------------------------------------------------------- what is installed


@pytest.mark.parametrize("required", REQUIRED, ids=str)
def test_every_requirement_is_pinned_within_its_range(required):
    pins = [p for p in PINNED if p.name.lower() == required.name.lower()]
    assert len(pins) == 1, f"{required.name}: {len(pins)} pins"
    assert re.fullmatch(r"==[\w.]+", str(pins[0].specifier))
    assert required.specifier.contains(pins[0].specifier.__str__()[2:])


def test_pins_are_exact_and_each_package_has_one():
    assert all(re.fullmatch(r"==[\w.]+", str(p.specifier)) for p in PINNED)
    assert len({p.name.lower() for p in PINNED}) == len(PINNED)


def test_the_pinned_torchvision_is_made_for_the_pinned_torch():
    if metadata.version("torchvision").split("+")[0] != pin("torchvision"):
        pytest.skip("another torchvision is installed than the pinned one")
    asks = [Requirement(r) for r in metadata.requires("torchvision")]
    assert next(r for r in asks if r.name == "torch").specifier.contains(pin("torch"))


def test_the_package_imports_nothing_that_is_not_required():
    """Except from what a requirement is known to bring along."""
    names = {r.name.lower() for r in REQUIRED}
    for path in (ROOT / "t2ilab").rglob("*.py"):
        for module in imported_by(path) - sys.stdlib_module_names - {"t2ilab"}:
            name = COMES_WITH.get(module, DISTRIBUTION.get(module, module))
            assert name.lower() in names, f"{path.name} imports {module}"


def imported_by(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("module", ["t2ilab", "t2ilab.cli", "t2ilab.errors", "t2ilab.paths"])
def test_these_are_imported_without_anything_heavy(module):
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "t2ilab" in done.stdout.split() and not HEAVY & set(done.stdout.split())


def test_warnings_of_our_own_code_are_errors_and_those_of_others_are_not():
    """By the filters in pyproject.toml; `module` is what the warning is attributed to."""
    for module in ("t2ilab", "t2ilab.fit", "bench.row", "test_frame", "conftest"):
        with pytest.raises(UserWarning, match="ours"):
            warnings.warn_explicit("ours", UserWarning, "file.py", 1, module)
    with pytest.raises(DeprecationWarning):
        warnings.warn("this line", DeprecationWarning, stacklevel=1)
    with pytest.warns(UserWarning, match="theirs"):
        warnings.warn_explicit("theirs", UserWarning, "file.py", 1, "library.t2ilab")


# -------------------------------------------------------------------------- README and its commands


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands_in_readme() -> list[str]:
    """Lines of code blocks and code between backticks."""
    blocks = re.split(r"^```.*$", README.read_text(), flags=re.MULTILINE)
    inline = [code for text in blocks[::2] for code in re.findall(r"`([^`\n]+)`", text)]
    return [*inline, *(line for block in blocks[1::2] for line in block.splitlines())]


def test_the_readme_names_the_two_commands_and_those_that_it_names_exist():
    named = {
        word
        for line in commands_in_readme()
        for word in re.findall(r"(?:^|[$&;]\s*)make(?: -C \S+)? ([a-z]+)", line)
    }
    assert {"lab", "test"} <= named <= make_targets()


def test_the_commands_of_the_course_that_the_readme_names_exist():
    named = {
        word
        for line in commands_in_readme()
        for word in re.findall(r"(?:^|[/$&;|(]\s*)t2ilab ([a-z]+)", line)
    }
    assert named and named <= set(command_line.commands)


def test_the_files_that_the_readme_links_to_exist():
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)|<img[^>]+src=\"([^\"]+)\"", README.read_text())
    local = [a or b for a, b in links if not re.match(r"[a-z]+:", a or b)]
    assert local and [link for link in local if not (ROOT / link).exists()] == []


def test_ci_runs_the_test_command_of_the_readme():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111 and "make test" in script.read_text()


def test_every_target_is_phony_and_explained():
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    helped = subprocess.run(
        ["make", "--no-print-directory", "-C", str(ROOT)],
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    assert make_targets() == phony
    assert all(re.search(rf"^  {target} +\w", helped, re.MULTILINE) for target in phony)


# -------------------------------------------------------------------------------- what is committed


HOSTS = r"index-url|find-links|://[^ ]*/simple"
MACHINE = (
    r"(?<![\w.~}])/(?:work|root|opt/wheels|home/\w+|Users/\w+)/"
    r"|/tmp/(?:pw|w)\b"
)
NOT_HERE = re.compile(f"{HOSTS}|{MACHINE}")
OF_THE_TESTS = {"test_frame.py", "notebook_faults.py"}  # they name what they look for


def test_no_file_names_a_path_of_a_machine_or_a_registry():
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in tracked()
        if path.name not in OF_THE_TESTS
        for match in NOT_HERE.finditer(text_of(path) or "")
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see /root/main", True),
        ("'/root/x'", True),
        ("--find-links x", True),
        ("/tmp/pw/a", True),
        ("/opt/wheels/x", True),
        ("/opt/other/python", False),
        ("https://host.example/simple", True),
        ("/home/ada/x", True),
        ("a framework/tool", False),
        ("~/data", False),
        ("/tmp/run", False),
        ("notes/work/x", False),
    ],
)
def test_what_counts_as_a_path_of_a_machine(text, found):
    assert bool(NOT_HERE.search(text)) == found


def test_no_file_is_large_but_weights_and_these_are_small_together():
    sizes = {path: path.stat().st_size for path in tracked()}
    weights = {path for path in sizes if WEIGHTS in path.parents}
    large = {path.name: size for path, size in sizes.items() if size > 2 * MB}
    assert {name for name in large if WEIGHTS / name not in weights} == set()
    assert sum(sizes[path] for path in weights) < 74 * MB


# ------------------------------------------------------------------------------------ the notebooks


def test_there_is_a_first_notebook():
    assert (NOTEBOOKS / "00_first_picture.ipynb").exists()


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_committed_executed_and_clean(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert faults(notebook) == []
    assert path.stat().st_size < LARGEST_MB * MB
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_header_says_what_the_run_took(path):
    """As its last cell printed it, so that no header states a time that nobody measured."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    before = ["".join(one["source"]) for one in notebook["cells"]]
    tell_time(notebook)
    assert ["".join(one["source"]) for one in notebook["cells"]] == before
    assert any("*Run on this page*: `laptop`" in text for text in before[:6])


def cell(kind: str, source: str, *, number=None, outputs=(), **about) -> dict:
    code = {"execution_count": number, "outputs": list(outputs)} if kind == "code" else {}
    return {"cell_type": kind, "source": source, "metadata": about, **code}


def sound() -> dict:
    slide = {"slideshow": {"slide_type": "slide"}}
    printed = {"output_type": "stream", "name": "stdout", "text": ["a/b and 1/2\n"]}
    return {
        "metadata": {},
        "cells": [
            cell("markdown", "# Title", **slide),
            cell("code", "SEED = 0", number=1, tags=["parameters"]),
            cell("markdown", "## Section", **slide),
            cell("code", "print(1)", number=2, outputs=[printed]),
            cell("code", ""),
        ],
    }


def test_a_sound_notebook_has_no_faults():
    assert faults(sound()) == []


def spoil(change) -> list[str]:
    notebook = copy.deepcopy(sound())
    change(notebook, notebook["cells"])
    return faults(notebook)


def output(**data) -> dict:
    return {"output_type": "display_data", "data": data}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda book, cells: book["metadata"].update(widgets={}), "state of widgets"),
        (lambda book, cells: book["metadata"].update(papermill={}), "copy of a run"),
        (lambda book, cells: cells[1]["metadata"].pop("tags"), "0 cells are tagged"),
        (lambda book, cells: cells[3]["metadata"].update(tags=["injected-parameters"]), "injected"),
        (
            lambda book, cells: cells[3]["metadata"].update(tags=["raises-exception"]),
            "raises-except",
        ),
        (lambda book, cells: cells[3].update(execution_count=3), r"numbers are \[1, 3\]"),
        (lambda book, cells: cells[3].update(execution_count=None), "not executed"),
        (
            lambda book, cells: cells[3]["outputs"].append(
                {"output_type": "error", "ename": "ValueError"}
            ),
            "ends with ValueError",
        ),
        (
            lambda book, cells: cells[3]["outputs"].append(
                output(**{"application/vnd.jupyter.widget-view+json": {}})
            ),
            "dead",
        ),
        (
            lambda book, cells: cells[3]["outputs"].append(
                output(**{"text/plain": ["PosixPath('/home/ada/x')"]})
            ),
            "path of a machine: /home/ada",
        ),
        (lambda book, cells: cells[0]["metadata"].clear(), "no slide"),
        (lambda book, cells: cells[2]["metadata"].clear(), "no slide begins at '## Section'"),
    ],
)
def test_each_fault_of_a_notebook_is_found(change, said):
    assert any(re.search(said, fault) for fault in spoil(change)), spoil(change)
