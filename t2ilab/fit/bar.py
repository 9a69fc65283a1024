"""The bar that shows a run, in a notebook and in a terminal."""

from t2ilab.fit.run import Run


class Bar:
    """A tqdm bar over the steps, or over the seconds where only minutes are given.

    Args:
        run: what to show; it may have begun before.
        show: False for no bar.
    """

    def __init__(self, run: Run, *, show: bool):
        self._bar = None
        self._by_steps = run.budget.steps is not None
        if not show:
            return
        from tqdm.auto import tqdm

        total = run.budget.steps if self._by_steps else round(60 * run.budget.minutes)
        self._bar = tqdm(
            total=total,
            initial=self._place(run),
            unit="step" if self._by_steps else "s",
            mininterval=0.3,
            dynamic_ncols=True,
        )

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, run: Run) -> None:
        """Bring the bar up to date."""
        if self._bar is None:
            return
        words = [f"{name} {value:.3g}" for name, value in run.losses.latest().items()]
        words = words if self._by_steps else [f"step {run.step}", *words]
        self._bar.set_postfix_str(", ".join(words), refresh=False)
        self._bar.update(max(0, self._place(run) - self._bar.n))

    def _place(self, run: Run) -> int:
        """Steps done, or whole seconds, never beyond the end of the bar."""
        if self._by_steps:
            return min(run.step, run.budget.steps)
        return min(round(run.seconds), round(60 * run.budget.minutes))
