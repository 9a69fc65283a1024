"""A picture file to a square of pixels, and many files to one array that is kept on disk.

What can be shown is converted: greyscale, palettes, transparency (over white), CMYK, and up to 16
bits a channel, scaled by the depth that the file states rather than clipped. What cannot is refused
with a `DataError` that names the file. Data sets, folders of photographs and uploads in a widget
are all read by these rules.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8
from PIL import Image, UnidentifiedImageError, features

from t2ilab.data import kept
from t2ilab.errors import DataError, UsageError, choose
from t2ilab.paths import cache_dir

Box = tuple[float, float, float, float]  # left, top, right, bottom in the upright picture

CROPS = ("centre", "squash")
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM") + (
    ("AVIF",) if "avif" in features.get_supported() else ()  # from Pillow 11.3 on
)
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
_ORIENTATION, _BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 0x0112, 258, 262, 339  # tags of EXIF, TIFF
_KINDS = {  # first bytes -> what it is; the first four of a file that names its brand are a length
    b"ftyphei": "a HEIC picture",
    b"ftyphev": "a HEIC picture",
    b"ftypmif1": "a HEIC picture",
    b"ftypmsf1": "a HEIC picture",
    b"ftypavi": "an AVIF picture",
    b"ftyp": "a film",
    b"\0\0\0\x0cjP": "a JPEG 2000 picture",
    b"\0\0\0\x0cJXL": "a JPEG XL picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"8BPS": "a Photoshop picture",
    b"%PDF": "a PDF file",
    b"II*\0": "a TIFF picture of a rare kind",
    b"MM\0*": "a TIFF picture of a rare kind",
}
_VERSION = 2  # part of the name of what is kept: raise it when pictures come out differently
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
    source: str | Path | bytes | memoryview,
    size: int,
    *,
    crop: str = "centre",
    box: Box | None = None,
) -> UInt8[np.ndarray, "size size 3"]:
    """One picture as a square of `size` pixels, RGB, values 0 to 255.

    Args:
        source: a JPEG, PNG, GIF (first frame), BMP, TIFF, WebP, PPM or PGM file; AVIF too, where
            Pillow can. Its path, or its bytes (an upload).
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
    with _named(source):
        image = _open(source)
        square = image.crop(_region(image.size, crop, box))
        return np.array(square.resize((size, size), Image.Resampling.BICUBIC))


def whole(source: str | Path | bytes | memoryview) -> UInt8[np.ndarray, "h w 3"]:
    """One picture in its own size and proportions, upright, RGB, values 0 to 255.

    Raises:
        DataError: as `read`.
    """
    with _named(source):
        return np.array(_open(source))


@contextmanager
def _named(source: str | Path | bytes | memoryview) -> Iterator[None]:
    """What is refused within is told with the name of its file."""
    try:
        yield
    except _Refused as refused:
        name = "" if isinstance(source, bytes | memoryview) else f"{source}: "
        raise DataError(f"{name}{refused}") from refused.__cause__


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
        path, shape = cache_dir() / "pictures" / f"{name}.npy", (len(paths), size, size, 3)
        advice = ", or read with cache=False"
        images, broken = kept.rows(path, squares, shape, partial=skip, otherwise=advice)
    else:
        images, broken = _in_memory(squares, size)
    return _judge(paths, images, broken, skip, report)


def _check(size: int, crop: str) -> None:
    choose("crop", crop, CROPS)
    if not isinstance(size, int | np.integer) or not 1 <= size <= MAX_SIZE:
        raise UsageError(
            f"a picture cannot be {size!r} pixels wide: give a whole number from 1 to {MAX_SIZE}."
        )


class _Refused(Exception):
    """Why a picture is not read, without its name."""


def _open(source: str | Path | bytes | memoryview) -> Image.Image:
    """The decoded picture, RGB and upright."""
    head = b""
    try:
        with _file(source) as file:
            head = file.read(16)
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                image.load()
                turn = _UPRIGHT.get(_orientation(image))
                image = _to_rgb(image)
                return image if turn is None else image.transpose(turn)
    except _Refused:
        raise
    except Exception as error:  # Pillow's readers raise many kinds, down to IndexError
        raise _Refused(_explain(error, head)) from error


