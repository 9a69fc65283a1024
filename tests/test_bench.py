"""The benchmarks: that they run, and what they write. (How fast anything is, is not tested.)"""

import json
import math
import subprocess
import sys

import pytest
import torch

from bench.plain_loop import PlainLoop
from bench.row import Row, in_turn
from t2ilab.models.reed import Discriminator, Generator
from t2ilab.paths import ROOT

ASKED_FOR = (
    "PaperWorld drawing, birds 32x32",
    "PaperWorld drawing, birds 64x64",
    "PaperWorld drawing, birds 128x128",
    "training, gan_cls",
    "training, gan_int_cls",
    "waiting for data",
    "64 pictures of a caption",
    "import t2ilab",
    "lab.start",
    "peak memory",
    "synthesis 32x32",
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


def test_what_is_compared_is_run_in_turn():
    calls = []
    times = in_turn(lambda: calls.append("a"), lambda: calls.append("b"), repeats=2)
    assert calls == ["a", "b"] * 3  # the first round is not counted
    assert [len(one) for one in times] == [2, 2]


def test_the_plain_loop_runs_g_twice_and_d_four_times_and_leaks_into_g():
    generator = Generator(size=32, text=8, width=4)
    discriminator = Discriminator(size=32, text=8, width=4)
    loop, ran, leaked = PlainLoop(generator, discriminator), [], []
    generator.unfold.register_forward_hook(lambda *_: ran.append("G"))
    discriminator.fold.register_forward_hook(lambda *_: ran.append("D"))
    loop.opt_D.register_step_pre_hook(
        lambda *_: leaked.append(all(p.grad is not None for p in generator.parameters()))
    )
    before = [p.detach().clone() for p in (*generator.parameters(), *discriminator.parameters())]
    loop.step(torch.zeros(4, 3, 32, 32, dtype=torch.uint8), torch.randn(4, 8))
    after = [*generator.parameters(), *discriminator.parameters()]
    assert ran == ["D", "D", "G", "D", "G", "D"] and leaked == [True]
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
