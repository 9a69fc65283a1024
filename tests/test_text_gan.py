"""The four text-to-image GANs: what each switch changes, who learns from what, and going on."""

import copy
import os
import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import TextImageBatches
from t2ilab.errors import UsageError
from t2ilab.fit import checkpoint, fit
from t2ilab.losses import adversarial
from t2ilab.models.gated import GatedGenerator
from t2ilab.models.reed import Discriminator, Generator
from t2ilab.recipes.text_gan import RECIPES, begin_with
from t2ilab.trainers.text_gan import SYSTEMS, Recipe, TextGAN

TEXT = 6
PLAIN = {"device": "cpu", "precision": "32-true", "show": False}


class AsIs:
    """In place of a Fabric: leaves networks and optimisers as they are."""

    device = torch.device("cpu")

    def setup(self, *things):
        return things


def make(*, cls=True, interpolate=True, setup=True, shown=2, seed=0, **recipe):
    torch.manual_seed(0)
    recipe = Recipe(**recipe)
    gan = TextGAN(
        Generator(size=32, text=TEXT, z=4, projected=4, width=2),
        Discriminator(
            size=32, text=TEXT, projected=4, width=2, norm=recipe.norm, projection=recipe.projection
        ),
        cls=cls,
        interpolate=interpolate,
        recipe=recipe,
        seed=seed,
        shown=randn(shown, TEXT, seed=9),
    )
    if setup:
        gan.setup(AsIs())
    return gan


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def batch_of(seed=0, b=8, wrong=1):
    rng = torch.Generator().manual_seed(seed)
    return {
        "images": torch.randint(0, 256, (b, 3, 32, 32), dtype=torch.uint8, generator=rng),
        "phi": torch.randn(b, TEXT, generator=rng),
        "phi_wrong": torch.randn(b, wrong, TEXT, generator=rng),
    }


def weights(network):
    return {k: v.detach().clone() for k, v in network.named_parameters()}


def same(a, b):
    return all(torch.equal(a[k], b[k]) for k in a)


class Spy(torch.nn.Module):
    """A network that notes what each call is given and gives."""

    def __init__(self, module):
        super().__init__()
        self.module, self.calls = module, []

    def forward(self, *given):
        out = self.module(*given)
        self.calls.append(
            SimpleNamespace(given=[x.detach().clone() for x in given], out=out.detach().clone())
        )
        return out


def spy(gan, name):
    """Put a spy in the place of a network; returns its list of calls."""
    setattr(gan, name, Spy(getattr(gan, name)))
    return getattr(gan, name).calls


# The two switches


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_does_what_its_name_says(name):
    """CLS: mismatched captions bear on D. INT: G draws between captions as well."""
    one, other, batch = make(**SYSTEMS[name]), make(**SYSTEMS[name]), batch_of()
    drawn = spy(one, "G")
    one.step(batch)
    other.step(batch | {"phi_wrong": -batch["phi_wrong"]})
    bears = not same(weights(one.D), weights(other.D))
    between = len(drawn[0].given[1]) > len(batch["phi"])
    assert {"cls": bears, "int": between} == {
        part: part in name.split("_") for part in ("cls", "int")
    }


def test_the_names_are_those_of_all_four_systems():
    parts = [tuple(part for part in name.split("_") if part in ("cls", "int")) for name in SYSTEMS]
    assert sorted(parts) == [(), ("cls",), ("int",), ("int", "cls")]


@pytest.mark.parametrize("cls", [False, True])
def test_mismatched_captions_bear_on_the_discriminator_with_cls_only(cls):
    one, other = make(cls=cls), make(cls=cls)
    batch = batch_of()
    one.step(batch)
    other.step(batch | {"phi_wrong": -batch["phi_wrong"]})
    assert same(weights(one.D), weights(other.D)) is not cls


