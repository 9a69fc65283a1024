"""LAPGAN (Denton et al. 2015, section 3.2): a game at each level of the pyramid, apart from others.

    level k: real h_k = I_k - u(I_{k+1}), made G_k(z_k, u(I_{k+1})), both beside the *real* coarse
    picture u(I_{k+1}); the smallest level is a GAN without a condition.

Trained so, a level never sees what the level below it makes, and in sampling it sees nothing else.
"""

import copy

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.losses.adversarial import discriminator_bce, generator_nonsaturating
from t2ilab.models.lapgan import LaplacianGenerator
from t2ilab.models.pyramid import laplacian, up
from t2ilab.trainers.parts import follow, linear_end, load_states, pictures, set_rate, states


class LAPGAN:
    """`step` is one update of D and one of G at every level.

    Args:
        generator: of the whole pyramid.
        discriminators: one a level, the smallest first; of pictures of its side.
        lr, betas: of Adam, of all networks.
        average: decay of the running average of the generators, which draws the samples; short, or
            the first weights would be seen in it for hundreds of steps.
        decay: lower the learning rate to 0 over this last part of the budget.
        seed: of the noise.

    Raises:
        UsageError: another number of discriminators than of levels.
    """

    def __init__(
        self,
        generator: LaplacianGenerator,
        discriminators: list[nn.Module],
        *,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        average: float = 0.98,
        decay: float = 0.4,
        seed: int = 0,
    ):
        players = [generator.base, *generator.levels]
        if len(players) != len(discriminators):
            raise UsageError(f"{len(players)} levels, {len(discriminators)} discriminators.")
        self.generator, self.levels = generator, len(players)
        self.lr, self.keep, self.decay = lr, average, decay
        for k, (G, D) in enumerate(zip(players, discriminators, strict=True)):  # 0: the smallest
            opt_G, opt_D = (
                torch.optim.Adam(one.parameters(), lr, betas, fused=True) for one in (G, D)
            )
            vars(self).update({f"G{k}": G, f"D{k}": D, f"opt_G{k}": opt_G, f"opt_D{k}": opt_D})
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        self.rng = torch.Generator().manual_seed(seed)
        self.shown = torch.randn(16, *generator.noise_shape, generator=self.rng)
        self.progress, self.device = 0.0, torch.device("cpu")

    def of(self, k: int) -> tuple:
        """G, D and their optimisers at level k; 0 is the smallest."""
        return tuple(getattr(self, f"{name}{k}") for name in ("G", "D", "opt_G", "opt_D"))

    def setup(self, fabric) -> None:
        for k in range(self.levels):
            G, D, opt_G, opt_D = self.of(k)
            G, opt_G = fabric.setup(G, opt_G)
            D, opt_D = fabric.setup(D, opt_D)
            vars(self).update({f"G{k}": G, f"D{k}": D, f"opt_G{k}": opt_G, f"opt_D{k}": opt_D})
        self.average, self.device = self.average.to(fabric.device), fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Every level, once. `batch`: images uint8 [b, c, h, w]."""
        rate = self.lr * linear_end(self.progress, self.decay)
        *residuals, image = laplacian(pictures(batch["images"], self.device), self.levels - 1)
        losses = self._play(0, image, None, rate)
        for k, h in enumerate(reversed(residuals), 1):
            coarse = up(image)  # of the real picture, at every level
            image = coarse + h
            losses |= self._play(k, image, coarse, rate)
        for average, k in zip(self._averages(), range(self.levels), strict=True):
            follow(average, self.of(k)[0], self.keep)
        return losses

    def _play(self, k: int, real: Tensor, coarse: Tensor | None, rate: float) -> dict[str, Tensor]:
        """One update of D_k, one of G_k."""
        G, D, opt_G, opt_D = self.of(k)
        set_rate(rate, opt_G, opt_D)
        z = self._noise(k, len(real))
        made = G(z) if coarse is None else coarse + G(z, coarse)
        loss_d = discriminator_bce(D(real), D(made.detach()))  # detach(): it is not G's turn
        opt_D.zero_grad()
        loss_d.backward()
        opt_D.step()

        D.requires_grad_(False)  # D only hands the gradient on
        loss_g = generator_nonsaturating(D(made))
        opt_G.zero_grad()
        loss_g.backward()
        opt_G.step()
        D.requires_grad_(True)
        return {f"loss_d{k}": loss_d.detach(), f"loss_g{k}": loss_g.detach()}

    def _noise(self, k: int, n: int) -> Tensor:
        side = int(self.generator.parts[k] ** 0.5)
        shape = (n, 1, side, side) if k else (n, self.generator.z)
        return torch.randn(*shape, generator=self.rng).to(self.device)

    def _averages(self) -> list[nn.Module]:
        return [self.average.base, *self.average.levels]

    @torch.inference_mode()
    def sample(self, z: Float[Tensor, "b z"]) -> Float[Tensor, "b c h w"]:
        """Pictures of the averaged generators, each level on what the one below it made."""
        return self.average(z.to(self.device))

    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """Pictures from noise that is always the same."""
        return to_uint8(self.sample(self.shown).clamp(-1, 1).expand(-1, 3, -1, -1))

    def state_dict(self) -> dict:
        kinds = ("G", "D", "opt_G", "opt_D")
        return states(self, "average", *(f"{x}{k}" for k in range(self.levels) for x in kinds))

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)
