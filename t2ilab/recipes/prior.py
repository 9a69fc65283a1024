"""The completing prior of a world: what sparse captions leave open, filled among their vectors."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages
from t2ilab.metrics.consistency import entropy
from t2ilab.metrics.style import Discriminant, discriminant
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
READ_FROM = 4000  # captions from which it is learned to read attributes off vectors
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
HEADLINE = ("kept_0_unseen", "kept_3", "variety_4", "kept_aside")


def build(o: Options, prepare) -> Built:
    """A flow from noise to the vectors of complete captions, given that of any caption."""
    torch.manual_seed(o.seed)
    encoder = _encoder(o)
    data = paperworld.world(o.world).load("train", SIZE, PICTURES[o.profile], asides=True)
    phi, complete = encode_all(encoder, data), encode_all(encoder, completed(data))[:, 0]
    prior = CompletingPrior(text=encoder.text, hidden=HIDDEN[o.profile])
    prior.learn_components(complete.float(), seed=o.seed)
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
    """The same pictures with one caption each, which states all that captions ever state.

    It is the complete one and, of a world with asides, one that states as much as any, taken from
    captions of pictures that agree in it: "..., on a branch looking to the left".

    Args:
        data: of a world; of 2 k captions, the second k are the first ones with an aside behind.
    """
    first = [captions[0] for captions in data.captions]
    tails, of = _asides(data)
    values = np.stack([data.attributes[name] for name in of], 1) if of else np.zeros((len(data), 0))
    tail = [tails.get(tuple(one), [""]) for one in values.tolist()]
    full = [[said + tail[i][i % len(tail[i])]] for i, said in enumerate(first)]
    return replace(data, captions=full, stated=None)


def _asides(data: CaptionedImages) -> tuple[dict[tuple, list[str]], list[str]]:
    """values -> asides that stood behind complete captions and state them; and of which attributes.

    These are the attributes that any aside states; asides that do not state all are left out. Both
    are empty where captions have none.
    """
    k, names = paperworld.LEVELS, list(data.attributes)
    if len(data.captions[0]) == k:
        return {}, []
    extra = data.stated[:, k] & ~data.stated[:, 0]  # [n, attributes]
    columns = np.flatnonzero(extra.any(0))
    of, tails = [names[c] for c in columns], {}
    for i in np.flatnonzero(extra[:, columns].all(1)):
        values = tuple(int(data.attributes[name][i]) for name in of)
        tail = data.captions[i][k].removeprefix(data.captions[i][0])
        tails.setdefault(values, []).append(tail)
    return tails, of


@torch.inference_mode()
def measure(system: TrainedPrior, o: Options, n: int | None = None) -> dict[str, float]:
    """What completion keeps and what it varies, of captions of the test split.

    Attributes are read off vectors by a linear discriminant, learned on complete captions.

    Returns:
        "known": share of complete captions whose attributes the discriminant all reads right, the
        most that can be kept; for levels 0 to 4 "kept_<level>", the share of captions all of whose
        stated attributes are still there, "kept_<level>_unseen", of classes not trained on, and
        "variety_<level>", of the attributes that it leaves open the least entropy as a share of
        the data's, style included; "kept_aside" and "kept_aside_unseen", of the captions with an
        aside those whose stated style is still there.
    """
    world, encoder, prior = paperworld.world(o.world), _encoder(o), system.network
    n = n or (64 if o.profile == "smoke" else 2000)
    train = world.load("train", SIZE, PICTURES[o.profile] or READ_FROM, asides=True)
    test = world.load("test", SIZE, asides=True).subset(slice(0, n))
    tell = _readers(world, train, encode_all(encoder, completed(train))[:, 0].float())
    true = {name: torch.as_tensor(test.attributes[name]).long() for name in tell}
    phi, rng = encode_all(encoder, test).float(), torch.Generator().manual_seed(1)
    z = torch.randn(len(test), prior.z, generator=rng)
    stated, names = torch.from_numpy(test.stated), list(test.attributes)
    unseen = torch.from_numpy(world.unseen[test.classes])

    def kept(phi: Float[Tensor, "n text"], of, k: int) -> Bool[Tensor, " n"]:
        """Whether all attributes `of` these that caption k states are read right."""
        ok = torch.ones(len(phi), dtype=torch.bool)
        for name in of:
            right = tell[name].probabilities(phi).argmax(1) == true[name]
            ok &= right | ~stated[:, k, names.index(name)]
        return ok

    content = [name for name in world.content if name in tell]
    found = {"known": _share(kept(phi[:, 0], content, 0))}
    for level in range(paperworld.LEVELS):
        full = prior.complete(phi[:, level], z)
        ok, shares = kept(full, content, level), [1.0]
        for name in tell:
            open_ = ~stated[:, level, names.index(name)]
            of_data = entropy(test.attributes[name][open_.numpy()])
            if of_data > 0:
                read = tell[name].probabilities(full[open_]).argmax(1)
                shares.append(entropy(read.numpy()) / of_data)
        found |= {f"kept_{level}": _share(ok), f"kept_{level}_unseen": _share(ok[unseen])}
        found[f"variety_{level}"] = min(shares)
    style, asides = [name for name in world.style if name in tell], phi.shape[1] > paperworld.LEVELS
    if style and asides:
        each = range(paperworld.LEVELS, phi.shape[1])
        ok = torch.stack([kept(prior.complete(phi[:, k], z), style, k) for k in each], 1)
        found |= {"kept_aside": _share(ok), "kept_aside_unseen": _share(ok[unseen])}
    return found


def _readers(
    world: paperworld.World, data: CaptionedImages, complete: Float[Tensor, "n text"]
) -> dict[str, Discriminant]:
    """What reads each attribute off the vector of a completed caption, of those that it states."""
    read = [*world.content, *_asides(data)[1]]
    values = {name: torch.as_tensor(data.attributes[name]).long() for name in read}
    return {
        name: discriminant(complete, labels)
        for name, labels in values.items()
        if len(labels.unique()) > 1 and int(torch.bincount(labels).min()) > 1
    }


def _share(of: Bool[Tensor, "*n"]) -> float:
    return float(of.float().mean())
