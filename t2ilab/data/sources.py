"""What the readers of public data sets share: text files checked line by line, folders found.

Every message names the file, and the line where there is one; `Source` says where files come from.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pictures import read_many
from t2ilab.errors import DataError, UsageError
from t2ilab.paths import LONGEST_NAME, user_path

LARGEST = 64 * 2**20  # bytes of a list or of a file of captions; the largest real one has 3.4 MB
AGAIN = "Copy it again from its source."
Report = Callable[[str], Any] | None


@dataclass(frozen=True)
class Source:
    """Where the files of a data set come from, and how they are to lie under its root.

    Attributes:
        title: name of the data set, as its authors write it.
        licence: on what terms it may be used.
        get: where to get which archive, and where to unpack it.
        layout: the files and folders under the root, as a text.
    """

    title: str
    licence: str
    get: str
    layout: str

    def missing(self, path: Path, what: str = "") -> DataError:
        """The error for a file or folder that is not there."""
        what = f" ({what})" if what else ""
        return DataError(f"{self.title}: {path} is missing{what}.\n{self.help()}")

    def help(self) -> str:
        """Where to get the files and how they are to lie."""
        return f"{self.get}\nExpected under the root folder:\n{self.layout}"

    def root(self, root: str | Path | None) -> Path:
        """The root folder, or the error that none was given or that it is not there."""
        if root is None or not str(root):
            raise DataError(
                f"{self.title}: say in which folder its files are (root).\n{self.help()}"
            )
        folder = user_path(root, "root")
        if not os.path.isdir(folder):
            raise self.missing(folder, "the root folder")
        return folder

    def find(self, root: Path, *names: str) -> Path:
        """The first of `names` that exists under the root; the error names the first one."""
        for name in names:
            if os.path.exists(root / name):
                return root / name
        others = ", ".join(names[1:])
        raise self.missing(root / names[0], f"also looked for: {others}" if others else "")

    def lines(self, path: Path) -> list[str]:
        """The lines of a text file, without their ends."""
        return [line.rstrip("\r") for line in self.text(path).split("\n")]

    def text(self, path: Path) -> str:
        """A text file, which must be UTF-8 and hold no NUL."""
        data = self.contents(path)
        try:
            text, at, reason = data.decode("utf-8-sig"), data.find(b"\0"), "a NUL character"
        except UnicodeDecodeError as error:
            text, at, reason = "", error.start, error.reason
        if at >= 0:
            line = data[:at].count(b"\n") + 1
            raise DataError(f"{path}, line {line}: this is not text in UTF-8 ({reason}). {AGAIN}")
        return text

    def contents(self, path: Path, largest: int = LARGEST) -> bytes:
        """What a file holds, of at most `largest` bytes."""
        if not os.path.exists(path):
            raise self.missing(path)
        if not path.is_file():
            raise DataError(f"{path}: this is no file; a file of {self.title} was expected there.")
        try:
            with open(path, "rb") as file:
                data = file.read(largest + 1)
        except OSError as error:
            raise DataError(
                f"{path}: the file cannot be read ({error.strerror or error})."
            ) from error
        if len(data) > largest:
            raise DataError(
                f"{path}: the file has more than {largest:,} bytes; no file of its kind is so "
                f"large. {AGAIN}"
            )
        return data

    def numbered(
        self, path: Path, *, count: int | None = None, distinct: bool = False
    ) -> dict[int, str]:
        """Lines of the form "<number> <text>", as CUB's lists are written: 1 to N, each once.

        Args:
            count: the N that there must be, one for each picture; None: any.
            distinct: whether no text may stand twice.
        """
        found: dict[int, str] = {}
        texts: set[str] = set()
        for k, line in self.filled(path):
            match = re.fullmatch(r"([0-9]{1,9})[ \t]+(\S.*)", line)
            if match is None:
                raise DataError(
                    f"{path}, line {k}: expected a number and a text, got {line[:80]!r}."
                )
            number, text = int(match[1]), match[2]
            if number in found or (distinct and text in texts):
                twice = number if number in found else repr(text[:80])
                raise DataError(f"{path}, line {k}: {twice} stands there twice. {AGAIN}")
            found[number] = text
            texts.add(text)
        lost = next((i for i in range(1, len(found) + 1) if i not in found), None)
        if lost is not None:
            raise DataError(f"{path}: the line with number {lost} is missing. {AGAIN}")
        if count is not None and len(found) != count:
            raise DataError(
                f"{path}: the file has {len(found):,} lines; expected {count:,}, one for each "
                f"picture. It or the list of pictures is cut short. {AGAIN}"
            )
        return found

    def filled(self, path: Path) -> Iterator[tuple[int, str]]:
        """The lines that are not blank, without spaces around them, each with its number."""
        stripped = ((k, line.strip()) for k, line in enumerate(self.lines(path), 1))
        return ((k, line) for k, line in stripped if line)

    def class_lists(
        self,
        folder: Path,
        names: Sequence[str],
        place: Callable[[str], int | None],
        used: Iterable[int],
    ) -> dict[str, list[int]]:
        """trainclasses.txt, valclasses.txt, testclasses.txt: split -> classes; none in two splits.

        Args:
            names: of the classes, by number.
            place: turns a line into the number of its class, or None when there is no such class.
            used: classes that have pictures; each must be in a split, else a list is cut short.
        """
        splits: dict[str, list[int]] = {"train": [], "val": [], "test": []}
        seen: dict[int, str] = {}
        for split, classes in splits.items():
            path = folder / f"{split}classes.txt"
            for k, line in self.filled(path):
                number = place(line)
                if number is None:
                    raise DataError(
                        f"{path}, line {k}: there is no class {line[:80]!r} in {self.title}."
                    )
                if number in seen:
                    raise DataError(
                        f"{path}, line {k}: class {names[number]!r} is also in {seen[number]}; "
                        "no class may stand twice, or be in two splits."
                    )
                seen[number] = f"{path.name}, line {k}"
                classes.append(number)
        lost = next((number for number in used if number not in seen), None)
        if lost is not None:
            raise DataError(
                f"{folder}: class {names[lost]!r} is in none of trainclasses.txt, valclasses.txt "
                f"and testclasses.txt. One of them is cut short. {AGAIN}"
            )
        return splits | {"trainval": splits["train"] + splits["val"]}


def plain_name(text: str) -> bool:
    """Whether a text from a list can be the name of a file: no folder in it, and not too long."""
    fits = 0 < len(text.encode()) <= LONGEST_NAME
    return fits and text not in (".", "..") and not set(text) & set("/\\\0")


def tidy(text: str) -> str:
    """A caption as it is kept: single spaces, no final full stop; the words as they were written.

    U+FFFD, which stands in Reed's files where a character was lost, counts as a space.
    """
    return re.sub(r"[\s.]+$", "", " ".join(text.replace("\ufffd", " ").split()))


def ten_captions(source: Source, path: Path, expected: int | None) -> list[str]:
    """The captions of one picture, a line each; blank lines do not count.

    Raises:
        DataError: the file is missing, undecodable, or has not `expected` captions (None: any).
    """
    captions = [text for line in source.lines(path) if (text := tidy(line))]
    if not captions or (expected is not None and len(captions) != expected):
        wanted = "at least one" if expected is None else f"{expected}, a line each"
        raise DataError(
            f"{path}: the file has {len(captions)} captions; expected {wanted}. Copy "
            "it again from its source, or set captions_each (None takes any number)."
        )
    return captions


def first(n: int | None, items: list) -> list:
    """The first n items; all of them for None."""
    if n is not None and not (isinstance(n, int | np.integer) and n >= 1):
        raise UsageError(
            f"n={n!r}: give the number of pictures wanted, at least 1, or None for all."
        )
    return items[:n]


def gather(
    name: str,
    paths: Sequence[Path],
    captions: list[list[str]],
    size: int,
    *,
    classes: Sequence[int] | None = None,
    class_names: list[str] | None = None,
    boxes=None,
    crop: str,
    skip: bool,
    cache: bool,
    report: Report,
) -> CaptionedImages:
    """Read the pictures and put everything together; `classes` None gives each its own class."""
    read = read_many(
        paths, size, crop=crop, boxes=boxes, cache=cache, skip=skip, label=name, report=report
    )
    if classes is None:
        class_names = [paths[i].stem for i in read.kept]
        numbers = np.arange(len(read.kept), dtype=np.int64)
    else:
        numbers = np.asarray(classes, dtype=np.int64)[read.kept]
    return CaptionedImages(
        name=f"{name}/{size}",
        images=read.images,
        captions=[captions[i] for i in read.kept],
        classes=numbers,
        class_names=class_names,
    )
