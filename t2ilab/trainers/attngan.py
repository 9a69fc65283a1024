"""Train AttnGAN (Xu et al. 2018, section 3.3): a game at every size, and DAMSM as a teacher.

    L_G = sum_i [ -D_i(x_i) - D_i(x_i, s) ] + lambda L_DAMSM(x_last) + KL(c)

with hinge losses, as the shipped text GANs are trained (the paper: cross-entropy). D_i learns that
real pictures are real and their captions true, and that generated pictures and captions that do not
fit are neither. Symbols: x pictures, z noise, eps noise of the condition, s sentences, e words.
"""

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from t2ilab.data.captioned import CaptionedImages, to_uint8
from t2ilab.data.pairs import TextImageBatches
from t2ilab.losses import adversarial as loss
from t2ilab.losses.auxiliary import conditioning_kl
from t2ilab.models.attngan import AttnGenerator, Judged, Painted
from t2ilab.models.damsm import Damsm, Parts, Words
from t2ilab.trainers.damsm import Gammas, damsm_losses
from t2ilab.trainers.parts import TextGame, follow, pictures


@dataclass(frozen=True)
class Recipe:
    """How G and the critics are trained.

    Attributes:
        lr_g, lr_d, betas: of Adam.
        teach: lambda, the weight of DAMSM (paper: 5 on birds, 50 on COCO, beside cross-entropies).
        blind: deviation of the noise through which DAMSM sees drawn pictures: a pattern too fine to
            be seen through it cannot please it.
        kl: weight of the condition's KL, a mean over its numbers.
        varied: weight of `loss.sameness`.
        average: decay of G's running average, which draws the samples.
        rise: G's learning rate rises over this first part of the budget, in which the critics learn
            what they are to know.
        decay: both learning rates sink to 0 over this last part of the budget.
        gammas: of DAMSM.
    """

    lr_g: float = 5e-4
    lr_d: float = 1e-3
    betas: tuple[float, float] = (0.0, 0.99)
    teach: float = 1.0
    blind: float = 0.1
    kl: float = 1.0
    varied: float = 5.0
    average: float = 0.999
    rise: float = 0.04
    decay: float = 0.4
    gammas: Gammas = field(default_factory=Gammas)


class Critics(nn.Module):
    """The critics of all sizes as one network."""

    def __init__(self, critics: Sequence[nn.Module]):
        super().__init__()
        self.each = nn.ModuleList(critics)

    def forward(
        self, images: Sequence[Float[Tensor, "b 3 h w"]], phi: Float[Tensor, "b k text"]
    ) -> list[Judged]:
        """The answers of each about its own size."""
        return [D(x, phi) for D, x in zip(self.each, images, strict=True)]


