"""INNg and WINN: the network, its synthesis, the growing pool, and the trainer."""

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.fit import fit
from t2ilab.inputs.starts import random_network, uniform_noise
from t2ilab.inputs.synthesis import Sampler, synthesise, thresholds
from t2ilab.models.introspective import Critic
from t2ilab.trainers.introspective import Introspective, Recipe, Reservoir


def critic(**arguments):
    torch.manual_seed(0)
    return Critic(**{"size": 8, "channels": 1, "width": 4} | arguments).eval()


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def batches(step, *, labels=False):
    """White squares on black, left or right: two classes."""
    side = torch.randint(2, (8,), generator=rng(step))
    images = torch.zeros(8, 1, 8, 8, dtype=torch.uint8)
    for picture, right in zip(images, side, strict=True):
        picture[:, 2:6, 4 * right : 4 * right + 4] = 255
    return {"images": images} | ({"labels": side} if labels else {})


def trainer(seed=0, arguments=None, **changed):
    sampler = Sampler(steps=5, lr=0.2, last_lr=0.05)
    recipe = Recipe(**{"pool": 32, "lr": 1e-3, "sampler": sampler} | changed)
    return Introspective(critic(**arguments or {}), recipe=recipe, seed=seed)


# ---- the network


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (16, 3), (32, 3), (64, 1)])
def test_one_number_a_picture_and_class_logits(size, channels):
    f = critic(size=size, channels=channels, classes=3)
    x = torch.rand(5, channels, size, size)
    scores, logits = f.judge(x)
    assert scores.shape == (5,) and logits.shape == (5, 3)
    assert torch.equal(scores, f(x)) and torch.equal(logits, f.classify(x))


def test_no_picture_sees_another():
    f, x = critic(), torch.rand(6, 1, 8, 8)
    assert torch.allclose(f(x)[2:3], f(x[2:3]), atol=1e-6)
    assert torch.allclose(f.train()(x), f.eval()(x))


def test_what_the_network_refuses():
    with pytest.raises(UsageError, match="resize"):
        Critic(size=28)
    with pytest.raises(UsageError, match="knows no classes"):
        critic().classify(torch.rand(1, 1, 8, 8))


# ---- starts, thresholds, one visit


def test_random_network_noise_fills_the_box_and_is_smoother_than_white():
    soft, white = (
        random_network(6, (3, 32, 32), generator=rng()),
        uniform_noise(6, (3, 32, 32), generator=rng()),
    )
    assert soft.shape == white.shape
    assert torch.allclose(soft.amin((1, 2, 3)), -torch.ones(6), atol=1e-5)
    assert torch.allclose(soft.amax((1, 2, 3)), torch.ones(6), atol=1e-5)

    def roughness(x):
        return (x[..., 1:] - x[..., :-1]).square().mean() / x.var()

    assert roughness(soft) < 0.5 * roughness(white)
    assert torch.equal(soft, random_network(6, (3, 32, 32), generator=rng()))
    assert not torch.allclose(soft[0], soft[1])


@pytest.mark.parametrize("shape", [(3, 28, 28), (3, 32, 16), (1, 4, 4)])
def test_random_network_noise_refuses_other_shapes(shape):
    with pytest.raises(UsageError, match="8, 16, 32"):
        random_network(1, shape)


def test_thresholds_come_from_the_positives():
    positives = torch.tensor([-1.0, 0.0, 5.0])
    drawn = thresholds(positives, 400, "drawn", generator=rng())
    assert {float(t) for t in drawn} == {-1.0, 0.0, 5.0}
    uniform = thresholds(positives, 400, "uniform", generator=rng())
    assert -1 <= uniform.min() < 0 and 4 < uniform.max() <= 5
    assert thresholds(positives, 3, "boundary").tolist() == [0, 0, 0]
    with pytest.raises(UsageError, match="there are none"):
        thresholds(torch.zeros(0), 3, "drawn")
    with pytest.raises(UsageError, match="unknown threshold rule"):
        thresholds(positives, 3, "median")


def test_a_visit_ends_at_each_pictures_own_threshold_and_leaves_the_weights_alone():
    f = critic()
    before = {name: value.clone() for name, value in f.state_dict().items()}
    x = random_network(16, (1, 8, 8), generator=rng())
    with torch.no_grad():
        goal = f(x) + 0.02
    made = synthesise(f, x, goal[:1].expand(16), Sampler(steps=50, lr=0.02), generator=rng())
    assert made.done.all() and (made.scores >= goal[0]).all()
    assert len(set(made.steps.tolist())) > 1  # each in its own time
    assert all(torch.equal(value, before[name]) for name, value in f.state_dict().items())
    assert all(p.grad is None for p in f.parameters())


