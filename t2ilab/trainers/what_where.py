"""A text GAN that is given boxes: one update of the discriminator and one of the generator.

As `trainers.text_gan` with a matching-aware discriminator, and one more kind of pair that is wrong:
a real picture with its caption and a box that is not where the bird is. Symbols: x pictures, z
noise, phi caption vectors, s_r, s_w, s_b, s_f logits for real pictures with the right caption and
box, with wrong captions, with wrong boxes, and for fakes.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.utils.parametrize import cached

from t2ilab.data.captioned import to_uint8
from t2ilab.data.grounded import agreement
from t2ilab.data.pairs import TextImageBatches
from t2ilab.losses import adversarial as loss
from t2ilab.models.sampler import Boxes
from t2ilab.models.what_where import WhatWhereDiscriminator, WhatWhereGenerator
from t2ilab.trainers.parts import TextGame, follow, pictures

AGREE = 0.6  # boxes that share more are not called wrong


@dataclass(frozen=True)
class Recipe:
    """How the two networks are trained.

    Attributes:
        lr_g, lr_d: learning rates of Adam for generator and discriminator.
        betas: of Adam.
        average: decay of the generator's running average, which draws the samples.
        decay: lower the learning rates to 0 over this last part of the budget, in [0, 1].
        known: the generator's local path learns at this share of `lr_g`, and in the first part
            `hold` of the budget not at all: it begins with what another network has learned, and
            its surroundings have to catch up.
        varied: weight of `loss.sameness`, on every eighth picture.
        wrong, near: mismatched captions a picture, and how near they come (`TextImageBatches`).
    """

    lr_g: float = 5e-4
    lr_d: float = 1e-3
    betas: tuple[float, float] = (0.0, 0.99)
    average: float = 0.999
    decay: float = 0.3
    known: float = 0.5
    hold: float = 0.06
    varied: float = 10.0
    wrong: int = 3
    near: int = 256


class WhatWhereTrainer(TextGame):
    """`step` is one update of D and one of G.

    Args:
        generator, discriminator: to train.
        recipe: how; see `Recipe`.
        seed: of the noise.
        shown: caption vectors [n, text] and boxes [n, 4] whose pictures make the strips.
    """

    def __init__(
        self,
        generator: WhatWhereGenerator,
        discriminator: WhatWhereDiscriminator,
        *,
        recipe: Recipe,
        shown: tuple[Float[Tensor, "n text"], Boxes],
        seed: int = 0,
    ):
        self.G, self.D, self.recipe = generator, discriminator, recipe
        self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        of_local = {*generator.local.parameters()}
        groups = [[p for p in generator.parameters() if p not in of_local], [*of_local]]
        adam = dict(betas=recipe.betas, fused=True)
        self.opt_G = torch.optim.Adam([{"params": g} for g in groups], recipe.lr_g, **adam)
        self.opt_D = torch.optim.Adam(discriminator.parameters(), recipe.lr_d, **adam)
        self.rng = torch.Generator().manual_seed(seed)
        self.shown = shown
        self.shown_z = torch.randn(len(shown[0]), generator.z, generator=self.rng)
        self.progress, self.device, self.z = 0.0, torch.device("cpu"), generator.z

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update. `batch`: see `PlacedBatches`."""
        self._set_learning_rates()
        x = pictures(batch["images"], self.device).contiguous(memory_format=torch.channels_last)
        phi, phi_wrong, boxes, boxes_wrong = (
            batch[k].to(self.device) for k in ("phi", "phi_wrong", "boxes", "boxes_wrong")
        )
        z = self.draw_noise(len(x))
        fakes = self.G(z, phi, boxes)  # drawn once, used by D and by G

        # D: the right caption in the right box is true; a wrong one, or a wrong box, is not.
        # detach(): G is not to learn here.
        others = torch.cat([x, fakes.detach()]), torch.cat([phi, phi])
        with cached():  # D's weights are divided by their norms once for both calls
            s_x = self.D(x, torch.cat([phi[:, None], phi_wrong], 1), boxes)  # [b, 1 + wrong, 2]
            s_b, s_f = self.D(*others, torch.cat([boxes_wrong, boxes])).chunk(2)
        # Of a wrong box only the path that looks into it can know.
        s_w = torch.cat([s_x[:, 1:].flatten(), s_b[:, 1]])
        loss_d = loss.matching_aware_hinge(s_x[:, 0], s_w, s_f)
        self.opt_D.zero_grad()
        loss_d.backward()
        self.opt_D.step()

        # G: fakes are to be taken for true. D only hands the gradient on.
        self.D.requires_grad_(False)
        loss_g = loss.generator_hinge(self.D(fakes, phi, boxes))
        if self.recipe.varied:
            loss_g = loss_g + self.recipe.varied * self._sameness(fakes, z, phi, boxes)
        self.opt_G.zero_grad()
        loss_g.backward()
        self.opt_G.step()
        self.D.requires_grad_(True)
        follow(self.average, self.G, self.recipe.average)
        return {"loss_d": loss_d.detach(), "loss_g": loss_g.detach()}

    def _sameness(self, fakes, z, phi, boxes) -> Tensor:
        """Other noise, another picture: of every eighth caption and box."""
        some = max(2, len(phi) // 8)
        z_other = self.draw_noise(some)
        others = self.G(z_other, phi[:some], boxes[:some])
        return loss.sameness(fakes[:some], others, z[:some], z_other)

    def _set_learning_rates(self) -> None:
        super()._set_learning_rates()
        known = self.recipe.known if self.progress >= self.recipe.hold else 0.0
        self.opt_G.param_groups[1]["lr"] *= known  # at 0 Adam leaves them as they are

    @torch.inference_mode()
    def strip(self) -> UInt8[np.ndarray, "n 64 64 3"]:
        """Pictures of the captions and boxes `shown`, from noise that is always the same."""
        phi, boxes = (one.to(self.device) for one in self.shown)
        return to_uint8(self.average(self.shown_z.to(self.device), phi, boxes))


class PlacedBatches:
    """Those of `TextImageBatches`, with "boxes" and "boxes_wrong", float [b, 4] each.

    Pictures are not mirrored, for their boxes would have to be, too.

    Args:
        pairs: batches of pictures and captions, made with `flip=False`.
        boxes: of all pictures [n, 4], in shares of the side.
    """

    def __init__(self, pairs: TextImageBatches, boxes: Float[np.ndarray, "n 4"]):
        self.pairs, self.boxes = pairs, torch.from_numpy(boxes)

    def shard(self, rank: int, world_size: int) -> "PlacedBatches":
        """The batches of one process among several: an order of its own."""
        return PlacedBatches(self.pairs.shard(rank, world_size), self.boxes.numpy())

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, *_ = self.pairs.order(step)
        boxes = self.boxes[torch.from_numpy(chosen)]
        rng = torch.Generator().manual_seed(self.pairs.seed * 1_000_003 + step)
        return self.pairs(step) | {"boxes": boxes, "boxes_wrong": elsewhere(boxes, rng)}


def elsewhere(boxes: Boxes, rng: torch.Generator, tries: int = 8) -> Boxes:
    """Of each box one that is wrong, but near: moved by up to 0.6 of its sides, and scaled by 0.6
    to 1.7; of several tries the first that shares no more than `AGREE` with the right one, else the
    last.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    middle = (boxes[:, 2:] + boxes[:, :2]) / 2
    found = boxes
    for _ in range(tries):
        u = torch.rand(len(boxes), 3, generator=rng)
        half = sides * 0.5 * torch.exp(0.53 * (2 * u[:, 2:] - 1))
        at = middle + sides * (1.2 * u[:, :2] - 0.6)
        tried = torch.cat([at - half, at + half], 1)
        found = torch.where((agreement(found, boxes) > AGREE)[:, None], tried, found)
    return found
