"""All that is measured of a trained text-to-image system on a world of PaperWorld."""

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.consistency import caption_consistency, diversity
from t2ilab.metrics.manifold import manifold
from t2ilab.metrics.scores import inception_score, scores
from t2ilab.models.reader import AttributeReader
from t2ilab.systems.text_to_image import TextToImage

DISTANCES = ("fid", "kid", "precision", "recall", "density", "coverage")


def style_of(world: paperworld.World) -> list[str]:
    """The style attributes whose variety is measured: all but the tone of the paper."""
    return [name for name in world.style if name != "tone"]


def evaluate(
    system: TextToImage,
    world: paperworld.World,
    reader: AttributeReader,
    *,
    n: int = 1000,
    seed: int = 1,
    noises: int = 100,
) -> dict[str, float | str | int]:
    """Draw for the complete captions of the test split and measure the pictures.

    Args:
        system: what draws.
        world: whose captions; its class attributes are those that are counted.
        reader: of that world.
        n: captions of the test split, half of them of classes that training never saw.
        seed: of the noise.
        noises: pictures a caption for the diversity, which takes 16 captions.

    Returns:
        "consistency_<attribute>", "consistency_all", the same "_unseen"; "diversity"; and with the
        reader as "extractor" (its name) "fid", "kid", "inception_score", "inception_score_share"
        (of the real pictures'); "pictures", their number.

    Raises:
        UsageError: n is not from 50 to the number of pictures in the test split.
    """
    test = world.load("test", system.size)
    if not 50 <= n <= len(test):
        raise UsageError(f"n = {n}: expected 50 to {len(test)} captions of the test split.")
    test = test.subset(slice(0, n))
    phi = system.encoder.encode([captions[0] for captions in test.captions])
    fake = system(system.noise(n, seed), phi)
    counted = world.definition["class"]
    unseen = world.unseen[test.classes]
    found = {
        f"consistency_{name}": share
        for name, share in caption_consistency(reader, fake, test, counted).items()
    }
    found |= {
        f"consistency_{name}_unseen": share
        for name, share in caption_consistency(
            reader, fake[torch.from_numpy(unseen)], test.subset(unseen), counted
        ).items()
    }
    found["diversity"] = _diversity(system, world, reader, phi, noises, seed)
    return found | picture_scores(world, reader, to_float(test.images), fake)


def floors(world: paperworld.World, reader: AttributeReader, n: int, size: int) -> dict[str, float]:
    """The scores between two real sets of n pictures each, which no generator can do better than.

    Returns:
        "fid_floor", "kid_floor", "precision_floor", ..., one for each distance of
        `picture_scores`.
    """
    start = paperworld.SPLITS["test"]  # pictures behind these were never measured
    both = to_float(world.load("test", size, start + n).images)
    found = picture_scores(world, reader, both[:n], both[start:])
    return {f"{name}_floor": found[name] for name in DISTANCES}


def _diversity(system, world, reader, phi, noises, seed) -> float:
    """Of 16 captions, `noises` pictures each, against the whole real split."""
    z = system.noise(noises, seed + 1)
    some = phi[:: max(1, len(phi) // 16)][:16]
    drawn = torch.stack([system(z, p.expand(noises, -1)) for p in some])
    return diversity(reader, drawn, world.load("test", system.size), style_of(world))


@torch.inference_mode()
def picture_scores(
    world: paperworld.World,
    reader: AttributeReader,
    real: Float[Tensor, "n 3 h w"],
    fake: Float[Tensor, "m 3 h w"],
) -> dict[str, float | str | int]:
    """FID, KID and Inception score of pictures in [-1, 1], with the reader as extractor.

    Returns:
        "extractor", "fid", "kid", "precision", "recall", "density", "coverage" (see `manifold`),
        "inception_score", "inception_score_share" (of the real pictures'), and "pictures", the
        number of generated ones. See `floors` for what real pictures score.

    Raises:
        UsageError: fewer than 50 pictures of a kind.
    """
    names, values = world.definition["class"], world.content
    classes = [
        {name: values[name].index(value) for name, value in zip(names, one, strict=True)}
        for one in world.classes
    ]
    of_fake = scores(real, fake, reader, classes, world=world.name)
    near = manifold(*(torch.cat([reader.features(p) for p in x.split(256)]) for x in (real, fake)))
    share = of_fake.inception_score / inception_score(real, reader, classes)
    return {
        "extractor": of_fake.extractor,
        "fid": of_fake.fid,
        "kid": of_fake.kid,
        **near._asdict(),
        "inception_score": of_fake.inception_score,
        "inception_score_share": share,
        "pictures": len(fake),
    }