@pytest.mark.parametrize(
    "changed",
    [
        dict(steps=0),
        dict(visits=0),
        dict(lr=0.0),
        dict(last_lr=-1),
        dict(until="median"),
        dict(start="grey"),
        dict(rule="momentum"),
    ],
)
def test_samplers_that_make_no_sense_are_refused(changed):
    with pytest.raises(UsageError):
        Sampler(**changed)


# ---- the growing pool


def test_the_reservoir_is_a_fair_sample_of_all_that_was_added():
    counts = torch.zeros(40)
    for seed in range(300):
        held = Reservoir(10, (1,))
        held.add(torch.arange(40.0)[:, None], rng(seed))
        counts[held.pictures[:, 0].long()] += 1
    assert counts.sum() == 3000  # 75 each, standard deviation 7.5
    assert counts.min() > 45 and counts.max() < 105
    assert counts[:20].sum() / 3000 == pytest.approx(0.5, abs=0.04)


def test_the_reservoir_draws_only_what_was_added():
    held = Reservoir(10, (1,))
    held.add(torch.full((3, 1), 7.0), rng())
    assert len(held) == 3 and (held.draw(50, rng()) == 7).all()


# ---- the trainer


@pytest.mark.parametrize("objective", ["logistic", "wasserstein"])
def test_it_learns_where_the_squares_are(objective):
    t = trainer(objective=objective, fresh=0.02)
    fit(t, batches, steps=300, device="cpu", show=False)
    middle = t.pool[:, 0, 2:6].mean()
    edges = torch.cat([t.pool[:, 0, :1], t.pool[:, 0, 7:]], 1).mean()
    assert middle > edges + 0.2
    made, real = t.pool, batches(999)["images"].float() / 127.5 - 1
    with torch.no_grad():
        noise = random_network(64, (1, 8, 8), generator=rng(9))
        assert t.critic(real).mean() > t.critic(noise).mean()
        assert t.critic(made).mean() > t.critic(noise).mean()


def test_resume_goes_on_bit_for_bit(tmp_path):
    whole = trainer(past=0.5, remembered=64)
    fit(whole, batches, steps=12, device="cpu", show=False)
    first = trainer(past=0.5, remembered=64)

    def stops(step):
        if step == 7:
            raise KeyboardInterrupt
        return batches(step)

    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        fit(first, stops, steps=12, device="cpu", show=False, out=out, save_every_s=0)
    again = trainer(seed=5, past=0.5, remembered=64)
    fit(again, batches, steps=12, device="cpu", show=False, out=out, resume=True)
    assert torch.equal(whole.pool, again.pool) and whole.steps == again.steps == 12
    for one, other in ((whole.critic, again.critic), (whole.average, again.average)):
        assert all(
            torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)
        )


@pytest.mark.parametrize("gamma", [0.0, 3.0])
def test_the_running_average_weighs_step_t_by_its_power(gamma):
    t = trainer(average=gamma)
    biases, step = [], t.step

    def watched(batch):
        losses = step(batch)
        biases.append(t.critic.body[0].bias[:1].detach().clone())
        return losses

    t.step = watched
    fit(t, batches, steps=9, device="cpu", show=False)
    biases = torch.cat(biases)
    steps = torch.arange(1, 10, dtype=torch.float64)
    # The weight of t is the product of what all later steps keep: (t^g' - (t - 1)^g') / 9^g'.
    weight = (steps ** (gamma + 1) - (steps - 1) ** (gamma + 1)) / 9 ** (gamma + 1)
    expected = (weight * biases.double()).sum()
    assert abs(float(t.average.body[0].bias[0]) - float(expected)) < 1e-6
    assert biases.std() > 1e-5


def test_classes_are_learned_beside():
    t = trainer(arguments={"classes": 2})
    fit(t, lambda step: batches(step, labels=True), steps=60, device="cpu", show=False)
    last = batches(500, labels=True)
    found = t.critic.classify(last["images"].float() / 127.5 - 1).argmax(1)
    assert torch.equal(found, last["labels"])


@pytest.mark.parametrize(
    "changed",
    [
        dict(objective="hinge"),
        dict(fresh=1.5),
        dict(past=1.0),
        dict(decay=-0.1),
        dict(pool=0),
        dict(lr=0.0),
        dict(average=-1.0),
    ],
)
def test_recipes_that_make_no_sense_are_refused(changed):
    with pytest.raises(UsageError):
        Recipe(**changed)
