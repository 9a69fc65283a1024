"""f(x, t) = f0(x) + gamma s(x, t): the network, its trainer, and the system that draws with it."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import CaptionError, UsageError, WeightsError
from t2ilab.fit import fit
from t2ilab.inputs.synthesis import Sampler
from t2ilab.models.introspective import Critic
from t2ilab.models.introspective_text import TextCritic
from t2ilab.recipes.data import encode_all
from t2ilab.recipes.introspective_text import live
from t2ilab.recipes.train import train
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.introspective import IntrospectiveSystem
from t2ilab.systems.introspective_text import IntrospectiveText
from t2ilab.systems.single import TrainedReader
from t2ilab.trainers.introspective_text import MatchedBatches, TextHeadTrainer

ABOUT = {"command": "none", "data": "none", "seconds": 0, "measured": {}}
SAMPLER = Sampler(steps=3, visits=3, rule="gradient", lr=0.5, last_lr=0.5)
RED, BLUE = "a small red bird with blue wings", "a large blue bird"


def critic(width=4):
    torch.manual_seed(0)
    return TextCritic(Critic(size=32, width=4), width=width, space=8).eval()


def system(width=4, gamma=10.0, sampler=SAMPLER):
    f = critic(width)
    base = IntrospectiveSystem(f.base, sampler, torch.full((8,), 1e3))
    positives = torch.stack([torch.full((8,), 1e3), torch.ones(8)], 1)
    return IntrospectiveText(base, load_encoder("encoder-birds"), f, positives, gamma=gamma)


def pictures(n=4):
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 2 - 1


# ---- the network


@pytest.mark.parametrize("width", [0, 4])
def test_the_score_is_realism_and_gamma_times_the_match(width):
    f, x, phi = critic(width), pictures(), torch.randn(4, 256)
    psi = f.head.psi(phi)
    realism, theta = f.parts(x)
    assert torch.allclose(realism, f.base(x), atol=1e-6)
    assert torch.allclose(theta, f.theta(x), atol=1e-6)
    assert torch.allclose(theta.norm(dim=1), torch.ones(4))
    cosines = (theta * psi).sum(1)
    assert torch.allclose(f(x, psi, 7.0), realism + 7 * cosines, atol=1e-5)
    assert torch.equal(f(x, psi, 0.0), realism)


def test_the_caption_changes_the_score_and_its_gradient_is_not_zero():
    f, x = critic(), pictures()
    phi = torch.randn(4, 256, requires_grad=True)
    f(x, f.head.psi(phi)).sum().backward()
    assert (phi.grad.abs().sum(1) > 0).all()


def test_there_is_no_batch_norm_and_no_picture_sees_another():
    f, x = critic(), pictures(6)
    assert not any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in f.modules())
    psi = f.head.psi(torch.randn(6, 256))
    assert torch.allclose(f(x, psi)[2:3], f(x[2:3], psi[2:3]), atol=1e-5)


# ---- training


@pytest.fixture(scope="module")
def batches():
    data = paperworld.world("birds").load("train", 32, 48, asides=True)
    return MatchedBatches(data, encode_all(load_encoder("encoder-birds"), data), batch_size=8)


def trainer(width=4, **changed):
    return TextHeadTrainer(critic(width), **{"lr": 1e-2, "ramp": 0.0} | changed)


def test_a_batch_says_which_captions_are_true_of_which_pictures(batches):
    batch = batches(0)
    assert batch["images"].shape == (8, 3, 32, 32) and batch["images"].dtype == torch.uint8
    assert batch["phi"].shape == (8, 256) and batch["fits"].diagonal().all()
    assert all(torch.equal(batches(3)[name], batches(3)[name]) for name in batch)


@pytest.mark.parametrize("width", [0, 4])
def test_f0_stays_and_s_learns(width, batches):
    one = trainer(width)
    before = {name: p.clone() for name, p in one.critic.state_dict().items()}
    fit(one, batches, steps=6, show=False, device="cpu")
    for name, p in one.critic.state_dict().items():
        assert torch.equal(p, before[name]) == name.startswith("base."), name


def test_the_attack_stays_in_the_ball_and_makes_the_caption_harder_to_find(batches):
    one, batch = trainer(epsilon=0.05, steps=3), batches(0)
    one.network = one.critic
    x = batch["images"].float() / 127.5 - 1
    psi = one.critic.head.psi(batch["phi"]).detach()
    moved = one.worst(x, psi, batch["fits"])
    away = (moved - x).square().flatten(1).mean(1).sqrt()
    assert (away <= 0.1 + 1e-6).all() and (away > 0.01).all()  # of a box that is 2 wide

    def loss(x):
        scores = one.critic.head.scaled(one.critic.theta(x), psi)
        other = batch["fits"] & ~torch.eye(8, dtype=torch.bool)
        return -scores.masked_fill(other, -torch.inf).log_softmax(1).diagonal().mean()

    assert loss(moved) > loss(x)
    one.epsilon = 0.0
    assert one.worst(x, psi, batch["fits"]) is x


def test_training_goes_on_exactly(batches):
    one, other = trainer(), trainer()
    for t in (one, other):
        t.network, t.device, t.progress = t.critic, torch.device("cpu"), 0.3
    one.step(batches(0))
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    assert one.step(batches(1)) == other.step(batches(1))
    for name, value in one.critic.state_dict().items():
        assert torch.equal(value, other.critic.state_dict()[name]), name


def test_what_a_trainer_refuses():
    for wrong in ({"epsilon": -1.0}, {"epsilon": 2.0}, {"steps": 0}, {"lr": 0.0}, {"ramp": 2.0}):
        with pytest.raises(UsageError):
            trainer(**wrong)


def test_a_head_on_a_critic_that_nobody_told_of_captions():
    base = system().base
    data = paperworld.world("birds").load("train", 32, 32)
    one = live(base, load_encoder("encoder-birds"), data, steps=2, space=8)
    assert one.critic.body is None and one.positives.shape == (32, 2)
    assert one.draw(RED, 2).shape == (2, 32, 32, 3)


# ---- drawing


def test_gamma_0_is_the_unconditional_draw_bit_for_bit():
    one = system(width=0, gamma=0.0)
    assert np.array_equal(one.draw(RED, n=3, seed=5), one.base.draw(3, seed=5))
    assert not np.array_equal(one.guided(10.0).draw(RED, n=3, seed=5), one.base.draw(3, seed=5))


def test_the_caption_decides_and_the_seed_decides():
    one = system()
    red, again, blue = one.draw(RED, 3, seed=1), one.draw(RED, 3, seed=1), one.draw(BLUE, 3, seed=1)
    assert red.shape == (3, 32, 32, 3) and red.dtype == np.uint8
    assert np.array_equal(red, again) and not np.array_equal(red, blue)
    assert not np.array_equal(red, one.draw(RED, 3, seed=2))
    assert one.draw([RED, BLUE]).shape[0] == 2


def test_a_picture_stops_at_its_own_threshold_whatever_its_batch_mates_do(monkeypatch):
    monkeypatch.setattr(IntrospectiveText, "mixed", False)  # else it is true to three digits
    from t2ilab.inputs.synthesis import synthesise

    one = system()
    psi, start = one.psi([RED] * 4), one.noise(4, seed=0)
    sampler = replace(SAMPLER, until="boundary", steps=6)
    with torch.no_grad():
        level = one.score(start, psi)
    near = torch.tensor([-1e3, 2.0, 1e3, 5.0]) - 0.0

    def f(x, psi, shift):
        return one.score(x, psi) - shift

    shift = level + near
    every = synthesise(f, start, torch.zeros(1), sampler, given=(psi, shift))
    for i in range(4):
        own = (psi[i : i + 1], shift[i : i + 1])
        alone = synthesise(f, start[i : i + 1], torch.zeros(1), sampler, given=own)
        assert every.steps[i] == alone.steps[0]
        assert torch.allclose(every.pictures[i], alone.pictures[0], atol=1e-4)
    assert every.steps[0] == 0 and every.steps[2] == 6


def test_of_several_candidates_those_that_fit_better_stay(monkeypatch):
    from t2ilab.systems import introspective_text as module

    one, n = system().choosing(4), 3
    phi = one.encoder.encode([RED, BLUE, RED])
    best = one.draw_vectors(phi, seed=0)
    assert best.shape == (n, 3, 32, 32) and torch.equal(best, one.draw_vectors(phi, seed=0))
    psi = one.critic.head.psi(phi).repeat_interleave(4, 0)
    # candidates that are not dropped: each as if it were alone
    every = one._climb(
        lambda gamma: lambda x, psi: one.critic(x, psi, gamma, mixed=one.mixed),
        one.noise(4 * n, 0),
        given=[psi],
    ).pictures.unflatten(0, (n, 4))
    gaps = (every - best[:, None]).abs().amax((2, 3, 4))
    assert (gaps.amin(1) < 0.1).all()  # the parts of the steps are rounded in another way
    fits = torch.tensor([0.1, 0.9, 0.5, 0.2, 7.0, 3.0, 5.0, 6.0])  # four of each of two pictures
    one.positives[:, 0] = 1e6  # none is above that
    for left in (4, 2):
        kept = one._better_half(pictures(8), lambda _theta, fits: fits, [fits], left)
        assert kept.tolist() == [1, 2, 4, 7]
    f0 = torch.zeros(8).index_fill(0, torch.tensor([1, 4]), 44.0)  # two that are too good
    one.positives[:, 0] = 40.0
    monkeypatch.setattr(TextCritic, "parts", lambda self, x, mixed: (f0, None))
    kept = one._better_half(pictures(8), lambda _theta, fits: fits, [fits], 4)
    assert kept.tolist() == [2, 3, 4, 7]  # 7 - 0.2 * 4 is still the first
    monkeypatch.undo()
    film = one.compose(RED, 2, steps=8, frames=6).frames
    assert all(len(x) == 2 for _, x in film) and film[-1][0] == 8
    monkeypatch.setattr(module, "STEPS", 8)
    start = one.noise(n, 1)  # a start that is given is nobody's candidate
    assert torch.equal(one.draw_vectors(phi, start), one.choosing(1).draw_vectors(phi, start))
    with pytest.raises(UsageError, match="1, 2, 4 or 8"):
        one.choosing(3)


def test_what_drawing_refuses():
    one = system()
    for gamma in (-1.0, float("inf"), float("nan"), 1e6):
        with pytest.raises(UsageError, match="weight of the caption"):
            one.guided(gamma)
    with pytest.raises(CaptionError):
        one.draw("xyzzy plugh", n=1)
    with pytest.raises(UsageError, match="1 to 1024"):
        one.draw(RED, n=0)


def test_a_saved_system_draws_the_same(tmp_path):
    one = system()
    for tensor in one.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half().float())
    path = one.save(tmp_path, "tiny", **ABOUT)
    again = IntrospectiveText.load(path)
    assert again.gamma == one.gamma and again.sampler == one.sampler
    assert np.array_equal(again.draw(RED, 2), one.draw(RED, 2))
    with pytest.raises(WeightsError, match="of kind 'introspective'"):
        IntrospectiveText.load("winn-birds-32")


def test_training_by_name(tmp_path):
    trained = train(
        "winn_text", profile="smoke", steps=3, width=4, batch_size=8, out=tmp_path, show=False,
        start="winn-birds-32",
    )  # fmt: skip
    assert trained.fitted.steps == 3
    assert {"consistency_all", "inception_score_share"} <= {
        *trained.system.load(tmp_path).about["measured"]
    }
    with pytest.raises(UsageError, match="of 32 pixels"):
        train("winn_text", profile="smoke", steps=1, size=64, start="winn-birds-32", show=False)


def test_the_shipped_network_knows_its_captions_and_shares_what_ships_by_itself():
    one = IntrospectiveText.load("winn_text-birds-32")
    winn = IntrospectiveSystem.load("winn-birds-32")
    for name, value in winn.state_dict().items():
        assert torch.equal(value, one.base.state_dict()[name]), name
    few = paperworld.world("birds").load("test", 32, 40)
    scores = one.scores(to_float(few.images), [c[0] for c in few.captions])
    assert scores.argmax(1).eq(torch.arange(40)).float().mean() > 0.8
    assert scores.diagonal().mean() > scores.roll(1, 1).diagonal().mean() + 0.3


def test_what_ships_draws_what_captions_say():
    shipped, world = IntrospectiveText.load("winn_text-birds-32"), paperworld.world("birds")
    judge, test = TrainedReader.load("judge-birds").network, world.load("test", 32, 10)
    phi = shipped.encoder.encode([c[0] for c in test.captions])
    hits = {}
    for gamma in (0.0, 10.0):
        read = judge.read(shipped.choosing(1).guided(gamma).draw_vectors(phi, seed=1))
        right = [read[k].numpy() == test.attributes[k] for k in ("breast", "wing", "beak")]
        hits[gamma] = np.mean(right)
    assert hits[10.0] > hits[0.0] + 0.3  # .8 and .2 over 160 captions
