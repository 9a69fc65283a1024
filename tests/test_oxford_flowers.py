"""Oxford-102 flowers with Reed's captions in their original layout, drawn small."""

import shutil
from io import BytesIO

import damage
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from t2ilab.data import oxford_flowers
from t2ilab.errors import DataError

LABELS = [77, 77, 1, 102, 5, 5]  # of image_00001 to image_00006
SPLIT = {"train": [77, 1], "val": [102], "test": [5]}

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def root(tmp_path):
    """As the archives unpack, with imagelabels.mat beside them."""
    root, texts = tmp_path / "flowers", tmp_path / "flowers" / "cvpr2016_flowers"
    (root / "jpg").mkdir(parents=True)
    for i, label in enumerate(LABELS, 1):
        Image.new("RGB", (30, 20), (0, 40 * i, 0)).save(root / "jpg" / f"image_{i:05d}.jpg")
        path = texts / "text_c10" / f"class_{label:05d}" / f"image_{i:05d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"this flower {i} has {c} petals.\n" for c in range(10)))
    savemat(root / "imagelabels.mat", {"labels": np.array([LABELS], np.uint8)})
    for split, classes in SPLIT.items():
        (texts / f"{split}classes.txt").write_text("".join(f"class_{c:05d}\n" for c in classes))
    return root


def test_a_split_holds_the_pictures_of_its_classes_in_order(root):
    data = oxford_flowers.load(root, "train", 16)
    assert data.name == "oxford_flowers/train/16" and data.images.shape == (3, 16, 16, 3)
    assert data.classes.tolist() == [76, 76, 0]
    assert [data.class_names[c] for c in (0, 76, 101)] == [
        "pink primrose",
        "passion flower",
        "blackberry lily",
    ]
    assert data.captions[2] == [f"this flower 3 has {c} petals" for c in range(10)]
    assert [round(int(g) / 40) for g in data.images[:, 8, 8, 1]] == [1, 2, 3]


def test_splits_share_no_class_and_trainval_is_both(root):
    classes = {
        s: set(oxford_flowers.load(root, s, 8).classes.tolist()) for s in oxford_flowers.SPLITS
    }
    assert classes == {"train": {76, 0}, "val": {101}, "trainval": {76, 0, 101}, "test": {4}}


def test_there_are_102_different_names():
    assert len(set(oxford_flowers.CLASS_NAMES)) == 102


def test_files_may_lie_where_torchvision_and_the_root_have_them(root):
    before = oxford_flowers.load(root, "test", 8)
    (root / "flowers-102").mkdir()
    for name in ("jpg", "imagelabels.mat"):
        shutil.move(root / name, root / "flowers-102" / name)
    for path in (root / "cvpr2016_flowers").iterdir():
        shutil.move(path, root / path.name)
    after = oxford_flowers.load(root, "test", 8)
    assert np.array_equal(before.images, after.images) and before.captions == after.captions


@pytest.mark.parametrize(
    "name",
    [
        "jpg",
        "imagelabels.mat",
        "cvpr2016_flowers/text_c10",
        "cvpr2016_flowers/valclasses.txt",
        "cvpr2016_flowers/text_c10/class_00077/image_00002.txt",
    ],
)
def test_what_is_missing_is_named_with_where_to_get_and_put_it(root, name):
    path = root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match="Oxford-102 flowers: .* is missing") as caught:
        oxford_flowers.load(root, "train", 8)
    message = str(caught.value)
    assert str(path) in message
    assert "vgg/data/flowers/102" in message and "reedscot/cvpr2016" in message


def test_a_missing_picture_stops_or_is_left_out(root):
    path = root / "jpg" / "image_00002.jpg"
    path.unlink()
    with pytest.raises(DataError, match="1 of 3 pictures") as caught:
        oxford_flowers.load(root, "train", 8)
    assert str(path) in str(caught.value)
    data = oxford_flowers.load(root, "train", 8, skip=True, report=None)
    assert data.classes.tolist() == [76, 0] and data.captions[1][0] == "this flower 3 has 0 petals"


