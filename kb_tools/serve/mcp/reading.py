"""What is on file, as the tools and resources give it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from difflib import get_close_matches
from typing import Any

from kb_tools.ask.library import questions
from kb_tools.cases.form import CaseForms
from kb_tools.cases.schema import schema
from kb_tools.cases.template import template
from kb_tools.errors import KbError, UnknownRevision
from kb_tools.model.policy import Policy
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Condition, Criterion
from kb_tools.publish.shapes import self_contained
from kb_tools.rdf.canonical import nested
from kb_tools.rdf.terms import local_name
from kb_tools.render.revision import criterion_dict, revision_dict
from kb_tools.serve.mcp.office import Office
from kb_tools.serve.mcp.results import (
    ConditionRead,
    CriterionFound,
    Policies,
    PolicyListed,
    Questions,
    RevisionRead,
    Template,
)
from kb_tools.serve.workbench import shape_text

# So many names an error lists.
_NEAR = 3
# The sections of a revision, as the command calls them, and as they are called here.
_SECTIONS = {
    "Definitions": "definitions",
    "Codes": "codes",
    "References": "references",
    "Advice, which does not decide": "advisories",
}


def policies(office: Office) -> Policies:
    """The policies and revisions on file."""
    return {"policies": [_listed(policy) for policy in office.kb.policies()]}


def _listed(policy: Policy) -> PolicyListed:
    try:
        in_force = policy.in_force(date.today()).revision.name
    except UnknownRevision:
        in_force = None
    content: Any = policy.to_dict()
    return {
        "policy": content["policy"],
        "title": content["title"],
        "inForceToday": in_force,
        "revisions": content["revisions"],
    }


def revision(office: Office, policy: str | None, name: str | None) -> RevisionRead:
    """What a revision says."""
    found = office.revision(office.policy(policy, name), name)
    content: Any = revision_dict(found)
    return {_SECTIONS.get(key, key): value for key, value in content.items()}  # type: ignore[return-value]


def criteria(office: Office, policy: str | None, name: str | None) -> list[dict[str, Any]]:
    """The criteria of a revision, each followed by those within it."""
    found = office.revision(office.policy(policy, name), name, criteria=True)
    return [criterion_dict(found, criterion) for criterion in found.all_criteria.values()]


def criterion(office: Office, named: str, policy: str | None, name: str | None) -> CriterionFound:
    """A criterion with its conditions, or a condition, by its place, label or IRI.

    Raises:
        KbError: there is none; it lists those that are near, or all criteria.
    """
    found = office.revision(office.policy(policy, name), name, criteria=True)
    wanted = _plain(named)
    content: dict[str, Any] = {"policy": found.policy.identifier, "revision": found.entry.name}
    for one in found.all_criteria.values():
        if wanted in _names(one.iri, one.notation, one.label):
            conditions = one.tree.conditions() if one.tree else ()
            read = [_condition(office, found, found.conditions[iri]) for iri in dict.fromkeys(conditions)]
            return {**content, "criterion": criterion_dict(found, one), "conditions": read}  # type: ignore[typeddict-item]
    for condition in found.conditions.values():
        if wanted in _names(condition.iri, "", condition.label):
            return {**content, "criterion": None, "conditions": [_condition(office, found, condition)]}  # type: ignore[typeddict-item]
    what = f"{found.policy.identifier}/{found.entry.name} has no such criterion or condition"
    raise KbError(what, hint=_near(wanted, list(found.all_criteria.values()), list(found.conditions.values())))


def _near(wanted: str, criteria_: Sequence[Criterion], conditions: Sequence[Condition]) -> str:
    """The criteria and conditions whose names are close, or the places of all criteria."""
    shown = {name: f"“{one.label}”" for one in conditions for name in _names(one.iri, "", one.label)}
    # A criterion of one condition often has its name.
    shown |= {name: _shown(one) for one in criteria_ for name in _names(one.iri, one.notation, one.label)}
    close = dict.fromkeys(shown[name] for name in get_close_matches(wanted, shown, _NEAR, 0.6))
    return f"near: {', '.join(close)}" if close else f"its criteria: {', '.join(map(_shown, criteria_))}"


def _shown(one: Criterion) -> str:
    return f"{one.notation} (“{one.label}”)"


def _names(iri: str, notation: str, label: str) -> set[str]:
    return {_plain(name) for name in (iri, local_name(iri), notation, label) if name}


def _plain(name: str) -> str:
    return " ".join(name.strip("<>").casefold().split())


def _condition(office: Office, shown: Revision, condition: Condition) -> ConditionRead:
    kb = office.kb
    used = (one for one in shown.all_criteria.values() if one.tree and condition.iri in one.tree.conditions())
    holds, fails = (
        shape_text(kb.evaluated, shape, kb.prefixes) for shape in (condition.holds_when, condition.fails_when)
    )
    return {
        "condition": condition.iri,
        "label": condition.label,
        "definition": condition.definition,
        "readings": list(condition.notes),
        "asksFor": condition.asks_for,
        "possibleValues": sorted(name.lower() for name in condition.possible),
        "holdsWhen": holds,
        "failsWhen": fails,
        "usedBy": [one.notation for one in used],
    }


def case_template(office: Office, policy: str | None, name: str | None) -> Template:
    """An empty case, with what each key takes and what the revision asks for."""
    found = office.revision(office.policy(policy, name), name, criteria=True)
    blank = template(CaseForms(office.kb), found)
    return {"policy": found.policy.identifier, "revision": found.entry.name, "template": blank}


def case_schema(office: Office) -> dict[str, Any]:
    """The JSON Schema of a case."""
    return schema(CaseForms(office.kb))


def shapes(office: Office, policy: str | None, name: str | None) -> str:
    """One self-contained SHACL graph of a revision, as Turtle."""
    found = office.revision(office.policy(policy, name), name, criteria=True)
    return nested(self_contained(office.kb, found), office.kb.prefixes).decode()


def ready_questions() -> Questions:
    """The ready questions, by name."""
    return {
        "questions": [
            {
                "question": question.name,
                "title": question.title,
                "topic": question.topic,
                "reads": "all" if question.scope == "all" else "revision",
                "parameters": [
                    {"name": one.name, "type": one.type, "meaning": one.meaning} for one in question.parameters
                ],
            }
            for question in questions()
        ]
    }


def with_criteria(office: Office) -> Iterable[tuple[str, str]]:
    """The policies and names of the revisions that have their criteria on file."""
    for policy in office.kb.policies():
        for entry in policy.released:
            if entry.criteria_on_file:
                yield policy.identifier, entry.name
