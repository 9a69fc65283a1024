"""DRAW, on pictures without captions: MNIST, scikit-learn's digits, worlds in colour."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.data.batches import PictureBatches
from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import UsageError
from t2ilab.losses.draw import importance_weighted, kl_to_prior, log_likelihood, log_ratio
from t2ilab.models.draw import DRAW
from t2ilab.recipes.data import DATASETS, load_data
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.draw import DrawSystem
from t2ilab.trainers.draw import DrawTrainer, values

GREY = (
    "digits",
    "two_digits",
    "mnist",
)  # learned as zeros and ones; all else as bytes in three colours
DRAWS = 100  # of z for each picture that the bound is measured on: L_100
FEW = 10  # pictures that are measured at a time


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: T, both LSTMs, z, N of the windows, batch, minutes, pictures measured."""

    glimpses: int
    hidden: int
    latent: int
    read: int
    write: int
    batch_size: int = 100
    minutes: float = 5
    pictures: int | None = None
    measured: int = 1000


SMOKE = Plan(3, 16, 4, 2, 4, batch_size=16, minutes=0.05, pictures=256, measured=16)
SMALL = Plan(6, 64, 10, 3, 4)  # for pictures of less than 16 pixels
PLANS = {
    "smoke": SMOKE,
    "laptop": Plan(10, 256, 100, 2, 5),
    "gpu": Plan(64, 256, 100, 2, 5, minutes=12 * 60, measured=10_000),  # the paper's, for MNIST
}


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of DRAW."""

    data: str | None = option(
        None,
        f"A data set: {', '.join(DATASETS)}; digits and two_digits need no --root.",
        choices=DATASETS,
        called="data set",
    )
    size: int | None = option(
        None,
        "Side of the pictures; default 8 for digits, 40 for two_digits, 28 for mnist, else 32.",
        kind=int, least=8, most=128,
    )  # fmt: skip
    glimpses: int | None = option(
        None, "T, strokes; default by profile.", kind=int, least=1, most=256
    )
    hidden: int | None = option(None, "Length of both LSTMs' states.", kind=int, least=1, most=4096)
    latent: int | None = option(None, "Length of z at each glimpse.", kind=int, least=1, most=4096)
    attention: str = option("on", "on, or off: whole pictures.", choices=("on", "off"))
    read: int | None = option(None, "Filters a side to read with.", kind=int, least=2, most=128)
    write: int | None = option(None, "Filters a side to write with.", kind=int, least=2, most=128)
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    lr: float = option(1e-3, "Of Adam.", kind=float, least=1e-6, most=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attention == "off" and (self.read or self.write):
            raise UsageError("--attention off has no window: leave --read and --write out.")


System = DrawSystem
HEADLINE = ("nats_1", "nats_100")


def plan_of(o: Options, size: int) -> Plan:
    """The profile's sizes, smaller ones for small pictures, and what the options say instead."""
    plan = SMALL if size < 16 and o.profile == "laptop" else PLANS[o.profile]
    own = {name: getattr(o, name) for name in ("glimpses", "hidden", "latent", "read", "write")}
    own |= {"batch_size": o.batch_size}
    return replace(plan, **{name: value for name, value in own.items() if value is not None})


def side_of(o: Options) -> int:
    """Pixels a side."""
    return o.size or {"digits": 8, "two_digits": 40, "mnist": 28}.get(o.data, 32)


def load(o: Options, split: str, n: int | None = None) -> CaptionedImages:
    """The first n pictures of a split, or all; MNIST in its own 28 x 28.

    Raises:
        UsageError: MNIST in another size.
    """
    if o.data == "mnist" and side_of(o) != 28:
        raise UsageError(f"DRAW learns MNIST in its own 28 x 28 pixels, not {side_of(o)}.")
    return load_data(world=o.world, data=o.data, root=o.root, split=split, size=side_of(o), n=n)


