"""The sharpening network of a trained alignDRAW."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import TextImageBatches
from t2ilab.errors import UsageError
from t2ilab.metrics.evaluate import evaluate
from t2ilab.models.reed import Discriminator
from t2ilab.models.sharpener import Sharpener
from t2ilab.recipes import aligndraw
from t2ilab.recipes.aligndraw import CHOICES, PLACED, named, numbers_of
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.aligndraw import AlignDraw
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.trainers.sharpener import SharpenerBatches, SharpenerTrainer


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: channels of the sharpener and of the critic, batch, pictures that alignDRAW
    draws for it, minutes, real pictures (None: all)."""

    width: int
    width_d: int
    batch_size: int
    drawn: int
    minutes: float
    pictures: int | None = None


PLANS = {
    "smoke": Plan(4, 4, 16, 64, 0.05, pictures=256),
    "laptop": Plan(32, 32, 48, 8000, 12),
    "gpu": Plan(128, 64, 128, 80_000, 12 * 60),
}


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of the sharpener."""

    data: str | None = option(
        None, f"A data set: {', '.join(CHOICES)}.", choices=CHOICES, called="data set"
    )
    start: str | None = option(
        None,
        "The trained alignDRAW whose pictures are sharpened: DIR, FILE or NAME; default one that "
        "is trained first.",
        path=True,
    )
    width: int | None = option(None, "Channels of the layers.", kind=int, least=1, most=1024)
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    l1: float = option(10.0, "Weight of the distance to real pictures.", kind=float, least=0,
                       most=1e6)  # fmt: skip


System = AlignDraw
HEADLINE = ("consistency_all", "consistency_all_unseen", "fid", "fid_blurry")


def build(o: Options, prepare) -> Built:
    """What alignDRAW draws, once for all; sharpener, critic and their trainer.

    Raises:
        UsageError: grey pictures, another size than that of alignDRAW's, or of other words.
    """
    plan = PLANS[o.profile]
    base = _base(o, prepare).blurry()
    if o.size not in (None, base.size) or o.data == PLACED:
        raise UsageError(
            f"the sharpener works on coloured pictures of {base.size} pixels, as this alignDRAW "
            "draws them."
        )
    of = dict(system="aligndraw", profile=o.profile, world=o.world, data=o.data, root=o.root)
    data = aligndraw.load(aligndraw.Options(**of, size=base.size), "train", plan.pictures)
    numbers = numbers_of(base.encoder.vocabulary, data)
    phi = sentences(base, numbers)
    drawn = draw_all(base, data, numbers, phi, min(plan.drawn, len(data)), o.seed)
    torch.manual_seed(o.seed)
    sharpener = Sharpener(size=base.size, text=phi.shape[2], width=o.width or plan.width)
    critic = Discriminator(
        size=base.size, text=phi.shape[2], width=plan.width_d, norm="spectral", projection=True
    )
    shown = (drawn["blurry"][:16].float() / 127.5 - 1, drawn["told"][:16])
    trainer = SharpenerTrainer(sharpener, critic, shown=shown, l1=o.l1)
    near = 64 if data.stated is not None else 1
    real = TextImageBatches(
        data, phi, seed=o.seed, wrong=2, near=near, flip=False,
        batch_size=min(o.batch_size or plan.batch_size, len(data)),
    )  # fmt: skip
    return Built(
        trainer,
        SharpenerBatches(real, drawn, seed=o.seed),
        finish=lambda: AlignDraw(base.encoder.vocabulary, base.network, trainer.average.cpu()),
        name=f"aligndraw-{o.of}-{base.size}",
        data=data.name,
        fingerprint=fingerprint(data),
        minutes=plan.minutes,
        more={"alignDRAW": _origin(base)},
    )


def _base(o: Options, prepare) -> AlignDraw:
    """The one named, or one that is trained first."""
    if o.start is not None:
        return AlignDraw.load(o.start)
    return prepare("aligndraw", profile=o.profile, size=o.size, **o.origin)


def _origin(base: AlignDraw) -> dict:
    """How alignDRAW was trained, as its own weight file says."""
    return {k: base.about[k] for k in ("command", "steps", "seconds") if k in base.about}


@torch.inference_mode()
def sentences(base: AlignDraw, numbers: Int[Tensor, "n k L"]) -> Tensor:
    """The mean of h_lang of every caption, [n, k, 2 m]."""
    unique, place = numbers.flatten(0, 1).unique(dim=0, return_inverse=True)
    parts = [base.network.sentence(part) for part in unique.split(1024)]
    return torch.cat(parts).clone()[place].unflatten(0, numbers.shape[:2])


@torch.inference_mode()
def draw_all(
    base: AlignDraw,
    data: CaptionedImages,
    numbers: Int[Tensor, "n k L"],
    phi: Tensor,
    n: int,
    seed: int,
) -> dict[str, Tensor]:
    """For the first n pictures: one drawn for their first caption, and one after looking at them.

    See `SharpenerBatches` for the names.
    """
    rng, network = torch.Generator().manual_seed(seed), base.network
    x = torch.from_numpy(data.images[:n].copy()).permute(0, 3, 1, 2)
    blurry, again = [], []
    for part, words in zip(x.split(100), numbers[:n, 0].split(100), strict=True):
        eps = [network.noise(len(part), rng) for _ in range(2)]
        for found, canvas in (
            (blurry, network.generate(words, eps[0]).canvases[-1]),
            (again, network(part.float() / 255, words, eps[1]).canvases[-1]),
        ):
            found.append((255 * canvas.sigmoid()).round().byte())
    told = phi[:n, 0].clone()
    return {
        "blurry": torch.cat(blurry).clone(),
        "told": told,
        "again": torch.cat(again).clone(),
        "told_again": told,
        "wanted": x,
    }


def measure(system: AlignDraw, o: Options, n: int | None = None) -> dict:
    """What `recipes.aligndraw.measure` finds, and consistency and FID without the sharpener."""
    of = dict(system="aligndraw", profile=o.profile, world=o.world, data=o.data, root=o.root)
    found = aligndraw.measure(system, aligndraw.Options(**of, size=system.size), n)
    if not has_reader(o.world):
        return found
    few = {"n": 64, "noises": 4} if o.profile == "smoke" else {"n": 1000, "noises": 4}
    given = {} if n is None else {"n": n}
    world, reader = paperworld.world(o.world), load_reader(o.world)
    before = evaluate(system.blurry(), world, reader, **few | given)
    before |= named(system.blurry(), o.world, n or few["n"])
    names = (
        "consistency_all",
        "consistency_all_unseen",
        "readable",
        "fid",
        "named",
        "named_unseen",
    )
    return found | {f"{name}_blurry": before[name] for name in names}
