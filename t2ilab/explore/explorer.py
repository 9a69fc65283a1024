"""The shell that all explorers share: controls above, one picture below.

An explorer is a pure function `render(**state) -> PIL.Image` and an `Explorer` around it:

    def render(caption: str, seed: int) -> Image: ...

    explorer = Explorer(
        render,
        {"caption": widgets.Text("a red bird"), "seed": widgets.IntSlider(0, max=99)},
        buttons={"Other noise": lambda state: {"seed": (state["seed"] + 1) % 100}},
        title="pictures from a caption",
        lab=lab,
    )
    explorer  # the last line of a cell shows it
    lab.figure("sweep", explorer.contact_sheet([{"seed": s} for s in range(8)]))

There is no `Output` widget, for that swallows errors. Setting `explorer.controls["seed"].value`
draws before the assignment returns, with or without a browser.
"""

import html
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any

import ipywidgets as widgets
import torch
from PIL import Image

from t2ilab.errors import T2ILabError, UsageError, choose
from t2ilab.explore.sheet import contact_sheet, differences

State = dict[str, Any]

_CRISP = "<style>.t2ilab-crisp, .t2ilab-crisp img {image-rendering: pixelated}</style>"
_RED = "color: var(--jp-error-color1, #b00020); line-height: 1.4"
_UNSEEN = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)"
_WIDEST = 640  # screen pixels of the enlarged picture


