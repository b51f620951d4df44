"""What the page says of a case: what is wrong with it, each thing with its field, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from kb_tools import printable
from kb_tools.cases.case import Case, Violation
from kb_tools.cases.plain import SEE_SCHEMA
from kb_tools.determine.in_words import AskGroup, Asks, keeps_open, to_send_in
from kb_tools.determine.result import Determination
from kb_tools.errors import KbError, Slips
from kb_tools.model.parts import BASES
from kb_tools.model.repository import Repository
from kb_tools.render.determination_text import TITLES, advice, consequence, reasons
from kb_tools.serve.case.fields import Fields, Written

# The input, as errors call it.
SOURCE = "case"
NEEDED = "Needed, and not stated yet."


class Slip(TypedDict):
    """Something wrong with a case.

    `field` is the name of the field that it stands beside, "" for none. `missing` says that nothing is stated where
    something must be.
    """

    field: str
    text: str
    missing: bool


class CriterionValue(TypedDict):
    """The value of a criterion, and why. `depth` is 0 for one that is part of no other."""

    iri: str
    place: str
    label: str
    value: str
    decides: bool
    depth: int
    reasons: list[str]


class Sending(TypedDict):
    """What to send in: a text with remarks, or several things.

    `operator`: "all" or "any" of these, or in words how many ("at least 2 more of").
    """

    text: str
    remarks: list[str]
    operator: str
    parts: list[Sending]


class Status(TypedDict):
    """The status of the criteria of a revision on a case."""

    outcome: str
    title: str
    consequence: str
    because: str
    policy: str
    revision: str
    revisionIri: str
    basis: str
    serviceDate: str
    criteria: list[CriterionValue]
    toSend: Sending | None
    advice: list[str]
    reminders: list[str]
    notices: list[str]


class Answer(TypedDict):
    """What became of a case. `status` is null where it is not determined: `slips` or `refusal` say why."""

    slips: list[Slip]
    refusal: str
    status: Status | None


def refused(slips: list[Slip], refusal: str = "") -> Answer:
    """The answer where a case is not determined."""
    return {"slips": slips, "refusal": refusal, "status": None}


# ---------------------------------------------------------------------- what is wrong


def of_error(error: KbError, found: Written) -> list[Slip]:
    """What an error says is wrong, each thing beside its field."""
    slips = error.slips if isinstance(error, Slips) else (error,)
    return _once(_slip(slip, found) for slip in slips)


def _slip(error: KbError, found: Written) -> Slip:
    place = error.where.removeprefix(SOURCE).removeprefix(": ")
    name = found.field_of(place)
    # The form shows what each field takes.
    hint = "" if error.hint == SEE_SCHEMA else error.hint
    # A hint that is a sentence goes on from what is said before it.
    hint = hint[:1].lower() + hint[1:] if hint[1:2].islower() else hint
    text = f"{error.what}; {hint}" if hint else error.what
    # A place without a field of its own, as a line of a file, is part of what is said.
    own = not place or place in found.fields
    where = "" if own else f"line {place[1:]}: " if place.startswith(":") else f"{place}: "
    return {"field": name, "text": printable.line(where + text), "missing": False}


def of_violations(
    kb: Repository, case: Case, violations: Iterable[Violation], found: Written, stated: Fields
) -> list[Slip]:
    """How a case that fields state breaks the case shapes, each thing beside its field."""
    slips: list[Slip] = []
    for violation in violations:
        place = "" if violation.focus in ("the case", printable.line(case.iri)) else violation.focus
        form = found.forms.get(place)
        key = (
            next((key for key in form.keys.values() if kb.curie(str(key.path)) == violation.path), None)
            if form
            else None
        )
        at = ".".join(part for part in (place, key.name if key else "") if part)
        name = found.field_of(at)
        missing = key is not None and key.required and not any(text.strip() for text in stated.get(name, ()))
        slips.append({"field": name, "text": NEEDED if missing else violation.message, "missing": missing})
    return _once(slips)


def of_file(violations: Iterable[Violation]) -> list[Slip]:
    """How the case of a file breaks the case shapes, in the words of the file."""
    texts = (f"{violation.place}: {violation.message}" for violation in violations)
    return _once({"field": "", "text": printable.line(text), "missing": False} for text in texts)


def _once(slips: Iterable[Slip]) -> list[Slip]:
    return list({(slip["field"], slip["text"]): slip for slip in slips}.values())


# ---------------------------------------------------------------------- what it comes to


def of_determination(found: Determination) -> Answer:
    """The answer for a case that is determined."""
    revision, asked = found.revision, to_send_in(found)
    given = [(advisory, advice(found, advisory)) for advisory in found.advisories]
    status: Status = {
        "outcome": found.outcome.value,
        "title": TITLES[found.outcome].capitalize(),
        "consequence": consequence(found).removeprefix("- "),
        "because": found.because,
        "policy": revision.policy.identifier,
        "revision": revision.entry.name,
        "revisionIri": str(revision.iri),
        "basis": BASES[revision.basis("Criteria")],
        "serviceDate": found.service_date.isoformat(),
        "criteria": _criteria(found),
        "toSend": _sending(asked) if asked else None,
        "advice": [text for advisory, text in given if advisory.when],
        "reminders": [text for advisory, text in given if not advisory.when],
        "notices": list(found.notices),
    }
    return {"slips": [], "refusal": "", "status": status}


def _criteria(found: Determination) -> list[CriterionValue]:
    """The criteria, first those that decide or that keep the outcome open, each followed by its parts."""
    tops = sorted(found.criterion_results, key=lambda top: not (top.decides or keeps_open(found, top)))
    return [
        {
            "iri": result.criterion.iri,
            "place": result.criterion.notation,
            "label": result.criterion.label,
            "value": result.value.value,
            "decides": top.decides or keeps_open(found, top),
            "depth": int(result is not top),
            "reasons": list(reasons(found, result)),
        }
        for top in tops
        for result in top.with_parts()
    ]


def _sending(asks: Asks) -> Sending:
    if isinstance(asks, AskGroup):
        operator = asks.how_many if asks.operator == "atLeast" else asks.operator
        return {"text": "", "remarks": [], "operator": operator, "parts": [_sending(part) for part in asks.parts]}
    return {"text": asks.what, "remarks": list(asks.remarks), "operator": "", "parts": []}
