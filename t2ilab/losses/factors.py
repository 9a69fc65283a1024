"""The squared errors of a network that is told everything (Dosovitskiy et al. 2015, sect. 3.2)."""

from jaxtyping import Float
from torch import Tensor

from t2ilab.models.factors import Drawn, laid

PICTURE = 10.0  # weight of the picture beside the mask's 1, as in the paper


def squared_errors(
    drawn: Drawn,
    images: Float[Tensor, "b c h w"],
    masks: Float[Tensor, "b 1 h w"] | None = None,
    ground: float = 0.0,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""] | None]:
    """Mean squared error of a pixel's value, and of the mask's, or None.

    With masks, the picture is cut out by the true mask and laid on the true ground before it is
    compared: it counts only where the object is, and what lies behind it is not learned.

    Args:
        drawn: what the network says; images in [-1, 1], masks in [0, 1].
        images, masks: what is true, in the same ranges.
        ground: the plain colour behind the object, in [-1, 1].
    """
    if masks is None:
        return (drawn.images - images).square().mean(), None
    cut_out = laid(Drawn(drawn.images, masks), ground)
    return (cut_out - images).square().mean(), (drawn.masks - masks).square().mean()


def loss(picture: Float[Tensor, ""], mask: Float[Tensor, ""] | None) -> Float[Tensor, ""]:
    """What is minimised: the picture's error, ten times that of the mask."""
    return picture if mask is None else PICTURE * picture + mask
