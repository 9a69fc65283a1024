"""What all commands share: results on stdout, notes on stderr, errors as one message, statuses."""

import contextlib
import os
import signal
import socket
import sys
import threading
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
        name, command, rest = super().resolve_command(ctx, args)
        see_once(command, click.Context(command, parent=ctx, **command.context_settings), rest)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except T2ILabError as error:
            say_error(error)
            ctx.exit(WRONG_USE if isinstance(error, UsageError) else FAILED)
        except KeyboardInterrupt:
            note("stopped by Ctrl-C")
            ctx.exit(128 + signal.SIGINT)


def see_once(command: click.Command, ctx: click.Context, args: list[str]) -> None:
    """Refuse an option that is given twice; click would take the last in silence."""
    try:
        _, _, given = command.make_parser(ctx).parse_args(list(args))
    except click.UsageError:
        return  # which click is about to say itself
    for option in given:
        once = isinstance(option, click.Option) and not (option.multiple or option.is_flag)
        if once and given.count(option) > 1:
            raise UsageError(f"{option.opts[-1]} is given twice: give it once.")


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


class Signals:
    """Notes which signals come while it is open, whoever handles them.

    `fit` ends a run tidily on Ctrl-C and SIGTERM; only the exit status has to tell them apart.
    """

    def __enter__(self) -> "Signals":
        self._ours, theirs = socket.socketpair()
        self._theirs, self._before, self._came = theirs, None, b""
        for end in (self._ours, theirs):
            end.setblocking(False)
        if threading.current_thread() is threading.main_thread():
            self._before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.set_wakeup_fd(self._before)
        self._ours.close()
        self._theirs.close()

    def status(self) -> int:
        """130 after Ctrl-C, 143 after SIGTERM, 0 where neither came."""
        with contextlib.suppress(BlockingIOError):
            self._came += self._ours.recv(64)
        stops = (number for number in self._came if number in (signal.SIGINT, signal.SIGTERM))
        return next((128 + number for number in stops), 0)
