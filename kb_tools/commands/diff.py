"""kb diff."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kb_tools.commands import completion
from kb_tools.commands.common import (
    console,
    engine_option,
    format_option,
    kb_option,
    open_kb,
    policy_option,
    progress,
    put,
    read_cases,
    warn,
)
from kb_tools.errors import KbError

if TYPE_CHECKING:
    from kb_tools.api import KnowledgeBase
    from kb_tools.cases.case import Case
    from kb_tools.revisions.change import Diff


@click.command("diff")
@click.argument("old", metavar="OLD", shell_complete=completion.revisions)
@click.argument("new", metavar="NEW", shell_complete=completion.revisions)
@policy_option("The policy; default: that of the revisions.")
@click.option("--cases", multiple=True, metavar="PATH", help="Also replay these cases under both; may be repeated.")
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(["stricter", "flips", "unexplained", "unfinished"]),
    help="Exit with 1 for this only, and not for every difference; may be repeated.",
)
@click.option("--witness", type=click.Path(path_type=Path), help="Also write the generated witness cases to this file.")
@format_option("text", "markdown", "json", "html", "xlsx")
@engine_option
@kb_option
def command(
    old: str,
    new: str,
    policy: str | None,
    cases: tuple[str, ...],
    fail_on: tuple[str, ...],
    witness: Path | None,
    format_: str,
    engine: str,
    root: Path | None,
) -> None:
    """Compare two revisions: what changed, stricter or looser, and does the log say so.

    The verdict goes over every way in which the conditions of both sides can turn out together. A direction counts
    only if a case can be made of its witness that comes to what it says under both revisions; else it is named as
    unconfirmed. With --cases, every case is determined under both and each flip is attributed to a criterion, a
    condition and the log. A draft can be compared, and is named as one: while something is left to decide in it the
    comparison is not final.

    Revisions of two policies, each named with its policy, are compared by what each requires: what only one of them
    does, what both do, and for each difference a case that shows it. They have no log in common.

    Exit code 0 if nothing differs; 1 if something does, or something is left to decide in a draft (or, with --fail-on,
    what is named there; unexplained is a change that no log row tells of, or a log row that is not borne out;
    unfinished is something left to decide) or a case is malformed; 2 if the two could not be compared or a case could
    not be read.

    \b
    Examples:
      kb diff 2019-10 2026-02
      kb diff 2025-02 2026-02 --format markdown
      kb diff 2019-10 2026-02 --cases policies/CP.MP.101/cases --fail-on unexplained
      kb diff 2019-10 2026-02 --format xlsx > comparison.xlsx
      kb diff CP.MP.101/2026-02 CG-TRANS-03/2024-10
    """
    from kb_tools.render import spreadsheet

    if "flips" in fail_on and not cases:
        raise KbError("--fail-on flips without cases to flip", hint="name some with --cases PATH")
    if format_ == "xlsx":
        spreadsheet.require()
        if sys.stdout.isatty():
            raise KbError("a spreadsheet is nothing for a terminal", hint="add > comparison.xlsx")
    kb = open_kb(root)
    errors: list[KbError] = []
    replayed = progress(read_cases(kb, cases, None, errors), "cases replayed") if cases else None
    found = kb.diff(old, new, replayed, policy=policy, engine=engine)
    if "unexplained" in fail_on and found.of_two_policies:
        raise KbError("two policies have no log in common", hint="leave out --fail-on unexplained")
    malformed = found.impact.malformed if found.impact else ()
    for answer in malformed:
        warn(f"{answer.case.title}: malformed, not determined; see kb validate")
    if witness:
        if found.witness_cases:
            _write(kb, found.witness_cases, witness)
        for lacking in found.verdict.unconfirmed:
            warn(f"{witness}: lacks a case of {lacking.value}, which is unconfirmed: none could be made")
        if not found.witness_cases and not found.verdict.unconfirmed:
            warn(f"{witness}: not written: where every case comes to the same there is no witness")
    _show(found, format_)
    if errors:
        sys.exit(2)
    differs = found.fails_on(fail_on) if fail_on else found.differ or not found.final
    sys.exit(int(bool(malformed) or differs))


def _show(found: Diff, format_: str) -> None:
    from kb_tools.render import diff as render
    from kb_tools.render import page as document

    if format_ == "json":
        put(found.to_json())
    elif format_ == "xlsx":
        from kb_tools.render.diff_sheets import workbook

        click.echo(workbook(found), nl=False)
    elif format_ == "text":
        document.text(console(), render.document(found))
    elif format_ == "markdown":
        put(document.markdown(render.document(found)))
    else:
        put(document.page(render.document(found)))


def _write(kb: KnowledgeBase, cases: Sequence[Case], path: Path) -> None:
    from kb_tools.cases.prepare import prepared
    from kb_tools.writing import write_atomically

    text = prepared(kb.repository, cases, derived=False).serialize(format="longturtle", canon=True)
    try:
        write_atomically({path: text.encode()})
    except OSError as error:
        raise KbError(f"cannot be written: {error.strerror}", where=str(path), hint="name another file") from None
