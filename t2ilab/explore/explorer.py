"""The frame that all explorers share: controls, and beside them one picture.

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
draws before the assignment returns, with or without a browser. Sliders draw while they are dragged:
the page keeps back the moves of a slider until the last one is drawn, and then sends the newest.
"""

import html
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any

import ipywidgets as widgets
import torch
from PIL import Image

from t2ilab.errors import T2ILabError, UsageError, choose
from t2ilab.explore.sheet import contact_sheet, differences

State = dict[str, Any]
OTHER_NOISE = {"Other noise": lambda state: {"seed": (state["seed"] + 1) % 100}}  # a button

_WIDEST, _HIGHEST = 640, 540  # screen pixels: of a picture that is enlarged, and of any
_LONGEST = 240  # letters of a message
_CSS = """<style>
.t2ilab-explorer {display: flex; flex-flow: row wrap; gap: 8px 20px; align-items: flex-start}
.t2ilab-explorer, .t2ilab-explorer .widget-box {overflow: visible}
.t2ilab-panel {flex: 1 1 250px; max-width: 280px}
.t2ilab-view {flex: 4 1 420px; min-width: 0}
.t2ilab-view img {max-width: 100%; height: auto; object-fit: contain; object-position: 0 0}
.t2ilab-view img.t2ilab-crisp {image-rendering: pixelated}
.t2ilab-old img {opacity: 0.35}
.t2ilab-panel > * {width: auto; max-width: 100%}
.t2ilab-panel .widget-box > * {width: auto; flex: 1 1 auto; max-width: 100%}
.t2ilab-panel .t2ilab-controls > * {flex-basis: 240px}
.t2ilab-panel .widget-inline-hbox .widget-label {width: auto; max-width: 45%; text-align: left}
.t2ilab-panel .widget-text, .t2ilab-panel .widget-dropdown
  {flex-direction: column; height: auto; align-items: stretch}
.t2ilab-panel .widget-text > *, .t2ilab-panel .widget-dropdown > * {flex: none; max-width: 100%}
.t2ilab-panel .widget-dropdown > select {height: 28px}
.t2ilab-panel > .jupyter-button {align-self: flex-start}
.t2ilab-panel .widget-html:has(.widget-html-content:empty) {display: none}
.t2ilab-panel .widget-html-content
  {line-height: 1.4; white-space: normal; overflow-wrap: anywhere; font-size: inherit}
.t2ilab-large .t2ilab-panel, .jp-mod-presentationMode .t2ilab-panel {zoom: 1.3; max-width: 210px}
.t2ilab-large .t2ilab-view img, .jp-mod-presentationMode .t2ilab-view img
  {width: 100%; max-height: calc(100vh - 130px)}
.t2ilab-explorer.t2ilab-wide > .t2ilab-panel {flex-basis: 100%; max-width: none}
.t2ilab-wide .t2ilab-controls > * {flex: 0 1 320px; margin-right: 20px}
.t2ilab-wide .t2ilab-actions > * {flex: none}
</style>"""
_RED = "color: var(--jp-error-color1, #b00020)"
_UNSEEN = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)"