def build(o: Options, prepare) -> Built:
    """DRAW, its canvas begun as the mean picture.

    Raises:
        UsageError: windows that do not fit the pictures.
    """
    plan, channels = plan_of(o, side_of(o)), 1 if o.data in GREY else 3
    pictures = load(o, "train", plan.pictures)
    if o.root is not None:
        load(o, "test", 1)  # a file that measuring needs is missed now, not after training
    attends = o.attention == "on"
    torch.manual_seed(o.seed)
    network = DRAW(
        size=side_of(o),
        channels=channels,
        glimpses=plan.glimpses,
        hidden=plan.hidden,
        latent=plan.latent,
        read=plan.read if attends else None,
        write=plan.write if attends else None,
        colours=channels == 3,
    )
    network.empty.data.copy_(mean_canvas(pictures, channels))
    return Built(
        DrawTrainer(network, lr=o.lr, seed=o.seed),
        PictureBatches(
            pictures, channels=channels, seed=o.seed, batch_size=min(plan.batch_size, len(pictures))
        ),
        finish=lambda: DrawSystem(network),
        name=f"{o.system}{'' if attends else '_whole'}-{o.of}-{side_of(o)}",
        data=pictures.name,
        fingerprint=fingerprint(pictures),
        minutes=plan.minutes,
        precision="32-true",
        more={"attention": o.attention},
    )


def mean_canvas(pictures: CaptionedImages, channels: int) -> Float[Tensor, "c h w"]:
    """Logits of the mean picture, half a grey one counted in, since no pixel is black for ever."""
    total = torch.from_numpy(pictures.images.sum(0, dtype="int64")[..., :channels] / 255)
    return ((total + 0.5) / (len(pictures) + 1)).logit().permute(2, 0, 1)


def measure(system: DrawSystem, o: Options, n: int | None = None) -> dict[str, float]:
    """-L_1 and -L_100 in nats, KL in all and of each glimpse, on n pictures of the test split.

    Raises:
        UsageError: the system looks at other pictures than these options say.
    """
    pictures = load(o, "test")
    n = min(n or PLANS[o.profile].measured, len(pictures))
    rows = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))[:n].numpy()
    images = torch.from_numpy(pictures.images[rows])[..., : 1 if o.data in GREY else 3]
    rng = torch.Generator().manual_seed(1)
    x = values(images.permute(0, 3, 1, 2), system.network, rng)
    system.see_fit(x)
    log_w, kl = log_weights(system.network, x, DRAWS, rng)
    nats = {"nats_1": -float(log_w.mean()), "nats_100": -float(importance_weighted(log_w).mean())}
    if system.network.colours:
        nats["bits_a_value"] = nats["nats_100"] / (x[0].numel() * torch.tensor(2.0).log().item())
    steps = {f"kl_{t:02d}": float(one) for t, one in enumerate(kl.mean(1), 1)}
    return nats | {"pictures": n, "kl": float(kl.sum(0).mean())} | steps


@torch.inference_mode()
def log_weights(
    network: DRAW, x: Float[Tensor, "n c h w"], k: int, rng: torch.Generator
) -> tuple[Float[Tensor, "k n"], Float[Tensor, "T n"]]:
    """log w = log p(x, z) / q(z | x) for k draws of z, and KL of each glimpse (mean of the draws).

    The mean of the logs is L_1; `importance_weighted` gives L_k.
    """
    log_w, kl = [], []
    for part in x.split(FEW):
        many = part.repeat(k, 1, 1, 1)
        done = network(many, network.noise(len(many), rng))
        log_p = log_likelihood(many, done.canvases[-1], done.log_scale)
        one = log_p - log_ratio(done.z, done.mu, done.log_sigma).sum(0)
        log_w.append(one.view(k, len(part)))
        kl.append(kl_to_prior(done.mu, done.log_sigma).unflatten(1, (k, len(part))).mean(1))
    return torch.cat(log_w, 1), torch.cat(kl, 1)
