"""Caption encoders: what they share, and what the recurrent one can tell that the mean cannot."""

import pytest
import torch

from t2ilab.errors import CaptionError
from t2ilab.systems.encoders import describe_encoder, make_encoder
from t2ilab.text.encoders import (
    ENCODERS,
    CharCNNRNNEncoder,
    GRUEncoder,
    LSTMEncoder,
    MeanVectorEncoder,
)

CAPTIONS = ["a red bird with blue wings", "a blue bird with red wings", "a bird", "blue"]
KINDS = sorted(ENCODERS)
OF_WORDS = [kind for kind in KINDS if kind != "char"]  # the other reads characters
SMALL = {"char": {"channels": (8, 8, 8)}}


def make(kind, text=16):
    torch.manual_seed(0)
    cls = ENCODERS[kind]
    return cls(cls.reads.of(CAPTIONS), text=text, **SMALL.get(kind, {}))


@pytest.fixture(params=KINDS)
def encoder(request):
    return make(request.param)


def test_captions_go_in_and_vectors_come_out(encoder):
    phi = encoder.encode(CAPTIONS)
    assert phi.shape == (4, 16) and phi.dtype == torch.float32
    assert not phi.requires_grad and encoder.text == 16


def test_no_captions_give_no_vectors(encoder):
    assert encoder.encode([]).shape == (0, 16)


def test_each_vector_has_mean_0_and_variance_1(encoder):
    encoder.out.weight.data.mul_(100)  # as in a trained one: far above layer norm's epsilon
    phi = encoder.encode(CAPTIONS)
    assert phi.mean(1) == pytest.approx([0] * 4, abs=1e-5)
    assert phi.var(1, unbiased=False) == pytest.approx([1] * 4, rel=1e-2)


@pytest.mark.parametrize("kind", OF_WORDS)
def test_padding_changes_nothing(kind):
    encoder = make(kind)
    numbers = encoder.vocabulary.numbers(CAPTIONS[:2])
    padded = torch.cat([numbers, torch.zeros(2, 7, dtype=torch.long)], 1)
    assert torch.allclose(encoder(padded), encoder(numbers), atol=1e-6)


def test_a_vector_does_not_depend_on_what_else_is_encoded(encoder):
    together = encoder.encode(CAPTIONS)
    alone = torch.cat([encoder.encode([caption]) for caption in CAPTIONS])
    assert torch.allclose(together, alone, atol=1e-5)
    assert torch.allclose(encoder.encode(CAPTIONS[::-1]).flip(0), together, atol=1e-5)


def test_more_captions_than_one_part_holds_keep_their_order(encoder):
    many = (CAPTIONS * 300)[:1030]
    expected = encoder.encode(CAPTIONS).repeat(300, 1)[:1030]
    assert torch.allclose(encoder.encode(many), expected, atol=1e-5)


@pytest.mark.parametrize("kind", OF_WORDS)
def test_case_and_punctuation_say_nothing(kind):
    encoder = make(kind)
    assert torch.allclose(
        encoder.encode(["A red BIRD, with blue wings!"]), encoder.encode(CAPTIONS[:1]), atol=1e-6
    )


@pytest.mark.parametrize("kind", OF_WORDS)
def test_unknown_words_are_read_as_something_not_dropped(kind):
    encoder = make(kind)
    phi = encoder.encode(["a bird", "a mauve bird", "a teal bird"])
    assert not torch.allclose(phi[0], phi[1], atol=1e-3)
    assert torch.allclose(phi[1], phi[2], atol=1e-6)


def test_unknown_words_are_reported(encoder):
    assert encoder.vocabulary.unknown("a mauve bird with teal, mauve wings") == ["mauve", "teal"]
    assert encoder.vocabulary.unknown(CAPTIONS[0]) == []


@pytest.mark.parametrize("caption", ["", "...", "bird " * 61])
def test_unusable_captions_are_refused(encoder, caption):
    with pytest.raises(CaptionError):
        encoder.encode(["a bird", caption])


@pytest.mark.parametrize("kind", OF_WORDS)
def test_captions_of_unknown_words_only_are_refused(kind):
    with pytest.raises(CaptionError):
        make(kind).encode(["a bird", "xyzzy"])


def test_encoding_leaves_the_mode_as_it_was(encoder):
    for training in (True, False):
        encoder.train(training)
        encoder.encode(CAPTIONS)
        assert encoder.training is training


def test_the_mean_cannot_tell_whose_colour_is_whose():
    one, other = make("mean").encode(CAPTIONS[:2])
    assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("kind", ["gru", "lstm", "char"])
def test_those_that_read_in_order_can(kind):
    one, other = make(kind).encode(CAPTIONS[:2])
    assert (one - other).abs().max() > 1e-2


def test_the_mean_is_that_of_the_word_vectors():
    encoder = make("mean")
    words = encoder.words.weight[encoder.vocabulary.numbers(["a red bird"])[0]]
    expected = torch.nn.functional.layer_norm(encoder.out(words.mean(0)), (16,))
    assert torch.allclose(encoder.encode(["a red bird"])[0], expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_the_recurrent_encoders_read_in_both_directions(kind):
    """The last word bears on the state at the first one, and the other way round."""
    encoder = make(kind)
    numbers = encoder.vocabulary.numbers(["a red bird", "a red wings"])
    h, _ = getattr(encoder, kind)(encoder.words(numbers))
    forward, backward = h[:, 0].chunk(2, dim=1)
    assert torch.allclose(forward[0], forward[1], atol=1e-6)
    assert not torch.allclose(backward[0], backward[1], atol=1e-3)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_of_a_caption_alone_the_vector_is_the_mean_of_its_states(kind):
    encoder = make(kind)
    numbers = encoder.vocabulary.numbers(["a red bird"])
    h, _ = getattr(encoder, kind)(encoder.words(numbers))  # [1, 3, 2 hidden], nothing packed
    expected = torch.nn.functional.layer_norm(encoder.out(h[0].mean(0)), (16,))
    together = encoder.encode(["a red bird", "a red bird with blue wings"])
    assert torch.allclose(together[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    "kind, cls",
    [
        ("mean", MeanVectorEncoder),
        ("gru", GRUEncoder),
        ("lstm", LSTMEncoder),
        ("char", CharCNNRNNEncoder),
    ],
)
def test_a_description_makes_the_same_network(kind, cls):
    encoder = make(kind, text=8)
    description = describe_encoder(encoder)
    again = make_encoder(description)
    again.load_state_dict(encoder.state_dict())
    assert isinstance(again, cls) and description["kind"] == kind
    assert torch.equal(again.encode(CAPTIONS), encoder.encode(CAPTIONS))
