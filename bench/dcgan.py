"""How fast DCGAN trains, beside the loop of PyTorch's own example on the same networks."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.row import Row, in_turn
from bench.sizes import Sizes
from t2ilab.fit.machine import make_fabric
from t2ilab.models.dcgan import Discriminator, Generator
from t2ilab.recipes.dcgan import LR
from t2ilab.trainers.gan import GAN


def measure(sizes: Sizes) -> Iterator[Row]:
    """Rows of one ready batch: our step with new noise for G, as the recipe has it, and without."""
    fabric = make_fabric(device="cpu")
    images = torch.randint(0, 256, (sizes.batch, 3, sizes.side, sizes.side), dtype=torch.uint8)
    trainers = [_trainer(sizes, fresh) for fresh in (True, False)]
    for trainer in trainers:
        trainer.setup(fabric)
    loop = ExampleLoop(*_networks(sizes))
    *ours, theirs = in_turn(
        *(_steps(trainer.step, sizes.steps, {"images": images}) for trainer in trainers),
        _steps(loop.step, sizes.steps, images),
        repeats=sizes.repeats,
    )
    precision = getattr(fabric.strategy.precision, "precision", "32-true")
    names = ("new noise for G", "the same noise for D and G")
    for name, times in zip(names, ours, strict=True):
        yield Row.of(
            f"training, dcgan {sizes.side}x{sizes.side}, {name}",
            _rates(times, sizes),
            _rates(theirs, sizes),
            unit="pictures/s",
            more=True,
            target="ratio >= 2 where bfloat16 is in hardware",
            note=f"batch {sizes.batch}, width {sizes.width}, {precision}, "
            f"{torch.get_num_threads()} threads; reference: a loop like that of PyTorch's DCGAN "
            "example, in float32, which uses the noise of D's step for G's",
        )


class ExampleLoop:
    """What the example `dcgan` of PyTorch does in a step, on our networks.

    Float32; D on data and on made pictures with a backward pass each, G's with gradients for D's
    weights as well, which nobody uses; five numbers are fetched from each step, to be printed.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module):
        self.G, self.D = generator, discriminator
        self.opt_G, self.opt_D = (
            torch.optim.Adam(net.parameters(), LR, (0.5, 0.999))
            for net in (generator, discriminator)
        )

    def step(self, images: Tensor) -> tuple[float, ...]:
        """Losses of D and G; mean D on data, on made pictures, and on these after D's update."""
        x = images.float().div(127.5).sub(1)
        self.opt_D.zero_grad()
        loss_real, d_real = self._judged(x, 1.0)
        loss_real.backward()
        fake = self.G(torch.randn(len(x), self.G.z))
        loss_fake, d_fake = self._judged(fake.detach(), 0.0)
        loss_fake.backward()
        self.opt_D.step()

        self.opt_G.zero_grad()
        loss_g, d_after = self._judged(fake, 1.0)
        loss_g.backward()
        self.opt_G.step()
        return (loss_real + loss_fake).item(), loss_g.item(), d_real, d_fake, d_after

    def _judged(self, pictures: Tensor, label: float) -> tuple[Tensor, float]:
        probability = self.D(pictures).sigmoid()
        wanted = torch.full_like(probability, label)
        return F.binary_cross_entropy(probability, wanted), probability.mean().item()


def _networks(sizes: Sizes) -> tuple[Generator, Discriminator]:
    shape = {"size": sizes.side, "width": sizes.width}
    return Generator(**shape), Discriminator(**shape)


def _trainer(sizes: Sizes, fresh: bool) -> GAN:
    return GAN(*_networks(sizes), objective="logistic", fresh=fresh, lr=LR, betas=(0.5, 0.999))


def _steps(step: Callable, count: int, batch: object) -> Callable[[], None]:
    """`count` updates on the same batch."""

    def run() -> None:
        for _ in range(count):
            step(batch)

    return run


def _rates(times: list[float], sizes: Sizes) -> list[float]:
    return [sizes.steps * sizes.batch / t for t in times]
