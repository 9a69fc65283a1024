"""Handwritten digits: those that scikit-learn brings, and MNIST, as captioned pictures.

scikit-learn installs 1,797 digits of 8 x 8 pixels (Alpaydin and Kaynak 1998), so they are on every
machine that runs the course. MNIST (LeCun et al. 1998) has 70,000 of 28 x 28 and is fetched by
torchvision where there is a network; 200 of its test digits ship as one picture
(`data/digits/mnist.png`). Grey: the three channels of a picture are equal.
"""

import gzip
import math
import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.sources import AGAIN, Source
from t2ilab.errors import DataError, UsageError, choose
from t2ilab.paths import DATA, user_path

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
STEMS = {"train": "train", "test": "t10k"}  # how MNIST's files begin
SPLITS = tuple(STEMS)
TEST = 297  # scikit-learn's digits have no split: the last ones, by other writers, are the test
SIDE = 16  # pixels of one of two digits
LARGEST = 256  # pixels a side: eight enlarged to more show nothing new, and fill the memory
SHEET = DATA / "digits" / "mnist.png"
MOST = 70_000  # pictures of MNIST in one file; the larger has 60,000
FOLDERS = ("MNIST/raw", "raw", "")
NAMES = ("{}-images-idx3-ubyte", "{}-labels-idx1-ubyte")

MNIST = Source(
    title="MNIST",
    licence="CC BY-SA 3.0. Cite LeCun et al. 1998.",
    get="Get the four files with download=True where there is a network, or from a mirror of "
    "yann.lecun.com/exdb/mnist.",
    layout="""\
  MNIST/raw/train-images-idx3-ubyte, train-labels-idx1-ubyte
  MNIST/raw/t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte
(or in the root folder itself; each may end in .gz)""",
)


def load_digits(split: str = "train", size: int = 16) -> CaptionedImages:
    """scikit-learn's digits, enlarged from 8 x 8 (bicubic): 1,500 for training, 297 for the test.

    Args:
        split: "train" or "test".
        size: side in pixels, 8 to 256.

    Raises:
        UsageError: an unknown split, or such a size.
    """
    from sklearn.datasets import load_digits as from_sklearn

    choose("split", split, SPLITS)
    if not isinstance(size, int | np.integer) or not 8 <= size <= LARGEST:
        raise UsageError(
            f"size {size!r}: the digits have 8 pixels a side; ask for 8 or more, at most {LARGEST}."
        )
    found = from_sklearn()
    part = slice(None, -TEST) if split == "train" else slice(-TEST, None)
    grey = (found.images[part] * (255 / 16)).round().astype(np.uint8)
    images = [Image.fromarray(one).resize((size, size), Image.Resampling.BICUBIC) for one in grey]
    return _captioned(f"digits/{split}/{size}", np.stack(images), found.target[part])


def load_two_digits(split: str = "train", size: int = 40, n: int | None = None) -> CaptionedImages:
    """Two of scikit-learn's digits, 16 pixels a side, anywhere on a canvas, never on each other.

    The stand-in of Gregor et al. 2015's two digits of MNIST. Its class is the two digits from left
    to right, such as "3 7"; `attributes` say which they are and where: "left", "right", and the
    corners "left_x", "left_y", "right_x" and "right_y" in pixels.

    Args:
        split: "train" (6,000 pictures) or "test" (1,000), made of digits of that split.
        size: side of the canvas in pixels, 36 to 256.
        n: the first n.

    Raises:
        UsageError: an unknown split, or such a size or n.
    """
    if not isinstance(size, int | np.integer) or not 2 * SIDE + 4 <= size <= LARGEST:
        raise UsageError(f"size {size!r}: two digits need {2 * SIDE + 4} to {LARGEST} pixels.")
    of = load_digits(split, SIDE)
    most = {"train": 6000, "test": 1000}[split]
    if n is not None and not 1 <= n <= most:
        raise UsageError(f"n = {n}: of {split} there are 1 to {most} pictures of two digits.")
    rng = np.random.default_rng((len(of), size))
    which = rng.integers(len(of), size=(most, 2))
    corners = rng.integers(size - SIDE + 1, size=(most, 2, 2))  # x and y of both
    while (on := (np.abs(corners[:, 0] - corners[:, 1]) < SIDE).all(1)).any():
        corners[on] = rng.integers(size - SIDE + 1, size=(on.sum(), 2, 2))
    order = corners[:, :, 0].argsort(1)
    which = np.take_along_axis(which, order, 1)
    corners = np.take_along_axis(corners, order[..., None], 1)
    grey = np.zeros((most, size, size), np.uint8)
    for i in range(most):
        for one, (x, y) in zip(which[i], corners[i], strict=True):
            grey[i, y : y + SIDE, x : x + SIDE] = of.images[one, ..., 0]
    left, right = of.classes[which].T
    names = [f"{a} {b}" for a in range(10) for b in range(10)]
    places = {f"{side}_{axis}": corners[:, k, j] for k, side in enumerate(("left", "right"))
              for j, axis in enumerate("xy")}  # fmt: skip
    return CaptionedImages(
        f"two_digits/{split}/{size}",
        np.repeat(grey[..., None], 3, axis=-1),
        [[f"a {a} and a {b}"] for a, b in zip(left, right, strict=True)],
        10 * left + right,
        names,
        {"left": left, "right": right, **places},
    ).subset(slice(n))


