"""What the recipes of embedding, similarity and affinity share: data, encoder, and measuring."""

from dataclasses import dataclass

import numpy as np
import torch

from t2ilab.data import paperworld, public
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import Truth
from t2ilab.data.paperworld import crowds
from t2ilab.errors import UsageError
from t2ilab.metrics.binding import FORMS, swapped, told_apart
from t2ilab.metrics.localisation import localise, propose
from t2ilab.metrics.matching import purity, recalls
from t2ilab.metrics.retrieval import unseen
from t2ilab.recipes.data import load_data
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.regions import Regions, regions
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.two_branch import TwoBranchSystem
from t2ilab.text.encoders import CaptionEncoder, GRUEncoder
from t2ilab.text.tokens import Vocabulary
from t2ilab.trainers.matching_batches import MatchingBatches


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: pictures (None: all), width, hidden units and space, words, steps."""

    pictures: int | None
    width: int
    hidden: int
    text: int
    steps: int
    tested: int = 1000


PLANS = {
    "smoke": Plan(pictures=512, width=8, hidden=32, text=32, steps=30, tested=200),
    "laptop": Plan(pictures=None, width=24, hidden=128, text=128, steps=3000),
    "gpu": Plan(pictures=None, width=64, hidden=512, text=512, steps=30_000, tested=2000),
}
CROWDS = "crowds"  # as a data set
HEADLINE = ("facts_caption_1_unseen", "facts_picture_1_unseen", "swapped_unseen")


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of a network of two branches."""

    data: str | None = option(
        None,
        f"crowds: figures cut out of crowds, needs no --root; or {', '.join(public.DATASETS)}.",
        choices=(CROWDS, *public.DATASETS),
        called="data set",
    )
    size: int | None = option(
        None, "Side of the pictures in pixels: 32 (default) or 64.", kind=int, least=32, most=64
    )
    width: int | None = option(
        None, "Channels of the first convolution; by default by profile.", kind=int, least=1,
        most=512,
    )  # fmt: skip
    encoder: str | None = option(
        None, "A trained encoder that stays as it is; default: a GRU that learns along.", path=False
    )
    batch_size: int = option(128, "Pictures a step.", kind=int, least=8, most=65_536)
    group: int = option(
        8, "Pictures that differ in a detail, side by side in a batch; 1: none.", kind=int, least=1,
        most=64,
    )  # fmt: skip
    each: int = option(2, "Captions of each picture in a batch.", kind=int, least=1, most=10)
    lr: float = option(2e-3, "Of AdamW, the largest.", kind=float, least=1e-8, most=1)


