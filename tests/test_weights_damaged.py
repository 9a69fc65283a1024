"""Damaged weights, descriptions and records of runs: refused in words, or read as they were."""

import json
from random import Random

import pytest
import torch
from damage import survey, values

from t2ilab import schemas
from t2ilab.errors import T2ILabError
from t2ilab.fit.record import Record, read
from t2ilab.recipes.options import make
from t2ilab.recipes.text_gan import Options
from t2ilab.schemas.weights import Description
from t2ilab.systems import weights
from t2ilab.systems.text_to_image import TextToImage

CAPTION = "a small red bird with blue wings"
SHIPPED = "gan_int_cls-birds-64"


@pytest.fixture
def pair(tmp_path):
    """A copy of shipped weights, in a folder two below (messages name the one above)."""
    (tmp_path / "set" / "w").mkdir(parents=True)
    for suffix in ("safetensors", "json"):
        source = weights.FOLDER / f"{SHIPPED}.{suffix}"
        (tmp_path / "set" / "w" / source.name).write_bytes(source.read_bytes())
    return tmp_path / "set" / "w" / f"{SHIPPED}.safetensors"


def test_the_json_beside(pair, capsys):
    """All of it must say what the header says: the whole of what `load` reads is compared."""
    counts = survey(capsys, pair.with_suffix(".json"), values, lambda: said(pair), n=400)
    assert counts["refused"] > 300


def said(path) -> str:
    loaded = weights.load(path)
    return json.dumps(loaded.about) + weights.digest(loaded.tensors)


def test_the_file_itself(pair, capsys):
    """Bytes of the header and of the tensors, with the JSON beside and without it."""
    pair.with_suffix(".json").unlink()
    counts = survey(capsys, pair, bits, lambda: said(pair), n=200)
    assert counts == {"refused": 200}


def bits(data: bytes, rng: Random) -> tuple[str, bytes]:
    """A bit of the header, which is a small part of the file, or of any byte; a cut; more bytes."""
    kind = rng.choice(["header", "header", "byte", "byte", "zeros", "cut", "after"])
    at = rng.randrange(8 + int.from_bytes(data[:8], "little") if kind == "header" else len(data))
    if kind == "cut":
        return kind, data[:at]
    if kind == "after":
        return kind, data + bytes(1 + at % 99)
    new = bytes(8) if kind == "zeros" else bytes([data[at] ^ 1 << rng.randrange(8)])
    return kind, data[:at] + new + data[at + len(new) :]


def test_a_description_that_was_forged_with_its_digest(pair, capsys):
    """Whoever writes a description anew with a right digest gets what it says, or words."""
    loaded = weights.load(pair)
    text, refused, drawn = json.dumps(loaded.about).encode(), 0, 0
    stored = {k: v.half() if v.is_floating_point() else v for k, v in loaded.tensors.items()}
    for seed in range(200):
        _, data = values(text, Random(seed))
        try:
            about = schemas.decode(data, Description, pair)
            weights.write(pair, stored, about)
            TextToImage.load(pair).draw(CAPTION, n=1)
            drawn += 1
        except T2ILabError as error:
            refused += 1
            assert len(str(error)) < 3000
    with capsys.disabled():
        print(f"\nforged descriptions: 200, refused {refused}, drawn {drawn}", end=" ")
    assert refused > 100


def test_the_record_of_a_run(tmp_path, capsys):
    """What is accepted from run.json is what the options accept, and is compared once more."""
    folder = tmp_path / "set" / "run"
    folder.mkdir(parents=True)
    options = Options(system="gan_cls", steps=7, seed=3, width=8)
    record = Record(options.plain(), {"name": "birds", "pictures": 5}, Options.free())
    record.write(folder)

    def resumed():
        found = read(folder)
        again = make(Options, found.pop("system", "none"), found)
        Record(again.plain(), record.data, Options.free()).see_same(record.plain(), folder)
        return {k: v for k, v in again.plain().items() if k not in Options.free()}

    survey(capsys, folder / "run.json", values, resumed, n=300, named=False)


def test_tensors_are_what_the_digest_says():
    tensors = {"a": torch.ones(2), "b": torch.zeros(2, dtype=torch.int64)}
    same = {"b": tensors["b"].clone(), "a": tensors["a"].clone()}
    assert weights.digest(tensors) == weights.digest(same)
    for other in ({"a": torch.ones(2), "c": tensors["b"]}, {"a": torch.ones(1, 2), "b": same["b"]}):
        assert weights.digest(other) != weights.digest(tensors)
