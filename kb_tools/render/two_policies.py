"""What kb diff shows of revisions of two policies: what each requires, as a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from rdflib import URIRef

from kb_tools.determine.result import Outcome
from kb_tools.model.parts import BASES, COMPARED_PARTS, DOCUMENT_PARTS
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import POL
from kb_tools.render.cases_under_both import add_impact
from kb_tools.render.page import Document, Paragraph, Table
from kb_tools.revisions.change import Diff, ListedCode
from kb_tools.revisions.requirements import Contrast
from kb_tools.revisions.verdict import Direction
from kb_tools.revisions.words import in_one_line, required_by

PolicyRow: TypeAlias = tuple[str, str, str, str]
# What is each policy's own, and is compared only between revisions of one.
_OWN = ("Definitions", "References", "Evidence", "Advisories")


def document(diff: Diff) -> Document:
    """The comparison for a reader who knows neither policy."""
    old, new = diff.names
    shown = Document(f"{old} compared with {new}")
    shown.section(
        "The two policies",
        Table(("Revision", "Title", "Publisher", "Criteria"), policies(diff)),
    )
    shown.section(
        "Verdict",
        Paragraph(f"{new} against {old}: {diff.words}."),
        Paragraph(in_a_sentence(diff)),
        *(
            block
            for lacking, items in differences(diff)
            for block in (Paragraph(f"{lacking}:"), *(Paragraph(item, item=True) for item in items))
        ),
        *map(Paragraph, notes(diff)),
    )
    for side, name, other in ((diff.old, old, new), (diff.new, new, old)):
        found = alone(diff, side)
        shown.section(
            f"What {name} requires, and {other} does not",
            *([] if found else [Paragraph("Nothing.")]),
            Table(("It requires", "By", "A case that shows it"), [_alone_row(diff, contrast) for contrast in found]),
        )
    shown.section(
        "What both require",
        Table(
            ("Requires", f"By, in {old}", f"By, in {new}"),
            [
                ("\n".join(required_by(diff.old, contrast.requirement)), contrast.requirement.place, places(contrast))
                for contrast in shared(diff, diff.old)
            ],
        ),
        *(
            Paragraph(f"{new} requires it in other words: {'; '.join(required_by(diff.new, contrast.requirement))}.")
            for contrast in shared(diff, diff.new)
            if not any(contrast.requirement.says == theirs.says for theirs in contrast.matches)
        ),
    )
    shown.section(
        "How each classes what it does not support",
        Table(
            ("Revision", "Classed as"),
            [
                (name, side.disposition[1] if side.disposition else "not on file")
                for name, side in ((old, diff.old), (new, diff.new))
            ],
        ),
    )
    shown.section(
        "Billing codes",
        Table(
            ("Code", "For", old, new),
            [(code.number, code.gloss, *listed(code)) for code in diff.codes],
        ),
    )
    shown.section("Not compared", *(Paragraph(line, item=True) for line in not_compared(diff)))
    if diff.impact:
        add_impact(shown, diff, diff.impact)
    return shown


def policies(diff: Diff) -> list[PolicyRow]:
    """What each side is called, its title, its publisher, and what its criteria rest on."""
    rows = []
    for side in (diff.old, diff.new):
        publisher = str(side.policy.shared.value(URIRef(side.policy.iri), POL.publisherName) or "not stated")
        rows.append((diff.name_of(side), side.policy.title, publisher, BASES[side.entry.bases["Criteria"]]))
    return rows


def alone(diff: Diff, side: Revision) -> list[Contrast]:
    """What one side requires and the other does not."""
    return [one for one in diff.contrasts if one.side.entry.iri == side.entry.iri and not one.shared]


def shared(diff: Diff, side: Revision) -> list[Contrast]:
    """What one side requires and the other requires too."""
    return [one for one in diff.contrasts if one.side.entry.iri == side.entry.iri and one.shared]


def places(contrast: Contrast) -> str:
    """Where the other side requires the same."""
    return ", ".join(dict.fromkeys(match.place for match in contrast.matches)) or "several criteria together"


def listed(code: ListedCode) -> Iterator[str]:
    """Whether each side lists a code, in words."""
    words = {True: "listed", False: "not listed", None: "not known"}
    yield from (words[known] for known in code.listed)


def in_a_sentence(diff: Diff) -> str:
    """The verdict for a reader who does not know its words."""
    old, new = diff.names
    return {
        Direction.STRICTER: f"Every case that meets {new} meets {old} too, and some that meet {old} do not meet {new}.",
        Direction.LOOSER: f"Every case that meets {old} meets {new} too, and some that meet {new} do not meet {old}.",
        Direction.MIXED: f"Some cases meet {old} and not {new}, and others meet {new} and not {old}.",
        Direction.EQUIVALENT: "Every case comes to the same under both.",
        Direction.RESCOPED: "The same cases meet both. Some that do not meet the one are outside of the other.",
        Direction.UNCONFIRMED: "By the criteria alone they may differ, but no case could be made that shows it.",
    }[diff.verdict.direction]


def differences(diff: Diff) -> Iterator[tuple[str, list[str]]]:
    """What each side does not require and does not exclude of what the other does."""
    old, new = diff.names
    for name, side in ((new, diff.old), (old, diff.new)):
        for excluded, lacks in ((False, "does not require"), (True, "does not exclude")):
            found = [
                in_one_line(side, contrast.requirement.part)
                for contrast in alone(diff, side)
                if contrast.requirement.excluded is excluded
            ]
            if found:
                yield f"{name} {lacks}", found


def notes(diff: Diff) -> Iterator[str]:
    """What a reader of the verdict must know of what it rests on."""
    yield from diff.of_drafts
    yield from (
        f"{direction.value.capitalize()} is unconfirmed: by the criteria alone it can be so, but no case could be made "
        "that shows it. It decides nothing."
        for direction in diff.verdict.unconfirmed
    )
    yield from diff.verdict.borrowed


def not_compared(diff: Diff) -> Iterator[str]:
    """What is not compared between two policies, and why; and what is not on file of what is."""
    for lacking in dict.fromkeys(lacking for part, lacking in diff.unknown if part not in _OWN):
        parts = [COMPARED_PARTS[part] for part, of in diff.unknown if of == lacking and part not in _OWN]
        yield f"{', '.join(parts)}: not on file for {lacking}."
    for name, side in zip(diff.names, (diff.old, diff.new), strict=True):
        if side.entry.in_part:
            parts = [DOCUMENT_PARTS[part] for part in side.entry.in_part]
            yield f"{', '.join(parts)}: on file for {name} in part; what is not stated may be in it all the same."
    yield f"{', '.join(COMPARED_PARTS[part] for part in _OWN)}: each policy's own; compared between its own revisions."
    yield "revision log: two policies have none in common."


def _alone_row(diff: Diff, contrast: Contrast) -> tuple[str, ...]:
    requires = "\n".join(required_by(contrast.side, contrast.requirement))
    if not contrast.by_itself:
        requires += "\n(what fails this fails another of its criteria too)"
    return requires, contrast.requirement.place, "\n".join(shown_by(diff, contrast))


def shown_by(diff: Diff, contrast: Contrast) -> Iterator[str]:
    """What a case of a requirement that is not shared comes to under each side, a line for each."""
    if not contrast.replay:
        yield "By the criteria alone: no case could be made that shows it."
        return
    for name, outcome in zip(diff.names, comes_to(contrast), strict=True):
        what, _, why = outcome.partition(": ")
        yield f"{what} under {name}{': ' if why else ''}{why}"


def comes_to(contrast: Contrast) -> tuple[str, str]:
    """What the case of a requirement comes to under each side, with the reason where not met; "" without a case."""
    if contrast.replay is None:
        return "", ""
    first, second = (
        f"{found.outcome.value}: {found.because}"
        if found.because and found.outcome is not Outcome.MET
        else found.outcome.value
        for found in (contrast.replay.before, contrast.replay.after)
    )
    return first, second
