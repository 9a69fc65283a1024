"""Reed's networks: shapes, what the paper has, and the two places where we compute it otherwise."""

import pytest
import torch
from torch import nn

from t2ilab.errors import UsageError
from t2ilab.models.reed import Bottleneck, Discriminator, Generator
from t2ilab.recipes.text_gan import RECIPES

SIZES = (32, 64, 128)
SMALL = {"size": 32, "text": 12, "projected": 8, "width": 4}


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def x():
    return randn(3, 3, 32, 32, seed=1).clamp(-1, 1)


def bounded(module):
    """(name, layer) of every layer under spectral norm."""
    return [(n, m) for n, m in module.named_modules() if hasattr(m, "parametrizations")]


# Shapes


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("options", [{}, {"residual": True}, {"resize": True}])
def test_pictures_have_the_size_asked_for_and_lie_in_range(size, options):
    g = Generator(**SMALL | {"size": size}, z=5, **options).eval()
    with torch.no_grad():
        pictures = g(randn(2, 5) * 50, randn(2, 12) * 50)
    assert pictures.shape == (2, 3, size, size)
    assert -1 <= pictures.min() and pictures.max() <= 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "options",
    [{}, {"residual": True}, {"norm": "spectral"}, {"norm": "spectral", "projection": True}],
)
def test_one_logit_a_picture_and_caption(size, options):
    d = Discriminator(**SMALL | {"size": size}, **options)
    pictures = randn(2, 3, size, size)
    assert d(pictures, randn(2, 12)).shape == (2,)
    assert d(pictures, randn(2, 5, 12)).shape == (2, 5)


@pytest.mark.parametrize("network", [Generator, Discriminator])
@pytest.mark.parametrize("size", [16, 48, 100, 256])
def test_other_sizes_are_refused(network, size):
    with pytest.raises(UsageError, match=f"32, 64, 128 pixels, not {size}"):
        network(size=size)


def test_an_unknown_norm_is_refused():
    with pytest.raises(UsageError, match="unknown norm 'layer'.*batch, spectral"):
        Discriminator(**SMALL, norm="layer")


@pytest.mark.parametrize(
    "size, channels", [(32, [16, 8, 4, 3]), (64, [32, 16, 8, 4, 3]), (128, [64, 32, 16, 8, 4, 3])]
)
def test_generator_halves_its_channels_where_it_doubles_the_side(size, channels):
    seen = []
    g = Generator(**SMALL | {"size": size})
    for layer in g.unfold:
        if isinstance(layer, (nn.BatchNorm2d, nn.Tanh)):
            layer.register_forward_hook(lambda _, __, h: seen.append(tuple(h.shape[1:])))
    g(randn(2, 100), randn(2, 12))
    sides = [4 * 2**i for i in range(len(channels))]
    assert seen == [(c, side, side) for c, side in zip(channels, sides, strict=True)]


def test_the_paper_s_sizes_are_the_defaults():
    g = Generator()
    assert (g.size, g.text, g.z, g.project[0].out_features) == (64, 1024, 100, 128)


def test_arguments_build_the_same_network_again():
    g = Generator(**SMALL, z=7, residual=True, resize=True)
    again = Generator(**g.arguments)
    again.load_state_dict(g.state_dict())
    z, phi = randn(4, 7), randn(4, 12)
    assert torch.equal(g.eval()(z, phi), again.eval()(z, phi))


def test_pictures_depend_on_noise_and_on_caption():
    g = Generator(**SMALL).eval()
    z, phi = randn(2, 100), randn(2, 12)
    assert not torch.allclose(g(z, phi), g(z, phi.flip(0)))
    assert not torch.allclose(g(z, phi), g(z.flip(0), phi))


# The same mathematics as in the paper


def test_first_layer_equals_a_transposed_convolution_of_one_pixel():
    g = Generator(**SMALL, z=5)
    linear, n_in, n_out = g.unfold[0], 5 + 8, 16
    convolution = nn.ConvTranspose2d(n_in, n_out, 4, bias=False)
    with torch.no_grad():
        convolution.weight.copy_(linear.weight.T.reshape(n_in, n_out, 4, 4))
        h = randn(6, n_in)
        assert torch.allclose(g.unfold[:2](h), convolution(h[:, :, None, None]), atol=1e-6)


@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_split_fusion_equals_a_1x1_convolution_of_picture_and_repeated_caption(norm, x):
    d = Discriminator(**SMALL, norm=norm).eval()
    c = d.fuse_picture.out_channels
    convolution = nn.Conv2d(c + 8, c, 1, bias=d.fuse_picture.bias is not None)
    last = nn.Conv2d(c, 1, 4)
    phi = randn(3, 12)
    with torch.no_grad():
        convolution.weight.copy_(
            torch.cat([d.fuse_picture.weight, d.fuse_caption.weight[:, :, None, None]], dim=1)
        )
        if convolution.bias is not None:
            convolution.bias.copy_(d.fuse_picture.bias)
        last.weight.copy_(d.score.weight.reshape(1, c, 4, 4))
        last.bias.copy_(d.score.bias)
        repeated = d.project(phi)[:, :, None, None].expand(-1, -1, 4, 4)
        together = torch.cat([d.fold(x), repeated], dim=1)
        expected = last(d.fused(convolution(together)))[:, 0, 0, 0]
        assert torch.allclose(d(x, phi), expected, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"norm": "spectral", "projection": True}])
