"""Files of word vectors changed at random, in their structure: refused, or read as they were.

A digit in place of another cannot be seen. Whatever else is changed must end in an error that is
meant for people, or leave every vector under its word as it was; or a warning says what is wrong.
"""

import gzip
import random
import warnings

import numpy as np
import pytest
from damage import MUTATIONS

from t2ilab.errors import T2ILabError
from t2ilab.text.vector_files import load_vectors, save_vectors
from t2ilab.text.vectors import WordVectors

WORDS = "red blue bird jay caf\u00e9 1999 a-b owl wren tit kea emu".split()
MATRIX = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
ODD = [b"", b"nan", b"inf", b"1e99", b"1_0", b"-", b"null"]
ODD += [b"[1]", b"9" * 5000, b"\xff", b"\0", b"red"]


def _rows(file: bytes, rng: random.Random) -> bytes:
    """Drop, double, swap, join, split or insert a line."""
    lines = file.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(6)
    if kind == 0:
        del lines[i]
    elif kind == 1:
        lines.insert(j, lines[i])
    elif kind == 2:
        lines[i], lines[j] = lines[j], lines[i]
    elif kind == 3:
        lines[i : i + 2] = [rng.choice([b"", b" ", b"\r"]).join(lines[i : i + 2])]
    elif kind == 4:
        lines[i] = lines[i].replace(b" ", b"\n", 1)
    else:
        lines.insert(i, rng.choice([b"", b" ", *ODD, b"x" * 2_100_000, b"0 " * 30_000]))
    return b"\n".join(lines)


def _fields(file: bytes, rng: random.Random) -> bytes:
    """Drop, double, move, retype or enlarge a field of a line, or the space before it."""
    lines = file.split(b"\n")
    i = rng.randrange(len(lines))
    fields = lines[i].split(b" ")
    k = rng.randrange(len(fields))
    kind = rng.randrange(6)
    if kind == 0:
        del fields[k]
    elif kind == 1:
        fields.insert(k, fields[k])
    elif kind == 2:
        fields.insert(0, fields.pop(k))
    elif kind == 3:
        fields[k] = rng.choice(ODD)
    elif kind == 4 and k:
        between = rng.choice([b"", b"\t", b"  ", b"_", b","])
        fields[k - 1 : k + 1] = [between.join(fields[k - 1 : k + 1])]
    elif lines[i] == lines[0] and fields[k].isdigit():  # what line 1 promises
        fields[k] = rng.choice([b"0", b"-1", b"4", b"6", b"1" + fields[k], b"9" * 12, b"5.0"])
    else:
        fields[k] = rng.choice([b"x" * 2500, b"1e400"])
    lines[i] = b" ".join(fields)
    return b"\n".join(lines)


def _bytes(file: bytes, rng: random.Random) -> bytes:
    """Cut the file, cut a piece out of it, put one in, or say that it is something else."""
    i, j = sorted(rng.randrange(len(file)) for _ in range(2))
    kind = rng.randrange(5)
    if kind == 0:
        return file[:i]
    if kind == 1:  # a piece that is no digit, or a whole field: less of a number cannot be seen
        i, j = file.rfind(b" ", 0, i) + 1, file.find(b" ", j)
        return file[:i] + file[j:] if i < j else file[:j]
    if kind == 2:
        return file[:i] + rng.choice([b"\0", b" ", b"\n", b"\xff\xfe", b"\x1a"]) + file[i:]
    if kind == 3:
        magic = [b"\xef\xbb\xbf", b"\xff\xfe", b"PK\x03\x04"]
        magic += [b"\x1f\x8b", b"\x80\x04", b"BZh91AY&SY"]
        return rng.choice(magic) + file
    tabs, returns = file.replace(b" ", b"\t"), file.replace(b"\n", b"\r")
    return rng.choice([file + file, tabs, returns, b""])


def _flip(file: bytes, rng: random.Random) -> bytes:
    """Another byte in place of one that is no digit."""
    places = [k for k, byte in enumerate(file) if byte not in b"0123456789.-e"]
    k = rng.choice(places)
    return file[:k] + bytes([rng.choice(b" \n\t_x\0\xff\x80,")]) + file[k + 1 :]


def _binary(file: bytes, rng: random.Random) -> bytes:
    """As `_bytes` and `_flip`, of what is no number: line 1, words, spaces, the ends of rows."""
    head = file.index(b"\n") + 1
    parts = [file[:head]]  # line 1, then word and space, numbers, word and space, ...
    rest = file[head:]
    while rest.strip():
        k = rest.index(b" ") + 1
        parts += [rest[:k], rest[k : k + 20]]
        rest = rest[k + 20 :]
    row = rng.randrange(0, len(parts) - 1, 2) if rng.random() < 0.3 else rng.randrange(len(parts))
    kind = rng.randrange(6)
    if kind == 0:
        del parts[row]
    elif kind == 1:
        parts.insert(row, parts[row])
    elif kind == 2:
        parts[0] = _fields(parts[0].rstrip(), rng) + b"\n"
    elif kind == 3:
        parts[row] = parts[row][: rng.randrange(len(parts[row]))]
    elif kind == 4:
        parts[row] = b"\xff\xff\xff\x7f" * 5 if row and row % 2 == 0 else _flip(parts[row], rng)
    else:
        parts = [file[: rng.randrange(len(file))]]
    return b"".join(parts)


def _packed(file: bytes, rng: random.Random) -> bytes:
    packed = gzip.compress(rng.choice([_rows, _fields])(file, rng), 1)
    k = rng.randrange(len(packed))
    flipped = packed[:k] + bytes([packed[k] ^ 1 << rng.randrange(8)]) + packed[k + 1 :]
    return rng.choice([packed, packed[:k], flipped])


KINDS = {
    "word2vec": [_rows, _fields, _bytes, _flip],
    "glove": [_rows, _fields, _bytes, _flip],
    "word2vec-binary": [_binary],
    "packed": [_packed],
}


def read(path, **asked):
    """What is read, whether something was said about it; None where it was refused in words."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            return load_vectors(path, **asked), bool(told)
        except T2ILabError as error:
            assert len(str(error)) < 700 + len(str(path)), str(error)
            return None, True


@pytest.mark.parametrize("kind", KINDS)
def test_no_change_of_structure_ends_in_a_traceback_or_changes_a_vector_in_silence(
    kind, tmp_path, capsys
):
    format = kind if kind != "packed" else "word2vec"
    path = tmp_path / "v"
    save_vectors(path, WordVectors(WORDS, MATRIX), format=format)
    sound, rng = path.read_bytes(), random.Random(7)
    refused = told = same = 0
    for _ in range(MUTATIONS):
        path.write_bytes(changed := rng.choice(KINDS[kind])(sound, rng))
        words = rng.choice([None, WORDS, rng.sample(WORDS, 3)])
        found, said = read(path, words=words, format=rng.choice(["auto", format]))
        refused, told = refused + (found is None), told + (found is not None and said)
        for word in found.words if found else ():
            if word in WORDS and not said:
                np.testing.assert_array_equal(
                    found[word], MATRIX[WORDS.index(word)], repr(changed[:900])
                )
                same += 1
    with capsys.disabled():
        print(
            f"\n{kind}: {MUTATIONS} mutations, {refused} refused, {told} read with a warning, "
            f"0 tracebacks, 0 silent changes ({same} vectors compared)"
        )
    assert MUTATIONS >= 200 and refused > MUTATIONS / 5 and same > 50
