"""What several commands share: options, and output that fits the terminal."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kb_tools import printable
from kb_tools.calendar_day import calendar_day
from kb_tools.commands import completion

if TYPE_CHECKING:
    from rich.console import Console

    from kb_tools.api import KnowledgeBase
    from kb_tools.cases.case import Case
    from kb_tools.errors import KbError
    from kb_tools.records.chain import Head
    from kb_tools.records.recorder import Recorder

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def parse_day(ctx: click.Context, param: click.Parameter, value: str | None) -> date | None:
    """The calendar day that an option names, as YYYY-MM-DD; anything else is a usage error."""
    try:
        return None if value is None else calendar_day(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no calendar day: write YYYY-MM-DD", ctx, param) from None


def kb_option(command: F) -> F:
    """--kb DIR."""
    return click.option(
        "--kb",
        "root",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="The knowledge base; default: KB_ROOT, else upwards from here, else the installed copy.",
    )(command)


def policy_option(text: str) -> Callable[[F], F]:
    """--policy ID; `text` says what it does, and what is done without it."""
    return click.option("--policy", metavar="ID", shell_complete=completion.policies, help=text)


def revision_option(text: str) -> Callable[[F], F]:
    """--revision YYYY-MM; `text` says what is done with it, and without it."""
    return click.option("--revision", metavar="YYYY-MM", shell_complete=completion.revisions, help=text)


def _seconds(ctx: click.Context, param: click.Parameter, value: float) -> float:
    # Written so that "nan" is refused as well.
    if not 0 < value <= 24 * 60 * 60:
        raise click.BadParameter(f"{value:g} is not more than 0 and at most a day", ctx, param)
    return value


def query_limits(command: F) -> F:
    """--timeout SECONDS and --max-rows N: when a query is ended, and how much of its answer is given."""
    timeout = click.option(
        "--timeout",
        type=float,
        default=30,
        show_default=True,
        callback=_seconds,
        metavar="SECONDS",
        help="End a query after this time.",
    )
    max_rows = click.option(
        "--max-rows",
        type=click.IntRange(min=1),
        default=10_000,
        show_default=True,
        metavar="N",
        help="Give no more rows than this, and say so.",
    )
    return timeout(max_rows(command))


def query_workers(command: F) -> F:
    """--workers N: how many processes answer queries side by side."""
    return click.option(
        "--workers",
        type=click.IntRange(1),
        default=4,
        show_default=True,
        metavar="N",
        help="Processes that answer queries; of several, one is kept for ready questions.",
    )(command)


def case_revision_options(command: F) -> F:
    """--revision YYYY-MM and --as-of YYYY-MM-DD: under which revision cases are determined."""
    as_of = click.option(
        "--as-of", callback=parse_day, metavar="YYYY-MM-DD", help="Take the revision in force on this day."
    )
    return revision_option("The revision for all cases; default: in force on the service date.")(as_of(command))


def engine_option(command: F) -> F:
    """--engine NAME."""
    # The names are those of kb_tools.rdf.shacl.ENGINES, written out so that --help stays fast; a test compares them.
    return click.option(
        "--engine",
        type=click.Choice(["pyshacl", "pyshifty", "shacl"]),
        default="pyshacl",
        show_default=True,
        help="The SHACL engine; pyshifty and shacl are faster (pip install 'kb-tools[fast]', 'kb-tools[rust]').",
    )(command)


def pieces_option(text: str) -> Callable[[F], F]:
    """--pieces and --no-pieces; `text` says which is the default."""
    return click.option(
        "--pieces/--no-pieces",
        default=None,
        help=f"Decide each piece of a case once, or each case by itself; the answers are the same. {text}",
    )


def format_option(*formats: str) -> Callable[[F], F]:
    """--format, the first of `formats` being the default."""
    return click.option("--format", "format_", type=click.Choice(formats), default=formats[0], show_default=True)


def document_option(command: F) -> F:
    """--document FILE."""
    return click.option(
        "--document",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Your own copy of the policy's document (text, PDF or HTML): print the passage under each statement.",
    )(command)


def terminology_option(command: F) -> F:
    """--terminology FILE, any number of times."""
    return click.option(
        "--terminology",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="FILE",
        help="What the codes of your own systems mean in FHIR cases; as ontology/terminology.ttl, and once a file.",
    )(command)


def input_format_option(command: F) -> F:
    """--input-format NAME."""
    return click.option(
        "--input-format",
        type=click.Choice(["turtle", "trig", "ntriples", "jsonld", "json", "jsonl", "ndjson"]),
        help="The format of the cases; default: by file name, for '-' by its first line.",
    )(command)


def record_options(command: F) -> F:
    """--record DIR and --case: whether and how determinations are recorded."""
    record = click.option(
        "--record",
        "records",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Record each determination in this folder, for kb replay.",
    )
    case = click.option(
        "--case",
        type=click.Choice(["digest", "keep"]),
        default="digest",
        show_default=True,
        help="With --record: hold the digest of each case alone, or keep the case too. DIR then holds health data.",
    )
    return record(case(command))


def recorder(kb: KnowledgeBase, folder: Path | None, case: str) -> Recorder | None:
    """What records determinations, where that is asked for."""
    if folder is None and case == "keep":
        raise click.UsageError("--case keep goes with --record.")
    return None if folder is None else kb.recorder(folder, keep_cases=case == "keep")


def say_recorded(number: int, folder: Path, head: Head | None) -> None:
    """One line on stderr: how many determinations were recorded where, and the head to hold them against later."""
    last = f"; head {head}" if number else ""
    warn(f"{number} determination{'s'[: number != 1]} recorded in {folder}{last}")


def open_kb(root: Path | None) -> KnowledgeBase:
    """The knowledge base that the options call for; of each policy that is skipped, it says so in a line on stderr."""
    import kb_tools

    kb = kb_tools.open(root)
    kb.repository.on_skip = lambda identifier, error: warn(f"{identifier} is skipped: {error}")
    return kb


def warn_of_slow_shapes(kb: KnowledgeBase) -> None:
    """One line on stderr where the shapes do not allow to decide cases by their pieces."""
    from kb_tools.determine.locality import faults

    found = faults(kb.repository)
    if found:
        shape, what = found[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        warn(f"{shape} {what}{more}: each case is determined by itself, which is slower; see kb check")


class _WithoutPadding(io.TextIOBase):
    """Writes to stdout without the spaces with which tables fill their lines."""

    def write(self, text: str) -> int:
        return sys.stdout.write(re.sub(r" +(?=\n)", "", text))

    def flush(self) -> None:
        sys.stdout.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of stdout, so that lines are drawn with letters that it has."""
        return sys.stdout.encoding


