"""Rows of word vectors in a file that is open: which of three layouts it has, and its rows.

A row that is damaged is reported as a fault of that row, and reading goes on: whether anybody asked
for it is not known here.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import BinaryIO

import numpy as np

from t2ilab.errors import DataError
from t2ilab.text.vector_kept import CONTROL, Kept, Layout, no_vectors
from t2ilab.text.vector_sources import HEAD

LONGEST_WORD = 2000  # bytes; more than that before a space is no word
CHUNK = 2**18  # bytes of a binary file read at once; a row fits in
MOST_NUMBERS = 20_000  # of a vector; a line of so many fits into `HEAD`


def read_text(file: BinaryIO, layout: Layout, kept: Kept) -> None:
    """Lines to the last, or until all that was asked for is found; word2vec's, and GloVe's."""
    blank, before = 0, b""  # the number of an empty line; the word of the row before, where sound
    if layout.n is not None:
        file.readline(HEAD)
    for number, line in _lines(file, 1 if layout.n is None else 2):
        if not line.strip():
            blank = blank or number
            continue
        if blank:
            kept.fault(blank, "an empty line between two rows. Remove it, or get the file again.")
        if before and _rest_of_a_row(line, layout.d):
            said = "numbers without a word, as if the row before was broken in two."
            kept.fault(number, f"{said} Get the file again.", [before])
        if kept.complete():
            return
        kept.rows += 1
        kept.cut_line = not line.endswith(b"\n")
        before = _read_line(number, line, layout, kept)
    if layout.n is not None and kept.rows < layout.n and not kept.complete():
        raise DataError(
            f"{kept.path}: it ends after line {kept.rows + 1}, with {kept.rows:,} of the "
            f"{layout.n:,} words that line 1 promises. The file is cut short: get it again."
        )


def _lines(file: BinaryIO, first: int) -> Iterator[tuple[int, bytes]]:
    """Numbered lines; of one that is longer than any row the beginning, without an end."""
    for number in count(first):
        line = file.readline(HEAD)
        if not line:
            return
        yield number, line
        while len(line) == HEAD and not line.endswith(b"\n"):
            line = file.readline(HEAD)


def _rest_of_a_row(line: bytes, d: int) -> bool:
    fields = line.split()
    return len(fields) <= d and all(map(_is_number, fields))


def _read_line(number: int, line: bytes, layout: Layout, kept: Kept) -> bytes:
    """Add the row to what is kept, or say what is wrong with it; the word of a sound one."""
    first = line.split(None, 1)[0]
    if not kept.concerns(number, first):
        return b""
    d = layout.d
    fields = line.rsplit(None, d)
    word = fields[0].strip()
    numbers = line[len(fields[0]) + 1 :].rstrip()
    single = len(numbers) == len(b" ".join(fields[1:]))  # one space or tab before each number
    vector = _numbers(fields[1:]) if len(fields) == d + 1 and single else None
    if layout.n is not None and kept.rows > layout.n:
        said = f"line 1 promises {layout.n:,} words, and here is one more. The file is damaged."
        kept.fault(number, said, _names(line))
    elif len(line) == HEAD or len(word) > LONGEST_WORD:
        kept.fault(number, "the line is too long for a row of vectors.", [first])
    elif vector is None or any(map(_is_number, word.split()[1:])):
        got = _got(line.split()) if single else "more than one space in a row"
        said = f"expected a word and {d} numbers, got {got}."
        kept.fault(number, f"{said} A row of another dimension, or a file cut short.", _names(line))
    else:
        kept.add(number, word, vector)
        return word
    return b""


def _names(line: bytes) -> list[bytes]:
    """What the word of a damaged line may be: its first field, or all fields before a number."""
    fields = line.split()
    k = next((k for k, one in enumerate(fields) if k and _is_number(one)), len(fields))
    return [fields[0], b" ".join(fields[:k])]


def _got(fields: list[bytes]) -> str:
    numbers = sum(map(_is_number, fields[1:]))
    others = len(fields) - 1 - numbers
    return f"{numbers} numbers" + (f" and {others} other entries" if others else "")


def read_binary(file: BinaryIO, layout: Layout, kept: Kept) -> None:
    """Rows to the last, whatever is asked for: only the end shows that the dimension is right.

    A byte too many in a row is made up for by the next word: a word that is none, or does not stand
    where the others do, tells of damage in the row before.
    """
    n, d, data, at = layout.n, layout.d, b"", 0
    before, ends = b"", None  # the word of the row before; whether rows end in a line's end
    file.readline(HEAD)
    for row in range(1, n + 1):
        if len(data) - at <= LONGEST_WORD + 4 * d:
            data, at = data[at:] + file.read(CHUNK), 0
        space = data.find(b" ", at, at + LONGEST_WORD)
        if space < 0 and len(data) - at > LONGEST_WORD:
            raise DataError(
                f"{kept.path}, row {row}: no word where one should begin. Line 1 names another "
                "dimension than the rows have, or the file is damaged."
            )
        if space < 0 or space + 1 + 4 * d > len(data):
            raise DataError(
                f"{kept.path}: it ends within row {row} of the {n:,} that line 1 promises. The "
                "file is cut short: get it again."
            )
        ended, word = data.startswith(b"\n", at), data[at:space].lstrip(b"\n")
        ends = ended if row == 2 else ends
        kept.rows = row
        if b"\n" in word or CONTROL.search(word) or (row > 2 and ended != ends):
            said = f"no word where one should begin ({word[:30]!r}). This row or the one before"
            kept.fault(row, f"{said} is damaged: get the file again.", [before, word])
        elif kept.concerns(row, word):
            kept.add(row, word, np.frombuffer(data, "<f4", d, space + 1).astype(np.float32))
        before, at = word, space + 1 + 4 * d
    rest = data[at:] + file.read(HEAD)
    if rest.strip(b"\n"):
        raise DataError(
            f"{kept.path}: {len(rest):,} bytes{' or more' * (len(rest) >= HEAD)} follow the {n:,} "
            f"rows of {d} numbers that line 1 promises. The file is damaged, or line 1 is."
        )


def layout_of(path: Path, head: bytes, format: str) -> Layout:
    """The layout by the beginning of the file, and by its format where one is named.

    Raises:
        DataError: it has none of the three; vectors of more than 20,000 numbers.
    """
    layout = _layout(path, head, format)
    if layout.d > MOST_NUMBERS:
        raise DataError(
            f"{path}, line 1: vectors of {layout.d:,} numbers; at most {MOST_NUMBERS:,} are read. "
            "The file is damaged, or no file of word vectors."
        )
    return layout


def _layout(path: Path, head: bytes, format: str) -> Layout:
    first, _, rest = head.partition(b"\n")
    if len(first) == HEAD:
        raise DataError(f"{path}, line 1: it is too long for a line of a file of vectors.")
    promised = _head(first)
    if format == "glove" or (format == "auto" and promised is None):
        d = _common_dimension(head)
        if d < (2 if format == "auto" else 1):
            raise DataError(no_vectors(path))
        return Layout(False, None, d)
    if promised is None:
        raise DataError(
            f"{path}, line 1: expected '<words> <dimension>', got {first[:60]!r}. "
            "A GloVe file has no such line: it is format='glove'."
        )
    n, d = promised
    return Layout(format == "word2vec-binary" or (format == "auto" and _binary(rest, d)), n, d)


def _binary(rest: bytes, d: int) -> bool:
    """Whether rows that follow word2vec's first line are binary."""
    fields = rest.partition(b"\n")[0].split()
    if len(fields) > d and _numbers(fields[-d:]) is not None:
        return False
    return bool(CONTROL.search(rest[:4096])) or not any(map(_is_number, fields[1:]))


