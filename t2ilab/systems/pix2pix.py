"""A generator of pix2pix as one thing: it turns maps of parts into pictures.

system = Pix2PixSystem.load("pix2pix-birds-32")
pictures = system.pictures(maps, seed=0)    # uint8 [n, 32, 32] -> uint8 [n, 32, 32, 3]
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data import maps as of_maps
from t2ilab.data import paperworld
from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.models.pix2pix import UNet
from t2ilab.systems.single import Single
from t2ilab.systems.system import Told, checked_count

SHOWN = ("size", "beak", "side")  # attributes of birds that a map of their parts shows


class Pix2PixSystem(Single):
    """The generator, with what it is given.

    Args:
        generator: the network.
        world: of PaperWorld, whose maps it knows.
        names: of the parts, in the order of their labels.
        given: "parts" or "edges".
    """

    kind = "pix2pix"
    draws = True

    def __init__(
        self, generator: UNet, *, world: str, names: tuple[str, ...], given: str = "parts"
    ):
        super().__init__(generator)
        self.world, self.names, self.given = world, tuple(names), given
        self.requires_grad_(False)

    @property
    def size(self) -> int:
        return self.network.size

    def arguments(self) -> dict[str, Any]:
        own = dict(world=self.world, names=list(self.names), given=self.given)
        return own | super().arguments()

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "Pix2PixSystem":
        left = dict(arguments)
        own = {name: left.pop(name) for name in ("world", "names", "given")}
        return cls(UNet(**left), **own)

    @torch.inference_mode()
    def sample(
        self, maps: UInt8[np.ndarray, "n h w"] | UInt8[Tensor, "n h w"], seed: int = 0
    ) -> Float[Tensor, "n 3 h w"]:
        """Pictures of maps, in [-1, 1]; `seed` is of the dropout, whose masks are drawn in a row.

        Raises:
            UsageError: maps of another size, or a label that there is not.
        """
        maps = torch.as_tensor(np.ascontiguousarray(maps))
        if maps.ndim != 3 or maps.shape[1:] != (self.size, self.size):
            raise UsageError(
                f"maps of shape {list(maps.shape)}: give [n, {self.size}, {self.size}]."
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            y = of_maps.encoded(maps, 1 + len(self.names), self.given)
            return torch.cat([self.network(part) for part in y.split(250)])

    def pictures(
        self, maps: UInt8[np.ndarray, "n h w"], seed: int = 0
    ) -> UInt8[np.ndarray, "n h w 3"]:
        """The same as pictures to look at; raises as `sample`."""
        return to_uint8(self.sample(maps, seed))

    def draw_as(self, world: str, split: str, n: int, seed: int = 0) -> Told | None:
        """Told the map of parts, which shows of the attributes `SHOWN`, and no colours."""
        if world != self.world:
            return None
        drawn = self.pictures(of_maps.load(world, split, self.size, n).maps, seed)
        attributes = paperworld.world(world).attributes
        shown = tuple(name for name in SHOWN if name in attributes)
        return Told(drawn, f"a map of {self.given}", shown, np.ones(n, bool))

    def draw(self, n: int = 16, seed: int = 0) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures of maps of the test split; another seed takes others.

        Raises:
            UsageError: n is not between 1 and 1024.
        """
        most = 2000
        rng = np.random.default_rng(seed)
        one = of_maps.paperworld.world(self.world)
        chosen = rng.choice(most, checked_count(n), replace=False)
        return self.pictures(np.stack([one.parts("test", int(i), self.size) for i in chosen]), seed)
