"""The conditional game: on tables, with multilayer perceptrons, and what y does to G and to D."""

import pytest
import torch

from t2ilab.data.digits import load_digits
from t2ilab.exact import conditional
from t2ilab.fit import fit
from t2ilab.models.cgan import ConditionalDiscriminator, ConditionalGenerator
from t2ilab.recipes import cgan as recipe
from t2ilab.recipes.train import train
from t2ilab.systems.cgan import CGANSystem
from t2ilab.trainers.cgan import CGAN

OPTIONS = dict(device="cpu", precision="32-true", show=False, strips=0)
LOG4 = torch.tensor(4.0, dtype=torch.float64).log()


def tables(labels=3, states=6):
    rng = torch.Generator().manual_seed(0)
    p, q = torch.rand(2, labels, states, generator=rng, dtype=torch.float64).softmax(-1)
    p_y = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    return p_y, p, q


def test_the_best_d_that_is_shown_y_wants_each_label_right():
    p_y, p, q = tables()
    assert float(conditional.value_shown(p_y, p, p)) == pytest.approx(-float(LOG4))
    assert conditional.value_shown(p_y, p, q) > -LOG4 + 1e-4
    best = conditional.value_shown(p_y, p, q)
    D = (p / (p + q)).logit() + torch.randn(200, 3, 6, dtype=torch.float64)
    others = (torch.xlogy(p, D.sigmoid()) + torch.xlogy(q, 1 - D.sigmoid())).sum(-1) @ p_y
    assert (others < best).all()


def test_a_blind_d_is_content_with_the_right_pictures_of_the_wrong_labels():
    p_y, p = torch.full((3,), 1 / 3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
    wrong = p.roll(1, 0)
    assert float(conditional.value_blind(p_y, p, wrong)) == pytest.approx(-float(LOG4))
    assert float(conditional.value_shown(p_y, p, wrong)) == pytest.approx(0.0)
    assert float(conditional.obeys(p_y, p, p)) == 1 and float(conditional.obeys(p_y, p, wrong)) == 0
    mixed = (p_y @ p).expand(3, -1)
    assert float(conditional.value_blind(p_y, p, mixed)) == pytest.approx(-float(LOG4))
    assert float(conditional.obeys(p_y, p, mixed)) == pytest.approx(1 / 3)


def test_shown_is_never_below_blind():
    """Another word for it: the mixtures are nearer than the parts."""
    p_y, p, q = tables()
    assert conditional.value_shown(p_y, p, q) >= conditional.value_blind(p_y, p, q)


@pytest.mark.parametrize("told", [True, False])
def test_networks_hear_of_the_label_where_they_are_told(told):
    torch.manual_seed(0)
    G = ConditionalGenerator(shape=(1, 4, 4), labels=3, z=2, width=8, told=told)
    D = ConditionalDiscriminator(shape=(1, 4, 4), labels=3, width=8, told=told)
    z, y = torch.randn(5, 2), torch.tensor([0, 1, 2, 0, 1])
    x = G(z, y)
    assert x.shape == (5, 1, 4, 4) and x.abs().max() <= 1 and D(x, y).shape == (5,)
    other = y.roll(1)
    assert torch.equal(G(z, other), x) != told and torch.equal(D(x, other), D(x, y)) != told


def bars(step):
    """Label k: column k of 4 is white, on black."""
    rng = torch.Generator().manual_seed(step)
    y = torch.randint(4, (32,), generator=rng)
    images = torch.zeros(32, 1, 4, 4, dtype=torch.uint8)
    images[torch.arange(32), 0, :, y] = 255
    return {"images": images, "labels": y}


class Astray(torch.nn.Module):
    """A generator that never learns: right pictures of the wrong labels."""

    def __init__(self):
        super().__init__()
        self.z, self.labels, self.nothing = 1, 4, torch.nn.Parameter(torch.zeros(()))

    def forward(self, z, y):
        x = torch.full((len(y), 1, 4, 4), -1.0)
        x[torch.arange(len(y)), 0, :, (y + 1) % 4] = 1.0
        return x + 0 * self.nothing


@pytest.mark.parametrize("told", [True, False])
def test_only_a_d_that_is_told_minds_wrong_labels(told):
    """The value of the game on tables, in practice."""
    torch.manual_seed(0)
    D = ConditionalDiscriminator(shape=(1, 4, 4), labels=4, width=16, told=told)
    history = fit(CGAN(Astray(), D, lr_d=5e-3, r1_weight=0.0), bars, steps=80, **OPTIONS).history
    assert history.loss_d[0] == pytest.approx(2 * 0.693, abs=0.1)
    if told:
        assert history.loss_d.iloc[-1] < 0.4
    else:
        assert history.loss_d.iloc[-1] > 1.3


def test_g_is_told_by_ds_slope():
    """Where D likes column y alone, G's own step makes it draw that column."""
    torch.manual_seed(0)
    G = ConditionalGenerator(shape=(1, 4, 4), labels=4, z=2, width=32)

    class Judge(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.nothing = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x, y):
            columns = x[:, 0].mean(1)  # [b, 4]
            own = columns.gather(1, y[:, None])[:, 0]
            return 4 * own - columns.sum(1) + 0 * self.nothing

    trainer = CGAN(G, Judge(), lr=1e-2, r1_weight=0.0, average=0.5)
    fit(trainer, bars, steps=60, **OPTIONS)
    y = torch.arange(40) % 4
    made = trainer.sample(torch.randn(40, 2), y)
    assert (made[:, 0].mean(1).argmax(1) == y).float().mean() > 0.95


def test_the_first_loss_of_d_is_that_of_logits_of_zero():
    torch.manual_seed(0)
    D = ConditionalDiscriminator(shape=(1, 4, 4), labels=4, width=8)
    for parameter in D.last.parameters():
        parameter.data.zero_()
    trainer = CGAN(ConditionalGenerator(shape=(1, 4, 4), labels=4, width=8), D)
    assert fit(trainer, bars, steps=1, **OPTIONS).history.loss_d[0] == pytest.approx(1.386294)


def test_digits_are_read_by_their_neighbours():
    train_, test = load_digits("train", 8), load_digits("test", 8)
    known, x = (torch.from_numpy(d.images[..., 0]).float().flatten(1) for d in (train_, test))
    labels = torch.from_numpy(train_.classes)
    right = (recipe.read(x, known, labels) == torch.from_numpy(test.classes)).float().mean()
    assert right > 0.93 and torch.equal(recipe.read(known[:9], known, labels, k=1), labels[:9])


def test_the_recipe_trains_measures_and_saves(tmp_path):
    done = train("cgan", profile="smoke", told="G", out=tmp_path / "run", show=False)
    system = CGANSystem.load(done.path)
    measured = system.about["measured"]
    assert measured["read_real"] > 0.8 and 0 <= measured["read"] <= 1
    assert system.draw(12).shape == (12, 8, 8, 3) and system.size == 8
    assert system.network.told and system.about["more"]["told"] == "G"
    one, same = system.sample(torch.tensor([3, 4]), seed=5), system.sample(torch.tensor([3, 4]), 5)
    assert torch.equal(one, same)
