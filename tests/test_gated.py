"""The generator that is told the caption at every scale."""

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.models.gated import Gate, GatedGenerator, Grain, describe_generator, make_generator
from t2ilab.models.reed import Generator


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def make(**more):
    torch.manual_seed(0)
    return GatedGenerator(**dict(size=32, text=6, z=5, projected=4, width=4) | more)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_pictures_of_each_size_in_range(size):
    x = make(size=size)(torch.randn(3, 5), torch.randn(3, 6))
    assert x.shape == (3, 3, size, size) and x.abs().max() <= 1


def test_another_size_is_refused():
    with pytest.raises(UsageError, match="gated generator comes for 32, 64, 128 pixels, not 48"):
        make(size=48)


def test_a_gate_normalises_then_scales_and_shifts_by_the_condition():
    gate = Gate(2, 3)
    torch.nn.init.zeros_(gate.affine.weight)
    gate.affine.bias.data = torch.tensor([1.0, 0.0, 10.0, 20.0])  # gammas, then betas
    h = 5 + 3 * torch.randn(64, 2, 4, 4, generator=rng())
    out = gate(h, torch.zeros(64, 3)).detach()
    assert out[:, 0].mean() == pytest.approx(10, abs=0.01) and out[:, 0].std() == pytest.approx(
        2, abs=0.01
    )
    assert out[:, 1].mean() == pytest.approx(20, abs=0.01)


@pytest.mark.parametrize("which", ["z", "caption"])
def test_noise_and_caption_reach_every_scale(which):
    g, z, phi = make().eval(), torch.randn(2, 5), torch.randn(2, 6)
    seen = {}
    for k, scale in enumerate(g.scales):
        scale.gate.affine.register_forward_hook(
            lambda _, i, o, k=k: seen.setdefault(k, []).append(o)
        )
    g(z, phi)
    g(z + 1 if which == "z" else z, phi if which == "z" else phi + 1)
    assert len(seen) == 3 and all(not torch.equal(a, b) for a, b in seen.values())


def test_grain_is_a_function_of_z_normal_and_independent_for_other_noise():
    grain = Grain(32, 100)
    z = torch.randn(200, 100, generator=rng())
    n = grain(z)
    assert n.shape == (200, 1, 32, 32) and torch.equal(n, grain(z))
    assert torch.allclose(n[:1], grain(z[:1]), atol=1e-5)
    assert n.mean() == pytest.approx(0, abs=0.05) and n.std() == pytest.approx(1, abs=0.05)
    rows = n.flatten(1)
    likeness = (rows @ rows.T / 1024).fill_diagonal_(0)
    assert likeness.abs().mean() < 0.15 and torch.equal(grain(z), Grain(32, 100)(z))


def test_grain_begins_with_no_strength_and_learns():
    g = make()
    assert all(not scale.strength.any() for scale in g.scales)
    g(torch.randn(4, 5), torch.randn(4, 6)).square().sum().backward()
    assert all(scale.strength.grad.abs().sum() > 0 for scale in g.scales)


@pytest.mark.parametrize("kind", ["reed", "gated"])
def test_a_generator_is_described_and_made_again(kind):
    g = make() if kind == "gated" else Generator(size=32, text=6, z=5, projected=4, width=4)
    again = make_generator(describe_generator(g))
    assert type(again) is type(g)
    again.load_state_dict(g.state_dict())
    z, phi = torch.randn(2, 5), torch.randn(2, 6)
    assert torch.equal(again.eval()(z, phi), g.eval()(z, phi))


def test_a_generator_described_before_there_were_two_is_reed_s():
    g = Generator(size=32, text=6, z=5, projected=4, width=4)
    assert type(make_generator(g.arguments)) is Generator
