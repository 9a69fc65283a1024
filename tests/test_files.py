"""Where things go: places that cannot be written to or are not there, and what is said of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from t2ilab import durable, environment, lab, paths
from t2ilab.errors import UsageError
from t2ilab.files import new_folder, read_json, write_json
from t2ilab.paths import ROOT, cache_dir, runs_dir, user_path

SAMPLES = ("\0", "x" * 256, "ä" * 128, "a/" * 3000, "~no-such-user-here/x")


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("T2ILAB_RUNS", "T2ILAB_PROFILE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def read_only(monkeypatch):
    """The course's folder may be read but not written to (of root nothing is refused)."""
    access = os.access
    refused = (ROOT, ROOT / "runs")
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) not in refused and access(path, mode)
    )


@pytest.fixture
def homeless(monkeypatch):
    """A number for a user, with neither HOME nor a line in /etc/passwd."""
    import pwd

    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_runs_lie_in_the_checkout_or_where_they_are_wanted(tmp_path, monkeypatch):
    assert runs_dir() == ROOT / "runs"
    monkeypatch.setenv("T2ILAB_RUNS", "here")
    monkeypatch.chdir(tmp_path)
    assert runs_dir() == tmp_path / "here"


def test_runs_of_a_course_that_cannot_be_written_to_go_home_and_it_is_said(
    read_only, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert runs_dir() == tmp_path / paths.OWN_RUNS
    out = lab.start("smoke", 0, "cpu").out
    assert out.is_relative_to(tmp_path / paths.OWN_RUNS)
    assert f"may not be written to: figures and numbers go to {out}" in capsys.readouterr().out


def test_without_a_home_the_variables_are_named(read_only, homeless, monkeypatch):
    monkeypatch.delenv("T2ILAB_CACHE", raising=False)
    with pytest.raises(UsageError, match="home folder.*T2ILAB_RUNS"):
        runs_dir()
    with pytest.raises(UsageError, match="home folder.*T2ILAB_CACHE"):
        cache_dir()


@pytest.mark.parametrize("bad", SAMPLES)
def test_a_path_that_can_be_none_is_refused_in_a_sentence(bad):
    with pytest.raises(UsageError, match="^--out ") as error:
        user_path(bad, "--out")
    assert len(str(error.value)) < 250


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path):
    (tmp_path / "file").touch()
    for parent, name in ((tmp_path / "file", "run"), (tmp_path, "x" * 300), (tmp_path, "a\0b")):
        with pytest.raises(UsageError, match="cannot make the folder.*T2ILAB_RUNS"):
            new_folder(parent, name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_new_folder_sweeps_up_beside_it(tmp_path):
    left = new_folder(tmp_path, "run") / f".checkpoint.pt.1{durable.SUFFIX}"
    left.touch()
    new_folder(tmp_path, "run")
    assert not left.exists()


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "{", "", '{"a": ' + "9" * 10_000 + "}"])
def test_what_is_no_object_is_read_as_none(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert read_json(tmp_path / "a.json") is None
    write_json(tmp_path / "a.json", {"a": 1})
    assert read_json(tmp_path / "a.json") == {"a": 1}


# ------------------------------------------------------------------------------------- environment


@pytest.mark.parametrize("text", ["abc", "-1", "0", "1.5", "٣", "1e3", "9" * 10_000, "0x2", "2 3"])
def test_a_number_in_the_environment_is_a_whole_one_or_named(text, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", text)
    with pytest.raises(UsageError, match="WORLD_SIZE is .*whole number from 1 up") as error:
        environment.whole_number("WORLD_SIZE", 1)
    assert len(str(error.value)) < 250


@pytest.mark.parametrize(("text", "number"), [("", 1), (" ", 1), ("4", 4), (" 4 ", 4), ("04", 4)])
def test_a_number_that_is_not_given_has_a_default(text, number, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", text)
    assert environment.whole_number("WORLD_SIZE", 1) == number
    monkeypatch.delenv("WORLD_SIZE")
    assert environment.whole_number("WORLD_SIZE", 1, default=7) == 7


@pytest.mark.parametrize(("given", "set_to"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_sleep_while_they_wait_unless_it_is_asked_otherwise(given, set_to):
    """As OpenMP says it when torch is loaded after the package, here and in what we start."""
    told = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    told |= {"OMP_DISPLAY_ENV": "TRUE"} | ({"OMP_WAIT_POLICY": given} if given else {})
    code = "import subprocess, sys, t2ilab; subprocess.run([sys.executable, '-c', 'import torch'])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=told, capture_output=True, text=True, cwd=ROOT
    )
    assert f"OMP_WAIT_POLICY = '{set_to}'" in done.stderr.replace("[host] ", "")
