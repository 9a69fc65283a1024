"""Words: tokens, vocabulary, and captions of which nothing can be made."""

import re

import pytest
import torch

from t2ilab.errors import CaptionError
from t2ilab.text.tokens import MAX_WORDS, Vocabulary, tokenize

WORDS = Vocabulary(["a", "bird", "red", "blue"])


@pytest.mark.parametrize(
    "caption, words",
    [
        ("A small, red bird.", ["a", "small", "red", "bird"]),
        ("  the\tbird's\nblack-and-white  TAIL!", ["the", "bird's", "black-and-white", "tail"]),
        ("2 dogs (and 1 cat) - 'running'", ["2", "dogs", "and", "1", "cat", "running"]),
        ("", []),
        (" ... ", []),
    ],
)
def test_tokens(caption, words):
    assert tokenize(caption) == words


def test_vocabulary_of_captions_has_the_most_frequent_words_first_then_by_alphabet():
    captions = ["a red bird", "a blue bird", "A bird."]
    assert Vocabulary.of(captions).words == ["a", "bird", "blue", "red"]
    assert Vocabulary.of(captions, at_least=3).words == ["a", "bird"]


def test_vocabulary_does_not_depend_on_the_order_of_captions():
    captions = ["a red bird", "two green cats", "a dog"]
    assert Vocabulary.of(captions).words == Vocabulary.of(captions[::-1]).words


def test_words_have_numbers_from_2_and_0_pads_and_1_is_unknown():
    numbers = WORDS.numbers(["a red bird", "purple bird"])
    assert torch.equal(numbers, torch.tensor([[2, 4, 3], [1, 3, 0]]))
    assert numbers.dtype == torch.long and len(WORDS) == 6


def test_numbers_of_no_captions_and_of_an_empty_one():
    assert WORDS.numbers([]).shape == (0, 1)
    assert torch.equal(WORDS.numbers(["", "a"]), torch.tensor([[0], [2]]))
    assert torch.equal(WORDS.numbers(["", "."]), torch.tensor([[0], [0]]))


def test_unknown_words_are_reported_each_once_in_their_order():
    assert WORDS.unknown("a mauve bird with a teal, mauve beak") == [
        "mauve",
        "with",
        "teal",
        "beak",
    ]
    assert WORDS.unknown("a red bird") == []


def test_a_caption_with_one_known_word_will_do():
    assert WORDS.check("xyzzy bird") == "xyzzy bird"


@pytest.mark.parametrize("caption", ["", "   ", "\n"])
def test_an_empty_caption_is_refused_with_an_example(caption):
    with pytest.raises(CaptionError, match="caption is empty: type a sentence.*'a small red bird"):
        WORDS.check(caption)


@pytest.mark.parametrize("caption", ["...", "\u2026", "\u201c\u201d \u2014 \u3002"])
def test_a_caption_without_a_word_is_refused_and_quoted(caption):
    with pytest.raises(CaptionError, match="has no word: type a sentence in letters") as refused:
        WORDS.check(caption)
    assert f"'{caption}'" in str(refused.value)


@pytest.mark.parametrize(
    "word", ["\u9e1f", "\u043f\u0442\u0438\u0446\u0430", "\U0001f426", "z" * 999]
)
def test_a_word_in_another_script_is_a_word_and_no_message_is_endless(word):
    with pytest.raises(CaptionError, match="None of these words is known") as refused:
        WORDS.check(word)
    assert f"'{word[:37]}" in str(refused.value) and len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "written, read",
    [
        ("\ufb02ower", "flower"),  # a ligature of f and l
        ("bird\u2019s", "bird's"),
        ("bird\u00b4s", "bird's"),
        ("black\u2011and\u2011white", "black-and-white"),
        ("\uff52\uff45\uff44", "red"),  # letters of full width
        ("flow\u00ader", "flower"),  # a hyphen that is not seen
        ("cafe\u0301", "caf\u00e9"),
        ("R\u00c9D", "r\u00e9d"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0939\u093f\u0928\u094d\u0926\u0940"),
    ],
)
def test_a_word_is_normalised_and_never_cut_and_told_as_it_was_written(written, read):
    assert tokenize(f"a {written}, \u201cred\u201d\u2026") == ["a", read, "red"]
    assert Vocabulary([read]).unknown(written) == []
    assert WORDS.unknown(f"a \u2018{written}\u2019!") in ([], [written.lower()])
    assert (read in WORDS.index) == (WORDS.unknown(written) == [])


def test_nothing_that_could_be_a_word_is_dropped_in_silence():
    told = WORDS.unknown("a \u00bd red\U0001f426\u200d\U0001f426 bird 5\u00b0 \ud800 \u0301")
    assert told == ["\u00bd", "\U0001f426\u200d\U0001f426", "5", "\u00b0", "\ufffd", "\u0301"]
    assert tokenize("red\u200bbird\u00a0blue\u3000a") == ["red", "bird", "blue", "a"]


def test_captions_in_ascii_are_read_as_they_ever_were():
    captions = [
        "A small, red bird's tail\x00 (50%) -- 'x' \x07_y_ +$5 e-mail",
        "".join(map(chr, range(128))),
    ]
    for caption in captions:
        assert tokenize(caption) == re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", caption.lower())


def test_sixty_words_are_read_and_one_more_is_refused():
    longest = "bird " * MAX_WORDS
    assert WORDS.check(longest) == longest and MAX_WORDS == 60
    with pytest.raises(CaptionError, match="has 61 words; at most 60"):
        WORDS.check(longest + "bird")


def test_a_caption_of_unknown_words_only_is_refused_with_the_words_and_some_known():
    words = "'purple', 'cow'.*Known are 4 words.*a, bird, red, blue"
    with pytest.raises(CaptionError, match=words):
        WORDS.check("Purple cow, purple cow")
