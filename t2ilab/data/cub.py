"""CUB-200-2011: 11,788 photographs of 200 kinds of bird, with Reed's ten captions each.

Pictures: Wah et al., "The Caltech-UCSD Birds-200-2011 Dataset", 2011. Captions and split: Reed et
al., "Learning Deep Representations of Fine-Grained Visual Descriptions", CVPR 2016. The split is by
class (zero-shot): 100 classes train, 50 val, 50 test; Reed et al. 2016 train their networks on
train and val together ("trainval").
"""

import math
import re
from pathlib import Path

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pictures import Box
from t2ilab.data.sources import AGAIN, Report, Source, first, gather, plain_name, ten_captions
from t2ilab.errors import DataError, choose

SPLITS = ("train", "val", "trainval", "test")
FARTHEST = 100_000  # pixels: no picture is so wide

SOURCE = Source(
    title="CUB-200-2011",
    licence="for non-commercial research and education; the photographs belong to their authors. "
    "Cite Wah et al. 2011 and, for the captions, Reed et al. CVPR 2016.",
    get="Get CUB_200_2011.tgz from CaltechDATA (data.caltech.edu, record 'CUB-200-2011') and the "
    "captions, cvpr2016_cub.tar.gz, through the README of the GitHub repository "
    "reedscot/cvpr2016 ('birds'). Unpack both in the root folder.",
    layout="""\
  CUB_200_2011/images.txt, classes.txt, image_class_labels.txt, bounding_boxes.txt
  CUB_200_2011/images/001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111.jpg ...
  cvpr2016_cub/trainclasses.txt, valclasses.txt, testclasses.txt
  cvpr2016_cub/text_c10/001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111.txt ...
(what lies in either folder may also lie in the root folder itself)""",
)


def load(
    root: str | Path,
    split: str,
    size: int,
    *,
    bird_box: bool = False,
    n: int | None = None,
    crop: str = "centre",
    captions_each: int | None = 10,
    skip: bool = False,
    cache: bool = True,
    report: Report = print,
) -> CaptionedImages:
    """The birds of a split in the order of images.txt. Classes are the 200 kinds, in every split.

    Args:
        root: the folder with the files of `SOURCE.layout`.
        split: "train", "val", "trainval" (both) or "test"; no class is in two of the three.
        size: side of the square pictures in pixels.
        bird_box: cut to a square around the bird, 1.5 times the longer side of its bounding box, as
            StackGAN does (Zhang et al. 2017); what reaches beyond the picture is cut off first.
        n: only the first n pictures.
        crop, cache: as in `pictures.read_many`; "squash" is what Reed et al. do.
        captions_each: the number of captions that each file must have; None takes any number.
        skip: leave out pictures that are missing or broken, and say which; False stops at them.
        report: gets a line on what was left out; None drops it.

    Raises:
        DataError: a file is missing or damaged; a class is in two splits or in none.
        UsageError: there is no such split, size or crop.
    """
    choose("split", split, SPLITS)
    root = SOURCE.root(root)
    birds = SOURCE.find(root, "CUB_200_2011/images.txt", "images.txt").parent
    texts = SOURCE.find(root, "cvpr2016_cub/text_c10", "text_c10", "CUB_200_2011/text_c10")
    kinds = SOURCE.numbered(birds / "classes.txt", distinct=True)
    folders = list(kinds.values())
    places = {folder: k for k, folder in enumerate(folders)}
    every = range(len(folders))
    wanted = set(SOURCE.class_lists(texts.parent, folders, places.get, every)[split])
    names = _names(birds, kinds)
    classes = {i: places[name.partition("/")[0]] for i, name in names.items()}
    chosen = first(n, [i for i in names if classes[i] in wanted])
    if not chosen:
        raise DataError(f"{birds / 'images.txt'}: no picture of a class in {split}classes.txt.")
    boxes = _boxes(birds / "bounding_boxes.txt", chosen, len(names)) if bird_box else None
    captions = [
        ten_captions(SOURCE, (texts / names[i]).with_suffix(".txt"), captions_each) for i in chosen
    ]
    paths = [birds / "images" / names[i] for i in chosen]
    of = {"classes": [classes[i] for i in chosen], "class_names": [*map(_spoken, folders)]}
    how = {"boxes": boxes, "crop": crop, "skip": skip, "cache": cache, "report": report}
    return gather(f"cub/{split}", paths, captions, size, **of, **how)


def _spoken(folder: str) -> str:
    """ "001.Black_footed_Albatross" -> "Black footed Albatross"."""
    return folder.partition(".")[2].replace("_", " ") or folder


def _names(birds: Path, kinds: dict[int, str]) -> dict[int, str]:
    """Picture number -> "folder of the class/file".

    images.txt (by the folder) and image_class_labels.txt both say the class; they must agree.
    """
    listed = birds / "images.txt"
    names = SOURCE.numbered(listed, distinct=True)
    path = birds / "image_class_labels.txt"
    labels = SOURCE.numbered(path, count=len(names))
    for i, name in names.items():
        folder, _, file = name.partition("/")
        if not (plain_name(folder) and plain_name(file) and file.endswith(".jpg")):
            raise DataError(
                f"{listed}: picture {i} is {name[:80]!r}; expected '<class>/<file>.jpg'. {AGAIN}"
            )
        label = labels[i]
        if not re.fullmatch(r"[0-9]{1,9}", label) or kinds.get(int(label)) != folder:
            raise DataError(
                f"{path}: picture {i} has the class {label[:80]}, but {listed} has it in the "
                f"folder of another: {name}. Unpack the archive again."
            )
    return names


def _boxes(path: Path, chosen: list[int], count: int) -> list[Box]:
    """The square around each bird: centre of its box, side 1.5 times the longer side of the box."""
    lines = SOURCE.numbered(path, count=count)
    boxes = []
    for i in chosen:
        try:
            x, y, width, height = map(_pixels, lines[i].split())
        except ValueError as error:
            raise DataError(
                f"{path}: expected '{i} <x> <y> <width> <height>' in pixels for picture {i}, got "
                f"{lines[i][:80]!r} ({error}). {AGAIN}"
            ) from None
        if width <= 0 or height <= 0:
            raise DataError(
                f"{path}: the box of picture {i} is {width:g} wide and {height:g} high; expected "
                f"more than 0. {AGAIN}"
            )
        centre_x, centre_y, half = x + width / 2, y + height / 2, 0.75 * max(width, height)
        boxes.append((centre_x - half, centre_y - half, centre_x + half, centre_y + half))
    return boxes


def _pixels(text: str) -> float:
    """A length in a picture; ValueError where it cannot be one."""
    number = float(text)
    if not math.isfinite(number) or abs(number) > FARTHEST or "_" in text:
        raise ValueError(f"{text[:40]} is no length in a picture")
    return number
