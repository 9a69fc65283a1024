"""Errors for the user: each message says what was wrong, what was expected and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class T2ILabError(Exception):
    """Base of every error that is meant to be read by the user rather than debugged."""


class UsageError(T2ILabError, ValueError):
    """A name or a value that was given is wrong (exit status 2 on the command line)."""


class CaptionError(UsageError):
    """A caption that cannot be drawn: empty, too long, or made of unknown words only."""


class DataError(T2ILabError):
    """A file or a data set is missing or damaged."""


class WeightsError(DataError):
    """A weight file is missing, cut short, altered, or belongs to another architecture."""


class TrainingError(T2ILabError):
    """Training cannot start or cannot go on."""


def shortened(text: str, most: int) -> str:
    """A text for a message, which it may not fill: at most `most` characters of it."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def choose(kind: str, name: str, choices: Iterable[str]) -> str:
    """Return `name` if it is one of `choices`; else name the nearest one and the whole list.

    Raises:
        UsageError: `name` is not among `choices`.
    """
    choices = list(choices)
    if name in choices:
        return name
    raise UsageError(unknown(kind, name, choices))


def unknown(
    kind: str, name: str, choices: Iterable[str], *, listed: Iterable[str] | None = None
) -> str:
    """The sentence about an unknown name: the nearest one, whatever its case, and the list.

    `listed`: what is listed in place of all `choices`.
    """
    by_lower = {choice.lower(): choice for choice in choices}
    near = get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.5)
    guess = f" did you mean '{by_lower[near[0]]}'?" if near else ""
    names = ", ".join(by_lower.values() if listed is None else listed) or "(none)"
    return f"unknown {kind} '{shortened(str(name), 80)}':{guess} Choose one of: {names}."
