"""Train the style encoder S against a generator that stays as it is (Reed et al. 2016, eq. 4).

    L_style = E || z - S(G(z, phi(t))) ||^2    over noise z ~ N(0, I) and captions t

Every batch is drawn afresh, so S never sees a picture twice. Paper: the sum over the 100 numbers of
z; here their mean, so that 1 means "nothing of z was found" whatever the size of z.

A departure, with a weight of its own: || x - G(S(x), phi(t)) ||^2, the picture drawn again with the
noise found. Many z make nearly the same picture, and their mean, which equation 4 asks for, need
not be one of them; this term asks for a z that is.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.models.prior import CompletingPrior
from t2ilab.models.reed import Generator
from t2ilab.models.style import StyleEncoder, brought_to
from t2ilab.trainers.parts import load_states, one_cycle, set_rate, states


def style_loss(z: Float[Tensor, "b z"], predicted: Float[Tensor, "b z"]) -> Float[Tensor, ""]:
    """|| z - S(x) ||^2 / dim z, the mean over the batch (eq. 4; paper: without the division)."""
    return (z - predicted).square().mean()


def roughened(
    images: Float[Tensor, "b 3 h w"], noise: float, rng: torch.Generator
) -> Float[Tensor, "b 3 h w"]:
    """Pictures with a random share of blur, of contrast and brightness, and of pixel noise.

    S learns from drawn-by-G pictures alone and is used on others, which have another grain; what
    these changes leave alone, shapes and places, is what it should go by. The paper has none.

    Args:
        noise: the strongest pixel noise (standard deviation, pictures in [-1, 1]); 0: no changes.
        rng: on the CPU.
    """
    if not noise:
        return images
    b, device = len(images), images.device
    u = torch.rand(4, b, 1, 1, 1, generator=rng).to(device)
    images = torch.lerp(images, F.avg_pool2d(images, 3, 1, 1, count_include_pad=False), u[0])
    images = images * (0.8 + 0.4 * u[1]) + 0.3 * (u[2] - 0.5)
    grain = torch.randn(images.shape, generator=rng).to(device)
    return images + noise * u[3] * grain


class StyleTrainer:
    """One update of S.

    Args:
        style: S, to train.
        generator: G, trained; it is only asked.
        prior: completes captions with z before G draws them, where the system has one.
        lr: of AdamW, reached after a tenth of the budget and lowered to 0 along a cosine.
        noise: see `roughened`.
        redraw: weight of the squared error of the picture drawn again, the mean over its pixels;
            0: equation 4 alone, as in the paper.
        seed: of the noise.

    Raises:
        UsageError: S gives vectors of another size than G takes.
    """

    def __init__(
        self,
        style: StyleEncoder,
        generator: Generator,
        prior: CompletingPrior | None = None,
        *,
        lr: float = 2e-3,
        noise: float = 0.1,
        redraw: float = 5.0,
        seed: int = 0,
    ):
        if style.z != generator.z:
            raise UsageError(
                f"S gives {style.z} numbers, but this generator's z has "
                f"{generator.z}: make it with z={generator.z}."
            )
        self.style, self.generator, self.prior = style, generator, prior
        self.lr, self.noise, self.redraw, self.progress = lr, noise, redraw, 0.0
        self.optimizer = torch.optim.AdamW(style.parameters(), lr=lr, weight_decay=1e-4)
        self.rng = torch.Generator().manual_seed(seed)

    def setup(self, fabric) -> None:
        for frozen in filter(None, (self.generator, self.prior)):  # the loss changes S, never G
            frozen.eval().requires_grad_(False).to(fabric.device)
        self.autocast = fabric.autocast  # G has nothing to learn, so it is not set up
        self.S, self.optimizer = fabric.setup(self.style, self.optimizer)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        set_rate(self.lr * one_cycle(self.progress), self.optimizer)
        z, phi = batch["z"].to(self.device), batch["phi"].to(self.device)
        with torch.no_grad():  # no gradient has to go through this picture
            if self.prior is not None:
                phi = self.prior.complete(phi, z)
            x = self._drawn(z, phi)
        found = self.S(roughened(x, self.noise, self.rng)).float()
        losses = {"style": style_loss(z, found)}
        if self.redraw:  # through the frozen G to S
            losses["redraw"] = (x - self._drawn(found, phi)).square().mean()
        self.optimizer.zero_grad()
        (losses["style"] + self.redraw * losses.get("redraw", 0.0)).backward()
        self.optimizer.step()
        return {name: loss.detach() for name, loss in losses.items()}

    def _drawn(self, z: Tensor, phi: Tensor) -> Float[Tensor, "b 3 size size"]:
        """G's picture, as S sees it."""
        with self.autocast():
            picture = self.generator(z, phi)
        return brought_to(picture.float(), self.style.size)

    def state_dict(self) -> dict:
        return states(self, "S", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


class StyleBatches:
    """Batches of noise and captions: step -> {"z" [b, z], "phi" [b, text]}.

    Args:
        phi: vectors of captions to choose from, with replacement.
        z: size of the noise.
        batch_size: pictures a batch.
        seed: of noise and choice; a batch is a function of (seed, step) alone.

    Raises:
        UsageError: no captions.
    """

    def __init__(
        self, phi: Float[Tensor, "n text"], *, z: int, batch_size: int = 32, seed: int = 0
    ):
        if not len(phi):
            raise UsageError("the style encoder needs captions to draw for; there are none.")
        self.phi, self.z, self.batch_size, self.seed = phi, z, batch_size, seed

    def __call__(self, step: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(_mixed(self.seed, step))
        chosen = torch.randint(len(self.phi), (self.batch_size,), generator=rng)
        z = torch.randn(self.batch_size, self.z, generator=rng)
        return {"z": z, "phi": self.phi[chosen].float()}


def _mixed(*numbers: int) -> int:
    """One seed of several numbers; neighbours give seeds far apart."""
    import numpy as np

    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
