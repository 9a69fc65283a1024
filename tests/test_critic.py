"""Critics that learn alone, against the exact distance, and the explorer of plan and potential."""

import time

import numpy as np
import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.exact.transport import best_plan, penalised
from t2ilab.explore.transport import Critics, TransportExplorer, transport_image
from t2ilab.models.mlp_gan import MLPDiscriminator
from t2ilab.trainers.critic import INF, judged, train_critics

CLIPS, PENALTIES = torch.tensor([0.01, INF, INF]), torch.tensor([0.0, 10.0, 0.5])


def two_samples(copies=3, n=64, move=1.0):
    a, b = torch.randn(2, n, 1, generator=torch.Generator().manual_seed(0))
    return a, b + move, *(x[:, None].expand(-1, copies, -1) for x in (a, b + move))


def critics(copies=3, seed=0):
    torch.manual_seed(seed)
    return MLPDiscriminator(shape=(1,), width=16, depth=2, copies=copies, sharp=1.0)


@pytest.fixture(scope="module")
def trained():
    a, b, *both = two_samples()
    f = critics()
    found = train_critics(f, *both, clip=CLIPS, penalty=PENALTIES, steps=500, lr=5e-3)
    return f, best_plan(a, b).value, found


def test_a_critic_comes_near_the_linear_programme(trained):
    """Within 5 % with lambda 10; a clipped one only after it is divided by its mean slope."""
    f, w, found = trained
    assert float(found.value[1]) == pytest.approx(w, rel=0.05)
    assert float(found.value[0]) < 0.05 * w
    assert float(found.value[0] / found.mean_slope[0]) == pytest.approx(w, rel=0.05)
    assert (found.value / found.steepest <= 1.001 * w).all()  # no 1-Lipschitz f is worth more


def test_the_clipped_weights_lie_in_the_box_and_the_others_do_not(trained):
    f, *_ = trained
    assert all(float(p[0].detach().abs().max()) <= 0.01 for p in f.parameters())
    assert max(float(p[1].detach().abs().max()) for p in f.parameters()) > 0.5


def test_a_weak_penalty_gives_a_value_that_is_too_large(trained):
    f, w, found = trained
    assert float(found.value[2]) == pytest.approx(penalised(w, 0.5)[1], rel=0.15)
    assert float(found.value[2]) > 1.5 * w


def test_critics_side_by_side_do_not_touch_each_other():
    *_, real, fake = two_samples()
    one, other = critics(), critics()
    with torch.no_grad():
        for p in other.parameters():
            p[2] *= 1.5
    for f in (one, other):
        train_critics(f, real, fake, clip=CLIPS, penalty=PENALTIES, steps=5)
    every = list(zip(one.parameters(), other.parameters(), strict=True))
    for p, q in every[:-1]:  # the last bias has no gradient, and stays 0
        assert torch.allclose(p[:2], q[:2], atol=1e-6) and not torch.allclose(p[2], q[2])


def test_a_shifted_critic_says_the_same():
    *_, real, fake = two_samples()
    f = critics()
    before = judged(f, real, fake)
    with torch.no_grad():
        f.layers[-1].bias += 7
    after = judged(f, real, fake)
    for x, y in zip(before, after, strict=True):
        assert torch.allclose(x, y, atol=1e-5)


def test_one_sided_leaves_gentle_slopes_alone():
    """Where both samples are one, a flat critic costs nothing; two sides steepen it."""
    a, _, real, _ = two_samples(copies=2)
    f = critics(2)
    with torch.no_grad():
        f.layers[-1].weight *= 0.05
    start = judged(f, real, real).mean_slope
    given = dict(penalty=10.0, steps=60, lr=5e-3)
    gentle = train_critics(f, real, real, one_sided=True, **given).mean_slope
    assert torch.allclose(gentle, start, atol=1e-6)
    assert (train_critics(f, real, real, **given).mean_slope > 2 * start).all()


def test_what_is_refused():
    *_, real, fake = two_samples()
    with pytest.raises(UsageError, match="for 2 critics"):
        train_critics(critics(2), real, fake)


@pytest.fixture(scope="module")
def small():
    return Critics(points=12, steps=40, gaps=(0.0, 2.0), penalties=(1.0, 10.0), clips=(0.01, 0.3))


def test_the_explorer_moves_gap_lambda_and_clip(small):
    explorer = TransportExplorer(small)
    assert list(explorer.state) == ["gap", "held", "penalty", "clip"]
    first = explorer.picture()
    for change in ({"gap": 0.0}, {"held": "clip"}, {"penalty": 1.0}):
        assert explorer.picture(**change).tobytes() != first.tobytes()
    assert explorer.picture(clip=0.3).tobytes() == first.tobytes()  # not what holds it
    for held, other in (("clip", "penalty"), ("penalty", "clip")):
        explorer.controls["held"].value = held
        assert explorer.controls[other].disabled and not explorer.controls[held].disabled
        before = explorer.image.value
        explorer.controls[held].index = 1 - explorer.controls[held].index
        assert explorer.image.value != before
    sheet = explorer.contact_sheet([{"gap": 0.0}, {"gap": 2.0}])
    assert sheet.size[0] > 640


def test_it_draws_fast_and_in_its_colours(small):
    state = {"gap": 2.0, "held": "penalty", "penalty": 10.0, "clip": 0.01}
    transport_image(small, **state)
    began = time.process_time()
    picture = np.asarray(transport_image(small, **state)).astype(int)
    assert time.process_time() - began < 1  # a slow machine; some 0.05 s on a laptop
    r, g, b = picture[24:].transpose(2, 0, 1)
    where_blue, where_red = (np.argwhere(x > 80) for x in (b - r, r - b))
    assert where_blue[:, 1].mean() + 100 < where_red[:, 1].mean()  # made points lie to the right


def test_the_curves_fall_from_data_to_made_points(small):
    row = small.row(2.0, "penalty", 10.0)
    x = torch.tensor([-1.0, 3.0])
    left, right = small.at(row, x)
    assert float(left) > float(right)
    value = small.at(row, small.real).mean() - small.at(row, small.made(2.0)).mean()
    assert float(value) == pytest.approx(float(small.judged.value[row]), abs=1e-4)
    with pytest.raises(UsageError, match="no critic for a gap of 9"):
        small.row(9.0, "clip", 0.01)
    with pytest.raises(UsageError, match="held"):
        small.row(2.0, "hope", 0.01)
    with pytest.raises(UsageError, match="give 1 or more"):
        Critics(steps=0)
