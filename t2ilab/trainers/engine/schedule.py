"""Learning rates over the budget, as shares of the largest."""

import math


def one_cycle(progress: float) -> float:
    """Up in the first tenth, then down along a cosine; both ends near 0.

    Args:
        progress: share of the budget that is used, from 0.
    """
    if progress < 0.1:
        return 0.04 + 0.96 * progress / 0.1
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - 0.1) / 0.9)))


def linear_end(progress: float, part: float) -> float:
    """1, and over the last `part` of the budget (in [0, 1]; 0: never) down to 0 along a line."""
    return max(0.0, min(1.0, (1.0 - progress) / part)) if part else 1.0
