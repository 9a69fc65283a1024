"""Train a caption encoder by matching."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError, choose
from t2ilab.fit import fit
from t2ilab.metrics.binding import AFTER, FORMS, binding, swapped
from t2ilab.metrics.retrieval import class_retrieval, unseen
from t2ilab.models.imagenet import MEAN, STD
from t2ilab.recipes.data import reader_features
from t2ilab.recipes.plans import PROFILES, Trained, about
from t2ilab.systems.text_to_image import load_reader, save_encoder
from t2ilab.text.encoders import ENCODERS
from t2ilab.text.matcher import Matcher
from t2ilab.trainers.caption_encoder import CaptionBatches, CaptionEncoderTrainer

# By kind and profile, where the encoder's own default is too wide for a laptop; "gpu": the paper's.
WIDTHS = {"char": {"smoke": {"channels": (8, 16, 16)}, "laptop": {"channels": (48, 64, 96)}}}
BATCH_SIZES = {"char": 96}  # three times the work a caption; others 256


def train_encoder(
    data: CaptionedImages,
    *,
    kind: str = "gru",
    world: str | None = None,
    profile: str = "laptop",
    text: int | None = None,
    out: str | None = None,
    seed: int = 0,
    steps: int | None = None,
    device: str = "cpu",
    command: str = "",
    resume: bool = False,
    show: bool = True,
    objective: str = "cross_entropy",
    features: Float[Tensor, "n features"] | None = None,
) -> Trained:
    """Train a caption encoder by matching.

    Args:
        data: captioned pictures.
        kind: "gru", "lstm", "char" (the char-CNN-RNN) or "mean" (of word vectors).
        world: match captions with pictures through that world's reader.
        out: folder for checkpoint and history and, unless a signal ended the run, the weights.
        steps: budget; by default the profile's, but at most about 100 epochs.
        objective: "cross_entropy" or "sje", the structured joint embedding of Reed et al. 2016.
        features: of the pictures, instead of the reader's; with neither these nor a world captions
            are matched with other captions of the same picture.
    """
    trained = train_matcher(
        data,
        kind=kind,
        world=world,
        profile=profile,
        text=text,
        out=out,
        seed=seed,
        steps=steps,
        device=device,
        command=command,
        resume=resume,
        show=show,
        objective=objective,
        features=features,
    )
    return trained._replace(system=trained.system.encoder)


def train_matcher(
    data: CaptionedImages,
    *,
    kind: str = "gru",
    world: str | None = None,
    profile: str = "laptop",
    text: int | None = None,
    out: str | None = None,
    seed: int = 0,
    steps: int | None = None,
    device: str = "cpu",
    command: str = "",
    resume: bool = False,
    show: bool = True,
    objective: str = "cross_entropy",
    features: Float[Tensor, "n features"] | None = None,
) -> Trained:
    """As `train_encoder`; gives the encoder with its head for pictures, a `Matcher`."""
    plan = PROFILES[choose("profile", profile, PROFILES)]
    make = ENCODERS[choose("caption encoder", kind, ENCODERS)]
    torch.manual_seed(seed)
    asides = tuple(paperworld.world(world).definition.get("asides", ())) if world else ()
    corpus = [c for captions in data.captions for c in captions] + list(asides)
    encoder = make(
        make.reads.of(corpus, at_least=1 if world else 3),
        text=text or plan.text,
        **WIDTHS.get(kind, {}).get(profile, {}),
    )
    trained_on_reader = features is None
    features = _features(features, data, world)
    size = None if features is None else features.shape[1]
    trainer = CaptionEncoderTrainer(encoder, features=size, objective=objective)
    batches = CaptionBatches(
        data, encoder, features, seed=seed, asides=asides, batch_size=BATCH_SIZES.get(kind, 256)
    )
    steps = steps or min(plan.encoder_steps, 100 * len(data) // batches.order.batch_size + 50)
    fitted = fit(
        trainer,
        batches,
        steps=steps,
        out=out,
        resume=resume,
        device=device,
        precision="32-true",
        seed=seed,
        show=show,
    )
    matcher = trainer.matcher.cpu().eval()
    path = None
    if out is not None and fitted.stopped != "signal":
        last = float(fitted.history["matching"].iloc[-1])
        measured = {"matching_loss": round(last, 4)}
        if world and trained_on_reader:
            measured |= measure_matcher(matcher, world, size=data.size, n=plan.pictures)
        name = "encoder" + f"_{kind}" * (kind != "gru") + "_sje" * (objective == "sje")
        path = save_encoder(
            encoder,
            out,
            f"{name}-{world or data.name.split('/')[0]}",
            matcher=None if size is None else matcher,
            objective=objective,
            **about(command, data.name, fitted, measured),
        )
    return Trained(matcher, fitted, path)


def measure_matcher(
    matcher: Matcher, world: str, *, size: int = 32, n: int | None = None
) -> dict[str, float]:
    """What it can do on classes kept out of training: `class_retrieval` and `binding`, rounded.

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
    return {name: round(value, 4) for name, value in measured.items()}


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
