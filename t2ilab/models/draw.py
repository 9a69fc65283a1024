"""DRAW: a network that draws in strokes, and looks where it pleases (Gregor et al. 2015).

At each of T glimpses: an error picture x̂ = x - σ(c), a read r of both, an encoder LSTM, a latent z,
a decoder LSTM, and a stroke that is added to the canvas c:

    r = read(x, x̂, h_dec)          h_enc = LSTM(h_enc, [r, h_dec])        z ~ N(mu, sigma²)(h_enc)
    h_dec = LSTM(h_dec, z)          c = c + write(h_dec)                    (eq. 3 to 8)

To draw without a picture, z comes from N(0, 1) and the encoder rests. Attention reads and writes
N x N places through Gaussian filters (eq. 19 to 29); pixels and filters are counted from 1.
"""

import math
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError


class Window(NamedTuple):
    """Where a grid of N x N filters lies, as tensors of one shape; in pixels, the first being 1."""

    x: Tensor  # g_X, the centre
    y: Tensor  # g_Y
    stride: Tensor  # δ, from one filter to the next
    sigma: Tensor  # width of each filter
    gamma: Tensor  # intensity


class Pass(NamedTuple):
    """What a pass over pictures leaves: T glimpses.

    Shapes: canvases [T + 1, b, c, size, size], from the empty one, as logits; mu, log_sigma, z
    [T, b, latent]; log_scale [c], or None for Bernoulli; fields of the windows [T, b], or None
    without attention.
    """

    canvases: Tensor
    mu: Tensor
    log_sigma: Tensor
    z: Tensor
    log_scale: Tensor | None
    reads: Window | None
    writes: Window | None


def window(raw: Float[Tensor, "b 5"], *, side: int, size: int) -> Window:
    """The five numbers of a linear layer as a window of side x side filters; eq. 21 to 24.

    g = (size + 1) / 2 · (g̃ + 1), δ = (size - 1) / (side - 1) · exp(log δ̃): zeros make a window
    over the whole picture.
    """
    x, y, log_variance, log_stride, log_gamma = raw.unbind(1)
    return Window(
        x=(size + 1) / 2 * (x + 1),
        y=(size + 1) / 2 * (y + 1),
        stride=(size - 1) / (side - 1) * log_stride.exp(),
        sigma=(0.5 * log_variance).exp(),
        gamma=log_gamma.exp(),
    )


def filters(
    centre: Float[Tensor, " b"],
    stride: Float[Tensor, " b"],
    sigma: Float[Tensor, " b"],
    *,
    side: int,
    size: int,
) -> Float[Tensor, "b side size"]:
    """F: Gaussian filters along one axis, a row each, its sum 1; eq. 19, 20, 25, 26.

    mu_i = g + (i - N/2 - ½) δ for i = 1..N, over pixels a = 1..size. The softmax is the Gaussian
    with its sum made 1, and stays so where a filter lies far outside: it then sees the edge.
    """
    i = torch.arange(1, side + 1, device=centre.device)
    a = torch.arange(1, size + 1, device=centre.device)
    mu = centre[:, None] + (i - side / 2 - 0.5) * stride[:, None]
    exponent = (a - mu[..., None]).square() / (2 * sigma[:, None, None].square())
    return (-exponent).softmax(-1)


def banks(w: Window, *, side: int, size: int) -> tuple[Tensor, Tensor]:
    """F_Y and F_X of a window, [b, side, size] each."""
    over_y = filters(w.y, w.stride, w.sigma, side=side, size=size)
    return over_y, filters(w.x, w.stride, w.sigma, side=side, size=size)


def read(
    images: Float[Tensor, "b c size size"], w: Window, *, side: int
) -> Float[Tensor, "b c side side"]:
    """γ F_Y x F_Xᵀ, of each channel; eq. 27."""
    over_y, over_x = banks(w, side=side, size=images.shape[-1])
    patch = over_y[:, None] @ images @ over_x[:, None].mT
    return patch * w.gamma[:, None, None, None]


def write(
    patch: Float[Tensor, "b c side side"], w: Window, *, size: int
) -> Float[Tensor, "b c size size"]:
    """1/γ F_Yᵀ w F_X, of each channel; eq. 29."""
    over_y, over_x = banks(w, side=patch.shape[-1], size=size)
    return over_y[:, None].mT @ patch @ over_x[:, None] / w.gamma[:, None, None, None]


class Attention(nn.Module):
    """A window that depends on h_dec. Reading and writing have one each.

    It begins as N x N tiles of the picture, each filter with half a tile for its sigma. (The paper
    does not say how it begins. With zeros two filters a side would see the corners, which are black
    in all of MNIST, and of five each would be as thin as a pixel in seven.)

    Args:
        hidden: length of h_dec.
        side: N. `size`: of the pictures.
        gamma: intensity at the beginning.
    """

    def __init__(self, *, hidden: int, side: int, size: int, gamma: float = 1.0):
        super().__init__()
        self.side, self.size = side, size
        self.to_window = nn.Linear(hidden, 5)
        tile, whole = size / side, (size - 1) / (side - 1)
        begun = [0, 0, 2 * math.log(tile / 2), math.log(tile / whole), math.log(gamma)]
        self.to_window.bias.data.copy_(torch.tensor(begun))

    def forward(self, h_dec: Float[Tensor, "b hidden"]) -> Window:
        return window(self.to_window(h_dec), side=self.side, size=self.size)


