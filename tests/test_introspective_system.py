"""A trained introspective system: drawing, saving, training by name, and the command line."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from t2ilab.cli import main
from t2ilab.errors import UsageError, WeightsError
from t2ilab.inputs.synthesis import RETRIES, Sampler, synthesise
from t2ilab.models.introspective import Critic
from t2ilab.recipes import introspective as introspection
from t2ilab.recipes import train as train_module
from t2ilab.recipes.train import train
from t2ilab.systems.introspective import IntrospectiveSystem

ABOUT = {"command": "none", "data": "none", "seconds": 0, "measured": {}}


def system(**changed):
    torch.manual_seed(0)
    critic = Critic(size=8, channels=1, width=4)
    arguments = {"steps": 3, "visits": 4, "rule": "gradient", "lr": 0.5, "last_lr": 0.1}
    with torch.no_grad():
        scores = critic(torch.rand(20, 1, 8, 8)) + 0.05
    return IntrospectiveSystem(critic, Sampler(**arguments | changed), scores)


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="t2ilab")


def test_the_seed_decides_the_pictures_and_they_score_higher_than_noise():
    s = system()
    one, two, other = s.draw(5, seed=1), s.draw(5, seed=1), s.draw(5, seed=2)
    assert one.shape == (5, 8, 8, 3) and one.dtype == np.uint8
    assert np.array_equal(one, two) and not np.array_equal(one, other)
    noise = s.noise(5, torch.Generator().manual_seed(1))
    assert s.critic(s.synthesise(5, seed=1)).mean() > s.critic(noise).mean()


def test_the_number_of_pictures_is_checked():
    for n in (0, 1025):
        with pytest.raises(UsageError, match="1 to 1024"):
            system().draw(n)


def test_pictures_that_are_stuck_begin_again_a_few_times(monkeypatch):
    s = system()
    s.positives += 1e6  # nobody gets there
    begun = []
    noise = s.noise
    monkeypatch.setattr(s, "noise", lambda n, rng: begun.append(n) or noise(n, rng))
    assert s.synthesise(3).shape == (3, 1, 8, 8)
    assert begun == [3] * (1 + RETRIES)


def test_a_saved_system_draws_the_same(tmp_path):
    s = system()
    s.critic.half().float()  # what the file holds
    s.positives.copy_(s.positives.half().float())
    again = IntrospectiveSystem.load(s.save(tmp_path, "winn-tiny-8", **ABOUT))
    assert again.sampler == s.sampler
    assert np.array_equal(again.draw(4), s.draw(4))
    with pytest.raises(WeightsError, match="of kind 'attribute_reader', not 'introspective'"):
        IntrospectiveSystem.load("reader-birds")


@pytest.mark.parametrize("name", ["inng", "winn"])
def test_training_by_name(name, tmp_path):
    trained = train(
        name,
        data="digits",
        profile="smoke",
        steps=4,
        width=4,
        label="digit",
        out=str(tmp_path / "run"),
        show=False,
    )
    assert trained.path.name == f"{name}-digits-16.safetensors"
    loaded = IntrospectiveSystem.load(trained.path)
    assert (loaded.critic.channels, loaded.critic.classes) == (1, 10)
    told = json.loads(trained.path.with_suffix(".json").read_text())
    assert told["steps"] == 4 and told["data"] == "digits/train/16"


SMALL = dict(data="digits", profile="smoke", width=4, show=False)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    out = str(tmp_path_factory.mktemp("earlier"))
    return train("winn", steps=4, out=out, **SMALL)


def test_training_goes_on_from_trained_weights(earlier, tmp_path, monkeypatch):
    begun = IntrospectiveSystem.load(earlier.path)
    seen = {}

    def no_training(trainer, batches, **_):
        seen.update(
            trainer=trainer,
            weights={name: value.clone() for name, value in trainer.critic.state_dict().items()},
        )
        return earlier.fitted

    monkeypatch.setattr(train_module, "fit", no_training)
    again = train("winn", steps=1, start=earlier.path, out=str(tmp_path), **SMALL)
    assert all(
        torch.equal(value, seen["weights"][name])
        for name, value in begun.critic.state_dict().items()
    )
    old, new = introspection.INTROSPECTIVE["winn"], seen["trainer"].recipe
    assert new.lr == old.lr / 2 and new.sampler.lr == new.sampler.last_lr == begun.sampler.last_lr
    with torch.no_grad():  # the pool has pictures of all ages, and the older score higher
        scores = begun.critic(seen["trainer"].pool)
    ages = torch.arange(len(scores)) % begun.sampler.visits
    assert scores[ages == 0].mean() < scores[ages == 5].mean() < scores[ages == 19].mean()
    told = json.loads(again.path.with_suffix(".json").read_text())["more"]["start"]
    assert (told["steps"], told["tensors"]) == (4, begun.about["tensors"])


def test_weights_of_another_shape_are_no_start(earlier):
    for other in ({"width": 8}, {"label": "digit"}, {"size": 32}):
        with pytest.raises(UsageError, match="weights to start from are of a critic with"):
            train("winn", steps=1, start=earlier.path, **SMALL | other)
    with pytest.raises(WeightsError):
        train("winn", steps=1, start="reader-birds", **SMALL)
    with pytest.raises(UsageError, match="start from are of winn, and this run trains inng"):
        train("inng", steps=1, start=earlier.path, **SMALL)


@pytest.mark.parametrize("name", ["inng", "winn"])
def test_a_step_moves_each_pixel_alike_whatever_the_size(name):
    def moved(channels, size):
        """How far one step moves the values of a picture, by a gradient of norm 1."""
        direction = torch.randn(channels, size, size, generator=torch.Generator().manual_seed(0))
        direction /= direction.norm()
        sampler = introspection.INTROSPECTIVE[name].sampler
        sampler = replace(introspection._scaled(sampler, direction.numel()), steps=1)
        start, far = torch.zeros(2, channels, size, size), torch.full((4,), 1e6)
        made = synthesise(lambda x: (x * direction).flatten(1).sum(1), start, far, sampler)
        return made.pictures.square().mean().sqrt().item()

    reference = moved(3, 32)
    assert 0.01 < reference < 0.1  # of the box [-1, 1]: neither nothing nor a jump
    for channels, size in ((1, 8), (1, 16), (1, 32), (3, 16), (3, 64)):
        assert moved(channels, size) == pytest.approx(reference, rel=1e-3), (channels, size)


def test_what_training_refuses():
    with pytest.raises(UsageError, match="unknown system"):
        train("win", world="birds")
    with pytest.raises(UsageError, match="--root"):
        train("winn", data="mnist")
    with pytest.raises(UsageError, match="32 x 32"):
        train("winn", data="mnist", root="x", size=16)
    with pytest.raises(UsageError, match="attribute"):
        train("winn", data="digits", label="colour")


def test_the_command_line_trains_and_draws(tmp_path):
    out, picture = tmp_path / "run", tmp_path / "some.png"
    done = call(
        "train",
        "winn",
        "--data",
        "digits",
        "--profile",
        "smoke",
        "--steps",
        4,
        "--width",
        4,
        "--out",
        out,
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(out / "winn-digits-16.safetensors")
    done = call("sample", "winn", "--weights", out, "-n", 4, "-o", picture)
    assert done.exit_code == 0, done.output
    with Image.open(picture) as drawn:
        assert drawn.size == (3 * 18 - 2, 2 * 18 - 2)
    done = call(
        "train",
        "winn",
        "--data",
        "digits",
        "--profile",
        "smoke",
        "--steps",
        2,
        "--start",
        out,
        "--out",
        tmp_path / "on",
    )
    assert done.exit_code == 0, done.output
    assert call("train", "text_gan", "--start", out).exit_code == 2  # no option of a GAN
    refused = {
        ("sample", "winn", "a bird", "--weights", out, "-o", picture): "reads no captions",
        ("sample", "gan_int_cls", "-o", picture): "draws a caption",
        ("sample", "inng", "--weights", out, "-o", picture): "are of winn, not of inng",
        ("evaluate", "winn", "--weights", out): "on digits nothing is measured",
        ("train", "winn", "--recipe", "paper"): "--recipe",
        ("train", "text_gan", "--data", "digits"): "digits",
        ("train", "winn", "--data", "mnist", "--out", tmp_path / "no"): "--root FOLDER",
    }
    for words, expected in refused.items():
        done = call(*words)
        assert done.exit_code and expected in done.stderr, (words, done.output)


def test_an_evaluation_scores_pictures_from_noise(tmp_path):
    torch.manual_seed(0)
    critic = Critic(size=32, width=4)
    made = IntrospectiveSystem(critic, Sampler(steps=1, visits=1), torch.zeros(4))
    path = made.save(tmp_path, "winn-birds-32", **ABOUT, world="birds")
    done = call("evaluate", "winn", "--weights", path, "-n", 60, "--json")
    found = json.loads(done.stdout)
    assert found["pictures"] == 60 and found["world"] == "birds" and found["fid"] > 100
