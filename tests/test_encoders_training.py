"""Training a caption encoder by kind and objective, on a reader's or on a classifier's features."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError
from t2ilab.recipes.encoder import WIDTHS, classifier_features
from t2ilab.recipes.train import train
from t2ilab.systems.encoders import load_encoder, load_matcher
from t2ilab.text.encoders import ENCODERS

QUICK = {"profile": "smoke", "steps": 2, "show": False}
pytestmark = pytest.mark.usefixtures("few_test_pictures")


@pytest.fixture(scope="module")
def birds():
    return paperworld.world("birds").load("train", 32, 256)


def coloured(n=6, size=8):
    """Pictures of one colour each."""
    images = np.random.default_rng(0).integers(0, 256, (n, 1, 1, 3), dtype=np.uint8)
    return CaptionedImages(
        "coloured",
        images.repeat(size, 1).repeat(size, 2),
        [["one"] for _ in range(n)],
        np.arange(n),
        [str(i) for i in range(n)],
    )


@pytest.mark.parametrize(
    "kind, name",
    [
        ("gru", "encoder-birds"),
        ("lstm", "encoder_lstm-birds"),
        ("char", "encoder_char-birds"),
        ("mean", "encoder_mean-birds"),
    ],
)
def test_every_kind_is_trained_measured_and_saved_under_its_name(birds, tmp_path, kind, name):
    trained = train(
        "encoder", captioned=birds, kind=kind, world="birds", out=tmp_path / "run", **QUICK
    )
    encoder = trained.system.encoder
    assert type(encoder) is ENCODERS[kind] and encoder.text == 64
    assert trained.path.stem == name
    about = json.loads(trained.path.with_suffix(".json").read_text())
    assert about["more"]["objective"] == "cross_entropy"
    assert about["arguments"]["matcher"]["features"] == 128
    measured = about["measured"]
    assert set(measured) == {"top1_unseen", "map50_unseen", "binding_unseen", "binding_after"}
    assert kind != "mean" or measured["binding_unseen"] == 0.5
    assert type(load_encoder(trained.path)) is type(load_matcher(trained.path).encoder)


def test_a_matcher_trained_by_the_structured_loss_scores_by_inner_product(birds, tmp_path):
    how = {"kind": "mean", "world": "birds", "objective": "sje"}
    trained = train("encoder", captioned=birds, **how, out=tmp_path / "run", **QUICK)
    assert trained.system.matcher.arguments == {"features": 128, "cosine": False}
    again = load_matcher(tmp_path / "run")
    assert again.log_scale is None and again.arguments == trained.system.matcher.arguments
    about = json.loads(trained.path.with_suffix(".json").read_text())
    assert about["more"]["objective"] == "sje" and trained.path.stem == "encoder_mean_sje-birds"


def test_widths_of_the_paper_are_kept_for_the_gpu():
    assert set(WIDTHS) <= set(ENCODERS)
    assert all(set(by_profile) == {"smoke", "laptop"} for by_profile in WIDTHS.values())


def test_features_of_one_s_own_are_used(birds):
    own = torch.rand(256, 7)
    trained = train("encoder", captioned=birds, kind="mean", features=own, **QUICK)
    assert trained.system.matcher.head.weight.shape == (64, 7) and trained.path is None
    with pytest.raises(UsageError, match="features of 255 pictures for the 256 of birds/train/32"):
        train("encoder", captioned=birds, kind="mean", features=own[1:], **QUICK)


def test_an_unknown_kind_is_refused(birds):
    with pytest.raises(UsageError, match="unknown caption encoder 'lstn': did you mean 'lstm'"):
        train("encoder", captioned=birds, kind="lstn", **QUICK)


# Features of a classifier


class Tiny(nn.Module):
    """Mean colour, doubled by a linear layer, then logits of it."""

    def __init__(self):
        super().__init__()
        self.first, self.dropout, self.last = nn.Linear(3, 3), nn.Dropout(0.5), nn.Linear(3, 4)
        with torch.no_grad():
            self.first.weight.copy_(2 * torch.eye(3))
            self.first.bias.zero_()

    def forward(self, x):
        return self.last(self.dropout(self.first(x.mean((2, 3)))))


@pytest.mark.parametrize("training", [True, False])
def test_features_are_what_the_last_linear_layer_is_given(training):
    network, data = Tiny().train(training), coloured()
    features = classifier_features(network, data, side=5, batch_size=4)
    colour = (to_float(data.images).mean((2, 3)) + 1) / 2
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    assert torch.allclose(features, 2 * (colour - mean) / std, atol=1e-4)
    assert network.training is training and not features.requires_grad
    assert not network.last._forward_pre_hooks


def test_features_of_a_torchvision_classifier():
    from torchvision.models import resnet18

    torch.manual_seed(0)
    features = classifier_features(resnet18(weights=None), coloured(3), side=32)
    assert features.shape == (3, 512) and torch.isfinite(features).all()


def test_a_network_without_a_linear_layer_has_no_such_features():
    with pytest.raises(UsageError, match="Conv2d has no linear layer"):
        classifier_features(nn.Conv2d(3, 4, 1), coloured())
