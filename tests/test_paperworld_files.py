"""PaperWorld's files as a teacher edits them: what is understood, and what is refused in words."""

import json
import random
import re
import shutil
from copy import deepcopy
from importlib import import_module
from itertools import count

import pytest
from damage import MUTATIONS, at, spots

from t2ilab.data.paperworld import SPLITS, WORLDS, World
from t2ilab.data.paperworld.source import Source
from t2ilab.errors import DataError

MODULE = import_module("t2ilab.data.paperworld.world")  # "world" is also a function
FILES = ("paint", "lexicon", *WORLDS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the data, of which worlds are made while a test runs."""
    for name in FILES:
        shutil.copy(MODULE.FOLDER / f"{name}.json", tmp_path)
    monkeypatch.setattr(MODULE, "FOLDER", tmp_path)
    return tmp_path


def replace(path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


# ------------------------------------------------------------------------------- a teacher's edits


def test_a_new_colour_is_drawn_and_said(folder):
    replace(folder / "paint.json", '"red":', '"teal": [0, 128, 128], "red":')
    birds, flowers = World("birds"), World("flowers")
    facts = birds.facts("train", 0) | {"wing": "teal"}
    picture = birds.draw(facts, 64).reshape(-1, 3).astype(int)
    assert (abs(picture - (0, 128, 128)).max(1) < 20).sum() > 50
    assert birds.read("a red bird with teal wings") == {"breast": "red", "wing": "teal"}
    assert any("teal" in text for i in range(80) for text in flowers.captions("train", i))


def test_a_new_word_is_said_and_understood(folder):
    replace(folder / "lexicon.json", '["brown"]', '["brown", "chocolate"]')
    replace(folder / "lexicon.json", '["emerald"]', '["emerald", "jade green"]')
    birds = World("birds")
    assert any("chocolate" in text for i in range(80) for text in birds.captions("train", i))
    assert birds.read("a jade green bird with chocolate wings") == {
        "breast": "green",
        "wing": "brown",
    }


def test_a_new_sentence_with_a_new_noun(folder):
    replace(folder / "birds.json", '"a {breast} bird",', '"a bird with {wing} feathers",')
    with pytest.raises(DataError, match=r"birds.json: captions\[3\]\[0\].*'heads'"):
        World("birds")
    replace(folder / "birds.json", '"wings": ["wing"],', '"wings": ["wing"], "feathers": ["wing"],')
    birds = World("birds")
    assert any("feathers" in text for i in range(80) for text in birds.captions("train", i))


@pytest.mark.parametrize(
    "name, old, new, told",
    [
        # the text
        ("paint", "[250, 248, 242]\n", "[250, 248, 242],\n", "line 13: .*comma.*closing bracket"),
        ("paint", "{", "\ufeff{", "line 1: a byte-order mark"),
        ("paint", '"green"', '"red"', "'red' stands twice"),
        ("lexicon", "}", "", "line 47.*no JSON"),
        # colours
        ("paint", "[58, 140, 76]", '"#3a8c4c"', "paint.green: .*such as .*0, 128, 128"),
        ("paint", "[58, 140, 76]", "[58, 140]", "paint.green: .*three whole numbers"),
        ("paint", "[58, 140, 76]", "[58, 140, 300]", r"paint.green\[2\]: .*255"),
        ("paint", "[58, 140, 76]", "[58, 140, 7.6]", r"paint.green\[2\]: .*float"),
        ("paint", "[58, 140, 76]", "[58, true, 76]", r"paint.green\[1\]: .*bool"),
        ("paint", '"green"', '"gr\u00fcn"', r"paint.gr\u00fcn: .*letters from a to z"),
        ("paint", '"green"', '"none"', "paint.none: .*another name"),
        ("paint", '"paint"', '"pant"', "unknown field 'pant'"),
        ("paint", '    "pink": [243, 150, 180],\n', "", r"phrases.json: content.top\[7\]"),
        # words
        ("lexicon", '"scarlet"', '"feuerr\u00f6tlich"', r"red.unseen\[0\]: .*letters from a to z"),
        ("lexicon", '"scarlet"', '"Scarlet"', r"red.unseen\[0\]: .*lower case"),
        ("lexicon", '"scarlet"', '"crimson"', r"red.unseen\[0\]: 'crimson' .*red.words\[1\]"),
        ("lexicon", '"scarlet"', '"emerald"', r"green.unseen\[0\]: 'emerald'.*red.unseen\[0\]"),
        ("lexicon", '"scarlet"', '"blue"', r"red.unseen\[0\]: 'blue' is a value itself"),
        ("lexicon", '"scarlet"', "7", r"red.unseen\[0\]: expected 'str', got 'int'"),
        ("lexicon", '["red", "crimson"]', "[]", "red.words: .*length >= 1"),
        ("lexicon", '"red": {', '"teal": {', "teal: unknown value 'teal'"),
        ("lexicon", '"scarlet"', '"wings"', "birds.json: heads.wings: .*means 'red'"),
        ("lexicon", '"words": ["red"', '"word": ["red"', "red: .*unknown field 'word'"),
        # sentences
        ("birds", "a {size} {breast} bird with a", "a {size} {brest} bird with a", "mean 'breast'"),
        ("birds", '"a {breast} bird"', '"a {tone} bird"', r"captions\[3\]\[0\], .*'tone'"),
        ("birds", '"a {breast} bird"', '"a {breast bird"', r"captions\[3\]\[0\]: .*slots such"),
        ("birds", '"a {breast} bird"', '"a {breast} bird!"', r"captions\[3\]\[0\]: .*slots such"),
        ("birds", '"a {breast} bird"', '"a {breast} owl"', "'a .* owl' is understood as nothing"),
        ("birds", '"a {breast} bird"', '"a {breast} tail"', r"\[3\]\[0\]: .*expected breast"),
        ("birds", '"a {breast} bird"', '"a {breast+size} bird"', "said of no picture"),
        ("birds", '"a {breast} bird"', '"a {breast} {breast} bird"', "'breast' stands 2 times"),
        ("birds", '"a bird",', '"a {size} bird",', "last level states nothing"),
        ("birds", "and tail, and a {beak} beak", "and tail", r"\[0\]\[0\]: .*leaves out beak"),
        ("birds", '"sits on a branch"', '"sits on a red tail"', r"asides\[2\]: .*states tail red"),
        ("birds", '"sits on a branch"', '"sits on a {tail}"', r"asides\[2\].text: an aside has no"),
        ("birds", '"flying in the sky"', '"walking in the grass"', r"asides\[6\]: .*; expected"),
        ("birds", '"setting": ["branch"]', '"setting": ["tree"]', r"asides\[0\].when.*'tree'"),
        ("birds", '"setting": ["branch"]', '"place": ["branch"]', r"asides\[0\].when.*'place'"),
        ("birds", '"setting": ["branch"]', '"size": ["small"]', r"asides\[0\].when: .*one value"),
        ("flowers", '["bare"]}', '["bear"]}', r"captions\[0\]\[5\].when.leaves\[0\]: .*'bare'"),
        ("phrases", '"subject": ["woman"]', '"subject": ["dog"]', "skirt.* no picture"),
        ("phrases", """{"text": "a {pose} {subject}", "when": {"subject": ["dog"]}},
      {"text": "a {fur} {subject}", "when": {"subject": ["dog"]}}""",
         '"a {subject} in {bottom} trousers"', r"captions\[1\]: no sentence.*with subject dog"),
        # attributes and values
        ("birds", '"small", "large"', '"small", "medium"', r"size\[1\]: unknown value 'medium'"),
        ("birds", '"small", "large"', '"small", "small"', "content.size: 'small' stands 2 times"),
        ("birds", '"small", "large"', "", "content.size: no value; choose among small, large"),
        ("birds", '"breast": "paint"', '"breast": "pant"', "content.breast: .*mean 'paint'"),
        ("birds", '"breast": "paint"', '"brest": "paint"', "content.brest: .*mean 'breast'"),
        ("birds", '"side": ["left", "right"],', "", "expected 'side' in one"),
        ("birds", '"branch", "sky"', '"clouds", "sky"', r"style.setting\[0\]: .*'clouds'"),
        ("birds", '["breast", "wing"]', '["breast", "tail"]', "crown: 'tail' is not decided"),
        ("birds", '["breast", "wing"]', '["size"]', "copies.crown: .*every value of 'size'"),
        ("birds", '"class": ["breast"', '"class": ["crest"', r"class\[0\]: unknown attribute"),
        ("birds", '"unseen": 50', '"unseen": 200', "unseen: 200 of 200 classes"),
        ("birds", '"unseen": 50', '"unseen": -1', "unseen: 0 of 200 classes"),
        ("birds", '"unseen": 50', '"unseen": 0.25', "unseen: .*float"),
        ("scenes", '"stop sign", "setting": "sky"', '"stop sgn", "setting": "sky"', "'stop sign'"),
        ("scenes", '"zebra", "setting": "street"', '"giraffe", "setting": "snow"', r"unseen\[5\]"),
        ("scenes", '"colour": ["none", ', '"colour": [', "colour: no value for 'stop sign'"),
        ("scenes", '"jet": "airplane"', '"jet": "plane"', "also.jet: .*mean 'airplane'"),
        ("scenes", '"jet": "airplane"', '"bus": "airplane"', "also.bus: .*'school bus'"),
        ("flowers", '"stamen": ["centre"]', '"stamen": ["center"]', r"stamen\[0\]: .*'centre'"),
        ("phrases", '"brown": [134', '"beige": [134', r"content.fur\[1\]: unknown value 'brown'"),
        ("phrases", '"brown": [134', '"beige": [1, 2, 3], "brown": [134', "fur.beige: .*no value"),
        ("phrases", '"plain"', '"plane"', "unknown field 'plane'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_file_and_place(folder, name, old, new, told):
    replace(folder / f"{name}.json", old, new)
    with pytest.raises(DataError) as refused:
        for one in WORLDS:
            World(one)
    said = str(refused.value)
    assert said.startswith(str(folder)) and ".json" in said
    assert re.search(told, said), said


def test_a_missing_file_and_one_in_another_encoding(folder):
    path = folder / "flowers.json"
    path.write_bytes(path.read_bytes().replace(b"a flower", b"a bl\xfcte", 1))
    with pytest.raises(DataError, match=r"flowers.json, line \d+: .*UTF-8"):
        World("birds")  # the files refer to each other: all are read
    path.unlink()
    with pytest.raises(DataError, match="flowers.json is missing"):
        World("birds")
    path.mkdir()
    with pytest.raises(DataError, match="flowers.json cannot be read"):
        World("birds")


# ------------------------------------------------------------------------------------- mutations


def cut(value, rng):
    if isinstance(value, str | list):
        return value[: rng.randrange(len(value) + 1)]
    if isinstance(value, dict):
        return dict(list(value.items())[: rng.randrange(len(value) + 1)])
    return value // 10


def flip(value, rng):
    if isinstance(value, str) and value:
        i = rng.randrange(len(value))
        return value[:i] + rng.choice("aehnz Q{}+\u00fc\u0000_7") + value[i + 1 :]
    if isinstance(value, int):
        return rng.choice([-value, value + 1, value + 0.5, value ^ 256])
    return value[::-1] if isinstance(value, list) else dict(reversed(value.items()))


def enlarge(value, rng):
    if isinstance(value, str):
        return rng.choice([value * 10_000, value + value, value + " red", f"{value} {value}"])
    if isinstance(value, int):
        return rng.choice([value * 10**6, 10**18, value + 200])
    if isinstance(value, list):
        return rng.choice([value * 2, value * 3000, [*value, "teal"], [*value, value]])
    return value | rng.choice(
        [{"teal": ["teal"]}, {"teal": {"a": 1}}, {"": "red"}, {"x": [1, 2, 3]}]
    )


def nest(value, rng):
    for _ in range(rng.choice([1, 1, 2, 50])):
        value = rng.choice([[value], {"red": value}])
    return value


def retype(value, rng):
    return rng.choice(
        [None, True, 0, 1, -3, 1.5, "", "red", "none", [], {}, ["red"], {"red": "red"}]
    )


def mutated(data, rng):
    """One structural change somewhere in `data`; returns its kind and the changed data."""
    data = deepcopy(data)
    *_, path = rng.choices([p for p in spots(data) if p])
    holder = at(data, path[:-1])
    kind, key = rng.choice(["drop", "rename", "swap", "move", *CHANGES]), path[-1]
    if kind == "drop":
        del holder[key]
    elif kind == "swap" or (kind == "rename" and isinstance(holder, list)):  # with one beside it
        other = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        holder[key], holder[other] = holder[other], holder[key]
    elif kind == "rename":
        holder[rng.choice([flip(key, rng), key[:-1], "red", "none", "wings"])] = holder.pop(key)
    elif kind == "move":  # what stands elsewhere, put here
        holder[key] = deepcopy(at(data, rng.choice(spots(data))))
    else:
        holder[key] = CHANGES[kind](holder[key], rng)
    return kind, data


CHANGES = {"retype": retype, "enlarge": enlarge, "nest": nest, "cut": cut, "flip": flip}


def damaged(text: str, rng) -> bytes:
    """The text of a file with something wrong in it that no JSON has."""
    i = rng.randrange(1, len(text) - 1)
    return rng.choice(
        [
            text[:i].encode(),
            b"\xef\xbb\xbf" + text.encode(),
            text.encode("utf-16"),
            (text[:i] + "\x00" + text[i:]).encode(),
            text[:i].encode() + b"\xfc" + text[i:].encode(),
            re.sub(r"(\]|\})(\s*\})", r"\1,\2", text).encode(),
            re.sub(r"(?<=[\[ ])(\d+|\"[a-z]+\")(?=[,\]])", "NaN", text, count=1).encode(),
            re.sub(r"(?<=[\[ ])(\d+|\"[a-z]+\")(?=[,\]])", "9" * 5000, text, count=1).encode(),
            (text[: text.rindex("}")] + ',"x":' + "[" * 10**5).encode(),
        ]
    )


def seen(one: World) -> str:
    """Everything that a world takes from its files."""
    shown = one.definition | {"class_names": one.class_names, "held_out": one.unseen.tolist()}
    words = [one.words("words"), one.words("unseen")]
    parts = (one.colours, one.content, one.style, one.attributes, words, one._reading, shown)
    return json.dumps(parts, sort_keys=True)


def wrong(files: dict) -> list[str]:
    """What the files say that cannot be: by plain rules, none of them the package's own."""
    paint, lexicon = files["paint"], files["lexicon"]
    found = [f"{leaf!r}" for data in files.values() for leaf in leaves(data)
             if type(leaf) not in (str, int) or len(str(leaf)) > 300]  # fmt: skip
    words, values = [w for line in lexicon.values() for ws in line.values() for w in ws], set()
    for name in WORLDS:
        data = files[name]
        content = {
            a: list(paint[v]) if isinstance(v, str) else v for a, v in data["content"].items()
        }
        values |= {value for vs in content.values() for value in vs}
        style = {a: list(paint[v]) if isinstance(v, str) else v for a, v in data["style"].items()}
        said = [s if isinstance(s, str) else s["text"] for level in data["captions"] for s in level]
        asides = [one["when"] for one in data["asides"]]
        known = content | style
        found += [f"{a} {v}" for w in asides for a in w for v in w[a] if v not in known.get(a, ())]
        found += [f"{w}" for w in asides if sum(a in style for a in w) != 1]
        told = {v for w in asides for a in w for v in style.get(a, ())}
        whens = [s["when"] for level in data["captions"] for s in level if isinstance(s, dict)]
        held = data["unseen"] if isinstance(data["unseen"], list) else []
        named = [a for s in said for slot in re.findall(r"\{(.*?)\}", s) for a in slot.split("+")]
        named += [a for w in whens for a in w] + [a for h in held for a in h] + data["class"]
        named += [a for key in ("copies", "heads") for others in data[key].values() for a in others]
        found += [
            f"{name}: {a}" for a in [*named, *data["copies"], *data["plain"]] if a not in content
        ]
        found += [f"{a} {v}" for w in whens for a in w for v in w[a] if v not in content.get(a, ())]
        found += [f"{a} {v}" for h in held for a, v in h.items() if v not in content.get(a, ())]
        found += [f"{name}: {v}" for v in data["also"].values() if v not in values | told]
        said += [one["text"] for one in data["asides"]]
        found += [s for s in said if not re.fullmatch("[a-z{}+ ,.'-]+", s)]
    found += [word for word in words if words.count(word) > 1 or not re.fullmatch("[a-z -]+", word)]
    found += [f"lexicon: {value}" for value in lexicon if value not in values]
    colours = [c for palette in paint.values() for c in palette.values()]
    found += [str(c) for c in colours if len(c) != 3 or not all(0 <= x <= 255 for x in c)]
    return found


def leaves(data):
    if isinstance(data, (dict, list)):
        for one in data.values() if isinstance(data, dict) else data:
            yield from leaves(one)
    else:
        yield data


@pytest.mark.parametrize("name", FILES)
def test_mutations_are_refused_in_words_or_mean_what_they_say(name, folder, capsys, monkeypatch):
    rng = random.Random(name)
    path = folder / f"{name}.json"
    text = path.read_text(encoding="utf-8")
    files = {one: json.loads((folder / f"{one}.json").read_text("utf-8")) for one in FILES}
    assert not wrong(files)
    before = {one: seen(World(one)) for one in WORLDS}
    read, kept = Source.read, {}

    def read_once(source, schema):  # the other files stay as they are
        if source.path == path or source.path not in kept:
            kept[source.path] = read(source, schema)
        return kept[source.path]

    monkeypatch.setattr(Source, "read", read_once)
    counts = {"refused": 0, "drawn": 0}
    for k in count():
        if sum(counts.values()) == MUTATIONS:
            break
        if k % 10 == 0:
            kind, data = "damage", None
            path.write_bytes(damaged(text, rng))
        else:
            kind, data = mutated(files[name], rng)
            path.write_text(json.dumps(data, ensure_ascii=bool(k % 2)), encoding="utf-8")
        first = name if name in WORLDS else rng.choice(WORLDS)
        try:
            one = World(first)
        except DataError as error:  # and nothing else
            counts["refused"] += 1
            assert str(folder) in str(error) and ".json" in str(error) and len(str(error)) < 1500
            continue
        assert data is not None, "damaged, and read"
        if data == files[name]:
            continue
        told = f"{kind}, number {k}"
        assert not wrong(files | {name: data}), (told, wrong(files | {name: data}))
        if seen(one) == before[first]:  # it may show in another world
            others = set(WORLDS) - {first} if name not in WORLDS else ()
            assert any(seen(World(other)) != before[other] for other in others), f"ignored: {told}"
        counts["drawn"] += 1
        for i, split in enumerate(SPLITS):
            facts = one.facts(split, k)
            for unseen in (False, True):
                for caption, states in one._captions(facts, split, k, unseen):
                    assert one.read(caption) == {a: facts[a] for a in states}, (told, caption)
            if i == k % 4:
                assert one.picture(split, k, 32).shape == (32, 32, 3)
    with capsys.disabled():
        print(f"\n{name}.json: {MUTATIONS} mutations, {counts}", end=" ")
    assert counts["refused"] > 100 and counts["drawn"] > 5
