"""Weights: what is saved comes back; what is cut, altered, lost or of another shape is refused."""

import json

import msgspec
import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

from t2ilab import durable
from t2ilab.errors import UsageError, WeightsError
from t2ilab.systems import weights

ABOUT = {
    "kind": "tiny",
    "arguments": {"in_features": 3},
    "command": "t2ilab train x",
    "data": "birds/train/32",
    "seconds": 12.5,
    "measured": {"accuracy": np.float64(0.5)},
}


def network(out=2):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, out))


@pytest.fixture
def saved(tmp_path):
    return weights.save(tmp_path / "w", network().state_dict(), ABOUT, name="tiny")


@pytest.mark.parametrize("how", ["file", "stem", "folder", "text"])
def test_what_is_saved_comes_back(saved, how):
    place = {
        "file": saved,
        "stem": saved.with_suffix(""),
        "folder": saved.parent,
        "text": str(saved),
    }
    loaded = weights.load(place[how])
    fresh = network().apply(lambda m: [p.data.zero_() for p in m.parameters()])
    weights.into(fresh, loaded)
    for key, value in network().state_dict().items():
        assert torch.equal(fresh.state_dict()[key], value)
    assert loaded.name == "tiny" and loaded.arguments == {"in_features": 3}
    assert loaded.about["measured"] == {"accuracy": 0.5} and loaded.about["seconds"] == 12.5
    assert loaded.about["kind"] == "tiny" and set(loaded.about["versions"]) == {
        "t2ilab",
        "torch",
        "python",
    }
    assert sorted(x.name for x in saved.parent.iterdir()) == ["tiny.json", "tiny.safetensors"]


def test_half_floats_take_half_the_room_and_come_back_as_float32(tmp_path):
    x = {"x": torch.rand(1000), "count": torch.tensor(7)}
    whole = weights.save(tmp_path, x, ABOUT, name="whole")
    half = weights.save(tmp_path, x, ABOUT, name="half", half=True)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    loaded = weights.load(half).tensors
    assert loaded["x"].dtype == torch.float32 and loaded["count"].dtype == torch.int64
    assert torch.allclose(loaded["x"], x["x"], atol=1e-3) and loaded["count"] == 7


def test_tensors_may_share_memory_and_lie_in_any_order(tmp_path):
    x = torch.arange(6.0).reshape(2, 3)
    pictures = torch.rand(1, 3, 2, 2).to(memory_format=torch.channels_last)
    path = weights.save(tmp_path, {"x": x, "again": x, "t": x.T, "p": pictures}, ABOUT, name="s")
    loaded = weights.load(path).tensors
    assert torch.equal(loaded["again"], x) and torch.equal(loaded["t"], x.T)
    assert torch.equal(loaded["p"], pictures)


def test_names_in_the_file_may_be_others_than_those_of_the_module(tmp_path):
    b = nn.Linear(3, 1)
    stored = {f"b.{k}": v for k, v in b.state_dict().items()}
    loaded = weights.load(weights.save(tmp_path, stored, ABOUT, name="b"))
    fresh = nn.Linear(3, 1)
    weights.into(fresh, loaded, "b.{}".format)
    assert torch.equal(fresh.weight, b.weight)
    with pytest.raises(WeightsError, match="missing weight.*unexpected b.bias"):
        weights.into(fresh, loaded)


