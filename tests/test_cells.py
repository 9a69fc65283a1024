"""Recurrent cells: as torch.nn where it has the same, by their equations where not; sequences."""

import math

import pytest
import torch

from t2ilab.data.sequences import BLANK, GO, adding, copying, next_words
from t2ilab.errors import CaptionError, UsageError
from t2ilab.models.cells import (
    CELLS,
    GRU,
    LSTM,
    RNN,
    Sequencer,
    chain_norms,
    like_torch,
    scan,
    step_jacobian,
)
from t2ilab.models.language import LanguageModel, most_likely
from t2ilab.text.tokens import Vocabulary


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_is_torchs(kind):
    torch.manual_seed(0)
    cell = CELLS[kind](3, 5).double()
    x = torch.randn(7, 4, 3, generator=generator(), dtype=torch.float64)
    layer = like_torch(cell).double()
    found, last = scan(cell, x)
    theirs, state = layer(x)
    assert torch.allclose(found, theirs, atol=1e-12)
    if kind == "lstm":
        assert torch.allclose(last[1], state[1][0], atol=1e-12)
    # and so are its gradients
    ours = torch.autograd.grad(found.square().sum(), list(cell.parameters()))
    their = torch.autograd.grad(theirs.square().sum(), list(layer.parameters()))
    sizes = sorted(float(g.norm()) for g in ours)
    assert sizes == pytest.approx(sorted(float(g.norm()) for g in their), rel=1e-9)


def test_peepholes_obey_equations_7_to_11():
    torch.manual_seed(0)
    cell = LSTM(2, 3, peepholes=True).double()
    x = torch.randn(4, 2, generator=generator(), dtype=torch.float64)
    h, c = torch.randn(2, 4, 3, generator=generator(1), dtype=torch.float64)
    Wx, Wh, b = cell.x.weight, cell.h.weight, cell.x.bias + cell.h.bias
    rows = {name: slice(3 * k, 3 * k + 3) for k, name in enumerate("ifgo")}

    def linear(name):
        return x @ Wx[rows[name]].T + h @ Wh[rows[name]].T + b[rows[name]]

    i = torch.sigmoid(linear("i") + c @ torch.diag(cell.peep[0]))  # the slide's W_ci, diagonal
    f = torch.sigmoid(linear("f") + c @ torch.diag(cell.peep[1]))
    new = f * c + i * torch.tanh(linear("g"))
    o = torch.sigmoid(linear("o") + new @ torch.diag(cell.peep[2]))
    found_h, found_c = cell(x, (h, c))
    assert torch.allclose(found_c, new, atol=1e-12)
    assert torch.allclose(found_h, o * new.tanh(), atol=1e-12)
    with torch.no_grad():
        cell.peep.zero_()
    plain = LSTM(2, 3).double()
    plain.load_state_dict({k: v for k, v in cell.state_dict().items() if k != "peep"})
    assert torch.equal(cell(x, (h, c))[0], plain(x, (h, c))[0])
    with pytest.raises(UsageError, match="has no peepholes"):
        like_torch(cell)


def test_a_forget_bias_opens_the_gate():
    torch.manual_seed(0)
    plain = LSTM(2, 4)
    torch.manual_seed(0)
    opened = LSTM(2, 4, forget=1.0)
    difference = opened.x.bias - plain.x.bias
    assert difference.tolist() == pytest.approx([0] * 4 + [1] * 4 + [0] * 8)


def test_a_gradient_goes_back_as_the_product_of_jacobians():
    torch.manual_seed(0)
    cell = RNN(2, 6).double()
    x = torch.randn(5, 1, 2, generator=generator(), dtype=torch.float64)
    first = torch.zeros(1, 6, dtype=torch.float64, requires_grad=True)
    outputs, _ = scan(cell, x, (first,))
    steps = [step_jacobian(cell, h[0]) for h in outputs]
    product = torch.linalg.multi_dot(steps[::-1])
    by_autograd = torch.autograd.functional.jacobian(
        lambda h: scan(cell, x, (h[None],))[0][-1, 0], first[0]
    )
    assert torch.allclose(product, by_autograd, atol=1e-12)
    steps = [step.detach() for step in steps]
    norms = chain_norms(steps)
    assert norms[0] == pytest.approx(torch.linalg.matrix_norm(steps[-1], 2).item())
    assert norms[-1] == pytest.approx(torch.linalg.matrix_norm(by_autograd.detach(), 2).item())


def test_an_orthogonal_start_neither_shrinks_nor_stretches_a_small_state():
    torch.manual_seed(0)
    cell = RNN(2, 8).orthogonal()
    h = 1e-4 * torch.randn(3, 8, generator=generator())
    (after,) = cell(torch.zeros(3, 2), (h,))
    assert torch.allclose(after.norm(dim=1), h.norm(dim=1), rtol=1e-3)
    assert torch.allclose(cell.h.weight @ cell.h.weight.T, torch.eye(8), atol=1e-5)


