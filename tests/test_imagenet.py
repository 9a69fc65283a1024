"""ImageNet networks: where weights are looked for, what comes out, what is refused. No network."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import get_model

from t2ilab.errors import UsageError, WeightsError
from t2ilab.models import imagenet


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch, tmp_path):
    """Neither a variable nor a cache of this machine plays a part."""
    monkeypatch.delenv(imagenet.VARIABLE, raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(0)
    return get_model("squeezenet1_0", weights=None)


@pytest.fixture
def weights(tmp_path, untrained):
    path = tmp_path / "some" / "squeezenet1_0_x.safetensors"
    path.parent.mkdir()
    save_file(untrained.state_dict(), path)
    return path


def test_the_classes_are_torchvisions():
    assert len(imagenet.CLASSES) == 1000
    assert imagenet.class_number("ostrich") == 9 and imagenet.class_number("parking meter") == 704
    with pytest.raises(UsageError, match="no class 'ostri'.*ostrich"):
        imagenet.class_number("ostri")


def test_weights_are_found_by_the_variable_as_a_file_or_a_folder(monkeypatch, weights):
    assert not imagenet.available()
    for place in (weights, weights.parent):
        monkeypatch.setenv(imagenet.VARIABLE, str(place))
        assert imagenet.available() and not imagenet.available("alexnet")
        assert imagenet.load().name == "squeezenet1_0"


def test_weights_are_found_in_the_cache_of_torch_hub(tmp_path, untrained):
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    assert not imagenet.available()
    torch.save(untrained.state_dict(), folder / "squeezenet1_0-b66bff10.pth")
    assert imagenet.available() and not imagenet.available("squeezenet1_1")
    assert isinstance(imagenet.load(), imagenet.ImageNet)


def test_it_is_torchvisions_network_on_normalised_pictures(weights, untrained):
    network, x = imagenet.load(path=weights), torch.rand(2, 3, 64, 64) * 2 - 1
    mean = torch.tensor(imagenet.MEAN).view(3, 1, 1)
    std = torch.tensor(imagenet.STD).view(3, 1, 1)
    expected = untrained.eval()(((x + 1) / 2 - mean) / std)
    assert network(x).shape == (2, 1000) and torch.allclose(network(x), expected, atol=1e-5)


def test_it_is_frozen_in_eval_mode_and_its_layers_keep_what_they_gave(weights):
    network = imagenet.load(path=weights)
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    x = torch.rand(1, 3, 64, 64, requires_grad=True)
    network(x).sum().backward()
    assert x.grad.abs().sum() > 0
    before = network.body[0](network.normalised(x.detach()))
    kept = before.clone()
    network.body[1](before)  # a ReLU
    assert torch.equal(before, kept) and isinstance(network.body, nn.Sequential)


def test_without_weights_the_error_says_what_to_do():
    with pytest.raises(WeightsError, match="no weights of alexnet.*download=True.*T2ILAB"):
        imagenet.load("alexnet")
    with pytest.raises(UsageError, match="did you mean 'squeezenet1_"):
        imagenet.load("squeezenet")
    with pytest.raises(UsageError, match="unknown ImageNet network"):
        imagenet.available("resnet9000")


def test_damaged_or_foreign_weights_are_refused(weights, tmp_path):
    with pytest.raises(WeightsError, match="of another network than this AlexNet"):
        imagenet.load("alexnet", path=weights)
    for name in ("a.safetensors", "a.pth"):
        (tmp_path / name).write_bytes(b"this is not it")
        with pytest.raises(WeightsError, match="damaged, or no file of weights"):
            imagenet.load(path=tmp_path / name)
    with pytest.raises(WeightsError, match="no file .*missing.pth"):
        imagenet.load(path=tmp_path / "missing.pth")


def test_a_failed_download_is_told_in_words(monkeypatch):
    def fails(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fails)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fails)
    with pytest.raises(WeightsError, match="could not be fetched .*no route to host"):
        imagenet.load(download=True)
