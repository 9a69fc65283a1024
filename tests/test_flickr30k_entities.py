"""Flickr30k Entities in its own layout: chains, types, boxes, flags, and each of its traps."""

import shutil

import damage
import numpy as np
import pytest
from PIL import Image

from t2ilab.data import flickr30k_entities as entities
from t2ilab.data.entities import read
from t2ilab.errors import DataError, UsageError

pytestmark = pytest.mark.usefixtures("own_cache")

GUYS, SUBWAY, DOG = "1000092795", "10002456", "1009434119"
SENTENCES = {
    GUYS: """\
[/EN#1/people Two young guys] with [/EN#2/bodyparts shaggy hair] look at [/EN#0/notvisual each \
other] while hanging out in [/EN#8/scene the yard] .
[/EN#1/people Two young , White males] are outside near [/EN#4/scene many bushes] .
[/EN#1/people Two men] in [/EN#5/clothing green shirts] are standing in [/EN#8/scene a yard] .
[/EN#6/people A man] in [/EN#7/clothing a blue shirt] standing in [/EN#8/scene a garden] .
[/EN#1/people Two friends] enjoy [/EN#10/other time] spent together .
""",
    SUBWAY: """\
[/EN#6728/people A woman] waits for [/EN#6729/vehicles/scene the subway] .
[/EN#6728/people A woman in a café] waits .
Nobody is here .
[/EN#6728/people The same woman] again .
[/EN#6728/people A cook] bakes [/EN#6731/other bread] .
""",
    DOG: """\
[/EN#12/animals A dog] and [/EN#13/animals a bird] .
[/EN#12/animals A dog] .
[/EN#12/animals The dog] runs .
[/EN#12/animals A dog running] .
[/EN#12/animals A black dog] .
""",
}
OBJECTS = {  # chains, and a box counted from 1, or a flag
    GUYS: [
        ((1,), (11, 21, 50, 90)),
        ((4,), (1, 41, 60, 100)),
        ((4,), (70, 41, 80, 100)),
        ((1, 6), (51, 11, 100, 100)),
        ((5,), (21, 31, 40, 50)),
        ((8,), "scene"),
        ((10,), "nobndbox"),
    ],
    SUBWAY: [((6728,), (31, 21, 70, 80)), ((6729,), (1, 1, 120, 80)), ((6729,), "scene")],
    DOG: [((12,), (21, 1, 60, 60)), ((13,), (1, 1, 31, 60))],
}
SIZES = {GUYS: (100, 100), SUBWAY: (120, 80), DOG: (80, 60)}
SPLIT = {"train": (SUBWAY, GUYS), "val": (DOG,), "test": (DOG,)}


def annotation(number):
    """As their tool writes it: with tabs, and two elements of the flags."""
    width, height = SIZES[number]
    rows = [f"\t<filename>{number}.jpg</filename>"]
    rows += [f"\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>"]
    rows += ["\t\t<depth>3</depth>\n\t</size>"]
    for chains, what in OBJECTS[number]:
        rows += ["\t<object>", *(f"\t\t<name>{chain}</name>" for chain in chains)]
        if isinstance(what, str):
            flags = {"scene": 0, "nobndbox": 0} | {what: 1}
            rows += [f"\t\t<{flag}>{value}</{flag}>" for flag, value in flags.items()]
        else:
            edges = zip(("xmin", "ymin", "xmax", "ymax"), what, strict=True)
            rows += ["\t\t<bndbox>", *(f"\t\t\t<{a}>{v}</{a}>" for a, v in edges), "\t\t</bndbox>"]
        rows += ["\t</object>"]
    return "\n".join(["<annotation>", *rows, "</annotation>"])


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "entities"
    for folder in ("Annotations", "Sentences", "flickr30k-images"):
        (root / folder).mkdir(parents=True)
    for number, text in SENTENCES.items():
        (root / "Sentences" / f"{number}.txt").write_text(text, encoding="utf-8")
        (root / "Annotations" / f"{number}.xml").write_text(annotation(number))
        pixels = np.zeros((*SIZES[number][::-1], 3), np.uint8)
        for k, (_, box) in enumerate(OBJECTS[number]):
            if not isinstance(box, str):
                left, top, right, bottom = box
                pixels[top - 1 : bottom, left - 1 : right] = 50 * (k + 1)
        Image.fromarray(pixels).save(root / "flickr30k-images" / f"{number}.jpg", quality=95)
    for split, numbers in SPLIT.items():
        (root / f"{split}.txt").write_text("\n".join(numbers) + "\n")
    (root / "UNRELATED_CAPTIONS").write_text("# format: <imageID> <sentence number>\n10002456 5\n")
    return root


def told(root, number):
    return read(entities.SOURCE, root / "Annotations", root / "Sentences", number)


