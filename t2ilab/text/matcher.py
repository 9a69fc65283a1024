"""How well does a caption match a picture? A caption encoder, and beside it a head for pictures.

Reed et al. 2016 ("Learning Deep Representations of Fine-grained Visual Descriptions") call the
score the compatibility F(v, t) = theta(v) . phi(t): theta brings the features of a picture into the
space of captions, and phi is the caption encoder.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.text.encoders import CaptionEncoder


class Matcher(nn.Module):
    """Scores of pictures and captions: theta(v) . phi(t), or a multiple of their cosine.

    Args:
        encoder: phi.
        features: size of the pictures' feature vectors; None: captions against captions, no head.
        cosine: s = e^log_scale cos(theta, phi), the scale learned and at most 50; otherwise the
            inner product, as in the paper.
        hidden: units of a hidden layer of theta; 0: theta is linear.
    """

    def __init__(
        self, encoder: CaptionEncoder, *, features: int | None, cosine: bool = True, hidden: int = 0
    ):
        super().__init__()
        self.arguments = dict(features=features, cosine=cosine) | (
            {"hidden": hidden} if hidden else {}
        )
        self.encoder = encoder
        if not features:
            self.head = nn.Identity()
        elif hidden:
            self.head = nn.Sequential(
                nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, encoder.text)
            )
        else:
            self.head = nn.Linear(features, encoder.text)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0))) if cosine else None

    def theta(self, v: Float[Tensor, "b features"]) -> Float[Tensor, "b text"]:
        """Pictures, given by their features, in the space of captions."""
        return self._unit(self.head(v))

    def phi(self, numbers: Int[Tensor, "b words"]) -> Float[Tensor, "b text"]:
        """Captions, given by their numbers."""
        return self._unit(self.encoder(numbers))

    def _unit(self, x: Float[Tensor, "b text"]) -> Float[Tensor, "b text"]:
        return x if self.log_scale is None else F.normalize(x, dim=1)

    def score(
        self, theta: Float[Tensor, "n text"], phi: Float[Tensor, "m text"]
    ) -> Float[Tensor, "n m"]:
        """s_ij of picture i and caption j."""
        scale = 1.0 if self.log_scale is None else self.log_scale.exp().clamp(max=50)
        return scale * theta @ phi.T

    def forward(
        self, v: Float[Tensor, "n features"], numbers: Int[Tensor, "m words"]
    ) -> Float[Tensor, "n m"]:
        return self.score(self.theta(v), self.phi(numbers))

    def between(
        self, others: Int[Tensor, "n words"], numbers: Int[Tensor, "m words"]
    ) -> Float[Tensor, "n m"]:
        """Scores of captions and captions, where there are no pictures' features."""
        return self.score(self.phi(others), self.phi(numbers))

    @torch.no_grad()
    def pictures(self, v: Float[Tensor, "n features"]) -> Float[Tensor, "n text"]:
        """theta of the pictures with features v, without gradients.

        Raises:
            UsageError: the features are of another size than those it was trained on.
        """
        size = self.arguments["features"]
        if size is None or v.shape[1] != size:
            raise UsageError(
                f"features of {v.shape[1]} numbers a picture; this matcher takes "
                + (f"{size}." if size else "none: it matched captions alone.")
            )
        return self.theta(v)

    @torch.no_grad()
    def captions(self, captions: Sequence[str]) -> Float[Tensor, "m text"]:
        """phi of the captions, each different one encoded once, without gradients.

        Raises:
            CaptionError: a caption is empty, too long, or made of unknown words only.
        """
        each = sorted(set(captions), key=lambda c: (len(c), c))
        place = {caption: i for i, caption in enumerate(each)}
        index = torch.tensor([place[c] for c in captions], dtype=torch.long)
        return self._unit(self.encoder.encode(each)[index])
