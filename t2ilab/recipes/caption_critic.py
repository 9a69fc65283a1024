"""The three introspective systems of Le 2018, chapter 4, on phrases (his were Flickr30k's)."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
import torch
from torch import Tensor, nn

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import choose
from t2ilab.inputs.synthesis import Sampler
from t2ilab.metrics.consistency import caption_consistency
from t2ilab.metrics.evaluate import drawn_for, picture_scores, readable
from t2ilab.models.caption_critics import CRITICS
from t2ilab.recipes.data import Squares, encode_all, load_data
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.caption_critic import CaptionCriticSystem
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.text import word2vec
from t2ilab.text.bag import counts
from t2ilab.text.encoders import CaptionEncoder, MeanVectorEncoder
from t2ilab.text.tfidf import idf
from t2ilab.text.tokens import Vocabulary, tokenize
from t2ilab.trainers.caption_critic import CaptionCriticTrainer, Recipe
from t2ilab.trainers.introspective_text import MatchedBatches

KEPT = 256  # scores of positives that go into the weight file
# From Gaussian noise, as the thesis has it. The logistic loss has no penalty that would give its
# gradient a norm near 1, so its pictures go by Adam, as INNg's do; the others by the gradient.
GRADIENT = Sampler(rule="gradient", lr=2.0, last_lr=0.5, start="gaussian")
ADAM = Sampler(rule="adam", lr=0.02, last_lr=0.01, start="gaussian")
SYSTEMS = {
    "introspective_text": ("similarity", Recipe(objective="logistic", sampler=ADAM)),
    "wasserstein_text": ("similarity", Recipe(objective="wasserstein", sampler=GRADIENT)),
    "affinity_text": ("affinity", Recipe(objective="affinity", sampler=GRADIENT)),
}
TEXTS = ("word2vec", "tfidf")


@dataclass(frozen=True)
class Plan:
    """Sizes: pictures' side and number (None: all), width, hidden units, batch, pool, minutes."""

    size: int
    pictures: int | None
    width: int
    hidden: int
    batch_size: int
    pool: int
    minutes: float


PLANS = {
    "smoke": Plan(32, 256, 8, 16, 16, 64, 0.05),
    "laptop": Plan(32, None, 24, 64, 32, 256, 5),
    "gpu": Plan(64, None, 64, 256, 100, 4096, 12 * 60),
}


@dataclass(frozen=True, kw_only=True)
class Options(Squares):
    """Of the three systems."""

    text: str = option(
        "word2vec", f"{', '.join(TEXTS)}: captions to vectors, or", choices=TEXTS, called="text"
    )
    encoder: str | CaptionEncoder | None = option(
        None,
        "a trained caption encoder instead: DIR, FILE or NAME.",
        path=True,
        objects=[nn.Module],
    )
    only: str | None = option(
        None, "Pictures of these alone: values of an attribute or classes, 'man,dog'."
    )
    critics: int | None = option(
        None, "Updates of the critic for each synthesis step.", kind=int, least=1, most=1000
    )
    cascade: int | None = option(
        None, "Networks that are trained one after the other.", kind=int, least=1, most=100
    )
    width: int | None = option(
        None, "Channels of the first convolution.", kind=int, least=1, most=1024
    )
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    recipe: Recipe | None = option(
        None, "Instead of the system's own.", objects=[Recipe], shown=False
    )

    def __post_init__(self) -> None:
        if self.world is None and self.data is None and self.root is None:
            object.__setattr__(self, "world", "phrases")
        super().__post_init__()


System = CaptionCriticSystem
HEADLINE = ("inception_score_share", "consistency_all", "readable")


def build(o: Options, prepare) -> Built:
    """Captions to fixed vectors; a critic and its pool."""
    plan = PLANS[o.profile]
    network, recipe = SYSTEMS[choose("system", o.system, SYSTEMS)]
    recipe = o.recipe or recipe
    own = {"critics": o.critics, "cascade": o.cascade}
    recipe = replace(recipe, pool=plan.pool, **{k: v for k, v in own.items() if v is not None})
    size = o.size or o.side(plan.size)
    data = load_data(world=o.world, data=o.data, root=o.root, size=size, n=plan.pictures)
    data = data if o.only is None else only(data, o.only.split(","))
    encoder = _encoder(o, data)
    phi = encode_all(encoder, data)
    torch.manual_seed(o.seed)
    width = o.width or plan.width
    sizes = dict(text=encoder.text, size=size, width=width, hidden=plan.hidden)
    more = {"weight": recipe.affinity} if network == "affinity" else {}
    critic = CRITICS[network](**sizes, **more)
    told = phi[torch.randint(len(data), (recipe.pool,)), 0].float()
    trainer = CaptionCriticTrainer(critic, recipe=recipe, phi=told, seed=o.seed)
    batch_size = min(o.batch_size or plan.batch_size, len(data))
    batches = MatchedBatches(data, phi, batch_size=batch_size, seed=o.seed)
    return Built(
        trainer,
        batches,
        finish=lambda: finished(trainer, encoder, data, phi),
        name=f"{o.system}-{o.of}-{size}",
        data=data.name,
        fingerprint=fingerprint(data),
        minutes=plan.minutes,
        more={"text": o.text, "critics": recipe.critics, "cascade": recipe.cascade},
    )


