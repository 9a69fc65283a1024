"""Trained weights: NAME.safetensors, and NAME.json that says what they are and whence they came.

The JSON holds the sha256 of the other file, so that weights which were cut short or altered are
refused before anything is used; the architecture they belong to; the command, data and time that
made them; and the results that were measured with them. What ships lies in `data/weights/`.
"""

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from t2ilab import __version__
from t2ilab.durable import replacing
from t2ilab.errors import UsageError, WeightsError, choose
from t2ilab.paths import DATA

if TYPE_CHECKING:
    from torch import Tensor, nn

    M = TypeVar("M", bound=nn.Module)
else:
    M = TypeVar("M")

FOLDER = DATA / "weights"
ABOUT = ("architecture", "command", "data", "seconds", "measured")  # what the author states
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Loaded:
    """Weights that were checked.

    Attributes:
        name: of the file, without suffix.
        tensors: name -> tensor on the CPU; half floats came back as float32.
        about: the JSON: "sha256", "bytes", "architecture" {"class", "arguments"}, "command",
            "data", "seconds", "measured", "versions".
    """

    name: str
    tensors: "dict[str, Tensor]" = field(repr=False)
    about: dict[str, Any]

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments that make the architecture."""
        return dict(self.about["architecture"]["arguments"])

    def arguments_of(self, cls: type) -> dict[str, Any]:
        """`arguments`, after seeing that it is `cls` that they make; WeightsError if not."""
        made, wanted = self.about["architecture"]["class"], f"{cls.__module__}.{cls.__qualname__}"
        if made != wanted:
            raise WeightsError(f"weights '{self.name}' are of {made}, not of {wanted}.")
        return self.arguments


@dataclass(frozen=True)
class Checked:
    """One pair of bundled files: its size in MB (10⁶ bytes), and what is wrong with it or None."""

    name: str
    megabytes: float
    problem: str | None


def save(
    folder: str | Path,
    tensors: "Mapping[str, Tensor]",
    about: Mapping[str, Any],
    *,
    name: str,
    half: bool = False,
) -> Path:
    """Write `folder/name.safetensors` and `folder/name.json`; returns the path of the former.

    Each file is replaced as a whole. A kill between the two leaves a pair that `load` refuses.

    Args:
        tensors: usually a `state_dict()`; of several modules, with a prefix each.
        about: "architecture" ({"class": dotted name, "arguments": {...}}), "command", "data",
            "seconds" and "measured" ({name: number}); more may be added. The rest is filled in.
        half: store floats as float16: half the size, about three decimals.

    Raises:
        UsageError: something is missing in `about`, or a tensor holds numbers that are not finite
            (for half floats: too large, above 65504).
        WeightsError: the disk is full or the folder cannot be written to.
    """
    from safetensors.torch import save as to_bytes

    if not re.fullmatch(r"[\w.-]+", name):
        raise UsageError(f"name '{name}': use letters, digits, '.', '-' and '_' only")
    about = _complete(about)
    data = to_bytes({key: _stored(key, value, half) for key, value in tensors.items()})
    about |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    words = _as_json(about)
    path = Path(folder).expanduser() / f"{name}{SUFFIX}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(data)
        with replacing(path.with_suffix(".json")) as file:
            file.write(words)
    except OSError as error:
        raise WeightsError(
            f"could not write {path}: {error.strerror or error}. Make room on the disk, or give "
            f"another folder."
        ) from error
    return path


def _complete(about: Mapping[str, Any]) -> dict[str, Any]:
    """What the author said, checked, with the versions."""
    missing = [key for key in ABOUT if key not in about]
    architecture = about.get("architecture")
    if isinstance(architecture, Mapping):
        missing += [f"architecture.{k}" for k in ("class", "arguments") if k not in architecture]
    if missing:
        raise UsageError(
            f"weights need words on where they come from; missing: {', '.join(missing)}"
        )
    import torch

    versions = {"t2ilab": __version__, "torch": str(torch.__version__)}
    return {**about, "versions": {**versions, "python": platform.python_version()}}


def _stored(key: str, tensor: "Tensor", half: bool) -> "Tensor":
    """The tensor as it goes into the file: on the CPU, in one piece, sharing with no other."""
    import torch

    stored = tensor.detach().cpu()
    stored = stored.half() if half and stored.is_floating_point() else stored
    if stored.is_floating_point() and not bool(torch.isfinite(stored).all()):
        raise UsageError(
            f"weight '{key}' holds numbers that are not finite"
            + (" or too large for half floats" if half else "")
        )
    return stored.clone(memory_format=torch.contiguous_format)


def _as_json(about: dict[str, Any]) -> bytes:
    try:
        return json.dumps(about, indent=1, allow_nan=False, default=_number).encode() + b"\n"
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"what is said of the weights (measured, architecture, ...) must be text and finite "
            f"numbers; something in it is not finite or of another type: {error}"
        ) from error


def _number(value: Any) -> float:
    """Numbers of numpy and torch, as JSON holds them."""
    if not hasattr(value, "item"):
        raise TypeError(f"{value!r} of type {type(value).__name__}")
    return value.item()


def bundled() -> list[str]:
    """The names of the weights that ship."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def load(name_or_path: str | Path) -> Loaded:
    """Weights by name, where they ship, or by path: of the file, or of a folder that holds one.

    Raises:
        UsageError: no bundled weights of this name.
        WeightsError: a file is missing, cut short or altered; nothing of it was used.
    """
    path = _find(name_or_path)
    about, data = _intact(path)
    from safetensors.torch import load as from_bytes

    try:
        tensors = from_bytes(data)
    except Exception as error:  # the library's own error, of which it makes a promise only in Rust
        raise WeightsError(f"{path} is no safetensors file: {error}") from error
    return Loaded(path.stem, {key: _full(value) for key, value in tensors.items()}, about)