def load(o: Options, split: str, n: int | None = None) -> CaptionedImages:
    """The first n pictures of a split; of crowds the figures of the first n / 2."""
    size = o.size or 32
    if o.data == CROWDS:
        return crowds.crops(split, size, None if n is None else max(n // 2, 12))
    return load_data(world=o.world, data=o.data, root=o.root, size=size, split=split, n=n)


def training(o: Options) -> Regions:
    """What is learned from: of crowds also boxes that are not exact, and such that show nothing."""
    n = PLANS[o.profile].pictures
    data = load(o, "train", n)
    if o.data != CROWDS:
        return Regions(data, None)
    return regions(crowds.load("train", n=None if n is None else n // 2), data)


def world_of(o: Options) -> str | None:
    """The world of PaperWorld whose facts and captions the pictures have, if they are of one."""
    return "phrases" if o.data == CROWDS else o.world


def encoder_for(o: Options, data: CaptionedImages) -> CaptionEncoder:
    """The trained encoder that is named, frozen; or a GRU over the words of these captions."""
    if o.encoder:
        return load_encoder(o.encoder).requires_grad_(False)
    corpus = [c for captions in data.captions for c in captions]
    text = PLANS[o.profile].text
    words = Vocabulary.of(corpus, at_least=1 if data.stated is not None else 3)
    return GRUEncoder(words, text=text, word=text // 2, hidden=text // 2)


def sizes(o: Options, encoder: CaptionEncoder) -> dict[str, int]:
    """The arguments of the networks."""
    plan = PLANS[o.profile]
    return dict(
        text=encoder.text, size=o.size or 32, width=o.width or plan.width, hidden=plan.hidden
    )


def built(o: Options, seen: Regions, trainer, system: TwoBranchSystem, **more: str) -> Built:
    """What all three recipes return; `system` holds the networks that the trainer trains."""
    data = seen.figures
    size = min(o.batch_size, len(data))
    batches = MatchingBatches(
        data,
        system.encoder,
        batch_size=size - size % o.group,
        each=o.each,
        group=o.group,
        others=seen.others,
        seed=o.seed,
    )
    return Built(
        trainer,
        batches,
        finish=lambda: system.requires_grad_(False),
        name=f"{o.system}-{o.of}-{o.size or 32}",
        data=data.name,
        fingerprint=fingerprint(data),
        steps=PLANS[o.profile].steps,
        more=more,
    )


def measure(system: TwoBranchSystem, o: Options, n: int | None = None) -> dict[str, float]:
    """Of n pictures that training did not see and their complete captions, what `found` says.

    Of n / 4 crowds also the share of phrases whose figure is found among exact and wrong boxes; see
    `metrics.localisation`.
    """
    n = n or PLANS[o.profile].tested
    measured = found(system, load(o, "test", n), world_of(o))
    if o.data != CROWDS:
        return measured
    crowd = crowds.load("test", n=max(n // 4, 12))
    boxes = localise(system.match, crowd, propose(crowd), size=system.size)
    told = {"localised": boxes.r1, "largest": boxes.largest, "chance": boxes.chance}
    return measured | told | {"localised_upper": boxes.upper, "phrases": boxes.phrases}


def found(
    system: TwoBranchSystem, test: CaptionedImages, world: str | None = None
) -> dict[str, float]:
    """Retrieval both ways, swapped colours, neighbours.

    R@K as `recalls` has it; in a world "..._seen" and "..._unseen" are those of pictures of classes
    that training saw and did not see, the candidates always all. "text_1": of second captions the
    nearest to a first one is true of its picture. "swapped_..." is the share of pairs of captions
    with two colours swapped that are told apart. "near_breast" and so on are the `purity` of the
    pictures' neighbours.

    Args:
        test: pictures, of which the first caption counts.
        world: of PaperWorld, where they are of one.

    Raises:
        UsageError: fewer than twelve pictures.
    """
    if len(test) < 12:
        raise UsageError(f"{len(test)} pictures: matching is measured on 12 or more.")
    every, first = np.arange(len(test)), np.zeros(len(test), int)
    x, y = system.pictures(test.images), system.captions([c[0] for c in test.captions])
    fits = torch.from_numpy(Truth(test).fits(every, every, first))
    scores = system.scores(x, y)
    measured = recalls(scores, fits) | {"pictures": len(test)}
    if all(len(c) > 1 for c in test.captions):
        measured["text_1"] = _text_to_text(system, test, y)
    if world is None:
        return measured
    drawn = paperworld.world(world)
    new = unseen(test, drawn)
    for name, which in (("seen", ~new), ("unseen", new)):
        part = test.subset(which)
        if len(part):
            some = recalls(scores, fits, torch.from_numpy(which))
            measured |= {f"{k}_{name}": v for k, v in some.items() if k.startswith("facts")}
        if world in FORMS and len(part) and swapped(part, drawn):
            measured[f"swapped_{name}"] = told_apart(system.match, part, drawn)["all"]
    return measured | {f"near_{k}": v for k, v in purity(x, test.attributes).items()}


def _text_to_text(system: TwoBranchSystem, test: CaptionedImages, y) -> float:
    """Of the second captions the one nearest to a picture's first is true of it: the share."""
    every = np.arange(len(test))
    fits = torch.from_numpy(Truth(test).fits(every, every, np.ones(len(test), int)))
    second = system.captions([c[1] for c in test.captions])
    return recalls(y @ second.T, fits)["facts_caption_1"]
