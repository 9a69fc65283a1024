"""Boxes that overlap a figure well get its captions; those that overlap none get none."""

import numpy as np
import pytest

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.grounded import GroundedPictures, cut
from t2ilab.data.paperworld import crowds
from t2ilab.errors import UsageError
from t2ilab.recipes.regions import regions


@pytest.fixture(scope="module")
def scene():
    """A picture, two boxes in it, and what is in them."""
    image = np.random.default_rng(0).integers(256, size=(40, 40, 3), dtype=np.uint8)
    boxes = np.array([[2.0, 2, 12, 22], [20, 10, 38, 34]])
    crowd = GroundedPictures("two", image[None], boxes, np.zeros(2, int), [])
    shown = np.stack([cut(image, box, 32) for box in boxes])
    said = [["a man"], ["a dog"]]
    return crowd, CaptionedImages(
        "two", shown, said, np.arange(2), ["man", "dog"], {"kind": np.array([0, 1])},
        np.ones((2, 1, 1), bool),
    )  # fmt: skip


def test_by_hand(scene):
    crowd, figures = scene
    well = [20, 10, 38, 31]  # 21 of 24 rows of the second box
    half = [20, 10, 38, 22]  # overlap of 1/2: neither
    nothing = [0, 30, 10, 40]
    found = regions(crowd, figures, [np.array([crowd.boxes[0], well, half, nothing], float)])
    assert found.figures.captions == [["a man"], ["a dog"], ["a dog"]]
    assert found.figures.attributes["kind"].tolist() == [0, 1, 1]
    assert found.figures.classes.tolist() == [0, 1, 1] and len(found.figures.stated) == 3
    image = crowd.images[0]
    assert np.array_equal(found.figures.images[:2], figures.images)
    assert np.array_equal(found.figures.images[2], cut(image, well, 32))
    assert np.array_equal(found.others, cut(image, nothing, 32)[None])


def test_of_crowds_there_are_both_and_what_does_not_go_together_is_refused(scene):
    crowd, figures = crowds.load("test", n=12), crowds.crops("test", 32, 12)
    found = regions(crowd, figures)
    assert len(figures) < len(found.figures) < 3 * len(figures)
    assert len(found.others) >= 12
    with pytest.raises(UsageError, match="2 boxes"):
        regions(scene[0], figures)
    with pytest.raises(UsageError, match="every proposal overlaps"):
        regions(*scene, [scene[0].boxes])
