"""A picture file to a square of pixels, and many files to one array that is kept on disk.

What can be shown is converted: greyscale, palettes, transparency (over white), CMYK, and 16 bits a
channel, scaled rather than clipped. What cannot is refused with a `DataError` that names the file.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image, UnidentifiedImageError

from t2ilab.data import kept
from t2ilab.errors import DataError, UsageError, choose

Box = tuple[float, float, float, float]  # left, top, right, bottom in the upright picture

CROPS = ("centre", "squash")
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
MAX_PIXELS = 89_478_485  # Pillow's own limit: a small file may unpack to gigabytes
MAX_SIZE = 2048  # side of the square that is asked for

_UPRIGHT = {  # value of the EXIF tag Orientation -> what sets the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_VERSION = 1  # part of the name of what is kept: raise it when pictures come out differently
_CHUNK = 256  # pictures held in memory while many are read
_SHOWN = 5  # files named in a message about many


class Pictures(NamedTuple):
    """What `read_many` gives.

    images: uint8 [n, size, size, 3]; memory-mapped when it was kept on disk. It may be written to:
        that changes neither the file nor what others read.
    kept: int64 [n], the places in `paths` of the pictures that were read.
    broken: (place in `paths`, what was wrong) of each picture that was left out.
    """

    images: UInt8[np.ndarray, "n size size 3"]
    kept: Int[np.ndarray, " n"]
    broken: list[tuple[int, str]]


def read(
    path: str | Path, size: int, *, crop: str = "centre", box: Box | None = None
) -> UInt8[np.ndarray, "size size 3"]:
    """One picture as a square of `size` pixels, RGB, values 0 to 255.

    Args:
        path: a JPEG, PNG, GIF (first frame), BMP, TIFF, WebP or PPM file.
        size: side of the square in pixels, 1 to 2048.
        crop: "centre" takes the largest square in the middle; "squash" takes the whole picture and
            changes its proportions, as the data code of Reed et al. 2016 does.
        box: (left, top, right, bottom) in pixels of the upright picture; `crop` then applies to
            what of the box lies in the picture. None: the whole picture.

    The picture is set upright by its EXIF orientation before it is cut, and resized with a filter
    that averages over all the pixels that fall together (bicubic, antialiased).

    Raises:
        UsageError: `size` or `crop` is not as above.
        DataError: the file is missing, empty, cut short, not a picture, of a kind without a fixed
            range of values (32 bits a channel), or unpacks to more than 89 million pixels.
    """
    _check(size, crop)
    path = Path(path)
    image = _open(path)
    square = image.crop(_region(path, image.size, crop, box))
    return np.array(square.resize((size, size), Image.Resampling.BICUBIC))


def read_many(
    paths: Sequence[str | Path],
    size: int,
    *,
    crop: str = "centre",
    boxes: Sequence[Box] | None = None,
    cache: bool = True,
    skip: bool = False,
    workers: int | None = None,
    label: str = "pictures",
    report: Callable[[str], Any] | None = print,
) -> Pictures:
    """Read picture files into one array, a few at a time in threads.

    With `cache` the array is kept as one memory-mapped file in the cache folder (see `kept`). Its
    name is a fingerprint of the paths, of each file's size and time of change, and of how it was
    read, so changed files are read anew.

    Args:
        paths, size, crop: as in `read`.
        boxes: None, or a box for each path.
        cache: False reads into memory and keeps nothing.
        skip: False stops at broken or missing pictures, naming five and their count; True leaves
            them out and reports which.
        workers: threads; None takes as many as there are cores, at most 4.
        label: what the progress bar says; it is shown only when reading takes over two seconds.
        report: gets the line about pictures left out; None drops it.

    Raises:
        DataError: pictures cannot be read (see `skip`), or the cache folder cannot be written.
        UsageError: `size` or `crop` is wrong, or `boxes` and `paths` differ in number.
    """
    _check(size, crop)
    paths = [Path(p) for p in paths]
    boxes = [None] * len(paths) if boxes is None else list(boxes)
    if len(boxes) != len(paths):
        raise UsageError(f"{len(paths)} pictures but {len(boxes)} boxes: give one for each.")
    squares = _squares(paths, boxes, size, crop, workers, label)
    if cache and paths:
        name = kept.fingerprint(paths, _VERSION, size, crop, boxes)
        images, broken = kept.array(name, squares, len(paths), (size, size, 3), partial=skip)
    else:
        images, broken = _in_memory(squares, size)
    return _judge(paths, images, broken, skip, report)


def _check(size: int, crop: str) -> None:
    choose("crop", crop, CROPS)
    if not isinstance(size, int | np.integer) or not 1 <= size <= MAX_SIZE:
        raise UsageError(
            f"a picture cannot be {size!r} pixels wide: give a whole number from 1 to {MAX_SIZE}."
        )


def _open(path: Path) -> Image.Image:
    """The decoded picture, RGB and upright."""
    try:
        if path.is_dir():
            raise DataError(f"{path}: this is a folder; a picture file was expected.")
        if path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty (0 bytes). Copy it again from its source.")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            image.load()
            turn = _UPRIGHT.get(_orientation(image))
            image = _to_rgb(path, image)
            return image if turn is None else image.transpose(turn)
    except DataError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds, down to IndexError
        raise DataError(f"{path}: {_explain(error)}") from error


def _explain(error: Exception) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "there is no such file. Put the picture there, or correct the path."
    if isinstance(error, PermissionError):
        return "the file may not be read. Change its permissions."
    if isinstance(error, UnidentifiedImageError):
        return (
            "this is not a picture, or its first bytes are damaged. Expected a JPEG, PNG, GIF, "
            "BMP, TIFF, WebP or PPM file; copy it again from its source."
        )
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return (
            f"the picture unpacks to more than {MAX_PIXELS:,} pixels (a decompression bomb?). "
            "If it is a real picture, save it smaller."
        )
    if isinstance(error, MemoryError):
        return "there is not enough memory to unpack the picture. Save it smaller."
    return f"the picture is cut short or damaged ({error}). Copy it again from its source."


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF says nothing of the pixels: take the picture as it lies
        return 1


def _to_rgb(path: Path, image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        image = _from_16_bits(image)
    if image.mode in ("I", "F"):
        raise DataError(
            f"{path}: the picture has 32 bits a channel (mode {image.mode}), so which "
            "value is white is unknown. Save it with 8 or 16 bits a channel."
        )
    try:
        if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
            image = _over_white(image)
        return image.convert("RGB")
    except ValueError as error:
        raise DataError(
            f"{path}: the colours of the picture (mode {image.mode}) cannot be shown "
            f"as RGB ({error}). Save it as RGB."
        ) from error


def _from_16_bits(image: Image.Image) -> Image.Image:
    """0..65535 to 0..255. (Pillow's own `convert` clips at 255: nearly all of it turns white.)"""
    values = np.asarray(image).astype(np.float32)
    return Image.fromarray(np.rint(values / 257).clip(0, 255).astype(np.uint8))


def _over_white(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _region(path: Path, size: tuple[int, int], crop: str, box: Box | None) -> tuple[int, ...]:
    """What of a picture of (width, height) is taken: left, top, right, bottom, whole pixels."""
    width, height = size
    left, top, right, bottom = (
        (0, 0, width, height)
        if box is None
        else (
            max(round(box[0]), 0),
            max(round(box[1]), 0),
            min(round(box[2]), width),
            min(round(box[3]), height),
        )
    )
    if not (left < right and top < bottom):
        raise DataError(
            f"{path}: nothing of the box {box} (left, top, right, bottom) lies in this "
            f"picture of {width} x {height} pixels. Correct the box."
        )
    if crop == "squash":
        return left, top, right, bottom
    side = min(right - left, bottom - top)
    left, top = (left + right - side) // 2, (top + bottom - side) // 2
    return left, top, left + side, top + side


def _squares(paths, boxes, size, crop, workers, label) -> Iterator[np.ndarray | str]:
    """Each picture in turn, or what is wrong with it."""
    from tqdm.auto import tqdm

    def one(path: Path, box: Box | None) -> np.ndarray | str:
        try:
            return read(path, size, crop=crop, box=box)
        except DataError as error:
            return str(error)

    workers = workers or min(4, os.cpu_count() or 1)
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(total=len(paths), desc=label, unit="picture", delay=2, leave=False) as bar,
    ):
        for start in range(0, len(paths), _CHUNK):  # in chunks: results wait in memory to be taken
            chunk = slice(start, start + _CHUNK)
            for square in pool.map(one, paths[chunk], boxes[chunk]):
                yield square
                bar.update()


def _in_memory(squares, size: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
    results = list(squares)
    images = [square for square in results if not isinstance(square, str)]
    broken = [(i, text) for i, text in enumerate(results) if isinstance(text, str)]
    return np.stack(images) if images else np.empty((0, size, size, 3), np.uint8), broken


def _judge(paths, images, broken, skip, report) -> Pictures:
    """Stop at broken pictures, or say which are left out."""
    if broken:
        more = f"\n  ... and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        which = "\n  ".join(text for _, text in broken[:_SHOWN]) + more
        counts = f"{len(broken)} of {len(paths)} pictures"
        if not skip or len(broken) == len(paths):
            advice = "Mend or replace these files" + (
                ", or leave them out with skip=True." if len(broken) < len(paths) else "."
            )
            raise DataError(f"{counts} cannot be read:\n  {which}\n{advice}")
        if report is not None:
            report(f"left out {counts}:\n  {which}")
    places = np.delete(np.arange(len(paths), dtype=np.int64), [i for i, _ in broken])
    return Pictures(images, places, broken)
