"""Values for a notebook's parameters, checked against their declared types before anything runs."""

import ast
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from t2ilab.errors import UsageError, shortened
from t2ilab.paths import user_path

UNREADABLE = (ValueError, TypeError, SyntaxError, OverflowError, MemoryError, RecursionError)
DEEPEST = 30  # lists in lists
_WORDS = {
    "int": "a whole number",
    "float": "a finite number",
    "bool": "true or false",
    "str": "text",
    "path": "a path",
    "None": "none",
    "list": "a list such as [1, 2]",
    "tuple": "a list such as [1, 2]",
    "dict": 'a dict such as {"a": 1}',
    "Any": "a value",
}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Parameter:
    """A name of the parameters cell: its default, and its type as a Python annotation."""

    name: str
    default: Any
    kind: str

    @classmethod
    def declared(cls, name: str, default: Any, annotation: ast.expr | None) -> "Parameter":
        """From a line `NAME: annotation = default`; without one the default tells the type."""
        if annotation is None:
            return cls(name, default, _kind_of(default))
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            return cls(name, default, annotation.value)  # written in quotes
        return cls(name, default, ast.unparse(annotation))

    def parse(self, value: Any) -> Any:
        """`value`, from the command line as text or from Python, as this parameter's type.

        Raises:
            UsageError: it is of another type, or JSON cannot hold it; names the parameter, the
                type and the value.
        """
        try:
            return _storable(_convert(ast.parse(self.kind, mode="eval").body, value))
        except UNREADABLE as error:
            words = _WORDS.get(self.kind.split("[")[0], "a value")
            shown = repr(value) if isinstance(value, str) else f"{value!r} ({_kind_of(value)})"
            reason = f": {error}" if isinstance(error, _Unfit) else ""
            raise UsageError(
                f"parameter {self.name}: expected {words} ({self.kind}), got "
                f"{shortened(shown, 200)}{reason}"
            ) from None

    def given(self, value: Any) -> Any:
        """As `parse`; a path, declared as `NAME: "path" = ""`, is meant from the current folder.

        (A notebook runs in its own folder, so its default is meant from there.)

        Raises:
            UsageError: as `parse`; or a path that cannot be one.
        """
        parsed = self.parse(value)
        if self.kind != "path" or not parsed:
            return parsed
        return str(user_path(parsed, f"parameter {self.name}:").absolute())


def assignments(texts: Iterable[str]) -> dict[str, str]:
    """`["SEED=3", "NAME=a=b"]`, as on the command line, to `{"SEED": "3", "NAME": "a=b"}`.

    Raises:
        UsageError: one without "=", or a name given twice.
    """
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"'{text}': write NAME=VALUE, for instance SEED=3")
        if name.strip() in given:
            raise UsageError(f"parameter {name.strip()} is given twice")
        given[name.strip()] = value
    return given


def grid(texts: Iterable[str]) -> dict[str, list[Any]]:
    """`["SEED=0,1,2", "RATE=[0.1, 0.2]"]` to a list of values for each name, as `sweep` takes it.

    Raises:
        UsageError: one without "=", a name given twice, or a "[" that begins no list.
    """
    values: dict[str, list[Any]] = {}
    for name, text in assignments(texts).items():
        try:
            values[name] = _plain(list, text) if text.lstrip().startswith("[") else text.split(",")
        except ValueError:
            raise UsageError(
                f"parameter {name}: '{text[:200]}' is no list; write {name}=[1, 2]"
            ) from None
    return values


def _kind_of(value: Any) -> str:
    if value is None:
        return "Any"
    if isinstance(value, list) and value and len({type(one) for one in value}) == 1:
        return f"list[{_kind_of(value[0])}]"
    return type(value).__name__


def _convert(kind: ast.expr, value: Any) -> Any:
    """`value` as the annotation `kind` has it; ValueError where that cannot be."""
    match kind:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _first((left, right), value)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return _first((inner, ast.Constant(None)), value)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            return _one_of(ast.literal_eval(inner), value)
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            return [_convert(inner, one) for one in _plain(list, value)]
        case ast.Subscript(value=outer):
            return _convert(outer, value)
        case ast.Name(id="Any"):
            return value
        case ast.Constant(value=None):
            if value is None or (isinstance(value, str) and value.lower() in ("none", "null")):
                return None
            raise ValueError
        case ast.Name(id=name) if name in _PLAIN:
            return _PLAIN[name](value)
    raise ValueError


def _first(kinds: Iterable[ast.expr], value: Any) -> Any:
    """The first kind that fits, text last: "none" for `str | None` is None."""
    for kind in sorted(kinds, key=lambda kind: ast.unparse(kind) == "str"):
        try:
            return _convert(kind, value)
        except UNREADABLE:
            continue
    raise ValueError


def _one_of(choices: Any, value: Any) -> Any:
    for choice in choices if isinstance(choices, tuple) else (choices,):
        if value == choice or value == str(choice):
            return choice
    raise ValueError


def _whole(value: Any) -> int:
    if isinstance(value, bool) or isinstance(value, float):
        raise ValueError
    if isinstance(value, str):
        return int(value)
    if hasattr(value, "__index__"):
        return value.__index__()
    raise ValueError


def _number(value: Any) -> float:
    if isinstance(value, bool) or not (isinstance(value, str) or hasattr(value, "__float__")):
        raise ValueError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUTH:
        return _TRUTH[value.lower()]
    raise ValueError


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError


def _literal(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except UNREADABLE:
            continue
    raise ValueError


class _Unfit(ValueError):
    """Of the right type, but not to be kept; says why."""


def _storable(value: Any, depth: int = 0) -> Any:
    """`value` itself, if it comes back from JSON as it went in."""
    if depth > DEEPEST:
        raise _Unfit("lists stand too deep in each other")
    if isinstance(value, (list, tuple)):
        for one in value:
            _storable(one, depth + 1)
    elif isinstance(value, dict):
        for name, one in value.items():
            if not isinstance(name, str):
                raise _Unfit("the names in a dict are text")
            _storable(name)
            _storable(one, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _Unfit("a number in it is not finite")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _Unfit("a whole number in it takes more than 64 bits")
    elif isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _Unfit("it is not Unicode") from None
    elif value is not None and not isinstance(value, (str, int, float)):
        raise _Unfit(f"it holds something of type {type(value).__name__}")
    return value


def _plain(kind: type, value: Any) -> Any:
    value = _literal(value) if isinstance(value, str) else value
    if kind is dict and isinstance(value, Mapping):
        return dict(value)
    if kind is list and isinstance(value, (list, tuple)):
        return list(value)
    raise ValueError


_PLAIN = {
    "int": _whole,
    "float": _number,
    "bool": _truth,
    "str": _text,
    "path": _text,
    "list": lambda value: _plain(list, value),
    "tuple": lambda value: _plain(list, value),
    "dict": lambda value: _plain(dict, value),
}