@pytest.mark.parametrize("shape", [(0, 2, 3), (4, 2, 5)])
def test_other_sequences_are_refused(shape):
    with pytest.raises(UsageError, match=r"expected \[steps, batch, 3\]"):
        scan(GRU(3, 4), torch.zeros(shape))


def test_nothing_at_all_is_refused(model):
    for sizes in ((0, 3), (3, 0)):
        with pytest.raises(UsageError, match="at least 1 of each"):
            GRU(*sizes)
    with pytest.raises(UsageError, match="no matrices"):
        chain_norms([])
    with pytest.raises(UsageError, match="no captions"):
        model.perplexity([])


def test_an_unknown_cell_is_told():
    with pytest.raises(UsageError, match="did you mean 'gru'"):
        Sequencer("gruu", 2, 1)


def test_the_adding_problem():
    x, y = adding(500, 20, generator())
    assert x.shape == (20, 500, 2) and (x[:, :, 1].sum(0) == 2).all()
    assert (x[:10, :, 1].sum(0) == 1).all()
    assert torch.allclose((x[..., 0] * x[..., 1]).sum(0), y)
    assert float((y - 1).square().mean()) == pytest.approx(1 / 6, abs=0.03)
    with pytest.raises(UsageError, match="at least 2"):
        adding(1, 1, generator())


def test_the_copying_task():
    x, y = copying(6, 7, generator(), symbols=3)
    assert x.shape == y.shape == (13, 6)
    assert (x[:3] < BLANK).all() and (x[9] == GO).all() and (x[10:] == BLANK).all()
    assert (y[:10] == BLANK).all() and torch.equal(y[10:], x[:3])
    assert (x == GO).sum() == 6
    with pytest.raises(UsageError, match="at least 1 of each"):
        copying(1, 0, generator())


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_gates_learn_to_add_over_ten_steps(kind):
    torch.manual_seed(0)
    net = Sequencer(kind, 2, 1, hidden=16, **({"forget": 1.0} if kind == "lstm" else {}))
    adam, rng, losses = torch.optim.Adam(net.parameters(), 0.02), generator(), []
    for _ in range(500):
        x, y = adding(64, 8, rng)
        loss = (net(x)[0][-1, :, 0] - y).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) / 20 < 0.02 < 1 / 6 < sum(losses[:3]) / 3 + 0.5


SENTENCES = ["a red bird", "a blue bird", "the red fish swims"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = LanguageModel("gru", Vocabulary.of(SENTENCES), hidden=12, words=6)
    return model.eval().requires_grad_(False)


def test_what_is_seen_and_what_is_said():
    vocabulary = Vocabulary.of(SENTENCES)
    x, y, there = next_words(SENTENCES, vocabulary)
    words = [*vocabulary.index]
    assert [words[k] for k in x[:, 0]] == ["<pad>", "a", "red", "bird", "<pad>"]
    assert [words[k] for k in y[:, 2]] == ["the", "red", "fish", "swims", "<pad>"]
    assert there.sum(0).tolist() == [4, 4, 5]
    assert torch.equal(next_words(SENTENCES[0], vocabulary)[0], x[:4, :1])
    with pytest.raises(UsageError, match="at least one"):
        next_words([], vocabulary)


def test_a_sentence_costs_the_product_of_its_words(model):
    nats, words = model.nats(SENTENCES)
    trace = model.read(SENTENCES[2])
    said = [model.vocabulary.index[w] for w in trace.words] + [0]
    p = torch.stack([row[k] for row, k in zip(trace.next, said, strict=True)])
    assert float(nats[2]) == pytest.approx(float(-p.log().sum()), rel=1e-5)
    assert words.tolist() == [4, 4, 5]
    assert model.perplexity(SENTENCES) == pytest.approx(math.exp(float(nats.sum()) / 13), rel=1e-5)
    assert trace.states.shape == (5, 12) and trace.changes.shape == (4,)
    assert torch.allclose(trace.next.sum(1), torch.ones(5), atol=1e-5)


def test_samples_have_the_probabilities_of_the_model(model):
    said = model.sample(4000, seed=1)
    assert said == model.sample(4000, seed=1) and said != model.sample(4000, seed=2)
    p = model.read("a red bird").next[0]
    for word, k in model.vocabulary.index.items():
        if k > 1:
            share = sum(s.split()[:1] == [word] for s in said) / 4000
            assert share == pytest.approx(float(p[k]), abs=0.04)
    cold = model.sample(50, seed=0, temperature=1e-5)
    assert len(set(cold)) == 1
    with pytest.raises(UsageError, match="above 0"):
        model.sample(2, temperature=0)
    with pytest.raises(CaptionError):
        model.read("?!")


def test_the_most_likely_words_are_named(model):
    following = torch.zeros(len(model.vocabulary))
    following[[0, 3]] = torch.tensor([0.3, 0.7])
    (first, p), (second, q) = most_likely(following, model.vocabulary, 2)
    assert (first, second) == ([*model.vocabulary.index][3], "(end)")
    assert (p, q) == pytest.approx((0.7, 0.3))