class DRAW(nn.Module):
    """The network. `forward` looks at pictures and draws them again; `generate` draws.

    Args:
        size, channels: of the pictures.
        glimpses: T.
        hidden: of both LSTMs. `latent`: length of each z.
        read, write: N of the two windows, 2 to `size`; None: the whole picture, no attention.
        colours: whether values are bytes, with the discretised logistic as likelihood, rather than
            zeros and ones.

    Raises:
        UsageError: a window of less than 2 or more than `size` filters, or a number below 1.
    """

    def __init__(
        self,
        *,
        size: int = 28,
        channels: int = 1,
        glimpses: int = 16,
        hidden: int = 256,
        latent: int = 100,
        read: int | None = 2,
        write: int | None = 5,
        colours: bool = False,
    ):
        super().__init__()
        for called, number in dict(size=size, channels=channels, glimpses=glimpses,
                                   hidden=hidden, latent=latent).items():  # fmt: skip
            if number < 1:
                raise UsageError(f"{called} {number}: DRAW needs 1 or more.")
        for called, side in (("read", read), ("write", write)):
            if side is not None and not 2 <= side <= size:
                raise UsageError(
                    f"--{called} {side}: a window has 2 to {size} filters a side in pictures of "
                    f"{size} pixels."
                )
        self.arguments = dict(size=size, channels=channels, glimpses=glimpses, hidden=hidden,
                              latent=latent, read=read, write=write, colours=colours)  # fmt: skip
        self.size, self.channels, self.colours = size, channels, colours
        self.glimpses, self.latent = glimpses, latent
        seen, drawn = channels * (read or size) ** 2, channels * (write or size) ** 2
        self.encoder = nn.LSTMCell(2 * seen + hidden, hidden)
        self.to_mu, self.to_log_sigma = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.LSTMCell(latent, hidden)
        self.to_patch = nn.Linear(hidden, drawn)
        self.reading = self.writing = None
        if read:  # PyTorch's own weights, made for 2 seen + hidden inputs, would drown what is read
            self.reading = Attention(hidden=hidden, side=read, size=size)
            bound = (2 * seen) ** -0.5
            nn.init.uniform_(self.encoder.weight_ih.data[:, : 2 * seen], -bound, bound)
        if write:  # 1 / gamma: as many pixels share a number of the patch, each getting its part
            self.writing = Attention(
                hidden=hidden, side=write, size=size, gamma=(write / size) ** 2
            )
        self.empty = nn.Parameter(torch.zeros(channels, size, size))  # c_0, learned
        self.log_scale = nn.Parameter(torch.full((channels,), -2.0)) if colours else None

    def noise(self, n: int, generator: torch.Generator) -> Float[Tensor, "T n latent"]:
        """Standard normal noise for n pictures, new at every glimpse; on the generator's device."""
        shape = (self.glimpses, n, self.latent)
        return torch.randn(shape, generator=generator, device=generator.device)

    def forward(self, x: Float[Tensor, "b c size size"], eps: Float[Tensor, "T b latent"]) -> Pass:
        """x in [0, 1], and noise for z = mu + sigma · eps."""
        canvas, enc, dec = self._begin(len(x))
        canvases, latents, reads, writes = [canvas], [], [], []
        for noise in eps:
            r, seen = self._read(x, x - canvas.sigmoid(), dec[0])
            enc = self.encoder(torch.cat([r, dec[0]], 1), enc)
            mu, log_sigma = self.to_mu(enc[0]), self.to_log_sigma(enc[0])
            z = mu + log_sigma.exp() * noise
            dec = self.decoder(z, dec)
            stroke, drawn = self._write(dec[0])
            canvas = canvas + stroke
            canvases.append(canvas)
            latents.append((mu, log_sigma, z))
            reads.append(seen)
            writes.append(drawn)
        mu, log_sigma, z = map(torch.stack, zip(*latents, strict=True))
        return Pass(torch.stack(canvases), mu, log_sigma, z, self.log_scale,
                    stacked(reads), stacked(writes))  # fmt: skip

    def generate(
        self, z: Float[Tensor, "T b latent"]
    ) -> tuple[Float[Tensor, "T1 b c size size"], Window | None]:
        """The canvas after every stroke, as logits, and where the strokes were made."""
        canvas, _, dec = self._begin(z.shape[1])
        canvases, writes = [canvas], []
        for z_t in z:
            dec = self.decoder(z_t, dec)
            stroke, drawn = self._write(dec[0])
            canvas = canvas + stroke
            canvases.append(canvas)
            writes.append(drawn)
        return torch.stack(canvases), stacked(writes)

    def _begin(self, b: int) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """The empty canvas, and both LSTMs at rest."""
        rest = self.empty.new_zeros(b, self.decoder.hidden_size)
        return self.empty.expand(b, -1, -1, -1), (rest, rest), (rest, rest)

    def _read(self, x: Tensor, x_hat: Tensor, h_dec: Tensor) -> tuple[Tensor, Window | None]:
        both = torch.cat([x, x_hat], 1)
        if self.reading is None:
            return both.flatten(1), None
        at = self.reading(h_dec)
        return read(both, at, side=self.reading.side).flatten(1), at

    def _write(self, h_dec: Tensor) -> tuple[Tensor, Window | None]:
        patch = rearrange(self.to_patch(h_dec), "b (c h w) -> b c h w", c=self.channels,
                          h=self.writing.side if self.writing else self.size)  # fmt: skip
        if self.writing is None:
            return patch, None
        at = self.writing(h_dec)
        return write(patch, at, size=self.size), at


def stacked(windows: list) -> Window | None:
    """Windows of the glimpses in turn, as one; or None."""
    if windows[0] is None:
        return None
    return Window(*map(torch.stack, zip(*windows, strict=True)))
