"""Caption consistency and diversity, by hand on pictures that were read beforehand."""

import math

import numpy as np
import pytest
import torch

from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import UsageError
from t2ilab.metrics.consistency import caption_consistency, diversity, entropy, joint

LN2 = math.log(2)


class Read:
    """In place of a reader: each picture says in its first pixel what is read from it."""

    def read(self, images):
        return {
            "wing": images[:, 0, 0, 0].long(),
            "beak": images[:, 1, 0, 0].long(),
            "side": images[:, 2, 0, 0].long(),
        }


def pictures(*read):
    """Pictures of which (wing, beak, side) are read."""
    return torch.tensor(read, dtype=torch.float)[:, :, None, None]


def data_of(*facts, stated=None):
    n, facts = len(facts), np.array(facts)
    values = dict(zip(("wing", "beak", "side"), facts.T, strict=True))
    return CaptionedImages(
        "d",
        np.zeros((n, 1, 1, 3), np.uint8),
        [["a", "b"]] * n,
        np.zeros(n, int),
        ["c"],
        values,
        stated,
    )


FACTS = [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 1)]
STATED = np.array([[[1, 1], [1, 0]], [[1, 1], [0, 1]], [[1, 1], [1, 0]], [[1, 1], [0, 0]]], bool)


def test_shares_read_right_by_hand():
    read = pictures((0, 0, 1), (1, 1, 1), (5, 1, 1), (3, 1, 1))  # a beak and a wing are wrong
    found = caption_consistency(Read(), read, data_of(*FACTS, stated=STATED), ("wing", "beak"))
    assert found == {"wing": 0.75, "beak": 0.75, "all": 0.5}


def test_what_a_caption_leaves_open_counts_as_obeyed():
    read = pictures((9, 1, 0), (9, 1, 0), (2, 9, 0), (9, 9, 0))
    found = caption_consistency(
        Read(), read, data_of(*FACTS, stated=STATED), ("wing", "beak"), level=1
    )
    # Stated: a wing (read wrong), a beak (wrong), a wing (right), nothing.
    assert found == {"wing": 0.75, "beak": 0.75, "all": 0.5}


def test_fewer_pictures_than_captions_are_compared_with_the_first():
    read = pictures((0, 0, 0), (1, 0, 1))
    assert caption_consistency(Read(), read, data_of(*FACTS), ("wing",)) == {"wing": 1, "all": 1}


@pytest.mark.parametrize("count", [0, 5])
def test_numbers_of_pictures_that_cannot_be_compared(count):
    with pytest.raises(UsageError, match=f"{count} pictures: expected 1 to 4"):
        caption_consistency(Read(), torch.zeros(count, 3, 1, 1), data_of(*FACTS), ("wing",))


def test_an_unknown_attribute_gets_the_list():
    with pytest.raises(UsageError, match="unknown attribute 'wings': did you mean 'wing'"):
        caption_consistency(Read(), pictures(FACTS[0]), data_of(*FACTS), ("wings",))


def test_style_is_never_stated_and_so_counts_as_obeyed_at_a_level():
    data = data_of(*FACTS, stated=STATED)  # of wing and beak
    wrong = pictures((0, 0, 1), (1, 0, 0), (2, 1, 1), (3, 1, 0))
    assert caption_consistency(Read(), wrong, data, ("side",), level=0) == {"side": 1, "all": 1}
    assert caption_consistency(Read(), wrong, data, ("side",)) == {"side": 0, "all": 0}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_picture_that_is_not_finite_is_named(bad):
    images = pictures(*FACTS)
    images[2, 1] = bad
    with pytest.raises(UsageError, match="picture 2 has a value that is not finite"):
        caption_consistency(Read(), images, data_of(*FACTS), ("wing",))
    with pytest.raises(UsageError, match="picture 2 has a value that is not finite"):
        diversity(Read(), images[None], data_of(*FACTS), ("side",))


