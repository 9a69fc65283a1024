"""Explorer: erase rows of a digit, and let a restricted Boltzmann machine repair it.

Known pixels are held (clamped), all others are sampled: h ~ P(h | v), v ~ P(v | h), and the known
ones put back. The chain then draws from p(erased | known), without training for that.
"""

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.explore.explorer import OTHER_NOISE, Explorer
from t2ilab.models.rbm import RBM, as_pictures, bernoulli
from t2ilab.plots import arranged, grid, label

SIDES = ("top", "bottom", "left", "right")
SCALE, CHAINS, STEPS = 20, 200, 100  # screen pixels a pixel; repairs averaged; steps at most


def erased(side: int, rows: int, where: str) -> Bool[Tensor, " D"]:
    """Which pixels of a picture of side x side are gone.

    Raises:
        UsageError: more rows than there are, or an unknown place.
    """
    if where not in SIDES or not 0 <= rows <= side:
        raise UsageError(
            f"{rows} rows at the {where}: give 0 to {side} rows at one of {', '.join(SIDES)}."
        )
    gone = torch.zeros(side, side, dtype=torch.bool)
    gone[:rows] = True
    turned = {"top": gone, "bottom": gone.flip(0), "left": gone.T, "right": gone.T.flip(1)}
    return turned[where].flatten()


def repaired(
    rbm: RBM,
    v: Float[Tensor, "n D"],
    gone: Bool[Tensor, " D"],
    steps: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "n D"], Float[Tensor, "n D"]]:
    """Samples of the erased pixels given the others, and P(v | h) of the last step.

    Args:
        v: pictures; what their erased pixels are does not matter, for noise takes their place.
        steps: of Gibbs sampling.

    Raises:
        UsageError: fewer than one step.
    """
    if steps < 1:
        raise UsageError(f"{steps} Gibbs steps: at least 1 is needed.")
    known, v = v, torch.where(gone, bernoulli(torch.full_like(v, 0.5), generator), v)
    for _ in range(steps):
        p = rbm.visible(bernoulli(rbm.hidden(v), generator))
        p = torch.where(gone, p, known)
        v = torch.where(gone, bernoulli(p, generator), known)
    return v, p


def repair_renderer(rbm: RBM, digits: Float[Tensor, "n D"]) -> Callable[..., Image.Image]:
    """`render(digit, rows, where, steps, seed) -> PIL.Image`.

    Four panels: the digit; what is left of it; a repair; the mean of 200 repairs.

    Raises:
        UsageError: the digits are not square, or not of as many pixels as the machine has; or, when
            it is drawn, a digit that is not there.
    """
    side = round(digits.shape[1] ** 0.5)
    if side**2 != digits.shape[1] or digits.shape[1] != len(rbm.a):
        raise UsageError(
            f"digits of {digits.shape[1]} pixels for a machine of {len(rbm.a)}: both need the same "
            "number, that of a square picture."
        )

    def render(digit: int, rows: int, where: str, steps: int, seed: int) -> Image.Image:
        gone = erased(side, rows, where)
        if not 0 <= digit < len(digits):
            raise UsageError(f"digit {digit}: give 0 to {len(digits) - 1}.")
        generator = torch.Generator().manual_seed(int(seed))
        v, p = repaired(rbm, digits[digit].expand(CHAINS, -1), gone, steps, generator)
        left = torch.where(gone, torch.full_like(digits[digit], 0.45), digits[digit])
        shown = {
            "the digit": digits[digit],
            "what is left": left,
            f"one repair, {steps} steps": v[0],
            f"mean of {CHAINS} repairs": p.mean(0),
        }
        panels = [
            arranged([label(name, side * SCALE), grid(as_pictures(one[None]).numpy(), scale=SCALE)])
            for name, one in shown.items()
        ]
        return arranged(panels, columns=2, across=14, down=6)

    return render


class RepairExplorer(Explorer):
    """Controls around `repair_renderer`.

    Args:
        rbm: a machine of square pictures, trained.
        digits: pictures of zeros and ones that it can repair.
        lab: told of errors.
    """

    def __init__(self, rbm: RBM, digits: Float[Tensor, "n D"], *, lab: Any = None):
        side = round(digits.shape[1] ** 0.5)
        super().__init__(
            repair_renderer(rbm, digits),
            {
                "digit": widgets.IntSlider(0, min=0, max=len(digits) - 1),
                "rows": widgets.IntSlider(side // 2, min=0, max=side),
                "where": widgets.Dropdown(options=SIDES, value="bottom"),
                "steps": widgets.IntSlider(30, min=1, max=STEPS),
                "seed": widgets.IntSlider(0, min=0, max=99),
            },
            buttons=OTHER_NOISE,
            title="a digit, erased in part, and its repairs",
            lab=lab,
        )
