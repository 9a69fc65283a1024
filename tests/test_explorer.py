"""The shell of the explorers, moved without a browser."""

from io import BytesIO

import ipywidgets as widgets
import pytest
import torch
from PIL import Image
from watcher import Watcher

from t2ilab.errors import CaptionError, DataError, UsageError
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import contact_sheet, differences


def make(render=None, **options):
    """An explorer of a grey square, the calls of its render, and the lab it reports to."""
    calls, lab = [], Watcher()

    def square(grey: int, size: float = 8, words: str = "") -> Image.Image:
        calls.append((grey, size, words))
        if words == "nonsense":
            raise CaptionError("none of these words is known: <nonsense>")
        if words == "broken":
            raise RuntimeError("shapes 3 and 4 differ")
        assert torch.is_inference_mode_enabled()
        return Image.new("L", (int(size), int(size)), grey)

    controls = {
        "grey": widgets.IntSlider(10, min=0, max=255),
        "size": widgets.FloatSlider(8.0, min=4, max=16),
        "words": widgets.Text("a bird"),
    }
    explorer = Explorer(render or square, controls, lab=lab, title="a square", **options)
    return explorer, calls, lab


def shown(explorer) -> Image.Image:
    return Image.open(BytesIO(explorer.image.value))


def test_moving_a_slider_changes_the_picture_at_once():
    explorer, _, _ = make()
    assert shown(explorer).getpixel((0, 0)) == 10
    before = explorer.image.value
    explorer.controls["grey"].value = 200
    assert explorer.image.value != before
    assert shown(explorer).getpixel((0, 0)) == 200
    assert " ms" in explorer.status.value and explorer.message.value == ""


def test_controls_are_labelled_and_sliders_alone_draw_before_they_are_released():
    explorer, _, _ = make()
    for name, control in explorer.controls.items():
        assert control.description == name
        assert control.continuous_update is (name != "words")  # half a word is no caption
    assert "a square: grey 10, size 8.0, words a bird" in explorer.status.value
    assert explorer.image.tooltip is None  # with one, the view of an Image fails in the browser


@pytest.mark.parametrize(
    ("size", "scale", "width", "crisp", "wide"),
    [
        ((8, 8), None, 536, True, False),  # 67 times, as often as 8 goes into 540
        ((64, 64), None, 512, True, False),
        ((600, 400), 1, 600, False, False),
        ((1000, 600), 1, 900, False, False),  # 540 pixels high
        ((900, 200), 1, 900, False, True),  # the controls stand above it
    ],
)
def test_a_picture_is_as_large_as_there_is_room_beside_the_controls(
    size, scale, width, crisp, wide
):
    explorer, _, _ = make(lambda **state: Image.new("L", size), scale=scale)
    assert explorer.image.width == str(width)
    assert ("t2ilab-crisp" in explorer.image._dom_classes) == crisp
    assert ("t2ilab-wide" in explorer.box._dom_classes) == wide
    assert explorer.box.children[1:] == (explorer.panel, explorer.view)


def test_a_button_enlarges_and_makes_small_again():
    explorer, _, _ = make()
    for large in (True, False):
        explorer.large.value = large
        assert ("t2ilab-large" in explorer.box._dom_classes) == large


def test_controls_that_change_nothing_are_greyed_until_they_do():
    explorer, _, _ = make(idle=lambda state: {"size", "grey"} if state["words"] == "hide" else ())
    assert not any(control.disabled for control in explorer.controls.values())
    explorer.controls["words"].value = "hide"
    resting = {name for name, control in explorer.controls.items() if control.disabled}
    assert resting == {"size", "grey"}
    explorer.controls["words"].value = "a bird"
    assert not any(control.disabled for control in explorer.controls.values())


def test_no_output_widget_which_would_swallow_errors():
    explorer, _, _ = make(buttons={"Next": lambda state: {}}, play="grey")
    inside = [explorer.box]
    for widget in inside:
        inside += getattr(widget, "children", ())
    assert len(inside) > 8
    assert not any(isinstance(widget, widgets.Output) for widget in inside)


def test_a_state_is_drawn_once_and_sliders_are_rounded():
    explorer, calls, _ = make(digits=1)
    explorer.controls["size"].value = 9.0
    explorer.controls["size"].value = 9.04  # rounds to 9.0
    explorer.controls["size"].value = 8.0
    assert [size for _, size, _ in calls] == [8.0, 9.0]
    assert "kept from before" in explorer.status.value


def test_the_cache_is_bounded_and_drops_the_oldest():
    explorer, calls, _ = make(cache=2)
    for grey in (10, 11, 12, 10):
        explorer.controls["grey"].value = grey
    assert [grey for grey, _, _ in calls] == [10, 11, 12, 10]