def test_sentences_lose_their_marks_and_keep_their_words(root):
    found = told(root, GUYS)
    assert found.sentences[0] == (
        "Two young guys with shaggy hair look at each other while hanging out in the yard"
    )
    assert told(root, SUBWAY).sentences[2] == "Nobody is here"
    assert told(root, SUBWAY).mentions[2].text == "A woman in a café"


def test_a_chain_of_several_types_is_kept_and_chain_0_is_not(root):
    subway = next(m for m in told(root, SUBWAY).mentions if m.chain == 6729)
    assert subway.kinds == ("vehicles", "scene") and subway.text == "the subway"
    assert subway.sentence == 0
    chains = [m.chain for m in told(root, GUYS).mentions]
    assert 0 not in chains and chains.count(1) == 4 and chains.count(8) == 3
    assert "Two young , White males" in [m.text for m in told(root, GUYS).mentions]


def test_boxes_count_from_0_and_their_last_pixel_is_in_them(root):
    found = told(root, GUYS)
    assert found.size == (100, 100) and len(found.boxes) == 5
    assert found.boxes[0] == ((10.0, 20.0, 50.0, 90.0), (1,))
    assert found.boxes[1][0] == (0.0, 40.0, 60.0, 100.0)  # at the edge of the picture
    assert found.boxes[3] == ((50.0, 10.0, 100.0, 100.0), (1, 6))  # of two chains
    assert [chains for _, chains in found.boxes].count((4,)) == 2  # two boxes of one chain


def test_flags_stand_in_place_of_boxes(root):
    assert told(root, GUYS).scene == {8} and told(root, GUYS).nobox == {10}
    assert told(root, SUBWAY).scene == {6729}  # and it has a box beside the flag


def test_people_are_cut_out_with_the_phrases_that_name_them(root):
    said = []
    data = entities.load(root, "train", 16, report=said.append)
    assert data.name == "flickr30k_entities/train/16" and data.images.shape == (3, 16, 16, 3)
    men = ["Two young guys", "Two young , White males", "Two men", "Two friends"]
    assert data.captions == [
        ["A woman", "A woman in a café", "The same woman"],  # "A cook" is of no such picture
        men,
        ["Two young guys", "Two young , White males", "Two men", "A man", "Two friends"],
    ]
    assert [data.class_names[c] for c in data.classes] == [f"{SUBWAY}/6728", *[f"{GUYS}/1"] * 2]
    assert abs(int(data.images[2, 8, 8, 0]) - 200) < 8  # what the fourth box shows
    assert "2 of the 2 pictures" in said[0] and "3 boxes; left out 0 below 32 pixels" in said[1]


def test_small_boxes_are_left_out_and_counted(root):
    said = []
    dogs = entities.load(root, "test", 8, report=said.append)  # a bird of 31 x 60 is there, too
    assert dogs.captions == [["A dog", "The dog", "A dog running", "A black dog"]]
    assert "1 boxes; left out 1 below 32 pixels" in said[1]
    assert len(entities.load(root, "test", 8, least=1, report=None)) == 2
    with pytest.raises(UsageError, match="no box of people, animals has 99 pixels a side"):
        entities.load(root, "test", 8, least=99, report=None)


def test_other_types_the_first_n_and_what_is_unknown(root):
    assert entities.load(root, "train", 8, kinds=["clothing"], least=8, report=None).captions == [
        ["green shirts"]
    ]
    assert len(entities.load(root, "train", 8, n=2, report=None)) == 2
    with pytest.raises(UsageError, match="unknown type of chain 'person': did you mean 'people'"):
        entities.load(root, "train", 8, kinds=["person"])
    with pytest.raises(UsageError, match="at least 1"):
        entities.load(root, "train", 8, n=0)


def test_whole_pictures_with_all_boxes_and_the_phrases_that_have_some(root):
    data = entities.grounded(root, "train", report=None)
    assert len(data) == 2 and data.images[0].shape == (80, 120, 3)
    assert data.owner.tolist() == [0, 0, 1, 1, 1, 1, 1] and data.boxes.shape == (7, 4)
    said = {(p.picture, p.text): (p.boxes, p.kinds) for p in data.phrases}
    assert said[0, "the subway"] == ((1,), ("vehicles", "scene"))
    assert said[1, "many bushes"] == ((3, 4), ("scene",))
    assert said[1, "Two men"] == ((2, 5), ("people",)) and said[1, "A man"] == ((5,), ("people",))
    without = {"the yard", "a yard", "time", "each other", "shaggy hair", "bread", "A cook"}
    assert not without & {text for _, text in said}
    assert len(data.phrases) == 4 + 7  # every mention counts: 4 of the subway's, 7 of the guys'
    people = entities.grounded(root, "train", kinds=["people"], report=None)
    assert {p.kinds for p in people.phrases} == {("people",)} and len(people.boxes) == 7
    assert len(entities.grounded(root, "train", n=1, report=None)) == 1


