"""MS-COCO captions: everyday scenes, five captions (a few have more) each.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; Chen et al., "Microsoft COCO
Captions", 2015. The captions of the test pictures are not public, so "val" and "test" are both the
validation pictures, as in the papers on text to image. There are no classes here: each picture is
its own.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.sources import AGAIN, Report, Source, first, gather, tidy
from t2ilab.errors import DataError, choose
from t2ilab.schemas import read
from t2ilab.schemas.coco import Captions, Image

SPLITS = {"train": "train", "val": "val", "test": "val"}
YEARS = (2017, 2014)
LARGEST = 2**30  # bytes of an annotation file; that of train2017 has 92 MB

SOURCE = Source(
    title="MS-COCO captions",
    licence="captions CC BY 4.0; the photographs are under the terms that their authors chose on "
    "Flickr. Cite Lin et al. 2014 and Chen et al. 2015.",
    get="Get from the download page of cocodataset.org '2017 Train images' (18 GB), '2017 Val "
    "images' (1 GB) and '2017 Train/Val annotations', or the same of 2014. Unpack all in the "
    "root folder.",
    layout="""\
  annotations/captions_train2017.json
  annotations/captions_val2017.json
  train2017/000000000009.jpg ...
  val2017/000000000139.jpg ...
(or 2014 for 2017, with pictures named train2014/COCO_train2014_000000000009.jpg)""",
)


def load(
    root: str | Path,
    split: str,
    size: int,
    *,
    year: int | None = None,
    captions_each: int | None = 5,
    n: int | None = None,
    crop: str = "centre",
    skip: bool = False,
    cache: bool = True,
    report: Report = print,
) -> CaptionedImages:
    """The pictures of a split in the order of the annotation file, with all their captions.

    Args:
        root: the folder with the files of `SOURCE.layout`.
        split: "train"; "val" or "test", which are the same pictures.
        size: side of the square pictures in pixels. All of train2017 takes 1.5 GB at 64 pixels
            (in a memory-mapped file).
        year: 2017 or 2014; None takes 2017 if its annotation file is there, else 2014.
        captions_each: the least number of captions of a picture that has any (a few have six or
            seven); None takes any number.
        n: only the first n pictures.
        crop, cache: as in `pictures.read_many`.
        skip: leave out pictures that are missing or broken, and say which; False stops at them.
        report: gets a line on what was left out; None drops it.

    Raises:
        DataError: a file or folder is missing or damaged; an id stands twice, a caption is of no
            picture, a file's name is not that of its id, a caption is missing.
        UsageError: there is no such split, year, size or crop.
    """
    part = SPLITS[choose("split", split, SPLITS)]
    root = SOURCE.root(root)
    years = YEARS if year is None else (int(choose("year", str(year), map(str, YEARS))),)
    annotations = SOURCE.find(root, *[f"annotations/captions_{part}{y}.json" for y in years])
    folder = SOURCE.find(root, annotations.stem.removeprefix("captions_"))
    names, said = _parse(annotations, captions_each)
    name, silent = f"coco/{split}", sum(1 for i in names if not said[i])
    if silent and report is not None:
        report(f"{name}: left out {silent:,} pictures without a caption")
    chosen = first(n, [i for i in names if said[i]])
    paths, captions = [folder / names[i] for i in chosen], [said[i] for i in chosen]
    return gather(name, paths, captions, size, crop=crop, skip=skip, cache=cache, report=report)


def _parse(path: Path, each: int | None = 5) -> tuple[dict[int, str], dict[int, list[str]]]:
    """Picture number -> file name, and picture number -> captions in the order of their numbers."""
    if not path.is_file():
        raise DataError(f"{path}: this is no file; the captions of COCO were expected there.")
    held = read(path, Captions, largest=LARGEST, advice="Unpack it again from its archive.")
    _once(path, "images", (image.id for image in held.images))
    _once(path, "annotations", (note.id for note in held.annotations))
    names = {image.id: _named(path, image) for image in held.images}
    said: dict[int, list[str]] = {i: [] for i in names}
    for note in sorted(held.annotations, key=lambda note: note.id):
        if note.image_id not in said:
            raise DataError(
                f"{path}: annotation {note.id} is of image {note.image_id}, which is not one of "
                f"the images in this file. {AGAIN}"
            )
        said[note.image_id].append(tidy(note.caption))
    few = next((i for i, texts in said.items() if each and 0 < len(texts) < each), None)
    if few is not None:
        raise DataError(
            f"{path}: image {few} has {len(said[few])} captions; expected at least {each}. "
            f"{AGAIN} Or set captions_each (None takes any number)."
        )
    said = {i: [text for text in texts if text] for i, texts in said.items()}
    if not any(said.values()):
        raise DataError(f"{path}: the file has no captions. Unpack it again from its archive.")
    return names, said


def _named(path: Path, image: Image) -> str:
    """The file name of an image, after seeing that it is that of its id."""
    match = re.fullmatch(r"(?:COCO_(?:train|val)2014_)?([0-9]{12})\.jpg", image.file_name)
    if match is None or int(match[1]) != image.id:
        raise DataError(
            f"{path}: image {image.id} has the file name {image.file_name[:80]!r}; expected its id "
            f"in twelve digits, {image.id:012d}.jpg. {AGAIN}"
        )
    return image.file_name


def _once(path: Path, kind: str, ids: Iterable[int]) -> None:
    """Refuse an id that stands twice."""
    seen: set[int] = set()
    for i in ids:
        if i in seen:
            raise DataError(f"{path}: two of the {kind} have the id {i}. {AGAIN}")
        seen.add(i)
