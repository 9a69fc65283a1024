"""A trained alignDRAW as one thing: it draws captions, and shows how, stroke after stroke.

system = AlignDraw.load("aligndraw-scenes-32")
pictures = system.draw("a herd of elephants in the sky", n=8, seed=0)
film = system.film("a herd of elephants in the sky", n=4)    # film.alpha[t - 1, i]: the words
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.errors import UsageError
from t2ilab.models.aligndraw import AlignDRAW, trimmed
from t2ilab.models.sharpener import Sharpener
from t2ilab.systems.captioned import CaptionedSystem
from t2ilab.systems.draw import Film, shown, windows
from t2ilab.systems.system import checked_count, noise_of
from t2ilab.text.tokens import MAX_WORDS, Vocabulary


class WordNumbers:
    """Captions to the numbers of their words: what `CaptionEncoder` asks for, with nothing learned.

    The "vector" of a caption is its words' numbers, 0 behind the last one.
    """

    text = MAX_WORDS

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary

    def encode(self, captions: Sequence[str]) -> Int[Tensor, "b words"]:
        """Numbers [b, 60].

        Raises:
            CaptionError: a caption is empty, too long, or made of unknown words only.
        """
        for caption in captions:
            self.vocabulary.check(caption)
        numbers = self.vocabulary.numbers(captions)
        return torch.nn.functional.pad(numbers, (0, self.text - numbers.shape[1]))


@dataclass(frozen=True)
class CaptionFilm:
    """n pictures of one caption while they are drawn.

    Attributes:
        film: canvases, windows; see `systems.draw.Film`.
        words: of the caption, as the reader took them; one it does not know is "<unk>".
        alpha: [T, n, L], the weight of each word at each stroke.
        final: uint8 [n, size, size, 3], the last canvas; sharpened, where the system does that.
    """

    film: Film
    words: list[str]
    alpha: Float[np.ndarray, "T n L"]
    final: UInt8[np.ndarray, "n size size 3"]

    def __len__(self) -> int:
        return len(self.film)


class AlignDraw(CaptionedSystem):
    """alignDRAW with its vocabulary, and the network that sharpens what it drew.

    Args:
        vocabulary: the words, with their numbers.
        network: alignDRAW.
        sharpener: None: pictures stay as they were drawn.
    """

    kind = "aligndraw"
    encoder: WordNumbers

    def __init__(
        self, vocabulary: Vocabulary, network: AlignDRAW, sharpener: Sharpener | None = None
    ):
        super().__init__()
        self.encoder, self.network, self.sharpener = WordNumbers(vocabulary), network, sharpener
        self.eval()

    @property
    def size(self) -> int:
        return self.network.size

    def blurry(self) -> "AlignDraw":
        """The same without the sharpener: pictures as alignDRAW leaves them."""
        found = AlignDraw(self.encoder.vocabulary, self.network)
        found.about = self.about
        return found

    def noise(self, n: int, seed: int = 0) -> Float[Tensor, "n T latent"]:
        """Noise of n pictures, the same for the same seed; the first ones do not depend on n."""
        return noise_of(n, (self.network.glimpses, self.network.latent), seed)

    @torch.inference_mode()
    def draw_vectors(
        self, phi: Int[Tensor, "b words"], z: Float[Tensor, "b T latent"]
    ) -> Float[Tensor, "b c size size"]:
        """Pictures in [-1, 1] of captions' word numbers, each with noise of its own."""
        parts = []
        for words, noise in zip(trimmed(phi).split(128), z.split(128), strict=True):
            canvas = self.network.generate(words, noise.transpose(0, 1)).canvases[-1]
            parts.append(self.finished(canvas, words))
        return torch.cat(parts)

    def finished(
        self, canvas: Float[Tensor, "b c size size"], words: Int[Tensor, "b L"]
    ) -> Float[Tensor, "b c size size"]:
        """The last canvas as a picture in [-1, 1], sharpened where there is a sharpener."""
        picture = 2 * canvas.sigmoid() - 1
        if self.sharpener is None:
            return picture
        return self.sharpener(picture, self.network.sentence(words)).clamp(-1, 1)

    def pictures_of(self, phi: Int[Tensor, "n words"], seed: int) -> Float[Tensor, "n c s s"]:
        return self.draw_vectors(phi, self.noise(len(phi), seed))

    @torch.inference_mode()
    def film(self, caption: str, n: int = 4, seed: int = 0) -> CaptionFilm:
        """How `draw` draws these pictures.

        Raises:
            CaptionError: the caption is empty, too long, or made of unknown words only.
            UsageError: n is not between 1 and 1024.
        """
        words = trimmed(self.encoder.encode([caption])).expand(checked_count(n), -1)
        drawn = self.network.generate(words, self.noise(n, seed).transpose(0, 1))
        final = self.finished(drawn.canvases[-1], words)
        film = Film(shown(drawn.canvases), windows(drawn.writes, self.network.writing))
        known = [*self.encoder.vocabulary.index]
        return CaptionFilm(
            film,
            [known[int(k)] for k in words[0]],
            drawn.alpha.numpy(),
            to_uint8(final.expand(-1, 3, -1, -1)),
        )

    def see_fit(self, x: Tensor) -> None:
        """Refuse pictures [n, c, h, w] of another shape than the network's (UsageError)."""
        wanted = [self.network.channels, self.size, self.size]
        if list(x.shape[1:]) != wanted:
            raise UsageError(f"pictures of {list(x.shape[1:])}; this alignDRAW looks at {wanted}.")

    def arguments(self) -> dict[str, Any]:
        described = {"words": self.encoder.vocabulary.words, "network": self.network.arguments}
        if self.sharpener is not None:
            described["sharpener"] = self.sharpener.arguments
        return described

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "AlignDraw":
        sharpener = Sharpener(**arguments["sharpener"]) if "sharpener" in arguments else None
        return cls(Vocabulary(arguments["words"]), AlignDRAW(**arguments["network"]), sharpener)
