"""Notebooks as experiments: parameters checked, run, swept, collected."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from t2ilab.errors import DataError, T2ILabError, UsageError
from t2ilab.files import write_json
from t2ilab.lab import cores
from t2ilab.runs import (
    assignments,
    find_notebook,
    grid,
    parameters_of,
    readable,
    run,
    strip_widgets,
    sweep,
    table,
)
from t2ilab.runs import notebook as notebooks_module
from t2ilab.runs.run import plan
from t2ilab.runs.sweep import combinations
from t2ilab.runs.worker import ENDED

TINY = Path(__file__).parent / "notebooks_for_tests" / "tiny.ipynb"


@pytest.fixture(autouse=True)
def no_profile_from_outside(monkeypatch):
    monkeypatch.delenv("T2ILAB_PROFILE", raising=False)


def write_notebook(path: Path, parameters: str) -> Path:
    cell = {"cell_type": "code", "source": parameters, "metadata": {"tags": ["parameters"]}}
    cell |= {"execution_count": None, "outputs": []}
    book = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    path.write_text(json.dumps(book))
    return path


# --- finding a notebook, reading its parameters


@pytest.fixture
def course(tmp_path, monkeypatch):
    for name in ("00_first_picture", "18_text_to_image"):
        (tmp_path / f"{name}.ipynb").write_text("{}")
    monkeypatch.setattr(notebooks_module, "NOTEBOOKS", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "given", ["18", 18, "18_text_to_image", "text_to_image", "18_text_to_image.ipynb"]
)
def test_a_notebook_is_found_by_number_or_name(course, given):
    assert find_notebook(given) == course / "18_text_to_image.ipynb"


def test_the_number_of_a_notebook_needs_no_leading_zero(course):
    assert find_notebook(0) == find_notebook("00") == course / "00_first_picture.ipynb"


def test_a_path_is_taken_as_it_is():
    assert find_notebook(str(TINY)) == TINY


def test_an_unknown_notebook_gets_the_nearest_name_and_the_list(course):
    with pytest.raises(UsageError) as caught:
        find_notebook("18_text_to_imgae")
    assert "did you mean '18_text_to_image'" in str(caught.value)
    assert "Choose one of: 00_first_picture, 18_text_to_image." in str(caught.value)
    with pytest.raises(UsageError, match="Choose one of"):
        find_notebook("24")


def test_parameters_are_read_with_their_types():
    declared = parameters_of(TINY)
    kinds = {name: parameter.kind for name, parameter in declared.items()}
    assert kinds["SEED"] == "int" and kinds["NAMES"] == "list[str]"
    assert declared["NAMES"].default == ["red", "blue"]


def test_parameters_are_literals_only(tmp_path):
    path = write_notebook(tmp_path / "a.ipynb", "STEPS = 10\nHALF = STEPS // 2")
    with pytest.raises(T2ILabError, match="unlike 'HALF = STEPS // 2'"):
        parameters_of(path)


def test_what_is_no_notebook_is_refused(tmp_path):
    (tmp_path / "a.ipynb").write_text("not json")
    with pytest.raises(UsageError, match="cannot be read as a notebook"):
        parameters_of(tmp_path / "a.ipynb")


# --- values of the type that is declared

KINDS = """N: int = 1
R: float = 0.5
B: bool = False
S: str = "a"
O: "str | None" = None
L: list[float] = [1.0]
M: Literal["mean", "lstm"] = "mean"
U = [1, 2]
T: dict = {}
"""


@pytest.fixture(scope="module")
def declared(tmp_path_factory):
    return parameters_of(write_notebook(tmp_path_factory.mktemp("kinds") / "k.ipynb", KINDS))


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("N", "-3", -3),
        ("R", "1e-3", 0.001),
        ("R", 2, 2.0),
        ("B", "True", True),
        ("B", "0", False),
        ("S", "3", "3"),
        ("S", "a = b, 'c'", "a = b, 'c'"),
        ("O", "none", None),
        ("O", "text", "text"),
        ("L", "[1, 2]", [1.0, 2.0]),
        ("L", (0.5,), [0.5]),
        ("L", "1, 2", [1.0, 2.0]),
        ("M", "lstm", "lstm"),
        ("U", "[3]", [3]),
        ("T", '{"a": 1}', {"a": 1}),
    ],
)
def test_a_value_is_read_as_the_declared_type(declared, name, given, value):
    parsed = declared[name].parse(given)
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("N", "three", r"N: expected a whole number \(int\), got 'three'"),
        ("N", 3.0, r"got 3.0 \(float\)"),
        ("N", True, "whole number"),
        ("R", "fast", "finite number"),
        ("R", "nan", "finite number"),
        ("B", "maybe", "true or false"),
        ("B", 1, "true or false"),
        ("S", 3, "expected text"),
        ("L", "1 2", "list"),
        ("L", '["a"]', r"list\[float\]"),
        ("M", "gru", "Literal"),
        ("U", "['a']", r"list\[int\]"),
        ("T", "[1]", "dict"),
    ],
)
def test_a_value_of_another_type_is_refused(declared, name, given, said):
    with pytest.raises(UsageError, match=said):
        declared[name].parse(given)


def test_the_command_line_is_read_into_assignments_and_grids():
    assert assignments(["SEED=3", "NAME=a=b"]) == {"SEED": "3", "NAME": "a=b"}
    assert grid(["SEED=0,1", "L=[[1, 2], [3]]"]) == {"SEED": ["0", "1"], "L": [[1, 2], [3]]}
    for wrong, said in [(["SEED"], "NAME=VALUE"), (["A=1", "A=2"], "twice")]:
        with pytest.raises(UsageError, match=said):
            assignments(wrong)
    with pytest.raises(UsageError, match="no list"):
        grid(["A=[1, 2"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parameters": {"SED": 3}}, "did you mean 'SEED'.*PROFILE, SEED, DEVICE, RATE"),
        ({"parameters": {"SEED": "x"}}, "SEED: expected a whole number"),
        ({"parameters": {"OUT": "here"}}, "--out"),
        ({"parameters": {"DEVICE": "gpu"}}, "unknown device 'gpu'"),
        ({"profile": "lptop"}, "did you mean 'laptop'"),
    ],
)
def test_a_plan_refuses_wrong_names_and_values_before_anything_runs(options, said):
    with pytest.raises(UsageError, match=said):
        plan(TINY, **options)


def test_the_hash_stands_for_the_code_and_every_parameter(tmp_path):
    base = plan(TINY)
    assert plan(TINY, parameters={"SEED": "0"}, profile="laptop").hash == base.hash
    assert plan(TINY, parameters={"SEED": 1}).hash != base.hash
    copy = tmp_path / TINY.name
    copy.write_text(TINY.read_text().replace("10 * RATE", "11 * RATE"))
    assert plan(copy).hash != base.hash


def test_the_profile_comes_from_the_environment_unless_it_is_given(monkeypatch):
    monkeypatch.setenv("T2ILAB_PROFILE", "smoke")
    assert plan(TINY).parameters["PROFILE"] == "smoke"
    assert plan(TINY, profile="laptop").parameters["PROFILE"] == "laptop"


def test_dead_widgets_are_cleared_from_a_notebook():
    view = "application/vnd.jupyter.widget-view+json"
    output = {"output_type": "display_data", "data": {view: {}, "text/plain": "[sliders]"}}
    notebook = {"metadata": {"widgets": {}, "a": 1}, "cells": [{"outputs": [output]}, {}]}
    strip_widgets(notebook)
    assert notebook["metadata"] == {"a": 1}
    assert notebook["cells"][0]["outputs"][0]["data"] == {"text/plain": "[sliders]"}


# --- executing


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """One run on a machine whose registered "python3" is another interpreter."""
    home = tmp_path_factory.mktemp("home")
    kernel = home / "kernels" / "python3"
    kernel.mkdir(parents=True)
    spec = {"argv": ["/no/such/python", "{connection_file}"], "display_name": "other"}
    (kernel / "kernel.json").write_text(json.dumps({**spec, "language": "python"}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(home))
        patch.setenv("T2ILAB_PROFILE", "gpu")  # a run is told its profile: this must not win
        given = {"SEED": "3", "NAMES": '["a \\"b\\""]'}
        return run(TINY, profile="smoke", parameters=given, out=home / "runs", show=False)


def test_a_run_leaves_the_notebook_the_metrics_and_the_figures(ran):
    metrics = json.loads((ran / "metrics.json").read_text())
    assert metrics["profile"] == "smoke" and metrics["seed"] == 3
    assert metrics["recorded"]["score"] == 4.0
    assert metrics["recorded"]["names"] == ['a "b"']
    assert metrics["run"]["parameters"]["SEED"] == 3
    assert ran.name.endswith(metrics["run"]["hash"])
    assert {path.name for path in ran.iterdir()} == {"tiny.ipynb", "metrics.json", "figures"}
    assert (ran / "figures" / "square.png").exists()


def test_a_run_uses_the_running_interpreter_whatever_kernel_is_registered(ran):
    recorded = json.loads((ran / "metrics.json").read_text())["recorded"]
    assert recorded["python"] == sys.executable


def test_the_executed_notebook_holds_no_widget_state(ran):
    text = (ran / "tiny.ipynb").read_text()
    assert "widget-view" not in text and '"widgets"' not in text
    assert "[grey: move the controls in a running notebook]" in text


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of two, of which one fails."""
    out = tmp_path_factory.mktemp("sweep")
    with pytest.raises(T2ILabError) as caught:
        sweep(TINY, {"FAIL": [False, True]}, profile="smoke", out=out, at_once=2)
    return out, str(caught.value)