def test_another_architecture_is_refused_and_nothing_changed(saved):
    other = nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.Linear(4, 5), nn.Linear(5, 5))
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        weights.into(other, weights.load(saved))
    words = str(caught.value)
    assert "missing 3.weight" in words and "unexpected 1.bias" in words and "more" in words
    assert "'tiny' are of another architecture than this Sequential" in words
    assert "of kind 'tiny' with {'in_features': 3}" in words
    assert all(torch.equal(v, before[k]) for k, v in other.state_dict().items())
    with pytest.raises(WeightsError, match=r"2\.weight is \[2, 4\] in the file and \[9, 4\] here"):
        weights.into(network(out=9), weights.load(saved))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:-10], "cut short"),
        (lambda data: b"", "cut short"),
        (lambda data: data[:30], "cut short"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "was altered"),
        (lambda data: data.replace(b"birds/train", b"fish!/train"), "description has another"),
        (lambda data: data + b"more", "was altered|damaged"),
        (lambda data: b"a picture", "no safetensors file"),
    ],
)
@pytest.mark.parametrize("alone", [False, True])
def test_damaged_files_are_refused(saved, damage, words, alone):
    saved.write_bytes(damage(saved.read_bytes()))
    if alone:  # the file guards itself
        saved.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match=words):
        weights.load(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda about: about["measured"].update(accuracy=0.9), "altered.*'measured'"),
        (lambda about: about.update(arguments={"in_features": 4}), "altered.*'arguments'"),
        (lambda about: about.update(seconds="12"), "seconds: expected 'float', got 'str'"),
        (lambda about: about.update(steps=10**12), "steps: expected 'int' <= "),
        (lambda about: about.update(colour="red"), "unknown field 'colour'"),
        (lambda about: about.pop("sha256"), "missing required field 'sha256'"),
    ],
)
def test_the_json_beside_must_say_what_the_file_says(saved, change, words):
    about = json.loads(saved.with_suffix(".json").read_text())
    change(about)
    saved.with_suffix(".json").write_text(json.dumps(about))
    with pytest.raises(WeightsError, match=words):
        weights.load(saved)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"sha256": "x"}', "[" * 10**5])
def test_a_damaged_json_is_refused(saved, text):
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(WeightsError, match=r"tiny\.json"):
        weights.load(saved)


def test_the_json_beside_is_for_people(saved):
    saved.with_suffix(".json").unlink()
    assert weights.load(saved).about["data"] == "birds/train/32"


def test_files_that_are_missing_or_something_else_are_named(saved, tmp_path):
    with pytest.raises(UsageError, match="there is no file .*nowhere.safetensors"):
        weights.load(tmp_path / "nowhere")
    with pytest.raises(WeightsError, match="should hold one .* file.*it holds: none"):
        weights.load(tmp_path)
    with pytest.raises(UsageError, match="unknown weights 'no_such_system'"):
        weights.load("no_such_system")


def test_a_file_of_another_program_or_of_an_earlier_version_is_named(tmp_path):
    from safetensors.torch import save_file

    save_file({"x": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="no description of itself.*convert_weights.py"):
        weights.load(tmp_path / "other.safetensors")


def test_tensors_of_another_type_or_not_finite_are_refused(tmp_path):
    ints = weights.save(
        tmp_path, {"0.weight": torch.ones(2, 3, dtype=torch.int64)}, ABOUT, name="i"
    )
    with pytest.raises(WeightsError, match=r"0\.weight is \[2, 3\] of int64 in the file"):
        weights.into(nn.Sequential(nn.Linear(3, 2, bias=False)), weights.load(ints))
    bad = {"x": torch.tensor([1.0, torch.nan])}
    described = weights._complete(ABOUT, bad)
    weights.write(tmp_path / "nan.safetensors", bad, described)
    with pytest.raises(WeightsError, match="'x' holds numbers that are not finite"):
        weights.load(tmp_path / "nan.safetensors")


def test_weights_without_provenance_or_with_wrong_numbers_are_not_saved(tmp_path):
    x = {"x": torch.ones(1)}
    with pytest.raises(UsageError, match="missing: .*command.*measured"):
        some = {k: v for k, v in ABOUT.items() if k not in ("command", "measured")}
        weights.save(tmp_path, x, some, name="x")
    with pytest.raises(UsageError, match="unknown field 'colour'"):
        weights.save(tmp_path, x, ABOUT | {"colour": "red"}, name="x")
    with pytest.raises(UsageError, match="'x' holds numbers that are not finite"):
        weights.save(tmp_path, {"x": torch.tensor([1, torch.nan])}, ABOUT, name="x")
    with pytest.raises(UsageError, match="too large for half floats"):
        weights.save(tmp_path, {"x": torch.tensor([1e5])}, ABOUT, name="x", half=True)
    with pytest.raises(UsageError, match="measured.* not finite"):
        weights.save(tmp_path, x, ABOUT | {"measured": {"loss": float("nan")}}, name="x")
    with pytest.raises(UsageError, match="name 'a/b'"):
        weights.save(tmp_path, x, ABOUT, name="a/b")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_weights_that_were_there(saved, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(WeightsError, match="No space left"):
        weights.save(saved.parent, network(9).state_dict(), ABOUT, name="tiny")
    assert saved.read_bytes() == before and weights.load(saved)
    assert sorted(x.name for x in saved.parent.iterdir()) == ["tiny.json", "tiny.safetensors"]


@pytest.fixture
def lent(tmp_path, monkeypatch):
    """A system in two files: its part "reads" lies in that of "reader"."""
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    torch.manual_seed(1)
    reader = nn.ModuleDict({"first": nn.Linear(3, 4), "second": nn.Linear(4, 2)})
    more = nn.ModuleDict({**reader, "not_used": nn.Linear(2, 2)})
    weights.save(tmp_path, more.state_dict(), ABOUT, name="reader", half=True)
    whole = nn.ModuleDict({"reads": reader, "draws": nn.Linear(3, 5)})
    path = weights.save(tmp_path, whole.state_dict(), ABOUT, name="whole", half=True)
    about, tensors = weights.intact(path)
    described = msgspec.structs.replace(about, shared=weights.shared(tensors, ["reader"]))
    weights.write(path, tensors, described)
    return path, tensors


def test_a_part_that_ships_by_itself_is_stored_once(lent):
    path, tensors = lent
    with safe_open(path, "pt") as file:
        assert sorted(file.keys()) == ["draws.bias", "draws.weight"]
    about, found = weights.intact(path)
    assert about.shared["reads"].modules == ["first", "second"] and set(about.shared) == {"reads"}
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[key], value) for key, value in tensors.items())
    assert weights.digest(tensors) == about.tensors, "the sha256 is that of the whole, as before"
    assert weights.shared({"draws.bias": tensors["draws.bias"]}, ["reader"]) == {}


