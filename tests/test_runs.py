"""Notebooks as experiments: parameters checked, run, swept, collected."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

from t2ilab.errors import DataError, T2ILabError, UsageError
from t2ilab.files import write_json
from t2ilab.provenance import cores
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
from t2ilab.runs.kept import seal
from t2ilab.runs.refresh import tell_time
from t2ilab.runs.run import plan
from t2ilab.runs.sweep import combinations
from t2ilab.runs.worker import ENDED
from t2ilab.schemas.runs import Run

run_module = import_module("t2ilab.runs.run")  # the package's `run` is the function
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


def test_the_hash_stands_for_the_package_too(monkeypatch):
    base = plan(TINY).hash
    monkeypatch.setattr(run_module, "package_digest", lambda: "another")
    other = plan(TINY).hash
    monkeypatch.setattr(run_module, "__version__", "another")
    assert len({base, other, plan(TINY).hash}) == 3


def test_a_path_is_meant_from_where_it_was_typed_and_a_default_from_the_notebook(
    tmp_path, monkeypatch
):
    path = write_notebook(tmp_path / "a.ipynb", 'FILE: "path" = "beside.txt"\nNAME: str = ""')
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert plan(path).parameters["FILE"] == "beside.txt"
    for given in ("x.txt", "../x.txt", "~/x.txt", "/x.txt"):
        meant = plan(path, parameters={"FILE": given, "NAME": "x.txt"})
        assert meant.changed["NAME"] == "x.txt"
        assert Path(meant.changed["FILE"]).is_absolute()
        expected = Path(given).expanduser() if given[0] in "~/" else tmp_path / "here" / given
        assert os.path.samefile(Path(meant.changed["FILE"]).parent, expected.parent)
    assert plan(path, parameters={"FILE": ""}).changed["FILE"] == ""
    for given, said in (("~nosuchuser/x", "home"), ("a" * 300, "255 bytes")):
        with pytest.raises(UsageError, match=f"parameter FILE: .*{said}"):
            plan(path, parameters={"FILE": given})


def test_the_paths_of_the_course_are_declared_as_such():
    for book in notebooks_module.notebooks():
        declared = parameters_of(book)
        for name in {"ROOT", "VECTORS", "PHOTOS", "PICTURE", "MNIST", "WEIGHTS"} & set(declared):
            assert declared[name].kind == "path", (book.name, name)


ODD_VALUES = (
    ["{[]:1}", "[{[]:1}]", "{1:2}", "{1}", "[1e999]", "[NaN]", "{'a': 1e999}", "[b'x']", "[1j]"]
    + ["[" * 100_000, "[" * 50 + "]" * 50, "-" * 5000 + "1", "9" * 5000, "1" + "0" * 30, "1e999"]
    + ["\0", "[\0]", "\ud800", '["\\ud800"]', "(" * 1000, "...", "[...]", "lambda: 1", "f'{1}'"]
)


@pytest.mark.parametrize("name", ["N", "R", "B", "S", "O", "L", "M", "U", "T"])
def test_no_value_ends_in_anything_but_words_or_what_json_keeps(declared, name):
    for value in [*ODD_VALUES, 10**400, float("inf"), {1, 2}, {1: 2}, b"x", object(), [[[{}]]]]:
        try:
            kept = declared[name].parse(value)
        except UsageError as error:
            assert name in str(error) and len(str(error)) < 400
        else:
            assert json.loads(json.dumps(kept, allow_nan=False).encode()) == kept
        if isinstance(value, str):
            try:
                grid([f"{name}={value}"])
            except UsageError as error:
                assert name in str(error) and len(str(error)) < 400


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


def test_a_notebook_that_never_calls_finish_has_not_finished(tmp_path):
    book = json.loads(TINY.read_text())
    book["cells"] = book["cells"][:2]
    path = tmp_path / "tiny.ipynb"
    path.write_text(json.dumps(book))
    with pytest.raises(T2ILabError, match=r"wrote no metrics.json.*lab.finish\(\)"):
        run(path, out=tmp_path / "runs", show=False)
    (folder,) = (tmp_path / "runs").iterdir()
    assert {file.name for file in folder.iterdir()} == {"tiny.ipynb", "error.txt"}
    assert table_is_empty(tmp_path / "runs")


def test_two_sweeps_at_once_run_each_combination_once(tmp_path, monkeypatch):
    ran = []

    def in_a_process(job, running):
        ran.append(job["parameters"]["SEED"])
        time.sleep(0.5)
        planned = plan(job["notebook"], parameters=job["parameters"])
        folder = Path(job["out"]) / f"run-{planned.hash}"
        write_json(folder / "metrics.json", {"recorded": {}})
        about = {"notebook": "tiny", "hash": planned.hash, "parameters": planned.parameters}
        seal(folder, Run(**about, finished="2025-01-01T00:00:00", seconds=0.5))
        return {"folder": str(folder)}

    monkeypatch.setattr(import_module("t2ilab.runs.sweep"), "_in_a_process", in_a_process)

    def both(**options):
        with ThreadPoolExecutor(2) as pool:
            asked = [
                pool.submit(sweep, TINY, {"SEED": [1, 2, 3]}, out=tmp_path, **options) for _ in "ab"
            ]
            return [one.result() for one in asked]

    first, second = both()
    assert first == second and len(set(first)) == 3
    assert sorted(ran) == [1, 2, 3]
    both(force=True)
    assert sorted(ran) == sorted([1, 2, 3] * 3)


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
        ({"SEED": [1]}, {"gpus": -1}, "gpus=-1"),
        ({"SEED": list(range(101)), "RATE": list(range(100))}, {}, "10,100 combinations"),
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


@pytest.fixture
def fake_slurm(tmp_path, monkeypatch):
    """Programs of Slurm's names that note what they are told and answer as they are asked to."""
    programs = tmp_path / "bin"
    programs.mkdir()

    def answers(**scripts: str) -> Path:
        for name, script in scripts.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        return programs

    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    answers(srun="exit 0", squeue="exit 0", sbatch=f"cat $1 > {programs}/script; exit 1")
    return answers


