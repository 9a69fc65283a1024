"""CUB-200-2011 with Reed's captions in their original layout, drawn small: four kinds of bird."""

import shutil

import damage
import numpy as np
import pytest
from PIL import Image

from t2ilab.data import cub
from t2ilab.errors import DataError, UsageError

KINDS = [
    "001.Black_footed_Albatross",
    "002.Laysan_Albatross",
    "003.Sooty_Albatross",
    "004.Groove_billed_Ani",
]
SPLIT = {"train": [2, 0], "val": [3], "test": [1]}

pytestmark = pytest.mark.usefixtures("own_cache")


def file_of(kind: int, k: int) -> str:
    return f"{KINDS[kind]}/{KINDS[kind][4:]}_{k:04d}_{796111 + k}"


@pytest.fixture
def root(tmp_path):
    """As the two archives unpack. Two pictures a kind, each with a bright bird at the right."""
    birds, texts = tmp_path / "cub" / "CUB_200_2011", tmp_path / "cub" / "cvpr2016_cub"
    names = [(kind, file_of(kind, k)) for kind in range(4) for k in (1, 2)]
    for kind, name in names:
        for path in (birds / "images" / f"{name}.jpg", texts / "text_c10" / f"{name}.txt"):
            path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((40, 80, 3), 30 * kind, np.uint8)
        pixels[10:20, 60:70] = 255
        Image.fromarray(pixels).save(birds / "images" / f"{name}.jpg", quality=95)
        captions = [f"this bird is of kind {kind}, caption {c}." for c in range(10)]
        (texts / "text_c10" / f"{name}.txt").write_text("\n".join(captions) + "\n")
    write = {
        "images": [f"{name}.jpg" for _, name in names],
        "classes": KINDS,
        "image_class_labels": [kind + 1 for kind, _ in names],
        "bounding_boxes": ["60.0 10.0 10.0 10.0"] * len(names),
    }
    for stem, lines in write.items():
        text = "".join(f"{i} {line}\n" for i, line in enumerate(lines, 1))
        (birds / f"{stem}.txt").write_text(text)
    for split, kinds in SPLIT.items():
        (texts / f"{split}classes.txt").write_text("".join(f"{KINDS[k]}\n" for k in kinds))
    return tmp_path / "cub"


def test_a_split_holds_the_pictures_of_its_classes_in_the_order_of_the_list(root):
    data = cub.load(root, "train", 16)
    assert data.name == "cub/train/16" and data.images.shape == (4, 16, 16, 3)
    assert data.classes.tolist() == [0, 0, 2, 2]
    assert data.class_names == [
        "Black footed Albatross",
        "Laysan Albatross",
        "Sooty Albatross",
        "Groove billed Ani",
    ]
    assert [data.images[i, 15, 0, 0] // 10 for i in (0, 2)] == [0, 6]
    assert data.captions[3] == [f"this bird is of kind 2, caption {c}" for c in range(10)]


def test_splits_share_no_class_and_trainval_is_both(root):
    classes = {s: set(cub.load(root, s, 8).classes.tolist()) for s in cub.SPLITS}
    assert classes == {"train": {0, 2}, "val": {3}, "trainval": {0, 2, 3}, "test": {1}}


def test_the_box_shows_the_bird_one_and_a_half_times_as_wide(root):
    plain, boxed = (cub.load(root, "test", 30, bird_box=b).images[0] for b in (False, True))
    assert (plain > 200).all(-1).mean() < 0.06  # the middle square holds half of the bird
    bright = (boxed > 200).all(-1)
    assert abs(bright.mean() - 1 / 1.5**2) < 0.06
    assert abs(np.argwhere(bright).mean(0) - 14.5).max() < 1.5  # in the middle


def test_a_box_at_the_edge_is_cut_off_there(root):
    path = root / "CUB_200_2011" / "bounding_boxes.txt"
    path.write_text("".join(f"{i} 0.0 0.0 20.0 40.0\n" for i in range(1, 9)))
    assert cub.load(root, "test", 8, bird_box=True).images.shape == (2, 8, 8, 3)


def test_captions_and_lists_may_lie_in_the_root(root):
    before = cub.load(root, "val", 8)
    for path in (root / "cvpr2016_cub").iterdir():
        shutil.move(path, root / path.name)
    after = cub.load(root, "val", 8)
    assert np.array_equal(before.images, after.images) and before.captions == after.captions
    for path in (root / "CUB_200_2011").iterdir():
        shutil.move(path, root / path.name)
    assert cub.load(root, "val", 8).captions == before.captions


@pytest.mark.parametrize(
    "name",
    [
        "CUB_200_2011/images.txt",
        "CUB_200_2011/classes.txt",
        "CUB_200_2011/image_class_labels.txt",
        "CUB_200_2011/bounding_boxes.txt",
        "cvpr2016_cub/text_c10",
        "cvpr2016_cub/testclasses.txt",
        "cvpr2016_cub/trainclasses.txt",
        f"cvpr2016_cub/text_c10/{file_of(0, 2)}.txt",
    ],
)
def test_what_is_missing_is_named_with_where_to_get_and_put_it(root, name):
    path = root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match="CUB-200-2011: .* is missing") as caught:
        cub.load(root, "train", 8, bird_box=True)
    message = str(caught.value)
    assert str(path) in message
    assert "CaltechDATA" in message and "reedscot/cvpr2016" in message and "Unpack both" in message


