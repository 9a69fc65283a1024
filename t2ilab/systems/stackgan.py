"""Two stages as one system: a small picture of the caption, and from it one of twice the side.

system = StackGAN.load("stackgan-birds-128")
pictures = system.draw("a small red bird with blue wings", n=8, seed=0)
sketches = system.first.draw("a small red bird with blue wings", n=8, seed=0)   # of the same noise
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.models.augmentation import ConditioningAugmentation
from t2ilab.models.stackgan import StageTwo
from t2ilab.systems.captioned import CaptionedSystem
from t2ilab.systems.system import noise_of
from t2ilab.systems.text_to_image import TextToImage


class StackGAN(CaptionedSystem):
    """Stage I, the Gaussian around its captions, and stage II.

    Args:
        first: stage I, which also reads and completes captions.
        augmentation: A, of stage II.
        second: stage II.

    Raises:
        UsageError: the stages do not fit each other.
    """

    kind = "stackgan"

    def __init__(
        self, first: TextToImage, augmentation: ConditioningAugmentation, second: StageTwo
    ):
        super().__init__()
        z = first.generator.z
        if (2 * first.size, z, augmentation.size) != (second.size, second.z, second.condition):
            raise UsageError(
                f"stage I draws {first.size} pixels from {z} numbers of noise, and A gives "
                f"{augmentation.size}; this stage II draws {second.size} from {second.z}, and is "
                f"told {second.condition}."
            )
        self.first, self.augmentation, self.second = first, augmentation, second
        self.eval()

    @property
    def encoder(self):
        return self.first.encoder

    @property
    def size(self) -> int:
        return self.second.size

    def noise(self, n: int, seed: int = 0) -> Float[Tensor, "n z"]:
        """That of stage I with the same seed, and eps of the augmentation behind it."""
        eps = noise_of(n, self.augmentation.size, seed + 2**31)
        return torch.cat([self.first.noise(n, seed), eps], dim=1)

    @torch.inference_mode()
    def stages(
        self, phi: Float[Tensor, "b text"], z: Float[Tensor, "b z"], *, sample: bool = True
    ) -> tuple[Float[Tensor, "b 3 half half"], Float[Tensor, "b 3 size size"]]:
        """Pictures in [-1, 1] of both stages, 64 at a time.

        Args:
            z: what `noise` gave.
            sample: draw c from its Gaussian; else it is the mean, whatever eps is.
        """
        z, eps = z.to(phi.device).split([self.second.z, self.augmentation.size], dim=1)
        phi = self.first.complete(phi, z)
        small, large = [], []
        for i in range(0, len(z), 64):
            one, told = z[i : i + 64], phi[i : i + 64]
            c = self.augmentation(told, eps[i : i + 64] if sample else None).c
            small.append(self.first(one, told))
            large.append(self.second(one, c, small[-1]).clamp(-1, 1))
        return torch.cat(small), torch.cat(large)

    def draw_vectors(
        self, phi: Float[Tensor, "b text"], z: Float[Tensor, "b z"]
    ) -> Float[Tensor, "b 3 size size"]:
        """Pictures in [-1, 1] of captions' vectors, each completed with its own noise."""
        return self.stages(phi, z)[1]

    def pictures_of(self, phi: Float[Tensor, "n text"], seed: int) -> Float[Tensor, "n 3 s s"]:
        return self.draw_vectors(phi, self.noise(len(phi), seed))

    def arguments(self) -> dict[str, Any]:
        return {
            "first": self.first.arguments(),
            "augmentation": self.augmentation.arguments,
            "second": self.second.arguments,
        }

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "StackGAN":
        return cls(
            TextToImage.build(arguments["first"]),
            ConditioningAugmentation(**arguments["augmentation"]),
            StageTwo(**arguments["second"]),
        )

    def name_in_file(self, key: str) -> str:
        """Encoder and prior have names of their own: other files ship the same."""
        for part in ("encoder.", "prior."):
            key = key.replace(f"first.{part}", part, 1) if key.startswith(f"first.{part}") else key
        return key
