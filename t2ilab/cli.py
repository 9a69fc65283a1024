"""The command line: `t2ilab lab / list / run / sweep / table / train / sample / evaluate / doctor`.

Results go to stdout, progress and notes to stderr. The exit status is 0 on success only, 2 for a
wrong name or value, 1 for any other failure, 130 or 143 when a signal stopped it. What is heavy is
imported inside the commands, so that help comes at once.
"""

import json

import click

from t2ilab import __version__
from t2ilab.commands.notebooks import lab, list_, run, sweep, table
from t2ilab.commands.pictures import evaluate, sample
from t2ilab.commands.terminal import FAILED, Group, example, results_apart
from t2ilab.commands.train import train


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example('t2ilab sample gan_int_cls "a small red bird with blue wings" -o birds.png'),
)
@click.version_option(__version__)
def main() -> None:
    """How pictures are learned from data and from text: the course's command line.

    Each command explains itself: t2ilab train --help. An error is one message; with T2ILAB_DEBUG=1
    its traceback comes too.
    """


@click.command(epilog=example("t2ilab doctor", "t2ilab doctor --json"))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Look for what is wrong on this machine.

    Versions, device, cores, memory, widgets, kernel, weights, disk; with what to do. Exit
    status 1 if something is broken.
    """
    from t2ilab.doctor import examine, report

    with results_apart():
        findings = examine()
    broken = any(finding.state == "broken" for finding in findings)
    if as_json:
        checks = [vars(finding) for finding in findings]
        click.echo(json.dumps({"ok": not broken, "checks": checks}, indent=1, allow_nan=False))
    else:
        click.echo(report(findings))
    ctx.exit(FAILED if broken else 0)


for command in (lab, list_, run, sweep, table, train, sample, evaluate, doctor):
    main.add_command(command)
