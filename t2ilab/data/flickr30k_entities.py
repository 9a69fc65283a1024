"""Flickr30k Entities: 276,000 boxes in the photographs of Flickr30k, and phrases that name them.

Plummer, Wang, Cervantes, Caicedo, Hockenmaier and Lazebnik, "Flickr30k Entities", IJCV 123, 2017.
`load` gives the people and animals, cut out, with their phrases as captions ("a man running"), as
in Le's thesis (2018); `grounded` gives whole pictures with boxes and phrases, for localisation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from t2ilab.data import pictures
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.entities import Entities, Mention, read
from t2ilab.data.flickr30k import (
    FOLDERS,
    GET_LISTS,
    GET_PICTURES,
    PLACES,
    SPLITS,
    listed,
    on_disk,
    unrelated,
)
from t2ilab.data.grounded import GroundedPictures, Phrase
from t2ilab.data.sources import Report, Source, first, gather
from t2ilab.errors import DataError, UsageError, choose

KINDS = (
    "people", "clothing", "bodyparts", "animals", "vehicles", "instruments", "scene", "other"
)  # fmt: skip
LIVING = ("people", "animals")  # of the thesis
LEAST = 32  # pixels: boxes with a shorter side are no crops

SOURCE = Source(
    title="Flickr30k Entities",
    licence="for non-commercial research and education; the photographs belong to their authors on "
    "Flickr. Cite Plummer et al. 2017 and Young et al. 2014.",
    get="Get annotations.zip, train.txt, val.txt, test.txt and UNRELATED_CAPTIONS from "
    f"{GET_LISTS}, and unpack the archive. {GET_PICTURES}. Put all in the root folder.",
    layout="""\
  Annotations/1000092795.xml ...        (these six here, or in flickr30k_entities/)
  Sentences/1000092795.txt ...
  train.txt, val.txt, test.txt, UNRELATED_CAPTIONS
  flickr30k-images/1000092795.jpg ...   (or flickr30k_images/flickr30k_images/, or images/)""",
)


def load(
    root: str | Path,
    split: str,
    size: int,
    *,
    kinds: Sequence[str] = LIVING,
    least: int = LEAST,
    n: int | None = None,
    crop: str = "squash",
    skip: bool = False,
    cache: bool = True,
    report: Report = print,
) -> CaptionedImages:
    """Boxes cut out of the pictures of a split, each with the phrases that name it.

    Args:
        root: the folder with the files of `SOURCE.layout`.
        split: "train", "val" or "test".
        size: side of the square pictures in pixels.
        kinds: the types of chains whose boxes are taken.
        least: boxes with a side of fewer pixels are left out.
        n: only the first n boxes.
        crop: "squash" changes the proportions of a box to a square; "centre" takes the largest
            square in its middle.
        skip, cache: as in `pictures.read_many`.
        report: gets lines on what was found and left out; None drops them.

    Of the lists only the pictures on disk are used. Boxes of one chain are one class.

    Raises:
        DataError: a file or all pictures are missing; a file is damaged.
        UsageError: there is no such split, size, crop or kind; no box is left.
    """
    first(n, [])  # is n as it should be?
    folder, found = _found(root, split, kinds, report)
    wanted, small = [], 0
    for number, of, mentions in found:
        for box, chains in of.boxes:
            named = [m for m in mentions if m.chain in chains]
            if named and min(box[2] - box[0], box[3] - box[1]) >= least:
                texts = list(dict.fromkeys(m.text for m in named))
                wanted.append((folder / f"{number}.jpg", box, texts, f"{number}/{named[0].chain}"))
            else:
                small += bool(named)
        if n is not None and len(wanted) >= n:
            break
    name = f"flickr30k_entities/{split}"
    if report is not None:
        report(f"{name}: {len(wanted):,} boxes; left out {small:,} below {least} pixels")
    if not wanted:
        raise UsageError(f"{name}: no box of {', '.join(kinds)} has {least} pixels a side.")
    paths, boxes, said, chains = zip(*wanted[:n], strict=True)
    names, numbers = np.unique(chains, return_inverse=True)
    return gather(
        name, paths, list(said), size, classes=numbers, class_names=names.tolist(), boxes=boxes,
        crop=crop, skip=skip, cache=cache, report=report,
    )  # fmt: skip


def grounded(
    root: str | Path,
    split: str,
    *,
    kinds: Sequence[str] = KINDS,
    n: int | None = None,
    report: Report = print,
) -> GroundedPictures:
    """The pictures of a split that are on disk, all their boxes, and the phrases that name some.

    Every phrase of a sentence counts, also where another sentence says the same; phrases without a
    box (scene, not to be seen, chain 0) do not. The kinds of a phrase are its chain's types.

    Args:
        root, split, report: as of `load`.
        kinds: the types of chains whose phrases are taken.
        n: only the first n pictures.

    Raises:
        DataError, UsageError: as `load`. When a picture is asked for: it is missing or damaged, or
            has another size than its annotation says.
    """
    folder, found = _found(root, split, kinds, report, n)
    paths, sizes, boxes, owner, phrases = [], [], [], [], []
    for k, (number, of, mentions) in enumerate(found):
        for mention in mentions:
            named = [j for j, (_, chains) in enumerate(of.boxes) if mention.chain in chains]
            if named:
                places = tuple(len(boxes) + j for j in named)
                phrases.append(Phrase(k, mention.text, places, mention.kinds))
        boxes += [box for box, _ in of.boxes]
        owner += [k] * len(of.boxes)
        paths.append(folder / f"{number}.jpg")
        sizes.append(of.size)
    return GroundedPictures(
        f"flickr30k_entities/{split}",
        ReadWhenAsked(tuple(paths), tuple(sizes)),
        np.array(boxes, float).reshape(-1, 4),
        np.array(owner, np.int64),
        phrases,
    )


@dataclass(frozen=True)
class ReadWhenAsked(Sequence):
    """Picture files as a sequence of uint8 [h, w, 3]; each is read when it is asked for.

    sizes: width and height of each, as its annotation says: boxes in pixels of another picture
    would be wrong in silence.
    """

    paths: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, i: int) -> np.ndarray:
        image, (width, height) = pictures.whole(self.paths[i]), self.sizes[i]
        if image.shape[:2] != (height, width):
            raise DataError(
                f"{self.paths[i]}: the picture has {image.shape[1]} x {image.shape[0]} pixels, its "
                f"annotation is of {width} x {height}. Take the picture in its original size."
            )
        return image


def _found(
    root: str | Path, split: str, kinds: Sequence[str], report: Report, n: int | None = None
) -> tuple[Path, Iterator[tuple[str, Entities, list[Mention]]]]:
    """The pictures' folder; of each picture on disk its number, what is told of it, and phrases.

    Phrases of these kinds, without those of sentences that say nothing of their picture.
    """
    choose("split", split, SPLITS)
    for kind in kinds:
        choose("type of chain", kind, KINDS)
    root = SOURCE.root(root)
    base = SOURCE.find(root, *(f"{place}Annotations" for place in PLACES)).parent
    told = SOURCE.find(base, "Sentences")
    folder, left_out = SOURCE.find(root, *FOLDERS), unrelated(SOURCE, root, needed=True)
    numbers = listed(SOURCE, root, split)
    here = first(n, on_disk(SOURCE, f"flickr30k_entities/{split}", folder, numbers, report))

    def each() -> Iterator[tuple[str, Entities, list[Mention]]]:
        for number in here:
            of = read(SOURCE, base / "Annotations", told, number)
            mentions = [
                m
                for m in of.mentions
                if {*m.kinds} & {*kinds} and (number, m.sentence + 1) not in left_out
            ]
            yield number, of, mentions

    return folder, each()
