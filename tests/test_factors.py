"""Pictures from factors: codes, what is told, the network and its mask, its loss, its system."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from t2ilab.data import paperworld, toys
from t2ilab.data.captioned import to_float
from t2ilab.data.factors import Factor, Factors, ToldBatches, of_toys, of_world
from t2ilab.errors import UsageError
from t2ilab.explore.factors import FactorExplorer, agreeing, agreeing_values, pair
from t2ilab.losses.factors import loss, squared_errors
from t2ilab.metrics.factors import nearest_right, psnr
from t2ilab.models.factors import Drawn, FactorNetwork, laid, unfold
from t2ilab.recipes import factors as recipe
from t2ilab.recipes.train import train
from t2ilab.systems.factors import FactorSystem

SOME = Factors(
    [
        Factor("colour", "choice", ("red", "green", "blue")),
        Factor("view", "angle"),
        Factor("x", "number"),
    ]
)


def test_a_vector_tells_each_factor_in_its_place():
    v = SOME.vector({"x": -0.5, "colour": "green", "view": np.pi / 2})
    assert torch.allclose(v, torch.tensor([0, 1, 0, 0, 1, -0.5]), atol=1e-6)
    assert SOME.widths == [3, 2, 1] and SOME.places("view") == slice(3, 5)
    again = Factors.of(SOME.plain())
    assert again.plain() == SOME.plain() and again.all == SOME.all
    assert SOME.but(["view"]).widths == [3, 1]
    full = {"x": 0.0, "colour": "red"}
    turn = SOME.vector(full | {"view": 0.0}) - SOME.vector(full | {"view": 2 * np.pi})
    assert turn.abs().max() < 1e-6  # continuous across 0 and 360 degrees


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"colour": "gren"}, "did you mean 'green'"),
        ({"x": 1.5}, "a number from -1 to 1"),
        ({"x": "far"}, "a number from -1 to 1"),
        ({"view": float("inf")}, "a finite angle, in radians"),
        ({"colors": "red"}, "did you mean 'colour'"),
    ],
)
def test_other_facts_are_refused(told, said):
    with pytest.raises(UsageError, match=said):
        SOME.vector({"colour": "red", "view": 0.0, "x": 0.0} | told)


def test_what_is_missing_is_named():
    with pytest.raises(UsageError, match="nothing is told of view, x"):
        SOME.vector({"colour": "red"})
    with pytest.raises(UsageError, match="at least one"):
        SOME.but(["colour", "view", "x"])
    with pytest.raises(UsageError, match="a choice has values"):
        Factor("colour", "choice")


@pytest.mark.parametrize("name", paperworld.WORLDS)
def test_a_world_is_told_so_that_it_can_be_drawn_again(name):
    world, told = paperworld.world(name), of_world(name, "test", 32, 6)
    for i in range(6):
        facts, place = world.facts("test", i), world.place("test", i)
        assert told.columns[world.moving[0]][i] == place[world.moving[0]]
        drawn = world.draw(facts, 32, seed=0, place=place).astype(float)
        other = world.draw(facts, 32, seed=0, place={k: -v for k, v in place.items()})
        true = told.pictures.images[i].astype(float)
        assert np.abs(drawn - true).mean() < np.abs(other - true).mean()
    assert (told.held == world.unseen[told.pictures.classes]).all() and 0 < told.held.sum() < 6
    vector = told.factors.vector(world.facts("test", 0) | world.place("test", 0))
    assert torch.allclose(told.codes()[0], vector)


def test_a_place_out_of_range_is_refused():
    world = paperworld.world("birds")
    facts = world.facts("test", 0)
    with pytest.raises(UsageError, match="a number from -1 to 1"):
        world.draw(facts, 32, place={"x": 2.0})
    with pytest.raises(UsageError, match="part of the place"):
        world.draw(facts, 32, place={"xx": 0.0})


@pytest.fixture(scope="module")
def both():
    return of_toys("train", 12, views=6), of_toys("test", 12, views=6)


def test_combinations_of_toys_are_held_out_and_nothing_else(both):
    train_set, test_set = both

    def combinations(told):
        rounded = (np.round(told.columns[name], 6) for name in ("toy", "view", "light"))
        return {*zip(*(one.tolist() for one in rounded), strict=True)}

    assert not train_set.held.any() and test_set.held.mean() == 0.5
    held = combinations(test_set.subset(test_set.held))
    assert not held & combinations(train_set)
    assert combinations(test_set.subset(~test_set.held)) <= combinations(train_set)
    for k in range(3):  # each toy, view and light alone is known
        assert {c[k] for c in held} <= {c[k] for c in combinations(train_set)}
    assert len(train_set) + len(held) == 5 * 6 * 8


def test_a_toy_cut_out_and_laid_on_its_ground_is_the_picture(both):
    told = both[0]
    masks = torch.from_numpy(told.masks)[:, None].float() / 255
    images = to_float(told.pictures.images)[:, :1]
    inside = masks == 1
    thing = torch.where(inside, images, torch.zeros(()))
    drawn = Drawn(thing, masks)
    whole = (masks == 1) | (masks == 0)
    # One grey value is 2/255: pictures and masks are bytes.
    assert ((laid(drawn, told.ground) - images).abs() * whole).max() < 2.1 / 255
    assert 0.05 < inside.float().mean() < 0.6


def test_unfolding_is_unpooling_and_a_convolution():
    layer = unfold(2, 3).double()
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64)
    pooled = torch.zeros(1, 2, 10, 10, dtype=torch.float64)
    pooled[:, :, ::2, ::2] = x
    kernel = layer.weight.flip(2, 3).transpose(0, 1)
    assert torch.allclose(layer(x), F.conv2d(pooled, kernel, layer.bias, padding=2), atol=1e-12)


@pytest.mark.parametrize("size", [8, 12, 24, 32, 64])
def test_a_network_draws_in_its_size_and_begins_with_the_mean(size):
    net = FactorNetwork(widths=[3, 2], size=size, mask=True, width=4)
    net.begin_at(torch.tensor([0.5, 0.0, -0.5]))
    drawn = net(torch.zeros(2, 5))
    assert drawn.images.shape == (2, 3, size, size) and drawn.masks.shape == (2, 1, size, size)
    assert 0 <= drawn.masks.min() and drawn.masks.max() <= 1
    again = FactorNetwork(**net.arguments)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(torch.ones(1, 5)).images, net(torch.ones(1, 5)).images)


@pytest.mark.parametrize("size", [4, 20, 31, 512])
def test_other_sizes_are_refused(size):
    with pytest.raises(UsageError, match="doubles its side"):
        FactorNetwork(widths=[3], size=size)


def test_the_loss_counts_the_object_ten_times_and_nothing_behind_it():
    images, masks = torch.zeros(1, 1, 2, 2), torch.tensor([[[[1.0, 0], [0.5, 0]]]])
    images = masks * 0.2 + (1 - masks) * 0.8
    right = Drawn(torch.tensor([[[[0.2, 9.0], [0.2, -9.0]]]]), masks)
    assert float(loss(*squared_errors(right, images, masks, 0.8))) == pytest.approx(0, abs=1e-12)
    wrong = Drawn(right.images + torch.tensor([[[[0.4, 0], [0, 0]]]]), masks + 0.1)
    picture, mask = squared_errors(wrong, images, masks, 0.8)
    assert float(picture) == pytest.approx(0.16 / 4) and float(mask) == pytest.approx(0.01)
    assert float(loss(picture, mask)) == pytest.approx(0.4 + 0.01)
    plain = squared_errors(Drawn(images + 0.5, None), images)
    assert plain[1] is None and float(loss(*plain)) == pytest.approx(0.25)


def test_psnr_and_the_nearest_picture():
    a = torch.zeros(2, 1, 4, 4)
    assert psnr(a, a + 0.2) == pytest.approx(20.0, abs=1e-4)
    with pytest.raises(UsageError, match="at least one pair"):
        psnr(a[:0], a[:0])
    every = torch.linspace(-1, 1, 5).view(5, 1, 1, 1).expand(5, 1, 4, 4)
    assert nearest_right(every + 0.1, every, every) == 1.0
    assert nearest_right(every + 0.4, every, every) == pytest.approx(0.2)
    twins = torch.cat([every, every])
    assert nearest_right(every, every, twins) == 1.0


def test_shuffled_facts_are_those_of_other_pictures(both):
    told = both[0]
    plain, mixed = (
        ToldBatches(told, told.factors, shuffled=s, channels=1, batch_size=16) for s in (0, 1)
    )
    a, b = plain(3), mixed(3)
    assert torch.equal(a["images"], b["images"]) and torch.equal(a["masks"], b["masks"])
    assert not torch.equal(a["codes"], b["codes"])
    assert torch.equal(plain.codes.sort(0).values, mixed.codes.sort(0).values)
    assert a["images"].shape == (16, 1, 12, 12) and a["codes"].shape == (16, 9)


def test_a_system_is_trained_saved_and_told_what_to_draw(tmp_path):
    out = tmp_path / "run"
    trained = train("factors", world="birds", profile="smoke", steps=3, out=out, show=False)
    system = FactorSystem.load(out)
    some = system.some(3, seed=1)
    # Weights are kept in half precision.
    near = np.abs(system.pictures(some).astype(int) - trained.system.pictures(some)).max()
    assert near <= 2 and system.size == 32
    assert (system.draw(3, seed=1) == system.pictures(some)).all()
    assert system.about["world"] == "birds" and {"read_held", "psnr_seen"} <= {
        *system.about["measured"]
    }
    with pytest.raises(UsageError, match="did you mean 'orange'"):
        system.picture(some[0] | {"breast": "oranje"})


def test_untold_factors_are_left_out_by_name(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(UsageError, match="did you mean 'side'"):
        train("factors", profile="smoke", steps=1, untold="sid", out=out, show=False)
    system = train("factors", profile="smoke", steps=1, untold="side, x", show=False).system
    assert not {"side", "x"} & {*system.factors.all} and "y" in system.factors.all
    with pytest.raises(UsageError, match="not told side, x"):
        system.about["world"] = "birds"
        FactorExplorer(system)


def test_toys_are_learned_with_their_masks(tmp_path):
    trained = train(
        "factors", data="toys", profile="smoke", steps=2, size=12, out=tmp_path / "t", show=False
    )
    measured = trained.system.about or FactorSystem.load(tmp_path / "t").about
    assert measured["measured"]["pictures"] == 180
    assert trained.system.network.mask is not None
    plain = trained.system.render(torch.zeros(1, 9))
    assert (plain != trained.system.render(torch.zeros(1, 9), ground=-1.0)).any()
    assert plain.shape == (1, 12, 12, 3)


def test_weights_of_other_pictures_are_not_measured():
    system = FactorSystem(FactorNetwork(widths=SOME.widths, width=4), SOME)
    options = recipe.Options(system="factors", world="birds", profile="smoke")
    with pytest.raises(UsageError, match="told colour, view, which birds does not have"):
        recipe.measure(system, options, 8)


@pytest.fixture(scope="module")
def birds():
    return FactorSystem.load("factors-birds-32")


def test_the_explorer_moves_every_factor(birds):
    explorer = FactorExplorer(birds)
    world = paperworld.world("birds")
    assert {*explorer.controls} == {*world.attributes, *world.moving, "chance"}
    before = explorer.image.value
    explorer.controls["breast"].value = "black"
    assert explorer.image.value != before and not explorer.message.value
    explorer.buttons["Another"].click()
    assert not explorer.message.value
    a, b = (np.asarray(explorer.picture(chance=k)) for k in (1, 2))
    half = a.shape[1] // 2
    assert (a[:, : half - 8] == b[:, : half - 8]).all()  # the network knows nothing of chance
    assert (a[:, half + 8 :] != b[:, half + 8 :]).any()
    drawn = [np.asarray(pair(birds, world, agreeing(birds, world, k))) for k in range(3)]
    assert (drawn[0] != drawn[1]).any() and (drawn[1] != drawn[2]).any()


def test_a_world_refuses_facts_that_do_not_go_together():
    world = paperworld.world("phrases")
    told = of_world("phrases", "test", 32, 1)
    net = FactorNetwork(widths=told.factors.widths, width=4)
    system = FactorSystem(net, told.factors)
    facts = agreeing(system, world, 0) | {"subject": "dog", "top": "red"}
    with pytest.raises(UsageError, match="do not go together"):
        pair(system, world, facts)
    system.about["world"] = "phrases"
    explorer = FactorExplorer(system)  # it opens with what can be drawn, and says what cannot
    assert explorer.state["subject"] == agreeing(system, world)["subject"]
    facts = agreeing(system, world)
    whole = np.asarray(explorer.picture())
    for name in world.attributes:
        for value in agreeing_values(system, world, explorer.state, name):
            pair(system, world, facts | {name: value})
    bad = next(s for s in world.attributes["subject"] if s not in
               {explorer.state["subject"],
                *agreeing_values(system, world, explorer.state, "subject")})  # fmt: skip
    explorer.controls["subject"].value = bad
    assert not explorer.message.value
    assert (np.asarray(explorer.picture()) != whole).any()
    system.about.clear()
    with pytest.raises(UsageError, match="give a system that learned one"):
        FactorExplorer(system)


def test_toys_and_masks_refuse_what_they_cannot_draw():
    assert toys.mask("ring", 0.0, 12).max() == 255
    with pytest.raises(UsageError, match="did you mean 'ring'"):
        toys.mask("rings", 0.0)
    with pytest.raises(UsageError, match="at least 1"):
        toys.every(12, views=6, lights=0)