def test_what_slurm_answers_is_said_in_words(tmp_path, fake_slurm):
    ask = {"out": tmp_path / "runs", "cluster": "slurm"}
    fake_slurm(sbatch="echo invalid account >&2; exit 1")
    with pytest.raises(T2ILabError, match="Slurm refused the jobs: .*invalid account"):
        sweep(TINY, {"SEED": [0]}, **ask)
    fake_slurm(sbatch="echo hello")
    with pytest.raises(T2ILabError, match='refused the jobs: .*"hello'):
        sweep(TINY, {"SEED": [0]}, **ask)
    fake_slurm(squeue="exit 1")
    (hash,) = combinations(TINY, {"SEED": [0]})
    write_json(tmp_path / "runs" / "slurm" / f"{hash}.json", {"job_id": "7"})
    with pytest.raises(T2ILabError, match="'squeue' fails"):
        sweep(TINY, {"SEED": [0]}, **ask)


@pytest.mark.parametrize("missing", ["sbatch", "srun", "squeue"])
def test_without_one_of_slurms_programs_it_is_named(tmp_path, fake_slurm, monkeypatch, missing):
    programs = fake_slurm()
    (programs / missing).unlink()
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(UsageError, match=f"no '{missing}' here"):
        sweep(TINY, {"SEED": [0]}, out=tmp_path / "runs", cluster="slurm")


def test_slurm_is_told_account_and_qos(tmp_path, fake_slurm):
    ask = {"out": tmp_path / "runs", "cluster": "slurm"}
    with pytest.raises(T2ILabError, match="refused"):
        sweep(TINY, {"SEED": [0]}, **ask, partition="p", account="lab_a", qos="long")
    script = (fake_slurm() / "script").read_text()
    for line in ("partition=p", "account=lab_a", "qos=long"):
        assert f"#SBATCH --{line}\n" in script
    with pytest.raises(UsageError, match="qos 'a\\\\nb': a name without spaces"):
        sweep(TINY, {"SEED": [0]}, **ask, qos="a\nb")


