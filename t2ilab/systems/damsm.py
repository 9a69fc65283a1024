"""DAMSM as one thing: how well does a caption fit a picture, word by word?

system = DamsmSystem.load("damsm-birds-64")
scores = system.match(images, ["a red bird", "a blue bird"])      # [n, 2], larger where it fits
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError, choose
from t2ilab.losses.damsm import attend, sentence_scores, word_scores
from t2ilab.models.damsm import SIDE, Damsm, Parts, RegionNetwork, Words, read
from t2ilab.systems.encoders import describe_encoder, make_encoder
from t2ilab.systems.system import System
from t2ilab.text.encoders import CaptionEncoder

BY = ("both", "words", "sentences")
AT_ONCE = 100  # pictures that are looked at in one go


class DamsmSystem(System):
    """The recurrent encoder and the picture's network.

    Args:
        encoder: its states are the words.
        network: regions of pictures.
        gamma1, gamma2: of `losses.damsm`, as it was trained.
    """

    kind = "damsm"

    def __init__(
        self,
        encoder: CaptionEncoder,
        network: RegionNetwork,
        *,
        gamma1: float = 4.0,
        gamma2: float = 5.0,
    ):
        super().__init__()
        self.model, self.gamma1, self.gamma2 = Damsm(encoder, network), gamma1, gamma2
        self.eval()

    @property
    def encoder(self) -> CaptionEncoder:
        return self.model.encoder

    @property
    def size(self) -> int:
        return self.model.network.size

    def arguments(self) -> dict[str, Any]:
        own = {"encoder": describe_encoder(self.encoder), "network": self.model.network.arguments}
        return own | {"gamma1": self.gamma1, "gamma2": self.gamma2}

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "DamsmSystem":
        given = dict(arguments)
        encoder, network = make_encoder(given.pop("encoder")), RegionNetwork(**given.pop("network"))
        return cls(encoder, network, **given)

    def name_in_file(self, key: str) -> str:
        return key.removeprefix("model.")

    @torch.inference_mode()
    def read(self, captions: Sequence[str]) -> Words:
        """Words and sentences; raises as `read_captions`."""
        return read_captions(self.encoder, captions)

    @torch.inference_mode()
    def look(self, images: UInt8[np.ndarray, "n s s 3"] | Float[Tensor, "n 3 s s"]) -> Parts:
        """Regions and vectors of pictures: bytes, or floats in [-1, 1].

        Raises:
            UsageError: they are of another size than those it learned from.
        """
        if images.shape[2] != self.size:
            raise UsageError(
                f"pictures of {images.shape[2]} pixels; this system takes {self.size}: resize them."
            )
        x = to_float(images) if isinstance(images, np.ndarray) else images
        found = [self.model.look(part) for part in x.split(250)]
        return Parts(*(torch.cat(one) for one in zip(*found, strict=True)))

    @torch.inference_mode()
    def scores(self, parts: Parts, said: Words, by: str = "both") -> Float[Tensor, "n m"]:
        """Of every picture and caption: by words, by sentences, or the sum of both."""
        choose("way to score", by, BY)
        found = []
        for regions, whole in zip(*(x.split(AT_ONCE) for x in parts), strict=True):
            how = dict(gamma1=self.gamma1, gamma2=self.gamma2)
            one = 0.0 if by == "sentences" else word_scores(regions, *said[:2], **how)
            found.append(one if by == "words" else one + sentence_scores(whole, said.sentence))
        return torch.cat(found)

    def match(
        self, images: UInt8[np.ndarray, "n s s 3"], captions: Sequence[str], by: str = "both"
    ) -> Float[Tensor, "n m"]:
        """`scores` of pictures and captions themselves; raises as `look` and `read`."""
        return self.scores(self.look(images), self.read(captions), by)

    @torch.inference_mode()
    def attention(
        self, images: UInt8[np.ndarray, "n s s 3"], captions: Sequence[str]
    ) -> Float[Tensor, "n words 8 8"]:
        """Where the words of each picture's own caption look; each word's map sums to 1."""
        parts, said = self.look(images), self.read(captions)
        each = [
            attend(v[None], e[None], real[None], gamma1=self.gamma1).a[0, 0]
            for v, e, real in zip(parts.regions, said.words, said.real, strict=True)
        ]
        return torch.stack(each).unflatten(2, (SIDE, SIDE))


@torch.inference_mode()
def read_captions(encoder: CaptionEncoder, captions: Sequence[str]) -> Words:
    """Words and sentences, by a recurrent encoder.

    Raises:
        CaptionError: a caption is empty, too long, or made of unknown words only.
    """
    for caption in captions:
        encoder.vocabulary.check(caption)
    return read(encoder, encoder.vocabulary.numbers(captions))