def test_a_missing_picture_stops_or_is_left_out(root):
    path = root / "CUB_200_2011" / "images" / f"{file_of(2, 1)}.jpg"
    path.unlink()
    with pytest.raises(DataError, match="1 of 4 pictures") as caught:
        cub.load(root, "train", 8)
    assert str(path) in str(caught.value)
    said = []
    data = cub.load(root, "train", 8, skip=True, report=said.append)
    assert data.classes.tolist() == [0, 0, 2] and len(data.captions) == 3
    assert len(data.class_names) == 4 and "left out 1 of 4" in said[0]


def test_damaged_captions_are_named(root):
    path = root / "cvpr2016_cub" / "text_c10" / f"{file_of(0, 1)}.txt"
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)
    for text, words in (
        (b"".join(lines[:9]), "9 captions; expected 10"),
        (good + b"one more\n", "11 captions"),
        (b"", "0 captions"),
        (good[:60] + b"\xe9\xff" + good[60:], "line 2.*UTF-8"),
    ):
        path.write_bytes(text)
        with pytest.raises(DataError, match=words) as caught:
            cub.load(root, "train", 8)
        assert str(path) in str(caught.value)
    path.write_bytes(b"".join(lines[:9]))
    assert len(cub.load(root, "train", 8, captions_each=None).captions[0]) == 9
    path.write_bytes(b"")
    with pytest.raises(DataError, match="expected at least one"):
        cub.load(root, "train", 8, captions_each=None)


def test_blank_lines_do_not_count_and_lost_characters_are_spaces(root):
    path = root / "cvpr2016_cub" / "text_c10" / f"{file_of(0, 1)}.txt"
    lines = path.read_text().splitlines()
    lines[0] = "a bird\ufffd\ufffdwith a  beak ."
    path.write_text("\r\n\r\n".join(lines), encoding="utf-8")
    captions = cub.load(root, "train", 8).captions[0]
    assert len(captions) == 10 and captions[0] == "a bird with a beak"


