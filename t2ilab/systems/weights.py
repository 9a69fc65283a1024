"""Trained weights: NAME.safetensors, which says itself what it is, and NAME.json for people.

The description (what the weights are of, the command, data and time that made them, what was
measured) stands in the header of the safetensors file. It holds a digest of the tensors, and beside
it stands its own, so that nothing in the file can change unseen; the JSON beside must say the same.
What ships lies in `data/weights/`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2ilab import schemas
from t2ilab.durable import replacing_all
from t2ilab.errors import UsageError, WeightsError, choose
from t2ilab.paths import DATA, user_path
from t2ilab.provenance import versions
from t2ilab.schemas.weights import Beside, Description, Shared

if TYPE_CHECKING:
    from torch import Tensor, nn

FOLDER = DATA / "weights"
STATED = ("kind", "arguments", "command", "data", "seconds", "measured")  # by the author
SUFFIX = ".safetensors"
LARGEST = 8 * 2**30  # bytes of a file
_HEADER = 32 * 2**20  # bytes of a header: words, not tensors
_AGAIN = "Fetch both files again; nothing of them was used"


@dataclass(frozen=True)
class Loaded:
    """Weights that were checked.

    Attributes:
        name: of the file, without suffix.
        tensors: name -> tensor on the CPU; half floats came back as float32.
        about: the description as a dict; see `schemas.weights.Description`.
    """

    name: str
    tensors: "dict[str, Tensor]" = field(repr=False)
    about: dict[str, Any]

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments that make the networks."""
        return dict(self.about["arguments"])


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

    Both are written aside, then renamed: a full disk leaves the last good pair.

    Args:
        tensors: usually a `state_dict()`; of several modules, with a prefix each.
        about: see `schemas.weights.Description`; kind, arguments, command, data, seconds and
            measured must be there; versions and digests are filled in.
        half: store floats as float16: half the size, about three decimals.

    Raises:
        UsageError: something is missing in `about` or unknown, or a tensor holds numbers that are
            not finite (for half floats: too large, above 65504).
        WeightsError: the disk is full or the folder cannot be written to.
    """
    if not re.fullmatch(r"[\w.-]+", name):
        raise UsageError(f"name '{name}': use letters, digits, '.', '-' and '_' only")
    stored = {key: _stored(key, value, half) for key, value in tensors.items()}
    described = _complete(about, stored)
    path = user_path(folder, "folder") / f"{name}{SUFFIX}"
    write(path, stored, described)
    return path


def write(path: Path, stored: "Mapping[str, Tensor]", described: Description) -> None:
    """Write the pair of files, without the parts that are `shared`; see `save`."""
    from safetensors.torch import save as to_bytes

    words = _as_json(schemas.to_dict(described))
    own = {key: value for key, value in stored.items() if key.split(".")[0] not in described.shared}
    data = to_bytes(own, {"description": words, "sha256": _sha256(words.encode())})
    beside = json.loads(words) | {"sha256": _sha256(data), "bytes": len(data)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_all(path, path.with_suffix(".json")) as (file, words_file):
            file.write(data)
            words_file.write(_as_json(beside).encode() + b"\n")
    except OSError as error:
        raise WeightsError(
            f"could not write {path}: {error.strerror or error}. Make room on the disk, or give "
            f"another folder."
        ) from error


def _complete(about: Mapping[str, Any], stored: "Mapping[str, Tensor]") -> Description:
    """What the author said, with versions and digest, as the schema has it."""
    if missing := [key for key in STATED if key not in about]:
        raise UsageError(f"weights need words on where they come from; missing: {missing}")
    whole = {**about, "versions": versions(), "tensors": digest(stored)}
    return schemas.decode(_as_json(whole), Description, "about", error=UsageError)


def shared(tensors: "Mapping[str, Tensor]", names: Iterable[str]) -> dict[str, Shared]:
    """Which parts (encoder, prior) of a system are, bit by bit, in the bundled weights `names`."""
    found = {}
    for name in names:
        held = intact(FOLDER / f"{name}{SUFFIX}")[1]
        for part in {key.split(".")[0] for key in tensors} - {*found}:
            start = f"{part}."
            own = {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
            modules = {key.split(".")[0] for key in own}
            same = {key: v for key, v in held.items() if key.split(".")[0] in modules}
            if same and digest(own) == digest(same):
                found[part] = Shared(name=name, modules=sorted(modules))
    return found


def _borrowed(path: Path, about: Description) -> "dict[str, Tensor]":
    """The tensors of the parts that lie in other bundled weights, by their names in this file."""
    found = {}
    for part, of in about.shared.items():
        if of.name not in bundled():
            raise WeightsError(
                f"{path} takes its {part} from the bundled weights '{of.name}', which are not "
                "here: use a version of the course that has both."
            )
        other, held = intact(FOLDER / f"{of.name}{SUFFIX}")
        if set(other.shared) & set(of.modules):
            raise WeightsError(f"{path} takes its {part} from '{of.name}', which takes it itself.")
        found |= {f"{part}.{k}": v for k, v in held.items() if k.split(".")[0] in of.modules}
    return found


def digest(tensors: "Mapping[str, Tensor]") -> str:
    """sha256 over name, type, shape and bytes of every tensor, in order of the names."""
    import torch

    found = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key].contiguous()
        found.update(f"{key} {tensor.dtype} {list(tensor.shape)}\n".encode())
        found.update(tensor.flatten().view(torch.uint8).numpy() if tensor.numel() else b"")
    return found.hexdigest()


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


def _as_json(about: dict[str, Any]) -> str:
    try:
        return json.dumps(about, indent=1, allow_nan=False, default=_number)
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"what is said of the weights (measured, arguments, ...) must be text and finite "
            f"numbers; something in it is not finite or of another type: {error}"
        ) from error


def _number(value: Any) -> float:
    """Numbers of numpy and torch, as JSON holds them."""
    if not hasattr(value, "item"):
        raise TypeError(f"{value!r} of type {type(value).__name__}")
    return value.item()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def bundled() -> list[str]:
    """The names of the weights that ship."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def described() -> dict[str, Description]:
    """Name -> description of the weights that ship, read from their headers; no tensor is read.

    Damaged ones are left out: `verify_all` names them.
    """
    found = {}
    for name in bundled():
        try:
            with open(FOLDER / f"{name}{SUFFIX}", "rb") as file:
                found[name] = _description(FOLDER / f"{name}{SUFFIX}", _header(file, name))
        except (WeightsError, OSError):
            continue
    return found


