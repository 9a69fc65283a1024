"""`t2ilab train`: from options to a trained system in a folder, and on from where it stopped."""

import contextlib
import math
import os
import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from t2ilab.commands.record import NAME, recording, take_up
from t2ilab.commands.terminal import Signals, example, note, rank, results_apart, say_error
from t2ilab.errors import T2ILabError, UsageError, choose

if TYPE_CHECKING:
    from t2ilab.recipes import Trained

DEFAULTS = {"profile": "laptop", "recipe": "stable", "seed": 0, "device": "auto"}
_ALL = ("profile", "steps", "seed", "device")
_DATA = ("world", "data", "root")
PATHS = ("root", "encoder", "generator", "start")
GAN_OPTIONS = (*_DATA, "size", *_ALL, "recipe", "minutes", "width", "batch_size", "encoder")
_CRITIC = (*_DATA, "size", *_ALL, "minutes", "width", "batch_size", "label", "start")
TAKES = {
    "encoder": (*_DATA, "size", *_ALL, "kind", "objective"),
    "reader": ("world", *_ALL),
    "style": (*_DATA, *_ALL, "generator"),
    "inng": _CRITIC,
    "winn": _CRITIC,
}  # others: GAN_OPTIONS


@click.command(
    epilog=example(
        "t2ilab train gan_int_cls --world birds --minutes 5 --out runs/mine",
        "t2ilab train gan_cls --data flickr8k --root datasets/flickr8k --size 64",
        "t2ilab train style --world birds",
        "t2ilab train winn --data digits",
        "t2ilab train --resume runs/mine",
        "torchrun --nproc-per-node 2 -m t2ilab train gan_int_cls --out runs/two",
    )
)
@click.argument("system", metavar="[SYSTEM]", required=False)
@click.option("--world", metavar="WORLD", help="birds, flowers, phrases or scenes; default birds.")
@click.option(
    "--data",
    metavar="NAME",
    help="A public data set: flickr8k, coco, cub, "
    "oxford_flowers; of inng and winn also digits (no --root) and mnist.",
)
@click.option("--root", metavar="DIR", help="Where the files of the data set are.")
@click.option(
    "--size", type=click.IntRange(min=1), metavar="N", help="Side of the pictures: 32, 64 or 128."
)
@click.option(
    "--profile", metavar="PROFILE", help="smoke, laptop or gpu: sizes and budgets; default laptop."
)
@click.option(
    "--recipe", metavar="RECIPE", help="stable, patient, varied or paper; default stable."
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Budget; in all, with what came before a resume.",
)
@click.option(
    "--steps", type=click.IntRange(min=1), metavar="N", help="Budget; whichever ends first."
)
@click.option(
    "--width", type=click.IntRange(min=1), metavar="N", help="Channels of the networks (ngf = ndf)."
)
@click.option("--batch-size", type=click.IntRange(min=2), metavar="N", help="Pictures a step.")
@click.option("--kind", metavar="KIND", help="Of encoder: gru, lstm, char or mean; default gru.")
@click.option(
    "--objective",
    metavar="NAME",
    help="Of encoder: cross_entropy or sje (structured joint embedding); default cross_entropy.",
)
@click.option(
    "--label",
    metavar="NAME",
    help="Of inng and winn: an attribute, or class, to learn to tell apart as well.",
)
@click.option("--encoder", metavar="DIR|FILE|NAME", help="A trained caption encoder to use.")
@click.option(
    "--generator",
    metavar="DIR|FILE|NAME",
    help="Of style: the trained system to turn round; default the world's own that ships.",
)
@click.option(
    "--start",
    metavar="DIR|FILE|NAME",
    help="Of inng and winn: trained weights to begin with; the steps are then smaller.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), metavar="N", help="Default 0.")
@click.option("--device", metavar="DEVICE", help="auto, cpu, cuda or mps; default auto.")
@click.option("--out", metavar="DIR", help="Folder of the run; default a new one below runs/.")
@click.option("--resume", metavar="DIR", help="Go on with the run in DIR, with its options.")
@click.pass_context
def train(
    ctx: click.Context, system: str | None, out: str | None, resume: str | None, **given
) -> None:
    """Train a system.

    SYSTEM is gan, gan_cls, gan_int, gan_int_cls, encoder (of captions), reader (of attributes),
    style (which finds the noise of a picture), inng or winn (introspective networks).
    Prints the weight file. Ctrl-C saves first; --resume goes on.
    """
    options = _options(system, out, resume, given)
    folder = Path(resume or out or _new_folder(options)).expanduser()
    _check_processes(options, folder)
    with Signals() as signals, results_apart(), _folder_of_rank(folder) as mine:
        try:
            trained = _train(options, mine, resume is not None)
        except T2ILabError as error:
            if not signals.status():
                raise
            say_error(error)  # stopped before there was a checkpoint, or on a disk that is full
            note(f"to go on: {command(options, whole=True)} --resume {shlex.quote(str(folder))}")
            ctx.exit(signals.status())
        _summary(trained)
        status = signals.status() or 128 + signal.SIGTERM  # it may have come to another process
    if trained.fitted.stopped == "signal":
        note(f"to go on: {shlex.join(['t2ilab', 'train', '--resume', str(folder)])}")
        ctx.exit(status)
    if rank() == 0:
        click.echo(str(trained.path))


def _options(system: str | None, out: str | None, resume: str | None, given: dict) -> dict:
    """All options of the run: given, read back from the run's folder, or by default; checked."""
    given = {name: value for name, value in given.items() if value is not None}
    given |= {} if system is None else {"system": system}
    given |= {
        name: str(Path(given[name]).expanduser().resolve())
        for name in PATHS
        if name in given and Path(given[name]).expanduser().exists()
    }
    if resume is not None:
        if out is not None and Path(out) != Path(resume):
            raise UsageError(f"--resume {resume} goes on in that folder: leave out --out {out}.")
        given = take_up(Path(resume).expanduser(), given)
    if "system" not in given:
        raise UsageError(
            f"say which system to train: {', '.join(_systems())}."
            + (f" ({resume} has no {NAME} that tells.)" if resume else "")
        )
    system = choose("system", given["system"], _systems())
    takes = ("system", *TAKES.get(system, GAN_OPTIONS))
    for name in given:
        if name not in takes:
            option = name.replace("_", "-")
            raise UsageError(
                f"--{option} is no option of 'train {system}', which takes "
                f"{', '.join('--' + one.replace('_', '-') for one in takes[1:])}."
            )
    if "data" not in given:
        given.setdefault("world", "birds")
    options = {name: value for name, value in DEFAULTS.items() if name in takes} | given
    _check(options)
    return options


def _systems() -> list[str]:
    from t2ilab.trainers.text_gan import SYSTEMS

    return [*SYSTEMS, *TAKES]


def _check(options: dict) -> None:
    """Every name, before any data is loaded or drawn; the rest is checked where it is used."""
    from t2ilab.data import paperworld, public
    from t2ilab.fit.machine import pick_device
    from t2ilab.losses.matching import OBJECTIVES
    from t2ilab.recipes import INTROSPECTIVE, PROFILES, RECIPES
    from t2ilab.text.encoders import ENCODERS

    digits = ["digits", "mnist"] if options["system"] in INTROSPECTIVE else []
    choices = {
        "profile": PROFILES,
        "recipe": RECIPES,
        "world": paperworld.WORLDS,
        "data": [*public.DATASETS, *digits],
        "kind": ENCODERS,
        "objective": OBJECTIVES,
    }
    called = {"data": "data set", "kind": "caption encoder"}
    for name, known in choices.items():
        if name in options:
            choose(called.get(name, name), options[name], known)
    if "world" in options and ("data" in options or "root" in options):
        raise UsageError("give either --world or --data with --root, not both.")
    if not math.isfinite(options.get("minutes", 0)):
        raise UsageError(f"--minutes {options['minutes']}: give a finite number.")
    pick_device(options["device"])


def _check_processes(options: dict, folder: Path) -> None:
    """Several processes train a GAN; what learns in minutes, encoder and reader, takes one.

    Raises:
        UsageError: another system, or a GAN whose caption encoder is not there yet.
    """
    from t2ilab.systems import weights

    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return
    system, of = options["system"], options.get("world") or options.get("data")
    if system in TAKES:
        raise UsageError(f"'train {system}' takes one process: start it without a launcher.")
    there = f"encoder-{options.get('world')}" in weights.bundled()
    if not (there or "encoder" in options or list((folder / "encoder").glob("*.safetensors"))):
        source = "--world" if "world" in options else "--root DIR --data"
        raise UsageError(
            f"several processes need a caption encoder that is trained: first run "
            f"t2ilab train encoder {source} {of} --out E in one process, then add "
            "--encoder E."
        )


def _new_folder(options: dict) -> Path:
    from t2ilab.files import new_folder, runs_dir

    name = f"{options['system']}-{options.get('world') or options['data']}"
    stamp = time.strftime("%Y%m%d-%H%M%S")
    if rank() != 0:  # a folder of its own is used instead
        return runs_dir() / "train" / f"{name}-{stamp}"
    return new_folder(runs_dir() / "train", f"{name}-{stamp}")


@contextlib.contextmanager
def _folder_of_rank(folder: Path) -> Iterator[Path]:
    """The folder itself for the first process; for the others a scratch one, soon forgotten."""
    if rank() == 0:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="t2ilab-") as scratch:
        if (folder / "encoder").is_dir():  # all processes must find the same
            shutil.copytree(folder / "encoder", Path(scratch) / "encoder")
        yield Path(scratch)