def test_a_failing_run_of_a_sweep_names_its_cell_and_keeps_its_notebook(swept):
    out, said = swept
    assert "1 of 2 runs failed" in said
    assert "FAIL=True: tiny: cell [5], which begins 'if FAIL:', stopped with RuntimeError: " in said
    (error,) = out.glob("*/error.txt")
    assert "planted failure of seed 0" in (error.parent / "tiny.ipynb").read_text()
    assert "Traceback" in (error.parent / "tiny.ipynb").read_text()


def test_the_others_of_a_sweep_finish_with_their_share_of_the_cores(swept):
    rows = table(swept[0])
    assert rows["FAIL"].tolist() == [False]
    assert rows["threads"].tolist() in ([str(max(1, cores() // 2))], ["1"])


def test_a_sweep_skips_what_is_finished(swept, monkeypatch, capsys):
    module = import_module("t2ilab.runs.sweep")  # the package's `sweep` is the function
    monkeypatch.setattr(module, "_in_a_process", lambda *_: pytest.fail("it ran again"))
    (folder,) = sweep(TINY, {"FAIL": ["no"]}, profile="smoke", out=swept[0])
    assert (folder / "metrics.json").exists()
    assert "1 combinations, 1 of them finished before" in capsys.readouterr().out


def test_a_worker_ends_when_its_sweep_is_killed(tmp_path):
    job = {"notebook": str(TINY), "parameters": {}, "out": str(tmp_path)}
    job |= {"environment": {}, "force": False}
    command = [sys.executable, "-m", "t2ilab.runs.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as worker:
        worker.stdin.write(json.dumps(job) + "\n")
        worker.stdin.flush()
        while worker.poll() is None and not list(tmp_path.iterdir()):
            time.sleep(0.05)
        assert worker.poll() is None  # it is at work
        worker.stdin.close()
        assert worker.wait(timeout=60) == ENDED
    assert table_is_empty(tmp_path)


def table_is_empty(folder: Path) -> bool:
    with pytest.raises(DataError, match="no finished runs"):
        table(folder)
    return True


def test_the_combinations_of_a_grid():
    plans = combinations(TINY, {"SEED": [0, "1", 1], "RATE": [0.1, 0.2]})
    got = [(p.parameters["SEED"], p.parameters["RATE"]) for p in plans.values()]
    assert got == list(itertools.product([0, 1], [0.1, 0.2]))


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ({"SEED": 3}, {}, "give a list"),
        ({"SEED": []}, {}, "give a list"),
        ({"SEED": "0,1"}, {}, "give a list"),
        ({"SEEDS": [1]}, {}, "did you mean 'SEED'"),
        ({"SEED": [1, "x"]}, {}, "expected a whole number"),
        ({"SEED": [1]}, {"parameters": {"SEED": 2}}, "both"),
        ({"SEED": [1]}, {"cluster": "slrum"}, "did you mean 'slurm'"),
        ({"SEED": [1]}, {"at_once": 0}, "at_once=0"),
    ],
)
def test_a_sweep_checks_its_whole_grid_first(tmp_path, values, options, said):
    with pytest.raises(UsageError, match=said):
        sweep(TINY, values, out=tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


# --- Slurm


def slurm_answers() -> bool:
    if shutil.which("sbatch") is None or shutil.which("sinfo") is None:
        return False
    asked = subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True)
    return asked.returncode == 0 and "idle" in asked.stdout


def test_without_slurm_a_sweep_on_it_is_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no 'sbatch' here"):
        sweep(TINY, {"SEED": [0]}, out=tmp_path / "runs", cluster="slurm")


@pytest.mark.skipif(not slurm_answers(), reason="no Slurm cluster with a free node here")
def test_a_sweep_on_slurm(tmp_path):
    folders = sweep(TINY, {"SEED": [0, 1]}, profile="smoke", out=tmp_path, cluster="slurm", cpus=1)
    assert len(folders) == 2
    assert sorted(table(tmp_path)["score"]) == [1.0, 2.0]


# --- the table


def fake_run(folder: Path, number: int, parameters: dict, recorded: dict) -> None:
    about = {"notebook": "18", "hash": "0", "finished": f"2025-01-01T00:00:{number:02d}"}
    about |= {"parameters": parameters, "seconds": 1.0}
    write_json(folder / f"run{number}" / "metrics.json", {"run": about, "recorded": recorded})


@pytest.fixture
def runs(tmp_path):
    scores = {"gan": (0.2, 0.4), "cls": (0.8, 0.9)}
    number = itertools.count()
    for system, seed in itertools.product(scores, (0, 1)):
        given = {"SYSTEM": system, "SEED": seed, "PROFILE": "smoke"}
        recorded = {"score": scores[system][seed], "names": ["a"], "by": {"wing": 1}}
        fake_run(tmp_path, next(number), given, recorded)
    write_json(tmp_path / "half" / "metrics.json", {"recorded": {"score": 0.0}})
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "metrics.json").write_text('{"run": {"par')
    return tmp_path


def test_the_table_has_a_row_a_finished_run(runs):
    rows = table(runs)
    assert rows["score"].tolist() == [0.2, 0.4, 0.8, 0.9]
    assert rows["by.wing"].tolist() == [1] * 4
    assert list(rows) == [
        "run", "notebook", "SYSTEM", "SEED", "PROFILE", "seconds", "score", "names", "by.wing"
    ]  # fmt: skip


def test_the_table_gives_mean_and_spread_over_seeds(runs):
    rows = table(runs, by="SYSTEM", metrics="score").set_index("SYSTEM")
    assert rows.loc["gan"].tolist() == pytest.approx([2, 0.3, 0.2 / 2**0.5])
    assert readable(table(runs, by="SYSTEM"))["score"].tolist() == ["0.85 ± 0.071", "0.3 ± 0.14"]
    one = readable(table(runs, by="SYSTEM", where={"SEED": 0, "SYSTEM": "gan"}))
    assert one["score"].tolist() == ["0.2"]


def test_of_the_same_run_done_twice_the_newest_counts(runs):
    given = {"SYSTEM": "gan", "SEED": 0, "PROFILE": "smoke"}
    fake_run(runs, 50, given, {"score": 0.6})
    rows = table(runs, by="SYSTEM", metrics="score").set_index("SYSTEM")
    assert rows.loc["gan", "n"] == 2 and rows.loc["gan", "score"] == pytest.approx(0.5)


def test_the_table_never_averages_over_anything_but_seeds(runs):
    fake_run(runs, 50, {"SYSTEM": "gan", "SEED": 0, "PROFILE": "laptop"}, {"score": 0.6})
    with pytest.raises(UsageError, match="differ in PROFILE"):
        table(runs, by="SYSTEM")
    assert len(table(runs, by="SYSTEM", where={"PROFILE": "smoke"})) == 2
    assert len(table(runs, by=["SYSTEM", "PROFILE"])) == 3


def test_the_table_names_what_it_does_not_know(runs, tmp_path_factory):
    for options, near in [
        ({"by": "SYSTM"}, "SYSTEM"),
        ({"metrics": "scor"}, "score"),
        ({"where": {"SED": 1}}, "SEED"),
    ]:
        with pytest.raises(UsageError, match=f"did you mean '{near}'"):
            table(runs, **options)
    with pytest.raises(DataError, match="no finished run has SEED=7"):
        table(runs, where={"SEED": 7})
    assert table_is_empty(tmp_path_factory.mktemp("empty"))


def test_runs_go_below_the_checkout_unless_told_otherwise(monkeypatch, tmp_path):
    from t2ilab.files import runs_dir
    from t2ilab.paths import ROOT

    monkeypatch.delenv("T2ILAB_RUNS", raising=False)
    assert runs_dir() == ROOT / "runs"
    monkeypatch.setenv("T2ILAB_RUNS", str(tmp_path))
    assert runs_dir() == tmp_path
    assert os.environ["T2ILAB_RUNS"] == str(tmp_path)
