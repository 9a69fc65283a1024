"""alignDRAW: captions drawn in strokes, on a world of PaperWorld, placed digits or public data."""

from dataclasses import dataclass, replace
from math import log
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2ilab.data import paperworld, placed_digits, public
from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import UsageError
from t2ilab.fit import checkpoint
from t2ilab.losses.aligndraw import kl_gaussians, log_ratio
from t2ilab.losses.draw import importance_weighted, log_likelihood
from t2ilab.metrics.alignment import mass, masses
from t2ilab.metrics.evaluate import evaluate
from t2ilab.metrics.placed import placed_right
from t2ilab.models.aligndraw import AlignDRAW
from t2ilab.paths import user_path
from t2ilab.recipes.data import load_data, word_numbers
from t2ilab.recipes.draw import mean_canvas
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.aligndraw import AlignDraw
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.text.tokens import Vocabulary
from t2ilab.trainers.aligndraw import AlignDrawTrainer, WordBatches
from t2ilab.trainers.draw import values

PLACED = "placed_digits"  # grey: learned as zeros and ones
CHOICES = (*public.DATASETS, PLACED)
DRAWS = 20  # of z for each picture that the bound is measured on: L_20
FEW = 20  # pictures that are measured at a time


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: T, decoder, encoder, z, N of the windows, the reader of words, batch,
    minutes, pictures (None: all), and of how many the bound is measured."""

    strokes: int
    hidden: int
    looking: int
    latent: int
    read: int
    write: int
    language: int
    batch_size: int = 64
    minutes: float = 45
    pictures: int | None = None
    measured: int = 500


PLANS = {
    "smoke": Plan(3, 24, 16, 4, 3, 4, 8, batch_size=16, minutes=0.05, pictures=256, measured=20),
    "laptop": Plan(10, 256, 96, 24, 6, 16, 80),
    # Near the authors' sizes for COCO at 32 pixels.
    "gpu": Plan(32, 550, 550, 275, 9, 9, 128, batch_size=100, minutes=24 * 60, measured=2000),
}


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of alignDRAW."""

    data: str | None = option(
        None,
        f"A data set: {', '.join(CHOICES)}; {PLACED} needs no --root.",
        choices=CHOICES,
        called="data set",
    )
    strokes: int | None = option(
        None, "T; 1 makes a conditional variational autoencoder.", kind=int, least=1, most=256
    )
    align: str = option(
        "on", "on, or off: every word weighs the same at every stroke.", choices=("on", "off")
    )
    hidden: int | None = option(
        None, "Length of the decoder's state.", kind=int, least=1, most=4096
    )
    latent: int | None = option(None, "Length of z at each stroke.", kind=int, least=1, most=4096)
    read: int | None = option(None, "Filters a side to read with.", kind=int, least=2, most=128)
    write: int | None = option(None, "Filters a side to write with.", kind=int, least=2, most=128)
    floor: float = option(
        -2.5, "The least log scale of the likelihood of colours.", kind=float, least=-7, most=0
    )
    blind: float = option(
        0.5, "Weight of what is drawn without looking; 0: the bound alone.", kind=float, least=0,
        most=100,
    )  # fmt: skip
    start: str | None = option(None, "Folder of another run, to begin with its network.", path=True)
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    lr: float = option(1e-3, "Of Adam.", kind=float, least=1e-6, most=1)


System = AlignDraw
HEADLINE = ("consistency_all", "consistency_all_unseen", "fid", "nats_1")


def plan_of(o: Options) -> Plan:
    """The profile's sizes, and what the options say instead."""
    names = ("strokes", "hidden", "latent", "read", "write", "batch_size")
    own = {name: getattr(o, name) for name in names}
    return replace(PLANS[o.profile], **{k: v for k, v in own.items() if v is not None})


def load(o: Options, split: str, n: int | None = None) -> CaptionedImages:
    """The first n pictures of a split, or all, with all their captions."""
    if o.data == PLACED:
        return placed_digits.load(split, o.size or 32, n)
    return load_data(
        world=o.world, data=o.data, root=o.root, split=split, size=o.size or 32, n=n, asides=True
    )


