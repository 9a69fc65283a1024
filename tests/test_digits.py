"""Digits of scikit-learn and MNIST as captioned pictures, and batches of pictures."""

import gzip
import struct

import damage
import numpy as np
import pytest
import torch
from PIL import Image

from t2ilab.data.batches import PictureBatches
from t2ilab.data.digits import SHEET, load_digits, load_mnist, load_mnist_sheet, load_two_digits
from t2ilab.errors import DataError, UsageError
from t2ilab.recipes.data import load_data


def test_digits_come_with_the_library():
    train, test = load_digits(), load_digits("test")
    assert (len(train), len(test), train.size) == (1500, 297, 16)
    assert set(train.classes) == set(test.classes) == set(range(10))
    assert train.captions[0] == ["a handwritten zero", "the digit zero"] and train.classes[0] == 0
    assert (train.images[..., 0] == train.images[..., 2]).all()
    assert train.images.max() > 250 and np.median(train.images[:, 0, 0]) == 0  # white on black


def test_the_eight_pixels_of_the_file_are_kept_as_they_are():
    from sklearn.datasets import load_digits as original

    eight = load_digits(size=8).images[..., 0]
    assert np.abs(eight / 255 * 16 - original().images[:1500]).max() < 0.04


@pytest.fixture
def mnist(tmp_path):
    """Five pictures a split, in the format of the files."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split in ("train", "t10k"):
        images = rng.integers(0, 256, (5, 28, 28), dtype=np.uint8)
        labels = np.array([5, 0, 4, 1, 9], dtype=np.uint8)
        for name, head, body in (
            (f"{split}-images-idx3-ubyte", (2051, 5, 28, 28), images),
            (f"{split}-labels-idx1-ubyte", (2049, 5), labels),
        ):
            data = struct.pack(f">{len(head)}I", *head) + body.tobytes()
            (raw / name).write_bytes(data)
            (raw / f"{name}.gz").write_bytes(gzip.compress(data))
    return tmp_path


def test_mnist_gets_a_border(mnist):
    data = load_mnist(mnist)
    assert data.images.shape == (5, 32, 32, 3) and data.classes.tolist() == [5, 0, 4, 1, 9]
    assert (data.images[:, :2] == 0).all() and (data.images[:, :, 30:] == 0).all()
    assert data.images[:, 2:30, 2:30].mean() > 100
    assert data.captions[0][0] == "a handwritten five"
    assert len(load_mnist(mnist, "test")) == 5


def test_mnist_may_lie_flat_and_be_packed_or_not(mnist):
    before, raw = load_mnist(mnist), mnist / "MNIST" / "raw"
    for ending in (".gz", ""):
        for path in raw.glob("*ubyte" if ending else "*.gz"):
            path.rename(raw / f"{path.name}.away")
        for root in (mnist, mnist / "MNIST", raw):
            after = load_mnist(root)
            assert np.array_equal(before.images, after.images), root
            assert np.array_equal(before.classes, after.classes)
        for path in raw.glob("*.away"):
            path.rename(path.with_suffix(""))


def test_pictures_and_labels_come_from_one_folder(mnist):
    for path in (mnist / "MNIST" / "raw").glob("*labels*"):
        path.rename(mnist / path.name)
    with pytest.raises(DataError, match="train-images-idx3-ubyte is missing .or its labels"):
        load_mnist(mnist)


def header(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


@pytest.mark.parametrize(
    "name, data, words",
    [
        ("images-idx3", header(2049, 5, 28, 28), "magic number 2049 .*expected 2051"),
        ("images-idx3", header(2051, 10**9, 28, 28), "1,000,000,000 items of 784 bytes, but 0 b"),
        ("images-idx3", header(2051, 5, 28, 28) + bytes(784 * 4), "5 items .* but 3,136 bytes"),
        ("images-idx3", header(2051, 5, 28, 28) + bytes(784 * 6), "5 items .* but 4,704 bytes"),
        ("images-idx3", header(2051, 4, 28, 28) + bytes(784 * 4), "4 pictures, but .* 5 labels"),
        ("images-idx3", header(2051, 5, 2**16, 2**16), "sizes .5, 65536, 65536.; expected 2051"),
        ("images-idx3", header(2051, 0, 28, 28), "0 items"),
        ("images-idx3", b"\0\0\x08", "cut short: 3 bytes"),
        ("images-idx3", b"<html>not found</html>", "magic number .* This is another file"),
        ("images-idx3", gzip.compress(bytes(10**8), mtime=0), "magic number 0"),
        ("images-idx3", gzip.compress(bytes(100), mtime=0)[:-9], "the packed file is damaged"),
        ("labels-idx1", header(2049, 5) + bytes([5, 0, 4, 10, 9]), "label 3 is 10; expected"),
        ("labels-idx1", header(2051, 5) + bytes(5), "magic number 2051 .*expected 2049"),
    ],
)
def test_damaged_files_of_mnist_are_named(mnist, name, data, words):
    path = mnist / "MNIST" / "raw" / f"train-{name}-ubyte"
    path.write_bytes(data)
    with pytest.raises(DataError, match=words) as caught:
        load_mnist(mnist)
    assert str(path) in str(caught.value)


def test_a_failed_download_is_told_in_words(tmp_path, monkeypatch):
    def fails(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.MNIST.__init__", fails)
    with pytest.raises(DataError, match="MNIST could not be fetched .no route to host"):
        load_mnist(tmp_path, download=True)


def test_what_the_digits_refuse(tmp_path):
    with pytest.raises(UsageError, match="split"):
        load_digits("val")
    for size in (4, 10**6, 16.0):
        with pytest.raises(UsageError, match="8 or more"):
            load_digits(size=size)
    with pytest.raises(DataError, match="MNIST/raw"):
        load_mnist(tmp_path)


def test_batches_depend_on_seed_and_step_alone_and_an_epoch_sees_all():
    data = load_digits("test")
    one, two = (PictureBatches(data, batch_size=27, channels=1, seed=3) for _ in range(2))
    two(9)
    assert all(torch.equal(one(4)[k], two(4)[k]) for k in ("images", "labels"))
    assert one(0)["images"].shape == (27, 1, 16, 16) and one(0)["images"].dtype == torch.uint8
    seen = torch.cat([one(step)["labels"] for step in range(11)])
    assert torch.equal(seen.sort().values, torch.from_numpy(np.sort(data.classes)))
    by_name = PictureBatches(data, batch_size=27, label="digit", seed=3)
    assert torch.equal(by_name(2)["labels"], one(2)["labels"])
    with pytest.raises(UsageError, match="batch size"):
        PictureBatches(data, batch_size=1000)


def other_bytes(data: bytes, rng) -> tuple[str, bytes]:
    """An IDX file with another header, other items, or packed and then damaged."""
    kind = rng.choice("header header item packed raw".split())
    size = 16 if len(data) > 100 else 8
    numbers, body = list(struct.unpack(f">{size // 4}I", data[:size])), data[size:]
    each, i = len(body) // 5, rng.randrange(5)
    if kind == "packed":
        return kind, damage.raw(gzip.compress(data, mtime=0), rng)[1]
    if kind == "raw":
        return damage.raw(data, rng)
    if kind == "header":
        k = rng.randrange(len(numbers))
        numbers[k] = rng.choice([0, 1, 4, 6, 28, 2049, 2051, 10**9, 2**32 - 1, numbers[k] << 8])
    elif rng.random() < 0.5:
        body = body[: i * each] + body[(i + 1) * each :]
    else:
        body = body[: i * each] + body[i * each :] * 2
    return kind, header(*numbers) + body


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
def test_mutations_are_refused_or_change_no_pair(mnist, name, capsys):
    """What cannot be known: another pixel, another digit from 0 to 9."""
    path = mnist / "MNIST" / "raw" / name
    size = len(path.read_bytes())

    def read():
        data = load_mnist(mnist)
        return data.images.tobytes(), data.classes.tolist(), data.captions

    def knowable(kind, data):
        return kind not in ("flip", "byte") or len(data) != size

    counts = damage.survey(capsys, path, other_bytes, read, knowable)
    assert counts["refused"] > 100


def test_a_sheet_of_mnist_ships(tmp_path, monkeypatch):
    sheet = load_mnist_sheet()
    assert sheet.images.shape == (200, 28, 28, 3) and sheet.name == "mnist/sheet/28"
    assert (np.bincount(sheet.classes) == 20).all() and (np.diff(sheet.classes) >= 0).all()
    ones, zeros = sheet.images[20:40, 10:18, 12:16], sheet.images[:20, 10:18, 12:16]
    assert ones.mean() > 2 * zeros.mean()  # a stroke in the middle, and a hole
    broken = tmp_path / "mnist.png"
    monkeypatch.setattr("t2ilab.data.digits.SHEET", broken)
    whole = SHEET.read_bytes()
    for bad in (b"", whole[:9000], whole[:40], b"text"):
        broken.write_bytes(bad)
        with pytest.raises(DataError, match="mnist.png: cannot be read"):
            load_mnist_sheet()
    Image.new("L", (28, 28)).save(broken)
    with pytest.raises(DataError, match=r"expected 280 x 560"):
        load_mnist_sheet()
    broken.unlink()
    with pytest.raises(DataError, match="Get the course again"):
        load_mnist_sheet()


def test_mnist_in_its_own_size(mnist):
    own, framed = load_mnist(mnist, border=0), load_mnist(mnist)
    assert np.array_equal(own.images, framed.images[:, 2:-2, 2:-2]) and own.name == "mnist/train/28"
    for size, expected in ((28, own), (32, framed)):
        some = load_data(data="mnist", root=str(mnist), size=size, n=3)
        assert np.array_equal(some.images, expected.images[:3])
    with pytest.raises(UsageError, match="28 x 28 or 32 x 32 pixels here, not 16"):
        load_data(data="mnist", root=str(mnist), size=16)
    with pytest.raises(UsageError, match=r"mnist lies in a folder(?s:.)*t10k-images-idx3"):
        load_data(data="mnist", size=28)


def test_two_digits_never_touch_and_stand_where_they_are_said_to():
    data = load_two_digits("test")
    assert len(data) == 1000 and data.images.shape == (1000, 40, 40, 3)
    ones = load_digits("test", 16)
    places = np.stack([[data.attributes[f"{s}_{a}"] for a in "xy"] for s in ("left", "right")])
    apart = np.abs(places[0] - places[1]).max(0)
    assert apart.min() >= 16 and (places[0, 0] <= places[1, 0]).all()
    assert (places >= 0).all() and places.max() == 24  # anywhere
    for i in range(20):
        rest = data.images[i, ..., 0].copy()
        for side, (x, y) in zip(("left", "right"), places[:, :, i], strict=True):
            window = rest[y : y + 16, x : x + 16].copy()
            rest[y : y + 16, x : x + 16] = 0
            same = (ones.images[..., 0] == window).all((1, 2))
            assert data.attributes[side][i] in ones.classes[same]
        assert not rest.any()
    assert data.class_names[data.classes[0]] == " ".join(
        str(data.attributes[side][0]) for side in ("left", "right")
    )
    again = load_two_digits("test", n=3)
    assert (again.images == data.images[:3]).all() and again.captions == data.captions[:3]
    assert (load_data(data="two_digits", size=40, split="test", n=3).images == again.images).all()
    train = {one.tobytes() for one in load_two_digits("train", n=500).images}
    assert not train & {one.tobytes() for one in data.images}


def test_what_two_digits_refuse():
    with pytest.raises(UsageError, match="36 to 256 pixels"):
        load_two_digits(size=32)
    with pytest.raises(UsageError, match="1 to 1000 pictures"):
        load_two_digits("test", n=1001)
    with pytest.raises(UsageError, match="'test'"):
        load_two_digits("tst")