def _file(source: str | Path | bytes | memoryview) -> BinaryIO:
    if isinstance(source, bytes | memoryview):
        data, size = bytes(source), len(source)
    else:
        path = Path(source)
        if path.is_dir():
            raise _Refused("this is a folder; a picture file was expected.")
        data, size = None, path.stat().st_size  # 0 of a pipe, too, which is never opened
    if size == 0:
        raise _Refused("the file is empty (0 bytes). Copy it again from its source.")
    return BytesIO(data) if data is not None else open(path, "rb")


def _explain(error: Exception, head: bytes) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "there is no such file. Put the picture there, or correct the path."
    if isinstance(error, PermissionError):
        return "the file may not be read. Change its permissions."
    if isinstance(error, UnidentifiedImageError):
        return _foreign(head)
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return (
            f"the picture unpacks to more than {MAX_PIXELS:,} pixels (a decompression bomb?). "
            "If it is a real picture, save it smaller."
        )
    if isinstance(error, MemoryError):
        return "there is not enough memory to unpack the picture. Save it smaller."
    if not head or getattr(error, "strerror", None):
        return f"the file cannot be read ({getattr(error, 'strerror', None) or error})."
    said = str(error)[:200]
    return f"the picture is cut short or damaged ({said}). Copy it again from its source."


def _foreign(head: bytes) -> str:
    """What a file that begins with `head` is, if none of those that are read."""
    for first, kind in _KINDS.items():
        if head.startswith(first) or head[4:].startswith(first):
            return (
                f"this is {kind}, which is not read here, or it is damaged. "
                "Save it as a JPEG or PNG file."
            )
    return (
        "this is not a picture, or its first bytes are damaged. Expected a JPEG, PNG, GIF, "
        "BMP, TIFF, WebP, PPM or PGM file; copy it again from its source."
    )


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF says nothing of the pixels: take the picture as it lies
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    bits, signed, inverted = _depth(image)
    if image.mode == "F" or (image.mode == "I" and bits > 16):
        raise _Refused(
            f"the picture has 32 bits a channel (mode {image.mode}), so which "
            "value is white is unknown. Save it with 8 or 16 bits a channel."
        )
    try:
        if image.mode == "I" or image.mode.startswith("I;16") or (image.mode == "L" and signed):
            image = _to_8_bits(image, bits, signed, inverted)
        if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
            image = _over_white(image)
        return image.convert("RGB")
    except ValueError as error:
        raise _Refused(
            f"the colours of the picture (mode {image.mode}) cannot be shown "
            f"as RGB ({error}). Save it as RGB."
        ) from error


def _depth(image: Image.Image) -> tuple[int, bool, bool]:
    """Of a grey picture: bits a pixel, are they signed, and is 0 white? (All by TIFF's tags.)"""
    tags = getattr(image, "tag_v2", {})
    bits, kinds = tags.get(_BITS, (16,)), tags.get(_SAMPLE_FORMAT, (1,))
    # Pillow turns 8 bits over by itself. It scales PGM's depths to 16 bits; PNG knows no others.
    return bits[0], kinds[0] == 2, tags.get(_PHOTOMETRIC) == 0


def _to_8_bits(image: Image.Image, bits: int, signed: bool, inverted: bool) -> Image.Image:
    """The whole range that the depth allows to 0..255; signed values from the lowest one on.

    (Pillow's own `convert` clips at 255: nearly all of it turns white.)
    """
    values = np.asarray(image).astype(np.int32)
    clear = values == image.info.get("transparency", -1)
    if signed:
        values = (values + (1 << bits - 1)) % (1 << bits)  # 8 bits come without their sign
    grey = np.rint(values * (255 / ((1 << bits) - 1))).clip(0, 255).astype(np.uint8)
    grey[clear] = 255
    return Image.fromarray(255 - grey if inverted else grey)


def _over_white(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _region(size: tuple[int, int], crop: str, box: Box | None) -> tuple[int, ...]:
    """What of a picture of (width, height) is taken: left, top, right, bottom, whole pixels."""
    width, height = size
    left, top, right, bottom = (0, 0, width, height) if box is None else box
    known = all(map(math.isfinite, (left, top, right, bottom)))
    if known:
        left, top = max(round(left), 0), max(round(top), 0)
        right, bottom = min(round(right), width), min(round(bottom), height)
    if not (known and left < right and top < bottom):
        raise _Refused(
            f"nothing of the box {box} (left, top, right, bottom) lies in this "
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
