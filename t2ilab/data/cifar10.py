"""CIFAR-10 (Krizhevsky 2009): 60,000 photographs of 32 x 32 pixels, ten classes, in three layouts.

- "python": pickles, each a dict with `data`, uint8 [n, 3072], and `labels`, n numbers;
- "binary": records of 3,073 bytes, a label and 3,072 pixels;
- "folders": a folder of JPEG or PNG files a class. JPEG loses a little: FIDs differ.

In the first two a row of pixels holds three planes, the red one first, each 32 x 32. The pickles
were written by Python 2; `pickled` builds nothing but what they hold.
"""

import os
from itertools import zip_longest
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image

from t2ilab.data import pickled, pictures
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.sources import AGAIN, Source, first
from t2ilab.errors import DataError, UsageError, choose

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
SIDE = 32
PIXELS = 3 * SIDE * SIDE
BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}
SPLITS = tuple(BATCHES)
MOST = 10_000  # pictures in a file
LARGEST = 2 * MOST * (PIXELS + 1)  # bytes of one; a pickle holds the names of the files as well
SUFFIXES = (".png", ".jpg", ".jpeg")
PACKED = ("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz")

SOURCE = Source(
    title="CIFAR-10",
    licence="None is stated. Cite Krizhevsky 2009, Learning multiple layers of features.",
    get=f"Get {PACKED[0]} or {PACKED[1]} from www.cs.toronto.edu/~kriz/cifar.html, and unpack it "
    "there (tar xzf).",
    layout="""\
  cifar-10-batches-py/data_batch_1 to data_batch_5, test_batch
or
  cifar-10-batches-bin/data_batch_1.bin to data_batch_5.bin, test_batch.bin
or
  train/airplane/*.png, train/automobile/*.png, ..., test/airplane/*.png, ... (or .jpg)
(the root may also be cifar-10-batches-py or cifar-10-batches-bin itself)""",
)


def load(
    root: str | Path | None, split: str = "train", size: int = SIDE, *, n: int | None = None
) -> CaptionedImages:
    """Photographs, and what is to be seen on each; the layout is found by looking.

    Args:
        root: the folder that holds one of the layouts.
        split: "train" (50,000) or "test" (10,000).
        size: side in pixels, 8 to 64; other than 32 they are resized (bicubic).
        n: only the first n; of folders the first of each class come first, then the second.

    Raises:
        UsageError: an unknown split, or such a size or n.
        DataError: a file is missing or damaged, or is no file of CIFAR-10.
    """
    choose("split", split, SPLITS)
    if not isinstance(size, int | np.integer) or not 8 <= size <= 64:
        raise UsageError(f"size {size!r}: CIFAR-10 has {SIDE} pixels a side; ask for 8 to 64.")
    first(n, [])  # refuses n below 1
    layout, folder = _layout(SOURCE.root(root))
    if layout == "folders":
        images, labels = _from_folders(folder / split, size, n)
    else:
        images, labels = _from_batches(layout, folder, split, n)
        images = _resized(images, size)
    captions = [[f"a picture of {_article(CLASSES[label])}"] for label in labels]
    return CaptionedImages(
        f"cifar10/{split}/{size}", images, captions, labels, list(CLASSES), {"class": labels}
    )


