"""Explorer: every factor of a picture a control; the network's picture beside the true one.

The true one is PaperWorld's own drawing of the same facts. What neither is told, such as clouds and
leaves, it draws by chance, and another number of the chance gives others.
"""

from typing import Any
from zlib import crc32

import ipywidgets as widgets
from PIL import Image

from t2ilab.data import paperworld
from t2ilab.errors import UsageError
from t2ilab.explore.explorer import Explorer, State
from t2ilab.explore.sheet import tile, titled
from t2ilab.plots import PAPER
from t2ilab.systems.factors import FactorSystem

PANEL = 288  # pixels a side on the screen


class FactorExplorer(Explorer):
    """A drop-down for each choice, a slider for each number, and one for the chance.

    Args:
        system: of a world of PaperWorld, told all its factors.
        lab: see `Explorer`.

    Raises:
        UsageError: the system learned from no world, or something of it was not told.
    """

    def __init__(self, system: FactorSystem, lab: Any = None):
        world = _world(system)
        first = agreeing(system, world)
        controls: dict[str, widgets.ValueWidget] = {}
        for name, factor in system.factors.all.items():
            label = "place: " + name if factor.kind == "number" else name
            if factor.kind == "choice":
                controls[name] = widgets.Dropdown(
                    options=factor.values, value=first[name], description=label
                )
            else:
                controls[name] = widgets.FloatSlider(
                    value=0, min=-1, max=1, step=0.05, description=label
                )
        controls["chance"] = widgets.IntSlider(value=0, min=0, max=99)

        def other(state: State) -> State:
            return agreeing(system, world, crc32(repr(state).encode()))

        super().__init__(
            lambda chance, **facts: _beside(system, world, facts, chance),
            controls,
            buttons={"Another": other},
            title="a picture from its factors",
            lab=lab,
        )


def agreeing(system: FactorSystem, world: paperworld.World, seed: int = 0) -> State:
    """Facts at random that the world can draw: a dog has fur and no shirt."""
    facts = world.facts("reader", seed % 20_000)
    place = world.place("reader", seed % 20_000)
    return {name: (facts | place)[name] for name in system.factors.all}


def agreeing_values(
    system: FactorSystem, world: paperworld.World, facts: State, name: str
) -> list[str]:
    """The other values of a choice that the world can draw with the rest of these facts.

    They begin with the next one after the present value. Empty: no other goes with them.
    """
    values = system.factors.all[name].values
    at = values.index(facts[name]) + 1
    said = {a: facts[a] for a in world.attributes}
    return [v for v in values[at:] + values[: at - 1] if world.agree(said | {name: v})]


def pair(
    system: FactorSystem, world: paperworld.World, facts: dict[str, Any], chance: int = 0
) -> Image.Image:
    """What the network draws, and what PaperWorld draws, side by side.

    Raises:
        UsageError: facts that are unknown, or do not go together.
    """
    place = {name: facts[name] for name in world.moving}
    said = {name: facts[name] for name in world.attributes}
    true = world.draw(said, system.size, seed=chance, place=place)
    return titled(
        {"the network": tile(system.picture(facts), PANEL), "the truth": tile(true, PANEL)}, 14
    )


def _beside(
    system: FactorSystem, world: paperworld.World, facts: dict[str, Any], chance: int
) -> Image.Image:
    """As `pair`; where the world knows no such thing, the network's picture beside an empty one:
    a move of one control may lead there (a dog with a shirt), and the network draws that too."""
    if world.agree({name: facts[name] for name in world.attributes}):
        return pair(system, world, facts, chance)
    alone = tile(system.picture(facts), PANEL)
    empty = Image.new("RGB", alone.size, PAPER)
    return titled({"the network": alone, "the truth: there is no such thing": empty}, 14)


def _world(system: FactorSystem) -> paperworld.World:
    name = system.about.get("world", "")
    if name not in paperworld.WORLDS:
        raise UsageError("the explorer compares with PaperWorld: give a system that learned one.")
    world = paperworld.world(name)
    if missing := sorted({*world.attributes, *world.moving} - {*system.factors.all}):
        raise UsageError(f"the system is not told {', '.join(missing)}: give one that is.")
    return world
