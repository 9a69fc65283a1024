"""Explorer: watch pictures being synthesised from noise, visit by visit, and what the critic says.

Below each picture the scores of real pictures (grey), and its own at the moment as a red line; so
one sees it climb from where noise is to where pictures are. All is computed beforehand, by `watch`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError, choose
from t2ilab.explore.explorer import Explorer
from t2ilab.plots import INK, PAPER
from t2ilab.systems.introspective import IntrospectiveSystem

SIDE, GAP, STRIP, HEAD = 128, 10, 36, 26  # pixels: a picture, between two, its scores, the title
FINE, BINS = 2, 48  # strips are drawn so many times larger; bars of the histogram
GREY, FAINT, RED = (176, 176, 184), (246, 246, 248), (208, 48, 44)


@dataclass(frozen=True)
class Synthesis:
    """Some pictures on their way from noise.

    Attributes:
        frames: uint8 [visits + 1, n, h, w, 3], the noise first.
        scores: [visits + 1, n].
        positives: scores of real pictures under the same critic.
    """

    frames: UInt8[np.ndarray, "t n h w 3"]
    scores: Float[np.ndarray, "t n"]
    positives: Float[np.ndarray, " m"]

    def __post_init__(self):
        if self.frames.shape[:2] != self.scores.shape or not len(self.positives):
            raise UsageError(
                f"frames {list(self.frames.shape)} and scores "
                f"{list(self.scores.shape)}: a score for each picture of each moment "
                "is needed, and the scores of some positives."
            )

    def __len__(self) -> int:
        """How many visits there were."""
        return len(self.frames) - 1

    def arrived(self, visit: int) -> int:
        """How many pictures score at least as high as the lowest of the positives."""
        return int((self.scores[visit] >= self.positives.min()).sum())


def watch(system: IntrospectiveSystem, n: int = 10, seed: int = 0) -> Synthesis:
    """Draw n pictures from noise and keep them after each visit; none of them begins again.

    Raises:
        UsageError: n is below 1.
    """
    if n < 1:
        raise UsageError(f"n = {n}: at least one picture is needed.")
    rng = torch.Generator().manual_seed(int(seed))
    start = system.noise(n, rng).to(system.positives.device)
    with torch.inference_mode():
        moments = [(start, system.critic(start))]
    moments += [(made.pictures, made.scores) for made in system.visits(start, rng)]
    return Synthesis(
        np.stack([to_uint8(x.expand(-1, 3, -1, -1)) for x, _ in moments]),
        torch.stack([scores for _, scores in moments]).cpu().numpy(),
        system.positives.cpu().numpy(),
    )


def synthesis_renderer(
    films: Mapping[str, Synthesis], *, columns: int = 5
) -> Callable[[str, int], Image.Image]:
    """`render(network, visit) -> PIL.Image`; visits beyond the last show the last.

    Args:
        films: name of a network -> what it drew.
        columns: pictures in a row.

    `render` raises UsageError for an unknown network or a negative visit.
    """

    def render(network: str, visit: int) -> Image.Image:
        film = films[choose("network", network, films)]
        if visit < 0:
            raise UsageError(f"visit {visit}: the first moment is 0, the noise.")
        t = min(visit, len(film))
        n = len(film.frames[t])
        across, down = SIDE + GAP, SIDE + STRIP + GAP + 4
        sheet = Image.new(
            "RGB", (min(n, columns) * across - GAP, HEAD + -(-n // columns) * down), PAPER
        )
        words = (
            (f"{network}, visit {t} of {len(film)}: {film.arrived(t)} of {n} score like a picture")
            if t
            else f"{network}: the noise that all begin with"
        )
        ImageDraw.Draw(sheet).text((0, 3), words, fill=INK, font=ImageFont.load_default(size=15))
        for i in range(n):
            x, y = i % columns * across, HEAD + i // columns * down
            sheet.paste(_enlarged(film.frames[t, i]), (x, y))
            sheet.paste(_strip(film, t, i), (x, y + SIDE + 4))
        return sheet

    return render


def _enlarged(picture: UInt8[np.ndarray, "h w 3"]) -> Image.Image:
    """In whole pixels, on a white ground where that leaves a border."""
    factor = max(1, SIDE // max(picture.shape[:2]))
    image = Image.fromarray(picture)
    image = image.resize([s * factor for s in image.size], Image.Resampling.NEAREST)
    ground = Image.new("RGB", (SIDE, SIDE), PAPER)
    ground.paste(image, ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
    return ground


def _strip(film: Synthesis, t: int, i: int) -> Image.Image:
    """The positives' scores as a histogram; a picture's own as a line, its way as a band."""
    w, h = SIDE * FINE, STRIP * FINE
    low, high = _range(film)
    image = Image.new("RGB", (w, h), FAINT)
    draw = ImageDraw.Draw(image)
    counts, _ = np.histogram(film.positives, BINS, (low, high))
    for k, count in enumerate(counts):
        if count:
            top = h - (0.15 + 0.85 * count / counts.max()) * (h - 6 * FINE)
            draw.rectangle((k * w / BINS, top, (k + 1) * w / BINS - 1, h), fill=GREY)
    x, began = (
        (np.clip(film.scores[k, i], low, high) - low) / (high - low) * (w - 1) for k in (t, 0)
    )
    draw.line((began, h - 2 * FINE, x, h - 2 * FINE), fill=RED, width=2 * FINE)
    draw.line((x, 0, x, h), fill=RED, width=2 * FINE)
    return image.resize((SIDE, STRIP), Image.Resampling.LANCZOS)


def _range(film: Synthesis) -> tuple[float, float]:
    """Of scores that are drawn: those of all moments and positives, and a little more."""
    both = (film.scores, film.positives)
    low, high = float(min(map(np.min, both))), float(max(map(np.max, both)))
    room = 0.03 * (high - low) or 1.0
    return low - room, high + room


class SynthesisExplorer(Explorer):
    """Pick a network, move through the visits or let them play.

    Args:
        films: name of a network -> what it drew; the first is shown first, at its end.
        columns: pictures in a row.
        lab: told of errors.

    Raises:
        UsageError: no films.
    """

    def __init__(self, films: Mapping[str, Synthesis], *, columns: int = 5, lab: Any = None):
        if not films:
            raise UsageError("an explorer of syntheses needs at least one: see watch(system).")
        longest = max(map(len, films.values()))
        controls = {
            "network": widgets.Dropdown(options=list(films), value=next(iter(films))),
            "visit": widgets.IntSlider(longest, 0, longest),
        }
        super().__init__(
            synthesis_renderer(films, columns=columns),
            controls,
            play="visit",
            scale=1,
            lab=lab,
            title="pictures on their way from noise",
        )
