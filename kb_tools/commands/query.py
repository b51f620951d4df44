"""kb query."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kb_tools.commands import completion
from kb_tools.commands.common import (
    console,
    kb_option,
    parse_day,
    policy_option,
    put,
    query_limits,
    revision_option,
    warn,
)

if TYPE_CHECKING:
    from kb_tools.ask.request import RawResult

# Those of kb_tools.ask.resolve.FORMATS, written out so that --help stays fast; a test compares them.
FORMATS = ("table", "csv", "tsv", "json", "markdown", "turtle")
# Those in which what is to be said beside the answer stands in the answer; for the others it goes to stderr.
SAYING = ("table", "json", "markdown")


def _pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in values:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{pair!a} is not NAME=VALUE", ctx, param)
        if name in pairs:
            raise click.BadParameter(f"{name} is given twice", ctx, param)
        pairs[name] = value
    return pairs


@click.command("query")
@click.argument("question", required=False, metavar="[QUESTION|FILE|-]", shell_complete=completion.questions)
@click.option(
    "--param",
    "parameters",
    multiple=True,
    callback=_pairs,
    metavar="NAME=VALUE",
    shell_complete=completion.parameters,
    help="A parameter of the question.",
)
@revision_option("The revision in the default graph; default: in force today.")
@click.option("--as-of", callback=parse_day, metavar="YYYY-MM-DD", help="Take the revisions in force on this day.")
@click.option(
    "--all", "union", is_flag=True, help="The union of all graphs: a criterion then shows every revision at once."
)
@policy_option("The policy; default: that of the revision, or all.")
@click.option(
    "--data",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Add the RDF of this file or folder to the default graph; may be repeated. Numbers, times and booleans come "
    'out in their canonical form: "02" as 2.',
)
@click.option(
    "--entail",
    type=click.Choice(["none", "rdfs", "owlrl"]),
    default="none",
    show_default=True,
    help="Ask what follows from a revision and the ontologies too.",
)
@query_limits
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), help="Default: table, or turtle for CONSTRUCT and DESCRIBE."
)
@kb_option
def command(
    question: str | None,
    parameters: dict[str, str],
    revision: str | None,
    as_of: date | None,
    union: bool,
    policy: str | None,
    data: tuple[Path, ...],
    entail: str,
    timeout: float,
    max_rows: int,
    format_: str | None,
    root: Path | None,
) -> None:
    """Ask the knowledge base: a ready question, or SPARQL of your own.

    Without a QUESTION, lists the ready ones. A FILE with the ending .rq, or - for standard input, is a query of your
    own: SELECT, ASK, CONSTRUCT or DESCRIBE. Every prefix of the prefix table is declared, and a relative IRI stands
    under https://w3id.org/policykb/, as tables show it: <CP.MP.101/2026-02>.

    Each revision, policy, vocabulary and shapes file is a named graph. The default graph holds what is shared and one
    revision of each policy, with what that shares with another filled in. With --all it holds every graph, and so every
    revision's content of a criterion at once; a question across revisions names them with GRAPH.

    A parameter takes what you know the thing by: the number of a reference, the place of a criterion ("II.B"), a name,
    an abbreviation ("AML"), an ICD-10-CM code, or an IRI. What is asked for by default is printed, and so is what is
    not on file of what the question reads, or only inferred: on stderr where the format is csv, tsv or turtle.

    SERVICE and updates are refused: no query reaches another server or changes anything.

    Exit code 0 if it was answered, 1 if the answer is no (ASK) or is not whole (--max-rows), 2 if it could not run.

    \b
    Examples:
      kb query
      kb query criteria
      kb query criteria --revision 2019-10 --format csv
      kb query where-cited --param reference=12
      kb query mine.rq --all --timeout 60
      echo 'SELECT ?code { ?code a pol:Code }' | kb query -
    """
    if sum(map(bool, (revision, as_of, union))) > 1:
        raise click.UsageError("--revision, --as-of and --all exclude each other.")
    if question is None:
        _list(format_)
        return
    from kb_tools.ask.request import Inquiry
    from kb_tools.ask.worker import run

    is_file = question == "-" or Path(question).suffix in (".rq", ".sparql") or "/" in question or "\\" in question
    if parameters and is_file:
        raise click.UsageError("--param is for ready questions: a query of your own has its values in it.")
    inquiry = Inquiry(
        root=root,
        text=_read(question) if is_file else "",
        question="" if is_file else question,
        parameters=parameters,
        policy=policy,
        revision=revision,
        as_of=as_of,
        union=union,
        data=data,
        entail=entail,
        max_rows=max_rows,
        format=format_ or "",
    )
    result = run(inquiry, timeout, lambda: warn("the graphs are many: they are loaded now, once"))
    shown = format_ or ("table" if result.triples is None else "turtle")
    for note in (*result.notes, *(() if shown in SAYING else (*result.choices, *result.basis))):
        warn(note)
    _show(result, shown)
    if result.more:
        warn(f"there are more than {max_rows}: the answer is not whole; narrow the query, or raise --max-rows")
    sys.exit(int(result.more or result.truth is False))


def _read(name: str) -> str:
    """The text of a query file, or of standard input.

    Raises:
        KbError: it cannot be read, is too long or no text.
    """
    from kb_tools.ask.sparql import MAX_LENGTH
    from kb_tools.errors import UnreadableInput

    where = "standard input" if name == "-" else name
    try:
        # A character has at most four bytes.
        if name == "-":
            found = sys.stdin.buffer.read(4 * MAX_LENGTH + 1)
        else:
            with Path(name).open("rb") as file:
                found = file.read(4 * MAX_LENGTH + 1)
        if len(found) > 4 * MAX_LENGTH:
            raise UnreadableInput(f"a query of more than {MAX_LENGTH} characters", where=where, hint="shorten it")
        return found.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise UnreadableInput("not a text in UTF-8", where=where, hint="save it as UTF-8") from None
        reason = getattr(error, "strerror", None) or "cannot be read"
        raise UnreadableInput(reason, where=where, hint="check the path and its permissions") from None


def _list(format_: str | None) -> None:
    from kb_tools.ask.library import questions
    from kb_tools.render import query_results as render

    listed = questions()
    if format_ in (None, "table"):
        render.question_text(console(), listed)
    elif format_ == "markdown":
        put(render.question_markdown(listed))
    elif format_ == "json":
        put(render.question_json(listed))
    else:
        raise click.UsageError("The list of questions comes as table, markdown or json.")


def _show(result: RawResult, format_: str) -> None:
    from kb_tools.render import query_results as render

    if format_ == "table":
        render.text(console(), result)
    elif format_ == "turtle":
        put(result.turtle)
    elif format_ == "markdown":
        put(render.markdown(result))
    elif format_ == "json":
        put(render.json(result))
    else:
        put(render.separated(result, format_))
