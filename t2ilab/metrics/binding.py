"""Whose colour is whose? Pairs of captions with two words swapped, and a picture that fits one.

"A blue bird with brown wings" and "a brown bird with blue wings" have the same words: a bag of
words cannot tell them apart, and is at chance by construction. An encoder that binds colours to
parts gives the caption that fits the higher score.
"""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.paperworld import World
from t2ilab.data.paperworld.captions import Template
from t2ilab.errors import UsageError
from t2ilab.text.matcher import Matcher
from t2ilab.text.tokens import tokenize

# Sentences with two slots that can take each other's values, built like those of the training
# captions; either attribute comes first in some.
FORMS = {
    "birds": (
        "a {breast} bird with {wing} wings",
        "this {breast} bird has {wing} wings",
        "this bird has {wing} wings and a {breast} breast",
    ),
    "flowers": (
        "a {petal} flower with a {centre} centre",
        "this flower has a {centre} centre and {petal} petals",
    ),
}
# Not so: both values stand after their parts, and of the second part no training caption says it
# so. Who has only learned that a colour belongs to the part after it gives them away.
AFTER = {
    "birds": ("its wings are {wing} and its breast is {breast}",),
    "flowers": ("its petals are {petal} and its centre is {centre}",),
}
TIE = 1e-4  # scores that differ by less, relatively, are equal: sums in another order


class Pair(NamedTuple):
    """Picture `picture` fits `right`, not `wrong`; both come from FORMS[world][form]."""

    picture: int
    form: int
    right: str
    wrong: str


def swapped(
    data: CaptionedImages, world: World, forms: tuple[str, ...] | None = None
) -> list[Pair]:
    """Every pair of captions that can be made for the pictures of `data`, picture by picture.

    Left out are pictures of which both parts have one value, values that only one of the parts can
    take, and pairs whose words are not the same ones ("a blue bird with orange wings" becomes "an
    orange bird ...": the n would tell a bag of words which is which).

    Args:
        forms: sentences with two slots each, named like the world's attributes; by default `FORMS`.

    Raises:
        UsageError: no forms are known for this world, or one has not two slots of attributes.
    """
    if forms is None and world.name not in FORMS:
        raise UsageError(
            f"binding: no sentences are known for {world.name}; give forms=, such as "
            f"{FORMS['birds'][:1]}."
        )
    pairs = []
    for f, form in enumerate(FORMS[world.name] if forms is None else forms):
        names = [name for slot in Template.parse(form).slots for name in slot]
        if len(set(names)) != 2 or not set(names) <= set(world.content):
            raise UsageError(
                f"binding: '{form}' has slots {names}; expected two of {', '.join(world.content)}."
            )
        pairs += _of_form(data, world, f, form, *names)
    return sorted(pairs)


def _of_form(data, world: World, f: int, form: str, one: str, other: str) -> list[Pair]:
    """The pairs of one sentence."""
    pairs, template = [], Template.parse(form)
    values = [[world.content[name][v] for v in data.attributes[name]] for name in (one, other)]
    for i, (a, b) in enumerate(zip(*values, strict=True)):
        if a != b and b in world.content[one] and a in world.content[other]:
            right, wrong = (
                template.fill(facts, {}, None) for facts in ({one: a, other: b}, {one: b, other: a})
            )
            if Counter(tokenize(right)) == Counter(tokenize(wrong)):
                pairs.append(Pair(i, f, right, wrong))
    return pairs


def binding(
    matcher: Matcher,
    features: Float[Tensor, "n features"],
    data: CaptionedImages,
    world: World,
    forms: tuple[str, ...] | None = None,
) -> dict[str, float]:
    """The share of pairs of swapped captions of which the one that fits the picture scores higher.

    Args:
        matcher: trained on features of the same kind.
        features: of the pictures of `data`.
        forms: see `swapped`.

    Returns:
        each sentence -> its share, "all" -> the share over all, in [0, 1]; equal scores count
        half. "pairs" -> how many there were.

    Raises:
        UsageError: as `swapped`; or no picture gives a pair.
    """
    pairs = _some(data, world, forms)
    theta = matcher.pictures(features)[torch.tensor([p.picture for p in pairs])]
    right, wrong = (
        (theta * matcher.captions(list(said))).sum(1).cpu().numpy()
        for said in ([p.right for p in pairs], [p.wrong for p in pairs])
    )
    tie = np.abs(right - wrong) <= TIE * theta.norm(dim=1).cpu().numpy() * _size(matcher)
    return _shares(pairs, np.where(tie, 0.5, right > wrong), world, forms)


def told_apart(
    match: Callable[[UInt8[np.ndarray, "n h w 3"], list[str]], Float[Tensor, "n 2"]],
    data: CaptionedImages,
    world: World,
    forms: tuple[str, ...] | None = None,
) -> dict[str, float]:
    """The same of whatever scores pictures and captions.

    Args:
        match: pictures and captions -> the score of each of both.
        forms: see `swapped`.

    Returns, raises: as `binding`.
    """
    pairs = _some(data, world, forms)
    said = sorted({caption for p in pairs for caption in (p.right, p.wrong)})
    column = {caption: j for j, caption in enumerate(said)}
    scores = match(data.images, said).cpu().numpy()
    rows = np.array([p.picture for p in pairs])
    right, wrong = (
        scores[rows, [column[getattr(p, which)] for p in pairs]] for which in ("right", "wrong")
    )
    tie = np.abs(right - wrong) <= TIE * np.abs(scores).max()
    return _shares(pairs, np.where(tie, 0.5, right > wrong), world, forms)


def _some(data, world: World, forms) -> list[Pair]:
    pairs = swapped(data, world, forms)
    if not pairs:
        raise UsageError(f"binding: no picture of {data.name} gives a pair of swapped captions.")
    return pairs


def _shares(pairs: list[Pair], won: np.ndarray, world: World, forms) -> dict[str, float]:
    """Each sentence -> its share of pairs that were won, and all together."""
    form = np.array([p.form for p in pairs])
    said = FORMS[world.name] if forms is None else forms
    shares = {
        text: float(won[form == f].mean()) for f, text in enumerate(said) if (form == f).any()
    }
    return shares | {"all": float(won.mean()), "pairs": len(pairs)}


def _size(matcher: Matcher) -> float:
    """The length of phi, the same for all captions: its entries have mean 0 and variance 1."""
    return 1.0 if matcher.arguments["cosine"] else matcher.encoder.text**0.5
