"""CIFAR-10 in its three layouts, on a few records that are written here."""

import os
import pickle
import struct

import damage
import numpy as np
import pytest
import torch
from PIL import Image

from t2ilab import catalogue
from t2ilab.data import cifar10, pickled
from t2ilab.errors import DataError, T2ILabError, UsageError
from t2ilab.recipes.data import load_data
from t2ilab.recipes.train import train

LABELS = [[3, 8, 0, 9], [6, 1, 2], [5, 4], [7], [0, 3]]  # of the five batches
TEST = [2, 2, 7, 1, 0, 5, 9]


def some(n: int, seed: int) -> np.ndarray:
    """n pictures [n, 32, 32, 3], darker from corner to corner, whose colours differ."""
    rng = np.random.default_rng(seed)
    ramp = np.arange(32)[:, None, None] * 2 + np.arange(32)[None, :, None] * 3
    tint = rng.integers(0, 90, (n, 1, 1, 3))
    return (ramp + tint + rng.integers(0, 8, (n, 32, 32, 3))).clip(0, 255).astype(np.uint8)


def rows(images: np.ndarray) -> np.ndarray:
    """[n, 3072]: all of red, then of green, then of blue."""
    return np.stack([np.concatenate([one[..., c].ravel() for c in range(3)]) for one in images])


class Python2(pickle._Pickler):
    """Writes texts and bytes alike as the strings of Python 2, and NumPy's old names."""

    dispatch = pickle._Pickler.dispatch.copy()

    def _string(self, text):
        raw = text.encode() if isinstance(text, str) else text
        short = len(raw) < 256
        head = b"U" + bytes([len(raw)]) if short else b"T" + struct.pack("<i", len(raw))
        self.write(head + raw)
        self.memoize(text)

    dispatch[str] = dispatch[bytes] = _string


def python2(value) -> bytes:
    from io import BytesIO

    file = BytesIO()
    Python2(file, protocol=2).dump(value)
    return file.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def batch(images: np.ndarray, labels: list[int], **other) -> bytes:
    names = [f"picture_s_{i:06}.png" for i in range(len(labels))]
    held = {"batch_label": "training batch", "labels": labels, "data": rows(images)}
    return python2(held | {"filenames": names} | other)


TRAIN = [some(len(labels), i) for i, labels in enumerate(LABELS)]
TESTED = some(len(TEST), 9)
BATCHES = [(f"data_batch_{i + 1}", TRAIN[i], LABELS[i]) for i in range(5)]
BATCHES += [("test_batch", TESTED, TEST)]


@pytest.fixture
def python(tmp_path):
    (folder := tmp_path / "cifar-10-batches-py").mkdir()
    for name, images, labels in BATCHES:
        (folder / name).write_bytes(batch(images, labels))
    return tmp_path


@pytest.fixture
def binary(tmp_path):
    (folder := tmp_path / "cifar-10-batches-bin").mkdir()
    for name, images, labels in BATCHES:
        records = np.concatenate([np.array(labels, np.uint8)[:, None], rows(images)], 1)
        (folder / f"{name}.bin").write_bytes(records.tobytes())
    return tmp_path


@pytest.fixture
def folders(tmp_path):
    images, labels = np.concatenate(TRAIN), sum(LABELS, [])
    for split, some_images, of in (("train", images, labels), ("test", TESTED, TEST)):
        for name in cifar10.CLASSES:
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", (32, 32)).save(tmp_path / split / name / "9999.png")
        for i, (one, label) in enumerate(zip(some_images, of, strict=True)):
            Image.fromarray(one).save(tmp_path / split / cifar10.CLASSES[label] / f"{i:04}.png")
    return tmp_path


@pytest.mark.parametrize("layout", ["python", "binary"])
def test_batches_are_read_with_their_colours_last(layout, request):
    root = request.getfixturevalue(layout)
    data = cifar10.load(root)
    assert np.array_equal(data.images, np.concatenate(TRAIN)) and data.name == "cifar10/train/32"
    assert data.classes.tolist() == sum(LABELS, []) and data.class_names == list(cifar10.CLASSES)
    assert data.captions[2:4] == [["a picture of an airplane"], ["a picture of a truck"]]
    test = load_data(data="cifar10", root=str(root), split="test", size=32)
    assert np.array_equal(test.images, TESTED) and test.classes.tolist() == TEST
    own = next(path for path in root.iterdir())  # the root may be the folder of the files itself
    assert np.array_equal(cifar10.load(own, n=5).images, data.images[:5])
    small = cifar10.load(root, size=8, n=2).images
    assert small.shape == (2, 8, 8, 3)
    assert np.abs(small.mean((1, 2)) - data.images[:2].mean((1, 2))).max() < 2


