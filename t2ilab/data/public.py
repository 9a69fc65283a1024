"""The public data sets by name: what they are, where to get them, and how to load them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from t2ilab.data import coco, cub, flickr8k, flickr30k, flickr30k_entities, oxford_flowers
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.sources import Report, Source
from t2ilab.errors import choose


@dataclass(frozen=True)
class PublicDataset:
    """A public data set: `source` has title, licence, where to get it and its layout."""

    source: Source
    load: Callable[..., CaptionedImages]
    splits: tuple[str, ...]

    @property
    def title(self) -> str:
        return self.source.title


DATASETS = {
    "flickr8k": PublicDataset(flickr8k.SOURCE, flickr8k.load, tuple(flickr8k.SPLITS)),
    "flickr30k": PublicDataset(flickr30k.SOURCE, flickr30k.load, flickr30k.SPLITS),
    "flickr30k_entities": PublicDataset(
        flickr30k_entities.SOURCE, flickr30k_entities.load, flickr30k_entities.SPLITS
    ),
    "coco": PublicDataset(coco.SOURCE, coco.load, tuple(coco.SPLITS)),
    "cub": PublicDataset(cub.SOURCE, cub.load, cub.SPLITS),
    "oxford_flowers": PublicDataset(
        oxford_flowers.SOURCE, oxford_flowers.load, oxford_flowers.SPLITS
    ),
}


def load(
    name: str,
    root: str | Path | None,
    split: str,
    size: int,
    *,
    n: int | None = None,
    crop: str | None = None,
    skip: bool = False,
    cache: bool = True,
    report: Report = print,
) -> CaptionedImages:
    """A split of a public data set; the options are those that all of them share.

    Args:
        name: a key of `DATASETS`.
        root: the folder where its files were put by hand, as `DATASETS[name].source.layout` says.
        split: "train", "val" or "test"; with CUB and Oxford-102 also "trainval".
        size: side of the square pictures in pixels.
        n: only the first n pictures; None: all.
        crop: "centre" or "squash"; None: as the data set's own `load` has it, "centre" but for
            the boxes of flickr30k_entities.
        skip: leave out pictures that cannot be read, and say which; False stops at them.
        cache: keep the squares on disk and load them memory-mapped.
        report: gets lines on what was found and what was left out; None drops them.

    Raises:
        UsageError: there is no such data set, split, size or crop.
        DataError: no root was given; files are missing or damaged.
    """
    dataset = DATASETS[choose("data set", name, DATASETS)]
    how = {} if crop is None else {"crop": crop}
    return dataset.load(root, split, size, n=n, skip=skip, cache=cache, report=report, **how)