def test_what_the_user_typed_wrong_is_shown_but_not_raised_later():
    explorer, _, lab = make()
    before = explorer.image.value
    explorer.controls["words"].value = "nonsense"
    assert "none of these words is known: &lt;nonsense&gt;." in explorer.message.value
    assert 'role="alert"' in explorer.message.value
    assert "last one that worked" in explorer.status.value
    assert "t2ilab-old" in explorer.view._dom_classes
    assert explorer.image.value == before
    assert lab.errors == []
    explorer.controls["words"].value = "a red bird"
    assert explorer.message.value == "" and "t2ilab-old" not in explorer.view._dom_classes


@pytest.mark.parametrize("words", ["word " * 3000, "x" * 10_000, "a\nb\n" * 3000])
def test_a_message_is_never_longer_than_one_can_read(words):
    def render(**state):
        raise UsageError(words)

    explorer, _, _ = make(render)
    assert 200 < len(explorer.message.value) < 400 and "…" in explorer.message.value
    assert "\n" not in explorer.message.value


def test_a_note_says_what_is_shown_as_text_and_nothing_where_nothing_is_shown():
    explorer, _, _ = make(note=lambda grey, size, words: f"<i>{words}</i>, grey {grey}")
    assert explorer.said.value == "&lt;i&gt;a bird&lt;/i&gt;, grey 10"
    explorer.controls["words"].value = "nonsense"
    assert explorer.said.value == ""


def test_any_other_error_is_shown_and_reported():
    explorer, _, lab = make()
    explorer.controls["words"].value = "broken"
    assert "RuntimeError: shapes 3 and 4 differ." in explorer.message.value
    assert [type(error) for error in lab.errors] == [RuntimeError]


@pytest.mark.parametrize("error", [CaptionError("empty"), DataError("no weights")])
def test_a_first_drawing_that_fails_is_the_notebooks_fault_and_reported(error):
    def render(**state):
        raise error

    explorer, _, lab = make(render)
    assert lab.errors == [error]
    assert explorer.status.value == ""


def test_a_render_that_gives_no_picture_is_named():
    explorer, _, lab = make(lambda **state: "picture")
    assert "render gave a str" in explorer.message.value
    assert len(lab.errors) == 1


def test_set_moves_several_controls_and_draws_once():
    explorer, calls, _ = make()
    explorer.set(grey=50, size=12.0)
    assert calls[1:] == [(50, 12.0, "a bird")]
    with pytest.raises(UsageError, match="did you mean 'grey'"):
        explorer.set(gray=3)


def test_a_button_changes_the_state_and_reports_its_errors():
    actions = {
        "Brighter": lambda state: {"grey": state["grey"] + 20},
        "Broken": lambda state: 1 / 0,
    }
    explorer, _, lab = make(buttons=actions)
    explorer.buttons["Brighter"].click()
    assert explorer.controls["grey"].value == 30
    assert shown(explorer).getpixel((0, 0)) == 30
    explorer.buttons["Broken"].click()
    assert "ZeroDivisionError" in explorer.message.value
    assert len(lab.errors) == 1


def test_play_needs_a_slider_of_whole_numbers():
    with pytest.raises(UsageError, match="IntSlider"):
        make(play="size")


def test_picture_leaves_the_controls_alone_and_raises():
    explorer, _, _ = make()
    before = explorer.image.value
    assert explorer.picture(grey=99).getpixel((0, 0)) == 99
    assert explorer.image.value == before and explorer.state["grey"] == 10
    with pytest.raises(CaptionError):
        explorer.picture(words="nonsense")


def test_the_contact_sheet_shows_every_state_of_the_sweep():
    explorer, _, _ = make()
    sheet = explorer.contact_sheet([{"grey": grey} for grey in (0, 100, 250)], columns=3)
    assert sheet.size[0] == 3 * 168 + 8  # tiles of 8 pixels are enlarged to 160
    greys = [sheet.getpixel((8 + 80 + 168 * column, 80))[0] for column in range(3)]
    assert greys == [0, 100, 250]


def test_the_contact_sheet_has_room_for_long_labels():
    tiles = [Image.new("RGB", (64, 64), "red")] * 2
    short = contact_sheet(tiles, ["a", "b"])
    long = contact_sheet(tiles, ["a", "a small red bird with blue wings and a long black beak"])
    assert long.size[0] == short.size[0] and long.size[1] > short.size[1] + 30
    with pytest.raises(UsageError, match="2 pictures and 1 labels"):
        contact_sheet(tiles, ["a"])


def test_a_sheet_labels_itself_with_what_differs():
    states = [{"seed": seed, "words": "a bird", "range": [0, 1]} for seed in (1, 2)]
    assert differences(states) == ["seed = 1", "seed = 2"]
    assert differences(states[:1]) == ["seed = 1, words = a bird, range = [0, 1]"]


def test_a_page_without_a_kernel_gets_a_sentence_not_a_dump_of_widgets():
    explorer, _, _ = make()
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == "[a square: move the controls in a running notebook]"
