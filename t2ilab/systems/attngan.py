"""AttnGAN as one thing: captions in, pictures out, and which words each place looked at.

system = AttnSystem.load("attngan-birds-64")
pictures = system.draw("a small red bird with blue wings", n=8, seed=0)
painted = system.paint(["a small red bird with blue wings"], system.noise(1, seed=0))
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.models.attngan import AttnGenerator, Painted
from t2ilab.models.damsm import Words
from t2ilab.systems.captioned import CaptionedSystem
from t2ilab.systems.damsm import read_captions
from t2ilab.systems.encoders import describe_encoder, make_encoder
from t2ilab.systems.system import checked_count, noise_of
from t2ilab.text.encoders import CaptionEncoder

AT_ONCE = 64  # pictures that are painted in one go


class AttnSystem(CaptionedSystem):
    """The encoder of DAMSM, whose states are the words, and G.

    Args:
        encoder: captions to words and sentences.
        generator: G.
    """

    kind = "attngan"

    def __init__(self, encoder: CaptionEncoder, generator: AttnGenerator):
        super().__init__()
        self.encoder, self.generator = encoder, generator
        self.eval()

    @property
    def size(self) -> int:
        return self.generator.size

    def noise(self, n: int, seed: int = 0) -> Float[Tensor, "n z"]:
        """n noise vectors, the same for the same seed; the first ones do not depend on n."""
        return noise_of(n, self.generator.z, seed)

    def read(self, captions: Sequence[str]) -> Words:
        """Words and sentences; raises as `read_captions`."""
        return read_captions(self.encoder, captions)

    def words(self, caption: str) -> list[str]:
        """The words of a caption, as its attention counts them."""
        return [token for token, _ in self.encoder.vocabulary.tokens(caption)]

    @torch.inference_mode()
    def paint(
        self,
        captions: Sequence[str] | Words,
        z: Float[Tensor, "b z"],
        *,
        weights: list[Tensor | None] | None = None,
    ) -> Painted:
        """Pictures of every size with their attention, one of each caption, with c = mu.

        Args:
            captions: texts, or what `read` made of them.
            weights: of each attention in place of its own; see `AttnGenerator`.
        """
        said = captions if isinstance(captions, Words) else self.read(captions)
        return self.generator(z, said.sentence, said.words, said.real, weights=weights)

    def pictures(
        self, captions: Sequence[str], z: Float[Tensor, "b z"]
    ) -> Float[Tensor, "b 3 size size"]:
        """The last pictures alone, some at a time."""
        n = AT_ONCE
        parts = [
            self.paint(captions[i : i + n], z[i : i + n]).pictures[-1]
            for i in range(0, len(captions), n)
        ]
        return torch.cat(parts)

    def draw(
        self, caption: str | Sequence[str], n: int = 8, seed: int = 0
    ) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures of one caption, or one picture of each of several captions (`n` is not used).

        Raises:
            CaptionError: a caption is empty, too long, or made of unknown words only.
            UsageError: n, or the number of captions, is not between 1 and 1024.
        """
        n = checked_count(n if isinstance(caption, str) else len(caption))
        said = [caption] * n if isinstance(caption, str) else list(caption)
        return to_uint8(self.pictures(said, self.noise(n, seed)))

    def arguments(self) -> dict[str, Any]:
        own = {"encoder": describe_encoder(self.encoder)}
        return own | {"generator": self.generator.arguments}

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "AttnSystem":
        return cls(make_encoder(arguments["encoder"]), AttnGenerator(**arguments["generator"]))
