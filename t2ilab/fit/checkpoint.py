"""Checkpoints: one file of plain data, replaced as a whole, checked before it is believed.

A checkpoint is a dict of tensors, numbers, text, lists and dicts, so that it loads with
`weights_only=True` and a stranger's file can do no harm. The file is a zip archive whose CRC-32
sums are verified at reading (torch itself does not look at them).
"""

import os
import shutil
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from t2ilab.durable import SUFFIX, replacing
from t2ilab.errors import TrainingError
from t2ilab.files import see_checksums

NAME = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"
FORMAT = 2
_PLAIN = (int, float, bool, str, bytes, type(None), complex, torch.Size, torch.dtype, torch.device)


class CannotWrite(TrainingError):
    """The disk did not take the checkpoint; the last good one is still there."""


def leaves(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in nested dicts and lists, with its path, e.g. ("opt.state.0.step", 3)."""
    if type(tree) in (dict, OrderedDict):
        pairs = tree.items()
    elif type(tree) in (list, tuple):
        pairs = enumerate(tree)
    else:
        yield path, tree
        return
    for key, value in pairs:
        yield from leaves(value, f"{path}.{key}" if path else str(key))


def check_plain(state: Any) -> None:
    """Refuse what could be saved but not loaded again with `weights_only=True`.

    Raises:
        TrainingError: names the first value of another type.
    """
    for path, value in leaves(state):
        if type(value) not in _PLAIN and not isinstance(value, torch.Tensor):
            raise TrainingError(
                f"state_dict()['{path}'] of the trainer is of type {type(value).__name__}, which "
                f"cannot go into a checkpoint: give tensors, numbers, text, lists and dicts of "
                f"them (of a generator its get_state(), of an array a tensor)"
            )


def first_not_finite(state: Any) -> str | None:
    """The path of the first tensor with a NaN or a +inf in it (-inf may be a mask), or None."""
    for path, value in leaves(state):
        if isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel():
            if not bool(value.max() < torch.inf):  # the maximum of anything with a NaN is NaN
                return path
    return None


def write(folder: Path, checkpoint: dict) -> None:
    """Replace `checkpoint.pt` in `folder`; the one before becomes `checkpoint.previous.pt`.

    Raises:
        CannotWrite: the disk is full or the folder gone. The last checkpoint is as it was, and no
            temporary file is left.
    """
    path = folder / NAME
    try:
        with replacing(path, before=lambda: _keep_previous(path)) as file:
            torch.save(checkpoint, file)
    except OSError as error:
        raise CannotWrite(_no_room(folder, path, error)) from error


def _keep_previous(path: Path) -> None:
    """Give the present checkpoint its second name; `path` keeps naming it until it is replaced."""
    if not path.exists():
        return
    linked = path.with_name(f".{PREVIOUS}.{os.getpid()}{SUFFIX}")
    linked.unlink(missing_ok=True)
    with suppress(OSError):  # a file system without hard links: then there is no previous one
        os.link(path, linked)
        os.replace(linked, path.with_name(PREVIOUS))


def _no_room(folder: Path, path: Path, error: OSError) -> str:
    words = f"could not write {path}: {error.strerror or error}"
    with suppress(OSError):
        words += f" ({shutil.disk_usage(folder).free / 2**20:.0f} MB free there)"
    if path.exists():
        words += f". The last good checkpoint, {_about(path)}, is still there"
    return words + ". Make room on the disk, or use another folder."


def read(folder: Path) -> dict | None:
    """The checkpoint in `folder`, its tensors on the CPU; None where there is none.

    Raises:
        TrainingError: it is cut short, altered, or no checkpoint of `fit`; says what to do.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        return _load(path)
    except TrainingError:
        raise
    except Exception as error:  # torch and zipfile raise many kinds for a damaged file
        raise TrainingError(
            f"{path} is damaged ({_reason(error)}) and was left as it is. {_way_out(folder)}"
        ) from error


def _load(path: Path) -> dict:
    see_checksums(path)
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(loaded, dict) or loaded.get("format") != FORMAT:
        raise TrainingError(
            f"{path} is no checkpoint of this version of `fit`, and was left as it is. "
            f"Give another folder, or start anew in an empty one."
        )
    return loaded


def _reason(error: Exception) -> str:
    if isinstance(error, zipfile.BadZipFile):
        return "it is cut short or no checkpoint"
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def _way_out(folder: Path) -> str:
    previous = folder / PREVIOUS
    with suppress(Exception):
        return (
            f"The one before it, of step {_load(previous)['step']}, is whole: rename {PREVIOUS} to "
            f"{NAME} and resume."
        )
    return "There is no whole one beside it: start anew in an empty folder."


def _about(path: Path) -> str:
    with suppress(Exception):
        return f"of step {_load(path)['step']}"
    return "which was there before"
