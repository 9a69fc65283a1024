"""Reliability diagrams, by hand."""

import numpy as np
import pytest

from t2ilab.errors import UsageError
from t2ilab.metrics.calibration import reliability


def test_bins_by_hand():
    found = reliability(np.array([0.05, 0.9, 1.0, 0.92, 0.98]), np.array([0, 1, 1, 0, 1]), bins=2)
    assert found.count.tolist() == [1, 4]
    assert found.confidence == pytest.approx([0.05, 0.95])
    assert found.right == pytest.approx([0, 0.75])
    assert found.error == pytest.approx(0.2 * 0.05 + 0.8 * 0.20)


def test_an_empty_bin_has_no_mean_and_does_not_count():
    found = reliability(np.array([0.25]), np.array([True]), bins=4)
    assert np.isnan(found.right[0]) and found.right[1] == 1 and found.error == pytest.approx(0.75)


def test_one_who_says_what_is_so_has_no_error():
    rng = np.random.default_rng(0)
    p = rng.random(200_000)
    assert reliability(p, rng.random(len(p)) < p).error < 0.01


@pytest.mark.parametrize(
    "confidence, right, said",
    [
        ([], [], "0 confidences"),
        ([0.5], [1, 0], "1 confidences for 2"),
        ([1.2], [1], "from 0 to 1"),
    ],
)
def test_what_cannot_be_sorted_is_refused(confidence, right, said):
    with pytest.raises(UsageError, match=said):
        reliability(np.array(confidence), np.array(right))
