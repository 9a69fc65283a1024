"""Trained systems from the command line: `sample` draws, `evaluate` measures."""

import json
import math
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from t2ilab.catalogue import CATALOGUE, recipe
from t2ilab.commands.terminal import example, note, results_apart, write
from t2ilab.errors import UsageError, choose
from t2ilab.paths import user_path

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from t2ilab.recipes.options import Options
    from t2ilab.systems.system import System

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
MOST_MEASURED = 20_000  # pictures that `evaluate` draws: more take hours and say no more

SYSTEM = click.argument("system", metavar="SYSTEM")
WEIGHTS = click.option(
    "--weights",
    metavar="DIR|FILE|NAME",
    help="A training run, a weight file or bundled weights; default bundled.",
)
WORLD = click.option(
    "--world", metavar="WORLD", help="Of PaperWorld; by default that of the weights, or birds."
)
SIZE = click.option(
    "--size",
    type=int,
    metavar="N",
    help="Side of a picture in pixels; by default that of the weights.",
)


@click.command(
    epilog=example(
        't2ilab sample gan_int_cls "a small red bird with blue wings" -n 8 -o birds.png',
        "t2ilab sample winn -n 16 -o birds.png",
    )
)
@SYSTEM
@click.argument("caption", required=False)
@click.option(
    "-n", "n", type=int, metavar="N", default=8, show_default=True, help="How many, 1 to 1024."
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    metavar="N",
    default=0,
    help="Of the noise; default 0.",
)
@WEIGHTS
@WORLD
@SIZE
@click.option(
    "-o",
    "out",
    metavar="FILE.png",
    required=True,
    help="Where the grid of pictures goes; .png, .jpg or .webp.",
)
def sample(system, caption, n, seed, weights, world, size, out) -> None:
    """Draw pictures: of a CAPTION, by a SYSTEM that takes one, or without.

    't2ilab list' shows the systems. An existing picture FILE is replaced, another kind of file is
    not.
    """
    path = _target(user_path(out, "-o"))
    with results_apart():
        drawer = _open(system, weights, world, size)
        if not drawer.draws:
            raise UsageError(f"{system} draws no pictures: it is {CATALOGUE[system].about}.")
        if drawer.takes_captions and caption is None:
            raise UsageError(f"{system} draws a caption: give one, in quotes, after its name.")
        if not drawer.takes_captions and caption is not None:
            raise UsageError(f"{system} reads no captions: leave '{caption:.100}' out.")
        said = {"caption": caption} if drawer.takes_captions else {}
        pictures = drawer.draw(n=n, seed=seed, **said)
    if drawer.takes_captions:
        from t2ilab.data import paperworld

        if unknown := drawer.questions(caption):
            note(f'note: not known, and read as "something": {", ".join(unknown)}')
        if (of := drawer.about.get("world")) in paperworld.WORLDS:
            if not_drawn := paperworld.world(of).left(caption):
                note(f"note: not drawn: {'; '.join(not_drawn)}")
    _write(path, grid(pictures))
    click.echo(str(path))


