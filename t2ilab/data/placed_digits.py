"""Digits on a canvas with sentences that say where: the first toy of Mansimov et al. 2016.

One digit in a corner ("the digit three is at the top left of the image"), or two, side by side or
one above the other ("the digit three is on the left of the digit eight"): eight templates, as in
the paper, which has MNIST on 60 x 60 pixels; here scikit-learn's digits. In each of the twelve
slots of the templates one digit is kept out of training; which ones, `SEED` says, so that they are
always the same. The authors draw them anew in every run and ban them from the test as well, so that
nobody can measure what their network does with them.
"""

import numpy as np

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.digits import LARGEST, SPLITS, WORDS, load_digits
from t2ilab.errors import UsageError, choose

SEED = 2016
PICTURES = {"train": 10_000, "test": 2_000}
CORNERS = ("top left", "top right", "bottom left", "bottom right")
PAIRS = ("on the left of", "on the right of", "at the top of", "at the bottom of")
KINDS = (*CORNERS, *PAIRS)
SLOTS = tuple((kind, k) for kind in KINDS for k in range(1 + (kind in PAIRS)))


def banned() -> dict[tuple[str, int], int]:
    """(template, which of its digits) -> the digit that training never shows there."""
    drawn = np.random.default_rng(SEED).integers(10, size=len(SLOTS))
    return dict(zip(SLOTS, drawn.tolist(), strict=True))


def sentence(kind: str, digits: tuple[int, ...]) -> str:
    """What is said of a picture: "the digit three is at the top left of the image"."""
    first = f"the digit {WORDS[digits[0]]} is"
    if kind in CORNERS:
        return f"{first} at the {kind} of the image"
    return f"{first} {kind} the digit {WORDS[digits[1]]}"


def corners_of(kind: str, size: int) -> list[tuple[int, int]]:
    """x and y of the upper left pixel of each digit's place; a place is half the canvas a side."""
    half, middle = size // 2, size // 4
    if kind in CORNERS:
        return [(half * ("right" in kind), half * ("bottom" in kind))]
    if kind in PAIRS[:2]:
        both = [(0, middle), (half, middle)]
    else:
        both = [(middle, 0), (middle, half)]
    return both if kind in (PAIRS[0], PAIRS[2]) else both[::-1]


def load(split: str = "train", size: int = 32, n: int | None = None) -> CaptionedImages:
    """Digits of one split of scikit-learn's on black, each with its sentence.

    Half of the test split has a digit, or two, where training never had it. `attributes`: "kind",
    the number of the template; "first" and "second", the digits (-1: there is no second); "unseen",
    1 where a digit stands where training never had it. The class is template and digits.

    Args:
        split: "train" (10,000 pictures) or "test" (2,000).
        size: side of the canvas in pixels, even, 20 to 256.
        n: the first n.

    Raises:
        UsageError: an unknown split, or such a size or n.
    """
    choose("split", split, SPLITS)
    if not isinstance(size, int | np.integer) or size % 2 or not 20 <= size <= LARGEST:
        raise UsageError(
            f"size {size!r}: two digits need an even number of 20 to {LARGEST} pixels a side."
        )
    most = PICTURES[split]
    if n is not None and not 1 <= n <= most:
        raise UsageError(f"n = {n}: of {split} there are 1 to {most} pictures of placed digits.")
    side = size // 2
    of, rng = load_digits(split, side), np.random.default_rng((SEED, SPLITS.index(split)))
    by_digit = [np.flatnonzero(of.classes == digit) for digit in range(10)]
    out, n = banned(), n or most
    grey, rows = np.zeros((n, size, size), np.uint8), []
    for i in range(n):
        kind, digits, unseen = _facts(rng, out, half=split == "test")
        for digit, (x, y) in zip(digits, corners_of(kind, size), strict=True):
            one = by_digit[digit][int(rng.integers(len(by_digit[digit])))]
            grey[i, y : y + side, x : x + side] = of.images[one, ..., 0]
        rows.append((kind, digits, unseen))
    return _captioned(f"placed_digits/{split}/{size}", grey, rows)


def _facts(rng: np.random.Generator, out: dict, half: bool) -> tuple[str, tuple[int, ...], bool]:
    """A template and its digits; with `half`, in half of the cases one that training never has."""
    wanted = half and bool(rng.random() < 0.5)
    while True:
        kind = KINDS[int(rng.integers(len(KINDS)))]
        digits = tuple(int(d) for d in rng.integers(10, size=1 + (kind in PAIRS)))
        unseen = any(out[kind, k] == digit for k, digit in enumerate(digits))
        if unseen == wanted:
            return kind, digits, unseen


def _captioned(name: str, grey: np.ndarray, rows: list) -> CaptionedImages:
    first = np.array([digits[0] for _, digits, _ in rows])
    second = np.array([(*digits, -1)[1] for _, digits, _ in rows])
    kind = np.array([KINDS.index(one) for one, _, _ in rows])
    names = [f"{k} {a}" for k in CORNERS for a in range(10)]
    names += [f"{a} {k} {b}" for k in PAIRS for a in range(10) for b in range(10)]
    alone = kind < len(CORNERS)
    pair = 10 * len(CORNERS) + 100 * (kind - len(CORNERS)) + 10 * first + second
    return CaptionedImages(
        name,
        np.repeat(grey[..., None], 3, axis=-1),
        [[sentence(one, digits)] for one, digits, _ in rows],
        np.where(alone, 10 * kind + first, pair),
        names,
        {"kind": kind, "first": first, "second": second,
         "unseen": np.array([unseen for *_, unseen in rows]).astype(np.int64)},
    )  # fmt: skip
