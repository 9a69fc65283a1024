"""`t2ilab train`: from options to a trained system in a folder, and on from where it stopped.

The options of a system are the fields of its `Options`; this command knows no system by name.
"""

import os
import shlex
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from t2ilab.catalogue import CATALOGUE, recipe
from t2ilab.commands.terminal import example, note, rank, results_apart, say_error
from t2ilab.errors import DataError, UsageError, choose
from t2ilab.paths import user_path

if TYPE_CHECKING:
    from t2ilab.recipes.options import Options
    from t2ilab.recipes.train import Trained

OUT = click.Option(
    ["--out"], metavar="DIR", help="Folder of the run; default a new one below runs/."
)
RESUME = click.Option(
    ["--resume"], metavar="DIR", help="Go on with the run in DIR, with its options."
)
EXAMPLES = (
    "t2ilab train gan_int_cls --world birds --minutes 5 --out runs/mine",
    "t2ilab train gan_cls --data flickr8k --root datasets/flickr8k --size 64",
    "t2ilab train style --world birds",
    "t2ilab train winn --data digits",
    "t2ilab train --resume runs/mine",
    "torchrun --nproc-per-node 2 -m t2ilab train gan_int_cls --out runs/two",
)


class Systems(click.Group):
    """A command for each system of the catalogue, made when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(CATALOGUE)

    def get_command(self, ctx: click.Context, name: str) -> click.Command:
        fields = _fields(name)
        return click.Command(
            name,
            params=[*map(_click_option, fields), OUT, RESUME],
            callback=lambda **given: _train(name, given),
            help=f"{CATALOGUE[name].about[0].upper()}{CATALOGUE[name].about[1:]}.",
            epilog=example(f"t2ilab train {name} --profile smoke --out runs/mine"),
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A resume need not name the system: its record does."""
        if "--resume" in args and args[0].startswith("-"):
            args = [_recorded_system(args), *args]
        if args and not args[0].startswith("-"):
            choose("system", args[0], CATALOGUE)
        elif not args:
            raise UsageError(f"say which system to train: {', '.join(CATALOGUE)}.")
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Systems"):
            formatter.write_dl([(name, entry.about) for name, entry in CATALOGUE.items()])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["SYSTEM [OPTIONS]"]


@click.command(cls=Systems, epilog=example(*EXAMPLES))
def train() -> None:
    """Train a system.

    Its options: t2ilab train SYSTEM --help. Most take --world birds, flowers, phrases or scenes, or
    --data and --root for a data set; --profile smoke, laptop or gpu; --minutes or --steps; --seed;
    --device; --out. Prints the weight file. Ctrl-C saves first; --resume DIR goes on.
    """


def _fields(system: str) -> list:
    from t2ilab.recipes.options import shown

    return shown(recipe(system).Options)


def _click_option(field: Any) -> click.Option:
    from t2ilab.recipes.options import flag

    about = field.metadata
    kind = {str: click.STRING, int: click.INT, float: click.FLOAT}[about["kind"]]
    words = about["help"] + (f" Default {field.default}." if field.default is not None else "")
    metavar = "PATH" if about["path"] else {str: "NAME", int: "N", float: "N"}[about["kind"]]
    return click.Option([flag(field.name), field.name], type=kind, metavar=metavar, help=words)


def _recorded_system(args: list[str]) -> str:
    from t2ilab.fit.record import NAME, read

    at = args.index("--resume") + 1
    folder = args[at] if at < len(args) else ""
    system = read(user_path(folder, "--resume")).get("system")
    if system is None:
        raise UsageError(
            f"say which system to train: {', '.join(CATALOGUE)}. ({folder} has no {NAME} that "
            "tells.)"
        )
    return choose("system", system, CATALOGUE)


