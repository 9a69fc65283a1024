"""Flickr30k in its two layouts, that of its authors and that of Kaggle, drawn small."""

import re
import shutil

import damage
import numpy as np
import pytest
from PIL import Image

from t2ilab.data import flickr30k
from t2ilab.errors import DataError, UsageError

# (picture, split, is it on disk)
PICTURES = [
    ("1000092795", "train", True),
    ("10002456", "train", False),
    ("2199200615", "train", True),
    ("1007129816", "val", True),
    ("1009434119", "test", True),
    ("36979", None, True),
]
SAID = {
    i: [f"A dog , number {k} of {i[:5]} ." for k in range(4)] + ["A dog runs across the grass ."]
    for i, *_ in PICTURES
}

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def root(tmp_path):
    """As the form's archives unpack, beside the lists of Flickr30k Entities."""
    root = tmp_path / "flickr30k"
    (root / "flickr30k-images").mkdir(parents=True)
    for k, (number, _, there) in enumerate(PICTURES):
        if there:
            path = root / "flickr30k-images" / f"{number}.jpg"
            Image.new("RGB", (30, 20), (40 * k, 0, 0)).save(path)
    rows = [f"{i}.jpg#{k}\t{text}" for i, said in SAID.items() for k, text in enumerate(said)]
    (root / "results_20130124.token").write_text("\n".join(rows) + "\n")
    for split in flickr30k.SPLITS:
        numbers = [number for number, where, _ in PICTURES if where == split]
        (root / f"{split}.txt").write_text("\n".join(numbers[::-1]) + "\n")
    return root


def as_kaggle(root):
    """The same as Kaggle hands it out: three columns, spaces, a line that lost a bar."""
    (root / "results_20130124.token").unlink()
    rows = ["image_name| comment_number| comment"]
    for i, said in SAID.items():
        rows += [f"{i}.jpg| {k}| {text}" for k, text in enumerate(said)]
    rows[15] = "2199200615.jpg| 4   A dog runs across the grass ."
    folder = root / "flickr30k_images"
    folder.mkdir()
    (folder / "results.csv").write_text("\n".join(rows) + "\n")
    (root / "flickr30k-images").rename(folder / "flickr30k_images")
    return folder / "results.csv"


def test_a_split_holds_its_pictures_that_are_on_disk_in_the_order_of_the_list(root):
    said = []
    data = flickr30k.load(root, "train", 16, report=said.append)
    assert data.name == "flickr30k/train/16" and data.images.shape == (2, 16, 16, 3)
    assert data.class_names == ["2199200615", "1000092795"] and data.classes.tolist() == [0, 1]
    assert abs(int(data.images[0, 8, 8, 0]) - 80) < 4
    assert len(said) == 1 and "2 of the 3 pictures" in said[0]


def test_every_split_has_its_own_pictures_and_the_first_n_are_asked_for(root):
    names = {s: flickr30k.load(root, s, 8, report=None).class_names for s in flickr30k.SPLITS}
    assert names["val"] == ["1007129816"] and names["test"] == ["1009434119"]
    assert flickr30k.load(root, "train", 8, n=1, report=None).class_names == ["2199200615"]
    with pytest.raises(UsageError, match="unknown split 'dev'.*train, val, test"):
        flickr30k.load(root, "dev", 8)


def test_both_layouts_say_the_same_and_the_broken_line_is_put_right(root):
    before, pictures = flickr30k.captions(root), flickr30k.load(root, "train", 8, report=None)
    as_kaggle(root)
    assert flickr30k.captions(root) == before
    assert before["2199200615"][4] == "A dog runs across the grass"
    assert before["36979"][1] == "A dog , number 1 of 36979" and len(before) == 6
    again = flickr30k.load(root, "train", 8, report=None)
    assert np.array_equal(pictures.images, again.images) and pictures.captions == again.captions


def test_lists_may_lie_in_the_folder_of_the_repository(root):
    before = flickr30k.load(root, "train", 8, report=None)
    (root / "flickr30k_entities").mkdir()
    for split in flickr30k.SPLITS:
        shutil.move(root / f"{split}.txt", root / "flickr30k_entities" / f"{split}.txt")
    assert flickr30k.load(root, "train", 8, report=None).captions == before.captions


