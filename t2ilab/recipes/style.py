"""Train the style encoder of a generator; the loader that sees whether the two belong together."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError, WeightsError, choose
from t2ilab.fit import fit
from t2ilab.metrics.style import (
    agreement,
    discriminant,
    style_pairs,
    transfer_success,
    verification,
)
from t2ilab.models.reader import AttributeReader
from t2ilab.models.style import StyleEncoder
from t2ilab.recipes.data import load_data
from t2ilab.recipes.plans import PROFILES, Trained, about
from t2ilab.systems import weights
from t2ilab.systems.text_to_image import TextToImage, load_reader
from t2ilab.trainers.style import StyleBatches, StyleTrainer, style_loss

STEPS = {"smoke": 20, "laptop": 2500, "gpu": 20_000}
WIDTH = {"smoke": 8, "laptop": 24, "gpu": 64}
CAPTIONS = 1000  # pictures of the training split whose fullest captions are drawn for


def train_style(
    *,
    world: str | None = None,
    data: str | None = None,
    root: str | None = None,
    generator: str | Path | TextToImage | None = None,
    profile: str = "laptop",
    redraw: float = 5.0,
    noise: float = 0.1,
    out: str | None = None,
    seed: int = 0,
    steps: int | None = None,
    resume: bool = False,
    device: str = "auto",
    command: str = "",
    show: bool = True,
) -> Trained:
    """Train S against a trained system, which stays as it is (Reed et al. 2016, eq. 4).

    The captions are the fullest of each picture: what they leave open is style. (With bare ones
    z would hold colours too, and S would learn these.)

    Args:
        world, data, root: where the captions come from; see `load_data`.
        generator: the system to invert, its name or path; by default the world's bundled one.
        profile, steps: the budget.
        redraw, noise: see `StyleTrainer`; both 0: equation 4 alone, on pictures as they are.
        out: folder for checkpoint and history and, unless a signal ended the run, the weights.

    Raises:
        UsageError: a data set without a generator, or a wrong name.
    """
    choose("profile", profile, PROFILES)
    system = _system(generator, world, profile)
    captioned = load_data(
        world=world,
        data=data,
        root=root,
        size=system.size,
        n=min(CAPTIONS, PROFILES[profile].pictures or CAPTIONS),
    )
    phi = encode_fullest(system, [max(c, key=len) if data else c[0] for c in captioned.captions])
    torch.manual_seed(seed)
    g = system.generator
    style = StyleEncoder(size=32, z=g.z, width=WIDTH[profile])
    trainer = StyleTrainer(style, g, redraw=redraw, noise=noise, seed=seed)
    fitted = fit(
        trainer,
        StyleBatches(phi, z=g.z, seed=seed),
        steps=steps or STEPS[profile],
        out=out,
        resume=resume,
        device=device,
        seed=seed,
        show=show,
    )
    style.cpu().eval()
    system.cpu()
    path = None
    if out is not None and fitted.stopped != "signal":
        measured = {"loss": round(float(held_out_loss(style, system, phi)), 4)}
        if world is not None and f"reader-{world}" in weights.bundled():
            measured |= measure_style(style, system, world, n=100 if profile == "smoke" else 2000)
        made = about(
            command,
            f"pictures of {_name(system)} for captions of {captioned.name}",
            fitted,
            measured,
        )
        path = save_style(
            style,
            out,
            f"style-{world or data}-{system.size}",
            system,
            **made,
            redraw=redraw,
            noise=noise,
        )
    return Trained(style, fitted, path)


def _system(generator, world: str | None, profile: str) -> TextToImage:
    if isinstance(generator, TextToImage):
        return generator
    if generator is not None:
        return named(TextToImage.load(generator), Path(generator).stem)
    names = [name for name in weights.bundled() if name.startswith(f"gan_int_cls-{world}-")]
    if not names:
        raise UsageError(
            "the style encoder inverts one trained generator: say which with "
            "--generator NAME, FILE or DIR" + (f" (none ships for {world})." if world else ".")
        )
    return named(TextToImage.load(names[-1]), names[-1])


def named(system: TextToImage, name: str) -> TextToImage:
    """The system, which from now on knows its name."""
    system.about = system.about | {"name": name}
    return system


def encode_fullest(system: TextToImage, captions: list[str]) -> Float[Tensor, "n text"]:
    """phi of those captions of which something can be made."""
    usable = []
    for caption in captions:
        try:
            system.encoder.vocabulary.check(caption)
        except UsageError:
            continue
        usable.append(caption)
    return system.encoder.encode(sorted(usable, key=len))


@torch.inference_mode()
def held_out_loss(
    style: StyleEncoder,
    system: TextToImage,
    phi: Float[Tensor, "n text"],
    *,
    n: int = 512,
    seed: int = 1234,
) -> float:
    """Equation 4 (mean over z's numbers) on pictures from noise that training did not use."""
    z = system.noise(n, seed)
    chosen = torch.arange(n) % len(phi)
    return float(style_loss(z, style.style(system(z, phi[chosen]))))


def measure_style(
    style: StyleEncoder,
    system: TextToImage,
    world_name: str,
    *,
    n: int = 2000,
    split: str = "test",
    seed: int = 0,
    reader: AttributeReader | None = None,
) -> dict[str, float]:
    """What counts, on real pictures of a split: AUC of verification, and success of transfer.

    Returns:
        "auc_setting", "auc_side": cosine of all of z, as in Reed et al., nothing else held equal;
        "auc_setting_told", "auc_side_told": told what is asked about, the probability that both
        have it (`metrics.style.discriminant`, learned on generated pictures); "transfer_..." of
        `transfer_success`: each picture's style onto the fullest caption of another.
    """
    world = paperworld.world(world_name)
    reader = reader or load_reader(world_name)
    data = world.load(split, system.size, n)
    vectors = style.style(to_float(data.images))
    styles = [name for name in ("setting", "side") if name in world.style]
    others = data.subset(torch.arange(n).roll(1).numpy())
    phi = system.encoder.encode([c[0] for c in others.captions])
    drawn = system(system.noise(n, seed + 77), phi)  # to learn the discriminant from
    read, known = reader.read(drawn), style.style(drawn)
    found = {}
    for name in styles:
        pairs = style_pairs(data.attributes[name], seed=seed)
        found[f"auc_{name}"] = verification(vectors, pairs).auc
        count = torch.bincount(read[name])
        if len(count) > 1 and int(count.min()) > 1:  # an untrained generator may draw one only
            told = discriminant(known, read[name]).probabilities(vectors)
            found[f"auc_{name}_told"] = verification(told, pairs, agreement).auc
    transferred = system(vectors, phi)
    success = transfer_success(reader, transferred, others, data, world.definition["class"], styles)
    found |= {f"transfer_{name}": share for name, share in success.items()}
    return {name: round(float(value), 4) for name, value in found.items()}


def save_style(
    style: StyleEncoder, folder: str | Path, name: str, system: TextToImage, **about
) -> Path:
    """Write S alone, with the name and sha256 of the generator that it inverts."""
    architecture = {"class": "t2ilab.models.style.StyleEncoder", "arguments": style.arguments}
    of = {"name": _name(system), "sha256": system.about.get("sha256", "")}
    return weights.save(
        folder,
        style.state_dict(),
        {"architecture": architecture, "generator": of, **about},
        name=name,
        half=True,
    )


def load_style(name_or_path: str | Path, system: TextToImage) -> StyleEncoder:
    """S for this system, by name ("style-birds-64") or path.

    Raises:
        WeightsError: missing, cut short, altered, no style encoder, or one of another generator.
    """
    loaded = weights.load(name_or_path)
    made = loaded.about["architecture"]["class"]
    if made != "t2ilab.models.style.StyleEncoder":
        raise WeightsError(f"weights '{loaded.name}' are of {made}, no style encoder.")
    of = loaded.about.get("generator", {})
    if of.get("sha256") != system.about.get("sha256"):
        raise WeightsError(
            f"style encoder '{loaded.name}' inverts the generator '{of.get('name')}' as it was "
            f"(sha256 {str(of.get('sha256'))[:8]}...), not this one "
            f"({str(system.about.get('sha256'))[:8]}...). Train it anew: t2ilab train style."
        )
    return weights.into(StyleEncoder(**loaded.arguments), loaded).eval()


def _name(system: TextToImage) -> str:
    arguments = system.generator.arguments
    return str(system.about.get("name") or f"a generator of {arguments['size']} pixels")
