"""Text GAN, GAN-CLS, GAN-INT, GAN-INT-CLS: text-to-image training of Reed et al. 2016, Algorithm 1.

Two switches make the four systems. `cls` shows the discriminator real pictures with captions that
do not fit them; `interpolate` asks the generator to please it on points between two captions too.
Symbols: x pictures, z noise, phi = phi(t) caption vectors, s_r, s_w, s_f the discriminator's logits
for real, wrong and fake pairs.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.data.pairs import LEVEL_WEIGHTS
from t2ilab.losses import adversarial as loss
from t2ilab.models.gated import GatedGenerator
from t2ilab.models.reed import Discriminator, Generator
from t2ilab.trainers.parts import TextGame, follow, pictures

SYSTEMS = {
    "text_gan": dict(cls=False, interpolate=False),
    "gan_cls": dict(cls=True, interpolate=False),
    "gan_int": dict(cls=False, interpolate=True),
    "gan_int_cls": dict(cls=True, interpolate=True),
}


@dataclass(frozen=True)
class Recipe:
    """How the two networks are trained.

    Attributes:
        lr_g, lr_d: learning rates of Adam for generator and discriminator.
        betas: of Adam.
        hinge: hinge losses instead of cross-entropy.
        beta: the interpolated caption is beta * phi_1 + (1 - beta) * phi_2, in [0, 1].
        share: interpolated captions per matching one in the generator's step, in [0, 1]
            (repository: 1/2).
        between: show D what G draws between two captions too, as fake. In the paper D never sees
            it, so that G may learn there what pleases an opponent that cannot object.
        parts: in a world of PaperWorld: the generator is given captions that mix the facts of two
            pictures, in place of interpolated ones, and D is asked part by part: about captions
            that state some of the facts only. It has seen every part in some picture, so it can
            judge combinations that no picture shows.
        average: decay of the generator's running average, which draws the samples; 0 for none.
        decay: lower the learning rates to 0 over this last part of the budget, in [0, 1].
        generator: of `models.gated.GENERATORS`: "reed" as in the paper, or "gated".
        norm: the discriminator's, "batch" or "spectral".
        projection: the discriminator's projection term.
        resize: Reed's generator enlarges by nearest neighbours and convolution.
        residual: the repository's bottleneck blocks.
        varied: weight of `loss.sameness`, which asks G for another picture where the noise is
            another; 0 as in the paper.
        wrong, near, levels: see `TextImageBatches`; mismatched captions a picture, how near they
            come, and how often captions are complete or bare.
        prior: in a world of PaperWorld: a prior completes captions (`models.prior`), and the two
            networks see complete ones only.
    """

    lr_g: float = 2e-4
    lr_d: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    hinge: bool = False
    beta: float = 0.5
    share: float = 0.5
    between: bool = False
    parts: bool = False
    average: float = 0.0
    decay: float = 0.0
    generator: str = "reed"
    norm: str = "batch"
    projection: bool = False
    resize: bool = False
    residual: bool = False
    varied: float = 0.0
    wrong: int = 1
    near: int = 1
    levels: tuple[float, ...] = LEVEL_WEIGHTS
    prior: bool = False


class TextGAN(TextGame):
    """The four systems. `step` is one update of D and one of G.

    Args:
        generator, discriminator: of Reed et al., or anything called alike.
        cls: show the discriminator mismatched pairs (GAN-CLS).
        interpolate: train the generator between captions too (GAN-INT).
        recipe: how; see `Recipe`.
        seed: of the noise.
        shown: caption vectors [n, text] whose pictures, from fixed noise, make the strips.
    """

    def __init__(
        self,
        generator: Generator | GatedGenerator,
        discriminator: Discriminator,
        *,
        cls: bool = True,
        interpolate: bool = True,
        recipe: Recipe,
        seed: int = 0,
        shown: Float[Tensor, "n text"] | None = None,
    ):
        self.G, self.D, self.recipe = generator, discriminator, recipe
        self.cls, self.interpolate = cls, interpolate
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        self.opt_G = torch.optim.Adam(generator.parameters(), recipe.lr_g, recipe.betas, fused=True)
        self.opt_D = torch.optim.Adam(
            discriminator.parameters(), recipe.lr_d, recipe.betas, fused=True
        )
        self.rng = torch.Generator().manual_seed(seed)
        self.shown = torch.zeros(0, generator.text) if shown is None else shown
        self.shown_z = torch.randn(len(self.shown), generator.z, generator=self.rng)
        self.progress, self.device, self.z = 0.0, torch.device("cpu"), generator.z

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update. `batch`: images uint8 [b, 3, h, w], phi [b, text], phi_wrong [b, k, text]."""
        self._set_learning_rates()
        x, phi, phi_wrong = self._on_device(batch)
        asked, phi_all, asked_all = self._with_others(phi, batch)
        z = self.draw_noise(len(phi_all))
        fakes = self.G(z, phi_all)  # drawn once, used by D and by G

        # D: real pairs are true, wrong and fake ones are not. detach(): G is not to learn here.
        pairs = torch.cat([asked[:, None], phi_wrong], 1) if self.cls else asked[:, None]
        s_x = self.D(x, pairs)  # [b, 1 + wrong]
        known = len(phi_all) if self.recipe.between else len(phi)
        s_f = self.D(fakes[:known].detach(), asked_all[:known])
        loss_d = self._discriminator_loss(s_x[:, 0], s_x[:, 1:], s_f)
        self.opt_D.zero_grad()
        loss_d.backward()
        self.opt_D.step()

        # G: fakes are to be taken for true, between captions too. D only hands the gradient on.
        self.D.requires_grad_(False)
        logits = self.D(fakes, asked_all)
        please = loss.generator_hinge if self.recipe.hinge else loss.generator_nonsaturating
        loss_g = please(logits)
        if self.recipe.varied:
            some = len(phi) // 2
            z_other = self.draw_noise(some)
            others = self.G(z_other, phi[:some])
            loss_g = loss_g + self.recipe.varied * loss.sameness(
                fakes[:some], others, z[:some], z_other
            )
        self.opt_G.zero_grad()
        loss_g.backward()
        self.opt_G.step()
        self.D.requires_grad_(True)
        follow(self.average, self.G, self.recipe.average)
        return {"loss_d": loss_d.detach(), "loss_g": loss_g.detach()}

    def _on_device(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures in [-1, 1], their captions' vectors, and those of captions that do not fit."""
        x = pictures(batch["images"], self.device).contiguous(memory_format=torch.channels_last)
        phi, wrong = (batch[k].to(self.device, non_blocking=True) for k in ("phi", "phi_wrong"))
        return x, phi, wrong

    def _discriminator_loss(self, s_r, s_w, s_f) -> Tensor:
        hinge = self.recipe.hinge
        if not self.cls:
            return (loss.discriminator_hinge if hinge else loss.discriminator_bce)(s_r, s_f)
        return (loss.matching_aware_hinge if hinge else loss.matching_aware_bce)(s_r, s_w, s_f)

    def _with_others(
        self, phi: Float[Tensor, "b text"], batch: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What D is asked of real pictures [b, text]; what G is given [c, text], and D asked of it.

        In the papers all three are the captions, and GAN-INT adds points between them.
        """
        asked, mixed, mixed_asked = (
            batch[key].to(self.device) if key in batch else None
            for key in ("phi_asked", "phi_mixed", "phi_mixed_asked")
        )
        asked = phi if asked is None else asked
        if mixed is not None and self.interpolate:
            return asked, torch.cat([phi, mixed]), torch.cat([asked, mixed_asked])
        phi_all = self._with_interpolated(phi)
        return asked, phi_all, torch.cat([asked, phi_all[len(phi) :]])

    def _with_interpolated(self, phi: Float[Tensor, "b text"]) -> Float[Tensor, "c text"]:
        """phi and, below it, beta * phi_1 + (1 - beta) * phi_2 for `share` * b pairs (GAN-INT)."""
        count = round(len(phi) * self.recipe.share) if self.interpolate else 0
        if not count:
            return phi
        beta, others = self.recipe.beta, phi.roll(min(count, len(phi) - 1), 0)
        return torch.cat([phi, beta * phi[:count] + (1 - beta) * others[:count]])

    @torch.inference_mode()
    def sample(
        self, phi: Float[Tensor, "b text"], z: Float[Tensor, "b z"]
    ) -> Float[Tensor, "b 3 size size"]:
        """Pictures in [-1, 1] from the averaged generator."""
        return self.average(z.to(self.device), phi.to(self.device))

    def strip(self) -> UInt8[np.ndarray, "n size size 3"]:
        """Pictures of the captions `shown`, from noise that is always the same."""
        return to_uint8(self.sample(self.shown, self.shown_z))
