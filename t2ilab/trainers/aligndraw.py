"""alignDRAW: one update on minus the bound on log p(x | y), in nats (Mansimov et al. 2016).

Batches are pictures with the numbers of the words of a caption of each.

While it learns from the bound alone, the network may take from z what the caption says as well: z
was told the picture, and a few nats are cheap. Drawing, z knows nothing, and the caption is not
obeyed. So half of the batch is drawn a second time *without looking*, with z from the prior, and
has to come near the picture too: the hybrid objective of Sohn et al. 2015.
"""

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from t2ilab.data.captioned import CaptionedImages, to_uint8
from t2ilab.data.pairs import ASIDES, LEVEL_WEIGHTS, Order
from t2ilab.losses.aligndraw import kl_gaussians
from t2ilab.losses.draw import log_likelihood
from t2ilab.models.aligndraw import AlignDRAW, trimmed
from t2ilab.trainers.draw import values
from t2ilab.trainers.parts import bare, linear_end, load_states, set_rate, states

UNKNOWN = 1  # the number of a word that is not known


class AlignDrawTrainer:
    """One update of the reader of words, both LSTMs and all between.

    Args:
        network: to train.
        shown: word numbers of the captions whose pictures the strip shows.
        lr: of Adam (paper: RMSprop); goes down to 0 along a line over the last half of the budget.
        clip: the longest gradient.
        floor: the least log scale of the likelihood of colours. A finer one would pay for the grain
            of the paper in z, which no caption tells, and what is drawn from the prior suffers.
        blind: weight of what is drawn without looking; 0: the bound alone, as in the paper.
        seed: of the noise, and of zeros and ones.
    """

    def __init__(
        self,
        network: AlignDRAW,
        *,
        shown: Int[Tensor, "n L"],
        lr: float = 1e-3,
        clip: float = 10.0,
        floor: float = -2.5,
        blind: float = 0.5,
        seed: int = 0,
    ):
        self.draw, self.lr, self.clip, self.progress = network, lr, clip, 0.0
        self.floor, self.blind = floor, blind
        self.optimizer = torch.optim.Adam(network.parameters(), lr=lr)
        self.rng = torch.Generator().manual_seed(seed)
        self.shown = shown
        self.shown_z = network.noise(len(shown), torch.Generator().manual_seed(seed))

    def setup(self, fabric) -> None:
        self.network, self.optimizer = fabric.setup(self.draw, self.optimizer)
        self.network.mark_forward_method("generate")
        self.device = fabric.device

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """`batch`: images uint8 [b, c, h, w], words int64 [b, L]."""
        set_rate(self.lr * linear_end(self.progress, 0.5), self.optimizer)
        x = values(batch["images"], self.draw, self.rng).to(self.device)
        eps = self.draw.noise(len(x), self.rng).to(self.device)
        words = batch["words"].to(self.device)
        done = self.network(x, words, eps)
        log_p = log_likelihood(x, done.canvases[-1], done.log_scale).mean()
        q, p = (done.mu, done.log_sigma), (done.prior_mu, done.prior_log_sigma)
        kl = kl_gaussians(*q, *p).sum(0).mean()  # over the strokes; of the first one to N(0, 1)
        loss = kl - log_p
        unseen = self._without_looking(x, words) if self.blind else torch.zeros_like(loss)
        self.optimizer.zero_grad()
        (loss + self.blind * unseen).backward()
        torch.nn.utils.clip_grad_norm_(self.draw.parameters(), self.clip)
        self.optimizer.step()
        if self.draw.log_scale is not None:
            self.draw.log_scale.data.clamp_(min=self.floor)
        parts = {"kl": kl, "reconstruction": -log_p, "blind": unseen}
        return {"nats": loss.detach()} | {name: one.detach() for name, one in parts.items()}

    def _without_looking(self, x: Tensor, words: Tensor) -> Float[Tensor, ""]:
        """-log p(x | y, z) of half the pictures, z from the prior: in nats, no bound."""
        n = (len(x) + 1) // 2
        drawn = self.network.generate(words[:n], self.draw.noise(n, self.rng).to(self.device))
        return -log_likelihood(x[:n], drawn.canvases[-1], self.draw.log_scale).mean()

    @torch.inference_mode()
    def strip(self) -> UInt8[np.ndarray, "n h w 3"]:
        """What is drawn for the captions `shown`, from noise that stays the same."""
        drawn = bare(self.network).generate(
            self.shown.to(self.device), self.shown_z.to(self.device)
        )
        return to_uint8((2 * drawn.canvases[-1].sigmoid() - 1).expand(-1, 3, -1, -1))

    def state_dict(self) -> dict:
        return states(self, "network", "optimizer")

    def load_state_dict(self, state: dict) -> None:
        load_states(self, state)


class WordBatches:
    """step -> {"images": uint8 [b, c, h, w], "words": int64 [b, longest]}; a permutation an epoch.

    Args:
        data: the captioned pictures.
        numbers: of the words of every caption of each, 0 at pads; a caption of pads alone says
            nothing that is known.
        batch_size, seed: of the order; see `Order`.
        channels: 3, or 1 for pictures that are grey.
        levels, asides: how often captions of each level, and with an aside, are taken.
        unknown: this share of the words is hidden, so that "<unk>" comes to mean "some word".
    """

    def __init__(
        self,
        data: CaptionedImages,
        numbers: Int[Tensor, "n k L"],
        *,
        batch_size: int = 64,
        seed: int = 0,
        channels: int = 3,
        levels: tuple[float, ...] = LEVEL_WEIGHTS,
        asides: float = ASIDES,
        unknown: float = 0.03,
    ):
        self.order, self.unknown = Order(data, batch_size, seed, levels, asides), unknown
        self.images, self.numbers, self.channels = data.images, numbers, channels

    def __call__(self, step: int) -> dict[str, Tensor]:
        chosen, levels, rng = self.order(step)
        images = torch.from_numpy(self.images[chosen][..., : self.channels]).permute(0, 3, 1, 2)
        words = trimmed(self.numbers[chosen, levels])
        hidden = torch.from_numpy(rng.random(words.shape) < self.unknown) & (words > 0)
        return {"images": images, "words": words.masked_fill(hidden, UNKNOWN)}
