"""FHIR R4: a Bundle with a GuidanceResponse for each case, and the Questionnaires that can still settle some of them.

There is no time of processing in it: the same determinations give the same text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from html import escape
from itertools import count
from typing import Any
from uuid import UUID

from rdflib import URIRef

from kb_tools import __version__
from kb_tools.as_json import dump
from kb_tools.cases.case import Malformed
from kb_tools.cases.form import CaseForms
from kb_tools.determine.facts import Fact
from kb_tools.determine.result import REVIEW, CriterionResult, Determination, Need, NotDetermined, Outcome
from kb_tools.determine.run import Answer
from kb_tools.errors import KbError
from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, POL
from kb_tools.render.fhir_outcome import operation_outcome
from kb_tools.render.questionnaire import Asked, asked, coding, questionnaire

# Where R4 has a place of its own for what a condition reads, apart from findings. For all else, an answer has to do.
_ELEMENTS = {
    CASE.service: ("ServiceRequest", "code"),
    CASE.reason: ("ServiceRequest", "reasonCode"),
    CASE.lineOfBusiness: ("Coverage", "type"),
}
_IRI = "urn:ietf:rfc:3986"
_NO_REVISION = "No revision of a policy: the case was not determined."


def answers(kb: Repository, answered: Sequence[Answer], errors: Sequence[KbError], explain: bool) -> str:
    """A run of kb validate, complete with or without --explain."""
    plain = _forms(kb)
    entries: dict[str, dict[str, Any]] = {}
    for answer in answered:
        if isinstance(answer, Determination):
            form = questionnaire(plain, answer)
            response = _determined(plain, answer, form)
            if form:
                entries[form["url"]] = form
        else:
            response = _failed(answer)
        entries[_unused(entries, answer)] = response
    if errors:
        lines = [line for error in errors for line in error.lines_for_others()]
        entries[_uuid("errors")] = operation_outcome([("processing", line) for line in lines])
    listed = [{"fullUrl": url, "resource": resource} for url, resource in entries.items()]
    return dump({"resourceType": "Bundle", "type": "collection", **({"entry": listed} if listed else {})})


@lru_cache(1)
def _forms(kb: Repository) -> CaseForms:
    """What the case shapes allow, read once: a service writes one answer after another."""
    return CaseForms(kb)


def _unused(entries: Iterable[str], answer: Answer) -> str:
    """A URL that is the same in every run; cases without names can share what it is made of."""
    revision = answer.revision.iri if isinstance(answer, Determination) else ""
    key = f"{answer.case.digest} {answer.case.iri} {revision}"
    return next(url for number in count() if (url := _uuid(f"{key} {number}")) not in entries)


def _uuid(key: str) -> str:
    return f"urn:uuid:{UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4)}"


# ---------------------------------------------------------------------- responses


def _response(answer: Answer, module: dict[str, Any], status: str, summary: Sequence[str]) -> dict[str, Any]:
    """What every GuidanceResponse has. Of the patient only the pseudonym is named."""
    case = answer.case
    patient = case.value(case.node, CASE.patient)
    pseudonym = case.in_file(patient) if isinstance(patient, URIRef) else ""
    named = {"system": _IRI, "value": case.iri} if case.iri else {"value": case.name_for_others}
    lines = "".join(f"<p>{escape(line)}</p>" for line in (case.name_for_others, *summary, REVIEW))
    return {
        "resourceType": "GuidanceResponse",
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{lines}</div>'},
        "identifier": [named],
        **module,
        "status": status,
        **({"subject": {"type": "Patient", "identifier": {"system": _IRI, "value": pseudonym}}} if pseudonym else {}),
        "performer": {"type": "Device", "display": f"kb {__version__}"},
        "note": [{"text": REVIEW}],
    }


def _failed(answer: Malformed | NotDetermined) -> dict[str, Any]:
    """A case without a determination: what is wrong is in the contained OperationOutcome."""
    if isinstance(answer, Malformed):
        issues = [("invalid", f"{violation.place}: {violation.message}") for violation in answer.violations]
    else:
        issues = [("processing", line) for line in answer.error.lines_for_others()]
    module = {"moduleCodeableConcept": {"text": _NO_REVISION}}
    return {
        **_response(answer, module, "failure", [text for _, text in issues]),
        "contained": [{**operation_outcome(issues), "id": "messages"}],
        "evaluationMessage": [{"reference": "#messages"}],
    }


def _determined(plain: CaseForms, found: Determination, form: dict[str, Any] | None) -> dict[str, Any]:
    """A determination: success once the outcome is settled, whatever it is, else data-required."""
    revision = found.revision
    outcome = coding(plain, POL[found.outcome.value])["display"]
    why = f"because {found.because}"
    summary = (f"{revision.policy.identifier} revision {revision.entry.name}: {outcome}", why, *found.notices)
    status = "success" if found.outcome.settled else "data-required"
    required = [_data_requirement(plain, thing) for thing in asked(plain, found)]
    return {
        **_response(found, {"moduleUri": str(revision.iri)}, status, summary),
        "note": [{"text": why}, {"text": REVIEW}],
        "contained": [
            {"resourceType": "Parameters", "id": "determination", "parameter": _parameters(plain, found, form)}
        ],
        "outputParameters": {"reference": "#determination"},
        **({"dataRequirement": required} if required else {}),
    }


def _data_requirement(plain: CaseForms, thing: Asked) -> dict[str, Any]:
    """The resource that can carry what is asked for, in a place that is read back."""
    if thing.key is None:
        # What counts by its date alone was done, and not found.
        done = (thing.form.iri, CASE.countedBy, CASE.date) in plain.kb.ontology
        filter_ = {"path": "code", "code": [coding(plain, str(thing.form.iri))]}
        return {"type": "Procedure" if done else "Observation", "codeFilter": [filter_]}
    if thing.key.path in _ELEMENTS:
        type_, element = _ELEMENTS[thing.key.path]
        return {"type": type_, "mustSupport": [element]}
    codes = [coding(plain, iri) for iri in thing.key.terms.values()]
    filters = [{"path": "item.answer.value", "code": codes}] if codes else []
    return {"type": "QuestionnaireResponse", "mustSupport": ["item"], **({"codeFilter": filters} if filters else {})}


# ---------------------------------------------------------------------- what a determination says


def _parameters(plain: CaseForms, found: Determination, form: dict[str, Any] | None) -> list[dict[str, Any]]:
    """All that the determination says, in the order in which a reader wants it."""
    revision = found.revision

    def term(name: str, iri: str) -> dict[str, Any]:
        return {"name": name, "valueCoding": coding(plain, iri)}

    parameters = [
        term("outcome", POL[found.outcome.value]),
        _text("policy", revision.policy.identifier),
        _uri("revision", revision.iri),
        term("criteriaBasis", POL[revision.entry.bases.get("Criteria", "NotOnFile")]),
        {"name": "serviceDate", "valueDate": found.service_date.isoformat()},
        _value(plain, "applicability", found.applicability),
        _value(plain, "criteria", found.criteria),
    ]
    if found.outcome is Outcome.NOT_MET and revision.disposition:
        iri, label = revision.disposition
        parameters.append({"name": "disposition", "valueCoding": {**coding(plain, iri), "display": label}})
    if found.referred_to:
        parameters.append(_uri("referredTo", found.referred_to[1]))
    parameters += [_criterion(plain, result) for result in found.criterion_results]
    for iri, evidence in found.condition_results.items():
        parts = [
            _uri("condition", iri),
            _text("label", evidence.condition.label),
            _value(plain, "value", evidence.value),
        ]
        parameters.append({"name": "conditionResult", "part": [*parts, *map(_fact, evidence.facts)]})
    for conflict in found.conflicts:
        parameters.append(
            {
                "name": "conflict",
                "part": [_uri("condition", conflict.condition.iri), *map(_fact, conflict.contradicting)],
            }
        )
    if found.needs and form:
        parameters += [_need(found, found.needs), {"name": "questionnaire", "valueCanonical": form["url"]}]
    for advisory in found.advisories:
        parts = [_uri("advisory", advisory.iri), _text("label", advisory.label), _text("text", advisory.text)]
        parts += [_uri("passage", place.iri) for place in advisory.places]
        parameters.append(
            {"name": "advisory", "part": parts + [_uri("reference", citation.iri) for citation in advisory.citations]}
        )
    return [*parameters, *(_text("notice", notice) for notice in found.notices), _text("review", REVIEW)]


def _criterion(plain: CaseForms, result: CriterionResult) -> dict[str, Any]:
    """The value of a criterion, with those of its parts within it."""
    criterion = result.criterion
    parts = [
        _uri("criterion", criterion.iri),
        {"name": "role", "valueCode": criterion.role},
        *(_uri("limits", limited) for limited in criterion.limits),
        _text("place", criterion.notation),
        _text("label", criterion.label),
        _value(plain, "value", result.value),
        {"name": "decides", "valueBoolean": result.decides},
        _text("reason", result.reason),
        *(_uri("passage", place.iri) for place in criterion.places),
        *(_uri("reference", citation.iri) for citation in criterion.citations),
        *(_criterion(plain, part) for part in result.parts),
    ]
    return {"name": "criterionResult", "part": parts}


def _value(plain: CaseForms, name: str, value: Value) -> dict[str, Any]:
    return {"name": name, "valueCoding": coding(plain, POL[value.name.capitalize()])}


def _need(found: Determination, need: Need | str) -> dict[str, Any]:
    if isinstance(need, str):
        condition = found.revision.conditions[need]
        settling = [_text("toSettle", text) for text in found.condition_results[need].settling]
        return {"name": "send", "part": [_uri("condition", need), _text("asksFor", condition.asks_for), *settling]}
    parts = [_need(found, part) for part in need.parts]
    if need.operator == "atLeast":
        return {"name": "atLeast", "part": [{"name": "count", "valueInteger": need.least}, *parts]}
    return {"name": f"{need.operator}Of", "part": parts}


def _fact(fact: Fact) -> dict[str, Any]:
    return _text("fact", fact.with_doubts)


def _text(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "valueString": text}


def _uri(name: str, iri: str) -> dict[str, Any]:
    return {"name": name, "valueUri": str(iri)}
