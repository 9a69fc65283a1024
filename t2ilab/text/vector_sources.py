"""What a file of word vectors is opened as: unpacked where it is gzip, refused where it is not one.

Vectors come packed, and in the formats of several libraries; what a file is stands in its first
bytes, whatever its name says. A packed file is unpacked while it is read, up to a limit.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from t2ilab.errors import DataError

HEAD = 2**20  # bytes that are looked at before a file is read; no line is longer
MOST_UNPACKED = 20  # times its packed size; vectors unpack to two or three times
ALWAYS_UNPACKED = 64 * 2**20  # bytes that any file may unpack to

_ARCHIVE = "Unpack it and name the file of vectors in it"
_TEXT = ".save_word2vec_format('vectors.txt')` writes a file that is read here"
_KINDS = (  # first bytes, what it is, what to do
    (b"PK\x03\x04", "a zip archive", f"{_ARCHIVE} (GloVe comes so: `unzip FILE`)."),
    (b"PK\x05\x06", "a zip archive with nothing in it", "Get it again."),
    *((b"BZh%d1AY&SY" % k, "packed by bzip2", "Unpack it: `bunzip2 FILE`.") for k in range(1, 10)),
    (b"\xfd7zXZ\x00", "packed by xz", "Unpack it: `unxz FILE`."),
    (b"\x28\xb5\x2f\xfd", "packed by zstandard", "Unpack it: `unzstd FILE`."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", f"{_ARCHIVE}."),
    (b"Rar!\x1a", "a rar archive", f"{_ARCHIVE}."),
    *(
        (
            b"\x80%c" % protocol,
            "a pickle, such as gensim's own .kv and .model, and reading one can run code",
            f"If you trust it, `gensim.models.KeyedVectors.load('FILE'){_TEXT}.",
        )
        for protocol in range(2, 6)
    ),
    (
        b"\xba\x16\x4f\x2f",
        "fastText's own .bin, a model and no list of vectors",
        f"Take its .vec file, or `gensim.models.fasttext.load_facebook_vectors('FILE'){_TEXT}.",
    ),
    (
        b"\x93NUMPY",
        "an array of numpy, without words (gensim writes one beside its .kv)",
        f"`gensim.models.KeyedVectors.load('...'){_TEXT}.",
    ),
    (b"\x89HDF", "an HDF5 file", "Write its vectors as text, a word and its numbers a line."),
    (b"version https://git-lfs", "a pointer of Git LFS", "Get the file itself: `git lfs pull`."),
    (b"\xff\xfe", "text in UTF-16", "Save it as UTF-8."),
    (b"\xfe\xff", "text in UTF-16", "Save it as UTF-8."),
)
_PAGES = (b"<!doctype", b"<html", b"<?xml")
BOM = b"\xef\xbb\xbf"


def look(path: Path) -> bytes:
    """The first bytes of the file, unpacked and without a byte-order mark: at most `HEAD`.

    Raises:
        DataError: there is no such file, it cannot be read or unpacked, or it is of another kind,
            which the message names.
    """
    with opened(path) as file:
        head = file.read(HEAD)
    for first, kind, advice in _KINDS:
        if head.startswith(first):
            raise DataError(f"{path}: this is {kind}. {advice.replace('FILE', path.name)}")
    if head[257:262] == b"ustar":
        raise DataError(f"{path}: this is a tar archive. {_ARCHIVE} (`tar -xf {path.name}`).")
    if head.lstrip().lower().startswith(_PAGES) and b"</" in head:
        raise DataError(f"{path}: this is a page of the web, not what it links to. Get it again.")
    return head


@contextmanager
def opened(path: Path) -> Iterator[io.BufferedReader]:
    """The file, to be read once from its beginning; a byte-order mark is left out.

    Raises:
        DataError: as `look`; reading raises it too.
    """
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: this is no file, but a folder or a device.")
        raw = open(path, "rb")
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file of word vectors.") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    with raw, io.BufferedReader(_Unpacked(path, raw), 2**16) as file:
        if file.peek(len(BOM)).startswith(BOM):
            file.read(len(BOM))
        yield file


class _Unpacked(io.RawIOBase):
    """The bytes of a file, of a gzip file those within, up to a limit; faults are DataErrors."""

    def __init__(self, path: Path, raw: IO[bytes]):
        self._path, self._given = path, 0
        self._inner, self._most = raw, float("inf")
        try:
            if raw.peek(2).startswith(b"\x1f\x8b"):
                self._inner = gzip.GzipFile(fileobj=raw)
                self._most = max(ALWAYS_UNPACKED, MOST_UNPACKED * path.stat().st_size)
        except OSError as error:
            raise _unreadable(path, error) from error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            n = self._inner.readinto(buffer)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{self._path}: it cannot be unpacked ({error}); the file is cut short or damaged. "
                "Get it again."
            ) from error
        except OSError as error:
            raise _unreadable(self._path, error) from error
        self._given += n
        if self._given > self._most:
            raise DataError(
                f"{self._path}: it unpacks to more than {self._most / 2**20:,.0f} MiB, over "
                f"{MOST_UNPACKED} times its size, which vectors never do; so that it cannot fill "
                "the memory or the time, it is not read on. If it is sound, unpack it (`gunzip`) "
                "and name the unpacked file."
            )
        return n


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: the file cannot be read ({error.strerror or error}).")
