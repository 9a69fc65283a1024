"""The AttributeReader: its outputs, its training, and how well the shipped ones read."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from t2ilab.data import paperworld
from t2ilab.fit import fit
from t2ilab.models.reader import AttributeReader
from t2ilab.recipes.reader import accuracy
from t2ilab.systems import weights
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.single import load_reader
from t2ilab.trainers.reader import ReaderBatches, ReaderTrainer

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
    assert {k: v.shape for k, v in logits.items()} == {"wing": (3, 5), "beak": (3, 2)}
    features = reader.features(x)
    assert features.shape == (3, 10) and features.min() >= 0
    heads = reader.heads(features)
    assert torch.equal(torch.cat([logits["wing"], logits["beak"]], 1), heads)
    read = reader.read(x)
    assert {k: v.tolist() for k, v in read.items()} == {
        k: v.argmax(1).tolist() for k, v in logits.items()
    }


def test_other_sizes_are_brought_to_64_pixels_first(reader):
    x = randn(2, 3, 32, 32)
    large = F.interpolate(x, (64, 64), mode="bilinear", antialias=True)
    assert torch.equal(reader.eval().features(x), reader.features(large))


@pytest.mark.parametrize("training", [True, False])
def test_reading_is_done_in_eval_mode_and_leaves_the_mode_as_it_was(reader, training):
    reader.train(training)
    x = randn(300, 3, 64, 64, seed=1)
    before = {k: v.clone() for k, v in reader.state_dict().items()}
    read = reader.read(x)
    assert reader.training is training and len(read["wing"]) == 300
    assert all(torch.equal(v, before[k]) for k, v in reader.state_dict().items())
    assert torch.equal(read["wing"][:2], reader.read(x[:2])["wing"])


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
    at_random = sum(np.log(len(v)) for v in WORLD.attributes.values())
    assert losses.iloc[0] == pytest.approx(at_random, rel=0.15)
    assert losses.iloc[-5:].mean() < 0.8 * at_random


def test_the_learning_rate_rises_over_a_tenth_and_falls_to_0(sets):
    trainer = ReaderTrainer(small(), lr=0.01)
    trainer.network, trainer.device = trainer.reader, torch.device("cpu")
    batch = ReaderBatches(sets, batch_size=4)(0)
    for progress, share in ((0.0, 0.04), (0.05, 0.52), (0.1, 1.0), (0.55, 0.5), (1.0, 0.0)):
        trainer.progress = progress
        trainer.step(batch)
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


@pytest.mark.parametrize("size", [32, 64])
def test_the_reader_of_birds_reads_every_attribute_of_test_pictures(size):
    read = accuracy(load_reader("birds"), WORLD.load("test", size, 300))
    assert set(read) == set(WORLD.attributes)
    assert min(read.values()) >= 0.99, read