def test_a_shared_part_that_is_lost_or_another_is_named(lent):
    path, _ = lent
    other = nn.ModuleDict({"first": nn.Linear(3, 4), "second": nn.Linear(4, 2)})
    weights.save(path.parent, other.state_dict(), ABOUT, name="reader", half=True)
    with pytest.raises(WeightsError, match="altered, or those of reader were"):
        weights.load(path)
    (path.parent / "reader.safetensors").unlink()
    with pytest.raises(WeightsError, match="takes its reads from the bundled weights 'reader'"):
        weights.load(path)


def test_all_that_ships_is_whole_documented_and_small():
    checked = weights.verify_all()
    assert [x.name for x in checked] == weights.bundled()
    assert {x.name: x.problem for x in checked if x.problem} == {}
    assert all(x.megabytes < 6 for x in checked)  # a clone stays a matter of seconds
    assert sum(x.megabytes for x in checked) < 74


def test_what_ships_is_described_without_reading_tensors(saved, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", saved.parent)
    saved.with_name("cut.safetensors").write_bytes(saved.read_bytes()[:50])
    assert {name: about.kind for name, about in weights.described().items()} == {"tiny": "tiny"}


def test_what_is_wrong_with_bundled_files_is_listed(saved, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", saved.parent)
    assert weights.bundled() == ["tiny"] and weights.load("tiny").name == "tiny"
    (good,) = weights.verify_all()
    assert good.problem is None and good.megabytes == saved.stat().st_size / 1e6
    saved.with_name("lost.json").write_text("{}")
    saved.write_bytes(saved.read_bytes()[:-1])
    cut, lost = weights.verify_all()
    assert "cut short" in cut.problem and "lost.safetensors is missing" in lost.problem
    with pytest.raises(UsageError, match="did you mean 'tiny'"):
        weights.load("tinny")


def test_a_part_may_lie_in_a_file_that_takes_another_part_itself(lent):
    """A second stage takes its generator from a first one, which takes its encoder elsewhere."""
    path, tensors = lent
    own = {f"first.{k}": v for k, v in tensors.items() if k.startswith("draws.")}
    both = own | {"second.weight": torch.ones(2)}
    file = weights.save(path.parent, both, ABOUT, name="stacked", half=True)
    about, found = weights.intact(file)
    shared = weights.shared(found, ["reader", "whole"])
    assert shared["first"].name == "whole" and shared["first"].modules == ["draws"]
    weights.write(file, found, msgspec.structs.replace(about, shared=shared))
    assert all(torch.equal(weights.intact(file)[1][k], v) for k, v in found.items())
