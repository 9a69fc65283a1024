"""The explorer of words: what it draws, and that clicks reach it."""

import numpy as np
import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.explore.attention import KEEP, AttentionExplorer, attention_renderer, heated, replaced
from t2ilab.models.attngan import AttnGenerator
from t2ilab.systems.attngan import AttnSystem
from t2ilab.text.encoders import GRUEncoder
from t2ilab.text.tokens import Vocabulary


def system():
    torch.manual_seed(0)
    encoder = GRUEncoder(Vocabulary(["a", "red", "blue", "bird"]), text=8, word=4, hidden=4)
    g = AttnGenerator(size=32, text=8, word=8, z=4, condition=3, width=8)
    for p in g.parameters():
        p.data *= 5
    return AttnSystem(encoder, g)


def test_a_word_is_replaced_in_its_place():
    assert replaced(["a", "red", "red", "bird"], 2, "blue") == "a red blue bird"
    assert replaced(["a", "bird"], 0, KEEP) == "a bird"
    with pytest.raises(UsageError, match="word 4 of 2"):
        replaced(["a", "bird"], 3, "blue")


def test_where_nothing_is_attended_the_picture_is_grey():
    picture = np.full((4, 4, 3), (200, 10, 10), np.uint8)
    heat = torch.zeros(2, 2)
    heat[0, 0] = 0.4
    shown = heated(picture, heat)
    assert shown[0, 0].tolist() == shown[1, 1].tolist() == [235, 95, 20]
    assert len(set(shown[3, 3].tolist())) == 1


def test_three_pictures_and_only_the_word_makes_the_difference():
    render = attention_renderer(system())
    kept = np.array(render("a red bird", 1, KEEP, 0))
    other = np.array(render("a red bird", 1, "blue", 0))
    third = kept.shape[1] // 3
    assert (kept[:, : 2 * third - 20] == other[:, : 2 * third - 20]).mean() > 0.99
    assert (kept[:, 2 * third + 20 :] != other[:, 2 * third + 20 :]).any()


def test_clicks_and_another_caption_draw_anew():
    explorer = AttentionExplorer(
        system(), others={"colours": ["red", "blue"]}, caption="a red bird"
    )
    first = bytes(explorer.image.value)
    explorer.controls["place"].value = 2
    second = bytes(explorer.image.value)
    assert first != second and not explorer.message.value
    explorer.controls["caption"].value = "a bird"  # has two words only
    assert explorer.state["place"] == 1 and not explorer.message.value
    explorer.controls["caption"].value = "  "
    assert "caption is empty" in explorer.message.value
