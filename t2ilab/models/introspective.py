"""The one network of an introspective system: it judges pictures, and its gradient draws them.

Convolutions 5x5 of stride 2 down to 4 x 4 places, layer norm on all but the first, SiLU (swish),
and a linear layer. Lazarow, Jin and Tu 2017 and Lee et al. 2018 have batch norm and leaky ReLU, or
twice as many layers; see the notes on `Critic`. Symbols: f(x) the score, w the width.
"""

from math import log2

from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError

SIZES = (8, 16, 32, 64)


class Critic(nn.Module):
    """f(x): one number a picture, larger where it looks like data; and class logits on request.

    With the cross-entropy f is the log odds of "data" against "made"; with the Wasserstein loss it
    is known up to a constant. There is no batch norm, for it would let the pictures of a batch see
    one another, in the gradient penalty and during synthesis; SiLU is smooth, and so is the way up.

    Args:
        size: side of the pictures: 8, 16, 32 or 64.
        channels: 1 or 3.
        width: channels of the first convolution; doubled at each that follows.
        classes: how many classes `classify` knows; 0: none.

    Raises:
        UsageError: another size.
    """

    def __init__(self, *, size: int = 32, channels: int = 3, width: int = 48, classes: int = 0):
        super().__init__()
        if size not in SIZES:
            raise UsageError(
                f"the critic comes for {', '.join(map(str, SIZES))} pixels, "
                f"not {size}: resize the pictures."
            )
        self.arguments = dict(size=size, channels=channels, width=width, classes=classes)
        self.size, self.channels, self.classes = size, channels, classes
        c = [channels, *(width * 2**i for i in range(int(log2(size // 4))))]  # 32 px: w, 2w, 4w
        layers = [nn.Conv2d(c[0], c[1], 5, stride=2, padding=2), nn.SiLU()]
        for before, after in zip(c[1:], c[2:], strict=False):
            layers += [
                nn.Conv2d(before, after, 5, stride=2, padding=2),
                nn.GroupNorm(1, after),  # one group: layer norm over channels and places
                nn.SiLU(),
            ]
        self.body = nn.Sequential(*layers, nn.Flatten())
        self.score = nn.Linear(c[-1] * 16, 1)
        self.of_class = nn.Linear(c[-1] * 16, classes) if classes else None

    def forward(self, images: Float[Tensor, "b c size size"]) -> Float[Tensor, " b"]:
        """The score of each picture; `images` in [-1, 1]."""
        return self.score(self.body(images))[:, 0]

    def judge(
        self, images: Float[Tensor, "b c size size"]
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b classes"]]:
        """The score and the class logits of each picture.

        Raises:
            UsageError: it knows no classes.
        """
        if self.of_class is None:
            raise UsageError("this critic knows no classes: make it with classes=....")
        h = self.body(images)
        return self.score(h)[:, 0], self.of_class(h)

    def classify(self, images: Float[Tensor, "b c size size"]) -> Float[Tensor, "b classes"]:
        """Class logits, as attacks and `robust_accuracy` take them; raises as `judge`."""
        return self.judge(images)[1]


class Classifier(Critic):
    """The same network asked for its class logits alone: what introspection is compared with."""

    def forward(self, images: Float[Tensor, "b c size size"]) -> Float[Tensor, "b classes"]:
        return self.classify(images)
