"""Files of word vectors: word2vec's text and binary formats and GloVe's, read with care, written.

word2vec text: a line "<n> <d>", then n lines "<word> <d numbers>". word2vec binary: the same first
line, then for each word its bytes, a space and d float32, little-endian. GloVe: the lines alone.
A name that ends in .gz is unpacked while reading. Every fault names its line or its row.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from t2ilab.errors import DataError, UsageError, choose
from t2ilab.files import write_atomically
from t2ilab.text.vectors import WordVectors

FORMATS = ("word2vec", "word2vec-binary", "glove")
LONGEST_WORD = 2000  # bytes; more than that before a space is no word


class _Row(NamedTuple):
    place: str  # "line 7" or "row 7"
    word: str
    vector: np.ndarray


def load_vectors(
    path: str | Path,
    *,
    format: str = "auto",
    words: Sequence[str] | None = None,
    dimension: int | None = None,
) -> WordVectors:
    """The word vectors in a file; the whole file is checked, whatever is kept of it.

    Args:
        path: the file.
        format: "word2vec", "word2vec-binary", "glove", or "auto", which looks at its beginning.
        words: keep only these, in the file's order. None: all.
        dimension: what the vectors must have; None: any.

    A GloVe file does not say how many words it holds: if it was cut off between two lines, nothing
    in it tells.

    Raises:
        UsageError: there is no such format.
        DataError: the file is missing, is no file of vectors, is cut short, or holds a row of
            another dimension, a word twice, or a number that is not finite; or no word is kept.
    """
    path = Path(path).expanduser()
    data = _bytes(path)
    kind = _guess(path, data) if format == "auto" else choose("format", format, FORMATS)
    rows = {"word2vec": _word2vec_text, "word2vec-binary": _word2vec_binary, "glove": _glove}[kind]
    wanted = None if words is None else set(words)
    seen: dict[str, str] = {}
    kept: list[_Row] = []
    for row in rows(path, data):
        if dimension is not None and len(row.vector) != dimension:
            raise DataError(
                f"{path}, {row.place}: vectors of {len(row.vector)} numbers; "
                f"{dimension} are needed here."
            )
        if row.word in seen:
            raise DataError(
                f"{path}, {row.place}: '{row.word}' has a vector already, in "
                f"{seen[row.word]}. Remove one of the two."
            )
        if not np.isfinite(row.vector).all():
            raise DataError(
                f"{path}, {row.place}: the vector of '{row.word}' holds a number that "
                "is not finite (nan or inf). Remove the row, or get the file again."
            )
        seen[row.word] = row.place
        if wanted is None or row.word in wanted:
            kept.append(row)
    if not kept:
        raise DataError(
            f"{path}: none of the {len(words or ())} words asked for is among the "
            f"{len(seen):,} words of this file."
            if seen
            else _no_vectors(path)
        )
    return WordVectors([row.word for row in kept], np.stack([row.vector for row in kept]))


def save_vectors(
    path: str | Path,
    vectors: WordVectors,
    *,
    format: Literal["word2vec", "word2vec-binary", "glove"] = "word2vec",
) -> None:
    """Write word vectors in one of the formats; gensim and others read them.

    Raises:
        UsageError: there is no such format, or a word holds a space or a line's end.
    """
    choose("format", format, FORMATS)
    bad = [word for word in vectors.words if not word or any(c in word for c in " \n\r")]
    if bad:
        raise UsageError(f"{bad[0]!r} cannot be written: a word of such a file holds no space.")
    head = f"{len(vectors)} {vectors.dimension}\n".encode()
    if format == "word2vec-binary":
        body = b"".join(
            word.encode() + b" " + row.astype("<f4").tobytes() + b"\n"
            for word, row in zip(vectors.words, vectors.matrix, strict=True)
        )
    else:
        body = "".join(
            f"{word} {' '.join(f'{x:.9g}' for x in row.tolist())}\n"
            for word, row in zip(vectors.words, vectors.matrix, strict=True)
        ).encode()
    write_atomically(Path(path), body if format == "glove" else head + body)


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file of word vectors.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: it cannot be unpacked ({error}); the file is cut short or "
            "damaged. Get it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read ({error}).") from error


def _guess(path: Path, data: bytes) -> str:
    """The format by the beginning of the file."""
    first, _, rest = data.partition(b"\n")
    if _head(first) is None:
        fields = first.rstrip(b" \r").split(b" ")
        if len(fields) > 2 and _numbers(fields[1:]) is not None:
            return "glove"
        raise DataError(_no_vectors(path))
    second = rest.partition(b"\n")[0].rstrip(b" \r")
    dimension = _head(first)[1]
    text = len(second.split(b" ")) > 1 and _numbers(second.split(b" ")[-1:]) is not None
    looks_binary = b"\0" in rest[: 200 + 4 * dimension]
    return "word2vec" if text and not looks_binary else "word2vec-binary"


def _no_vectors(path: Path) -> str:
    return (
        f"{path}, line 1: this is no file of word vectors. Expected word2vec's first line "
        "'<words> <dimension>', or a word and its numbers (GloVe), separated by spaces."
    )


def _head(line: bytes) -> tuple[int, int] | None:
    """n and d of word2vec's first line; None where it is none."""
    parts = line.split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        return None
    n, d = map(int, parts)
    return (n, d) if n and d else None


