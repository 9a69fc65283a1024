"""From a name to a trained system: the only path, for all systems alike.

    trained = train("gan_int_cls", world="birds", minutes=5, out="runs/mine")
    trained.system.draw("a small red bird")

Whatever the system: its options are checked, a folder in use is refused before anything is made,
it trains, is measured and saved; a signal leaves a checkpoint to go on from, and no weights.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from t2ilab import catalogue
from t2ilab.data.captioned import CaptionedImages
from t2ilab.environment import whole_number
from t2ilab.errors import UsageError, WeightsError
from t2ilab.fit import Fitted, Record, Stopped, fit
from t2ilab.fit.checkpoint import NAME as CHECKPOINT
from t2ilab.fit.folder import PREPARED, Folder
from t2ilab.paths import user_path
from t2ilab.recipes.options import Options, make, shown
from t2ilab.systems.system import System


@dataclass(frozen=True)
class Built:
    """What a recipe makes of its options.

    Attributes:
        trainer, batches: for `fit`.
        finish: the trained networks, on the CPU, as a system.
        name: of the weight file.
        data: what it learns from, in words.
        fingerprint: of the data, name -> number or text; a resume with other data is refused.
        steps, minutes: the budget where the options give none.
        precision: for `fit`.
        more: goes into the weights' description.
    """

    trainer: Any
    batches: Callable[[int], dict]
    finish: Callable[[], System]
    name: str
    data: str
    fingerprint: dict[str, int | str] = field(default_factory=dict)
    steps: int | None = None
    minutes: float | None = None
    precision: str = "auto"
    more: dict[str, Any] = field(default_factory=dict)


class Recipe(Protocol):
    """What the module of a recipe offers.

    `Options`, a frozen dataclass derived from `recipes.options.Options`; `System`, the class of
    what it trains; `HEADLINE`, the names of the measured numbers that matter most;
    `build(options, prepare)`, and `measure(system, options, n)` -> name -> number or text, with n
    pictures or captions, by default as many as the profile takes. `prepare(name, **options)` gives
    another trained system that this one needs (see `prepare`).
    """

    Options: type[Options]
    System: type[System]
    HEADLINE: tuple[str, ...]
    build: Callable[..., Built]
    measure: Callable[..., dict[str, float | int | str]]


class Trained(NamedTuple):
    """What a training run gives: the system, how it went, and where it was saved (or None)."""

    system: Any
    fitted: Fitted
    path: Path | None


def train(
    system: str,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    show: bool = True,
    **options: Any,
) -> Trained:
    """Train a system of the catalogue; see `run`. `options`: the fields of its `Options`.

    Raises:
        UsageError: an unknown system, option, name or value.
    """
    recipe = catalogue.recipe(system)
    options = make(recipe.Options, system, options)
    return run(recipe, options, out=out, resume=resume, show=show)


def run(
    recipe: Recipe,
    options: Options,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    show: bool = True,
    command: str = "called from Python",
) -> Trained:
    """Train with these options.

    Args:
        recipe: of the catalogue (a module; see `Recipe`), and `options` of it.
        out: folder for checkpoints, history, strips and, unless a signal ended the run, weights.
        resume: go on with the run in `out`.
        show: whether to draw a bar.
        command: goes into the weights' description.

    Raises:
        UsageError: `out` is a file, there is nothing to resume, or it was another run.
        TrainingError: `out` is in use or not empty, a loss is not finite, a full disk.
        Stopped: a signal came while something was prepared.
    """
    out = None if out is None else user_path(out, "out")
    first = whole_number("RANK", 0) == 0
    if first:  # refuse a folder now, not after minutes of preparation
        Folder(out, resume=resume).see_free()

    def prepared(name: str, **given: Any) -> System:
        return prepare(name, given | {"seed": options.seed}, out, show)

    built = recipe.build(options, prepared)
    own = options.steps is not None or options.minutes is not None
    fitted = fit(
        built.trainer,
        built.batches,
        steps=options.steps if own else built.steps,
        minutes=options.minutes if own else built.minutes,
        out=out,
        resume=resume,
        device=options.device,
        precision=built.precision,
        seed=options.seed,
        show=show,
        record=Record(options.plain(), built.fingerprint, options.free()),
    )
    system = built.finish().cpu().eval()
    if out is None or fitted.stopped == "signal" or not first:
        return Trained(system, fitted, None)
    path = system.save(
        out,
        built.name,
        system=options.system,
        world=getattr(options, "world", None) or "",
        data=built.data,
        command=command,
        seconds=round(fitted.seconds, 1),
        steps=fitted.steps,
        trained_on=f"{fitted.device}, {fitted.precision}",
        measured=rounded(recipe.measure(system, options)),
        headline=list(recipe.HEADLINE),
        more=built.more | {"losses": fitted.last_losses, "options": kept(options)},
    )
    return Trained(system, fitted, path)


def prepare(name: str, given: dict[str, Any], out: Path | None, show: bool) -> System:
    """Another trained system that this run needs: of an earlier part of the run, or trained now.

    It has a folder of its own in that of the run, and is gone on with by a resume like the run.

    Raises:
        Stopped: by a signal, before it was done.
        WeightsError: that of an earlier part is damaged.
        UsageError: several processes, and it is not there yet.
    """
    recipe = catalogue.recipe(name)
    folder = None if out is None else out / PREPARED / name
    if folder is not None and list(folder.glob("*.safetensors")):
        try:
            return recipe.System.load(folder)
        except WeightsError as error:
            raise WeightsError(f"{error} Remove {folder} to train it again.") from error
    if whole_number("WORLD_SIZE", 1) > 1:
        raise UsageError(
            f"several processes need a system '{name}' that is trained: train it first, by "
            f"t2ilab train {name}, and name it by an option of this training."
        )
    begun = folder is not None and (folder / CHECKPOINT).exists()
    trained = train(name, out=folder, resume=begun, show=show, **given)
    if trained.fitted.stopped == "signal":
        raise Stopped(
            f"stopped while '{name}' was trained, which this training needs before it begins. To "
            "go on, make the same call" + (" with resume=True." if out else "."),
            trained.fitted.signal,
        )
    return trained.system


def fingerprint(data: CaptionedImages) -> dict[str, int | str]:
    """What tells whether a resumed run learns from the same pictures and captions."""
    digest = hashlib.blake2b(digest_size=16)
    for i in range(0, len(data), 4096):
        digest.update(data.images[i : i + 4096].tobytes())
    digest.update("\n".join("\t".join(captions) for captions in data.captions).encode())
    return {"name": data.name, "pictures": len(data), "digest": digest.hexdigest()}


def kept(options: Options) -> dict[str, Any]:
    """What stays with weights, to measure them again: no paths, nor what a resume may change."""
    own = {f.name for f in shown(options) if not f.metadata["free"] and not f.metadata["path"]}
    return {name: value for name, value in options.plain().items() if name in own}


def rounded(measured: dict[str, Any]) -> dict[str, Any]:
    """To four places, as they go into a weight file."""
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in measured.items()}
