"""The matcher: scores of pictures and captions, training by either objective, saved and loaded."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import CaptionError, UsageError, WeightsError
from t2ilab.fit.machine import make_fabric
from t2ilab.losses.matching import OBJECTIVES
from t2ilab.systems import weights
from t2ilab.systems.encoders import TrainedEncoder, load_encoder, load_matcher
from t2ilab.text.encoders import CharCNNRNNEncoder, GRUEncoder, MeanVectorEncoder
from t2ilab.text.matcher import Matcher
from t2ilab.text.tokens import Vocabulary
from t2ilab.trainers.caption_encoder import CaptionBatches, CaptionEncoderTrainer

CPU = make_fabric(device="cpu", precision="32-true")
ABOUT = {"command": "none", "data": "none", "seconds": 0.0, "measured": {}}
SAID = ["a red bird", "a blue bird", "red", "a red bird"]


def make(**changed):
    torch.manual_seed(0)
    encoder = MeanVectorEncoder(Vocabulary.of(SAID), text=8, word=4)
    return Matcher(encoder, **dict(features=5) | changed)


def features(n=3):
    return torch.rand(n, 5, generator=torch.Generator().manual_seed(1))


def test_scores_are_scaled_cosines():
    matcher, v = make(), features()
    numbers = matcher.encoder.vocabulary.numbers(SAID)
    cosines = F.cosine_similarity(matcher.head(v)[:, None], matcher.encoder(numbers)[None], dim=2)
    assert matcher(v, numbers).shape == (3, 4)
    assert torch.allclose(matcher(v, numbers), 10 * cosines, atol=1e-5)


def test_the_scale_grows_to_50_at_most():
    matcher, v = make(), features()
    numbers = matcher.encoder.vocabulary.numbers(SAID)
    before = matcher(v, numbers)
    matcher.log_scale.data.fill_(math.log(1e4))
    assert torch.allclose(matcher(v, numbers), 5 * before, atol=1e-4)


def test_or_inner_products():
    matcher, v = make(cosine=False), features()
    numbers = matcher.encoder.vocabulary.numbers(SAID)
    assert matcher.log_scale is None
    assert torch.allclose(matcher(v, numbers), matcher.head(v) @ matcher.encoder(numbers).T)


@pytest.mark.parametrize("cosine", [True, False])
def test_captions_and_pictures_give_the_same_scores_without_gradients(cosine):
    matcher, v = make(cosine=cosine), features()
    theta, phi = matcher.pictures(v), matcher.captions(SAID)
    assert not theta.requires_grad and not phi.requires_grad
    scores = matcher(v, matcher.encoder.vocabulary.numbers(SAID))
    assert torch.allclose(matcher.score(theta, phi), scores, atol=1e-5)
    assert torch.equal(phi[0], phi[3])


def test_features_of_another_size_are_refused():
    with pytest.raises(UsageError, match="features of 6 numbers a picture; this matcher takes 5"):
        make().pictures(torch.zeros(2, 6))
    with pytest.raises(UsageError, match="takes none: it matched captions alone"):
        make(features=None).pictures(torch.zeros(2, 6))


def test_unusable_captions_are_refused():
    with pytest.raises(CaptionError):
        make().captions(["a red bird", "xyzzy"])


# Training


def numbered(n=12):
    """Pictures whose captions are one word each, which tells the picture."""
    said = [[f"p{i}c{k}" for k in range(2)] for i in range(n)]
    data = CaptionedImages(
        "numbered", np.zeros((n, 2, 2, 3), np.uint8), said, np.arange(n), [str(i) for i in range(n)]
    )
    return data, Vocabulary.of(c for s in said for c in s)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("with_features", [True, False])
def test_captions_learn_to_find_their_pictures(objective, with_features):
    data, vocabulary = numbered()
    torch.manual_seed(0)
    encoder = MeanVectorEncoder(vocabulary, text=8, word=4)
    v = torch.eye(12) if with_features else None
    trainer = CaptionEncoderTrainer(
        encoder, features=12 if with_features else None, lr=2e-2, objective=objective
    )
    trainer.setup(CPU)
    batches = CaptionBatches(data, encoder, v, batch_size=12)
    losses = [trainer.step(batches(i))["matching"].item() for i in range(80)]
    assert np.mean(losses[-5:]) < 0.4 * losses[0]


def test_characters_go_through_the_same_batches():
    data, vocabulary = numbered()
    encoder = CharCNNRNNEncoder(
        CharCNNRNNEncoder.reads(vocabulary.words), text=8, channels=(4, 4, 4)
    )
    batch = CaptionBatches(data, encoder, torch.eye(12), batch_size=5)(0)
    assert batch["numbers"].shape == (5, 201) and batch["features"].shape == (5, 12)


def test_an_unknown_objective_is_refused():
    with pytest.raises(UsageError, match="unknown objective 'sj'.*did you mean 'sje'"):
        CaptionEncoderTrainer(make().encoder, features=None, objective="sj")


# Saved and loaded


@pytest.mark.parametrize("cosine", [True, False])
def test_a_matcher_is_kept_in_the_file_of_its_encoder(tmp_path, cosine):
    matcher = make(cosine=cosine)
    path = TrainedEncoder(matcher.encoder, matcher).save(tmp_path, "encoder-tiny", **ABOUT)
    again = load_matcher(path)
    assert not again.training and again.arguments == matcher.arguments
    for name, value in matcher.state_dict().items():
        assert torch.equal(again.state_dict()[name], value.half().float()), name
    encoder = load_encoder(path)  # and the encoder can be had alone
    assert type(encoder) is MeanVectorEncoder
    assert torch.equal(encoder.encode(SAID), again.encoder.encode(SAID))


def test_an_encoder_saved_alone_has_no_matcher(tmp_path):
    path = TrainedEncoder(make().encoder).save(tmp_path, "encoder-tiny", **ABOUT)
    assert load_encoder(path).text == 8
    with pytest.raises(WeightsError, match="'encoder-tiny'.*without the head for pictures"):
        load_matcher(path)


def test_a_file_that_lost_a_part_of_its_matcher_is_refused(tmp_path):
    matcher = make()
    path = TrainedEncoder(matcher.encoder, matcher).save(tmp_path, "encoder-tiny", **ABOUT)
    loaded = weights.load(path)
    about = {k: v for k, v in loaded.about.items() if k not in ("tensors", "versions")}
    fewer = {k: v for k, v in loaded.tensors.items() if k != "matcher.head.bias"}
    weights.save(tmp_path, fewer, about, name="encoder-tiny")
    with pytest.raises(WeightsError, match="missing matcher.head.bias"):
        load_matcher(path)


def test_the_bundled_encoder_of_birds_computes_what_it_always_did():
    """Numbers noted when it was trained."""
    encoder = load_encoder("encoder-birds")
    assert type(encoder) is GRUEncoder and encoder.text == 256
    about = json.loads((weights.FOLDER / "encoder-birds.json").read_text())
    assert about["arguments"]["encoder"]["kind"] == "gru"
    phi = encoder.encode(["a blue bird with brown wings"])
    assert phi[0, :4].tolist() == pytest.approx(NOTED, abs=1e-5)


NOTED = [0.772548, -1.015775, -1.741165, -0.271693]
