"""The history of a policy: what is on file of each revision, and when each counts."""

from __future__ import annotations

from datetime import date
from typing import TypedDict

from kb_tools.model.history import RevisionEntry
from kb_tools.model.parts import DOCUMENT_PARTS
from kb_tools.model.policy import Policy
from kb_tools.serve.view import Link, View

# What is on file of a revision as a whole, in words, the fullest first.
STATES = {
    "document": "document on file",
    "inferred": "criteria inferred from the log",
    "log": "known from the log alone",
    "draft": "draft, in force on no date",
}


class OnFile(TypedDict):
    """A revision: when it counts, and what is on file of each of its parts.

    `state` is "document", "inferred", "log" or "draft". `parts` gives the basis of each part: "DocumentOnFile",
    "InferredFromLog" or "NotOnFile". `until` is null for the latest, and both dates are null for a draft. `whole` says
    whether every part is on file.
    """

    revision: Link
    name: str
    state: str
    month: str
    approval: str | None
    inLog: bool
    since: str | None
    until: str | None
    whole: bool
    parts: dict[str, str]
    current: bool


class Span(TypedDict):
    """How long a revision counts, as shares of the time shown, in percent from its start."""

    start: float
    end: float
    month: float
    approval: float | None


class Timeline(TypedDict):
    """The revisions over time: years as marks, a span each, and the day of the view, in percent of the time shown."""

    years: dict[str, float]
    spans: list[Span | None]
    day: float | None


def on_file(view: View, entry: RevisionEntry) -> OnFile:
    """What is on file of a revision, and when it counts."""
    policy, _ = view.bench.entries[entry.iri]
    bases = set(entry.on_file.values())
    state = (
        "draft"
        if entry.draft
        else "document"
        if "DocumentOnFile" in bases
        else "inferred"
        if "InferredFromLog" in bases
        else "log"
    )
    until = _until(policy, entry)
    current = view.current(policy)
    return {
        "revision": view.link(entry.iri),
        "name": entry.name,
        "state": state,
        "month": entry.month.isoformat()[:7],
        "approval": entry.row.approval_printed or None if entry.row else None,
        "inLog": entry.row is not None,
        "since": None if entry.draft else entry.effective.isoformat(),
        "until": until.isoformat() if until else None,
        "whole": bases == {"DocumentOnFile"},
        "parts": {label: entry.on_file[part] for part, label in DOCUMENT_PARTS.items()},
        "current": current is not None and current.iri == entry.iri,
    }


def _until(policy: Policy, entry: RevisionEntry) -> date | None:
    """The first day on which a later revision counts; None for the latest and for a draft."""
    if entry.draft:
        return None
    later = [
        other.effective for other in policy.released if (other.effective, other.month) > (entry.effective, entry.month)
    ]
    return min(later, default=None)


def timeline(view: View, policy: Policy) -> Timeline:
    """The history as a picture of time, from the year of the first revision to the day shown or the last one."""
    days = [day for entry in policy.released for day in (entry.effective, entry.month)]
    first = date(min(days, default=view.day).year, 1, 1)
    last = max([*days, min(view.day, date(max(days, default=view.day).year + 1, 12, 31))])
    last = date(last.year, 12, 31)
    span = (last - first).days

    def share(day: date) -> float:
        return round(min(max((day - first).days / span, 0), 1) * 100, 2)

    spans: list[Span | None] = []
    for entry in policy.history:
        if entry.draft:
            spans.append(None)
            continue
        approval = entry.row.approval if entry.row else None
        spans.append(
            {
                "start": share(entry.effective),
                "end": share(_until(policy, entry) or last),
                "month": share(entry.month),
                "approval": share(approval) if approval else None,
            }
        )
    return {
        "years": {str(year): share(date(year, 1, 1)) for year in range(first.year, last.year + 1)},
        "spans": spans,
        "day": share(view.day) if first <= view.day <= last else None,
    }