@pytest.mark.parametrize("interpolate", [False, True])
def test_the_generator_draws_between_captions_with_interpolate_only(interpolate):
    gan, batch = make(interpolate=interpolate, beta=0.25, share=0.5), batch_of()
    drawn = spy(gan, "G")
    gan.step(batch)
    ((_, phi),) = (call.given for call in drawn)
    assert torch.equal(phi[:8], batch["phi"])
    if not interpolate:
        assert len(phi) == 8
        return
    between = 0.25 * batch["phi"][:4] + 0.75 * batch["phi"][4:]
    assert len(phi) == 12 and torch.allclose(phi[8:], between)


@pytest.mark.parametrize("interpolate", [False, True])
def test_asked_part_by_part_d_is_never_asked_about_a_mixed_caption(interpolate):
    gan, batch = make(interpolate=interpolate, between=True), batch_of(b=4)
    batch |= {"phi_asked": randn(4, TEXT, seed=3), "phi_mixed": randn(2, TEXT, seed=4)}
    batch |= {"phi_mixed_asked": randn(2, TEXT, seed=5)}
    drawn, judged = spy(gan, "G"), spy(gan, "D")
    gan.step(batch)
    mixed, asked = (batch["phi_mixed"], batch["phi_mixed_asked"]) if interpolate else ([], [])
    whole = torch.cat([batch["phi"], *([mixed] if interpolate else [])])
    parts = torch.cat([batch["phi_asked"], *([asked] if interpolate else [])])
    assert torch.equal(drawn[0].given[1], whole), "G is given complete captions"
    real, fake, again = (call.given[1] for call in judged)
    assert torch.equal(real[:, 0], batch["phi_asked"])
    assert torch.equal(fake, parts) and torch.equal(again, parts)


@pytest.mark.parametrize("share, count", [(0.0, 0), (0.25, 2), (0.5, 4), (1.0, 8)])
def test_share_says_how_many_lie_between_two_different_captions(share, count):
    gan, phi = make(share=share), batch_of()["phi"]
    between = gan._with_interpolated(phi)[8:]
    assert len(between) == count
    distance = torch.cdist(between, phi)
    assert count == 0 or distance.min() > 1e-3  # beta = 1/2: none is a caption itself


def test_beta_1_is_the_first_caption_and_beta_0_the_second():
    phi = batch_of()["phi"]
    assert torch.equal(make(beta=1.0)._with_interpolated(phi)[8:], phi[:4])
    assert torch.equal(make(beta=0.0)._with_interpolated(phi)[8:], phi[4:])


def test_the_discriminator_never_learns_on_interpolated_captions():
    gan, batch = make(cls=True, interpolate=True), batch_of(wrong=3)
    asked = spy(gan, "D")
    gan.step(batch)
    real, fake, for_g = (call.given for call in asked)
    assert torch.equal(real[1], torch.cat([batch["phi"][:, None], batch["phi_wrong"]], 1))
    assert torch.equal(fake[1], batch["phi"])
    assert torch.equal(for_g[1], gan._with_interpolated(batch["phi"]))
    assert torch.equal(fake[0], for_g[0][:8])  # the same pictures, drawn once


def test_the_generator_has_to_please_on_all_captions_alike():
    gan = make()
    asked = spy(gan, "D")
    losses = gan.step(batch_of())
    assert losses["loss_g"].item() == pytest.approx(F.softplus(-asked[2].out).mean().item())
    assert len(asked[2].out) == 12


# Losses


