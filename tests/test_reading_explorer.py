"""The explorer of notebook 03: a caption word by word."""

import time

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from t2ilab.errors import UsageError
from t2ilab.explore.reading import ReadingExplorer, likeliest
from t2ilab.models.language import LanguageModel
from t2ilab.text.tokens import Vocabulary

SENTENCES = ["a red bird with blue wings", "a blue bird with red wings", "a small red bird"]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = LanguageModel("gru", Vocabulary.of(SENTENCES), hidden=8, words=4)
    return model.eval().requires_grad_(False)


def probe(hidden=8):
    rng = np.random.default_rng(0)
    h = rng.normal(size=(40, hidden))
    return LogisticRegression().fit(h, np.where(h[:, 0] > 0, "red", "blue"))


def test_the_likeliest_value_is_the_probes(model):
    one = probe()
    state = torch.zeros(8)
    state[0] = 5
    value, p = likeliest(one, state)
    assert value == "red" and p == pytest.approx(one.predict_proba(state.numpy()[None]).max())


def test_a_picture_depends_on_its_state_and_comes_at_once(model):
    explorer = ReadingExplorer(model, {"breast": probe()}, SENTENCES[0])
    start = time.perf_counter()
    pictures = [np.asarray(explorer.picture(step=k)) for k in range(7)]
    assert (time.perf_counter() - start) / 7 < 1.5
    assert all((a != b).any() for a, b in zip(pictures, pictures[1:], strict=False))
    beyond = np.asarray(explorer.picture(step=30))
    assert (beyond == pictures[6]).all()  # the caption has six words
    assert (np.asarray(explorer.picture(step=-2)) == pictures[0]).all()
    other = np.asarray(explorer.picture(caption=SENTENCES[2], step=2))
    assert other.shape != pictures[2].shape or (other != pictures[2]).any()


def test_a_caption_of_unknown_words_is_answered(model):
    explorer = ReadingExplorer(model, {}, SENTENCES[0])
    explorer.controls["caption"].value = "zebras"
    assert "zebras" in explorer.message.value
    explorer.controls["caption"].value = ""
    assert explorer.message.value
    explorer.controls["caption"].value = SENTENCES[1]
    assert not explorer.message.value


def test_a_probe_for_other_states_is_refused(model):
    with pytest.raises(UsageError, match="fit it on the states of this model"):
        ReadingExplorer(model, {"breast": probe(5)}, SENTENCES[0])
