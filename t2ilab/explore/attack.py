"""Explorer: drag ε and see a picture become what it is not.

Left to right: the picture, its change (magnified, around grey), the changed picture, and what the
network says of both. The attack is PGD, computed at each move; ε = 0 is the picture as it is.
"""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError, choose
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.sheet import tile
from t2ilab.inputs.attacks import pgd
from t2ilab.inputs.scores import Network, predict
from t2ilab.plots import GREY, INK, PAPER, RED, arranged, label, letters

AWAY = "anything else"  # the target of an untargeted attack
PANEL, GAP, HEAD, FOOT = 168, 12, 24, 22  # screen pixels
BARS, NAMES, SHOWN = 150, 96, 8  # the bars' width, their names', and how many


def magnified(change: Float[Tensor, "n 3 h w"], times: float) -> Float[Tensor, "n 3 h w"]:
    """A change of pictures as pictures: grey where nothing changed, `times` as strong as it is."""
    return (change * times).clamp(-1, 1)


def attack_renderer(
    network: Network,
    pictures: Float[Tensor, "n 3 h w"],
    classes: Sequence[str],
    *,
    steps: int = 8,
    times: float = 8.0,
) -> Callable[..., Image.Image]:
    """`render(picture, target, epsilon) -> PIL.Image`, ε in whole grey levels, 0 to 255.

    Args:
        network: pictures -> logits over `classes`, in `eval` mode.
        pictures: to choose from, in [-1, 1].
        classes: the names of the network's classes.
        steps: of PGD; few, so that a move is answered at once.
        times: how much the change is magnified.

    `render` raises UsageError for a picture, target or ε that does not exist.
    """
    pictures = pictures.contiguous()
    sources = predict(network, pictures)[0]

    def render(picture: int, target: str, epsilon: int) -> Image.Image:
        if not 0 <= picture < len(pictures):
            raise UsageError(
                f"picture {picture}: there are {len(pictures)}, 0 to {len(pictures) - 1}."
            )
        with torch.inference_mode(False):  # a gradient is needed, which explorers switch off
            x = pictures[picture : picture + 1].clone()
            aim = {"labels": int(sources[picture])}
            if target != AWAY:
                aim = {"targets": classes.index(choose("target", target, classes))}
            moved = x
            if epsilon:
                moved = pgd(network, x, epsilon=epsilon / 255, steps=steps, **aim).pictures
            with torch.no_grad():
                p, q = network(torch.cat([x, moved])).softmax(1)
        panels = {
            "the picture": x,
            f"the change, {times:g} times": magnified(moved - x, times),
            "the sum" if target == AWAY else f"the sum, towards {target}": moved,
        }
        return _sheet(panels, p, q, classes, epsilon)

    return render


def _sheet(
    panels: dict[str, Tensor], p: Tensor, q: Tensor, classes: Sequence[str], epsilon: float
) -> Image.Image:
    """Panels with a title above and the class below; on the right bars of both distributions."""
    wrong = RED if int(p.argmax()) != int(q.argmax()) else INK
    said = (_said(p, classes), f"at most {epsilon:g} grey levels", _said(q, classes))
    cells = [label(title, PANEL, size=13, height=HEAD) for title in panels]
    cells += [tile(to_uint8(picture)[0], PANEL) for picture in panels.values()]
    colours = zip(said, (INK, INK, wrong), strict=True)
    cells += [label(words, PANEL, size=13, height=FOOT, colour=one) for words, one in colours]
    shown = arranged(cells, columns=len(panels), across=GAP)
    return arranged([shown, _bars(p, q, classes)], columns=2, across=GAP + 8)


def _said(p: Tensor, classes: Sequence[str]) -> str:
    return f"{classes[int(p.argmax())]}  {float(p.max()):.1%}"


def _bars(p: Tensor, q: Tensor, classes: Sequence[str]) -> Image.Image:
    """Probabilities before (grey) and after (red); of many classes those that are largest."""
    image = Image.new("RGB", (NAMES + BARS + 32, HEAD + PANEL + FOOT), PAPER)
    draw, font = ImageDraw.Draw(image), letters(13)
    shown = torch.maximum(p, q).topk(min(SHOWN, len(p))).indices.sort().values.tolist()
    row = PANEL / len(shown)
    draw.text((NAMES, 4), "before", fill=INK, font=font)
    draw.text((NAMES + 52, 4), "after", fill=RED, font=font)
    for k, i in enumerate(shown):
        y, name = HEAD + k * row, classes[i]
        name = name if font.getlength(name) < NAMES else name[:12] + "…"
        draw.text((NAMES - 6, y + row / 2), name, fill=INK, font=font, anchor="rm")
        for value, colour, top in ((p[i], GREY, 0.16), (q[i], RED, 0.52)):
            end = NAMES + max(1.0, float(value) * BARS)
            draw.rectangle((NAMES, y + top * row, end, y + (top + 0.3) * row), fill=colour)
    return image


class AttackExplorer(Explorer):
    """Drag ε, choose a picture and a target.

    Args:
        network, pictures, classes, steps: as of `attack_renderer`.
        names: of the pictures, to choose them by; the first is shown first.
        target: chosen at first: one of `classes`, or "anything else".
        most: the largest ε, in grey levels.
        lab: told of errors.

    Raises:
        UsageError: no pictures, or another number of names; a target that does not exist.
    """

    def __init__(
        self,
        network: Network,
        pictures: Float[Tensor, "n 3 h w"],
        classes: Sequence[str],
        *,
        names: Sequence[str] = (),
        target: str = AWAY,
        most: int = 32,
        steps: int = 8,
        lab: Any = None,
    ):
        names = list(names) or [str(i) for i in range(len(pictures))]
        if len(names) != len(pictures) or not names:
            raise UsageError(
                f"{len(pictures)} pictures and {len(names)} names: give at least one "
                "picture, and a name for each."
            )
        targets = [AWAY, *classes]
        options = [(name, i) for i, name in enumerate(names)]
        controls = {
            "picture": widgets.Dropdown(options=options, value=0),
            "target": widgets.Dropdown(options=targets, value=choose("target", target, targets)),
            "epsilon": widgets.IntSlider(most // 2, 0, most, description="ε, grey levels"),
        }
        render = attack_renderer(network, pictures, classes, steps=steps)
        title = "a picture, a small change of it, and what the network says"
        super().__init__(render, controls, title=title, scale=1, lab=lab)
