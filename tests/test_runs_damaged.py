"""What runs keep, damaged in 200 ways each: refused in words, or read as it was."""

import ast
import json
import warnings
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random

import nbformat
import pytest
from damage import MUTATIONS, at, spots, survey, values

from t2ilab import provenance
from t2ilab.files import write_json
from t2ilab.runs import parameters_of, readable, table
from t2ilab.runs.kept import seal
from t2ilab.runs.notebook import read_book
from t2ilab.runs.run import plan
from t2ilab.schemas.runs import Run

ODD = [True, "\ud800", 1, 10**18, "x" * 10**5, [0] * 10**4]
TINY = Path(__file__).parent / "notebooks_for_tests" / "tiny.ipynb"


def damaged(whole: bytes, rng: Random) -> tuple[str, bytes]:
    """As `damage.values`; or a byte-order mark, half a character, or a number a little off."""
    kind = rng.choice(["values"] * 7 + ["bom", "odd", "number"])
    if kind == "values":
        return values(whole, rng)
    if kind == "bom":
        return kind, b"\xef\xbb\xbf" + whole
    data = json.loads(whole)
    *above, key = rng.choice([spot for spot in spots(data) if spot])
    holder = at(data, above)
    if kind == "odd":
        holder[key] = rng.choice(ODD)
    elif isinstance(holder[key], int | float):
        holder[key] += rng.choice([1, -1, 0.125])
    return kind, json.dumps(data, indent=1).encode() + b"\n"


def looked_at(path: Path, read: Callable[[], str], capsys) -> None:
    """Damage a file again and again; `read` says what became of it, or refuses in words."""
    said = Counter()

    def counted() -> str:
        said[found := read()] += 1
        return found

    counts = survey(capsys, path, damaged, counted, lambda *_: False, named=False, longest=1500)
    with capsys.disabled():
        print(dict(said), end=" ")
    assert counts["refused"] + said["left out and named"] > MUTATIONS / 2


@pytest.fixture
def runs(tmp_path):
    """Three finished runs, with all that `lab.finish()` writes."""
    for seed in range(3):
        folder = tmp_path / f"20250101-00000{seed}-00c0ffe{seed}"
        recorded = {"score": 0.2 + seed, "names": ["a"], "by": {"wing": 2 * seed}}
        said = {"profile": "smoke", "seed": seed, "device": "cpu", "seconds": 3.25}
        said |= {"peak_memory_mb": 100, **provenance.about(), "recorded": recorded}
        said |= {"figures": {"square": "red"}, "widget_errors": []}
        write_json(folder / "metrics.json", said)
        about = {"notebook": "18", "hash": f"00c0ffe{seed}", "seconds": 4.5}
        about |= {"finished": f"2025-01-01T00:00:0{seed}"}
        seal(folder, Run(**about, parameters={"SEED": seed, "SYSTEM": "gan", "RATE": 0.5}))
    return tmp_path


def test_damaged_metrics(runs, capsys):
    def tables() -> list[str]:
        frames = [table(runs), readable(table(runs, by="SYSTEM"))]
        return [frame.to_csv() + frame.to_string() for frame in frames]

    path = runs / "20250101-000001-00c0ffe1" / "metrics.json"
    whole = path.read_bytes()
    path.unlink()
    without = tables()
    path.write_bytes(whole)
    complete = tables()
    assert complete != without
    capsys.readouterr()

    def read() -> str:
        found, said = tables(), capsys.readouterr().out
        if found == complete:
            return "as it was"
        assert found == without and said.count("left out") == 2 and path.parent.name in said
        return "left out and named"

    looked_at(path, read, capsys)


def test_damaged_notebooks(tmp_path, capsys):
    path = tmp_path / "tiny.ipynb"
    path.write_bytes(TINY.read_bytes())
    whole, sources = plan(path), read_book(path).code

    def read() -> str:
        """What is accepted is what Jupyter and papermill read, and has a hash of its own."""
        found, book = plan(path), read_book(path)
        code = _code(path)
        assert book.code == [cell.source for cell in code]
        tagged = [c.source for c in code if "parameters" in c.metadata.get("tags", [])]
        lines = [line.split("#")[0] for line in "".join(tagged).splitlines()]
        held = {x.split(":")[0]: x.partition("=")[2].strip() for x in lines if "=" in x}
        for name, parameter in parameters_of(path).items():
            assert parameter.default == ast.literal_eval(held[name])
        same = book.code == sources and held.keys() == whole.parameters.keys() | {"OUT"}
        assert (found.hash == whole.hash) == same
        return "as it was" if same else "another notebook, another hash"

    looked_at(path, read, capsys)


def _code(path: Path) -> list[dict]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of cells without ids
        cells = nbformat.read(path, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


def test_damaged_notes_of_jobs(tmp_path, monkeypatch, capsys):
    slurm = import_module("t2ilab.runs.slurm")
    monkeypatch.setattr(slurm, "_active", lambda: {"1234_5", "1234_4"})
    write_json(tmp_path / "abc.json", {"job_id": "1234_5"})

    def read() -> str:
        waiting = slurm._in_the_queue({"abc": {}}, tmp_path)
        assert [job.job_id for job in waiting.values()] in ([], ["1234_5"], ["1234_4"])
        if not waiting:
            return "another number: submitted again"
        return "as it was" if waiting["abc"].job_id == "1234_5" else "another number, seen later"

    looked_at(tmp_path / "abc.json", read, capsys)