def load_mnist_sheet() -> CaptionedImages:
    """200 digits of MNIST's test set that ship: the first 20 of each class, 0 to 9, 28 x 28 pixels.

    Raises:
        DataError: the sheet is damaged or gone.
    """
    try:
        with Image.open(SHEET) as sheet:
            grey = np.asarray(sheet)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{SHEET}: cannot be read ({error}). Get the course again.") from error
    if grey.shape != (280, 560):
        raise DataError(
            f"{SHEET}: a picture of shape {grey.shape}; expected 280 x 560 grey pixels. "
            "Get the course again."
        )
    digits = grey.reshape(10, 28, 20, 28).swapaxes(1, 2).reshape(200, 28, 28)
    return _captioned("mnist/sheet/28", digits, np.repeat(np.arange(10), 20))


def load_mnist(
    root: str | Path, split: str = "train", *, border: int = 2, download: bool = False
) -> CaptionedImages:
    """MNIST: the 28 x 28 pixels of the files, with a black border of 2 that makes them 32 x 32.

    Args:
        root: the folder of the files, or the one that holds `MNIST/raw/`, as torchvision lays it
            out; as they are or as .gz.
        split: "train" (60,000) or "test" (10,000).
        border: black pixels on each side; 0 for the 28 x 28 alone.
        download: whether torchvision may fetch files that are not there.

    Raises:
        UsageError: an unknown split.
        DataError: the files are not there, are damaged, or cannot be fetched.
    """
    stem = STEMS[choose("split", split, SPLITS)]
    root = user_path(root, "root")
    if download and _find(root, stem) is None:
        _fetch(root)
    files = _find(MNIST.root(root), stem)
    if files is None:
        raise MNIST.missing(root / FOLDERS[0] / NAMES[0].format(stem), "or its labels beside it")
    pictures, labels = files
    grey, numbers = _idx(pictures, (28, 28)), _idx(labels, ())
    if len(grey) != len(numbers):
        raise DataError(
            f"{pictures} has {len(grey):,} pictures, but {labels} has {len(numbers):,} labels: "
            "these are files of two data sets, or one is cut short. Get both again."
        )
    if numbers.max() > 9:
        i = int((numbers > 9).argmax())
        raise DataError(f"{labels}: label {i} is {numbers[i]}; expected a digit, 0 to 9. {AGAIN}")
    around = (border, border)
    return _captioned(
        f"mnist/{split}/{28 + 2 * border}", np.pad(grey, ((0, 0), around, around)), numbers
    )


def _find(root: Path, stem: str) -> list[Path] | None:
    """Pictures and labels of a split, in one folder: each file itself before the packed one."""
    for folder in FOLDERS:
        names = [root / folder / name.format(stem) for name in NAMES]
        ways = [[path, path.with_name(f"{path.name}.gz")] for path in names]
        found = [next(filter(os.path.exists, way), None) for way in ways]
        if None not in found:
            return found
    return None


def _fetch(root: Path) -> None:
    from torchvision.datasets import MNIST as Fetched

    try:
        Fetched(str(root), download=True)
    except Exception as error:  # no network, a proxy, a full disk, a file that came damaged
        raise DataError(
            f"MNIST could not be fetched ({error or type(error).__name__}). {MNIST.help()}"
        ) from error


def _idx(path: Path, sides: tuple[int, ...]) -> np.ndarray:
    """The bytes [n, *sides] of an IDX file (yann.lecun.com/exdb/mnist), packed by gzip or not.

    Big-endian: a magic number (8 for bytes, and the number of dimensions), the sizes, the values.
    """
    each, head = math.prod(sides), 8 + 4 * len(sides)
    data = _unpacked(path, head + MOST * each)
    if len(data) < head:
        raise DataError(f"{path}: the file is cut short: {len(data)} bytes. {AGAIN}")
    magic, n, *found = struct.unpack(f">{2 + len(sides)}I", data[:head])
    if magic != 0x801 + len(sides) or tuple(found) != sides:
        raise DataError(
            f"{path}: the header says magic number {magic} and sizes {[n, *found]}; expected "
            f"{0x801 + len(sides)} and {['n', *sides]}. This is another file, or it is damaged. "
            f"{AGAIN}"
        )
    if not 0 < n <= MOST or len(data) != head + n * each:
        raise DataError(
            f"{path}: the header says {n:,} items of {each} bytes, but {len(data) - head:,} bytes "
            f"follow; expected 1 to {MOST:,} items, and all their bytes. {AGAIN}"
        )
    return np.frombuffer(data, np.uint8, offset=head).reshape(n, *sides)


def _unpacked(path: Path, most: int) -> bytes:
    """What a file holds, and what is packed in it: not more than `most` bytes and one."""
    data = MNIST.contents(path, most)
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.GzipFile(fileobj=BytesIO(data)).read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: the packed file is damaged ({error}). {AGAIN}") from error


def _captioned(name: str, grey: np.ndarray, labels: np.ndarray) -> CaptionedImages:
    images = np.repeat(grey[..., None], 3, axis=-1)
    captions = [[f"a handwritten {WORDS[label]}", f"the digit {WORDS[label]}"] for label in labels]
    labels = labels.astype(np.int64)
    return CaptionedImages(name, images, captions, labels, list(WORDS), {"digit": labels})
