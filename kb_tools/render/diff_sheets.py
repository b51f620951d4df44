"""The difference of two revisions as sheets of a spreadsheet: changes, verdict and witnesses, log, flips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kb_tools.model.parts import BASES, COMPARED_PARTS
from kb_tools.render import two_policies
from kb_tools.render.diff import named, not_compared
from kb_tools.render.spreadsheet import Sheet, spreadsheet
from kb_tools.revisions.change import Diff
from kb_tools.revisions.words import required_by

Row = tuple[str, str, str, str, str]


def workbook(diff: Diff) -> bytes:
    """The difference as a spreadsheet.

    Raises:
        KbError: openpyxl is not installed.
    """
    old, new = named(diff.old.entry), named(diff.new.entry)
    title = f"{diff.new.policy.identifier}: revision {old} compared with {new}"
    if diff.of_two_policies:
        title = " compared with ".join(diff.names)
    return spreadsheet(title, sheets(diff))


def sheets(diff: Diff) -> list[Sheet]:
    """The sheets, each with what `kb diff` shows of it; things that have an IRI with their IRI."""
    old, new = diff.names
    flips = Sheet(
        "Flips", ("Case", f"Under {old}", f"Under {new}", "Criteria", "Conditions", "Log rows"), list(_flips(diff))
    )
    if diff.of_two_policies:
        return [*_of_two_policies(diff), flips]
    return [
        Sheet(
            "Changes",
            ("Part", "Change", "Of", "IRI", old, new, "Log rows that name it", "Log rows that name its part"),
            [
                (
                    COMPARED_PARTS[change.part],
                    change.kind.value,
                    change.label,
                    change.iri,
                    "\n".join(change.before),
                    "\n".join(change.after),
                    _rows(diff, change.named),
                    _rows(diff, change.general),
                )
                for change in diff.changes
            ],
        ),
        Sheet("Verdict and witnesses", ("About", "Says", "IRI", f"Under {old}", f"Under {new}"), list(_verdict(diff))),
        Sheet(
            "Log",
            ("Row", "Statement", "IRI", "Finding", "Why"),
            [
                (logged.row_label, logged.label, logged.statement, logged.finding.value, logged.why)
                for logged in diff.log
            ],
        ),
        flips,
    ]


def _of_two_policies(diff: Diff) -> Iterator[Sheet]:
    """What each of two policies requires, with the cases that show it; the verdict; and the codes."""
    old, new = diff.names
    yield Sheet(
        "Requirements",
        ("Required by", "Place", "Requires", "IRI", "The other", f"A case under {old}", f"The case under {new}"),
        [
            (
                diff.name_of(one.side),
                one.requirement.place,
                "\n".join(required_by(one.side, one.requirement)),
                one.requirement.criterion.iri,
                f"requires it too: {two_policies.places(one)}" if one.shared else "does not",
                *two_policies.comes_to(one),
            )
            for one in diff.contrasts
        ],
    )
    says = [("verdict", diff.words), ("in words", two_policies.in_a_sentence(diff))]
    says += [(lacking, "\n".join(items)) for lacking, items in two_policies.differences(diff)]
    says += [("note", line) for line in two_policies.notes(diff)]
    says += [("not compared", line) for line in two_policies.not_compared(diff)]
    yield Sheet("Verdict", ("About", "Says"), says)
    yield Sheet(
        "Codes",
        ("Code", "For", "IRI", old, new),
        [(code.number, code.gloss, code.iri, *two_policies.listed(code)) for code in diff.codes],
    )


def _rows(diff: Diff, statements: Iterable[str]) -> str:
    """Log statements in words, a line for each."""
    words = {logged.statement: f"{logged.row_label}, {logged.label}" for logged in diff.log}
    return "\n".join(words[statement] for statement in statements)


def _verdict(diff: Diff) -> Iterator[Row]:
    def told(about: str, says: str) -> Row:
        return about, says, "", "", ""

    yield told("verdict", diff.words)
    for entry in (diff.old.entry, diff.new.entry):
        yield told(f"criteria of {named(entry)}", BASES[entry.bases["Criteria"]])
    yield from (told("draft", line) for line in diff.of_drafts)
    yield from (told("borrowed definition", line) for line in diff.verdict.borrowed)
    yield from (told("not compared", line) for line in not_compared(diff))
    yield from (
        told(f"unconfirmed: {direction.value}", "no case could be made that shows it")
        for direction in diff.verdict.unconfirmed
    )
    for witness in diff.verdict.witnesses:
        about = f"witness: {witness.direction.value}"
        yield about, "a generated case comes to both", "", witness.before.value, witness.after.value
        for iri, label in diff.conditions.items():
            if iri in witness.values:
                yield about, f"{label}: {witness.values[iri].value}", iri, "", ""


def _flips(diff: Diff) -> Iterator[tuple[str, ...]]:
    if diff.impact is None:
        yield "no cases were determined under both; name some with --cases", "", "", "", "", ""
        return
    for flip in diff.impact.flips:
        causes = ("\n".join(flip.criteria), "\n".join(flip.conditions), _rows(diff, flip.rows))
        yield flip.case, flip.before.value, flip.after.value, *causes
    for answer in diff.impact.malformed:
        yield answer.case.title, "malformed, not determined", "malformed, not determined", "", "", ""
    for error in diff.impact.errors:
        yield str(error), "cannot be read", "cannot be read", "", "", ""
