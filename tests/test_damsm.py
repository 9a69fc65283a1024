"""DAMSM: what words look at, how well a caption fits, and its training."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import betabinom

from t2ilab.data import paperworld
from t2ilab.data.pairs import Truth
from t2ilab.errors import CaptionError, UsageError
from t2ilab.fit import fit
from t2ilab.losses.damsm import attend, sentence_scores, word_scores
from t2ilab.models.damsm import Damsm, RegionNetwork
from t2ilab.recipes.damsm import Options, build
from t2ilab.recipes.train import train
from t2ilab.systems import weights
from t2ilab.systems.damsm import DamsmSystem
from t2ilab.systems.encoders import load_encoder
from t2ilab.text.encoders import GRUEncoder
from t2ilab.text.tokens import Vocabulary
from t2ilab.trainers.damsm import DamsmTrainer, Gammas, damsm_losses
from t2ilab.trainers.matching_batches import MatchingBatches

EYE = torch.eye(2)


def real(*lengths, longest):
    return torch.arange(longest) < torch.tensor(lengths)[:, None]


def encoder(words=("red", "blue", "bird", "a")):
    torch.manual_seed(0)
    return GRUEncoder(Vocabulary(words), text=8, word=4, hidden=4)


def test_a_word_that_sees_itself_scores_one_and_two_words_one_and_a_logarithm():
    one = dict(gamma1=1e4, gamma2=5.0)
    assert word_scores(EYE[None, :1], EYE[None, :1], real(1, longest=1), **one).item() == (
        pytest.approx(1)
    )
    # Two words, two regions, each word like one of them: log(2 exp(5))^(1/5) = 1 + ln(2) / 5.
    both = EYE[None] * 10, EYE[None] * 10, real(2, longest=2)
    assert word_scores(*both, **one, mean=False).item() == pytest.approx(1 + math.log(2) / 5)
    assert word_scores(*both, **one).item() == pytest.approx(1)


def test_the_score_by_hand():
    v, e = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]]), torch.tensor([[[3.0, 0.0], [1.0, 1.0]]])
    s = [[3.0, 0.0], [1.0, 2.0]]  # words x regions
    over = [[math.exp(s[i][j]) / sum(math.exp(s[k][j]) for k in (0, 1)) for j in (0, 1)]
            for i in (0, 1)]  # fmt: skip
    total = 0.0
    for i, word in enumerate(((3.0, 0.0), (1.0, 1.0))):
        a = [math.exp(4 * p) for p in over[i]]
        c = (a[0] / sum(a) * 1.0, a[1] / sum(a) * 2.0)
        cos = (c[0] * word[0] + c[1] * word[1]) / math.hypot(*c) / math.hypot(*word)
        total += math.exp(5 * cos)
    found = word_scores(v, e, real(2, longest=2), gamma1=4.0, gamma2=5.0, mean=False)
    assert found.item() == pytest.approx(math.log(total) / 5, rel=1e-5)


def test_a_large_gamma1_picks_the_region_that_is_most_the_words_own():
    rng = torch.Generator().manual_seed(0)
    v, e = torch.randn(1, 6, 3, generator=rng), torch.randn(1, 2, 3, generator=rng)
    s, a = attend(v, e, real(2, longest=2), gamma1=1e5)
    assert torch.equal(a.argmax(3), s.softmax(2).argmax(3)) and a.amax(3).min() > 0.999
    flat = attend(v, e, real(2, longest=2), gamma1=0.0).a
    assert flat.allclose(torch.full_like(flat, 1 / 6))


def test_pads_change_nothing():
    rng = torch.Generator().manual_seed(0)
    v, e = torch.randn(2, 5, 3, generator=rng), torch.randn(1, 2, 3, generator=rng)
    short = word_scores(v, e, real(2, longest=2))
    padded = torch.cat([e, torch.full((1, 3, 3), 7.0)], 1)
    assert word_scores(v, padded, real(2, longest=5)).allclose(short, atol=1e-6)


def test_sentences_are_compared_by_their_cosine():
    found = sentence_scores(EYE * 3, torch.tensor([[1.0, 1.0]]))
    assert found.flatten().tolist() == pytest.approx([0.5**0.5] * 2)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_a_picture_has_64_regions_and_one_vector(size):
    parts = RegionNetwork(size=size, width=4, space=8)(torch.zeros(2, 3, size, size))
    assert parts.regions.shape == (2, 64, 8) and parts.whole.shape == (2, 8)


def test_another_size_is_refused():
    with pytest.raises(UsageError, match="size of the pictures '48'"):
        RegionNetwork(size=48)


def test_words_and_sentence_do_not_depend_on_batch_mates():
    model = Damsm(encoder(), RegionNetwork(size=32, width=4, space=8))
    numbers = model.encoder.vocabulary.numbers
    alone, beside = model.read(numbers(["a red bird"])), model.read(numbers(["a", "a red bird"]))
    assert beside.real.tolist() == [[True, False, False], [True] * 3]
    assert beside.words[1].allclose(alone.words[0], atol=1e-6)
    assert beside.sentence[1].allclose(alone.sentence[0], atol=1e-6)
    assert not beside.words[0, 1:].any()


def test_equal_scores_cost_the_logarithm_of_the_batch_and_true_captions_nothing():
    model = Damsm(encoder(), RegionNetwork(size=32, width=4, space=8))
    x, numbers = torch.zeros(4, 3, 32, 32), model.encoder.vocabulary.numbers(["a red bird"] * 4)
    parts, said = model.eval()(x, numbers)
    losses = damsm_losses(parts, said, torch.eye(4, dtype=torch.bool), Gammas())
    assert [v.item() for v in losses.values()] == pytest.approx([math.log(4)] * 2, abs=1e-4)
    losses = damsm_losses(parts, said, torch.ones(4, 4, dtype=torch.bool), Gammas())
    assert [v.item() for v in losses.values()] == pytest.approx([0, 0], abs=1e-6)


def test_training_brings_words_to_their_regions():
    data = paperworld.world("birds").load("train", 32, 64)
    torch.manual_seed(0)
    words = Vocabulary.of([c for one in data.captions for c in one])
    one = GRUEncoder(words, text=16, word=8, hidden=8)
    trainer = DamsmTrainer(Damsm(one, RegionNetwork(size=32, width=6, space=16)), lr=5e-3)
    batches = MatchingBatches(data, one, batch_size=16, each=1, group=8)
    history = fit(trainer, batches, steps=24, device="cpu", show=False).history
    for name in ("words", "sentences"):
        assert history[name][-5:].mean() < history[name][:5].mean() - 0.1


def test_the_recipe_trains_saves_and_measures(tmp_path):
    trained = train("damsm", world="birds", profile="smoke", steps=2, out=tmp_path, show=False)
    loaded = DamsmSystem.load(tmp_path)
    assert 0 <= loaded.about["measured"]["facts_caption_1_words"] <= 1
    pictures = paperworld.world("birds").load("test", 32, 3).images
    said = ["a red bird", "a blue bird with black wings"]
    before, after = (x.match(pictures, said) for x in (trained.system, loaded))
    assert after.shape == (3, 2) and (before - after).abs().max() < 0.01  # half floats
    parts = [loaded.match(pictures, said, by) for by in ("words", "sentences")]
    assert sum(parts).allclose(after, atol=1e-5)
    maps = loaded.attention(pictures[:2], said)
    assert maps.shape == (2, 6, 8, 8) and maps.sum((2, 3)).allclose(torch.ones(2, 6))
    with pytest.raises(CaptionError):
        loaded.read([""])
    with pytest.raises(UsageError, match="64 pixels; this system takes 32"):
        loaded.look(np.zeros((1, 64, 64, 3), np.uint8))


def test_a_trained_encoder_stays_as_it_is():
    o = Options(system="damsm", world="birds", profile="smoke", encoder="encoder-birds")
    trainer, shipped = build(o, None).trainer, load_encoder("encoder-birds")
    assert not any(p.requires_grad for p in trainer.model.encoder.parameters())
    own = trainer.model.encoder.state_dict()
    assert all(torch.equal(v, own[k]) for k, v in shipped.state_dict().items())
    with pytest.raises(UsageError, match="words and sentences are of one size"):
        build(replace(o, encoder="encoder_char-birds"), None)


@pytest.mark.parametrize("name", [n for n in weights.bundled() if n.startswith("damsm-")])
@pytest.mark.parametrize("by", ["words", "sentences"])
def test_what_ships_finds_captions_as_often_as_it_says(name, by):
    system = DamsmSystem.load(name)
    stated, test = system.about["measured"], paperworld.world("birds").load("test", 64)
    test = test.subset(slice(1000, 2000))  # others than were measured, as many
    every, first = np.arange(len(test)), np.zeros(len(test), int)
    fits = torch.from_numpy(Truth(test).fits(every, every, first))
    some = slice(0, 150)
    parts = system.look(test.images[some])
    best = system.scores(parts, system.read([c[0] for c in test.captions]), by).argmax(1)
    found = int(fits[some].gather(1, best[:, None]).sum())
    share = stated[f"facts_caption_1_{by}"]
    low, high = betabinom.interval(0.9999, 150, 1 + 1000 * share, 1 + 1000 * (1 - share))
    assert low <= found <= high
