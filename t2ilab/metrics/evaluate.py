"""All that is measured of a trained text-to-image system on a world of PaperWorld."""

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError
from t2ilab.metrics.consistency import caption_consistency, diversity, entropy, joint
from t2ilab.metrics.manifold import manifold
from t2ilab.metrics.scores import inception_score, scores
from t2ilab.models.reader import AttributeReader
from t2ilab.systems.text_to_image import TextToImage

DISTANCES = ("fid", "kid", "precision", "recall", "density", "coverage")


def style_of(world: paperworld.World) -> list[str]:
    """The style attributes, whose variety is measured: setting, side and tone of birds."""
    return list(world.style)


def evaluate(
    system: TextToImage,
    world: paperworld.World,
    reader: AttributeReader,
    *,
    n: int = 1000,
    seed: int = 1,
    noises: int = 100,
) -> dict[str, float | str | int]:
    """Draw for captions of the test split and measure the pictures.

    Args:
        system: what draws.
        world: whose captions.
        reader: of that world; a picture that it refuses obeys no caption.
        n: captions of the test split, half of them of classes that training never saw.
        seed: of the noise.
        noises: pictures a caption for the diversity, which takes 16 captions.

    Returns:
        For complete captions "consistency_<attribute>" of all content, "consistency_all", the same
        "_unseen", "readable", "diversity", and what `picture_scores` finds. For captions with an
        aside "consistency_aside", the share in which setting and side are as stated. For bare ones
        `bare` with "_bare" behind each name.

    Raises:
        UsageError: n is not from 50 to the number of pictures in the test split.
    """
    test = _test(world, system.size, n)
    fake, counted = drawn_for(system, test, 0, seed), list(world.content)
    unseen = world.unseen[test.classes]
    few, their = torch.from_numpy(unseen), test.subset(unseen)
    of_all = caption_consistency(reader, fake, test, counted, level=0)
    of_unseen = caption_consistency(reader, fake[few], their, counted, level=0)
    found = {f"consistency_{name}": share for name, share in of_all.items()}
    found |= {f"consistency_{name}_unseen": share for name, share in of_unseen.items()}
    aside = paperworld.LEVELS + 1  # one less than complete, with an aside
    told = caption_consistency(
        reader, drawn_for(system, test, aside, seed), test, style_of(world), level=aside
    )
    found |= {"consistency_aside": told["all"], "readable": readable(reader, fake)}
    found["diversity"] = _diversity(system, world, reader, test, noises, seed)
    found |= picture_scores(world, reader, to_float(test.images), fake)
    last = paperworld.LEVELS - 1
    return found | {
        f"{k}_bare": v for k, v in by_level(system, world, reader, last, n, seed).items()
    }


def _test(world: paperworld.World, size: int, n: int) -> CaptionedImages:
    """The first n pictures of the test split, with asides."""
    most = paperworld.SPLITS["test"]
    if not 50 <= n <= most:
        raise UsageError(f"n = {n}: expected 50 to {most} captions of the test split.")
    return world.load("test", size, asides=True).subset(slice(0, n))


def drawn_for(
    system: TextToImage, data: CaptionedImages, level: int, seed: int = 1
) -> Float[Tensor, "n 3 h w"]:
    """A picture for caption `level` of each picture of `data`."""
    phi = system.encoder.encode([captions[level] for captions in data.captions])
    return system.draw_vectors(phi, system.noise(len(data), seed))


def readable(reader: AttributeReader, images: Float[Tensor, "n 3 h w"]) -> float:
    """The share of pictures that the reader does not refuse."""
    return float((reader.readable(images) >= 0.5).float().mean())


def by_level(
    system: TextToImage,
    world: paperworld.World,
    reader: AttributeReader,
    level: int,
    n: int = 1000,
    seed: int = 1,
) -> dict[str, float]:
    """What becomes of pictures as their captions say less: one row of a table over the levels.

    Args:
        level: 0 (complete) to 4 (bare).
        n: captions of the test split.

    Returns:
        "right" and "right_unseen": all that is stated is read back; "readable"; "fid", "precision",
        "recall" against real pictures; "variety": of the attributes the least share of the real
        pictures' entropy, among pictures that can be read.

    Raises:
        UsageError: n is not from 50 to the number of pictures in the test split.
    """
    test = _test(world, system.size, n)
    return level_scores(drawn_for(system, test, level, seed), test, world, reader, level)


def level_scores(
    fake: Float[Tensor, "n 3 h w"],
    test: CaptionedImages,
    world: paperworld.World,
    reader: AttributeReader,
    level: int,
) -> dict[str, float]:
    """The same of pictures that are drawn: the k-th for caption `level` of picture k of `test`."""
    unseen = world.unseen[test.classes]
    few = torch.from_numpy(unseen)
    right = caption_consistency(reader, fake, test, world.content, level=level)["all"]
    right_unseen = caption_consistency(
        reader, fake[few], test.subset(unseen), world.content, level=level
    )["all"]
    of = picture_scores(world, reader, to_float(test.images), fake)
    return {
        "right": right,
        "right_unseen": right_unseen,
        "readable": readable(reader, fake),
        **{name: of[name] for name in ("fid", "precision", "recall")},
        "variety": min(variety(reader, fake, test).values()),
    }


def variety(
    reader: AttributeReader, images: Float[Tensor, "n 3 h w"], data: CaptionedImages
) -> dict[str, float]:
    """attribute -> entropy of its values in the readable pictures, as a share of the data's.

    Attributes that have one value in the data are left out.
    """
    read = {name: values.cpu().numpy() for name, values in reader.read(images).items()}
    real = {name: entropy(data.attributes[name]) for name in read}
    return {n: entropy(joint(read, [n])) / real[n] if len(images) else 0.0 for n in read if real[n]}


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


def _diversity(system, world, reader, test, noises, seed) -> float:
    """Of 16 complete captions, `noises` pictures each, against the whole real split."""
    z = system.noise(noises, seed + 1)
    some = test.captions[:: max(1, len(test) // 16)][:16]
    phi = system.encoder.encode([captions[0] for captions in some])
    drawn = torch.stack([system.draw_vectors(p.expand(noises, -1), z) for p in phi])
    return diversity(reader, drawn, world.load("test", system.size), style_of(world))


def classes_of(world: paperworld.World) -> list[dict[str, int]]:
    """Each class of a world as attribute -> number of its value; see `scores.ClassLogits`."""
    names, values = world.definition["class"], world.content
    return [
        {name: values[name].index(value) for name, value in zip(names, one, strict=True)}
        for one in world.classes
    ]


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
    classes = classes_of(world)
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
