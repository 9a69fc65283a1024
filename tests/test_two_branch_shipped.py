"""Networks of two branches that ship do what their files say, measured again on fewer pictures.

A share that was found on N pictures is, on n others, beta-binomial (see test_shipped.py); intervals
hold 99.99 %.
"""

import pytest
from test_shipped import holds

from t2ilab import catalogue
from t2ilab.commands.pictures import options_of
from t2ilab.recipes.two_branch import found, load, world_of
from t2ilab.systems import weights
from t2ilab.systems.two_branch import KINDS, load_two_branch

NAMES = [name for name in weights.bundled() if name.split("-")[0] in KINDS]


def test_the_three_of_birds_ship():
    assert {f"{kind}-birds-32" for kind in KINDS} <= {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_right_captions_and_pictures_are_found_as_they_are_said_to_be(name):
    system = load_two_branch(name)
    about = weights.load(name).about
    options = options_of(about["system"], about | {"name": name}, None, {})
    assert catalogue.recipe(about["system"]).System is type(system)
    stated, test = about["measured"], load(options, "val", 400)
    few = found(system, test, world_of(options))  # of classes that were seen, all of them
    for way in ("caption", "picture"):
        # Among fewer candidates fewer are wrong, and the nearest of them is farther.
        key = f"facts_{way}_1"
        assert few[key] >= stated[f"{key}_seen"] - 0.05, (key, few[key])
        assert stated[f"{key}_unseen"] <= stated[f"{key}_seen"] + 0.05
        assert stated[f"naive_{way}_1"] <= stated[f"ceiling_{way}_1"] + 0.03
    if "swapped_seen" in few:
        n = few["pictures"]
        assert holds(stated["swapped_seen"], stated["pictures"], few["swapped_seen"], n)


@pytest.mark.parametrize("kind", ["embedding", "similarity"])
def test_those_that_learned_to_read_bind_colours_to_parts(kind):
    measured = weights.load(f"{kind}-birds-32").about["measured"]
    assert measured["swapped_unseen"] >= 0.95
    least = {"embedding": 0.95, "similarity": 0.8}[kind]
    assert min(measured[f"facts_{way}_1_seen"] for way in ("caption", "picture")) >= least


def test_a_phrase_finds_its_figure_in_a_crowd():
    measured = weights.load("embedding-crowds-32").about["measured"]
    assert measured["localised"] >= 0.9 > 0.2 > max(measured["largest"], measured["chance"])
