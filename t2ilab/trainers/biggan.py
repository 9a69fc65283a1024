"""BigGAN (Brock et al. 2019): the hinge game of two networks that are told the class.

    D: E max(0, 1 - f(x, y)) + E max(0, 1 + f(G(z, y'), y'))      G: -E f(G(z, y'), y')
    and for G  beta Σ |W W^T ⊙ (1 - I)|²  over its layers (eq. 3)

Beyond the paper, `varied` asks G for another picture where the noise is another: at the size of
this course D is too weak to miss a variety that G does not give.

Symbols: x pictures, y their classes, z noise, f the logit of D.
"""

import copy

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from t2ilab.data.captioned import to_uint8
from t2ilab.losses.adversarial import discriminator_hinge, generator_hinge, sameness
from t2ilab.losses.orthogonal import orthogonal
from t2ilab.models.biggan import BigGANDiscriminator, BigGANGenerator, filters
from t2ilab.trainers.parts import bare, follow, linear_end, load_states, pictures, set_rate, states


class BigGAN:
    """`step` is k updates of D and one of G.

    Args:
        generator, discriminator: both are told the class.
        k: updates of D for one of G, each on its own part of the batch (paper: 2).
        lr, lr_d, betas: of Adam, for G and for D (paper: 5e-5, 2e-4).
        beta: weight of the orthogonal regularisation of G (paper: 1e-4).
        varied: weight of `losses.adversarial.sameness` (paper: 0).
        average: decay of the running average of G, which draws the samples (paper: 0.9999).
        decay: lower the learning rates to 0 over this last part of the budget.
        seed: of the noise.
    """

    def __init__(
        self,
        generator: BigGANGenerator,
        discriminator: BigGANDiscriminator,
        *,
        k: int = 1,
        lr: float = 5e-4,
        lr_d: float = 1e-3,
        betas: tuple[float, float] = (0.0, 0.999),
        beta: float = 1e-4,
        varied: float = 0.0,
        average: float = 0.995,
        decay: float = 0.4,
        seed: int = 0,
    ):
        self.G, self.D, self.k, self.lr, self.lr_d = generator, discriminator, k, lr, lr_d
        self.beta, self.varied, self.keep, self.decay = beta, varied, average, decay
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        self.opt_G = torch.optim.Adam(generator.parameters(), lr, betas, fused=True)
        self.opt_D = torch.optim.Adam(discriminator.parameters(), lr_d, betas, fused=True)
        self.rng = torch.Generator().manual_seed(seed)
        self.z, self.classes = generator.z, generator.classes
        self.shown = torch.randn(2 * self.classes, self.z, generator=self.rng)
        self.progress, self.device = 0.0, torch.device("cpu")

    def setup(self, fabric) -> None:
        self.G, self.opt_G = fabric.setup(self.G, self.opt_G)
        self.D, self.opt_D = fabric.setup(self.D, self.opt_D)
        self.average, self.device = self.average.to(fabric.device), fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """k updates of D, one of G. `batch`: images uint8 [b, c, h, w], labels int64 [b]."""
        end = linear_end(self.progress, self.decay)
        set_rate(self.lr * end, self.opt_G)
        set_rate(self.lr_d * end, self.opt_D)
        x, y = pictures(batch["images"], self.device), batch["labels"].to(self.device)
        for real, label in zip(x.chunk(self.k), y.chunk(self.k), strict=True):
            with torch.no_grad():  # it is not G's turn
                _, made, asked = self._made(len(real))
            # One pass for both: there is no batch norm in D, and spectral norm takes one step.
            f = self.D(torch.cat([real, made]), torch.cat([label, asked]))
            loss_d = discriminator_hinge(*f.split([len(real), len(made)]))
            self.opt_D.zero_grad()
            loss_d.backward()
            self.opt_D.step()

        self.D.requires_grad_(False)  # D only hands the gradient on
        z, made, asked = self._made(len(real))
        loss_g = generator_hinge(self.D(made, asked))
        if self.varied:
            some = len(z) // 2
            z_other = self._noise(some)
            other = self.G(z_other, asked[:some])
            loss_g = loss_g + self.varied * sameness(made[:some], other, z[:some], z_other)
        apart = sum(orthogonal(w) for w in filters(bare(self.G))) if self.beta else loss_g * 0
        self.opt_G.zero_grad()
        (loss_g + self.beta * apart).backward()
        self.opt_G.step()
        self.D.requires_grad_(True)
        self._follow()
        return {"loss_d": loss_d.detach(), "loss_g": loss_g.detach(), "alike": apart.detach()}

    def _follow(self) -> None:
        """The average goes after G; of the power iteration it takes over where it stands, for a
        mean of directions is none."""
        follow(self.average, self.G, self.keep)
        now_of = bare(self.G).state_dict()
        for name, value in self.average.state_dict().items():
            if name.endswith(("._u", "._v")):
                value.copy_(now_of[name])

    def _noise(self, n: int) -> Float[Tensor, "n z"]:
        return torch.randn(n, self.z, generator=self.rng).to(self.device)

    def _made(self, n: int) -> tuple[Tensor, Float[Tensor, "n c h w"], Int[Tensor, " n"]]:
        """Noise, pictures of it and of classes, each as likely as any other; and these classes."""
        z = self._noise(n)
        y = torch.randint(self.classes, (n,), generator=self.rng).to(self.device)
        return z, self.G(z, y), y

    @torch.inference_mode()
    def sample(self, z: Float[Tensor, "b z"], y: Int[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
        """Pictures of the averaged generator, in [-1, 1]."""
        return self.average(z.to(self.device), y.to(self.device))

    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """Two pictures of each class, from noise that is always the same."""
        y = torch.arange(self.classes).repeat(2)
        return to_uint8(self.sample(self.shown, y).expand(-1, 3, -1, -1))

    def state_dict(self) -> dict:
        return states(self, "G", "D", "average", "opt_G", "opt_D")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


def singular_values(network: nn.Module) -> dict[str, float]:
    """The largest singular value of each layer under spectral norm, as it is used: about 1."""
    from torch.nn.utils import parametrize

    found = {}
    for name, layer in network.named_modules():
        if parametrize.is_parametrized(layer, "weight"):
            found[name] = float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2))
    return found
