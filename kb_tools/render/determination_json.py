"""JSON: everything that a determination says, for other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kb_tools import __version__, printable
from kb_tools.cases.case import Malformed
from kb_tools.determine.facts import Fact
from kb_tools.determine.result import REVIEW, CriterionResult, Determination, Need, NotDetermined
from kb_tools.determine.run import Answer
from kb_tools.errors import KbError
from kb_tools.model.repository import KnowledgeBase
from kb_tools.model.statements import Passage, Reference
from kb_tools.render import record as reading


def dump(content: Any) -> str:
    """The one way in which JSON is written."""
    return printable.escaped(json.dumps(content, indent=2, ensure_ascii=False)) + "\n"


def answers(kb: KnowledgeBase, answered: Sequence[Answer], errors: Sequence[KbError], explain: bool) -> str:
    """A run of kb validate. It is complete with or without --explain."""
    return dump(
        {
            "tool": f"kb {__version__}",
            "review": REVIEW,
            "determinations": [_determination(each) for each in answered if isinstance(each, Determination)],
            "malformed": [_malformed(each) for each in answered if isinstance(each, Malformed)],
            "notDetermined": [
                {**_case(each), "error": str(each.error)} for each in answered if isinstance(each, NotDetermined)
            ],
            "errors": [line for error in errors for line in error.lines()],
        }
    )


def _case(answer: Answer) -> dict[str, Any]:
    read = {"reading": reading.as_json(answer.case.reading)} if answer.case.reading else {}
    return {"case": answer.case.iri or answer.case.title, "file": answer.case.source, **read}


def _malformed(found: Malformed) -> dict[str, Any]:
    violations = [
        {"focus": each.focus, "path": each.path, "value": each.value, "shape": each.shape, "message": each.message}
        for each in found.violations
    ]
    return {**_case(found), "violations": violations}


def _determination(found: Determination) -> dict[str, Any]:
    revision = found.revision
    disposition = revision.disposition if found.outcome.value == "CriteriaNotMet" else None
    return {
        **_case(found),
        "policy": revision.policy.identifier,
        "revision": revision.entry.name,
        "criteriaBasis": revision.entry.bases.get("Criteria"),
        "serviceDate": found.service_date.isoformat(),
        "outcome": found.outcome.value,
        "because": found.because,
        "disposition": disposition[1] if disposition else None,
        "referredTo": found.referred_to[0] if found.referred_to else None,
        "applicability": found.applicability.value,
        "criteria": found.criteria.value,
        "criterionResults": [_criterion(each) for each in found.criterion_results],
        "conditionResults": [
            {
                "condition": iri,
                "label": each.condition.label,
                "value": each.value.value,
                "perhaps": each.perhaps.value,
                "facts": [_fact(fact) for fact in each.facts],
            }
            for iri, each in found.condition_results.items()
        ],
        "toSend": _need(found, found.needs) if found.needs else None,
        "conflicts": [
            {"condition": each.condition.iri, "facts": [_fact(fact) for fact in each.contradicting]}
            for each in found.conflicts
        ],
        "advisories": [
            {
                "advisory": each.iri,
                "label": each.label,
                "text": each.text,
                "always": not each.when,
                "passages": _passages(each.places),
                "references": _references(each.citations),
            }
            for each in found.advisories
        ],
        "notices": list(found.notices),
    }


def _criterion(result: CriterionResult) -> dict[str, Any]:
    return {
        "criterion": result.criterion.iri,
        "role": result.criterion.role,
        "place": result.criterion.notation,
        "label": result.criterion.label,
        "value": result.value.value,
        "decides": result.decides,
        "reason": result.reason,
        "grounds": list(result.grounds),
        "passages": _passages(result.criterion.places),
        "references": _references(result.criterion.citations),
        "parts": [_criterion(each) for each in result.parts],
    }


def _fact(fact: Fact) -> dict[str, Any]:
    return {
        "node": fact.node or None,
        "text": fact.text,
        "date": fact.day.isoformat() if fact.day else None,
        "ageInDays": fact.age,
        "contradicted": fact.contradicted,
        "doubts": [{"rule": each.rule, "why": each.why, "toSettle": each.settle} for each in fact.doubts],
    }


def _need(found: Determination, need: Need | str) -> dict[str, Any]:
    if isinstance(need, str):
        result = found.condition_results[need]
        return {
            "condition": need,
            "asksFor": result.condition.asks_for,
            "toSettle": list(result.settling),
            "leftOpenBy": [fact.text for fact in result.left_open_by],
        }
    return {f"{need.operator}Of": [_need(found, each) for each in need.parts]}


def _passages(places: Sequence[Passage]) -> list[dict[str, str]]:
    return [{"passage": each.iri, "section": each.section, "place": each.notation} for each in places]


def _references(references: Sequence[Reference]) -> list[dict[str, Any]]:
    return [{"number": each.number, "text": each.text, "doi": each.doi or None} for each in references]
