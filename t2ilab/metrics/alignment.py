"""What alignDRAW looks at: the attributes that a caption's words name, and the weight they get.

Attention mass is the share of alpha, over all strokes, that lies on words naming given attributes
of the world: "the share on subject and setting". (An alignment that looks right need not be used:
chapter 20 takes words away, and looks at what becomes of the picture.)
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.paperworld import World
from t2ilab.text.tokens import tokenize


def named_by(
    words: Sequence[str], facts: Mapping[str, str], lexicon: Mapping[str, Sequence[str]]
) -> list[str]:
    """For each word of a caption the attribute that it names, "" for none.

    Args:
        words: of the caption, as `tokenize` gives them.
        facts: attribute -> value, what is true of the picture.
        lexicon: value -> words for it, some of several words ("school bus").
    """
    found = [""] * len(words)
    for name, value in facts.items():
        phrases = sorted((tokenize(said) for said in lexicon.get(value, [])), key=len, reverse=True)
        for phrase in phrases:
            n = len(phrase)
            for i in range(len(words) - n + 1):
                if n and list(words[i : i + n]) == phrase and not any(found[i : i + n]):
                    found[i : i + n] = [name] * n
    return found


def lexicon_of(world: World) -> dict[str, list[str]]:
    """value -> all words for it, with those that only some sentences use ("skies")."""
    found = {value: [*said] for value, said in world.words("both").items() if said}
    for word, value in world.definition["also"].items():
        found.setdefault(value, []).append(word)
    return found


def facts_of(data: CaptionedImages, world: World, i: int) -> dict[str, str]:
    """attribute -> value of picture i."""
    return {name: values[data.attributes[name][i]] for name, values in world.attributes.items()}


def masses(
    alpha: Float[np.ndarray, "T n L"], data: CaptionedImages, world: World, level: int = 0
) -> dict[str, Float[np.ndarray, "T n"]]:
    """attribute -> weight on the words that name it, at each stroke of each picture; "" the rest.

    Args:
        alpha: of the first n pictures' captions of this level; word k is column k.
    """
    lexicon, (strokes, n, _) = lexicon_of(world), alpha.shape
    found = {name: np.zeros((strokes, n)) for name in ("", *world.attributes)}
    for i in range(n):
        words = tokenize(data.captions[i][level])
        for k, name in enumerate(named_by(words, facts_of(data, world, i), lexicon)):
            found[name][:, i] += alpha[:, i, k]
    return found


def mass(shares: Mapping[str, Float[np.ndarray, "T n"]], names: Iterable[str]) -> float:
    """Of `masses`: the mean share of these attributes' words over all strokes and pictures."""
    return float(sum(shares[name] for name in names).mean())
