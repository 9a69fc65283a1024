"""Explorer: click a word, see where it was attended to; put another in its place, see what changes.

Left the picture, in the middle the attention of the clicked word over it, and right what the word
that took its place changes. Noise stays the same, so only the word differs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.explore.explorer import OTHER_NOISE, Explorer
from t2ilab.explore.sheet import tile, titled
from t2ilab.systems.attngan import AttnSystem

SIDE = 256  # screen pixels of a picture
FIRST = "a small red bird with a blue crown, yellow wings, a green tail and a long beak"
KEEP = "(keep)"


def heated(
    picture: UInt8[np.ndarray, "h w 3"], heat: Float[Tensor, "rows columns"]
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture in grey, with a map over it in orange, its largest value full."""
    share = (heat / heat.max().clamp(min=1e-12)).float()
    share = torch.nn.functional.interpolate(share[None, None], picture.shape[:2])[0, 0]
    grey = picture.mean(2, keepdims=True) * 0.45 + 110
    a = share.numpy()[..., None]
    return (
        ((1 - a) * grey + a * np.array([235.0, 95.0, 20.0])).clip(0, 255).round().astype(np.uint8)
    )


def replaced(words: Sequence[str], place: int, other: str) -> str:
    """A caption with another word in one place; KEEP: as it is.

    Raises:
        UsageError: the caption has no such place.
    """
    if not 0 <= place < len(words):
        raise UsageError(
            f"word {place + 1} of {len(words)}: click one of the words of this caption."
        )
    said = [*words]
    said[place] = said[place] if other == KEEP else other
    return " ".join(said)


def attention_renderer(system: AttnSystem, *, level: int = -1) -> Callable[..., Image.Image]:
    """`render(caption, place, other, seed) -> PIL.Image`: picture, attention of word `place`, and
    the picture with `other` in its place.

    Args:
        level: of which attention: 0 that at 32 pixels, -1 the last.
    """

    def render(caption: str, place: int, other: str, seed: int) -> Image.Image:
        words = system.words(system.encoder.vocabulary.check(caption))
        said = [" ".join(words), replaced(words, place, other)]
        z = system.noise(1, seed).expand(len(said), -1)
        painted = system.paint(said, z)
        before, after = to_uint8(painted.pictures[-1])
        word = words[place]
        shown = {
            "the picture": before,
            f"attention to “{word}”": heated(before, painted.attention[level][0, place]),
            "as it is" if other == KEEP else f"“{word}” → “{other}”": after,
        }
        return titled({name: tile(picture, SIDE) for name, picture in shown.items()})

    return render


class AttentionExplorer(Explorer):
    """A caption in words that can be clicked, a word to put in the place of the clicked one.

    Args:
        system: what draws.
        others: what it is in words -> words to put in: colours, say.
        caption: the first one.
        lab: told of errors.
    """

    def __init__(
        self,
        system: AttnSystem,
        *,
        others: Mapping[str, Sequence[str]],
        caption: str = FIRST,
        lab: Any = None,
    ):
        self.system = system
        text = widgets.Text(caption, description="caption")
        options = [KEEP, *dict.fromkeys(w for some in others.values() for w in some)]
        self.words = widgets.ToggleButtons(options=self._numbered(caption), description="word")
        self.words.style.button_width = "auto"
        controls = {
            "caption": text,
            "place": self.words,
            "other": widgets.Dropdown(options=options, description="put in its place"),
            "seed": widgets.IntSlider(0, max=99, description="noise"),
        }
        text.observe(self._read, names="value")  # first: the words are those of the new caption
        super().__init__(
            attention_renderer(system),
            controls,
            buttons=OTHER_NOISE,
            title="words, and where they are attended to",
            lab=lab,
        )

    def _numbered(self, caption: str) -> list[tuple[str, int]]:
        """The words, each with its place; a word that occurs twice has two buttons."""
        return [(word, i) for i, word in enumerate(self.system.words(caption))] or [("", 0)]

    def _read(self, change: Mapping[str, Any]) -> None:
        place = self.words.value
        options = self._numbered(change["new"])
        with self.words.hold_trait_notifications():
            self.words.options = options
            self.words.value = min(place or 0, len(options) - 1)
