"""The benchmarks: that they run, and what they write. (How fast anything is, is not tested.)"""

import copy
import json
import math
import subprocess
import sys
from collections import Counter

import pytest
import torch
import torch.nn.functional as F

from bench.dcgan import ExampleLoop
from bench.plain_loop import PlainLoop
from bench.row import Row, in_turn
from t2ilab.models import dcgan
from t2ilab.models.reed import Discriminator, Generator
from t2ilab.paths import ROOT

ASKED_FOR = (
    "PaperWorld drawing, birds 32x32",
    "PaperWorld drawing, birds 64x64",
    "PaperWorld drawing, birds 128x128",
    "training, gan_cls",
    "training, gan_int_cls",
    "training, dcgan",
    "waiting for data",
    "64 pictures of a caption",
    "import t2ilab",
    "lab.start",
    "peak memory",
    "synthesis 32x32, each",
    "synthesis 32x32, a fixed number of steps from a caption",
    "training an RBM",
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    out = tmp_path_factory.mktemp("bench") / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "-o", str(out)],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return json.loads(out.read_text())


def test_every_speed_is_measured(rows):
    for name in ASKED_FOR:
        assert any(row["name"].startswith(name) for row in rows), name
    assert len({row["name"] for row in rows}) == len(rows)


def test_rows_have_a_value_a_unit_a_reference_and_a_ratio(rows):
    for row in rows:
        assert all(isinstance(row[key], str) for key in ("name", "unit", "target", "note")), row
        for key in ("value", "reference", "ratio", "minimum", "maximum"):
            assert math.isfinite(row[key]) and row[key] > 0, (key, row)
        assert row["minimum"] <= row["value"] <= row["maximum"]
        assert row["reference_minimum"] <= row["reference"] <= row["reference_maximum"]
        assert row["unit"] and "reference: " in row["note"]


def test_a_ratio_above_one_is_better_whatever_the_unit():
    faster = Row.of("a", [20, 40, 30], [10, 10, 10], unit="pictures/s", more=True, note="")
    assert (faster.value, faster.reference, faster.ratio) == (30, 10, 3)
    assert (faster.minimum, faster.maximum) == (20, 40)
    shorter = Row.of("b", [2.0], [10.0], unit="s", more=False, note="")
    assert shorter.ratio == 5


def test_a_machine_that_slows_down_slows_what_is_compared_alike(monkeypatch):
    clock = iter([t * t for t in range(100)])  # whoever is timed later takes longer
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    ran = Counter()
    mine, theirs = in_turn(lambda: ran.update("a"), lambda: ran.update("b"), repeats=5)
    assert ran == {"a": 6, "b": 6} and len(mine) == len(theirs) == 5  # one round does not count
    row = Row.of("the same twice", mine, theirs, unit="s", more=False, note="")
    assert 1 < row.ratio < 1.5  # one after the other it would be 2.3


def test_the_plain_loop_learns_gan_cls_with_twice_the_work_and_leaks_into_g():
    torch.manual_seed(0)
    generator = Generator(size=32, text=8, width=4)
    discriminator = Discriminator(size=32, text=8, width=4)
    g, d = copy.deepcopy((generator, discriminator))
    loop, ran, leaked = PlainLoop(generator, discriminator), Counter(), []
    generator.unfold.register_forward_hook(lambda *_: ran.update("G"))
    discriminator.fold.register_forward_hook(lambda *_: ran.update("D"))
    loop.opt_D.register_step_pre_hook(
        lambda *_: leaked.append(all(p.grad is not None for p in generator.parameters()))
    )
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    phi, rng = torch.randn(4, 8), torch.get_rng_state()
    loss_d, loss_g = loop.step(images, phi)
    assert ran == {"G": 2, "D": 4} and leaked == [True]  # ours: G once, D three times

    torch.set_rng_state(rng)
    x = images.float() / 127.5 - 1
    fakes = g(torch.randn(4, g.z), phi)
    real, wrong, fake = d(x, phi), d(x.roll(1, 0), phi), d(fakes, phi)
    right = F.softplus(-real).mean() + F.softplus(wrong).mean() + F.softplus(fake).mean()
    assert loss_d.item() == pytest.approx(right.item(), rel=1e-5)
    fakes = g(torch.randn(4, g.z), phi)  # other noise; D has learned meanwhile
    assert loss_g.item() == pytest.approx(
        F.softplus(-discriminator(fakes, phi)).mean().item(), rel=1e-4
    )
    for after, before in ((generator, g), (discriminator, d)):
        pairs = zip(after.parameters(), before.parameters(), strict=True)
        assert all(not torch.equal(a, b) for a, b in pairs)


def test_the_loop_of_the_example_asks_d_three_times_and_g_once():
    torch.manual_seed(0)
    generator, discriminator = (
        make(size=16, width=4) for make in (dcgan.Generator, dcgan.Discriminator)
    )
    g, d = copy.deepcopy((generator, discriminator))
    loop, ran = ExampleLoop(generator, discriminator), Counter()
    generator.unfold.register_forward_hook(lambda *_: ran.update("G"))
    discriminator.body.register_forward_hook(lambda *_: ran.update("D"))
    images = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    rng = torch.get_rng_state()
    loss_d, loss_g, d_real, d_fake, d_after = loop.step(images)
    assert ran == {"G": 1, "D": 3}

    torch.set_rng_state(rng)
    real, fake = d(images.float() / 127.5 - 1), d(g(torch.randn(4, g.z)))
    right = F.softplus(-real).mean() + F.softplus(fake).mean()
    assert loss_d == pytest.approx(right.item(), rel=1e-4)
    assert d_real == pytest.approx(real.sigmoid().mean().item(), rel=1e-4)
    assert d_fake == pytest.approx(fake.sigmoid().mean().item(), rel=1e-4)
    assert d_after < d_fake  # D has learned to refuse these
    assert loss_g > F.softplus(-fake).mean().item()
    for after, before in ((generator, g), (discriminator, d)):
        pairs = zip(after.parameters(), before.parameters(), strict=True)
        assert all(not torch.equal(a, b) for a, b in pairs)
