"""Captions of PaperWorld: from templates to sentences, and from a sentence back to what it states.

A template's slots name content attributes: `{breast}` is replaced by a word for the breast's colour
and states it; `{breast+crown}` fits only where both have the same value and states both.
"""

import re
from dataclasses import dataclass

SLOT = re.compile(r"\{([a-z_+]+)\}")
WORD = re.compile(r"[a-z]+(?:[-_][a-z]+)*")

BOUNDARIES = ("a", "an", "the", "its", "and", "with", "has", "have", "is", "are")


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


def read(
    text: str,
    meanings: dict[str, str],
    kinds: dict[str, list[str]],
    heads: dict[str, list[str]],
    plain: dict[str, str] | None = None,
) -> dict[str, str]:
    """What a free sentence states: attribute -> value.

    Adjectives are given to the noun after them ("blue wings"), to the subject of "is" ("its wings
    are blue"), and over "and" ("a red breast and crown").

    Args:
        meanings: word -> value ("crimson" -> "red").
        kinds: value -> the attributes that can take it.
        heads: noun -> the attributes that its adjectives can set; a noun with none (the "field" of
            "a green field") only takes its adjectives with it.
        plain: value -> its attribute, for values that state themselves wherever they stand ("dog",
            "running").
    """
    plain = plain or {}
    stated: dict[str, str] = {}
    pending: list[str] = []
    noun, last, copula, chained = None, [], False, False

    def give(values, word):
        for value in values:
            for name in heads.get(word, ()):
                if name in kinds.get(value, ()) and name not in stated:
                    stated[name] = value

    words = _words(text, meanings)
    for position, word in enumerate(words):
        if meanings.get(word) in plain:
            word = meanings[word]  # synonyms share the head of their value
            stated.setdefault(plain[word], word)
            if word not in heads:
                continue
        if word in heads and not heads[word]:
            pending, copula, chained = [], False, False
        elif word in meanings and word not in plain:
            value = meanings[word]
            if copula and noun:
                give([value], noun)
            else:
                pending.append(value)
        elif word in ("is", "are"):
            copula = True
        elif word in ("in", "wearing"):
            copula = False
        elif word in ("a", "an") and copula:  # "are pointed, a black centre": another noun begins
            ahead = (w for w in words[position + 1 :] if w in heads or w in BOUNDARIES)
            copula = next(ahead, "its") not in heads
        elif word == "and":
            chained = bool(last) and not pending
        elif word in heads and word != "with":
            values = pending or (last if chained else [])
            give(values, word)
            noun, last, pending, copula, chained = word, values, [], False, False
        elif word in ("with", "has", "have"):
            give(pending, noun) if noun and copula else None
            copula = False
            before, after = words[position - 2 : position - 1], words[position + 2 : position + 3]
            if word == "with" and noun == "bird" and before == ["is"] and after in ([], ["and"]):
                noun, copula = "with", True  # "this bird is red with white"
    if pending and noun:
        give(pending, noun)
    return stated


def _words(text: str, meanings: dict[str, str]) -> list[str]:
    """The words of a text; a term of several words that has a meaning ("stop sign") is one word."""
    text = text.lower()
    for term in sorted((m for m in meanings if " " in m), key=len, reverse=True):
        text = re.sub(rf"\b{term}\b", term.replace(" ", "_"), text)
    return [word.replace("_", " ") for word in WORD.findall(text)]
