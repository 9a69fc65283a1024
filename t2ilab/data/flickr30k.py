"""Flickr30k: 31,783 photographs of people and animals, five captions each.

Young, Lai, Hodosh and Hockenmaier, "From image descriptions to visual denotations", TACL 2, 2014.
The split is that of Flickr30k Entities (Plummer et al. 2017): 29,783 train, 1,000 val, 1,000 test.
Karpathy's, which many papers on retrieval use, is another. There are no classes, so each picture is
its own. Boxes and phrases are read by `flickr30k_entities`.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.sources import AGAIN, Report, Source, first, gather, plain_name, tidy
from t2ilab.errors import DataError, choose

SPLITS = ("train", "val", "test")
EACH = 5  # captions of a picture, numbered from 0
FOLDERS = (
    "flickr30k-images",
    "flickr30k_images/flickr30k_images",  # of Kaggle: the same name twice
    "flickr30k_images",
    "images",
)
PLACES = ("", "flickr30k_entities/", "annotations/", "flickr30k_entities/annotations/")
GET_PICTURES = (
    "Ask for the pictures with the form on the page of Flickr30k "
    "(hockenmaier.cs.illinois.edu/DenotationGraph), or get the data set "
    "'hsankesara/flickr-image-dataset' from Kaggle"
)
GET_LISTS = "the GitHub repository BryanPlummer/flickr30k_entities"

SOURCE = Source(
    title="Flickr30k",
    licence="for non-commercial research and education; the photographs belong to their authors on "
    "Flickr. Cite Young et al. 2014 and, for the split, Plummer et al. 2017.",
    get=f"{GET_PICTURES}; either has the captions, too. Get train.txt, val.txt and test.txt from "
    f"{GET_LISTS}. Put all in the root folder.",
    layout="""\
  flickr30k-images/1000092795.jpg ...   (or flickr30k_images/flickr30k_images/, or images/)
  results_20130124.token                (or results.csv, as Kaggle has it)
  train.txt, val.txt, test.txt          (or in flickr30k_entities/)""",
)
TOKEN = re.compile(r"([^\t#|]+?\.jpg)#([0-9]{1,3})(?:\t(.*))?")
# Of Kaggle: " | " between three columns. In one line of 158,915 the second bar was lost, of
# "2199200615.jpg| 4   A dog runs across the grass ."
ROW = re.compile(r"([^|]+?\.jpg)\s*\|\s*([0-9]{1,3})(?:\s*\|(.*)|\s{2,}(.*))?")
HEADER = re.compile(r"image_name\s*\|\s*comment_number\s*\|\s*comment")


def load(
    root: str | Path,
    split: str,
    size: int,
    *,
    n: int | None = None,
    crop: str = "centre",
    skip: bool = False,
    cache: bool = True,
    report: Report = print,
) -> CaptionedImages:
    """The pictures of a split that are on disk, in the order of the split's list.

    Args:
        root: the folder with the files of `SOURCE.layout`.
        split: "train", "val" or "test".
        size: side of the square pictures in pixels.
        n: only the first n of those on disk.
        crop, skip, cache: as in `pictures.read_many`.
        report: gets one line on how many pictures of the split were found; None drops it.

    Of the lists only the pictures on disk are used: a part of the data set will do.

    Raises:
        DataError: a list, the captions or all pictures are missing; a file is damaged: see
            `captions`.
        UsageError: there is no such split, size or crop.
    """
    choose("split", split, SPLITS)
    root = SOURCE.root(root)
    folder, said = SOURCE.find(root, *FOLDERS), captions(root, split)
    chosen = first(n, on_disk(SOURCE, f"flickr30k/{split}", folder, said, report))
    paths, texts = [folder / f"{i}.jpg" for i in chosen], [said[i] for i in chosen]
    return gather(
        f"flickr30k/{split}", paths, texts, size, crop=crop, skip=skip, cache=cache, report=report
    )


def captions(root: str | Path, split: str | None = None) -> dict[str, list[str]]:
    """Number of the picture, as a text -> its captions, whether it is on disk or not.

    Args:
        root: the folder with the text files of `SOURCE.layout`; no picture is needed.
        split: only the pictures of this split's list; None: all that the file names.

    The words stay as written; spaces around them and a final full stop go. A caption that stands in
    UNRELATED_CAPTIONS, where this file is there, is left out: it says nothing of its picture.

    Raises:
        DataError: a file is missing; a line is not written as the others; a picture has not the
            captions 0 to 4, each once; a list names a picture twice, or one without captions.
    """
    root = SOURCE.root(root)
    path = SOURCE.find(
        root,
        *("results_20130124.token", "flickr30k/results_20130124.token"),
        *("results.csv", "flickr30k_images/results.csv"),
    )
    said, left_out = _read(path), unrelated(SOURCE, root, needed=False)
    kept = {
        i: [text for k, text in enumerate(texts, 1) if (i, k) not in left_out]
        for i, texts in said.items()
    }
    return kept if split is None else {i: kept[i] for i in listed(SOURCE, root, split, kept)}


def on_disk(
    source: Source, name: str, folder: Path, numbers: Iterable[str], report: Report
) -> list[str]:
    """Those of the pictures that are in the folder; DataError where none is."""
    numbers = list(numbers)
    found = [i for i in numbers if (folder / f"{i}.jpg").is_file()]
    if not found:
        raise DataError(
            f"{source.title}: none of the {len(numbers):,} pictures of {name} is in "
            f"{folder}.\n{source.help()}"
        )
    if report is not None:
        report(f"{name}: {len(found):,} of the {len(numbers):,} pictures are in {folder}")
    return found


def listed(
    source: Source, root: Path, split: str, known: dict[str, list[str]] | None = None
) -> list[str]:
    """The numbers in a split's list, each once; `known`: each must be a key of it."""
    path = source.find(root, *(f"{place}{choose('split', split, SPLITS)}.txt" for place in PLACES))
    numbers: dict[str, int] = {}
    for k, text in source.filled(path):
        if not re.fullmatch(r"[0-9]{1,20}", text):
            raise DataError(
                f"{path}, line {k}: expected the number of a picture, such as 1000092795, got "
                f"{text[:80]!r}. {AGAIN}"
            )
        if text in numbers:
            raise DataError(
                f"{path}, line {k}: {text} stands there twice, first in line {numbers[text]}. "
                f"{AGAIN}"
            )
        if known is not None and text not in known:
            raise DataError(
                f"{path}, line {k}: there are no captions of picture {text}. Copy this file and "
                "that of the captions again from their sources."
            )
        numbers[text] = k
    return list(numbers)