def console() -> Console:
    """Where text goes: fitted to the terminal; in a pipe plain and 100 columns wide."""
    from kb_tools.render.screen import Screen

    if sys.stdout.isatty():
        return Screen(highlight=False, emoji=False, markup=False)
    return Screen(file=_WithoutPadding(), highlight=False, emoji=False, markup=False, width=100, color_system=None)  # type: ignore[arg-type]


def put(content: str | bytes) -> None:
    """Writes to stdout what other programs read: in UTF-8, whatever the terminal's letters are.

    On a terminal, what it would obey is replaced.
    """
    text = content.decode() if isinstance(content, bytes) else content
    click.echo((printable.text(text) if sys.stdout.isatty() else text).encode(), nl=False)


def warn(line: str) -> None:
    """One line on stderr."""
    click.echo(f"kb: {printable.line(line)}", err=True)


def read_cases(
    kb: KnowledgeBase,
    arguments: tuple[str, ...],
    input_format: str | None,
    errors: list[KbError],
    terminology: tuple[Path, ...] = (),
    record: bool = True,
) -> Iterator[Case]:
    """The cases of all files that can be read; of each other file, or line of one, one line on stderr.

    Args:
        record: whether what is written holds the record of the reading of FHIR.
    """
    from kb_tools.cases.case import readable

    def report(error: KbError) -> None:
        for line in error.lines():
            warn(line)
        errors.append(error)

    found = kb.read_cases(arguments, format=input_format, terminology=terminology, record=record)
    return readable(found, report)


def progress(items: Iterator[T], what: str, alone: bool = False) -> Iterator[T]:
    """The items, with a count on stderr while a terminal shows that and stdout is busy with nothing else.

    Args:
        alone: whether nothing is printed on the way, so that stdout may be the terminal too.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    err = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed} " + what), TimeElapsedColumn())
    hidden = not err.is_terminal or (sys.stdout.isatty() and not alone)
    with Progress(*columns, console=err, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=None)
        for item in items:
            yield item
            bar.advance(task)
