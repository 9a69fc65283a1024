"""The explorers of notebook 19: two captions and a slider, style transfer, a map of captions."""

from datetime import datetime
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from watcher import Watcher

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_uint8
from t2ilab.errors import CaptionError, UsageError
from t2ilab.explore import captionmap, interpolation, style
from t2ilab.explore import sheet as sheet_tools
from t2ilab.explore.captionmap import CaptionMap, CaptionMapExplorer, map_renderer
from t2ilab.explore.interpolation import InterpolationExplorer, interpolation_renderer, told_apart
from t2ilab.explore.style import StyleExplorer, opened, style_renderer
from t2ilab.models.reed import Generator
from t2ilab.models.style import StyleEncoder
from t2ilab.plots import INK, RED
from t2ilab.systems.single import load_reader
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import MeanVectorEncoder
from t2ilab.text.tokens import Vocabulary

BIRDS = paperworld.world("birds")
FIRST, SECOND = interpolation.FIRST, interpolation.SECOND


@pytest.fixture(scope="module")
def system() -> TextToImage:
    """Untrained and small; knows the words that the explorers begin with."""
    torch.manual_seed(0)
    words = Vocabulary.of([FIRST, SECOND, style.CAPTION, *captionmap.CAPTIONS])
    encoder = MeanVectorEncoder(words, text=8, word=8)
    return TextToImage(encoder, Generator(size=32, text=8, z=4, projected=4, width=4))


@pytest.fixture(scope="module")
def encoder() -> StyleEncoder:
    torch.manual_seed(0)
    return StyleEncoder(size=32, z=4, width=4, hidden=8).eval()


@pytest.fixture(scope="module")
def reader():
    return load_reader("birds")


@pytest.fixture
def queries() -> dict[str, np.ndarray]:
    return {name: BIRDS.picture("test", i, 32) for i, name in enumerate(("one", "two"))}


def png(mode: str = "RGB", size: tuple[int, int] = (60, 40)) -> bytes:
    buffer = BytesIO()
    Image.new(mode, size).save(buffer, "PNG")
    return buffer.getvalue()


def uploaded(content: bytes) -> tuple:
    """What a FileUpload holds after a file was picked in the browser."""
    return (
        {
            "name": "mine.png",
            "type": "image/png",
            "size": len(content),
            "content": memoryview(content),
            "last_modified": datetime(2026, 1, 1),
        },
    )


def pixels(explorer) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(explorer.image.value)).convert("RGB"))


# --------------------------------------------------------------------------- two captions, a slider


def test_the_ends_of_the_way_are_the_two_captions_own_pictures(system):
    render = interpolation_renderer(system, steps=5)
    size, left = interpolation.LARGE, interpolation.LEFT + (5 * interpolation.SMALL - 256) // 2
    for caption, place in ((FIRST, 0), (SECOND, 4)):
        own = Image.fromarray(system.draw(caption, n=1, seed=7)[0])
        own = own.resize((size, size), Image.Resampling.NEAREST)
        sheet = render(first=FIRST, second=SECOND, place=place, seed=7)
        part = sheet.crop((left, 0, left + size, size))
        assert np.abs(np.asarray(part).astype(int) - np.asarray(own)).max() <= 1


def test_the_slider_shows_its_place_of_the_way_and_marks_it_on_the_strip(system):
    lab = Watcher()
    explorer = InterpolationExplorer(system, lab=lab)
    phi = system.encoder.encode([FIRST, SECOND])
    for place in (0, 4, 10):
        explorer.controls["place"].value = place
        shown = pixels(explorer)
        mixed = (1 - place / 10) * phi[:1] + place / 10 * phi[1:]
        own = to_uint8(system(system.noise(1, 0), mixed))[0].astype(int)
        left = interpolation.LEFT + (11 * interpolation.SMALL - 256) // 2
        assert np.abs(shown[4:256:8, left + 4 : left + 256 : 8] - own).max() <= 1
        frame = (shown[interpolation.LARGE + 8] == INK).all(1).nonzero()[0]
        assert frame[0] == interpolation.LEFT + place * interpolation.SMALL
    assert explorer.actions.children[0].max == 10  # the play button's last place
    explorer.buttons["Swap"].click()
    assert explorer.state["first"] == SECOND and explorer.state["place"] == 0
    assert (pixels(explorer)[:200] == shown[:200]).all() and not lab.errors


