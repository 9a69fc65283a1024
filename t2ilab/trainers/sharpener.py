"""The sharpening network: an adversarial game after alignDRAW, which stays as it is.

Mansimov et al. 2016. G takes what alignDRAW drew for a caption and answers to a critic
of pictures and captions, with real pictures, and real ones with captions that do not fit, on the
other side (the hinge loss). Besides, G is shown pictures that alignDRAW drew again after looking at
them, and is to come near the real ones there (L1, as in pix2pix).
"""

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.data.pairs import TextImageBatches
from t2ilab.losses.adversarial import generator_hinge, matching_aware_hinge
from t2ilab.models.reed import Discriminator
from t2ilab.models.sharpener import Sharpener
from t2ilab.trainers.parts import follow, linear_end, load_states, pictures, set_rate, states


class SharpenerTrainer:
    """One update of the critic, then one of the sharpener.

    Args:
        sharpener: to train.
        critic: D(x, text), of logits.
        shown: blurry pictures [n, c, s, s] in [-1, 1] and their captions' vectors, for the strip.
        lr_g, lr_d: of Adam; go down to 0 along a line over the last third of the budget.
        l1: weight of the distance where the real picture is known.
        average: decay of the running average that is shown and kept.
    """

    def __init__(
        self,
        sharpener: Sharpener,
        critic: Discriminator,
        *,
        shown: tuple[Tensor, Tensor],
        lr_g: float = 5e-4,
        lr_d: float = 1e-3,
        l1: float = 10.0,
        average: float = 0.995,
    ):
        self.sharpener, self.critic, self.shown = sharpener, critic, shown
        self.average = Sharpener(**sharpener.arguments)
        self.average.load_state_dict(sharpener.state_dict())
        self.lr_g, self.lr_d, self.l1, self.decay = lr_g, lr_d, l1, average
        self.progress = 0.0
        self.opt_G = torch.optim.Adam(sharpener.parameters(), lr_g, (0.0, 0.99))
        self.opt_D = torch.optim.Adam(critic.parameters(), lr_d, (0.0, 0.99))

    def setup(self, fabric) -> None:
        self.G, self.opt_G = fabric.setup(self.sharpener, self.opt_G)
        self.D, self.opt_D = fabric.setup(self.critic, self.opt_D)
        self.average = self.average.to(fabric.device)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """`batch`: see `SharpenerBatches`."""
        left = linear_end(self.progress, 1 / 3)
        set_rate(left * self.lr_g, self.opt_G)
        set_rate(left * self.lr_d, self.opt_D)
        real, phi, wrong = (pictures(batch["images"], self.device), *self._text(batch, "phi",
                            "phi_wrong"))  # fmt: skip
        blurry, again, x = (pictures(batch[k], self.device) for k in ("blurry", "again", "wanted"))
        told, told_again = self._text(batch, "told", "told_again")
        fake = self.G(blurry, told)
        scores = self.D(real, torch.cat([phi[:, None], wrong], 1))
        s_f = self.D(fake.detach(), told)
        loss_d = matching_aware_hinge(scores[:, 0], scores[:, 1:].flatten(), s_f)
        self.opt_D.zero_grad()
        loss_d.backward()
        self.opt_D.step()
        self.critic.requires_grad_(False)  # G's gradient goes through D, and leaves it as it is
        distance = (self.G(again, told_again) - x).abs().mean()
        loss_g = generator_hinge(self.D(fake, told)) + self.l1 * distance
        self.opt_G.zero_grad()
        loss_g.backward()
        self.opt_G.step()
        self.critic.requires_grad_(True)
        follow(self.average, self.G, self.decay if self.progress else 0.0)
        return {"loss_d": loss_d.detach(), "loss_g": loss_g.detach(), "l1": distance.detach()}

    def _text(self, batch: dict[str, Tensor], *names: str) -> list[Tensor]:
        return [batch[name].float().to(self.device) for name in names]

    @torch.inference_mode()
    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """The blurry pictures `shown`, sharpened."""
        blurry, text = (one.to(self.device) for one in self.shown)
        return to_uint8(self.average(blurry, text).expand(-1, 3, -1, -1))

    def state_dict(self) -> dict:
        return states(self, "G", "D", "average", "opt_G", "opt_D")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


class SharpenerBatches:
    """Real pictures with captions that fit and do not, and what alignDRAW made of captions.

    step -> what `TextImageBatches` gives, and "blurry", drawn for a caption, with its vector
    "told"; "again", a picture drawn after looking at "wanted", with "told_again". Pictures are
    uint8 [b, c, h, w].

    Args:
        real: of the real pictures.
        drawn: "blurry" and "told", "again", "told_again" and "wanted", n of each.
        seed: of the order of those.
    """

    def __init__(self, real: TextImageBatches, drawn: dict[str, Tensor], seed: int = 0):
        self.real, self.drawn, self.seed = real, drawn, seed

    def __call__(self, step: int) -> dict[str, Tensor]:
        batch = self.real(step)
        rng = np.random.default_rng((self.seed, step, 20))
        n, b = len(self.drawn["blurry"]), len(batch["images"])
        first, second = torch.from_numpy(rng.integers(n, size=(2, b)))
        of_prior = {name: self.drawn[name][first] for name in ("blurry", "told")}
        after = {name: self.drawn[name][second] for name in ("again", "told_again", "wanted")}
        return batch | of_prior | after
