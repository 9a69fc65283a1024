"""R-precision, asked fairly: is a picture's caption found among ones that are one attribute off?

Xu et al. 2018 (AttnGAN) rank, for every drawn picture, its caption and 99 of other classes by the
encoder that trained the generator; R-precision is the share of pictures whose own caption comes
first. Three things are wrong with it: the examiner is the teacher, the other captions are easy, and
public code asks for the *first* of the best, with the right one at place 0, so that an encoder that
gives all captions one score gets 100 %. Here the other captions differ in one attribute, ties are
shared, and a reader that was in no training can be asked.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.data.paperworld import World
from t2ilab.data.paperworld.captions import caption
from t2ilab.errors import UsageError
from t2ilab.models.reader import AttributeReader

TIE = 1e-6  # scores that differ by less are equal


class Question(NamedTuple):
    """Captions for one picture: the first is true, each other is false in one attribute.

    Attributes:
        captions: what is said.
        stated: of each, attribute -> value.
    """

    captions: list[str]
    stated: list[dict[str, str]]


def question(
    world: World, facts: dict[str, str], *, wrong: int = 99, level: int = 0, seed: int = 0
) -> Question:
    """A caption of these facts, and `wrong` that are off by one attribute that they state.

    With fewer false facts than captions asked for, some say the same in other words.

    Args:
        world: whose sentences and words.
        facts: attribute -> value, of content.
        level: of the sentences; 0 is complete.
    """
    rng, words = np.random.default_rng((seed, 21)), world.words()
    told = {name: facts[name] for name in world.content}

    def say(of: dict[str, str]) -> tuple[str, dict[str, str]]:
        text, states = caption(world.templates[level], of, words, rng)
        return text, {name: of[name] for name in world.content if name in states}

    said = [say(told)]
    while len(said) < 1 + wrong:
        name = list(told)[int(rng.integers(len(told)))]
        others = [v for v in world.content[name] if world.agree(told | {name: v})]
        other = others[int(rng.integers(len(others)))]
        text, stated = say(told | {name: other})
        if other != told[name] and name in stated:
            said.append((text, stated))
    return Question(*map(list, zip(*said, strict=True)))


def r_precision(scores: Float[Tensor, "n captions"]) -> float:
    """The share of rows in which the first column is the largest; of t equal largest, 1/t each.

    1 / captions where all scores are equal.

    Raises:
        UsageError: no rows.
    """
    if not len(scores):
        raise UsageError("R-precision of no pictures: give at least one.")
    best = scores >= scores.amax(1, keepdim=True) - TIE
    return float((best[:, 0] / best.sum(1)).double().mean())


@torch.inference_mode()
def judged(
    judge: AttributeReader,
    world: World,
    images: Float[Tensor, "n 3 h w"],
    questions: Sequence[Question],
) -> Float[Tensor, "n captions"]:
    """log p(all that a caption states | picture), by a reader; 0 for all captions of a picture
    that it refuses to read.

    Args:
        judge: of this world, in no way part of the training.
        images: picture n is asked about `questions[n]`.
    """
    logs = {name: x.float().log_softmax(1) for name, x in judge.logits(images).items()}
    number = {a: {v: k for k, v in enumerate(values)} for a, values in world.content.items()}
    rows = [
        [sum(float(logs[a][i, number[a][v]]) for a, v in of.items()) for of in one.stated]
        for i, one in enumerate(questions)
    ]
    scores = torch.tensor(rows)
    return scores.masked_fill((judge.readable(images) < 0.5)[:, None], 0.0)
