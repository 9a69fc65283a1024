"""Errors for the user: what they are, and how a wrong name is answered."""

import pytest

from t2ilab.errors import (
    CaptionError,
    DataError,
    T2ILabError,
    TrainingError,
    UsageError,
    WeightsError,
    choose,
)

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


def test_every_error_is_one_of_ours():
    for error in (UsageError, CaptionError, DataError, WeightsError, TrainingError):
        assert issubclass(error, T2ILabError)


def test_wrong_use_is_a_wrong_value_and_a_failure_is_not():
    assert issubclass(CaptionError, UsageError) and issubclass(UsageError, ValueError)
    assert issubclass(WeightsError, DataError)
    for error in (DataError, TrainingError):
        assert not issubclass(error, (UsageError, ValueError))
