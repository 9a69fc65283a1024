"""Flickr8k: 8,091 photographs of people and animals, five captions each.

Hodosh, Young and Hockenmaier, "Framing Image Description as a Ranking Task", JAIR 47, 2013. The
split lists are the authors': 6,000 train, 1,000 dev (here "val"), 1,000 test. There are no classes,
so each picture is its own.
"""

import re
from pathlib import Path

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.sources import AGAIN, Report, Source, first, gather, plain_name, tidy
from t2ilab.errors import DataError, choose

SPLITS = {
    "train": "Flickr_8k.trainImages.txt",
    "val": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
EACH = 5  # captions of a picture, numbered from 0

SOURCE = Source(
    title="Flickr8k",
    licence="for research and teaching, not for commercial use; the photographs belong to their "
    "authors on Flickr. Cite Hodosh et al. 2013.",
    get="Get Flickr8k_Dataset.zip and Flickr8k_text.zip (the University of Illinois has handed "
    "them out; the GitHub repository jbrownlee/Datasets keeps both under its releases). Unpack "
    "both in the root folder.",
    layout="""\
  Flicker8k_Dataset/1000268201_693b08cb0e.jpg ...   (or images/)
  Flickr8k.token.txt                                (these four here, or in text/)
  Flickr_8k.trainImages.txt
  Flickr_8k.devImages.txt
  Flickr_8k.testImages.txt""",
)


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

    Of the split lists only the pictures on disk are used: a part of the data set will do.

    Raises:
        DataError: a list, the captions or all pictures are missing; a file is damaged: see
            `captions`.
        UsageError: there is no such split, size or crop.
    """
    choose("split", split, SPLITS)
    root = SOURCE.root(root)
    folder = SOURCE.find(root, "images", "Flicker8k_Dataset", "Flickr8k_Dataset", "Images")
    said = captions(root, split)
    listed = list(said)
    found = [file for file in listed if (folder / file).is_file()]
    if not found:
        raise DataError(
            f"Flickr8k: none of the {len(listed)} pictures of split '{split}' is in "
            f"{folder}.\n{SOURCE.help()}"
        )
    name = f"flickr8k/{split}"
    if report is not None:
        report(f"{name}: {len(found):,} of the {len(listed):,} pictures are in {folder}")
    chosen = first(n, found)
    paths, texts = [folder / file for file in chosen], [said[file] for file in chosen]
    return gather(name, paths, texts, size, crop=crop, skip=skip, cache=cache, report=report)


def captions(root: str | Path, split: str | None = None) -> dict[str, list[str]]:
    """Picture name -> its captions, whether the picture is on disk or not: a corpus of text.

    Args:
        root: the folder with the text files of `SOURCE.layout`; no picture is needed.
        split: only the pictures of this split's list; None: all 8,092 that the file names.

    The words stay as written; spaces around them and a final full stop go. The file names one
    picture that the archive lacks, 2258277193_586949ec62.jpg, and its first caption under
    `....jpg.1`: that caption is put with the others. No split list has this picture.

    Raises:
        DataError: a file is missing; a line is not "<picture>#<number><tab><caption>"; a picture
            has not the captions 0 to 4, each once; a split's list names a picture twice, or one
            that has no captions.
    """
    root = SOURCE.root(root)
    path = _text(root, "Flickr8k.token.txt")
    numbered: dict[str, dict[int, str]] = {}
    for k, line in SOURCE.filled(path):
        name, number, text = _parsed(path, k, line)
        if text is None or number in numbered.setdefault(name, {}):
            wrong = "is empty" if text is None else "stands there twice"
            raise DataError(f"{path}, line {k}: caption {number} of {name} {wrong}. {AGAIN}")
        numbered[name][number] = text
    for name, texts in numbered.items():
        if sorted(texts) != list(range(EACH)):
            held = ", ".join(map(str, sorted(texts)))
            raise DataError(
                f"{path}: {name} has the captions {held}; expected {EACH}, numbered from 0 to "
                f"{EACH - 1}. {AGAIN}"
            )
    said = {name: [texts[i] for i in range(EACH)] for name, texts in numbered.items()}
    return said if split is None else {name: said[name] for name in _listed(root, split, said)}


def _parsed(path: Path, k: int, line: str) -> tuple[str, int, str | None]:
    """Line k of the captions: name of the picture, number of the caption, caption (or None)."""
    match = re.fullmatch(r"([^\t#]+?\.jpg)(?:\.[0-9])?#([0-9]{1,3})(?:\t([^\t\r]*))?", line)
    if match is None or not plain_name(match[1]):
        raise DataError(
            f"{path}, line {k}: expected '<picture>.jpg#<number><tab><caption>', "
            f"got {line[:80]!r}. {AGAIN}"
        )
    return match[1], int(match[2]), tidy(match[3] or "") or None


def _text(root: Path, name: str) -> Path:
    return SOURCE.find(root, f"text/{name}", name, f"Flickr8k_text/{name}")


def _listed(root: Path, split: str, said: dict[str, list[str]]) -> list[str]:
    """The names in a split's list, each of a picture with captions, and each once."""
    path = _text(root, SPLITS[choose("split", split, SPLITS)])
    names: dict[str, int] = {}
    for k, name in SOURCE.filled(path):
        if name not in said:
            raise DataError(
                f"{path}, line {k}: there is no caption of {name[:80]} in Flickr8k.token.txt. "
                "Copy both files again from their source."
            )
        if name in names:
            raise DataError(
                f"{path}, line {k}: {name} stands there twice, first in line {names[name]}. {AGAIN}"
            )
        names[name] = k
    return list(names)
