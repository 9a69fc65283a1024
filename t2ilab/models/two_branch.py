"""Two branches, one for pictures and one for captions, that end in one space (Wang et al. 2016).

x a picture, phi(t) the vector of a caption (`text/encoders.py`), f(x) and g(t) what the branches
make of them, both of length 1. Three networks stand on them:

- `EmbeddingNetwork`: how well they fit is the cosine f(x) . g(t) (Le 2018, 3.2.1);
- `SimilarityNetwork`: a classifier over the product f(x) * g(t), entry by entry (Le 2018, 3.2.2;
  Wang et al. 2018);
- `AffinityNetwork`: the picture's branch alone, a regression to phi(t) itself (Le 2018, 4.1.3).
"""

from typing import NamedTuple

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import choose

SIZES = (32, 64)
NORMS = {"batch": nn.BatchNorm2d, "layer": lambda channels: nn.GroupNorm(1, channels)}


class Embedded(NamedTuple):
    """f(x) of pictures and g(t) of captions, each of length 1."""

    pictures: Float[Tensor, "n space"]
    captions: Float[Tensor, "m space"]


def fully_connected(before: int, hidden: int, after: int) -> nn.Sequential:
    """FC, batch norm, ReLU, FC: the end of a branch, as in the paper."""
    return nn.Sequential(
        nn.Linear(before, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, after)
    )


