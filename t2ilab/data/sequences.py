"""Two tasks that ask a network to remember, and next words.

Adding and copying are after Hochreiter and Schmidhuber (1997), in the form of Arjovsky, Shah and
Bengio (2016).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.text.tokens import Vocabulary

BLANK, GO = 8, 9  # of `copying`: nothing, and "now repeat"
SYMBOLS = 8


def adding(
    n: int, length: int, rng: torch.Generator
) -> tuple[Float[Tensor, "length n 2"], Float[Tensor, " n"]]:
    """Numbers in [0, 1], two of them marked by a 1 beside them, one in each half; and their sum.

    Who always answers 1 has a mean squared error of 1/6, the variance of the sum.

    Raises:
        UsageError: a length below 2.
    """
    if length < 2:
        raise UsageError(f"length {length}: two numbers are marked, so give at least 2.")
    values, marks = torch.rand(length, n, generator=rng), torch.zeros(length, n)
    half = length // 2
    first = torch.randint(half, (n,), generator=rng)
    second = half + torch.randint(length - half, (n,), generator=rng)
    for places in (first, second):
        marks[places, torch.arange(n)] = 1
    return torch.stack([values, marks], 2), (values * marks).sum(0)


def copying(
    n: int, delay: int, rng: torch.Generator, *, symbols: int = 5
) -> tuple[Int[Tensor, "T n"], Int[Tensor, "T n"]]:
    """Some symbols, `delay` blanks, a sign to repeat; and what is to be said at each step.

    T = 2 symbols + delay. Who remembers nothing can only guess at the end: its cross-entropy, a
    mean over the T steps, is symbols * log(8) / T.

    Raises:
        UsageError: no symbol, or a delay below 1.
    """
    if symbols < 1 or delay < 1:
        raise UsageError(f"{symbols} symbols, delay {delay}: give at least 1 of each.")
    said = torch.randint(SYMBOLS, (symbols, n), generator=rng)
    x = torch.full((2 * symbols + delay, n), BLANK)
    y = torch.full_like(x, BLANK)
    x[:symbols], x[symbols + delay - 1], y[-symbols:] = said, GO, said
    return x, y


def next_words(
    captions: Sequence[str], vocabulary: Vocabulary
) -> tuple[Int[Tensor, "T n"], Int[Tensor, "T n"], Bool[Tensor, "T n"]]:
    """What a model of sentences sees, what it is to say, and where there is a word to say.

    A sentence begins after a 0 and ends by one: of "a bird" it sees 0, a, bird and says a, bird, 0.
    A single caption may come without a list.

    Raises:
        UsageError: no captions.
    """
    if not len(captions):
        raise UsageError("no captions: give at least one.")
    captions = [captions] if isinstance(captions, str) else captions
    words = vocabulary.numbers(captions)  # [n, longest], padded with 0
    lengths = (words > 0).sum(1)
    end = torch.zeros(len(words), 1, dtype=torch.long)
    x, y = torch.cat([end, words], 1).T, torch.cat([words, end], 1).T
    return x, y, torch.arange(len(x))[:, None] <= lengths
