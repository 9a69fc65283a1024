"""Systems that are one network: what reads attributes, and what finds the noise of a picture."""

from pathlib import Path
from typing import Any

from torch import nn

from t2ilab.errors import WeightsError
from t2ilab.models.parts import PartFinder
from t2ilab.models.prior import CompletingPrior
from t2ilab.models.reader import AttributeReader
from t2ilab.models.style import StyleEncoder
from t2ilab.systems import weights
from t2ilab.systems.system import System
from t2ilab.systems.text_to_image import TextToImage


class Single(System):
    """A system around one network, whose weights it saves under the network's own names."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.eval()

    def arguments(self) -> dict[str, Any]:
        return dict(self.network.arguments)

    def name_in_file(self, key: str) -> str:
        return key.removeprefix("network.")


class TrainedReader(Single):
    """The AttributeReader of a world."""

    kind = "attribute_reader"

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "TrainedReader":
        return cls(AttributeReader(**arguments))


class TrainedParts(Single):
    """The PartFinder of a world."""

    kind = "part_finder"

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "TrainedParts":
        return cls(PartFinder(**arguments))


class TrainedPrior(Single):
    """The CompletingPrior of a world, for the vectors of one caption encoder."""

    kind = "completing_prior"

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "TrainedPrior":
        return cls(CompletingPrior(**arguments))


class TrainedStyle(Single):
    """S, which finds the noise of a picture, for one generator."""

    kind = "style_encoder"

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "TrainedStyle":
        return cls(StyleEncoder(**arguments))


def load_parts(world: str) -> PartFinder:
    """The trained PartFinder of a world of PaperWorld.

    Raises:
        UsageError: none ships for this world.
        WeightsError: its file is cut short or altered.
    """
    return TrainedParts.load(f"parts-{world}").network


def load_reader(world: str) -> AttributeReader:
    """The trained AttributeReader of a world of PaperWorld.

    Raises:
        UsageError: none ships for this world.
        WeightsError: its file is cut short or altered.
    """
    return TrainedReader.load(f"reader-{world}").network


def has_reader(world: str | None) -> bool:
    """Whether a reader ships for this world."""
    return world is not None and f"reader-{world}" in weights.bundled()


def load_style(name_or_path: str | Path, system: TextToImage) -> StyleEncoder:
    """S for this system, by name ("style-birds-64") or path.

    Raises:
        WeightsError: missing, cut short, altered, no style encoder, or one of another generator.
    """
    style = TrainedStyle.load(name_or_path)
    see_that_it_inverts(style, system)
    return style.network


def see_that_it_inverts(style: TrainedStyle, system: TextToImage) -> None:
    """Refuse a style encoder that was trained against another generator (WeightsError)."""
    of, here = style.about["more"].get("generator", {}), system.about.get("tensors")
    if of.get("tensors") != here:
        raise WeightsError(
            f"style encoder '{style.about['name']}' inverts the generator '{of.get('name')}' as it "
            f"was (sha256 {str(of.get('tensors'))[:8]}...), not this one ({str(here)[:8]}...). "
            "Train it anew: t2ilab train style."
        )