def test_several_captions_are_judged_as_one_at_a_time(options, x):
    d = Discriminator(**SMALL, **options).eval()
    phi = randn(3, 4, 12)
    one_by_one = torch.stack([d(x, phi[:, k]) for k in range(4)], dim=1)
    assert torch.allclose(d(x, phi), one_by_one, atol=1e-6)
    assert one_by_one.std() > 0


def test_batch_statistics_of_matching_pairs_are_not_mixed_with_those_of_wrong_ones(x):
    d = Discriminator(**SMALL).train()
    phi = randn(3, 2, 12)
    assert torch.allclose(d(x, phi)[:, 0], d(x, phi[:, :1])[:, 0], atol=1e-6)


def test_projection_adds_the_product_of_picture_and_caption_features(x):
    torch.manual_seed(3)
    d = Discriminator(**SMALL, norm="spectral", projection=True).eval()
    phi = randn(3, 12)
    products = d.of_picture(d.fold(x).flatten(1)) * d.of_caption(d.project(phi))
    with_term = d(x, phi)
    d.of_picture = None
    assert torch.allclose(with_term - d(x, phi), products.sum(1) / 16, atol=1e-6)
    assert (with_term - d(x, phi)).abs().min() > 1e-4


def test_residual_block_with_nothing_to_add_is_its_activation():
    for slope in (0.0, 0.2):
        block = Bottleneck(8, slope=slope)
        nn.init.zeros_(block.f[-1].weight)
        h = randn(2, 8, 4, 4)
        assert torch.equal(block(h), torch.where(h > 0, h, slope * h))


@pytest.mark.parametrize("network, blocks", [(Generator, 2), (Discriminator, 1)])
def test_residual_blocks_are_there_only_when_asked_for(network, blocks):
    for residual in (False, True):
        made = network(**SMALL, residual=residual)
        assert sum(isinstance(m, Bottleneck) for m in made.modules()) == blocks * residual


# Norms


def test_paper_s_preset_has_batch_norm_on_all_layers_but_d_s_first_and_g_s_last():
    recipe = RECIPES["paper"]
    g = Generator(**SMALL, resize=recipe.resize, residual=recipe.residual)
    d = Discriminator(
        **SMALL, norm=recipe.norm, residual=recipe.residual, projection=recipe.projection
    )

    def normed(layers):
        """Of each convolution (or linear layer): does batch norm follow?"""
        layers = [m for m in layers if not isinstance(m, nn.Unflatten)]
        return [
            isinstance(after, nn.BatchNorm2d)
            for layer, after in zip(layers, layers[1:], strict=False)
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear))
        ]

    assert normed(g.unfold) == [True, True, True, False]
    assert normed([*d.fold, d.fuse_picture, *d.fused]) == [False, True, True, True]
    assert not bounded(d) and not bounded(g)
    assert isinstance(g.unfold[-1], nn.Tanh)


def test_spectral_norm_bounds_every_layer(x):
    d = Discriminator(**SMALL, norm="spectral", projection=True).train()
    layers = bounded(d)
    assert {m for _, m in layers} == {
        m for m in d.modules() if isinstance(m, (nn.Conv2d, nn.Linear))
    }
    assert not any(isinstance(m, nn.BatchNorm2d) for m in d.modules())
    with torch.no_grad():
        for _ in range(150):  # one power iteration each
            d(x, randn(3, 12))
        for name, layer in layers:
            largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
            assert largest.item() == pytest.approx(1, abs=0.02), name


def test_logits_are_no_probabilities(x):
    d = Discriminator(**SMALL)
    nn.init.normal_(d.score.weight, 0, 100)
    logits = d(x, randn(3, 12))
    assert logits.min() < -1 and logits.max() > 1


# First weights


def test_weights_begin_as_in_dcgan():
    g, d = Generator(size=32, text=256, width=32), Discriminator(size=32, text=256, width=32)
    for network in (g, d):
        for m in network.modules():
            if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                assert m.weight.std().item() == pytest.approx(0.02, rel=0.1)
                assert m.bias is None or (m.bias == 0).all()
            if isinstance(m, nn.BatchNorm2d):
                assert m.weight.mean().item() == pytest.approx(1, abs=0.02)
                assert m.weight.std() > 0 and (m.bias == 0).all()


def test_under_spectral_norm_layers_keep_pytorch_s_first_weights():
    d = Discriminator(size=32, text=256, width=16, norm="spectral")
    for name, layer in bounded(d):
        weight = layer.parametrizations.weight.original
        bound = weight[0].numel() ** -0.5  # uniform in +- 1 / sqrt(inputs)
        assert weight.abs().max() <= bound, name
        assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.15), name
