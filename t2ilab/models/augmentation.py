"""Conditioning augmentation (Zhang et al. 2017, StackGAN, section 3.2): a Gaussian around captions.

    c = mu(phi) + sigma(phi) * eps,   eps ~ N(0, I)

takes the place of phi(t), so that the generator is trained on a cloud of conditions for each
caption instead of on a point, and KL(N(mu, sigma²) || N(0, I)), eq. 8, keeps the cloud from
shrinking to one. Symbols: phi the caption's vector, mu and logvar = log sigma² of the Gaussian.
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError


class Augmented(NamedTuple):
    """c, a sample of the Gaussian or its mean, and the Gaussian."""

    c: Float[Tensor, "b size"]
    mu: Float[Tensor, "b size"]
    logvar: Float[Tensor, "b size"]


class ConditioningAugmentation(nn.Module):
    """phi -> (mu, log sigma²) by one linear layer, and a sample.

    The authors' PyTorch code has a ReLU behind this layer: there mu and log sigma² are never below
    0, so sigma is at least 1 and the noise can never be turned down. Here sigma has any size.

    Args:
        text: size of phi.
        size: of c (paper: 128).

    Raises:
        UsageError: a size below 1.
    """

    def __init__(self, *, text: int = 256, size: int = 128):
        super().__init__()
        if size < 1:
            raise UsageError(f"conditioning augmentation to {size} numbers: give 1 or more.")
        self.text, self.size = text, size
        self.arguments = dict(text=text, size=size)
        self.layer = nn.Linear(text, 2 * size)

    def forward(
        self, phi: Float[Tensor, "b text"], eps: Float[Tensor, "b size"] | None = None
    ) -> Augmented:
        """eps: standard normal; None or 0: c is the mean, the same each time."""
        mu, logvar = (
            self.layer(phi).float().chunk(2, dim=1)
        )  # float32: exp() of half floats is rough
        c = mu if eps is None else mu + (logvar / 2).exp() * eps
        return Augmented(c, mu, logvar)


class AugmentedGenerator(nn.Module):
    """G(z, c) behind a conditioning augmentation, as one G(z, phi): StackGAN's first stage.

    Its noise holds that of G, and eps behind it.

    Args:
        augmentation: phi -> c.
        generator: takes c where others take phi.

    Raises:
        UsageError: the sizes of c differ.
    """

    def __init__(self, augmentation: ConditioningAugmentation, generator: nn.Module):
        super().__init__()
        if generator.text != augmentation.size:
            raise UsageError(
                f"the augmentation gives {augmentation.size} numbers, and this generator takes "
                f"{generator.text}."
            )
        self.augmentation, self.generator = augmentation, generator
        self.size, self.text = generator.size, augmentation.text
        self.z = generator.z + augmentation.size

    def forward(
        self, z: Float[Tensor, "b z"], phi: Float[Tensor, "b text"]
    ) -> Float[Tensor, "b 3 size size"]:
        z, eps = z.split([self.generator.z, self.augmentation.size], dim=1)
        return self.generator(z, self.augmentation(phi, eps).c)
