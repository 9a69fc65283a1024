"""Is a network as often right as it says it is? Reliability diagrams and the calibration error."""

from typing import NamedTuple

import numpy as np

from t2ilab.errors import UsageError


class Reliability(NamedTuple):
    """What stands in a reliability diagram, bin by bin; and the error that sums it up.

    Attributes:
        confidence: mean confidence of the answers of each bin; NaN where there are none.
        right: the share of them that is right.
        count: how many they are.
        error: expected calibration error, the mean |right - confidence| over all answers.
    """

    confidence: np.ndarray
    right: np.ndarray
    count: np.ndarray
    error: float


def reliability(confidence: np.ndarray, right: np.ndarray, *, bins: int = 10) -> Reliability:
    """Answers sorted by their confidence into bins of equal width (Guo et al. 2017, eq. 5).

    Args:
        confidence: [n], in [0, 1].
        right: [n], bool: whether the answer was right.
        bins: of equal width from 0 to 1.

    Raises:
        UsageError: no answers, not as many of the one as of the other, or a confidence out of
            [0, 1].
    """
    confidence, right = np.asarray(confidence, float), np.asarray(right, bool)
    if confidence.shape != right.shape or not confidence.size:
        raise UsageError(f"{confidence.size} confidences for {right.size} answers: give one each.")
    if not ((0 <= confidence) & (confidence <= 1)).all():
        raise UsageError("a confidence is a probability: give numbers from 0 to 1.")
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean, share = (np.bincount(place, v, bins) / count for v in (confidence, right))
    error = np.nansum(np.abs(share - mean) * count) / count.sum()
    return Reliability(mean, share, count, float(error))
