"""The reference of the synthesis benchmark does the same work as the engine, in the plain way."""

from dataclasses import replace
from functools import partial

import torch

import bench.inputs
from bench.inputs import Climb, Head, measure, ours, plain
from bench.sizes import QUICK
from t2ilab.inputs.optimisers import Adam
from t2ilab.inputs.scores import log_probability
from t2ilab.inputs.starts import uniform_noise
from t2ilab.models.reader import AttributeReader


def test_both_need_the_same_steps_and_only_the_plain_loop_touches_the_weights():
    torch.manual_seed(0)
    network = Head(AttributeReader(attributes={"breast": 10}, width=4, features=8)).eval()
    touched, ran = [], []
    parameter = network.reader.heads.weight
    parameter.register_hook(lambda gradient: touched.append(gradient))
    network.register_forward_hook(lambda _module, inputs, _output: ran.append(len(inputs[0])))
    start = uniform_noise(6, (3, 32, 32), generator=torch.Generator().manual_seed(0))
    targets = torch.arange(6)
    climb = Climb(
        network,
        log_probability(network),
        start,
        [targets],
        torch.tensor(torch.inf),
        12,
        Adam(0.02),
        partial(torch.optim.Adam, lr=0.02),
    )
    until = ours(climb).history[8].median()  # some get there early, some not at all
    climb = replace(climb, until=until)
    touched.clear(), ran.clear()
    engine = ours(climb)
    assert not touched and min(ran) < 6
    ran.clear()
    taken = plain(climb)
    assert touched and set(ran) == {6}
    assert (taken - engine.steps).abs().max() <= 1 and len(taken.unique()) > 1
    assert all(p.grad is None for p in network.parameters())


def test_a_row_is_the_steps_that_pictures_needed_by_the_time_they_took(monkeypatch):
    needed = []

    def timed(mine, theirs, *, repeats):
        needed.append(int(mine().steps.sum()))
        theirs()
        return [[2.0] * repeats, [4.0] * repeats]

    monkeypatch.setattr(bench.inputs, "in_turn", timed)
    rows = list(measure(QUICK))
    assert len({row.name for row in rows}) == len(rows) == len(needed)
    for row, steps in zip(rows, needed, strict=True):
        assert (row.value, row.reference, row.ratio) == (steps / 2, steps / 4, 2)
        assert row.unit == "picture-steps/s" and "reference: a plain loop" in row.note
    full = QUICK.pool * (QUICK.ascent_steps // 4)  # nothing is ever done there
    assert [steps == full for steps in needed] == ["fixed number" in row.name for row in rows]
    assert [row.target for row in rows if "fixed number" not in row.name] == ["ratio >= 1.5"] * 2