def only(data: CaptionedImages, names: Sequence[str]) -> CaptionedImages:
    """The pictures of these classes, or whose class has such a word in its name ("man", "dog").

    Raises:
        UsageError: no class has such a word.
    """
    words = [set(name.split()) | {name} for name in data.class_names]
    for name in names:
        choose("class, or word of one", name, sorted({w for one in words for w in one}))
    kept = np.array([bool({*names} & one) for one in words])
    return data.subset(kept[data.classes])


def word2vec_encoder(captions: Sequence[str], *, seed: int = 0) -> MeanVectorEncoder:
    """The mean of a caption's word2vec vectors, which are learned from these captions."""
    vectors = word2vec.train([tokenize(c) for c in captions], dimension=48, seed=seed)
    return _fixed(vectors.words, torch.from_numpy(vectors.matrix.copy()))


def tfidf_encoder(captions: Sequence[str]) -> MeanVectorEncoder:
    """A caption's words as a bag, each weighted by log(N / n_t) (Le 2018, eq. 2.8)."""
    vocabulary = Vocabulary.of(captions)
    weights = torch.from_numpy(idf(counts(captions, vocabulary))).float()
    return _fixed(vocabulary.words, torch.diag(weights))


@torch.no_grad()
def _fixed(words: Sequence[str], vectors: Tensor) -> MeanVectorEncoder:
    """An encoder that takes the mean of these vectors, and learns nothing."""
    vocabulary = Vocabulary(list(words))
    d = vectors.shape[1]
    encoder = MeanVectorEncoder(vocabulary, text=d, word=d).requires_grad_(False)
    nn.init.zeros_(encoder.words.weight)
    encoder.words.weight[[vocabulary.index[word] for word in words]] = vectors
    encoder.out.weight.copy_(torch.eye(d))
    encoder.out.bias.zero_()
    return encoder.eval()


def _encoder(o: Options, data: CaptionedImages) -> CaptionEncoder:
    """The one named, or fixed vectors of the data's captions."""
    if o.encoder is not None:
        return load_encoder(o.encoder) if isinstance(o.encoder, str) else o.encoder
    captions = [caption for few in data.captions for caption in few]
    return word2vec_encoder(captions) if o.text == "word2vec" else tfidf_encoder(captions)


@torch.no_grad()
def finished(
    trainer: CaptionCriticTrainer, encoder: CaptionEncoder, data: CaptionedImages, phi: Tensor
) -> CaptionCriticSystem:
    """The system, with the scores that some of its positives have at the end of training."""
    x, t = to_float(data.images[:KEPT]), phi[:KEPT, 0].float()
    critics = [copy.deepcopy(one).cpu() for one in trainer.critics[: trainer.at + 1]]
    positives = torch.stack([one(x, one.psi(t)) for one in critics])
    sampler = replace(trainer.recipe.sampler, lr=trainer.recipe.sampler.last_lr)
    return CaptionCriticSystem(encoder, critics, sampler, positives)


def measure(system: CaptionCriticSystem, o: Options, n: int | None = None) -> dict:
    """Scores of pictures of the test split's captions; nothing for a world without a reader."""
    if not has_reader(o.world):
        return {}
    return scores(system, o.world, n or (64 if o.profile == "smoke" else 500), o.only)


def scores(system: CaptionCriticSystem, of: str, n: int, names: str | None = None) -> dict:
    """Inception score as a share of the data's, what captions state read back, readable.

    What is no number for such pictures (KID of pictures that are all alike) is left out.

    Args:
        of: the world.
        n: captions of its test split.
        names: see `Options.only`.
    """
    world, reader = paperworld.world(of), load_reader(of)
    test = world.load("test", system.size)
    test = (test if names is None else only(test, names.split(","))).subset(slice(n))
    fake = drawn_for(system, test, 0)
    right = caption_consistency(reader, fake, test, world.content, level=0)
    found = picture_scores(world, reader, to_float(test.images), fake)
    found = {"consistency_all": right["all"], "readable": readable(reader, fake), **found}
    return {k: v for k, v in found.items() if isinstance(v, str) or isfinite(v)}
