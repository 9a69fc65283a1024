"""Deep Boltzmann machines of two layers on digits: plain, pretrained, or centred from scratch."""

from dataclasses import dataclass

from t2ilab.exact.partition import log_p_star, small
from t2ilab.models.dbm import DBM
from t2ilab.recipes.options import option
from t2ilab.recipes.rbm import CHAINS, Binary, built, cases, independent, log_likelihoods
from t2ilab.recipes.train import Built
from t2ilab.systems.boltzmann import TrainedDBM
from t2ilab.trainers.dbm import METHODS, DBMTrainer

HIDDEN = {"digits": (14, 32), "mnist": (256, 256)}  # h1, so small that log Z can be summed; h2
LR = {"digits": 0.02, "mnist": 0.02}
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
        hidden, top = HIDDEN[o.data]
        dbm = DBM(visible=len(base), hidden=o.hidden or hidden, top=o.top or top)
        dbm.a.data.copy_(base)
        trainer = DBMTrainer(
            dbm,
            chains=start,
            v_mean=mean,
            method=o.method,
            k=o.k,
            updates=o.updates,
            lr=o.lr or LR[o.data],
            momentum=o.momentum,
            weight_decay=o.weight_decay,
            seed=o.seed,
        )
        return trainer, lambda: TrainedDBM(dbm, base)

    return built(o, make)


def measure(system: TrainedDBM, o: Options, n: int | None = None) -> dict[str, float]:
    """Mean of the mean-field bound on log p of n test pictures; where h1 is small, of log p too."""
    test, train = cases(system, o, "test", n), cases(system, o, "train", CHAINS)
    dbm, exact = system.network, small(system.bipartite()[0])
    q = dbm.mean_field(test, updates=SETTLED)
    unnormalised = {"log_p_bound": dbm.bound(test, *q)}
    if exact:
        unnormalised["log_p"] = log_p_star(dbm, test)
    first, _ = dbm.mean_field(train)
    found = log_likelihoods(system, o, unnormalised, first.round())
    if exact:
        found["bound_gap"] = found["log_p"] - found["log_p_bound"]
    return found | {"log_p_independent": independent(system, test), "pictures": len(test)}