def planes(rows: UInt8[np.ndarray, "n 3072"]) -> UInt8[np.ndarray, "n 32 32 3"]:
    """Rows of three planes as pictures, the colours last."""
    return np.ascontiguousarray(rows.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


def _layout(root: Path) -> tuple[str, Path]:
    """Which of the three lies here, and in which folder."""
    for layout, name, ending in (
        ("python", "cifar-10-batches-py", ""),
        ("binary", "cifar-10-batches-bin", ".bin"),
    ):
        here = {f"{batch}{ending}" for batches in BATCHES.values() for batch in batches}
        if os.path.isdir(root / name):
            return layout, root / name
        if any(os.path.exists(root / file) for file in here):
            return layout, root
    if any(os.path.isdir(root / split) for split in SPLITS):
        return "folders", root
    packed = next((name for name in PACKED if os.path.exists(root / name)), None)
    where = root / "cifar-10-batches-py"
    raise SOURCE.missing(where, f"{packed} is there: unpack it" if packed else "")


def _from_batches(layout: str, folder: Path, split: str, n: int | None):
    """Pictures and labels of the files of a split, no more files than n pictures need."""
    read, ending = (_pickle, "") if layout == "python" else (_binary, ".bin")
    paths = [folder / f"{batch}{ending}" for batch in BATCHES[split]]
    for path in paths:
        if not os.path.exists(path):
            raise SOURCE.missing(path)
    parts, count = [], 0
    for path in paths:
        if n is not None and count >= n:
            break
        pixels, labels = read(path, SOURCE.contents(path, LARGEST))
        if not ((labels >= 0) & (labels < len(CLASSES))).all():
            i = int(((labels < 0) | (labels >= len(CLASSES))).argmax())
            raise DataError(f"{path}: label {i} is {labels[i]}; expected 0 to 9. {AGAIN}")
        parts.append((pixels, labels))
        count += len(labels)
    pixels, labels = (np.concatenate(part)[:n] for part in zip(*parts, strict=True))
    return planes(pixels), labels


def _resized(images: UInt8[np.ndarray, "n 32 32 3"], size: int) -> np.ndarray:
    if size == SIDE:
        return images
    bicubic = Image.Resampling.BICUBIC
    return np.stack([Image.fromarray(one).resize((size, size), bicubic) for one in images])


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


# The binary layout


def _binary(path: Path, data: bytes) -> tuple[np.ndarray, Int64[np.ndarray, " n"]]:
    record = 1 + PIXELS
    if not data or len(data) % record or len(data) > MOST * record:
        other = len(data) and not len(data) % (record + 1)
        raise DataError(
            f"{path}: the file has {len(data):,} bytes; expected records of {record:,} bytes, a "
            f"label and {PIXELS:,} pixels, 1 to {MOST:,} of them. "
            + ("Two labels a record are CIFAR-100's. " if other else "Is it cut short? ")
            + AGAIN
        )
    rows = np.frombuffer(data, np.uint8).reshape(-1, record)
    return rows[:, 1:], rows[:, 0].astype(np.int64)


# The python layout


def _pickle(path: Path, data: bytes) -> tuple[np.ndarray, Int64[np.ndarray, " n"]]:
    try:
        held = pickled.read(data)
    except ValueError as error:
        raise DataError(
            f"{path}: {error}. Expected a batch of CIFAR-10 for Python. {AGAIN}"
        ) from error
    names = sorted(key.decode("latin-1") for key in held if isinstance(key, bytes))
    if not {"data", "labels"} <= set(names):
        raise DataError(
            f"{path}: it holds {', '.join(names)[:200] or 'nothing'}; expected data and labels. "
            + ("This is CIFAR-100. " if "fine_labels" in names else "")
            + AGAIN
        )
    labels = held[b"labels"]
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError(f"{path}: labels is no list of whole numbers. {AGAIN}")
    try:
        pixels = pickled.rows(held[b"data"], PIXELS)
    except ValueError as error:
        raise DataError(f"{path}: data is {error}. {AGAIN}") from error
    if not 0 < len(pixels) <= MOST or len(pixels) != len(labels):
        raise DataError(
            f"{path}: data has {len(pixels):,} rows, and there are {len(labels):,} labels; "
            f"expected as many of both, 1 to {MOST:,}. {AGAIN}"
        )
    return pixels, np.array(labels, np.int64)


# The layout of folders


def _from_folders(folder: Path, size: int, n: int | None):
    if not os.path.isdir(folder):
        raise SOURCE.missing(folder)
    try:
        there = {one.name for one in folder.iterdir() if one.is_dir() and one.name[0] != "."}
        if strange := sorted(there - set(CLASSES)):
            raise DataError(
                f"{folder / strange[0]}: there is no such class in CIFAR-10; expected folders "
                f"named {', '.join(CLASSES)}. For other pictures take --data folder."
            )
        files = [_files(folder / name) for name in CLASSES]
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}.") from error
    in_turn = [
        (path, label)
        for row in zip_longest(*files)
        for label, path in enumerate(row)
        if path is not None
    ][:n]
    paths = [path for path, _ in in_turn]
    found = pictures.read_many(paths, size, label=f"CIFAR-10, {folder.name}")
    return found.images, np.array([label for _, label in in_turn], np.int64)


def _files(folder: Path) -> list[Path]:
    """The pictures of a class, by name."""
    if not os.path.isdir(folder):
        raise SOURCE.missing(folder, "the pictures of a class")
    files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    files = sorted(path for path in files if not path.name.startswith("."))
    if not files:
        raise SOURCE.missing(folder / "*.png", "nor is there a .jpg or .jpeg")
    return files