def test_captions_that_say_nothing_of_their_picture_are_left_out(root):
    """The file numbers captions from 1."""
    path = root / "UNRELATED_CAPTIONS"
    path.write_text("# format: <imageID> <sentence number>\n1009434119 5\n1000092795 1\n")
    said = flickr30k.captions(root)
    assert said["1009434119"] == [f"A dog , number {k} of 10094" for k in range(4)]
    assert said["1000092795"][0] == "A dog , number 1 of 10000"
    assert [len(texts) for texts in said.values()] == [4, 5, 5, 5, 4, 5]
    path.write_text("# format: <imageID> <sentence number>\n1009434119 0\n")
    with pytest.raises(DataError, match="UNRELATED_CAPTIONS, line 2: expected '<picture> <capti"):
        flickr30k.captions(root)


@pytest.mark.parametrize("name", ["results_20130124.token", "train.txt", "flickr30k-images"])
def test_what_is_missing_is_named_with_where_to_get_and_put_it(root, name):
    path = root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match="is missing") as caught:
        flickr30k.load(root, "train", 8, report=None)
    message = str(caught.value)
    assert str(path) in message and "BryanPlummer/flickr30k_entities" in message
    assert "DenotationGraph" in message and "root folder" in message


def test_a_split_without_a_picture_on_disk(root):
    (root / "flickr30k-images" / "1009434119.jpg").unlink()
    with pytest.raises(DataError, match="none of the 1 pictures of flickr30k/test"):
        flickr30k.load(root, "test", 8)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1000092795.jpg A dog", "line 3: expected '<picture>.jpg#<number><tab>"),
        ("1000092795.jpg#1\tA dog .", "line 3: caption 1 of 1000092795.jpg stands there twice"),
        ("1000092795.jpg#2\t ", "line 3: caption 2 of 1000092795.jpg is empty"),
        ("1000092795.jpg#2", "line 3: caption 2 of 1000092795.jpg is empty"),
        ("1000092795.jpg#7\tA dog", "1000092795.jpg has the captions 0, 1, 3, 4, 7; expected 5"),
        ("../1000092795.jpg#2\tA dog", "line 3: expected"),
        ("1000092795.jpg#2\tA \udcff dog", "line 3: this is not text in UTF-8"),
    ],
)
def test_a_damaged_line_of_the_captions_is_named(root, line, words):
    path = root / "results_20130124.token"
    rows = path.read_text().split("\n")
    rows[2] = line
    path.write_bytes("\n".join(rows).encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=words) as caught:
        flickr30k.load(root, "val", 8)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1000092795.jpg| 2| ", "line 4: caption 2 of 1000092795.jpg is empty"),
        ("1000092795.jpg| 2 A dog", "line 4: expected '<picture>.jpg| <number>| <caption>'"),
        ("1000092795.jpg| two| A dog", "line 4: expected"),
        ("1000092795.jpg#2\tA dog", "line 4: expected"),
    ],
)
def test_a_damaged_line_of_kaggles_table_is_named(root, line, words):
    path = as_kaggle(root)
    rows = path.read_text().split("\n")
    rows[3] = line
    path.write_text("\n".join(rows))
    with pytest.raises(DataError, match=words) as caught:
        flickr30k.captions(root)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2199200615\n\n2199200615\n", "line 3: 2199200615 stands there twice, first in line 1"),
        ("2199200615.jpg\n", "line 1: expected the number of a picture, such as 1000092795"),
        ("77\n", "line 1: there are no captions of picture 77"),
    ],
)
def test_a_list_names_each_picture_once_and_none_without_captions(root, text, words):
    (root / "train.txt").write_text(text)
    with pytest.raises(DataError, match=words):
        flickr30k.load(root, "train", 8)


@pytest.mark.parametrize("kaggle", [False, True])
def test_mutations_are_refused_or_change_no_pair(root, monkeypatch, capsys, kaggle):
    """What cannot be known: other words in a caption; captions of one number that changed places;
    what befalls 36979, which is in no list."""
    path = as_kaggle(root) if kaggle else root / "results_20130124.token"

    def named(data):
        start = re.compile(rb"[^|]*\|\s*[0-9]+" if kaggle else rb"[^\t]*")
        rows = [row for row in data.split(b"\n") if row and not row.startswith(b"36979")]
        return [match and match[0] for match in map(start.match, rows)]

    whole, load = named(path.read_bytes()), damage.pairs_read(flickr30k, monkeypatch)
    counts = damage.survey(
        capsys,
        path,
        damage.lines,
        lambda: load(root, *flickr30k.SPLITS),
        lambda kind, data: named(data) != whole and kind != "exchange",
    )
    assert counts["refused"] > 100
