"""The completing prior of a world: what sparse captions leave open, filled among their vectors."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages
from t2ilab.metrics.consistency import entropy
from t2ilab.metrics.style import discriminant
from t2ilab.models.prior import CompletingPrior
from t2ilab.recipes.data import encode_all
from t2ilab.recipes.options import Options as Common
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.single import TrainedPrior
from t2ilab.text.encoders import CaptionEncoder
from t2ilab.trainers.prior import PriorBatches, PriorTrainer

SIZE = 32  # of pictures whose captions are read; the pictures are not used
STEPS = {"smoke": 20, "laptop": 6000, "gpu": 30_000}
HIDDEN = {"smoke": 64, "laptop": 320, "gpu": 1024}
PICTURES = {"smoke": 256, "laptop": None, "gpu": None}  # None: all
LEVELS = (0.25, 0.2, 0.2, 0.2, 0.15)  # how often a caption of each level is completed


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    """Of the prior."""

    world: str = option(
        "birds", f"Of PaperWorld: {', '.join(paperworld.WORLDS)}.", choices=paperworld.WORLDS
    )
    encoder: str | CaptionEncoder | None = option(
        None,
        "A trained caption encoder: DIR, FILE or NAME; default the world's own that ships.",
        path=True,
        objects=[nn.Module],
    )


System = TrainedPrior
HEADLINE = ("kept_0_unseen", "kept_3", "variety_4")


def build(o: Options, prepare) -> Built:
    """A flow from noise to the vectors of complete captions, given that of any caption."""
    torch.manual_seed(o.seed)
    encoder = _encoder(o)
    data = paperworld.world(o.world).load("train", SIZE, PICTURES[o.profile], asides=True)
    phi, complete = encode_all(encoder, data), encode_all(encoder, completed(data))
    prior = CompletingPrior(text=encoder.text, hidden=HIDDEN[o.profile])
    prior.learn_components(complete[:, 0].float(), seed=o.seed)
    return Built(
        PriorTrainer(prior, seed=o.seed),
        PriorBatches(phi, complete, levels=LEVELS, seed=o.seed),
        finish=lambda: TrainedPrior(prior),
        name=f"prior-{o.world}",
        data=f"captions of {data.name}",
        fingerprint=fingerprint(data),
        steps=STEPS[o.profile],
        precision="32-true",
    )


def _encoder(o: Options) -> CaptionEncoder:
    if isinstance(o.encoder, nn.Module):
        return o.encoder
    return load_encoder(o.encoder or f"encoder-{o.world}")


def completed(data: CaptionedImages) -> CaptionedImages:
    """The same pictures with complete captions only: one, and one with each caption's aside.

    Args:
        data: of a world; of 2 k captions, the second k are the first ones with an aside behind.
    """
    k = paperworld.LEVELS

    def of(captions: list[str]) -> list[str]:
        asides = [captions[k + i].removeprefix(captions[i]) for i in range(len(captions) - k)]
        return [captions[0]] + [captions[0] + aside for aside in asides]

    return replace(data, captions=[of(captions) for captions in data.captions], stated=None)


@torch.inference_mode()
def measure(system: TrainedPrior, o: Options, n: int | None = None) -> dict[str, float]:
    """What completion keeps and what it varies, of captions of the test split.

    Attributes are read off vectors by a linear discriminant, learned on complete captions.

    Returns:
        "known": share of complete captions whose attributes the discriminant all reads right, the
        most that can be kept; for levels 0 to 4 "kept_<level>", the share of captions all of whose
        stated attributes are still there, "kept_<level>_unseen", of classes not trained on, and
        "variety_<level>", of the attributes that it leaves open the least entropy as a share of
        the data's.
    """
    world, encoder, prior = paperworld.world(o.world), _encoder(o), system.network
    n = n or (64 if o.profile == "smoke" else 2000)
    test, train = (world.load(s, SIZE, PICTURES[o.profile]) for s in ("test", "train"))
    test = test.subset(slice(0, n))
    full = encode_all(encoder, train)[:, 0].float()
    tell = {
        name: discriminant(full, torch.as_tensor(train.attributes[name]).long())
        for name in world.content
    }
    true = {name: torch.as_tensor(test.attributes[name]).long() for name in tell}

    def read(phi: Float[Tensor, "n text"]) -> dict[str, Int[Tensor, " n"]]:
        return {name: one.probabilities(phi).argmax(1) for name, one in tell.items()}

    phi = encode_all(encoder, test).float()
    rng = torch.Generator().manual_seed(1)
    z = torch.randn(len(test), prior.z, generator=rng)
    right = torch.stack([values == true[k] for k, values in read(phi[:, 0]).items()])
    found = {"known": float(right.all(0).float().mean())}
    stated, unseen = torch.from_numpy(test.stated), torch.from_numpy(world.unseen[test.classes])
    for level in range(paperworld.LEVELS):
        kept, shares = torch.ones(len(test), dtype=torch.bool), [1.0]
        for k, (name, values) in enumerate(read(prior.complete(phi[:, level], z)).items()):
            said = stated[:, level, k]
            kept &= (values == true[name]) | ~said
            of_data = entropy(test.attributes[name][~said.numpy()])
            if of_data > 0:
                shares.append(entropy(values[~said].numpy()) / of_data)
        found |= {
            f"kept_{level}": float(kept.float().mean()),
            f"kept_{level}_unseen": float(kept[unseen].float().mean()),
            f"variety_{level}": min(shares),
        }
    return found