@pytest.mark.parametrize(
    "name, text, words",
    [
        (
            "cvpr2016_cub/testclasses.txt",
            "002.Laysan_Albatross\n003.Sooty_Albatross\n",
            "line 2: class '003.Sooty_Albatross' is also in trainclasses.txt, line 1",
        ),
        ("cvpr2016_cub/valclasses.txt", "009.Brewer_Blackbird\n", "line 1: there is no class '009"),
        (
            "CUB_200_2011/classes.txt",
            "1 001.Black_footed_Albatross\nsecond 002\n",
            "line 2: expected",
        ),
        ("CUB_200_2011/image_class_labels.txt", "1 1\n", "has 1 lines; expected 8"),
        (
            "cvpr2016_cub/trainclasses.txt",
            "003.Sooty_Albatross\n",
            "class '001.Black_footed_Albatross' is in none of trainclasses.txt",
        ),
        (
            "cvpr2016_cub/trainclasses.txt",
            f"{KINDS[0]}\n{KINDS[2]}\n{KINDS[0]}\n",
            "line 3: class '001.Black_footed_Albatross' is also in trainclasses.txt, line 1",
        ),
        ("CUB_200_2011/classes.txt", "".join(f"{i + 1} {KINDS[0]}\n" for i in range(4)), "line 2"),
    ],
)
def test_damaged_lists_are_named_with_their_line(root, name, text, words):
    (root / name).write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        cub.load(root, "train", 8, bird_box=True)
    assert (root / name).name in str(caught.value)


@pytest.mark.parametrize(
    "name, line, words",
    [
        ("bounding_boxes", "1 60.0 10.0 10.0", "'1 <x> <y> <width> <height>'"),
        ("bounding_boxes", "1 nan 10.0 10.0 10.0", "nan is no length in a picture"),
        ("bounding_boxes", "1 60.0 -inf 10.0 10.0", "-inf is no length"),
        ("bounding_boxes", "1 60.0 10.0 1e300 10.0", "1e300 is no length"),
        ("bounding_boxes", "1 6_0.0 10.0 10.0 10.0", "6_0.0 is no length"),
        ("bounding_boxes", "1 60.0 10.0 0.0 10.0", "the box of picture 1 is 0 wide and 10 high"),
        ("bounding_boxes", "2 60.0 10.0 10.0 10.0", "line 2: 2 stands there twice"),
        ("bounding_boxes", "", "the line with number 1 is missing"),
        ("image_class_labels", "1 2", "picture 1 has the class 2"),
        ("image_class_labels", "1 inf", "picture 1 has the class inf"),
        ("image_class_labels", f"1 {'1' * 10_000}", "picture 1 has the class 1111"),
        ("image_class_labels", f"{'1' * 10_000} 1", "line 1: expected a number and a text"),
        ("images", f"1 {file_of(0, 2)}.jpg", "line 2: .*0002_796113.jpg' stands there twice"),
        ("images", f"1 {KINDS[0]}/../x.jpg", "picture 1 is .*; expected '<class>/<file>.jpg'"),
        ("images", f"1 {KINDS[0]}/{'x' * 300}.jpg", "picture 1 is .*; expected '<class>/<f"),
        ("images", f"1 {file_of(1, 1)}b.jpg", "picture 1 has the class 1, but .*of another"),
    ],
)
def test_a_damaged_line_of_a_list_is_named(root, name, line, words):
    path = root / "CUB_200_2011" / f"{name}.txt"
    path.write_text("\n".join([line, *path.read_text().split("\n")[1:]]))
    with pytest.raises(DataError, match=words) as caught:
        cub.load(root, "train", 8, bird_box=True)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 600


def test_an_unknown_split_is_refused(root):
    with pytest.raises(UsageError, match="train, val, trainval, test"):
        cub.load(root, "dev", 8)


@pytest.mark.parametrize(
    "name",
    [
        "CUB_200_2011/images.txt",
        "CUB_200_2011/classes.txt",
        "CUB_200_2011/image_class_labels.txt",
        "CUB_200_2011/bounding_boxes.txt",
        "cvpr2016_cub/trainclasses.txt",
    ],
)
def test_mutations_are_refused_or_change_no_pair(root, name, monkeypatch, capsys):
    """What cannot be known: another box that lies in the picture (it changes no pair)."""
    load = damage.pairs_read(cub, monkeypatch)
    counts = damage.survey(
        capsys, root / name, damage.lines, lambda: load(root, "trainval", "test", bird_box=True)
    )
    assert counts["refused"] > 50
