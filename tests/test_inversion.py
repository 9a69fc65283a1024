"""Inverting a representation: the distance, the prior, and what comes back."""

import pytest
import torch
from torch import nn

from t2ilab.errors import UsageError
from t2ilab.inputs import priors
from t2ilab.inputs.inversion import Prior, denoise, depths, distance, invert, nearness


@pytest.fixture
def picture():
    return torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(1)) - 0.5


def noise(n=1, side=6):
    return 0.1 * torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_the_distance_is_0_at_the_target_and_1_at_nothing():
    phi_0 = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    assert distance(phi_0, phi_0).tolist() == [0, 0]
    assert distance(torch.zeros(2, 2), phi_0).tolist() == [1, 1]
    assert distance(torch.tensor([[3.0, 9.0], [1.0, 2.0]]), phi_0).tolist() == [1, 4]
    scaled = distance(torch.tensor([[30.0, 90.0]]), 10 * phi_0[:1])
    assert scaled.tolist() == [1]  # the layer's scale does not matter
    assert nearness(lambda x: 2 * x)(torch.tensor([[3.0, 9.0]]), 2 * phi_0[:1]).tolist() == [-1]


def test_the_prior_is_a_mean_over_pixels_of_both_penalties():
    x = torch.zeros(1, 1, 2, 2)
    x[0, 0, 0, 0] = 0.5  # one corner: its two differences are 0.5, all others 0
    assert Prior(tv=3, beta=2)(x).item() == pytest.approx(3 * 0.5 / 4)
    assert Prior(tv=3, beta=1)(x).item() == pytest.approx(3 * 0.5**0.5 / 4)
    assert Prior(norm=2, alpha=6)(x).item() == pytest.approx(2 * 0.5**6 / 4)
    both = Prior(tv=3, norm=2)(x)
    assert both.item() == pytest.approx((3 * 0.5 + 2 * 0.5**6) / 4)
    assert Prior()(x).item() == 0


def test_a_representation_that_keeps_everything_gives_the_picture_back(picture):
    found = invert(nn.Flatten(), picture.flatten(1), noise(), steps=300, lr=0.02)
    assert (found.pictures - picture).abs().max() < 1e-2
    assert found.scores.item() > -1e-3


def test_what_the_representation_does_not_see_is_left_to_the_prior(picture):
    """It sees the left half only: the right half keeps its noise, or is smoothed by the prior."""

    def seen(x):
        return x[..., :3]

    phi_0 = seen(picture)
    bare = invert(seen, phi_0, noise(), steps=100, lr=0.02).pictures
    smooth = invert(seen, phi_0, noise(), steps=100, lr=0.02, prior=Prior(tv=0.1)).pictures
    assert torch.equal(bare[..., 3:], noise()[..., 3:])
    right = [priors.total_variation(x[..., 4:]).item() for x in (bare, smooth)]
    assert right[1] < right[0] / 3
    assert (smooth - picture)[..., :3].abs().mean() < (noise() - picture)[..., :3].abs().mean() / 2


def test_pictures_are_inverted_each_for_itself(picture):
    phi_0 = torch.cat([picture, -picture]).flatten(1)
    together = invert(nn.Flatten(), phi_0, noise(2), steps=20).pictures
    alone = invert(nn.Flatten(), phi_0[1:], noise(2)[1:], steps=20).pictures
    assert torch.equal(together[1:], alone)


def test_depths_share_the_modules_of_the_network():
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
    found = depths(body, {"first": 2, "last": 3})
    assert list(found) == ["first", "last"]
    assert found["first"][0] is body[0]
    x = noise()
    assert torch.equal(found["first"](x), body[1](body[0](x)))
    assert torch.equal(found["last"](x), body(x))


def test_what_is_wrong_is_said_in_words(picture):
    with pytest.raises(UsageError, match="at least 0 is needed"):
        Prior(tv=-1)
    with pytest.raises(UsageError, match="at least 0"):
        Prior(norm=float("nan"))
    with pytest.raises(UsageError, match=r"phi_0 has shape \[1, 9\].*\[1, 108\]"):
        invert(nn.Flatten(), torch.ones(1, 9), noise())
    with pytest.raises(UsageError, match="0 everywhere"):
        invert(nn.Flatten(), torch.zeros(1, 108), noise())
    with pytest.raises(UsageError, match="5 modules of a network that has 1"):
        depths(nn.Sequential(nn.ReLU()), {"deep": 5})


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_a_heavier_total_variation_gives_a_smoother_picture(picture, beta):
    weights = torch.tensor([0.0, 0.3, 3.0])
    found = denoise(picture[0], weights, beta=beta, steps=100)
    rough = priors.total_variation(found, beta=beta)
    assert torch.allclose(found[0], picture[0], atol=1e-6)
    assert rough[0] > 1.3 * rough[1] and rough[1] > 2 * rough[2]


def test_each_weight_is_a_picture_of_its_own(picture):
    both = denoise(picture[0], torch.tensor([0.01, 1.0]), beta=2.0, steps=20)
    assert torch.equal(both[1:], denoise(picture[0], torch.tensor([1.0]), beta=2.0, steps=20))
    with pytest.raises(UsageError, match="at least 0"):
        denoise(picture[0], torch.tensor([-1.0]), beta=2.0)
