"""What a case comes to, for a program that works on it for someone: what is wrong with a case quotes nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from rdflib.namespace import RDF

from kb_tools import printable
from kb_tools.cases.case import Case, Malformed, Violation
from kb_tools.cases.form import CaseForms, Form, Key
from kb_tools.cases.template import takes
from kb_tools.determine.in_words import Ask, to_ask
from kb_tools.determine.result import REVIEW, CriterionResult, Determination, NotDetermined
from kb_tools.determine.run import Answer
from kb_tools.errors import KbError, Slips
from kb_tools.model.parts import BASES
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import SH
from kb_tools.render.determination_text import TITLES, advice, consequence
from kb_tools.render.questionnaire import asked
from kb_tools.serve.case.answer import SOURCE
from kb_tools.serve.typed import TypedDict

# So many values that a key takes are listed.
_FEW = 12

OutcomeName = Literal[
    "CriteriaMet", "CriteriaNotMet", "PolicyNotApplicable", "InformationNeeded", "InformationConflicting"
]
ValueName = Literal["holds", "fails", "unknown", "conflicting"]


class Slip(TypedDict):
    """Something wrong with a case: where in it, and what to do. It quotes no value of the case."""

    place: str
    text: str


class _CriterionStatus(TypedDict):
    criterion: str
    role: str
    place: str
    label: str
    value: ValueName
    decides: bool
    reason: str
    within: str | None


class CriterionStatus(_CriterionStatus, total=False):
    """The value of one criterion. `within` is the IRI of the criterion that it is a part of, null for none.

    `limits`: of a limitation or exclusion that limits some indications only, the IRIs of these.
    """

    limits: list[str]


class SendIn(TypedDict):
    """One condition that is open, and what to send in for it. `leftOpenBy`: what is stated, and does not settle it."""

    condition: str
    asksFor: str
    toSettle: list[str]
    leftOpenBy: list[str]


class AllOf(TypedDict):
    """All of these are to be sent in."""

    allOf: list[SendIn | AllOf | AnyOf | AtLeast]


class AnyOf(TypedDict):
    """Any one of these can be enough."""

    anyOf: list[SendIn | AllOf | AnyOf | AtLeast]


class AtLeast(TypedDict):
    """At least so many of these are to be sent in, beside what counts already; what can count twice stands twice."""

    atLeast: int
    of: list[SendIn | AllOf | AnyOf | AtLeast]


class KeyTaken(TypedDict):
    """A key of plain JSON, and what it takes."""

    key: str
    required: bool
    takes: str


class WrittenAs(TypedDict):
    """Where an answer goes in a case as plain JSON: "case", "request", "product", or a product or finding of a type."""

    object: str
    keys: list[KeyTaken]


class Missing(TypedDict):
    """One condition that can still change the outcome: what to ask, what to send in, and where the answer goes."""

    condition: str
    label: str
    value: ValueName
    question: str
    sendIn: str
    remarks: list[str]
    writtenAs: list[WrittenAs]


class Advice(TypedDict):
    """What the policy's document advises; it does not decide. `always`: it is given with every determination."""

    text: str
    always: bool


class Determined(TypedDict):
    """The status of the criteria of a revision on a case, for a clinician to review: no approval and no denial."""

    policy: str
    revision: str
    criteriaBasis: str
    serviceDate: str
    outcome: OutcomeName
    meaning: str
    because: str
    referredTo: str | None
    criteria: list[CriterionStatus]
    toSend: AllOf | AnyOf | AtLeast | None
    advisories: list[Advice]
    notices: list[str]
    review: str


class Status(Determined):
    """The same, with what is missing."""

    missing: list[Missing]


class Assessed(TypedDict):
    """What became of a case. `status` is null where it is not determined: `slips` or `refusal` say why."""

    slips: list[Slip]
    refusal: str
    status: Status | None


def assessed(forms: CaseForms, answered: Answer | KbError) -> Assessed:
    """What is told of an answer."""
    if isinstance(answered, Determination):
        return {"slips": [], "refusal": "", "status": _status(forms, answered)}
    if isinstance(answered, Malformed):
        slips = [_of_violation(forms.kb, answered.case, violation) for violation in answered.violations]
        return {"slips": _once(slips), "refusal": "", "status": None}
    error = answered.error if isinstance(answered, NotDetermined) else answered
    if isinstance(answered, NotDetermined) or not error.where.startswith(SOURCE):
        return {"slips": [], "refusal": error.without_input(), "status": None}
    found = error.slips if isinstance(error, Slips) else (error,)
    return {"slips": _once([_of_error(slip) for slip in found]), "refusal": "", "status": None}


