"""A critic that is told a caption: f(x, t) = f0(x) + gamma s(x, t).

The log density of pictures with a caption falls in two, log p(x, t) = log p(x) + log p(t|x). f0 is
the critic of an introspective network, which knows no text; s says how well picture and caption
match: the cosine of two vectors. Symbols: h features of a picture, phi the vector of a caption,
theta and psi their places in the space that both share.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.models.introspective import Critic

LARGEST_SCALE = 50.0


class TextHead(nn.Module):
    """s(x, t) = cos(theta(h(x)), psi(phi(t))), both maps linear.

    Args:
        features: size of h.
        text: size of phi.
        space: size of the space in which they meet.
    """

    def __init__(self, *, features: int, text: int = 256, space: int = 64):
        super().__init__()
        self.arguments = dict(features=features, text=text, space=space)
        self.picture, self.caption = nn.Linear(features, space), nn.Linear(text, space)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def theta(self, h: Float[Tensor, "b features"]) -> Float[Tensor, "b space"]:
        """Pictures, by their features, as vectors of length 1."""
        return F.normalize(self.picture(h), dim=1)

    def psi(self, phi: Float[Tensor, "b text"]) -> Float[Tensor, "b space"]:
        """Captions as vectors of length 1."""
        return F.normalize(self.caption(phi), dim=1)

    def scaled(
        self, theta: Float[Tensor, "n space"], psi: Float[Tensor, "m space"]
    ) -> Float[Tensor, "n m"]:
        """e^log_scale cos of every picture with every caption: the logits of a softmax."""
        return self.log_scale.exp().clamp(max=LARGEST_SCALE) * theta @ psi.T


class TextCritic(nn.Module):
    """f0(x) and s(x, t).

    Args:
        base: the network of f0; it is frozen.
        width: channels of the first convolution of the network that s is read from, of the same
            kind as `base`; 0: s is read from the features of `base` itself.
        text, space: see `TextHead`.
    """

    def __init__(self, base: Critic, *, width: int = 40, text: int = 256, space: int = 64):
        super().__init__()
        self.arguments = dict(width=width, text=text, space=space)
        self.base = base.requires_grad_(False)
        own = Critic(size=base.size, channels=base.channels, width=width) if width else base
        self.body = own.body if width else None
        self.head = TextHead(features=own.score.in_features, text=text, space=space)

    def theta(self, images: Float[Tensor, "b c size size"]) -> Float[Tensor, "b space"]:
        """Pictures in the space that they share with captions; `images` in [-1, 1]."""
        return self.head.theta((self.base.body if self.body is None else self.body)(images))

    def parts(
        self, images: Float[Tensor, "b c size size"], *, mixed: bool = False
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b space"]]:
        """f0(x) and theta(x); `mixed`: the convolutions in bfloat16, what follows in float32."""
        with torch.autocast(images.device.type, torch.bfloat16, enabled=mixed):
            h = self.base.body(images)
            own = h if self.body is None else self.body(images)
        return self.base.score(h.float())[:, 0], self.head.theta(own.float())

    def forward(
        self,
        images: Float[Tensor, "b c size size"],
        psi: Float[Tensor, "b space"],
        gamma: float | Float[Tensor, " b"] = 10.0,
        *,
        mixed: bool = False,
    ) -> Float[Tensor, " b"]:
        """f(x, t), with `psi` the captions' vectors from `head.psi`; `mixed`: as of `parts`."""
        f, theta = self.parts(images, mixed=mixed)
        return f + gamma * (theta * psi).sum(1)
