"""Handwritten digits: those that scikit-learn brings, and MNIST, as captioned pictures.

scikit-learn installs 1,797 digits of 8 x 8 pixels (Alpaydin and Kaynak 1998), so they are on every
machine that runs the course. MNIST (LeCun et al. 1998) has 70,000 of 28 x 28 and is fetched by
torchvision where there is a network. Grey: the three channels of a picture are equal.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import DataError, UsageError, choose

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPLITS = ("train", "test")
TEST = 297  # scikit-learn's digits have no split: the last ones, by other writers, are the test


def load_digits(split: str = "train", size: int = 16) -> CaptionedImages:
    """scikit-learn's digits, enlarged from 8 x 8 (bicubic): 1,500 for training, 297 for the test.

    Args:
        split: "train" or "test".
        size: side in pixels, at least 8.

    Raises:
        UsageError: an unknown split, or too small a size.
    """
    from sklearn.datasets import load_digits as from_sklearn

    choose("split", split, SPLITS)
    if size < 8:
        raise UsageError(f"size {size}: the digits have 8 pixels a side; ask for 8 or more.")
    found = from_sklearn()
    part = slice(None, -TEST) if split == "train" else slice(-TEST, None)
    grey = (found.images[part] * (255 / 16)).round().astype(np.uint8)
    images = [Image.fromarray(one).resize((size, size), Image.Resampling.BICUBIC) for one in grey]
    return _captioned(f"digits/{split}/{size}", np.stack(images), found.target[part])


def load_mnist(
    root: str | Path, split: str = "train", *, download: bool = False
) -> CaptionedImages:
    """MNIST in 32 x 32 pixels: the 28 x 28 of the files, with a black border of 2.

    Args:
        root: the folder that holds `MNIST/raw/`, as torchvision lays it out.
        split: "train" (60,000) or "test" (10,000).
        download: fetch what is missing.

    Raises:
        UsageError: an unknown split.
        DataError: the files are not there, or cannot be fetched.
    """
    from torchvision.datasets import MNIST

    choose("split", split, SPLITS)
    try:
        found = MNIST(str(Path(root).expanduser()), train=split == "train", download=download)
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"MNIST is not in {root}: expected MNIST/raw/train-images-idx3-ubyte and "
            "the three files beside it. Give another folder, or download=True where "
            f"there is a network. ({type(error).__name__})"
        ) from error
    grey = np.pad(found.data.numpy(), ((0, 0), (2, 2), (2, 2)))
    return _captioned(f"mnist/{split}/32", grey, found.targets.numpy())


def _captioned(name: str, grey: np.ndarray, labels: np.ndarray) -> CaptionedImages:
    images = np.repeat(grey[..., None], 3, axis=-1)
    captions = [[f"a handwritten {WORDS[label]}", f"the digit {WORDS[label]}"] for label in labels]
    labels = labels.astype(np.int64)
    return CaptionedImages(name, images, captions, labels, list(WORDS), {"digit": labels})
