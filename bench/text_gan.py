"""How fast text to image trains and draws, and how long training waits for data."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from bench.plain_loop import PlainLoop
from bench.row import Row, in_turn, seconds
from bench.sizes import Sizes
from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages
from t2ilab.data.pairs import TextImageBatches
from t2ilab.fit import fit
from t2ilab.fit.machine import make_fabric
from t2ilab.models.reed import Discriminator, Generator
from t2ilab.recipes.text_gan import RECIPES
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import GRUEncoder
from t2ilab.text.tokens import Vocabulary
from t2ilab.trainers.text_gan import SYSTEMS, Recipe, TextGAN


def measure(sizes: Sizes) -> Iterator[Row]:
    """Rows of training and of drawing; untrained networks, for speed does not depend on weights."""
    torch.manual_seed(0)
    data = paperworld.world("birds").load("train", sizes.side, sizes.data)
    yield from _throughput(data, sizes)
    yield _waiting(data, sizes)
    yield _drawing(data, sizes)


def _trainer(system: str, recipe: Recipe, sizes: Sizes) -> TextGAN:
    generator, discriminator = _networks(sizes, recipe)
    return TextGAN(generator, discriminator, recipe=recipe, **SYSTEMS[system])


def _networks(sizes: Sizes, recipe: Recipe) -> tuple[Generator, Discriminator]:
    shape = {"size": sizes.side, "text": sizes.text, "width": sizes.width}
    return (
        Generator(**shape, resize=recipe.resize),
        Discriminator(**shape, norm=recipe.norm, projection=recipe.projection),
    )


def _batches(data: CaptionedImages, recipe: Recipe, sizes: Sizes) -> TextImageBatches:
    phi = torch.randn(len(data), len(data.captions[0]), sizes.text).half()
    return TextImageBatches(data, phi, batch_size=sizes.batch, wrong=recipe.wrong, near=recipe.near)


def _throughput(data: CaptionedImages, sizes: Sizes) -> Iterator[Row]:
    """Both systems against the plain loop: the paper's recipe, ready batches, all in turn."""
    recipe, fabric = RECIPES["paper"], make_fabric(device="cpu")
    batch = _batches(data, recipe, sizes)(0)
    names = ("gan_cls", "gan_int_cls")
    trainers = [_trainer(name, recipe, sizes) for name in names]
    for trainer in trainers:
        trainer.setup(fabric)
    loop = PlainLoop(*_networks(sizes, recipe))
    *ours, theirs = in_turn(
        *(_steps(trainer.step, sizes.steps, batch) for trainer in trainers),
        _steps(loop.step, sizes.steps, batch["images"], batch["phi"]),
        repeats=sizes.repeats,
    )
    precision = getattr(fabric.strategy.precision, "precision", "32-true")
    for name, times in zip(names, ours, strict=True):
        yield Row.of(
            f"training, {name} {sizes.side}x{sizes.side}",
            _rates(times, sizes),
            _rates(theirs, sizes),
            unit="pictures/s",
            more=True,
            target="ratio >= 2.5" if name == "gan_cls" else "",
            note=f"batch {sizes.batch}, width {sizes.width}, {sizes.text}-d text, {precision}, "
            f"{torch.get_num_threads()} threads; reference: GAN-CLS in a plain float32 loop",
        )


def _steps(step: Callable, count: int, *batch: object) -> Callable[[], None]:
    """`count` updates on the same batch."""

    def run() -> None:
        for _ in range(count):
            step(*batch)

    return run


def _rates(times: list[float], sizes: Sizes) -> list[float]:
    return [sizes.steps * sizes.batch / t for t in times]


def _waiting(data: CaptionedImages, sizes: Sizes) -> Row:
    """How much of `fit` is waiting, and how much it were with batches made between the steps."""
    recipe = RECIPES["stable"]
    batches, trainer = _batches(data, recipe, sizes), _trainer("gan_int_cls", recipe, sizes)
    ours, theirs = [], []
    for i in range(sizes.repeats + 1):
        fitted = fit(trainer, batches, steps=sizes.fit_steps, strips=0, device="cpu", show=False)
        making = np.median([seconds(lambda s=s: batches(s)) for s in range(sizes.fit_steps)])
        step = fitted.seconds * (1 - fitted.wait_share) / fitted.steps
        if i:  # the first round does not count
            ours.append(100 * fitted.wait_share)
            theirs.append(100 * making / (making + step))
    return Row.of(
        f"waiting for data, {sizes.side}x{sizes.side}",
        ours,
        theirs,
        unit="% of a step",
        more=False,
        target="<= 5 %",
        note="gan_int_cls, recipe stable, in fit; reference: each batch made only when "
        "the step before it is done",
    )


def _drawing(data: CaptionedImages, sizes: Sizes) -> Row:
    """64 pictures of one caption."""
    vocabulary = Vocabulary.of(caption for captions in data.captions for caption in captions)
    generator, _ = _networks(sizes, RECIPES["stable"])
    system = TextToImage(GRUEncoder(vocabulary, text=sizes.text), generator)
    caption = data.captions[0][0]

    def plain() -> np.ndarray:
        phi = system.encoder(vocabulary.numbers([caption] * 64))
        pictures = system.generator(torch.randn(64, generator.z), phi)
        return pictures.add(1).mul(127.5).byte().permute(0, 2, 3, 1).numpy()

    ours, theirs = in_turn(lambda: system.draw(caption, n=64), plain, repeats=sizes.calls)
    return Row.of(
        f"64 pictures of a caption, {sizes.side}x{sizes.side}",
        [1000 * t for t in ours],
        [1000 * t for t in theirs],
        unit="ms",
        more=False,
        target="<= 150 ms",
        note=f"TextToImage.draw, width {sizes.width}, {sizes.text}-d text; reference: "
        "the networks called plainly: caption read 64 times, gradients recorded",
    )
