"""The ascent engine: known maxima, frozen pictures, untouched weights, and what it refuses."""

import pytest
import torch
from torch import nn

from t2ilab.errors import UsageError
from t2ilab.inputs.ascent import ascend
from t2ilab.inputs.constraints import Box, LInfBall
from t2ilab.inputs.lbfgs import LBFGS
from t2ilab.inputs.optimisers import Adam, GradientAscent, SignAscent
from t2ilab.inputs.priors import blur, jitter, l2, total_variation

WIDE = Box(-100, 100)


def pictures(n=4, *, seed=0, side=6):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, side, side, generator=generator) * 2 - 1


def towards(goal):
    """The score whose only maximum is `goal`."""
    return lambda x: -(x - goal).square().flatten(1).sum(1)


def critic(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.SiLU(),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(8 * 4 * 4, 1),
        nn.Flatten(0),
    ).eval()


RULES = pytest.mark.parametrize(
    ("optimiser", "steps"), [(GradientAscent(0.1), 60), (Adam(0.05), 200), (LBFGS(), 8)], ids=str
)


@RULES
def test_a_paraboloid_is_climbed_to_its_top(optimiser, steps):
    goal = pictures(1, seed=1) / 2
    found = ascend(pictures(), towards(goal), steps=steps, optimiser=optimiser)
    assert torch.allclose(found.pictures, goal.expand(4, -1, -1, -1), atol=1e-2)
    assert (found.scores > found.history[0]).all()


@RULES
def test_a_top_outside_the_box_is_approached_up_to_the_box(optimiser, steps):
    goal = pictures(1, seed=1) * 3
    found = ascend(pictures(), towards(goal), steps=steps, optimiser=optimiser)
    assert found.pictures.abs().max() <= 1
    assert torch.allclose(found.pictures, goal.clamp(-1, 1).expand(4, -1, -1, -1), atol=1e-2)


def test_pictures_whose_channels_lie_last_are_climbed_as_well():
    last = pictures().permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    goal = pictures(1, seed=1) / 2
    for rule in (LBFGS(), Adam(0.05)):
        plain, other = (
            ascend(x, towards(goal), steps=5, optimiser=rule).pictures for x in (pictures(), last)
        )
        assert torch.allclose(plain, other, atol=1e-5)


def test_one_step_of_each_rule_on_a_linear_score():
    w, x = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(2)), pictures() / 2

    def linear(x):
        return (w * x).flatten(1).sum(1)

    def after(optimiser):
        return ascend(x, linear, steps=1, optimiser=optimiser, constraint=WIDE).pictures

    assert torch.allclose(after(GradientAscent(0.1)), x + 0.1 * w)
    assert torch.allclose(after(GradientAscent(0.1, norm="l2")), x + 0.1 * w / w.norm())
    assert torch.allclose(after(GradientAscent(0.1, norm="mean")), x + 0.1 * w / w.abs().mean())
    assert torch.equal(after(SignAscent(0.1)), x + 0.1 * w.sign())
    assert torch.allclose(after(Adam(0.1)), x + 0.1 * w.sign(), atol=1e-5)


def test_adam_gives_the_numbers_of_torch():
    x, net = pictures(), critic()
    theirs = x.clone().requires_grad_()
    rule = torch.optim.Adam([theirs], 0.03, (0.5, 0.9))
    for _ in range(7):
        rule.zero_grad()
        (-net(theirs).sum()).backward()
        rule.step()
        theirs.data.clamp_(-1, 1)
    ours = ascend(x, net, steps=7, optimiser=Adam(0.03, betas=(0.5, 0.9)))
    assert torch.allclose(ours.pictures, theirs, atol=1e-5)


def test_lbfgs_needs_far_fewer_steps_than_gradient_ascent_in_a_narrow_valley():
    scale = torch.logspace(0, 3, 3 * 6 * 6).view(3, 6, 6)

    def valley(x):
        return -(scale * x.square()).flatten(1).sum(1)

    quick = ascend(pictures(2), valley, steps=60, optimiser=LBFGS(), until=-0.2)
    slow = ascend(pictures(), valley, steps=60, optimiser=GradientAscent(5e-4), until=-0.2)
    assert quick.done.all() and not slow.done.any()
    assert quick.evaluations > quick.steps.sum()  # the searches along the lines are counted


@pytest.mark.parametrize("optimiser", [GradientAscent(0.05), Adam(0.02), LBFGS()], ids=str)
def test_a_picture_that_is_done_is_frozen_and_no_longer_computed(optimiser):
    net, x = critic(), pictures(5)
    free = ascend(x, net, steps=12, optimiser=optimiser)
    until = free.history[torch.tensor([0, 2, 4, 12, 12]), torch.arange(5)].clone()
    until[4] = torch.inf
    seen = []

    def score(x):
        seen.append(len(x))
        return net(x)

    found = ascend(x, score, steps=12, optimiser=optimiser, until=until - 1e-4)
    assert found.steps[0] == 0 and torch.equal(found.pictures[0], x[0])
    assert found.done.tolist() == [True, True, True, True, False]
    assert (found.steps[1:3] <= torch.tensor([2, 4])).all() and found.steps[4] == 12
    assert (found.scores >= until - 1e-4)[:4].all()
    assert sum(seen) == found.evaluations < 5 * 13 or isinstance(optimiser, LBFGS)
    assert seen[1] < 5  # already at the second look the first picture is missing
    again = net(found.pictures).detach()
    assert torch.allclose(found.scores, again, atol=1e-5)
    assert torch.allclose(found.history[-1], again, atol=1e-5)


