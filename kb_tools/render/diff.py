"""What kb diff shows: the difference of two revisions as a document, or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kb_tools.cases import Malformed
from kb_tools.diff import PARTS, Change, Diff, Finding, Witness
from kb_tools.impact import Flip, Replay
from kb_tools.render import json as as_json
from kb_tools.render.document import Document, Paragraph, Table
from kb_tools.render.text import BASES
from kb_tools.truth import Value


@dataclass
class Impact:
    """What became of the cases replayed under both revisions."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    flips: list[Flip] = field(default_factory=list)
    malformed: list[Malformed] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """A difference with its witnesses determined, and, where cases were given, their impact.

    Attributes:
        witnesses: each witness of the verdict, with the generated case that bears it out, if one could be made.
    """

    diff: Diff
    witnesses: Sequence[tuple[Witness, Replay | None]]
    impact: Impact | None


def document(report: Report) -> Document:
    """The difference for a reader: labels and places before IRIs."""
    diff = report.diff
    old, new = diff.old.entry, diff.new.entry
    shown = Document(f"{diff.new.policy.identifier}: revision {old.name} compared with {new.name}")
    basis = (f"{entry.name}: criteria {BASES[entry.bases['Criteria']]}" for entry in (old, new))
    shown.section(
        "Verdict",
        Paragraph(f"{new.name} against {old.name}: {diff.verdict.words}."),
        *(Paragraph(_witness_line(diff, *each), item=True) for each in report.witnesses),
        Paragraph("; ".join(basis) + "."),
    )
    for part, title in PARTS.items():
        changes = [change for change in diff.changes if change.part == part]
        shown.section(
            f"Changes of the {title}",
            Table(
                ("What, and how", old.name, new.name, "Told by the log"),
                [_change_row(diff, change) for change in changes],
            ),
        )
    shown.section(
        "Not compared",
        *(Paragraph(f"{PARTS[part]}: not on file for {side}.", item=True) for part, side in diff.unknown),
    )
    shown.section(
        "The log held against the changes",
        Table(
            ("Row", "Statement", "Finding", "Why"),
            [(each.row_label, each.label, each.finding.value, each.why) for each in diff.log],
        ),
        *([] if diff.log else [Paragraph("No row of the log between the two reports a change.")]),
    )
    shown.section(
        "Changes that no row of the log tells of",
        *(Paragraph(f"{PARTS[each.part]}: {each.label} ({each.kind.value}).", item=True) for each in diff.unexplained),
    )
    if report.impact:
        _add_impact(shown, diff, report.impact)
    return shown


def _change_row(diff: Diff, change: Change) -> tuple[str, ...]:
    named, general = _row_names(diff, change.named), _row_names(diff, change.general)
    told = "\n".join(part for part in (named, f"in general: {general}" if general else "") if part)
    return f"{change.label}\n{change.kind.value}", "\n".join(change.before), "\n".join(change.after), told or "-"


def _row_names(diff: Diff, statements: Iterable[str]) -> str:
    """The printed months of the rows that log statements belong to."""
    months = {each.statement: each.row_label for each in diff.log}
    return ", ".join(dict.fromkeys(months[each] for each in statements))


def _witness_line(diff: Diff, witness: Witness, replay: Replay | None) -> str:
    before = f"{witness.before.value} under {diff.old.entry.name}"
    after = f"{witness.after.value} under {diff.new.entry.name}"
    holding, failing = (
        ", ".join(diff.conditions[iri] for iri, value in sorted(witness.values.items()) if value is wanted)
        for wanted in (Value.HOLDS, Value.FAILS)
    )
    parts = [f"holding: {holding}" if holding else "", f"failing: {failing}" if failing else ""]
    borne = "a generated case comes to both" if replay else "no case could be generated from the examples"
    return f"{before}, {after}: {'; '.join(part for part in parts if part)} ({borne})."


