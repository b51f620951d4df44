"""kb diff."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
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
    policy_of,
    policy_option,
    progress,
    put,
    read_cases,
    warn,
)
from kb_tools.errors import KbError

if TYPE_CHECKING:
    from kb_tools.cases.case import Case
    from kb_tools.model.repository import KnowledgeBase
    from kb_tools.render.diff import Impact
    from kb_tools.revisions.change import Diff
    from kb_tools.revisions.replay import Replayer


@click.command("diff")
@click.argument("old", metavar="OLD", shell_complete=completion.revisions)
@click.argument("new", metavar="NEW", shell_complete=completion.revisions)
@policy_option
@click.option("--cases", multiple=True, metavar="PATH", help="Also replay these cases under both; may be repeated.")
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(["stricter", "flips", "unexplained"]),
    help="Exit with 1 for this only, and not for every difference; may be repeated.",
)
@click.option("--witness", type=click.Path(path_type=Path), help="Also write the generated witness cases to this file.")
@format_option("text", "markdown", "json", "html")
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
    condition and the log. A draft can be compared, and is named as one.

    Exit code 0 if nothing differs; 1 if something does (or, with --fail-on, what is named there; unexplained is a
    change that no log row tells of, or a log row that is not borne out) or a case is malformed; 2 if the two could not
    be compared or a case could not be read.

    \b
    Examples:
      kb diff 2019-10 2026-02
      kb diff 2025-02 2026-02 --format markdown
      kb diff 2019-10 2026-02 --cases policies/CP.MP.101/cases --fail-on unexplained
    """
    from kb_tools.render import diff as render
    from kb_tools.render import page as document
    from kb_tools.revisions.compare import compare
    from kb_tools.revisions.replay import Replayer

    if "flips" in fail_on and not cases:
        raise KbError("--fail-on flips without cases to flip", hint="name some with --cases PATH")
    kb = open_kb(root)
    found = compare(policy_of(kb, policy, old, new), old, new, engine)
    errors: list[KbError] = []
    impact = None
    if cases:
        impact = _replay(found, Replayer(kb, found.old, found.new, engine), read_cases(kb, cases, None, errors))
    report = render.Report(found, impact)
    if witness:
        if found.borne_out:
            _write(kb, [each.before.case for each in found.borne_out.values()], witness)
        for each in found.verdict.unconfirmed:
            warn(f"{witness}: lacks a case of {each.direction.value}, which is unconfirmed: none could be made")
        if not found.borne_out and not found.verdict.unconfirmed:
            warn(f"{witness}: not written: where every case comes to the same there is no witness")
    if format_ == "json":
        put(render.json(report))
    elif format_ == "text":
        document.text(console(), render.document(report))
    else:
        show = document.markdown if format_ == "markdown" else document.page
        put(show(render.document(report)))
    if errors:
        sys.exit(2)
    malformed = bool(impact and impact.malformed)
    sys.exit(int(malformed or (render.failing(report, fail_on) if fail_on else found.differ)))


def _write(kb: KnowledgeBase, cases: Sequence[Case], path: Path) -> None:
    from kb_tools.cases.prepare import prepared
    from kb_tools.writing import write_whole

    text = prepared(kb, cases, derived=False).serialize(format="longturtle", canon=True)
    try:
        write_whole({path: text.encode()})
    except OSError as error:
        raise KbError(f"cannot be written: {error.strerror}", where=str(path), hint="name another file") from None


def _replay(diff: Diff, replayer: Replayer, cases: Iterator[Case]) -> Impact:
    from kb_tools.cases.case import Malformed
    from kb_tools.render.diff import Impact
    from kb_tools.revisions.impact import flip_of

    impact = Impact()
    for each in progress(replayer.replay(cases), "cases replayed"):
        if isinstance(each, Malformed):
            warn(f"{each.case.title}: malformed, not determined; see kb validate")
            impact.malformed.append(each)
            continue
        impact.counts[each.before.outcome.value, each.after.outcome.value] += 1
        if each.flipped:
            impact.flips.append(flip_of(diff, each))
    return impact