def _word2vec_text(path: Path, data: bytes) -> Iterator[_Row]:
    first, _, rest = data.partition(b"\n")
    n, d = _headed(path, first)
    k = 0
    for k, row in enumerate(_lines(path, rest, d, first_line=2), 1):
        if k > n:
            raise DataError(
                f"{path}, {row.place}: line 1 promises {n:,} words, and here is one "
                "more. The file is damaged."
            )
        yield row
    if k < n:
        raise DataError(
            f"{path}: it ends after line {k + 1}, with {k:,} of the {n:,} words that "
            "line 1 promises. The file is cut short: get it again."
        )


def _glove(path: Path, data: bytes) -> Iterator[_Row]:
    fields = data.partition(b"\n")[0].rstrip(b" \r").split(b" ")
    if len(fields) < 2 or _numbers(fields[1:]) is None:
        raise DataError(_no_vectors(path))
    yield from _lines(path, data, len(fields) - 1, first_line=1)


def _lines(path: Path, data: bytes, d: int, *, first_line: int) -> Iterator[_Row]:
    lines = data.removesuffix(b"\n").split(b"\n") if data else ()
    for number, line in enumerate(lines, first_line):
        fields = line.rstrip(b" \r").split(b" ")
        vector = _numbers(fields[-d:]) if len(fields) > d else None
        extra = fields[1:-d] if vector is not None else []
        if vector is None or any(_numbers([one]) is not None for one in extra):
            raise DataError(
                f"{path}, line {number}: expected a word and {d} numbers, got "
                f"{_got(fields)}. A row of another dimension, or a file cut short."
            )
        word = _decoded(path, f"line {number}", b" ".join(fields[:-d]))
        yield _Row(f"line {number}", word, vector)


def _got(fields: list[bytes]) -> str:
    numbers = sum(_numbers([one]) is not None for one in fields[1:])
    others = len(fields) - 1 - numbers
    return f"{numbers} numbers" + (f" and {others} other entries" if others else "")


def _word2vec_binary(path: Path, data: bytes) -> Iterator[_Row]:
    first, _, _ = data.partition(b"\n")
    n, d = _headed(path, first)
    place = len(first) + 1
    for row in range(1, n + 1):
        space = data.find(b" ", place, place + LONGEST_WORD)
        if space < 0 and len(data) - place > LONGEST_WORD:
            raise DataError(
                f"{path}, row {row}: no word where one should begin. Line 1 names "
                "another dimension than the rows have, or the file is damaged."
            )
        if space < 0 or space + 1 + 4 * d > len(data):
            raise DataError(
                f"{path}: it ends within row {row} of the {n:,} that line 1 promises. "
                "The file is cut short: get it again."
            )
        word = _decoded(path, f"row {row}", data[place:space].lstrip(b"\n"))
        vector = np.frombuffer(data, "<f4", d, space + 1).astype(np.float32)
        yield _Row(f"row {row}", word, vector)
        place = space + 1 + 4 * d
    if data[place:].strip(b"\n"):
        raise DataError(
            f"{path}: {len(data) - place:,} bytes follow the {n:,} rows of {d} numbers "
            "that line 1 promises. The file is damaged, or line 1 is."
        )


def _headed(path: Path, first: bytes) -> tuple[int, int]:
    head = _head(first)
    if head is None:
        raise DataError(
            f"{path}, line 1: expected '<words> <dimension>', got {first[:60]!r}. "
            "A GloVe file has no such line: it is format='glove'."
        )
    return head


def _numbers(fields: Sequence[bytes]) -> np.ndarray | None:
    try:
        with np.errstate(over="ignore"):  # 1e50 becomes inf, which is refused with its place
            return np.array([float(one) for one in fields], dtype=np.float32)
    except ValueError:
        return None


def _decoded(path: Path, place: str, word: bytes) -> str:
    try:
        text = word.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"{path}, {place}: the word is not text in UTF-8 ({word[:30]!r}). The "
            "file is damaged, or its rows have another dimension than line 1 "
            "says."
        ) from None
    if not text:
        raise DataError(f"{path}, {place}: a row without a word.")
    return text
