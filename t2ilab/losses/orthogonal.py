"""Orthogonal regularisation: filters that do not look alike (Brock et al. 2019, eq. 2 and 3).

W is a layer's weight with a row a filter: [filters, everything else]. The paper writes W with a
column a filter, so that its W^T W is W W^T here.
"""

import torch
from jaxtyping import Float
from torch import Tensor

Loss = Float[Tensor, ""]


def orthogonal(weight: Float[Tensor, "filters ..."]) -> Loss:
    """|W W^T ⊙ (1 - I)|², squared Frobenius norm: eq. 3 without its factor beta.

    0 where the filters are orthogonal, whatever their lengths: the diagonal is left alone, which
    eq. 2 (Brock et al. 2017) pulls to 1.
    """
    return _products(weight.flatten(1)).square().sum()


@torch.no_grad()
def orthogonal_gradient(weight: Float[Tensor, "filters ..."]) -> Float[Tensor, "filters ..."]:
    """The gradient of `orthogonal`, in closed form: 4 (W W^T ⊙ (1 - I)) W.

    The authors' code adds beta · 2 (W W^T ⊙ (1 - I)) W to the gradients, which is half of beta
    times this one: its beta of 1e-4 is one of 5e-5 in eq. 3.
    """
    w = weight.flatten(1)
    return (4 * _products(w) @ w).view_as(weight)


def _products(w: Float[Tensor, "filters n"]) -> Float[Tensor, "filters filters"]:
    """The scalar products of different filters; 0 on the diagonal."""
    products = w @ w.T
    return products - torch.diag(products.diagonal())
