"""MATLAB's .mat files, as far as a matrix of numbers goes.

The Mathworks, "MAT-File Format", level 5 (what `save` writes by default, or with -v6 and -v7). Such
a file is a header of 128 bytes and elements, each a type, a length and that many bytes; a matrix
is an element of elements (flags, sizes, name, values). scipy's reader ends the whole process at
a type that the format does not know, as a damaged file may have it.
"""

import struct
import zlib
from collections.abc import Iterator
from itertools import islice

import numpy as np

LARGEST = 2**24  # bytes that a packed element may unpack to, unless more are asked for
ORDERS = {b"IM": "<", b"MI": ">"}
MATRIX, PACKED = 14, 15  # types of elements
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC = range(6, 16)  # classes of matrices: double, single, int8 to uint64
COMPLEX = 0x800  # among the flags


def matrix(data: bytes, name: str, *, largest: int = LARGEST) -> np.ndarray:
    """The matrix of real numbers that has this name in the file.

    Args:
        largest: bytes that a packed matrix may unpack to.

    Raises:
        ValueError: says why there is none: another kind of file or matrix, or a damaged one.
    """
    order = ORDERS.get(data[126:128])
    if order is None or len(data) <= 128:
        raise ValueError("no MATLAB file of level 5; in MATLAB, save it with -v7")
    found = []
    for kind, body in _elements(data[128:], order):
        if kind == PACKED:
            kind, body = next(_elements(_unpacked(body, largest), order))
        if kind != MATRIX:
            raise ValueError(f"an element of type {kind} stands where a matrix was expected")
        parts = list(islice(_elements(body, order), 4))
        if len(parts) == 4 and parts[2][1] == name.encode():
            found.append(_values(parts, order))
    if len(found) != 1:
        raise ValueError(f"it holds {len(found)} matrices {name!r}; expected one")
    return found[0]


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Each element's type and bytes. One of at most four bytes has type and length in one word."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise ValueError("it is cut short")
        kind, length = struct.unpack_from(f"{order}2I", data, at)
        start, end = at + 8, at + 8 + length
        at = end if kind == PACKED else end + -length % 8
        if small := kind >> 16:
            kind, start, end, at = kind & 0xFFFF, start - 4, start - 4 + small, start
        if end > len(data) or small > 4:
            raise ValueError("it is cut short, or the length of an element is damaged")
        yield kind, data[start:end]


def _unpacked(body: bytes, largest: int) -> bytes:
    packed = zlib.decompressobj()
    try:
        data = packed.decompress(body, largest)
    except zlib.error as error:
        raise ValueError(f"its packed part is damaged: {error}") from error
    if not packed.eof or not data:
        raise ValueError(f"its packed part is cut short, or has more than {largest:,} bytes")
    return data


def _values(parts: list[tuple[int, bytes]], order: str) -> np.ndarray:
    """Flags, sizes, name and values to an array."""
    (_, flags), (_, sizes), (_, name), (kind, values) = parts
    if len(flags) != 8 or len(sizes) % 4:
        raise ValueError("the head of the matrix is damaged")
    (word,) = struct.unpack_from(f"{order}I", flags)
    if word & 0xFF not in NUMERIC or word & COMPLEX or kind not in TYPES:
        raise ValueError(f"{name.decode()!r} holds something else than real numbers")
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    return np.frombuffer(values, order + TYPES[kind]).reshape(shape, order="F")
