"""From a name to a trained system: what `t2ilab train` and the notebooks call.

One function a kind of system: `train_text_gan` (the four GANs, on a world of PaperWorld or on a
public data set), `train_encoder`, `train_reader`. Sizes stand in `PROFILES`, recipes in `RECIPES`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab import weights
from t2ilab.data import paperworld, public
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.data.pairs import TextImageBatches
from t2ilab.errors import TrainingError, UsageError, WeightsError, choose
from t2ilab.metrics.evaluate import evaluate
from t2ilab.models.reader import AttributeReader
from t2ilab.models.reed import Discriminator, Generator
from t2ilab.text.encoders import ENCODERS, CaptionEncoder
from t2ilab.text.tokens import Vocabulary
from t2ilab.text_to_image import (
    TextToImage,
    load_encoder,
    load_reader,
    save_encoder,
)
from t2ilab.trainers.caption_encoder import CaptionBatches, CaptionEncoderTrainer
from t2ilab.trainers.engine.checkpoint import NAME as CHECKPOINT
from t2ilab.trainers.engine.folder import PREPARED, Folder
from t2ilab.trainers.fit import Fitted, fit
from t2ilab.trainers.reader import ReaderBatches, ReaderTrainer
from t2ilab.trainers.text_gan import SYSTEMS, Recipe, TextGAN


@dataclass(frozen=True)
class Profile:
    """Sizes of a training run.

    Attributes:
        size: side of the pictures in pixels, unless asked otherwise.
        pictures: of the training split; None for all.
        text: size of phi(t) of an encoder trained on the spot.
        width: channels (ngf and ndf).
        batch_size: pictures a batch.
        minutes: budget of the GAN.
        encoder_steps, reader_steps: budgets of the encoder and of the reader.
    """

    size: int
    pictures: int | None
    text: int
    width: int
    batch_size: int
    minutes: float
    encoder_steps: int
    reader_steps: int


PROFILES = {
    "smoke": Profile(size=32, pictures=256, text=64, width=8, batch_size=16, minutes=0.05,
                     encoder_steps=20, reader_steps=20),
    "laptop": Profile(size=32, pictures=None, text=256, width=40, batch_size=32, minutes=5,
                      encoder_steps=2000, reader_steps=1500),
    "gpu": Profile(size=64, pictures=None, text=1024, width=128, batch_size=64, minutes=24 * 60,
                   encoder_steps=20_000, reader_steps=10_000),
}

RECIPES = {
    # Reed et al. 2016: Adam 2e-4 with momentum 0.5, cross-entropy, batch normalisation, beta 0.5.
    "paper": Recipe(),
    # What looked best in short trials of one seed each. Departures: spectral norm instead of batch
    # norm in D and hinge losses (Miyato et al. 2018), D learning twice as fast as G (Heusel et al.
    # 2017), a running average of G, several mismatched captions a picture, some of them near.
    "stable": Recipe(lr_g=5e-4, lr_d=1e-3, betas=(0.0, 0.99), hinge=True, average=0.995, decay=0.1,
                     norm="spectral", wrong=4, near=64),
    # For longer runs, and what trained the weights that ship: a projection term in D, nearer
    # mismatched captions, a longer average, and learning rates that sink for longer.
    "patient": Recipe(lr_g=5e-4, lr_d=1e-3, betas=(0.0, 0.99), hinge=True, average=0.998, decay=0.3,
                      norm="spectral", projection=True, wrong=4, near=256),
}


class Trained(NamedTuple):
    """What a training run gives: the system, how it went, and where it was saved (or None)."""

    system: TextToImage | CaptionEncoder | AttributeReader
    fitted: Fitted
    path: Path | None


def load_data(*, world: str | None = None, data: str | None = None, root: str | None = None,
              size: int, split: str = "train", n: int | None = None) -> CaptionedImages:
    """Captioned pictures of a world of PaperWorld or of a public data set under `root`.

    Raises:
        UsageError: both or neither of `world` and `data`, or a data set without its folder.
    """
    if (world is None) == (data is None):
        raise UsageError("give either a world of PaperWorld (--world birds) or a data set "
                         "(--data flickr8k --root FOLDER).")
    if world is not None:
        return paperworld.world(world).load(split, size, n)
    choose("data set", data, public.DATASETS)
    if not root:
        raise UsageError(f"{data} lies in a folder of yours: say which with --root FOLDER. "
                         f"Its layout:\n{public.DATASETS[data].layout}")
    return public.load(data, root, split, size, n=n)


def encode_all(encoder: CaptionEncoder, data: CaptionedImages) -> Float[Tensor, "n k text"]:
    """phi of every caption, as half floats; pictures with fewer captions repeat their own.

    phi is 0 for a caption that says nothing to the encoder ("A."): data sets have such.
    """
    most = max(len(c) for c in data.captions)
    rows = [c[k % len(c)] for c in data.captions for k in range(most)]
    unique = sorted(set(rows), key=len)  # each sentence once, those of like length together
    known = [c for c in unique if not _unusable(encoder, c)]
    phi = torch.zeros(len(unique), encoder.text, dtype=torch.float16)
    place = {caption: i for i, caption in enumerate(unique)}
    at = torch.tensor([place[c] for c in known], dtype=torch.long)
    phi[at] = encoder.encode(known).half().cpu()
    index = torch.tensor([place[c] for c in rows])
    return phi[index].view(len(data), most, encoder.text)


def _unusable(encoder: CaptionEncoder, caption: str) -> bool:
    """Is nothing to be made of this caption?"""
    try:
        encoder.vocabulary.check(caption)
    except UsageError:
        return True
    return False


def train_reader(world: str, *, profile: str = "laptop", out: str | None = None, seed: int = 0,
                 steps: int | None = None, resume: bool = False, device: str = "auto",
                 command: str = "", show: bool = True) -> Trained:
    """Train the AttributeReader of a world on its "reader" split; measured on the test split."""
    plan = PROFILES[choose("profile", profile, PROFILES)]
    torch.manual_seed(seed)
    w = paperworld.world(world)
    n = plan.pictures
    sets = [w.load("reader", size, n) for size in (32, 64)]
    reader = AttributeReader(attributes={name: len(v) for name, v in w.attributes.items()})
    fitted = fit(ReaderTrainer(reader, seed=seed), ReaderBatches(sets, seed=seed), out=out,
                 steps=steps or plan.reader_steps, resume=resume, device=device, seed=seed,
                 show=show)
    reader.cpu().eval()
    measured = {f"{name}_{size}": round(share, 4) for size in (32, 64)
                for name, share in accuracy(reader, w.load("test", size, n)).items()}
    path = None
    if out is not None:
        about = _about(command, f"PaperWorld {world}, split reader, 32 and 64 pixels", fitted,
                       measured)
        architecture = {"class": "t2ilab.models.reader.AttributeReader",
                        "arguments": {"attributes": reader.attributes}}
        path = weights.save(out, reader.state_dict(), {"architecture": architecture, **about},
                            name=f"reader-{world}", half=True)
    return Trained(reader, fitted, path)


def accuracy(reader: AttributeReader, data: CaptionedImages) -> dict[str, float]:
    """attribute -> share of the pictures on which it is read back right."""
    read = reader.read(to_float(data.images))
    return {name: float((v.numpy() == data.attributes[name]).mean()) for name, v in read.items()}


def train_encoder(data: CaptionedImages, *, kind: str = "gru", world: str | None = None,
                  profile: str = "laptop", text: int | None = None, out: str | None = None,
                  seed: int = 0, steps: int | None = None, device: str = "cpu", command: str = "",
                  resume: bool = False, show: bool = True) -> Trained:
    """Train a caption encoder by matching.

    Args:
        data: captioned pictures.
        kind: "gru" or "mean".
        world: match captions with pictures through that world's reader; None: with other captions.
        out: folder for checkpoint and history and, unless a signal ended the run, the weights.
        steps: budget; by default the profile's, but at most about 100 epochs.
    """
    plan = PROFILES[choose("profile", profile, PROFILES)]
    make = ENCODERS[choose("caption encoder", kind, ENCODERS)]
    torch.manual_seed(seed)
    asides = tuple(paperworld.world(world).definition.get("asides", ())) if world else ()
    corpus = [c for captions in data.captions for c in captions] + list(asides)
    encoder = make(Vocabulary.of(corpus, at_least=1 if world else 3), text=text or plan.text)
    features = reader_features(load_reader(world), data) if world else None
    size = None if features is None else features.shape[1]
    trainer = CaptionEncoderTrainer(encoder, features=size)
    batches = CaptionBatches(data, encoder, features, seed=seed, asides=asides)
    steps = steps or min(plan.encoder_steps, 100 * len(data) // batches.order.batch_size + 50)
    fitted = fit(trainer, batches, steps=steps, out=out, resume=resume,
                 device=device, precision="32-true", seed=seed, show=show)
    encoder.cpu().eval()
    path = None
    if out is not None and fitted.stopped != "signal":
        last = float(fitted.history["matching"].iloc[-1])
        path = save_encoder(encoder, out, f"encoder-{world or data.name.split('/')[0]}",
                            **_about(command, data.name, fitted, {"matching_loss": round(last, 4)}))
    return Trained(encoder, fitted, path)


@torch.inference_mode()
def reader_features(reader: AttributeReader, data: CaptionedImages) -> Float[Tensor, "n features"]:
    """The reader's feature layer for every picture."""
    parts = [reader.features(to_float(data.images[i : i + 500])) for i in range(0, len(data), 500)]
    return torch.cat(parts).clone()


