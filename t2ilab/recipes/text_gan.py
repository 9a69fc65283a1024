"""Train one of the four GANs and, where there is none yet, the caption encoder that it needs."""

from pathlib import Path

import torch

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import TextImageBatches
from t2ilab.errors import TrainingError, WeightsError, choose
from t2ilab.fit import fit
from t2ilab.fit.checkpoint import NAME as CHECKPOINT
from t2ilab.fit.folder import PREPARED, Folder
from t2ilab.metrics.evaluate import evaluate
from t2ilab.models.reed import Discriminator, Generator
from t2ilab.recipes.data import encode_all, load_data
from t2ilab.recipes.encoder import train_encoder
from t2ilab.recipes.plans import PROFILES, RECIPES, Trained, about
from t2ilab.systems import weights
from t2ilab.systems.text_to_image import TextToImage, load_encoder, load_reader
from t2ilab.text.encoders import CaptionEncoder
from t2ilab.trainers.text_gan import SYSTEMS, Recipe, TextGAN


def train_text_gan(
    system: str,
    *,
    world: str | None = None,
    data: str | None = None,
    root: str | None = None,
    size: int | None = None,
    profile: str = "laptop",
    recipe: str | Recipe = "stable",
    minutes: float | None = None,
    steps: int | None = None,
    width: int | None = None,
    batch_size: int | None = None,
    out: str | None = None,
    resume: bool = False,
    seed: int = 0,
    device: str = "auto",
    command: str = "",
    encoder: CaptionEncoder | None = None,
    show: bool = True,
) -> Trained:
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
        Generator(
            size=size,
            text=encoder.text,
            width=width,
            resize=recipe.resize,
            residual=recipe.residual,
        ),
        Discriminator(
            size=size,
            text=encoder.text,
            width=width,
            norm=recipe.norm,
            residual=recipe.residual,
            projection=recipe.projection,
        ),
        recipe=recipe,
        seed=seed,
        shown=shown,
        **switches,
    )
    batch_size = min(batch_size or plan.batch_size, len(captioned))
    batches = TextImageBatches(
        captioned,
        phi,
        batch_size=batch_size,
        seed=seed,
        wrong=recipe.wrong,
        near=recipe.near if captioned.stated is not None else 1,
    )
    budget = {"steps": steps, "minutes": minutes if minutes or steps else plan.minutes}
    fitted = fit(
        trainer, batches, **budget, out=out, resume=resume, device=device, seed=seed, show=show
    )
    trained = TextToImage(encoder, trainer.average.cpu())
    path = None
    if out is not None:
        measured = {} if fitted.stopped == "signal" else measure(trained, world, profile=profile)
        path = trained.save(
            out,
            f"{system}-{world or data}-{size}",
            **about(command, captioned.name, fitted, measured),
            recipe=vars(recipe),
        )
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


def _encoder(
    data: CaptionedImages, world: str | None, profile: str, out: str | None, seed: int, show: bool
) -> CaptionEncoder:
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
    trained = train_encoder(
        data,
        world=world,
        profile=profile,
        seed=seed,
        show=show,
        resume=begun,
        out=None if folder is None else str(folder),
    )
    if trained.fitted.stopped == "signal":
        raise TrainingError(
            "stopped while the caption encoder was trained, before the GAN. To go "
            "on, make the same call" + (" with resume=True." if out else ".")
        )
    return trained.system
