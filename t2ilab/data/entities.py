"""One picture of Flickr30k Entities: Sentences/<picture>.txt and Annotations/<picture>.xml.

A sentence marks its phrases: "[/EN#6729/vehicles/scene the subway] is full ." A *chain* (6729) is
what several phrases of a picture's five sentences refer to alike; it may be of several types, and
chain 0 is nothing that could be seen. The XML gives boxes to chains: a chain may have several
boxes, a box may belong to several chains, and a chain that is all of the scene, or is not to be
seen, has a flag in place of a box. Its coordinates count pixels from 1.
"""

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from t2ilab.data.pictures import Box
from t2ilab.data.sources import AGAIN, Source, tidy
from t2ilab.errors import DataError

NOT_VISUAL = 0  # the chain of "each other", "who", ...
LARGEST = 2**20  # bytes of a file; real ones have a few thousand
MARK = re.compile(r"\[/EN#([0-9]{1,12})((?:/[A-Za-z]+)+) ([^\[\]]*)\]")


class Mention(NamedTuple):
    """A phrase: which sentence it is of (from 0), its chain, the chain's types, and its words."""

    sentence: int
    chain: int
    kinds: tuple[str, ...]
    text: str


class Entities(NamedTuple):
    """What is told of a picture.

    Attributes:
        size: width and height in pixels.
        sentences: as people wrote them, without marks.
        mentions: every phrase, but for those of chain 0.
        boxes: (left, top, right, bottom), and the chains that it shows. The edges count from 0, as
            in all of this package: pixels 1 to 10 lie between the edges 0 and 10.
        scene, nobox: chains without a box: all of the scene; not to be seen.
    """

    size: tuple[int, int]
    sentences: list[str]
    mentions: list[Mention]
    boxes: list[tuple[Box, tuple[int, ...]]]
    scene: set[int]
    nobox: set[int]


def read(source: Source, annotations: Path, sentences: Path, number: str) -> Entities:
    """What both files tell of the picture `number`.

    Raises:
        DataError: a file is missing or damaged, or tells of another picture. Names the file, and
            the line where there is one.
    """
    said, mentions = _sentences(source, sentences / f"{number}.txt")
    path = annotations / f"{number}.xml"
    root = _parsed(source, path)
    name = root.findtext("filename", "").strip()
    if name != f"{number}.jpg":
        raise DataError(f"{path}: it is of the picture {name[:80]!r}, not {number}.jpg. {AGAIN}")
    size = root.find("size")
    width, height = (_whole(path, size, side) for side in ("width", "height"))
    boxes, flags = [], {"scene": set(), "nobndbox": set()}
    for k, one in enumerate(root.iter("object"), 1):
        where = f"{path}: object {k}"
        chains = tuple(_chain(where, name.text) for name in one.findall("name"))
        box = one.find("bndbox")
        if box is not None and chains:
            boxes.append((_box(path, where, box, width, height), chains))
            continue
        raised = [f for f in flags if (one.findtext(f) or "0").strip() not in ("", "0")]
        if not raised or not chains:
            raise DataError(
                f"{where}: expected the name of a chain, and a bndbox or one of the flags scene "
                f"and nobndbox. {AGAIN}"
            )
        for flag in raised:
            flags[flag].update(chains)
    return Entities((width, height), said, mentions, boxes, flags["scene"], flags["nobndbox"])


def _sentences(source: Source, path: Path) -> tuple[list[str], list[Mention]]:
    """The sentences without their marks, and what was marked."""
    said, mentions = [], []
    for line_number, line in source.filled(path):
        plain = MARK.sub(lambda match: match[3], line)
        empty = any(not tidy(match[3]) for match in MARK.finditer(line))
        if "/EN#" in plain or empty:
            raise DataError(
                f"{path}, line {line_number}: expected phrases marked as '[/EN#<chain>/<type> "
                f"<words>]', got {line[:200]!r}. {AGAIN}"
            )
        for match in MARK.finditer(line):
            if int(match[1]) != NOT_VISUAL:
                kinds = tuple(match[2].strip("/").split("/"))
                mentions.append(Mention(len(said), int(match[1]), kinds, tidy(match[3])))
        said.append(tidy(plain))
    return said, mentions


def _parsed(source: Source, path: Path) -> ElementTree.Element:
    data = source.contents(path, LARGEST)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise DataError(f"{path}: an annotation declares no entities or types. {AGAIN}")
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        line = error.position[0]
        raise DataError(f"{path}, line {line}: this is no XML ({error}). {AGAIN}") from None
    except (ValueError, LookupError) as error:  # an encoding that is not known
        raise DataError(f"{path}: this is no XML ({error}). {AGAIN}") from None


def _whole(where: Path | str, of: ElementTree.Element | None, name: str) -> int:
    """A length in pixels that stands in the element `name`."""
    text = "" if of is None else (of.findtext(name) or "").strip()
    if not re.fullmatch(r"-?[0-9]{1,6}", text):
        raise DataError(f"{where}: expected {name} in whole pixels, got {text[:80]!r}. {AGAIN}")
    return int(text)


def _chain(where: str, text: str | None) -> int:
    text = (text or "").strip()
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise DataError(f"{where}: expected the number of a chain, got {text[:80]!r}. {AGAIN}")
    return int(text)


def _box(path: Path, where: str, of: ElementTree.Element, width: int, height: int) -> Box:
    """Its edges from 0; what lies beyond the picture is cut off."""
    left, top, right, bottom = (_whole(where, of, name) for name in "xmin ymin xmax ymax".split())
    box = max(left - 1, 0), max(top - 1, 0), min(right, width), min(bottom, height)
    if not (box[0] < box[2] and box[1] < box[3]):
        raise DataError(
            f"{where}: the box ({left}, {top}) to ({right}, {bottom}) shows nothing of a picture "
            f"of {width} x {height} pixels. {AGAIN}"
        )
    return tuple(map(float, box))
