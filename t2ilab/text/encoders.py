"""Caption encoders phi: captions in, vectors [batch, text] out.

Every encoder is an `nn.Module` whose `forward` takes the numbers of words (or, one of them, of
characters), and has what `CaptionEncoder` lists; whatever uses captions uses that and nothing else.
"""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2ilab.errors import choose
from t2ilab.text.characters import Alphabet
from t2ilab.text.tokens import Vocabulary


class CaptionEncoder(Protocol):
    """What all caption encoders share: `text` (the size of phi(t)), `vocabulary`, `encode`."""

    text: int
    vocabulary: Vocabulary | Alphabet

    def encode(self, captions: Sequence[str]) -> Float[Tensor, "b text"]:
        """phi(t) of each caption, without gradients; unusable captions raise CaptionError."""
        ...


class _Encoder(nn.Module):
    """The part that does not depend on the network: words to numbers and back to the user."""

    reads: type = Vocabulary  # what its captions go through
    together = 1024  # captions encoded at once

    def __init__(self, vocabulary: Vocabulary | Alphabet, text: int):
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
        n = self.together
        parts = [
            self(self.vocabulary.numbers(captions[i : i + n]).to(device))
            for i in range(0, len(captions), n)
        ]
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


class _RecurrentEncoder(_Encoder):
    """phi(t) = W mean(h_1 ... h_L), h what a bidirectional cell gives over the word vectors.

    Args:
        vocabulary: the words it knows.
        text: size of phi(t).
        word: size of a word vector.
        hidden: size of the state in each direction.
    """

    cell: str  # of torch.nn in small letters, and the name of its weights in files

    def __init__(
        self, vocabulary: Vocabulary, *, text: int = 256, word: int = 96, hidden: int = 128
    ):
        super().__init__(vocabulary, text)
        self.arguments = dict(text=text, word=word, hidden=hidden)
        self.words = nn.Embedding(len(vocabulary), word, padding_idx=0)
        make = getattr(nn, self.cell.upper())
        self.add_module(self.cell, make(word, hidden, batch_first=True, bidirectional=True))
        self.out = nn.Linear(2 * hidden, text)

    @property
    def word(self) -> int:
        """Size of a word's state, both directions together."""
        return self.out.in_features

    def states(self, numbers: Int[Tensor, "b words"]) -> Float[Tensor, "b words word"]:
        """The states h_1 ... h_L: a word as its neighbours on both sides make it; 0 at pads."""
        lengths = (numbers > 0).sum(1).clamp(min=1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.words(numbers), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        states = self.get_submodule(self.cell)(packed)[0]
        return nn.utils.rnn.pad_packed_sequence(
            states, batch_first=True, total_length=numbers.shape[1]
        )[0]

    def sentence(
        self, states: Float[Tensor, "b words word"], numbers: Int[Tensor, "b words"]
    ) -> Float[Tensor, "b text"]:
        """W mean(h) of states, which are 0 at pads."""
        lengths = (numbers > 0).sum(1).clamp(min=1)
        return self._finish(self.out(states.sum(1) / lengths.unsqueeze(1)))

    def forward(self, numbers: Int[Tensor, "b words"]) -> Float[Tensor, "b text"]:
        """The mean over the words of a caption of the states in both directions, times W."""
        return self.sentence(self.states(numbers), numbers)


class GRUEncoder(_RecurrentEncoder):
    """`_RecurrentEncoder` with h the states of a GRU (Cho et al. 2014)."""

    cell = "gru"


class LSTMEncoder(_RecurrentEncoder):
    """`_RecurrentEncoder` with h the outputs of an LSTM (Hochreiter and Schmidhuber 1997)."""

    cell = "lstm"


class CharCNNRNNEncoder(_Encoder):
    """The char-CNN-RNN of Reed et al. 2016: phi(t) = W mean(h), h the states of a recurrent network
    over what three convolutions find among the characters.

    [70, 201] characters, one-hot; convolution over 4, ReLU, the largest of 3: [c1, 66]; the same:
    [c2, 21]; convolution over 4, ReLU: [c3, 18], with `pool` the largest of 3 at every second
    place: [c3, 8]; a recurrent network of width c3, forwards only; the mean of its states; linear.

    The defaults are the birds' encoder of Reed et al. 2016, "Generative adversarial text to image
    synthesis"; `PAPERS` has the other two. Departures: phi is brought to mean 0 and variance 1, as
    that of all encoders here; PyTorch's GRU resets after the matrix, theirs before it, and it
    starts from state 0, theirs from the first candidate.

    Args:
        alphabet: the characters it knows.
        text: size of phi(t).
        channels: c1, c2, c3.
        cell: "gru", or "rnn" with ReLU.
        pool: whether the third convolution is pooled as well.
    """

    reads = Alphabet
    together = 128

    def __init__(
        self,
        alphabet: Alphabet,
        *,
        text: int = 1024,
        channels: Sequence[int] = (384, 512, 512),
        cell: str = "gru",
        pool: bool = False,
    ):
        super().__init__(alphabet, text)
        self.arguments = dict(
            text=text, channels=list(channels), cell=choose("cell", cell, CELLS), pool=pool
        )
        c1, c2, c3 = channels
        self.convolutions = nn.Sequential(
            nn.Conv1d(len(alphabet) - 1, c1, 4),
            nn.ReLU(),
            nn.MaxPool1d(3),
            nn.Conv1d(c1, c2, 4),
            nn.ReLU(),
            nn.MaxPool1d(3),
            nn.Conv1d(c2, c3, 4),
            nn.ReLU(),
            *([nn.MaxPool1d(3, stride=2)] if pool else []),
        )
        self.rnn = CELLS[cell](c3, c3)
        self.out = nn.Linear(c3, text)
        self._initialise()

    def _initialise(self) -> None:
        """He et al. 2015, where of the 4 x 70 inputs of the first convolution 4 are 1; no biases.

        (The authors draw all from U(-0.08, 0.08), which suits their widths. At a few dozen channels
        so little would come through that all captions looked alike.)
        """
        for i, layer in enumerate(self.convolutions[::3][:3]):
            inputs = 4 if i == 0 else 4 * layer.in_channels
            nn.init.normal_(layer.weight, std=(2 / inputs) ** 0.5)
        for name, parameter in self.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)

    def forward(self, numbers: Int[Tensor, "b 201"]) -> Float[Tensor, "b text"]:
        x = F.one_hot(numbers, len(self.vocabulary))[..., 1:].float()  # [b, 201, 70]; padding is 0
        h, _ = self.rnn(
            rearrange(self.convolutions(rearrange(x, "b t a -> b a t")), "b c t -> b t c")
        )
        return self._finish(self.out(h.mean(1)))


CELLS = {
    "gru": partial(nn.GRU, batch_first=True),
    "rnn": partial(nn.RNN, nonlinearity="relu", batch_first=True),
}

# The three that were published, all with text=1024.
PAPERS = {
    "cvpr2016": dict(channels=(384, 512, 256), cell="rnn", pool=True),
    "icml2016-flowers": dict(channels=(384, 512, 512), cell="rnn", pool=True),
    "icml2016-birds": dict(channels=(384, 512, 512), cell="gru", pool=False),
}

ENCODERS = {
    "mean": MeanVectorEncoder,
    "gru": GRUEncoder,
    "lstm": LSTMEncoder,
    "char": CharCNNRNNEncoder,
}
