"""Conditional GAN (Mirza and Osindero 2014; Le 2018, eq. 3.1).

    min_G max_D  E[log D(x|y)] + E[log(1 - D(G(z|y)|y))]

Symbols: x pictures, y their labels, z noise, f the logit of D. The labels of made pictures are
those of the real ones of the same batch.
"""

import copy

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.losses.adversarial import discriminator_bce, generator_nonsaturating, r1
from t2ilab.models.cgan import ConditionalDiscriminator, ConditionalGenerator
from t2ilab.trainers.parts import follow, full, linear_end, load_states, pictures, set_rate, states


class CGAN:
    """`step` is one update of D and one of G.

    Args:
        generator, discriminator: whether each is told y is theirs to say.
        lr, lr_d, betas: of Adam, for G and for D.
        r1_weight: of E |grad f|² at the data (Mescheder et al. 2018).
        average: decay of the running average of G, which draws the samples.
        decay: lower the learning rates to 0 over this last part of the budget.
        seed: of the noise.
    """

    def __init__(
        self,
        generator: ConditionalGenerator,
        discriminator: ConditionalDiscriminator,
        *,
        lr: float = 1e-3,
        lr_d: float = 2e-3,
        betas: tuple[float, float] = (0.0, 0.99),
        r1_weight: float = 0.02,
        average: float = 0.99,
        decay: float = 0.5,
        seed: int = 0,
    ):
        self.G, self.D, self.lr, self.lr_d = generator, discriminator, lr, lr_d
        self.r1_weight, self.keep, self.decay = r1_weight, average, decay
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        self.opt_G = torch.optim.Adam(generator.parameters(), lr, betas, fused=True)
        self.opt_D = torch.optim.Adam(discriminator.parameters(), lr_d, betas, fused=True)
        self.rng = torch.Generator().manual_seed(seed)
        self.z, self.labels = generator.z, generator.labels
        self.shown = torch.randn(self.labels, self.z, generator=self.rng)
        self.progress, self.device = 0.0, torch.device("cpu")

    def setup(self, fabric) -> None:
        self.G, self.opt_G = fabric.setup(self.G, self.opt_G)
        self.D, self.opt_D = fabric.setup(self.D, self.opt_D)
        self.average, self.device = self.average.to(fabric.device), fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update of each. `batch`: images uint8 [b, c, h, w], labels int64 [b]."""
        end = linear_end(self.progress, self.decay)
        set_rate(self.lr * end, self.opt_G)
        set_rate(self.lr_d * end, self.opt_D)
        x, y = pictures(batch["images"], self.device), batch["labels"].to(self.device)

        # D: is x data, and does it go with y? In float32, for the penalty is a gradient.
        f = full(self.D)
        with torch.no_grad():  # it is not G's turn
            made = self.G(self._noise(len(x)), y)
        real = f(x.requires_grad_(), y)
        loss_d = discriminator_bce(real, f(made, y)) + self.r1_weight * r1(real, x)
        self.opt_D.zero_grad()
        loss_d.backward()
        self.opt_D.step()

        # G: D, as it now is, is asked about the made picture and the label G was given.
        loss_g = generator_nonsaturating(self.D(self.G(self._noise(len(x)), y), y))
        self.opt_G.zero_grad()
        loss_g.backward()
        self.opt_G.step()
        follow(self.average, self.G, self.keep)
        return {"loss_d": loss_d.detach(), "loss_g": loss_g.detach()}

    def _noise(self, n: int) -> Float[Tensor, "n z"]:
        return torch.randn(n, self.z, generator=self.rng).to(self.device)

    @torch.inference_mode()
    def sample(self, z: Float[Tensor, "b z"], y: Int[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
        """Pictures of the averaged generator, in [-1, 1]."""
        return self.average(z.to(self.device), y.to(self.device))

    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """One picture of each label, from noise that is always the same."""
        made = self.sample(self.shown, torch.arange(self.labels))
        return to_uint8(made.expand(-1, 3, -1, -1))

    def state_dict(self) -> dict:
        return states(self, "G", "D", "average", "opt_G", "opt_D")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)
