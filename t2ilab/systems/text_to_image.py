"""A trained text-to-image system as one thing: caption encoder and generator.

system = TextToImage.load("gan_int_cls-birds-64")
pictures = system.draw("a small red bird with blue wings", n=8, seed=0)
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.models.gated import GatedGenerator, describe_generator, make_generator
from t2ilab.models.prior import CompletingPrior
from t2ilab.models.reed import Generator
from t2ilab.systems.captioned import CaptionedSystem
from t2ilab.systems.encoders import describe_encoder, make_encoder
from t2ilab.systems.system import noise_of
from t2ilab.text.encoders import CaptionEncoder


class TextToImage(CaptionedSystem):
    """phi and G together: captions in, pictures out.

    Args:
        encoder: phi, captions to vectors [b, text].
        generator: G(z, phi(t)) -> [b, 3, size, size] in [-1, 1].
        prior: fills what a caption leaves open, where G knows complete captions only.

    Raises:
        UsageError: the prior is for other sizes of vectors or of noise.
    """

    kind = "text_to_image"

    def __init__(
        self,
        encoder: CaptionEncoder,
        generator: Generator | GatedGenerator,
        prior: CompletingPrior | None = None,
    ):
        super().__init__()
        if prior is not None and (prior.text, prior.z) != (generator.text, generator.z):
            raise UsageError(
                f"the prior is for vectors of {prior.text} numbers and noise of {prior.z}, and "
                f"this generator takes {generator.text} and {generator.z}: train a prior for it."
            )
        self.encoder, self.generator, self.prior = encoder, generator, prior
        self.eval()

    @property
    def size(self) -> int:
        return self.generator.size

    def noise(self, n: int, seed: int = 0) -> Float[Tensor, "n z"]:
        """n noise vectors, the same for the same seed; the first ones do not depend on n."""
        return noise_of(n, self.generator.z, seed)

    @torch.inference_mode()
    def complete(
        self, phi: Float[Tensor, "b text"], z: Float[Tensor, "b z"]
    ) -> Float[Tensor, "b text"]:
        """Vectors of captions as G takes them: completed with this noise, if there is a prior."""
        return phi if self.prior is None else self.prior.complete(phi, z.to(phi.device))

    @torch.inference_mode()
    def forward(
        self, z: Float[Tensor, "b z"], phi: Float[Tensor, "b text"]
    ) -> Float[Tensor, "b 3 size size"]:
        """Pictures in [-1, 1] from noise and caption vectors, in float32, 256 at a time."""
        parts = [self.generator(z[i : i + 256], phi[i : i + 256]) for i in range(0, len(z), 256)]
        return torch.cat(parts)

    def draw_vectors(
        self, phi: Float[Tensor, "b text"], z: Float[Tensor, "b z"]
    ) -> Float[Tensor, "b 3 size size"]:
        """Pictures in [-1, 1] of captions' vectors, each completed with its own noise."""
        z = z.to(phi.device)
        return self(z, self.complete(phi, z))

    def pictures_of(self, phi: Float[Tensor, "n text"], seed: int) -> Float[Tensor, "n 3 s s"]:
        return self.draw_vectors(phi, self.noise(len(phi), seed))

    def arguments(self) -> dict[str, Any]:
        generator = describe_generator(self.generator)
        described = {"encoder": describe_encoder(self.encoder), "generator": generator}
        return described | ({"prior": self.prior.arguments} if self.prior is not None else {})

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "TextToImage":
        prior = CompletingPrior(**arguments["prior"]) if "prior" in arguments else None
        encoder, generator = make_encoder(arguments["encoder"]), arguments["generator"]
        return cls(encoder, make_generator(generator), prior)
