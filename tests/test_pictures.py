"""Reading picture files: what is converted, what is refused, and what is kept on disk."""

import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from t2ilab.data import pictures
from t2ilab.data.captioned import to_float
from t2ilab.durable import SUFFIX
from t2ilab.errors import DataError, UsageError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("T2ILAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pictures"


def thirds() -> Image.Image:
    """90 x 30: red, green, blue from left to right."""
    pixels = np.zeros((30, 90, 3), np.uint8)
    for k, colour in enumerate((RED, GREEN, BLUE)):
        pixels[:, 30 * k : 30 * k + 30] = colour
    return Image.fromarray(pixels)


def save(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


def near(pixels, colour, tolerance=2) -> bool:
    return bool(np.all(np.abs(pixels.astype(int) - np.array(colour)) <= tolerance))


# --------------------------------------------------------------------------- cut and resized


def test_centre_takes_the_middle_square_and_squash_takes_all(tmp_path):
    path = save(thirds(), tmp_path / "a.png")
    centre = pictures.read(path, 12)
    assert centre.shape == (12, 12, 3) and centre.dtype == np.uint8
    assert near(centre, GREEN)
    squashed = pictures.read(path, 12, crop="squash")
    assert [near(squashed[:, i], c) for i, c in ((0, RED), (6, GREEN), (11, BLUE))] == [True] * 3


def test_a_tall_picture_keeps_its_middle(tmp_path):
    path = save(thirds().transpose(Image.Transpose.ROTATE_90), tmp_path / "a.png")
    assert near(pictures.read(path, 7), GREEN)


def test_small_is_an_average_and_not_a_sample(tmp_path):
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)  # one-pixel checks
    assert near(pictures.read(save(Image.fromarray(board), tmp_path / "a.png"), 16), (127,) * 3, 3)


def test_a_box_is_cut_first_and_what_reaches_outside_is_dropped(tmp_path):
    path = save(thirds(), tmp_path / "a.png")
    assert near(pictures.read(path, 8, box=(0, 0, 30, 30)), RED)
    assert near(pictures.read(path, 8, box=(62.5, -50, 400, 90)), BLUE)
    with pytest.raises(DataError, match=r"a\.png.*nothing of the box.*90 x 30"):
        pictures.read(path, 8, box=(90, 0, 120, 30))
    for odd in (float("nan"), float("inf")):
        with pytest.raises(DataError, match="nothing of the box"):
            pictures.read(path, 8, box=(0, 0, odd, 9))


def test_wrong_size_and_crop_are_refused(tmp_path):
    path = save(thirds(), tmp_path / "a.png")
    for size in (0, -1, 2.5, "64", 100_000):
        with pytest.raises(UsageError, match="whole number from 1"):
            pictures.read(path, size)
    with pytest.raises(UsageError, match="did you mean 'centre'"):
        pictures.read(path, 8, crop="center")


# --------------------------------------------------------------------------- converted


@pytest.mark.parametrize(
    "mode, fill, name, expected",
    [
        ("L", 100, "a.png", (100, 100, 100)),
        ("1", 1, "a.png", WHITE),
        ("RGBA", (0, 0, 0, 0), "a.png", WHITE),
        ("RGBA", (255, 0, 0, 128), "a.png", (255, 127, 127)),
        ("LA", (0, 128), "a.png", (127, 127, 127)),
        ("RGBA", (0, 0, 255, 0), "a.webp", WHITE),
        ("CMYK", (0, 255, 255, 0), "a.jpg", RED),
        ("CMYK", (0, 255, 255, 0), "a.tif", RED),
        ("P", 0, "a.gif", (0, 0, 0)),
        ("RGB", GREEN, "a.bmp", GREEN),
        ("RGB", GREEN, "a.ppm", GREEN),
    ],
)
def test_modes_are_converted(tmp_path, mode, fill, name, expected):
    path = save(Image.new(mode, (20, 20), fill), tmp_path / name)
    assert near(pictures.read(path, 8), expected)


def test_a_transparent_palette_lies_over_white(tmp_path):
    image = Image.new("P", (10, 10), 1)
    image.putpalette([*RED, *BLUE])
    assert near(pictures.read(save(image, tmp_path / "a.png"), 8), BLUE)
    assert near(pictures.read(save(image, tmp_path / "b.png", transparency=1), 8), WHITE)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path, name):
    ramp = np.repeat(np.linspace(0, 65535, 64).astype(np.uint16)[None], 64, 0)
    path = save(Image.fromarray(ramp), tmp_path / name)
    assert near(pictures.read(path, 64), np.rint(ramp / 257)[..., None], 1)