def _common_dimension(head: bytes) -> int:
    """How many numbers most of the first lines end with; 0 where most end with none."""
    lines = head.split(b"\n", 100)
    if len(lines) > 100 or len(head) == HEAD:
        lines.pop()  # the rest of the file, or a line that is not all there
    ends = Counter(_ending_numbers(line.split()) for line in lines if line.strip())
    return ends.most_common(1)[0][0] if ends else 0


def _ending_numbers(fields: list[bytes]) -> int:
    backwards = reversed(fields[1:])
    return next((k for k, one in enumerate(backwards) if not _is_number(one)), len(fields) - 1)


def _head(line: bytes) -> tuple[int, int] | None:
    """n and d of word2vec's first line; None where it is none."""
    parts = line.split()
    if len(parts) != 2 or not all(part.isdigit() and len(part) <= 12 for part in parts):
        return None
    n, d = map(int, parts)
    return (n, d) if n and d else None


def _numbers(fields: Sequence[bytes]) -> np.ndarray | None:
    """float32 of the fields; None where one is no number. (Python reads 1_000, files do not.)"""
    if b"_" in b"".join(fields):
        return None
    try:
        with np.errstate(over="ignore"):  # 1e50 becomes inf, which is refused with its place
            return np.fromiter(map(float, fields), np.float32, len(fields))
    except ValueError:
        return None


def _is_number(field: bytes) -> bool:
    return _numbers([field]) is not None
