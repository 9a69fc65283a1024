"""The doctor: what it finds wrong on a machine, and what it says to do about it."""

import json
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from t2ilab import doctor
from t2ilab.cli import main
from t2ilab.doctor import Finding
from t2ilab.systems import weights


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("T2ILAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("T2ILAB_PROFILE", raising=False)


def only(look):
    (finding,) = look()
    return finding


def test_every_look_finds_something_and_the_report_has_a_line_for_each():
    findings = doctor.examine()
    names = [finding.name for finding in findings]
    for name in (
        "python",
        "torch",
        "device",
        "bfloat16",
        "cores",
        "memory",
        "widgets",
        "kernel",
        "kept pictures",
        "runs",
        "free disk",
        "environment",
    ):
        assert names.count(name) == 1, name
    assert {finding.state for finding in findings} <= {"ok", "warning", "broken"}
    assert all(bool(f.advice) == (f.state != "ok") for f in findings)
    lines = doctor.report(findings).splitlines()
    assert all(any(name in line for line in lines) for name in names)


def test_a_problem_is_followed_by_what_to_do():
    text = doctor.report([Finding("a", "ok", "fine"), Finding("b", "broken", "gone", "fetch it")])
    assert text.splitlines()[1].split() == ["BROKEN", "b", "gone"]
    assert text.splitlines()[2].strip() == "-> fetch it"
    assert text.endswith("1 broken, 0 to look at")
    assert doctor.report([Finding("a", "ok", "fine")]).endswith("all is well")


@pytest.mark.parametrize(("state", "status"), [("ok", 0), ("warning", 0), ("broken", 1)])
def test_the_exit_status_says_whether_something_is_broken(state, status, monkeypatch):
    found = [Finding("disk", state, "as it is", "" if state == "ok" else "do this")]
    monkeypatch.setattr(doctor, "examine", lambda: print("noise") or found)
    done = CliRunner().invoke(main, ["doctor", "--json"])
    assert done.exit_code == status
    assert json.loads(done.stdout) == {"ok": status == 0, "checks": [vars(found[0])]}
    assert CliRunner().invoke(main, ["doctor"]).exit_code == status


def test_packages_are_held_against_their_ranges(monkeypatch):
    assert doctor._package("click>=8", True).state == "ok"
    old = doctor._package("click>=900", True)
    assert old.state == "broken" and "expected >=900" in old.value and "'click>=900'" in old.advice
    assert doctor._package("no-such-package-here", True).state == "broken"
    unused = doctor._package("no-such-package-here", False)
    assert unused.state == "warning" and "tests only" in unused.value


def test_requirements_of_the_tests_are_told_from_those_of_the_course(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# the course\na>=1  # why\n\n# what the tests use\nb\n# the package\n-e .\n")
    assert doctor._requirements(path) == [("a>=1", True), ("b", False)]
    assert doctor._requirements(tmp_path / "none.txt") == [("torch>=2.11", True)]


def test_halves_of_the_widgets_must_agree(monkeypatch):
    real = metadata.version
    monkeypatch.setattr(
        metadata, "version", lambda name: "1.1.0" if name == "jupyterlab_widgets" else real(name)
    )
    finding = only(doctor.widgets)
    assert finding.state == "broken" and "jupyterlab_widgets 1.1.0: expected" in finding.value
    assert "--force-reinstall ipywidgets jupyterlab_widgets" in finding.advice


def test_a_front_end_that_jupyterlab_does_not_find(monkeypatch, tmp_path):
    from jupyter_core import paths

    monkeypatch.setattr(paths, "jupyter_path", lambda *_: [str(tmp_path)])
    assert "JupyterLab does not find" in only(doctor.widgets).value


def test_a_kernel_of_another_python_is_noticed(monkeypatch):
    from jupyter_client import kernelspec

    def spec(command):
        found = SimpleNamespace(argv=[command], env={})
        monkeypatch.setattr(kernelspec.KernelSpecManager, "get_kernel_spec", lambda *_: found)

    spec("/opt/other/bin/python")
    finding = only(doctor.kernel)
    assert finding.state == "warning" and "/opt/other/bin/python" in finding.value
    spec("python")
    assert only(doctor.kernel).state == "ok"

    def none(self, name):
        raise kernelspec.NoSuchKernel(name)

    monkeypatch.setattr(kernelspec.KernelSpecManager, "get_kernel_spec", none)
    assert only(doctor.kernel).state == "broken"


def test_damaged_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    assert "none are bundled" in only(doctor.weights).value
    (tmp_path / "a.safetensors").write_bytes(b"short")
    finding = only(doctor.weights)
    assert (finding.name, finding.state) == ("weights a", "broken")
    assert "is cut short" in finding.value and "git checkout" in finding.advice


def test_a_cache_that_cannot_be_written_to(monkeypatch, tmp_path):
    assert only(doctor.cache).state == "ok"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("T2ILAB_CACHE", str(tmp_path / "file" / "cache"))
    finding = only(doctor.cache)
    assert finding.state == "broken" and "T2ILAB_CACHE" in finding.advice


def test_runs_that_cannot_be_written_to(monkeypatch, tmp_path):
    monkeypatch.setenv("T2ILAB_RUNS", str(tmp_path / "not" / "there"))
    assert only(doctor.runs).state == "ok" and not (tmp_path / "not").exists()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("T2ILAB_RUNS", str(tmp_path / "file"))
    finding = only(doctor.runs)
    assert finding.state == "broken" and "T2ILAB_RUNS" in finding.advice
    assert f"{tmp_path / 'file'}: Not a directory" in finding.value


def test_without_a_home_folder_the_doctor_goes_on(monkeypatch):
    import pwd

    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "T2ILAB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert "T2ILAB_CACHE" in only(doctor.cache).advice
    assert list(doctor.disk())


@pytest.mark.parametrize(("free", "state"), [(5e7, "broken"), (1e9, "warning"), (9e9, "ok")])
def test_free_disk(free, state, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert {finding.state for finding in doctor.disk()} == {state}


def test_little_memory_and_too_many_threads(monkeypatch):
    import torch

    from t2ilab import lab

    text = "MemTotal: 4000000 kB\nMemAvailable: 900000 kB\n"
    monkeypatch.setattr(Path, "read_text", lambda self, *_, **__: text)
    assert only(doctor.memory).value == "0.9 of 4.0 GB free"
    assert only(doctor.memory).state == "warning"
    monkeypatch.setattr(lab, "cores", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    assert "OMP_NUM_THREADS=2" in only(doctor.cores).advice


def test_a_driver_without_a_torch_for_it(monkeypatch):
    from t2ilab.fit import machine

    monkeypatch.setattr(machine, "pick_device", lambda _: "cpu")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert only(doctor.device).state == "warning"
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert only(doctor.device) == Finding("device", "ok", "cpu")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("T2ILAB_PROFILE", "lapdog", "smoke, laptop, gpu"),
        ("T2ILAB_CASH", "/tmp", "T2ILAB_CASH is no variable that is read"),
        ("WORLD_SIZE", "0", "WORLD_SIZE is '0'"),
        ("LOCAL_RANK", "abc", "LOCAL_RANK is 'abc'"),
    ],
)
def test_a_variable_that_is_wrong(name, value, said, monkeypatch):
    assert only(doctor.variables).state == "ok"
    monkeypatch.setenv(name, value)
    finding = only(doctor.variables)
    assert finding.state == "broken" and said in finding.advice


def test_threads_that_spin_are_a_warning_and_the_policy_is_said(monkeypatch):
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr("t2ilab.lab.cores", lambda: 2)
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    finding = only(doctor.cores)
    assert finding.state == "ok" and "OMP_WAIT_POLICY=passive" in finding.value
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert "unset OMP_WAIT_POLICY" in only(doctor.cores).advice


def test_a_look_that_fails_is_a_finding():
    def kernel():
        yield Finding("half", "ok", "seen")
        raise OSError("no luck")

    seen, failed = doctor._safely(kernel)
    assert seen.name == "half" and failed.state == "broken" and "OSError: no luck" in failed.value
