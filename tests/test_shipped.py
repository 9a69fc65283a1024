"""What the shipped weights are said to do is measured again, on few pictures.

Each number must lie in an interval that follows from how many pictures were drawn, then and now:

- *shares* (caption consistency, transfer): where a share was found on N pictures, the number of
  right ones among n other pictures is beta-binomial, with parameters n, 1 + N share and
  1 + N (1 - share): binomial, with the share itself uncertain;
- *KID*, whose estimate is unbiased for any number of pictures (FID and the Inception score are
  not): Student's t around today's estimate, with the jackknife's standard error over the pictures
  of both kinds; and so for the loss of the style encoder, with the usual standard error.

All intervals hold 99.99 %, so that none of the forty in this file should fail by chance, and each
test shows that it would notice other pictures: those of other captions, of other noise, or noise.
What few pictures cannot show is a small change: 32 of WINN tell a KID of 70 from one of 1000.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import betabinom, t

from t2ilab import catalogue
from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.data.digits import load_mnist_sheet, load_two_digits
from t2ilab.data.factors import of_world
from t2ilab.exact.partition import log_zs
from t2ilab.losses.variational import terms
from t2ilab.metrics.consistency import caption_consistency
from t2ilab.metrics.evaluate import drawn_for
from t2ilab.metrics.factors import read_right
from t2ilab.metrics.style import transfer_success
from t2ilab.recipes import draw
from t2ilab.systems import weights
from t2ilab.systems.factors import FactorSystem
from t2ilab.systems.introspective import IntrospectiveSystem
from t2ilab.systems.single import load_reader, load_style
from t2ilab.systems.text_to_image import TextToImage

HELD = 0.9999
ELSEWHERE = {
    "reader": "test_reader.py",
    "judge": "test_reader.py",
    "encoder": "test_encoders_shipped.py",
    "parts": "test_anatomy.py",
    "prior": "test_prior.py",
    "pix2pix": "test_pix2pix.py",
    "biggan": "test_biggan.py",
    "text": "test_four_gans.py",
    "damsm": "test_damsm.py",
    "attngan": "test_attngan.py",
    "stackgan": "test_stackgan.py",
    "aligndraw": "test_aligndraw_shipped.py",
    "stn": "test_spatial_transformer.py",
    "what": "test_what_where.py",
    "embedding": "test_two_branch_shipped.py",
    "similarity": "test_two_branch_shipped.py",
    "affinity": "test_two_branch_shipped.py",
}
LIKELIHOODS = {"rbm": "log_p_ais", "dbm": "log_p_bound_ais", "iwae": "elbo", "draw": "nats_1"}
PICTURES = {"gan": 256, "style": 256, "winn": 32, "inng": 12}  # 0.2 s and 1 s for each


def shipped(*kinds):
    every = (name for name in weights.bundled() if not name.startswith("winn_text"))  # own tests
    return [name for name in every if name.split("_")[0].split("-")[0] in kinds]


def opened(name):
    """A shipped file: the system, the world and its reader, what was measured, real pictures."""
    kind, world = name.split("_")[0].split("-")[0], name.split("-")[1]
    generator = None
    if kind == "style":
        generator = TextToImage.load(f"gan_int_cls-{world}-64")
        system = load_style(name, generator)
    else:
        system = (TextToImage if kind == "gan" else IntrospectiveSystem).load(name)
    about, drawn = weights.load(name).about, paperworld.world(world)
    n = max(PICTURES[kind], 256)
    return SimpleNamespace(
        system=system,
        generator=generator,
        n=PICTURES[kind],
        world=drawn,
        counted=drawn.definition["class"],
        reader=load_reader(world),
        measured=about["measured"],
        real=drawn.load("test", (generator or system).size, n),
    )


@torch.inference_mode()
def features(of, drawn):
    """The reader's features of the real pictures and of drawn ones."""
    return of.reader.features(to_float(of.real.images)), of.reader.features(drawn)


def holds(share, of, found, n):
    """Whether `found`, a share of n pictures, may be where `share` was found on `of` pictures."""
    low, high = betabinom.interval(HELD, n, 1 + of * share, 1 + of * (1 - share))
    return low <= round(found * n) <= high


