"""A trained system as one thing: drawing, saving, and weights that are refused."""

import numpy as np
import pytest
import torch

from t2ilab.errors import CaptionError, UsageError, WeightsError
from t2ilab.models.reed import Generator
from t2ilab.systems import weights
from t2ilab.systems.encoders import TrainedEncoder, load_encoder
from t2ilab.systems.single import load_reader
from t2ilab.systems.system import MOST
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import GRUEncoder, MeanVectorEncoder
from t2ilab.text.tokens import Vocabulary

CAPTIONS = ["a red bird with blue wings", "a blue bird with red wings"]
ABOUT = {"command": "none", "data": "none", "seconds": 0.0, "measured": {}}


def make(*, width=2, encoder=GRUEncoder):
    torch.manual_seed(0)
    phi = encoder(Vocabulary.of(CAPTIONS), text=8, word=6)
    system = TextToImage(phi, Generator(size=32, text=8, z=4, projected=4, width=width))
    for name, buffer in system.named_buffers():  # as after some training
        if name.endswith("running_var"):
            buffer.fill_(0.01)
    return system


@pytest.fixture
def system():
    return make()


@pytest.fixture
def saved(system, tmp_path):
    return system.save(tmp_path, "tiny", **ABOUT)


# Noise and pictures


def test_the_first_noise_vectors_do_not_depend_on_how_many_are_drawn(system):
    assert torch.equal(system.noise(9, seed=3)[:4], system.noise(4, seed=3))
    assert not torch.equal(system.noise(4, seed=3), system.noise(4, seed=4))
    assert system.noise(2).shape == (2, 4)


def test_one_caption_gives_n_pictures(system):
    pictures = system.draw(CAPTIONS[0], n=5, seed=1)
    assert pictures.shape == (5, 32, 32, 3) and pictures.dtype == np.uint8
    assert np.array_equal(system.draw(CAPTIONS[0], n=5, seed=1), pictures)
    assert len({p.tobytes() for p in pictures}) == 5


def test_fewer_pictures_are_the_first_of_more(system):
    many, few = (system.draw(CAPTIONS[0], n=n).astype(int) for n in (6, 2))
    assert abs(many[:2] - few).max() <= 1  # sums in another order may round otherwise


def test_several_captions_give_a_picture_each(system):
    pictures = system.draw(CAPTIONS, seed=2).astype(int)
    assert len(pictures) == 2
    z, phi = system.noise(2, 2), system.encoder.encode(CAPTIONS)
    expected = system(z, phi).add(1).mul(127.5).round().permute(0, 2, 3, 1).numpy()
    assert abs(pictures - expected).max() <= 1


def test_more_pictures_than_one_part_holds(system):
    z, phi = system.noise(260), system.encoder.encode(CAPTIONS[:1]).expand(260, -1)
    pictures = system(z, phi)
    assert pictures.shape == (260, 3, 32, 32)
    assert torch.allclose(pictures[255:258], system(z[255:258], phi[255:258]), atol=1e-5)


def test_it_draws_in_eval_mode(system):
    assert not system.training and not system.generator.training
    before = {k: v.clone() for k, v in system.state_dict().items()}
    system.draw(CAPTIONS[0], n=3)
    assert all(torch.equal(v, before[k]) for k, v in system.state_dict().items())


@pytest.mark.parametrize("n", [0, -1, MOST + 1])
def test_n_out_of_range(system, n):
    with pytest.raises(UsageError, match=f"n = {n}: ask for 1 to 1024 pictures"):
        system.draw(CAPTIONS[0], n=n)


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_captions_too_few_or_too_many(system, count):
    with pytest.raises(UsageError, match=f"n = {count}: ask for 1 to 1024 pictures"):
        system.draw(CAPTIONS[:1] * count)


@pytest.mark.parametrize("caption", ["", "xyzzy", "bird " * 61, ["a bird", ""]])
def test_captions_that_cannot_be_drawn(system, caption):
    with pytest.raises(CaptionError):
        system.draw(caption)


