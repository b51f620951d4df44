"""The facts that a condition read, in words: what each states, and why a finding only perhaps counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from rdflib import Literal, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools import printable
from kb_tools.cases.case import DERIVED_OF_FINDINGS, Case
from kb_tools.determine.evaluate import Facts
from kb_tools.model.periods import starts
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, CLIN

# What is said of a finding apart from what it states, so that it is not listed with that.
_APART = {RDF.type, CASE.date, CASE.basis, CASE.inDoubt}
# So many of the findings that put one in doubt by the same rule are told one by one; of the others, how many.
_MOST = 3


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

    def to_dict(self) -> dict[str, str]:
        """Give the doubt as JSON values."""
        return {"rule": self.rule, "why": self.why, "toSettle": self.settle}


@dataclass(frozen=True)
class Fact:
    """Something in the case that a condition read.

    Attributes:
        node: the IRI in the file of the node that states it, "" for a blank node.
        text: what it states, in words.
        day, age: date of the finding, and days from it to the service date; None for what has no date.
        contradicted: whether another finding of its kind and day says something else.
        doubts: why it only perhaps counts; empty for what counts.
        of: of a finding the IRI of the term of the key by which those of its class count apart, "" for none; of
            anything else that of the property that states it.
    """

    node: str
    text: str
    day: date | None
    age: int | None
    contradicted: bool
    doubts: tuple[Doubt, ...] = ()
    of: str = ""

    @property
    def with_doubts(self) -> str:
        """What it states, and if it only perhaps counts, why."""
        why = "; ".join(doubt.why for doubt in self.doubts)
        return f"{self.text}, perhaps counts: {why}" if why else self.text

    def to_dict(self) -> dict[str, Any]:
        """Give the fact as JSON values."""
        return {
            "node": self.node or None,
            "text": self.text,
            "date": self.day.isoformat() if self.day else None,
            "ageInDays": self.age,
            "contradicted": self.contradicted,
            "doubts": [doubt.to_dict() for doubt in self.doubts],
        }


def facts_in_words(kb: Repository, case: Case, facts: Facts) -> Iterator[Fact]:
    """The facts that a condition read, each as a reader would say it; findings latest first.

    Their order, and that of their doubts, depends on what is stated alone, never on the names of nodes.
    """
    words = _Words(kb, case)
    findings = [words.finding(node) for node in facts.findings]
    by_text = sorted(
        findings, key=lambda finding: (finding.text, *((doubt.rule, doubt.why) for doubt in finding.doubts))
    )
    yield from sorted(by_text, key=lambda finding: str(finding.day), reverse=True)
    for node, predicate, value in sorted(facts.statements, key=lambda statement: (statement[1], str(statement[2]))):
        text = f"{words.label(predicate)}: {words.measured(predicate, value)}"
        yield Fact(case.in_file(node), text, None, None, False, of=str(predicate))


class _Words:
    """Puts the findings of one case into words.

    What each finding states is looked up once: hundreds of others may be linked to it.
    """

    def __init__(self, kb: Repository, case: Case) -> None:
        self.kb = kb
        self.case = case
        self._own: dict[URIRef, dict[URIRef, Node]] = {}
        self._stated: dict[URIRef, str] = {}

    def finding(self, node: URIRef) -> Fact:
        day = date.fromisoformat(self.day(node))
        text = f"{self.kind(node)}: {self.stated(node) or 'given'} ({day}, {self.label(self.value(node, CASE.basis))})"
        age = (self.case.service_date - day).days
        contradicted = self.case.value(node, CASE.contradictedBy) is not None
        doubts = tuple(dict.fromkeys(self._doubts(node)))
        key = self.key_of(node)
        of = self.value(node, key) if key else None
        return Fact(self.case.in_file(node), text, day, age, contradicted, doubts, str(of or ""))

    # ------------------------------------------------------------------ what a finding states

    def value(self, node: URIRef, property_: URIRef) -> Node | None:
        """What a finding states by a property of which it states one value."""
        if node not in self._own:
            about = self.case.about.get(node, ())
            self._own[node] = {predicate: value for predicate, value in about if predicate not in DERIVED_OF_FINDINGS}
        return self._own[node].get(property_)

    def stated(self, node: URIRef) -> str:
        """What a finding states: "grade 2"."""
        if node not in self._stated:
            self.value(node, CASE.date)
            pairs = sorted(
                (predicate, value) for predicate, value in self._own[node].items() if predicate not in _APART
            )
            self._stated[node] = ", ".join(
                f"{self.label(predicate)} {self.measured(predicate, value)}" for predicate, value in pairs
            )
        return self._stated[node]

    def day(self, node: URIRef) -> str:
        return str(self.value(node, CASE.date))

    def kind(self, node: URIRef) -> str:
        return self.label(self.value(node, RDF.type))

    def dated(self, node: URIRef) -> str:
        """A finding by its class and day: "MRD test of 2026-05-01"."""
        return f"{self.kind(node)} of {self.day(node)}"

    def all_dated(self, nodes: list[URIRef]) -> str:
        """Findings of one class by their days: "the MRD test of 2026-05-01 and that of 2026-06-01"."""
        first, *others = sorted(map(self.day, nodes))
        if others == [first]:
            return f"each {self.kind(nodes[0])} of {first}"
        return f"the {self.kind(nodes[0])} of {first}" + "".join(f" and that of {day}" for day in others)

    def newer(self, node: URIRef) -> str:
        """What takes the place of a finding: "a newer MRD test of the same method"."""
        key = self.key_of(node)
        same = f" of the same {self.label(key)}" if key and self.value(node, key) is not None else ""
        return f"a newer {self.kind(node)}{same}"

    def key_of(self, node: URIRef) -> URIRef | None:
        """The property by which findings of its class are distinguished."""
        key = self.kb.ontology.value(self.value(node, RDF.type), CASE.keyProperty)
        return key if isinstance(key, URIRef) else None

    def measured(self, property_: Node, value: Node) -> str:
        """A value in words, with the unit in which the property states it, where that is one."""
        unit = self.kb.units.get(str(property_)) if isinstance(value, Literal) else None
        return f"{self.label(value)} {unit}" if unit else self.label(value)

    def label(self, node: Node | None) -> str:
        """The name of a term, or a literal as it stands."""
        if isinstance(node, Literal):
            return {"true": "yes", "false": "no"}.get(str(node)) or printable.line(str(node))
        return self.kb.labels.get(str(node)) or self.kb.curie(str(node))

    # ------------------------------------------------------------------ doubts

    def _doubts(self, node: URIRef) -> Iterator[Doubt]:
        """Why a finding only perhaps counts, as the rules of shapes/derivation.ttl found it."""
        yield from self._of_others(node, CASE.mayBeBefore, self._before_start)
        yield from self._of_others(node, CASE.mayBeSupersededBy, self._superseded)
        for reason in self.case.values(node, CASE.mayNotBeOf):
            disease, treated = self.label(self.value(node, CLIN.disease)), self.label(reason)
            yield Doubt(
                "mayNotBeOf",
                f"{disease} may mean {treated}, the disease treated, or another disease",
                f"the exact disease of the {self.dated(node)}, or a later status of {treated}",
            )
        stated = self.value(node, CASE.inDoubt)
        if stated is not None:
            why = f"stated to be in doubt: {printable.line(str(stated))}"
            yield Doubt("inDoubt", why, self._confirmation(node))
        yield from self._of_others(node, CASE.sharesDoubtOf, self._shared)

    def _of_others(self, node: URIRef, link: URIRef, doubt_of: Callable[[URIRef, URIRef], Doubt]) -> Iterator[Doubt]:
        """The doubts that other findings give by one rule: those of the latest few, then how many more."""
        linked = [finding for finding in self.case.values(node, link) if isinstance(finding, URIRef)]
        found = sorted(linked, key=lambda finding: (self.day(finding), self.stated(finding)))
        yield from (doubt_of(node, other) for other in found[-_MOST:])
        more = len(found) - _MOST
        if more > 0:
            yield Doubt(
                str(link).removeprefix(CASE),
                f"{more} more {'finding' if more == 1 else 'findings'} put it in doubt in the same way",
                f"the same for {more} more {'finding' if more == 1 else 'findings'} beside the {self.dated(node)}",
            )

    def _before_start(self, node: URIRef, start: URIRef) -> Doubt:
        """Why a finding may be from before a period: of a later finding it is open whether one starts with it."""
        kind = self.value(start, RDF.type)
        how = starts(self.kb.ontology, kind)
        assert how is not None, "only what can start a period may have started one"
        stated, day, what = self.value(start, how.by), self.day(start), self.label(kind)
        newer = f"{self.newer(node)}, dated {day} or later"
        if_so = " or ".join(sorted(map(self.label, self.kb.ontology.objects(kind, CASE.startsPeriodWith))))
        history = "this finding is from before it and does not count"
        if stated is None:
            return Doubt(
                "mayBeBefore",
                f"the {self.label(how.by)} of the later {what} of {day} is not stated; if it was {if_so}, {history}",
                f"the {self.label(how.by)} of the {what} of {day}, or {newer}",
            )
        return Doubt(
            "mayBeBefore",
            f"the later {what} of {day} was {self.label(stated)}; if that is taken as {if_so}, {history}",
            newer,
        )

    def _superseded(self, node: URIRef, other: URIRef) -> Doubt:
        key = self.key_of(node)
        assert key is not None, "only findings told apart by a key may be superseded by others"
        label = self.label(key)
        why = f"the {self.dated(other)} says otherwise ({self.stated(other)}) and may be of the same {label}"
        open_ones = [finding for finding in (node, other) if self.value(finding, key) is None]
        if open_ones:
            return Doubt("mayBeSupersededBy", why, f"the {label} of {self.all_dated(open_ones)}")
        treated = self.label(self.case.value(self.case.value(self.case.node, CASE.request), CASE.reason))
        both = self.all_dated([node, other])
        return Doubt("mayBeSupersededBy", why, f"the exact {label} of {both}, or a later status of {treated}")

    def _shared(self, node: URIRef, other: URIRef) -> Doubt:
        doubt = printable.line(str(self.value(other, CASE.inDoubt)))
        why = (
            f"another {self.kind(other)} of this day says otherwise ({self.stated(other)}) and is stated to be in doubt"
        )
        return Doubt("sharesDoubtOf", f"{why}: {doubt}", self._confirmation(node))

    def _confirmation(self, node: URIRef) -> str:
        """What settles a doubt that is stated."""
        return f"confirmation that the {self.dated(node)} still stands, or {self.newer(node)}"
