"""Are digits where the sentence says? The judge of pictures of `data.placed_digits`.

A place is read by its nearest neighbours among scikit-learn's training digits. The judge can say
no: what is farther from all of them than 99 in 100 real test digits are is no digit, and ink
outside the places that the sentence names refuses the picture.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Int, UInt8
from sklearn.neighbors import KNeighborsClassifier

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.digits import load_digits
from t2ilab.data.placed_digits import KINDS, corners_of
from t2ilab.errors import UsageError

NONE = -1  # what is read where no digit is
NEIGHBOURS = 3
INK = 0.06  # the mean brightness of the rest of the canvas that still counts as dark


@lru_cache
def judge(side: int) -> tuple[KNeighborsClassifier, float]:
    """The classifier of digits of this side, and how far from its examples a digit may be."""
    train, test = load_digits("train", side), load_digits("test", side)
    known = KNeighborsClassifier(NEIGHBOURS).fit(_rows(train.images[..., 0]), train.classes)
    distances = known.kneighbors(_rows(test.images[..., 0]), 1)[0][:, 0]
    return known, float(np.quantile(distances, 0.99))


def read_digits(places: UInt8[np.ndarray, "n side side"]) -> Int[np.ndarray, " n"]:
    """The digit in each place, -1 where there is none."""
    known, most = judge(places.shape[-1])
    rows = _rows(places)
    return np.where(known.kneighbors(rows, 1)[0][:, 0] <= most, known.predict(rows), NONE)


def placed_right(images: UInt8[np.ndarray, "n size size 3"], data: CaptionedImages) -> np.ndarray:
    """bool [n]: picture k shows the digits of caption k where it says, and nothing elsewhere.

    Raises:
        UsageError: another number of pictures than `data` has.
    """
    if len(images) != len(data):
        raise UsageError(f"{len(images)} pictures for the {len(data)} captions of {data.name}.")
    size = images.shape[1]
    side, grey = size // 2, images[..., 0]
    right, rest = np.ones(len(images), bool), grey.astype(float) / 255
    for i, kind in enumerate(data.attributes["kind"]):
        wanted = [data.attributes[name][i] for name in ("first", "second")]
        corners = corners_of(KINDS[kind], size)
        places = np.stack([grey[i, y : y + side, x : x + side] for x, y in corners])
        right[i] = (read_digits(places) == wanted[: len(corners)]).all()
        for x, y in corners:
            rest[i, y : y + side, x : x + side] = 0
    return right & (rest.mean((1, 2)) < INK)


def _rows(grey: UInt8[np.ndarray, "n side side"]) -> np.ndarray:
    return grey.reshape(len(grey), -1).astype(np.float32) / 255
