"""What PaperWorld's files say: read, checked against each other, and brought together.

The schema (`schemas/paperworld.py`) has seen the shape of each file. Here is seen that each name
in it is known, that a word means one value, and that the drawing can draw what is asked of it.
"""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from t2ilab import schemas
from t2ilab.data.paperworld.captions import SLOT
from t2ilab.data.paperworld.paper import Colour
from t2ilab.data.paperworld.source import Source
from t2ilab.schemas.paperworld import Definition, Lexicon, Paint, Sentence

NONE = "none"  # the value of what is not there: a dog's shirt
MOST = 50_000  # classes of a world


class World(NamedTuple):
    """A world's file, and what the other two add to it.

    content, style: attribute -> its values; colours: palette -> colour name -> (r, g, b).
    """

    source: Source
    definition: Definition
    colours: dict[str, dict[str, Colour]]
    content: dict[str, tuple[str, ...]]
    style: dict[str, tuple[str, ...]]
    lexicon: Lexicon


def read(folder: Path, drawings: Mapping[str, ModuleType]) -> dict[str, World]:
    """All files of a folder, since they refer to each other: world -> what is said of it.

    Args:
        drawings: world -> the module that draws it, with DRAWS and WITH.

    Raises:
        DataError: a file is missing, or no JSON, or of another shape, or holds a name that is not
            known, or a word of two meanings. Names the file and the line or the field.
    """
    paints, words = Source(folder / "paint.json"), Source(folder / "lexicon.json")
    paint, lexicon = schemas.to_dict(paints.read(Paint)), words.read(Lexicon)
    _check_palettes(paints, paint)
    worlds = {}
    for name, drawing in drawings.items():
        source = Source(folder / f"{name}.json")
        definition = source.read(Definition)
        colours = _colours(source, definition, paint, drawing)
        values = [
            _values(source, definition, part, colours, drawing) for part in ("content", "style")
        ]
        worlds[name] = World(source, definition, colours, *values, lexicon)
    values = {v for world in worlds.values() for vs in world.content.values() for v in vs} - {NONE}
    _check_lexicon(words, lexicon, values)
    for name, world in worlds.items():
        _check_classes(world)
        _check_attributes(world, drawings[name])
        _check_sentences(world)
        _check_reading(world)
    return worlds


def _check_palettes(source: Source, palettes: dict, within: str = "") -> None:
    for kind, palette in palettes.items():
        for name in palette:
            source.word(f"{within}{kind}.{name}", name)
            if name == NONE:
                source.refuse(f"{within}{kind}.{name}", f"'{NONE}' is no colour; give another name")


def _colours(source: Source, definition: Definition, paint: dict, drawing: ModuleType) -> dict:
    """The palettes of a world: those of all worlds, and its own."""
    wanted = {kind for kind in drawing.DRAWS.values() if isinstance(kind, str)}
    for kind in definition.colours:
        source.known(f"colours.{kind}", "palette", kind, wanted)
    _check_palettes(source, definition.colours, "colours.")
    for kind in sorted(wanted - {*paint, *definition.colours}):
        source.refuse("colours", f"the palette '{kind}' is missing, from which is drawn")
    palettes = paint | definition.colours
    return {
        kind: {name: tuple(colour) for name, colour in palette.items()}
        for kind, palette in palettes.items()
    }


def _values(
    source: Source, definition: Definition, part: str, colours: dict, drawing: ModuleType
) -> dict[str, tuple[str, ...]]:
    """Attribute -> its values, all of which can be drawn."""
    found = {}
    for name, values in getattr(definition, part).items():
        place = f"{part}.{name}"
        source.known(place, "attribute", name, drawing.DRAWS)
        if isinstance(values, str):
            source.known(place, "palette", values, colours)
            values = list(colours[values])
        can = drawing.DRAWS[name]
        can = [*(colours[can] if isinstance(can, str) else can), *[NONE] * (name in drawing.WITH)]
        if not values:
            source.refuse(place, f"no value; choose among {', '.join(can)}")
        source.listed(place, "value", values, can)
        found[name] = tuple(values)
    return found


def _check_lexicon(source: Source, lexicon: Lexicon, values: set[str]) -> None:
    """Every line is of a value, and every word stands once."""
    places: dict[str, str] = {}
    for value, line in lexicon.items():
        source.known(value, "value", value, sorted(values))
        for part in ("words", "unseen"):
            for i, word in enumerate(getattr(line, part)):
                place = f"{value}.{part}[{i}]"
                source.word(place, word)
                if word in places:
                    source.refuse(place, f"'{word}' stands at {places[word]} too; expected once")
                if word in values and word != value:
                    source.refuse(place, f"'{word}' is a value itself, and cannot mean '{value}'")
                places[word] = place


