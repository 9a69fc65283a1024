"""Notebooks from the command line: open them, list what there is, run, sweep, table."""

import os
import sys
from importlib.util import find_spec

import click

from t2ilab.commands.terminal import example, note, results_apart, write
from t2ilab.errors import T2ILabError, UsageError

PROFILE = click.option(
    "--profile", metavar="PROFILE", help="smoke, laptop or gpu; by default the notebook's own."
)
OUT = click.option(
    "--out", metavar="DIR", help="Where the folder of a run is made; default runs/NOTEBOOK."
)


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog=example("t2ilab lab", "t2ilab lab --no-browser --port 8890"),
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(options: tuple[str, ...]) -> None:
    """Open the course in JupyterLab. OPTIONS are passed on to it."""
    from t2ilab.paths import NOTEBOOKS

    if find_spec("jupyterlab") is None:
        raise T2ILabError(
            f"JupyterLab is not installed beside {sys.executable}: install it with "
            f"'{sys.executable} -m pip install jupyterlab', or all with 'make lab'."
        )
    if not NOTEBOOKS.is_dir():
        raise T2ILabError(
            f"there is no folder {NOTEBOOKS}: the course lies in the checkout; clone it, and "
            f"install the package from there (make lab)."
        )
    start = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={NOTEBOOKS}", *options]
    if os.name == "nt":  # there exec returns to the prompt at once
        import subprocess

        sys.exit(subprocess.call(start))
    os.execv(sys.executable, start)


@click.command(name="list", epilog=example("t2ilab list"))
def list_() -> None:
    """Notebooks, systems, worlds, data sets and the weights that ship."""
    from t2ilab.commands.listing import listing

    with results_apart():
        text = listing()
    click.echo(text)


@click.command(epilog=example("t2ilab run 18 --profile smoke -p SEED=3"))
@click.argument("notebook", metavar="NN")
@PROFILE
@click.option(
    "-p",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of the notebook; may be repeated. A path is meant from the current folder.",
)
@OUT
def run(notebook: str, profile: str | None, parameters: tuple[str, ...], out: str | None) -> None:
    """Run notebook NN (its number, name or path) as an experiment.

    Prints the folder of the run: the executed notebook, metrics.json, figures.
    """
    from t2ilab import runs

    given = runs.assignments(parameters)
    with results_apart():
        folder = runs.run(notebook, profile=profile, parameters=given, out=out)
    click.echo(str(folder))


@click.command(
    epilog=example(
        "t2ilab sweep 18 -p SEED=0,1,2 -p SYSTEM=gan,gan_cls --profile smoke --at-once 2",
        "t2ilab sweep 18 -p SEED=0,1,2 --slurm --partition gpu --account lab --gpus 1",
    )
)
@click.argument("notebook", metavar="NN")
@click.option(
    "-p",
    "parameters",
    metavar="NAME=V1,V2,...",
    multiple=True,
    required=True,
    help="A parameter and its values; of lists: NAME=[[1, 2], [3]].",
)
@PROFILE
@OUT
@click.option(
    "--at-once",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many run at a time; default 1 here, all of them on Slurm.",
)
@click.option("--force", is_flag=True, help="Run finished combinations again.")
@click.option("--slurm", is_flag=True, help="Run as jobs on a Slurm cluster.")
@click.option("--partition", metavar="NAME", help="Slurm: the partition.")
@click.option("--account", metavar="NAME", help="Slurm: the account that is charged.")
@click.option("--qos", metavar="NAME", help="Slurm: the quality of service.")
@click.option(
    "--minutes", type=click.IntRange(min=1), metavar="N", help="Slurm: of each job; default 60."
)
@click.option(
    "--cpus", type=click.IntRange(min=1), metavar="N", help="Slurm: of each job; default 2."
)
@click.option(
    "--gpus", type=click.IntRange(min=0), metavar="N", help="Slurm: of each job; default 0."
)
def sweep(notebook, parameters, profile, out, at_once, force, slurm, **asked) -> None:
    """Run notebook NN with every combination of parameters.

    Combinations with a finished run are skipped. Prints the folders of the runs.
    """
    from t2ilab import runs

    asked = {name: value for name, value in asked.items() if value is not None}
    if asked and not slurm:
        raise UsageError(f"--{next(iter(asked))} is what a job asks of Slurm: add --slurm.")
    values = runs.grid(parameters)
    with results_apart():
        folders = runs.sweep(
            notebook,
            values,
            profile=profile,
            out=out,
            at_once=at_once,
            force=force,
            cluster="slurm" if slurm else "local",
            **asked,
        )
    click.echo("\n".join(map(str, folders)))


@click.command(
    epilog=example("t2ilab table 18 --by SYSTEM --metric consistency_all --csv runs.csv")
)
@click.argument("source", metavar="NN|DIR")
@click.option(
    "--by",
    metavar="NAME",
    multiple=True,
    help="Group by a parameter: mean and deviation over seeds; may be repeated.",
)
@click.option(
    "--metric",
    "metrics",
    metavar="NAME",
    multiple=True,
    help="Only this recorded number; may be repeated.",
)
@click.option(
    "--where",
    metavar="NAME=VALUE",
    multiple=True,
    help="Only runs with this value of a parameter; may be repeated.",
)
@click.option("--csv", metavar="FILE", help="Write the table, in full precision, as CSV too.")
def table(source, by, metrics, where, csv) -> None:
    """The finished runs of notebook NN, or below a folder, as one table."""
    from t2ilab import runs
    from t2ilab.paths import user_path

    path = None if csv is None else user_path(csv, "--csv")
    if path is not None and path.is_dir():
        raise UsageError(f"--csv {csv} is a folder: give the name of a file.")
    with results_apart():
        frame = runs.table(
            source, by=_names(by), metrics=_names(metrics), where=runs.assignments(where)
        )
    if path is not None:
        write(path, frame.to_csv(index=False).encode())
        note(f"wrote {path}")
    click.echo(runs.readable(frame).to_string(index=False))


def _names(given: tuple[str, ...]) -> list[str] | None:
    """`--by A --by B` and `--by A,B` mean the same; None where nothing was given."""
    return [name.strip() for text in given for name in text.split(",")] or None
