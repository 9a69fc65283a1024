"""A trained DRAW as one thing: it draws, and shows how, stroke after stroke.

system = DrawSystem.load("draw-mnist-28")
pictures = system.draw(16, seed=0)
film = system.film(16, seed=0)          # the same pictures: film.canvases[t], film.writes.box(t, 0)
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.losses.draw import kl_to_prior
from t2ilab.models.draw import DRAW, Window
from t2ilab.systems.single import Single
from t2ilab.systems.system import checked_count


@dataclass(frozen=True)
class Windows:
    """A window at each of T glimpses for n pictures, in pixels, the first being 1.

    Attributes:
        centres: [T, n, 2], x then y.
        strides: [T, n], from one filter to the next. `sizes`: [T, n], (N - 1) strides, the side of
            the square that the filters' centres span.
        sigmas, gammas: [T, n], width of the filters, intensity.
    """

    centres: np.ndarray
    strides: np.ndarray
    sizes: np.ndarray
    sigmas: np.ndarray
    gammas: np.ndarray

    def box(self, t: int, i: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of picture i's window at stroke t (from 1), as plots have it:

        0 is the outer edge of the first pixel, whose middle is 0.5.
        """
        (x, y), half = self.centres[t - 1, i] - 0.5, self.sizes[t - 1, i] / 2
        return float(x - half), float(y - half), float(x + half), float(y + half)


@dataclass(frozen=True)
class Film:
    """n pictures while they are drawn. `len` is T; moment 0 is the empty canvas.

    Attributes:
        canvases: uint8 [T + 1, n, size, size, 3].
        writes, reads: where was written, and read; None without attention, and `reads` where
            nothing was looked at.
        kl: [T, n] nats that each glimpse told of the picture; None where nothing was looked at.
    """

    canvases: UInt8[np.ndarray, "T1 n size size 3"]
    writes: Windows | None
    reads: Windows | None = None
    kl: Float[np.ndarray, "T n"] | None = None

    def __len__(self) -> int:
        return len(self.canvases) - 1


class DrawSystem(Single):
    """DRAW, with the noise that it is fed. Of pictures that are zeros and ones it shows the chance
    of a one; of bytes the middle of each value's distribution.
    """

    kind = "draw"
    draws = True
    network: DRAW

    @property
    def size(self) -> int:
        return self.network.size

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "DrawSystem":
        return cls(DRAW(**arguments))

    @torch.inference_mode()
    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures from noise, always the same for the same seed; grey ones with equal channels.

        Raises:
            UsageError: n is not between 1 and 1024.
        """
        parts = self._noise(n, seed).split(64, 1)  # without a film of them there are few in memory
        return np.concatenate([shown(self.network.generate(z)[0][-1:])[0] for z in parts])

    @torch.inference_mode()
    def film(self, n: int = 16, seed: int = 0) -> Film:
        """How `draw` draws these pictures; raises as it does."""
        canvases, writes = self.network.generate(self._noise(n, seed))
        return Film(shown(canvases), windows(writes, self.network.writing))

    @torch.inference_mode()
    def redraw(self, x: Float[Tensor, "n c size size"], seed: int = 0) -> Film:
        """How these pictures are looked at and drawn again.

        Args:
            x: as `trainers.draw.values` gives them, in [0, 1].

        Raises:
            UsageError: pictures of another size, or with other channels.
        """
        self.see_fit(x)
        eps = self.network.noise(len(x), torch.Generator().manual_seed(int(seed))).to(x.device)
        done = self.network(x, eps)
        return Film(
            shown(done.canvases),
            windows(done.writes, self.network.writing),
            windows(done.reads, self.network.reading),
            kl_to_prior(done.mu, done.log_sigma).cpu().numpy(),
        )

    def _noise(self, n: int, seed: int) -> Float[Tensor, "T n latent"]:
        generator = torch.Generator().manual_seed(int(seed))
        return self.network.noise(checked_count(n), generator).to(self.network.empty.device)

    def see_fit(self, x: Tensor) -> None:
        """Refuse pictures [n, c, h, w] of another shape than the network's (UsageError)."""
        wanted = [self.network.channels, self.size, self.size]
        if list(x.shape[1:]) != wanted:
            raise UsageError(f"pictures of {list(x.shape[1:])}; this DRAW looks at {wanted}.")


def shown(canvases: Float[Tensor, "T1 n c size size"]) -> UInt8[np.ndarray, "T1 n size size 3"]:
    """Canvases, which are logits, as pictures."""
    middle = (2 * canvases.sigmoid() - 1).expand(-1, -1, 3, -1, -1)
    return np.stack([to_uint8(canvas) for canvas in middle])


def windows(w: Window | None, attention: Any) -> Windows | None:
    """Windows as plots have them; `attention`: the part of the network that made them."""
    if w is None:
        return None
    x, y, strides, sigmas, gammas = (value.cpu().numpy() for value in w)
    sizes = (attention.side - 1) * strides
    return Windows(np.stack([x, y], -1), strides, sizes, sigmas, gammas)
