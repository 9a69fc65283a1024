"""PaperWorld's files, which a teacher edits: `paint.json`, `lexicon.json`, and one of each world.

Every field must be there, so that one that is left out or misspelt is told. What the files say of
each other is checked where they are brought together, in `t2ilab/data/paperworld/definition.py`.
"""

from typing import Annotated

from msgspec import Meta, field

from t2ilab.schemas.reading import Strict

Share = Annotated[int, Meta(ge=0, le=255)]
Colour = Annotated[list[Share], Meta(min_length=3, max_length=3)]  # red, green, blue
Name = Annotated[str, Meta(min_length=1, max_length=60)]  # of an attribute or a value; a word
Text = Annotated[str, Meta(min_length=1, max_length=300)]
Palette = Annotated[dict[Name, Colour], Meta(min_length=1)]
Some = Annotated[list[Name], Meta(min_length=1)]


class Paint(Strict):
    """`paint.json`: colour name -> red, green, blue; for what is drawn, and for the page."""

    paint: Palette
    tone: Palette


class Words(Strict):
    """One line of `lexicon.json`: the words for a value."""

    words: Some  # stand in captions, beside training pictures too
    unseen: list[Name]  # stand in the text corpus only


Lexicon = dict[Name, Words]  # value -> its words


class Sentence(Strict):
    """A template for some pictures only: those that have one of these values."""

    text: Text
    when: dict[Name, Some]


class Definition(Strict):
    """`birds.json`, `flowers.json`, `phrases.json`, `scenes.json`."""

    title: Text
    stands_for: Text
    content: dict[Name, Name | list[Name]]  # attribute -> its values, or the palette of them
    style: dict[Name, Name | list[Name]]  # the same, of what only asides state
    copies: dict[Name, Some]  # attribute -> those of which it takes the value of one
    colours: dict[Name, Palette]  # palettes of this world alone
    class_: Some = field(name="class")  # the attributes that make a class
    unseen: int | list[dict[Name, Name]]  # how many classes are held out, or which
    captions: Annotated[
        list[Annotated[list[Text | Sentence], Meta(min_length=1)]], Meta(min_length=5, max_length=5)
    ]  # from complete to bare
    asides: Annotated[list[Sentence], Meta(min_length=1)]  # ends of sentences that state style
    plain: list[Name]  # attributes whose values state themselves wherever they stand
    also: dict[Name, Name]  # further words that are understood, and the values that they mean
    heads: dict[Name, list[Name]]  # noun -> the attributes that its adjectives set
