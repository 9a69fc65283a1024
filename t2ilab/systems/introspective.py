"""A trained introspective system as one thing: a critic, and how pictures are drawn by it.

system = IntrospectiveSystem.load("winn-birds-32")
pictures = system.draw(16, seed=0)      # from noise, by nothing but the critic's gradient
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.inputs.ascent import Ascended
from t2ilab.inputs.synthesis import STARTS, Sampler, from_noise, visits
from t2ilab.models.introspective import Critic
from t2ilab.systems.system import System, checked_count


class IntrospectiveSystem(System):
    """f, the scores that positives have under it, and the sampler.

    Args:
        critic: f.
        sampler: how pictures are drawn from noise.
        positives: scores of some real pictures, from which thresholds are drawn.
    """

    kind = "introspective"
    draws = True

    def __init__(self, critic: Critic, sampler: Sampler, positives: Float[Tensor, " m"]):
        super().__init__()
        self.critic, self.sampler = critic, sampler
        self.register_buffer("positives", positives.detach().clone().float().sort().values)
        self.eval().requires_grad_(False)

    @property
    def size(self) -> int:
        return self.critic.size

    def drawing_with(self, **changes) -> "IntrospectiveSystem":
        """The same critic, drawing in another way; `changes`: of the `Sampler`."""
        return IntrospectiveSystem(self.critic, replace(self.sampler, **changes), self.positives)

    def noise(self, n: int, generator: torch.Generator) -> Float[Tensor, "n c size size"]:
        """Where n pictures begin."""
        shape = (self.critic.channels, self.size, self.size)
        return STARTS[self.sampler.start](n, shape, generator=generator)

    def visits(
        self, start: Float[Tensor, "n c size size"], generator: torch.Generator
    ) -> Iterator[Ascended]:
        """The ascent of each visit, with the step size of training's end."""
        return visits(self.critic, start, self.positives, self.sampler, generator=generator)

    def synthesise(self, n: int, seed: int = 0) -> Float[Tensor, "n c size size"]:
        """n pictures in [-1, 1] from noise.

        A picture whose score stays below that of every positive is stuck, and begins again from
        other noise, up to three times.
        """
        generator = torch.Generator().manual_seed(int(seed))
        return from_noise(
            self.critic,
            lambda some: self.noise(some, generator),
            n,
            self.positives,
            self.sampler,
            generator=generator,
        )

    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures from noise, always the same for the same seed; grey ones with equal channels.

        Raises:
            UsageError: n is not between 1 and 1024.
        """
        return to_uint8(self.synthesise(checked_count(n), seed).expand(-1, 3, -1, -1))

    def arguments(self) -> dict[str, Any]:
        return {
            "critic": self.critic.arguments,
            "sampler": asdict(self.sampler),
            "positives": len(self.positives),
        }

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "IntrospectiveSystem":
        positives = torch.zeros(arguments["positives"])
        return cls(Critic(**arguments["critic"]), Sampler(**arguments["sampler"]), positives)
