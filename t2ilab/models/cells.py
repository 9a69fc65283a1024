"""Recurrent cells, each written out: RNN, LSTM with or without peepholes, GRU.

A cell takes the input x_t and its state and gives the next state; `scan` leads it along a sequence.
Gates and candidates that see the same input are computed by one matrix and split, in the order and
with the two biases that torch.nn has, so that weights can be carried from one to the other.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.errors import UsageError, choose

State = tuple[Tensor, ...]  # h, and of an LSTM c: [b, hidden] each


class Cell(nn.Module):
    """What the three share: W_x x + b_x and W_h h + b_h, of several parts at once.

    Args:
        inputs: numbers in x_t.
        hidden: numbers in the state.

    Attributes:
        parts: how many gates and candidates there are.
        x, h: the linear layers, inputs -> parts * hidden and hidden -> parts * hidden.

    Raises:
        UsageError: inputs or hidden below 1.
    """

    parts = 1
    states = 1  # tensors in a state

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        if inputs < 1 or hidden < 1:
            raise UsageError(f"{inputs} inputs, a state of {hidden}: give at least 1 of each.")
        self.inputs, self.hidden = inputs, hidden
        self.x = nn.Linear(inputs, self.parts * hidden)
        self.h = nn.Linear(hidden, self.parts * hidden)
        for parameter in self.parameters():  # as torch.nn does
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)

    def start(self, n: int) -> State:
        """The state before the first input, zeros [n, hidden]."""
        return tuple(self.x.weight.new_zeros(n, self.hidden) for _ in range(self.states))

    def forward(self, x: Float[Tensor, "b inputs"], state: State) -> State:
        """The next state; its first tensor is h."""
        return self.step(self.x(x), state)

    def step(self, from_x: Float[Tensor, "b parts_hidden"], state: State) -> State:
        """`forward`, where W_x x + b_x is known: `scan` computes it of all inputs at once."""
        raise NotImplementedError


class RNN(Cell):
    """h' = tanh(W_x x + b_x + W_h h + b_h) (Elman 1990)."""

    def step(self, from_x: Tensor, state: State) -> State:
        (h,) = state
        return (torch.tanh(from_x + self.h(h)),)

    def orthogonal(self, gain: float = 1.0) -> "RNN":
        """Let W_h be orthogonal times `gain`, without biases: a state is turned, not shrunk."""
        nn.init.orthogonal_(self.h.weight, gain)
        nn.init.zeros_(self.h.bias)
        nn.init.zeros_(self.x.bias)
        return self