def test_damaged_files_are_named(root):
    path = root / "cvpr2016_flowers" / "text_c10" / "class_00077" / "image_00002.txt"
    good = path.read_text()
    path.write_text(good[: len(good) // 2])
    with pytest.raises(DataError, match=r"image_00002\.txt: the file has [56] captions"):
        oxford_flowers.load(root, "train", 8)
    path.write_text(good)
    lists = root / "cvpr2016_flowers" / "testclasses.txt"
    for text, words in (
        ("class_00103\n", "line 1: there is no class 'class_00103'"),
        ("class_00005\nclass_00102\n", "line 2: class 'blackberry lily' is also"),
        ("class_0000", "line 1: there is no class 'class_0000'"),
        ("class_" + "5" * 10_000, "line 1: there is no class 'class_5555"),
        ("", "class 'english marigold' is in none of .*testclasses.txt. One of them is cut short"),
    ):
        lists.write_text(text)
        with pytest.raises(DataError, match=words):
            oxford_flowers.load(root, "train", 8)


def test_damaged_labels_are_named(root):
    path = root / "imagelabels.mat"
    savemat(path, {"labels": np.array([[77, 0]], np.uint8)})
    with pytest.raises(DataError, match=r"imagelabels\.mat: picture 2 has the label 0"):
        oxford_flowers.load(root, "train", 8)
    savemat(path, {"other": np.zeros(3)})
    with pytest.raises(DataError, match=r"imagelabels\.mat: this is not the file of labels"):
        oxford_flowers.load(root, "train", 8)
    for labels, words in (
        (np.array([[77, np.nan]]), "picture 2 has the label nan"),
        (np.array([[77, np.inf]]), "picture 2 has the label inf"),
        (np.array([[77, 1.5]]), "picture 2 has the label 1.5"),
        (np.array([[77, 1j]]), "'labels' holds something else than real numbers"),
        ({"a": np.arange(3)}, "'labels' holds something else"),
        (np.array([[1], ["a"]], object), "'labels' holds something else"),
        (np.array(["77"]), "'labels' holds something else"),
        (np.zeros((2, 3)), "picture 1 has the label 0"),
        (np.zeros((1, 0)), "no such label for the picture of .*image_00003.txt"),
        (np.array([LABELS[:5]]), "no such label for the picture of .*image_00006.txt"),
        (np.array([[77, 1, *LABELS[2:]]]), "class_00001/image_00002.txt is missing"),
    ):
        savemat(path, {"labels": labels})
        with pytest.raises(DataError, match=words) as caught:
            oxford_flowers.load(root, "train", 8)
        assert "imagelabels.mat" in str(caught.value)
    path.write_bytes(bytes(2**18 + 1))
    with pytest.raises(DataError, match=r"imagelabels\.mat: the file has more than 262,144 bytes"):
        oxford_flowers.load(root, "train", 8)
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(DataError, match=r"imagelabels\.mat: this is not the file of labels"):
        oxford_flowers.load(root, "train", 8)


def other_labels(data: bytes, rng) -> tuple[str, bytes]:
    """imagelabels.mat with other contents: dropped, doubled, swapped, retyped, nested labels."""
    kind = rng.choice("drop double swap number retype nest name kind raw raw".split())
    labels, name, i = list(LABELS), "labels", rng.randrange(len(LABELS))
    if kind == "raw":
        return damage.raw(data, rng)
    if kind == "drop":
        del labels[i]
    elif kind == "double":
        labels.insert(i, labels[i])
    elif kind == "swap":
        labels[i], labels[i - 1] = labels[i - 1], labels[i]
    elif kind in ("number", "retype"):
        odd = [np.nan, np.inf, -np.inf, 1.5, -1, 0, 103, 1e300, 2**40, 77.0000001, 1 + 2j]
        labels[i] = rng.randrange(1, 103) if kind == "number" else rng.choice(odd)
    elif kind == "nest":
        struct, cell = {"labels": np.array([labels])}, np.array([np.array(labels), "a"], object)
        labels = rng.choice([struct, cell, "77", [labels] * 3, [[labels]] * 2, []])
    elif kind == "name":
        name = rng.choice(["label", "Labels", "labels2", "x"])
    dtypes = ["f4", "f8", "i2", "c16", "U9", "?"] if kind == "kind" else [None]
    values = labels if isinstance(labels, dict) else np.array(labels, rng.choice(dtypes))
    file = BytesIO()
    savemat(file, {name: values}, do_compression=rng.random() < 0.5)
    return kind, file.getvalue()


@pytest.mark.parametrize(
    "name, change",
    [("imagelabels.mat", other_labels), ("cvpr2016_flowers/trainclasses.txt", damage.lines)],
)
def test_mutations_are_refused_or_change_no_pair(root, name, change, monkeypatch, capsys):
    load = damage.pairs_read(oxford_flowers, monkeypatch)
    counts = damage.survey(capsys, root / name, change, lambda: load(root, "trainval", "test"))
    assert counts["refused"] > 50
