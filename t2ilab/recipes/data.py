"""What training runs read: captioned pictures, their captions' vectors, their features."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.data import cifar10, digits, paperworld, photos, public, svhn
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError, choose
from t2ilab.models.reader import AttributeReader
from t2ilab.recipes.options import Pictures, option
from t2ilab.text.encoders import CaptionEncoder
from t2ilab.text.tokens import Vocabulary

OWN = ("digits", "two_digits")  # need no folder
DATASETS = (*public.DATASETS, *OWN, "mnist", "svhn", "cifar10", "folder")  # folder: any pictures
LAYOUTS = {name: one.source.layout for name, one in public.DATASETS.items()} | {
    "mnist": digits.MNIST.layout,
    "svhn": svhn.SOURCE.layout,
    "cifar10": cifar10.SOURCE.layout,
    "folder": "  pictures of any names and sizes",
}
SQUARES = tuple(name for name in DATASETS if name != "two_digits")  # a power of two a side


@dataclass(frozen=True, kw_only=True)
class Squares(Pictures):
    """Of a system whose networks take pictures of a power of two a side, grey or in colour."""

    data: str | None = option(
        None,
        f"A data set: {', '.join(SQUARES)}; digits needs no --root.",
        choices=SQUARES,
        called="data set",
    )

    def side(self, of_plan: int) -> int:
        """Of the pictures in pixels, where `size` is not given."""
        return {"digits": 16, "mnist": 32, "cifar10": 32}.get(self.data, of_plan)

    @property
    def channels(self) -> int:
        """1 of grey pictures, 3 of coloured ones."""
        return 1 if self.data in ("digits", "mnist") else 3


def load_data(
    *,
    world: str | None = None,
    data: str | None = None,
    root: str | None = None,
    size: int,
    split: str = "train",
    n: int | None = None,
    asides: bool = False,
) -> CaptionedImages:
    """Captioned pictures of a world of PaperWorld or of a data set of `DATASETS` under `root`.

    Args:
        size: side in pixels; of MNIST 28, or 32 with a border.
        n: at most so many, the first ones.
        asides: of a world, each caption also with an aside ("flying in the sky").

    Raises:
        UsageError: both or neither of `world` and `data`, a data set without its folder, or
            MNIST in another size.
    """
    if (world is None) == (data is None):
        raise UsageError(
            "give either a world of PaperWorld (--world birds) or a data set "
            "(--data flickr8k --root FOLDER)."
        )
    if world is not None:
        return paperworld.world(world).load(split, size, n, asides=asides)
    choose("data set", data, DATASETS)
    if data == "digits":
        return digits.load_digits(split, size).subset(slice(n))
    if data == "two_digits":
        return digits.load_two_digits(split, size, n)
    if not root:
        raise UsageError(
            f"{data} lies in a folder of yours: say which with --root FOLDER. "
            f"Its layout:\n{LAYOUTS[data]}"
        )
    if data == "svhn":
        return svhn.load(root, split, size, n=n)
    if data == "cifar10":
        return cifar10.load(root, split, size, n=n)
    if data == "folder":
        return photos.captioned(root, split, size, n=n)
    if data != "mnist":
        return public.load(data, root, split, size, n=n)
    if size not in (28, 32):
        raise UsageError(f"MNIST comes in 28 x 28 or 32 x 32 pixels here, not {size}.")
    return digits.load_mnist(root, split, border=(size - 28) // 2).subset(slice(n))


def encode_all(encoder: CaptionEncoder, data: CaptionedImages) -> Float[Tensor, "n k text"]:
    """phi of every caption, as half floats; pictures with fewer captions repeat their own.

    phi is 0 for a caption that says nothing to the encoder ("A."): data sets have such.
    """
    unique, index = _each_once(data)
    known = [i for i, caption in enumerate(unique) if usable(encoder, caption)]
    phi = torch.zeros(len(unique), encoder.text, dtype=torch.float16)
    at = torch.tensor(known, dtype=torch.long)
    phi[at] = encoder.encode([unique[i] for i in known]).half().cpu()
    return phi[index]


def word_numbers(vocabulary: Vocabulary, data: CaptionedImages) -> Int[Tensor, "n k words"]:
    """The word numbers of every caption, 0 at pads; pictures with fewer captions repeat their own.

    A caption of more than 60 words ends there.
    """
    unique, index = _each_once(data)
    return vocabulary.numbers(unique)[index]


def _each_once(data: CaptionedImages) -> tuple[list[str], Int[Tensor, "n k"]]:
    """Every sentence once, those of like length together; and which each caption is."""
    most = max(len(c) for c in data.captions)
    rows = [c[k % len(c)] for c in data.captions for k in range(most)]
    unique = sorted(set(rows), key=len)
    place = {caption: i for i, caption in enumerate(unique)}
    return unique, torch.tensor([place[c] for c in rows]).view(len(data), most)


def usable(encoder: CaptionEncoder, caption: str) -> bool:
    """Whether the encoder can make something of this caption."""
    try:
        encoder.vocabulary.check(caption)
    except UsageError:
        return False
    return True


@torch.inference_mode()
def reader_features(reader: AttributeReader, data: CaptionedImages) -> Float[Tensor, "n features"]:
    """The reader's feature layer for every picture."""
    parts = [reader.features(to_float(data.images[i : i + 500])) for i in range(0, len(data), 500)]
    return torch.cat(parts).clone()