def numbers_of(vocabulary: Vocabulary, data: CaptionedImages) -> Int[Tensor, "n k L"]:
    """The word numbers of every caption; pictures with fewer captions repeat their own.

    A caption of more than 60 words ends there; one that has none is a single unknown word.
    """
    numbers = word_numbers(vocabulary, data)
    numbers[..., 0].clamp_(min=1)
    return numbers


def build(o: Options, prepare) -> Built:
    """Vocabulary, alignDRAW, its canvas begun as the mean picture.

    Raises:
        UsageError: windows that do not fit the pictures.
    """
    plan, channels = plan_of(o), 1 if o.data == PLACED else 3
    data = load(o, "train", plan.pictures)
    corpus = [c for captions in data.captions for c in captions]
    vocabulary = Vocabulary.of(corpus, at_least=3 if o.data in public.DATASETS else 1)
    numbers = numbers_of(vocabulary, data)
    torch.manual_seed(o.seed)
    network = AlignDRAW(
        words=len(vocabulary),
        language=plan.language,
        align=plan.language,
        alignment=o.align == "on",
        size=data.size,
        channels=channels,
        glimpses=plan.strokes,
        hidden=plan.hidden,
        looking=plan.looking,
        latent=plan.latent,
        read=plan.read,
        write=plan.write,
        colours=channels == 3,
    )
    network.empty.data.copy_(mean_canvas(data, channels))
    start = {} if o.start is None else {"start": begin_with(network, user_path(o.start, "start"))}
    batch_size = min(plan.batch_size, len(data))
    variant = f"{'' if o.align == 'on' else '_even'}{'_once' if plan.strokes == 1 else ''}"
    return Built(
        AlignDrawTrainer(
            network,
            shown=numbers[: 16 * 7 : 7, 0],
            lr=o.lr,
            floor=o.floor,
            blind=o.blind,
            seed=o.seed,
        ),
        WordBatches(data, numbers, batch_size=batch_size, seed=o.seed, channels=channels),
        finish=lambda: AlignDraw(vocabulary, network),
        name=f"{o.system}{variant}-{o.of}-{data.size}",
        data=data.name,
        fingerprint=fingerprint(data),
        minutes=plan.minutes,
        more={"align": o.align, "strokes": plan.strokes, "blind": o.blind, **start},
    )


def begin_with(network: AlignDRAW, folder: Path) -> dict:
    """Give the network the weights of another run; says whose.

    Raises:
        UsageError: there is no checkpoint of an alignDRAW of these sizes in `folder`.
    """
    found = checkpoint.read(folder)
    state = {} if found is None else found["trainer"].get("network", {})
    own = network.state_dict()
    if {k: v.shape for k, v in state.items()} != {k: v.shape for k, v in own.items()}:
        raise UsageError(
            f"--start {folder}: expected the folder of a run of aligndraw with the same sizes and "
            f"words, with its {checkpoint.NAME}."
        )
    network.load_state_dict(state)
    told = ("system", "world", "data", "blind", "seed")
    recorded = found["record"]["options"]
    return {name: recorded[name] for name in told if name in recorded} | {"steps": found["step"]}


def measure(system: AlignDraw, o: Options, n: int | None = None) -> dict:
    """The bound on the test split, and on a world what `metrics.evaluate` finds."""
    found = bound(system, load(o, "test"), n or PLANS[o.profile].measured)
    if o.data == PLACED:
        return found | placed(system, o, n)
    if not has_reader(o.world):
        return found
    few = {"n": 64, "noises": 4} if o.profile == "smoke" else {"n": 1000, "noises": 20}
    given = {} if n is None else {"n": n}
    found |= named(system, o.world, n or few["n"]) | attention(system, o.world, few["n"])
    world = paperworld.world(o.world)
    scores = evaluate(system, world, load_reader(o.world), **few | given)
    # Where all pictures are alike, as untrained ones are, the Inception score is 0 log 0.
    return {name: value for name, value in scores.items() if value == value} | found


def named(system: AlignDraw, world: str, n: int = 1000, seed: int = 1) -> dict[str, float]:
    """Are subject and setting those of the caption, in pictures drawn for complete ones?

    The reader must answer here: it refuses what is blurry (see "readable"), and alignDRAW's own
    pictures are. "named" is the share of combinations seen in training, "named_unseen" of others.
    """
    one, reader = paperworld.world(world), load_reader(world)
    test = one.load("test", system.size, n)
    phi = system.encoder.encode([captions[0] for captions in test.captions])
    read = reader.read(system.draw_vectors(phi, system.noise(n, seed)), refuse=False)
    keys = [name for name in ("subject", "setting") if name in read] or list(one.content)
    right = np.logical_and.reduce([read[k].numpy() == test.attributes[k] for k in keys])
    unseen = one.unseen[test.classes]
    return {"named": float(right[~unseen].mean()), "named_unseen": float(right[unseen].mean())}


