"""A completing prior: from the vector of a sparse caption to one that leaves nothing open.

"a bird" is true of every bird. A generator that is given only this has to find all birds in its
noise, and GANs forget their noise: they draw one bird. So the gaps are filled before, where it is
easier, among the vectors of captions: the prior samples phi of a complete caption given phi of a
sparse one, and the generator only ever sees complete ones. (As the prior of unCLIP, Ramesh et al.
2022, samples an embedding of a picture; ours is learned by flow matching, Lipman et al. 2023.)

Symbols: phi the caption's vector, y that of a complete caption in its `components` first principal
components, n noise, x_t = (1 - t) n + t y the point between them at time t.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError

FREQUENCIES = 8  # of sines and cosines that tell the time
REACH = 4.0  # standard deviations: coordinates of a caption beyond are none of a complete one


class Block(nn.Module):
    """h + f(h, c): two linear layers, the condition c beside the first one's input."""

    def __init__(self, hidden: int, condition: int):
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.first = nn.Linear(hidden + condition, hidden)
        self.second = nn.Linear(hidden, hidden)

    def forward(
        self, h: Float[Tensor, "b hidden"], condition: Float[Tensor, "b condition"]
    ) -> Float[Tensor, "b hidden"]:
        return h + self.second(F.silu(self.first(torch.cat([self.norm(h), condition], 1))))


class CompletingPrior(nn.Module):
    """p(phi of a complete caption | phi of a caption), and samples of it.

    The network's answer is a sum: what it fills in, and the caption's own coordinates, each through
    a gate that the caption opens or closes. So a complete caption stays as it is, also one of a
    combination that was never seen, and need not be made anew from those that were.

    Args:
        text: size of phi.
        z: size of the generator's noise, of which the prior's own is made.
        components: principal components of complete captions' vectors; at most z and text.
        hidden, blocks: width and depth of the network.
        condition: size of what the network is told of phi and t.
        steps: of Euler's method from noise to a vector, 1 to 1000.

    Raises:
        UsageError: another number of steps.
    """

    def __init__(
        self,
        *,
        text: int = 256,
        z: int = 100,
        components: int = 48,
        hidden: int = 320,
        blocks: int = 3,
        condition: int = 128,
        steps: int = 16,
    ):
        super().__init__()
        if not isinstance(steps, int) or not 1 <= steps <= 1000:
            raise UsageError(f"a prior of {steps} steps: expected a whole number from 1 to 1000.")
        components = min(components, text, z)
        self.text, self.z, self.components, self.steps = text, z, components, steps
        self.arguments = dict(text=text, z=z, components=components, hidden=hidden)
        self.arguments |= dict(blocks=blocks, condition=condition, steps=steps)
        self.tell = nn.Linear(text + 2 * FREQUENCIES, condition)
        self.enter = nn.Linear(components, hidden)
        self.blocks = nn.ModuleList(Block(hidden, condition) for _ in range(blocks))
        self.leave = nn.Linear(hidden, components)
        self.keep = nn.Sequential(nn.Linear(text, 64), nn.SiLU(), nn.Linear(64, components))
        self.register_buffer("mean", torch.zeros(text))
        self.register_buffer("basis", torch.eye(components, text))
        self.register_buffer("mix", torch.eye(z, components))

    @torch.no_grad()
    def learn_components(self, complete: Float[Tensor, "n text"], seed: int = 0) -> None:
        """Take mean and principal components, each scaled to variance 1, from complete captions."""
        mean, components = complete.mean(0), self.components
        _, s, v = torch.linalg.svd(complete - mean, full_matrices=False)
        scale = s[:components, None] / len(complete) ** 0.5
        self.mean.copy_(mean)
        self.basis.copy_(scale.clamp(min=1e-4) * v[:components])
        rng = torch.Generator().manual_seed(seed)
        self.mix.copy_(torch.linalg.qr(torch.randn(self.z, components, generator=rng)).Q)

    def coordinates(self, phi: Float[Tensor, "b text"]) -> Float[Tensor, "b components"]:
        """y of vectors phi: how far along each component, in its standard deviations."""
        return (phi - self.mean) @ (self.basis / self.basis.square().sum(1, keepdim=True)).T

    def forward(
        self, x: Float[Tensor, "b components"], t: Float[Tensor, " b"], phi: Float[Tensor, "b text"]
    ) -> Float[Tensor, "b components"]:
        """The mean of y, given x_t, the time t in [0, 1] and the caption's vector."""
        angles = t[:, None] * torch.arange(1, FREQUENCIES + 1, device=t.device) * (math.pi / 2)
        told = F.silu(self.tell(torch.cat([phi, angles.sin(), angles.cos()], 1)))
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, told)
        own = self.coordinates(phi).clamp(-REACH, REACH)
        return self.leave(F.silu(h)) + self.keep(phi).sigmoid() * own

    def complete(
        self, phi: Float[Tensor, "b text"], z: Float[Tensor, "b z"]
    ) -> Float[Tensor, "b text"]:
        """A complete caption's vector for each caption: the same z fills the same gaps alike.

        dx/dt = (y - x) / (1 - t), with the network's mean for y, by Euler's method from n = z M;
        the columns of M are orthonormal, so n is normal as z is.
        """
        x = z @ self.mix
        for k in range(self.steps):
            t = k / self.steps
            y = self(x, x.new_full((len(x),), t), phi)
            x = x + (y - x) / (1 - t) / self.steps
        return self.mean + x @ self.basis
