"""Captions of PaperWorld: from templates to sentences. (`sentences` reads them back.)

A template's slots name content attributes: `{breast}` is replaced by a word for the breast's colour
and states it; `{breast+crown}` fits only where both have the same value and states both.
"""

import re
from dataclasses import dataclass

SLOT = re.compile(r"\{([a-z_+]+)\}")

FINITE = {"has", "have", "is", "are"}  # verbs of templates: a sentence takes no second one


@dataclass(frozen=True)
class Template:
    """A sentence with slots; `when` restricts it to pictures with these attribute values."""

    text: str
    slots: tuple[tuple[str, ...], ...]
    when: dict[str, list[str]]

    @classmethod
    def parse(cls, source: str | dict) -> "Template":
        text, when = (source, {}) if isinstance(source, str) else (source["text"], source["when"])
        return cls(text, tuple(tuple(m.split("+")) for m in SLOT.findall(text)), when)

    @property
    def states(self) -> set[str]:
        """The content attributes that this sentence states."""
        return {name for slot in self.slots for name in slot} | set(self.when)

    def fits(self, facts: dict[str, str]) -> bool:
        """Can this sentence be said of a picture with these facts?"""
        if any(facts[name] not in values for name, values in self.when.items()):
            return False
        values = [{facts[name] for name in slot} for slot in self.slots]
        return all(len(v) == 1 and "none" not in v for v in values)

    def fill(self, facts: dict[str, str], words: dict[str, list[str]], rng) -> str:
        """The sentence with a word for each slot; of several words `rng` draws one."""

        def word(match: re.Match) -> str:
            value = facts[match.group(1).split("+")[0]]
            choices = words.get(value, [value])
            return choices[0] if len(choices) == 1 else choices[int(rng.integers(len(choices)))]

        return re.sub(r"\ba (?=[aeiou])", "an ", SLOT.sub(word, self.text))


def caption(templates: list[Template], facts: dict, words: dict, rng) -> tuple[str, set[str]]:
    """One sentence of those that fit, and the attributes it states."""
    fitting = [t for t in templates if t.fits(facts)]
    chosen = fitting[int(rng.integers(len(fitting)))]
    return chosen.fill(facts, words, rng), chosen.states


@dataclass(frozen=True)
class Aside:
    """The end of a sentence that states style: "flying in the sky".

    Attributes:
        text: what is said.
        states: attribute of style -> its value.
        when: attribute -> the values of the pictures of which it can be said.
    """

    text: str
    states: dict[str, str]
    when: dict[str, list[str]]

    @classmethod
    def parse(cls, source: dict, style: dict) -> "Aside":
        when = source["when"]
        return cls(source["text"], {a: v[0] for a, v in when.items() if a in style}, when)

    @property
    def has_verb(self) -> bool:
        """Whether it begins with a verb: "sits on a branch", "is flying in the sky"."""
        return self.text.split()[0].endswith("s")

    def fits(self, facts: dict[str, str]) -> bool:
        """Can this be said of a picture with these facts?"""
        return all(facts[name] in values for name, values in self.when.items())


def with_asides(text: str, asides: list[Aside], facts: dict, rng) -> tuple[str, set[str]]:
    """A sentence with one or two asides that are true of these facts, and what these state.

    Of the attributes of style of which something can be said one is taken, or two of them; a
    sentence with a verb gets no second one.
    """
    verb = bool(FINITE & {*text.split()})
    true = [a for a in asides if a.fits(facts) and not (verb and a.has_verb)]
    names = [*dict.fromkeys(name for aside in true for name in aside.states)]
    taken = {*rng.permutation(names)[: 2 if rng.random() < 0.3 else 1]}
    chosen: list[Aside] = []
    for name in (name for name in names if name in taken):
        can = [a for a in true if name in a.states and not (chosen and a.has_verb)]
        chosen += [can[int(rng.integers(len(can)))]] if can else []
    return " ".join([text, *(a.text for a in chosen)]), {n for a in chosen for n in a.states}
