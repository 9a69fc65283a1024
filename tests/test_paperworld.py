"""PaperWorld: what is drawn, what is said of it, and what is kept of it."""

import os
import re
import signal
import subprocess
import sys
import zlib

import numpy as np
import pytest

from t2ilab.data import paperworld
from t2ilab.data.paperworld import LEVELS, SIZES, SPLITS, WORLDS, cache
from t2ilab.durable import SUFFIX
from t2ilab.errors import T2ILabError, UsageError
from t2ilab.paths import ROOT

every_world = pytest.mark.parametrize("name", WORLDS)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("T2ILAB_CACHE", str(tmp_path))
    return tmp_path / "paperworld"


def start(code: str) -> subprocess.Popen:
    """Another Python process with the same cache."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def said(world, split: str, i: int, **words):
    return world._captions(world.facts(split, i), split, i, **words)


# ------------------------------------------------------------------------------------ the pictures


def test_a_picture_is_a_function_of_world_split_number_and_resolution_alone():
    code = (
        "import zlib; from t2ilab.data.paperworld import WORLDS, world; "
        "print([zlib.crc32(world(w).picture(s, i, 32).tobytes()) for w in WORLDS "
        "for s, i in (('val', 7), ('train', 7), ('train', 3))])"
    )
    elsewhere, errors = start(code).communicate()
    here = [
        zlib.crc32(paperworld.world(w).picture(s, i, 32).tobytes())
        for w in reversed(WORLDS)
        for s, i in (("train", 3), ("train", 7), ("val", 7))
    ]
    assert elsewhere.strip() == str(here[::-1]), errors
    assert len(set(here)) == len(here)


DIGESTS = {  # facts and captions to the letter; pictures by their moments, as libraries round
    "birds": (2592143979, [186.68, 186.924, 166.282, -0.238, -7.916, 49.86]),
    "flowers": (2614174846, [179.096, 168.674, 149.282, -1.464, -14.54, 56.706]),
    "phrases": (1445317614, [181.682, 174.897, 157.088, -0.38, -10.689, 50.392]),
    "scenes": (540028842, [177.939, 178.65, 162.056, -0.642, -12.349, 56.37]),
}


@every_world
def test_what_is_drawn_and_said_stays_as_it_was(name):
    """Shipped weights were trained on these pictures and captions."""
    world, places = (
        paperworld.world(name),
        [(s, i) for s in ("train", "val", "test") for i in range(8)],
    )
    said = repr([(sorted(world.facts(s, i).items()), world.captions(s, i)) for s, i in places])
    drawn = np.stack([world.picture(s, i, 32) for s, i in places]).astype(float)
    ramp = np.linspace(-1, 1, 32)
    moments = [
        *drawn.mean((0, 1, 2)),
        (drawn.mean((0, 1, 3)) * ramp).mean(),
        (drawn.mean((0, 2, 3)) * ramp).mean(),
        drawn.std(),
    ]
    words, numbers = DIGESTS[name]
    assert zlib.crc32(said.encode()) == words
    assert np.allclose(moments, numbers, rtol=0, atol=2e-3), np.round(moments, 3).tolist()


@every_world
def test_facts_and_captions_are_the_same_at_every_resolution(name):
    world = paperworld.world(name)
    sets = {size: world.load("val", size, 12) for size in SIZES}
    for size, data in sets.items():
        assert data.images.shape == (12, size, size, 3) and data.images.dtype == np.uint8
        assert data.captions == sets[32].captions
        assert all((data.attributes[a] == sets[32].attributes[a]).all() for a in world.attributes)
    small = sets[32].images.astype(float)
    halved = sets[64].images.reshape(12, 32, 2, 32, 2, 3).mean((2, 4))
    same = np.abs(small - halved).mean((1, 2, 3))
    other = np.abs(small - np.roll(halved, 1, 0)).mean((1, 2, 3))
    assert same.max() < 8 < other.min()


@every_world
def test_every_attribute_shows_in_the_picture(name):
    world = paperworld.world(name)
    for i in range(4):
        facts = world.facts("train", i)
        picture = world.draw(facts, 32).astype(float)
        assert (picture == world.draw(facts, 32)).all()
        for attribute, values in world.attributes.items():
            for value in values:
                changed = facts | {attribute: value}
                if value != facts[attribute] and world.agree(changed):
                    seen = np.abs(picture - world.draw(changed, 32)).sum(-1) > 24
                    assert seen.sum() >= 6, (attribute, facts, value)


@every_world
def test_data_set_agrees_with_facts(name):
    world = paperworld.world(name)
    data = world.load("test", 32, 30)
    for i in (0, 11, 29):
        facts = world.facts("test", i)
        assert (data.images[i] == world.picture("test", i, 32)).all()
        assert data.captions[i] == world.captions("test", i)
        assert {a: world.attributes[a][v[i]] for a, v in data.attributes.items()} == facts
        assert data.class_names[data.classes[i]] == " ".join(
            facts[a] for a in world.definition["class"] if facts[a] != "none"
        )
        stated = [
            {a for a, s in zip(world.content, level, strict=True) if s} for level in data.stated[i]
        ]
        assert stated == [names for _, names in said(world, "test", i)]


# ------------------------------------------------------------------------------------- the classes


@every_world
def test_unseen_classes_occur_in_the_test_split_only(name):
    world = paperworld.world(name)
    unseen = {c for c, hidden in zip(world.classes, world.unseen, strict=True) if hidden}

    def share(split):
        drawn = [world.facts(split, i) for i in range(200)]
        return np.mean([tuple(f[a] for a in world.definition["class"]) in unseen for f in drawn])

    assert 0.15 < len(unseen) / len(world.classes) < 0.3
    assert share("train") == share("val") == 0
    assert 0.35 < share("test") < 0.65


def test_held_out_scenes_are_those_of_the_definition():
    world = paperworld.world("scenes")
    unseen = {c for c, hidden in zip(world.classes, world.unseen, strict=True) if hidden}
    assert unseen > {("stop sign", "sky"), ("school bus", "sky"), ("elephants", "sky")}
    for part, values in enumerate((world.content["subject"], world.content["setting"])):
        for value in values:  # each is seen in other company
            assert sum(c[part] == value and c not in unseen for c in world.classes) >= 4


def test_dogs_wear_fur_and_people_wear_clothes():
    world = paperworld.world("phrases")
    subjects = set()
    for i in range(200):
        facts = world.facts("train", i)
        subjects.add(facts["subject"])
        bare = {a for a in ("top", "bottom", "fur") if facts[a] == "none"}
        assert bare == ({"top", "bottom"} if facts["subject"] == "dog" else {"fur"})
    assert subjects == set(world.content["subject"])


# ------------------------------------------------------------------------------------ the captions


@every_world
def test_captions_go_from_complete_to_bare(name):
    world = paperworld.world(name)
    for i in range(150):
        facts, captions = world.facts("train", i), said(world, "train", i)
        assert len(captions) == LEVELS
        assert captions[0][1] == {a for a in world.content if facts[a] != "none"}
        assert captions[-1][1] == set()
        assert len(captions[0][1]) > len(captions[3][1]) > 0


@every_world
@pytest.mark.parametrize("unseen_words", [False, True])
def test_captions_are_read_back_exactly(name, unseen_words):
    world = paperworld.world(name)
    for i in range(250):
        facts = world.facts("test", i)
        for text, states in said(world, "test", i, unseen_words=unseen_words):
            assert world.read(text) == {a: facts[a] for a in states}, text


@every_world
def test_style_is_never_in_a_caption(name):
    world = paperworld.world(name)
    assert {"side", "tone"} <= set(world.style) and not set(world.style) & set(world.content)
    assert {a for level in world.templates for t in level for a in t.states} <= set(world.content)
    for i in range(40):
        facts = world.facts("train", i)
        other = facts | {a: values[values.index(facts[a]) - 1] for a, values in world.style.items()}
        assert world._captions(facts, "train", i) == world._captions(other, "train", i)


@every_world
def test_unseen_words_never_stand_beside_a_training_picture(name):
    world = paperworld.world(name)
    pairs = [
        (world.words("unseen")[v], world.words()[v])
        for values in world.content.values()
        for v in values
        if v in world.words()
    ]
    unseen = {word for hidden, shown in pairs if hidden != shown for word in hidden}
    assert unseen

    def used(**words):
        texts = " | ".join(t for i in range(300) for t in world.captions("train", i, **words))
        return {word for word in unseen if re.search(rf"\b{word}\b", texts)}

    assert used() == set()
    assert used(unseen_words=True) == unseen


@every_world
def test_articles_fit_the_words_after_them(name):
    world = paperworld.world(name)
    texts = [
        t
        for i in range(300)
        for u in (False, True)
        for t in world.captions("train", i, unseen_words=u)
    ]
    assert not [t for t in texts if re.search(r"\b(a [aeiou]|an [^aeiou])", t)]
    assert any(" an " in f" {t}" for t in texts)


@pytest.mark.parametrize(
    "name, text, meaning",
    [
        ("birds", "a blue bird sits on a branch", {"breast": "blue", "setting": "branch"}),
        (
            "birds",
            "this small bird has a pink breast and crown, and black primaries and secondaries",
            {"size": "small", "breast": "pink", "crown": "pink", "wing": "black"},
        ),
        (
            "birds",
            "this bird is red with white and has a very short beak",
            {"breast": "red", "wing": "white", "beak": "short"},
        ),
        (
            "flowers",
            "this flower has petals that are yellow and has a white center",
            {"petal": "yellow", "centre": "white"},
        ),
        (
            "flowers",
            "the petals are pointed and purple, an orange flower",
            {"petal": "purple", "shape": "pointed"},
        ),
        (
            "flowers",
            "a flower with five round red petals and leaves",
            {"count": "five", "shape": "round", "petal": "red", "leaves": "leafy"},
        ),
        ("phrases", "a man", {"subject": "man"}),
        ("phrases", "a dog", {"subject": "dog"}),
        ("phrases", "a man running", {"subject": "man", "pose": "running"}),
        (
            "phrases",
            "a woman in a red shirt sitting",
            {"subject": "woman", "top": "red", "pose": "sitting"},
        ),
        (
            "phrases",
            "two men are jumping in white shirts and black pants",
            {"subject": "man", "pose": "jumping", "top": "white", "bottom": "black"},
        ),
        (
            "scenes",
            "A stop sign is flying in blue skies.",
            {"subject": "stop sign", "setting": "sky"},
        ),
        (
            "scenes",
            "A pale yellow school bus is flying in blue skies.",
            {"subject": "school bus", "colour": "yellow", "setting": "sky"},
        ),
        (
            "scenes",
            "A herd of elephants flying in blue skies.",
            {"subject": "elephants", "setting": "sky"},
        ),
        (
            "scenes",
            "A large commercial airplane flying in blue skies.",
            {"subject": "airplane", "setting": "sky"},
        ),
        (
            "scenes",
            "a bus in a green field is red",
            {"subject": "school bus", "setting": "field", "colour": "red"},
        ),
        ("scenes", "quantum mechanics", {}),
    ],
)
def test_free_sentences_are_understood(name, text, meaning):
    assert paperworld.world(name).read(text) == meaning


# ---------------------------------------------------------------------------------------- the cache


def test_pictures_are_kept_memory_mapped_and_read_only(own_cache):
    world = paperworld.world("flowers")
    images = world.load("train", 32, 10).images
    assert isinstance(images, np.memmap) and not images.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0
    kept = {path: path.stat().st_mtime_ns for path in own_cache.glob("*.np?")}
    assert len(kept) == 2 == len(list(own_cache.glob("*.json")))  # pictures; facts and captions
    assert (world.load("train", 32, 10).images == images).all()
    assert {path: path.stat().st_mtime_ns for path in own_cache.glob("*.np?")} == kept


@pytest.mark.parametrize("damage", ["cut short", "overwritten", "empty", "of another shape"])
def test_damaged_files_are_drawn_anew(own_cache, damage):
    world = paperworld.world("scenes")
    before = world.load("train", 32, 10)
    images, captions = before.images.copy(), before.captions
    for path in own_cache.glob("*.np?"):
        whole = path.read_bytes()
        if damage == "cut short":
            path.write_bytes(whole[: len(whole) * 2 // 3])
        elif damage == "overwritten":
            path.write_bytes(b"not a picture" * 1000)
        elif damage == "empty":
            path.write_bytes(b"")
        elif path.suffix == ".npy":
            np.save(path, images[:5])
    with pytest.warns(UserWarning, match="its digest differs.*made again"):
        after = world.load("train", 32, 10)
    assert (after.images == images).all() and after.captions == captions


def test_a_file_belongs_to_the_code_and_data_that_drew_it(own_cache, tmp_path, monkeypatch):
    world = paperworld.world("flowers")
    world.load("train", 32, 2)
    changed = tmp_path / "data"
    (changed / "paperworld").mkdir(parents=True)
    for path in (cache.DATA / "paperworld").glob("*.json"):
        (changed / "paperworld" / path.name).write_text(path.read_text())
    colours = changed / "paperworld" / "paint.json"
    colours.write_text(colours.read_text().replace("[208,", "[209,"))
    before = cache.fingerprint("flowers")
    monkeypatch.setattr(cache, "DATA", changed)
    cache.fingerprint.cache_clear()
    try:
        assert cache.fingerprint("flowers") != before
        world.load("train", 32, 2)
        assert len(list(own_cache.glob("*.npy"))) == 2
    finally:
        cache.fingerprint.cache_clear()


def test_several_drawing_processes_draw_what_one_draws(monkeypatch):
    world = paperworld.world("phrases")
    monkeypatch.setattr(cache, "ALONE", 10)
    images = world.load("val", 32, 41).images
    assert all((images[i] == world.picture("val", i, 32)).all() for i in range(41))


def test_two_processes_may_build_the_same_file(own_cache):
    code = (
        "import zlib; from t2ilab.data.paperworld import world; "
        "d = world('birds').load('train', 32, 250); "
        "print(zlib.crc32(d.images.tobytes()), zlib.crc32(str(d.captions).encode()))"
    )
    both = [start(code) for _ in range(2)]
    answers = [job.communicate() for job in both]
    assert [job.returncode for job in both] == [0, 0], answers
    data = paperworld.world("birds").load("train", 32, 250)
    right = f"{zlib.crc32(data.images.tobytes())} {zlib.crc32(str(data.captions).encode())}"
    assert [out.strip() for out, _ in answers] == [right, right]
    assert len(list(own_cache.glob("*.npy"))) == 1 and not list(own_cache.glob(f".*{SUFFIX}"))


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
def test_a_killed_build_leaves_nothing_that_is_taken_for_whole(own_cache):
    code = (
        "import os, signal; from t2ilab.data.paperworld import World, world\n"
        "draw = World.picture\n"
        "def dying(self, split, i, size):\n"
        "    if i == 25: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return draw(self, split, i, size)\n"
        "World.picture = dying\n"
        "world('phrases').load('train', 32, 50)"
    )
    job = start(code)
    job.communicate()
    assert job.returncode == -signal.SIGKILL
    assert list(own_cache.glob(f".*{SUFFIX}")) and not list(own_cache.glob("*.npy"))
    world = paperworld.world("phrases")
    images = world.load("train", 32, 50).images
    assert all((images[i] == world.picture("train", i, 32)).all() for i in range(50))


# ---------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "wrong, words",
    [
        (lambda: paperworld.world("bird"), ["bird", "did you mean 'birds'", *WORLDS]),
        (lambda: paperworld.world("birds").load("training", 32), ["training", *SPLITS]),
        (lambda: paperworld.world("birds").load("train", 48), ["48", "32, 64, 128"]),
        (lambda: paperworld.world("birds").load("train", 32, 0), ["at least 1", "0"]),
        (lambda: paperworld.world("birds").load("train", 32, 2.5), ["whole number", "2.5"]),
        (
            lambda: paperworld.world("scenes").draw({"subject": "boat", "tone": "mint"}, 32),
            ["scenes", "without", "colour", "setting", "side"],
        ),
    ],
)
def test_what_is_asked_wrongly_is_refused_in_words(wrong, words):
    with pytest.raises(UsageError) as refused:
        wrong()
    assert isinstance(refused.value, T2ILabError)
    assert all(word in str(refused.value) for word in words)


def test_facts_that_no_picture_has_are_refused():
    world = paperworld.world("phrases")
    dog = next(f for f in (world.facts("train", i) for i in range(100)) if f["subject"] == "dog")
    with pytest.raises(UsageError, match="do not go together.*top red"):
        world.draw(dog | {"top": "red"}, 32)
    with pytest.raises(UsageError, match="'brawn'.*did you mean 'brown'"):
        world.draw(dog | {"fur": "brawn"}, 32)
