"""A case taken apart: its findings, its products, and what the case, its coverage and its request state besides.

Whether a part breaks the case shapes depends on nothing but the part, where the check `pieces-are-local` holds. So a
part that was found sound in one case is sound in every other. The date of a finding and the date of service belong to
no part: here they are held to the form of a day.

Of a finding, what it states by a property that no shape looks at together with another is asked by itself. So a finding
is known where each of its statements is, though it was never met as a whole.

Only what is plainly of the known form is taken apart: a tree of one patient, one coverage, one request with at most one
product of each kind, and findings, each of exactly one class, on nodes that are linked to once. Any other case is left
to the case shapes as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.cases.case import DERIVED, is_term
from kb_tools.cases.form import CaseForms
from kb_tools.cases.numbers import StandIns
from kb_tools.cases.standing import Vocabulary
from kb_tools.memory import Memory
from kb_tools.model.products import product_kinds
from kb_tools.rdf.namespaces import CASE, SH

if TYPE_CHECKING:
    from kb_tools.cases.case import Case, Statements
    from kb_tools.model.repository import Repository

# Something that makes a part sound, with others: never equal to what a part says.
Claim: TypeAlias = tuple[object, ...]
# What a part says: a finding without its date, a product, or all that a node states by one property; with the class.
Said: TypeAlias = frozenset[tuple[URIRef, Node]]

_TYPE = RDF.type
_CASE, _COVERAGE_CLASS, _REQUEST_CLASS = CASE.Case, CASE.Coverage, CASE.Request
_PATIENT, _COVERAGE, _REQUEST, _PRODUCT = CASE.patient, CASE.coverage, CASE.request, CASE.product
_FINDING, _DATE, _SERVICE_DATE, _REASON = CASE.finding, CASE.date, CASE.serviceDate, CASE.reason
# What stands in every case, and is no part of it.
_FRAME = {_TYPE, _PATIENT, _COVERAGE, _REQUEST, _SERVICE_DATE}
_COMPARISONS = (SH.lessThan, SH.lessThanOrEquals, SH.equals, SH.disjoint)
# Days that are known to be of the form, in one generation.
DAYS = 50_000


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a case.

    Attributes:
        node: the node that says it.
        whole: whether it is all that the node says, apart from a date.
    """

    said: Said
    node: URIRef
    whole: bool


