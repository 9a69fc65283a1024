"""Random numbers of a training run: its own, saved with it, and different in every process.

A trainer draws its noise from `torch.Generator`s that are attributes of it. What draws from the
global generators instead (dropout) is covered too: `fit` seeds them, saves them in checkpoints,
and gives them back to the caller as they were.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def generators(trainer: object) -> dict[str, torch.Generator]:
    """The generators that `trainer` holds as attributes, by name."""
    mine = getattr(trainer, "__dict__", {})
    return {name: g for name, g in mine.items() if isinstance(g, torch.Generator)}


def derived(seed: int, *path: int) -> int:
    """A seed for the place `path` (rank, step, ...) below `seed`; for (0, 0, ...) `seed` itself."""
    if not any(path):
        return seed
    words = np.random.SeedSequence([seed % 2**64, *path]).generate_state(2)
    return int(words[0]) << 31 ^ int(words[1])


def spread(trainer: object, rank: int, step: int = 0) -> None:
    """Reseed the trainer's generators so that each process draws other noise.

    Rank 0 at step 0 keeps them as they are: one process draws what it would draw without `fit`.
    """
    if rank or step:
        for place, generator in enumerate(generators(trainer).values()):
            generator.manual_seed(derived(generator.initial_seed(), rank, step, place))


def seed_globally(seed: int, rank: int, step: int = 0) -> None:
    """Seed the global generators of torch (all devices) and numpy."""
    torch.manual_seed(derived(seed, rank, step))
    np.random.seed(derived(seed, rank, step) % 2**32)


def capture(trainer: object, device: torch.device) -> dict:
    """The state of the global generators and the trainer's own, as plain data of tensors."""
    name, keys, position, has_gauss, cached = np.random.get_state()
    keys = torch.from_numpy(keys.astype(np.int64))
    state = {
        "torch": torch.get_rng_state(),
        "numpy": [name, keys, int(position), int(has_gauss), float(cached)],
        "trainer": {name: g.get_state() for name, g in generators(trainer).items()},
    }
    if device.type in ("cuda", "mps"):
        state[device.type] = getattr(torch, device.type).get_rng_state()
    return state


def restore(state: dict, trainer: object, device: torch.device) -> None:
    """Put back what `capture` returned; parts of another kind of device are passed over."""
    torch.set_rng_state(state["torch"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    for name, generator in generators(trainer).items():
        if name in state["trainer"]:
            generator.set_state(state["trainer"][name])
    if device.type in state and device.type in ("cuda", "mps"):
        getattr(torch, device.type).set_rng_state(state[device.type])


@contextmanager
def untouched(device: torch.device, trainer: object = None) -> Iterator[None]:
    """Whatever is drawn inside, the global generators (and the trainer's) are as before after."""
    before = capture(trainer, device)
    try:
        yield
    finally:
        restore(before, trainer, device)
