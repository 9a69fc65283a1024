"""Errors for the user: what they are, and how a wrong name is answered."""

import re

import click
import pytest
from click.testing import CliRunner

from t2ilab import schemas
from t2ilab.commands.terminal import Group
from t2ilab.errors import CaptionError, DataError, TrainingError, UsageError, WeightsError, choose

WORLDS = ["birds", "flowers", "phrases", "scenes"]


def test_a_name_that_is_there_is_given_back():
    assert choose("world", "flowers", WORLDS) == "flowers"


@pytest.mark.parametrize(
    "name, nearest", [("bird", "birds"), ("FLOWERS", "flowers"), ("sceens", "scenes")]
)
def test_a_wrong_name_gets_the_nearest_one_and_the_list(name, nearest):
    with pytest.raises(UsageError) as error:
        choose("world", name, WORLDS)
    assert str(error.value) == (
        f"unknown world '{name}': did you mean '{nearest}'? "
        "Choose one of: birds, flowers, phrases, scenes."
    )


@pytest.mark.parametrize("name", ["xyzzy", "", None, 7])
def test_where_none_is_near_only_the_list_is_given(name):
    with pytest.raises(UsageError) as error:
        choose("world", name, WORLDS)
    assert str(error.value) == (
        f"unknown world '{name}': Choose one of: birds, flowers, phrases, scenes."
    )


def test_choices_may_come_from_a_dict_or_only_once():
    assert choose("world", "birds", dict.fromkeys(WORLDS)) == "birds"
    with pytest.raises(UsageError, match="Choose one of: birds, flowers, phrases, scenes"):
        choose("world", "x", iter(WORLDS))


OURS = (UsageError, CaptionError, DataError, WeightsError, TrainingError)


@pytest.mark.parametrize("kind", OURS)
def test_the_command_line_says_each_error_in_words_and_wrong_use_by_its_status(kind):
    @click.group(cls=Group)
    def program(): ...

    @program.command()
    def fail():
        raise kind("the file is short: fetch it again")

    done = CliRunner().invoke(program, ["fail"])
    assert (done.stdout, done.stderr) == ("", "error: the file is short: fetch it again\n")
    assert done.exit_code == (2 if kind in (UsageError, CaptionError) else 1)


def test_another_error_is_not_taken_for_one_of_ours():
    @click.group(cls=Group)
    def program(): ...

    @program.command()
    def fail():
        raise ValueError("a fault of ours")

    done = CliRunner().invoke(program, ["fail"])
    assert done.exit_code == 1 and "Traceback" not in done.stderr
    assert re.search("a fault of ours.*report it.*as fault [0-9a-f]{8}", done.stderr)


def test_wrong_use_is_caught_as_a_wrong_value_and_a_missing_file_is_not(tmp_path):
    with pytest.raises(ValueError, match="unknown world"):
        choose("world", "x", WORLDS)
    caught = "nothing"
    try:
        schemas.read(tmp_path / "no.json", dict)
    except ValueError:  # what a notebook would catch around a slider's value
        caught = "a wrong value"
    except DataError:
        caught = "missing data"
    assert caught == "missing data"
