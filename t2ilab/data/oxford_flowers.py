"""Oxford-102: 8,189 photographs of 102 kinds of flower, with Reed's ten captions each.

Pictures: Nilsback and Zisserman, "Automated Flower Classification over a Large Number of Classes",
ICVGIP 2008. Captions and split: Reed et al., "Learning Deep Representations of Fine-Grained Visual
Descriptions", CVPR 2016. The split is by class (zero-shot), 82 train and val ("trainval"), 20 test;
the picture-wise split of the original, setid.mat, is not used.
"""

import re
from pathlib import Path

import numpy as np

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.matlab import matrix
from t2ilab.data.sources import Report, Source, first, gather, ten_captions
from t2ilab.errors import DataError, choose

SPLITS = ("train", "val", "trainval", "test")
LARGEST = 2**18  # bytes of imagelabels.mat, which has 502: it is compressed, and unpacks to more

SOURCE = Source(
    title="Oxford-102 flowers",
    licence="for research and teaching; the photographs belong to their authors. Cite Nilsback and "
    "Zisserman 2008 and, for the captions, Reed et al. CVPR 2016.",
    get="Get 102flowers.tgz and imagelabels.mat from the '102 Category Flower Dataset' page of the "
    "Visual Geometry Group (www.robots.ox.ac.uk/~vgg/data/flowers/102) and the captions, "
    "cvpr2016_flowers.tar.gz, through the README of the GitHub repository reedscot/cvpr2016 "
    "('flowers'). Unpack both archives in the root folder and put imagelabels.mat there.",
    layout="""\
  jpg/image_00001.jpg ...
  imagelabels.mat
  cvpr2016_flowers/trainclasses.txt, valclasses.txt, testclasses.txt
  cvpr2016_flowers/text_c10/class_00077/image_00001.txt ...
(jpg/ and imagelabels.mat may lie in flowers-102/, where torchvision puts them; what lies in
cvpr2016_flowers/ may also lie in the root folder itself)""",
)

# The names in the order of the labels 1 to 102 of imagelabels.mat.
CLASS_NAMES = tuple(
    """
pink primrose, hard-leaved pocket orchid, canterbury bells, sweet pea, english marigold, tiger lily,
moon orchid, bird of paradise, monkshood, globe thistle, snapdragon, colt's foot, king protea,
spear thistle, yellow iris, globe flower, purple coneflower, peruvian lily, balloon flower,
giant white arum lily, fire lily, pincushion flower, fritillary, red ginger, grape hyacinth,
corn poppy, prince of wales feathers, stemless gentian, artichoke, sweet william, carnation,
garden phlox, love in the mist, mexican aster, alpine sea holly, ruby-lipped cattleya, cape flower,
great masterwort, siam tulip, lenten rose, barbeton daisy, daffodil, sword lily, poinsettia,
bolero deep blue, wallflower, marigold, buttercup, oxeye daisy, common dandelion, petunia,
wild pansy, primula, sunflower, pelargonium, bishop of llandaff, gaura, geranium, orange dahlia,
pink-yellow dahlia, cautleya spicata, japanese anemone, black-eyed susan, silverbush,
californian poppy, osteospermum, spring crocus, bearded iris, windflower, tree poppy, gazania,
azalea, water lily, rose, thorn apple, morning glory, passion flower, lotus, toad lily, anthurium,
frangipani, clematis, hibiscus, columbine, desert-rose, tree mallow, magnolia, cyclamen, watercress,
canna lily, hippeastrum, bee balm, ball moss, foxglove, bougainvillea, camellia, mallow,
mexican petunia, bromelia, blanket flower, trumpet creeper, blackberry lily
""".strip()
    .replace("\n", " ")
    .split(", ")
)


