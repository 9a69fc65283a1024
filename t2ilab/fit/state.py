"""The state of a run between the disk, the processes and the trainer: begin, save, take a strip."""

import warnings
from typing import TYPE_CHECKING, Any

import torch

from t2ilab.errors import TrainingError
from t2ilab.fit import checkpoint, randomness
from t2ilab.fit.folder import Folder
from t2ilab.fit.machine import gather, on_first
from t2ilab.fit.record import Record
from t2ilab.fit.run import Run
from t2ilab.provenance import versions

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def begin(
    fabric: "Fabric", trainer: Any, run: Run, folder: Folder, seed: int, record: Record | None
) -> None:
    """Load the checkpoint, if it is of this run, or share the first's weights; set all seeds."""
    from lightning_fabric.utilities import move_data_to_device

    rank, loaded = fabric.global_rank, on_first(fabric, folder.read)
    if loaded is not None:
        if record is not None:
            record.see_same(loaded["record"], folder.path)
        _load(trainer, loaded, folder)
        run.load_state_dict(loaded["run"])
    elif fabric.world_size > 1:
        state = move_data_to_device(trainer.state_dict(), torch.device("cpu"))
        state = fabric.broadcast(state)
        if rank > 0:
            trainer.load_state_dict(state)
    if loaded is not None and rank < len(loaded["random"]):
        randomness.restore(loaded["random"][rank], trainer, fabric.device)
    else:
        randomness.seed_globally(seed, rank, run.step)
        randomness.spread(trainer, rank, run.step)


def _load(trainer: Any, loaded: dict, folder: Folder) -> None:
    """Give the trainer its state, or say that the state is not of this trainer."""
    name = type(trainer).__name__
    if loaded["trainer_class"] != name:
        raise TrainingError(
            f"the checkpoint in {folder.path} was made by {loaded['trainer_class']}, and this is "
            f"{name}: give its folder, or an empty one without resume"
        )
    try:
        trainer.load_state_dict(loaded["trainer"])
    except (RuntimeError, KeyError, ValueError, TypeError, IndexError) as error:
        raise TrainingError(
            f"the checkpoint in {folder.path} does not fit this {name}: {error}. Make the "
            f"trainer with the sizes and options of then, or give an empty folder without "
            f"resume."
        ) from error


def take_strip(fabric: "Fabric", trainer: Any, run: Run) -> None:
    """Take a strip if its moment has come; training does not notice."""
    if not run.strips.due(run.progress):
        return
    run.strips.skip(run.progress)
    if fabric.is_global_zero and hasattr(trainer, "strip"):
        with randomness.untouched(fabric.device, trainer), torch.no_grad():
            run.strips.add(run.step, trainer.strip())


def save(
    fabric: "Fabric", trainer: Any, run: Run, folder: Folder, record: Record | None = None
) -> None:
    """Write a checkpoint. A full disk is a warning while the run goes on, an error at its ends."""
    run.saved()
    see_that_all_agree(fabric, trainer, run)
    if folder.path is None:
        return
    random = gather(fabric, randomness.capture(trainer, fabric.device))
    try:
        on_first(
            fabric,
            lambda: folder.write(
                _state(trainer, run, random, folder, record), run.losses.frame(), run.strips.taken
            ),
        )
    except checkpoint.CannotWrite as error:
        if run.step == 0:
            raise
        if run.stopped is not None:
            here = f"In memory the trainer has the weights of step {run.step}."
            raise checkpoint.CannotWrite(f"{error} {here}") from error
        if fabric.is_global_zero:
            warnings.warn(
                f"{error} Training goes on, and tries again in {run.save_every_s:g} s.",
                stacklevel=3,
            )


def _state(
    trainer: Any, run: Run, random: list[dict], folder: Folder, record: Record | None
) -> dict:
    """The checkpoint, once it is known to be one that can be gone on from."""
    state = trainer.state_dict()
    checkpoint.check_plain(state)
    bad = checkpoint.first_not_finite(state)
    if bad is not None:
        raise TrainingError(
            f"'{bad}' of the trainer is no longer finite after step {run.step}{last_good(folder)}"
        )
    return {
        "format": checkpoint.FORMAT,
        "step": run.step,
        "trainer": state,
        "random": random,
        "trainer_class": type(trainer).__name__,
        "run": run.state_dict(),
        "record": None if record is None else record.plain(),
        "versions": versions(),
    }


def see_that_all_agree(fabric: "Fabric", trainer: Any, run: Run) -> None:
    """Several processes must train one model: their weights, added up, are equal to the last bit.

    Raises:
        TrainingError: some network's differ; its training step does not go through what
            `fabric.setup` gave, so that its gradients are not shared.
    """
    if fabric.world_size == 1:
        return
    networks = {name: x for name, x in vars(trainer).items() if isinstance(x, torch.nn.Module)}
    sums = {
        name: [float(p.detach().double().sum()) for p in x.parameters()]
        for name, x in networks.items()
    }
    every = gather(fabric, sums)
    apart = [name for name in sums if any(one[name] != every[0][name] for one in every)]
    if apart:
        raise TrainingError(
            f"after step {run.step} the processes no longer train one model: the weights of "
            f"{', '.join(apart)} differ. Its step must call what fabric.setup returned."
        )


def last_good(folder: Folder) -> str:
    """What to do about numbers that are not finite."""
    advice = (
        ". Try a smaller learning rate, or look at what is divided by, and at logarithms and roots."
    )
    if folder.path is None:
        return advice
    return f"; the last checkpoint in {folder.path} is from before, and untouched{advice}"