def _train(options: dict, out: Path, resume: bool) -> "Trained":
    """Train with these options and leave a record of them in `out`."""
    with recording(out, options, resume=resume) as write_record:
        trained = _call(options, {"out": str(out), "resume": resume, "command": command(options)})
        write_record()
    return trained


def _call(options: dict, common: dict) -> "Trained":
    from t2ilab import recipes as training
    from t2ilab.systems.text_to_image import load_encoder

    o = dict(options)
    system, encoder = o.pop("system"), o.pop("encoder", None)
    if system == "reader":
        return training.train_reader(o.pop("world"), **o, **common)
    if system == "style":
        return training.train_style(**o, **common)
    if system in training.INTROSPECTIVE:
        return training.train_introspective(system, **o, **common)
    if system != "encoder":
        encoder = load_encoder(encoder) if encoder else None
        return training.train_text_gan(system, encoder=encoder, **o, **common)
    plan = training.PROFILES[o["profile"]]
    source = {name: o.pop(name, None) for name in _DATA}
    data = training.load_data(**source, size=o.pop("size", None) or plan.size, n=plan.pictures)
    return training.train_encoder(data, world=source["world"], **o, **common)


def command(options: dict[str, Any], *, whole: bool = False) -> str:
    """The command line that asks for these options; of paths, unless `whole`, the last part."""
    words = ["t2ilab", "train", options["system"]]
    for name, value in options.items():
        if name != "system":
            value = Path(value).name if name in PATHS and not whole else value
            words += [f"--{name}", str(value)]
    return shlex.join(words)


def _summary(trained: "Trained") -> None:
    """How it went and what was measured, on stderr."""
    from t2ilab.commands.listing import headline

    fitted = trained.fitted
    losses = fitted.history.iloc[-1].drop(["step", "seconds"]) if len(fitted.history) else {}
    words = ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
    note(
        f"{fitted.steps} steps in {fitted.seconds:.0f} s ({fitted.device}, {fitted.precision}; "
        f"{fitted.wait_share:.0%} waiting for data){': ' if words else ''}{words}"
    )
    if trained.path is not None and (measured := headline(trained.path)):
        note(f"measured: {measured}")
