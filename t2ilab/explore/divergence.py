"""Explorer: drag a Gaussian over the data's hills, and watch both divergences and the likelihood.

Above, the data's density p and the model's q; below, what each state adds to D[p || q] and to
D[q || p] (red: it costs, blue: it gives back); the sums stand in the titles. Everything is summed
over all cells of the line.
"""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.exact.divergences import kl
from t2ilab.exact.families import gaussian
from t2ilab.exact.spaces import Space
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import path, smooth, titled
from t2ilab.plots import BLUE, GREY, RED, arranged

WIDE, TALL, GAP = 640, 190, 14  # screen pixels: both panels together, one of them, between them
MOST = 0.12  # nats: what a cell may add before its bar is cut


def added(p: Float[Tensor, " n"], q: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """What each state adds to D[p || q], in nats; 0 where p is 0."""
    return torch.where(p > 0, p * (p.log() - q.log()), torch.zeros_like(p))


def divergence_renderer(
    space: Space, p: Float[Tensor, " n"], seen: Float[Tensor, " shares"]
) -> Callable[..., Image.Image]:
    """`render(mu, sigma) -> PIL.Image`.

    Args:
        space: a line.
        p: the density of the data.
        seen: the shares of the states in a sample of it.

    Raises:
        UsageError: the density, or the sample, has another number of states than the space.
    """
    if not len(space) == len(p) == len(seen):
        raise UsageError(
            f"{len(p)} probabilities and {len(seen)} shares for a space of {len(space)} states: "
            "give one of each a state."
        )
    log_p = float((seen * p.log())[seen > 0].sum())

    def render(mu: float, sigma: float) -> Image.Image:
        q = gaussian(space, mu, sigma)
        mean = float((seen * q.log())[seen > 0].sum())
        head = f"data (grey), model (blue); log-likelihood {mean:.3f} nats a point"
        top = smooth((WIDE, TALL), lambda *a: _densities(*a, p, q))
        half = (WIDE - GAP) // 2, TALL
        forward, back = float(kl(p, q)), float(kl(q, p))
        below = {
            f"D[data || model] = {forward:.3f} nats": smooth(
                half, lambda *a: _bars(*a, added(p, q))
            ),
            f"D[model || data] = {back:.3f} nats": smooth(half, lambda *a: _bars(*a, added(q, p))),
        }
        words = f"{head} (the data's own: {log_p:.3f})"
        return arranged([titled({words: top}), titled(below, GAP)], down=6)

    return render


def _densities(draw: Any, w: int, h: int, fine: int, p: Tensor, q: Tensor) -> None:
    top = max(1.6 * float(p.max()), 1.05 * float(q.max()))
    draw.polygon([(0, h), *path(p.numpy(), 0, top, w, h), (w, h)], (222, 222, 226))
    draw.line(path(q.numpy(), 0, top, w, h), BLUE, 3 * fine, joint="curve")
    draw.line([(0, h - fine), (w, h - fine)], GREY, fine)


def _bars(draw: Any, w: int, h: int, fine: int, terms: Tensor) -> None:
    middle, wide = 0.6 * h, w / len(terms)
    for k, term in enumerate(terms.clamp(-MOST, MOST).tolist()):
        end = middle - term / MOST * 0.56 * h
        box = (k * wide, min(middle, end), (k + 1) * wide - 1, max(middle, end))
        draw.rectangle(box, RED if term > 0 else BLUE)
    draw.line([(0, middle), (w, middle)], GREY, fine)


class DivergenceExplorer(Explorer):
    """Drag mu and sigma, or jump to the best by either direction.

    Args:
        space, p, seen: see `divergence_renderer`.
        best: by the label of a button, the (mu, sigma) that it jumps to.
        lab: told of errors.
    """

    def __init__(
        self,
        space: Space,
        p: Float[Tensor, " n"],
        seen: Float[Tensor, " n"],
        *,
        best: dict[str, tuple[float, float]],
        lab: Any = None,
    ):
        super().__init__(
            divergence_renderer(space, p, seen),
            {
                "mu": widgets.FloatSlider(0.4, min=-0.95, max=0.95, step=0.01),
                "sigma": widgets.FloatSlider(0.3, min=0.06, max=1.0, step=0.01),
            },
            buttons={
                label: lambda _, at=at: {"mu": at[0], "sigma": at[1]} for label, at in best.items()
            },
            title="a Gaussian over the data's hills, and both divergences",
            lab=lab,
        )
