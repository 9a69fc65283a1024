"""INNg and WINN, introspective networks, on pictures without captions."""

from dataclasses import dataclass, replace
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.batches import PictureBatches
from t2ilab.data.captioned import CaptionedImages, to_float
from t2ilab.errors import UsageError, choose
from t2ilab.inputs.synthesis import Sampler, synthesise
from t2ilab.metrics.evaluate import picture_scores
from t2ilab.models.introspective import Critic
from t2ilab.recipes.data import Squares, load_data
from t2ilab.recipes.options import option
from t2ilab.recipes.train import Built, fingerprint
from t2ilab.systems.introspective import IntrospectiveSystem
from t2ilab.systems.single import has_reader, load_reader
from t2ilab.trainers.introspective import Introspective, Recipe

# Of both: what scored best in trials of one seed and five minutes each. INNg keeps Adam on pixels
# and a memory of all earlier rounds, as its papers have them, although without the memory it scored
# better there (0.31 of the real pictures' Inception score against 0.27). WINN's gradient has a norm
# near 1 by its penalty, so it can be followed as it is; an lr of 2 then moves each value of a
# picture of 32 x 32 x 3 by 0.036, and `_scaled` keeps that for other sizes.
INTROSPECTIVE = {
    "inng": Recipe(
        objective="logistic",
        betas=(0.9, 0.999),
        past=0.25,
        sampler=Sampler(rule="adam", lr=0.02, last_lr=0.01, until="drawn"),
    ),
    "winn": Recipe(
        objective="wasserstein",
        sampler=Sampler(rule="gradient", lr=2.0, last_lr=0.5, until="drawn"),
    ),
}
KEPT = 512  # scores of positives that go into the weight file
MEASURED = 2000  # pictures from noise that are scored


@dataclass(frozen=True)
class Plan:
    """Sizes of a training run: pictures' side, width of the critic, batch, pool, minutes."""

    size: int
    width: int
    batch_size: int
    pool: int
    minutes: float
    pictures: int | None = None


PLANS = {
    "smoke": Plan(size=32, width=8, batch_size=16, pool=64, minutes=0.05, pictures=256),
    "laptop": Plan(size=32, width=64, batch_size=32, pool=512, minutes=5),
    "gpu": Plan(size=64, width=64, batch_size=64, pool=4096, minutes=12 * 60),
}


@dataclass(frozen=True, kw_only=True)
class Options(Squares):
    """Of INNg and WINN."""

    width: int | None = option(None, "Channels of the critic.", kind=int, least=1, most=1024)
    batch_size: int | None = option(None, "Pictures a step.", kind=int, least=2, most=65_536)
    label: str | None = option(None, "An attribute, or class, to learn to tell apart as well.")
    start: str | None = option(
        None,
        "Trained weights to begin with: DIR, FILE or NAME; the steps are then smaller.",
        path=True,
    )
    recipe: Recipe | None = option(
        None, "Instead of the system's own.", objects=[Recipe], shown=False
    )


System = IntrospectiveSystem
HEADLINE = ("fid", "inception_score_share")


def build(o: Options, prepare) -> Built:
    """The critic, or the one that training goes on from, with its pool of pictures.

    Raises:
        UsageError: weights to start from that are of other pictures.
    """
    recipe = o.recipe or INTROSPECTIVE[choose("system", o.system, INTROSPECTIVE)]
    begun, own, plan = None, {}, PLANS[o.profile]
    if o.start is not None:
        begun = IntrospectiveSystem.load(o.start)
        recipe, own = going_on(recipe), begun.critic.arguments
    size = o.size or own.get("size") or o.side(plan.size)
    pictures = load_data(world=o.world, data=o.data, root=o.root, size=size, n=plan.pictures)
    channels = o.channels
    sampler = _scaled(recipe.sampler, channels * size * size)
    recipe = replace(recipe, pool=min(recipe.pool, plan.pool), sampler=sampler)
    width, classes = o.width or own.get("width", plan.width), _classes(pictures, o.label)
    torch.manual_seed(o.seed)
    critic = Critic(size=size, channels=channels, width=width, classes=classes)
    trainer = Introspective(critic, recipe=recipe, seed=o.seed)
    earlier = {} if begun is None else {"start": _take_over(o, trainer, begun)}
    batch_size = min(o.batch_size or plan.batch_size, len(pictures))
    label = None if o.label == "class" else o.label
    batches = PictureBatches(
        pictures, channels=channels, seed=o.seed, batch_size=batch_size, label=label
    )
    return Built(
        trainer,
        batches,
        finish=lambda: finished(trainer.average.cpu(), sampler, pictures, channels),
        name=f"{o.system}-{o.of}-{size}",
        data=pictures.name,
        fingerprint=fingerprint(pictures),
        minutes=plan.minutes,
        more={"objective": recipe.objective, **earlier},
    )