def test_what_cannot_be_counted_is_refused():
    read, data = pictures(*FACTS), data_of(*FACTS, stated=STATED)
    with pytest.raises(UsageError, match="no attribute.*wing, beak, side"):
        caption_consistency(Read(), read, data, ())
    for level in (-1, 2):
        with pytest.raises(UsageError, match=f"level {level}: d knows what 2 levels state"):
            caption_consistency(Read(), read, data, ("wing",), level=level)
    with pytest.raises(UsageError, match="level 0: d knows what 0 levels state"):
        caption_consistency(Read(), read, data_of(*FACTS), ("wing",), level=0)
    with pytest.raises(UsageError, match="no pictures"):
        diversity(Read(), read[None, :0], data, ("side",))
    with pytest.raises(UsageError, match="of d are all alike in side"):
        diversity(Read(), read[None], data_of((0, 0, 1), (1, 0, 1)), ("side",))
    with pytest.raises(UsageError, match="unknown attribute 'tail'"):
        diversity(Read(), read[None], data, ("tail",))


@pytest.mark.parametrize(
    "labels, nats",
    [
        ([0] * 7, 0),
        ([0, 1], LN2),
        ([3, 1, 0, 2] * 5, 2 * LN2),
        ([0, 0, 0, 1], 0.75 * math.log(4 / 3) + 0.25 * math.log(4)),
    ],
)
def test_entropy_by_hand(labels, nats):
    assert entropy(np.array(labels)) == pytest.approx(nats)


def test_joint_labels_are_equal_where_all_are():
    values = {"a": np.array([0, 0, 1, 1, 0]), "b": np.array([0, 1, 0, 1, 0])}
    one = joint(values, ("a", "b"))
    assert one[0] == one[4] and len(set(one.tolist())) == 4


def test_diversity_by_hand():
    real = data_of(*FACTS)  # side: 0 and 1 alike: ln 2
    one_sided = pictures((0, 0, 1), (0, 0, 1), (0, 0, 1), (0, 0, 1))
    varied = pictures((0, 0, 1), (0, 0, 0), (0, 0, 1), (0, 0, 0))
    assert diversity(Read(), one_sided[None], real, ("side",)) == pytest.approx(0)
    assert diversity(Read(), varied[None], real, iter(["side"])) == pytest.approx(1)
    both = torch.stack([one_sided, varied])  # the mean over captions, not over all pictures
    assert diversity(Read(), both, real, ("side",)) == pytest.approx(0.5)


def test_diversity_takes_attributes_jointly():
    real = data_of((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1))  # beak and side: 2 ln 2
    tied = pictures((0, 0, 0), (0, 1, 1), (0, 0, 0), (0, 1, 1))  # each varies, but together
    assert diversity(Read(), tied[None], real, ("beak", "side")) == pytest.approx(0.5)


def test_a_picture_that_is_refused_obeys_nothing_and_adds_no_variety():
    read = pictures((-1, -1, -1), (1, 0, 1), (2, 1, 0), (-1, -1, -1))
    data = data_of(*FACTS, stated=STATED)
    assert caption_consistency(Read(), read, data, ("wing", "beak"))["all"] == 0.5
    assert caption_consistency(Read(), read, data, ("wing", "beak"), level=1)["all"] == 0.5
    some = pictures((0, 0, -1), (0, 0, 1), (0, 0, -1), (0, 0, 1))
    assert diversity(Read(), some[None], data, ("side",)) == pytest.approx(0)
    assert len(joint({"a": np.array([0, -1, 1])}, ["a"])) == 2


def test_what_an_aside_states_is_asked_for_and_what_none_states_is_not():
    stated = np.zeros((2, 1, 3), bool)
    stated[:, 0, 2] = True  # the side
    data = data_of((0, 0, 0), (1, 1, 1), stated=stated)
    read = pictures((9, 9, 0), (9, 9, 0))
    found = caption_consistency(Read(), read, data, ("wing", "side"), level=0)
    assert found == {"wing": 1.0, "side": 0.5, "all": 0.5}
