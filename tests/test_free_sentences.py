"""Sixty sentences as students type them: obeyed, or what is not understood is named.

Of each: what it states, what is said not to be drawn, which words are named as not known, and by
which word it is refused. Nothing may be silently wrong."""

import pytest

from t2ilab.data import paperworld
from t2ilab.errors import CaptionError
from t2ilab.systems.encoders import load_encoder

SENTENCES = [
    (
        "a small red bird with blue wings",
        {"size": "small", "breast": "red", "wing": "blue"},
        [],
        [],
        "",
    ),
    (
        "A SMALL RED BIRD WITH BLUE WINGS!",
        {"size": "small", "breast": "red", "wing": "blue"},
        [],
        [],
        "",
    ),
    ("red bird, blue wings", {"breast": "red", "wing": "blue"}, [], [], ""),
    ("bird red small", {"breast": "red", "size": "small"}, [], [], ""),
    ("a bird, red, with a long beak", {"breast": "red", "beak": "long"}, [], [], ""),
    ("birds with red wings", {"wing": "red"}, [], ["'birds' (did you mean 'bird'?)"], ""),
    (
        "a red breast and blue wings on a small bird",
        {"breast": "red", "wing": "blue", "size": "small"},
        [],
        [],
        "",
    ),
    ("its wings are blue and its breast is red", {"wing": "blue", "breast": "red"}, [], [], ""),
    ("the wings are blue", {"wing": "blue"}, [], [], ""),
    ("wings blue, beak long", {"wing": "blue", "beak": "long"}, [], [], ""),
    ("a bird whose wings are green", {"wing": "green"}, [], ["'whose'"], ""),
    ("a bird that is red", {"breast": "red"}, [], ["'that'"], ""),
    (
        "the bird is small and red with a long beak",
        {"size": "small", "breast": "red", "beak": "long"},
        [],
        [],
        "",
    ),
    (
        "a bigger bird with a shorter beak",
        {},
        [],
        ["'bigger' (did you mean 'big'?)", "'shorter' (did you mean 'short'?)"],
        "",
    ),
    ("the smallest red bird", {"breast": "red"}, [], ["'smallest' (did you mean 'small'?)"], ""),
    ("a not red bird", {}, [], ["'not'"], "'not'"),
    ("a bird that is not red", {}, [], ["'that'", "'not'"], "'not'"),
    ("a red bird without a tail", {"breast": "red"}, [], ["'without'"], "'without'"),
    ("a bird with no beak", {}, [], ["'no'"], "'no'"),
    ("a bird that isn't blue", {}, [], ["'that'", "'isn't'"], "'isn't'"),
    ("a bird which never has red wings", {}, [], ["'which'", "'never'"], "'never'"),
    ("neither red nor blue bird", {}, [], ["'neither'", "'nor'"], "'neither'"),
    ("a rde bird", {}, [], ["'rde' (did you mean 'red'?)"], ""),
    (
        "a purpel bird with yelow wings",
        {},
        [],
        ["'purpel' (did you mean 'purple'?)", "'yelow' (did you mean 'yellow'?)"],
        "",
    ),
    ("a red brid", {}, ["red: of what?"], ["'brid' (did you mean 'bird'?)"], ""),
    ("a red-breasted bird", {"breast": "red"}, [], [], ""),
    ("a blue-winged bird", {"wing": "blue"}, [], ["'winged' (did you mean 'wings'?)"], ""),
    ("a long-beaked bird", {"beak": "long"}, [], ["'beaked' (did you mean 'beak'?)"], ""),
    (
        "a red breasted blue winged bird",
        {"breast": "red", "wing": "blue"},
        [],
        ["'winged' (did you mean 'wings'?)"],
        "",
    ),
    (
        "a yellow-crowned black bird",
        {"crown": "yellow", "breast": "black"},
        [],
        ["'crowned' (did you mean 'crown'?)"],
        "",
    ),
    (
        "a black bird with a white belly",
        {"breast": "white"},
        ["black, said of bird, which is told otherwise already"],
        ["'belly'"],
        "",
    ),
    (
        "a black bird with white wings and a red crown",
        {"breast": "black", "wing": "white", "crown": "red"},
        [],
        [],
        "",
    ),
    ("a red robin", {}, ["red: of what?"], ["'robin'"], ""),
    ("a scarlet bird", {"breast": "red"}, [], ["'scarlet'"], ""),
    ("a turquoise bird", {}, [], ["'turquoise'"], ""),
    ("a grey bird", {}, [], ["'grey'"], ""),
    ("a crimson bird with azure wings", {"breast": "red", "wing": "blue"}, [], ["'azure'"], ""),
    ("two red birds", {"breast": "red"}, [], ["'two'", "'birds' (did you mean 'bird'?)"], ""),
    (
        "a red bird and a blue bird",
        {"breast": "red"},
        ["blue, said of bird, which is told otherwise already"],
        [],
        "",
    ),
    (
        "a red bird next to a blue one",
        {"breast": "red"},
        ["blue, said of bird, which is told otherwise already"],
        ["'next'", "'one'"],
        "",
    ),
    ("a bird with a red beak", {}, ["red, said of beak, which can be long or short"], [], ""),
    ("a bird with yellow legs", {}, ["yellow, said of legs"], ["'legs'"], ""),
    ("a bird with blue eyes", {}, ["blue, said of eyes"], ["'eyes'"], ""),
    (
        "a bird with red and blue wings",
        {"wing": "red"},
        ["blue, said of wings, which is told otherwise already"],
        [],
        "",
    ),
    (
        "a red and blue bird",
        {"breast": "red"},
        ["blue, said of bird, which is told otherwise already"],
        [],
        "",
    ),
    ("a striped bird", {}, [], ["'striped'"], ""),
    ("a bird in the blue sky", {"setting": "sky"}, ["blue, said of sky"], [], ""),
    (
        "a red bird in the blue sky",
        {"breast": "red", "setting": "sky"},
        ["blue, said of sky"],
        [],
        "",
    ),
    ("a red bird flying in the sky", {"breast": "red", "setting": "sky"}, [], [], ""),
    ("a blue bird sits on a branch", {"breast": "blue", "setting": "branch"}, [], [], ""),
    ("a bird on the green grass", {"setting": "grass"}, ["green, said of grass"], [], ""),
    ("a red bird looks to the left", {"breast": "red", "side": "left"}, [], [], ""),
    ("ein roter Vogel", {}, [], ["'ein'", "'roter'", "'vogel'"], "None of these words is known"),
    ("un pájaro rojo", {}, [], ["'un'", "'pájaro'", "'rojo'"], "None of these words is known"),
    ("красная птица", {}, [], ["'красная'", "'птица'"], "None of these words is known"),
    ("赤い鳥", {}, [], ["'赤い鳥'"], "None of these words is known"),
    ("a red 🐦", {}, ["red: of what?"], ["'🐦'"], ""),
    ("a bird with 2 wings", {}, [], ["'2'"], ""),
    ("bird", {}, [], [], ""),
    ("a red dog", {}, ["red: of what?"], ["'dog'"], ""),
    ("small", {}, ["small: of what?"], [], ""),
    (
        "a flying red bird looking left",
        {"breast": "red", "setting": "sky", "side": "left"},
        [],
        [],
        "",
    ),
    (
        "a bird on a branch in the sky",
        {"setting": "branch"},
        ["sky: another setting is told already"],
        [],
        "",
    ),
    ("a beautiful bird", {}, [], ["'beautiful'"], ""),
    ("a bird with a very, very long beak", {"beak": "long"}, [], [], ""),
    (
        "a bird with a red tail, long beak & green head",
        {"tail": "red", "beak": "long", "crown": "green"},
        [],
        [],
        "",
    ),
    ("light blue bird", {"breast": "blue"}, [], ["'light' (did you mean 'right'?)"], ""),
    ("dark red bird", {"breast": "red"}, [], ["'dark'"], ""),
    ("a bird red as blood", {"breast": "red"}, [], ["'as'", "'blood'"], ""),
    ("a reddish bird", {}, [], ["'reddish' (did you mean 'red'?)"], ""),
]


