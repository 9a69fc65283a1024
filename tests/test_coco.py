"""MS-COCO captions in the layout of 2017 and of 2014, drawn small."""

import json
import re
import shutil

import damage
import pytest
from PIL import Image

from t2ilab.data import coco
from t2ilab.errors import DataError, UsageError

pytestmark = pytest.mark.usefixtures("own_cache")


def lay_out(root, year, name):
    """Two training pictures and one of validation; the captions of a picture are not together."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    for part, numbers in (("train", (25, 9)), ("val", (139,))):
        folder = root / f"{part}{year}"
        folder.mkdir()
        images = [
            {"id": i, "file_name": name(part, i), "height": 20, "width": 30, "license": 3}
            for i in numbers
        ]
        for image in images:
            Image.new("RGB", (30, 20), (image["id"], 0, 0)).save(folder / image["file_name"])
        notes = [
            {"image_id": i, "id": 10 * k + i, "caption": f"A  cat {k} of {i}.\n"}
            for k in range(5)
            for i in numbers
        ]
        (root / "annotations" / f"captions_{part}{year}.json").write_text(
            json.dumps({"info": {}, "licenses": [], "images": images, "annotations": notes[::-1]})
        )


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "coco"
    lay_out(root, 2017, lambda part, i: f"{i:012d}.jpg")
    return root


def test_pictures_come_in_the_order_of_the_file_with_their_captions(root):
    data = coco.load(root, "train", 16)
    assert data.name == "coco/train/16" and data.images.shape == (2, 16, 16, 3)
    assert data.class_names == ["000000000025", "000000000009"]
    assert data.classes.tolist() == [0, 1]
    assert data.captions[1] == [f"A cat {k} of 9" for k in range(5)]
    assert abs(int(data.images[0, 8, 8, 0]) - 25) < 4


def test_test_is_the_validation_part(root):
    names = [coco.load(root, split, 8).class_names for split in ("val", "test")]
    assert names == [["000000000139"]] * 2


def test_2014_is_read_when_it_is_what_there_is_or_when_asked_for(root, tmp_path):
    old = tmp_path / "old"
    for where in (root, old):
        lay_out(where, 2014, lambda part, i: f"COCO_{part}2014_{i:012d}.jpg")
    assert coco.load(old, "val", 8).class_names == ["COCO_val2014_000000000139"]
    assert coco.load(root, "val", 8).class_names == ["000000000139"]
    assert coco.load(root, "val", 8, year=2014).class_names == ["COCO_val2014_000000000139"]
    with pytest.raises(UsageError, match="2017, 2014"):
        coco.load(root, "val", 8, year=2015)


def test_the_first_n(root):
    assert coco.load(root, "train", 8, n=1).class_names == ["000000000025"]


@pytest.mark.parametrize("name", ["annotations/captions_train2017.json", "train2017"])
def test_what_is_missing_is_named_with_where_to_get_and_put_it(root, name):
    path = root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match="is missing") as caught:
        coco.load(root, "train", 8)
    message = str(caught.value)
    assert str(path) in message and "cocodataset.org" in message and "Unpack all" in message


def test_pictures_that_are_not_there_stop_or_are_left_out(root):
    (root / "train2017" / "000000000025.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 2 pictures.*\n.*000000000025\.jpg.*no such file"):
        coco.load(root, "train", 8)
    said = []
    data = coco.load(root, "train", 8, skip=True, report=said.append)
    assert data.class_names == ["000000000009"] and data.captions[0][0] == "A cat 0 of 9"
    assert "left out 1 of 2" in said[0]


def test_pictures_without_a_caption_are_left_out_and_counted(root):
    path = root / "annotations" / "captions_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"] = [n for n in content["annotations"] if n["image_id"] == 9]
    path.write_text(json.dumps(content))
    said = []
    assert len(coco.load(root, "train", 8, report=said.append)) == 1
    assert said == ["coco/train: left out 1 pictures without a caption"]


def test_a_damaged_annotation_file_is_named(root):
    path = root / "annotations" / "captions_train2017.json"
    good = path.read_text()
    content = json.loads(good)
    unknown = content | {"annotations": [{"image_id": 7, "id": 1, "caption": "a cat"}]}
    for text, words in (
        (good[:-20], "line 1: this is no JSON"),
        (json.dumps({"instances": []}), "missing required field 'images'"),
        ("[1]", "expected 'object', got 'array'"),
        (json.dumps(unknown), "annotation 1 is of image 7, which is not one of the images"),
        (
            good.replace('"info": {}', '"info": ' + "\n" + "[" * 100_000),
            "line 2: more than 40 brackets",
        ),
        (good.replace('"height": 20', '"height": ' + "1" * 10_000, 1), "has 10000 digits"),
        (good.replace('"id": 25', '"id": 1e999', 1), "the number '1e999' is too large"),
        (good.replace('"id": 25', '"id": NaN', 1), "NaN is no number"),
        (good.replace('"id": 25', '"id": "25"', 1), r"images\[0\].id: expected 'int', got 'str'"),
        (good.replace('"id": 25', '"id": 9', 1), "two of the images have the id 9"),
        (good.replace('"id": 25', '"id": 24', 1), "image 24 has the file name '000000000025.jpg'"),
        (good.replace("000000000025.jpg", "../25.jpg"), "image 25 has the file name"),
        (good.replace('"id": 45', '"id": 35'), "two of the annotations have the id 35"),
        (good.replace('"image_id": 25', '"image_id": 9', 1), "image 25 has 4 captions"),
        (good.replace('"image_id": 25', '"image_id": 9, "image_id": 25', 1), "stands twice"),
        (good.replace('"annotations"', '"annotations": [], "annotations"'), "'annotations' stands"),
        ("\ufeff" + good, "byte-order mark"),
        (json.dumps(content | {"annotations": []}), "has no captions"),
    ):
        path.write_text(text)
        assert text != good
        with pytest.raises(DataError, match=words) as caught:
            coco.load(root, "train", 8)
        assert str(path) in str(caught.value) and len(str(caught.value)) < 600


def test_five_captions_each_are_expected_or_any_number(root):
    path = root / "annotations" / "captions_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"] = [n for n in content["annotations"] if n["id"] != 25]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="image 25 has 4 captions; expected at least 5.*captions_e"):
        coco.load(root, "train", 8)
    data = coco.load(root, "train", 8, captions_each=None)
    assert [len(said) for said in data.captions] == [4, 5]


def test_mutations_are_refused_or_change_no_pair(root, monkeypatch, capsys):
    """What cannot be known: other words in a caption, two captions that changed their pictures."""
    path = root / "annotations" / "captions_train2017.json"
    words = re.compile(rb'"caption": "[^"]*"')
    whole = words.sub(b"", path.read_bytes())

    def knowable(kind, data):
        exchanged = kind.startswith("swap") and "_id'" in kind
        return not exchanged and words.sub(b"", data) != whole and "'caption'" not in kind

    load = damage.pairs_read(coco, monkeypatch)
    counts = damage.survey(capsys, path, damage.values, lambda: load(root, "train"), knowable)
    assert counts["refused"] > 100
