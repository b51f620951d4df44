"""What kb diff shows: the difference of two revisions as a document."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from kb_tools.model.history import RevisionEntry
from kb_tools.model.parts import BASES, COMPARED_PARTS, DOCUMENT_PARTS
from kb_tools.render import two_policies
from kb_tools.render.cases_under_both import add_impact
from kb_tools.render.page import Document, Paragraph, Table
from kb_tools.revisions.change import Change, Diff


def document(diff: Diff) -> Document:
    """The difference for a reader: labels and places before IRIs."""
    if diff.of_two_policies:
        return two_policies.document(diff)
    old, new = diff.old.entry, diff.new.entry
    shown = Document(f"{diff.new.policy.identifier}: revision {named(old)} compared with {named(new)}")
    shown.section(
        "Verdict",
        Paragraph(f"{new.name} against {old.name}: {diff.words}."),
        *(
            []
            if diff.differ
            else [Paragraph(f"Nothing differs {'' if diff.final else 'yet '}in what both have on file.")]
        ),
        *(
            Paragraph(
                f"Criteria of {entry.name}: {'those of a draft' if entry.draft else BASES[entry.on_file['Criteria']]}.",
                item=True,
            )
            for entry in (old, new)
        ),
        *(Paragraph(line, item=True) for line in diff.of_drafts),
        *(
            Paragraph(
                f"{direction.value.capitalize()} is unconfirmed: by the criteria alone it can be so, but no case could "
                "be made that shows it. It decides nothing.",
                item=True,
            )
            for direction in diff.verdict.unconfirmed
        ),
        *(Paragraph(line, item=True) for line in diff.verdict.borrowed),
        _witnesses(diff),
    )
    for part, title in COMPARED_PARTS.items():
        changes = [change for change in diff.changes if change.part == part]
        reported = ("Reported by the log",) if part in DOCUMENT_PARTS else ()
        shown.section(
            f"Changes of the {title}",
            Table(("Change", old.name, new.name, *reported), [_change_row(diff, change) for change in changes]),
        )
    shown.section(
        "Not compared",
        *(Paragraph(line, item=True) for line in not_compared(diff)),
    )
    shown.section(
        "The log compared with the changes",
        Table(
            ("Row", "Statement", "Finding", "Why"),
            [(logged.row_label, logged.label, logged.finding.value, logged.why) for logged in diff.log],
        ),
        *([] if diff.log else [Paragraph("No row of the log between the two reports a change.")]),
        *(
            Paragraph(f"The log has no row for {entry.name}: reviews that it does not list are likely.")
            for entry in (old, new)
            if entry.row is None
        ),
    )
    shown.section(
        "Changes that no row of the log reports",
        *(
            Paragraph(f"{COMPARED_PARTS[change.part]}: {change.label}: {change.kind.value}.", item=True)
            for change in diff.unexplained
        ),
    )
    if diff.impact:
        add_impact(shown, diff, diff.impact)
    return shown


def named(entry: RevisionEntry) -> str:
    """Its name, and whether it is a draft."""
    return f"{entry.name} (draft)" if entry.draft else entry.name


def not_compared(diff: Diff) -> Iterator[str]:
    """What is not compared, and why: a line for each reason."""
    for side in dict.fromkeys(side for _, side in diff.unknown):
        parts = [COMPARED_PARTS[part] for part, lacking in diff.unknown if lacking == side and part in DOCUMENT_PARTS]
        if parts:
            yield f"{', '.join(parts)}: not on file for {side}."
    yield from (
        f"{COMPARED_PARTS[part]}: they stand throughout the document, and not all of it is on file for {side}."
        for part, side in diff.unknown
        if part not in DOCUMENT_PARTS
    )


def _change_row(diff: Diff, change: Change) -> tuple[str, ...]:
    row = (f"{change.kind.value}:\n{change.label}", "\n".join(change.before), "\n".join(change.after))
    if change.part not in DOCUMENT_PARTS:
        return row
    named, general = _rows(diff, change.named), _rows(diff, change.general)
    reported = "\n".join(part for part in (named, f"in general:\n{general}" if general else "") if part)
    return *row, reported or "no row"


def _rows(diff: Diff, statements: Iterable[str]) -> str:
    """The printed months of the rows that log statements belong to."""
    months = {logged.statement: logged.row_label for logged in diff.log}
    return ", ".join(dict.fromkeys(months[statement] for statement in statements))


def _witnesses(diff: Diff) -> Table:
    """The smallest cases that show the verdict; a column for what they leave open, where one does."""
    found = diff.verdict.witnesses
    columns = ["Where these hold", "and these fail", "and these are open"]
    shown = columns if any(witness.groups[-1] for witness in found) else columns[:-1]
    return Table(
        ("Witness", *shown),
        [
            (
                f"{witness.direction.value}:\n"
                f"{witness.before.value} under {diff.old.entry.name},\n"
                f"{witness.after.value} under {diff.new.entry.name}\n"
                "(a generated case comes to both)",
                *(_labels(diff, iris) for iris in witness.groups[: len(shown)]),
            )
            for witness in found
        ],
    )


def _labels(diff: Diff, iris: Collection[str]) -> str:
    """The labels of conditions, a line for each."""
    return "\n".join(f"- {label}" for iri, label in diff.conditions.items() if iri in iris) or "none"