def load(
    root: str | Path,
    split: str,
    size: int,
    *,
    n: int | None = None,
    crop: str = "centre",
    captions_each: int | None = 10,
    skip: bool = False,
    cache: bool = True,
    report: Report = print,
) -> CaptionedImages:
    """The flowers of a split in the order of their numbers. Classes are the 102, in every split.

    Args:
        root: the folder with the files of `SOURCE.layout`.
        split: "train", "val", "trainval" (both) or "test"; no class is in two of the three.
        size: side of the square pictures in pixels.
        n: only the first n pictures.
        crop, cache: as in `pictures.read_many`; "squash" is what Reed et al. do.
        captions_each: the number of captions that each file must have; None takes any number.
        skip: leave out pictures that are missing or broken, and say which; False stops at them.
        report: gets a line on what was left out; None drops it.

    Raises:
        DataError: a file is missing or damaged; a class is in two splits or in none; labels and
            captions are of other pictures, or say other classes.
        UsageError: there is no such split, size or crop.
    """
    choose("split", split, SPLITS)
    root = SOURCE.root(root)
    folder = SOURCE.find(root, "jpg", "flowers-102/jpg")
    mat = SOURCE.find(root, "imagelabels.mat", "flowers-102/imagelabels.mat")
    labels = _labels(mat)
    texts = SOURCE.find(root, "cvpr2016_flowers/text_c10", "text_c10")
    _see_captions(mat, labels, texts)
    used = sorted({label - 1 for label in labels})
    wanted = set(SOURCE.class_lists(texts.parent, CLASS_NAMES, _place, used)[split])
    chosen = first(n, [i for i, label in enumerate(labels, 1) if label - 1 in wanted])
    if not chosen:
        raise DataError(f"{mat}: no picture of a class in {texts.parent}/{split}classes.txt.")
    captions = [
        ten_captions(SOURCE, texts / _said_in(labels[i - 1], i), captions_each) for i in chosen
    ]
    paths = [folder / f"image_{i:05d}.jpg" for i in chosen]
    of = {"classes": [labels[i - 1] - 1 for i in chosen], "class_names": list(CLASS_NAMES)}
    how = {"crop": crop, "skip": skip, "cache": cache, "report": report}
    return gather(f"oxford_flowers/{split}", paths, captions, size, **of, **how)


def _place(line: str) -> int | None:
    """ "class_00077" -> 76."""
    match = re.fullmatch(r"(?:class_)?([0-9]{1,5})", line)
    number = int(match[1]) if match else 0
    return number - 1 if 1 <= number <= len(CLASS_NAMES) else None


def _said_in(label: int, i: int) -> str:
    """The file of the captions of picture i."""
    return f"class_{label:05d}/image_{i:05d}.txt"


def _see_captions(mat: Path, labels: list[int], texts: Path) -> None:
    """Whether the captions are of the same pictures as the labels, and in folders of their classes.

    Both are the data set's own; where a label was altered or lost, they differ.
    """
    labelled = {_said_in(label, i) for i, label in enumerate(labels, 1)}
    there = {
        f"{path.parent.name}/{path.name}" for path in texts.glob("class_[0-9]*/image_[0-9]*.txt")
    }
    if lost := sorted(labelled - there):
        raise SOURCE.missing(texts / lost[0], f"{mat.name} says so of its picture")
    if more := sorted(there - labelled):
        raise DataError(
            f"{mat}: there is no such label for the picture of {texts / more[0]}. The labels "
            f"are cut short or of another class. Get both files again.\n{SOURCE.help()}"
        )


def _labels(path: Path) -> list[int]:
    """The class, 1 to 102, of each picture, from MATLAB's file with the one variable `labels`."""
    try:
        labels = matrix(SOURCE.contents(path, LARGEST), "labels").ravel()
    except ValueError as error:
        raise DataError(
            f"{path}: this is not the file of labels, or it is damaged: {error}. Get "
            f"it again.\n{SOURCE.help()}"
        ) from error
    wrong = ~np.isin(labels, np.arange(1, len(CLASS_NAMES) + 1))
    if wrong.any():
        i = int(wrong.argmax())
        raise DataError(
            f"{path}: picture {i + 1} has the label {labels[i]}; expected 1 to "
            f"{len(CLASS_NAMES)}. Get the file again."
        )
    return labels.astype(int).tolist()
