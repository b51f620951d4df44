"""What kb diff shows of cases that were determined under both revisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kb_tools.render.page import Document, Paragraph, Table
from kb_tools.revisions.change import Diff
from kb_tools.revisions.replay import Flip, Impact, Reasons

# So many cases of a group of flips are named; all are in the JSON.
NAMED = 20


def add_impact(shown: Document, diff: Diff, impact: Impact) -> None:
    """Adds what cases come to under both, and what flipped those whose outcome differs."""
    old, new = diff.names
    counts = sorted((before.value, after.value, count) for (before, after), count in impact.counts.items())
    shown.section(
        "Cases under both",
        Paragraph(f"{_cases(sum(impact.counts.values()))} under both, {len(impact.flips)} with another outcome."),
        Table(
            (f"Under {old}", f"Under {new}", "Cases"),
            [(before, after, str(count)) for before, after, count in counts],
        ),
        *(Paragraph(f"{answer.case.title}: malformed, not determined.", item=True) for answer in impact.malformed),
    )
    for (before, after), groups in impact.grouped.items():
        shown.section(
            f"From {before.value} to {after.value}: {_cases(sum(map(len, groups.values())))}",
            *(block for reasons, flips in groups.items() for block in _reasons(diff, reasons, flips)),
        )


def _reasons(diff: Diff, reasons: Reasons, flips: Sequence[Flip]) -> Iterator[Paragraph]:
    """What flipped a group of cases, and which they are."""
    criteria, conditions, rows = reasons
    names = [flip.case.rpartition("/")[2] for flip in flips]
    more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
    log = {logged.statement: f"{logged.row_label}, {logged.label}" for logged in diff.log}
    yield Paragraph(f"{_cases(len(names))}: {', '.join(names[:NAMED])}{more}")
    yield from (Paragraph(f"criterion {criterion}", item=True) for criterion in criteria)
    yield from (Paragraph(f"condition: {condition}", item=True) for condition in conditions)
    in_general = {row for change in diff.changes for row in change.general}
    yield from (Paragraph(f"log{', in general' if row in in_general else ''}: {log[row]}", item=True) for row in rows)
    if not rows and not diff.of_two_policies:
        yield Paragraph("no row of the log reports it", item=True)


def _cases(count: int) -> str:
    return f"{count} case" + ("" if count == 1 else "s")
