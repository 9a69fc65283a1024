"""The reference of the synthesis benchmark does the same work as the engine, in the plain way."""

from dataclasses import replace
from functools import partial

import torch

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


def test_the_rows_of_synthesis_state_their_reference():
    rows = list(measure(QUICK))
    assert [row.name.split(",")[0] for row in rows] == ["synthesis 32x32"] * 3
    assert rows[0].name != rows[1].name and rows[0].target == "ratio >= 1.5"
    assert all(row.value > 0 and "reference: a plain loop" in row.note for row in rows)