def load(name_or_path: str | Path) -> Loaded:
    """Weights by name, where they ship, or by path: of the file, or of a folder that holds one.

    Raises:
        UsageError: no bundled weights of this name; no such file or folder.
        WeightsError: the file is cut short or altered, or the JSON beside says something else;
            nothing of it was used.
    """
    path = find(name_or_path)
    about, tensors = intact(path)
    return Loaded(path.stem, {k: _full(v) for k, v in tensors.items()}, schemas.to_dict(about))


def _full(tensor: "Tensor") -> "Tensor":
    return tensor.float() if tensor.is_floating_point() and tensor.itemsize == 2 else tensor


def find(name_or_path: str | Path) -> Path:
    """The weight file that is meant by a bundled name, a path, or the folder that holds one.

    Raises:
        UsageError: there is none.
        WeightsError: the folder holds several, or none.
    """
    path, names = user_path(name_or_path, "weights"), bundled()
    plain = path.name == str(name_or_path) and path.suffix != SUFFIX
    if plain and (path.name in names or not path.exists()):
        return FOLDER / f"{choose('weights', path.name, names)}{SUFFIX}"
    if path.is_dir():
        inside = sorted(path.glob(f"*{SUFFIX}"))
        if len(inside) != 1:
            held = ", ".join(x.name for x in inside) or "none"
            raise WeightsError(
                f"{path} should hold one {SUFFIX} file, as the folder of a finished training does; "
                f"it holds: {held}. Give the path of one."
            )
        return inside[0]
    path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
    if not path.exists():
        raise UsageError(f"there is no file {path}: check the path; bundled are {names}")
    return path


def intact(path: Path) -> "tuple[Description, dict[str, Tensor]]":
    """The description and the tensors of a file, after all that can be checked was checked."""
    from safetensors.torch import load as from_bytes

    try:
        if path.stat().st_size > LARGEST:
            raise WeightsError(f"{path} has more than {LARGEST >> 30} GiB; none of ours has.")
        with open(path, "rb") as file:
            about = _description(path, _header(file, path))
            file.seek(0)
            data = file.read()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    _see_beside(path, about, data)
    try:
        tensors = from_bytes(data)
    except Exception as error:  # safetensors has errors of its own, and does not promise which
        raise WeightsError(f"{path} is cut short or damaged: {error}. {_AGAIN}.") from error
    tensors |= _borrowed(path, about)
    if digest(tensors) != about.tensors:
        lent = "".join(f", or those of {of.name} were" for of in about.shared.values())
        raise WeightsError(f"{path} was altered{lent}: the tensors have another sha256. {_AGAIN}.")
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise WeightsError(f"{path}: tensor '{key}' holds numbers that are not finite.")
    return about, tensors


