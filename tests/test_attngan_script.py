"""The script behind the tables of chapter 21: every measure, of systems that learned nothing."""

import importlib.util

import pytest
import torch

from t2ilab.models.attngan import AttnGenerator
from t2ilab.models.damsm import RegionNetwork
from t2ilab.paths import ROOT
from t2ilab.systems.attngan import AttnSystem
from t2ilab.systems.damsm import DamsmSystem
from t2ilab.systems.encoders import load_encoder

SPEC = importlib.util.spec_from_file_location("attngan_script", ROOT / "scripts" / "attngan.py")
SCRIPT = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(SCRIPT)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("systems")
    torch.manual_seed(0)
    encoder = load_encoder("encoder-birds")
    about = dict(command="none", data="none", seconds=0.0, measured={})
    attngan = AttnSystem(encoder, AttnGenerator(text=256, word=256, width=8))
    damsm = DamsmSystem(encoder, RegionNetwork(width=4, space=256))
    paths = [str(s.save(folder, n, **about)) for s, n in ((attngan, "attngan"), (damsm, "damsm"))]
    return SCRIPT.Measured(4, "birds", *paths, "").all()


def of(table, measure):
    return table[table.measure == measure].pivot_table(index="case", columns="part", values="value")


def test_every_measure_is_there_and_a_share(table):
    kinds = {"right, judge", "right, reader", "R-precision, one off", "R-precision, other pictures"}
    kinds |= {"pointing, peak", "pointing, mass", "deletion", "conflict", "swap"}
    assert set(table.measure) == kinds
    values = table.value.dropna()
    assert values.between(0, 1).all() and (table.n <= 4).all()


def test_the_judge_finds_the_captions_of_real_pictures(table):
    hard = of(table, "R-precision, one off")
    assert hard.loc["real", "judge"] == 1 and hard.loc["AttnGAN", "judge"] < 0.2
    assert of(table, "right, judge").loc["real"].drop("all").eq(1).all()


def test_maps_that_know_nothing_are_rows_of_their_own(table):
    peak = table[table.measure == "pointing, peak"]
    assert {"uniform", "centre", "32 pixels, noun", "64 pixels, either"} <= set(peak.case)
    assert set(peak.part) == set(SCRIPT.PARTS)
