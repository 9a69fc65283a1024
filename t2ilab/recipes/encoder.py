"""A caption encoder, learned by matching captions with pictures, or with each other."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError
from t2ilab.losses.matching import OBJECTIVES
from t2ilab.metrics.binding import AFTER, FORMS, binding, swapped
from t2ilab.metrics.retrieval import class_retrieval, unseen
from t2ilab.models.imagenet import MEAN, STD
from t2ilab.recipes.data import load_data, reader_features
from t2ilab.recipes.options import Pictures, option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.encoders import TrainedEncoder
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.text.encoders import ENCODERS
from t2ilab.text.matcher import Matcher
from t2ilab.trainers.caption_encoder import CaptionBatches, CaptionEncoderTrainer


@dataclass(frozen=True)
class Plan:
    """Sizes of a run: pictures' side and number (None: all), size of phi(t), steps."""

    size: int
    pictures: int | None
    text: int
    steps: int


PLANS = {
    "smoke": Plan(size=32, pictures=256, text=64, steps=20),
    "laptop": Plan(size=32, pictures=None, text=256, steps=2000),
    "gpu": Plan(size=64, pictures=None, text=1024, steps=20_000),
}
# By kind and profile, where the encoder's own default is too wide for a laptop; "gpu": the paper's.
WIDTHS = {"char": {"smoke": {"channels": (8, 16, 16)}, "laptop": {"channels": (48, 64, 96)}}}
BATCH_SIZES = {"char": 96}  # three times the work a caption; others 256


@dataclass(frozen=True, kw_only=True)
class Options(Pictures):
    """Of the caption encoder.

    Attributes:
        captioned: pictures at hand, in place of a world or a data set. With a world named, they are
            matched through its reader.
        features: of the pictures, instead of the reader's; with neither these nor a world captions
            are matched with other captions of the same picture.
    """

    kind: str = option("gru", f"{', '.join(ENCODERS)}.", choices=ENCODERS, called="caption encoder")
    objective: str = option(
        "cross_entropy",
        "cross_entropy, or sje: the structured joint embedding of Reed et al. 2016.",
        choices=OBJECTIVES,
    )
    text: int | None = option(
        None, "Size of the vectors; default the profile's.", kind=int, least=1, most=8192
    )
    captioned: CaptionedImages | None = option(
        None, "Pictures at hand.", objects=[CaptionedImages], shown=False
    )
    features: Tensor | None = option(None, "Of the pictures.", objects=[Tensor], shown=False)

    def has_own(self) -> bool:
        return self.captioned is not None


System = TrainedEncoder
HEADLINE = ("top1_unseen", "binding_unseen")


def build(o: Options, prepare) -> Built:
    """Vocabulary, encoder, the pictures' features, and the matcher around them."""
    plan = PLANS[o.profile]
    data = o.captioned or load_data(
        world=o.world,
        data=o.data,
        root=o.root,
        size=o.size or plan.size,
        n=plan.pictures,
        asides=True,
    )
    torch.manual_seed(o.seed)
    corpus = [c for captions in data.captions for c in captions]
    make = ENCODERS[o.kind]
    encoder = make(
        make.reads.of(corpus, at_least=1 if o.world else 3),
        text=o.text or plan.text,
        **WIDTHS.get(o.kind, {}).get(o.profile, {}),
    )
    features = _features(o.features, data, o.world)
    size = None if features is None else features.shape[1]
    trainer = CaptionEncoderTrainer(encoder, features=size, objective=o.objective)
    batches = CaptionBatches(
        data, encoder, features, seed=o.seed, batch_size=BATCH_SIZES.get(o.kind, 256)
    )
    name = "encoder" + f"_{o.kind}" * (o.kind != "gru") + "_sje" * (o.objective == "sje")
    of = o.world or o.data or data.name.split("/")[0]
    return Built(
        trainer,
        batches,
        finish=lambda: TrainedEncoder(encoder, trainer.matcher),
        name=f"{name}-{of}",
        data=data.name,
        fingerprint=fingerprint(data),
        steps=min(plan.steps, 100 * len(data) // batches.order.batch_size + 50),
        precision="32-true",
        more={"objective": o.objective},
    )


def measure(system: TrainedEncoder, o: Options, n: int | None = None) -> dict[str, float]:
    """What it can do on classes kept out of training, where it matches a world's pictures."""
    matches = system.matcher is not None and system.matcher.arguments["features"] is not None
    if not (matches and has_reader(o.world) and o.features is None):
        return {}
    plan = PLANS[o.profile]
    return measure_matcher(system.matcher, o.world, size=o.size or plan.size, n=n or plan.pictures)


def measure_matcher(
    matcher: Matcher, world: str, *, size: int = 32, n: int | None = None
) -> dict[str, float]:
    """What it can do on classes kept out of training: `class_retrieval` and `binding`.

    "binding_unseen" is of sentences like the training captions, "binding_after" of others.

    Args:
        matcher: trained on the features of the world's reader.
        size: of the pictures.
        n: pictures of the test split, of which half are of such classes.
    """
    w = paperworld.world(world)
    test = w.load("test", size, n)
    test = test.subset(unseen(test, w))
    if len(np.unique(test.classes)) < 2:
        return {}
    features = reader_features(load_reader(world), test)
    found = class_retrieval(matcher, features, test)
    measured = {"top1_unseen": found["top1"], "map50_unseen": found["map"]}
    if world in FORMS and swapped(test, w):
        measured["binding_unseen"] = binding(matcher, features, test, w)["all"]
        measured["binding_after"] = binding(matcher, features, test, w, AFTER[world])["all"]
    return measured


@torch.inference_mode()
def classifier_features(
    network: nn.Module, data: CaptionedImages, *, side: int = 224, batch_size: int = 32
) -> Float[Tensor, "n features"]:
    """What a classifier's last linear layer is given, for every picture: Reed et al.'s v.

    Args:
        network: takes [b, 3, side, side], normalised as ImageNet's classifiers in torchvision are,
            and has a linear layer, of which the last one gives the logits.
        side: to which the pictures are resized.

    Raises:
        UsageError: the network has no linear layer.
    """
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
    if not linear:
        raise UsageError(f"{type(network).__name__} has no linear layer to take features from.")
    seen: list[Tensor] = []
    hook = linear[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten(1)))
    was_training, device = network.training, next(network.parameters()).device
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
    try:
        network.eval()
        for i in range(0, len(data), batch_size):
            x = (to_float(data.images[i : i + batch_size]) + 1) / 2
            x = F.interpolate(x, (side, side), mode="bilinear", antialias=True)
            network(((x - mean) / std).to(device))
    finally:
        hook.remove()
        network.train(was_training)
    return torch.cat(seen).cpu().clone()


def _features(given: Tensor | None, data: CaptionedImages, world: str | None) -> Tensor | None:
    """Those given; else those of the world's reader; else none."""
    if given is None:
        return reader_features(load_reader(world), data) if world else None
    if len(given) != len(data):
        raise UsageError(f"features of {len(given)} pictures for the {len(data)} of {data.name}.")
    return given
