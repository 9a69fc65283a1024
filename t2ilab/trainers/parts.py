"""What several trainers need: ends of learning rates, running averages, pictures as numbers."""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn


def one_cycle(progress: float) -> float:
    """Up in the first tenth, then down along a cosine; both ends near 0. A share of the largest.

    Args:
        progress: share of the budget that is used, from 0.
    """
    if progress < 0.1:
        return 0.04 + 0.96 * progress / 0.1
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - 0.1) / 0.9)))


def cosine_end(progress: float) -> float:
    """From 1 down to 0 along half a cosine over the budget."""
    return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def linear_end(progress: float, part: float) -> float:
    """1, and over the last `part` of the budget (in [0, 1]; 0: never) down to 0 along a line."""
    return max(0.0, min(1.0, (1.0 - progress) / part)) if part else 1.0


def set_rate(lr: float, *optimizers: torch.optim.Optimizer) -> None:
    """Give every parameter of these optimisers this learning rate from now on."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr


def pictures(images: UInt8[Tensor, "b c h w"], device: torch.device) -> Float[Tensor, "b c h w"]:
    """Bytes as they lie in a batch -> floats in [-1, 1] on the device."""
    return images.to(device, non_blocking=True).float().div(127.5).sub(1)


def bare(module: nn.Module) -> nn.Module:
    """The network itself, whatever `fabric.setup` wrapped it in for precision or processes.

    For weights, names and averages only: a training step calls the wrapped network, or several
    processes do not learn from each other.
    """
    return getattr(module, "module", module)


def full(module: nn.Module) -> nn.Module:
    """The wrapped network in float32 whatever the run's precision, as gradient penalties need it.

    Several processes still share its gradients.
    """
    return getattr(module, "_forward_module", module)


def states(trainer: object, *names: str) -> dict[str, dict]:
    """name -> `state_dict()` of these networks and optimisers of a trainer.

    Its `torch.Generator`s are saved by `fit`, once, and have no place here.
    """
    return {name: bare(getattr(trainer, name)).state_dict() for name in names}


def load_states(trainer: object, state: dict[str, dict]) -> None:
    """Give a trainer back what `states` took."""
    for name, one in state.items():
        bare(getattr(trainer, name)).load_state_dict(one)


class TextGame:
    """What trainers of a text GAN share.

    Each has `G`, `D`, `average` (of G), `opt_G`, `opt_D`, `z`, `rng`, `progress`, and a `recipe`
    with `lr_g`, `lr_d` and `decay`.
    """

    def setup(self, fabric) -> None:
        self.G, self.D = (m.to(memory_format=torch.channels_last) for m in (self.G, self.D))
        self.G, self.opt_G = fabric.setup(self.G, self.opt_G)
        self.D, self.opt_D = fabric.setup(self.D, self.opt_D)
        self.average = self.average.to(fabric.device, memory_format=torch.channels_last)
        self.device = fabric.device

    def draw_noise(self, n: int) -> Float[Tensor, "n z"]:
        return torch.randn(n, self.z, generator=self.rng).to(self.device)

    def _set_learning_rates(self) -> None:
        left = linear_end(self.progress, self.recipe.decay)
        set_rate(left * self.recipe.lr_g, self.opt_G)
        set_rate(left * self.recipe.lr_d, self.opt_D)

    def state_dict(self) -> dict:
        return states(self, "G", "D", "average", "opt_G", "opt_D")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


@torch.no_grad()
def clip_weights(network: nn.Module, c: float) -> None:
    """w <- clip(w, -c, c), every parameter in place (Arjovsky et al. 2017, Algorithm 1).

    It belongs after the optimiser's step: before it, the step would lead out of the box again.
    """
    for w in network.parameters():
        w.clamp_(-c, c)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """average = decay · average + (1 - decay) · network; what is no float, and decay 0, is copied.

    Args:
        average, network: of one architecture; the buffers of batch norm are averaged as well.
    """
    now_of = bare(network).state_dict()
    for name, mean in average.state_dict().items():
        if decay and mean.dtype.is_floating_point:
            mean.lerp_(now_of[name], 1 - decay)
        else:
            mean.copy_(now_of[name])
