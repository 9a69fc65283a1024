"""The three introspective systems of Le 2018, chapter 4."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from t2ilab.data import paperworld
from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.inputs.starts import gaussian_noise
from t2ilab.inputs.synthesis import Sampler
from t2ilab.losses.wasserstein import critic_loss, gradient_penalty
from t2ilab.models.caption_critics import AffinityCritic, SimilarityCritic
from t2ilab.recipes.caption_critic import only, tfidf_encoder, word2vec_encoder
from t2ilab.recipes.data import encode_all
from t2ilab.recipes.train import train
from t2ilab.systems.caption_critic import CaptionCriticSystem
from t2ilab.trainers.caption_critic import CaptionCriticTrainer, Recipe, mismatched
from t2ilab.trainers.introspective_text import MatchedBatches

ABOUT = {"command": "none", "data": "none", "seconds": 0, "measured": {}}
SAMPLER = Sampler(steps=2, visits=2, rule="gradient", lr=0.5, last_lr=0.5, start="gaussian")
OF = {"logistic": SimilarityCritic, "wasserstein": SimilarityCritic, "affinity": AffinityCritic}


@pytest.fixture(scope="module")
def data():
    return paperworld.world("phrases").load("train", 32, 64)


@pytest.fixture(scope="module")
def encoder(data):
    return word2vec_encoder([c for few in data.captions for c in few])


@pytest.fixture(scope="module")
def batches(data, encoder):
    return MatchedBatches(data, encode_all(encoder, data), batch_size=8)


def critic(objective="wasserstein", **others):
    torch.manual_seed(0)
    return OF[objective](text=48, width=4, hidden=8, **others).eval()


def trainer(objective="wasserstein", **changed):
    recipe = Recipe(**{"objective": objective, "sampler": SAMPLER, "pool": 16} | changed)
    phi = torch.randn(16, 48, generator=torch.Generator().manual_seed(5))
    return CaptionCriticTrainer(critic(objective), recipe=recipe, phi=phi, seed=0)


@pytest.mark.parametrize("objective", OF)
def test_the_caption_counts_and_no_picture_sees_another(objective):
    f, x = critic(objective), torch.rand(5, 3, 32, 32) * 2 - 1
    phi = torch.randn(5, 48, requires_grad=True)
    f(x, f.psi(phi)).sum().backward()
    assert (phi.grad.abs().sum(1) > 0).all()
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in f.modules())
    psi = f.psi(phi).detach()
    assert torch.allclose(f(x, psi)[3:4], f(x[3:4], psi[3:4]), atol=1e-5)


def test_affinity_is_the_scalar_less_half_the_squared_error():
    f, x, phi = critic("affinity"), torch.rand(2, 3, 32, 32), torch.randn(2, 48)
    g = f.network(x)
    by_hand = f.scalar(g)[:, 0] - 0.5 * ((g - phi) ** 2).mean(1)
    assert torch.allclose(f(x, phi), by_hand)


def test_eq_4_1_is_ln_2_where_the_score_is_0(batches):
    class Zero(nn.Module):
        network = critic().network

        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(()))

        def psi(self, phi):
            return phi

        def forward(self, x, psi):
            return self.w * x.flatten(1).sum(1)

    recipe = Recipe(objective="logistic", sampler=SAMPLER, pool=16)
    one = CaptionCriticTrainer(Zero(), recipe=recipe, phi=torch.randn(16, 48))
    found = fit(one, batches, steps=1, show=False, device="cpu")
    assert found.last_losses["loss"] == pytest.approx(np.log(2), abs=1e-6)


def test_affinity_of_weight_0_learns_what_a_winn_learns(batches):
    one = trainer("affinity", affinity=0.0)
    x, x_m = torch.rand(8, 3, 32, 32), torch.rand(8, 3, 32, 32)
    psi, share = torch.randn(8, 48), torch.rand(8, generator=torch.Generator().manual_seed(0))
    one.networks = one.critics
    one.rng.manual_seed(0)
    loss, _ = one._affinity(x, psi, x_m)

    def d(z):
        return one.f.parts(z, psi[: len(z)])[0]

    winn = critic_loss(d(x), d(x_m)) + 10 * gradient_penalty(d, x, x_m, share)
    assert loss.item() == pytest.approx(winn.item(), rel=1e-5)
    weighted = trainer("affinity")
    weighted.networks = weighted.critics
    weighted.rng.manual_seed(0)
    error = weighted.f.parts(x, psi)[1].mean()
    assert weighted._affinity(x, psi, x_m)[0].item() == pytest.approx(
        (winn + 0.5 * error).item(), rel=1e-5
    )


def test_a_mismatched_caption_is_never_true():
    fits = torch.tensor([[1, 1, 0], [0, 1, 0], [1, 1, 1]], dtype=torch.bool)
    for seed in range(10):
        rows, wrong = mismatched(fits, torch.Generator().manual_seed(seed))
        assert rows.tolist() == [0, 1]
        assert not fits[rows, wrong].any()


@pytest.mark.parametrize("objective", OF)
def test_training_goes_on_exactly(objective, batches, tmp_path):
    whole, first, second = (trainer(objective, critics=2) for _ in range(3))
    fit(whole, batches, steps=5, show=False, device="cpu")
    fit(first, batches, steps=3, show=False, device="cpu", out=tmp_path)
    fit(second, batches, steps=5, show=False, device="cpu", out=tmp_path, resume=True)
    for name, value in whole.critics.state_dict().items():
        assert torch.equal(value, second.critics.state_dict()[name]), name


def test_ten_critics_are_ten_updates_for_one_synthesis(batches):
    one, three = trainer(), trainer(critics=3)
    for t in (one, three):
        fit(t, batches, steps=6, show=False, device="cpu")
    start = trainer().pool.pictures
    moved = [int((t.pool.pictures != start).flatten(1).any(1).sum()) for t in (one, three)]
    assert 0 < moved[1] <= 8 < moved[0]  # the first synthesis knows no scores yet


def test_each_network_of_a_cascade_begins_where_the_one_before_it_ended(batches):
    one = trainer(cascade=2)
    fit(one, batches, steps=4, show=False, device="cpu")
    assert one.at == 1 and one.begun is not None
    first, second = one.critics
    assert any(
        not torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )
    begun = {tuple(p.flatten()[:5].tolist()) for p in one.begun[0]}
    assert tuple(one._noise(1)[0].flatten()[:5].tolist()) in begun


def test_fixed_encoders_are_means_of_word_vectors(encoder):
    word = encoder.words.weight[encoder.vocabulary.index["man"]]
    other = encoder.words.weight[encoder.vocabulary.index["running"]]
    expected = nn.functional.layer_norm((word + other) / 2, (48,))
    assert torch.allclose(encoder.encode(["man running"])[0], expected, atol=1e-5)
    bag = tfidf_encoder(["a man", "a dog", "a dog running"])
    vector = bag.words.weight[bag.vocabulary.index["dog"]]
    assert vector[bag.vocabulary.words.index("dog")].item() == pytest.approx(np.log(3 / 2))
    assert bag.words.weight[bag.vocabulary.index["a"]].abs().sum() == 0


def test_only_men_and_dogs(data):
    few = only(data, ["man", "dog"])
    assert 0 < len(few) < len(data)
    assert all({"man", "dog"} & {*few.class_names[c].split()} for c in few.classes)
    with pytest.raises(UsageError, match="class, or word of one"):
        only(data, ["mann"])


def test_gaussian_noise_lies_around_the_middle():
    x = gaussian_noise(50, (3, 8, 8), generator=torch.Generator().manual_seed(0))
    assert x.abs().max() <= 1 and abs(float(x.mean())) < 0.02
    assert float(x.std()) == pytest.approx(0.48, abs=0.03)


def test_what_a_recipe_refuses():
    for wrong in ({"critics": 0}, {"cascade": 0}, {"lr": 0.0}, {"objective": "hinge"}):
        with pytest.raises(UsageError):
            Recipe(**wrong)


@pytest.mark.parametrize("name", ["introspective_text", "wasserstein_text", "affinity_text"])
def test_training_by_name_and_a_saved_system_draws_the_same(name, tmp_path):
    trained = train(
        name, profile="smoke", steps=2, width=4, batch_size=8, cascade=2, out=tmp_path, show=False,
        recipe=replace(Recipe(), objective=OBJECTIVE[name], sampler=SAMPLER),
    )  # fmt: skip
    again = CaptionCriticSystem.load(tmp_path)
    assert len(again.critics) == 2 and again.about["measured"]["pictures"] == 64
    pictures = again.draw("a man running", 2, seed=3)
    assert pictures.shape == (2, 32, 32, 3)
    assert np.array_equal(pictures, again.draw("a man running", 2, seed=3))
    assert not np.array_equal(pictures, again.draw("a brown dog", 2, seed=3))
    assert trained.fitted.steps == 2


OBJECTIVE = {
    "introspective_text": "logistic",
    "wasserstein_text": "wasserstein",
    "affinity_text": "affinity",
}