class AttnTrainer(TextGame):
    """One update of the critics and one of G.

    Args:
        generator: G.
        critics: one for each of its pictures.
        damsm: trained; it stays as it is, and reads the captions.
        recipe: see `Recipe`.
        seed: of the noise.
        shown: numbers of captions whose pictures, from fixed noise, make the strips.
    """

    def __init__(
        self,
        generator: AttnGenerator,
        critics: Critics,
        damsm: Damsm,
        *,
        recipe: Recipe = Recipe(),
        seed: int = 0,
        shown: Int[Tensor, "n words"],
    ):
        self.G, self.D, self.recipe = generator, critics, recipe
        self.damsm, self.autocast = damsm.requires_grad_(False).eval(), nullcontext
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        learned = [p for p in generator.parameters() if p.requires_grad]
        self.opt_G = torch.optim.Adam(learned, recipe.lr_g, recipe.betas, fused=True)
        self.opt_D = torch.optim.Adam(critics.parameters(), recipe.lr_d, recipe.betas, fused=True)
        self.rng = torch.Generator().manual_seed(seed)
        self.sizes, self.device = (generator.z, generator.c), torch.device("cpu")
        self.shown, self.shown_z = shown, self.noise(len(shown))[0]
        self.progress = 0.0

    def setup(self, fabric) -> None:
        super().setup(fabric)
        # Not by `fabric.setup`: of a frozen network several processes have nothing to share.
        self.damsm = self.damsm.to(fabric.device, memory_format=torch.channels_last)
        self.autocast = fabric.autocast

    def noise(self, n: int) -> tuple[Float[Tensor, "n z"], Float[Tensor, "n c"]]:
        """z, and eps of the condition, of any width up to the cloud's: pictures will be drawn with
        c = mu, and such are to be learned as well."""
        z, c = self.sizes
        both = torch.randn(n, z + c, generator=self.rng).to(self.device)
        width = torch.rand(n, 1, generator=self.rng).to(self.device)
        return both[:, :z], width * both[:, z:]

    @torch.no_grad()
    def read(self, numbers: Int[Tensor, "n words"]) -> Words:
        """Words and sentences, in float32: recurrent cells are slow in bf16."""
        numbers = numbers[:, : max(1, int((numbers > 0).sum(1).max()))]
        return self.damsm.read(numbers.to(self.device))

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update. `batch`: see `WordBatches`."""
        self._set_learning_rates()
        said = self.read(batch["numbers"])
        wrong = batch["phi_wrong"].to(self.device)
        z, eps = self.noise(len(said.sentence))
        drawn = self.G(z, said.sentence, said.words, said.real, eps=eps)
        loss_d = self._update_critics(batch["images"], drawn, said, wrong)

        # G: the critics are to take its pictures for real and fitting; they only hand gradients on.
        self.D.requires_grad_(False)
        judged = self.D(drawn.pictures, said.sentence[:, None])
        please = sum(loss.generator_hinge(j.alone) + loss.generator_hinge(j.match) for j in judged)
        taught = self.taught(drawn.pictures[-1], said, wrong, batch["fits"].to(self.device))
        kl = conditioning_kl(drawn.mu, drawn.logvar)
        total = please + self.recipe.teach * taught + self.recipe.kl * kl
        if self.recipe.varied:
            total = total + self.recipe.varied * self._sameness(drawn, said, z)
        self.opt_G.zero_grad()
        total.backward()
        self.opt_G.step()
        self.D.requires_grad_(True)
        follow(self.average, self.G, self.recipe.average)
        found = {"loss_d": loss_d, "loss_g": please, "damsm": taught, "kl": kl}
        return {name: value.detach() for name, value in found.items()}

    def _update_critics(self, images, drawn: Painted, said: Words, wrong: Tensor) -> Tensor:
        """One step of the critics; their loss."""
        x = pictures(images, self.device).contiguous(memory_format=torch.channels_last)
        real = [F.avg_pool2d(x, x.shape[2] // p.shape[2]) for p in drawn.pictures]
        of_real = self.D(real, torch.cat([said.sentence[:, None], wrong], 1))
        # detach(): G is not to learn here.
        of_fake = self.D([p.detach() for p in drawn.pictures], said.sentence[:, None])
        total = sum(
            loss.discriminator_hinge(r.alone, f.alone)
            + loss.matching_aware_hinge(r.match[:, 0], r.match[:, 1:], f.match)
            for r, f in zip(of_real, of_fake, strict=True)
        )
        self.opt_D.zero_grad()
        total.backward()
        self.opt_D.step()
        return total

    def taught(self, x: Tensor, said: Words, wrong: Tensor, fits: Tensor) -> Float[Tensor, ""]:
        """L_DAMSM of drawn pictures: words and sentences must be found, and the mismatched captions
        that the critics see are candidates as well."""
        grain = torch.randn(x.shape, generator=self.rng).to(self.device)
        gammas = self.recipe.gammas
        with self.autocast():
            parts = self.damsm.look(x + self.recipe.blind * grain)
        parts = Parts(*(one.float() for one in parts))
        own_first = torch.cat([said.sentence[:, None], wrong], 1)
        scores = gammas.gamma3 * F.cosine_similarity(parts.whole[:, None], own_first, dim=2)
        near = F.cross_entropy(scores, torch.zeros(len(x), dtype=torch.long, device=x.device))
        return sum(damsm_losses(parts, said, fits, gammas).values()) + near

    def _sameness(self, drawn: Painted, said: Words, z: Tensor) -> Tensor:
        """Another picture where the noise is another; see `loss.sameness`."""
        some = max(1, len(z) // 4)
        other, eps = self.noise(some)
        again = self.G(other, said.sentence[:some], said.words[:some], said.real[:some], eps=eps)
        pairs = zip(drawn.pictures, again.pictures, strict=True)
        return sum(loss.sameness(a[:some], b, z[:some], other) for a, b in pairs) / len(
            drawn.pictures
        )

    def _set_learning_rates(self) -> None:
        super()._set_learning_rates()
        up = min(1.0, self.progress / self.recipe.rise) if self.recipe.rise else 1.0
        for group in self.opt_G.param_groups:
            group["lr"] *= up

    @torch.inference_mode()
    def strip(self) -> UInt8[np.ndarray, "n size size 3"]:
        """Pictures of the captions `shown`, from noise that is always the same."""
        said = self.read(self.shown)
        drawn = self.average(self.shown_z.to(self.device), said.sentence, said.words, said.real)
        return to_uint8(drawn.pictures[-1])


class WordBatches(TextImageBatches):
    """`TextImageBatches` with the words of the captions: "numbers" [b, words], and "fits" [b, b],
    caption j is true of all that is known of picture i.

    Args:
        data: the captioned pictures.
        phi: the vector of each caption.
        numbers: the numbers of each caption's words.
        others: see `TextImageBatches`.
    """

    def __init__(
        self,
        data: CaptionedImages,
        phi: Float[Tensor, "n k text"],
        numbers: Int[Tensor, "n k words"],
        **others,
    ):
        super().__init__(data, phi, **others)
        self.numbers = numbers

    def shard(self, rank: int, world_size: int) -> "WordBatches":
        """The batches of one process among several: an order of its own."""
        seed = self.seed * world_size + rank + 1
        return WordBatches(self.data, self.phi, self.numbers, seed=seed, **self.options)

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, levels, _ = self.order(step)
        numbers = self.numbers[torch.from_numpy(chosen), torch.from_numpy(levels)].long()
        fits = torch.from_numpy(self.truth.fits(chosen, chosen, levels))
        return super().__call__(step) | {"numbers": numbers, "fits": fits}
