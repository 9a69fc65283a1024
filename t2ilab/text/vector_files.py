"""Files of word vectors: word2vec's text and binary formats and GloVe's, read with care, written.

word2vec text: a line "<n> <d>", then n lines "<word> <d numbers>". word2vec binary: the same first
line, then for each word its bytes, a space and d float32, little-endian. GloVe: the lines alone.
A file is read row by row, and what is not asked for is neither kept nor a reason to stop.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from t2ilab.durable import replacing
from t2ilab.errors import DataError, UsageError, choose
from t2ilab.paths import user_path
from t2ilab.text.vector_kept import CONTROL, SPACE, Kept
from t2ilab.text.vector_rows import LONGEST_WORD, layout_of, read_binary, read_text
from t2ilab.text.vector_sources import look, opened
from t2ilab.text.vectors import WordVectors

FORMATS = ("word2vec", "word2vec-binary", "glove")


def load_vectors(
    path: str | Path,
    *,
    format: str = "auto",
    words: Sequence[str] | None = None,
    dimension: int | None = None,
    encoding: str = "utf-8",
    unicode_errors: Literal["strict", "ignore", "replace"] = "strict",
) -> WordVectors:
    """The word vectors in a file, or those of some words.

    Memory is taken for what is kept, not for the file. Of a word that stands twice the first vector
    is kept, and a warning says so. With `words`, rows of other words may be damaged, and a text
    file is read until all are found; without, each row must be sound.

    Args:
        path: the file; packed by gzip or not.
        format: "word2vec", "word2vec-binary", "glove", or "auto", which looks at its beginning.
        words: keep only these, in the file's order. None: all.
        dimension: what the vectors must have; None: any.
        encoding: of the words: "utf-8", "latin-1" and so on.
        unicode_errors: what becomes of bytes that are no text in this encoding (the original
            word2vec cuts long words within a letter): "strict" refuses the word, "ignore" leaves
            them out, "replace" writes U+FFFD. As gensim's argument of this name.

    A GloVe file does not say how many words it holds: if it was cut off between two lines, nothing
    in it tells.

    Raises:
        UsageError: there is no such format or encoding, or no word is asked for.
        DataError: the file is missing, is no file of vectors, is cut short, unpacks to more than is
            sensible, or holds a row of another dimension or a number that is not finite; or no word
            is kept.
    """
    path = user_path(path, "file of word vectors")
    layout = layout_of(path, look(path), choose("format", format, ("auto", *FORMATS)))
    if dimension not in (None, layout.d):
        raise DataError(f"{path}: vectors of {layout.d} numbers; {dimension} are needed here.")
    words = words if words is None or isinstance(words, str) else list(words)
    kept = Kept(path, layout, words, _decoder(encoding, unicode_errors))
    try:
        with opened(path) as file:
            (read_binary if layout.binary else read_text)(file, layout, kept)
        return kept.vectors()
    except MemoryError:
        raise DataError(
            f"{path}: the vectors do not fit into memory. Name the words that you need: words=[...]"
        ) from None


def save_vectors(
    path: str | Path,
    vectors: WordVectors,
    *,
    format: Literal["word2vec", "word2vec-binary", "glove"] = "word2vec",
) -> None:
    """Write word vectors in one of the formats; gensim and others read them.

    Raises:
        UsageError: there is no such format, or a word holds a space or a line's end, or is no text.
        DataError: the file cannot be written; what stood there is as it was.
    """
    choose("format", format, FORMATS)
    path = user_path(path, "file of word vectors")
    for word in vectors.words:
        _see_writable(word)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            if format != "glove":
                file.write(f"{len(vectors)} {vectors.dimension}\n".encode())
            for word, row in zip(vectors.words, vectors.matrix, strict=True):
                numbers = (
                    row.astype("<f4").tobytes()
                    if format == "word2vec-binary"
                    else " ".join(f"{x:.9g}" for x in row.tolist()).encode()
                )
                file.write(word.encode() + b" " + numbers + b"\n")
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error


def _see_writable(word: str) -> None:
    reason = None
    if not word or SPACE.search(word) or word.startswith("\ufeff"):
        reason = "holds no space"
    elif any("\ud800" <= c <= "\udfff" for c in word):
        reason = "is text"
    elif len(word.encode()) > LONGEST_WORD or CONTROL.search(word.encode()):
        reason = f"has at most {LONGEST_WORD} bytes and no control character"
    if reason:
        raise UsageError(f"{word[:40]!r} cannot be written: a word of such a file {reason}.")


def _decoder(encoding: str, errors: str) -> Callable[[bytes], str]:
    choose("unicode_errors", errors, ("strict", "ignore", "replace"))
    try:
        plain = " 0".encode(encoding) == b" 0" and b" 0".decode(encoding) == " 0"
    except (LookupError, ValueError, TypeError):
        plain = False
    if not plain:
        raise UsageError(
            f"encoding={encoding!r}: give one that Python knows and in which a space is one byte, "
            "such as 'utf-8' or 'latin-1'."
        )
    return lambda word: word.decode(encoding, errors)
