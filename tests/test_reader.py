"""The AttributeReader: its outputs, its training, and how well the shipped ones read."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from t2ilab.data import failures, paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.models.reader import AttributeReader
from t2ilab.recipes.reader import accuracy, refusals
from t2ilab.systems import weights
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.single import TrainedReader, load_reader
from t2ilab.trainers.reader import ReaderBatches, ReaderTrainer, calibrate

ATTRIBUTES = {"wing": 5, "beak": 2}
WORLD = paperworld.world("birds")


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def reader():
    torch.manual_seed(0)
    return AttributeReader(attributes=ATTRIBUTES, width=4, features=10)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_one_reader_serves_all_sizes(reader, size):
    x = randn(3, 3, size, size).clamp(-1, 1)
    logits = reader.eval()(x)
    shapes = {"wing": (3, 5), "beak": (3, 2), "readable": (3, 2)}
    assert {k: v.shape for k, v in logits.items()} == shapes
    features = reader.features(x)
    assert features.shape == (3, 10) and features.min() >= 0
    assert torch.equal(torch.cat([*logits.values()], 1), reader.heads(features))
    assert set(reader.logits(x)) == {"wing", "beak"}
    read = reader.read(x, refuse=False)
    assert {k: v.tolist() for k, v in read.items()} == {
        k: logits[k].argmax(1).tolist() for k in ("wing", "beak")
    }


def test_what_is_more_probably_not_readable_is_read_as_nothing(reader):
    x = randn(60, 3, 64, 64, seed=2)
    x[30:] *= 0.1
    logits = reader.eval()(x)["readable"].diff(dim=1)
    reader.heads.bias.data[-1] -= logits.median().item() + 1e-3  # half of them each way
    can = reader.readable(x)
    assert 0 < (can >= 0.5).sum() < 60, "some and some, or the test tests nothing"
    read, answered = reader.read(x), reader.read(x, refuse=False)
    for name in ATTRIBUTES:
        assert torch.equal(read[name] == -1, can < 0.5)
        assert torch.equal(read[name][can >= 0.5], answered[name][can >= 0.5])


def test_a_temperature_divides_the_logits_and_leaves_what_is_read(reader):
    x = randn(5, 3, 64, 64, seed=3)
    before, sure = reader.logits(x), reader.confidence(x)
    read = reader.read(x, refuse=False)
    reader.temperatures.copy_(torch.tensor([4.0, 1.0, 1.0]))
    after = reader.logits(x)
    assert torch.allclose(after["wing"], before["wing"] / 4)
    assert torch.equal(after["beak"], before["beak"])
    assert (reader.confidence(x)["wing"] < sure["wing"]).all()
    assert torch.equal(reader.read(x, refuse=False)["wing"], read["wing"])


def test_the_other_body_reads_as_well():
    other = AttributeReader(attributes=ATTRIBUTES, width=4, features=10, body="residual")
    assert other.read(randn(2, 3, 32, 32))["wing"].shape == (2,)
    with pytest.raises(UsageError, match="unknown body 'resid'"):
        AttributeReader(attributes=ATTRIBUTES, body="resid")


def test_other_sizes_are_brought_to_64_pixels_first(reader):
    x = randn(2, 3, 32, 32)
    large = F.interpolate(x, (64, 64), mode="bilinear", antialias=True)
    assert torch.equal(reader.eval().features(x), reader.features(large))


@pytest.mark.parametrize("training", [True, False])
def test_reading_is_done_in_eval_mode_and_leaves_the_mode_as_it_was(reader, training):
    reader.train(training)
    x = randn(300, 3, 64, 64, seed=1)
    before = {k: v.clone() for k, v in reader.state_dict().items()}
    read = reader.read(x, refuse=False)
    assert reader.training is training and len(read["wing"]) == 300
    assert all(torch.equal(v, before[k]) for k, v in reader.state_dict().items())
    assert torch.equal(read["wing"][:2], reader.read(x[:2], refuse=False)["wing"])


# Training


def small():
    return AttributeReader(attributes={k: len(v) for k, v in WORLD.attributes.items()}, width=4)


@pytest.fixture(scope="module")
def sets():
    return [WORLD.load("reader", size, 48) for size in (32, 64)]


def test_batches_take_turns_between_sizes_and_carry_the_attributes(sets):
    batches = ReaderBatches(sets, batch_size=8, seed=3)
    for step in range(4):
        batch = batches(step)
        assert batch["images"].shape == (8, 3, *[(32, 64)[step % 2]] * 2)
        assert set(batch) == {"images", *WORLD.attributes}
        pictures = batch["images"].permute(0, 2, 3, 1).numpy()
        for k, picture in enumerate(pictures):
            i = next(i for i, x in enumerate(sets[step % 2].images) if np.array_equal(x, picture))
            assert batch["wing"][k] == sets[0].attributes["wing"][i]
    again = ReaderBatches(sets, batch_size=8, seed=3)(2)
    assert torch.equal(batches(2)["images"], again["images"])


def test_pictures_of_other_worlds_come_along_in_the_same_size(sets):
    strange = [np.full((5, size, size, 3), size, np.uint8) for size in (32, 64)]
    batches = ReaderBatches(sets, strange, batch_size=24)
    for step, size in enumerate((32, 64)):
        others = batches(step)["others"]
        assert others.shape == (2, 3, size, size) and (others == size).all()


def test_the_learning_of_refusal(sets):
    """Failures are told from pictures: on those of a kind, and on a kind that is held out."""
    torch.manual_seed(0)
    trainer = ReaderTrainer(small(), lr=1e-2)
    fit(trainer, ReaderBatches(sets[:1], batch_size=22), steps=80, device="cpu", show=False)
    x = to_float(WORLD.load("test", 32, 60).images)
    rng = torch.Generator().manual_seed(0)
    real = trainer.reader.readable(x).mean()
    assert real > trainer.reader.readable(failures.spoil(x, rng)).mean() + 0.3
    assert real > trainer.reader.readable(failures.spoil(x, rng, "stripes")).mean() + 0.3


def test_ascended_pictures_are_taken_for_more_readable_and_leave_the_weights_alone(sets):
    trainer = ReaderTrainer(small())
    trainer.network = trainer.reader
    before = {k: v.clone() for k, v in trainer.reader.state_dict().items()}
    x = randn(6, 3, 64, 64).mul(0.3).clamp(-1, 1)
    up = trainer._ascended(x)
    trainer.reader.eval()
    gain = trainer.reader(up)["readable"][:, 1] - trainer.reader(x)["readable"][:, 1]
    assert (gain > 0).all() and up.abs().max() <= 1
    assert all(torch.equal(v, before[k]) for k, v in trainer.reader.state_dict().items())
    assert all(p.requires_grad for p in trainer.reader.parameters())


def test_calibration_finds_the_temperature_of_least_cross_entropy(sets):
    torch.manual_seed(0)
    reader = small()
    reader.heads.weight.data *= 40  # far too sure of answers that are chance
    data = WORLD.load("val", 32, 60)
    calibrate(reader, data)
    temperatures = reader.temperatures.clone()
    assert (temperatures > 2).all(), temperatures
    calibrate(reader, data)
    assert torch.equal(reader.temperatures, temperatures)


def test_the_reader_learns(sets):
    torch.manual_seed(0)
    trainer = ReaderTrainer(small(), lr=1e-2)
    fitted = fit(
        trainer,
        ReaderBatches(sets[:1], batch_size=16),
        steps=40,
        device="cpu",
        precision="32-true",
        show=False,
    )
    losses = fitted.history["cross_entropy"]
    assert {"cross_entropy", "refusal"} <= set(fitted.history)
    at_random = sum(np.log(len(v)) for v in WORLD.attributes.values())
    assert losses.iloc[0] == pytest.approx(at_random, rel=0.15)
    assert losses.iloc[-5:].mean() < 0.8 * at_random


def test_the_learning_rate_rises_over_a_tenth_and_falls_to_0(sets):
    trainer = ReaderTrainer(small(), lr=0.01)
    trainer.network, trainer.device = trainer.reader, torch.device("cpu")
    batch = ReaderBatches(sets, batch_size=4)(0)
    for progress, share in ((0.0, 0.04), (0.05, 0.52), (0.1, 1.0), (0.55, 0.5), (1.0, 0.0)):
        trainer.progress = progress
        trainer.step(dict(batch))
        assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * share, abs=1e-9)


def test_accuracy_is_the_share_read_right(sets):
    class Oracle:
        def read(self, images):
            wing = torch.from_numpy(sets[0].attributes["wing"].copy())
            wing[:12] = (wing[:12] + 1) % 10  # wrong on a quarter
            return {"wing": wing, "beak": torch.from_numpy(sets[0].attributes["beak"])}

    assert accuracy(Oracle(), sets[0]) == {"wing": 0.75, "beak": 1.0}


# What ships


@pytest.mark.parametrize("name", [n for n in weights.bundled() if n.startswith("encoder-")])
def test_shipped_encoders_load_and_read_their_world_s_captions(name):
    encoder = load_encoder(name)
    captions = [
        c
        for i in range(5)
        for c in paperworld.world(name.removeprefix("encoder-")).captions("test", i)
    ]
    phi = encoder.encode(captions)
    assert phi.shape == (25, encoder.text) and torch.isfinite(phi).all()
    assert not any(encoder.vocabulary.unknown(c) for c in captions)


@pytest.mark.parametrize("name", [n for n in weights.bundled() if n.startswith("reader-")])
def test_shipped_readers_load_and_know_their_world_s_attributes(name):
    world = paperworld.world(name.removeprefix("reader-"))
    assert load_reader(world.name).attributes == {k: len(v) for k, v in world.attributes.items()}


@pytest.mark.skipif("judge-birds" not in weights.bundled(), reason="not trained yet")
def test_a_second_reader_of_another_architecture_agrees():
    second = TrainedReader.load("judge-birds").network
    assert second.arguments["body"] != load_reader("birds").arguments["body"]
    data = WORLD.load("test", 64, 300)
    one, other = (accuracy(reader, data) for reader in (load_reader("birds"), second))
    assert max(abs(one[name] - other[name]) for name in one) <= 0.01


@pytest.mark.parametrize("size", [32, 64])
def test_the_reader_of_birds_reads_every_attribute_of_test_pictures(size):
    read = accuracy(load_reader("birds"), WORLD.load("test", size, 300))
    assert set(read) == set(WORLD.attributes)
    assert min(read.values()) >= 0.99, read


@pytest.mark.parametrize("name", [n for n in weights.bundled() if n.startswith("reader-")])
def test_a_shipped_reader_says_no_to_what_it_was_never_shown(name):
    """Of kinds of failure that training did not have; its own world it does not refuse."""
    world = paperworld.world(name.removeprefix("reader-"))
    found = refusals(load_reader(world.name), world.name, world.load("test", 64, 200))
    assert found["refused_real"] <= 0.01
    held_out = [found[f"refused_{kind}"] for kind in failures.HELD_OUT]
    assert np.mean(held_out) >= 0.9, found