def _full(tensor: "Tensor") -> "Tensor":
    return tensor.float() if tensor.is_floating_point() and tensor.itemsize == 2 else tensor


def _find(name_or_path: str | Path) -> Path:
    """The file that is meant."""
    path, names = Path(name_or_path).expanduser(), bundled()
    plain = path.name == str(name_or_path) and path.suffix != SUFFIX
    if plain and (path.name in names or not path.exists()):
        return FOLDER / f"{choose('weights', path.name, names)}{SUFFIX}"
    if path.is_dir():
        inside = sorted(path.glob(f"*{SUFFIX}"))
        if len(inside) != 1:
            held = ", ".join(x.name for x in inside) or "none"
            raise WeightsError(
                f"{path} should hold one {SUFFIX} file; it holds: {held}. Give the path of one."
            )
        return inside[0]
    path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
    if not path.exists():
        raise WeightsError(f"there is no file {path}: check the path; bundled are {names}")
    return path


def _intact(path: Path) -> tuple[dict[str, Any], bytes]:
    """The words about the weights, and the bytes of the weights, which agree."""
    beside = path.with_suffix(".json")
    try:
        about = json.loads(beside.read_text(encoding="utf-8"))
        sha256, size = about["sha256"], about.get("bytes")
        about["architecture"]["arguments"], about["architecture"]["class"]
    except FileNotFoundError as error:
        raise WeightsError(
            f"{beside} is missing: it says what {path.name} is, and whether it is whole. Copy both."
        ) from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise WeightsError(f"{beside} is damaged ({error!r}): fetch both files again") from error
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() == sha256:
        return about, data
    if isinstance(size, int) and len(data) < size:
        raise WeightsError(
            f"{path} is cut short: {len(data)} of {size} bytes. It was not used; fetch it again."
        )
    raise WeightsError(
        f"{path} was altered: its sha256 is not the one in {beside.name}. It was not used; fetch "
        f"both files again."
    )


def into(module: "M", loaded: Loaded, *, prefix: str = "") -> "M":
    """Give `module` the weights, after seeing that they are of its architecture; returns it.

    Args:
        prefix: take only tensors whose name begins so, and strip it ("text." of a file that holds
            several modules).

    Raises:
        WeightsError: names are missing or unexpected, or shapes differ; the module is untouched.
    """
    tensors = {
        key.removeprefix(prefix): value
        for key, value in loaded.tensors.items()
        if key.startswith(prefix)
    }
    wanted = module.state_dict()
    wrong = [f"missing {key}" for key in wanted if key not in tensors]
    wrong += [f"unexpected {key}" for key in sorted(tensors) if key not in wanted]
    wrong += [
        f"{key} is {list(tensors[key].shape)} in the file and {list(wanted[key].shape)} here"
        for key in wanted
        if key in tensors and tensors[key].shape != wanted[key].shape
    ]
    if wrong:
        more = f" and {len(wrong) - 6} more" if len(wrong) > 6 else ""
        made = loaded.about["architecture"]
        raise WeightsError(
            f"weights '{loaded.name}' are of another architecture than this "
            f"{type(module).__name__}: {'; '.join(wrong[:6])}{more}. They are of {made['class']} "
            f"with {made['arguments']}. Nothing was changed."
        )
    module.load_state_dict(tensors)
    return module


def verify_all() -> list[Checked]:
    """Check every bundled file against its JSON, by sha256; also a JSON without its weights."""
    found = [_verify(FOLDER / f"{name}{SUFFIX}") for name in bundled()]
    for beside in sorted(FOLDER.glob("*.json")):
        if not beside.with_suffix(SUFFIX).exists():
            lost = f"{beside.stem}{SUFFIX} is missing beside {beside.name}"
            found.append(Checked(beside.stem, 0.0, lost))
    return found


def _verify(path: Path) -> Checked:
    try:
        about, _ = _intact(path)
        missing = [key for key in (*ABOUT, "versions") if key not in about]
        problem = f"{path.stem}.json lacks {', '.join(missing)}" if missing else None
    except (WeightsError, OSError) as error:
        problem = str(error)
    return Checked(path.stem, path.stat().st_size / 1e6, problem)