def test_the_queue_is_asked_for_a_user_without_a_name(monkeypatch):
    module = import_module("t2ilab.runs.slurm")
    asked = []
    monkeypatch.setattr(module.os, "getuid", lambda: 54321)
    answer = subprocess.CompletedProcess([], 0, "1_0\n2\n")
    monkeypatch.setattr(
        module.subprocess, "run", lambda command, **_: asked.append(command) or answer
    )
    assert module._active() == {"1_0", "2"}
    assert "--user=54321" in asked[0]


def test_a_job_that_ran_something_else_is_no_outcome(runs, tmp_path):
    module = import_module("t2ilab.runs.sweep")
    (planned,) = combinations(TINY, {"SEED": [0]}).values()
    assert "not a finished run of it" in module._seen({"folder": runs / "run0"}, planned)["error"]
    assert "line 1" in module._seen({"folder": runs / "torn"}, planned)["error"]


@pytest.mark.skipif(not slurm_answers(), reason="no Slurm cluster with a free node here")
def test_a_sweep_on_slurm(tmp_path):
    folders = sweep(TINY, {"SEED": [0, 1]}, profile="smoke", out=tmp_path, cluster="slurm", cpus=1)
    assert len(folders) == 2
    assert sorted(table(tmp_path)["score"]) == [1.0, 2.0]


# --- the table


def fake_run(folder: Path, number: int, parameters: dict, recorded: dict, **more) -> None:
    about = {"notebook": "18", "hash": "00c0ffee", "finished": f"2025-01-01T00:00:{number:02d}"}
    about |= {"parameters": parameters, "seconds": 1.0}
    write_json(
        folder / f"run{number}" / "metrics.json", {**more, "run": about, "recorded": recorded}
    )


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
    assert list(rows) == ["n", "score", "score ±", "score n"]
    assert rows.loc["gan"].tolist() == pytest.approx([2, 0.3, 0.2 / 2**0.5, 2])
    assert readable(table(runs, by="SYSTEM"))["score"].tolist() == ["0.85 ± 0.071", "0.3 ± 0.14"]
    one = readable(table(runs, by="SYSTEM", where={"SEED": 0, "SYSTEM": "gan"}))
    assert one["score"].tolist() == ["0.2"]
    assert list(one) == ["SYSTEM", "n", "score", "by.wing"]


def test_a_diverged_seed_does_not_vanish_from_the_mean(runs, capsys):
    for number, value in ((5, None), (6, "nan"), (7, True)):
        given = {"SYSTEM": "gan", "SEED": number, "PROFILE": "smoke"}
        fake_run(runs, number, given, {"score": value, "by": {"wing": 3}})
    fake_run(runs, 8, {"SYSTEM": "lost", "SEED": 0, "PROFILE": "smoke"}, {"score": None})
    frame = table(runs, by="SYSTEM")
    rows = frame.set_index("SYSTEM")
    assert rows.loc["gan", ["n", "score n", "by.wing n"]].tolist() == [5, 2, 5]
    assert rows.loc["gan", "score"] == pytest.approx(0.3)
    assert rows.loc["lost", ["n", "score n", "by.wing n"]].tolist() == [1, 0, 0]
    said = capsys.readouterr().out
    assert "score: no finite number in run5, run6, run7, run8, of 8 runs" in said
    assert "by.wing: no finite number in run8, of 8 runs" in said
    assert readable(frame)["score"].tolist() == [
        "0.85 ± 0.071",
        "0.3 ± 0.14 (2 of 5)",
        "- (0 of 1)",
    ]


def test_what_is_no_number_is_named_and_refused_where_it_was_asked_for(runs, capsys):
    table(runs, by="SYSTEM")
    assert "not averaged, for they are no numbers: names" in capsys.readouterr().out
    with pytest.raises(UsageError, match="names: no number"):
        table(runs, by="SYSTEM", metrics=["score", "names"])