def _add_impact(shown: Document, diff: Diff, impact: Impact) -> None:
    old, new = diff.old.entry.name, diff.new.entry.name
    shown.section(
        "Cases under both",
        Table(
            (f"Under {old}", f"Under {new}", "Cases"),
            [(before, after, str(count)) for (before, after), count in sorted(impact.counts.items())],
        ),
        *(Paragraph(f"{each.case.title}: malformed, not determined.", item=True) for each in impact.malformed),
    )
    grouped: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], list[Flip]] = {}
    for flip in impact.flips:
        grouped.setdefault((flip.before.value, flip.after.value, flip.criteria, flip.conditions), []).append(flip)
    for (before, after, criteria, conditions), flips in sorted(grouped.items()):
        count = f"{len(flips)} case" + ("s" if len(flips) > 1 else "")
        shown.section(
            f"Flip from {before} to {after}: {count}",
            *(Paragraph(f"Criterion: {each}", item=True) for each in criteria),
            *(Paragraph(f"Condition: {each}", item=True) for each in conditions),
            Paragraph(f"Log: {_row_names(diff, flips[0].rows) or 'no row tells of it'}", item=True),
            Paragraph("Cases: " + ", ".join(flip.case.rpartition("/")[2] for flip in flips), item=True),
        )


def json(report: Report) -> str:
    """The same for other programs."""
    diff = report.diff
    content: dict[str, Any] = {
        "policy": diff.new.policy.identifier,
        "old": diff.old.entry.name,
        "new": diff.new.entry.name,
        "basis": {side.entry.name: dict(side.entry.bases) for side in (diff.old, diff.new)},
        "verdict": {
            "direction": diff.verdict.direction.value,
            "by": diff.verdict.by or None,
            "byInference": diff.verdict.inferred,
            "witnesses": [_witness_json(*each) for each in report.witnesses],
        },
        "changes": [
            {
                "part": each.part,
                "kind": each.kind.value,
                "iri": each.iri,
                "label": each.label,
                "before": list(each.before),
                "after": list(each.after),
                "logNames": list(each.named),
                "logInGeneral": list(each.general),
            }
            for each in diff.changes
        ],
        "notCompared": [{"part": part, "notOnFileFor": side} for part, side in diff.unknown],
        "log": [
            {
                "row": each.row_label,
                "statement": each.statement,
                "label": each.label,
                "finding": each.finding.value,
                "why": each.why,
            }
            for each in diff.log
        ],
        "unexplained": [each.iri for each in diff.unexplained],
    }
    if report.impact:
        content["impact"] = {
            "counts": [
                {"old": before, "new": after, "cases": count}
                for (before, after), count in sorted(report.impact.counts.items())
            ],
            "flips": [
                {
                    "case": each.case,
                    "old": each.before.value,
                    "new": each.after.value,
                    "criteria": list(each.criteria),
                    "conditions": list(each.conditions),
                    "log": list(each.rows),
                }
                for each in report.impact.flips
            ],
            "malformed": [each.case.title for each in report.impact.malformed],
        }
    return as_json.dump(content)


def _witness_json(witness: Witness, replay: Replay | None) -> dict[str, Any]:
    return {
        "values": {iri: value.value for iri, value in sorted(witness.values.items())},
        "old": witness.before.value,
        "new": witness.after.value,
        "borneOutByCase": replay is not None,
    }


def failing(report: Report, fail_on: Iterable[str]) -> bool:
    """Whether one of the things that a pipeline wants to fail on is there."""
    diff = report.diff
    claims = {Finding.NOT_FOUND, Finding.CONTRADICTED}
    there: Mapping[str, bool] = {
        "stricter": diff.verdict.stricter is not None,
        "flips": bool(report.impact and report.impact.flips),
        "unexplained": bool(diff.unexplained) or any(each.finding in claims for each in diff.log),
    }
    return any(there[each] for each in fail_on)