class Explorer:
    """Controls bound to a pure function that draws.

    Args:
        render: called with one keyword argument per control, under `torch.inference_mode()`.
            It must depend on nothing else, for its pictures are kept by their state.
        controls: ipywidgets with a `.value`, by the name of the argument. Floats are rounded to
            `digits` and lists become tuples before `render` sees them.
        buttons: by label, a function from the state to the values to change.
        play: the name of a slider that a play button moves.
        note: from the state to words that stand below the controls while the picture is shown.
        idle: from the state to the names of controls that change nothing in it: they are greyed.
        more: widgets that stand between the controls and the buttons.
        title: what the picture shows, in words (for those who hear the page, or print it).
        lab: told of errors by `lab.watch(error)`, so that `lab.finish()` raises them. A
            `UsageError` after the first drawing (a caption of unknown words, say) answers what
            the user just did: it is shown and not reported.
        scale: screen pixels per pixel; by default as many as fit into 640 x 540. A picture that
            is higher than that is made smaller.
        cache: how many pictures are kept, the least recently used dropped first.
    """

    def __init__(
        self,
        render: Callable[..., Image.Image],
        controls: Mapping[str, widgets.ValueWidget],
        *,
        buttons: Mapping[str, Callable[[State], State]] | None = None,
        play: str | None = None,
        note: Callable[..., str] | None = None,
        idle: Callable[[State], Collection[str]] | None = None,
        more: Sequence[widgets.Widget] = (),
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
        self.image = widgets.Image(format="png")
        self.message, self.said, self.status = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._note, self._idle = note, idle
        self.large = widgets.ToggleButton(
            description="Large", icon="expand", tooltip="Enlarge picture and controls"
        )
        self.large.observe(lambda change: _mark(self.box, "t2ilab-large", change["new"]), "value")
        rows = self._rows(dict(buttons or {}), play, more)
        self.panel = widgets.VBox([*rows, self.message, self.said, self.status])
        self.view = widgets.Box([self.image])
        style = widgets.HTML(_CSS, layout=widgets.Layout(display="none"))
        self.box = widgets.Box([style, self.panel, self.view])
        for part, name in ((self.box, "explorer"), (self.panel, "panel"), (self.view, "view")):
            part.add_class(f"t2ilab-{name}")
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
            for name in (one for one in self.controls if one in values):
                self.controls[name].value = values[name]
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
        if self._idle is not None:
            resting = self._idle(self.state)
            for name, control in self.controls.items():
                control.disabled = name in resting
        try:
            png = self._png(tuple(self.state.items()))
            said = "" if self._note is None else self._note(**self.state)
        except Exception as error:
            self._fail(error)
            return
        kept = ", kept from before" if self._png.cache_info().misses == misses else ""
        self._fit(*Image.open(BytesIO(png)).size)
        self.image.value = png
        self.message.value = ""
        _mark(self.view, "t2ilab-old", False)
        self.said.value = html.escape(_short(said))
        self.status.value = self._words(1000 * (time.perf_counter() - began), kept)

    def _fit(self, width: int, height: int) -> None:
        """As large as there is room; what is very wide stands below the controls."""
        room = min(_WIDEST // width, _HIGHEST // height)
        scale = min(self._scale or max(1, room), _HIGHEST / height)
        self.image.width = str(round(width * scale))
        _mark(self.image, "t2ilab-crisp", scale > 1)
        _mark(self.box, "t2ilab-wide", width > 2.6 * height)

    def _words(self, milliseconds: float, kept: str) -> str:
        """The line below the picture, and what the picture is for those who hear the page.

        (Not the picture's tooltip: the view of an Image in the browser fails on one.)
        """
        state = ", ".join(f"{name.rstrip('_')} {value}" for name, value in self.state.items())
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
        text = _short(f"{kind}{error}").rstrip(". ")
        end = "" if text.endswith(("?", "!", ":", "…")) else "."
        self.message.value = f'<div role="alert" style="{_RED}">{html.escape(text)}{end}</div>'
        self.said.value = ""
        self.status.value = (
            "<small>The picture is the last one that worked.</small>" if self.image.value else ""
        )
        _mark(self.view, "t2ilab-old", True)
        answer = isinstance(error, UsageError) and self._drawings > 1
        if self._lab is not None and not answer:
            self._lab.watch(error)

    def _rounded(self, value: Any) -> Any:
        if isinstance(value, float):
            return round(value, self._digits) + 0.0  # no -0.0
        if isinstance(value, (list, tuple)):
            return tuple(self._rounded(one) for one in value)
        return value

    def _rows(
        self, buttons: dict, play: str | None, more: Sequence[widgets.Widget]
    ) -> list[widgets.Widget]:
        controls = widgets.Box([_dress(name, one) for name, one in self.controls.items()])
        actions: list[widgets.Widget] = []
        if play is not None:
            actions.append(_play(self.controls[choose("control", play, self.controls)]))
        for label, action in buttons.items():
            button = widgets.Button(description=label, tooltip=label)
            button.on_click(lambda _, action=action: self._press(action))
            actions.append(button)
        self.buttons = {b.description: b for b in actions if isinstance(b, widgets.Button)}
        self.actions = widgets.Box([*actions, self.large])
        for row, name in ((controls, "controls"), (self.actions, "actions")):
            row.add_class(f"t2ilab-{name}")
            row.layout.flex_flow = "row wrap"
        return [controls, *more, self.actions]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle = dict(self.box._repr_mimebundle_())
        bundle["text/plain"] = f"[{self.title}: move the controls in a running notebook]"
        return bundle


def _mark(widget: widgets.DOMWidget, name: str, on: bool) -> None:
    """Give it a class of the style sheet, or take it away; no message where nothing changes."""
    if on != (name in widget._dom_classes):
        (widget.add_class if on else widget.remove_class)(name)


def _short(text: str) -> str:
    """In one line of bearable length."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[:_LONGEST].rsplit(" ", 1)[0] + " …"


def _dress(name: str, control: widgets.ValueWidget) -> widgets.Widget:
    """Label a control; a slider draws while it is dragged, anything typed when it is finished."""
    if control.has_trait("description"):
        control.description = control.description or name.replace("_", " ")
        control.style.description_width = "initial"
    if control.has_trait("continuous_update"):
        control.continuous_update = control.has_trait("readout")  # which only sliders have
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
    play.tooltip = "Play, stop, repeat"
    widgets.jslink((play, "value"), (slider, moves))  # in the browser; the slider then tells us
    if moves == "value":
        widgets.jslink((slider, "max"), (play, "max"))
    return play
