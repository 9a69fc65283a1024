"""Is every sentence of a world understood as it is meant, and is there one for every picture?

Captions are made of templates and words, and read back by nouns and words (`captions.read`). Both
are data that people edit; a sentence that is read otherwise than it was said would spoil every
number that is measured by captions. So a world is proofread when it is opened.
"""

from collections.abc import Iterator
from itertools import product
from math import prod

from t2ilab.data.paperworld.captions import Template
from t2ilab.data.paperworld.definition import MOST, NONE, Source

Facts = dict[str, str]


def proofread(world, source: Source) -> None:
    """Say every template, in every word; read it back.

    Args:
        world: a `World`.
        source: its file, for messages.

    Raises:
        DataError: a sentence that no picture has, or that is understood as something else; a kind
            of picture without a sentence; a complete sentence (of the first level) that leaves
            something out; a bare one (of the last) or an aside that states something.
    """
    words = {
        value: list(dict.fromkeys([*world.words("words").get(value, [value]), *unseen]))
        for values in world.content.values()
        for value in values
        for unseen in [world.words("unseen").get(value, [])]
    }
    tried: set[tuple[str, str]] = set()
    for level, templates in enumerate(world.templates):
        kinds = _kinds(world, templates, source, level)
        for i, template in enumerate(templates):
            place, said = f"captions[{level}][{i}]", False
            for kind in kinds:
                _see_level(world, template, kind, level, source, place)
                for facts, spoken in _examples(world, template, kind, words, tried):
                    _read_back(world, template, facts, spoken, source, place)
                    said = True
            if not said:
                source.refuse(place, f"'{template.text}' can be said of no picture")
    for i, aside in enumerate(world.definition["asides"]):
        if stated := world.read(aside):
            source.refuse(f"asides[{i}]", f"'{aside}' states {_listed(stated)}; expected nothing")


def _kinds(world, templates: list[Template], source: Source, level: int) -> list[Facts]:
    """The kinds of pictures that the conditions of a level tell apart; each has a sentence."""
    names = ["subject"] if world.optional else []
    names += [name for name in world.content if any(name in t.when for t in templates)]
    names = list(dict.fromkeys(names))
    if prod(len(world.content[name]) for name in names) > MOST:
        source.refuse(f"captions[{level}]", "'when' tells too many kinds of pictures apart")
    kinds = [
        dict(zip(names, values, strict=True))
        for values in product(*(world.content[name] for name in names))
    ]
    kinds = [kind for kind in kinds if world._agree(kind)]
    for kind in kinds:
        sure = (t for t in templates if all(len(slot) == 1 for slot in t.slots))
        if not any(_fits(t, kind) and all(_values(world, s, kind) for s in t.slots) for t in sure):
            of = f"every picture with {_listed(kind)}" if kind else "every picture"
            source.refuse(f"captions[{level}]", f"no sentence can be said of {of}; add one")
    return kinds


def _fits(template: Template, kind: Facts) -> bool:
    return all(kind[name] in values for name, values in template.when.items())


def _values(world, slot: tuple[str, ...], kind: Facts) -> list[str]:
    """The values that all attributes of a slot can have in pictures of a kind."""
    return [
        value
        for value in world.content[slot[0]]
        if value != NONE
        and all(
            value in world.content[name]
            and kind.get(name, value) == value
            and world._agree(kind | {name: value})
            for name in slot
        )
    ]


def _see_level(world, template: Template, kind: Facts, level: int, source: Source, place) -> None:
    there = {name for name in world.content if _values(world, (name,), kind)}
    if level == 0 and _fits(template, kind) and there - template.states:
        left = ", ".join(sorted(there - template.states))
        source.refuse(place, f"'{template.text}' leaves out {left}; complete sentences stand first")
    if level == len(world.templates) - 1 and template.states:
        stated = ", ".join(sorted(template.states))
        source.refuse(place, f"'{template.text}' states {stated}; the last level states nothing")


def _examples(
    world, template: Template, kind: Facts, words: dict[str, list[str]], tried: set
) -> Iterator[tuple[Facts, dict[str, list[str]]]]:
    """Facts of a kind, and a word for each value: one example, and one for each word untried."""
    choices = [
        [(value, word) for value in _values(world, slot, kind) for word in words[value]]
        for slot in template.slots
    ]
    if not _fits(template, kind) or not all(choices):
        return
    for k in range(max(map(len, choices), default=1)):
        chosen = [pairs[(k + 3 * j) % len(pairs)] for j, pairs in enumerate(choices)]
        new = {(slot, word) for slot, (_, word) in zip(template.slots, chosen, strict=True)}
        if k == 0 or not new <= tried:
            tried |= new
            facts = dict(kind)
            for slot, (value, _) in zip(template.slots, chosen, strict=True):
                facts |= dict.fromkeys(slot, value)
            yield facts, {value: [word] for value, word in chosen}


def _read_back(world, template: Template, facts, spoken, source: Source, place: str) -> None:
    text = template.fill(facts, spoken, None)
    meant, read = {name: facts[name] for name in template.states}, world.read(text)
    if read != meant:
        source.refuse(
            place,
            f"'{text}' is understood as {_listed(read)}; expected {_listed(meant)}. Nouns are "
            "known by 'heads' of this file, other words by lexicon.json",
        )


def _listed(facts: Facts) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(facts.items())) or "nothing"
