"""The state of one patient's import, which is passed to each reader of resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from rdflib import URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.cases.case import UnreadPayer
from kb_tools.cases.fhir.codes import Codes
from kb_tools.cases.fhir.dates import day_literal
from kb_tools.cases.fhir.facts import Doubt, Finding, Statement, new_node
from kb_tools.cases.fhir.payers import Payers
from kb_tools.cases.fhir.references import References
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.fhir.skipped import IGNORED, NOT_UNDERSTOOD, USED, Skipped
from kb_tools.cases.vocabulary import Vocabulary
from kb_tools.rdf.namespaces import CASE

_TYPE = RDF.type


@dataclass(eq=False)
class Assembly:
    """What is known of one patient's case so far.

    Attributes:
        codes: what codes say.
        payers: by what names and numbers the payers on file are known.
        resources: all resources of the input, in their order.
        made: the day on which they were put together, where that is stated.
        notices: what a reader of the determination must know.
        preview: the day of a preview, in which an order may be a draft, and is of that day where it states none; None
            where what is read is a request that counts.
        terms: the vocabularies that codes are mapped to.
        references: follows the references of resources.
        findings: by all that the case states of each.
        doubts: what may be so, though no fact could be made of it.
        onsets: the relapses that a code states, each with the first day of its onset.
        panels: panels without a value of their own, each with its class and the observations that it groups.
        past: places that state that there was a finding of a class, and no more.
        parts: the values of each property of the request, the plan and each product, with where they are stated.
        unsettled: values of such properties that are not certain: nothing that differs may be taken.
        unread_payer: the payer that is named, where it is not known which one of those on file it is.
        service_day: the day of the service, once the request is read.
        patients: the Patient resources of this patient.
        strangers: references to the patient that lead nowhere in the input.
        referred: contained conditions that something refers to.
        done: what is read, or skipped.
        rejected: what is not valid, or replaced by another version.
        withdrawn: claims that were withdrawn, or that ask for nothing anew: no order revives them.
        dismissed: what says nothing of the case, and so neither does what it contains.
    """

    codes: Codes
    payers: Payers
    resources: list[Resource]
    made: date | None
    notices: list[str]
    preview: date | None = None
    terms: Vocabulary = field(init=False)
    references: References = field(init=False)
    findings: dict[frozenset[tuple[Node, Node]], Finding] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)
    onsets: list[tuple[Finding, date]] = field(default_factory=list)
    panels: list[tuple[Resource, Node, list[Resource]]] = field(default_factory=list)
    past: list[tuple[str, Node]] = field(default_factory=list)
    parts: dict[URIRef, dict[URIRef, dict[Node, list[Statement]]]] = field(init=False)
    unsettled: dict[URIRef, dict[Node, list[Statement]]] = field(default_factory=dict)
    unread_payer: UnreadPayer | None = None
    service_day: date | None = None
    patients: set[Resource] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)
    referred: dict[Resource, None] = field(default_factory=dict)
    done: set[Resource] = field(default_factory=set)
    rejected: set[Resource] = field(default_factory=set)
    withdrawn: set[Resource] = field(default_factory=set)
    dismissed: set[Resource] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.terms = self.codes.terms
        self.parts = {class_: {} for class_ in self.terms.parts.values()}
        self.references = References(self.resources)

    def everything(self) -> Iterator[Resource]:
        """The resources, each followed by those that it contains."""
        for resource in self.resources:
            yield resource
            yield from resource.contained

    def skip(self, resource: Resource, skipped: Skipped) -> None:
        """Notes why nothing, or nothing more, is made of a resource."""
        self.done.add(resource)
        resource.note(skipped.treatment, skipped.text, *skipped.elements)
        if skipped.treatment is IGNORED and not skipped.doubtful:
            self.dismissed.add(resource)

    def notify(self, notice: str) -> None:
        """Adds a notice that is not there already."""
        if notice not in self.notices:
            self.notices.append(notice)

    def state(self, class_: URIRef, property_: URIRef, value: Node, statement: Statement) -> None:
        """Adds one value of a part of the case."""
        self.parts[class_].setdefault(property_, {}).setdefault(value, []).append(statement)

    def state_unsettled(self, property_: URIRef, value: Node, statement: Statement) -> None:
        """Keeps a value of a part that is not certain: nothing that differs may be taken."""
        self.unsettled.setdefault(property_, {}).setdefault(value, []).append(statement)

    def find(
        self,
        resource: Resource,
        kind: Node,
        day: date | None,
        values: Mapping[URIRef, Node],
        elements: Sequence[str],
        dated: str = "",
        basis: URIRef = CASE.ChartEvidence,
    ) -> Finding:
        """Adds one finding, and notes what it was made from; one that is there already is not added again.

        Args:
            elements: those that it was made from.
            dated: the element that should state its day.

        Raises:
            Skipped: it has no date, or one that is too late.
        """
        self._check_day(day, basis, dated)
        assert day is not None
        key = frozenset({_TYPE: kind, CASE.date: day_literal(day), CASE.basis: basis, **values}.items())
        text = self._described(kind, day, values) if resource.tracked else ""
        same = self.findings.get(key)
        if same:
            resource.note(IGNORED, f"{text}; the same as from {same.place}")
            same.sources.append(resource)
            return same
        self.findings[key] = found = Finding(new_node(), kind, day, dict(values), resource, text, [resource])
        resource.note(USED, text, *elements)
        return found

    def _described(self, kind: Node, day: date, values: Mapping[URIRef, Node]) -> str:
        """What the record says of a finding."""
        stating = self.terms.stating
        stated = ", ".join([stating(*statement) for statement in sorted(values.items(), key=_name)])
        return f"{self.terms.label(kind)} of {day}" + (f": {stated}" if stated else "")

    def _check_day(self, day: date | None, basis: URIRef, dated: str) -> None:
        if day is None:
            raise Skipped(NOT_UNDERSTOOD, "no date", dated)
        if self.service_day and day > self.service_day:
            raise Skipped(IGNORED, "dated after the service date")
        if self.made and basis == CASE.ChartEvidence and day > self.made:
            if (day - self.made).days > 1:
                raise Skipped(IGNORED, "dated after the bundle was made")
            # Days are as printed, each in its own time zone.
            why = "dated on the day after the bundle was made, which time zones may or may not explain"
            raise Skipped(NOT_UNDERSTOOD, why, dated)


def _name(statement: tuple[URIRef, Node]) -> str:
    return str(statement[0])
