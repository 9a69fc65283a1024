"""Products of concepts: several phrases in one energy, joined by AND, OR and NOT.

Each phrase t has an energy of its own, gamma s(x, t), which stands for log p(t|x). Energies of
several phrases make one (Du, Li and Mordatch 2020, "Compositional visual generation with energy
based models", sect. 3):

    AND   p(a|x) p(b|x)                the sum of the energies
    OR    p(a|x) + p(b|x)              their logsumexp
    NOT   1 / p(a|x)^alpha             minus alpha times the energy

    wanted = And(Phrase("a red bird"), Not(Phrase("a bird on a branch")))
    f = system.energy(wanted, gamma=10)

Their released code computes OR and then overwrites it, and has the weight of NOT fixed at 0.001;
here the three are what the equations say.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError

Energies = Mapping[str, Float[Tensor, " b"]]
LARGEST = 100.0


class Concept:
    """A phrase, or several that are joined; see `Phrase`, `And`, `Or`, `Not`."""

    def energy(self, of: Energies) -> Float[Tensor, " b"]:
        """The energy of b pictures, given that of each phrase: gamma s(x, t)."""
        raise NotImplementedError

    def signed(self, sign: int = 1) -> Iterator[tuple[str, int]]:
        """Every phrase in it, with 1, or -1 where it is under an odd number of NOTs."""
        raise NotImplementedError

    def phrases(self) -> list[str]:
        """Every phrase once, in order."""
        return list(dict.fromkeys(phrase for phrase, _ in self.signed()))

    def words(self) -> str:
        """How it is read: "a red bird AND NOT a bird on a branch"."""
        raise NotImplementedError


@dataclass(frozen=True)
class Phrase(Concept):
    """weight · gamma s(x, t).

    Raises:
        UsageError: the weight is not from above 0 to 100.
    """

    text: str
    weight: float = 1.0

    def __post_init__(self):
        _check(self.weight, self.text)

    def energy(self, of: Energies) -> Float[Tensor, " b"]:
        return self.weight * of[self.text]

    def signed(self, sign: int = 1) -> Iterator[tuple[str, int]]:
        yield self.text, sign

    def words(self) -> str:
        return self.text


class _Joined(Concept):
    """What AND and OR share: two or more parts."""

    word: str

    def __init__(self, *parts: Concept | str):
        self.parts = tuple(Phrase(p) if isinstance(p, str) else p for p in parts)
        if not self.parts:
            raise UsageError(f"{self.word} of nothing: give it at least one phrase.")

    def signed(self, sign: int = 1) -> Iterator[tuple[str, int]]:
        for part in self.parts:
            yield from part.signed(sign)

    def words(self) -> str:
        return f" {self.word} ".join(
            f"({p.words()})" if isinstance(p, _Joined) and len(p.parts) > 1 else p.words()
            for p in self.parts
        )


class And(_Joined):
    """All of the parts: the sum of their energies.

    Raises:
        UsageError: no part, or a phrase together with its own negation.
    """

    word = "AND"

    def __init__(self, *parts: Concept | str):
        super().__init__(*parts)
        alone = [next(iter(p.signed())) for p in self.parts if len(list(p.signed())) == 1]
        for phrase in dict.fromkeys(text for text, _ in alone):
            if {(phrase, 1), (phrase, -1)} <= {*alone}:
                raise UsageError(
                    f"'{phrase}' AND NOT '{phrase}': no picture is both. Take one of them out."
                )

    def energy(self, of: Energies) -> Float[Tensor, " b"]:
        return torch.stack([part.energy(of) for part in self.parts]).sum(0)


class Or(_Joined):
    """At least one of the parts: the logsumexp of their energies, never below the largest."""

    word = "OR"

    def energy(self, of: Energies) -> Float[Tensor, " b"]:
        return torch.stack([part.energy(of) for part in self.parts]).logsumexp(0)


class Not(Concept):
    """As little of the part as can be: minus alpha times its energy.

    Args:
        weight: alpha, from above 0 to 100 (UsageError).
    """

    def __init__(self, part: Concept | str, weight: float = 1.0):
        self.part = Phrase(part) if isinstance(part, str) else part
        self.weight = _check(weight, f"NOT {self.part.words()}")

    def energy(self, of: Energies) -> Float[Tensor, " b"]:
        return -self.weight * self.part.energy(of)

    def signed(self, sign: int = 1) -> Iterator[tuple[str, int]]:
        yield from self.part.signed(-sign)

    def words(self) -> str:
        return f"NOT {self.part.words()}"


def _check(weight: float, of: str) -> float:
    if not (isinstance(weight, int | float) and 0 < weight <= LARGEST and math.isfinite(weight)):
        raise UsageError(
            f"the weight of '{of}' is {weight}: a number above 0 and at most {LARGEST:.0f} is "
            "needed. To keep something out of a picture, put Not(...) around its phrase."
        )
    return weight
