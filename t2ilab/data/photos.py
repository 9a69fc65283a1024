"""A few real photographs: a folder of yours, or those that the installed libraries bring along.

No captions, just pictures to try a network on (chapters 12 and 13) or to learn from. scikit-learn
brings china.jpg and flower.jpg, matplotlib brings grace_hopper.jpg; nothing is fetched.
"""

from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from t2ilab.data import pictures
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import DataError, choose
from t2ilab.paths import user_path

SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".gif"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm"),
)
TENTH = 10  # every tenth picture of a folder is kept for the test
LIBRARIES = (
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
)


def load(
    folder: str | Path = "", *, side: int = 224
) -> tuple[Float[Tensor, "n 3 side side"], list[str]]:
    """Photographs as a batch, and their names (of the files, without their endings).

    The shorter side becomes `side` pixels, and the middle is kept.

    Args:
        folder: of pictures, which come sorted by name (hidden files, such as those that macOS
            leaves beside pictures, are passed over), or one picture; "": the libraries' own.
        side: in pixels, 1 to 2048; 224 is what ImageNet's networks were trained on.

    Returns:
        Pictures in [-1, 1], and as many names.

    Raises:
        UsageError: `side` is out of its range, or `folder` is no path.
        DataError: no such folder, no pictures in it, or a picture that cannot be read.
    """
    paths = _chosen(user_path(folder, "folder")) if str(folder) else installed()
    images = np.stack([pictures.read(path, side) for path in paths])
    return to_float(images), [path.stem for path in paths]


def captioned(
    folder: str | Path, split: str = "train", size: int = 64, *, n: int | None = None
) -> CaptionedImages:
    """A folder of pictures of any sizes (faces, say) as a data set: every tenth is for the test.

    The middle square of each is taken; each picture is a class of its own, and says nothing else.

    Args:
        folder: of pictures, sorted by name.
        split: "train" or "test".
        size: side in pixels, 1 to 2048.
        n: only the first n of the split.

    Raises:
        UsageError: an unknown split or size.
        DataError: no such folder, fewer than ten pictures in it, or some that cannot be read.
    """
    choose("split", split, ("train", "test"))
    folder = user_path(folder, "folder")
    paths = _chosen(folder)
    if len(paths) < TENTH:
        raise DataError(f"{folder} holds {len(paths)} pictures; {TENTH} or more can be learned.")
    test = paths[TENTH - 1 :: TENTH]
    chosen = test if split == "test" else [path for path in paths if path not in set(test)]
    chosen = chosen[:n]
    images = pictures.read_many(chosen, size, label=folder.name).images
    names = [path.stem for path in chosen]
    return CaptionedImages(
        f"{folder.name}/{split}/{size}", images, [["a picture"]] * len(names),
        np.arange(len(names)), names,
    )  # fmt: skip


def installed() -> list[Path]:
    """The photographs that libraries bring along, those which are there.

    Raises:
        DataError: there is not one.
    """
    found = [Path(str(files(library) / name)) for library, name in LIBRARIES]
    found = [path for path in found if path.is_file()]
    if not found:
        raise DataError(
            "neither scikit-learn nor matplotlib brought its sample photographs. Name "
            "a folder of your own pictures."
        )
    return found


def _chosen(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise DataError(
            f'{place}: there is no such folder. Correct the path, or give "" for the '
            "photographs that installed libraries bring."
        )
    try:
        there = sorted(path for path in place.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror}.") from error
    there = [path for path in there if not path.is_dir()]
    paths = [path for path in there if path.suffix.lower() in SUFFIXES]
    if not paths:
        others = sorted({path.suffix.lower() or "files without an ending" for path in there})
        holds = f"; it holds {', '.join(others[:5])}. Save them as JPEG or PNG" if others else ""
        raise DataError(f"{place} holds no pictures ({', '.join(SUFFIXES)}){holds}.")
    return paths
