"""Pictures and captions in one space: a trained network of two branches, with its encoder.

system = EmbeddingSystem.load("embedding-birds-32")
scores = system.match(images, ["a red bird", "a blue bird"])      # [n, 2], larger where it fits
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError, WeightsError
from t2ilab.models.two_branch import AffinityNetwork, EmbeddingNetwork, SimilarityNetwork
from t2ilab.systems import weights
from t2ilab.systems.encoders import describe_encoder, make_encoder
from t2ilab.systems.system import System
from t2ilab.text.encoders import CaptionEncoder

AT_ONCE = 250  # pictures that are embedded, or scored with all captions, in one go


class TwoBranchSystem(System):
    """What all three share.

    Attributes:
        encoder: phi.
        network: both branches, or the picture's.
    """

    makes: ClassVar[type[nn.Module]]

    def __init__(self, encoder: CaptionEncoder, network: nn.Module):
        super().__init__()
        self.encoder, self.network = encoder, network

    @property
    def size(self) -> int:
        return self.network.size

    def arguments(self) -> dict[str, Any]:
        return {"encoder": describe_encoder(self.encoder), "network": self.network.arguments}

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "TwoBranchSystem":
        return cls(make_encoder(arguments["encoder"]), cls.makes(**arguments["network"]))

    @torch.inference_mode()
    def pictures(
        self, images: UInt8[np.ndarray, "n size size 3"] | Float[Tensor, "n 3 size size"]
    ) -> Float[Tensor, "n space"]:
        """Pictures in the space, of length 1: bytes, or floats in [-1, 1].

        Raises:
            UsageError: they are of another size than those it learned from.
        """
        if images.shape[2] != self.size:
            raise UsageError(
                f"pictures of {images.shape[2]} pixels; this system takes {self.size}: resize them."
            )
        parts = [images[i : i + AT_ONCE] for i in range(0, len(images), AT_ONCE)]
        floats = (to_float(p) if isinstance(p, np.ndarray) else p for p in parts)
        return torch.cat([self.network.pictures(x) for x in floats])

    @torch.inference_mode()
    def captions(self, captions: Sequence[str]) -> Float[Tensor, "m space"]:
        """Captions in the space, of length 1, each different one encoded once.

        Raises:
            CaptionError: a caption is empty, too long, or made of unknown words only.
        """
        each = sorted(set(captions), key=lambda c: (len(c), c))
        place = {caption: i for i, caption in enumerate(each)}
        found = self.network.captions(self.encoder.encode(each))
        return found[torch.tensor([place[c] for c in captions], dtype=torch.long)]

    @torch.inference_mode()
    def scores(
        self, pictures: Float[Tensor, "n space"], captions: Float[Tensor, "m space"]
    ) -> Float[Tensor, "n m"]:
        """How well each of these vectors of pictures fits each of these of captions."""
        return torch.cat([self.network.scores(part, captions) for part in pictures.split(32)])

    def match(
        self, images: UInt8[np.ndarray, "n size size 3"], captions: Sequence[str]
    ) -> Float[Tensor, "n m"]:
        """`scores` of pictures and captions themselves; raises as `pictures` and `captions`."""
        return self.scores(self.pictures(images), self.captions(captions))


class EmbeddingSystem(TwoBranchSystem):
    """The embedding network: scores are cosines."""

    kind, makes = "embedding", EmbeddingNetwork


class SimilaritySystem(TwoBranchSystem):
    """The similarity network: scores are logits of "the caption fits"."""

    kind, makes = "similarity", SimilarityNetwork


class AffinitySystem(TwoBranchSystem):
    """The affinity network: scores are cosines with phi itself."""

    kind, makes = "affinity", AffinityNetwork


KINDS = {cls.kind: cls for cls in (EmbeddingSystem, SimilaritySystem, AffinitySystem)}


def load_two_branch(name_or_path: str | Path) -> TwoBranchSystem:
    """Any of the three, by name ("embedding-birds-32") or path.

    Raises:
        WeightsError: missing, cut short, altered, or none of the three.
    """
    kind = weights.load(name_or_path).about["kind"]
    if kind not in KINDS:
        raise WeightsError(f"weights '{name_or_path}' are of kind '{kind}': of no two branches.")
    return KINDS[kind].load(name_or_path)
