"""The command `kb`. A command's own module, and what it needs, is loaded only when it is called."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any

import click

from kb_tools import __version__, printable, readers
from kb_tools.errors import KbError, did_you_mean

# Each command with its line of help, so that `kb --help` loads none of them.
COMMANDS = {
    "show": "The policies and revisions on file, those of one policy, or one revision as a readable tree.",
    "check": "Run the conformance checks of the knowledge base.",
    "validate": "Determine patient cases under a revision of a policy.",
    "replay": "Verify decision records, and determine again what they record.",
    "run": "Determine very many cases, and write a row for each.",
    "case": "Cases as plain JSON: a template, the schema, and any other case converted.",
    "test": "Determine the example cases and compare the answers with those expected.",
    "query": "Ask the knowledge base: a ready question, or SPARQL of your own.",
    "diff": "Compare two revisions: what changed, stricter or looser, and does the log say so.",
    "trace": "Compare a copy of the policy's document with the knowledge base.",
    "draft": "Carry a policy from its document to a frozen revision.",
    "new": "Write what a policy needs that is not on file yet, to go on from.",
    "shapes": "Print one self-contained SHACL graph of a revision, for other engines.",
    "freeze": "Write the digest that a released revision must keep.",
    "export": "Write the knowledge base for any triple store, or load it into one.",
    "serve": "The workbench: read the policies in a browser, at any date.",
    "mcp": "Serve the knowledge base to agents, by the Model Context Protocol.",
    "site": "Write the reading pages of the workbench as files, for any web host.",
}


CANNOT_RUN, INTERRUPTED = 2, 130


class _Past(Exception):
    """Carries past click what click would end the process for by itself."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__()


@contextmanager
def _past_click() -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, KeyboardInterrupt) as error:
        raise _Past(error) from error


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and only lists its line of help before."""

    debug = False

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        """The context of a call."""
        with _past_click():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command that is called."""
        with _past_click():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"kb_tools.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called.

        Raises:
            click.UsageError: there is none of that name; the error names one that is close.
        """
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            ctx.fail(f"No such command {name!r}. {did_you_mean(name, COMMANDS).capitalize()}".strip())
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the table of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _debug(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    LazyGroup.debug = value


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="kb")
@click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_debug,
    envvar="KB_DEBUG",
    help="Show the traceback of what goes wrong; also KB_DEBUG=1.",
)
def kb() -> None:
    """Health-plan clinical policy as data.

    The tool states the status of a policy's criteria for a clinician to review. It never approves or denies.

    Exit codes: 0 all well; 1 the answer is no (a check fails, a case does not meet the criteria); 2 it could not run,
    or not write its answer; 130 it was interrupted. A reader that leaves early (| head) is no error.
    """


def main() -> None:
    """Runs the command. Whatever goes wrong becomes one line on stderr and exit code 2; Ctrl-C is 130."""
    LazyGroup.debug = False
    # Nearly all that a command reads it needs to its end: to look for garbage in it often takes a tenth of the time.
    gc.set_threshold(100_000, 20, 20)
    if sys.stdout is None:
        _say("standard output is closed; send it to a terminal, a file or a pipe")
        sys.exit(CANNOT_RUN)
    if sys.stdin is None:
        sys.stdin = TextIOWrapper(BytesIO())
    readers.let_leave()
    if hasattr(sys.stdout, "reconfigure"):
        # What the terminal has no letters for is no reason to show nothing.
        sys.stdout.reconfigure(errors="replace")
    try:
        code = kb.main(prog_name="kb", standalone_mode=False)
        _finish()
    except SystemExit as ended:
        code = ended.code
        with _ending():
            _finish()
    except BaseException as error:
        code = _failed(error.error if isinstance(error, _Past) else error)
    sys.exit(code if isinstance(code, int) else 0)


@contextmanager
def _ending() -> Iterator[None]:
    """Ends the process with the code for what goes wrong while it ends."""
    try:
        yield
    except BaseException as error:
        sys.exit(_failed(error))


def _finish() -> None:
    """Writes out what is still held: on a full disk this is where it fails."""
    sys.stdout.flush()


def _failed(error: BaseException) -> int:
    """Says what went wrong, and returns the exit code that goes with it."""
    if LazyGroup.debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        _say("interrupted")
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        shown = StringIO()
        error.show(shown)
        click.echo(printable.text(shown.getvalue()), err=True, nl=False)
        return CANNOT_RUN
    if isinstance(error, OSError) and _is_about_stdout(error):
        _drop_stdout()
    for line in _lines(error):
        _say(line)
    return CANNOT_RUN


def _lines(error: BaseException) -> list[str]:
    """What went wrong, in a line; nothing of a reader that has left."""
    if isinstance(error, KbError):
        return error.lines()
    if isinstance(error, BrokenPipeError):
        return []
    hint = "kb check says whether the knowledge base is sound; --debug shows where it happened"
    if isinstance(error, OSError):
        place = f"{error.filename!s}: " if error.filename else "standard output: " if _is_about_stdout(error) else ""
        return [f"{place}{error.strerror or error}; --debug shows where it happened"]
    if isinstance(error, MemoryError):
        return ["not enough memory; give fewer or smaller files at a time"]
    if isinstance(error, RecursionError):
        return [f"something is nested too deeply, or in a circle; {hint}"]
    return [f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:200]}; {hint}"]


def _is_about_stdout(error: OSError) -> bool:
    """Whether it is that stdout takes no more."""
    return error.filename is None and error.errno in (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)


def _drop_stdout() -> None:
    """Lets what could not be written go, so that nothing tries again when the process ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(line: str) -> None:
    """One line on stderr; where nobody reads that either, none."""
    with suppress(OSError):
        click.echo(f"kb: {printable.line(line)}", err=True)