def test_a_damaged_and_an_unfinished_run_are_named_and_stop_nothing(runs, capsys):
    (runs / "20250101-000000-abcdef01").mkdir()
    (runs / "20250101-000000-abcdef01" / "error.txt").write_text("diverged")
    (runs / "20250101-000001-00c0ffee").mkdir()
    (runs / "20250101-000001-00c0ffee" / "error.txt").write_text("of a run that has finished since")
    assert len(table(runs)) == 4
    said = capsys.readouterr().out
    assert f"left out: {runs / 'torn' / 'metrics.json'}, line 1" in said
    assert "left out, not finished: 20250101-000000-abcdef01, half\n" in said


def test_a_run_that_was_changed_by_hand_is_left_out_and_named(runs, capsys):
    about = Run(notebook="18", hash="1", parameters={}, finished="2025-01-02T00:00:00", seconds=1)
    folder = runs / "sealed"
    write_json(folder / "metrics.json", {"recorded": {"score": 0.5}})
    seal(folder, about)
    assert table(runs)["score"].tolist()[-1] == 0.5
    text = (folder / "metrics.json").read_text()
    (folder / "metrics.json").write_text(text.replace("0.5", "0.9"))
    assert len(table(runs)) == 4
    assert "sealed/metrics.json was changed after the run" in capsys.readouterr().out


def test_a_recorded_name_never_takes_the_place_of_a_column_of_the_table(tmp_path):
    recorded = {"n": 7, "seconds": 9.0, "run": 3, "SEED": 5}
    fake_run(tmp_path, 1, {"SEED": 0}, recorded)
    row = table(tmp_path).iloc[0]
    assert (row["run"], row["SEED"], row["seconds"]) == ("run1", 0, 1.0)
    assert [row[f"recorded.{name}"] for name in recorded] == [7, 9.0, 3, 5]
    grouped = table(tmp_path, by="SEED").iloc[0]
    assert (grouped["n"], grouped["recorded.n"]) == (1, 7)


def test_runs_without_a_parameter_that_others_have_stay_in_the_table(tmp_path):
    for number, given in enumerate([{"SEED": 0}, {"SEED": 0, "RATE": 0.5}, {"RATE": 0.5}]):
        fake_run(tmp_path, number, given, {"score": 1, "large": 2**53 + 1 if number else None})
    assert table(tmp_path, by="RATE")["n"].tolist() == [2, 1]
    assert len(table(tmp_path, where={"SEED": 0})) == 2
    assert table(tmp_path)["large"].tolist() == [None, 2**53 + 1, 2**53 + 1]


def test_averaging_over_versions_of_the_package_is_said(tmp_path, capsys):
    for number, digest in enumerate(["aaa", "bbb"]):
        fake_run(tmp_path, number, {"SEED": number}, {"score": 1}, package={"digest": digest})
    table(tmp_path, by=[])
    assert "2 versions of the package are averaged together: aaa, bbb" in capsys.readouterr().out


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


def test_a_refreshed_notebook_tells_its_time_in_place_of_the_last_one():
    def book(*words):
        output = {"text": "t2ilab 0.1.0 · profile laptop · device cpu · 2 cores · torch\n"}
        end = {"text": ["finished in 83 s · peak memory 1 MB · 2 figures\n"]}
        code = [{"cell_type": "code", "source": "", "outputs": [one]} for one in (output, end)]
        return {"cells": [{"cell_type": "markdown", "source": w} for w in words] + code}

    line = "*Run on this page*: `laptop` 83 s on 2 CPU cores."
    new = book("# Title", "At the end you can:", "more")
    tell_time(new)
    assert [c["source"] for c in new["cells"][:3]] == ["# Title", f"At the end you can:\n\n{line}",
                                                      "more"]  # fmt: skip
    old = book("# Title", "words", "*Run on this page*: `laptop` 9 s on 4 CPU cores.\nmore")
    tell_time(old)
    assert old["cells"][2]["source"] == f"{line}\nmore" and old["cells"][1]["source"] == "words"
    silent = {"cells": new["cells"][:3]}
    tell_time(silent)
    assert silent["cells"] == new["cells"][:3]