@click.command(epilog=example("t2ilab evaluate gan_int_cls --weights runs/mine -n 500 --json"))
@SYSTEM
@WEIGHTS
@WORLD
@SIZE
@click.option(
    "-n",
    "n",
    type=click.IntRange(1, MOST_MEASURED),
    metavar="N",
    help="How many captions or pictures; by default as many as after training.",
)
@click.option(
    "-p",
    "needed",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of its training, in place of the one that the weights tell: root=FOLDER.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(system, weights, world, size, n, needed, as_json) -> None:
    """Measure a trained system as it is measured after training, on a world of PaperWorld."""
    from t2ilab.files import plain
    from t2ilab.runs.parameters import assignments

    with results_apart():
        measured = _open(system, weights, world, size)
        about = measured.about
        options = options_of(system, about, world, assignments(needed))
        found = recipe(system).measure(measured, options, n)
        if not found:
            raise UsageError(
                f"of {system} on {options.of} nothing is measured: that takes a reader of a world. "
                "Give --world, if the weights are of one."
            )
    of = {"world": options.world} if getattr(options, "world", None) else {}
    head = {"weights": about["name"], **of, "size": measured.size}
    found = plain({**head, **found}, "result", [])
    if as_json:
        click.echo(json.dumps(found, indent=1, allow_nan=False))
        return
    width = max(map(len, found))
    for key, value in found.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        click.echo(f"{key:<{width}}  {shown}")


def options_of(system: str, about: dict, world: str | None, texts: dict[str, str]) -> "Options":
    """The options to measure weights with: what they say of their training, and what is given now.

    Raises:
        UsageError: neither says of which world or data set they are; an unknown option or value.
    """
    from t2ilab.recipes.options import from_texts, make

    options = recipe(system).Options
    known = {f.name for f in fields(options)} - {"system"}
    given = from_texts(options, texts)
    of = {"world": world or about["world"] or None} if "world" in known else {}
    recorded = {k: v for k, v in about["more"].get("options", {}).items() if k in known}
    if world or "data" in given:  # says it anew
        recorded = {k: v for k, v in recorded.items() if k not in ("world", "data")}
        of = {} if "data" in given else of
    merged = recorded | {k: v for k, v in of.items() if v and "data" not in recorded} | given
    if "world" in known and not {"world", "data"} & merged.keys():
        raise UsageError(
            f"weights '{about['name']}' do not say of which world they are: give --world, as "
            "t2ilab list names them, or the data set, by -p data=NAME -p root=FOLDER. (Some "
            "systems need a world's reader to be measured.)"
        )
    return make(options, system, merged)


def _open(system: str, weights: str | None, world: str | None, size: int | None) -> "System":
    """The trained system that is meant.

    Raises:
        UsageError: an unknown system or world; no such weights ship; weights of another system,
            world or size.
    """
    from t2ilab.data import paperworld

    kind = recipe(system).System
    if world is not None:
        choose("world", world, paperworld.WORLDS)
    drawer = kind.load(weights or _bundled(system, world or "birds", size))
    about, name = drawer.about, drawer.about["name"]
    if about["system"] not in ("", system):
        raise UsageError(
            f"weights '{name}' are of {about['system']}, not of {system}: say {about['system']}, "
            "or give other weights."
        )
    if world is not None and about["world"] not in ("", world):
        raise UsageError(
            f"weights '{name}' are of the world {about['world']}, not of {world}: leave --world "
            "out, or give other weights."
        )
    if size not in (None, drawer.size):
        raise UsageError(
            f"weights '{name}' are for {drawer.size} pixels, not {size}: leave --size out, or give "
            "other weights."
        )
    return drawer


def _bundled(system: str, world: str, size: int | None) -> str:
    """The name of bundled weights; of several sizes 64, or else the largest.

    Of several of one size, as caption encoders have them, the one with the shortest name.
    """
    from t2ilab.systems import weights

    ours = {name: about for name, about in weights.described().items() if about.system == system}
    fitting = {
        name: about.size or 0
        for name, about in ours.items()
        if about.world in ("", world) and size in (None, about.size)
    }
    if fitting:
        return max(fitting, key=lambda x: (fitting[x] == 64, fitting[x], -len(x)))
    of_world = "world" in {f.name for f in fields(recipe(system).Options)}
    wanted = system + (f" on {world}" if of_world else "")
    wanted += f" at {size} pixels" if size else ""
    words = f"t2ilab train {system}" + (f" --world {world}" if of_world else "")
    raise UsageError(
        f"no weights of {wanted} ship; of {system} there are: {', '.join(ours) or '(none)'}. "
        f"Train them ({words} --out DIR) and give --weights DIR."
    )


def _target(path: Path) -> Path:
    """`path`, if a picture may be written there.

    Raises:
        UsageError: an unsupported suffix; a folder, or a file that is no picture, is there.
    """
    from PIL import Image

    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"-o {path}: cannot write '{path.suffix or 'no suffix'}' files; end the "
            f"name in one of {', '.join(FORMATS)}."
        )
    if path.is_dir():
        raise UsageError(f"-o {path}: this is a folder; give the name of a file.")
    if path.exists() and path.stat().st_size:
        try:
            Image.open(path).close()
        except (OSError, Image.DecompressionBombError) as error:
            raise UsageError(
                f"-o {path}: a file that is no picture is there, and was not touched; "
                "give another name."
            ) from error
    return path


def grid(pictures: "np.ndarray") -> "Image":
    """uint8 [n, H, W, 3] -> one picture, up to 16 in a row and about twice as wide as high."""
    from t2ilab import plots

    n = len(pictures)
    return plots.grid(pictures, columns=min(n, 16 if n > 128 else math.ceil(math.sqrt(2 * n))))


def _write(path: Path, picture: "Image") -> None:
    buffer = BytesIO()
    kind = FORMATS[path.suffix.lower()]
    picture.save(buffer, kind, **({} if kind == "PNG" else {"quality": 95}))
    write(path, buffer.getvalue())
