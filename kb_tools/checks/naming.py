"""The check of what names a policy: a case finds its policy by it, and the criteria say what it is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from rdflib import URIRef
from rdflib.namespace import RDF

from kb_tools.cases.case import Case, Statements
from kb_tools.checks.core import Problem, names, relative
from kb_tools.determine.evaluate import Evaluator
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.logic import Value
from kb_tools.model.policy import POLICY_FILE, Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Condition
from kb_tools.rdf.namespaces import BASE, CASE, CLIN

_OF_SERVICE = {str(CASE.service), str(CASE.procedureCode)}


def named_by(kb: Repository) -> Iterator[Problem]:
    """Policies that no request names, and services and codes that name one against its own conditions on the service.

    A request that states one of them alone is held against these conditions, under every revision on file.
    """
    terms = _terms(kb)
    holding: dict[frozenset[str], frozenset[str]] = {}
    for policy in kb.policies():
        where = relative(kb, policy.folder / POLICY_FILE)
        revisions = [Revision.load(policy, entry) for entry in policy.history if entry.criteria_on_file]
        if revisions and not policy.named_by:
            yield Problem(where, "is named by no service and no code, so no case finds it; add pol:namedBy")
            continue
        # What cannot be read the check of the criteria says.
        with suppress(KnowledgeBaseError):
            asked = {key: found for found in map(_on_service, revisions) if (key := frozenset(found))}
            for key, found in asked.items():
                if key not in holding:
                    holding[key] = frozenset(_holding(kb, list(found.values()), terms | policy.named_by))
            if asked:
                yield from _differences(kb, policy, where, frozenset().union(*(holding[key] for key in asked)))


def _differences(kb: Repository, policy: Policy, where: str, taken: frozenset[str]) -> Iterator[Problem]:
    """In what a policy's names differ from those that its conditions take."""
    if missing := taken - policy.named_by:
        what = f"does not say that {names(kb, map(URIRef, missing))} names it, as its conditions on the service do"
        yield Problem(where, f"{what}; add it to pol:namedBy")
    if wrong := policy.named_by - taken:
        what = f"says that {names(kb, map(URIRef, wrong))} names it, against its conditions on the service"
        yield Problem(where, f"{what}; remove it from pol:namedBy, or correct the conditions")


def _terms(kb: Repository) -> frozenset[str]:
    """The services, and the codes that conditions name."""
    codes = {str(node) for node in kb.conditions.objects() if str(node).startswith(BASE + "code/")}
    return frozenset(codes | set(map(str, kb.ontology.subjects(RDF.type, CLIN.Service))))


def _on_service(revision: Revision) -> dict[str, Condition]:
    """The conditions under which a revision applies that read the service or the codes of the request."""
    found = (revision.conditions[iri] for iri in revision.applicability_tree.conditions())
    return {condition.iri: condition for condition in found if condition.reads & _OF_SERVICE}


def _holding(kb: Repository, conditions: list[Condition], terms: frozenset[str]) -> Iterator[str]:
    """The terms that make all of the conditions hold where a request states nothing else."""
    ordered = sorted(terms)
    cases = [_stating(number, term) for number, term in enumerate(ordered)]
    for term, evidence in zip(ordered, Evaluator(kb, conditions, "pyshacl").evaluate(cases), strict=True):
        if all(found.value is Value.HOLDS for found in evidence.values()):
            yield term


def _stating(number: int, term: str) -> Case:
    """A case whose request states one service or code."""
    node, request = URIRef(f"urn:kb:{number}:case"), URIRef(f"urn:kb:{number}:request")
    link = CASE.procedureCode if term.startswith(BASE + "code/") else CASE.service
    about: Statements = {
        node: [(RDF.type, CASE.Case), (CASE.request, request)],
        request: [(RDF.type, CASE.Request), (link, URIRef(term))],
    }
    return Case("", "", "", node, about, {})
