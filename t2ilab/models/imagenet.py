"""Networks trained on ImageNet (torchvision's), for the gradient with respect to photographs.

They are the only part of the course that does not ship with it: the weights are torchvision's. They
are looked for, without a network, in the file or folder that the environment variable
T2ILAB_IMAGENET names, and in torch hub's cache, where an earlier download lies.
"""

import os
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import AlexNet_Weights, get_model, get_model_weights

from t2ilab.errors import UsageError, WeightsError, choose

NETWORKS = ("squeezenet1_0", "squeezenet1_1", "alexnet", "vgg11", "vgg16", "mobilenet_v2")
VARIABLE = "T2ILAB_IMAGENET"
CLASSES: tuple[str, ...] = tuple(AlexNet_Weights.DEFAULT.meta["categories"])  # of all ImageNet nets
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures in [0, 1]
SUFFIXES = (".safetensors", ".pth", ".pt")


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
    """
    return _find(choose("ImageNet network", name, NETWORKS)) is not None


def load(name: str = "squeezenet1_0", *, path: str | Path = "", download: bool = False) -> ImageNet:
    """A network with its trained weights.

    Args:
        name: one of `NETWORKS`.
        path: of the weights, a .safetensors or .pth file with torchvision's names; "": looked for.
        download: whether torchvision may fetch them, where they are not found (5 MB for SqueezeNet,
            about 500 MB for VGG).

    Raises:
        UsageError: an unknown network.
        WeightsError: no weights, or a file that is damaged or of another network.
    """
    choose("ImageNet network", name, NETWORKS)
    file = Path(path).expanduser() if path else _find(name)
    if file is None and download:
        return ImageNet(_filled(get_model(name, weights=None), _fetched(name), name), name)
    if file is None:
        raise WeightsError(
            f"no weights of {name} were found. Let torchvision fetch them (download=True; in a "
            f"notebook DOWNLOAD = True), or name a file with {VARIABLE}=/path/to/{name}.pth."
        )
    return ImageNet(_filled(get_model(name, weights=None), _read(file), file.name), name)


def _find(name: str) -> Path | None:
    """The file of a network's weights: where T2ILAB_IMAGENET points, or in torch hub's cache."""
    given = os.environ.get(VARIABLE, "")
    named, hub = Path(given).expanduser(), Path(torch.hub.get_dir()) / "checkpoints"
    own = sorted(named.glob("*")) if given and named.is_dir() else [named]
    found = [file for file in own if file.name.startswith(name) and file.suffix in SUFFIXES]
    found += [hub / Path(weights.url).name for weights in get_model_weights(name)]
    return next((file for file in found if file.is_file()), None)


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
    """The tensors of a .safetensors or .pth file, as float32."""
    if not file.is_file():
        raise WeightsError(f"there is no file {file}: check the path.")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # of many kinds: pickle, zip, safetensors' own
        raise WeightsError(
            f"{file} is damaged, or no file of weights ({error}). Fetch it again."
        ) from error


def _filled(network: nn.Module, tensors: dict[str, Tensor], source: str) -> nn.Module:
    """`network` with these weights; names and shapes must agree."""
    try:
        network.load_state_dict(tensors)
    except (RuntimeError, TypeError, AttributeError) as error:
        said = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"the weights in {source} are of another network than this "
            f"{type(network).__name__}: {said} ..."
        ) from error
    return network
