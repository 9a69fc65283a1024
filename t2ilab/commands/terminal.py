"""What all commands share: results on stdout, notes on stderr, errors as one message, statuses."""

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import click

from t2ilab.errors import T2ILabError, UsageError, choose

FAILED, WRONG_USE = 1, 2  # exit statuses; a signal gives 128 + its number, as shells have it


class Group(click.Group):
    """A group of commands that says errors for the user in words, and guesses at wrong names."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and not args[0].startswith("-"):
            choose("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except T2ILabError as error:
            say_error(error)
            ctx.exit(WRONG_USE if isinstance(error, UsageError) else FAILED)
        except KeyboardInterrupt:
            note("stopped by Ctrl-C")
            ctx.exit(128 + signal.SIGINT)


def example(*lines: str) -> str:
    """The end of a command's help: examples, which click must not wrap."""
    head = "Example:" if len(lines) == 1 else "Examples:"
    return "\n".join(["\b", head, *(f"  {line}" for line in lines)])


def rank() -> int:
    """The number of this process among those that `torchrun` or `fabric run` started; else 0."""
    return int(os.environ.get("RANK", 0))


def note(text: str) -> None:
    """A line for the reader, on stderr, from the first process only."""
    if rank() == 0:
        click.echo(text, err=True)


def say_error(error: T2ILabError) -> None:
    """The message alone; with T2ILAB_DEBUG=1 the traceback as well. Once on each machine."""
    if int(os.environ.get("LOCAL_RANK", 0)) != 0:
        return
    if os.environ.get("T2ILAB_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error)
    click.echo(f"error: {error}", err=True)


@contextlib.contextmanager
def results_apart() -> Iterator[None]:
    """Send what is printed inside to stderr, of later processes nowhere: stdout is for results."""
    with contextlib.ExitStack() as stack:
        to = sys.stderr if rank() == 0 else stack.enter_context(open(os.devnull, "w"))
        stack.enter_context(contextlib.redirect_stdout(to))
        yield
