"""SVHN, house numbers from street views (Netzer et al. 2011): the cropped digits, 32 x 32 pixels.

Its MATLAB files hold X, uint8 [32, 32, 3, n], and y [n, 1], in which 10 stands for the digit 0.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.digits import WORDS
from t2ilab.data.matlab import matrix
from t2ilab.data.sources import AGAIN, Source
from t2ilab.errors import DataError, UsageError, choose

SIDE = 32
SPLITS = ("train", "test", "extra")
MOST = 600_000  # pictures in a file; the largest, extra, has 531,131
LARGEST = MOST * SIDE * SIDE * 3  # bytes

SOURCE = Source(
    title="SVHN, format 2 (cropped digits)",
    licence="For non-commercial use. Cite Netzer et al. 2011.",
    get="Get train_32x32.mat and test_32x32.mat from ufldl.stanford.edu/housenumbers.",
    layout="  train_32x32.mat\n  test_32x32.mat",
)


def load(
    root: str | Path | None, split: str = "train", size: int = SIDE, *, n: int | None = None
) -> CaptionedImages:
    """Digits of house numbers; label 10 becomes the digit 0.

    Args:
        root: the folder of the .mat files.
        split: "train" (73,257), "test" (26,032) or "extra" (531,131).
        size: side in pixels, 8 to 64; other than 32 they are resized (bicubic).
        n: only the first n.

    Raises:
        UsageError: an unknown split, or such a size.
        DataError: the file is missing or damaged, or holds other matrices than SVHN's.
    """
    choose("split", split, SPLITS)
    if not isinstance(size, int | np.integer) or not 8 <= size <= 64:
        raise UsageError(f"size {size!r}: SVHN has {SIDE} pixels a side; ask for 8 to 64.")
    path = SOURCE.root(root) / f"{split}_32x32.mat"
    if not path.exists():
        raise SOURCE.missing(path)
    data = SOURCE.contents(path, LARGEST)
    try:
        pictures, labels = (matrix(data, name, largest=LARGEST) for name in ("X", "y"))
    except ValueError as error:
        raise DataError(f"{path}: {error}. {AGAIN}") from error
    if pictures.ndim != 4 or pictures.shape[:3] != (SIDE, SIDE, 3) or pictures.dtype != np.uint8:
        raise DataError(
            f"{path}: X is {pictures.dtype} {list(pictures.shape)}; expected uint8 "
            f"[32, 32, 3, n], the cropped digits (format 2). {AGAIN}"
        )
    count = pictures.shape[3]
    if not count or labels.size != count or not np.isin(labels, np.arange(1, 11)).all():
        span = f" from {labels.min()} to {labels.max()}" if labels.size else ""
        raise DataError(
            f"{path}: y has {labels.size} labels{span} for {count} pictures; expected one "
            f"each, from 1 to 10. {AGAIN}"
        )
    images = np.ascontiguousarray(pictures.transpose(3, 0, 1, 2)[:n])
    if size != SIDE:
        bicubic = Image.Resampling.BICUBIC
        images = np.stack([Image.fromarray(one).resize((size, size), bicubic) for one in images])
    digits = labels.ravel()[:n].astype(np.int64) % 10
    captions = [[f"a house number {WORDS[digit]}"] for digit in digits]
    return CaptionedImages(
        f"svhn/{split}/{size}", images, captions, digits, list(WORDS), {"digit": digits}
    )