class Explorer:
    """Controls bound to a pure function that draws.

    Args:
        render: called with one keyword argument per control, under `torch.inference_mode()`.
            It must depend on nothing else, for its pictures are kept by their state.
        controls: ipywidgets with a `.value`, by the name of the argument. Floats are rounded to
            `digits` and lists become tuples before `render` sees them.
        buttons: by label, a function from the state to the values to change.
        play: the name of a slider that a play button moves.
        title: what the picture shows, in words (for those who hear the page, or print it).
        lab: told of errors by `lab.watch(error)`, so that `lab.finish()` raises them. A
            `UsageError` after the first drawing (a caption of unknown words, say) answers what
            the user just did: it is shown and not reported.
        scale: screen pixels per pixel; by default as many as fit into 640.
        cache: how many pictures are kept, the least recently used dropped first.
    """

    def __init__(
        self,
        render: Callable[..., Image.Image],
        controls: Mapping[str, widgets.ValueWidget],
        *,
        buttons: Mapping[str, Callable[[State], State]] | None = None,
        play: str | None = None,
        title: str = "picture",
        lab: Any = None,
        scale: int | None = None,
        digits: int = 3,
        cache: int = 128,
    ):
        self.render, self.controls, self.title = render, dict(controls), title
        self._lab, self._scale, self._digits = lab, scale, digits
        self._png = lru_cache(maxsize=cache)(self._draw)
        self._held, self._drawings = False, 0
        self.image = widgets.Image(format="png", layout=widgets.Layout(max_width="100%"))
        self.image.add_class("t2ilab-crisp")
        self.message, self.status = widgets.HTML(), widgets.HTML()
        self.box = widgets.VBox(
            [
                widgets.HTML(_CRISP, layout=widgets.Layout(display="none")),
                *self._rows(dict(buttons or {}), play),
                self.message,
                self.image,
                self.status,
            ]
        )
        for control in self.controls.values():
            control.observe(self._changed, names="value")
        self.update()

    @property
    def state(self) -> State:
        """The values of the controls, rounded, as `render` gets them."""
        return {name: self._rounded(control.value) for name, control in self.controls.items()}

    def set(self, **values: Any) -> None:
        """Move several controls and draw once; sliders keep within their range.

        Raises:
            UsageError: there is no control of that name.
        """
        for name in values:
            choose("control", name, self.controls)
        self._held = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._held = False
        self.update()

    def picture(self, **changes: Any) -> Image.Image:
        """The picture of the present state with `changes`, controls unmoved; errors are raised.

        Raises:
            UsageError: there is no control of that name.
        """
        for name in changes:
            choose("control", name, self.controls)
        state = self.state | {name: self._rounded(value) for name, value in changes.items()}
        picture = Image.open(BytesIO(self._png(tuple(state.items()))))
        picture.load()
        return picture

    def contact_sheet(
        self,
        states: Sequence[State],
        labels: Sequence[str] | None = None,
        *,
        columns: int | None = None,
    ) -> Image.Image:
        """The pictures of a sweep side by side: what a page without a kernel shows.

        `states` need to name only what differs from the present state; without `labels` each
        is labelled with what differs among them. Errors are raised.
        """
        labels = differences(states) if labels is None else labels
        return contact_sheet([self.picture(**s) for s in states], labels, columns=columns)

    def update(self) -> None:
        """Draw the present state into the widget; an error is shown instead, and reported."""
        began, misses = time.perf_counter(), self._png.cache_info().misses
        self._drawings += 1
        try:
            png = self._png(tuple(self.state.items()))
        except Exception as error:
            self._fail(error)
            return
        kept = ", kept from before" if self._png.cache_info().misses == misses else ""
        width = Image.open(BytesIO(png)).width
        self.image.width = str(width * (self._scale or max(1, _WIDEST // width)))
        self.image.value = png
        self.message.value = ""
        self.status.value = self._words(1000 * (time.perf_counter() - began), kept)

    def _words(self, milliseconds: float, kept: str) -> str:
        """The line below the picture, and what the picture is for those who hear the page.

        (Not the picture's tooltip: the view of an Image in the browser fails on one.)
        """
        state = ", ".join(f"{name} {value}" for name, value in self.state.items())
        heard = f'<span style="{_UNSEEN}">{html.escape(f"{self.title}: {state}")}</span>'
        return f'<small role="status">{heard}{milliseconds:.0f} ms{kept}</small>'

    def _draw(self, items: tuple[tuple[str, Any], ...]) -> bytes:
        with torch.inference_mode():
            picture = self.render(**dict(items))
        if not isinstance(picture, Image.Image):
            raise T2ILabError(f"render gave a {type(picture).__name__}; expected a PIL image")
        buffer = BytesIO()
        picture.save(buffer, "PNG", compress_level=3)
        return buffer.getvalue()

    def _changed(self, _: Any) -> None:
        if not self._held:
            self.update()

    def _press(self, action: Callable[[State], State]) -> None:
        try:
            self.set(**action(self.state))
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        kind = "" if isinstance(error, T2ILabError) else f"{type(error).__name__}: "
        text = html.escape(f"{kind}{error}".rstrip(". "))
        end = "" if text.endswith(("?", "!", ":")) else "."
        still = " The picture below is the last one that worked." if self.image.value else ""
        self.message.value = f'<div role="alert" style="{_RED}">{text}{end}{still}</div>'
        self.status.value = ""
        answer = isinstance(error, UsageError) and self._drawings > 1
        if self._lab is not None and not answer:
            self._lab.watch(error)

    def _rounded(self, value: Any) -> Any:
        if isinstance(value, float):
            return round(value, self._digits) + 0.0  # no -0.0
        if isinstance(value, (list, tuple)):
            return tuple(self._rounded(one) for one in value)
        return value

    def _rows(self, buttons: dict, play: str | None) -> list[widgets.Widget]:
        wide = [_dress(name, control) for name, control in self.controls.items()]
        actions: list[widgets.Widget] = []
        if play is not None:
            actions.append(_play(self.controls[choose("control", play, self.controls)]))
        for label, action in buttons.items():
            button = widgets.Button(description=label, tooltip=label)
            button.layout.width = "auto"
            button.on_click(lambda _, action=action: self._press(action))
            actions.append(button)
        self.buttons = {b.description: b for b in actions if isinstance(b, widgets.Button)}
        row = widgets.Layout(flex_flow="row wrap", width="100%")
        rows = [widgets.Box(wide, layout=row)]
        return [*rows, widgets.Box(actions, layout=row)] if actions else rows

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle = dict(self.box._repr_mimebundle_())
        bundle["text/plain"] = f"[{self.title}: move the controls in a running notebook]"
        return bundle


def _dress(name: str, control: widgets.ValueWidget) -> widgets.Widget:
    """Label a control, let it draw on release only, and give a line of text the whole width."""
    if control.has_trait("description"):
        control.description = control.description or name.replace("_", " ")
        control.style.description_width = "initial"
    if control.has_trait("continuous_update"):
        control.continuous_update = False
    if isinstance(control, widgets.Text):
        control.layout.width = "100%"
    control.layout.margin = "2px 16px 2px 0"
    return control


def _play(slider: Any) -> widgets.Play:
    """A play button for a slider of whole numbers, or of a list of options."""
    if isinstance(slider, widgets.SelectionSlider):
        first, last, step, moves = 0, len(slider.options) - 1, 1, "index"
    elif isinstance(slider, widgets.IntSlider):
        first, last, step, moves = slider.min, slider.max, slider.step, "value"
    else:
        kind = type(slider).__name__
        raise UsageError(f"play moves an IntSlider or a SelectionSlider; this is a {kind}")
    play = widgets.Play(min=first, max=last, step=step, value=getattr(slider, moves), interval=300)
    widgets.jslink((play, "value"), (slider, moves))  # in the browser; the slider then tells us
    return play
