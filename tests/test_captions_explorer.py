"""The caption explorer: ticks and crosses, words about a caption, and what typing does."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from watcher import Watcher

from t2ilab.data import paperworld
from t2ilab.errors import CaptionError, UsageError
from t2ilab.explore.captions import (
    SUGGESTIONS,
    CaptionExplorer,
    caption_renderer,
    note,
    read_back,
    tick_grid,
)
from t2ilab.models.reed import Generator
from t2ilab.plots import GREEN, RED
from t2ilab.systems.single import load_reader
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import MeanVectorEncoder
from t2ilab.text.tokens import Vocabulary

BIRDS = paperworld.world("birds")


@pytest.fixture(scope="module")
def system() -> TextToImage:
    """Untrained, small, and of all that the explorers suggest it lacks no word."""
    torch.manual_seed(0)
    encoder = MeanVectorEncoder(Vocabulary.of(SUGGESTIONS), text=8, word=8)
    return TextToImage(encoder, Generator(size=32, text=8, z=4, projected=4, width=4))


@pytest.fixture(scope="module")
def reader():
    return load_reader("birds")


def colours_below(sheet: Image.Image, x: int, y: int, width: int, height: int) -> set:
    part = sheet.crop((x, y, x + width, y + height))
    return {colour for _, colour in part.getcolors(width * height)}


def test_the_reader_finds_in_drawn_pictures_what_was_drawn(reader):
    facts = [BIRDS.facts("test", i) for i in range(12)]
    images = np.stack([BIRDS.picture("test", i, 64) for i in range(12)])
    read = read_back(reader, BIRDS, images)
    assert set(read) == set(BIRDS.attributes)
    right = [read[name][i] == facts[i][name] for name in read for i in range(12)]
    assert np.mean(right) > 0.95


def test_each_picture_has_a_tick_or_a_cross_for_each_stated_attribute():
    images = np.full((3, 64, 64, 3), 200, np.uint8)
    stated = {"breast": "red", "wing": "blue"}
    read = {"breast": ["red", "blue", "red"], "wing": ["blue", "blue", "red"], "tail": ["red"] * 3}
    sheet = tick_grid(images, stated, read, columns=2)
    tile, height = 128 + 4, 128 + 4 + 2 * 17 + 6
    assert sheet.size == (2 * tile - 4, 2 * height - 7)  # two rows, the second half empty
    expected = [("breast", (1, 0, 1)), ("wing", (1, 1, 0))]
    for line, (_, marks) in enumerate(expected):
        for i, right in enumerate(marks):
            x, y = i % 2 * tile, i // 2 * height + 128 + 3 + 17 * line
            mark = colours_below(sheet, x, y + 2, 14, 13)
            assert (GREEN in mark, RED in mark) == (bool(right), not right)


def test_a_caption_that_states_nothing_gets_pictures_without_lines():
    sheet = tick_grid(np.zeros((2, 32, 32, 3), np.uint8), {}, {}, columns=2)
    assert sheet.size == (2 * 132 - 4, 128)  # 32 pixels are enlarged four times


@pytest.mark.parametrize("read", [{}, {"wing": ["blue"]}])
def test_a_value_must_be_read_for_every_picture(read):
    with pytest.raises(UsageError, match="2 pictures, and no value read .*wing"):
        tick_grid(np.zeros((2, 32, 32, 3), np.uint8), {"wing": "blue"}, read)


def test_render_is_pure_and_the_seed_is_the_noise(system, reader):
    render = caption_renderer(system, n=3, world=BIRDS, reader=reader)
    first, same, other = (render("a bird", seed) for seed in (0, 0, 1))
    assert first == same and first != other
    assert first.size != render("a red bird", 0).size  # a line more: it states something
    assert caption_renderer(system, n=3)("a bird", 0).size == (3 * 132 - 4, 128)


def test_the_note_tells_what_is_stated_left_open_and_unknown(system):
    words = note(system, BIRDS, "a small scarlet bird with feathered wings")
    assert "states: size small, breast red." in words
    assert "Left open: crown, wing, tail, beak." in words
    assert "'scarlet', 'feathered'" in words and "'small'" not in words
    assert note(system, BIRDS, "a bird").startswith("The caption states: nothing. Left open: size")
    assert note(system, None, "a red bird") == ""


def test_every_suggestion_is_understood_by_the_birds_that_ship():
    from t2ilab.systems.encoders import load_encoder

    vocabulary = load_encoder("encoder-birds").vocabulary
    assert [vocabulary.unknown(caption) for caption in SUGGESTIONS] == [[]] * len(SUGGESTIONS)
    assert all(BIRDS.read(caption) for caption in SUGGESTIONS[:-1])


def test_typing_picking_and_rolling_draw_anew(system, reader):
    lab = Watcher()
    explorer = CaptionExplorer(system, BIRDS, reader=reader, n=2, lab=lab)

    def check(caption, seed, lines):
        """The pictures are the system's own of that caption and noise, enlarged four times."""
        assert explorer.state == {"caption": caption, "seed": seed}
        shown = np.asarray(Image.open(BytesIO(explorer.image.value)))
        own = system.draw(caption, n=2, seed=seed).astype(int)
        for k in (0, 1):
            assert np.abs(shown[2:128:4, 132 * k + 2 : 132 * k + 128 : 4] - own[k]).max() <= 1
        assert len(shown) == 128 + (3 + 17 * lines if lines else 0)

    check(SUGGESTIONS[0], 0, 3)  # size, breast, wing
    explorer.controls["caption"].value = "a bird"
    check("a bird", 0, 0)  # which states nothing
    explorer.suggestions.value = SUGGESTIONS[1]
    check(SUGGESTIONS[1], 0, 4)
    assert "beak long" in explorer.said.value
    explorer.buttons["Other noise"].click()
    check(SUGGESTIONS[1], 1, 4)
    assert lab.errors == []


def test_a_suggestion_can_be_picked_twice(system):
    explorer = CaptionExplorer(system, BIRDS, n=1)
    for _ in range(2):
        explorer.controls["caption"].value = "a bird"
        explorer.suggestions.value = SUGGESTIONS[2]
        assert explorer.state["caption"] == SUGGESTIONS[2]


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("", "The caption is empty"),
        ("ein Vogel", "None of these words is known: &#x27;ein&#x27;, &#x27;vogel&#x27;"),
        ("bird " * 61, "61 words; at most 60"),
    ],
)
def test_what_cannot_be_drawn_is_said_and_the_last_pictures_stay(system, caption, words):
    lab = Watcher()
    explorer = CaptionExplorer(system, BIRDS, n=1, lab=lab)
    before = explorer.image.value
    explorer.controls["caption"].value = caption
    assert words in explorer.message.value
    assert explorer.image.value == before
    assert "states" not in explorer.said.value  # nothing is claimed of pictures that are not shown
    assert lab.errors == []  # the user is told; the notebook is not at fault
    explorer.controls["caption"].value = "a blue bird"
    assert explorer.message.value == "" and "breast blue" in explorer.said.value


def test_what_is_typed_is_shown_as_text_never_as_markup(system):
    explorer = CaptionExplorer(system, BIRDS, n=1)
    explorer.controls["caption"].value = "a bird with <b>bold</b> wings"
    assert "<b>" not in explorer.said.value and "&#x27;bold&#x27;" in explorer.said.value


def test_a_first_caption_that_cannot_be_drawn_is_the_notebooks_fault(system):
    lab = Watcher()
    CaptionExplorer(system, BIRDS, n=1, lab=lab, suggestions=("ein Vogel",))
    assert [type(error) for error in lab.errors] == [CaptionError]
