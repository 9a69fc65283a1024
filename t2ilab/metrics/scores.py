"""Inception score, FID and KID, computed by torchmetrics with an extractor that is named.

With a world's AttributeReader as extractor the scores are called "... (birds reader)" or, in short,
FID-PaperWorld: they compare with each other, never with published ImageNet ones. The originals are
computed where their weights can be had.
"""

import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import DataError, UsageError
from t2ilab.models.reader import AttributeReader


class ClassLogits(nn.Module):
    """log p(class | picture) = sum over attributes of log p(value | picture), up to a constant.

    Args:
        reader: gives p(value | picture).
        classes: each class as attribute -> number of its value.
    """

    def __init__(self, reader: AttributeReader, classes: list[dict[str, int]]):
        super().__init__()
        self.reader = reader
        self.columns = {name: [c[name] for c in classes] for name in classes[0]}

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b classes"]:
        logits = self.reader(images)
        return sum(
            logits[name].log_softmax(1)[:, columns] for name, columns in self.columns.items()
        )


class Features(nn.Module):
    """The reader's feature layer, as torchmetrics calls an extractor."""

    def __init__(self, reader: AttributeReader):
        super().__init__()
        self.reader, self.num_features = reader, reader.heads.in_features

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b features"]:
        return self.reader.features(images)


@dataclass(frozen=True)
class Scores:
    """Scores of generated pictures, and the name of the network that they rest on.

    Attributes:
        extractor: e.g. "PaperWorld birds reader".
        inception_score: exp E KL(p(y|x) || p(y)); from 1 to the number of classes. More is better.
        fid: Frechet distance of the features' Gaussians. Less is better; biased upwards when few.
        kid, kid_std: maximum mean discrepancy of the features with a cubic kernel, over subsets.
        n_real, n_fake: numbers of pictures; FID depends on them.
    """

    extractor: str
    inception_score: float
    fid: float
    kid: float
    kid_std: float
    n_real: int
    n_fake: int


def scores(
    real: Float[Tensor, "n 3 h w"],
    fake: Float[Tensor, "m 3 h w"],
    reader: AttributeReader,
    classes: list[dict[str, int]],
    *,
    world: str,
) -> Scores:
    """The scores with a world's reader as extractor.

    Args:
        real, fake: pictures in [-1, 1]; at least 50 of each.
        classes: for the Inception score; see `ClassLogits`.
        world: whose reader it is; goes into the extractor's name.

    Raises:
        UsageError: fewer than 50 pictures of a kind, or pictures that are not finite.
    """
    _see_finite("real pictures", real)
    _see_finite("generated pictures", fake)
    features = Features(reader).eval()
    return _compute(
        real, fake, features, ClassLogits(reader, classes).eval(), name=f"PaperWorld {world} reader"
    )


def imagenet_scores(real: Float[Tensor, "n 3 h w"], fake: Float[Tensor, "m 3 h w"]) -> Scores:
    """The scores with the ImageNet Inception network of the literature.

    Args:
        real, fake: pictures in [-1, 1]; at least 50 of each.

    Raises:
        UsageError: fewer than 50 pictures of a kind, or pictures that are not finite.
        DataError: its weights are not on this machine and cannot be had.
    """
    _see_finite("real pictures", real)
    _see_finite("generated pictures", fake)
    try:
        return _compute(
            _bytes(real), _bytes(fake), 2048, "logits_unbiased", name="ImageNet Inception-v3"
        )
    except (ImportError, OSError) as error:
        raise DataError(
            "The ImageNet scores need torch-fidelity (pip install torch-fidelity) and, at the "
            "first call, a network to fetch its weights. The course's own scores need neither: "
            f"`scores(...)`. ({type(error).__name__}: {error})"
        ) from error


def inception_score(
    images: Float[Tensor, "n 3 h w"], reader: AttributeReader, classes: list[dict[str, int]]
) -> float:
    """exp E KL(p(y|x) || p(y)) with the reader's p(y|x), over all pictures at once (no splits).

    Raises:
        UsageError: pictures, or what the reader makes of them, are not finite.
    """
    _see_finite("pictures", images)
    return _inception_score(images, ClassLogits(reader, classes).eval())


def _bytes(images: Tensor) -> Tensor:
    return images.add(1).mul(127.5).round().clamp(0, 255).byte()


def _see_finite(what: str, values: Float[Tensor, "n ..."]) -> None:
    """Refuse nan and infinity, also what is infinite in float32, before linear algebra meets it.

    (Of a matrix that is not finite LAPACK may never come back: it kills the process.)
    """
    bad = (~values.float().flatten(1).isfinite().all(1)).nonzero().flatten().tolist()
    if bad:
        raise UsageError(
            f"{len(bad)} of {len(values)} {what} are not finite (nan or infinity); the first is "
            f"number {bad[0]}, counted from 0. Look at what made them, or leave them out."
        )


@torch.inference_mode()
def _compute(
    real: Tensor, fake: Tensor, features: nn.Module | int, logits: nn.Module | str, *, name: str
) -> Scores:
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    few = min(len(real), len(fake))
    if few < 50:
        raise UsageError(f"{few} pictures are too few for a score: give at least 50 of each kind.")
    with _quiet():
        fid = FrechetInceptionDistance(feature=features, input_img_size=tuple(real.shape[1:]))
        kid = KernelInceptionDistance(feature=features, subset_size=min(500, few), subsets=50)
        for images, is_real in ((real, True), (fake, False)):
            for part in images.split(256):
                fid.update(part, real=is_real)
                kid.update(part, real=is_real)
        _see_finite("real pictures' features", torch.cat(kid.real_features))
        _see_finite("generated pictures' features", torch.cat(kid.fake_features))
        kid_mean, kid_std = kid.compute()
    score, distance = _inception_score(fake, logits), float(fid.compute())
    return Scores(name, score, distance, float(kid_mean), float(kid_std), len(real), len(fake))


@torch.inference_mode()
def _inception_score(images: Tensor, logits: nn.Module | str) -> float:
    from torchmetrics.image.inception import InceptionScore

    with _quiet():
        metric = InceptionScore(feature=logits, splits=1)
        for part in images.split(256):
            metric.update(part)
        _see_finite("pictures' class logits", torch.cat(metric.features))
        return float(metric.compute()[0])


@contextmanager
def _quiet():
    """Without the metrics' warnings on memory and on one split; their random choices fixed."""
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.filterwarnings("ignore", message="Metric .* will save all extracted features")
        warnings.filterwarnings("ignore", message="std.*degrees of freedom")
        torch.manual_seed(0)
        yield
