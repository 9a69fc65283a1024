"""Flows: Jacobians, inverses, and densities that integrate to 1."""

import pytest
import torch

from t2ilab.errors import UsageError
from t2ilab.models.flows import Coupling, Planar, couplings, planar


def spread(flow, by=1.0, seed=0):
    """The flow with parameters far from where they begin."""
    torch.manual_seed(seed)
    for p in flow.parameters():
        torch.nn.init.normal_(p, 0.0, by)
    return flow.double()


FLOWS = {
    "planar": lambda: spread(planar(3, 4)),
    "couplings": lambda: spread(couplings(3, 4)),
    "one coupling of five": lambda: spread(Coupling(5, first=False)),
    "one number": lambda: spread(planar(1, 2)),
}


@pytest.mark.parametrize("name", FLOWS)
def test_the_log_determinant_is_that_of_autograds_jacobian(name):
    flow = FLOWS[name]()
    n = {"one coupling of five": 5, "one number": 1}.get(name, 3)
    z = torch.randn(6, n, dtype=torch.float64)
    _, log_det = flow(z)
    for one, found in zip(z, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda z: flow(z[None])[0][0], one)
        assert found.item() == pytest.approx(float(torch.linalg.slogdet(jacobian)[1]), abs=1e-9)


def test_a_coupling_is_undone_by_its_inverse():
    flow = spread(couplings(4, 5))
    z = torch.randn(20, 4, dtype=torch.float64)
    assert torch.allclose(flow.inverse(flow(z)[0]), z, atol=1e-9)
    assert (flow(z)[0] - z).abs().max() > 0.5  # and it does something


def test_one_half_stays_in_each_coupling():
    z = torch.randn(5, 4, dtype=torch.float64)
    for first, half in ((True, slice(0, 2)), (False, slice(2, 4))):
        moved = spread(Coupling(4, first=first))(z)[0]
        same = torch.isclose(moved, z).all(0)
        assert same[half].all() and same.sum() == 2


@pytest.mark.parametrize("seed", range(20))
def test_a_planar_flow_stays_invertible_whatever_is_learned(seed):
    flow = spread(Planar(2), by=3.0, seed=seed)
    assert (flow.w @ flow.u_hat()).item() > -1
    assert flow(3 * torch.randn(500, 2, dtype=torch.float64))[1].isfinite().all()


def test_what_comes_out_of_couplings_has_a_density_that_integrates_to_1():
    flow = spread(couplings(2, 4), by=0.3)
    side = torch.linspace(-30, 30, 1501, dtype=torch.float64)
    points = torch.cartesian_prod(side, side)
    with torch.no_grad():
        z = flow.inverse(points)
        log_p = -0.5 * z.square().sum(1) - torch.log(torch.tensor(2 * torch.pi)) - flow(z)[1]
    assert float(log_p.exp().sum()) * float(side[1] - side[0]) ** 2 == pytest.approx(1, abs=1e-3)


def test_what_cannot_be_is_refused_in_words():
    with pytest.raises(UsageError, match="give 1 or more"):
        Planar(0)
    with pytest.raises(UsageError, match="give 2 or more"):
        Coupling(1)
    with pytest.raises(UsageError, match="no inverse in closed form"):
        planar(2, 2).inverse(torch.zeros(1, 2))
    for make in (planar, couplings):
        with pytest.raises(UsageError, match="-1 layers"):
            make(2, -1)
