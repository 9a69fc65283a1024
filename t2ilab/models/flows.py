"""Normalizing flows: z_K = f_K(... f_1(z_0)), each f invertible, with a known log |det df/dz|.

Planar: Rezende and Mohamed 2015, eq. 10 to 12 and appendix A.1. Coupling: Dinh et al. 2017
(RealNVP), eq. 4 to 8. The density of what comes out follows from the change of variables,

    log p_K(z_K) = log p_0(z_0) - sum_k log |det df_k/dz_{k-1}|
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError


class Planar(nn.Module):
    """f(z) = z + u tanh(w·z + b): pushes z along u, most where it crosses one plane.

    It is invertible where w·u > -1; `u_hat` changes u so that this holds whatever is learned.

    Args:
        n: numbers in z, 1 or more.

    Raises:
        UsageError: n is below 1.
    """

    def __init__(self, n: int):
        super().__init__()
        if n < 1:
            raise UsageError(f"a planar flow of {n} numbers: give 1 or more.")
        self.w, self.u = nn.Parameter(0.3 * torch.randn(n)), nn.Parameter(0.3 * torch.randn(n))
        self.b = nn.Parameter(torch.zeros(()))

    def u_hat(self) -> Float[Tensor, " n"]:
        """u with its part along w changed so that w·u = softplus(w·u) - 1 > -1."""
        along = self.w @ self.u
        return self.u + (F.softplus(along) - 1 - along) * self.w / self.w.square().sum()

    def forward(self, z: Float[Tensor, "b n"]) -> tuple[Tensor, Tensor]:
        """f(z) [b, n] and log |det df/dz| [b]."""
        u, h = self.u_hat(), torch.tanh(z @ self.w + self.b)
        slope = (1 - h.square()) * (self.w @ u)  # h'(a) w·u, above -1
        return z + h[:, None] * u, slope.log1p()


class Coupling(nn.Module):
    """Half of z stays, and a network of it scales and shifts the other half: easily inverted.

    Args:
        n: numbers in z, 2 or more.
        first: whether the first half stays; layers that follow each other take turns.
        hidden: width of the network.

    Raises:
        UsageError: n is below 2: there is nothing to look at.
    """

    def __init__(self, n: int, *, first: bool = True, hidden: int = 32):
        super().__init__()
        if n < 2:
            raise UsageError(
                f"a coupling of {n} numbers: give 2 or more, so that there are halves."
            )
        self.first, self.at = first, n // 2
        stays = self.at if first else n - self.at
        self.network = nn.Sequential(
            nn.Linear(stays, hidden), nn.Tanh(), nn.Linear(hidden, 2 * (n - stays))
        )
        nn.init.normal_(self.network[-1].weight, 0.0, 0.01)  # begins near the identity
        nn.init.zeros_(self.network[-1].bias)

    def forward(self, z: Float[Tensor, "b n"]) -> tuple[Tensor, Tensor]:
        """f(z) [b, n] and log |det df/dz| [b], the sum of the logarithms of the scales."""
        stays, moves = self._halves(z)
        log_scale, shift = self._of(stays)
        return self._whole(stays, moves * log_scale.exp() + shift), log_scale.sum(1)

    def inverse(self, z: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """z with f(z) given."""
        stays, moved = self._halves(z)
        log_scale, shift = self._of(stays)
        return self._whole(stays, (moved - shift) * (-log_scale).exp())

    def _of(self, stays: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.network(stays).chunk(2, 1)
        return 2 * torch.tanh(log_scale / 2), shift  # scales between 1/e² and e²

    def _halves(self, z: Tensor) -> tuple[Tensor, Tensor]:
        a, b = z[:, : self.at], z[:, self.at :]
        return (a, b) if self.first else (b, a)

    def _whole(self, stays: Tensor, moved: Tensor) -> Tensor:
        return torch.cat((stays, moved) if self.first else (moved, stays), 1)


class Flow(nn.Module):
    """Flows one after the other."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, z: Float[Tensor, "b n"]) -> tuple[Tensor, Tensor]:
        """z_K [b, n] and the sum of all log |det| [b]."""
        total = z.new_zeros(len(z))
        for layer in self.layers:
            z, log_det = layer(z)
            total = total + log_det
        return z, total

    def inverse(self, z: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """z_0 of z_K.

        Raises:
            UsageError: a layer has no inverse in closed form, as a planar one.
        """
        for layer in reversed(self.layers):
            if not hasattr(layer, "inverse"):
                raise UsageError(
                    f"a {type(layer).__name__} flow has no inverse in closed form: invert it by "
                    "search, or take couplings."
                )
            z = layer.inverse(z)
        return z


def _counted(layers: int) -> range:
    if layers < 0:
        raise UsageError(f"{layers} layers: give 0 (the identity) or more.")
    return range(layers)


def planar(n: int, layers: int) -> Flow:
    """`layers` planar flows of n numbers; UsageError if they are fewer than 0."""
    return Flow(*(Planar(n) for _ in _counted(layers)))


def couplings(n: int, layers: int, *, hidden: int = 32) -> Flow:
    """`layers` couplings of n numbers, whose halves take turns; UsageError if fewer than 0."""
    return Flow(*(Coupling(n, first=k % 2 == 0, hidden=hidden) for k in _counted(layers)))
