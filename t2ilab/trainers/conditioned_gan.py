"""A matching-aware text GAN with what 2017 added: conditioning augmentation, heads, a second stage.

Each is a part that may be there or not; with none of them it is GAN-CLS of `trainers.text_gan`.
- A, a Gaussian around each caption, and its KL term (StackGAN, Zhang et al. 2017);
- heads on D, which are asked for the class or the attributes (TAC-GAN, Dash et al. 2017);
- a frozen first stage whose pictures G is given (StackGAN's stage II), and D asked without the
  caption as well. Of a real picture with a wrong caption D is asked there whether it is real.
Symbols: x pictures, z noise, phi caption vectors, c conditions, s_r, s_w, s_f D's logits.
"""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from t2ilab.data.captioned import to_uint8
from t2ilab.losses import adversarial as loss
from t2ilab.losses.auxiliary import conditioning_kl, one_hot_bce, softmax_heads
from t2ilab.models.augmentation import ConditioningAugmentation
from t2ilab.models.auxiliary import AuxiliaryDiscriminator, Judged
from t2ilab.trainers.parts import TextGame, follow, pictures
from t2ilab.trainers.text_gan import Recipe

HEAD_LOSSES = {"softmax": softmax_heads, "one_hot": one_hot_bce}


@dataclass(frozen=True)
class Parts:
    """The weights of the parts.

    Attributes:
        kl: of the KL term, a mean over the numbers of c (authors: 2; AttnGAN: 1).
        heads: of the auxiliary losses, D's and G's.
        head_loss: of `HEAD_LOSSES`.
        fakes: D learns to classify fakes too, as in the authors' code, and so helps G.
        close: of |fake, made small, - x|: the second stage stays with the first at the beginning;
            it sinks to 0 over the first third of the budget.
        restore: of |G(z, c, real x made small and soft) - x|, for half of the batch:
            the second stage learns from real pictures what small ones lose.
    """

    kl: float = 2.0
    heads: float = 1.0
    head_loss: str = "softmax"
    fakes: bool = False
    close: float = 0.0
    restore: float = 0.0


class Drawn(NamedTuple):
    """Pictures, and the Gaussian that their conditions come from (None without A)."""

    pictures: Float[Tensor, "b 3 size size"]
    mu: Float[Tensor, "b c"] | None
    logvar: Float[Tensor, "b c"] | None


class Artist(nn.Module):
    """A and G as one network, so that one call trains both."""

    def __init__(self, generator: nn.Module, augmentation: ConditioningAugmentation | None):
        super().__init__()
        self.generator, self.augmentation = generator, augmentation

    def forward(
        self,
        z: Float[Tensor, "b z"],
        phi: Float[Tensor, "b text"],
        eps: Float[Tensor, "b c"] | None = None,
        *x: Float[Tensor, "b 3 half half"],
    ) -> Drawn:
        """x: the first stage's pictures, where G takes them."""
        if self.augmentation is None:
            return Drawn(self.generator(z, phi, *x), None, None)
        c, mu, logvar = self.augmentation(phi, eps)
        return Drawn(self.generator(z, c, *x), mu, logvar)


def softened(
    x: Float[Tensor, "b 3 s s"], softness: Float[Tensor, " b"]
) -> Float[Tensor, "b 3 half half"]:
    """Pictures of half the side, as soft as a first stage may draw them.

    Args:
        softness: in [0, 1]; 0: averages of four pixels, 1: these blurred over five.
    """
    small = F.avg_pool2d(x, 2)
    wide = F.avg_pool2d(F.pad(small, (2, 2, 2, 2), mode="replicate"), 3, stride=1)
    blurred = F.avg_pool2d(wide, 3, stride=1)
    return torch.lerp(small, blurred, softness[:, None, None, None])


