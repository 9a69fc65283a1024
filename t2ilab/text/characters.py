"""Characters: a caption letter by letter, as the char-CNN-RNN of Reed et al. 2016 takes it.

("Learning Deep Representations of Fine-grained Visual Descriptions", CVPR 2016.) Any word can be
read so, a misspelt one too; which words the training captions had is kept only to tell the user.
"""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from t2ilab.errors import CaptionError
from t2ilab.text.tokens import Vocabulary, no_word, normalise, questions, read_words, refuse_denials

# 70 places, of which the authors' list gives '-' two: the second counts, the first stays unused.
CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-,;.!?:'\"/\\|_@#$%^&*~`+-=<>()[]{} "
LENGTH = 201


class Alphabet:
    """The characters that an encoder knows, each with a number from 1 to 70; 0 pads.

    It is to a character-level encoder what `Vocabulary` is to the others.

    Args:
        words: the words of the training captions. They are used by `unknown` alone.
    """

    def __init__(self, words: Sequence[str] = ()):
        self.words = list(words)
        self.index = {character: i for i, character in enumerate(CHARACTERS, 1)}

    @classmethod
    def of(cls, captions: Iterable[str], *, at_least: int = 1) -> "Alphabet":
        """Remembers every word that occurs `at_least` times in `captions`."""
        return cls(Vocabulary.of(captions, at_least=at_least).words)

    def __len__(self) -> int:
        """How many numbers there are: 70 characters and 0."""
        return len(CHARACTERS) + 1

    def unknown(self, caption: str) -> list[str]:
        """What was never learned, each once: words that are not in `words` or hold a character that
        is not in the alphabet, as they were written, then such characters outside of words.

        Words are read all the same, by their letters; characters not in the alphabet as spaces.
        """
        words, known = read_words(caption), set(self.words)
        strange = {
            token: word
            for token, word in words
            if (known and token not in known) or any(c not in self.index for c in token)
        }
        inside = {c for token, _ in words for c in token}
        outside = [
            c
            for c in normalise(caption)
            if c not in self.index and not c.isspace() and c not in inside
        ]
        return list(dict.fromkeys([*strange.values(), *outside]))

    def questions(self, caption: str) -> list[str]:
        """Each of `unknown` in quotes, with the learned word that may be meant."""
        return questions(self.unknown(caption), self.words)

    def check(self, caption: str) -> str:
        """Return the caption if something can be made of it.

        Raises:
            CaptionError: it has no letter from a to z and no digit, or more than 201 characters;
                or it says what is not there, by a word that is not among `words`.
        """
        refuse_denials([token for token, _ in read_words(caption)], self.words)
        text = normalise(caption)
        if not any(c.isalnum() and c in self.index for c in text):
            raise no_word(caption)
        if len(text) > LENGTH:
            raise CaptionError(
                f"The caption has {len(text)} characters; at most {LENGTH} can be read. Shorten it."
            )
        return caption

    def numbers(self, captions: Sequence[str]) -> Int[Tensor, "b 201"]:
        """Numbers of the characters, padded with 0 and cut after 201; unknown ones are spaces."""
        numbers = torch.zeros(len(captions), LENGTH, dtype=torch.long)
        space = self.index[" "]
        for row, caption in zip(numbers, captions, strict=True):
            read = [self.index.get(c, space) for c in normalise(caption)[:LENGTH]]
            row[: len(read)] = torch.tensor(read, dtype=torch.long)
        return numbers
