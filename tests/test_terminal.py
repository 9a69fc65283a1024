"""The command line's own boundary: whatever is left over is one sentence, not a traceback."""

import errno
import os

import click
import pytest
from click.testing import CliRunner

from t2ilab.commands.terminal import Group
from t2ilab.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("T2ILAB_DEBUG", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


def fails_with(error, **environment):
    group = Group("t2ilab")

    @group.command()
    @click.option("-n", type=int)
    def command(n):
        raise error.with_traceback(None)

    return CliRunner().invoke(group, ["command"], env=environment)


LEFT_OVER = [
    KeyError("x"),
    ValueError("embedded null byte"),
    RecursionError("maximum recursion depth exceeded"),
    RuntimeError("one\ntwo\nthree"),
    AssertionError(),
    TypeError("9" * 10_000),
    UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"),
]


@pytest.mark.parametrize("error", LEFT_OVER, ids=lambda error: type(error).__name__)
def test_what_nobody_foresaw_is_one_sentence_with_a_number(error):
    done = fails_with(error)
    assert isinstance(done.exception, SystemExit) and done.stdout == ""
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {type(error).__name__}: ") and len(line) < 700
    assert "as fault " in line and "test_terminal.py, line " in line
    assert fails_with(error).stderr == done.stderr  # the same fault has the same number


def test_other_faults_have_other_numbers():
    numbers = [fails_with(error).stderr.split("as fault ")[1][:8] for error in LEFT_OVER]
    assert len(set(numbers)) == len(LEFT_OVER)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.pt"), "a.pt: No space left"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "fewer or smaller"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "fewer or smaller"),
    ],
)
def test_disks_and_memory_need_no_number(error, said):
    done = fails_with(error)
    assert done.exit_code == 1 and said in done.stderr and "foresaw" not in done.stderr


def test_the_traceback_comes_when_it_is_asked_for():
    done = fails_with(KeyError("x"), T2ILAB_DEBUG="1")
    assert "Traceback" in done.stderr and "raise error" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: KeyError: ")


def test_foreseen_errors_are_as_they_were():
    assert fails_with(UsageError("no")).stderr == "error: no\n"
    assert fails_with(UsageError("no")).exit_code == 2
    assert fails_with(DataError("no")).exit_code == 1
    assert fails_with(click.exceptions.Exit(5)).exit_code == 5
    assert fails_with(KeyboardInterrupt()).exit_code == 130


def test_a_number_of_thousands_of_digits_is_not_said_whole():
    done = CliRunner().invoke(make(), ["command", "-n", "9" * 10_000])
    assert done.exit_code == 2 and "..." in done.stderr and len(done.stderr) < 500


def make():
    group = Group("t2ilab")
    group.command("command")(click.option("-n", type=int)(lambda n: click.echo("\udcff.png")))
    return group


def test_a_name_that_is_no_text_can_be_printed():
    assert CliRunner().invoke(make(), ["command"]).stdout == "\\udcff.png\n"


@pytest.mark.parametrize(("rank", "said"), [("0", True), ("", True), ("x", True), ("10", False)])
def test_an_error_is_said_once_on_each_machine(rank, said):
    assert bool(fails_with(UsageError("no"), LOCAL_RANK=rank).stderr) == said
