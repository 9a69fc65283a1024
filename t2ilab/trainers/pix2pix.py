"""pix2pix: a map of parts becomes a picture (Isola et al. 2017).

    min_G max_D  E[log D(y, x)] + E[log(1 - D(y, G(y, z)))] + lambda E |x - G(y, z)|

Symbols: y the map, x the picture, G(y, z) the made picture, z the dropout in G, f the logits of D.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.data.maps import encoded
from t2ilab.errors import UsageError, choose
from t2ilab.losses.adversarial import discriminator_bce
from t2ilab.losses.pix2pix import generator_loss, l1
from t2ilab.models.pix2pix import PatchDiscriminator, UNet
from t2ilab.trainers.parts import bare, linear_end, load_states, pictures, set_rate, states

LOSSES = ("l1", "gan", "cgan", "l1+gan", "l1+cgan")  # "gan": D is not shown y


class Pix2Pix:
    """`step` is one update of D, where there is one, and one of G.

    Args:
        generator: y -> pictures in [-1, 1].
        discriminator: logits of patches; None for the loss "l1". For "gan" and "l1+gan" it has no
            inputs of y.
        loss: one of `LOSSES`.
        labels: how many labels a map has.
        given: what is shown of a map, see `data.maps.encoded`.
        weight: lambda, of L1.
        lr, betas: of Adam, for both.
        decay: lower the learning rate to 0 over this last part of the budget.
        shown: maps of which `strip` draws pictures.

    Raises:
        UsageError: an unknown loss, or a discriminator that does not go with it.
    """

    def __init__(
        self,
        generator: UNet,
        discriminator: PatchDiscriminator | None,
        *,
        loss: str = "l1+cgan",
        labels: int = 8,
        given: str = "parts",
        weight: float = 100.0,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.5, 0.999),
        decay: float = 0.5,
        shown: UInt8[Tensor, "n h w"] | None = None,
    ):
        choose("loss", loss, LOSSES)
        self.plays, self.sees = loss != "l1", loss in ("cgan", "l1+cgan")
        if self.plays != (discriminator is not None):
            raise UsageError(f"loss {loss}: {'give' if self.plays else 'there is no'} D.")
        if self.plays and self.sees != (discriminator.inputs > 0):
            raise UsageError(f"loss {loss}: D {'must be' if self.sees else 'is not'} shown y.")
        self.drawing, self.judge, self.loss = generator, discriminator, loss
        self.labels, self.given, self.lr, self.decay = labels, given, lr, decay
        self.weight = weight if loss.startswith("l1") else 0.0
        self.opt_G = torch.optim.Adam(generator.parameters(), lr, betas, fused=True)
        if self.plays:
            self.opt_D = torch.optim.Adam(discriminator.parameters(), lr, betas, fused=True)
        self.shown, self.progress = shown, 0.0

    def setup(self, fabric) -> None:
        self.G, self.opt_G = fabric.setup(self.drawing, self.opt_G)
        if self.plays:
            self.D, self.opt_D = fabric.setup(self.judge, self.opt_D)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """One update of each. `batch`: maps uint8 [b, h, w], images uint8 [b, 3, h, w]."""
        y, x = self.seen(batch["maps"]), pictures(batch["images"], self.device)
        lr = self.lr * linear_end(self.progress, self.decay)
        made = self.G(y)
        losses = {}
        if self.plays:
            set_rate(lr, self.opt_D)
            real, fake = self.judged(x, y), self.judged(made.detach(), y)  # detach(): not G's turn
            loss_d = 0.5 * discriminator_bce(real, fake)  # half: D learns more slowly than G
            self.opt_D.zero_grad()
            loss_d.backward()
            self.opt_D.step()
            losses["loss_d"] = loss_d.detach()

        # G: D, as it now is, only hands the gradient on.
        set_rate(lr, self.opt_G)
        self.freeze(True)
        fake = self.judged(made, y) if self.plays else None
        loss_g = generator_loss(fake, made, x, self.weight)
        self.opt_G.zero_grad()
        loss_g.backward()
        self.opt_G.step()
        self.freeze(False)
        return losses | {"loss_g": loss_g.detach(), "l1": l1(made.detach(), x)}

    def seen(self, maps: UInt8[Tensor, "b h w"]) -> Float[Tensor, "b channels h w"]:
        """y: what both networks see of the maps."""
        return encoded(maps.to(self.device), self.labels, self.given)

    def judged(self, x: Float[Tensor, "b 3 h w"], y: Tensor) -> Float[Tensor, "b rows columns"]:
        """f(y, x), or f(x) where D is not shown y."""
        return self.D(x, y) if self.sees else self.D(x)

    def freeze(self, frozen: bool) -> None:
        if self.plays:
            self.judge.requires_grad_(not frozen)

    @torch.inference_mode()
    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """Pictures of maps that stay the same; none where no maps were given."""
        if self.shown is None:
            return np.zeros((1, self.drawing.size, self.drawing.size, 3), np.uint8)
        return to_uint8(bare(self.G)(self.seen(self.shown)))

    def state_dict(self) -> dict:
        return states(self, "G", "opt_G", *(("D", "opt_D") if self.plays else ()))

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)
