"""VAE and IWAE, on digits whose pixels are 0 or 1, and on pictures in colour.

scikit-learn's digits are thresholded at a half (8 of 16). MNIST is binarised anew at each look, a
pixel being 1 with its grey value as chance, in training and in the test; published numbers on one
fixed binarisation are about 2 nats worse (Burda et al. 2016). Colours are 256 values a channel with
a discretised logistic of learned scale. So each number is a likelihood, and on one scale per data.
"""

from dataclasses import asdict, dataclass, replace

import torch

from t2ilab.data import paperworld
from t2ilab.data.batches import PictureBatches
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.bounds import bounds
from t2ilab.metrics.evaluate import picture_scores
from t2ilab.models.vae import VAE
from t2ilab.recipes.data import DATASETS, load_data
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.systems.vae import VAESystem
from t2ilab.trainers.vae import SCHEDULES, Recipe, Variational

OBJECTIVE = {"vae": "elbo", "iwae": "importance"}
SAMPLES = {"vae": 1, "iwae": 5}  # in training


@dataclass(frozen=True)
class Plan:
    """Of a kind of data: pixels, side, sizes of the networks, batch; for measuring, samples of z a
    picture and pictures of the test set.
    """

    pixels: str = "colour"
    size: int = 32
    latent: int = 64
    hidden: int = 32
    batch_size: int = 64
    samples: int = 100
    tested: int = 500
    minutes: float = 5.0  # in the profile laptop


PLANS = {
    "digits": Plan("threshold", 8, 20, 200, 50, samples=1000, minutes=1),
    "two_digits": Plan("drawn", 40, 40, 400, 100),
    "mnist": Plan("drawn", 28, 50, 200, 100, samples=5000),
}
TIMES = {"smoke": 0.01, "laptop": 1, "gpu": 24}  # the minutes of a plan
DRAWN = 2000  # pictures for the FID


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of VAE and IWAE."""

    data: str | None = option(
        None,
        f"A data set: {', '.join(DATASETS)}; digits and two_digits need no --root.",
        choices=DATASETS,
        called="data set",
    )
    latent: int | None = option(
        None,
        "Numbers in z; of two layers in the upper, the lower has twice as many.",
        kind=int,
        least=1,
        most=4096,
    )
    hidden: int | None = option(
        None, "Width of the networks; in colour, channels.", kind=int, least=1, most=4096
    )
    layers: int = option(1, "Layers of z, 1 or 2; in colour 1.", kind=int, least=1, most=2)
    k: int | None = option(
        None, "Samples of z a picture; by default vae 1, iwae 5.", kind=int, least=1, most=10_000
    )
    warmup: float = option(
        0.0, "Share of the budget in which the KL comes to count.", kind=float, least=0, most=1
    )
    free_bits: float = option(
        0.0, "Nats of each number of z that cost nothing (vae).", kind=float, least=0, most=100
    )
    lr: float = option(2e-3, "Of Adam, at first.", kind=float, least=1e-8, most=1)
    schedule: str = option(
        "cosine", f"Of the learning rate: {', '.join(SCHEDULES)}.", choices=SCHEDULES
    )
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)


System = VAESystem
HEADLINE = ("log_p_at_least", "elbo", "active_units", "fid")


def build(o: Options, prepare) -> Built:
    """Encoder and decoder, whose biases begin at the means of the pixels."""
    plan, n = PLANS.get(o.data, Plan()), 256 if o.profile == "smoke" else None
    pictures = load(o, "train", n)
    latent, hidden = o.latent or plan.latent, o.hidden or plan.hidden
    torch.manual_seed(o.seed)
    vae = VAE(
        size=pictures.size,
        pixels=plan.pixels,
        latents=[2 * latent, latent][-o.layers :],
        hidden=[hidden, max(1, hidden // 2)][: o.layers],
    )
    some = to_float(pictures.images[:4096])[:, : vae.channels]
    vae.begin_at(vae.seen(some, torch.Generator().manual_seed(o.seed)).mean(0))
    recipe = Recipe(
        objective=OBJECTIVE[o.system],
        k=o.k or SAMPLES[o.system],
        lr=o.lr,
        schedule=o.schedule,
        warmup=o.warmup,
        free_bits=o.free_bits,
    )
    trainer = Variational(vae, recipe=recipe, seed=o.seed)
    batches = PictureBatches(
        pictures,
        channels=vae.channels,
        batch_size=min(o.batch_size or plan.batch_size, len(pictures)),
        seed=o.seed,
    )
    return Built(
        trainer,
        batches,
        finish=lambda: VAESystem(vae),
        name=f"{o.system}-{o.of}-{vae.size}",
        data=pictures.name,
        fingerprint=fingerprint(pictures),
        minutes=plan.minutes * TIMES[o.profile],
        precision="32-true",  # differences of large numbers
        more={"recipe": asdict(recipe)},
    )


def load(o: Options, split: str, n: int | None = None) -> CaptionedImages:
    """The pictures of these options, in the size that they have of themselves: MNIST's 28.

    Raises:
        UsageError: digits in another size, whose pixels would be made up.
    """
    plan = PLANS.get(o.data, Plan())
    size = o.size or plan.size
    if o.data in PLANS and size != plan.size:
        raise UsageError(f"{o.data} has {plan.size} x {plan.size} pixels here, not {size}.")
    return load_data(world=o.world, data=o.data, root=o.root, split=split, size=size, n=n)


def measure(system: VAESystem, o: Options, n: int | None = None) -> dict:
    """Bounds on n pictures of the test split; with a world's reader, scores of n drawn ones.

    Raises:
        UsageError: the options are of other data than the weights.
    """
    plan, smoke = PLANS.get(o.data, Plan()), o.profile == "smoke"
    if plan.pixels != system.vae.pixels:
        raise UsageError(
            f"these weights are for pixels of the kind '{system.vae.pixels}', and {o.of} has the "
            f"kind '{plan.pixels}': name the data that they learned from."
        )
    test = load(replace(o, size=system.size), "test")
    k = min(plan.samples, 20) if smoke else plan.samples
    some = to_float(test.images[: n or (64 if smoke else plan.tested)])
    found = bounds(system.vae, some, k=k)
    if not has_reader(o.world):
        return found
    n = n or (64 if smoke else DRAWN)
    drawn = torch.cat([to_float(system.draw(min(250, n - i), seed=i)) for i in range(0, n, 250)])
    world = paperworld.world(o.world)
    return found | picture_scores(world, load_reader(o.world), to_float(test.images[:n]), drawn)