class PictureBranch(nn.Module):
    """Four convolutions down to 4 x 4 places, and fully connected layers.

    Args:
        size: side of the pictures: 32 or 64.
        width: w, channels of the first convolution; then 2w, 4w, 4w.
        hidden, space: sizes of the hidden layer and of what comes out.
        norm: "batch", or "layer": over channels and places of one picture, so that the pictures of
            a batch do not see one another (gradient penalties and synthesis ask for that; the
            fully connected layers then have none).

    Raises:
        UsageError: another size or norm.
    """

    def __init__(self, *, size: int, width: int, hidden: int, space: int, norm: str = "batch"):
        super().__init__()
        choose("size of the pictures", str(size), [str(s) for s in SIZES])
        make, w = NORMS[choose("norm", norm, NORMS)], width
        plan = [(3, w, 5, 2), (w, 2 * w, 3, size // 32), (2 * w, 4 * w, 3, 2), (4 * w, 4 * w, 3, 2)]
        layers = []
        for before, after, kernel, stride in plan:
            layers += [
                nn.Conv2d(before, after, kernel, stride, kernel // 2),
                make(after),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.ends = fully_connected(4 * w * 16, hidden, space)
        if norm == "layer":
            self.ends[1] = nn.Identity()

    def forward(self, images: Float[Tensor, "b 3 size size"]) -> Float[Tensor, "b space"]:
        return self.ends(rearrange(self.convolutions(images), "b c h w -> b (c h w)"))


class TwoBranch(nn.Module):
    """Both branches. A network that stands on them says what becomes of f(x) and g(t).

    Args:
        text: size of phi(t).
        size: side of the pictures: 32 or 64.
        width: channels of the first convolution.
        hidden: units of the hidden layer of each branch.
        space: size of f(x) and g(t).
        norm: of the picture's branch; see `PictureBranch`.
    """

    def __init__(
        self,
        *,
        text: int,
        size: int = 32,
        width: int = 24,
        hidden: int = 128,
        space: int = 128,
        norm: str = "batch",
    ):
        super().__init__()
        self.arguments = dict(
            text=text, size=size, width=width, hidden=hidden, space=space, norm=norm
        )
        self.size, self.text = size, text
        self.of_picture = PictureBranch(
            size=size, width=width, hidden=hidden, space=space, norm=norm
        )
        self.of_caption = fully_connected(text, hidden, space)
        if norm == "layer":
            self.of_caption[1] = nn.Identity()

    def pictures(self, images: Float[Tensor, "b 3 size size"]) -> Float[Tensor, "b space"]:
        """f(x), of length 1; `images` in [-1, 1]."""
        return F.normalize(self.of_picture(images).float(), dim=1)  # in bf16 it would be coarse

    def captions(self, phi: Float[Tensor, "b text"]) -> Float[Tensor, "b space"]:
        """g(t), of length 1, from phi(t)."""
        return F.normalize(self.of_caption(phi).float(), dim=1)


class EmbeddingNetwork(TwoBranch):
    """f(x) and g(t); they fit as well as their cosine says."""

    def forward(
        self, images: Float[Tensor, "n 3 size size"], phi: Float[Tensor, "m text"]
    ) -> Embedded:
        return Embedded(self.pictures(images), self.captions(phi))

    def scores(
        self, pictures: Float[Tensor, "n space"], captions: Float[Tensor, "m space"]
    ) -> Float[Tensor, "n m"]:
        """The cosine of every f(x) and every g(t)."""
        return pictures @ captions.T


class SimilarityNetwork(TwoBranch):
    """f(x) * g(t), FC-BN-ReLU twice, FC: one logit, larger where the caption fits the picture.

    The layers after the product are narrower than the paper's 1024 and 256.

    Args:
        judges: units of the two layers after the product.
        others: see `TwoBranch`.
    """

    def __init__(self, *, judges: tuple[int, int] = (128, 64), norm: str = "batch", **others):
        super().__init__(norm=norm, **others)
        self.arguments |= {"judges": list(judges)}
        first, second = judges
        space = self.arguments["space"]
        self.judge = nn.Sequential(
            nn.Linear(space, first), nn.BatchNorm1d(first), nn.ReLU(),
            nn.Linear(first, second), nn.BatchNorm1d(second), nn.ReLU(),
            nn.Linear(second, 1),
        )  # fmt: skip
        if norm == "layer":
            self.judge[1], self.judge[4] = nn.Identity(), nn.Identity()

    def forward(
        self,
        images: Float[Tensor, "n 3 size size"],
        phi: Float[Tensor, "m text"],
        *,
        every: bool = False,
    ) -> Float[Tensor, " n"] | Float[Tensor, "n m"]:
        """Logits of picture i with caption i; with `every`, of each picture with each caption.

        `images` in [-1, 1]; `phi` are vectors of captions.
        """
        f, g = self.pictures(images), self.captions(phi)
        return self.scores(f, g) if every else self.pairs(f, g)

    def pairs(
        self, pictures: Float[Tensor, "k space"], captions: Float[Tensor, "k space"]
    ) -> Float[Tensor, " k"]:
        """The logit of f(x_i) and g(t_i). The product, about 1/space an entry, is made about 1."""
        return self.judge(pictures * captions * pictures.shape[1])[:, 0]

    def scores(
        self, pictures: Float[Tensor, "n space"], captions: Float[Tensor, "m space"]
    ) -> Float[Tensor, "n m"]:
        """The logit of every f(x) with every g(t)."""
        product = rearrange(pictures, "n s -> n 1 s") * captions * pictures.shape[1]
        logits = self.judge(rearrange(product, "n m s -> (n m) s"))
        return rearrange(logits, "(n m) 1 -> n m", n=len(pictures))


class AffinityNetwork(nn.Module):
    """The picture's branch alone: what phi(t) of its caption may be.

    Args:
        text: size of phi(t).
        others: see `PictureBranch`.
    """

    def __init__(
        self, *, text: int, size: int = 32, width: int = 24, hidden: int = 128, norm: str = "batch"
    ):
        super().__init__()
        self.arguments = dict(text=text, size=size, width=width, hidden=hidden, norm=norm)
        self.size, self.text = size, text
        self.of_picture = PictureBranch(
            size=size, width=width, hidden=hidden, space=text, norm=norm
        )

    def forward(self, images: Float[Tensor, "b 3 size size"]) -> Float[Tensor, "b text"]:
        """A vector a picture, of any length; `images` in [-1, 1]."""
        return self.of_picture(images)

    def pictures(self, images: Float[Tensor, "b 3 size size"]) -> Float[Tensor, "b text"]:
        """The same, of length 1."""
        return F.normalize(self(images), dim=1)

    def captions(self, phi: Float[Tensor, "b text"]) -> Float[Tensor, "b text"]:
        """phi(t), of length 1."""
        return F.normalize(phi, dim=1)

    def scores(
        self, pictures: Float[Tensor, "n text"], captions: Float[Tensor, "m text"]
    ) -> Float[Tensor, "n m"]:
        """The cosine of every regression with every phi(t)."""
        return pictures @ captions.T
