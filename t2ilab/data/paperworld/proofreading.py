"""Is every sentence of a world understood as it is meant, and is there one for every picture?

Captions are made of templates and words, and read back by nouns and words (`sentences.read`). Both
are data that people edit; a sentence that is read otherwise than it was said would spoil every
number that is measured by captions. So a world is proofread when it is opened.
"""

from collections.abc import Iterator
from itertools import product
from math import prod

from t2ilab.data.paperworld.captions import Template
from t2ilab.data.paperworld.definition import MOST, NONE
from t2ilab.data.paperworld.source import Source

Facts = dict[str, str]


class Proofreader:
    """Says every template, in every word, and reads it back.

    Args:
        world: a `World`.
        source: its file, for messages.
    """

    def __init__(self, world, source: Source):
        self.world, self.source = world, source
        values = {value for values in world.content.values() for value in values}
        self._words = {value: [value] for value in values} | world.words("both")
        self._plain = set(world.definition["plain"])
        self._tried: set[tuple] = set()
        self._known_values: dict[tuple, list[str]] = {}

    def proofread(self) -> None:
        """Go through all levels and asides.

        Raises:
            DataError: a sentence that no picture has, or that is understood as something else; a
                kind of picture without a sentence; a complete sentence (of the first level) that
                leaves something out; a bare one (of the last) that states something; an aside that
                states something else than its `when` says.
        """
        for level, templates in enumerate(self.world.templates):
            kinds = self._kinds(level, templates)
            for i, template in enumerate(templates):
                self._proofread(level, f"captions[{level}][{i}]", template, kinds)
        for i, aside in enumerate(self.world.asides):
            if (said := self.world.read(aside.text)) != aside.states:
                self.source.refuse(
                    f"asides[{i}]",
                    f"'{aside.text}' states {_listed(said)}; expected {_listed(aside.states)}",
                )

    def _proofread(self, level: int, place: str, template: Template, kinds: list[Facts]) -> None:
        kinds = [kind for kind in kinds if self._fits(template, kind)]
        if not kinds:
            self.source.refuse(place, f"'{template.text}' can be said of no picture")
        if level == 0:
            there = {a for kind in kinds for a in self.world.content if self._values((a,), kind)}
            if left := there - template.states:
                left = ", ".join(sorted(left))
                self.source.refuse(
                    place, f"'{template.text}' leaves out {left}; complete sentences stand here"
                )
        if level == len(self.world.templates) - 1 and template.states:
            stated = ", ".join(sorted(template.states))
            self.source.refuse(
                place, f"'{template.text}' states {stated}; the last level states nothing"
            )
        examples = (one for kind in kinds for one in self._examples(template, kind))
        for facts, words in examples:
            text, meant = template.fill(facts, words, None), {a: facts[a] for a in template.states}
            if (read := self.world.read(text)) != meant:
                self.source.refuse(
                    place,
                    f"'{text}' is understood as {_listed(read)}; expected {_listed(meant)}. Nouns "
                    "are known by 'heads' of this file, other words by lexicon.json",
                )

    def _kinds(self, level: int, templates: list[Template]) -> list[Facts]:
        """The kinds of pictures that the conditions of a level tell apart; each has a sentence."""
        world, place = self.world, f"captions[{level}]"
        names = [
            name
            for name in world.content
            if any(name in t.when for t in templates) or (name == "subject" and world.optional)
        ]
        if prod(len(world.content[name]) for name in names) > MOST:
            self.source.refuse(place, "'when' tells too many kinds of pictures apart")
        every = product(*(world.content[name] for name in names))
        kinds = [dict(zip(names, values, strict=True)) for values in every]
        kinds = [kind for kind in kinds if world.agree(kind)]
        sure = [t for t in templates if all(len(slot) == 1 for slot in t.slots)]
        for kind in kinds:
            if not any(self._fits(template, kind) for template in sure):
                of = f"every picture with {_listed(kind)}" if kind else "every picture"
                self.source.refuse(place, f"no sentence can be said of {of}; add one")
        return kinds

    def _fits(self, template: Template, kind: Facts) -> bool:
        """Can the sentence be said of some picture of a kind?"""
        return all(kind[name] in values for name, values in template.when.items()) and all(
            self._values(slot, kind) for slot in template.slots
        )

    def _values(self, slot: tuple[str, ...], kind: Facts) -> list[str]:
        """The values that all attributes of a slot can have in pictures of a kind."""
        key, world = (slot, *kind.items()), self.world
        if key not in self._known_values:
            self._known_values[key] = [
                value
                for value in world.content[slot[0]]
                if value != NONE
                and all(value in world.content[a] for a in slot)
                and all(kind.get(a, value) == value for a in slot)
                and all(world.agree(kind | {a: value}) for a in slot)
            ]
        return self._known_values[key]

    def _examples(
        self, template: Template, kind: Facts
    ) -> Iterator[tuple[Facts, dict[str, list[str]]]]:
        """Facts of a kind and a word for each value: one example, and one for each new word.

        A word is new where it was not yet said of its attribute, or where no word that is read in
        the same way was yet said in this place of this sentence.
        """
        choices = [
            [(value, word) for value in self._values(slot, kind) for word in self._words[value]]
            for slot in template.slots
        ]
        case = (template.text, *(kind[name] for name in template.when))
        for k in range(max(map(len, choices), default=1)):
            chosen = [pairs[(k + 3 * j) % len(pairs)] for j, pairs in enumerate(choices)]
            new = {case, *zip(template.slots, (word for _, word in chosen), strict=True)}
            for (name, *_), (value, word) in zip(template.slots, chosen, strict=True):
                alike = value if name in self._plain else " " in word  # are read alike
                new.add((template.text, name, alike))
            if not new <= self._tried:
                self._tried |= new
                facts = dict(kind)
                for slot, (value, _) in zip(template.slots, chosen, strict=True):
                    facts |= dict.fromkeys(slot, value)
                yield facts, {value: [word] for value, word in chosen}


def _listed(facts: Facts) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(facts.items())) or "nothing"
