"""The facts that a condition read, in words: what each states, and why a finding only perhaps counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from rdflib import Literal, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools import printable
from kb_tools.cases import DERIVED_OF_FINDINGS, Case
from kb_tools.evidence import Facts
from kb_tools.knowledge_base import KnowledgeBase
from kb_tools.namespaces import CASE, CLIN

# What is said of a finding apart from what it states, so that it is not listed with that.
_APART = {RDF.type, CASE.date, CASE.basis, CASE.inDoubt, *DERIVED_OF_FINDINGS}


@dataclass(frozen=True)
class Doubt:
    """Why a finding only perhaps counts.

    Attributes:
        rule: what puts it in doubt: the local name of case:mayBeBefore, mayBeSupersededBy, mayNotBeOf, inDoubt or
            sharesDoubtOf.
        why: the same in words.
        settle: what to send in to settle it.
    """

    rule: str
    why: str
    settle: str


@dataclass(frozen=True)
class Fact:
    """Something in the case that a condition read.

    Attributes:
        node: the IRI in the file of the node that states it, "" for a blank node.
        text: what it states, in words.
        day, age: date of the finding, and days from it to the service date; None for what has no date.
        contradicted: whether another finding of its kind and day says something else.
        doubts: why it only perhaps counts; empty for what counts.
    """

    node: str
    text: str
    day: date | None
    age: int | None
    contradicted: bool
    doubts: tuple[Doubt, ...] = ()

    @property
    def with_doubts(self) -> str:
        """What it states, and if it only perhaps counts, why."""
        why = "; ".join(doubt.why for doubt in self.doubts)
        return f"{self.text}, perhaps counts: {why}" if why else self.text


def facts_in_words(kb: KnowledgeBase, case: Case, facts: Facts) -> Iterator[Fact]:
    """The facts that a condition read, each as a reader would say it; findings latest first."""
    findings = [_finding_in_words(kb, case, node) for node in facts.findings]
    yield from sorted(sorted(findings, key=lambda each: each.text), key=lambda each: str(each.day), reverse=True)
    for node, predicate, value in sorted(facts.statements, key=lambda each: (each[1], str(each[2]))):
        yield Fact(case.in_file(node), f"{_label(kb, predicate)}: {_label(kb, value)}", None, None, False)


def _finding_in_words(kb: KnowledgeBase, case: Case, node: URIRef) -> Fact:
    day = date.fromisoformat(_day(case, node))
    text = f"{_label(kb, case.value(node, RDF.type))}: {_stated(kb, case, node) or 'given'}"
    text += f" ({day}, {_label(kb, case.value(node, CASE.basis))})"
    age = (case.service_date - day).days
    doubts = tuple(_doubts(kb, case, node))
    return Fact(case.in_file(node), text, day, age, bool(case.value(node, CASE.contradictedBy)), doubts)


def _stated(kb: KnowledgeBase, case: Case, node: URIRef) -> str:
    """What a finding states: "grade 2"."""
    return ", ".join(
        f"{_label(kb, predicate)} {_label(kb, value)}"
        for predicate, value in sorted(case.about[node])
        if predicate not in _APART
    )


# ---------------------------------------------------------------------- doubts


def _doubts(kb: KnowledgeBase, case: Case, node: URIRef) -> Iterator[Doubt]:
    """Why a finding only perhaps counts, as the rules of shapes/derivation.ttl found it."""
    for transplant in _findings(case, node, CASE.mayBeBefore):
        yield _before_transplant(kb, case, node, transplant)
    for other in _findings(case, node, CASE.mayBeSupersededBy):
        yield _superseded(kb, case, node, other)
    for reason in case.values(node, CASE.mayNotBeOf):
        disease = _label(kb, case.value(node, CLIN.disease))
        yield Doubt(
            "mayNotBeOf",
            f"{disease} may be {_label(kb, reason)}, the disease treated, or another disease",
            f"which disease the {_dated(kb, case, node)} is of, or a later status of {_label(kb, reason)}",
        )
    for reason in case.values(node, CASE.inDoubt):
        yield _stated_doubt(kb, case, node, f"stated to be in doubt: {printable.line(str(reason))}")
    for other in _findings(case, node, CASE.sharesDoubtOf):
        for reason in case.values(other, CASE.inDoubt):
            why = f"what is said otherwise of the same day is stated to be in doubt: {printable.line(str(reason))}"
            yield _stated_doubt(kb, case, node, why, "sharesDoubtOf")


def _before_transplant(kb: KnowledgeBase, case: Case, node: URIRef, transplant: URIRef) -> Doubt:
    source, given = case.value(transplant, CLIN.graftSource), _day(case, transplant)
    newer = f"a {_label(kb, case.value(node, RDF.type))} dated on or after it"
    if source is None:
        return Doubt(
            "mayBeBefore",
            f"the graft source of the later transplant of {given} is not stated; "
            "if it is allogeneic, this is from before it and does not count",
            f"the graft source of the transplant of {given}, or {newer}",
        )
    return Doubt(
        "mayBeBefore",
        f"the later transplant of {given} is {_label(kb, source)}, and whether such a graft is meant is open",
        f"for the transplant of {given}: {newer}",
    )


def _superseded(kb: KnowledgeBase, case: Case, node: URIRef, other: URIRef) -> Doubt:
    name, kind = _dated(kb, case, other), case.value(node, RDF.type)
    key = kb.ontology.value(kind, CASE.keyProperty)
    assert isinstance(key, URIRef), "only findings told apart by a key may be superseded by others"
    label = _label(kb, key)
    why = f"the {name} says otherwise ({_stated(kb, case, other)}) and may be of the same {label}"
    open_ones = [each for each in (node, other) if case.value(each, key) is None]
    if open_ones:
        wanted = " and of the ".join(_dated(kb, case, each) for each in sorted(open_ones, key=lambda n: _day(case, n)))
        return Doubt("mayBeSupersededBy", why, f"the {label} of the {wanted}")
    disease = _label(kb, case.value(node, key))
    return Doubt(
        "mayBeSupersededBy",
        why,
        f"whether the {_dated(kb, case, node)} and the {name} are of one {label}, or a later status of {disease}",
    )


def _stated_doubt(kb: KnowledgeBase, case: Case, node: URIRef, why: str, rule: str = "inDoubt") -> Doubt:
    kind = _label(kb, case.value(node, RDF.type))
    return Doubt(rule, why, f"what settles the doubt about the {_dated(kb, case, node)}, or a later {kind}")


def _findings(case: Case, node: URIRef, predicate: URIRef) -> list[URIRef]:
    """The findings that a derived link leads to, in the order of their days."""
    found = [each for each in dict.fromkeys(case.values(node, predicate)) if isinstance(each, URIRef)]
    return sorted(found, key=lambda each: (_day(case, each), each))


def _dated(kb: KnowledgeBase, case: Case, node: URIRef) -> str:
    """A finding by its class and day: "MRD test of 2026-05-01"."""
    return f"{_label(kb, case.value(node, RDF.type))} of {_day(case, node)}"


def _day(case: Case, node: URIRef) -> str:
    return str(case.value(node, CASE.date))


def _label(kb: KnowledgeBase, node: Node | None) -> str:
    """The name of a term, or a literal as it stands."""
    if isinstance(node, Literal):
        return {"true": "yes", "false": "no"}.get(str(node)) or printable.line(str(node))
    return kb.labels.get(str(node)) or kb.curie(str(node))