def test_the_fixture_is_as_python_2_wrote_it(python):
    data = (python / "cifar-10-batches-py" / "data_batch_1").read_bytes()
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in data and b"U\x06labels" in data
    held = pickle.loads(data, encoding="bytes")  # of our own making
    assert np.array_equal(held[b"data"], rows(TRAIN[0])) and held[b"labels"] == LABELS[0]


def test_folders_come_a_picture_of_each_class_in_turn(folders):
    data = cifar10.load(folders)
    assert data.classes.tolist()[:10] == list(range(10)) and len(data) == 12 + 10
    first_bird = np.concatenate(TRAIN)[sum(LABELS, []).index(2)]
    assert np.array_equal(data.images[2], first_bird)
    assert cifar10.load(folders, "test", n=3).classes.tolist() == [0, 1, 2]
    assert load_data(data="cifar10", root=str(folders), size=16).size == 16
    jpeg = folders / "train" / "bird" / "0000.JPG"
    Image.fromarray(first_bird).save(jpeg, "JPEG", quality=95)
    near = cifar10.load(folders, n=3).images[2].astype(int) - first_bird
    assert 0 < np.abs(near).mean() < 8


@pytest.mark.parametrize("layout", ["python", "binary"])
def test_a_missing_file_is_named_with_where_to_get_it(layout, request):
    root = request.getfixturevalue(layout)
    path = next(iter(root.iterdir())) / ("data_batch_4" + (".bin" if layout == "binary" else ""))
    path.unlink()
    with pytest.raises(DataError, match=r"(?s)data_batch_4.* is missing.*kriz/cifar") as caught:
        cifar10.load(root)
    assert str(path) in str(caught.value)
    assert len(cifar10.load(root, "test")) == 7


def test_nothing_there_and_not_unpacked(tmp_path):
    with pytest.raises(DataError, match=r"(?s)cifar-10-batches-py is missing.*or\n.*bin.*or\n"):
        cifar10.load(tmp_path)
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"")
    with pytest.raises(DataError, match="cifar-10-binary.tar.gz is there: unpack it"):
        cifar10.load(tmp_path)
    with pytest.raises(UsageError, match="(?s)cifar10 lies in a folder of yours.*data_batch_1"):
        load_data(data="cifar10", size=32)
    with pytest.raises(UsageError, match="train, test|'train'"):
        cifar10.load(tmp_path, "val")
    with pytest.raises(UsageError, match="ask for 8 to 64"):
        cifar10.load(tmp_path, size=128)
    with pytest.raises(UsageError, match="at least 1"):
        cifar10.load(tmp_path, n=0)


RECORD = bytes([3]) + bytes(3072)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "0 bytes; expected records of 3,073 bytes"),
        (RECORD[:-1], "3,072 bytes; expected records of 3,073"),
        (2 * RECORD + RECORD[:9], "6,155 bytes; .* Is it cut short"),
        (2 * (b"\0" + RECORD), "6,148 bytes; .* Two labels a record are CIFAR-100"),
        (RECORD + bytes([10]) + bytes(3072), "label 1 is 10; expected 0 to 9"),
    ],
)
def test_damaged_records_are_named(binary, content, words):
    path = binary / "cifar-10-batches-bin" / "data_batch_2.bin"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        cifar10.load(binary)
    assert str(path) in str(caught.value)


def test_more_records_than_a_file_has_are_refused(binary, monkeypatch):
    monkeypatch.setattr(cifar10, "MOST", 3)
    with pytest.raises(DataError, match="12,292 bytes; .* 1 to 3 of them"):
        cifar10.load(binary)


