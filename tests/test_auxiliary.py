"""A discriminator with heads, what its losses are worth, and the batches that name what is seen."""

import math

import numpy as np
import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.data.pairs import LabelledBatches, TextImageBatches
from t2ilab.errors import UsageError
from t2ilab.losses.auxiliary import UNSTATED, one_hot_bce, softmax_heads
from t2ilab.models.auxiliary import AuxiliaryDiscriminator
from t2ilab.models.reed import Discriminator

HEADS = {"breast": 10, "beak": 2}


def test_softmax_heads_are_worth_ln_k_at_zero_logits():
    heads = {"breast": torch.zeros(4, 10)}
    assert softmax_heads(heads, {"breast": torch.arange(4)}) == pytest.approx(math.log(10))


def test_what_no_caption_states_is_left_out():
    logits = {"breast": torch.randn(3, 10), "beak": torch.randn(3, 2)}
    stated = {"breast": torch.tensor([1, UNSTATED, 2]), "beak": torch.tensor([UNSTATED] * 3)}
    kept = torch.nn.functional.cross_entropy(logits["breast"][[0, 2]], torch.tensor([1, 2]))
    assert softmax_heads(logits, stated) == pytest.approx(float(kept))
    nothing = {name: torch.full((3,), UNSTATED) for name in logits}
    assert softmax_heads(logits, nothing) == 0


def test_one_hot_cross_entropy_is_ln_2_whatever_k_and_its_pull_fades_with_k():
    for k in (2, 100):
        logits = torch.zeros(4, k, requires_grad=True)
        value = one_hot_bce({"class": logits}, {"class": torch.zeros(4, dtype=torch.long)})
        assert float(value.detach()) == pytest.approx(math.log(2))
        (gradient,) = torch.autograd.grad(value, logits)
        assert float(-gradient[0, 0]) == pytest.approx(0.5 / (4 * k))


def make(**more):
    torch.manual_seed(0)
    return AuxiliaryDiscriminator(heads=HEADS, alone=True, size=32, text=6, width=4, **more)


@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_all_answers_come_from_the_same_features(norm):
    d = make(norm=norm).eval()
    x, phi = torch.randn(3, 3, 32, 32), torch.randn(3, 2, 6)
    judged = d(x, phi)
    assert judged.pairs.shape == (3, 2) and judged.alone.shape == (3,)
    assert {name: x.shape for name, x in judged.heads.items()} == {
        "breast": (3, 10),
        "beak": (3, 2),
    }
    assert torch.allclose(judged.pairs, Discriminator.forward(d, x, phi), atol=1e-6)
    assert torch.allclose(judged.pairs[:, 0], d(x, phi[:, 0]).pairs, atol=1e-5)


def test_what_is_not_asked_for_is_not_there():
    d = AuxiliaryDiscriminator(heads={}, size=32, text=6, width=4)
    judged = d(torch.randn(2, 3, 32, 32), torch.randn(2, 6))
    assert judged.alone is None and judged.heads == {}
    assert not any(name.startswith("to_") for name, _ in d.named_parameters())


@pytest.fixture(scope="module")
def birds():
    return paperworld.world("birds").load("train", 32, 60, asides=True)


def test_labels_are_those_of_the_pictures_and_stated_ones_those_of_the_captions(birds):
    n, k = np.mgrid[:60, :10]
    which = torch.from_numpy(np.stack([n, k], -1)).float()
    batch = LabelledBatches(birds, which, "attributes", batch_size=20, seed=3)(1)
    place = list(birds.attributes)
    for row, (i, level) in enumerate(batch["phi"].long().tolist()):
        for name, values in batch["labels"].items():
            assert values[row] == birds.attributes[name][i]
            said = birds.stated[i, level, place.index(name)]
            assert batch["stated"][name][row] == (values[row] if said else UNSTATED)
    assert "side" not in batch["labels"]  # a mirrored picture shows the other one
    plain = TextImageBatches(birds, which, batch_size=20, seed=3)(1)
    assert all(torch.equal(plain[key], batch[key]) for key in plain)
    assert to_float(birds.images).min() >= -1


def test_the_class_and_nothing_can_be_asked_for(birds):
    phi = torch.randn(60, 10, 4)
    batch = LabelledBatches(birds, phi, "class", batch_size=20)(0)
    assert set(batch["labels"]) == {"class"} and batch["labels"] is batch["stated"]
    assert "labels" not in LabelledBatches(birds, phi, batch_size=20)(0)
    assert LabelledBatches(birds, phi, "class", batch_size=20).shard(1, 2).labels == "class"


def test_attributes_that_no_data_has_are_refused(birds):
    from dataclasses import replace

    photographs = replace(birds, stated=None, attributes={})
    with pytest.raises(UsageError, match="has no list of attributes"):
        LabelledBatches(photographs, torch.randn(60, 10, 4), "attributes", batch_size=20)
