"""Training a caption encoder by matching: its batches and its update."""

import os
import signal

import numpy as np
import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import Truth
from t2ilab.fit import fit
from t2ilab.fit.machine import make_fabric
from t2ilab.text.encoders import GRUEncoder, MeanVectorEncoder
from t2ilab.text.tokens import Vocabulary, tokenize
from t2ilab.trainers.caption_encoder import SMALL_WORDS, CaptionBatches, CaptionEncoderTrainer

CPU = make_fabric(device="cpu", precision="32-true")


@pytest.fixture(scope="module")
def birds():
    return paperworld.world("birds").load("train", 32, 200)


def encoder_of(data):
    torch.manual_seed(0)
    corpus = [c for captions in data.captions for c in captions]
    return GRUEncoder(Vocabulary.of(corpus), text=16, word=8, hidden=8)


def numbered(n=12, captions=3):
    """Pictures whose captions are one word each, which tells picture and caption."""
    said = [[f"p{i}c{k}" for k in range(captions)] for i in range(n)]
    data = CaptionedImages(
        "numbered", np.zeros((n, 2, 2, 3), np.uint8), said, np.arange(n), [str(i) for i in range(n)]
    )
    return data, MeanVectorEncoder(Vocabulary.of(c for s in said for c in s), text=8, word=4)


def words(encoder, numbers):
    """Numbers back to the words of each caption."""
    return [[encoder.vocabulary.words[i - 2] for i in row if i > 1] for row in numbers.tolist()]


def test_a_batch_holds_captions_the_features_of_their_pictures_and_what_fits(birds):
    encoder = encoder_of(birds)
    features = torch.arange(200.0)[:, None].repeat(1, 3)
    batches = CaptionBatches(birds, encoder, features, batch_size=20)
    batch = batches(4)
    chosen, levels, _ = batches.order(4)
    assert set(batch) == {"numbers", "features", "fits"}
    assert batch["features"][:, 0].tolist() == chosen.tolist()
    assert np.array_equal(batch["fits"], Truth(birds).fits(chosen, chosen, levels))
    for said, i, k in zip(words(encoder, batch["numbers"]), chosen, levels, strict=True):
        full = tokenize(birds.captions[i][k])
        assert said in (full, [w for w in full if w not in SMALL_WORDS])


def test_a_batch_is_a_function_of_the_step(birds):
    encoder = encoder_of(birds)
    one = CaptionBatches(birds, encoder, None, batch_size=20)
    other = CaptionBatches(birds, encoder, None, batch_size=20)
    other(7)
    for step in (0, 3):
        a, b = one(step), other(step)
        assert all(torch.equal(a[k], b[k]) for k in ("numbers", "others", "fits"))
    assert not torch.equal(one(0)["fits"], one(3)["fits"])


def test_without_features_the_other_side_is_another_caption_of_the_same_picture():
    data, encoder = numbered()
    batches = CaptionBatches(data, encoder, None, batch_size=12)
    for step in range(10):
        batch = batches(step)
        for (one,), (other,) in zip(
            words(encoder, batch["numbers"]), words(encoder, batch["others"]), strict=True
        ):
            assert one != other and one.split("c")[0] == other.split("c")[0]


def test_a_picture_with_one_caption_is_matched_with_itself():
    data, encoder = numbered(captions=1)
    batch = CaptionBatches(data, encoder, None, batch_size=4)(0)
    assert torch.equal(batch["numbers"], batch["others"])


def test_small_words_are_dropped_now_and_then(birds):
    batches, rng = CaptionBatches(birds, encoder_of(birds), None), np.random.default_rng(0)
    varied = [batches._vary("this is a red bird", rng) for _ in range(2000)]
    assert set(varied) == {"is red bird", "this is a red bird"}
    assert np.mean([v == "is red bird" for v in varied]) == pytest.approx(0.15, abs=0.03)


def test_a_caption_of_small_words_keeps_them(birds):
    batches = CaptionBatches(birds, encoder_of(birds), None)
    assert {batches._vary("a", np.random.default_rng(i)) for i in range(50)} == {"a"}


def test_a_batch_is_no_larger_than_the_data():
    data, encoder = numbered(n=5)
    assert len(CaptionBatches(data, encoder, None, batch_size=256)(0)["numbers"]) == 5


@pytest.mark.parametrize("with_features", [True, False])
def test_captions_learn_to_find_their_pictures(with_features):
    data, encoder = numbered()
    features = torch.eye(12) if with_features else None
    trainer = CaptionEncoderTrainer(encoder, features=12 if with_features else None, lr=2e-2)
    trainer.setup(CPU)
    batches = CaptionBatches(data, encoder, features, batch_size=12)
    losses = [trainer.step(batches(i))["matching"].item() for i in range(60)]
    assert np.mean(losses[-5:]) < 0.3 * losses[0]


def test_the_learning_rate_falls_to_0_along_a_cosine():
    data, encoder = numbered()
    trainer = CaptionEncoderTrainer(encoder, features=None, lr=0.01)
    trainer.setup(CPU)
    batch = CaptionBatches(data, encoder, None, batch_size=12)(0)
    for progress, share in ((0.0, 1.0), (0.5, 0.5), (2 / 3, 0.25), (1.0, 0.0)):
        trainer.progress = progress
        trainer.step(batch)
        assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.01 * share)


def test_stopped_and_resumed_training_is_the_same_bit_for_bit(tmp_path):
    def run(out, *, stop=False, resume=False):
        data, encoder = numbered()
        for parameter in encoder.parameters():
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(1))
        trainer = CaptionEncoderTrainer(encoder, features=None)
        batches = CaptionBatches(data, encoder, None, batch_size=6)

        def stopping(step):
            if stop and step == 3:  # made while step 2 is learned from; the run has 12
                os.kill(os.getpid(), signal.SIGTERM)
            return batches(step)

        fitted = fit(
            trainer,
            stopping,
            steps=12,
            out=out,
            resume=resume,
            device="cpu",
            precision="32-true",
            show=False,
        )
        return fitted, trainer.state_dict()

    _, whole = run(tmp_path / "whole")
    fitted, part = run(tmp_path / "part", stop=True)
    assert fitted.stopped == "signal" and 1 <= fitted.steps < 12
    assert not torch.equal(part["matcher"]["log_scale"], whole["matcher"]["log_scale"])
    _, resumed = run(tmp_path / "part", resume=True)
    for name, value in whole["matcher"].items():
        assert torch.equal(value, resumed["matcher"][name]), name
