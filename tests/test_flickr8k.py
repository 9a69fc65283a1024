"""Flickr8k in its original layout, drawn small."""

import shutil

import damage
import numpy as np
import pytest
from PIL import Image

from t2ilab.data import flickr8k
from t2ilab.errors import DataError, UsageError

# (picture, split list it is in, is it on disk)
PICTURES = [
    ("11_aa.jpg", "train", True),
    ("12_ab.jpg", "train", False),
    ("13_ac.jpg", "train", True),
    ("21_ba.jpg", "dev", True),
    ("31_ca.jpg", "test", True),
    ("41_da.jpg", None, True),
]

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def root(tmp_path):
    """As the two archives unpack: a folder of pictures and the text files beside it."""
    root = tmp_path / "flickr8k"
    (root / "Flicker8k_Dataset").mkdir(parents=True)
    lines = []
    for k, (name, _, there) in enumerate(PICTURES):
        if there:
            Image.new("RGB", (30, 20), (40 * k, 0, 0)).save(root / "Flicker8k_Dataset" / name)
        lines += [f"{name}#{i}\tA dog , number {i} of {name[:2]} ." for i in range(5)]
    odd = [f"2258277193_586949ec62.jpg#{i}\tSome people  looking out windows ." for i in range(5)]
    lines += ["2258277193_586949ec62.jpg.1#0\tpeople waiting for the subway ", *odd[1:]]
    (root / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    for part in ("train", "dev", "test"):
        names = [name for name, where, _ in PICTURES if where == part]
        (root / f"Flickr_8k.{part}Images.txt").write_text("\n".join(names[::-1]) + "\n")
    return root


def test_a_split_holds_its_pictures_that_are_on_disk_in_the_order_of_the_list(root):
    said = []
    data = flickr8k.load(root, "train", 16, report=said.append)
    assert data.name == "flickr8k/train/16" and data.images.shape == (2, 16, 16, 3)
    assert data.class_names == ["13_ac", "11_aa"] and data.classes.tolist() == [0, 1]
    assert abs(int(data.images[0, 8, 8, 0]) - 80) < 4
    assert len(said) == 1 and "2 of the 3 pictures" in said[0]


def test_every_split_has_its_own_pictures(root):
    names = {s: flickr8k.load(root, s, 8, report=None).class_names for s in flickr8k.SPLITS}
    assert names == {"train": ["13_ac", "11_aa"], "val": ["21_ba"], "test": ["31_ca"]}


def test_captions_keep_their_words_and_lose_the_final_stop(root):
    assert flickr8k.load(root, "val", 8, report=None).captions == [
        [f"A dog , number {i} of 21" for i in range(5)]
    ]


def test_all_captions_are_a_corpus_and_the_odd_name_is_put_right(root):
    said = flickr8k.captions(root)
    assert len(said) == 7 and len(said["12_ab.jpg"]) == 5  # that picture is not on disk
    assert said["2258277193_586949ec62.jpg"] == [
        "people waiting for the subway",
        *["Some people looking out windows"] * 4,
    ]
    assert list(flickr8k.captions(root, "train")) == ["13_ac.jpg", "12_ab.jpg", "11_aa.jpg"]


def test_text_files_and_pictures_may_lie_in_folders_of_their_own(root):
    before = flickr8k.load(root, "train", 8, report=None)
    (root / "text").mkdir()
    for path in root.glob("*.txt"):
        shutil.move(path, root / "text" / path.name)
    (root / "Flicker8k_Dataset").rename(root / "images")
    after = flickr8k.load(root, "train", 8, report=None)
    assert np.array_equal(before.images, after.images) and before.captions == after.captions


def test_the_first_n_and_the_crop(root):
    assert flickr8k.load(root, "train", 8, n=1, report=None).class_names == ["13_ac"]
    assert flickr8k.load(root, "train", 8, crop="squash", cache=False, report=None).size == 8
    with pytest.raises(UsageError, match="at least 1"):
        flickr8k.load(root, "train", 8, n=0, report=None)


@pytest.mark.parametrize(
    "name", ["Flickr8k.token.txt", "Flickr_8k.trainImages.txt", "Flicker8k_Dataset"]
)
def test_what_is_missing_is_named_with_where_to_get_and_put_it(root, name):
    path = root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match="is missing") as caught:
        flickr8k.load(root, "train", 8, report=None)
    message = str(caught.value)
    assert name in message and "Flickr8k_Dataset.zip" in message and "root folder" in message


def test_a_missing_root_and_a_split_without_a_picture(root, tmp_path):
    with pytest.raises(DataError, match="nowhere is missing.*the root folder"):
        flickr8k.load(tmp_path / "nowhere", "train", 8)
    (root / "Flicker8k_Dataset" / "31_ca.jpg").unlink()
    with pytest.raises(DataError, match="none of the 1 pictures of split 'test'"):
        flickr8k.load(root, "test", 8)
    with pytest.raises(UsageError, match="unknown split 'dev'.*train, val, test"):
        flickr8k.load(root, "dev", 8)


