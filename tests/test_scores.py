"""Inception score, FID and KID with a reader as extractor: what they must be at their extremes."""

from copy import deepcopy
from dataclasses import asdict

import pytest
import torch

from t2ilab.errors import DataError, UsageError
from t2ilab.metrics.scores import ClassLogits, imagenet_scores, inception_score, scores
from t2ilab.models.reader import AttributeReader

CLASSES = [{"wing": w, "beak": b} for w in range(3) for b in range(2)]


@pytest.fixture(scope="module")
def reader():
    torch.manual_seed(0)
    return AttributeReader(attributes={"wing": 3, "beak": 2, "side": 2}, width=4, features=8).eval()


@pytest.fixture(scope="module")
def real():
    return pictures(0.0)


def pictures(shift, n=60, seed=0):
    x = torch.randn(n, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
    return (0.3 * x + shift).clamp(-1, 1)


def test_identical_sets_are_at_distance_0(reader, real):
    found = scores(real, real, reader, CLASSES, world="birds")
    assert found.fid == pytest.approx(0, abs=1e-4) and found.kid == pytest.approx(0, abs=1e-2)


def test_the_more_sets_differ_the_worse_they_score(reader, real):
    near, far = (
        scores(real, pictures(shift, seed=1), reader, CLASSES, world="birds")
        for shift in (0.1, 0.6)
    )
    assert 0 < near.fid < far.fid and near.kid < far.kid


def test_fid_is_the_frechet_distance_of_the_features(reader, real):
    """|m - n|^2 + tr(S + T - 2 (S T)^(1/2)), the trace by the eigenvalues of S T."""
    fake = pictures(0.3, seed=1)
    with torch.no_grad():
        x, y = (reader.features(images).double() for images in (real, fake))
    s, t = x.T.cov(), y.T.cov()
    root = torch.linalg.eigvals(s @ t).real.clamp(min=0).sqrt().sum()
    expected = (x.mean(0) - y.mean(0)).square().sum() + s.trace() + t.trace() - 2 * root
    found = scores(real, fake, reader, CLASSES, world="birds")
    assert found.fid == pytest.approx(expected.item(), rel=1e-3)


def test_scores_say_what_they_rest_on(reader, real):
    found = scores(real, pictures(0.1, n=70), reader, CLASSES, world="birds")
    assert found.extractor == "PaperWorld birds reader"
    assert (found.n_real, found.n_fake) == (60, 70)
    assert asdict(found) == asdict(
        scores(real, pictures(0.1, n=70), reader, CLASSES, world="birds")
    )


@pytest.mark.parametrize("n_real, n_fake", [(49, 60), (60, 49)])
def test_too_few_pictures_are_refused(reader, real, n_real, n_fake):
    with pytest.raises(UsageError, match="49 pictures are too few.*at least 50"):
        scores(real[:n_real], real[:n_fake], reader, CLASSES, world="birds")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_pictures_that_are_not_finite_are_refused_by_number(reader, real, value):
    fake = pictures(0.1)
    fake[7, 1, 5, 5] = fake[30, 0, 0, 0] = value
    for who, pair in (("generated", (real, fake)), ("real", (fake, real))):
        with pytest.raises(UsageError, match=f"2 of 60 {who} pictures are not .*number 7"):
            scores(*pair, reader, CLASSES, world="birds")
        with pytest.raises(UsageError, match=f"2 of 60 {who} pictures are not .*number 7"):
            imagenet_scores(*pair)
    with pytest.raises(UsageError, match="2 of 60 pictures are not finite"):
        inception_score(fake, reader, CLASSES)


def test_features_that_are_not_finite_reach_no_matrix_root(reader, real):
    huge, loud = real.clone(), deepcopy(reader)
    huge[9] *= 1e36
    for parameter in loud.parameters():
        parameter.data *= 1e3
    with pytest.raises(UsageError, match="1 of 60 generated pictures' features.*number 9"):
        scores(real, huge, loud, CLASSES, world="birds")
    with pytest.raises(UsageError, match="class logits are not finite"):
        inception_score(huge, loud, CLASSES)


def test_probabilities_of_classes_multiply_those_of_values(reader, real):
    with torch.no_grad():
        p = ClassLogits(reader, CLASSES)(real[:4]).softmax(1)
        values = {k: v.softmax(1) for k, v in reader(real[:4]).items()}
    for k, c in enumerate(CLASSES):
        expected = values["wing"][:, c["wing"]] * values["beak"][:, c["beak"]]
        assert torch.allclose(p[:, k], expected, atol=1e-6)


class Sure(torch.nn.Module):
    """In place of a reader: picture k's first pixel says its wing, without doubt."""

    def forward(self, images):
        wing = torch.nn.functional.one_hot(images[:, 0, 0, 0].long(), 4) * 100.0
        return {"wing": wing}


@pytest.mark.parametrize("wings, score", [([0, 1, 2, 3] * 20, 4), ([0, 1] * 40, 2), ([2] * 80, 1)])
def test_inception_score_counts_the_classes_that_are_drawn(wings, score):
    images = torch.tensor(wings, dtype=torch.float).reshape(-1, 1, 1, 1).expand(-1, 3, 2, 2)
    found = inception_score(images, Sure(), [{"wing": k} for k in range(4)])
    assert found == pytest.approx(score, rel=1e-4)


def test_inception_score_lies_between_1_and_the_number_of_classes(reader, real):
    found = inception_score(real, reader, CLASSES)
    assert 1 <= found <= len(CLASSES)
    assert found == pytest.approx(
        scores(real, real, reader, CLASSES, world="birds").inception_score
    )


def test_global_random_numbers_are_left_alone(reader, real):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    scores(real, real, reader, CLASSES, world="birds")
    assert torch.equal(torch.rand(3), expected)


def test_without_torch_fidelity_the_imagenet_scores_say_what_to_install(monkeypatch, real):
    for module in ("fid", "kid", "inception"):
        monkeypatch.setattr(f"torchmetrics.image.{module}._TORCH_FIDELITY_AVAILABLE", False)
    with pytest.raises(DataError, match="pip install torch-fidelity.*`scores"):
        imagenet_scores(real, real)
