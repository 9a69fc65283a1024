"""The next batch is made while the present one is learned from."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch


class Ahead:
    """Makes `batches(step + 1)` in a thread while step `step` runs.

    Since a batch is a function of its step alone, it does not matter when it is made.

    Args:
        batches: step -> dict of tensors.
        first: the first step that will be asked for.
        last: no batch is made for this step or later ones; None: no end is known.
        pin: copy tensors to page-locked memory, from which a GPU fetches them faster.
    """

    def __init__(self, batches: Callable[[int], Any], *, first: int, last: int | None, pin: bool):
        self._batches, self._last, self._pin = batches, last, pin
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="t2ilab-batches")
        self._next = first
        self._future: Future | None = None

    def __enter__(self) -> "Ahead":
        self._order()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def take(self, step: int) -> Any:
        """The batch of `step`, which must be the one after that of the last call.

        Raises whatever `batches(step)` raises.
        """
        assert self._future is not None and step == self._next, (step, self._next)
        batch = self._future.result()
        self._next += 1
        self._order()
        return batch

    def _order(self) -> None:
        wanted = self._last is None or self._next < self._last
        self._future = self._pool.submit(self._make, self._next) if wanted else None

    def _make(self, step: int) -> Any:
        batch = self._batches(step)
        return {k: _pinned(v) for k, v in batch.items()} if self._pin else batch


def _pinned(value: Any) -> Any:
    return value.pin_memory() if isinstance(value, torch.Tensor) and not value.is_cuda else value
