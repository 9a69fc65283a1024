"""Products of concepts: AND, OR and NOT of phrases, on their energies and in a system."""

import pytest
import torch
from test_introspective_text import pictures, system

from t2ilab.errors import CaptionError, UsageError
from t2ilab.inputs.concepts import And, Not, Or, Phrase
from t2ilab.systems.introspective_text import IntrospectiveText

RED, BLUE, BRANCH = "a red bird", "a bird with blue wings", "a bird on a branch"


def energies(requires_grad=False):
    rng = torch.Generator().manual_seed(0)
    return {
        t: torch.randn(4, generator=rng, requires_grad=requires_grad) for t in (RED, BLUE, BRANCH)
    }


def test_and_is_the_sum():
    of = energies()
    assert torch.allclose(And(RED, BLUE).energy(of), of[RED] + of[BLUE])
    assert torch.allclose(And(Phrase(RED, 2.0), BLUE).energy(of), 2 * of[RED] + of[BLUE])


def test_or_is_never_below_the_largest_and_equals_it_where_one_is_far_ahead():
    of = energies()
    both, largest = Or(RED, BLUE).energy(of), torch.maximum(of[RED], of[BLUE])
    assert (both >= largest).all()
    far = {RED: torch.tensor([50.0]), BLUE: torch.tensor([0.0])}
    assert Or(RED, BLUE).energy(far).item() == pytest.approx(50.0)


def test_not_turns_the_gradient_round():
    of = energies(requires_grad=True)
    (plain,) = torch.autograd.grad(Phrase(RED).energy(of).sum(), of[RED])
    (turned,) = torch.autograd.grad(Not(RED, 0.5).energy(of).sum(), of[RED])
    assert torch.equal(turned, -0.5 * plain)


def test_words_and_phrases():
    wanted = And(RED, Or(BLUE, BRANCH), Not(BRANCH, 2.0))
    assert wanted.phrases() == [RED, BLUE, BRANCH]
    assert wanted.words() == f"{RED} AND ({BLUE} OR {BRANCH}) AND NOT {BRANCH}"


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="no picture is both"):
        And(RED, Not(RED))
    with pytest.raises(UsageError, match="no picture is both"):
        And(RED, BLUE, Not(Phrase(RED, 0.5), 0.1))
    And(RED, Not(BLUE))
    for weight in (0, -1.0, float("inf"), float("nan"), 1000.0):
        with pytest.raises(UsageError, match="weight"):
            Phrase(RED, weight)
        with pytest.raises(UsageError, match="weight"):
            Not(RED, weight)
    with pytest.raises(UsageError, match="of nothing"):
        And()


def test_the_energy_of_a_system_is_f0_and_the_phrases_weighed_by_gamma(monkeypatch):
    monkeypatch.setattr(IntrospectiveText, "mixed", False)  # else it is true to three digits
    one, x = system(gamma=5.0), pictures()
    f, theta = one.critic.parts(x)
    red, blue = (5.0 * theta @ one.psi([text])[0] for text in (RED, BLUE))
    assert torch.allclose(one.energy(And(RED, BLUE))(x), f + red + blue, atol=1e-4)
    assert torch.allclose(one.energy(Not(RED))(x), f - red, atol=1e-4)
    same = one.score(x, one.psi([RED]).expand(4, -1))
    assert torch.allclose(one.energy(Phrase(RED))(x), same, atol=1e-4)


def test_a_picture_at_hand_is_changed_until_it_fits_better():
    one, x = system(), pictures(3)
    made = one.compose(And(RED, Not(BRANCH)), start=x, steps=5, frames=6)
    assert made.pictures.shape == x.shape and len(made.frames) == 6
    f = one.energy(And(RED, Not(BRANCH)))
    assert f(made.pictures).mean() > f(x).mean()
    assert torch.equal(made.frames[0][1], x)


def test_what_composing_refuses():
    one = system()
    with pytest.raises(UsageError, match="Resize"):
        one.compose(RED, start=torch.zeros(1, 3, 16, 16))
    with pytest.raises(UsageError, match="Resize"):
        one.compose(RED, start=torch.zeros(3, 32, 32))
    with pytest.raises(CaptionError):
        one.compose(And(RED, "xyzzy plugh"), 1)
    with pytest.raises(UsageError, match="1 to 1024"):
        one.compose(RED, 0)
