"""Caption encoders phi: captions in, vectors [batch, text] out.

Every encoder is an `nn.Module` whose `forward` takes token numbers, and has what `CaptionEncoder`
lists; whatever uses captions uses that and nothing else.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2ilab.text.tokens import Vocabulary


class CaptionEncoder(Protocol):
    """What all caption encoders share: `text` (the size of phi(t)), `vocabulary`, `encode`."""

    text: int
    vocabulary: Vocabulary

    def encode(self, captions: Sequence[str]) -> Float[Tensor, "b text"]:
        """phi(t) of each caption, without gradients; unusable captions raise CaptionError."""
        ...


class _Encoder(nn.Module):
    """The part that does not depend on the network: words to numbers and back to the user."""

    def __init__(self, vocabulary: Vocabulary, text: int):
        super().__init__()
        self.vocabulary = vocabulary
        self.text = text

    def _finish(self, h: Float[Tensor, "b text"]) -> Float[Tensor, "b text"]:
        """Mean 0 and variance 1 over the entries of each vector: a scale that networks like."""
        return F.layer_norm(h, (self.text,))

    @torch.no_grad()
    def encode(self, captions: Sequence[str]) -> Float[Tensor, "b text"]:
        """phi(t) of each caption, on the encoder's device, without gradients.

        Raises:
            CaptionError: a caption is empty, too long, or made of unknown words only. (Of a caption
                in which some words are unknown, `vocabulary.unknown(caption)` lists them.)
        """
        for caption in captions:
            self.vocabulary.check(caption)
        was_training, device = self.training, next(self.parameters()).device
        self.eval()
        parts = [self(self.vocabulary.numbers(captions[i : i + 1024]).to(device))
                 for i in range(0, len(captions), 1024)]
        self.train(was_training)
        return torch.cat(parts) if parts else torch.zeros(0, self.text, device=device)


class MeanVectorEncoder(_Encoder):
    """phi(t) = W mean(word vectors): a bag of words. It cannot tell which colour is whose.

    Args:
        vocabulary: the words it knows.
        text: size of phi(t).
        word: size of a word vector.
    """

    def __init__(self, vocabulary: Vocabulary, *, text: int = 256, word: int = 128):
        super().__init__(vocabulary, text)
        self.arguments = dict(text=text, word=word)
        self.words = nn.Embedding(len(vocabulary), word, padding_idx=0)
        self.out = nn.Linear(word, text)

    def forward(self, numbers: Int[Tensor, "b words"]) -> Float[Tensor, "b text"]:
        present = (numbers > 0).unsqueeze(-1)
        mean = (self.words(numbers) * present).sum(1) / present.sum(1).clamp(min=1)
        return self._finish(self.out(mean))


class GRUEncoder(_Encoder):
    """phi(t) = W mean(h_1 ... h_L), h the states of a bidirectional GRU over the word vectors.

    Args:
        vocabulary: the words it knows.
        text: size of phi(t).
        word: size of a word vector.
        hidden: size of the state in each direction.
    """

    def __init__(self, vocabulary: Vocabulary, *, text: int = 256, word: int = 96,
                 hidden: int = 128):
        super().__init__(vocabulary, text)
        self.arguments = dict(text=text, word=word, hidden=hidden)
        self.words = nn.Embedding(len(vocabulary), word, padding_idx=0)
        self.gru = nn.GRU(word, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, text)

    def forward(self, numbers: Int[Tensor, "b words"]) -> Float[Tensor, "b text"]:
        lengths = (numbers > 0).sum(1).clamp(min=1)
        packed = nn.utils.rnn.pack_padded_sequence(self.words(numbers), lengths.cpu(),
                                                   batch_first=True, enforce_sorted=False)
        h, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)  # [b, L, 2h]
        mean = h.sum(1) / lengths.unsqueeze(1)  # padded states are 0
        return self._finish(self.out(mean))


ENCODERS = {"mean": MeanVectorEncoder, "gru": GRUEncoder}
