"""From a free sentence back to what it states about a picture of PaperWorld."""

import re
from typing import NamedTuple

from t2ilab.text.denials import denies

WORD = re.compile(r"[a-z]+(?:[-_'][a-z]+)*")
BOUNDARIES = ("a", "an", "the", "its", "and", "with", "has", "have", "is", "are")


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
    reading, words = _Reading(meanings, kinds, heads, plain or {}), _words(text, meanings, heads)
    for position, word in enumerate(words):
        reading.hear(word, words[:position], words[position + 1 :])
    return reading.end()


class _Reading:
    """A sentence, read word by word from the left.

    Attributes:
        stated: attribute -> value, and `said_of`: attribute -> the noun by which it was stated.
        left: see `Understood`.
        pending: values of adjectives whose noun is still to come; `behind`: those of them that
            directly follow a noun, which may be theirs, as words in `behind_words`.
        noun, last: the noun before, and the values that it was given.
        copula: "is" was said of `noun`; `chained`: "and" after its values; `denied`: "not".
    """

    def __init__(self, meanings, kinds, heads, plain):
        self.meanings, self.kinds, self.heads, self.plain = meanings, kinds, heads, plain
        self.stated: dict[str, str] = {}
        self.said_of: dict[str, str] = {}
        self.left: list[tuple[str, str]] = []
        self.pending: list[str] = []
        self.behind: list[str] = []
        self.behind_words: list[str] = []
        self.noun, self.last = None, []
        self.copula = self.chained = self.denied = False

    def hear(self, word: str, before: list[str], after: list[str]) -> None:
        """Take in the next word; `before` and `after` are those around it."""
        if self.meanings.get(word) in self.plain:
            word = self.meanings[word]  # synonyms share the head of their value
            if not self.denied and self.stated.setdefault(self.plain[word], word) != word:
                self.left.append((word, word))
            if word not in self.heads:
                return
        if denies(word):
            self.denied = True
        elif word in self.heads and not self.heads[word]:
            self.left += [(value, word) for value in self.pending]
            self.pending, self.copula, self.chained, self.denied = [], False, False, False
        elif word in self.meanings and word not in self.plain:
            self._adjective(word, before)
        elif word in ("is", "are"):
            self.copula = True
        elif word in ("in", "wearing"):
            self.copula = False
        elif word in ("a", "an") and self.copula:  # "are pointed, a black centre": another noun
            ahead = (w for w in after if w in self.heads or w in BOUNDARIES)
            self.copula = next(ahead, "its") not in self.heads
        elif word == "and":
            self.chained = bool(self.last) and not self.pending
        elif word in self.heads and word != "with":
            self._head(word)
        elif word in ("with", "has", "have"):
            self._with(word, before, after)

    def end(self) -> Understood:
        """What was understood, when no word is to come."""
        if self.pending and self.noun:
            self._give(self.pending, self.noun)
        else:
            self.left += [(value, "") for value in self.pending]
        return Understood(self.stated, list(dict.fromkeys(self.left)))

    def _adjective(self, word, before):
        value = self.meanings[word]
        if self.denied:
            return
        if self.copula and self.noun:
            self._give([value], self.noun)
            return
        self.pending.append(value)
        if self.noun and before[-1] in (self.noun, *self.behind_words):
            self.behind.append(value)
            self.behind_words.append(word)

    def _head(self, word):
        values = self.pending or (self.last if self.chained else [])
        back = [v for v in self.behind if not self._takes(v, word)]  # "wings blue, beak long"
        self._give(back, self.noun)
        values = [v for v in values if v not in back]
        if not self.denied:
            self._give(values, word)
        self.noun, self.last, self.pending = word, values, []
        self.behind, self.behind_words = [], []
        self.copula = self.chained = self.denied = False

    def _with(self, word, before, after):
        if self.noun and (self.copula or not self.last):  # "a bird, red, with a long beak"
            self._give(self.pending, self.noun)
            self.pending, self.behind = [], []
        self.copula = False
        says_is, ends = before[-2:-1] == ["is"], after[1:2] in ([], ["and"])
        if word == "with" and self.noun == "bird" and says_is and ends:
            self.noun, self.copula = "with", True  # "this bird is red with white"

    def _takes(self, value, word):
        """The attributes of noun `word` that can have this value."""
        return [name for name in self.heads.get(word, ()) if name in self.kinds.get(value, ())]

    def _give(self, values, word):
        """State these values of the noun `word`; what it cannot have is left."""
        for value in values:
            fits = self._takes(value, word)
            free = [name for name in fits if name not in self.stated]
            for name in fits:
                if name not in self.stated or _is_part(word, self.said_of[name], self.heads):
                    if self.stated.get(name, value) != value:
                        self.left.append((self.stated[name], self.said_of[name]))
                    self.stated[name], self.said_of[name] = value, word
                    free.append(name)
            if not free and value not in {self.stated.get(name) for name in fits}:
                self.left.append((value, word))


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