class Evil:
    """What a pickle can do: a file is made while it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


WHOLE = batch(TRAIN[1], LABELS[1])
DATA = rows(TRAIN[1])


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "no pickle, or one cut short"),
        (WHOLE[:-1], "no pickle, or one cut short"),
        (WHOLE[: len(WHOLE) // 2], "cut short"),
        (WHOLE + b"more", "4 bytes follow"),
        (b"<html>not found</html>", "no pickle|unknown here"),
        (python2([1, 2]), "holds no dict"),
        (python2({"data": DATA, "fine_labels": [0]}), "data, fine_labels; .* This is CIFAR-100"),
        (python2({"labels": [1]}), "holds labels; expected data and labels"),
        (batch(TRAIN[1], LABELS[1][:2]), "data has 3 rows, and there are 2 labels"),
        (batch(TRAIN[1], [1, 2, 10]), "label 2 is 10; expected 0 to 9"),
        (batch(TRAIN[1], [1, 2, "3"]), "labels is no list of whole numbers"),
        (batch(TRAIN[1], LABELS[1], data=DATA[:, :1024]), r"of shape \[3, 1024\]; expected"),
        (batch(TRAIN[1], LABELS[1], data=DATA.astype("i4")), "another type than uint8"),
        (batch(TRAIN[1], LABELS[1], data=np.asfortranarray(DATA)), "row by row"),
        (batch(TRAIN[1], LABELS[1], data=[1]), "data is no NumPy array"),
        (WHOLE.replace(b"(K\x01K\x03M", b"(K\x01K\x04M"), "9,216 bytes; expected 4 x 3,072"),
        (pickle.dumps({b"data": 1}, protocol=4), "the instruction PROTO"),
    ],
)
def test_damaged_pickles_are_named(python, content, words):
    path = python / "cifar-10-batches-py" / "data_batch_2"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        cifar10.load(python)
    assert str(path) in str(caught.value)


def test_a_pickle_that_names_a_function_runs_nothing(python, tmp_path):
    path, made = python / "cifar-10-batches-py" / "test_batch", tmp_path / "made"
    content = python2({"data": Evil(made), "labels": [1]})
    pickle.loads(content, encoding="bytes")
    assert made.is_dir()  # plain pickle obeys
    made.rmdir()
    for bad in (content, content.replace(b"cposix\nmkdir", b"cbuiltins\neval")):
        path.write_bytes(bad)
        with pytest.raises(DataError, match="names '(posix mkdir|builtins eval)'; only an array"):
            cifar10.load(python, "test")
    assert not made.exists()


def test_a_place_beyond_the_file_would_take_all_memory_and_is_refused():
    with pytest.raises(ValueError, match="at place 4,000,000,000"):
        pickled.read(b"\x80\x02}r" + struct.pack("<I", 4_000_000_000) + b".")


def test_mutations_of_a_pickle_are_refused_or_change_no_pair(python, capsys):
    """What cannot be known: another pixel, another label from 0 to 9, other texts."""
    path = python / "cifar-10-batches-py" / "test_batch"
    size = len(path.read_bytes())

    def read():
        data = cifar10.load(python, "test")
        return data.images.tobytes(), data.classes.tolist()

    def knowable(kind, data):
        return len(data) != size

    counts = damage.survey(capsys, path, damage.raw, read, knowable)
    assert counts["refused"] > 30
    head = 400  # here the instructions are, and not the pixels

    def at_the_head(data, rng):
        kind, changed = damage.raw(data[:head], rng)
        return kind, changed + data[head:]

    counts = damage.survey(capsys, path, at_the_head, read, knowable)
    assert counts["refused"] > 100


def test_a_folder_that_is_no_class_or_lacks(folders):
    (folders / "train" / "zebra").mkdir()
    with pytest.raises(DataError, match="zebra: there is no such class .* --data folder"):
        cifar10.load(folders)
    (folders / "train" / "zebra").rmdir()
    for path in (folders / "test" / "ship").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"ship/\*.png is missing .nor is there a .jpg"):
        cifar10.load(folders, "test")
    (folders / "test" / "ship").rmdir()
    with pytest.raises(DataError, match="ship is missing .the pictures of a class"):
        cifar10.load(folders, "test")
    (folders / "train" / "dog" / "0001.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="dog/0001.png"):
        cifar10.load(folders)


SIZES = dict(profile="smoke", steps=2, device="cpu")


@pytest.mark.parametrize("system", ["gan", "dcgan", "wgan", "wgan_gp", "cgan"])
@pytest.mark.parametrize("layout", ["python", "folders"])
def test_every_game_learns_from_it_by_one_parameter(system, layout, request):
    root = request.getfixturevalue(layout)
    given = dict(data="cifar10", root=str(root), batch_size=2, width=4)
    trained = train(system, show=False, **SIZES, **given)
    made = trained.system.draw(3)
    assert made.shape == (3, 32, 32, 3) and made.dtype == np.uint8
    assert not np.array_equal(made[..., 0], made[..., 2])  # in colour
    if system in ("gan", "cgan"):
        recipe = catalogue.recipe(system)
        found = recipe.measure(trained.system, recipe.Options(system=system, **SIZES, **given))
        assert 0 <= found["precision"] <= 1
    if system == "cgan":
        pictures = [trained.system.sample(torch.tensor([y]), seed=1) for y in (0, 9)]
        assert not torch.equal(*pictures) and 0 <= found["read"] <= 1


def test_a_system_says_what_is_wrong_with_its_data(python):
    (python / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"")
    with pytest.raises(T2ILabError, match="data_batch_1: no pickle"):
        train("dcgan", show=False, **SIZES, data="cifar10", root=str(python), batch_size=2, width=4)
