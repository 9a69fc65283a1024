"""What words name, and how much of the attention lies on it."""

import numpy as np
import pytest

from t2ilab.data import paperworld
from t2ilab.metrics.alignment import facts_of, lexicon_of, mass, masses, named_by


def test_words_are_named_by_the_longest_phrase_of_the_lexicon():
    world = paperworld.world("scenes")
    words = "a yellow school bus in the snow".split()
    facts = {"subject": "school bus", "setting": "snow", "colour": "yellow"}
    assert named_by(words, facts, lexicon_of(world)) == [
        "", "colour", "subject", "subject", "", "", "setting"]  # fmt: skip
    assert named_by(["a", "train"], facts, lexicon_of(world)) == ["", ""]


def test_masses_are_the_sums_of_the_words_weights():
    world = paperworld.world("scenes")
    data = world.load("test", 32, 6, asides=True)
    longest = max(len(c[0].split()) for c in data.captions)
    alpha = np.zeros((2, 6, longest))
    for i, captions in enumerate(data.captions):
        n = len(captions[0].split())
        alpha[0, i, :n], alpha[1, i, 0] = 1 / n, 1
    shares = masses(alpha, data, world)
    assert np.allclose(sum(shares.values()), 1)
    for i in range(6):
        names = named_by(data.captions[i][0].split(), facts_of(data, world, i), lexicon_of(world))
        assert shares["setting"][0, i] == pytest.approx(names.count("setting") / len(names))
        assert "subject" in names and "setting" in names
    both = mass(shares, ["subject", "setting"])
    assert both == pytest.approx((shares["subject"] + shares["setting"]).mean())