@pytest.fixture(scope="module")
def known():
    return paperworld.world("birds"), load_encoder("encoder-birds").vocabulary


@pytest.mark.parametrize(
    ("text", "stated", "left", "unknown", "refused"), SENTENCES, ids=[s for s, *_ in SENTENCES]
)
def test_a_sentence_is_obeyed_or_what_is_not_is_named(known, text, stated, left, unknown, refused):
    world, vocabulary = known
    assert world.read(text) == stated
    assert world.left(text) == left
    assert vocabulary.questions(text) == unknown
    if refused:
        with pytest.raises(CaptionError) as told:
            vocabulary.check(text)
        assert str(told.value).startswith(refused)
    else:
        assert vocabulary.check(text) == text


def test_the_table_holds_each_kind_of_sentence():
    """A world's words, in all: enough sentences, and of each outcome some."""
    assert len(SENTENCES) >= 60
    assert (
        sum(bool(stated) and not left and not unknown for _, stated, left, unknown, _ in SENTENCES)
        > 10
    )
    assert sum(bool(refused) for *_, refused in SENTENCES) > 8
    assert sum("did you mean" in "".join(unknown) for *_, unknown, _ in SENTENCES) > 8
    assert sum(bool(left) for _, _, left, _, _ in SENTENCES) > 8