def test_rows_tell_what_is_read_of_what_the_captions_state_differently(system, reader):
    assert told_apart(BIRDS, FIRST, SECOND) == ["breast", "wing"]
    bare = interpolation_renderer(system)(FIRST, SECOND, 0, 0)
    read = interpolation_renderer(system, world=BIRDS, reader=reader)(FIRST, SECOND, 0, 0)
    assert read.width == bare.width and read.height == bare.height + 2 * interpolation.ROW


def test_what_was_read_can_be_read_on_the_colour_of_each_value():
    def light(colour):  # relative luminance of WCAG 2
        parts = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    for name, ground in BIRDS.colours["paint"].items():
        dark, bright = sorted((light(ground), light(sheet_tools.ink_on(ground))))
        assert (bright + 0.05) / (dark + 0.05) > 3, name


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (FIRST, "The two captions are the same"),
        (f"  {FIRST} ", "The two captions are the same"),
        ("a red small bird with wings blue", "reads both captions alike"),  # a bag of words does
        ("", "empty"),
        ("zzz qqq", "known"),
    ],
)
def test_captions_without_a_way_between_them_are_said_in_words(system, second, words):
    lab = Watcher()
    explorer = InterpolationExplorer(system, lab=lab)
    before = explorer.image.value
    explorer.controls["second"].value = second
    assert words in explorer.message.value
    assert explorer.image.value == before and not lab.errors


# ---------------------------------------------------------------------------------- style transfer


def test_the_transfer_is_the_generators_picture_of_the_style_found(system, encoder, queries):
    sheet = style_renderer(system, encoder, queries)(picture="two", caption=style.CAPTION)
    left = Image.fromarray(queries["two"]).resize((style.TILE,) * 2, Image.Resampling.NEAREST)
    assert (np.asarray(sheet.crop((0, 0, style.TILE, style.TILE))) == np.asarray(left)).all()
    x = torch.from_numpy(queries["two"]).permute(2, 0, 1)[None].float().div(127.5).sub(1)
    drawn = system(encoder.style(x), system.encoder.encode([style.CAPTION]))
    right = np.asarray(sheet.crop((style.TILE + style.GAP, 0, sheet.width, style.TILE)))
    expected = drawn[0].permute(1, 2, 0).add(1).mul(127.5).round().numpy().repeat(7, 0).repeat(7, 1)
    assert np.abs(right.astype(int) - expected).max() <= 1


def test_marks_ask_for_the_captions_content_and_the_querys_style(system, encoder, queries, reader):
    wanted, found = style._asked(BIRDS, reader, queries["one"], queries["two"], style.CAPTION)
    first, second = (BIRDS.facts("test", k) for k in (0, 1))
    style_of_query = {name: first[name] for name in style.STYLES}
    assert wanted == BIRDS.read(style.CAPTION) | style_of_query
    right = [found[name] == second[name] for name in found]
    assert np.mean(right) > 0.8  # the reader errs now and then, at 32 pixels
    sheet = style_renderer(system, encoder, queries, world=BIRDS, reader=reader)(
        "one", style.CAPTION
    )
    assert sheet.height == style.TILE + 4 + sheet_tools.LINE * len(wanted)


def test_an_upload_becomes_a_picture_to_pick_and_is_shown(system, encoder, queries):
    lab = Watcher()
    explorer = StyleExplorer(system, encoder, queries, lab=lab)
    explorer.upload.value = uploaded(png())
    assert explorer.state["picture"].startswith("mine.png (") and not explorer.message.value
    assert (pixels(explorer)[:200, :200] == 0).all() and not lab.errors
    explorer.buttons["Next picture"].click()
    assert explorer.state["picture"] == "one"


@pytest.mark.parametrize("content", [b"", b"no picture at all", png()[:60], b"%PDF-1.4 ..."])
def test_an_upload_that_is_no_picture_is_said_in_words(system, encoder, queries, content):
    lab = Watcher()
    explorer = StyleExplorer(system, encoder, queries, lab=lab)
    before = explorer.image.value
    explorer.upload.value = uploaded(content)
    assert "no picture that can be read" in explorer.message.value
    assert explorer.image.value == before and not lab.errors
    assert list(explorer.controls["picture"].options) == ["one", "two"]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "LA"])
def test_pictures_of_all_kinds_are_brought_to_one_shape(mode):
    assert opened(png(mode, (90, 50)), 32).shape == (32, 32, 3)