def _header(file: Any, where: str | Path) -> dict[str, str]:
    """The metadata in the header of an open safetensors file."""
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > _HEADER:
        raise WeightsError(f"{where} is cut short, or no safetensors file. {_AGAIN}.")
    text = file.read(length)
    if len(text) < length:
        raise WeightsError(f"{where} is cut short within its header. {_AGAIN}.")
    header = schemas.decode(
        text, dict[str, Any], f"{where}, header", error=WeightsError, advice=f"{_AGAIN}."
    )
    found = header.get("__metadata__")
    if not isinstance(found, dict) or "description" not in found:
        raise WeightsError(
            f"{where} holds no description of itself: it is of another program, or of an earlier "
            "version of the course. Train it again, or convert it: python "
            "scripts/convert_weights.py FILE"
        )
    return found


def _description(path: Path, found: Mapping[str, Any]) -> Description:
    words = str(found["description"])
    if found.get("sha256") != _sha256(words.encode()):
        raise WeightsError(f"{path} was altered: its description has another sha256. {_AGAIN}.")
    return schemas.decode(words, Description, f"{path}, description", error=WeightsError)


def _see_beside(path: Path, about: Description, data: bytes) -> None:
    """The JSON beside, where there is one, must be of this file."""
    beside = path.with_suffix(".json")
    if not beside.exists():
        return
    said = schemas.read(beside, Beside, error=WeightsError, advice=f"{_AGAIN}.")
    for name in Description.__struct_fields__:
        if getattr(said, name) != getattr(about, name):
            raise WeightsError(
                f"{beside} was altered, or is of another file: '{name}' is not what {path.name} "
                f"says of itself. {_AGAIN}, or remove {beside.name}, which is for people only."
            )
    if len(data) < said.bytes:
        raise WeightsError(f"{path} is cut short: {len(data)} of {said.bytes} bytes. {_AGAIN}.")
    if _sha256(data) != said.sha256:
        raise WeightsError(
            f"{path} was altered: its sha256 is not the one in {beside.name}. {_AGAIN}."
        )


def into(module: "nn.Module", loaded: Loaded, name_of: Callable[[str], str] = str) -> None:
    """Give `module` the weights, after seeing that they are of its architecture.

    Args:
        name_of: from the names of its own `state_dict()` to those in the file; by default the same.

    Raises:
        WeightsError: names are missing or unexpected, or shapes or types differ; the module is
            untouched.
    """
    see_fit(module, loaded, name_of)
    module.load_state_dict({key: loaded.tensors[name_of(key)] for key in module.state_dict()})


def see_fit(module: "nn.Module", loaded: Loaded, name_of: Callable[[str], str] = str) -> None:
    """Refuse tensors that are not exactly those of `module` in name, shape and type; see `into`."""
    wanted = {name_of(key): _form(value) for key, value in module.state_dict().items()}
    found = {key: _form(value) for key, value in loaded.tensors.items()}
    wrong = [f"missing {key}" for key in wanted if key not in found]
    wrong += [f"unexpected {key}" for key in sorted(found) if key not in wanted]
    wrong += [
        f"{key} is {found[key]} in the file and {form} here"
        for key, form in wanted.items()
        if found.get(key, form) != form
    ]
    if wrong:
        more = f" and {len(wrong) - 6} more" if len(wrong) > 6 else ""
        raise WeightsError(
            f"weights '{loaded.name}' are of another architecture than this "
            f"{type(module).__name__}: {'; '.join(wrong[:6])}{more}. They are of kind "
            f"'{loaded.about['kind']}' with {str(loaded.arguments)[:200]}. Nothing was changed."
        )


def _form(tensor: "Tensor") -> str:
    """Shape, and kind of number where it is no float."""
    kind = "" if tensor.is_floating_point() else f" of {str(tensor.dtype).removeprefix('torch.')}"
    return f"{list(tensor.shape)}{kind}"


def verify_all() -> list[Checked]:
    """Check every bundled file with all its digests; also a JSON without its weights."""
    found = [_verify(FOLDER / f"{name}{SUFFIX}") for name in bundled()]
    for beside in sorted(FOLDER.glob("*.json")):
        if not beside.with_suffix(SUFFIX).exists():
            lost = f"{beside.stem}{SUFFIX} is missing beside {beside.name}"
            found.append(Checked(beside.stem, 0.0, lost))
    return found


def _verify(path: Path) -> Checked:
    problem = None
    try:
        intact(path)
        if not path.with_suffix(".json").exists():
            problem = f"{path.stem}.json, which tells people what it is, is missing"
    except (WeightsError, OSError) as error:
        problem = str(error)
    return Checked(path.stem, path.stat().st_size / 1e6, problem)
