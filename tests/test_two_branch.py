"""Two branches that end in one space: the networks."""

import pytest
import torch
import torch.nn.functional as F

from t2ilab.errors import UsageError
from t2ilab.models.two_branch import (
    AffinityNetwork,
    EmbeddingNetwork,
    PictureBranch,
    SimilarityNetwork,
)

SMALL = dict(text=6, width=2, hidden=8, space=5)


def some(n=4, m=3, size=32, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, size, size, generator=rng) * 2 - 1, torch.randn(m, 6, generator=rng)


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_branches_end_in_vectors_of_length_1(size, norm):
    torch.manual_seed(0)
    net = EmbeddingNetwork(**SMALL, size=size, norm=norm)
    found = net(*some(size=size))
    assert found.pictures.shape == (4, 5) and found.captions.shape == (3, 5)
    for vectors in found:
        assert torch.allclose(vectors.norm(dim=1), torch.ones(len(vectors)), atol=1e-5)
    scores = net.scores(*found)
    assert scores.shape == (4, 3) and scores.abs().max() <= 1 + 1e-5
    assert torch.allclose(
        scores[2, 1], F.cosine_similarity(found.pictures[2], found.captions[1], 0)
    )
    again = EmbeddingNetwork(**net.arguments)
    again.load_state_dict(net.state_dict())
    images, phi = some(size=size)
    assert torch.equal(again.eval()(images, phi).pictures, net.eval()(images, phi).pictures)


def test_the_similarity_of_pairs_is_that_of_all_pairs():
    torch.manual_seed(0)
    net = SimilarityNetwork(**SMALL, judges=(4, 3)).eval()
    images, phi = some()
    table = net.scores(net.pictures(images), net.captions(phi))
    assert torch.allclose(net(images, phi, every=True), table, atol=1e-6)
    assert torch.allclose(net(images[1:2], phi[2:]), table[1, 2], atol=1e-6)
    assert torch.allclose(net(images[:3], phi), table[:3].diagonal(), atol=1e-6)
    assert table.std() > 1e-4  # it looks at both
    again = SimilarityNetwork(**net.arguments).eval()
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(images[:3], phi), net(images[:3], phi))


def test_a_similarity_has_a_gradient_with_respect_to_the_picture():
    net = SimilarityNetwork(**SMALL, norm="layer")
    images, phi = some(3, 3)
    x = images.requires_grad_()
    (slope,) = torch.autograd.grad(net(x, phi)[0], x)
    assert slope[0].abs().max() > 0
    assert (slope[1:] == 0).all()  # with layer norm the pictures of a batch do not see one another
    (shared,) = torch.autograd.grad(SimilarityNetwork(**SMALL)(x, phi)[0], x)
    assert shared[1:].abs().max() > 0


def test_an_affinity_is_a_regression_to_the_vector_of_a_caption():
    net = AffinityNetwork(text=6, width=2, hidden=8).eval()
    images, phi = some()
    assert net(images).shape == (4, 6)
    table = net.scores(net.pictures(images), net.captions(phi))
    assert torch.allclose(table[1, 2], F.cosine_similarity(net(images)[1], phi[2], 0), atol=1e-6)


def test_other_sizes_and_norms_are_refused_by_name():
    with pytest.raises(UsageError, match="32, 64"):
        PictureBranch(size=48, width=2, hidden=4, space=3)
    with pytest.raises(UsageError, match="norm"):
        EmbeddingNetwork(**SMALL, norm="instance")
