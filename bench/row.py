"""A measured figure beside its reference, and how both are measured: in turn, several times."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """One figure, as it stands in bench.json.

    Attributes:
        name: what was measured.
        value: the median over the repeats, in `unit`.
        reference: the same for what `note` names, measured in the same run, or a limit.
        ratio: how many times better than the reference: above 1 is better, whether more of the
            unit is better or less. The median over the pairs of neighbouring repeats.
        target: what is asked for, in words; "" where nothing is.
        note: what the reference is, and on what machine and at what sizes this was measured.
        minimum, maximum: of the value over the repeats; `reference_minimum` and so on likewise.
    """

    name: str
    value: float
    unit: str
    reference: float
    ratio: float
    target: str
    note: str
    minimum: float
    maximum: float
    reference_minimum: float
    reference_maximum: float

    @classmethod
    def of(
        cls,
        name: str,
        ours: Sequence[float],
        theirs: Sequence[float],
        *,
        unit: str,
        more: bool,
        note: str,
        target: str = "",
    ) -> "Row":
        """A row from repeats of both, in `unit`; `more`: the more of it the better."""
        pairs = list(zip(ours, theirs, strict=True))
        ratios = [a / b if more else b / a for a, b in pairs]
        numbers = (
            median(ours),
            median(theirs),
            median(ratios),
            min(ours),
            max(ours),
            min(theirs),
            max(theirs),
        )
        value, reference, ratio, *spread = (float(f"{number:.4g}") for number in numbers)
        return cls(name, value, unit, reference, ratio, target, note, *spread)

    def __str__(self) -> str:
        target = f"   (target: {self.target})" if self.target else ""
        return (
            f"{self.name}: {self.value:g} {self.unit} [{self.minimum:g} to {self.maximum:g}], "
            f"reference {self.reference:g}, {self.ratio:g} times as good{target}"
        )


def seconds(run: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def in_turn(*runs: Callable[[], object], repeats: int) -> list[list[float]]:
    """Seconds of each of `runs`, called in turn: what slows the machine down slows all of them.

    One round goes before that and does not count (caches, memory, threads).
    """
    for run in runs:
        run()
    rounds = [[seconds(run) for run in runs] for _ in range(repeats)]
    return [list(times) for times in zip(*rounds, strict=True)]
