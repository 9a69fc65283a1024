"""JSON from a file that nobody has to trust: read once, checked against a schema, or refused.

The standard library reads it, with hooks that refuse what it would let pass (a name that stands
twice, NaN, numbers too large for a float, thousands of brackets); `msgspec` checks the shape.
"""

import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from t2ilab.errors import DataError, T2ILabError, shortened

T = TypeVar("T")
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
LARGEST = 16 * 2**20  # bytes of a file that a schema describes
DEEPEST = 40  # brackets in brackets
_OTHERS = bytes(set(range(256)) - set(b'"[]{}'))


class Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A schema: its fields, their types and ranges; a name that it does not know is refused.

    (`kw_only=True` is not inherited: say it again where a required field follows an optional one.)
    """


def read(
    path: Path,
    schema: type[T],
    *,
    advice: str = "",
    largest: int = LARGEST,
    error: type[T2ILabError] = DataError,
) -> T:
    """What the JSON file holds, as `schema` describes it.

    Args:
        path: of the file; UTF-8, without a byte-order mark.
        schema: a `Strict`, or whatever `msgspec.convert` takes: dict[str, int], list[str], ...
        advice: what to do when it is refused; ends the message.
        largest: bytes that it may have.
        error: the kind of error that is raised.

    Raises:
        DataError, or `error`: no such file, or it cannot be read; too large; no JSON; another
            shape. Names the file, and the line or the field.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            data = file.read(largest + 1)
    except FileNotFoundError:
        raise error(f"{path} is missing. {advice}".rstrip()) from None
    except (OSError, ValueError) as failed:  # ValueError: a NUL in the name
        said = getattr(failed, "strerror", None) or failed
        raise error(f"{path} cannot be read: {said}. {advice}".rstrip()) from failed
    if len(data) > largest:
        raise error(f"{path} has more than {largest:,} bytes. {advice}".rstrip())
    return decode(data, schema, path, advice=advice, error=error)


def decode(
    data: bytes | str,
    schema: type[T],
    where: str | Path,
    *,
    advice: str = "",
    error: type[T2ILabError] = DataError,
) -> T:
    """As `read`, of text that is at hand; `where` names its source in messages."""
    try:
        found = _json(data)
    except _Bad as bad:
        raise error(f"{where}{bad}. {advice}".rstrip()) from None
    try:
        return msgspec.convert(found, schema)
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError) as wrong:
        place, said = _blame(found, schema) or ("", str(wrong))
        place = f"{place}: " if place else ""
        raise error(f"{where}: {place}{_in_words(said)}. {advice}".rstrip()) from None


def to_dict(value: Any) -> Any:
    """A struct (with what is nested in it) as dicts, lists and numbers, for `json.dumps`."""
    return msgspec.to_builtins(value)


class _Bad(Exception):
    """What is wrong with the JSON itself; begins with ", line 3: " or ": "."""


def _json(data: bytes | str) -> Any:
    text = data if isinstance(data, str) else _text(data)
    _see_depth(text)
    try:
        found = json.loads(
            text,
            object_pairs_hook=_once,
            parse_float=_finite,
            parse_int=_whole,
            parse_constant=_no_constant,
        )
        if "\\ud" in text.lower():  # halves of pairs, which Python reads and nothing can print
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except UnicodeEncodeError as error:
        raise _Bad(f": \\u{ord(error.object[error.start]):x} is half a character") from None
    except json.JSONDecodeError as error:
        raise _Bad(f", line {error.lineno}: this is no JSON ({_reason(text, error)})") from None
    except RecursionError:  # never so deep, unless Python's own limit is low already
        raise _Bad(": brackets stand too deep in each other") from None


def _text(data: bytes) -> str:
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _Bad(", line 1: a byte-order mark stands before the text; save it as plain UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _Bad(f", line {line}: this is not text in UTF-8 (byte {error.start})") from None


def _see_depth(text: str) -> None:
    """Refuse brackets in brackets before anything is built of them.

    All but brackets and quotes is cut out first: of a hundred megabytes little is left to count.
    """
    bare = re.sub(r"\\.", "", text, flags=re.DOTALL) if "\\" in text else text
    marks = bare.encode("utf-8", "replace").translate(None, _OTHERS)
    depth, outside = 0, b"".join(marks.split(b'"')[::2])
    for k, one in enumerate(outside):
        depth += 1 if one in b"[{" else -1
        if depth > DEEPEST:
            raise _Bad(f", line {_line(text, k)}: more than {DEEPEST} brackets stand in each other")


def _line(text: str, k: int) -> int:
    """The line of the k-th bracket that is not in a string."""
    strings_or_brackets = re.finditer(r'\\.|"(?:[^"\\]|\\.)*"?|[\[\]{}]', text, re.DOTALL)
    brackets = (mark.start() for mark in strings_or_brackets if mark[0][0] in "[]{}")
    return text.count("\n", 0, next(islice(brackets, k, None))) + 1


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Bad(f": the name {_shown(twice)} stands twice in one object")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _Bad(f": the number {_shown(digits)} is too large")
    return number


def _whole(digits: str) -> int:
    if len(digits) > 19:
        raise _Bad(f": the number {_shown(digits)} has {len(digits)} digits; at most 19 are read")
    return int(digits)


def _no_constant(name: str) -> float:
    raise _Bad(f": {name} is no number that JSON knows")


def _reason(text: str, error: json.JSONDecodeError) -> str:
    """The library's words, and of a comma before a closing bracket plainer ones."""
    before = text[: error.pos].rstrip()
    if before.endswith(",") and text[error.pos : error.pos + 1] in ("}", "]"):
        return "a comma stands before the closing bracket"
    if "trailing comma" in error.msg:
        return "a comma stands before the closing bracket"
    return f"{error.msg[0].lower()}{error.msg[1:]}, column {error.colno}"


def _blame(found: Any, schema: Any) -> tuple[str, str] | None:
    """The innermost value that does not fit, as "paint.red[0]", and what is wrong with it.

    (msgspec names the place too, but not the names within a dict.)
    """
    for step, value, kind in _parts(found, schema):
        if inner := _blame(value, kind):
            place = f"{step}{inner[0]}" if inner[0].startswith("[") else f"{step}.{inner[0]}"
            return place.rstrip("."), inner[1]
    try:
        msgspec.convert(found, schema)
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError) as wrong:
        return "", str(wrong)
    return None


def _parts(found: Any, schema: Any) -> Iterator[tuple[str, Any, Any]]:
    """What lies in a value, with its place and its schema; nothing of a number or a text."""
    if get_origin(schema) is Annotated:
        schema = get_args(schema)[0]
    inner = get_args(schema)
    if get_origin(schema) is dict and isinstance(found, dict):
        yield from ((_shown(name, ""), value, inner[1]) for name, value in found.items())
    elif get_origin(schema) is list and isinstance(found, list):
        yield from ((f"[{i}]", value, inner[0]) for i, value in enumerate(found))
    elif isinstance(schema, type) and issubclass(schema, msgspec.Struct):
        for field in msgspec.structs.fields(schema) if isinstance(found, dict) else ():
            if field.encode_name in found:
                yield field.encode_name, found[field.encode_name], field.type


def _in_words(message: str) -> str:
    """What msgspec says, without the place: "expected 'int', got 'str'"."""
    said = message.partition(" - at ")[0].replace("`", "'")
    return said[0].lower() + said[1:] if said else "another shape than expected"


def _shown(text: str, quote: str = "'") -> str:
    return f"{quote}{shortened(text, 40)}{quote}"
