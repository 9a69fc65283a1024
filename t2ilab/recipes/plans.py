"""Sizes, budgets and recipes of training runs, and what a run gives back."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from t2ilab.fit import Fitted
from t2ilab.models.reader import AttributeReader
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import CaptionEncoder
from t2ilab.trainers.text_gan import Recipe


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
    "smoke": Profile(
        size=32,
        pictures=256,
        text=64,
        width=8,
        batch_size=16,
        minutes=0.05,
        encoder_steps=20,
        reader_steps=20,
    ),
    "laptop": Profile(
        size=32,
        pictures=None,
        text=256,
        width=40,
        batch_size=32,
        minutes=5,
        encoder_steps=2000,
        reader_steps=1500,
    ),
    "gpu": Profile(
        size=64,
        pictures=None,
        text=1024,
        width=128,
        batch_size=64,
        minutes=24 * 60,
        encoder_steps=20_000,
        reader_steps=10_000,
    ),
}

RECIPES = {
    # Reed et al. 2016: Adam 2e-4 with momentum 0.5, cross-entropy, batch normalisation, beta 0.5.
    "paper": Recipe(),
    # What looked best in short trials of one seed each. Departures: spectral norm instead of batch
    # norm in D and hinge losses (Miyato et al. 2018), D learning twice as fast as G (Heusel et al.
    # 2017), a running average of G, several mismatched captions a picture, some of them near.
    "stable": Recipe(
        lr_g=5e-4,
        lr_d=1e-3,
        betas=(0.0, 0.99),
        hinge=True,
        average=0.995,
        decay=0.1,
        norm="spectral",
        wrong=4,
        near=64,
    ),
    # For longer runs, and what trained the weights that ship: a projection term in D, nearer
    # mismatched captions, a longer average, and learning rates that sink for longer.
    "patient": Recipe(
        lr_g=5e-4,
        lr_d=1e-3,
        betas=(0.0, 0.99),
        hinge=True,
        average=0.998,
        decay=0.3,
        norm="spectral",
        projection=True,
        wrong=4,
        near=256,
    ),
}
# `patient`, and a term that keeps the generator from forgetting its noise (Yang et al. 2019):
# on scenes, where the captions settle nearly everything, `patient` drew one picture a caption.
RECIPES["varied"] = replace(RECIPES["patient"], varied=20.0)


class Trained(NamedTuple):
    """What a training run gives: the system, how it went, and where it was saved (or None)."""

    system: TextToImage | CaptionEncoder | AttributeReader
    fitted: Fitted
    path: Path | None


def about(command: str, data: str, fitted: Fitted, measured: dict) -> dict:
    return {
        "command": command or "called from Python",
        "data": data,
        "measured": measured,
        "seconds": round(fitted.seconds, 1),
        "steps": fitted.steps,
        "trained_on": f"{fitted.device}, {fitted.precision}",
    }
