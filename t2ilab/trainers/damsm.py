"""Train DAMSM (Xu et al. 2018, eq. 11 to 13): words find their regions, sentences their pictures.

Of a batch, which caption belongs to a picture, and which picture to a caption? Asked by words and
by sentences, with batches in which some pictures differ in a detail only. Captions that are true of
another picture of the batch are no negatives: the paper leaves out those of the same class, here
the facts decide.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from t2ilab.losses.damsm import sentence_scores, word_scores
from t2ilab.losses.matching import symmetric_matching
from t2ilab.models.damsm import Damsm, Parts, Words
from t2ilab.trainers.parts import load_states, one_cycle, pictures, set_rate, states
from t2ilab.trainers.reader import roughened


@dataclass(frozen=True)
class Gammas:
    """gamma1 sharpens what a word looks at, gamma2 which words count, gamma3 the softmax over the
    batch. (Paper: 4 (the code), 5 and 10.)"""

    gamma1: float = 4.0
    gamma2: float = 5.0
    gamma3: float = 10.0


def damsm_losses(
    parts: Parts, said: Words, fits: Bool[Tensor, "n m"], gammas: Gammas
) -> dict[str, Float[Tensor, ""]]:
    """ "words" and "sentences": eq. 12 with scores of words, and of sentences, both ways."""
    how = dict(gamma1=gammas.gamma1, gamma2=gammas.gamma2)
    by_words = word_scores(parts.regions, said.words, said.real, **how)
    by_sentence = sentence_scores(parts.whole, said.sentence)
    return {
        "words": symmetric_matching(gammas.gamma3 * by_words, fits),
        "sentences": symmetric_matching(gammas.gamma3 * by_sentence, fits),
    }


class DamsmTrainer:
    """One update of both sides.

    Args:
        model: to train.
        gammas: see `Gammas`.
        lr: of AdamW, the largest; up and down over the budget.
        noise: pictures get noise of up to this, and half of them are blurred a little: the
            pictures that it is to judge later are not as clean as drawn ones.
        seed: of that noise.
    """

    def __init__(
        self,
        model: Damsm,
        *,
        gammas: Gammas = Gammas(),
        lr: float = 2e-3,
        noise: float = 0.15,
        seed: int = 0,
    ):
        self.model, self.gammas, self.lr, self.noise = model, gammas, lr, noise
        self.progress, self.rng = 0.0, torch.Generator().manual_seed(seed)
        self.learned = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.learned, lr=lr, weight_decay=1e-4)

    def setup(self, fabric) -> None:
        self.model = self.model.to(memory_format=torch.channels_last)
        self.network, self.optimizer = fabric.setup(self.model, self.optimizer)
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """`batch`: see `MatchingBatches`."""
        set_rate(self.lr * one_cycle(self.progress), self.optimizer)
        x = roughened(pictures(batch["images"], torch.device("cpu")), self.rng, self.noise)
        x = x.to(self.device).contiguous(memory_format=torch.channels_last)
        parts, said = self.network(x, batch["numbers"].to(self.device))
        losses = damsm_losses(parts, said, batch["fits"].to(self.device), self.gammas)
        self.optimizer.zero_grad()
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(self.learned, 5.0)
        self.optimizer.step()
        return {name: value.detach() for name, value in losses.items()}

    def state_dict(self) -> dict:
        return states(self, "model", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)
