"""The conditional game in closed form, on tables: Le 2018, eq. 3.1, for a few labels and states.

p[y, x] and q[y, x] are p(x|y) of the data and q(x|y) of the generator; p_y the labels' shares.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.exact.game import optimal_discriminator, value

Labels = Float[Tensor, " labels"]
Table = Float[Tensor, "labels states"]


def value_shown(p_y: Labels, p: Table, q: Table) -> Float[Tensor, ""]:
    """max over D(x|y) of V = sum_y p(y) (2 JS(p(.|y), q(.|y)) - log 4).

    Its least value over q, -log 4, is reached at q(x|y) = p(x|y) for each y alone.
    """
    return p_y @ value(optimal_discriminator(p, q), p, q)


def value_blind(p_y: Labels, p: Table, q: Table) -> Float[Tensor, ""]:
    """The same for a D that is not shown y: it sees the mixtures over y alone.

    -log 4 for every q whose mixture is that of the data, whatever it draws for which label.
    """
    of_data, made = p_y @ p, p_y @ q
    return value(optimal_discriminator(of_data, made), of_data, made)


def obeys(p_y: Labels, p: Table, q: Table) -> Float[Tensor, ""]:
    """The chance that the best reader of labels, p(y|x), names the label G was given."""
    joint = p_y[:, None] * p
    read = joint.argmax(0)  # of each state
    right = torch.nn.functional.one_hot(read, len(p_y)).T.to(q)
    return (p_y[:, None] * q * right).sum()