def unrelated(source: Source, root: Path, *, needed: bool) -> set[tuple[str, int]]:
    """(picture, which of its captions, from 1) of those that say nothing of their picture.

    Raises:
        DataError: the file is damaged; or it is missing, where it is `needed`.
    """
    names = [f"{place}UNRELATED_CAPTIONS" for place in PLACES]
    if not needed and not any((root / name).exists() for name in names):
        return set()
    path, found = source.find(root, *names), set()
    for k, line in source.filled(path):
        match = re.fullmatch(rf"([0-9]{{1,20}})\s+([1-{EACH}])", line)
        if match is None and not line.startswith("#"):  # the first line says the format
            raise DataError(
                f"{path}, line {k}: expected '<picture> <caption, from 1 to {EACH}>', got "
                f"{line[:80]!r}. {AGAIN}"
            )
        found |= {(match[1], int(match[2]))} if match else set()
    return found


def _read(path: Path) -> dict[str, list[str]]:
    """Picture -> its captions in the order of their numbers, from either kind of file."""
    numbered: dict[str, dict[int, str]] = {}
    comma = path.suffix == ".csv"
    for k, line in SOURCE.filled(path):
        if comma and k == 1 and HEADER.fullmatch(line):
            continue
        match = (ROW if comma else TOKEN).fullmatch(line)
        if match is None or not plain_name(match[1]):
            wanted = "<picture>.jpg| <number>| <caption>" if comma else (
                "<picture>.jpg#<number><tab><caption>"
            )  # fmt: skip
            raise DataError(f"{path}, line {k}: expected '{wanted}', got {line[:80]!r}. {AGAIN}")
        name, number = match[1].removesuffix(".jpg"), int(match[2])
        text = tidy("".join(part or "" for part in match.groups()[2:]))
        if not text or number in numbered.setdefault(name, {}):
            wrong = "stands there twice" if text else "is empty"
            raise DataError(f"{path}, line {k}: caption {number} of {match[1]} {wrong}. {AGAIN}")
        numbered[name][number] = text
    for name, texts in numbered.items():
        if sorted(texts) != list(range(EACH)):
            held = ", ".join(map(str, sorted(texts)))
            raise DataError(
                f"{path}: {name}.jpg has the captions {held}; expected {EACH}, numbered from 0 to "
                f"{EACH - 1}. {AGAIN}"
            )
    return {name: [texts[i] for i in range(EACH)] for name, texts in numbered.items()}