def test_every_picture_climbs_as_if_it_were_alone():
    net, x = critic(), pictures(5)
    until = torch.tensor([0.1, 0.2, 0.3, 9.0, 0.05])
    together = ascend(x, net, steps=8, until=until)
    in_parts = ascend(x, net, steps=8, until=until, batch=2)
    assert torch.allclose(together.pictures, in_parts.pictures, atol=1e-5)
    for i in range(5):
        alone = ascend(x[i : i + 1], net, steps=8, until=until[i : i + 1])
        assert torch.allclose(together.pictures[i], alone.pictures[0], atol=1e-4)
        assert together.steps[i] == alone.steps[0]


def test_what_is_given_follows_its_picture():
    goals, x = pictures(4, seed=3), pictures(4)

    def score(x, goals):
        return -(x - goals).square().flatten(1).sum(1)

    until = torch.tensor([-1e9, -1.0, -1e-4, -10.0])
    found = ascend(x, score, given=[goals], until=until, steps=60, optimiser=GradientAscent(0.2))
    assert found.done.all() and len(found.steps.unique()) == 4
    assert torch.allclose(found.pictures[2], goals[2], atol=0.02)
    assert torch.equal(found.pictures[0], x[0])


@pytest.mark.parametrize("optimiser", [SignAscent(0.01), Adam(0.02), LBFGS()], ids=str)
def test_weights_are_left_alone_and_collect_no_gradient(optimiser):
    net, x = critic(), pictures()
    before, start = {k: v.clone() for k, v in net.state_dict().items()}, x.clone()
    kept = torch.ones(1)
    net[5].bias.grad = kept  # from an update of the weights that is under way
    ascend(x, net, steps=3, optimiser=optimiser)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters() if p is not net[5].bias)
    assert net[5].bias.grad is kept and kept == 1
    assert all(p.requires_grad for p in net.parameters())
    assert torch.equal(x, start) and not x.requires_grad


def test_it_climbs_where_gradients_are_switched_off():
    net = critic()
    with torch.inference_mode():
        found = ascend(pictures(), net, steps=3)
    assert (found.scores > found.history[0]).all()
    assert not found.pictures.is_inference() and not found.pictures.requires_grad


def test_frames_hold_the_start_and_the_end_and_what_lies_between():
    net, x = critic(), pictures()
    found = ascend(x, net, steps=10, frames=5)
    steps, moments = zip(*found.frames, strict=True)
    assert steps == (0, 2, 5, 8, 10)
    assert torch.equal(moments[0], x) and torch.equal(moments[-1], found.pictures)
    early = ascend(x, net, steps=10, frames=2, until=-100.0)
    assert [step for step, _ in early.frames] == [0] and early.history.shape == (1, 4)
    late = ascend(x, net, steps=10, frames=2, until=found.history[3] - 1e-4)
    assert [step for step, _ in late.frames] == [0, int(late.steps.max())]
    assert ascend(x, net, steps=2).frames == []


def test_a_penalty_is_weighed_against_the_score_and_unseen_by_the_threshold():
    goal = torch.full((3, 6, 6), 0.8)
    found = ascend(
        pictures(),
        towards(goal),
        steps=100,
        optimiser=GradientAscent(0.1),
        penalty=lambda x: 3 * l2(x),
    )  # the top of -(x - .8)² - 3 x² is at .8 / 4
    assert torch.allclose(found.pictures, torch.full_like(found.pictures, 0.2), atol=1e-4)
    assert torch.allclose(found.scores, torch.full((4,), -108 * 0.6**2), rtol=1e-3)


def test_total_variation_makes_pictures_smoother():
    goal = pictures(1, seed=5)
    rough = ascend(pictures(), towards(goal), steps=50)
    smooth = ascend(
        pictures(), towards(goal), steps=50, penalty=lambda x: 0.3 * total_variation(x, beta=2)
    )
    assert (total_variation(smooth.pictures) < 0.8 * total_variation(rough.pictures)).all()