def _train(system: str, given: dict[str, Any]) -> None:
    from t2ilab.fit import Stopped
    from t2ilab.recipes.train import run

    ctx, out, resume = click.get_current_context(), given.pop("out"), given.pop("resume")
    given = {name: value for name, value in given.items() if value is not None}
    options = _options(system, out, resume, given)
    folder = user_path(resume or out, "--out") if resume or out else _new_folder(options)
    with results_apart():
        try:
            trained = run(
                recipe(system),
                options,
                out=folder,
                resume=resume is not None,
                command=command(options),
            )
        except Stopped as stopped:
            say_error(stopped)
            note(f"to go on: {command(options, whole=True)} --resume {shlex.quote(str(folder))}")
            ctx.exit(_status(stopped.signal))
        _summary(trained)
    if trained.fitted.stopped == "signal":
        note(f"to go on: {shlex.join(['t2ilab', 'train', '--resume', str(folder)])}")
        ctx.exit(_status(trained.fitted.signal))
    if rank() == 0:
        click.echo(str(trained.path))


def _status(name: str | None) -> int:
    """The exit status of a process that a signal ended, as shells have it."""
    return 128 + (signal.Signals[name] if name else signal.SIGTERM)


def _options(system: str, out: str | None, resume: str | None, given: dict) -> "Options":
    """All options of the run: given, read back from the run's folder, or by default; checked."""
    from t2ilab.recipes.options import make

    options = recipe(system).Options
    paths = [f.name for f in _fields(system) if f.metadata["path"]]
    for name in paths:
        if name in given and (path := user_path(given[name], f"--{name}")).exists():
            given[name] = str(path.resolve())
    if resume is not None:
        if out is not None and Path(out) != Path(resume):
            raise UsageError(f"--resume {resume} goes on in that folder: leave out --out {out}.")
        given = _take_up(user_path(resume, "--resume"), system, given, options.free())
    return make(options, system, given)


def _take_up(folder: Path, system: str, given: dict, free: tuple[str, ...]) -> dict[str, Any]:
    """The recorded options of the run in `folder`, with what is given now in their place.

    Raises:
        UsageError: something is given that would make it another run.
        DataError: an option in the record is none.
    """
    from t2ilab.fit.record import NAME, Record, read

    recorded = read(folder)
    if not recorded:
        return given
    Record({**recorded, **given, "system": system}, free=free).see_same(
        {"options": recorded, "data": {}}, folder
    )
    if "steps" in given or "minutes" in given:  # a new budget takes the place of the whole old one
        recorded = {k: v for k, v in recorded.items() if k not in ("steps", "minutes")}
    known = {f.name for f in _fields(system)}
    if odd := [name for name in recorded if name not in known and name != "system"]:
        raise DataError(f"{folder / NAME} is damaged: '{odd[0]}' is no option of {system}.")
    return {name: value for name, value in (recorded | given).items() if name != "system"}


def _new_folder(options: "Options") -> Path:
    from t2ilab.files import new_folder
    from t2ilab.paths import runs_dir

    name = f"{options.system}-{options.of}"
    stamp = os.environ.get("TORCHELASTIC_RUN_ID") or time.strftime("%Y%m%d-%H%M%S")
    parent = runs_dir() / "train"
    if rank() != 0:  # only the first process writes
        return parent / f"{name}-{stamp}"
    return new_folder(parent, f"{name}-{stamp}")


def command(options: "Options", *, whole: bool = False) -> str:
    """The command line that asks for these options; of paths, unless `whole`, the last part."""
    from t2ilab.recipes.options import flag

    words = ["t2ilab", "train", options.system]
    given = options.plain()
    for field in _fields(options.system):
        if (value := given.get(field.name)) is not None:
            value = Path(value).name if field.metadata["path"] and not whole else value
            words += [flag(field.name), str(value)]
    return shlex.join(words)


def _summary(trained: "Trained") -> None:
    """How it went and what was measured, on stderr."""
    from t2ilab.commands.listing import headline

    fitted = trained.fitted
    words = ", ".join(f"{name} {value:.3g}" for name, value in fitted.last_losses.items())
    note(
        f"{fitted.steps} steps in {fitted.seconds:.0f} s ({fitted.device}, {fitted.precision}; "
        f"{fitted.wait_share:.0%} waiting for data){': ' if words else ''}{words}"
    )
    if trained.path is not None and (measured := headline(trained.path)):
        note(f"measured: {measured}")
