"""A discriminator that is also asked what it sees (Odena et al. 2017, AC-GAN; Dash et al. 2017,
TAC-GAN): Reed's discriminator, with linear heads on its features.

A head may be a softmax over all classes, or there may be one for each attribute. A class that
training never saw has no place in the former, while its colours have been seen on other birds.
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from t2ilab.models.reed import Discriminator


class Judged(NamedTuple):
    """What the discriminator says of pictures.

    Attributes:
        pairs: logits: is this a real picture, and does the caption fit it? [b] or [b, k]
        alone: logits: is this a real picture? None where it is not asked.
        heads: name -> logits of its values.
    """

    pairs: Float[Tensor, "b *k"]
    alone: Float[Tensor, " b"] | None
    heads: dict[str, Float[Tensor, "b _"]]


class AuxiliaryDiscriminator(Discriminator):
    """D(x, phi(t)) -> `Judged`; the pictures' features are computed once for all answers.

    Args:
        heads: name -> number of values, e.g. {"class": 150} or {"breast": 10, "beak": 2}.
        alone: ask without the caption, too, as StackGAN's second stage does.
        options: see `reed.Discriminator`.
    """

    def __init__(self, *, heads: dict[str, int], alone: bool = False, **options):
        super().__init__(**options)
        self.heads = dict(heads)
        bound = spectral_norm if options.get("norm") == "spectral" else (lambda layer: layer)
        features = self.score.in_features
        self.to_alone = bound(nn.Linear(features, 1)) if alone else None
        self.to_heads = nn.Linear(features, sum(heads.values())) if heads else None

    def forward(self, images: Float[Tensor, "b 3 size size"], phi: Float[Tensor, "b *k text"]):
        h = self.fold(images)
        flat = h.flatten(1)
        pairs = self.match(h, phi[:, None])[:, 0] if phi.ndim == 2 else self.match(h, phi)
        alone = None if self.to_alone is None else self.to_alone(flat)[:, 0]
        heads = {}
        if self.to_heads is not None:
            parts = self.to_heads(flat).split(list(self.heads.values()), dim=1)
            heads = dict(zip(self.heads, parts, strict=True))
        return Judged(pairs, alone, heads)
