"""A trained introspective system as one thing: a critic, and how pictures are drawn by it.

system = IntrospectiveSystem.load("winn-birds-32")
pictures = system.draw(16, seed=0)      # from noise, by nothing but the critic's gradient
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.inputs.ascent import Ascended
from t2ilab.inputs.synthesis import STARTS, Sampler, synthesise
from t2ilab.models.introspective import Critic
from t2ilab.systems import weights

MOST = 1024  # pictures in one call
RETRIES = 3  # how often a picture that nobody would take for data begins again


class IntrospectiveSystem(nn.Module):
    """f, the scores that positives have under it, and the sampler.

    Args:
        critic: f.
        sampler: how pictures are drawn from noise.
        positives: scores of some real pictures, from which thresholds are drawn.
    """

    def __init__(self, critic: Critic, sampler: Sampler, positives: Float[Tensor, " m"]):
        super().__init__()
        self.critic, self.sampler, self.about = critic, sampler, {}
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
        x = start
        for _ in range(self.sampler.visits):
            made = synthesise(
                self.critic, x, self.positives, self.sampler, progress=1.0, generator=generator
            )
            x = made.pictures
            yield made

    def synthesise(self, n: int, seed: int = 0) -> Float[Tensor, "n c size size"]:
        """n pictures in [-1, 1] from noise.

        A picture whose score stays below that of every positive is stuck, and begins again from
        other noise, up to three times.
        """
        generator = torch.Generator().manual_seed(int(seed))
        device = self.positives.device
        pictures = self.noise(n, generator).to(device)
        rows = torch.arange(n, device=device)
        for attempt in range(1 + RETRIES):
            if attempt:
                pictures[rows] = self.noise(len(rows), generator).to(device)
            *_, made = self.visits(pictures[rows], generator)
            pictures[rows] = made.pictures
            rows = rows[made.scores < self.positives[0]]
            if not len(rows):
                break
        return pictures

    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures from noise, always the same for the same seed; grey ones with equal channels.

        Raises:
            UsageError: n is not between 1 and 1024.
        """
        if not 1 <= n <= MOST:
            raise UsageError(f"n = {n}: ask for 1 to {MOST} pictures at a time.")
        return to_uint8(self.synthesise(n, seed).expand(-1, 3, -1, -1))

    def save(self, folder: str | Path, name: str, **about) -> Path:
        """Write NAME.safetensors and NAME.json into a folder. `about`: see `weights.save`."""
        architecture = {
            "class": "t2ilab.systems.introspective.IntrospectiveSystem",
            "arguments": {
                "critic": self.critic.arguments,
                "sampler": asdict(self.sampler),
                "positives": len(self.positives),
            },
        }
        return weights.save(
            folder, self.state_dict(), {"architecture": architecture, **about}, name=name, half=True
        )

    @classmethod
    def load(cls, name_or_path: str | Path) -> "IntrospectiveSystem":
        """The system of a weight file: a bundled name, a file, or the folder of a training run.

        Raises:
            WeightsError: missing, cut short, altered, or of another kind of system.
        """
        loaded = weights.load(name_or_path)
        arguments = loaded.arguments_of(cls)
        system = cls(
            Critic(**arguments["critic"]),
            Sampler(**arguments["sampler"]),
            torch.zeros(arguments["positives"]),
        )
        weights.into(system, loaded)
        system.about = loaded.about
        return system