def kid(real, fake):
    """KID as torchmetrics has it (cubic kernel, unbiased), and its standard error (jackknife)."""

    def kernel(a, b):
        return (a.double() @ b.double().T / a.shape[1] + 1) ** 3

    across, within = kernel(real, fake), [kernel(real, real), kernel(fake, fake)]
    rows = [k.sum(1) - k.diagonal() for k in within]
    means = [row.sum() / (len(row) * (len(row) - 1)) for row in rows]
    value, variance = means[0] + means[1] - 2 * across.mean(), 0.0
    for row, other, k in ((rows[0], means[1], across), (rows[1], means[0], across.T)):
        n, m = k.shape  # each of the n pictures of one kind is left out once
        left = (row.sum() - 2 * row) / ((n - 1) * (n - 2)) + other
        left = left - 2 * (k.sum() - k.sum(1)) / ((n - 1) * m)
        variance += (n - 1) / n * float((left - left.mean()).square().sum())
    return float(value), variance**0.5


def may_be(stated, of, value, error, n):
    """Whether `stated`, of `of` pictures, may be what n pictures show: `value` and its error."""
    return abs(stated - value) <= t.ppf((1 + HELD) / 2, n - 1) * error * (1 + n / of) ** 0.5


def test_every_shipped_file_is_measured_again():
    here = {*shipped(*PICTURES, *LIKELIHOODS, "factors")}
    others = {name for name in weights.bundled() if name not in here}
    others -= {name for name in others if name.startswith("winn_text")}  # see `shipped`
    assert {name.split("_")[0].split("-")[0] for name in others} <= {*ELSEWHERE}
    assert len(here) >= 6


def test_kid_and_its_error_are_right():
    from torchmetrics.image.kid import poly_mmd

    rng = torch.Generator().manual_seed(0)
    made = [torch.randn(2, 40, 16, generator=rng) for _ in range(200)]
    real, fake = made[0]
    assert kid(real, fake + 0.3)[0] == pytest.approx(float(poly_mmd(real, fake + 0.3)), rel=1e-4)
    values, errors = np.array([kid(real, fake[:30] + 0.3) for real, fake in made]).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.25)  # of 200 values: known to 5 %


@pytest.mark.parametrize("name", shipped("gan"))
def test_a_text_to_image_system_obeys_as_it_is_said_to(name):
    of = opened(name)
    drawn = drawn_for(of.system, of.real, 0, seed=2)  # not the noise it was measured with
    unseen = of.world.unseen[of.real.classes]
    facts = of.world.content
    found = caption_consistency(of.reader, drawn, of.real, facts, level=0)
    new = caption_consistency(of.reader, drawn[unseen], of.real.subset(unseen), facts, level=0)
    others = caption_consistency(of.reader, drawn.roll(1, 0), of.real, facts, level=0)
    total = of.measured["pictures"]
    for part, share in found.items():
        stated, stated_unseen = (of.measured[f"consistency_{part}{s}"] for s in ("", "_unseen"))
        assert holds(stated, total, share, of.n), (part, stated, share)
        assert holds(stated_unseen, total / 2, new[part], int(unseen.sum())), (part, new[part])
    stated = of.measured["consistency_all"]
    assert not holds(stated, total, others["all"], of.n)  # pictures of other captions


@pytest.mark.parametrize("name", shipped("winn", "inng"))
def test_an_introspective_system_draws_as_well_as_it_is_said_to(name):
    of = opened(name)
    drawn = of.system.synthesise(of.n, seed=5)
    stated, total = of.measured["kid"], of.measured["pictures"]
    value, error = kid(*features(of, drawn))
    print(f"{name}: KID {value:.0f} with an error of {error:.0f}; stated {stated:.0f}")
    assert may_be(stated, total, value, error, of.n), (stated, value, error)
    start = of.system.noise(of.n, torch.Generator().manual_seed(5))
    of_noise, _ = kid(*features(of, start))
    assert not may_be(of_noise, total, value, error, of.n), of_noise


