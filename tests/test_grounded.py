"""Pictures with boxes and phrases, and what is cut out of a picture."""

import numpy as np
import pytest

from t2ilab.data.grounded import GroundedPictures, Phrase, cut, cuts
from t2ilab.errors import UsageError

PICTURE = np.zeros((20, 30, 3), np.uint8)
PICTURE[5:15, 10:14] = 200  # 10 high, 4 wide
BOX = (10.0, 5.0, 14.0, 15.0)


def test_squash_shows_the_box_and_nothing_else():
    assert (cut(PICTURE, BOX, 16, shape="squash")[2:-2, 3:-3] > 180).all()
    assert (cut(PICTURE, (0, 0, 9, 20), 8, shape="squash") == 0).all()
    assert (cut(PICTURE, (-5, 5, 14, 15), 7, shape="squash")[:, 5:] > 150).all()  # clipped at 0


def test_square_keeps_proportions_about_the_middle():
    square = cut(PICTURE, BOX, 20, room=1.0)
    bright = (square > 100).all(-1)
    assert abs(bright.mean() - 0.4) < 0.05  # 4 of 10 columns
    assert abs(np.argwhere(bright).mean(0) - 9.5).max() < 0.6
    wide = (cut(PICTURE, BOX, 20, room=2.0) > 100).all(-1)
    assert abs(wide.mean() - 0.1) < 0.03


def test_beyond_the_edge_the_last_pixels_go_on():
    picture = np.full((10, 10, 3), 40, np.uint8)
    picture[:, 0] = 240
    left = cut(picture, (0, 0, 2, 10), 40, room=1.0)  # 4 pixels reach beyond the left edge
    assert (left[:, :18] > 200).all() and (left[:, 24:] < 80).all()


def test_many_boxes_of_one_picture():
    made = cuts(PICTURE, np.array([BOX, (0, 0, 5, 5)]), 8, shape="squash")
    assert made.shape == (2, 8, 8, 3) and made[0].mean() > 150 and (made[1] == 0).all()
    assert cuts(PICTURE, np.empty((0, 4)), 8).shape == (0, 8, 8, 3)


@pytest.mark.parametrize("box", [(30, 0, 40, 9), (5, 5, 5, 9), (-9, 0, 0, 9), (0, 0, 9, np.nan)])
def test_a_box_that_shows_nothing_is_refused(box):
    with pytest.raises(UsageError, match="shows nothing of a picture of 30 x 20"):
        cut(PICTURE, box, 8)
    with pytest.raises(UsageError, match="unknown shape 'oval'"):
        cut(PICTURE, BOX, 8, shape="oval")


def grounded(boxes=((0, 0, 5, 5), (1, 1, 9, 9), (2, 2, 4, 8)), owner=(0, 0, 1), phrases=()):
    return GroundedPictures(
        "some", [PICTURE] * 2, np.array(boxes, float), np.array(owner), list(phrases)
    )


def test_boxes_of_a_picture_and_phrases_of_a_kind():
    said = [
        Phrase(0, "two men", (0, 1), ("people",)),
        Phrase(1, "a dog", (2,), ("animals",)),
        Phrase(0, "a man", (1,), ("people", "other")),
    ]
    data = grounded(phrases=said)
    assert data.boxes_of(0).tolist() == [0, 1] and data.boxes_of(1).tolist() == [2]
    assert data.kinds == ("people", "animals", "other") and len(data) == 2
    one = data.only(lambda phrase: len(phrase.boxes) == 1)
    assert [phrase.text for phrase in one.phrases] == ["a dog", "a man"] and len(one.boxes) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (dict(owner=(0, 1)), "boxes .3, 4. of 2 owners"),
        (dict(boxes=((0, 0, 5, 5), (1, 1, 1, 9), (2, 2, 4, 8))), "box 1 .* has no inside"),
        (dict(phrases=[Phrase(0, "a man", (2,))]), r"'a man' is said of picture 0.*of \[1\]"),
        (dict(phrases=[Phrase(0, "a man", ())]), "'a man' is said of picture 0.*of none"),
    ],
)
def test_what_does_not_go_together_is_refused(given, said):
    with pytest.raises(UsageError, match=said):
        grounded(**given)