def _check_attributes(world: World, drawing: ModuleType) -> None:
    """All attributes are there, each once; what only some subjects have can be "none"."""
    source, content = world.source, world.content
    for name in drawing.DRAWS:
        if (name in content) + (name in world.style) != 1:
            source.refuse("content, style", f"expected '{name}' in one of them: it is drawn by it")
    for name, whose in drawing.WITH.items():
        if not {name, "subject"} <= set(content) or "subject" not in world.definition.class_:
            source.refuse(
                "content, class",
                f"expected '{name}' and 'subject' in content, and 'subject' in class",
            )
        for subject in content["subject"]:
            if not any((value != NONE) == (subject in whose) for value in content[name]):
                wanted = "a colour" if subject in whose else f"'{NONE}'"
                source.refuse(f"content.{name}", f"no value for '{subject}'; expected {wanted}")
    for kind, palette in world.definition.colours.items():
        of = [name for name, can in drawing.DRAWS.items() if can == kind]
        used = {value for name in of for value in (content | world.style)[name]}
        for unused in sorted(set(palette) - used):
            source.refuse(f"colours.{kind}.{unused}", f"it is no value of {', '.join(of)}")
    before = list(world.definition.class_)
    for name in content:
        for other in world.definition.copies.get(name, ()):
            if other not in before or name in world.definition.class_:
                source.refuse(
                    f"copies.{name}",
                    f"'{other}' is not decided before it; expected attributes of the class, or "
                    "such as stand before it in content",
                )
            if drawing.WITH.get(name) is not drawing.WITH.get(other) or not (
                set(content[other]) <= set(content[name])
            ):
                source.refuse(f"copies.{name}", f"it cannot take every value of '{other}'")
        before.append(name)


def _check_classes(world: World) -> None:
    """What makes a class, what is copied, what is held out: attributes and values that exist."""
    source, definition, content = world.source, world.definition, world.content
    source.listed("class", "attribute", definition.class_, content)
    for name, others in definition.copies.items():
        source.known(f"copies.{name}", "attribute", name, content)
        source.listed(f"copies.{name}", "attribute", others, content)
    if prod(len(content[name]) for name in definition.class_) > MOST:
        source.refuse("class", f"more than {MOST:,} classes; take fewer values or attributes")
    for i, held in enumerate(definition.unseen if isinstance(definition.unseen, list) else ()):
        for name, value in held.items():
            source.known(f"unseen[{i}]", "attribute of the class", name, definition.class_)
            source.known(f"unseen[{i}].{name}", "value", value, content[name])


def _check_sentences(world: World) -> None:
    """The templates: their letters, slots and conditions."""
    source, content = world.source, world.content
    for level, sentences in enumerate(world.definition.captions):
        source.once(f"captions[{level}]", list(map(str, sentences)))
        for i, sentence in enumerate(sentences):
            place = f"captions[{level}][{i}]"
            when = sentence.when if isinstance(sentence, Sentence) else {}
            text = sentence.text if isinstance(sentence, Sentence) else sentence
            slots = [name for slot in SLOT.findall(text) for name in slot.split("+")]
            source.listed(f"{place}, slot", "attribute", slots, content)
            source.sentence(place, text)
            for name, values in when.items():
                source.known(f"{place}.when", "attribute", name, content)
                source.listed(f"{place}.when.{name}", "value", values, content[name])
    for i, aside in enumerate(world.definition.asides):
        place, style = f"asides[{i}]", [name for name in aside.when if name in world.style]
        source.sentence(f"{place}.text", aside.text)
        if SLOT.search(aside.text):
            source.refuse(f"{place}.text", "an aside has no slots")
        for name, values in aside.when.items():
            source.known(f"{place}.when", "attribute", name, content | world.style)
            source.listed(f"{place}.when.{name}", "value", values, (content | world.style)[name])
        if len(style) != 1 or len(aside.when[style[0]]) != 1:
            source.refuse(f"{place}.when", "expected one value of one attribute of style")
    source.once("asides", [aside.text for aside in world.definition.asides])


def _check_reading(world: World) -> None:
    """The words by which free sentences are understood."""
    source, definition, content = world.source, world.definition, world.content
    source.listed("plain", "attribute", definition.plain, content)
    aside = {name for one in definition.asides for name in one.when if name in world.style}
    told = {value for name in aside for value in world.style[name]}
    own = {v for vs in content.values() for v in vs} - {NONE} | told
    plain = {v for name in definition.plain for v in content[name]} | told
    lines = [(value, line) for value, line in world.lexicon.items() if value in own]
    named = {word: value for value, line in lines for word in [*line.words, *line.unseen]}
    named |= {value: value for value in own}
    for word, value in definition.also.items():
        source.word(f"also.{word}", word)
        source.known(f"also.{word}", "value", value, sorted(own))
        if word in named:
            source.refuse(f"also.{word}", f"it means '{named[word]}' by lexicon.json already")
    for noun, names in definition.heads.items():
        source.word(f"heads.{noun}", noun)
        source.listed(f"heads.{noun}", "attribute", names, content)
        meaning = (named | definition.also).get(noun)
        if (meaning in own or " " in noun) and not (noun == meaning and noun in plain):
            why = f"by lexicon.json or also it means '{meaning}'" if meaning else "it has two words"
            source.refuse(
                f"heads.{noun}",
                f"{why}; expected a noun of one word, or a value of an attribute under plain",
            )