@pytest.mark.parametrize("name", shipped("style"))
def test_a_style_encoder_finds_style_as_it_is_said_to(name):
    of, total = opened(name), 2000
    vectors = of.system.style(to_float(of.real.images))
    others = of.real.subset(np.roll(np.arange(of.n), 1))
    phi = of.generator.encoder.encode([captions[0] for captions in others.captions])
    styles = tuple(of.world.style)
    z = of.generator.noise(of.n, seed=3)
    transferred, drawn = (of.generator.draw_vectors(phi, s) for s in (vectors, z))
    success = transfer_success(of.reader, transferred, others, of.real, of.counted, styles)
    chance = transfer_success(of.reader, drawn, others, of.real, of.counted, styles)
    for part, share in success.items():
        assert holds(of.measured[f"transfer_{part}"], total, share, of.n), (part, share)
    assert not holds(of.measured["transfer_style"], total, chance["style"], of.n)
    missed = (z - of.system.style(drawn)).square().mean(1)
    error = float(missed.std()) / of.n**0.5
    assert may_be(of.measured["loss"], 512, float(missed.mean()), error, of.n), missed.mean()
    assert not may_be(1.0, 512, float(missed.mean()), error, of.n)  # nothing found


@torch.inference_mode()
def nats(name, x):
    """log p(x), or the bound that is said of the file, of each of the digits [n, 1, 28, 28]."""
    kind, about = name.split("-")[0], weights.load(name).about
    system = catalogue.recipe(kind).System.load(name)
    rng = torch.Generator().manual_seed(3)
    if kind == "iwae":
        noise = system.vae.noise(20, len(x), rng)
        return terms(x, system.vae(x, noise), system.vae.likelihood).log_weights().mean(0)
    if kind == "draw":
        return -draw.log_weights(system.network, x, 5, rng)[0].mean(0)
    v, z = x.flatten(1), about["measured"]["log_z_ais"]
    if kind == "rbm":
        return -system.network.free_energy(v) - z
    return system.network.bound(v, *system.network.mean_field(v, updates=200)) - z


@pytest.mark.parametrize("name", shipped(*LIKELIHOODS))
def test_digits_are_as_likely_as_they_are_said_to_be(name):
    data = load_mnist_sheet() if "mnist" in name else load_two_digits("test", n=200)
    sheet = to_float(data.images)[:, :1]
    grey = sheet.add(1).div(2)
    x = (torch.rand(grey.shape, generator=torch.Generator().manual_seed(2)) < grey).float()
    measured = weights.load(name).about["measured"]
    stated, of = (
        measured[LIKELIHOODS[name.split("-")[0]]],
        measured.get("pictures", measured.get("tested")),
    )
    found, flipped = nats(name, x), nats(name, x.flip(-1))
    error = float(found.std()) / len(x) ** 0.5
    print(f"{name}: {found.mean():.1f} +- {error:.1f} nats; stated {stated:.1f}")
    assert may_be(stated, of, float(found.mean()), error, len(x)), (stated, found.mean(), error)
    assert not may_be(stated, of, float(flipped.mean()), error, len(x)), flipped.mean()


@pytest.mark.parametrize("name", shipped("factors"))
def test_facts_are_drawn_as_they_are_told(name):
    system, world = FactorSystem.load(name), name.split("-")[1]
    measured, reader = system.about["measured"], load_reader(world)
    told = of_world(world, "test", system.size, 256)
    for kind, which in (("held", told.held), ("seen", ~told.held)):
        some = told.subset(which)
        stated, of = measured[f"read_{kind}"], measured["pictures"] // 2
        found = [
            read_right(reader, to_float(system.render(codes)), some.pictures, system.choices)["all"]
            for codes in (some.codes(), some.codes().roll(1, 0))
        ]
        print(f"{name}, {kind}: {found[0]:.3f}, stated {stated:.3f}")
        assert holds(stated, of, found[0], len(some))
        assert not holds(stated, of, found[1], len(some))  # the facts of other pictures


@pytest.mark.parametrize("name", shipped("rbm", "dbm"))
def test_a_short_annealing_finds_the_log_z_that_is_said(name):
    system = catalogue.recipe(name.split("-")[0]).System.load(name)
    stated = weights.load(name).about["measured"]
    short = log_zs(*system.bipartite(), steps=2000)
    for way, z in short.items():
        assert abs(z - stated[f"log_z{way}"]) < 4, (way, z)
    system.network.a.data += 0.02  # a little brighter: 784 pixels tell
    assert abs(log_zs(*system.bipartite(), steps=2000)["_ais"] - stated["log_z_ais"]) > 0.5