def test_damaged_captions_are_named_with_their_line(root):
    path = root / "Flickr8k.token.txt"
    good = path.read_bytes()
    lines = good.split(b"\n")
    for damaged, words in (
        (b"31_ca.jpg A dog", "line 3: expected"),
        (b"31_ca.jpg#0\tA \xff dog", "line 3: this is not text"),
    ):
        path.write_bytes(b"\n".join([*lines[:2], damaged, *lines[3:]]))
        with pytest.raises(DataError, match=words) as caught:
            flickr8k.captions(root)
        assert str(path) in str(caught.value)
    path.write_bytes(b"\n".join(line for line in lines if not line.startswith(b"21_ba")))
    with pytest.raises(DataError, match=r"devImages.*line 1: there is no caption of 21_ba\.jpg"):
        flickr8k.load(root, "val", 8, report=None)


def with_line(text: str, k: int, *lines: str) -> str:
    """The text with other lines in place of its line k, counted from 0."""
    kept = text.split("\n")
    return "\n".join([*kept[:k], *lines, *kept[k + 1 :]])


@pytest.mark.parametrize(
    "lines, words",
    [
        ([], r"11_aa.jpg has the captions 0, 1, 2, 4; expected 5, numbered from 0 to 4"),
        (["11_aa.jpg#3\tA dog .", "11_aa.jpg#5\tA cat ."], "has the captions 0, 1, 2, 3, 4, 5;"),
        (["11_aa.jpg#3\tA dog .", "11_aa.jpg#3\tA cat ."], "line 5: caption 3 .* stands"),
        (["11_aa.jpg#2\tA dog ."], "line 4: caption 2 of 11_aa.jpg stands there twice"),
        (["11_aa.jpg#3\t ."], "line 4: caption 3 of 11_aa.jpg is empty"),
        (["11_aa.jpg#3\tA dog .11_aa.jpg#4\tA"], "line 4: expected"),
        (["../11_aa.jpg#3\tA dog"], "line 4: expected"),
        ([f"{'1' * 300}.jpg#3\tA dog"], "line 4: expected"),
        ([f"11_aa.jpg#{'3' * 10_000}\tA dog"], "line 4: expected"),
        (["11_aa.jpg#3\tA \0 dog"], "line 4: this is not text in UTF-8 .a NUL"),
    ],
)
def test_each_picture_has_its_five_captions(root, lines, words):
    path = root / "Flickr8k.token.txt"
    path.write_text(with_line(path.read_text(), 3, *lines))
    with pytest.raises(DataError, match=words) as caught:
        flickr8k.load(root, "test", 8)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 600


def test_captions_are_in_the_order_of_their_numbers(root):
    before, path = flickr8k.captions(root), root / "Flickr8k.token.txt"
    path.write_text("\n".join(path.read_text().split("\n")[::-1]))
    assert flickr8k.captions(root) == before


def test_a_list_names_each_picture_once_and_none_without_captions(root):
    path = root / "Flickr_8k.trainImages.txt"
    for text, words in (
        ("13_ac.jpg\n\n13_ac.jpg\n", "line 3: 13_ac.jpg stands there twice, first in line 1"),
        ("13_ac.jpg\n12_ab.jp\n", "line 2: there is no caption of 12_ab.jp in"),
        ("/etc/passwd\n", "line 1: there is no caption"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=words):
            flickr8k.load(root, "train", 8)


def test_a_broken_picture_stops_or_is_left_out(root):
    (root / "Flicker8k_Dataset" / "13_ac.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    with pytest.raises(DataError, match=r"13_ac\.jpg"):
        flickr8k.load(root, "train", 8, report=None)
    data = flickr8k.load(root, "train", 8, skip=True, report=None)
    assert data.class_names == ["11_aa"] and data.classes.tolist() == [0]
    assert data.captions == [[f"A dog , number {i} of 11" for i in range(5)]]


def test_mutations_are_refused_or_change_no_pair(root, monkeypatch, capsys):
    """What cannot be known: other words in a caption; a caption that changed its picture with one
    of the same number."""
    path = root / "Flickr8k.token.txt"

    def named(data):
        return [row.partition(b"\t")[0] for row in data.split(b"\n")]

    whole, load = named(path.read_bytes()), damage.pairs_read(flickr8k, monkeypatch)
    counts = damage.survey(
        capsys,
        path,
        damage.lines,
        lambda: load(root, *flickr8k.SPLITS),
        lambda kind, data: named(data) != whole and kind != "exchange",
    )
    assert counts["refused"] > 100
