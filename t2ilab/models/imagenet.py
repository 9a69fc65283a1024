"""Networks trained on ImageNet (torchvision's), for the gradient with respect to photographs.

They are the only part of the course that does not ship with it: the weights are torchvision's. They
are looked for, without a network, in the file or folder that the environment variable
T2ILAB_IMAGENET names, and in torch hub's cache, where an earlier download lies. A file is a state
dict, alone or as a training script writes it: under "state_dict" or "model", and with "module."
before each name.
"""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision import models
from torchvision.models import AlexNet_Weights, get_model, get_model_weights

from t2ilab.errors import UsageError, WeightsError, choose
from t2ilab.files import see_checksums
from t2ilab.paths import user_path

NETWORKS = ("squeezenet1_0", "squeezenet1_1", "alexnet", "vgg11", "vgg16", "mobilenet_v2")
VARIABLE = "T2ILAB_IMAGENET"
CLASSES: tuple[str, ...] = tuple(AlexNet_Weights.DEFAULT.meta["categories"])  # of all ImageNet nets
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures in [0, 1]
SUFFIXES = (".safetensors", ".pth", ".pt")
WRAPPERS = ("state_dict", "model")  # under which training scripts put the weights


class ImageNet(nn.Module):
    """A classifier of photographs: pictures in [-1, 1] in, logits of 1000 classes out.

    In `eval` mode, its weights frozen; they collect no gradients. What torchvision's recipe does
    to pictures (mean and deviation of ImageNet) happens inside.

    Attributes:
        name: one of `NETWORKS`.
        body: the convolutions, an `nn.Sequential`: what chapter 13 looks into.
    """

    def __init__(self, network: nn.Module, name: str):
        super().__init__()
        self.network, self.name = network, name
        for name, values in (("mean", MEAN), ("std", STD)):
            shaped = torch.tensor(values).view(1, 3, 1, 1)
            self.register_buffer(name, shaped, persistent=False)
        for module in network.modules():
            if isinstance(module, nn.ReLU | nn.ReLU6):
                module.inplace = False  # else what a layer gave is overwritten by the next one
        self.eval().requires_grad_(False)

    @property
    def body(self) -> nn.Sequential:
        """The convolutional layers, in order."""
        return self.network.features

    def normalised(self, pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """Pictures in [-1, 1] as the network saw them when it learned; what goes into `body`."""
        return ((pictures + 1) / 2 - self.mean) / self.std

    def forward(self, pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b classes"]:
        """Logits; the networks were trained at 224 x 224 pixels."""
        return self.network(self.normalised(pictures))


def class_number(name: str) -> int:
    """The number of a class, say "ostrich", in `CLASSES`.

    Raises:
        UsageError: there is none of that name.
    """
    if name in CLASSES:
        return CLASSES.index(name)
    alike = [one for one in CLASSES if str(name).lower() in one.lower()]
    hint = f" Do you mean one of: {', '.join(alike[:6])}?" if alike else ""
    raise UsageError(
        f"ImageNet has no class '{name}'.{hint} All 1000 names are in "
        "t2ilab.models.imagenet.CLASSES."
    )


def available(name: str = "squeezenet1_0") -> bool:
    """Whether `load(name)` finds weights on this machine; nothing is fetched.

    Raises:
        UsageError: a network that is not in `NETWORKS`.
        WeightsError: what T2ILAB_IMAGENET names is not there, or holds no weights.
    """
    return _find(choose("ImageNet network", name, NETWORKS)) is not None


def load(name: str = "squeezenet1_0", *, path: str | Path = "", download: bool = False) -> ImageNet:
    """A network with its trained weights.

    Args:
        name: one of `NETWORKS`.
        path: of the weights, a .safetensors, .pth or .pt file with torchvision's names; "": looked
            for.
        download: whether torchvision may fetch them, where they are not found (5 MB for SqueezeNet,
            about 500 MB for VGG).

    Raises:
        UsageError: an unknown network.
        WeightsError: no weights, or a file that is damaged or of another network.
    """
    choose("ImageNet network", name, NETWORKS)
    file = user_path(path, "path of weights") if path else _find(name)
    if file is None and not download:
        where = f" ({VARIABLE} names others)" if os.environ.get(VARIABLE) else ""
        raise WeightsError(
            f"no weights of {name} were found{where}. Let torchvision fetch them (download=True; "
            f"in a notebook DOWNLOAD = True), or name a file with {VARIABLE}=/path/to/{name}.pth."
        )
    tensors = _fetched(name) if file is None else _read(file)
    return ImageNet(_filled(get_model(name, weights=None), tensors, file or name), name)


def load_classifier(name: str, path: str | Path) -> nn.Module:
    """Any classifier of torchvision with weights from a file of yours; nothing is downloaded.

    Args:
        name: as in torchvision.models, e.g. "googlenet", whose features Reed et al. 2016 use; with
            ImageNet's 1,000 classes.
        path: of its weights, as `load` takes them.

    Raises:
        UsageError: torchvision has no such classifier.
        WeightsError: the file is missing or damaged, or of another network.
    """
    choose("classifier", name, models.list_models(models))
    file = user_path(path, "path of weights")
    tensors = _read(file)
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return _filled(get_model(name, weights=None, **extra), tensors, file).eval()


def _find(name: str) -> Path | None:
    """The file of a network's weights: where T2ILAB_IMAGENET points, or in torch hub's cache."""
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    found = [hub / Path(weights.url).name for weights in get_model_weights(name)]
    return _named(name) or next((file for file in found if file.is_file()), None)


def _named(name: str) -> Path | None:
    """The file that T2ILAB_IMAGENET names; None if it names none, or one of another network.

    A file may have any name; one that begins with the name of a network is of that network. In a
    folder each file's name must begin so.
    """
    given = os.environ.get(VARIABLE, "")
    if not given:
        return None
    place = user_path(given, VARIABLE)
    try:
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        usable = [file for file in files if file.suffix in SUFFIXES and file.is_file()]
    except OSError as error:
        raise WeightsError(f"{VARIABLE}={given} cannot be read: {error.strerror}.") from error
    of = {file: [one for one in NETWORKS if file.name.startswith(one)] for file in usable}
    if place.is_dir():
        usable = [file for file in usable if of[file]]
    if not usable:
        what = "holds no weights" if place.exists() else "is not there"
        raise WeightsError(
            f"{VARIABLE}={given} {what}: expected a file *{', *'.join(SUFFIXES)}, or a folder of "
            f"such files that are named by their network ({name}.pth). Correct it, or unset it."
        )
    return next((file for file in usable if name in of[file] or not of[file]), None)


def _fetched(name: str) -> dict[str, Tensor]:
    """Torchvision's weights, from its server into torch hub's cache."""
    try:
        return get_model_weights(name).DEFAULT.get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # no network, a proxy, a full disk, a file that came damaged
        raise WeightsError(
            f"the weights of {name} could not be fetched ({error}). Without a "
            f"network, put them on this machine and name them with {VARIABLE}."
        ) from error


def _read(file: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors, .pth or .pt file, by the names that the network has for them.

    Nothing but tensors is unpickled.
    """
    if not file.is_file():
        raise WeightsError(f"there is no file {file}: check the path of the weights.")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            held = load_file(file)
        else:
            if zipfile.is_zipfile(file):  # not so what old versions of torch have written
                see_checksums(file)
            held = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds: pickle, zip, safetensors' own, memory
        raise WeightsError(
            f"{file} is damaged, or no file of weights ({_short(error)}). Fetch it again."
        ) from error
    inner = [held[key] for key in WRAPPERS if isinstance(held, Mapping) and key in held]
    held = next((one for one in inner if isinstance(one, Mapping)), held)
    if not isinstance(held, Mapping) or not all(isinstance(one, Tensor) for one in held.values()):
        raise WeightsError(
            f"{file} holds something else than tensors by name; expected a state dict, as "
            "torch.save(network.state_dict(), file) writes it."
        )
    prefix = "module." if all(str(key).startswith("module.") for key in held) else ""
    return {str(key).removeprefix(prefix): value for key, value in held.items()}


def _filled(network: nn.Module, tensors: dict[str, Tensor], source: str | Path) -> nn.Module:
    """`network` with these weights: names, shapes and kinds of number must agree, and be finite."""
    for key, wanted in network.state_dict().items():
        given = tensors.get(key, wanted)
        if given.dtype != wanted.dtype and not (
            given.is_floating_point() and wanted.is_floating_point()
        ):
            raise WeightsError(
                f"{source}: '{key}' is of type {given.dtype}; expected {wanted.dtype}. Save the "
                "weights as floats, or fetch them again."
            )
    try:
        network.load_state_dict(tensors)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"the weights in {source} are of another network than this "
            f"{type(network).__name__}: {_short(error)}"
        ) from error
    for key, value in network.state_dict().items():
        if not torch.isfinite(value).all():
            raise WeightsError(
                f"{source}: '{key}' holds numbers that are not finite (nan or infinity, or too "
                "large for 32 bits): the file is damaged. Fetch it again."
            )
    return network


def _short(error: Exception) -> str:
    """What a library said, on one line of readable length."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= 200 else f"{said[:200]} ..."
