"""Structured damage to small files, seeded, and the survey of what a reader makes of it.

Every damaged file must be refused in words, or be read as the whole one was. Where the file alone
cannot tell (a letter of a caption), the damage says so, and only a traceback is a fault.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from t2ilab.errors import T2ILabError

MUTATIONS = 200
ODD = ["", "0", "-1", "1.5", "1e999", "nan", "inf", "1_0", "../x"]
ODD += ["9" * 10_000, "[" * 1000, "x" * 300]


def lines(data: bytes, rng: Random) -> tuple[str, bytes]:
    """A text with one thing wrong: in its lines, in the words of a line, or in its bytes."""
    rows = data.decode().rstrip("\n").split("\n")
    kind = rng.choice("drop double swap cut join retype number enlarge exchange raw raw".split())
    i, j = rng.randrange(len(rows)), rng.randrange(len(rows))
    words = re.split(r"([\s#])", rows[i])
    k = 2 * rng.randrange((len(words) + 1) // 2)
    if kind == "raw":
        return raw(data, rng)
    if kind == "drop":
        del rows[i]
    elif kind == "double":
        rows.insert(j, rows[i])
    elif kind == "swap":
        rows[i], rows[j] = rows[j], rows[i]
    elif kind == "cut":
        rows[i] = rows[i][: rng.randrange(len(rows[i]) + 1)]
    elif kind == "join" and i:
        rows[i - 1 : i + 1] = [rows[i - 1] + rows[i]]
    elif kind == "enlarge":
        rows[i] *= rng.choice([2, 1000])
    elif kind == "exchange":  # the first word of two lines
        (a, between, rest), (b, other, tail) = (
            (*re.split(r"([\s#])", rows[n], maxsplit=1), "", "")[:3] for n in (i, j)
        )
        rows[i] = b + between + rest
        rows[j] = rows[j] if i == j else a + other + tail
    else:
        words[k] = rng.choice(ODD) if kind == "retype" else str(rng.randrange(-1, 12))
        rows[i] = "".join(words)
    return kind, "\n".join(rows).encode() + b"\n"


def raw(data: bytes, rng: Random) -> tuple[str, bytes]:
    """A flipped bit, a cut, something before or after, another encoding."""
    kind = rng.choice("flip flip flip byte cut before after encoding".split())
    i = rng.randrange(len(data))
    if kind in ("flip", "byte"):
        new = data[i] ^ 1 << rng.randrange(8) if kind == "flip" else rng.choice(b'\0\n\t "[{}0\xff')
        return kind, data[:i] + bytes([new]) + data[i + 1 :]
    if kind == "encoding":
        return kind, data.decode("latin-1").encode("utf-16")
    if kind == "cut":
        return kind, data[:i]
    more = rng.choice(
        [b"\0", b"[" * 100_000, b"\xff\xfe", b"\x1f\x8b", b"PK", b"<html>", b"{}", data]
    )
    return kind, more + data if kind == "before" else data + more


def values(data: bytes, rng: Random) -> tuple[str, bytes]:
    """A JSON file with one value dropped, doubled, swapped, retyped, enlarged, nested or cut."""
    if rng.random() < 0.2:
        return raw(data, rng)
    held = json.loads(data)
    places = [spot for spot in spots(held) if spot]
    *above, key = spot = rng.choice(places)
    inside = at(held, above)
    old, kind = inside[key], rng.choice("drop double swap retype enlarge nest cut".split())
    if kind == "drop":
        del inside[key]
    elif kind == "double":  # in an object: the same name twice
        new = deepcopy(rng.choice([old, at(held, rng.choice(places))]))
        inside.insert(key, new) if isinstance(inside, list) else inside.update({f"@{key}": new})
    elif kind == "swap":
        *others, last = rng.choice([one for one in places if len(one) == len(spot)])
        other = at(held, others)
        if key == last or (isinstance(key, int) and isinstance(last, int)):
            inside[key], other[last] = other[last], old
    elif kind == "cut":
        whole = isinstance(old, str | list)
        inside[key] = old[: rng.randrange(len(old) + 1)] if whole else None
    elif kind == "nest":
        inside[key] = rng.choice([[old], {"a": old}, "@deep"])
    else:
        new = [None, True, 1.5, -1, "", "1", [], {}, float("nan")]
        large = ["@huge", 10**18, 10**30, "@infinite", "x" * 10**5, [0] * 10**4]
        inside[key] = rng.choice(new if kind == "retype" else large)
    text = json.dumps(held).replace('"@deep"', "[" * 100_000 + "]" * 100_000)
    text = text.replace('"@huge"', "9" * 10_000).replace('"@infinite"', "1e999")
    return f"{kind} {spot}", text.replace('"@', '"').encode()


def spots(value: Any, path: tuple = ()) -> list[tuple]:
    """The path of everything in a value, the value itself first."""
    keys = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    return [path] + [spot for key in keys for spot in spots(value[key], (*path, key))]


def at(value: Any, path: Iterable) -> Any:
    for key in path:
        value = value[key]
    return value


def pairs_read(module, monkeypatch) -> Callable[..., dict]:
    """`module.load` as a function that gives picture -> (its captions, the name of its class)."""
    read, seen = module.gather, {}

    def gather(name, paths, captions, size, *, classes=None, class_names=None, **rest):
        for i, path in enumerate(paths):
            kind = None if classes is None else class_names[classes[i]]
            seen[path.name] = (sorted(captions[i]), kind)
        return read(name, paths, captions, size, classes=classes, class_names=class_names, **rest)

    def load(root, *splits, **options) -> dict:
        seen.clear()
        for split in splits:
            module.load(root, split, 4, cache=False, report=None, **options)
        return dict(seen)

    monkeypatch.setattr(module, "gather", gather)
    return load


def survey(
    capsys,
    path: Path,
    damage: Callable[[bytes, Random], tuple[str, bytes]],
    read: Callable[[], Any],
    knowable: Callable[[str, bytes], bool] = lambda kind, data: True,
    *,
    n: int = MUTATIONS,
    named: bool = True,
    longest: int = 3000,
) -> Counter:
    """Damage a file n times, read it, and count; fails at a traceback or a silent change.

    Args:
        read: what is read of the data set, to be compared.
        knowable: (kind of damage, damaged file) -> whether the files tell that it is damaged.
        named: every message names the folder; longest: so many letters it has at most.
    """
    whole, before, counts = path.read_bytes(), read(), Counter()
    for seed in count():
        if counts.total() == n:
            break
        kind, data = damage(whole, Random(f"{path.name} {seed}"))
        if data == whole:
            continue
        path.write_bytes(data)
        try:
            found = read()
        except T2ILabError as error:  # and nothing else
            assert not named or str(path.parent.parent) in str(error), (kind, seed, str(error))
            assert len(str(error)) < longest, (kind, seed)
            counts["refused"] += 1
            continue
        if found == before:
            counts["read as before"] += 1
        else:
            assert not knowable(kind, data), f"read in silence: {kind}, seed {seed}, {data[:2000]}"
            counts["cannot be known"] += 1
    path.write_bytes(whole)
    with capsys.disabled():
        print(f"\n{path.name}: {n} mutations, {dict(counts)}", end=" ")
    return counts