def train_text_gan(system: str, *, world: str | None = None, data: str | None = None,
                   root: str | None = None, size: int | None = None, profile: str = "laptop",
                   recipe: str | Recipe = "stable", minutes: float | None = None,
                   steps: int | None = None, width: int | None = None,
                   batch_size: int | None = None, out: str | None = None, resume: bool = False,
                   seed: int = 0, device: str = "auto", command: str = "",
                   encoder: CaptionEncoder | None = None, show: bool = True) -> Trained:
    """Train one of the four GANs and, where there is none yet, the caption encoder it needs.

    Args:
        system: "gan", "gan_cls", "gan_int" or "gan_int_cls".
        world, data, root: see `load_data`.
        size, minutes, steps, width, batch_size: instead of the profile's.
        recipe: "paper", "stable", "patient", or a `Recipe`.
        out: folder for checkpoints, history, strips and, at the end, the weights.
        resume: go on with the run in `out`.
        encoder: a trained caption encoder; by default the bundled one of the world, or a new one.
        command: goes into the weights' provenance.
    """
    switches = SYSTEMS[choose("system", system, SYSTEMS)]
    plan = PROFILES[choose("profile", profile, PROFILES)]
    recipe = recipe if isinstance(recipe, Recipe) else RECIPES[choose("recipe", recipe, RECIPES)]
    size, width = size or plan.size, width or plan.width
    _see_that_free(out, resume)
    captioned = load_data(world=world, data=data, root=root, size=size, n=plan.pictures)
    encoder = encoder or _encoder(captioned, world, profile, out, seed, show)
    phi = encode_all(encoder, captioned)
    torch.manual_seed(seed)
    shown = phi[: 16 * 7 : 7, 0].float()
    trainer = TextGAN(
        Generator(size=size, text=encoder.text, width=width, resize=recipe.resize,
                  residual=recipe.residual),
        Discriminator(size=size, text=encoder.text, width=width, norm=recipe.norm,
                      residual=recipe.residual, projection=recipe.projection),
        recipe=recipe, seed=seed, shown=shown, **switches)
    batch_size = min(batch_size or plan.batch_size, len(captioned))
    batches = TextImageBatches(captioned, phi, batch_size=batch_size,
                               seed=seed, wrong=recipe.wrong,
                               near=recipe.near if captioned.stated is not None else 1)
    budget = {"steps": steps, "minutes": minutes if minutes or steps else plan.minutes}
    fitted = fit(trainer, batches, **budget, out=out, resume=resume, device=device, seed=seed,
                 show=show)
    trained = TextToImage(encoder, trainer.average.cpu())
    path = None
    if out is not None:
        measured = {} if fitted.stopped == "signal" else measure(trained, world, profile=profile)
        path = trained.save(out, f"{system}-{world or data}-{size}",
                            **_about(command, captioned.name, fitted, measured),
                            recipe=vars(recipe))
    return Trained(trained, fitted, path)


