"""L-BFGS of `torch.optim`, one for each picture: the optimiser of Szegedy et al. 2014.

It learns the curvature from the last few gradients and searches along the line that it finds, so a
step costs several evaluations. Pictures are stepped one after another: curvature and line search
belong to one picture each, and a picture that is done costs nothing.
"""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.inputs.optimisers import Evaluate, Found, Pictures, Rows, check_lr


@dataclass
class _Run:
    """The L-BFGS of one picture."""

    picture: Tensor  # where the last step ended, before it was projected
    optimiser: torch.optim.LBFGS
    before: Tensor  # where the last step began


@dataclass(frozen=True)
class LBFGS:
    """Quasi-Newton ascent, with a line search that keeps to the strong Wolfe conditions.

    `torch.optim.LBFGS` knows no constraint. The pictures are projected after each step, and the
    move which the curvature is learned from is the one that was left of it.

    Args:
        lr: first length that is tried on each line, above 0.
        history: how many gradients are remembered, at least 1.
        evaluations: at most so many on each line, at least 1.
    """

    lr: float = 1.0
    history: int = 10
    evaluations: int = 20
    _search: str = field(default="strong_wolfe", init=False, repr=False)

    def __post_init__(self):
        check_lr(self.lr)
        if self.history < 1 or self.evaluations < 1:
            raise UsageError(
                f"L-BFGS with a history of {self.history} and {self.evaluations} "
                "evaluations a step: both must be at least 1."
            )

    def begin(self, pictures: Pictures) -> dict[int, _Run]:
        """One L-BFGS a picture, made at its first step."""
        return {}

    def step(
        self,
        pictures: Pictures,
        found: Found,
        rows: Rows,
        memory: dict[int, _Run],
        evaluate: Evaluate,
    ) -> Pictures:
        """One step of each picture."""
        moved = []
        for i, row in enumerate(rows.tolist()):
            at = pictures[i]
            run = memory.get(row) or self._run(at)
            memory[row] = run
            self._take_up(run, at)
            first = Found(*(part[i : i + 1] for part in found))
            self._step(run, first, rows[i : i + 1], evaluate)
            if torch.equal(run.picture, at):  # no way up on this line: forget the curvature
                del memory[row]
            moved.append(run.picture.clone())
        return torch.stack(moved)

    def _run(self, at: Float[Tensor, "..."]) -> _Run:
        picture = at.clone(memory_format=torch.contiguous_format)  # torch flattens it by view
        optimiser = torch.optim.LBFGS(
            [picture],
            lr=self.lr,
            max_iter=1,
            max_eval=self.evaluations + 1,
            tolerance_grad=0,
            tolerance_change=0,
            history_size=self.history,
            line_search_fn=self._search,
        )
        return _Run(picture, optimiser, at.clone())

    @staticmethod
    def _take_up(run: _Run, at: Float[Tensor, "..."]) -> None:
        """Go on from where the constraint put the picture: d · t becomes the move that was left."""
        state = run.optimiser.state[run.picture]
        if state.get("t"):
            state["d"] = (at - run.before).flatten() / state["t"]
        run.picture.copy_(at)
        run.before = at.clone()

    @staticmethod
    def _step(run: _Run, first: Found, rows: Rows, evaluate: Evaluate) -> None:
        known = [first]  # torch asks first for what is known already

        def loss() -> Tensor:
            found = known.pop() if known else evaluate(run.picture[None], rows)
            run.picture.grad = -found.gradient[0].contiguous()
            return -found.objective[0]

        run.optimiser.step(loss)