def test_a_picture_of_another_size_than_its_annotation_is_refused(root):
    path = root / "flickr30k-images" / f"{SUBWAY}.jpg"
    Image.new("RGB", (80, 120)).save(path)
    data = entities.grounded(root, "train", report=None)
    with pytest.raises(DataError, match="has 80 x 120 pixels, its annotation is of 120 x 80"):
        data.images[0]


def test_files_may_lie_in_the_folder_of_the_repository(root):
    before = entities.load(root, "train", 8, report=None)
    (root / "flickr30k_entities").mkdir()
    for path in [*root.iterdir()]:
        if path.name not in ("flickr30k-images", "flickr30k_entities"):
            shutil.move(path, root / "flickr30k_entities" / path.name)
    after = entities.load(root, "train", 8, report=None)
    assert np.array_equal(before.images, after.images) and before.captions == after.captions


@pytest.mark.parametrize(
    "name",
    [
        "Annotations", "Sentences", "train.txt", "UNRELATED_CAPTIONS", "flickr30k-images",
        f"Annotations/{GUYS}.xml", f"Sentences/{GUYS}.txt",
    ],
)  # fmt: skip
def test_what_is_missing_is_named_with_where_to_get_and_put_it(root, name):
    path = root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match="is missing") as caught:
        entities.load(root, "train", 8, report=None)
    message = str(caught.value)
    assert str(path) in message and "annotations.zip" in message and "Sentences/10" in message


def test_only_pictures_on_disk_are_read_and_a_broken_one_stops_or_is_left_out(root):
    path = root / "flickr30k-images" / f"{SUBWAY}.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 broken")
    with pytest.raises(DataError, match=rf"{SUBWAY}\.jpg"):
        entities.load(root, "train", 8, report=None)
    assert len(entities.load(root, "train", 8, skip=True, report=None)) == 2
    path.unlink()
    assert len(entities.grounded(root, "train", report=None)) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[/EN#6/people A man]", "[/EN#6/people A man", "line 4: expected phrases marked as"),
        ("[/EN#6/people A man]", "[/EN#six/people A man]", "line 4: expected phrases"),
        ("[/EN#6/people A man]", "[/EN#6 A man]", "line 4: expected phrases"),
        ("[/EN#6/people A man]", "[/EN#6/people  ]", "line 4: expected phrases"),
    ],
)
def test_a_damaged_sentence_is_named_with_its_line(root, old, new, words):
    path = root / "Sentences" / f"{GUYS}.txt"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=words) as caught:
        told(root, GUYS)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("</object>", "", "line [0-9]+: this is no XML"),
        ("<name>5</name>", "", "object 5: expected the name of a chain"),
        (
            "<name>5</name>",
            "<name>five</name>",
            "object 5: expected the number of a chain, got 'fi",
        ),
        ("<scene>1</scene>", "<scene>0</scene>", "object 6: expected .* one of the flags"),
        ("<xmin>21</xmin>", "<xmin>1.5</xmin>", "object 5: expected xmin in whole pixels"),
        ("<xmin>21</xmin>", "", "object 5: expected xmin in whole pixels, got ''"),
        ("<xmin>21</xmin>", "<xmin>41</xmin>", "object 5: the box .* shows nothing of a picture"),
        ("<xmin>21</xmin>", "<xmin>101</xmin>", "shows nothing of a picture of 100 x 100 pixels"),
        ("<width>100</width>", "<width></width>", "expected width in whole pixels, got ''"),
        (f"{GUYS}.jpg", f"{DOG}.jpg", f"it is of the picture '{DOG}.jpg', not {GUYS}.jpg"),
        ("<annotation>", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotation>", "declares no entities"),
        ("<annotation>", "<?xml version='1.0' encoding='so'?><annotation>", "this is no XML"),
    ],
)
def test_a_damaged_annotation_is_named(root, old, new, words):
    path = root / "Annotations" / f"{GUYS}.xml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=words) as caught:
        told(root, GUYS)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 600


def test_a_pixel_beyond_the_edge_is_cut_off(root):
    path = root / "Annotations" / f"{GUYS}.xml"
    text = path.read_text().replace("<xmax>100</xmax>", "<xmax>101</xmax>")
    path.write_text(text.replace("<xmin>1</xmin>", "<xmin>0</xmin>"))
    boxes = told(root, GUYS).boxes
    assert boxes[3][0] == (50.0, 10.0, 100.0, 100.0) and boxes[1][0][0] == 0.0


@pytest.mark.parametrize("name", [f"Sentences/{GUYS}.txt", f"Annotations/{GUYS}.xml", "train.txt"])
def test_mutations_give_an_error_in_words_or_a_reading(root, name, capsys):
    """Words, chains and edges cannot be known to be others; no damage gives a traceback."""

    def load():
        data = entities.grounded(root, "train", report=None)
        return data.phrases, data.boxes.tolist()

    counts = damage.survey(capsys, root / name, damage.lines, load, lambda *_: False)
    assert counts["refused"] > 30
