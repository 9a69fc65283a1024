"""Explorer: watch pictures being synthesised from noise, visit by visit, and what the critic says.

Below each picture the scores of real pictures (grey), and its own at the moment as a red line; so
one sees it climb from where noise is to where pictures are. All is computed beforehand, by `watch`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.explore.scrub import Scrubber, scrubbed
from t2ilab.explore.sheet import smooth, tile
from t2ilab.plots import FAINT, GREY, RED, arranged, label
from t2ilab.systems.introspective import IntrospectiveSystem

SIDE, GAP, STRIP, HEAD, BINS = 128, 10, 36, 26, 48  # pixels: of a picture, between two, of its
# scores, of the title; and bars of the histogram of scores


@dataclass(frozen=True)
class Synthesis:
    """Some pictures on their way from noise.

    Attributes:
        frames: uint8 [visits + 1, n, h, w, 3], the noise first.
        scores: [visits + 1, n].
        positives: scores of real pictures under the same critic.
    """

    frames: UInt8[np.ndarray, "t n h w 3"]
    scores: Float[np.ndarray, "moments pictures"]  # of another shape: refused below
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
) -> Callable[..., Image.Image]:
    """`render(network, visit) -> PIL.Image`; see `scrubbed`.

    Args:
        films: name of a network -> what it drew.
        columns: pictures in a row.
    """
    return scrubbed(films, partial(_visit, columns), "network", "visit")


def _visit(columns: int, network: str, film: Synthesis, t: int) -> Image.Image:
    n = len(film.frames[t])
    words = f"{network}: the noise that all begin with"
    if t:
        arrived = f"{film.arrived(t)} of {n} score like a picture"
        words = f"{network}, visit {t} of {len(film)}: {arrived}"
    tiles = [tile(picture, SIDE) for picture in film.frames[t]]
    cells = [arranged([one, _strip(film, t, i)], down=4) for i, one in enumerate(tiles)]
    below = arranged(cells, columns=columns, across=GAP, down=GAP)
    return arranged([label(words, below.width, size=15, height=HEAD), below])


def _strip(film: Synthesis, t: int, i: int) -> Image.Image:
    """The positives' scores as a histogram; a picture's own as a line, its way as a band."""
    low, high = _range(film)
    counts, _ = np.histogram(film.positives, BINS, (low, high))

    def paint(draw, w, h, fine):
        for k in counts.nonzero()[0].tolist():
            top = h - (0.15 + 0.85 * counts[k] / counts.max()) * (h - 6 * fine)
            draw.rectangle((k * w / BINS, top, (k + 1) * w / BINS - 1, h), GREY)
        ends = np.clip(film.scores[[t, 0], i], low, high)
        x, began = ((ends - low) / (high - low) * (w - 1)).tolist()
        draw.line((began, h - 2 * fine, x, h - 2 * fine), RED, 2 * fine)
        draw.line((x, 0, x, h), RED, 2 * fine)

    return smooth((SIDE, STRIP), paint, FAINT)


def _range(film: Synthesis) -> tuple[float, float]:
    """Of scores that are drawn: those of all moments and positives, and a little more."""
    both = (film.scores, film.positives)
    low, high = float(min(map(np.min, both))), float(max(map(np.max, both)))
    room = 0.03 * (high - low) or 1.0
    return low - room, high + room


class SynthesisExplorer(Scrubber):
    """Pick a network, move through the visits or let them play.

    Args:
        films: name of a network -> what it drew; the first is shown first, at its end.
        columns: pictures in a row.
        lab: told of errors.

    Raises:
        UsageError: no films.
    """

    def __init__(self, films: Mapping[str, Synthesis], *, columns: int = 5, lab: Any = None):
        draw = partial(_visit, columns)
        title = "pictures on their way from noise"
        super().__init__(films, draw, "network", "visit", lab=lab, title=title)