# ---------------------------------------------------------------------- what is wrong


def _of_error(error: KbError) -> Slip:
    """What an error says, at its place in the case: keys of plain JSON, a line, or an entry of a bundle."""
    place = error.where.removeprefix(SOURCE).removeprefix(": ")
    return {"place": f"line {place[1:]}" if place.startswith(":") else place, "text": error.without_input()}


def _of_violation(kb: Repository, case: Case, violation: Violation) -> Slip:
    """How a case breaks a case shape. A name that the case gives a node, and what is no term of ours, is not told."""
    known = {kb.curie(str(path)) for path in kb.case_shapes.objects(None, SH.path)}
    path = violation.path if violation.path in known else "a property that no case has" if violation.path else ""
    place = " ".join(part for part in (_node(kb, case, violation.focus), path) if part)
    return {"place": place, "text": printable.line(violation.message)}


def _node(kb: Repository, case: Case, focus: str) -> str:
    """What a node of a case is called: by its place, or else by its class."""
    if focus == "the case" or focus in case.places.values():
        return focus
    own = next((node for node in case.names if printable.line(case.in_file(node)) == focus), None)
    kind = case.value(own, RDF.type) if own else None
    if own == case.node:
        return "the case"
    if kind is not None and (kind, None, None) in kb.ontology:
        return f"a {kb.curie(str(kind))}"
    unnamed = focus.removeprefix("an unnamed ")
    terms = {kb.curie(str(term)) for term in kb.ontology.subjects(RDF.type, None)}
    return f"an unnamed {unnamed}" if unnamed in terms else "a node"


def _once(slips: list[Slip]) -> list[Slip]:
    return list({(slip["place"], slip["text"]): slip for slip in slips}.values())


# ---------------------------------------------------------------------- what it comes to


def _status(forms: CaseForms, found: Determination) -> Status:
    content = found.to_dict()
    revision = found.revision
    meaning = " ".join(part for part in (TITLES[found.outcome].capitalize(), consequence(found)) if part)
    return {
        "policy": revision.policy.identifier,
        "revision": revision.entry.name,
        "criteriaBasis": BASES[revision.basis("Criteria")],
        "serviceDate": content["serviceDate"],
        "outcome": content["outcome"],
        "meaning": meaning,
        "because": found.because,
        "referredTo": content["referredTo"],
        "criteria": [status for top in found.criterion_results for status in _criterion(top, None)],
        "toSend": content["toSend"],
        "missing": [_missing(forms, found, iri) for iri in revision.conditions if iri in found.to_send],
        "advisories": [{"text": advice(found, one), "always": not one.when} for one in found.advisories],
        "notices": list(found.notices),
        "review": REVIEW,
    }


def _criterion(result: CriterionResult, within: str | None) -> Iterator[CriterionStatus]:
    criterion = result.criterion
    status: CriterionStatus = {
        "criterion": criterion.iri,
        "role": criterion.role,
        "place": criterion.notation,
        "label": criterion.label,
        "value": result.value.value,
        "decides": result.decides,
        "reason": result.reason,
        "within": within,
    }
    if criterion.limits:
        status["limits"] = list(criterion.limits)
    yield status
    for part in result.parts:
        yield from _criterion(part, criterion.iri)


def _missing(forms: CaseForms, found: Determination, iri: str) -> Missing:
    result = found.condition_results[iri]
    wanted: Ask = to_ask(result)
    return {
        "condition": iri,
        "label": result.condition.label,
        "value": result.value.value,
        "question": f"What does the chart state, or the requester attest, of this? {result.condition.asks_for}",
        "sendIn": wanted.what,
        "remarks": list(wanted.remarks),
        "writtenAs": [_written(thing.form, thing.key) for thing in asked(forms, found, [iri])],
    }


def _written(form: Form, key: Key | None) -> WrittenAs:
    keys = list(form.keys.values()) if key is None else [key]
    taken: list[KeyTaken] = [{"key": one.name, "required": one.required, "takes": _takes(one)} for one in keys]
    return {"object": form.name if key is None else form.name.lower(), "keys": taken}


def _takes(key: Key) -> str:
    if not key.terms:
        return takes(key)
    names = list(key.terms)
    more = f" and {len(names) - _FEW} more (case_template lists them)" if len(names) > _FEW else ""
    return f"{'Any of, in brackets' if key.many else 'One of'}: {', '.join(names[:_FEW])}{more}."
