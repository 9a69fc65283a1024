"""Restricted Boltzmann machines on digits, by CD-k or PCD-k, with log p(test) measured in nats."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages
from t2ilab.exact.partition import CHAINS, TEMPERATURES, base_rates, log_zs
from t2ilab.models.rbm import RBM, bernoulli
from t2ilab.recipes.data import load_data
from t2ilab.recipes.options import Options as Common
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.boltzmann import Boltzmann, TrainedRBM
from t2ilab.trainers.rbm import BINARISE, GRADIENTS, METHODS, BinaryBatches, RBMTrainer, binary

SIDES = {"digits": 8, "mnist": 28}  # pixels
BINARISED = {"digits": "threshold", "mnist": "stochastic"}
STEPS = {"smoke": 100, "laptop": 8000, "gpu": 48_000}  # on digits
MINUTES = {"smoke": 0.05, "laptop": 5, "gpu": 60}  # on MNIST
DEFAULTS = {  # on digits the best of a dozen trials of one seed
    "digits": {"hidden": 64, "lr": 0.3, "weight_decay": 2e-3},
    "mnist": {"hidden": 500, "lr": 0.03, "weight_decay": 2e-4},
}
WALKS = {"smoke": 100, "laptop": TEMPERATURES, "gpu": TEMPERATURES}  # temperatures


@dataclass(frozen=True, kw_only=True)
class Binary(Common):
    """Of a system that learns from binary digits."""

    data: str = option(
        "digits",
        "digits (scikit-learn's, 8 x 8) or mnist (28 x 28, needs --root).",
        choices=SIDES,
        called="data set",
    )
    root: str | None = option(None, "Where MNIST's files are.", path=True, free=True)
    binarise: str | None = option(
        None,
        "threshold or stochastic (a pixel is 1 with probability grey / 255, drawn at each visit); "
        "by default digits by threshold, mnist stochastic.",
        choices=BINARISE,
        called="way to binarise",
    )
    lr: float | None = option(
        None, "Falls to 0 over the budget; default by data.", kind=float, least=1e-6, most=10
    )
    momentum: float = option(0.5, "Of the ascent.", kind=float, least=0, most=0.999)
    weight_decay: float | None = option(
        None, "Of weights, not biases; default by data.", kind=float, least=0, most=1
    )
    batch_size: int = option(100, "Pictures a step.", kind=int, least=1, most=65_536)
    chains: int = option(100, "Persistent chains.", kind=int, least=1, most=65_536)
    k: int = option(1, "Gibbs steps for an update.", kind=int, least=1, most=1000)

    @property
    def binarised(self) -> str:
        return self.binarise or BINARISED[self.data]

    def given(self, defaults: dict[str, dict], *names: str) -> dict[str, float]:
        """name -> value, that of the data where none was given."""
        own = {name: getattr(self, name) for name in names}
        return {k: defaults[self.data][k] if v is None else v for k, v in own.items()}


@dataclass(frozen=True, kw_only=True)
class Options(Binary):
    """Of the RBM."""

    hidden: int | None = option(
        None, "Hidden units; 64 on digits, 500 on mnist.", kind=int, least=1, most=65_536
    )
    method: str = option("pcd", "cd or pcd: where the chains begin.", choices=METHODS)
    gradient: str = option("centred", "plain or centred.", choices=GRADIENTS)


System = TrainedRBM
HEADLINE = ("log_p", "log_p_ais", "log_p_reverse_ais")


def grey(pictures: CaptionedImages) -> UInt8[np.ndarray, "n D"]:
    """Pixels in rows, 0 to 255."""
    return np.ascontiguousarray(pictures.images[..., 0]).reshape(len(pictures), -1)


def load(o: Binary, data: str, split: str) -> CaptionedImages:
    """Digits of `data` in their own size."""
    return load_data(data=data, root=o.root, size=SIDES[data], split=split)


def built(o: Binary, make) -> Built:
    """What RBM and DBM share: data, batches and base rates around a trainer.

    Args:
        make: (base rates, mean of the data, chains [m, D]) -> trainer, machine -> system.
    """
    pictures = load(o, o.data, "train")
    pixels = grey(pictures)
    share = pixels >= 128 if o.binarised == "threshold" else pixels / np.float32(255)
    mean = torch.from_numpy(share.mean(0, dtype=np.float64).astype(np.float32))
    base = base_rates(mean, len(pixels))
    torch.manual_seed(o.seed)
    start = bernoulli(mean.expand(o.chains, -1), torch.Generator().manual_seed(o.seed))
    trainer, finish = make(base, mean, start)
    return Built(
        trainer,
        BinaryBatches(pixels, batch_size=o.batch_size, binarise=o.binarised, seed=o.seed),
        finish=finish,
        name=f"{o.system}-{o.data}-{SIDES[o.data]}",
        data=f"{pictures.name}, binarised: {o.binarised}",
        fingerprint=fingerprint(pictures),
        steps=STEPS[o.profile] if o.data == "digits" else None,
        minutes=MINUTES[o.profile] if o.data == "mnist" else None,
        precision="32-true",
        more={"binarise": o.binarised},
    )


def build(o: Options, prepare) -> Built:
    """The machine, its visible biases those of independent pixels (Hinton 2010, section 8.1)."""

    def make(base, mean, start):
        rbm = RBM(visible=len(base), **o.given(DEFAULTS, "hidden"))
        rbm.a.data.copy_(base)
        trainer = RBMTrainer(
            rbm,
            chains=start,
            v_mean=mean,
            method=o.method,
            k=o.k,
            gradient=o.gradient,
            momentum=o.momentum,
            seed=o.seed,
            **o.given(DEFAULTS, "lr", "weight_decay"),
        )
        return trainer, lambda: TrainedRBM(rbm, base)

    return built(o, make)


def cases(system: Boltzmann, o: Binary, split: str, n: int | None = None) -> Float[Tensor, "n D"]:
    """Pictures of the data that the machine learned from, binarised as they were; always the same.

    Weights say themselves which data and way these were; `o` may not know it.
    """
    data = next(name for name, side in SIDES.items() if side == system.size)
    binarise = system.about.get("more", {}).get("binarise", o.binarised)
    pixels = grey(load(o, data, split))[:n]
    return binary(pixels, binarise, np.random.default_rng(0))


def log_likelihoods(
    system: Boltzmann, o: Binary, unnormalised: dict[str, Tensor]
) -> dict[str, float]:
    """name -> mean of log p in nats, for each log Z: exact, or annealed forwards and backwards.

    Args:
        unnormalised: name -> log p*(v) of each picture.
    """
    steps = WALKS[o.profile]
    zs = log_zs(*system.bipartite(), steps=steps)
    found = {
        f"{name}{way}": float(log_p.double().mean()) - z
        for name, log_p in unnormalised.items()
        for way, z in zs.items()
    }
    found |= {f"log_z{way}": z for way, z in zs.items()}
    return found | ({} if "" in zs else {"temperatures": steps, "walks": CHAINS})


def measure(system: TrainedRBM, o: Options, n: int | None = None) -> dict[str, float]:
    """Mean log p of n test pictures, and of independent pixels with the same means."""
    test = cases(system, o, "test", n)
    found = log_likelihoods(system, o, {"log_p": -system.network.free_energy(test)})
    return found | {"log_p_independent": independent(system, test), "pictures": len(test)}


def independent(system: Boltzmann, test: Float[Tensor, "n D"]) -> float:
    """Mean log p under the base rates alone."""
    return float((test @ system.base - F.softplus(system.base).sum()).mean())
