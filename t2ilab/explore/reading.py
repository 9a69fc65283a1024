"""Explorer: step through a caption; what each word does to the state, and what is known after it.

One line a word: the word, how far it moves the state, and the state itself. Beside it stand, after
the word that the step has reached, the words that may follow, and what linear probes read from the
state.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw

from t2ilab.errors import UsageError
from t2ilab.explore.explorer import Explorer
from t2ilab.explore.rounds import painted
from t2ilab.models.language import LanguageModel, Trace, most_likely
from t2ilab.plots import BLUE, INK, PAPER, RED, arranged, letters

LINE, NAME, BAR, STATE = 19, 92, 110, 256  # pixels: height of a line; widths of its three parts
BESIDE = 262  # width of what stands beside
GREY, LIGHT = (150, 150, 160), (238, 240, 248)


class ReadingExplorer(Explorer):
    """A box for the caption, and a slider for the word that has been read.

    Args:
        model: of sentences.
        probes: attribute -> a classifier from states to values, as scikit-learn has them
            (`classes_`, `predict_proba`).
        caption: the first one.
        lab: see `Explorer`.

    Raises:
        UsageError: a probe for states of another length.
    """

    def __init__(
        self, model: LanguageModel, probes: Mapping[str, Any], caption: str, lab: Any = None
    ):
        for name, probe in probes.items():
            if probe.n_features_in_ != model.network.cell.hidden:
                raise UsageError(
                    f"the probe of {name} reads {probe.n_features_in_} numbers, and the state has "
                    f"{model.network.cell.hidden}: fit it on the states of this model."
                )
        self._trace = lru_cache(maxsize=32)(model.read)
        self.model, self.probes = model, dict(probes)
        controls = {
            "caption": widgets.Text(value=caption),
            "step": widgets.IntSlider(value=4, min=0, max=30),
        }
        super().__init__(
            self._reading, controls, play="step", title="a caption, word by word", lab=lab, scale=1
        )

    def _reading(self, caption: str, step: int) -> Image.Image:
        trace = self._trace(caption)
        step = max(0, min(int(step), len(trace.words)))
        return arranged(
            [words_read(trace, step), known_after(trace, step, self.model, self.probes)],
            columns=2,
            across=16,
        )


def words_read(trace: Trace, step: int) -> Image.Image:
    """One line a word; those that were not read yet are grey."""
    image = Image.new("RGB", (NAME + BAR + STATE, LINE * (len(trace.words) + 2)), PAPER)
    draw, font = ImageDraw.Draw(image), letters(13)
    for x, words in ((0, "word"), (NAME, "moves the state by"), (NAME + BAR, "the state h")):
        draw.text((x, 1), words, GREY, letters(12))
    changes, most = trace.changes, float(trace.changes.max())
    limit = float(trace.states.abs().max())
    for t, (word, change) in enumerate(zip(["", *trace.words], [0.0, *changes], strict=True)):
        top = LINE * (t + 1)
        if t == step:
            draw.rectangle((0, top, NAME + BAR - 4, top + LINE - 1), LIGHT)
        read = t <= step
        draw.text((2, top + 1), word or "(nothing)", INK if read else GREY, font)
        if not read:
            continue
        length = (BAR - 34) * float(change) / most
        colour = RED if t == step else BLUE
        draw.rectangle((NAME, top + 4, NAME + length, top + LINE - 5), colour)
        if t:
            draw.text((NAME + length + 4, top + 2), f"{change:.1f}", INK, letters(11))
        strip = painted(trace.states[t].numpy()[None] / limit, BLUE, PAPER, RED)
        image.paste(Image.fromarray(strip).resize((STATE, LINE - 3), 0), (NAME + BAR, top + 1))
    return image


def known_after(
    trace: Trace, step: int, model: LanguageModel, probes: Mapping[str, Any]
) -> Image.Image:
    """The words that may follow, and what the probes read."""
    rows = most_likely(trace.next[step], model.vocabulary, 6)
    read = {name: likeliest(probe, trace.states[step]) for name, probe in probes.items()}
    image = Image.new("RGB", (BESIDE, LINE * (len(rows) + len(read) + 3)), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((0, 1), "what may follow", GREY, letters(12))
    for k, (word, p) in enumerate(rows):
        _bar(draw, LINE * (k + 1), word, p, BLUE)
    top = LINE * (len(rows) + 2)
    draw.text((0, top - LINE + 8), "what probes read from h", GREY, letters(12))
    for k, (name, (value, p)) in enumerate(read.items()):
        _bar(draw, top + LINE * k + 8, f"{name}: {value}", p, RED)
    return image


def likeliest(probe: Any, state: Float[torch.Tensor, " hidden"]) -> tuple[str, float]:
    """The value that a probe holds most likely, and its probability."""
    p = probe.predict_proba(state.numpy()[None])[0]
    return str(probe.classes_[int(np.argmax(p))]), float(p.max())


def _bar(draw: ImageDraw.ImageDraw, top: int, words: str, p: float, colour: tuple) -> None:
    draw.text((2, top + 1), words, INK, letters(13))
    draw.rectangle((128, top + 4, 128 + 92 * p, top + LINE - 5), colour)
    draw.text((128 + 92 * p + 4, top + 2), f"{p:.2f}", INK, letters(11))
