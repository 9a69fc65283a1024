"""What systems share that draw from captions, whatever they draw with."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from t2ilab.data.captioned import to_uint8
from t2ilab.systems.system import System, checked_count
from t2ilab.text.encoders import CaptionEncoder


class CaptionedSystem(System):
    """A system whose `encoder` reads captions. A kind of it says how vectors become pictures."""

    takes_captions = draws = True
    encoder: CaptionEncoder

    def pictures_of(self, phi: Float[Tensor, "n text"], seed: int) -> Float[Tensor, "n c s s"]:
        """Pictures in [-1, 1], one of each caption's vector; the same for the same seed."""
        raise NotImplementedError

    def draw(
        self, caption: str | Sequence[str], n: int = 8, seed: int = 0
    ) -> UInt8[np.ndarray, "n size size 3"]:
        """n pictures of one caption, or one picture of each of several captions (`n` is not used).

        Raises:
            CaptionError: a caption is empty, too long, or made of unknown words only.
            UsageError: n, or the number of captions, is not between 1 and 1024.
        """
        n = checked_count(n if isinstance(caption, str) else len(caption))
        phi = self.encoder.encode([caption] if isinstance(caption, str) else caption).expand(n, -1)
        return to_uint8(self.pictures_of(phi, seed).expand(-1, 3, -1, -1))

    def unknown(self, caption: str) -> list[str]:
        """The words of a caption that the encoder does not know; they are read as "something"."""
        return self.encoder.vocabulary.unknown(caption)

    def questions(self, caption: str) -> list[str]:
        """The same in quotes, each with the known word that may be meant."""
        return self.encoder.vocabulary.questions(caption)
