"""S, the style encoder of a trained generator: the noise behind a picture (Reed et al. 2016)."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.style import (
    agreement,
    discriminant,
    style_pairs,
    transfer_success,
    verification,
)
from t2ilab.models.reader import UNREADABLE
from t2ilab.models.style import StyleEncoder
from t2ilab.recipes.data import load_data, usable
from t2ilab.recipes.options import Source, option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems import weights
from t2ilab.systems.single import TrainedStyle, has_reader, load_reader, see_that_it_inverts
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.trainers.style import StyleBatches, StyleTrainer, style_loss

STEPS = {"smoke": 20, "laptop": 2500, "gpu": 20_000}
WIDTH = {"smoke": 8, "laptop": 24, "gpu": 64}
PICTURES = {"smoke": 256, "laptop": 1000, "gpu": 1000}  # whose fullest captions are drawn for


@dataclass(frozen=True, kw_only=True)
class Options(Source):
    """Of the style encoder. `redraw` and `noise` both 0: equation 4 alone (see `StyleTrainer`)."""

    generator: str | TextToImage | None = option(
        None,
        "The trained system to invert: DIR, FILE or NAME; default the world's own that ships.",
        path=True,
        objects=[TextToImage],
    )
    redraw: float = option(
        5.0, "Weight of the error of the picture drawn again.", kind=float, least=0, most=1e6
    )
    noise: float = option(
        0.1, "The strongest pixel noise on what S sees.", kind=float, least=0, most=10
    )


System = TrainedStyle
HEADLINE = ("transfer_content", "transfer_style")


def build(o: Options, prepare) -> Built:
    """S against a trained system, which stays as it is (eq. 4).

    The captions are the fullest of each picture: what they leave open is style. (With bare ones
    z would hold colours too, and S would learn these.)

    Raises:
        UsageError: a data set without a generator.
    """
    system = generator_of(o)
    captioned, phi = _captions(o, system)
    torch.manual_seed(o.seed)
    g = system.generator
    style = StyleEncoder(size=32, z=g.z, width=WIDTH[o.profile])
    name = str(system.about.get("name") or f"a generator of {g.size} pixels")
    return Built(
        StyleTrainer(style, g, system.prior, redraw=o.redraw, noise=o.noise, seed=o.seed),
        StyleBatches(phi, z=g.z, seed=o.seed),
        finish=lambda: TrainedStyle(style),
        name=f"style-{o.of}-{system.size}",
        data=f"pictures of {name} for captions of {captioned.name}",
        fingerprint=fingerprint(captioned) | {"generator": str(system.about.get("tensors"))},
        steps=STEPS[o.profile],
        more={
            "generator": {"name": name, "tensors": system.about.get("tensors")},
            "redraw": o.redraw,
            "noise": o.noise,
        },
    )


def measure(style: TrainedStyle, o: Options, n: int | None = None) -> dict[str, float]:
    """Equation 4 on pictures that training did not use, and `measure_style` on a world.

    Raises:
        WeightsError: S is of another generator.
    """
    if o.generator is None and style.about:
        o = replace(o, generator=style.about["more"]["generator"]["name"])
    system = generator_of(o).cpu()
    if style.about:
        see_that_it_inverts(style, system)
    network, (_, phi) = style.network, _captions(o, system)
    measured = {"loss": held_out_loss(network, system, phi)}
    if has_reader(o.world):
        n = n or (100 if o.profile == "smoke" else 2000)
        measured |= measure_style(network, system, o.world, n=n)
    return measured


def generator_of(o: Options) -> TextToImage:
    """The system that S turns round: the one that was given, or the world's own that ships.

    Raises:
        UsageError: none was given, and none ships.
    """
    if isinstance(o.generator, TextToImage):
        return o.generator
    if o.generator is not None:
        return TextToImage.load(o.generator)
    fitting = [
        name
        for name, about in weights.described().items()
        if about.kind == TextToImage.kind and about.world == (o.world or None)
    ]
    if not fitting:
        raise UsageError(
            "the style encoder inverts one trained generator: say which with "
            "--generator NAME, FILE or DIR" + (f" (none ships for {o.world})." if o.world else ".")
        )
    return TextToImage.load(fitting[-1])


def _captions(o: Options, system: TextToImage) -> tuple[CaptionedImages, Tensor]:
    """Captioned pictures, and phi of their fullest captions, of those that say something."""
    captioned = load_data(
        world=o.world, data=o.data, root=o.root, size=system.size, n=PICTURES[o.profile]
    )
    fullest = [max(c, key=len) if o.data else c[0] for c in captioned.captions]
    said = [caption for caption in fullest if usable(system.encoder, caption)]
    return captioned, system.encoder.encode(sorted(said, key=len))


@torch.inference_mode()
def held_out_loss(style: StyleEncoder, system: TextToImage, phi: Float[Tensor, "n text"]) -> float:
    """Equation 4 (mean over z's numbers) on 512 pictures from noise that training did not use."""
    z = system.noise(512, seed=1234)
    chosen = torch.arange(len(z)) % len(phi)
    return float(style_loss(z, style.style(system.draw_vectors(phi[chosen], z))))


def measure_style(
    style: StyleEncoder, system: TextToImage, world_name: str, *, n: int = 2000, split: str = "test"
) -> dict[str, float]:
    """What counts, on real pictures of a split: AUC of verification, and success of transfer.

    Returns:
        "auc_setting", "auc_side", "auc_tone": cosine of all of z, as in Reed et al., nothing else
        held equal; "auc_setting_told" and so on: told what is asked about, the probability that
        both have it (`metrics.style.discriminant`, learned on generated pictures);
        "transfer_..." of `transfer_success`: each picture's style onto the fullest caption of
        another.
    """
    world = paperworld.world(world_name)
    reader, data = load_reader(world_name), world.load(split, system.size, n)
    vectors = style.style(to_float(data.images))
    styles = list(world.style)
    others = data.subset(torch.arange(n).roll(1).numpy())
    phi = system.encoder.encode([c[0] for c in others.captions])
    drawn = system.draw_vectors(phi, system.noise(n, seed=77))  # to learn the discriminant from
    read, known = reader.read(drawn), style.style(drawn)
    found = {}
    for name in styles:
        pairs = style_pairs(data.attributes[name])
        found[f"auc_{name}"] = verification(vectors, pairs).auc
        can = read[name] != UNREADABLE
        count = torch.bincount(read[name][can])
        if len(count) > 1 and int(count.min()) > 1:  # an untrained generator may draw one only
            told = discriminant(known[can], read[name][can]).probabilities(vectors)
            found[f"auc_{name}_told"] = verification(told, pairs, agreement).auc
    transferred = system.draw_vectors(phi, vectors)
    success = transfer_success(reader, transferred, others, data, world.definition["class"], styles)
    found |= {f"transfer_{name}": share for name, share in success.items()}
    return {name: round(float(value), 4) for name, value in found.items()}
