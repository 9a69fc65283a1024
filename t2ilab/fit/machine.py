"""The machine a training runs on: device, precision, and how several processes agree.

Lightning Fabric does the work; here its choices are made once for all trainers. Several processes
are started from outside, by `fabric run` or `torchrun`; each finds its place in the environment.
"""

import atexit
import inspect
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from t2ilab.environment import DEVICES, whole_number
from t2ilab.errors import TrainingError, UsageError, choose
from t2ilab.provenance import cpuinfo

if TYPE_CHECKING:
    from lightning_fabric import Fabric

T = TypeVar("T")
PRECISIONS = ("auto", "32-true", "bf16-mixed")
_ALIASES = {"32": "32-true", "bf16": "bf16-mixed", "gpu": "cuda"}  # words that `fabric run` takes


def pick_device(device: str = "auto") -> str:
    """`auto` is the first of cuda, mps, cpu that this machine has; else the device asked for.

    Raises:
        UsageError: an unknown device, or one that this machine lacks.
    """
    choose("device", device, DEVICES)
    there = ["cuda"] if torch.cuda.is_available() else []
    there += ["mps"] if torch.backends.mps.is_available() else []
    there += ["cpu"]  # the fastest first
    if device == "auto":
        return there[0]
    if device not in there:
        raise UsageError(
            f"device '{device}' was asked for, but torch finds none here. "
            f"This machine has: {', '.join(there)}; 'auto' takes the best of them."
        )
    return device


def computes_bf16(device: str) -> bool:
    """Whether `device` multiplies bfloat16 in hardware (software emulation does not count).

    On CPUs only x86 is asked (AVX512-BF16 or AMX): there it was measured to pay.
    `torch.ops.mkldnn._is_mkldnn_bf16_supported` says yes to plain AVX512 too, so it is no help.
    """
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device != "cpu":
        return False
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        ask = getattr(torch.cpu, name, None)  # private to torch, so it may go
        if ask is not None and ask():
            return True
    return bool({"avx512_bf16", "amx_bf16"} & _cpu_flags())


def _cpu_flags() -> set[str]:
    """The processor's feature flags as Linux lists them; empty elsewhere."""
    return set(cpuinfo("flags").split())


def pick_precision(precision: str, device: str) -> str:
    """`auto` is "bf16-mixed" where `device` computes it natively, else "32-true".

    Raises:
        UsageError: an unknown precision.
    """
    choose("precision", precision, PRECISIONS)
    if precision != "auto":
        return precision
    return "bf16-mixed" if computes_bf16(device) else "32-true"


def make_fabric(*, device: str = "auto", precision: str = "auto") -> "Fabric":
    """A launched Fabric on one device, or on this process's share of several (`WORLD_SIZE` > 1).

    With several processes buffers are not shared: two forward passes of one network before
    one backward pass, as adversarial training has them, otherwise change buffers that the
    backward pass needs.

    Raises:
        UsageError: an unknown device or precision, one that this machine lacks, or one that
            contradicts the options of `fabric run`.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.strategies import DDPStrategy

    from t2ilab.fit.bf16 import Bfloat16

    device = pick_device(_command_line("ACCELERATOR", device))
    precision = pick_precision(_command_line("PRECISION", precision), device)
    world_size = whole_number("WORLD_SIZE", 1)
    plugins: list[Any] = [Bfloat16(device)] if precision == "bf16-mixed" else []
    with _fabric_run_unset():
        if world_size == 1:
            # the environment is named, or a Slurm job of one task is taken for many
            fabric = Fabric(
                accelerator=device, devices=1, plugins=[*plugins, LightningEnvironment()]
            )
        else:
            if device == "mps":
                raise UsageError("several processes cannot share an Apple GPU: use device='cpu'")
            here = whole_number("LOCAL_WORLD_SIZE", 1, default=world_size)
            fabric = Fabric(
                accelerator=device,
                devices=here,
                plugins=plugins,
                num_nodes=world_size // here,
                strategy=DDPStrategy(**{_sync_buffers(): False}),
            )
        fabric.launch()
    if world_size > 1:
        atexit.register(_leave_group)
    return fabric


def _leave_group() -> None:
    """End the group of processes before Python ends: its threads, left running, may abort it."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _sync_buffers() -> str:
    """What torch calls the option that its newer versions have renamed."""
    from torch.nn.parallel import DistributedDataParallel

    names = inspect.signature(DistributedDataParallel.__init__).parameters
    return "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"


def takes_plain_backward(fabric: "Fabric") -> bool:
    """Whether `loss.backward()` works with networks set up on `fabric`, as Fabric decides it."""
    from lightning_fabric.plugins import Precision
    from lightning_fabric.strategies import Strategy

    parts = [(fabric.strategy, Strategy), (fabric.strategy.precision, Precision)]
    return all(type(part).backward is plain.backward for part, plain in parts)


def _command_line(option: str, given: str) -> str:
    """The choice made by `fabric run --<option>`, where there is one, else `given`."""
    wanted = os.environ.get(f"LT_{option}", "auto")
    wanted = _ALIASES.get(wanted, wanted)
    if "auto" not in (wanted, given) and wanted != given:
        raise UsageError(
            f"`fabric run --{option.lower()} {wanted}` contradicts '{given}' in the call "
            f"of fit: leave one of them out."
        )
    return given if wanted == "auto" else wanted


@contextmanager
def _fabric_run_unset() -> Iterator[None]:
    """Hide the environment of `fabric run`: Fabric refuses a strategy object beside it."""
    strategy = os.environ.get("LT_STRATEGY", "auto")
    if strategy not in ("auto", "ddp"):
        raise UsageError(f"`fabric run --strategy {strategy}`: only 'ddp' is supported.")
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("LT_")}
    noise = logging.getLogger("lightning_fabric.utilities.distributed")
    level = noise.level
    noise.setLevel(logging.WARNING)
    try:
        yield
    finally:
        noise.setLevel(level)
        os.environ.update(hidden)


def gather(fabric: "Fabric", value: T) -> list[T]:
    """`value` of every process, in order of rank; every process gets the same list."""
    if fabric.world_size == 1:
        return [value]
    values: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(values, value)
    return values


def on_first(fabric: "Fabric", action: Callable[[], T]) -> T:
    """Run `action` on the first process; all processes get its result, or raise when it fails."""
    if fabric.world_size == 1:
        return action()
    result, error, kind, words = None, None, None, ""
    if fabric.is_global_zero:
        try:
            result = action()
        except (TrainingError, UsageError) as caught:
            error, kind, words = caught, type(caught), str(caught)
        except Exception as caught:
            error, kind, words = caught, TrainingError, f"the first process failed: {caught!r}"
    result, kind, words = fabric.broadcast((result, kind, words))
    if error is not None:
        raise error
    if kind is not None:
        raise kind(words)
    return result
