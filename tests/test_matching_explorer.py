"""The explorer of matching: boxes, gallery, the nearest, and what typing and dragging do."""

from io import BytesIO

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from watcher import Watcher

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.grounded import GroundedPictures, Phrase
from t2ilab.errors import CaptionError, UsageError
from t2ilab.explore.matching import (
    COLUMNS,
    NEAREST,
    ROWS,
    SIDE,
    TILE,
    MatchingExplorer,
    Scene,
    boxed,
    lit,
    matching_renderer,
    nearest,
)
from t2ilab.plots import GREEN, GREY, RED

COLOURS = {"red": (220, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 220)}
STATE = dict(phrase="a red one", towards="a blue one", share=0, crowd=0, others=False)


class ByColour:
    """Pictures are their mean colour, captions that of the colour that they name."""

    size = 8

    def pictures(self, images):
        return F.normalize(torch.from_numpy(images.mean((1, 2)) + 1e-3).float(), dim=1)

    def captions(self, captions):
        unknown = [c for c in captions if not {*COLOURS} & {*c.split()}]
        if unknown:
            raise CaptionError(f"None of these words is known: {unknown[0]}")
        named = [next(w for w in c.split() if w in COLOURS) for c in captions]
        return F.normalize(torch.tensor([COLOURS[w] for w in named]).float(), dim=1)

    def scores(self, pictures, captions):
        return pictures @ captions.T


def plain(*names: str) -> np.ndarray:
    return np.array([np.full((8, 8, 3), COLOURS[name], np.uint8) for name in names])


@pytest.fixture
def crowd():
    """A red square at the left and a blue one at the right; then a single green one."""
    one, two = np.full((2, 48, 48, 3), 128, np.uint8)
    one[10:30, 4:20], one[10:30, 28:44], two[20:40, 20:40] = (
        COLOURS["red"],
        COLOURS["blue"],
        COLOURS["green"],
    )
    boxes = np.array([(4, 10, 20, 30), (28, 10, 44, 30), (20, 20, 40, 40)], float)
    said = [Phrase(0, "a red one", (0,)), Phrase(0, "a blue one", (1,))]
    return GroundedPictures("two", np.stack([one, two]), boxes, np.array([0, 0, 1]), said)


@pytest.fixture
def gallery():
    """Of 60 pictures every third is red, then green, then blue."""
    names = [[*COLOURS][k % 3] for k in range(60)]
    return CaptionedImages(
        "plain",
        plain(*names),
        [[f"a {name} one"] for name in names],
        np.arange(60),
        [str(k) for k in range(60)],
        {"top": np.array([2 + k % 3 for k in range(60)])},
    )


@pytest.fixture
def scene(crowd, gallery):
    return Scene(ByColour(), crowd, gallery)


def share_of(picture: Image.Image, colour, box=None) -> float:
    part = np.asarray(picture.crop(box) if box else picture)
    return float((part == colour).all(-1).mean())


def test_the_best_box_is_red_and_the_others_are_grey(crowd):
    boxes = crowd.boxes[:2]
    sheet = boxed(crowd.images[0], boxes, np.array([0.1, 0.9]))
    assert sheet.size == (SIDE, SIDE)  # 48 pixels, eight times
    times = SIDE // 48
    for (left, _, right, bottom), colour in zip(boxes * times, (GREY, RED), strict=True):
        for at in ((left + 1, bottom - 9), (right - 1, bottom - 9), (left + 9, bottom - 1)):
            assert sheet.getpixel(tuple(map(int, at))) == colour


def test_scores_are_written_on_the_best_boxes_only(crowd):
    many = np.array([(2 + 6 * k, 30, 6 + 6 * k, 40) for k in range(7)], float)
    sheet = boxed(crowd.images[1], many, np.arange(7.0))
    plates = [
        share_of(sheet, RED if k == 6 else GREY, (16 + 48 * k, 222, 46 + 48 * k, 238)) > 0.3
        for k in range(7)
    ]
    assert plates == [False] * 4 + [True] * 3