def test_the_score_sees_the_view_and_the_blur_comes_after_the_step():
    seen, x = [], pictures(1)
    w = torch.randn(3, 6, 6)

    def linear(x):
        seen.append(x.detach().clone())
        return (w * x).flatten(1).sum(1)

    ascend(x, linear, steps=2, view=lambda x: x.flip(3), optimiser=GradientAscent(1e-3))
    assert torch.equal(seen[0], x.flip(3)) and seen[-1].shape == x.shape
    calls = []
    ascend(x, linear, steps=3, smooth=lambda x, step: calls.append(step) or x)
    assert calls == [1, 2, 3]
    blurred = ascend(x, lambda x: 0 * linear(x), steps=1, smooth=blur(2.0)).pictures
    assert blurred.std() < 0.7 * x.std()
    assert ascend(x, linear, steps=2, view=jitter(3)).pictures.shape == x.shape


def test_a_network_in_training_mode_is_refused_before_it_learns():
    net = critic()
    net[1].train()  # a single batch norm, deep inside
    before = net[1].running_mean.clone()
    with pytest.raises(UsageError, match=r"training mode.*BatchNorm2d.*eval\(\)"):
        ascend(pictures(), net, steps=1)
    assert torch.equal(net[1].running_mean, before)
    with pytest.raises(UsageError, match="training mode"):
        ascend(pictures(), lambda x: net.train()(x), steps=1)
    loss = nn.MSELoss(reduction="none")  # a module in training mode, but no network
    ascend(pictures(), lambda x: -loss(x, x * 0).flatten(1).sum(1), steps=1)


@pytest.mark.parametrize(
    "score",
    [
        lambda x: x.mean(),
        lambda x: x.flatten(1).sum(1, keepdim=True),
        lambda x: x.flatten(1),
        lambda x: [1.0] * len(x),
        lambda x: (x > 0).flatten(1).sum(1),
        lambda x: x.flatten(1).sum(0),
    ],
)
def test_a_score_that_is_not_one_number_a_picture_is_refused(score):
    with pytest.raises(UsageError, match=r"score must be one number a picture.*\[4\]"):
        ascend(pictures(), score, steps=1)


def test_a_single_picture_needs_a_score_of_shape_one():
    with pytest.raises(UsageError, match=r"one number a picture.*got torch.float32 \[\]"):
        ascend(pictures(1), lambda x: x.sum(), steps=1)


def test_scores_without_a_gradient_and_numbers_that_are_none_are_refused():
    with pytest.raises(UsageError, match="does not depend on the pictures"):
        ascend(pictures(), lambda x: x.detach().flatten(1).sum(1), steps=1)
    with pytest.raises(UsageError, match="score of 4 of 4 pictures is not finite"):
        ascend(pictures(), lambda x: x.flatten(1).sum(1) / 0, steps=1)
    with pytest.raises(UsageError, match="gradient of 4 of 4 pictures is not finite"):
        ascend(pictures() * 0, lambda x: x.abs().sqrt().flatten(1).sum(1), steps=1)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (
            torch.full((2, 3, 4, 4), 1.001),
            r"picture 0 reaches from 1.001.*outside the box \[-1, 1\]",
        ),
        (torch.full((2, 3, 4, 4), torch.nan), "outside the box"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), "uint8: a float32.*to_float"),
        (torch.zeros(0, 3, 4, 4), "at least one picture"),
        (torch.zeros(4), "batch dimension"),
        ([0.0], "start is list"),
    ],
)
def test_a_bad_start_is_refused_in_words(start, message):
    with pytest.raises(UsageError, match=message):
        ascend(start, lambda x: x.flatten(1).sum(1), steps=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "0 steps"),
        ({"batch": 0}, "batches of 0"),
        ({"frames": 1}, "1 frames"),
        ({"until": torch.zeros(3)}, r"each of the 4 pictures; got shape \[3\]"),
        ({"until": torch.nan}, "some of them no number"),
        ({"given": [torch.zeros(3)]}, r"each of the 4 pictures, got \[3\]"),
        ({"given": [7]}, "got int"),
        ({"penalty": lambda x: x.sum()}, "penalty must be one number a picture"),
    ],
)
def test_wrong_settings_are_refused_in_words(wrong, message):
    with pytest.raises(UsageError, match=message):
        ascend(pictures(), lambda x, *_: x.flatten(1).sum(1), **{"steps": 1, **wrong})


@pytest.mark.parametrize("rule", [GradientAscent, SignAscent, Adam, LBFGS])
def test_a_step_size_must_be_above_zero(rule):
    for lr in (0.0, -1.0, torch.inf, torch.nan):
        with pytest.raises(UsageError, match="step size"):
            rule(lr)


def test_wrong_settings_of_optimisers_are_refused():
    with pytest.raises(UsageError, match="did you mean 'mean'"):
        GradientAscent(norm="meen")
    with pytest.raises(UsageError, match="history of 0"):
        LBFGS(history=0)


def test_a_ball_of_other_pictures_and_a_start_outside_it_are_refused():
    x = pictures() / 2
    with pytest.raises(UsageError, match="must be alike"):
        ascend(x[:2], critic(), steps=1, constraint=LInfBall(x, epsilon=0.1))
    with pytest.raises(UsageError, match="picture 0 of the start lies outside the ball"):
        ascend(x + 0.3, critic(), steps=1, constraint=LInfBall(x, epsilon=0.1))
