"""What the readers of public data sets share: text files checked line by line, folders found.

Every message names the file, and the line where there is one; `Source` says where files come from.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pictures import read_many
from t2ilab.errors import DataError, UsageError

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

    def root(self, root: str | Path) -> Path:
        """The root folder, or the error that it is not there."""
        folder = Path(root).expanduser()
        if not folder.is_dir():
            raise self.missing(folder, "the root folder")
        return folder

    def find(self, root: Path, *names: str) -> Path:
        """The first of `names` that exists under the root; the error names the first one."""
        for name in names:
            if (root / name).exists():
                return root / name
        others = ", ".join(names[1:])
        raise self.missing(root / names[0], f"also looked for: {others}" if others else "")

    def lines(self, path: Path) -> list[str]:
        """The lines of a text file, without their ends."""
        return [line.rstrip("\r") for line in self.text(path).split("\n")]

    def text(self, path: Path) -> str:
        """A text file, which must be UTF-8."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise self.missing(path) from None
        except OSError as error:
            raise DataError(f"{path}: the file cannot be read ({error}).") from error
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            number = data[: error.start].count(b"\n") + 1
            raise DataError(
                f"{path}, line {number}: this is not text in UTF-8 ({error.reason}). "
                "Copy the file again from its source."
            ) from error

    def numbered(self, path: Path) -> dict[int, str]:
        """Lines of the form "<number> <text>", as CUB's lists are written."""
        found = {}
        for k, line in enumerate(self.lines(path), 1):
            number, _, text = line.strip().partition(" ")
            if not line.strip():
                continue
            if not number.isdecimal() or not text:
                raise DataError(f"{path}, line {k}: expected a number and a text, got {line!r}.")
            found[int(number)] = text.strip()
        return found

    def class_lists(
        self, folder: Path, names: Sequence[str], place: Callable[[str], int | None]
    ) -> dict[str, list[int]]:
        """trainclasses.txt, valclasses.txt, testclasses.txt: split -> classes; none in two splits.

        `place` turns a line into the number of its class, or None when there is no such class.
        """
        splits: dict[str, list[int]] = {}
        seen: dict[int, str] = {}
        for split in ("train", "val", "test"):
            path = folder / f"{split}classes.txt"
            splits[split] = []
            for k, line in enumerate(self.lines(path), 1):
                if not line.strip():
                    continue
                number = place(line.strip())
                if number is None:
                    raise DataError(
                        f"{path}, line {k}: there is no class {line.strip()!r} in {self.title}."
                    )
                if number in seen:
                    raise DataError(
                        f"{path}, line {k}: class {names[number]!r} is also in "
                        f"{seen[number]}; the splits must share no class."
                    )
                seen[number] = f"{path.name}, line {k}"
                splits[split].append(number)
        return splits | {"trainval": splits["train"] + splits["val"]}


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
    if n is not None and n < 1:
        raise UsageError(f"n={n}: give the number of pictures wanted, at least 1, or None for all.")
    return items[:n]


def gather(
    name: str,
    paths: Sequence[Path],
    captions: list[list[str]],
    size: int,
    *,
    classes: Sequence[int] | None,
    class_names: list[str] | None,
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
