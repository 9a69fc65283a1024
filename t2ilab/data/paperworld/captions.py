"""Captions of PaperWorld: from templates to sentences, and from a sentence back to what it states.

A template's slots name content attributes: `{breast}` is replaced by a word for the breast's colour
and states it; `{breast+crown}` fits only where both have the same value and states both.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from t2ilab.text.denials import denies

SLOT = re.compile(r"\{([a-z_+]+)\}")
WORD = re.compile(r"[a-z]+(?:[-_'][a-z]+)*")

FINITE = {"has", "have", "is", "are"}  # verbs of templates: a sentence takes no second one
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


class Understood(NamedTuple):
    """What a free sentence states, and what it says that is not drawn.

    Attributes:
        stated: attribute -> value.
        left: of what is not drawn, the word and the noun that it was said of ("red", "beak"); a
            noun of "" where there is none, and the word itself where it names a second value of
            what one picture has once ("a man and a dog").
    """

    stated: dict[str, str]
    left: list[tuple[str, str]]


def read(
    text: str,
    meanings: dict[str, str],
    kinds: dict[str, list[str]],
    heads: dict[str, list[str]],
    plain: dict[str, str] | None = None,
) -> Understood:
    """What a free sentence states: attribute -> value.

    Adjectives are given to the noun after them ("blue wings"), to the subject of "is" ("its wings
    are blue"), to the noun before them where none after them takes them ("wings blue, beak long"),
    and over "and" ("a red breast and crown"). What is said of a part counts more than what is said
    of the whole ("a black bird with a white belly"). A word after "not", "no" or "without" states
    nothing.

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
    said_of: dict[str, str] = {}  # attribute -> the noun by which it was stated
    left: list[tuple[str, str]] = []
    pending: list[str] = []
    behind: list[str] = []  # those of `pending` that follow a noun directly
    behind_words: list[str] = []
    noun, last, copula, chained, denied = None, [], False, False, False

    def takes(value, word):
        return [name for name in heads.get(word, ()) if name in kinds.get(value, ())]

    def give(values, word):
        for value in values:
            fits = takes(value, word)
            free = [name for name in fits if name not in stated]
            for name in fits:
                if name not in stated or _is_part(word, said_of[name], heads):
                    if stated.get(name, value) != value:
                        left.append((stated[name], said_of[name]))
                    stated[name], said_of[name] = value, word
                    free.append(name)
            if not free and value not in {stated.get(name) for name in fits}:
                left.append((value, word))

    words = _words(text, meanings, heads)
    for position, word in enumerate(words):
        if meanings.get(word) in plain:
            word = meanings[word]  # synonyms share the head of their value
            if not denied and stated.setdefault(plain[word], word) != word:
                left.append((word, word))
            if word not in heads:
                continue
        if denies(word):
            denied = True
        elif word in heads and not heads[word]:
            left += [(value, word) for value in pending]
            pending, copula, chained, denied = [], False, False, False
        elif word in meanings and word not in plain:
            value = meanings[word]
            if denied:
                continue
            if copula and noun:
                give([value], noun)
            else:
                pending.append(value)
                if noun and words[position - 1] in (noun, *behind_words):
                    behind.append(value)
                    behind_words.append(word)
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
            back = [v for v in behind if not takes(v, word)]  # "wings blue, beak long"
            give(back, noun)
            values = [v for v in values if v not in back]
            if not denied:
                give(values, word)
            noun, last, pending, copula, chained, denied = word, values, [], False, False, False
            behind, behind_words = [], []
        elif word in ("with", "has", "have"):
            if noun and (copula or not last):  # "a bird, red, with a long beak"
                give(pending, noun)
                pending, behind = [], []
            copula = False
            before, after = words[position - 2 : position - 1], words[position + 2 : position + 3]
            if word == "with" and noun == "bird" and before == ["is"] and after in ([], ["and"]):
                noun, copula = "with", True  # "this bird is red with white"
    if pending and noun:
        give(pending, noun)
    elif pending:
        left += [(value, "") for value in pending]
    return Understood(stated, list(dict.fromkeys(left)))


def _is_part(word: str, whole: str, heads: dict[str, list[str]]) -> bool:
    """Whether a noun names a part of what the first noun of `heads` names, and `whole` is that."""
    of = heads[next(iter(heads))]
    return heads[whole] == of and {*heads[word]} < {*of}


def _words(text: str, meanings: dict[str, str], heads: dict[str, list[str]]) -> list[str]:
    """The words of a text; a term of several words that has a meaning ("stop sign") is one word.

    A compound that is not known is taken apart: "red-breasted".
    """
    text = text.lower().replace("\u2019", "'")
    for term in sorted((m for m in meanings if " " in m), key=len, reverse=True):
        text = re.sub(rf"\b{term}\b", term.replace(" ", "_"), text)
    found = []
    for word in WORD.findall(text):
        known = word in meanings or word in heads or "_" in word
        found += [word.replace("_", " ")] if known else word.split("-")
    return found