class ConditionedGAN(TextGame):
    """`step` is one update of D, and one of G and A.

    Args:
        generator: G(z, c), or G(z, c, x) behind a first stage.
        discriminator: D.
        augmentation: A; None: c = phi.
        first: the frozen first stage, (z, phi) -> x; or None.
        recipe: of its learning rates, losses, average, decay and `varied`.
        parts: see `Parts`.
        seed: of the noise.
        shown: caption vectors [n, text] whose pictures, from fixed noise, make the strips.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: AuxiliaryDiscriminator,
        augmentation: ConditioningAugmentation | None = None,
        *,
        recipe: Recipe,
        shown: Float[Tensor, "n text"],
        first: nn.Module | None = None,
        parts: Parts = Parts(),  # noqa: B008
        seed: int = 0,
    ):
        self.G, self.D = Artist(generator, augmentation), discriminator
        self.recipe, self.parts, self.first = recipe, parts, first
        self.average = copy.deepcopy(self.G).requires_grad_(False).eval()
        self.opt_G = torch.optim.Adam(self.G.parameters(), recipe.lr_g, recipe.betas, fused=True)
        self.opt_D = torch.optim.Adam(self.D.parameters(), recipe.lr_d, recipe.betas, fused=True)
        self.rng = torch.Generator().manual_seed(seed)
        self.z, self.c = generator.z, 0 if augmentation is None else augmentation.size
        self.shown, self.shown_z = shown, torch.randn(len(shown), self.z, generator=self.rng)
        self.progress, self.device = 0.0, torch.device("cpu")

    def setup(self, fabric) -> None:
        super().setup(fabric)
        self.first = None if self.first is None else self.first.to(fabric.device)

    def noise(self, n: int, size: int) -> Float[Tensor, "n size"]:
        return torch.randn(n, size, generator=self.rng).to(self.device)

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update. `batch`: see `data.pairs.LabelledBatches`."""
        self._set_learning_rates()
        x = pictures(batch["images"], self.device).contiguous(memory_format=torch.channels_last)
        phi, wrong = batch["phi"].to(self.device), batch["phi_wrong"].to(self.device)
        given, z = self._given(phi)
        drawn = self.G(z, phi, self.noise(len(phi), self.c), *given)  # used by D and by G

        # D: real pairs are true, wrong and fake ones are not. detach(): G is not to learn here.
        real = self.D(x, torch.cat([phi[:, None], wrong], 1))
        fake = self.D(drawn.pictures.detach(), phi)
        loss_d, auxiliary = self._discriminator_loss(real, fake, batch)
        self.opt_D.zero_grad()
        (loss_d + self.parts.heads * auxiliary).backward()
        self.opt_D.step()

        # G: fakes are to be taken for true, and read as the caption says.
        self.D.requires_grad_(False)
        fake = self.D(drawn.pictures, phi)
        loss_g = self._please(fake)
        more = self._generator_extras(drawn, fake, z, phi, given, batch)
        if self.parts.restore and given:
            more["restore"] = (self.parts.restore, self._restored(x, phi, z))
        self.opt_G.zero_grad()
        sum([loss_g, *(weight * value for weight, value in more.values())]).backward()
        self.opt_G.step()
        self.D.requires_grad_(True)
        follow(self.average, self.G, self.recipe.average)
        found = {"loss_d": loss_d, "loss_g": loss_g, "heads_d": auxiliary}
        found |= {name: value for name, (_, value) in more.items()}
        return {name: value.detach() for name, value in found.items() if torch.is_tensor(value)}

    def _given(self, phi: Float[Tensor, "b text"]) -> tuple[list[Tensor], Tensor]:
        """What G is given besides: the first stage's pictures; and the noise."""
        z = self.noise(len(phi), self.z)
        if self.first is None:
            return [], z
        with torch.no_grad():  # frozen, in `eval` mode
            return [self.first(z, phi)], z

    def _discriminator_loss(
        self, real: Judged, fake: Judged, batch: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor | float]:
        """The game's loss, and that of the heads: of what is in the picture, stated or not."""
        hinge, s = self.recipe.hinge, real.pairs
        matching = loss.matching_aware_hinge if hinge else loss.matching_aware_bce
        plain = loss.discriminator_hinge if hinge else loss.discriminator_bce
        game = matching(s[:, 0], s[:, 1:], fake.pairs)
        if real.alone is not None:
            game = game + plain(real.alone, fake.alone)
        if not real.heads:
            return game, 0.0
        auxiliary = self._heads(real, batch["labels"])
        if self.parts.fakes:
            auxiliary = (auxiliary + self._heads(fake, batch["stated"])) / 2
        return game, auxiliary

    def _please(self, fake: Judged) -> Tensor:
        please = loss.generator_hinge if self.recipe.hinge else loss.generator_nonsaturating
        return sum(please(x) for x in (fake.pairs, fake.alone) if x is not None)

    def _generator_extras(self, drawn, fake, z, phi, given, batch) -> dict:
        """name -> (weight, loss) of the terms beside the game."""
        parts, more = self.parts, {}
        if fake.heads:
            more["heads_g"] = (parts.heads, self._heads(fake, batch["stated"]))
        if drawn.mu is not None:
            more["kl"] = (parts.kl, conditioning_kl(drawn.mu, drawn.logvar))
        left = 1 - 3 * self.progress
        if parts.close and given and left > 0:
            small = F.avg_pool2d(drawn.pictures, 2)
            more["close"] = (parts.close * left, F.l1_loss(small, given[0]))
        if self.recipe.varied and not given:
            some = len(phi) // 2
            other = self.noise(some, self.z)
            again = self.G(other, phi[:some], self.noise(some, self.c)).pictures
            value = loss.sameness(drawn.pictures[:some], again, z[:some], other)
            more["varied"] = (self.recipe.varied, value)
        return more

    def _restored(self, x: Float[Tensor, "b 3 s s"], phi: Tensor, z: Tensor) -> Tensor:
        """How far G is from real pictures that it is given small and soft."""
        some = len(x) // 2
        small = softened(x[:some], torch.rand(some, generator=self.rng).to(self.device))
        made = self.G(z[:some], phi[:some], self.noise(some, self.c), small).pictures
        return F.l1_loss(made, x[:some])

    def _heads(self, judged: Judged, labels: dict[str, Tensor]) -> Tensor:
        return HEAD_LOSSES[self.parts.head_loss](judged.heads, labels)

    @torch.inference_mode()
    def strip(self) -> UInt8[np.ndarray, "n size size 3"]:
        """Pictures of the captions `shown`, from noise that is always the same; c is the mean."""
        z, phi = self.shown_z.to(self.device), self.shown.to(self.device)
        given = [] if self.first is None else [self.first(z, phi)]
        return to_uint8(self.average(z, phi, None, *given).pictures)
