"""The time machine: which pictures are shown at which step, for one training and for several."""

import numpy as np
import pytest

from t2ilab.errors import UsageError
from t2ilab.explore.timemachine import TimeMachine, by_step, moment_renderer


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


def test_one_training_shows_the_moment_of_that_step():
    render = moment_renderer({"mine": frames([0, 10, 20], shade=40)}, scale=1)
    assert [int(np.asarray(render(step=s))[0, 0, 0]) for s in (0, 10, 20)] == [40, 41, 42]


def test_trainings_side_by_side_each_show_their_nearest_moment():
    both = {"a": frames([0, 100, 200], shade=40), "b": frames([0, 90, 250, 400], shade=80)}
    render = moment_renderer(both, scale=2)
    assert middle_greys(render(step=100), 2) == [41, 81]
    assert middle_greys(render(step=200), 2) == [42, 82]


def test_the_slider_goes_over_the_moments_and_begins_at_the_last():
    machine = TimeMachine({"a": frames([0, 7, 30]), "b": frames([0, 7, 30])})
    assert machine.state == {"step": 30}
    labels = [label for label, _ in machine.controls["step"].options]
    assert labels == ["step 0", "step 7", "step 30"]
    before = machine.image.value
    machine.controls["step"].value = 7
    assert machine.message.value == "" and machine.image.value != before
    assert machine.sheet(2).size[0] > machine.picture(step=0).size[0]


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
