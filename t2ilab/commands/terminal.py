"""What all commands share: results on stdout, notes on stderr, errors as one message, statuses."""

import contextlib
import os
import re
import signal
import sys
import traceback
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from t2ilab.environment import whole_number
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
        if hasattr(sys.stdout, "reconfigure"):  # not in a notebook
            sys.stdout.reconfigure(errors="backslashreplace")  # a path may be no text
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            raise
        except click.ClickException as error:
            error.message = _cut(error.message)
            raise
        except KeyboardInterrupt:
            note("stopped by Ctrl-C")
            ctx.exit(128 + signal.SIGINT)
        except Exception as error:
            if isinstance(error, BrokenPipeError):  # `| head`; click ends in silence
                raise
            say_error(error if isinstance(error, T2ILabError) else _unforeseen(error))
            ctx.exit(WRONG_USE if isinstance(error, UsageError) else FAILED)


def _unforeseen(error: Exception) -> T2ILabError:
    """Whatever nobody thought of, in a sentence: about memory, about a file, or with a number."""
    said = _cut((str(error).splitlines() or [""])[0][:300])
    if isinstance(error, MemoryError) or re.search("out of memory|allocate memory", str(error)):
        sentence = f"there is not enough memory ({said}): ask for fewer or smaller pictures."
    elif isinstance(error, OSError) and error.strerror:
        files = [str(name) for name in (error.filename, error.filename2) if name is not None]
        sentence = f"{': '.join([*files, error.strerror])}. T2ILAB_DEBUG=1 shows where it happened."
    else:
        frames = traceback.extract_tb(error.__traceback__)
        here = str(Path(__file__).parents[1])
        ours = [frame for frame in frames if frame.filename.startswith(here)]
        ours = [frame for frame in ours if frame.filename != __file__] or frames
        way = " ".join(f"{Path(frame.filename).name} {frame.name}" for frame in ours)
        kind = type(error).__name__
        sentence = (
            f"{kind}: {said}. Nobody foresaw this: please report it, with your command, as fault "
            f"{zlib.crc32(f'{kind} {way}'.encode()):08x} ({Path(ours[-1].filename).name}, line "
            f"{ours[-1].lineno}). T2ILAB_DEBUG=1 shows the traceback."
        )
    made = T2ILabError(sentence)
    made.__cause__ = error
    return made


def _cut(text: str) -> str:
    """Numbers of thousands of digits, and the like, cut short."""
    return re.sub(r"\S{400,}", lambda word: f"{word[0][:60]}...{word[0][-20:]}", text)


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
    return whole_number("RANK", 0)


def note(text: str) -> None:
    """A line for the reader, on stderr, from the first process only."""
    if rank() == 0:
        click.echo(text, err=True)


def say_error(error: T2ILabError) -> None:
    """The message alone; with T2ILAB_DEBUG=1 the traceback as well. Once on each machine."""
    if os.environ.get("LOCAL_RANK", "").strip("0 ").isdigit():
        return
    if os.environ.get("T2ILAB_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error)
    click.echo(f"error: {_cut(str(error))}", err=True)


@contextlib.contextmanager
def results_apart() -> Iterator[None]:
    """Send what is printed inside to stderr, of later processes nowhere: stdout is for results."""
    with contextlib.ExitStack() as stack:
        to = sys.stderr if rank() == 0 else stack.enter_context(open(os.devnull, "w"))
        stack.enter_context(contextlib.redirect_stdout(to))
        yield


def write(path: Path, data: bytes) -> None:
    """Write a file that a person asked for; a disk that is full is said in words."""
    from t2ilab.files import write_atomically

    try:
        write_atomically(path, data)
    except OSError as error:
        raise T2ILabError(
            f"could not write {path}: {error.strerror or error}. Make room there, or give another "
            "name."
        ) from error
