"""The options of a system: the fields of a frozen dataclass, which say all about themselves.

The command line, its help, `run.json` and the weights' command are made from them. A recipe derives
its own `Options` from those here and adds fields by `option`.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from t2ilab.data import paperworld, public
from t2ilab.environment import DEVICES, PROFILES
from t2ilab.errors import UsageError, choose


def option(
    default: Any,
    help: str,
    *,
    kind: type = str,
    choices: Iterable[str] | None = None,
    called: str = "",
    least: float = -math.inf,
    most: float = math.inf,
    path: bool = False,
    free: bool = False,
    objects: Sequence[type] = (),
    shown: bool = True,
) -> Any:
    """A field of `Options`.

    Args:
        default: None: not given.
        help: a line for `--help`.
        kind: str, int or float.
        choices: the names that there are; `called`: what one of them is, for messages.
        least, most: of a number; a float must be finite as well.
        path: it names a file or folder: made absolute, and only its last part goes into the record
            of shipped weights.
        free: a resume may change it, for it does not make another run.
        objects: types that may be given in Python in place of a text.
        shown: False: for Python only, no option of the command line.
    """
    return field(
        default=default,
        metadata=dict(help=help, kind=kind, choices=choices, called=called, least=least, most=most,
                      path=path, free=free, objects=tuple(objects), shown=shown),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every system takes.

    Raises:
        UsageError: a field of another type, an unknown name, a number out of range.
    """

    system: str
    profile: str = option("laptop", "smoke, laptop or gpu: sizes and budgets.", choices=PROFILES)
    steps: int | None = option(
        None, "Budget; whichever ends first.", kind=int, least=1, most=10**10, free=True
    )
    minutes: float | None = option(
        None, "Budget; in all, with what came before a resume.", kind=float, least=0, most=10**6,
        free=True,
    )  # fmt: skip
    seed: int = option(0, "Of weights, data order and noise.", kind=int, least=0, most=2**32 - 1)
    device: str = option("auto", "auto, cpu, cuda or mps.", choices=DEVICES, free=True)

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.name != "system" and (value := getattr(self, f.name)) is not None:
                _check(f.name, value, **f.metadata)
        if self.minutes == 0:
            raise UsageError("--minutes 0: give a number above 0.")

    @property
    def of(self) -> str:
        """What it learns from, in one word: the world, or the data set."""
        return getattr(self, "world", None) or getattr(self, "data", None) or "data"

    def plain(self) -> dict[str, Any]:
        """What was given or holds by default, as JSON has it; an object by its type's name."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: value if isinstance(value, str | int | float) else f"<{type(value).__name__}>"
            for name, value in given.items()
            if value is not None
        }

    @classmethod
    def free(cls) -> tuple[str, ...]:
        """The names of what a resume may change."""
        return tuple(f.name for f in shown(cls) if f.metadata["free"])


@dataclass(frozen=True, kw_only=True)
class Source(Options):
    """Of a system that learns from a world of PaperWorld, or from a data set in a folder."""

    world: str | None = option(
        None,
        f"Of PaperWorld: {', '.join(paperworld.WORLDS)}; default birds.",
        choices=paperworld.WORLDS,
    )
    data: str | None = option(
        None,
        f"A public data set: {', '.join(public.DATASETS)}.",
        choices=public.DATASETS,
        called="data set",
    )
    root: str | None = option(None, "Where its files are.", path=True, free=True)

    @property
    def origin(self) -> dict[str, str | None]:
        """The options by which another recipe learns from the same: see `prepare`."""
        return {"world": self.world} if self.world else {"data": self.data, "root": self.root}

    def __post_init__(self) -> None:
        if self.world is not None and (self.data is not None or self.root is not None):
            raise UsageError("give either --world or --data with --root, not both.")
        if self.world is None and self.data is None and not self.has_own():
            object.__setattr__(self, "world", "birds")
        super().__post_init__()

    def has_own(self) -> bool:
        """Whether the data was given as an object, in Python."""
        return False


@dataclass(frozen=True, kw_only=True)
class Pictures(Source):
    """Of a system that learns from pictures of one size."""

    size: int | None = option(
        None, "Side of the pictures in pixels: 32, 64 or 128.", kind=int, least=1, most=512
    )


def shown(options: type[Options]) -> list:
    """The fields that are options of the command line, the system's own first."""
    every = [f for f in fields(options) if f.name != "system" and f.metadata["shown"]]
    common = {f.name for f in fields(Options)}
    return sorted(every, key=lambda f: f.name in common)


def make(options: type[Options], system: str, given: dict[str, Any]) -> Options:
    """The options with these values; a name that the system does not take is refused by name."""
    known = {f.name for f in fields(options)} - {"system"}
    for name in given:
        if name not in known:
            listed = ", ".join(flag(f.name) for f in shown(options))
            raise UsageError(
                f"{flag(name)} is no option of 'train {system}', which takes {listed}."
            )
    needed = [f.name for f in fields(options) if f.default is MISSING and f.name != "system"]
    if missing := [name for name in needed if name not in given]:
        raise UsageError(f"'train {system}' needs {', '.join(map(flag, missing))}.")
    return options(system=system, **given)


def from_texts(options: type[Options], texts: dict[str, str]) -> dict[str, Any]:
    """Values of options as they stand on a command line, by the kind of each; of no option: as is.

    Raises:
        UsageError: a text that is no number, where one is expected.
    """
    kinds = {f.name: f.metadata["kind"] for f in shown(options)}
    given = dict(texts)
    for name, text in texts.items():
        try:
            given[name] = kinds.get(name, str)(text)
        except ValueError:
            words = "a whole number" if kinds[name] is int else "a number"
            raise UsageError(f"{name}={text:.60}: expected {words}.") from None
    return given


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check(name, value, *, kind, choices, called, least, most, path, objects, **_) -> None:
    if objects and isinstance(value, objects):
        return
    if path and isinstance(value, Path):
        return
    wanted = (int, float) if kind is float else kind
    if not isinstance(value, wanted) or isinstance(value, bool):
        words = {str: "a text", int: "a whole number", float: "a number"}[kind]
        raise UsageError(f"{flag(name)} {value!r:.60}: expected {words}.")
    if choices is not None:
        choose(called or name, value, choices)
    if kind is not str and not (least <= value <= most and math.isfinite(value)):
        raise UsageError(f"{flag(name)} {value}: give a finite number from {least} to {most}.")