def test_the_middle_of_an_upload_is_taken():
    wide = Image.new("RGB", (90, 30), (255, 0, 0))
    wide.paste((0, 0, 255), (30, 0, 60, 30))
    buffer = BytesIO()
    wide.save(buffer, "PNG")
    assert (opened(buffer.getvalue(), 16) == [0, 0, 255]).all()


def test_no_pictures_to_begin_with_is_refused(system, encoder):
    with pytest.raises(UsageError, match="at least one picture"):
        StyleExplorer(system, encoder, {})


# --------------------------------------------------------------------------------- map of captions


def test_at_a_captions_place_it_alone_counts_and_weights_sum_to_one(system):
    plane = CaptionMap(system)
    assert plane.places.min() >= 0 and plane.places.max() <= 1
    for k, (x, y) in enumerate(plane.places.tolist()):
        assert float(plane.weights(x, y)[k]) == pytest.approx(1.0, abs=1e-3)
        assert torch.allclose(plane.at(x, y, system.noise(1))[0], plane.phi[k], atol=1e-2)
    for x, y in ((0.0, 0.0), (0.5, 0.5), (0.31, 0.77)):
        w = plane.weights(x, y)
        assert float(w.sum()) == pytest.approx(1.0) and int((w > 0).sum()) <= 3 and w.min() >= 0


def test_nothing_jumps_when_the_point_moves_a_little(system):
    plane = CaptionMap(system)
    xs = np.linspace(0, 1, 2001)
    way = torch.stack([plane.weights(float(x), 0.4) for x in xs])
    assert float((way[1:] - way[:-1]).abs().max()) < 0.15


def test_a_map_of_three_captions_has_weights_everywhere(system):
    plane = CaptionMap(system, captionmap.CAPTIONS[:3])
    for x in (0.0, 0.5, 1.0):
        assert float(plane.weights(x, 0.2).sum()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("captions", "error", "words"),
    [
        (["a red bird", "a blue bird"], UsageError, "at least three"),
        (["a red bird", "a blue bird", "bird blue a"], UsageError, "the same to the encoder"),
        (["a red bird", "a blue bird", "zzz"], CaptionError, "known"),
    ],
)
def test_captions_that_make_no_map_are_refused_in_words(system, captions, error, words):
    with pytest.raises(error, match=words):
        CaptionMap(system, captions)


def test_a_click_on_a_cell_moves_the_sliders_and_the_picture(system):
    lab = Watcher()
    explorer = CaptionMapExplorer(system, columns=7, rows=5, lab=lab)
    assert len(explorer.cells) == 35
    assert not any(cell.tabbable for cell in explorer.cells.values())  # 35 stops of the tab key
    explorer.cells[6, 4].click()
    assert explorer.plane.nearest_cells(7, 5).get((6, 4)) is None
    assert explorer.state == {"x": 1.0, "y": 1.0, "seed": 0} and "Here lies" in explorer.said.value
    shown = Image.open(BytesIO(explorer.image.value))
    drawn = map_renderer(system, explorer.plane)(x=1.0, y=1.0, seed=0)
    assert shown.tobytes() == drawn.tobytes()
    marked = [cell for cell in explorer.cells.values() if cell.description]
    assert 3 <= len(marked) <= len(captionmap.CAPTIONS)
    cell, caption = next(iter(explorer.plane.nearest_cells(7, 5).items()))
    explorer.cells[cell].click()
    assert caption in explorer.said.value.split(",")[0] and not lab.errors


def test_the_map_is_drawn_with_its_point_and_pictures(system):
    plane = CaptionMap(system)
    render = map_renderer(system, plane, n=4)
    for x, y, seed in ((0.1, 0.1, 0), (0.9, 0.5, 3)):
        sheet = np.asarray(render(x=x, y=y, seed=seed)).astype(int)
        side = len(sheet)
        red = (np.abs(sheet[:, : int(1.5 * side)] - RED).sum(-1) < 30).nonzero()
        assert red[0].mean() / side == pytest.approx(y, abs=0.02)
        assert red[1].mean() / (1.5 * side) == pytest.approx(x, abs=0.02)
        own = to_uint8(system(system.noise(4, seed), plane.at(x, y, system.noise(4, seed))))
        first = sheet[2:128:4, int(1.5 * side) + 18 : int(1.5 * side) + 16 + 128 : 4]
        assert np.abs(first - own[0]).max() <= 1
    with pytest.raises(UsageError, match="off the map"):
        render(x=1.2, y=0.0, seed=0)
