"""A model of sentences: p(w_1 ... w_n) = product of p(w_t | w_1 ... w_(t-1)), the past in a state.

model = LanguageModel("gru", vocabulary)
loss = model.nats(["a small red bird"]).mean()   # a sentence, in nats
trace = model.read("a small red bird")           # the state after each word, and what may follow
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2ilab.data.sequences import next_words
from t2ilab.errors import UsageError
from t2ilab.models.cells import Sequencer
from t2ilab.text.tokens import MAX_WORDS, PAD, Vocabulary


@dataclass(frozen=True)
class Trace:
    """A caption, read word by word.

    Attributes:
        words: T of them.
        states: [T + 1, hidden], h before the first word and after each.
        next: [T + 1, words known], what may follow; number 0 is the end.
    """

    words: list[str]
    states: Float[Tensor, "T1 hidden"]
    next: Float[Tensor, "T1 known"]

    @property
    def changes(self) -> Float[Tensor, " T"]:
        """How far each word moves the state."""
        return self.states.diff(dim=0).norm(dim=1)


class LanguageModel(nn.Module):
    """A recurrent network that says which word may come next.

    Args:
        cell: "rnn", "lstm" or "gru".
        vocabulary: the words; number 0 begins and ends a sentence.
        hidden, words: numbers in the state, and in a word's vector.
        options: of the cell.
    """

    def __init__(
        self, cell: str, vocabulary: Vocabulary, *, hidden: int = 64, words: int = 32, **options
    ):
        super().__init__()
        self.vocabulary = vocabulary
        known = len(vocabulary)
        self.network = Sequencer(cell, known, known, hidden=hidden, words=words, **options)

    def nats(self, captions: Sequence[str]) -> tuple[Float[Tensor, " n"], Int[Tensor, " n"]]:
        """-log p of each caption, its end included, and how many words that are with the end."""
        x, y, there = next_words(captions, self.vocabulary)
        logits, _ = self.network(x)
        losses = F.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view_as(y)
        return (losses * there).sum(0), there.sum(0)

    @torch.inference_mode()
    def perplexity(self, captions: Sequence[str]) -> float:
        """exp of the mean -log p of a word: among how many words it hesitates.

        Raises:
            UsageError: no captions.
        """
        if not len(captions):
            raise UsageError("no captions: give at least one.")
        captions = [captions] if isinstance(captions, str) else captions
        parts = [self.nats(captions[i : i + 500]) for i in range(0, len(captions), 500)]
        return float((sum(a.sum() for a, _ in parts) / sum(b.sum() for _, b in parts)).exp())

    @torch.inference_mode()
    def read(self, caption: str) -> Trace:
        """Read a caption word by word.

        Raises:
            CaptionError: nothing can be made of it.
        """
        words = [word for word, _ in self.vocabulary.tokens(self.vocabulary.check(caption))]
        x, _, _ = next_words([caption], self.vocabulary)
        state, states, following = None, [], []
        for word in x:  # [1]
            logits, state = self.network(word[None], state)
            states.append(state[0][0])
            following.append(logits[0, 0].softmax(0))
        return Trace(words, torch.stack(states), torch.stack(following))

    @torch.inference_mode()
    def sample(self, n: int = 8, seed: int = 0, temperature: float = 1.0) -> list[str]:
        """n sentences, word by word; at most 60 words each.

        Raises:
            UsageError: a temperature that is not above 0, or n below 1.
        """
        if n < 1 or not temperature > 0:
            raise UsageError(
                f"n = {n}, temperature = {temperature}: give at least 1, and a number above 0."
            )
        names, rng = [*self.vocabulary.index], torch.Generator().manual_seed(int(seed))
        word, state = torch.zeros(1, n, dtype=torch.long), None
        said: list[list[str]] = [[] for _ in range(n)]
        going = torch.ones(n, dtype=torch.bool)
        for _ in range(MAX_WORDS):
            logits, state = self.network(word, state)
            p = (logits[0] / temperature).softmax(1)
            word = torch.multinomial(p, 1, generator=rng).T
            going &= word[0] != 0
            for i in going.nonzero()[:, 0].tolist():
                said[i].append(names[int(word[0, i])])
            if not going.any():
                break
        return [" ".join(words) for words in said]


def most_likely(
    following: Float[Tensor, " known"], vocabulary: Vocabulary, n: int = 5
) -> list[tuple[str, float]]:
    """The n words that are most likely to follow, with their probabilities; the end as "(end)"."""
    p, which = following.topk(min(n, len(vocabulary)))
    names = [*vocabulary.index]
    return [
        ("(end)" if names[k] == PAD else names[k], float(v))
        for k, v in zip(which.tolist(), p.tolist(), strict=True)
    ]