@pytest.mark.parametrize("hinge", [False, True])
@pytest.mark.parametrize("cls", [False, True])
def test_losses_are_those_of_the_logits(cls, hinge):
    gan = make(cls=cls, hinge=hinge)
    asked = spy(gan, "D")
    losses = gan.step(batch_of(wrong=2))
    s_x, s_f, s_g = (call.out for call in asked)
    assert s_x.shape == (8, 3 if cls else 1)
    if cls:
        loss = adversarial.matching_aware_hinge if hinge else adversarial.matching_aware_bce
        expected = loss(s_x[:, 0], s_x[:, 1:], s_f)
    else:
        loss = adversarial.discriminator_hinge if hinge else adversarial.discriminator_bce
        expected = loss(s_x[:, 0], s_f)
    loss = adversarial.generator_hinge if hinge else adversarial.generator_nonsaturating
    assert losses["loss_d"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert losses["loss_g"].item() == pytest.approx(loss(s_g).item(), rel=1e-5)
    assert not any(v.requires_grad for v in losses.values())


def test_pictures_reach_the_discriminator_in_range():
    gan, batch = make(), batch_of()
    batch["images"][0, :, 0, :2] = torch.tensor([0, 255], dtype=torch.uint8)
    asked = spy(gan, "D")
    gan.step(batch)
    x = asked[0].given[0]
    assert x.dtype == torch.float32 and (x.min(), x.max()) == (-1, 1)
    assert x[0, 0, 0, :2].tolist() == [-1, 1]


# Who learns from what


def test_the_discriminator_s_loss_leaves_the_generator_alone():
    gan = make()
    before, found = weights(gan.G), {}
    update = gan.opt_D.step

    def look(*args):
        found["gradients"] = [p.grad for p in gan.G.parameters()]
        update(*args)
        found["same"] = same(weights(gan.G), before)

    gan.opt_D.step = look
    gan.step(batch_of())
    assert found["gradients"] == [None] * len(before) and found["same"]
    assert not same(weights(gan.G), before)  # it learned afterwards, from its own loss


def test_the_generator_s_loss_leaves_the_discriminator_alone():
    gan, found = make(), {}
    update_d, update_g = gan.opt_D.step, gan.opt_G.step

    def after_d(*args):
        update_d(*args)
        found["D"] = weights(gan.D), {k: p.grad.clone() for k, p in gan.D.named_parameters()}

    def look(*args):
        found["frozen"] = not any(p.requires_grad for p in gan.D.parameters())
        update_g(*args)

    gan.opt_D.step, gan.opt_G.step = after_d, look
    gan.step(batch_of())
    parameters, gradients = found["D"]
    assert same(weights(gan.D), parameters)
    assert same({k: p.grad for k, p in gan.D.named_parameters()}, gradients)
    assert found["frozen"] and all(p.requires_grad for p in gan.D.parameters())


def test_each_optimiser_holds_one_network():
    gan = make()
    for optimizer, network in ((gan.opt_G, gan.G), (gan.opt_D, gan.D)):
        held = [p for group in optimizer.param_groups for p in group["params"]]
        assert [id(p) for p in held] == [id(p) for p in network.parameters()]


def test_the_generator_s_gradient_is_that_of_its_own_loss():
    gan, batch = make(lr_d=0.0, norm="spectral"), batch_of()
    G, D, z = copy.deepcopy(gan.G), gan.D, copy.deepcopy(gan).draw_noise(12)
    found = []
    update = gan.opt_G.step

    def look(*args):
        D_now = copy.deepcopy(D).eval()  # the power iteration as the step left it
        phi = gan._with_interpolated(batch["phi"])
        F.softplus(-D_now(G(z, phi), phi)).mean().backward()
        found.extend(zip(gan.G.parameters(), G.parameters(), strict=True))
        assert all(torch.allclose(p.grad, q.grad, atol=1e-6) for p, q in found)
        update(*args)

    gan.opt_G.step = look
    gan.step(batch)
    assert found and found[-1][0].grad.abs().max() > 0


# Averages and learning rates


def test_the_average_follows_the_generator():
    gan = make(average=0.9)
    before = weights(gan.average)
    gan.step(batch_of())
    now = weights(gan.G)
    for name, mean in gan.average.named_parameters():
        assert torch.allclose(mean, 0.9 * before[name] + 0.1 * now[name], atol=1e-7), name
    counts = [b for n, b in gan.average.named_buffers() if n.endswith("num_batches_tracked")]
    assert counts and all(c == 1 for c in counts)


def test_without_average_samples_come_from_the_generator_as_it_is():
    gan = make(average=0.0)
    gan.step(batch_of())
    now = gan.G.state_dict()
    assert all(torch.equal(v, now[k]) for k, v in gan.average.state_dict().items())


def test_the_average_draws_and_no_gradient_reaches_it():
    gan = make(average=0.5)
    gan.step(batch_of())
    z, phi = randn(3, 4), randn(3, TEXT)
    assert torch.equal(gan.sample(phi, z), gan.average(z, phi))
    assert not gan.average.training
    assert not any(p.requires_grad for p in gan.average.parameters())


def test_strips_show_the_same_noise_whatever_was_trained_or_drawn():
    gan = make(shown=3)
    strip = gan.strip()
    assert strip.shape == (3, 32, 32, 3) and strip.dtype == np.uint8
    gan.draw_noise(5)
    assert np.array_equal(gan.strip(), strip)
    gan.step(batch_of())
    assert not np.array_equal(gan.strip(), strip)


def test_noise_is_a_matter_of_the_seed():
    assert torch.equal(make(seed=1).draw_noise(4), make(seed=1).draw_noise(4))
    assert not torch.equal(make(seed=1).draw_noise(4), make(seed=2).draw_noise(4))


@pytest.mark.parametrize(
    "decay, progress, share",
    [
        (0.0, 0.0, 1),
        (0.0, 1.0, 1),
        (0.4, 0.0, 1),
        (0.4, 0.6, 1),
        (0.4, 0.8, 0.5),
        (0.4, 0.9, 0.25),
        (0.4, 1.0, 0),
        (1.0, 0.25, 0.75),
    ],
)
def test_learning_rates_fall_over_the_last_part(decay, progress, share):
    gan = make(decay=decay, lr_g=0.01, lr_d=0.03)
    gan.progress = progress
    gan._set_learning_rates()
    assert gan.opt_G.param_groups[0]["lr"] == pytest.approx(0.01 * share, abs=1e-9)
    assert gan.opt_D.param_groups[0]["lr"] == pytest.approx(0.03 * share, abs=1e-9)


def test_a_step_at_the_end_of_the_decay_changes_nothing():
    gan = make(decay=0.5)
    gan.progress = 1.0
    before = weights(gan.G), weights(gan.D)
    gan.step(batch_of())
    assert same(weights(gan.G), before[0]) and same(weights(gan.D), before[1])


# Going on


def test_state_goes_round_exactly():
    gan, again = make(average=0.9), make(average=0.9, seed=5)
    for i in range(2):
        gan.step(batch_of(i))
    again.load_state_dict(copy.deepcopy(gan.state_dict()))
    again.rng.set_state(gan.rng.get_state())  # which `fit` saves
    losses = [g.step(batch_of(3)) for g in (gan, again)]
    assert losses[0] == losses[1]
    for name in ("G", "D", "average"):
        one, other = getattr(gan, name).state_dict(), getattr(again, name).state_dict()
        assert all(torch.equal(v, other[k]) for k, v in one.items()), name


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    data = CaptionedImages("noise", images, [["a", "b"]] * 20, np.arange(20), list("x" * 20))
    return TextImageBatches(data, randn(20, 2, TEXT), batch_size=4)


def test_stopped_and_resumed_training_is_the_same_bit_for_bit(batches, tmp_path):
    def run(out, *, stop=False, resume=False):
        gan = make(setup=False, average=0.9, decay=0.5, norm="spectral", projection=True)

        def stopping(step):
            if stop and step == 3:  # made while step 2 is learned from; the run has 10
                os.kill(os.getpid(), signal.SIGTERM)
            return batches(step)

        fitted = fit(gan, stopping, steps=10, out=out, resume=resume, **PLAIN)
        return fitted, gan.state_dict() | {"rng": gan.rng.get_state()}

    fitted, whole = run(tmp_path / "whole")
    stopped, part = run(tmp_path / "part", stop=True)
    assert stopped.stopped == "signal" and 1 <= stopped.steps < 10
    assert not torch.equal(part["G"]["unfold.0.weight"], whole["G"]["unfold.0.weight"])
    resumed, state = run(tmp_path / "part", resume=True)
    for name in ("G", "D", "average"):
        assert all(torch.equal(v, state[name][k]) for k, v in whole[name].items()), name
    assert torch.equal(whole["rng"], state["rng"])
    assert np.array_equal(fitted.strips[-1][1], resumed.strips[-1][1])


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_losses_are_finite_in_bfloat16(recipe, batches):
    gan = make(setup=False, **vars(replace(RECIPES[recipe], wrong=1, near=1)))
    fitted = fit(gan, batches, steps=3, **PLAIN | {"precision": "bf16-mixed"})
    assert fitted.precision == "bf16-mixed" and len(fitted.history) == 3
    assert np.isfinite(fitted.history[["loss_d", "loss_g"]].to_numpy()).all()
    assert {v.dtype for v in weights(gan.average).values()} == {torch.float32}


def test_varied_draws_once_more_for_the_first_half_of_the_captions():
    gan, plain, batch = make(varied=5.0), make(), batch_of()
    drawn, losses = spy(gan, "G"), plain.step(batch)
    varied = gan.step(batch)
    (z, phi), (z_other, phi_other) = (call.given for call in drawn)
    assert torch.equal(phi_other, batch["phi"][:4]) and torch.equal(phi[:4], phi_other)
    assert not torch.equal(z[:4], z_other)
    assert torch.equal(losses["loss_d"], varied["loss_d"])  # D learns as before
    assert varied["loss_g"] > losses["loss_g"]  # young pictures are all alike


def _gated(size=32, width=8, **more):
    torch.manual_seed(1)
    kind = dict(size=size, text=6, projected=4, width=width)
    d = Discriminator(**kind, norm="spectral", projection=True)
    recipe = Recipe(generator="gated", norm="spectral", projection=True, **more)
    return TextGAN(GatedGenerator(**kind, z=5), d, recipe=recipe)


def _kept(path, gan):
    path.mkdir()
    record = {"options": {"system": "gan_cls", "world": "birds", "seed": 3}}
    state = {"format": checkpoint.FORMAT, "trainer": gan.state_dict(), "record": record, "step": 7}
    checkpoint.write(path, state)
    return path


def _same(a, b, network):
    """The names of the arrays that two trainers' networks share, and of those that differ."""
    first, second = getattr(a, network).state_dict(), getattr(b, network).state_dict()
    same = {k for k, v in first.items() if torch.equal(v, second[k])}
    return same, set(first) - same


def test_a_run_begins_with_the_networks_of_another(tmp_path):
    old, new = _gated(), _gated()
    for network in (old.G, old.D, old.average):
        for p in network.parameters():
            p.data += 1
    assert _same(old, new, "G")[1] and _same(old, new, "D")[1]
    told = begin_with(new, _kept(tmp_path / "old", old))
    assert told == {"system": "gan_cls", "world": "birds", "steps": 7}
    assert not any(_same(old, new, name)[1] for name in ("G", "D", "average"))


def test_twice_the_side_begins_with_all_but_the_ends(tmp_path):
    old, new = _gated(32, 32), _gated(64, 16)
    for network in (old.G, old.D, old.average):
        for p in network.parameters():
            p.data += 1
    begin_with(new, _kept(tmp_path / "old", old))
    own = {k for k, p in new.G.named_parameters() if p.flatten()[0] < 0.5}
    assert {k.split(".")[0] + k.split(".")[1] for k in own if k.startswith("scales")} <= {"scales3"}
    last_old, last_new = old.D.state_dict(), new.D.state_dict()
    weight = "parametrizations.weight.original"
    assert torch.equal(last_new[f"fold.6.{weight}"], last_old[f"fold.4.{weight}"])
    assert last_new[f"fold.0.{weight}"].abs().max() < 0.5  # of the larger picture: new


@pytest.mark.parametrize("what", ["nothing", "another trainer", "nothing fits"])
def test_what_cannot_be_begun_with_is_said(tmp_path, what):
    folder = tmp_path / "old"
    if what == "another trainer":
        folder.mkdir()
        checkpoint.write(folder, {"format": checkpoint.FORMAT, "trainer": {"G": {}}})
    if what == "nothing fits":
        old = _gated()
        _kept(folder, old)
        state = {name: {"x": torch.zeros(1)} for name in old.state_dict()} | {
            "D": old.state_dict()["D"]
        }
        checkpoint.write(folder, {"format": checkpoint.FORMAT, "trainer": state})
    words = "no layer of its G fits" if what == "nothing fits" else "expected the folder of a run"
    with pytest.raises(UsageError, match=words):
        begin_with(_gated(), folder)
