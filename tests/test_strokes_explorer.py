"""The explorer of alignDRAW: strokes, the words' weights, and words changed in place."""

import numpy as np
import pytest
import torch

from t2ilab.errors import CaptionError, UsageError
from t2ilab.explore.strokes import StrokesExplorer, replaced, strokes_renderer
from t2ilab.models.aligndraw import AlignDRAW
from t2ilab.systems.aligndraw import AlignDraw
from t2ilab.text.tokens import Vocabulary


@pytest.fixture(scope="module")
def system():
    torch.manual_seed(0)
    words = "a herd of elephants school bus is flying in blue skies".split()
    net = AlignDRAW(words=len(words) + 2, word=4, language=4, align=4, size=16, glimpses=3,
                    hidden=8, looking=8, latent=2, read=2, write=4)  # fmt: skip
    with torch.no_grad():
        for one in net.parameters():
            one += 0.3 * torch.randn(one.shape)
    return AlignDraw(Vocabulary(words), net)


def test_words_are_replaced_where_they_stand():
    caption = "A school bus is flying in blue skies."
    assert replaced(caption, "school bus", "herd of elephants") == (
        "a herd of elephants is flying in blue skies"
    )
    assert replaced(caption, "", "x") == "a school bus is flying in blue skies"
    with pytest.raises(UsageError, match="'bus school' does not stand in the caption"):
        replaced(caption, "bus school", "train")


def test_a_picture_of_the_strokes_is_a_function_of_its_state(system):
    render = strokes_renderer(system)
    state = dict(caption="a school bus", replace="", by="", stroke=2, seed=3)
    one, again = (np.asarray(render(**state)) for _ in range(2))
    assert (one == again).all()
    for other in (dict(stroke=1), dict(seed=4), dict(caption="a herd of elephants")):
        changed = np.asarray(render(**state | other))
        assert changed.shape != one.shape or (changed != one).any()
    both = render(**state | dict(replace="school bus", by="herd of elephants"))
    assert both.height > 2 * one.shape[0] - 20
    assert (np.asarray(render(**state | dict(stroke=99))) == render(**state | dict(stroke=3))).all()


def test_what_cannot_be_drawn_is_said(system):
    render = strokes_renderer(system)
    state = dict(caption="a school bus", replace="", by="", stroke=2, seed=3)
    with pytest.raises(UsageError, match="stroke -1"):
        render(**state | dict(stroke=-1))
    with pytest.raises(CaptionError, match="None of these words is known"):
        render(**state | dict(caption="xylophones"))
    with pytest.raises(CaptionError, match="empty"):
        render(**state | dict(caption=" "))
    with pytest.raises(UsageError, match="no captions"):
        StrokesExplorer(system, {})


def test_a_caption_that_is_picked_is_drawn_and_errors_are_shown(system):
    captions = {"a school bus": ("school bus", "herd of elephants"), "blue skies": ("blue", "a")}
    explorer = StrokesExplorer(system, captions)
    before = explorer.image.value
    explorer.pick.value = "blue skies"
    assert explorer.state["replace"] == "blue" and explorer.image.value != before
    explorer.controls["replace"].value = "elephants"
    assert "does not stand in the caption" in explorer.message.value
    explorer.set(replace="", caption="a zzz bus")
    assert "zzz" in explorer.said.value
