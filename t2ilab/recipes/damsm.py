"""DAMSM: words find regions of pictures, sentences find pictures; AttnGAN's teacher."""

from dataclasses import dataclass

import numpy as np
import torch

from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import Truth
from t2ilab.errors import UsageError
from t2ilab.metrics.matching import recalls
from t2ilab.models.damsm import Damsm, RegionNetwork
from t2ilab.recipes.data import load_data
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.damsm import DamsmSystem
from t2ilab.systems.encoders import load_encoder
from t2ilab.text.encoders import CaptionEncoder, GRUEncoder
from t2ilab.text.tokens import Vocabulary
from t2ilab.trainers.damsm import DamsmTrainer, Gammas
from t2ilab.trainers.matching_batches import MatchingBatches

GROUP = 8  # pictures that differ in a detail, side by side in a batch


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: pictures' side and number (None: all), width, space, batch, steps."""

    size: int
    pictures: int | None
    width: int
    space: int
    batch_size: int
    steps: int
    tested: int = 1000


PLANS = {
    "smoke": Plan(32, 256, width=8, space=32, batch_size=16, steps=20, tested=100),
    "laptop": Plan(64, None, width=24, space=128, batch_size=32, steps=1500),
    "gpu": Plan(128, None, width=64, space=256, batch_size=96, steps=40_000, tested=2000),
}


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of DAMSM."""

    encoder: str | None = option(
        None,
        "A trained recurrent encoder that stays as it is: DIR, FILE or NAME; default: a GRU that "
        "learns along.",
        path=True,
    )
    width: int | None = option(
        None, "Channels of the first convolution.", kind=int, least=1, most=512
    )
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=8, most=4096)
    gamma1: float = option(4.0, "Sharpens what a word looks at.", kind=float, least=0, most=1e3)
    gamma2: float = option(5.0, "Sharpens which words count.", kind=float, least=1e-3, most=1e3)
    gamma3: float = option(10.0, "Of scores in the softmax.", kind=float, least=1e-3, most=1e3)
    lr: float = option(2e-3, "Of AdamW, the largest.", kind=float, least=1e-8, most=1)


System = DamsmSystem
HEADLINE = ("facts_caption_1_words", "facts_caption_1_sentences")


def build(o: Options, prepare) -> Built:
    """Both sides, which learn together from nothing."""
    plan = PLANS[o.profile]
    size = o.size or plan.size
    data = load_data(
        world=o.world, data=o.data, root=o.root, size=size, n=plan.pictures, asides=True
    )
    torch.manual_seed(o.seed)
    encoder = _encoder(o, data)
    network = RegionNetwork(size=size, width=o.width or plan.width, space=encoder.word)
    gammas = Gammas(o.gamma1, o.gamma2, o.gamma3)
    trainer = DamsmTrainer(Damsm(encoder, network), gammas=gammas, lr=o.lr, seed=o.seed)
    b = min(o.batch_size or plan.batch_size, len(data))
    group = GROUP if data.stated is not None else 1
    return Built(
        trainer,
        MatchingBatches(data, encoder, batch_size=b - b % group, each=1, group=group, seed=o.seed),
        finish=lambda: DamsmSystem(encoder, network, gamma1=o.gamma1, gamma2=o.gamma2),
        name=f"{o.system}-{o.of}-{size}",
        data=data.name,
        fingerprint=fingerprint(data),
        steps=plan.steps,
    )


def _encoder(o: Options, data: CaptionedImages) -> CaptionEncoder:
    """The one that is named, frozen; or a GRU over the words of these captions.

    Raises:
        UsageError: it has no states of words, or they are of another size than its sentences.
    """
    if o.encoder is not None:
        found = load_encoder(o.encoder).requires_grad_(False)
        if getattr(found, "word", None) != found.text:
            raise UsageError(
                f"--encoder {o.encoder}: expected a recurrent one whose words and sentences are of "
                "one size; leave the option out, and one learns along."
            )
        return found
    said = [c for captions in data.captions for c in captions]
    words = Vocabulary.of(said, at_least=1 if data.stated is not None else 3)
    space = PLANS[o.profile].space
    return GRUEncoder(words, text=space, word=space // 2, hidden=space // 2)


def measure(system: DamsmSystem, o: Options, n: int | None = None) -> dict[str, float]:
    """R@K of pictures that training did not see and their complete captions; see
    `metrics.matching.recalls`. Each number by words alone, and by sentences alone."""
    n = n or PLANS[o.profile].tested
    test = load_data(world=o.world, data=o.data, root=o.root, size=system.size, split="test", n=n)
    every, first = np.arange(len(test)), np.zeros(len(test), int)
    fits = torch.from_numpy(Truth(test).fits(every, every, first))
    parts, said = system.look(test.images), system.read([c[0] for c in test.captions])
    found = {"pictures": len(test)}
    for by in ("words", "sentences"):
        of = recalls(system.scores(parts, said, by), fits)
        found |= {f"{name}_{by}": value for name, value in of.items() if name.startswith("facts")}
    return found