@dataclass(frozen=True, slots=True)
class Parted:
    """A case, taken apart.

    Attributes:
        service: the date of service, as YYYY-MM-DD.
        reason: the disease treated; None where it is not stated.
        findings: its findings.
        days: their dates, as YYYY-MM-DD.
        others: all other parts; one of them says nothing, and stands for what every case has.
    """

    service: str
    reason: Node | None
    findings: tuple[Part, ...]
    days: tuple[str, ...]
    others: tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts."""
        return self.findings + self.others


class Parting:
    """Takes cases apart."""

    def __init__(self, kb: Repository) -> None:
        self._form_of_days = re.compile(CaseForms(kb).forms["Request"].keys["serviceDate"].pattern)
        self._days: Memory[Node, str] = Memory(DAYS)
        self._classes = frozenset(Vocabulary(kb).classes)
        self._kinds = frozenset({CASE.Product, *product_kinds(kb.ontology)})
        self._stand_ins = StandIns(kb)
        shapes = kb.submission_shapes
        self._alone: dict[Node | None, frozenset[URIRef]] = {
            class_: properties_looked_at_alone(shapes, class_) for class_ in self._classes
        }

    def parted(self, case: Case) -> Parted | None:
        """A case taken apart; None where it is not plainly of the known form."""
        try:
            return self._parted(case)
        except _OtherForm:
            return None

    def claims(self, said: Said) -> tuple[Claim, ...]:
        """What a part claims, so that it is sound if each of these is: numbers by what no shape can tell from them."""
        stated = dict(said)
        class_ = stated.get(_TYPE)
        alone = self._alone.get(class_, frozenset())
        rest = frozenset(pair for pair in said if pair[0] not in alone)
        # What is not stated may be asked for, and so is a claim too.
        return (
            ("together", self._stand_ins.in_statements(rest)),
            *((class_, property_, stated.get(property_)) for property_ in alone),
        )

    def _parted(self, case: Case) -> Parted:
        """Takes a case apart.

        Raises:
            _OtherForm: it is not plainly of the known form.
        """
        about = case.about
        of_case = _stated(about, case.node, _CASE)
        patient, coverage, request = (_only(of_case.pop(link, ())) for link in (_PATIENT, _COVERAGE, _REQUEST))
        findings = of_case.pop(_FINDING, [])
        of_request = _stated(about, request, _REQUEST_CLASS)
        service = self._day(of_request.pop(_SERVICE_DATE, ()))
        products = of_request.pop(_PRODUCT, [])
        reasons = of_request.get(_REASON, [])
        nodes = [case.node, patient, coverage, request, *products, *findings]
        # Every node is linked to, none of them twice, and of the patient nothing is said.
        if len(nodes) != len(about) or len(set(nodes)) != len(nodes) or about[patient]:  # type: ignore[index]
            raise _OTHER_FORM
        if len(reasons) > 1:
            raise _OTHER_FORM
        others = [Part(frozenset(), case.node, False)]
        for node, class_, stated in (
            (case.node, _CASE, of_case),
            (coverage, _COVERAGE_CLASS, _stated(about, coverage, _COVERAGE_CLASS)),
            (request, _REQUEST_CLASS, of_request),
        ):
            for property_, values in stated.items():
                said = [(_TYPE, class_), *((property_, value) for value in values)]
                others.append(Part(_said(said), node, False))  # type: ignore[arg-type]
        kinds = set()
        for product in products:
            kind = dict(about.get(product, ())).get(_TYPE)  # type: ignore[call-overload]
            if kind not in self._kinds or kind in kinds:
                raise _OTHER_FORM
            kinds.add(kind)
            _stated(about, product, kind)
            others.append(Part(_said(about[product]), product, True))  # type: ignore[index,arg-type]
        days, parts = [], []
        for finding in findings:
            pairs = about[finding]  # type: ignore[index]
            single = dict(pairs)
            # Of nothing that a finding states there are two values.
            if len(single) != len(pairs) or single.get(_TYPE) not in self._classes:
                raise _OTHER_FORM
            days.append(self._day([single.pop(_DATE, None)]))
            parts.append(Part(_said(single.items()), finding, True))  # type: ignore[arg-type]
        return Parted(service, reasons[0] if reasons else None, tuple(parts), tuple(days), tuple(others))

    def _day(self, values: Sequence[Node | None]) -> str:
        """The one value, as YYYY-MM-DD.

        Raises:
            _OtherForm: it is no day, or there is not one value.
        """
        day = _only(values)
        found = self._days.get(day)
        if found is None:
            written = str(day)
            if type(day) is not Literal or day.datatype != XSD.date or not self._form_of_days.fullmatch(written):
                raise _OTHER_FORM
            found = self._days.put(day, written)
        return found


def properties_looked_at_alone(shapes: Graph, class_: Node) -> frozenset[URIRef]:
    """The properties of a class of findings that no shape looks at together with another.

    Each is the path of property shapes that stand right under a shape with a target, compare nothing, and stand nowhere
    else; and nothing else names it.
    """
    found = {
        path
        for shape in shapes.subjects(SH.targetClass, class_)
        for property_ in shapes.objects(shape, SH.property)
        for path in shapes.objects(property_, SH.path)
    }
    return frozenset(
        path
        for path in found - {_TYPE, _DATE}
        if isinstance(path, URIRef)
        and all(
            predicate == SH.path and _stands_alone(shapes, property_)
            for property_, predicate in shapes.subject_predicates(path)
        )
    )


def _stands_alone(shapes: Graph, property_: Node) -> bool:
    """Whether a property shape compares nothing, and stands only right under shapes with a target of their own."""
    if any((property_, comparison, None) in shapes for comparison in _COMPARISONS):
        return False
    return all(
        predicate == SH.property and (shape, SH.targetClass, None) in shapes and (None, None, shape) not in shapes
        for shape, predicate in shapes.subject_predicates(property_)
    )


def reduced(case: Case, parted: Parted, kept: Iterable[Part]) -> Statements:
    """What is left of a case that was taken apart if it has no other parts than these."""
    wholes: set[Node] = set()
    stated: set[tuple[Node, Node]] = set()
    for part in kept:
        if part.whole:
            wholes.add(part.node)
        else:
            stated.update((part.node, property_) for property_, _ in part.said)
    left_out = {part.node for part in parted.parts if part.whole} - wholes
    found: Statements = {}
    for node, pairs in case.about.items():
        if node in wholes:
            found[node] = pairs
        elif node not in left_out:
            found[node] = [
                (property_, value)
                for property_, value in pairs
                if property_ in _FRAME or value in wholes or (node, property_) in stated
            ]
    return found


class _OtherForm(Exception):
    """A case is not plainly of the known form."""


_OTHER_FORM = _OtherForm()


def _stated(about: Statements, node: Node, class_: URIRef) -> dict[URIRef, list[Node]]:
    """What is said of a node that is of one class, by property; without the class.

    Raises:
        _OtherForm: it is of another class, or of several.
    """
    found: dict[URIRef, list[Node]] = {}
    for property_, value in about.get(node, ()):  # type: ignore[call-overload]
        found.setdefault(property_, []).append(value)
    if found.pop(_TYPE, None) != [class_]:
        raise _OTHER_FORM
    return found


def _said(pairs: Iterable[tuple[URIRef, Node]]) -> Said:
    """What a part says.

    Raises:
        _OtherForm: it leads to a node of the case, or states what is derived.
    """
    said = frozenset(pairs)
    for property_, value in said:
        if property_ in DERIVED or not (type(value) is Literal or is_term(value)):
            raise _OTHER_FORM
    return said


def _only(values: Sequence[Node | None]) -> Node:
    """The one value.

    Raises:
        _OtherForm: there is none, or more than one.
    """
    if len(values) != 1 or values[0] is None:
        raise _OTHER_FORM
    return values[0]