def test_16_bit_colour_is_scaled(tmp_path):
    rows = b"".join(b"\0" + struct.pack(">3H", 65535, 32768, 0) * 8 for _ in range(8))
    path = png(tmp_path / "a.png", 8, bits=16, rows=rows)
    assert near(pictures.read(path, 4), (255, 128, 0), 1)


def png(path: Path, side: int, *, bits: int, rows: bytes) -> Path:
    """An RGB picture written by hand: Pillow cannot write 16 bits, or lie about the size."""

    def part(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">2I5B", side, side, bits, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", header)
        + part(b"IDAT", zlib.compress(rows))
        + part(b"IEND", b"")
    )
    return path


def tiff(values, *, bits: int, kind: int = 1, photometric: int = 1, order: str = "<") -> bytes:
    """A grey TIFF of one row, written by hand: Pillow writes neither 12 bits nor signed ones."""
    if bits == 12:
        packed = "".join(f"{value:012b}" for value in values)
        pixels = int(packed, 2).to_bytes(len(packed) // 8, "big")
    else:
        pixels = np.array(values, f"{order}{'ui'[kind == 2]}{bits // 8}").tobytes()
    tags = {256: len(values), 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8}
    tags |= {277: 1, 278: 1, 279: len(pixels), 339: kind}
    listed = [struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items()]
    start = struct.pack(f"{order}HI", 42, 8 + len(pixels))
    count = struct.pack(f"{order}H", len(tags))
    mark = {"<": b"II", ">": b"MM"}[order]
    return mark + start + pixels + count + b"".join(listed) + bytes(4)


def pgm(most: int, *values: int) -> bytes:
    kind = ">u2" if most > 255 else "u1"
    return f"P5 {len(values)} 1 {most}\n".encode() + np.array(values, kind).tobytes()


@pytest.mark.parametrize(
    "data",
    [
        pgm(65535, 0, 65535, 32768, 6554),
        pgm(4095, 0, 4095, 2048, 410),
        pgm(1023, 0, 1023, 512, 102),
        pgm(100, 0, 100, 50, 10),
        b"P2 4 1 65535 0 65535 32768 6554\n",
        b"P3 4 1 1023 0 0 0 1023 1023 1023 512 512 512 102 102 102\n",
        b"P6 4 1 65535\n" + np.repeat(np.array([0, 65535, 32768, 6554], ">u2"), 3).tobytes(),
        tiff([0, 4095, 2048, 410], bits=12),
        tiff([65535, 0, 32767, 58981], bits=16, photometric=0),  # 0 is white
        *(tiff([0, 65535, 32768, 6554], bits=16, order=order) for order in "<>"),
        *(tiff([-32768, 32767, 0, -26214], bits=16, kind=2, order=order) for order in "<>"),
        tiff([-128, 127, 0, -102], bits=8, kind=2),
        tiff([255, 0, 127, 229], bits=8, photometric=0),
    ],
    ids=lambda data: ascii(data[:12]),
)
def test_grey_is_scaled_by_the_depth_that_the_file_states(data):
    """Black, white, the middle and a tenth."""
    pixels = [pictures.read(data, 1, box=(i, 0, i + 1, 1))[0, 0] for i in range(4)]
    assert near(np.stack(pixels), [[0] * 3, [255] * 3, [127.5] * 3, [25.5] * 3], 1.5)


def test_a_transparent_value_of_16_bit_grey_is_white(tmp_path):
    grey = Image.fromarray(np.array([[0, 1000]] * 2, np.uint16))
    path = save(grey, tmp_path / "a.png", transparency=1000)
    assert near(pictures.read(path, 1, box=(0, 0, 1, 1)), (0, 0, 0))
    assert near(pictures.read(path, 1, box=(1, 0, 2, 1)), WHITE)


def test_bytes_are_read_by_the_same_rules_as_files(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in (
        save(Image.fromarray(np.full((9, 9), 30_000, np.uint16)), tmp_path / "deep.png"),
        save(Image.new("RGBA", (9, 9), (255, 0, 0, 0)), tmp_path / "clear.png"),
        save(thirds(), tmp_path / "turned.jpg", exif=exif),
    ):
        data, expected = path.read_bytes(), pictures.read(path, 8, crop="squash")
        for content in (data, memoryview(data)):
            assert np.array_equal(pictures.read(content, 8, crop="squash"), expected)
    for content, words in ((b"", "the file is empty"), (b"nothing", "this is not a picture")):
        with pytest.raises(DataError, match=f"^{words}"):
            pictures.read(content, 8)
    with pytest.raises(DataError, match="^nothing of the box"):
        pictures.read(data, 8, box=(90, 90, 99, 99))


def test_avif_is_read_where_pillow_can(tmp_path):
    if "AVIF" not in pictures.FORMATS:
        pytest.skip("the installed Pillow reads no AVIF")
    path = save(Image.new("RGB", (16, 16), GREEN), tmp_path / "a.avif")
    assert near(pictures.read(path, 8), GREEN, 4)


def test_32_bits_a_channel_are_refused_by_name(tmp_path):
    for mode in ("F", "I"):
        path = save(Image.new(mode, (8, 8)), tmp_path / f"{mode}.tif")
        with pytest.raises(DataError, match=rf"{mode}\.tif.*32 bits.*Save it with 8 or 16"):
            pictures.read(path, 8)


def test_colours_that_cannot_be_shown_are_refused_by_name(tmp_path, monkeypatch):
    def convert(image, mode):  # as Pillow answers for colour spaces that it does not know
        raise ValueError(f"conversion from {image.mode} to {mode} not supported")

    path = save(Image.new("RGB", (8, 8)), tmp_path / "odd.tif")
    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(DataError, match=r"odd\.tif.*mode RGB.*Save it as RGB"):
        pictures.read(path, 8)


@pytest.mark.parametrize(
    "orientation, stored",
    [
        (1, None),
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (4, Image.Transpose.FLIP_TOP_BOTTOM),
        (5, Image.Transpose.TRANSPOSE),
        (6, Image.Transpose.ROTATE_90),
        (7, Image.Transpose.TRANSVERSE),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_exif_orientation_is_honoured(tmp_path, orientation, stored):
    upright = np.zeros((40, 40, 3), np.uint8)
    upright[:20, :20], upright[:20, 20:], upright[20:, :20] = RED, GREEN, BLUE
    image = Image.fromarray(upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(image if stored is None else image.transpose(stored), tmp_path / "a.png", exif=exif)
    assert near(pictures.read(path, 40), upright)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's own
def test_damaged_exif_does_not_stop_a_picture(tmp_path):
    damaged = b"Exif\0\0MM\0*\xff\xff\xff\xffnonsense"
    path = save(Image.new("RGB", (16, 16), GREEN), tmp_path / "a.jpg", exif=damaged)
    assert near(pictures.read(path, 8), GREEN, 4)


# --------------------------------------------------------------------------- refused


def test_a_truncated_picture_is_refused(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    for name, options in (
        ("a.jpg", {}),
        ("p.jpg", {"progressive": True}),
        ("a.png", {}),
        ("a.gif", {}),
        ("a.bmp", {}),
        ("a.webp", {}),
        ("a.tif", {}),
        *([("a.avif", {})] if "AVIF" in pictures.FORMATS else []),
    ):
        path = save(noise, tmp_path / name, **options)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match=rf"{name}: .*(cut short|not a picture|damaged)"):
            pictures.read(path, 8)


def test_what_is_not_a_picture_is_refused(tmp_path):
    (tmp_path / "page.jpg").write_text("<html>404</html>")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name, words in (
        ("page.jpg", "not a picture.*Expected a JPEG"),
        ("empty.jpg", "0 bytes"),
        ("none.jpg", "no such file"),
        (".", "folder"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            pictures.read(tmp_path / name, 8)
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    "first, kind",
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "an AVIF picture"),
        (b"\0\0\0\x20ftypisom\0\0\0\0", "a film"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
        (b"%PDF-1.7", "a PDF file"),
        (tiff([0, 1], bits=16, kind=3), "a TIFF picture of a rare kind"),
        (tiff([0, 1], bits=32, order=">"), "a TIFF picture of a rare kind"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path, first, kind):
    path = tmp_path / "a.jpg"
    path.write_bytes(first)
    with pytest.raises(DataError, match=rf"a\.jpg: this is {kind}.*Save it as a JPEG or PNG"):
        pictures.read(path, 8)


def test_names_that_no_file_has_are_refused(tmp_path):
    for name in ("a\0b.jpg", "x" * 300 + ".jpg"):
        with pytest.raises(DataError, match="the file cannot be read"):
            pictures.read(tmp_path / name, 8)


def test_programs_in_a_picture_format_are_not_run(tmp_path):
    save(Image.new("RGB", (8, 8)), tmp_path / "a.eps")
    with pytest.raises(DataError, match="not a picture"):
        pictures.read(tmp_path / "a.eps", 8)


def test_a_picture_of_no_pixels_is_refused(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P6\n0 0\n255\n")
    with pytest.raises(DataError, match=r"a\.ppm"):
        pictures.read(tmp_path / "a.ppm", 8)


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    path = png(tmp_path / "bomb.png", 60_000, bits=8, rows=b"\0" * 100)  # it says 60,000 wide
    with pytest.raises(DataError, match=r"bomb\.png.*decompression bomb.*save it smaller"):
        pictures.read(path, 8)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 90 * 30 - 1)
    with pytest.raises(DataError, match="decompression bomb"):
        pictures.read(save(thirds(), tmp_path / "a.png"), 8)


# --------------------------------------------------------------------------- many


def shades(folder: Path, n: int) -> list[Path]:
    folder.mkdir(exist_ok=True)
    return [save(Image.new("RGB", (12, 9), (i, 0, 255 - i)), folder / f"{i}.png") for i in range(n)]


def test_many_pictures_come_in_order_with_and_without_the_cache(tmp_path, cache):
    paths = shades(tmp_path / "p", 300)
    expected = np.stack([np.full((4, 4, 3), (i % 256, 0, 255 - i), np.uint8) for i in range(256)])
    plain = pictures.read_many(paths[:256], 4, cache=False)
    assert not cache.exists()
    first, again = (pictures.read_many(paths[:256], 4) for _ in range(2))
    for read in (plain, first, again):
        assert np.array_equal(read.images, expected)
        assert read.kept.tolist() == list(range(256)) and read.broken == []
    assert isinstance(again.images, np.memmap)
    assert len(pictures.read_many(paths, 4).images) == 300  # more than one chunk


def test_the_kept_array_is_used_and_can_be_written_to_without_harm(tmp_path, monkeypatch, recwarn):
    paths = shades(tmp_path / "p", 3)
    pictures.read_many(paths, 4)
    monkeypatch.setattr(pictures, "read", None)  # reading again would fail
    images = pictures.read_many(paths, 4).images
    images[:] = 7
    assert pictures.read_many(paths, 4).images[2, 0, 0, 0] == 2
    to_float(images[:2])  # a view of the file: no warning that it cannot be written
    assert not recwarn.list


def test_changed_files_sizes_and_crops_are_read_anew(tmp_path):
    paths = shades(tmp_path / "p", 2)
    before = pictures.read_many(paths, 4).images.copy()
    Image.new("RGB", (12, 9), GREEN).save(paths[1])
    os.utime(paths[1], ns=(1, 1))
    after = pictures.read_many(paths, 4).images
    assert np.array_equal(after[0], before[0]) and near(after[1], GREEN)
    assert pictures.read_many(paths, 5).images.shape == (2, 5, 5, 3)
    wide = [save(thirds(), tmp_path / "wide.png")]
    ways = [{}, {"crop": "squash"}, {"boxes": [(0, 0, 9, 9)]}, {"boxes": [(60, 0, 90, 9)]}]
    corners = [pictures.read_many(wide, 9, **way).images[0, 0, 0] for way in ways]
    assert [near(a, b) for a, b in zip(corners, (GREEN, RED, RED, BLUE), strict=True)] == [True] * 4


def test_broken_pictures_stop_the_reading_and_are_named(tmp_path, cache):
    paths = shades(tmp_path / "p", 9)
    for path in paths[1:8]:
        path.write_text("no picture")
    with pytest.raises(DataError, match="7 of 9 pictures cannot be read") as caught:
        pictures.read_many(paths, 4)
    message = str(caught.value)
    assert [str(p) in message for p in paths] == [False] + [True] * 5 + [False] * 3
    assert "and 2 more" in message and "skip=True" in message
    assert not [p for p in cache.iterdir() if p.suffix != ".lock"]  # nothing was kept


@pytest.mark.parametrize("keep", [True, False])
def test_broken_pictures_are_left_out_and_reported_on_demand(tmp_path, keep):
    paths = shades(tmp_path / "p", 5)
    paths[1].write_text("no picture")
    paths[3].unlink()
    for _ in range(2):  # the second time from the cache
        said = []
        read = pictures.read_many(paths, 4, skip=True, cache=keep, report=said.append)
        assert read.kept.tolist() == [0, 2, 4]
        assert read.images[:, 0, 0, 0].tolist() == [0, 2, 4]
        assert [i for i, _ in read.broken] == [1, 3]
        assert len(said) == 1 and "2 of 5" in said[0] and str(paths[3]) in said[0]
    with pytest.raises(DataError, match="2 of 5"):
        pictures.read_many(paths, 4, cache=keep)
    shades(tmp_path / "p", 5)  # mended
    assert len(pictures.read_many(paths, 4, cache=keep).images) == 5


def test_nothing_left_is_an_error_even_when_skipping(tmp_path):
    with pytest.raises(DataError, match="2 of 2"):
        pictures.read_many([tmp_path / "a.jpg", tmp_path / "b.jpg"], 4, skip=True)


def test_no_pictures_and_a_wrong_number_of_boxes(tmp_path):
    assert pictures.read_many([], 4).images.shape == (0, 4, 4, 3)
    with pytest.raises(UsageError, match="1 pictures but 2 boxes"):
        pictures.read_many([tmp_path / "a.png"], 4, boxes=[(0, 0, 1, 1)] * 2)


# --------------------------------------------------------------------------- kept on disk


def test_a_full_disk_is_said_in_words_and_leaves_nothing(tmp_path, cache):
    resource = pytest.importorskip("resource")
    paths = shades(tmp_path / "p", 40)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # 40 x 64 x 64 x 3 = 491 kB
    try:
        with pytest.raises(DataError, match=r"0\.5 MB.*T2ILAB_CACHE.*cache=False"):
            pictures.read_many(paths, 64)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [p for p in cache.iterdir() if p.suffix != ".lock"]
    assert len(pictures.read_many(paths, 64).images) == 40


READER = """
import sys, time
from pathlib import Path
from t2ilab.data import pictures
slow, read = float(sys.argv[2]), pictures.read
def slowly(*args, **options):
    time.sleep(slow)
    return read(*args, **options)
pictures.read = slowly
paths = [Path(sys.argv[1]) / f"{i}.png" for i in range(40)]
print("sum", int(pictures.read_many(paths, 4).images.astype(int).sum()))
"""


def start(folder: Path, slow: float) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", READER, str(folder), str(slow)], text=True, stdout=subprocess.PIPE
    )


def test_two_processes_may_read_at_once(tmp_path):
    paths = shades(tmp_path / "p", 40)
    both = [start(tmp_path / "p", 0.01) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    expected = int(pictures.read_many(paths, 4, cache=False).images.astype(int).sum())
    assert said == [f"sum {expected}\n"] * 2
    assert [process.returncode for process in both] == [0, 0]


def test_a_killed_process_leaves_nothing_that_is_taken_for_whole(tmp_path, cache):
    paths = shades(tmp_path / "p", 40)
    process = start(tmp_path / "p", 5)
    patience = time.time() + 60
    while not list(cache.glob(f".*{SUFFIX}")):
        assert time.time() < patience and process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.communicate()
    abandoned = list(cache.glob(f".*{SUFFIX}"))
    assert abandoned and not list(cache.glob("*.npy"))
    read = pictures.read_many(paths, 4)
    assert np.array_equal(read.images, pictures.read_many(paths, 4, cache=False).images)
    assert not abandoned[0].exists()  # that writing cleared it away
