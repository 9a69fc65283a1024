"""The two networks of Le 2018, chapter 4, as scores of a picture and a caption that can be climbed.

Both stand on the branches of `two_branch`, with layer norm in place of batch norm: in synthesis and
in gradient penalties no picture of a batch may see another. Symbols: phi the vector of a caption,
psi what a network makes of it, f(x, t) the score, d(x, y) the thesis's name for it where it is a
distance (4.1.2).
"""

from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.models.two_branch import AffinityNetwork, SimilarityNetwork

AFFINITY = 0.5  # weight of the regression to the caption's vector (Le 2018, chapter 5)


class SimilarityCritic(nn.Module):
    """f(x, t), one number from the elementwise product of both branches (4.1.1 and 4.1.2).

    Args:
        text: size of phi.
        others: see `two_branch.SimilarityNetwork`.
    """

    def __init__(self, *, text: int, size: int = 32, width: int = 24, hidden: int = 64):
        super().__init__()
        self.arguments = dict(text=text, size=size, width=width, hidden=hidden)
        self.network = SimilarityNetwork(
            text=text, size=size, width=width, hidden=hidden, space=hidden, norm="layer",
            judges=(hidden, hidden // 2),
        )  # fmt: skip

    def psi(self, phi: Float[Tensor, "b text"]) -> Float[Tensor, "b space"]:
        """The caption's branch."""
        return self.network.captions(phi)

    def forward(
        self, images: Float[Tensor, "b 3 size size"], psi: Float[Tensor, "b space"]
    ) -> Float[Tensor, " b"]:
        """The score of picture i with caption i; `images` in [-1, 1]."""
        return self.network.pairs(self.network.pictures(images), psi)


class AffinityCritic(nn.Module):
    """d(x) - weight |g(x) - phi|², g a regression of the picture to its caption's vector (4.1.3).

    The last features mirror the space of captions, and a linear layer "reshapes" them to the scalar
    d, which tells real pictures from made ones. The square is a mean over the vector's entries.

    Args:
        text: size of phi.
        weight: of the regression; 0: a critic that knows no caption.
        others: see `two_branch.AffinityNetwork`.
    """

    def __init__(
        self,
        *,
        text: int,
        size: int = 32,
        width: int = 24,
        hidden: int = 64,
        weight: float = AFFINITY,
    ):
        super().__init__()
        self.arguments = dict(text=text, size=size, width=width, hidden=hidden, weight=weight)
        self.network = AffinityNetwork(
            text=text, size=size, width=width, hidden=hidden, norm="layer"
        )
        self.scalar, self.weight = nn.Linear(text, 1), weight

    def psi(self, phi: Float[Tensor, "b text"]) -> Float[Tensor, "b text"]:
        """The caption's vector, as it is."""
        return phi

    def parts(
        self, images: Float[Tensor, "b 3 size size"], psi: Float[Tensor, "b text"]
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        """d(x), and the squared error of the regression."""
        g = self.network(images)
        return self.scalar(g)[:, 0], (g - psi).square().mean(1)

    def forward(
        self, images: Float[Tensor, "b 3 size size"], psi: Float[Tensor, "b text"]
    ) -> Float[Tensor, " b"]:
        """The score of picture i with caption i; `images` in [-1, 1]."""
        d, error = self.parts(images, psi)
        return d - self.weight * error if self.weight else d


CRITICS = {"similarity": SimilarityCritic, "affinity": AffinityCritic}
