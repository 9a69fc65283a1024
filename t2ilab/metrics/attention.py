"""Is attention an explanation? Does it look where it should, and does the picture depend on it?

*Pointing* asks whether a part's words are attended to where that part is drawn: the peak of their
map, and the share of its mass, beside what a uniform map and one heaped at the centre would get.
A map can point well and be of no use: what it brings may be known from elsewhere. So *deletion*
takes the words away from the attention and asks what becomes of the attribute; and *swaps* change
one word of a caption and ask which pixels change.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from t2ilab.data.paperworld import World
from t2ilab.text.tokens import tokenize

CHANGED = 0.15  # a pixel has changed where a channel differs by more, of [0, 1]
SPREAD = 0.2  # of the heap at the centre, as a share of the side


class Span(NamedTuple):
    """Where a caption tells an attribute: places of the value's word and of the part's noun."""

    value: int
    noun: int


def spans(world: World, caption: str, facts: dict[str, str]) -> dict[str, Span]:
    """attribute -> where it is told, of the attributes that a noun of the caption names.

    Args:
        facts: what is true of the picture; a word of its value is looked for, before the noun, or
            behind it after "is" and "are".
    """
    words, heads, found = tokenize(caption), world.definition["heads"], {}
    said = world.words("both")
    for name in world.content:
        nouns = [i for i, w in enumerate(words) if heads.get(w) and heads[w] == [name]]
        of_whole = [i for i, w in enumerate(words) if w == next(iter(heads))]
        values = {facts[name], *said.get(facts[name], [])}
        places = [i for i, w in enumerate(words) if w in values]
        for noun in nouns or (of_whole if name in heads[next(iter(heads))] else []):
            behind = words[noun + 1 : noun + 2] in (["is"], ["are"])
            near = [i for i in places if (i > noun if behind else i < noun)]
            if near:
                found[name] = Span(min(near, key=lambda i: abs(i - noun)), noun)
                break
    return found


class Pointed(NamedTuple):
    """Shares, in [0, 1]: peaks inside the part, and mass inside it."""

    peak: float
    mass: float


def pointing(maps: Float[Tensor, "n h w"], masks: Bool[Tensor, "n h w"]) -> Pointed:
    """Of maps, each over a picture, and the part that each should point at.

    A map's peak is its largest place; of equal ones each counts its share. Empty masks do not
    count.
    """
    some = masks.flatten(1).any(1)
    maps, masks = maps[some].flatten(1).double(), masks[some].flatten(1)
    best = maps >= maps.amax(1, keepdim=True) * (1 - 1e-6)
    peak = (best & masks).sum(1) / best.sum(1)
    mass = (maps * masks).sum(1) / maps.sum(1).clamp(min=1e-12)
    return Pointed(float(peak.double().mean()), float(mass.mean()))


def uniform(masks: Bool[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Maps that look everywhere alike."""
    return torch.full(masks.shape, 1.0)


def central(masks: Bool[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Maps heaped at the centre, where subjects are."""
    h, w = masks.shape[1:]
    y, x = ((torch.arange(s) + 0.5) / s - 0.5 for s in (h, w))
    heap = torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * SPREAD**2))
    return heap.expand(masks.shape)


def enlarged(
    attention: Float[Tensor, "b words h w"], side: int
) -> Float[Tensor, "b words side side"]:
    """Maps at another side, each place as it is: it then covers a square of pixels."""
    return F.interpolate(attention, (side, side), mode="nearest")


def without(
    attention: Float[Tensor, "b words h w"], taken: Sequence[Sequence[int]]
) -> Float[Tensor, "b words h w"]:
    """Attention that gives nothing to the words taken [b][...], and what they had to the others and
    to none, in proportion."""
    left = attention.clone()
    for one, places in zip(left, taken, strict=True):
        one[list(places)] = 0
    had = (attention - left).sum(1, keepdim=True)
    return left / (1 - had).clamp(min=1e-6)


def even(
    attention: Float[Tensor, "b words h w"], real: Bool[Tensor, "b words"]
) -> Float[Tensor, "b words h w"]:
    """Attention that gives every word the same, wherever one looks."""
    share = real / real.sum(1, keepdim=True)
    return share[:, :, None, None].expand(attention.shape).contiguous()


def changed(
    before: Float[Tensor, "n 3 h w"], after: Float[Tensor, "n 3 h w"]
) -> Bool[Tensor, "n h w"]:
    """Pixels that differ visibly; pictures in [-1, 1]."""
    return (before - after).abs().amax(1) > 2 * CHANGED


def inside(
    moved: Bool[Tensor, "n h w"], masks: Bool[Tensor, "n h w"], rim: int = 1
) -> Float[Tensor, " n"]:
    """The share of each picture's changed pixels that lie in its mask, or `rim` pixels around it;
    nan where none changed."""
    wide = F.max_pool2d(masks[:, None].float(), 2 * rim + 1, 1, rim)[:, 0] > 0
    return (moved & wide).sum((1, 2)) / moved.sum((1, 2))
