"""A trained text-to-image system as one thing: caption encoder and generator.

system = TextToImage.load("gan_int_cls-birds-64")
pictures = system.draw("a small red bird with blue wings", n=8, seed=0)
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError, WeightsError
from t2ilab.models.reader import AttributeReader
from t2ilab.models.reed import Generator
from t2ilab.systems import weights
from t2ilab.text.encoders import ENCODERS, CaptionEncoder
from t2ilab.text.matcher import Matcher

MOST = 1024  # pictures in one call
MATCHER = "matcher"  # what belongs to an encoder's matcher begins so, in its file


class TextToImage(nn.Module):
    """phi and G together: captions in, pictures out.

    Args:
        encoder: phi, captions to vectors [b, text].
        generator: G(z, phi(t)) -> [b, 3, size, size] in [-1, 1].
    """

    def __init__(self, encoder: CaptionEncoder, generator: Generator):
        super().__init__()
        self.encoder, self.generator = encoder, generator
        self.about: dict = {}
        self.eval()

    @property
    def size(self) -> int:
        return self.generator.size

    def noise(self, n: int, seed: int = 0) -> Float[Tensor, "n z"]:
        """n noise vectors, the same for the same seed; the first ones do not depend on n."""
        rng = torch.Generator().manual_seed(int(seed))
        return torch.stack([torch.randn(self.generator.z, generator=rng) for _ in range(n)])

    @torch.inference_mode()
    def forward(
        self, z: Float[Tensor, "b z"], phi: Float[Tensor, "b text"]
    ) -> Float[Tensor, "b 3 size size"]:
        """Pictures in [-1, 1] from noise and caption vectors, in float32, 256 at a time."""
        parts = [self.generator(z[i : i + 256], phi[i : i + 256]) for i in range(0, len(z), 256)]
        return torch.cat(parts)

    def draw(
        self, caption: str | Sequence[str], n: int = 8, seed: int = 0
    ) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures of one caption, or one picture of each of several captions (`n` is not used).

        Raises:
            CaptionError: a caption is empty, too long, or made of unknown words only.
            UsageError: n, or the number of captions, is not between 1 and 1024.
        """
        n = n if isinstance(caption, str) else len(caption)
        if not 1 <= n <= MOST:
            raise UsageError(f"n = {n}: ask for 1 to {MOST} pictures at a time.")
        phi = self.encoder.encode([caption] if isinstance(caption, str) else caption).expand(n, -1)
        return to_uint8(self(self.noise(n, seed).to(phi.device), phi))

    def unknown(self, caption: str) -> list[str]:
        """The words of a caption that the encoder does not know; they are read as "something"."""
        return self.encoder.vocabulary.unknown(caption)

    def save(self, folder: str | Path, name: str, **about) -> Path:
        """Write NAME.safetensors and NAME.json into a folder. `about`: see `weights.save`."""
        g, e = self.generator, self.encoder
        architecture = {
            "class": "t2ilab.systems.text_to_image.TextToImage",
            "arguments": {"encoder": describe_encoder(e), "generator": g.arguments},
        }
        return weights.save(
            folder, self.state_dict(), {"architecture": architecture, **about}, name=name, half=True
        )

    @classmethod
    def load(cls, name_or_path: str | Path) -> "TextToImage":
        """The system of a weight file: a bundled name, a file, or the folder of a training run.

        Raises:
            WeightsError: missing, cut short, altered, or of another kind of system.
        """
        path = Path(name_or_path).expanduser()
        found = sorted(path.glob("*.safetensors")) if path.is_dir() else []
        if path.is_dir() and len(found) != 1:
            raise WeightsError(
                f"{path} holds {len(found)} weight files (*.safetensors); expected "
                "one. Give the file, or the folder of a finished training run."
            )
        loaded = weights.load(found[0] if found else name_or_path)
        arguments = loaded.arguments_of(cls)
        system = cls(make_encoder(arguments["encoder"]), Generator(**arguments["generator"]))
        weights.into(system, loaded)
        system.about = loaded.about
        return system


def describe_encoder(encoder: CaptionEncoder) -> dict:
    """What `make_encoder` needs to build the same network."""
    kind = next(name for name, cls in ENCODERS.items() if isinstance(encoder, cls))
    return {"kind": kind, "words": encoder.vocabulary.words, **encoder.arguments}


def make_encoder(description: dict) -> CaptionEncoder:
    """An untrained encoder from its description."""
    arguments = dict(description)
    make, words = ENCODERS[arguments.pop("kind")], arguments.pop("words")
    return make(make.reads(words), **arguments)


def save_encoder(
    encoder: CaptionEncoder,
    folder: str | Path,
    name: str,
    *,
    matcher: Matcher | None = None,
    **about,
) -> Path:
    """Write a caption encoder and, where it has one, the rest of the matcher it was trained in."""
    architecture = {
        "class": f"{type(encoder).__module__}.{type(encoder).__qualname__}",
        "arguments": describe_encoder(encoder),
    }
    tensors = dict(encoder.state_dict())
    if matcher is not None:
        beside = {k: v for k, v in matcher.state_dict().items() if not k.startswith("encoder.")}
        tensors |= {f"{MATCHER}.{key}": value for key, value in beside.items()}
        about = {MATCHER: matcher.arguments, **about}
    return weights.save(
        folder, tensors, {"architecture": architecture, **about}, name=name, half=True
    )


def load_encoder(name_or_path: str | Path) -> CaptionEncoder:
    """A trained caption encoder, by name ("encoder-birds") or path.

    Raises:
        WeightsError: missing, cut short, altered, or no caption encoder.
    """
    return _encoder(weights.load(name_or_path))


def load_matcher(name_or_path: str | Path) -> Matcher:
    """A trained caption encoder with the head for pictures that it learned beside.

    Raises:
        WeightsError: missing, cut short, altered, no caption encoder, or saved without a head.
    """
    loaded = weights.load(name_or_path)
    encoder = _encoder(loaded)
    if MATCHER not in loaded.about:
        raise WeightsError(
            f"weights '{loaded.name}' are a caption encoder without the head for "
            "pictures that matching needs: train one with 't2ilab train encoder'."
        )
    matcher = Matcher(encoder, **loaded.about[MATCHER])
    own = {f"encoder.{key}": value for key, value in encoder.state_dict().items()}
    beside = {
        key.removeprefix(f"{MATCHER}."): value
        for key, value in loaded.tensors.items()
        if key.startswith(f"{MATCHER}.")
    }
    return weights.into(matcher, replace(loaded, tensors=own | beside)).eval()


def _encoder(loaded: weights.Loaded) -> CaptionEncoder:
    """The caption encoder alone, of a file that may hold the rest of its matcher too."""
    if "kind" not in loaded.arguments:
        raise WeightsError(
            f"weights '{loaded.name}' are no caption encoder but "
            f"{loaded.about['architecture']['class']}."
        )
    tensors = {k: v for k, v in loaded.tensors.items() if not k.startswith(f"{MATCHER}.")}
    return weights.into(make_encoder(loaded.arguments), replace(loaded, tensors=tensors)).eval()


def load_reader(world: str) -> AttributeReader:
    """The trained AttributeReader of a world of PaperWorld.

    Raises:
        UsageError: none ships for this world.
        WeightsError: its file is cut short or altered.
    """
    loaded = weights.load(f"reader-{world}")
    return weights.into(AttributeReader(**loaded.arguments), loaded).eval()
