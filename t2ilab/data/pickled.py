"""Pickles as Python 2 wrote them, of numbers, texts and NumPy arrays, read without running them.

A pickle is a program: it may call any function by its name. Here its instructions are looked at
first, and none is followed unless all are such as these files need and name nothing but an array.
Even NumPy is not called: `Array` and `Kind` stand for its array and its dtype, and keep what they
are given.
"""

import pickle
import pickletools
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import UInt8

OPCODES = frozenset(
    "PROTO MARK STOP EMPTY_DICT SETITEM SETITEMS EMPTY_LIST APPEND APPENDS EMPTY_TUPLE TUPLE "
    "TUPLE1 TUPLE2 TUPLE3 NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 BINSTRING "
    "SHORT_BINSTRING BINPUT LONG_BINPUT BINGET LONG_BINGET GLOBAL REDUCE BUILD".split()
)


class Array:
    """A NumPy array to be: `state` is what it was to be set to."""

    def __init__(self, *_: Any):
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class Kind:
    """A NumPy dtype to be: `name` is b"u1" for bytes."""

    def __init__(self, name: Any, *_: Any):
        self.name = name

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like, of which one byte has none."""


GLOBALS = {  # what the files name: what stands for it here
    "numpy.core.multiarray _reconstruct": Array,
    "numpy ndarray": Array,
    "numpy dtype": Kind,
}


def read(data: bytes) -> dict:
    """The dict that a pickle of protocol 2 holds; texts are bytes.

    Raises:
        ValueError: it names anything but an array, is damaged, or holds no dict; says which.
    """
    _check(data)
    try:
        held = _Unpickler(BytesIO(data), encoding="bytes").load()
    except Exception as error:  # instructions in a wrong order raise many kinds
        raise ValueError(f"the pickle is damaged ({str(error)[:200]})") from error
    if not isinstance(held, dict):
        raise ValueError("the pickle holds no dict")
    return held


def rows(held: Any, columns: int) -> UInt8[np.ndarray, "n columns"]:
    """The bytes of an `Array` of two dimensions.

    Raises:
        ValueError: it is something else; says what, and what was expected.
    """
    state = held.state if isinstance(held, Array) else None
    if not isinstance(state, tuple) or len(state) != 5:
        raise ValueError("no NumPy array")
    _, shape, kind, by_columns, raw = state
    if not isinstance(shape, tuple) or not all(type(side) is int for side in shape):
        raise ValueError("of no shape")
    if len(shape) != 2 or shape[1] != columns:
        raise ValueError(f"of shape {list(shape)}; expected [n, {columns}]"[:200])
    if not isinstance(kind, Kind) or kind.name != b"u1" or by_columns:
        raise ValueError("of another type than uint8, row by row")
    if not isinstance(raw, bytes) or len(raw) != shape[0] * columns:
        found = len(raw) if isinstance(raw, bytes) else 0
        raise ValueError(f"{found:,} bytes; expected {shape[0]:,} x {columns:,}")
    return np.frombuffer(raw, np.uint8).reshape(shape)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type:
        return GLOBALS[f"{module} {name}"]  # `_check` has seen that it is there


def _check(data: bytes) -> None:
    """Refuse what is no pickle, or does more than these files do."""
    wrong, end = "", 0
    try:
        for code, value, at in pickletools.genops(data):
            if code.name == "GLOBAL" and value not in GLOBALS:
                wrong = f"the pickle names {value[:80]!r}; only an array of NumPy may be named"
            elif code.name not in OPCODES or (code.name == "PROTO" and value > 2):
                wrong = f"the pickle has the instruction {code.name} at byte {at}, unknown here"
            elif code.name.endswith("PUT") and value >= len(data):  # would take as much memory
                wrong = f"the pickle keeps something at place {value:,} (byte {at})"
            if wrong:
                break
            end = at + 1
    except Exception as error:
        raise ValueError(f"no pickle, or one cut short ({str(error)[:200]})") from error
    if wrong or end != len(data):
        raise ValueError(wrong or f"{len(data) - end:,} bytes follow the end of the pickle")
