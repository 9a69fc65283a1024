"""The time machine: which pictures are shown at which step, for one training and for several."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from t2ilab.errors import UsageError
from t2ilab.explore.timemachine import TimeMachine, Trainings, by_step


def frames(steps, shade=0):
    """Pictures [moments, 8, 4, 4, 3], all of one grey: the moment's number plus `shade`."""
    return by_step(
        steps, np.stack([np.full((8, 4, 4, 3), k + shade, np.uint8) for k in range(len(steps))])
    )


def middle_greys(picture, rows):
    """The grey in the middle of the first picture of each row."""
    array = np.asarray(picture)[..., 0]
    height = array.shape[0] // rows
    return [int(array[(k + 1) * height - 6, 3]) for k in range(rows)]


def test_one_training_shows_the_pictures_of_that_moment():
    kept = Trainings({"mine": frames([0, 10, 20], shade=40)}, scale=1)
    assert [int(np.asarray(kept.at(k))[0, 0, 0]) for k in (0, 1, 2)] == [40, 41, 42]
    assert len(kept) == 2 and kept.steps == [0, 10, 20]


def test_trainings_side_by_side_each_show_the_moment_nearest_to_the_firsts():
    both = {"a": frames([0, 100, 200], shade=40), "b": frames([0, 90, 250, 400], shade=80)}
    kept = Trainings(both, scale=2)
    assert middle_greys(kept.at(1), 2) == [41, 81]
    assert middle_greys(kept.at(2), 2) == [42, 82]


def test_the_slider_goes_over_the_moments_and_begins_at_the_last():
    machine = TimeMachine({"a": frames([0, 7, 30], shade=40), "b": frames([0, 7, 30], shade=80)})
    assert machine.state == {"moment": 2}
    labels = [label for label, _ in machine.controls["moment"].options]
    assert labels == ["step 0", "step 7", "step 30"]
    for moment in (1, 0, 2):
        machine.controls["moment"].value = moment
        shown = Image.open(BytesIO(machine.image.value))
        assert middle_greys(shown, 2) == [40 + moment, 80 + moment]
    assert machine.message.value == ""


def test_the_sheet_has_the_first_and_the_last_moment():
    machine = TimeMachine({"a": frames([0, 7, 30], shade=40)}, scale=8, columns=8)
    sheet = np.asarray(machine.sheet(2, columns=1))
    assert [int(sheet[8 + 16 + k * sheet.shape[0] // 2, 24, 0]) for k in (0, 1)] == [40, 42]


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: by_step([0, 1], np.zeros((3, 1, 4, 4, 3), np.uint8)), "2 steps .* 3 moments"),
        (lambda: by_step([], np.zeros((0, 1, 4, 4, 3), np.uint8)), "at least one"),
        (lambda: TimeMachine({}), "no frames"),
        (lambda: TimeMachine({"a": frames([0, 1])}, labels=["x"]), "1 labels for 2 moments"),
    ],
)
def test_what_does_not_fit_together_is_refused(make, words):
    with pytest.raises(UsageError, match=words):
        make()
