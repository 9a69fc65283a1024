"""The introspective systems of Le 2018 as one thing: captions, critics, and how they draw."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import choose
from t2ilab.inputs.synthesis import STARTS, Sampler, visits
from t2ilab.models.caption_critics import CRITICS
from t2ilab.systems.captioned import CaptionedSystem
from t2ilab.systems.encoders import describe_encoder, make_encoder
from t2ilab.text.encoders import CaptionEncoder


class CaptionCriticSystem(CaptionedSystem):
    """f(x, t), and the scores that positives have under it.

    Args:
        encoder: captions to vectors.
        critics: the network, or the networks of a cascade in their order.
        sampler: how pictures are drawn from noise.
        positives: scores of real pictures with captions of their own, a row for each network.
    """

    kind = "caption_critic"

    def __init__(
        self,
        encoder: CaptionEncoder,
        critics: Sequence[nn.Module],
        sampler: Sampler,
        positives: Float[Tensor, "k m"],
    ):
        super().__init__()
        self.encoder, self.critics, self.sampler = encoder, nn.ModuleList(critics), sampler
        self.register_buffer("positives", positives.detach().clone().float())
        self.eval().requires_grad_(False)

    @property
    def size(self) -> int:
        return self.critics[0].network.size

    def noise(self, n: int, seed: int = 0) -> Float[Tensor, "n 3 size size"]:
        """Where n pictures begin."""
        rng = torch.Generator().manual_seed(int(seed))
        return STARTS[self.sampler.start](n, (3, self.size, self.size), generator=rng)

    def draw_vectors(
        self, phi: Float[Tensor, "b text"], start: Float[Tensor, "b 3 size size"]
    ) -> Float[Tensor, "b 3 size size"]:
        """Pictures in [-1, 1] of captions' vectors, from where `noise` began."""
        rng, x = torch.Generator().manual_seed(len(start)), start
        for critic, positives in zip(self.critics, self.positives, strict=True):
            with torch.no_grad():
                psi = critic.psi(phi.float())
            *_, made = visits(critic, x, positives, self.sampler, generator=rng, given=(psi,))
            x = made.pictures
        return x

    def pictures_of(self, phi: Float[Tensor, "n text"], seed: int) -> Float[Tensor, "n c s s"]:
        return self.draw_vectors(phi, self.noise(len(phi), seed))

    def arguments(self) -> dict[str, Any]:
        one = self.critics[0]
        return {
            "encoder": describe_encoder(self.encoder),
            "network": next(name for name, kind in CRITICS.items() if isinstance(one, kind)),
            "critic": one.arguments,
            "cascade": len(self.critics),
            "sampler": asdict(self.sampler),
            "positives": self.positives.shape[1],
        }

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "CaptionCriticSystem":
        make, k = CRITICS[choose("network", arguments["network"], CRITICS)], arguments["cascade"]
        critics = [make(**arguments["critic"]) for _ in range(k)]
        positives = torch.zeros(k, arguments["positives"])
        encoder = make_encoder(arguments["encoder"])
        return cls(encoder, critics, Sampler(**arguments["sampler"]), positives)
