"""The char-CNN-RNN: its alphabet, the shapes of the paper, and what it computes."""

import pytest
import torch
import torch.nn.functional as F

from t2ilab.errors import CaptionError, UsageError
from t2ilab.systems.encoders import describe_encoder, make_encoder
from t2ilab.text.characters import CHARACTERS, LENGTH, Alphabet
from t2ilab.text.encoders import PAPERS, CharCNNRNNEncoder

ALPHABET = Alphabet(["a", "red", "bird"])


def make(**changed):
    torch.manual_seed(0)
    return CharCNNRNNEncoder(ALPHABET, **dict(text=16, channels=(6, 7, 8)) | changed)


def test_there_are_70_characters_and_captions_are_201_long():
    assert len(CHARACTERS) == 70 and LENGTH == 201 and len(Alphabet()) == 71
    assert set(CHARACTERS) > set("abcdefghijklmnopqrstuvwxyz0123456789 ,.;!?'")


def test_characters_have_numbers_from_1_and_0_pads():
    numbers = ALPHABET.numbers(["a bz", "", "z" * 300])
    assert numbers.shape == (3, 201)
    assert numbers[0, :5].tolist() == [1, 70, 2, 26, 0] and numbers[0, 4:].sum() == 0
    assert numbers[1].sum() == 0 and (numbers[2] == 26).all()
    assert ALPHABET.numbers([]).shape == (0, 201)


def test_of_the_two_hyphens_of_the_authors_list_the_second_counts():
    assert CHARACTERS.count("-") == 2 and len(set(CHARACTERS)) == 69
    assert ALPHABET.index["-"] == CHARACTERS.rindex("-") + 1


def test_case_says_nothing_and_unknown_characters_are_spaces():
    assert torch.equal(ALPHABET.numbers(["A Red"]), ALPHABET.numbers(["a red"]))
    assert torch.equal(ALPHABET.numbers(["caf\u00e9\tb"]), ALPHABET.numbers(["caf  b"]))


def test_unknown_words_and_characters_are_reported_each_once():
    told = ALPHABET.unknown("a r\u00e9d \u00e9 mauve mauve bird \u2014\n")
    assert told == ["r\u00e9d", "\u00e9", "mauve", "\u2014"]
    assert Alphabet().unknown("caf\u00e9 \ufb02ower") == ["caf\u00e9"]  # a letter it cannot read
    assert ALPHABET.unknown("A RED bird!?") == []
    assert Alphabet().unknown("any word at all") == []  # it knows of no words: it reads letters


def test_characters_are_normalised_first():
    assert torch.equal(
        ALPHABET.numbers(["the \ufb02ower\u2019s \u201cred\u201d\u2026"]),
        ALPHABET.numbers(['the flower\'s "red"...']),
    )
    with pytest.raises(CaptionError, match="has 204 characters"):
        ALPHABET.check("\ufb03" * 68)  # three letters each


def test_any_word_can_be_read_a_misspelt_one_too():
    phi = make().encode(["a red bird", "a rde brid", "xyzzy"])
    assert torch.isfinite(phi).all()
    assert all((phi[i] - phi[j]).abs().max() > 1e-3 for i, j in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.parametrize(
    "caption, words",
    [
        ("", "caption is empty"),
        ("...", "has no word"),
        ("\u9e1f", "has no word"),
        ("b" * 202, "has 202 characters; at most 201 can be read"),
    ],
)
def test_captions_of_which_nothing_can_be_made_are_refused(caption, words):
    with pytest.raises(CaptionError, match=words):
        ALPHABET.check(caption)
    assert ALPHABET.check("b" * 201)


@pytest.mark.parametrize(
    "paper, width, steps",
    [("cvpr2016", 256, 8), ("icml2016-flowers", 512, 8), ("icml2016-birds", 512, 18)],
)
def test_shapes_are_those_of_the_papers(paper, width, steps):
    with torch.device("meta"):  # shapes alone
        encoder = CharCNNRNNEncoder(ALPHABET, text=1024, **PAPERS[paper])
        x = torch.zeros(2, 70, 201)
        shapes = {}
        for layer in encoder.convolutions:
            x = layer(x)
            shapes[tuple(x.shape[1:])] = type(layer).__name__
    assert list(shapes)[:4] == [(384, 198), (384, 66), (512, 63), (512, 21)]
    assert x.shape == (2, width, steps)
    assert encoder.rnn.hidden_size == width and encoder.out.weight.shape == (1024, width)
    assert isinstance(encoder.rnn, torch.nn.GRU) == (paper == "icml2016-birds")


def test_by_default_it_is_the_birds_of_the_gan_paper():
    with torch.device("meta"):
        encoder = CharCNNRNNEncoder(ALPHABET)
    assert encoder.text == 1024
    assert encoder.arguments == dict(text=1024, cell="gru", channels=[384, 512, 512], pool=False)


def test_by_hand():
    encoder = make(cell="rnn", pool=True)
    numbers = ALPHABET.numbers(["a red bird"])
    one_hot = torch.zeros(1, 70, 201)
    for place, number in enumerate(numbers[0].tolist()):
        if number:
            one_hot[0, number - 1, place] = 1
    x = one_hot
    for i, (size, stride) in zip((0, 3, 6), ((3, 3), (3, 3), (3, 2)), strict=True):
        conv = encoder.convolutions[i]
        x = F.max_pool1d(F.conv1d(x, conv.weight, conv.bias).relu(), size, stride)
    r, h, states = encoder.rnn, torch.zeros(8), []
    for t in range(x.shape[2]):
        h = (r.weight_ih_l0 @ x[0, :, t] + r.bias_ih_l0 + r.weight_hh_l0 @ h + r.bias_hh_l0).relu()
        states.append(h)
    expected = F.layer_norm(encoder.out(torch.stack(states).mean(0)), (16,))
    assert len(states) == 8 and torch.allclose(encoder(numbers)[0], expected, atol=1e-5)


@pytest.mark.parametrize("changed", [{}, {"cell": "rnn", "pool": True}])
def test_a_description_makes_the_same_network(changed):
    encoder = make(**changed)
    again = make_encoder(describe_encoder(encoder))
    again.load_state_dict(encoder.state_dict())
    assert again.vocabulary.words == ALPHABET.words
    assert torch.equal(again.encode(["a red bird"]), encoder.encode(["a red bird"]))


def test_an_unknown_cell_is_refused():
    with pytest.raises(UsageError, match="unknown cell 'grue': did you mean 'gru'"):
        make(cell="grue")
