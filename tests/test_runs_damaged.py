"""What runs keep, damaged in 200 ways each: refused in words, or read as it was."""

import ast
import json
import warnings
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import nbformat
import pytest

from t2ilab import provenance
from t2ilab.errors import T2ILabError
from t2ilab.files import write_json
from t2ilab.runs import parameters_of, readable, table
from t2ilab.runs.kept import seal
from t2ilab.runs.notebook import read_book
from t2ilab.runs.run import plan
from t2ilab.schemas.runs import Run

MUTATIONS = 200
ODD = [None, True, -1, 1.5, "", "1", [], {}, "x" * 10**5, "\ud800", 10**18, 10**30, [0] * 10**4]
RAW = {"@nan": "NaN", "@huge": "9" * 10_000, "@infinite": "1e999", "@deep": "[" * 10**5}
TINY = Path(__file__).parent / "notebooks_for_tests" / "tiny.ipynb"


def damaged(whole: bytes, rng: Random) -> bytes:
    """One structured mutation of a JSON file, or one of its bytes."""
    if rng.random() < 0.3:
        at, kind = rng.randrange(len(whole)), rng.choice(["flip", "flip", "cut", "bom", "more"])
        flipped = bytes([whole[at] ^ 1 << rng.randrange(8)])
        return {
            "flip": whole[:at] + flipped + whole[at + 1 :],
            "cut": whole[:at],
            "bom": b"\xef\xbb\xbf" + whole,
            "more": whole + rng.choice([b"\0", b"}", b"{}", b"[" * 10**5]),
        }[kind]
    data = json.loads(whole)
    holder, key = rng.choice(places(data))
    old = holder[key]
    kind = rng.choice(
        ["drop", "double", "swap", "retype", "retype", "raw", "nest", "cut", "number"]
    )
    if kind == "drop":
        del holder[key]
    elif kind == "double":
        holder.update({f"{key}@": old}) if isinstance(holder, dict) else holder.insert(key, old)
    elif kind == "swap":
        other, name = rng.choice(places(data))
        if not (isinstance(old, (dict, list)) or isinstance(other[name], (dict, list))):
            holder[key], other[name] = other[name], old
    elif kind in ("retype", "raw"):
        holder[key] = rng.choice(ODD if kind == "retype" else list(RAW))
    elif kind == "nest":
        holder[key] = rng.choice([[old], {"a": old}])
    elif kind == "cut" and isinstance(old, (str, list)):
        holder[key] = old[: len(old) // 2]
    elif isinstance(old, (int, float)):
        holder[key] = old + rng.choice([1, -1, 0.125])
    text = json.dumps(data, indent=1)
    for name, raw in RAW.items():
        text = text.replace(f'"{name}"', raw)
    return text.replace('@"', '"').encode() + b"\n"  # a name twice


def places(value: Any) -> list[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    return [found for key in keys for found in [(value, key), *places(value[key])]]


def survey(path: Path, read: Callable[[], str], capsys) -> None:
    """Damage a file again and again; `read` returns what became of it, or raises T2ILabError."""
    whole, counts, seed = path.read_bytes(), Counter(), 0
    while counts.total() < MUTATIONS:
        seed += 1
        data = damaged(whole, Random(f"{path.name} {seed}"))
        if data == whole:
            continue
        path.write_bytes(data)
        try:
            counts[read()] += 1
        except T2ILabError as error:
            assert len(str(error)) < 1500, seed
            counts["refused"] += 1
        except BaseException as error:
            raise AssertionError(f"{path.name}, seed {seed}: {data[:3000]}") from error
    path.write_bytes(whole)
    with capsys.disabled():
        print(f"\n{path.name}: {MUTATIONS} mutations, {dict(counts)}", end=" ")
    assert counts["refused"] + counts["left out and named"] > MUTATIONS / 2


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

    survey(path, read, capsys)


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

    survey(path, read, capsys)


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

    survey(tmp_path / "abc.json", read, capsys)
