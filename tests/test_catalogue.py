"""The catalogue: its systems are complete, and one more needs its own files and one line only."""

import json
import signal
import sys
import textwrap

import pytest
from click.testing import CliRunner

from t2ilab import catalogue
from t2ilab.catalogue import CATALOGUE, Entry
from t2ilab.cli import main
from t2ilab.recipes.options import Options
from t2ilab.systems.system import System

TOY = '''
"""A mean picture: what a student might add. Model, trainer, recipe and system in one module."""

import os
import signal
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from t2ilab.recipes.options import Options as Common, option
from t2ilab.recipes.train import Built
from t2ilab.systems.system import System as Base, checked_count


class Mean(Base):
    kind, draws = "mean_picture", True

    def __init__(self, side):
        super().__init__()
        self.picture = nn.Parameter(torch.zeros(3, side, side))

    size = property(lambda self: self.picture.shape[-1])

    def arguments(self):
        return {"side": self.size}

    @classmethod
    def build(cls, arguments):
        return cls(**arguments)

    def draw(self, n=8, seed=0):
        picture = (255 * self.picture.detach().clamp(0, 1)).byte().permute(1, 2, 0).numpy()
        return np.repeat(picture[None], checked_count(n), axis=0)


class MeanTrainer:
    def __init__(self, system, lr):
        self.system = system
        self.optimizer = torch.optim.SGD(system.parameters(), lr=lr)

    def setup(self, fabric):
        self.network, self.optimizer = fabric.setup(self.system, self.optimizer)

    def step(self, batch):
        loss = (batch["x"] - self.system.picture).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"squared": loss.detach()}

    def state_dict(self):
        return {"system": self.system.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state):
        self.system.load_state_dict(state["system"])
        self.optimizer.load_state_dict(state["optimizer"])


@dataclass(frozen=True, kw_only=True)
class Options(Common):
    side: int = option(4, "Side of the picture.", kind=int, least=1, most=64)
    grey: float = option(0.5, "How bright the data is.", kind=float, least=0, most=1)


System, HEADLINE = Mean, ("brightness",)


def build(o, prepare):
    torch.manual_seed(o.seed)
    system = Mean(o.side)

    def batches(step):
        if step == int(os.environ.get("TOY_STOPS_AT", -1)):
            os.kill(os.getpid(), signal.SIGINT)
        return {"x": torch.full((3, o.side, o.side), o.grey)}

    return Built(MeanTrainer(system, lr=10.0), batches, lambda: system, name=f"toy-{o.side}",
                 data=f"grey {o.grey}", fingerprint={"grey": str(o.grey)}, steps=30)


def measure(system, o, n=None):
    return {"brightness": float(system.draw(n=n or 2).mean()) / 255}
'''


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="t2ilab")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    (tmp_path / "toys").mkdir()
    (tmp_path / "toys" / "toy_recipe.py").write_text(textwrap.dedent(TOY))
    monkeypatch.syspath_prepend(str(tmp_path / "toys"))
    monkeypatch.setitem(CATALOGUE, "toy", Entry("the mean picture, a toy", "toys.toy_recipe"))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("T2ILAB_RUNS", str(tmp_path / "runs"))
    yield "toy"
    sys.modules.pop("toys.toy_recipe", None)


def test_one_line_makes_a_system_of_the_command_line(toy, tmp_path, monkeypatch):
    out, picture = tmp_path / "run", tmp_path / "toy.png"
    assert "the mean picture, a toy" in call("list").stdout
    assert "the mean picture, a toy" in call("train", "--help").stdout
    help_of = call("train", "toy", "--help").stdout
    assert "--side N" in help_of and "How bright the data is. Default 0.5." in help_of
    assert "give a finite number from 1 to 64" in call("train", "toy", "--side", 100).stderr
    assert "No such option" in call("train", "toy", "--recipe", "x").stderr

    monkeypatch.setenv("TOY_STOPS_AT", "12")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    stopped = call("train", "toy", "--grey", 0.75, "--out", out)
    signal.signal(signal.SIGINT, before)
    assert stopped.exit_code == 130 and stopped.stdout == "", stopped.output
    assert f"to go on: t2ilab train --resume {out}" in stopped.stderr
    assert not list(out.glob("*.safetensors"))

    monkeypatch.delenv("TOY_STOPS_AT")
    assert "--grey 0.75, not 0.5" in call("train", "--resume", out, "--grey", 0.5).stderr
    done = call("train", "--resume", out)
    assert done.stdout == f"{out / 'toy-4.safetensors'}\n" and "30 steps" in done.stderr
    assert "measured: brightness 0.7" in done.stderr
    about = json.loads((out / "toy-4.json").read_text())
    assert (about["kind"], about["system"], about["data"]) == ("mean_picture", "toy", "grey 0.75")
    assert about["command"].startswith("t2ilab train toy --side 4 --grey 0.75")

    assert "reads no captions" in call("sample", "toy", "x", "--weights", out, "-o", picture).stderr
    drawn = call("sample", "toy", "--weights", out, "-n", 3, "-o", picture)
    assert drawn.exit_code == 0 and picture.exists(), drawn.output
    assert "'mean_picture'" in call("sample", "winn", "--weights", out, "-o", picture).stderr
    found = call("evaluate", "toy", "--weights", out, "--json")
    assert json.loads(found.stdout)["brightness"] == pytest.approx(0.75, abs=0.01), found.output


@pytest.mark.parametrize("system", list(CATALOGUE))
def test_every_recipe_is_complete(system):
    entry, recipe = CATALOGUE[system], catalogue.recipe(system)
    assert 8 < len(entry.about) < 80 and entry.about.isprintable()
    assert issubclass(recipe.Options, Options) and issubclass(recipe.System, System)
    assert isinstance(recipe.System.kind, str) and callable(recipe.build)
    assert callable(recipe.measure) and isinstance(recipe.HEADLINE, tuple)
    options = recipe.Options(system=system)
    assert options.plain()["system"] == system and {"steps", "minutes"} <= set(options.free())


def test_an_unknown_system_gets_the_nearest():
    assert "did you mean 'winn'" in call("train", "win").stderr
    assert "did you mean 'gan_cls'" in call("evaluate", "gancls").stderr
