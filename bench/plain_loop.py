"""The reference of the training benchmark: GAN-CLS as it is often written.

Every loss has its own forward passes, in float32: G twice, D four times an update. The fakes that D
is shown are not detached, so D's loss is backpropagated through G as well, and D's gradients are
computed in G's update too; both are thrown away. The best-known public PyTorch implementation of
Reed et al. 2016 does it so.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainLoop:
    """Adam at the paper's rates on a generator and a discriminator."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module):
        self.G, self.D = generator, discriminator
        self.opt_G = torch.optim.Adam(generator.parameters(), 2e-4, (0.5, 0.999))
        self.opt_D = torch.optim.Adam(discriminator.parameters(), 2e-4, (0.5, 0.999))

    def step(self, images: Tensor, phi: Tensor) -> tuple[Tensor, Tensor]:
        """One update of each. images uint8 [b, 3, h, w], phi [b, text]; mismatched by rolling."""
        x = images.float().div(127.5).sub(1)
        x_wrong = images.roll(1, 0).float().div(127.5).sub(1)

        self.opt_D.zero_grad()
        real, wrong = self.D(x, phi), self.D(x_wrong, phi)
        fake = self.D(self.G(torch.randn(len(x), self.G.z), phi), phi)
        loss_d = _bce(real, 1.0) + _bce(wrong, 0.0) + _bce(fake, 0.0)
        loss_d.backward()
        self.opt_D.step()

        self.opt_G.zero_grad()
        loss_g = _bce(self.D(self.G(torch.randn(len(x), self.G.z), phi), phi), 1.0)
        loss_g.backward()
        self.opt_G.step()
        return loss_d.detach(), loss_g.detach()


def _bce(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
