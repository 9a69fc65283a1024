"""A trained caption encoder as one thing: phi and, where it has one, the matcher it learned in."""

import re
from pathlib import Path
from typing import Any

from t2ilab.errors import WeightsError
from t2ilab.systems.system import System
from t2ilab.text.encoders import ENCODERS, CaptionEncoder
from t2ilab.text.matcher import Matcher


class TrainedEncoder(System):
    """phi, and the head for pictures that it was trained beside.

    Args:
        encoder: phi.
        matcher: around the same encoder; None: it cannot match pictures.
    """

    kind = "caption_encoder"

    def __init__(self, encoder: CaptionEncoder, matcher: Matcher | None = None):
        super().__init__()
        self.encoder, self.matcher = encoder, matcher
        self.eval()

    def arguments(self) -> dict[str, Any]:
        matcher = None if self.matcher is None else self.matcher.arguments
        return {"encoder": describe_encoder(self.encoder), "matcher": matcher}

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "TrainedEncoder":
        encoder, matcher = make_encoder(arguments["encoder"]), arguments["matcher"]
        return cls(encoder, None if matcher is None else Matcher(encoder, **matcher))

    def name_in_file(self, key: str) -> str:
        """phi's names as they are, once; "matcher." before what belongs to the matcher alone."""
        return re.sub(r"^(matcher\.)?encoder\.", "", key)


def describe_encoder(encoder: CaptionEncoder) -> dict[str, Any]:
    """What `make_encoder` needs to build the same network."""
    kind = next(name for name, cls in ENCODERS.items() if isinstance(encoder, cls))
    return {"kind": kind, "words": encoder.vocabulary.words, **encoder.arguments}


def make_encoder(description: dict[str, Any]) -> CaptionEncoder:
    """An untrained encoder from its description."""
    arguments = dict(description)
    make, words = ENCODERS[arguments.pop("kind")], arguments.pop("words")
    return make(make.reads(words), **arguments)


def load_encoder(name_or_path: str | Path) -> CaptionEncoder:
    """A trained caption encoder, by name ("encoder-birds") or path.

    Raises:
        WeightsError: missing, cut short, altered, or no caption encoder.
    """
    return TrainedEncoder.load(name_or_path).encoder


def load_matcher(name_or_path: str | Path) -> Matcher:
    """A trained caption encoder with the head for pictures that it learned beside.

    Raises:
        WeightsError: missing, cut short, altered, no caption encoder, or saved without a head.
    """
    trained = TrainedEncoder.load(name_or_path)
    if trained.matcher is None:
        raise WeightsError(
            f"weights '{trained.about['name']}' are a caption encoder without the head for "
            "pictures that matching needs: train one with 't2ilab train encoder'."
        )
    return trained.matcher.eval()