def test_what_scores_high_is_lit_and_the_rest_is_pale():
    sheet = lit(plain("red", "blue", "red"), np.array([1.0, 0.0, 0.0, 0.0, 0.5]))
    step = TILE + 7
    at = [sheet.getpixel((TILE // 2 + k * step, TILE // 2)) for k in range(3)]
    assert at[0] == COLOURS["red"] and at[1][2] > at[1][0] > 200 and at[2][0] > at[2][1] > 200
    same = lit(plain("red"), np.zeros(1))  # all scores equal: no division by 0
    assert same.getpixel((5, 5))[1] > 200


def test_the_nearest_say_whether_the_phrase_is_true_of_them():
    strip = nearest(plain("red", "blue", "red"), np.array([0.9, 0.2, 0.8]), [0, 2, 1],
                    [True, None, False])  # fmt: skip
    cell, below = 2 * TILE + 6, (2 * TILE, 2 * TILE + 20)
    found = [
        {c: share_of(strip, c, (k * cell, below[0], k * cell + 2 * TILE, below[1])) > 0
         for c in (GREEN, RED)}
        for k in range(3)
    ]  # fmt: skip
    assert found == [{GREEN: True, RED: False}, {GREEN: False, RED: False},
                     {GREEN: False, RED: True}]  # fmt: skip


def nearest_colours(picture: Image.Image) -> list[str]:
    """The names of the colours in the strip below."""
    top, found = picture.height - 2 * TILE - 20, []
    for k in range(NEAREST):
        pixel = picture.getpixel((k * (2 * TILE + 6) + TILE, top + TILE))
        found.append(min(COLOURS, key=lambda n: np.abs(np.subtract(pixel, COLOURS[n])).sum()))
    return found


def test_the_phrase_finds_its_box_its_tiles_and_its_nearest(scene):
    render = matching_renderer(scene)
    picture = render(**STATE)
    assert picture == render(**STATE)
    assert nearest_colours(picture) == ["red"] * NEAREST
    assert nearest_colours(render(**STATE | {"phrase": "the green"})) == ["green"] * NEAREST
    for phrase, left, other in (("a red one", 4, 28), ("a blue one", 28, 4)):
        shown = render(**STATE | {"phrase": phrase})
        edges = [shown.getpixel((8 * x + 1, 24 + 8 * 25)) for x in (left, other)]
        assert edges == [RED, GREY]
    tiles = picture.crop((SIDE + 16, 24, SIDE + 16 + COLUMNS * (TILE + 7), 24 + ROWS * (TILE + 7)))
    full = [
        tiles.getpixel(
            (TILE // 2 + k % COLUMNS * (TILE + 7), TILE // 2 + k // COLUMNS * (TILE + 7))
        )
        == COLOURS["red"]
        for k in range(COLUMNS * ROWS)
    ]
    assert full == [k % 3 == 0 for k in range(COLUMNS * ROWS)]


def test_dragging_leads_from_one_phrase_to_the_other(scene):
    render = matching_renderer(scene)
    ends = [nearest_colours(render(**STATE | {"share": share})) for share in (0, 30, 70, 100)]
    assert ends == [["red"] * NEAREST] * 2 + [["blue"] * NEAREST] * 2
    a, b = scene.text("a red one"), scene.text("a blue one")
    middle = scene.between("a red one", "a blue one", 0.5)
    assert torch.allclose(middle.norm(), torch.tensor(1.0))
    assert torch.allclose(middle @ a.T, middle @ b.T, atol=1e-6)
    assert torch.equal(scene.between("a red one", " ", 0.9), a)  # nothing to drag it to


def test_wrong_boxes_are_shown_on_request(scene, crowd):
    assert scene.boxes(0, False).shape == (2, 4) and len(scene.boxes(0, True)) > 10
    few, many = (matching_renderer(scene)(**STATE | {"others": o}) for o in (False, True))
    box = (0, 24, SIDE, 24 + SIDE)
    assert share_of(many, GREY, box) > 2 * share_of(few, GREY, box) > 0


def test_the_lexicon_says_of_which_pictures_a_phrase_is_true(crowd, gallery):
    world = paperworld.world("phrases")
    values = {name: k for k, name in enumerate(world.attributes["top"])}
    gallery.attributes["top"] = np.array([values[[*COLOURS][k % 3]] for k in range(60)])
    scene = Scene(ByColour(), crowd, gallery, world=world)
    assert scene.true("a man in a red shirt", [0, 3]) == [None, None]  # subjects are not told
    gallery.attributes["subject"] = np.array([world.attributes["subject"].index("man")] * 60)
    assert scene.true("a man in a red shirt", [0, 1, 3]) == [True, False, True]
    assert scene.true("a woman in a red shirt", [0]) == [False]
    assert scene.true("something", [0]) == [None]
    assert Scene(ByColour(), crowd, gallery).true("a man in a red shirt", [0]) == [None]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"phrase": "ein Vogel"}, "None of these words is known"),
        ({"towards": "", "phrase": ""}, "None of these words is known"),
        ({"crowd": 2}, "crowd 2: there are 0 to 1"),
    ],
)
def test_what_cannot_be_shown_is_said(scene, change, said):
    with pytest.raises(UsageError, match=said):
        matching_renderer(scene)(**STATE | change)


def test_a_gallery_of_another_size_is_refused(crowd, gallery):
    system = ByColour()
    system.size = 16
    with pytest.raises(UsageError, match="60 pictures of 8 pixels: .* in the 16 of the system"):
        Scene(system, crowd, gallery)


def test_typing_and_dragging_draw_and_an_unknown_word_is_answered(crowd, gallery):
    lab = Watcher()
    explorer = MatchingExplorer(
        ByColour(), crowd, gallery, world=paperworld.world("phrases"), lab=lab,
        suggestions=("a man in red", "a dog in blue", "green"),
    )  # fmt: skip
    assert "states: subject man, top red" in explorer.said.value
    assert explorer.message.value == ""
    seen = [explorer.image.value]
    for change in ({"share": 100}, {"phrase": "green", "share": 0}, {"crowd": 1}, {"others": True}):
        explorer.set(**change)
        assert explorer.message.value == ""
        seen.append(explorer.image.value)
    assert len(set(seen)) == len(seen)
    shown = Image.open(BytesIO(seen[-1]))
    drawn = explorer.render(**explorer.state)
    assert shown.tobytes() == drawn.tobytes()
    explorer.controls["phrase"].value = "qwertz"
    assert "None of these words is known" in explorer.message.value
    assert explorer.image.value == seen[-1] and lab.errors == []
    sheet = explorer.contact_sheet([{"phrase": "red", "share": s} for s in (0, 50, 100)])
    assert sheet.width > explorer.picture(phrase="red").width
