"""Pictures of which it is known what an instrument should say: they test the scoreboard.

Five are real, or as good as real: the world's own answer to each caption; the same with the
captions shuffled; pictures of classes that training shows, but that it never saw; training pictures
at random; and those training pictures that fit the captions best. Two are nothing: the mean
picture, and noise.
"""

from collections.abc import Callable

import numpy as np

from t2ilab.data import paperworld
from t2ilab.metrics.protocol import FREE, Drawn

Control = Callable[[str, int, int, int], Drawn]  # world, n, side, number of training pictures


def truth(world: str, n: int, size: int, seen: int) -> Drawn:
    """What the world draws for each caption: its facts, and style and place left to chance."""
    one, rng = paperworld.world(world), np.random.default_rng(0)
    style = {name: rng.integers(len(values), size=n) for name, values in one.style.items()}
    facts = [
        one.facts("test", i) | {name: one.style[name][style[name][i]] for name in style}
        for i in range(n)
    ]
    pictures = np.stack([one.draw(f, size, seed=10**6 + i) for i, f in enumerate(facts)])
    return Drawn(pictures, "captions", tuple(one.content))


def shuffled(world: str, n: int, size: int, seen: int) -> Drawn:
    """The same pictures, each given to the caption of another."""
    right = truth(world, n, size, seen)
    ring = np.random.default_rng(1).permutation(n)  # each takes the place of the next: none stays
    mixed = np.empty_like(right.pictures)
    mixed[ring] = right.pictures[np.roll(ring, 1)]
    return right._replace(pictures=mixed)


def held_out(world: str, n: int, size: int, seen: int) -> Drawn:
    """Pictures like those of training, of its classes, that no system has seen."""
    every = paperworld.world(world).load("val", size, seen + n).images
    return Drawn(every[seen:], FREE)  # those before are what the memorisation tests compare with


def copies(world: str, n: int, size: int, seen: int) -> Drawn:
    """Training pictures at random: the row of training against test."""
    train = paperworld.world(world).load("train", size, seen).images
    chosen = np.sort(np.random.default_rng(2).choice(seen, n, replace=n > seen))
    return Drawn(train[chosen], FREE)


def fitting_copies(world: str, n: int, size: int, seen: int) -> Drawn:
    """For each caption the training picture that shares most of its facts: a look-up table."""
    one = paperworld.world(world)
    train, test = one.load("train", size, seen), one.load("test", size, n)
    agree = sum(
        test.attributes[name][:, None] == train.attributes[name].astype(np.int8)
        for name in one.content
    )
    return Drawn(train.images[agree.argmax(1)], "captions", tuple(one.content))


def mean_picture(world: str, n: int, size: int, seen: int) -> Drawn:
    """The mean of the training pictures, for every caption."""
    one = paperworld.world(world)
    mean = one.load("train", size, seen).images.mean(0).round().astype(np.uint8)
    return Drawn(np.repeat(mean[None], n, axis=0), "captions", tuple(one.content))


def noise(world: str, n: int, size: int, seen: int) -> Drawn:
    """Every value of every pixel at random, for every caption."""
    pictures = np.random.default_rng(3).integers(0, 256, (n, size, size, 3), np.uint8)
    return Drawn(pictures, "captions", tuple(paperworld.world(world).content))


CONTROLS: dict[str, Control] = {
    "the world itself": truth,
    "captions shuffled": shuffled,
    "held-out pictures": held_out,
    "training pictures": copies,
    "training pictures that fit": fitting_copies,
    "the mean picture": mean_picture,
    "noise": noise,
}
TRAIN = "training pictures"  # the row by which density and coverage are divided
