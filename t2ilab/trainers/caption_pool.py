"""The pool of a network that draws captions: pictures, and the caption that each is drawn for."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.inputs.ascent import Ascended

Pictures = Float[Tensor, "n c h w"]


class CaptionPool:
    """Pictures that wait to be visited again, each with the vector of its caption.

    Args:
        noise: how many -> so many starts.
        phi: vectors of captions, one for each picture at the beginning.
    """

    def __init__(self, noise: Callable[[int], Pictures], phi: Float[Tensor, "n text"]):
        self.noise, self.pictures, self.told = noise, noise(len(phi)), phi.float().clone()

    def visit(
        self,
        phi: Float[Tensor, "b text"],
        climb: Callable[[Pictures, Float[Tensor, "b text"]], Ascended],
        *,
        fresh: float,
        rng: torch.Generator,
    ) -> tuple[Ascended, Float[Tensor, "b text"]]:
        """Let b pictures of the pool, drawn at random, climb; a share begins anew.

        Args:
            phi: captions of the batch; those that begin anew take theirs from here.
            climb: (pictures, their captions) -> where they got to.
            fresh: share that is replaced by noise, in [0, 1].

        Returns:
            where they got to, and the captions that they are drawn for.
        """
        rows = torch.randperm(len(self.pictures), generator=rng)[: len(phi)]
        start, told = self.pictures[rows], self.told[rows]
        anew = torch.rand(len(start), generator=rng) < fresh
        start[anew], told[anew] = self.noise(int(anew.sum())), phi.cpu()[: len(rows)][anew]
        made = climb(start, told)
        self.pictures[rows], self.told[rows] = made.pictures.cpu(), told
        return made, told

    def state_dict(self) -> dict[str, Tensor]:
        return {"pictures": self.pictures, "told": self.told}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.pictures.copy_(state["pictures"])
        self.told.copy_(state["told"])
