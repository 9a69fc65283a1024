"""What all trained systems share: they say what they are, and are saved and loaded in one way."""

from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from t2ilab.errors import UsageError, WeightsError
from t2ilab.systems import weights

S = TypeVar("S", bound="System")
MOST = 1024  # pictures in one call of `draw`


def noise_of(n: int, shape: int | tuple[int, ...], seed: int) -> Float[Tensor, "n ..."]:
    """N(0, 1) for n pictures, the same for the same seed; the first ones do not depend on n."""
    rng = torch.Generator().manual_seed(int(seed))
    return torch.stack([torch.randn(shape, generator=rng) for _ in range(n)])


def checked_count(n: int) -> int:
    """n, if that many pictures can be drawn in one call (UsageError)."""
    if not 1 <= n <= MOST:
        raise UsageError(f"n = {n}: ask for 1 to {MOST} pictures at a time.")
    return n


class Told(NamedTuple):
    """Pictures that a system drew after it was told of real ones, in its own terms.

    Attributes:
        pictures: one for each of those it was told of.
        terms: what it was told, in words.
        attributes: those of the world that the pictures should then share.
        could: of which it could be told: a network of eight colours cannot be asked for a ninth.
    """

    pictures: UInt8[np.ndarray, "n size size 3"]
    terms: str
    attributes: tuple[str, ...]
    could: Bool[np.ndarray, " n"]


class System(nn.Module):
    """A trained system as one thing. A kind of system derives from it, and says:

    - `kind`, its name in weight files; `draws`, whether it draws pictures, and `takes_captions`,
      whether from a caption; where it draws, `draw(n=, seed=)` or, from captions,
      `draw(caption=, n=, seed=)` -> uint8 [n, h, w, 3]; several captions give a picture of each;
    - `draw_as`, where it can be told without a caption what a picture should show;
    - `arguments()`, plain data of which `build(arguments)` makes the same networks, untrained;
    - `size`, the side of its pictures in pixels, or None;
    - `name_in_file`, where tensors have other names in its weight files than in `state_dict()`.

    Attributes:
        about: what the weight file said of it (`schemas.weights.Description`), else empty.
    """

    kind: ClassVar[str]
    takes_captions: ClassVar[bool] = False
    draws: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.about: dict[str, Any] = {}

    @property
    def size(self) -> int | None:
        return None

    def draw_as(self, world: str, split: str, n: int, seed: int = 0) -> Told | None:
        """Pictures like the first n of a split of a world of PaperWorld, as far as this system can
        be told of them without a caption; None where it can be told nothing.
        """
        return None

    def arguments(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def build(cls: type[S], arguments: dict[str, Any]) -> S:
        raise NotImplementedError

    def name_in_file(self, key: str) -> str:
        """What the tensor `key` of `state_dict()` is called in the file; here the same."""
        return key

    def tensors(self) -> dict[str, Tensor]:
        """What is saved, by its names in the file."""
        return {self.name_in_file(key): value for key, value in self.state_dict().items()}

    def save(self, folder: str | Path, name: str, **about: Any) -> Path:
        """Write NAME.safetensors and NAME.json into a folder; `about`: see `weights.save`."""
        about = {"kind": self.kind, "arguments": self.arguments(), "size": self.size} | about
        return weights.save(folder, self.tensors(), about, name=name, half=True)

    @classmethod
    def load(cls: type[S], name_or_path: str | Path) -> S:
        """The system of a weight file: a bundled name, a file, or the folder of a training run.

        Raises:
            UsageError: there is no such file.
            WeightsError: cut short, altered, or of another kind of system.
        """
        loaded = weights.load(name_or_path)
        if loaded.about["kind"] != cls.kind:
            raise WeightsError(
                f"weights '{loaded.name}' are of kind '{loaded.about['kind']}', not '{cls.kind}'."
            )
        system = cls._built(loaded)
        weights.into(system, loaded, system.name_in_file)
        system.about = loaded.about | {"name": loaded.name}
        return system.eval()

    @classmethod
    def _built(cls: type[S], loaded: weights.Loaded) -> S:
        """The untrained system; first without memory, to see that it is as large as the file."""
        try:
            with torch.device("meta"):
                untrained = cls.build(loaded.arguments)
            weights.see_fit(untrained, loaded, untrained.name_in_file)
            return cls.build(loaded.arguments)
        except WeightsError:
            raise
        except Exception as error:  # whatever wrong arguments do to the networks' constructors
            raise WeightsError(
                f"weights '{loaded.name}': no {cls.kind} can be made of the arguments in it "
                f"({type(error).__name__}: {str(error)[:200]}). Nothing was used."
            ) from error