def measure(system: TextToImage, world: str | None, *, profile: str = "laptop") -> dict:
    """What `evaluate` finds, rounded; nothing for real data and for a world without a reader."""
    if world is None or f"reader-{world}" not in weights.bundled():
        return {}
    few = {"n": 64, "noises": 8} if profile == "smoke" else {}
    found = evaluate(system, paperworld.world(world), load_reader(world), **few)
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in found.items()}


def _see_that_free(out: str | None, resume: bool) -> None:
    """Refuse a folder in use or not empty now, not after minutes of preparation."""
    folder = Folder(out, resume=resume)
    folder.claim()
    folder.release()


def _encoder(data: CaptionedImages, world: str | None, profile: str, out: str | None, seed: int,
             show: bool) -> CaptionEncoder:
    """The world's bundled encoder, the one that an earlier part of this run made, or a new one."""
    if world is not None and f"encoder-{world}" in weights.bundled():
        return load_encoder(f"encoder-{world}")
    folder = None if out is None else Path(out) / PREPARED
    made = None if folder is None else next(iter(sorted(folder.glob("*.safetensors"))), None)
    if made is not None:
        try:
            return load_encoder(made)
        except WeightsError as error:
            raise WeightsError(f"{error} Remove {folder} to train it again.") from error
    begun = folder is not None and (folder / CHECKPOINT).exists()
    trained = train_encoder(data, world=world, profile=profile, seed=seed, show=show, resume=begun,
                            out=None if folder is None else str(folder))
    if trained.fitted.stopped == "signal":
        raise TrainingError("stopped while the caption encoder was trained, before the GAN. To go "
                            "on, make the same call" + (" with resume=True." if out else "."))
    return trained.system


def _about(command: str, data: str, fitted: Fitted, measured: dict) -> dict:
    return {"command": command or "called from Python", "data": data, "measured": measured,
            "seconds": round(fitted.seconds, 1), "steps": fitted.steps,
            "trained_on": f"{fitted.device}, {fitted.precision}"}


