"""Tu 2007 on spaces that are small enough: the proof, the exact classifier, the weak ones."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from t2ilab.errors import UsageError
from t2ilab.exact import spaces, tu
from t2ilab.exact.divergences import kl, total_variation
from t2ilab.exact.small_classifiers import bayes, boosted, cross_entropy, logistic
from t2ilab.models import features

SMALL = spaces.line(4)
DATA = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
KNOWN = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
LOGITS = st.lists(st.floats(-6, 6), min_size=4, max_size=4)

# name -> density, classifier, rounds: what the course claims ends below 0.01 nats
WEAK = {
    "logistic regression, hills": (
        "hills",
        partial(logistic, features=features.bumps(20), ridge=1e-3),
        6,
    ),
    "logistic regression, ring": (
        "ring",
        partial(logistic, ridge=1e-4, features=features.bumps(9, dimensions=2)),
        6,
    ),
    "logistic regression, pictures": (
        "bars and stripes",
        partial(logistic, features=features.products(4), ridge=1e-2),
        4,
    ),
    "stumps, hills": ("hills", partial(boosted, features=features.coordinates, stumps=12), 12),
    "stumps, diagonal": (
        "diagonal",
        partial(boosted, stumps=12, features=features.bumps(7, dimensions=2)),
        10,
    ),
}


def random_pair(seed: int, n: int = 4):
    weights = torch.rand(2, n, generator=torch.Generator().manual_seed(seed)).double() + 1e-3
    return weights / weights.sum(1, keepdim=True)


# --------------------------------------------------------------------------------- divergences


def test_divergences_against_numbers_worked_out_by_hand():
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.25, 0.5])
    assert float(kl(p, q)) == pytest.approx(math.log(2))
    assert float(kl(q, p)) == math.inf and float(kl(p, p)) == 0
    assert float(total_variation(p, q)) == pytest.approx(0.5)


# ------------------------------------------------------------------------------- update and fall


def test_one_update_is_equation_2_6():
    h = (DATA / KNOWN).log()
    p, log_z = tu.update(KNOWN, h)
    torch.testing.assert_close(p, DATA)
    assert float(log_z) == pytest.approx(0, abs=1e-12)
    shifted, log_z = tu.update(KNOWN, h + 7)  # other priors: a constant, which Z removes
    torch.testing.assert_close(shifted, DATA)
    assert float(log_z) == pytest.approx(7)


def test_a_state_of_probability_zero_stays_at_zero():
    p = torch.tensor([0.5, 0.5, 0.0, 0.0], dtype=torch.float64)
    assert (tu.update(p, torch.full((4,), 50.0, dtype=torch.float64))[0][2:] == 0).all()
    assert torch.isfinite(bayes(SMALL, DATA, p)(SMALL.states)).all()


@settings(deadline=None, max_examples=40)
@given(LOGITS, st.integers(0, 10**6), st.floats(0, 3))
def test_the_fall_is_the_difference_of_divergences_and_never_more_than_all(h, seed, alpha):
    p_data, p = random_pair(seed)
    h = torch.tensor(h, dtype=torch.float64)
    fell = tu.fall(p_data, p, h, alpha)
    after = kl(p_data, tu.update(p, h, alpha)[0])
    assert float(fell) == pytest.approx(float(kl(p_data, p) - after), abs=1e-9)
    assert float(fell) <= float(kl(p_data, p)) + 1e-9


@settings(deadline=None, max_examples=40)
@given(LOGITS, st.integers(0, 10**6))
def test_a_classifier_better_than_a_coin_lowers_the_divergence_for_some_power(h, seed):
    p_data, p = random_pair(seed)
    h = torch.tensor(h, dtype=torch.float64)
    alpha = tu.best_alpha(p_data, p, h)
    best = float(tu.fall(p_data, p, h, alpha))
    assert best >= -1e-9
    if float(cross_entropy(h, p_data, p)) < math.log(2) - 1e-6:
        assert best > 0
    for other in (0.0, 0.5 * alpha, 1.0, 2.0):
        assert best >= float(tu.fall(p_data, p, h, other)) - 1e-9


def test_the_thesis_inequality_needs_a_condition():
    h = bayes(SMALL, DATA, KNOWN)(SMALL.states)
    assert tu.fall(DATA, KNOWN, h) > 0 > tu.fall(DATA, KNOWN, -h)
    assert tu.fall(DATA, KNOWN, 4 * h) < 0 < tu.fall(DATA, KNOWN, h / 4)


# ---------------------------------------------------------------------------------- classifiers


@pytest.mark.parametrize("name", spaces.DENSITIES)
def test_the_exact_classifier_is_done_after_one_round(name):
    space, p_data = spaces.load(name)
    run = tu.rounds(space, p_data, bayes, 2)
    assert float(run.kl[0]) > 0.3
    assert run.kl[1:].abs().max() < 1e-12 and run.log_z.abs().max() < 1e-12
    torch.testing.assert_close(run.h[1], torch.zeros_like(run.h[1]))  # nothing left to say


def test_the_exact_classifier_says_ln_2_less_the_jensen_shannon_divergence():
    middle = (DATA + KNOWN) / 2
    js = (kl(DATA, middle) + kl(KNOWN, middle)) / 2
    said = cross_entropy(bayes(SMALL, DATA, KNOWN)(SMALL.states), DATA, KNOWN)
    assert float(said) == pytest.approx(math.log(2) - float(js))


@pytest.mark.parametrize("name", WEAK)
def test_weak_classifiers_fall_at_every_round_to_below_a_hundredth(name):
    density, fit, n = WEAK[name]
    space, p_data = spaces.load(density)
    run = tu.rounds(space, p_data, fit, n)
    assert (run.kl[1:] < run.kl[:-1]).all()
    assert run.kl[-1] < 1e-2
    falls = torch.stack([tu.fall(p_data, p, h) for p, h in zip(run.p, run.h, strict=False)])
    torch.testing.assert_close(falls, run.kl[:-1] - run.kl[1:])


def test_logistic_regression_is_that_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    seen = features.bumps(3)
    space, ridge = spaces.line(12), 0.01
    p_data, p = spaces.hills(space), space.uniform
    ours = logistic(space, p_data, p, features=seen, ridge=ridge)(space.states)
    rows = torch.cat([seen(space.states)] * 2).numpy()
    weights = torch.cat([p_data, p]).numpy() / 2
    theirs = LogisticRegression(C=1 / ridge, tol=1e-10, max_iter=10_000)
    theirs.fit(rows, [1] * 12 + [0] * 12, sample_weight=weights)
    torch.testing.assert_close(
        ours, torch.from_numpy(theirs.decision_function(rows[:12])), atol=1e-4, rtol=1e-4
    )


def test_without_a_ridge_logistic_regression_agrees_on_every_feature_in_the_end():
    space, p_data = spaces.load("hills")
    seen = features.bumps(5)
    run = tu.rounds(space, p_data, partial(logistic, features=seen, ridge=0.0), 12)
    means = torch.stack([p_data, run.p[-1]]) @ seen(space.states)
    torch.testing.assert_close(means[0], means[1], atol=1e-5, rtol=0)


def test_each_stump_is_the_best_single_question():
    """Two states on each side of the middle: the first stump must cut there."""
    p_data = torch.tensor([0.05, 0.05, 0.45, 0.45], dtype=torch.float64)
    (stump,) = boosted(SMALL, p_data, SMALL.uniform, features=features.coordinates, stumps=1).stumps
    assert stump.threshold == pytest.approx(0) and stump.low < 0 < stump.high
    losses = [
        float(
            cross_entropy(
                boosted(SMALL, DATA, KNOWN, features=features.coordinates, stumps=k)(SMALL.states),
                DATA,
                KNOWN,
            )
        )
        for k in (1, 2, 4, 16)
    ]
    assert losses == sorted(losses, reverse=True) and losses[0] < math.log(2)


def test_stumps_on_axes_end_at_the_mutual_information():
    space, p_data = spaces.load("diagonal")
    table = p_data.reshape(space.shape)
    margins = (table.sum(1)[:, None] * table.sum(0)).flatten()
    fit = partial(boosted, features=features.coordinates, stumps=24)
    run = tu.rounds(space, p_data, fit, 6)
    information = float(kl(p_data, margins))
    assert information < float(run.kl[-1]) < 1.05 * information


def test_single_pixels_teach_nothing_and_triples_no_more_than_pairs():
    space, p_data = spaces.load("bars and stripes")
    ends = [
        tu.rounds(space, p_data, partial(logistic, features=features.products(k), ridge=1e-2), 2)
        for k in (1, 2, 3)
    ]
    torch.testing.assert_close(ends[0].kl[-1], ends[0].kl[0])
    torch.testing.assert_close(ends[1].kl, ends[2].kl)
    assert ends[1].kl[-1] < 0.1


# -------------------------------------------------------------------------------- imperfect ones


@pytest.mark.parametrize(("alpha", "runs_off"), [(0.5, False), (1.7, False), (2.2, True)])
def test_a_wrong_sureness_is_a_wrong_learning_rate(alpha, runs_off):
    run = tu.rounds(SMALL, DATA, bayes, 8, p0=KNOWN, alpha=alpha)
    ratio = (run.p / DATA).log()
    ratio = ratio - ratio.mean(1, keepdim=True)  # log p_t / p_data, up to a constant
    torch.testing.assert_close(ratio[1:], (1 - alpha) * ratio[:-1])
    assert (run.kl[-1] > run.kl[0]) == runs_off


def test_samples_are_a_worse_teacher_and_memory_is_for_ever():
    space, p_data = spaces.load("hills")
    learner = partial(logistic, features=features.bumps(20), ridge=1e-3)
    few, many = (
        tu.rounds(space, p_data, tu.from_samples(learner, n), 3).kl[-1] for n in (50, 50_000)
    )
    assert few > 3 * many
    shares = tu.sampled(p_data, 60, torch.Generator().manual_seed(0))
    memory = tu.rounds(space, shares, bayes, 1).p[-1]
    torch.testing.assert_close(memory, shares)
    assert float(kl(p_data, memory)) == math.inf
    again = tu.rounds(space, p_data, learner, 2, p0=memory)
    assert (again.p[-1] == 0).sum() == (memory == 0).sum() > 0


def test_sampled_rounds_repeat_with_their_seed():
    learner = partial(logistic, features=features.bumps(4), ridge=1e-2)
    one, other = (tu.rounds(SMALL, DATA, tu.from_samples(learner, 30, seed=2), 3) for _ in "ab")
    assert torch.equal(one.p, other.p)


# --------------------------------------------------------------------------------- spaces, errors


@pytest.mark.parametrize("name", spaces.DENSITIES)
def test_densities_sum_to_one_and_states_are_found_again(name):
    space, p_data = spaces.load(name)
    assert float(p_data.sum()) == pytest.approx(1, abs=1e-12) and (p_data > 0).all()
    assert math.prod(space.shape) == len(space) == len(space.states)
    assert torch.equal(space.index(space.states), torch.arange(len(space)))


def test_bars_and_stripes_are_the_fourteen_likeliest_pictures():
    space, p_data = spaces.load("bars and stripes")
    likely = space.states[p_data.argsort(descending=True)[:14]].reshape(-1, 3, 3)
    across = (likely == likely[:, :, :1]).all(2).all(1)
    down = (likely == likely[:, :1]).all(2).all(1)
    assert (across | down).all() and (across & down).sum() == 2


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: spaces.load("spiralle"), "did you mean 'spiral'"),
        (lambda: spaces.line(1), "at least 2"),
        (lambda: features.bumps(1), "at least 2"),
        (lambda: features.products(10), "give 1 to 9"),
        (
            lambda: logistic(SMALL, DATA, KNOWN, features=features.coordinates, ridge=-1),
            "0 or more",
        ),
        (lambda: boosted(SMALL, DATA, KNOWN, features=features.coordinates, stumps=0), "0 stumps"),
        (lambda: tu.rounds(SMALL, DATA, bayes, -1), "-1 rounds"),
        (lambda: tu.rounds(SMALL, DATA, bayes, 1, alpha=math.nan), "alpha nan"),
        (lambda: tu.rounds(SMALL, DATA * 2, bayes, 1), "p_data: expected 4 probabilities"),
        (lambda: tu.rounds(SMALL, DATA, bayes, 1, p0=torch.ones(4).double() / 3), "p0: expected 4"),
        (lambda: tu.from_samples(bayes, 0), "0 samples"),
    ],
)
def test_what_cannot_be_done_is_said(call, said):
    with pytest.raises(UsageError, match=said):
        call()
