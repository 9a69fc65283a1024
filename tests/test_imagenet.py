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


def test_a_named_file_that_cannot_be_used_is_an_error(monkeypatch, weights, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("squeezenet1_0")
    for named, words in (
        (tmp_path / "missing.pth", "is not there: expected a file .*.safetensors, .*.pth, .*.pt"),
        (tmp_path / "empty", "holds no weights"),
        (tmp_path / "notes.txt", "holds no weights"),
        ("x" * 300, "more than 255 bytes"),
        ("~nobody-here/x.pth", "T2ILAB_IMAGENET ~nobody-here"),
    ):
        monkeypatch.setenv(imagenet.VARIABLE, str(named))
        for use in (imagenet.available, imagenet.load):
            with pytest.raises((WeightsError, UsageError), match=words) as caught:
                use()
            assert imagenet.VARIABLE in str(caught.value)


def test_a_named_file_may_have_any_name_but_that_of_another_network(monkeypatch, weights):
    monkeypatch.setenv(
        imagenet.VARIABLE, str(weights.rename(weights.with_name("mine.safetensors")))
    )
    assert imagenet.available() and imagenet.load().name == "squeezenet1_0"
    assert imagenet.available("alexnet")
    with pytest.raises(
        WeightsError, match="mine.safetensors are of another network than this Alex"
    ):
        imagenet.load("alexnet")


def test_weights_as_training_scripts_write_them(tmp_path, untrained):
    state = untrained.state_dict()
    prefixed = {f"module.{key}": value for key, value in state.items()}
    half = {key: value.half() for key, value in state.items()}
    for held in ({"state_dict": prefixed, "epoch": 3}, {"model": state}, prefixed, half):
        torch.save(held, tmp_path / "a.pth")
        network = imagenet.load(path=tmp_path / "a.pth").network
        for key, value in network.state_dict().items():
            assert torch.allclose(value, state[key], atol=1e-3), key
    save_file(prefixed, tmp_path / "a.safetensors")
    assert imagenet.load(path=tmp_path / "a.safetensors")


@pytest.mark.filterwarnings("ignore:Validating sparse")
def test_values_that_are_no_weights_are_refused(tmp_path, untrained):
    state, key = untrained.state_dict(), "classifier.1.bias"
    path, nan = tmp_path / "a.pth", state[key].clone()
    nan[3] = torch.nan
    for value, words in (
        (nan, "'classifier.1.bias' holds numbers that are not finite"),
        (torch.full((1000,), 1e300, dtype=torch.float64), "too large for 32 bits"),
        (torch.zeros(1000, dtype=torch.int64), "is of type torch.int64; expected torch.float32"),
        (torch.zeros(1000, dtype=torch.complex64), "is of type torch.complex64"),
        (torch.zeros(1).expand(10**12), "of another network than this SqueezeNet"),
        (torch.zeros(1000, device="meta"), "of another network|damaged"),
        (torch.zeros(1000).to_sparse(), "of another network|damaged|sparse"),
        ([0.0] * 1000, "something else than tensors by name"),
    ):
        torch.save(state | {key: value}, path)
        with pytest.raises(WeightsError, match=words) as caught:
            imagenet.load(path=path)
        assert str(path) in str(caught.value)
    torch.save([state], path)
    with pytest.raises(WeightsError, match="something else than tensors by name"):
        imagenet.load(path=path)


def test_batch_norm_of_older_files_has_no_count(tmp_path):
    network = get_model("mobilenet_v2", weights=None)
    state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    torch.save(state, tmp_path / "a.pth")
    assert imagenet.load("mobilenet_v2", path=tmp_path / "a.pth").name == "mobilenet_v2"


def test_any_classifier_of_torchvision_takes_weights_from_a_file(tmp_path, untrained):
    torch.save(untrained.state_dict(), tmp_path / "w.pth")
    again = imagenet.load_classifier("squeezenet1_0", tmp_path / "w.pth")
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(again(x), untrained.eval()(x)) and not again.training
    with pytest.raises(UsageError, match="unknown classifier 'squeezenet1'.*did you mean"):
        imagenet.load_classifier("squeezenet1", tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="there is no file .*none.pth: check the path"):
        imagenet.load_classifier("squeezenet1_0", tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="w.pth are of another network than this ResNet"):
        imagenet.load_classifier("resnet18", tmp_path / "w.pth")


@pytest.mark.parametrize("suffix", imagenet.SUFFIXES)
def test_cut_and_foreign_files_are_refused(tmp_path, untrained, suffix):
    path, state = tmp_path / f"a{suffix}", untrained.state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    whole = path.read_bytes()
    for k in range(10):
        path.write_bytes(whole[: len(whole) * k // 10])
        with pytest.raises(WeightsError, match="damaged, or no file of weights"):
            imagenet.load(path=path)
    for foreign in (
        b"",
        b"PK\x03\x04" + bytes(99),
        b"\xff" * 99,
        b"\x80\x02" + b"(" * 99,
        b"{}" * 9,
    ):
        path.write_bytes(foreign)
        with pytest.raises(WeightsError, match="damaged, or no file of weights"):
            imagenet.load(path=path)


def test_a_flipped_bit_in_a_file_of_torch_is_seen(tmp_path, untrained):
    path = tmp_path / "a.pth"
    torch.save(untrained.state_dict(), path)
    whole = path.read_bytes()
    at = whole.index(untrained.classifier[1].bias.detach().numpy().tobytes())
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(WeightsError, match="damaged, .* has another checksum than it says"):
        imagenet.load(path=path)


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
