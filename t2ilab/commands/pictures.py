"""Trained systems from the command line: `sample` draws, `evaluate` measures."""

import json
import math
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from t2ilab.commands.terminal import example, note, results_apart
from t2ilab.errors import T2ILabError, UsageError, WeightsError, choose

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from t2ilab.systems.introspective import IntrospectiveSystem
    from t2ilab.systems.text_to_image import TextToImage

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
GAP = 2  # white pixels between pictures

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
    "-n",
    "n",
    type=int,
    metavar="N",
    default=8,
    show_default=True,
    help="How many pictures, 1 to 1024.",
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
    """Draw pictures: of a caption, or without one.

    SYSTEM is gan, gan_cls, gan_int or gan_int_cls, which take a CAPTION, or inng or winn, which
    take none. An existing picture FILE is replaced, another kind of file is not.
    """
    path = _target(Path(out).expanduser())
    with results_apart():
        drawer = _open(system, weights, world, size)[0]
        captioned = hasattr(drawer, "encoder")
        if captioned and caption is None:
            raise UsageError(f"{system} draws a caption: give one, in quotes, after its name.")
        if not captioned and caption is not None:
            raise UsageError(f"{system} reads no captions: leave '{caption}' out.")
        pictures = drawer.draw(*([caption] if captioned else []), n, seed)
    unknown = drawer.unknown(caption) if captioned else []
    if unknown:
        listed = ", ".join(f"'{word}'" for word in unknown)
        note(f'note: not known, and read as "something": {listed}')
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
    type=int,
    metavar="N",
    default=1000,
    show_default=True,
    help="Captions of the test split, half of them of unseen classes; of inng and winn "
    "pictures from noise.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(system, weights, world, size, n, as_json) -> None:
    """Measure a trained system on a world of PaperWorld.

    Caption consistency and diversity, where it takes captions, and FID, KID and Inception score
    with the world's reader.
    """
    from t2ilab.data import paperworld
    from t2ilab.files import plain
    from t2ilab.metrics import evaluate as metrics
    from t2ilab.recipes.introspective import measure
    from t2ilab.systems.text_to_image import load_reader

    with results_apart():
        drawer, name = _open(system, weights, world, size)
        world = world or next((w for w in paperworld.WORLDS if w in name.split("-")), None)
        if world is None:
            raise UsageError(
                f"weights '{name}' do not say of which world they are: give --world, "
                f"one of {', '.join(paperworld.WORLDS)}. (Public data sets have no "
                "reader to measure with.)"
            )
        if hasattr(drawer, "encoder"):
            found = metrics.evaluate(drawer, paperworld.world(world), load_reader(world), n=n)
        else:
            found = measure(drawer, world, n=n)
    found = plain({"weights": name, "world": world, "size": drawer.size, **found}, "result", [])
    if as_json:
        click.echo(json.dumps(found, indent=1, allow_nan=False))
        return
    width = max(map(len, found))
    for key, value in found.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        click.echo(f"{key:<{width}}  {shown}")


def _open(
    system: str, weights: str | None, world: str | None, size: int | None
) -> tuple["TextToImage | IntrospectiveSystem", str]:
    """The trained system that is meant, and the name of its weights.

    Raises:
        UsageError: an unknown system or world; no such weights ship; weights of another system.
    """
    from t2ilab.data import paperworld
    from t2ilab.recipes import INTROSPECTIVE, SYSTEMS
    from t2ilab.systems.introspective import IntrospectiveSystem
    from t2ilab.systems.text_to_image import TextToImage

    draws = {
        **dict.fromkeys(SYSTEMS, TextToImage),
        **dict.fromkeys(INTROSPECTIVE, IntrospectiveSystem),
    }
    choose("system", system, draws)
    if world is not None:
        choose("world", world, paperworld.WORLDS)
    found = weights or _bundled(system, world or "birds", size)
    name = _name(found)
    of = name.split("-")[0]
    if of in draws and of != system:
        raise UsageError(
            f"weights '{name}' are of {of}, not of {system}: say {of}, or give other weights."
        )
    drawer = draws[system].load(found)
    if size not in (None, drawer.size):
        raise UsageError(
            f"weights '{name}' draw {drawer.size} pixels, not {size}: leave --size "
            "out, or give other weights."
        )
    return drawer, name


def _bundled(system: str, world: str, size: int | None) -> str:
    """The name of bundled weights; of several sizes 64, or else the largest."""
    from t2ilab.systems import weights

    sizes = {
        name: int(name.rsplit("-", 1)[1])
        for name in weights.bundled()
        if name.startswith(f"{system}-{world}-") and name.rsplit("-", 1)[1].isdigit()
    }
    fitting = [name for name, found in sizes.items() if size in (None, found)]
    if fitting:
        return max(fitting, key=lambda name: (sizes[name] == 64, sizes[name]))
    wanted = f"{system} on {world}" + (f" at {size} pixels" if size else "")
    listed = ", ".join(name for name in weights.bundled() if name.count("-") == 2) or "(none)"
    raise WeightsError(
        f"no weights of {wanted} ship; bundled are: {listed}. Train them (t2ilab train {system} "
        f"--world {world} --out DIR) and give --weights DIR."
    )


def _name(weights: str) -> str:
    """The name of weights given by name, by file, or by the folder that holds one file."""
    path = Path(weights).expanduser()
    inside = sorted(path.glob("*.safetensors")) if path.is_dir() else []
    found = inside[0] if inside else path
    return found.name.removesuffix(".safetensors")


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
    from PIL import Image

    n, height, width, _ = pictures.shape
    columns = min(n, 16 if n > 128 else math.ceil(math.sqrt(2 * n)))
    rows = -(-n // columns)
    size = columns * (width + GAP) - GAP, rows * (height + GAP) - GAP
    sheet = Image.new("RGB", size, "white")
    for k, picture in enumerate(pictures):
        place = k % columns * (width + GAP), k // columns * (height + GAP)
        sheet.paste(Image.fromarray(picture), place)
    return sheet


def _write(path: Path, picture: "Image") -> None:
    from t2ilab.files import write_atomically

    buffer = BytesIO()
    kind = FORMATS[path.suffix.lower()]
    picture.save(buffer, kind, **({} if kind == "PNG" else {"quality": 95}))
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise T2ILabError(
            f"could not write {path}: {error.strerror or error}. Make room there, "
            "or give another name."
        ) from error
