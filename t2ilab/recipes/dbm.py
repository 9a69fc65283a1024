"""Deep Boltzmann machines of two layers on digits: plain, pretrained, or centred from scratch."""

from dataclasses import dataclass

from t2ilab.exact.partition import log_p_star, small
from t2ilab.models.dbm import DBM
from t2ilab.recipes.options import option
from t2ilab.recipes.rbm import Binary, built, cases, independent, log_likelihoods
from t2ilab.recipes.train import Built
from t2ilab.systems.boltzmann import TrainedDBM
from t2ilab.trainers.dbm import METHODS, DBMTrainer

DEFAULTS = {  # on digits h1 is so small that log Z can be summed
    "digits": {"hidden": 14, "top": 32, "lr": 0.3, "weight_decay": 1e-4},
    "mnist": {"hidden": 256, "top": 256, "lr": 0.03, "weight_decay": 2e-4},
}
SETTLED = 200  # updates of mean field when the bound is measured, at most


@dataclass(frozen=True, kw_only=True)
class Options(Binary):
    """Of the DBM."""

    hidden: int | None = option(
        None, "Units of h1; 14 on digits, 256 on mnist.", kind=int, least=1, most=65_536
    )
    top: int | None = option(
        None, "Units of h2; 32 on digits, 256 on mnist.", kind=int, least=1, most=65_536
    )
    method: str = option("centred", "plain, pretrained or centred.", choices=METHODS)
    updates: int = option(10, "Of mean field, at most.", kind=int, least=1, most=1000)


System = TrainedDBM
HEADLINE = ("log_p", "bound_gap", "log_p_bound_ais", "log_p_bound_reverse_ais")


def build(o: Options, prepare) -> Built:
    """The machine; as that of the RBM, with a layer more."""

    def make(base, mean, start):
        dbm = DBM(visible=len(base), **o.given(DEFAULTS, "hidden", "top"))
        dbm.a.data.copy_(base)
        trainer = DBMTrainer(
            dbm,
            chains=start,
            v_mean=mean,
            method=o.method,
            k=o.k,
            updates=o.updates,
            momentum=o.momentum,
            seed=o.seed,
            **o.given(DEFAULTS, "lr", "weight_decay"),
        )
        return trainer, lambda: TrainedDBM(dbm, base)

    return built(o, make)


def measure(system: TrainedDBM, o: Options, n: int | None = None) -> dict[str, float]:
    """Mean of the mean-field bound on log p of n test pictures; where h1 is small, of log p too."""
    test = cases(system, o, "test", n)
    dbm, exact = system.network, small(system.bipartite()[0])
    q = dbm.mean_field(test, updates=SETTLED)
    unnormalised = {"log_p_bound": dbm.bound(test, *q)}
    if exact:
        unnormalised["log_p"] = log_p_star(dbm, test)
    found = log_likelihoods(system, o, unnormalised)
    if exact:
        found["bound_gap"] = found["log_p"] - found["log_p_bound"]
    return found | {"log_p_independent": independent(system, test), "pictures": len(test)}