def test_unknown_words_are_told(system):
    assert system.unknown("a mauve bird") == ["mauve"]


# Saved and loaded


@pytest.mark.parametrize("encoder", [GRUEncoder, MeanVectorEncoder])
def test_saved_and_loaded_it_draws_the_same(tmp_path, encoder):
    system = make(encoder=encoder)
    path = system.save(tmp_path, "tiny", **ABOUT | {"measured": {"fid": 1.5}})
    again = TextToImage.load(path)
    for name, tensor in system.state_dict().items():  # half floats in the file
        kept = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(again.state_dict()[name], kept), name
    difference = system.draw(CAPTIONS[0], n=4).astype(int) - again.draw(CAPTIONS[0], n=4)
    assert abs(difference).mean() < 2
    assert again.encoder.vocabulary.words == system.encoder.vocabulary.words
    assert again.about["measured"] == {"fid": 1.5} and not again.training


def test_the_folder_of_a_run_will_do(system, saved):
    assert torch.equal(
        TextToImage.load(saved.parent).generator.unfold[0].weight,
        TextToImage.load(saved).generator.unfold[0].weight,
    )


def test_a_folder_without_weights_or_with_two_is_refused(system, saved):
    system.save(saved.parent, "second", **ABOUT)
    with pytest.raises(WeightsError, match="should hold one .* file.*holds: second.*, tiny"):
        TextToImage.load(saved.parent)
    for path in saved.parent.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(WeightsError, match="folder of a finished training does; it holds: none"):
        TextToImage.load(saved.parent)


def test_a_file_that_was_cut_short_is_refused(saved):
    saved.write_bytes(saved.read_bytes()[:-40])
    with pytest.raises(WeightsError, match="cut short"):
        TextToImage.load(saved)


def test_a_file_that_was_altered_is_refused(saved):
    data = bytearray(saved.read_bytes())
    data[-7] ^= 1
    saved.write_bytes(data)
    with pytest.raises(WeightsError, match="was altered"):
        TextToImage.load(saved)


def test_weights_of_another_generator_are_refused_and_named(saved):
    loaded = weights.load(saved)
    about = {k: v for k, v in loaded.about.items() if k not in ("tensors", "versions")}
    about["arguments"]["generator"]["width"] = 4
    path = weights.save(saved.parent, loaded.tensors, about, name="other")
    with pytest.raises(WeightsError, match="another architecture.*generator.unfold.0.weight"):
        TextToImage.load(path)
    about["arguments"]["generator"]["width"] = 10**9  # nothing of that size is ever made
    path = weights.save(saved.parent, loaded.tensors, about, name="huge")
    with pytest.raises(WeightsError, match="another architecture|no text_to_image can be made"):
        TextToImage.load(path)
    about["arguments"]["generator"]["widht"] = 4
    path = weights.save(saved.parent, loaded.tensors, about, name="odd")
    with pytest.raises(WeightsError, match="no text_to_image can be made of .*widht"):
        TextToImage.load(path)


def test_weights_of_another_kind_are_refused_each_way(system, saved, tmp_path):
    alone = TrainedEncoder(system.encoder).save(tmp_path / "encoder", "encoder-tiny", **ABOUT)
    with pytest.raises(WeightsError, match="of kind 'caption_encoder', not 'text_to_image'"):
        TextToImage.load(alone)
    with pytest.raises(WeightsError, match="of kind 'text_to_image', not 'caption_encoder'"):
        load_encoder(saved)


def test_an_encoder_goes_round(system, tmp_path):
    path = TrainedEncoder(system.encoder).save(tmp_path, "encoder-tiny", **ABOUT)
    again = load_encoder(path)
    assert not again.training
    assert torch.allclose(again.encode(CAPTIONS), system.encoder.encode(CAPTIONS), atol=0.02)


def test_an_unknown_name_gets_the_list():
    with pytest.raises(UsageError, match="did you mean 'encoder-birds'"):
        load_encoder("encoder-bird")
    with pytest.raises(UsageError, match="unknown weights 'reader-fish'.*reader-birds"):
        load_reader("fish")