class LSTM(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; Graves 2013, eq. 7 to 11).

    The forget gate and the peepholes are Gers and Schmidhuber's (2000).

        i = sigmoid(W_xi x + W_hi h + w_ci * c + b_i)                                        (7)
        f = sigmoid(W_xf x + W_hf h + w_cf * c + b_f)                                        (8)
        c' = f * c + i * tanh(W_xc x + W_hc h + b_c)                                         (9)
        o = sigmoid(W_xo x + W_ho h + w_co * c' + b_o)                                      (10)
        h' = o * tanh(c')                                                                   (11)

    Args:
        peepholes: whether the gates see the memory cell: the w_c, one number a cell, since the
            matrices W_c are diagonal. torch.nn.LSTM has none.
        forget: is added to the bias of f at the start (Jozefowicz et al. 2015 advise 1).
    """

    parts, states = 4, 2

    def __init__(self, inputs: int, hidden: int, *, peepholes: bool = False, forget: float = 0.0):
        super().__init__(inputs, hidden)
        bound = hidden**-0.5
        self.peep = nn.Parameter(torch.empty(3, hidden).uniform_(-bound, bound)) if peepholes else 0
        with torch.no_grad():
            self.x.bias[hidden : 2 * hidden] += forget

    def step(self, from_x: Tensor, state: State) -> State:
        h, c = state
        to_i, to_f, to_g, to_o = (from_x + self.h(h)).chunk(4, 1)
        w_i, w_f, w_o = self.peep if isinstance(self.peep, Tensor) else (0.0, 0.0, 0.0)
        i = torch.sigmoid(to_i + w_i * c)
        f = torch.sigmoid(to_f + w_f * c)
        c = f * c + i * torch.tanh(to_g)
        o = torch.sigmoid(to_o + w_o * c)
        return o * torch.tanh(c), c


class GRU(Cell):
    """Gated recurrent unit (Cho et al. 2014), in the form that torch.nn.GRU has.

        r = sigmoid(W_xr x + b_xr + W_hr h + b_hr)
        z = sigmoid(W_xz x + b_xz + W_hz h + b_hz)
        n = tanh(W_xn x + b_xn + r * (W_hn h + b_hn))
        h' = (1 - z) * n + z * h

    The paper resets h before the matrix, W (r * h), and calls the share of the new 1 - z as here.
    """

    parts = 3

    def step(self, from_x: Tensor, state: State) -> State:
        (h,) = state
        xr, xz, xn = from_x.chunk(3, 1)
        hr, hz, hn = self.h(h).chunk(3, 1)
        r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        n = torch.tanh(xn + r * hn)
        return ((1 - z) * n + z * h,)


CELLS: dict[str, type[Cell]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU}


def scan(
    cell: Cell, x: Float[Tensor, "T b inputs"], state: State | None = None
) -> tuple[Float[Tensor, "T b hidden"], State]:
    """Lead a cell along sequences: every h, and the last state.

    Raises:
        UsageError: sequences of another width, or of no step.
    """
    if x.ndim != 3 or x.shape[2] != cell.inputs or not len(x):
        raise UsageError(
            f"sequences of shape {list(x.shape)}: expected [steps, batch, {cell.inputs}], with at "
            "least one step."
        )
    state = cell.start(x.shape[1]) if state is None else state
    found = []
    for from_x in cell.x(x):  # [b, parts * hidden]
        state = cell.step(from_x, state)
        found.append(state[0])
    return torch.stack(found), state


def like_torch(cell: Cell) -> nn.Module:
    """torch.nn's layer with the weights of this cell, which computes the same, faster.

    Raises:
        UsageError: an LSTM with peepholes, which torch.nn does not have.
    """
    if isinstance(cell, LSTM) and isinstance(cell.peep, Tensor):
        raise UsageError("torch.nn.LSTM has no peepholes: scan this cell instead.")
    layer = getattr(nn, type(cell).__name__)(cell.inputs, cell.hidden)
    for own, theirs in (("x", "ih"), ("h", "hh")):
        for kind in ("weight", "bias"):
            value = getattr(getattr(cell, own), kind)
            getattr(layer, f"{kind}_{theirs}_l0").data.copy_(value)
    return layer


class Sequencer(nn.Module):
    """A cell with what goes in before it and what comes out behind it.

    Args:
        cell: the name of one of `CELLS`.
        inputs: numbers in x_t; or, with `words`, words in the vocabulary.
        outputs: numbers that come out at each step.
        hidden: numbers in the state.
        words: numbers in a word's vector; 0: inputs are numbers as they are.
        options: of the cell.

    Raises:
        UsageError: an unknown cell.
    """

    def __init__(
        self, cell: str, inputs: int, outputs: int, *, hidden: int = 64, words: int = 0, **options
    ):
        super().__init__()
        kind = CELLS[choose("cell", cell, CELLS)]
        self.words = nn.Embedding(inputs, words) if words else nn.Identity()
        self.cell = kind(words or inputs, hidden, **options)
        self.out = nn.Linear(hidden, outputs)

    def forward(
        self, x: Tensor, state: State | None = None
    ) -> tuple[Float[Tensor, "T b outputs"], State]:
        """x: numbers [T, b, inputs], or words [T, b]."""
        h, state = scan(self.cell, self.words(x), state)
        return self.out(h), state


def step_jacobian(cell: RNN, h: Float[Tensor, " hidden"]) -> Float[Tensor, "hidden hidden"]:
    """dh'/dh of an RNN that arrived at h': diag(1 - h'²) W_h. `h`: h'."""
    return (1 - h**2)[:, None] * cell.h.weight


def chain_norms(jacobians: Sequence[Float[Tensor, "n n"]]) -> Float[Tensor, " T"]:
    """Largest singular value of J_T ... J_{T-k}, for k = 0 ... T-1: how a gradient fares back.

    Raises:
        UsageError: no matrices.
    """
    if not len(jacobians):
        raise UsageError("no matrices: give that of at least one step.")
    product, found = torch.eye(len(jacobians[0]), dtype=jacobians[0].dtype), []
    for jacobian in reversed(jacobians):
        product = product @ jacobian
        found.append(torch.linalg.matrix_norm(product, 2))
    return torch.stack(found)
