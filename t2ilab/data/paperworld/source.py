"""One of PaperWorld's files, and how it is refused: by path, field and what was expected."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from t2ilab import schemas
from t2ilab.data.paperworld.captions import SLOT
from t2ilab.errors import DataError, unknown
from t2ilab.schemas.paperworld import Definition, Lexicon, Paint

WORD = re.compile(r"[a-z]+(?:[ -][a-z]+)*")
TEXT = re.compile(r"[a-z]+(?:[,.]? [a-z]+|['-][a-z]+)*[.]?")
ADVICE = {
    Paint: 'A colour is three whole numbers from 0 to 255, such as "teal": [0, 128, 128].',
    Lexicon: 'A line of it is such as "red": {"words": ["red", "crimson"], "unseen": ["scarlet"]}.',
    Definition: "README.md says how it is written: 'A colour or a word for PaperWorld'.",
}


class Source:
    """One of the files; whatever is refused in it is told with its path and field."""

    def __init__(self, path: Path):
        self.path = path

    def read(self, schema: type) -> Any:
        """What it holds, by its schema."""
        return schemas.read(self.path, schema, advice=ADVICE[schema], largest=2**20)

    def refuse(self, place: str, said: str) -> NoReturn:
        said = said.rstrip(".")
        raise DataError(
            f"{self.path}: {place}: {said if len(said) < 500 else said[:500] + ' ...'}."
        )

    def known(self, place: str, kind: str, name: str, choices: Iterable[str]) -> None:
        """Refuse a name that is not among `choices`."""
        if name not in choices:
            self.refuse(place, unknown(kind, name, choices))

    def listed(self, place: str, kind: str, names: list[str], choices: Iterable[str]) -> None:
        """Refuse a list with a name that is not among `choices`, or with one that stands twice."""
        choices = dict.fromkeys(choices)
        for i, name in enumerate(names):
            self.known(f"{place}[{i}]", kind, name, choices)
        self.once(place, names)

    def once(self, place: str, names: list[str]) -> None:
        for name, count in Counter(names).items():
            if count > 1:
                self.refuse(place, f"'{name[:80]}' stands {count} times; expected once")

    def word(self, place: str, text: str) -> None:
        """Refuse a word, or a few, that captions cannot hold."""
        if not WORD.fullmatch(text):
            self.refuse(
                place,
                f"{text!r} cannot stand in a caption; expected letters from a to z, in lower case, "
                "with single spaces or hyphens between words",
            )

    def sentence(self, place: str, text: str) -> None:
        """The same of a sentence, with its slots."""
        if not TEXT.fullmatch(SLOT.sub("slot", text)):
            self.refuse(
                place,
                f"{text[:80]!r} cannot be a caption; expected words of letters from a to z, in "
                "lower case, with single spaces, commas or hyphens between them, and slots such "
                "as {breast} or {breast+crown}",
            )
