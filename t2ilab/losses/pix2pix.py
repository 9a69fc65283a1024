"""The two losses of pix2pix's generator (Isola et al. 2017, eq. 3 and 4), beside the game's own."""

from jaxtyping import Float
from torch import Tensor

from t2ilab.losses.adversarial import generator_nonsaturating

Loss = Float[Tensor, ""]


def l1(made: Float[Tensor, "b 3 h w"], x: Float[Tensor, "b 3 h w"]) -> Loss:
    """E |x - G(y)|, the mean over pictures, channels and pixels: eq. 3. Least at the median."""
    return (x - made).abs().mean()


def generator_loss(
    fake: Float[Tensor, "..."] | None,
    made: Float[Tensor, "b 3 h w"],
    x: Float[Tensor, "b 3 h w"],
    weight: float,
) -> Loss:
    """-log D(y, G(y)) + lambda · L1: eq. 4, with the loss that is used in practice.

    Args:
        fake: logits of made pictures, of all patches; None: L1 alone.
        weight: lambda (paper: 100); 0: the game alone.
    """
    if fake is None:
        return weight * l1(made, x)
    game = generator_nonsaturating(fake)
    return game + weight * l1(made, x) if weight else game