def going_on(recipe: Recipe) -> Recipe:
    """For weights that are trained already: steps as small as they were at the end of training on
    pictures, and half as large on weights.
    """
    sampler = replace(recipe.sampler, lr=recipe.sampler.last_lr)
    return replace(recipe, lr=recipe.lr / 2, sampler=sampler)


def _take_over(o: Options, trainer: Introspective, begun: IntrospectiveSystem) -> dict:
    """The weights of `begun`, and a pool as in the midst of its training; says whose they are.

    In such a pool all ages are found: a trained critic that is shown noise alone unlearns the rest.

    Raises:
        UsageError: they are of another system, or of a critic of another shape.
    """
    if begun.about["system"] != o.system:
        raise UsageError(
            f"the weights to start from are of {begun.about['system'] or 'no system'}, and this "
            f"run trains {o.system}: give weights of {o.system}."
        )
    of, wanted = begun.critic.arguments, trainer.critic.arguments
    if of != wanted:
        raise UsageError(
            f"the weights to start from are of a critic with {of}, and this run makes "
            f"one with {wanted}: give the same size, width and label, and pictures "
            "with as many channels."
        )
    critic, positives, sampler = begun.critic, begun.positives, begun.sampler
    trainer.critic.load_state_dict(critic.state_dict())
    ages = torch.arange(len(trainer.pool)) % sampler.visits
    generator = torch.Generator().manual_seed(o.seed)
    for visit in range(1, sampler.visits):
        old = ages >= visit
        made = synthesise(
            critic, trainer.pool[old], positives, sampler, progress=1.0, generator=generator
        )
        trainer.pool[old] = made.pictures
    return {name: begun.about[name] for name in ("command", "steps", "seconds", "tensors")}


def finished(
    critic: Critic, sampler: Sampler, pictures: CaptionedImages, channels: int
) -> IntrospectiveSystem:
    """The system, with the scores that some of its positives have at the end of training."""
    some = to_float(pictures.images[:KEPT])[:, :channels]
    with torch.inference_mode():
        scores = torch.cat([critic(part) for part in some.split(256)])
    return IntrospectiveSystem(critic, sampler, scores.clone())


def measure(system: IntrospectiveSystem, o: Options, n: int | None = None) -> dict:
    """Scores of pictures from noise against the test split; nothing without a world's reader."""
    if not has_reader(o.world):
        return {}
    n = n or (64 if o.profile == "smoke" else MEASURED)
    world = paperworld.world(o.world)
    test = world.load("test", system.size)
    real = to_float(test.images[:n])
    return picture_scores(world, load_reader(o.world), real, from_noise(system, n))


def from_noise(
    system: IntrospectiveSystem, n: int, *, seed: int = 1
) -> Float[Tensor, "n c size size"]:
    """Many pictures, 250 at a time, each batch with a seed of its own."""
    counts = [min(250, n - done) for done in range(0, n, 250)]
    return torch.cat([system.synthesise(count, seed * 1000 + i) for i, count in enumerate(counts)])


def _scaled(sampler: Sampler, values: int) -> Sampler:
    """Gradient steps for pictures of so many values; Adam's are the same for all."""
    if sampler.rule != "gradient":
        return sampler
    by = sqrt(values / (3 * 32 * 32))
    return replace(sampler, lr=sampler.lr * by, last_lr=sampler.last_lr * by)


def _classes(pictures: CaptionedImages, label: str | None) -> int:
    if label is None:
        return 0
    if label == "class":
        return len(pictures.class_names)
    values = pictures.attributes[choose("attribute", label, pictures.attributes)]
    return int(values.max()) + 1