def placed(system: AlignDraw, o: Options, n: int | None = None) -> dict[str, float]:
    """ "placed": every digit is where the sentence says, of combinations seen in training;
    "placed_unseen", where one stands where training never had it."""
    test = load(o, "test", n or PLANS[o.profile].measured)
    drawn = system.draw([captions[0] for captions in test.captions], seed=1)
    right, unseen = placed_right(drawn, test), test.attributes["unseen"] == 1
    return {
        "placed": float(right[~unseen].mean()),
        "placed_unseen": float(right[unseen].mean()),
        "placed_real": float(placed_right(test.images, test).mean()),
    }


def attention(system: AlignDraw, world: str, n: int = 500, seed: int = 1) -> dict[str, float]:
    """ "mass": of alpha on the words for subject and setting; "mass_even": if all weighed alike."""
    one = paperworld.world(world)
    test = one.load("test", system.size, n)
    words = system.encoder.vocabulary.numbers([captions[0] for captions in test.captions])
    with torch.inference_mode():
        drawn = system.network.generate(words, system.noise(n, seed).transpose(0, 1))
    alpha = drawn.alpha.numpy()
    known = (words > 0).numpy()
    even = np.broadcast_to(known / known.sum(1, keepdims=True), alpha.shape)
    keys = [name for name in ("subject", "setting") if name in one.content] or list(one.content)
    found = {"mass": alpha, "mass_even": even}
    return {name: mass(masses(a, test, one), keys) for name, a in found.items()}


def bound(system: AlignDraw, data: CaptionedImages, n: int) -> dict[str, float]:
    """-L_1 and -L_20 in nats with complete captions, and KL in all and of each stroke.

    Raises:
        UsageError: pictures of another size than the system's.
    """
    network = system.network
    rows = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:n].tolist()
    images = torch.from_numpy(data.images[rows])[..., : network.channels].permute(0, 3, 1, 2)
    rng = torch.Generator().manual_seed(1)
    x = values(images, network, rng)
    system.see_fit(x)
    words = system.encoder.vocabulary.numbers([data.captions[i][0] for i in rows])
    log_w, kl = log_weights(network, x, words, DRAWS, rng)
    found = {
        "nats_1": -float(log_w.mean()),
        f"nats_{DRAWS}": -float(importance_weighted(log_w).mean()),
    }
    if network.colours:
        found["bits_a_value"] = found[f"nats_{DRAWS}"] / (x[0].numel() * log(2))
    steps = {f"kl_{t:02d}": float(one) for t, one in enumerate(kl.mean(1), 1)}
    return found | {"kl": float(kl.sum(0).mean())} | steps


@torch.inference_mode()
def log_weights(
    network: AlignDRAW,
    x: Float[Tensor, "n c h w"],
    words: Int[Tensor, "n L"],
    k: int,
    rng: torch.Generator,
) -> tuple[Float[Tensor, "k n"], Float[Tensor, "T n"]]:
    """log w = log p(x, z | y) / q(z | x, y) for k draws of z, and KL of each stroke.

    The mean of the logs is L_1; `importance_weighted` gives L_k.
    """
    log_w, kl = [], []
    for part, said in zip(x.split(FEW), words.split(FEW), strict=True):
        many = part.repeat(k, 1, 1, 1)
        done = network(many, said.repeat(k, 1), network.noise(len(many), rng))
        log_p = log_likelihood(many, done.canvases[-1], done.log_scale)
        q, p = (done.mu, done.log_sigma), (done.prior_mu, done.prior_log_sigma)
        one = log_p - log_ratio(done.z, q, p).sum(0)
        log_w.append(one.unflatten(0, (k, len(part))))
        kl.append(kl_gaussians(*q, *p).unflatten(1, (k, len(part))).mean(1))
    return torch.cat(log_w, 1), torch.cat(kl, 1)
