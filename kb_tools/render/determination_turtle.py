"""Determinations as RDF: prov and the case vocabulary, the same Turtle for the same determinations."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import count

from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, PROV, RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from kb_tools import __version__, printable
from kb_tools.cases.case import Malformed
from kb_tools.determine.facts import Fact
from kb_tools.determine.result import REVIEW, Determination, Need, Outcome
from kb_tools.determine.run import Answer
from kb_tools.errors import KbError
from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.model.statements import Advisory, Criterion
from kb_tools.rdf.namespaces import BASE, CASE, CITO, POL, SH
from kb_tools.rdf.terms import local_name
from kb_tools.render import record as reading

_DETERMINATION = BASE + "determination/"


def answers(kb: Repository, answered: Sequence[Answer], errors: Sequence[KbError], explain: bool) -> str:
    """A run of kb validate: determinations, and a validation report for each malformed case.

    Inputs that could not be read leave no trace here: they are on stderr and in the exit code.
    """
    graph = Graph(bind_namespaces="none")
    for prefix, namespace in kb.prefixes.items():
        graph.bind(prefix, namespace)
    for answer in answered:
        if isinstance(answer, Determination):
            add_determination(graph, answer)
        elif isinstance(answer, Malformed):
            _add_report(graph, answer)
    # Not with canon=True, which takes minutes for a hundred cases: blank nodes are named after what they stand in.
    return printable.escaped(graph.serialize(format="longturtle"))


def add_determination(graph: Graph, found: Determination) -> URIRef:
    """Adds one determination to the graph, and returns its IRI."""
    revision = found.revision
    node = URIRef(_unused(graph, URIRef, _DETERMINATION, f"{found.case.digest} {found.case.iri} {revision.iri}"))
    case = URIRef(found.case.iri) if found.case.iri else BNode("case" + node.removeprefix(_DETERMINATION))
    pairs: list[tuple[URIRef, Node]] = [
        (RDF.type, CASE.Determination),
        (RDFS.label, Literal(f"{found.case.name_for_others} under {revision.policy.identifier} {revision.entry.name}")),
        (CASE.ofCase, case),
        (PROV.wasDerivedFrom, case),
        (PROV.wasDerivedFrom, revision.iri),
        (CASE.underRevision, revision.iri),
        (CASE.criteriaBasis, POL[revision.entry.bases.get("Criteria", "NotOnFile")]),
        (CASE.outcome, POL[found.outcome.value]),
        (RDFS.comment, Literal(found.because, lang="en")),
        (CASE.applicability, _value(found.applicability)),
        (CASE.criteria, _value(found.criteria)),
        (CASE.reviewedBy, CASE.Clinician),
        (CASE.notice, Literal(REVIEW, lang="en")),
    ]
    if found.outcome is Outcome.NOT_MET and revision.disposition:
        pairs.append((CASE.disposition, URIRef(revision.disposition[0])))
    if found.referred_to:
        pairs.append((CASE.referredTo, URIRef(found.referred_to[1])))
    pairs += [(CASE.notice, Literal(notice, lang="en")) for notice in found.notices]
    pairs += [(CASE.toSend, URIRef(iri)) for iri in found.to_send]
    pairs += [(CASE.advisory, _statement(graph, advisory)) for advisory in found.advisories]
    for predicate, object_ in pairs:
        graph.add((node, predicate, object_))
    for part in found.needs.parts if found.needs else ():
        _add_send_group(graph, node, part)
    for result in found.every_criterion:
        for within in result.parts:
            graph.add((URIRef(within.criterion.iri), DCTERMS.isPartOf, URIRef(result.criterion.iri)))
        value = _linked(graph, node, CASE.criterionValue, CASE.CriterionValue)
        graph.add((value, CASE.criterion, _statement(graph, result.criterion)))
        graph.add((value, SKOS.notation, Literal(result.criterion.notation)))
        graph.add((value, CASE.value, _value(result.value)))
        graph.add((value, CASE.decides, Literal(result.decides)))
        graph.add((value, CASE.reasonText, Literal(result.reason, lang="en")))
    for iri, condition_result in found.condition_results.items():
        value = _linked(graph, node, CASE.conditionValue, CASE.ConditionValue)
        graph.add((value, CASE.condition, URIRef(iri)))
        graph.add((value, CASE.value, _value(condition_result.value)))
        if condition_result.perhaps is not condition_result.value:
            graph.add((value, CASE.perhapsValue, _value(condition_result.perhaps)))
        for wanted in condition_result.settling:
            graph.add((value, CASE.toSettle, Literal(wanted, lang="en")))
        for fact in condition_result.facts:
            _add_fact(graph, value, fact)
    if found.case.reading:
        reading.add(graph, case, found.case.reading, node.removeprefix(_DETERMINATION))
    activity = _linked(graph, node, PROV.wasGeneratedBy, PROV.Activity)
    agent = _linked(graph, activity, PROV.wasAssociatedWith, PROV.SoftwareAgent)
    graph.add((agent, RDFS.label, Literal(f"kb {__version__}")))
    return node


def _statement(graph: Graph, statement: Criterion | Advisory) -> URIRef:
    """A criterion or advisory with its label, its places and what it cites, so that the graph reads by itself."""
    node = URIRef(statement.iri)
    graph.add((node, RDFS.label, Literal(statement.label, lang="en")))
    for place in statement.places:
        graph.add((node, POL.statedIn, URIRef(place.iri)))
        graph.add((URIRef(place.iri), SKOS.notation, Literal(place.notation)))
    for reference in statement.citations:
        graph.add((node, CITO.citesAsEvidence, URIRef(reference.iri)))
    for limited in statement.limits if isinstance(statement, Criterion) else ():
        graph.add((node, POL.limits, URIRef(limited)))
    return node


def _value(value: Value) -> URIRef:
    return POL[value.name.capitalize()]


def _unused(graph: Graph, kind: type[URIRef] | type[BNode], prefix: str, key: str) -> str:
    """A name that is the same in every run; cases without names can share a key, and each needs a node of its own."""
    names = (prefix + hashlib.sha256(f"{key} {number}".encode()).hexdigest()[:32] for number in count())
    return next(name for name in names if (kind(name), None, None) not in graph)


def _blank(graph: Graph, subject: Node, predicate: URIRef) -> BNode:
    """One more blank node that the subject has by a predicate, named so that it is the same in every run."""
    ordinal = sum(1 for _ in graph.objects(subject, predicate))
    owner = str(subject).removeprefix(_DETERMINATION)
    node = BNode(f"{owner}.{local_name(predicate)}{ordinal:03}")
    graph.add((subject, predicate, node))
    return node


def _linked(graph: Graph, subject: Node, predicate: URIRef, class_: URIRef) -> BNode:
    node = _blank(graph, subject, predicate)
    graph.add((node, RDF.type, class_))
    return node


def _add_fact(graph: Graph, value: Node, fact: Fact) -> None:
    node = _linked(graph, value, CASE.fact, CASE.Fact)
    graph.add((node, CASE.factText, Literal(fact.text, lang="en")))
    if fact.node:
        graph.add((node, CASE.factNode, URIRef(fact.node)))
    for doubt in fact.doubts:
        graph.add((node, CASE.doubtText, Literal(doubt.why, lang="en")))
    if fact.age is not None:
        graph.add((node, CASE.ageInDays, Literal(fact.age, datatype=XSD.integer)))


def _add_send_group(graph: Graph, determination: Node, part: Need | str) -> None:
    group = _blank(graph, determination, CASE.sendGroup)
    if isinstance(part, Need) and part.operator == "atLeast":
        graph.add((group, POL.atLeast, Literal(part.least)))
    for iri in _leaves(part):
        graph.add((group, CASE.condition, URIRef(iri)))


def _leaves(need: Need | str) -> list[str]:
    return [need] if isinstance(need, str) else [iri for part in need.parts for iri in _leaves(part)]


def _add_report(graph: Graph, found: Malformed) -> None:
    report = BNode(_unused(graph, BNode, "report", f"{found.case.digest} {found.case.iri}"))
    graph.add((report, RDF.type, SH.ValidationReport))
    graph.add((report, SH.conforms, Literal(False)))
    graph.add((report, RDFS.label, Literal(f"{found.case.name_for_others}: malformed, not determined")))
    for violation in found.violations:
        result = _linked(graph, report, SH.result, SH.ValidationResult)
        graph.add((result, SH.resultMessage, Literal(violation.message)))
        graph.add((result, SH.resultSeverity, SH.Violation))
        graph.add((result, RDFS.label, Literal(violation.place)))
