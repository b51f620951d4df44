"""Random well-formed cases over the whole vocabulary, as data that a test varies before it writes them; random trees.

What a finding can state is read from the vocabularies, so that a new concept, property or class of findings is drawn
without a change here. Days come from a handful around the service date: findings must meet on one day to conflict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TypeAlias, TypeVar

import pyoxigraph as ox
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from rdflib import Literal, URIRef
from rdflib.namespace import RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from kb_tools.cases.case import Case
from kb_tools.cases.reader import CaseReader
from kb_tools.model.logic import OPERATORS, Tree, Value
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, CLIN, SH, SHAPE

ROOT = Path(__file__).parents[2]
T = TypeVar("T")

# ---------------------------------------------------------------------- what a case says, as data


@dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        kind: its class, as a CURIE, as are all terms here.
        stated: the properties and values that it states besides.
    """

    kind: str
    day: date
    stated: tuple[tuple[str, str], ...] = ()
    basis: str = "case:ChartEvidence"

    def value(self, property_: str) -> str | None:
        return dict(self.stated).get(property_)

    def number(self, property_: str) -> float | None:
        found = self.value(property_)
        return None if found is None else float(found)


@dataclass(frozen=True)
class Product:
    """What is to be infused; empty or None where nothing is said."""

    processing: frozenset[str] = frozenset()
    donor: str | None = None
    trial: str | None = None


@dataclass(frozen=True)
class Picture:
    """What one case says; empty or None where it says nothing."""

    service_date: date
    line_of_business: str | None = None
    service: str | None = None
    codes: frozenset[str] = frozenset()
    reason: str | None = None
    purposes: frozenset[str] = frozenset()
    product: Product | None = None
    findings: tuple[Finding, ...] = ()

    def with_findings(self, *more: Finding) -> Picture:
        return replace(self, findings=self.findings + more)

    def statements(self, node: Callable[[str], str]) -> list[str]:
        """What the case says, a line of Turtle for each triple.

        Args:
            node: how to write a node of the case: "case", "patient", "coverage", "request", "product", "finding0", …
        """
        case, coverage, request = node("case"), node("coverage"), node("request")
        lines = [
            f"{case} a case:Case",
            f"{case} case:patient {node('patient')}",
            f"{case} case:coverage {coverage}",
            f"{coverage} a case:Coverage",
            f"{case} case:request {request}",
            f"{request} a case:Request",
            f"{request} case:serviceDate {day_literal(self.service_date)}",
        ]
        stated: list[tuple[str, str, str | None]] = [
            (coverage, "case:lineOfBusiness", self.line_of_business),
            (request, "case:service", self.service),
            (request, "case:reason", self.reason),
            *((request, "case:procedureCode", code) for code in sorted(self.codes)),
            *((request, "case:purpose", purpose) for purpose in sorted(self.purposes)),
        ]
        if self.product is not None:
            product = node("product")
            lines += [f"{request} case:product {product}", f"{product} a case:Product"]
            stated += [(product, "clin:processing", processing) for processing in sorted(self.product.processing)]
            stated += [
                (product, "clin:lymphocyteDonor", self.product.donor),
                (product, "clin:withinClinicalTrial", self.product.trial),
            ]
        for number, finding in enumerate(self.findings):
            own = node(f"finding{number}")
            lines += [f"{case} case:finding {own}", f"{own} a {finding.kind}"]
            pairs = (("case:date", day_literal(finding.day)), ("case:basis", finding.basis), *finding.stated)
            stated.extend((own, property_, value) for property_, value in pairs)
        lines += [f"{subject} {predicate} {value}" for subject, predicate, value in stated if value is not None]
        return lines


def day_literal(day: date) -> str:
    return f'"{day}"^^xsd:date'


def named(name: str) -> Callable[[str], str]:
    """Writes every node of a case as an IRI of its own."""
    return lambda node: f"<https://example.org/{name}#{node}>"


def blank(name: str) -> Callable[[str], str]:
    """Writes every node of a case as a blank node."""
    return lambda node: f"_:{name}{node}"


def turtle(statements: Iterable[str]) -> bytes:
    """A Turtle file of the statements, in their order."""
    prefixes = [f"PREFIX {prefix}: <{namespace}>" for prefix, namespace in VOCABULARY.prefixes.items()]
    return "\n".join([*prefixes, *(f"{statement} ." for statement in statements)]).encode()


def read(pictures: Iterable[Picture], reader: CaseReader | None = None) -> list[Case]:
    """The cases, each as if from a file of its own."""
    reader = reader or CaseReader(VOCABULARY)
    cases: list[Case] = []
    for number, picture in enumerate(pictures):
        text = turtle(picture.statements(named(f"case{number}")))
        cases += reader.read(f"case{number}", None, text, ox.RdfFormat.TURTLE)
    return cases


def built(pictures: Iterable[Picture]) -> list[Case]:
    """The cases as the reader gives them, made without reading: much faster, for many thousands of them."""
    return [_built(number, picture) for number, picture in enumerate(pictures)]


def _built(number: int, picture: Picture) -> Case:
    about: dict[URIRef, list[tuple[URIRef, Node]]] = {}
    for line in picture.statements(lambda node: f"<urn:kb:{number}:{node}>"):
        subject, predicate, object_ = map(_term, line.split(" ", 2))
        assert isinstance(subject, URIRef) and isinstance(predicate, URIRef)
        about.setdefault(subject, []).append((predicate, object_))
    root = f"urn:kb:{number}:"
    about.setdefault(URIRef(root + "patient"), [])
    return Case(f"case{number}", "case", "", URIRef(root + "case"), about, {node: node for node in about})


_NUMBERS = {XSD.integer: re.compile(r"[0-9]+"), XSD.decimal: re.compile(r"[0-9]*\.[0-9]+")}


@cache
def _term(text: str) -> Node:
    """A term as `Picture.statements` writes it."""
    if text.startswith("<"):
        return URIRef(text[1:-1])
    if text.startswith('"'):
        value, _, datatype = text[1:].rpartition('"')
        return Literal(value, datatype=str(_term(datatype.removeprefix("^^"))) if datatype else None)
    if text in ("true", "false"):
        return Literal(text, datatype=XSD.boolean)
    for datatype, pattern in _NUMBERS.items():
        if pattern.fullmatch(text):
            return Literal(text, datatype=datatype)
    prefix, _, name = text.partition(":")
    return RDF.type if text == "a" else URIRef(VOCABULARY.prefixes[prefix] + name)


# ---------------------------------------------------------------------- what the vocabularies offer

VOCABULARY = Repository(ROOT)


def _curies(nodes: Iterable[Node | None]) -> list[str]:
    return sorted(VOCABULARY.curie(str(node)) for node in nodes)


def _concepts() -> dict[str, list[str]]:
    ontology = VOCABULARY.ontology
    return {
        VOCABULARY.curie(str(class_)): _curies(ontology.subjects(RDF.type, class_))
        for class_ in ontology.subjects(RDFS.subClassOf, SKOS.Concept)
    }


def _stated_by(class_: str) -> dict[str, str | None]:
    """The properties of a class of findings, with the class of their values where those are concepts."""
    ontology = VOCABULARY.ontology
    prefix, name = class_.split(":")
    properties = ontology.subjects(RDFS.domain, URIRef(VOCABULARY.prefixes[prefix] + name))
    ranges = {VOCABULARY.curie(str(property_)): ontology.value(property_, RDFS.range) for property_ in properties}
    return {
        property_: VOCABULARY.curie(str(range_)) if range_ else None for property_, range_ in sorted(ranges.items())
    }


# The concepts of each class, all as CURIEs.
CONCEPTS = _concepts()
# The classes of findings, each with its properties and the classes of their values.
FINDINGS = {kind: _stated_by(kind) for kind in _curies(VOCABULARY.ontology.subjects(RDFS.subClassOf, CASE.Finding))}
# Those of them of which it can be stated that it is in doubt whether they count.
_DOUBTABLE = frozenset(
    VOCABULARY.curie(str(class_))
    for shape, class_ in VOCABULARY.case_shapes.subject_objects(SH.targetClass)
    if (shape, SH.property, SHAPE["Finding-inDoubt"]) in VOCABULARY.case_shapes
)
IN_DOUBT = ("case:inDoubt", '"A newer note could not be read."')
_CODES = ("cpt:38242", "cpt:38215", "cpt:86950", "hcpcs:S2150")
_MANIPULATION = frozenset(_curies(VOCABULARY.ontology.transitive_subjects(SKOS.broader, CLIN.ExVivoManipulation)))

# The classes of which only the latest of a kind counts, and what makes findings of one class of one kind.
LATEST_COUNTS = _curies(VOCABULARY.ontology.subjects(CASE.latestCounts, Literal(True)))
_KEYS = {
    VOCABULARY.curie(str(class_)): VOCABULARY.curie(str(key))
    for class_, key in VOCABULARY.ontology.subject_objects(CASE.keyProperty)
}
_KIND = tuple(sorted(_KEYS.values()))
# What half of all values are drawn from, so that random cases come to every outcome and not only to what is missing.
USUAL = {
    "clin:graftSource": ("clin:MatchedRelatedDonor", "clin:Autologous"),
    "clin:disease": ("clin:AcuteMyeloidLeukemia",),
    "clin:diseaseStatus": ("clin:Relapsed", "clin:CompleteRemission"),
    "clin:response": ("clin:PositiveResponse",),
    "clin:method": ("clin:FlowCytometry",),
    "clin:lineage": ("clin:TCells",),
}
# The classes with several kinds, which have more to go wrong, twice as often as the others.
KINDS = (*FINDINGS, "clin:ChimerismTest", "clin:MRDTest")
DAYS_BEFORE = (400, 100, 30, 7, 7, 1, 0, -1)
SERVICE_DATES = (date(2026, 7, 1), date(2024, 2, 29), date(2020, 1, 1))

# ---------------------------------------------------------------------- drawing


def examples(count: int, shrink: bool = True) -> settings:
    """The settings of a property: so many examples, the same ones in every run.

    Args:
        shrink: whether to look for a smaller example that fails too: it takes minutes where an example is a batch of
            cases, which the engines are asked for again and again. See `differing`.
    """
    return settings(
        phases=[phase for phase in Phase if shrink or phase is not Phase.shrink],
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )


def concepts(class_: str, usual: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """A concept of a class; every other time one of the usual ones, if there are any."""
    every = st.sampled_from(CONCEPTS[class_])
    return st.one_of(st.sampled_from(usual), every) if usual else every


def _percents() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    usual = st.sampled_from(("85", "95", "100", "100"))
    exact = st.sampled_from(("0", "50.5", "89", "89.9", "90", "90.0", "99.9", "100.0"))
    low, high = st.sampled_from(("0", "85", "90", "95", "100")), st.sampled_from(("89.9", "90", "95", "100"))

    def both(pair: tuple[str, str]) -> tuple[tuple[str, str], ...]:
        return ("clin:donorPercentAtLeast", pair[0]), ("clin:donorPercentAtMost", pair[1])

    return st.one_of(
        usual.map(lambda value: (("clin:donorPercent", value),)),
        usual.map(lambda value: (("clin:donorPercent", value),)),
        exact.map(lambda value: (("clin:donorPercent", value),)),
        low.map(lambda value: (("clin:donorPercentAtLeast", value),)),
        high.map(lambda value: (("clin:donorPercentAtMost", value),)),
        high.map(lambda value: (("clin:donorPercentBelow", value),)),
        st.tuples(low, high).filter(lambda pair: float(pair[0]) <= float(pair[1])).map(both),
        st.just((("clin:donorPercentAtLeast", "85"), ("clin:donorPercentBelow", "95.0"))),
        st.just(()),
    )


def _grades() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    grade = st.integers(0, 4)
    return st.one_of(
        grade.map(lambda value: (("clin:grade", str(value)),)),
        grade.map(lambda value: (("clin:gradeAtLeast", str(value)),)),
        grade.map(lambda value: (("clin:gradeAtMost", str(value)),)),
        st.tuples(grade, grade).map(
            lambda pair: (("clin:gradeAtLeast", str(min(pair))), ("clin:gradeAtMost", str(max(pair))))
        ),
        st.just(()),
    )


@st.composite
def statements(draw: st.DrawFn, kind: str) -> tuple[tuple[str, str], ...]:
    """What a finding of a class states besides day and basis: each optional property mostly, a doubt now and then."""
    stated: list[tuple[str, str]] = []
    if "clin:grade" in FINDINGS[kind]:
        stated += draw(_grades())
    if "clin:donorPercent" in FINDINGS[kind]:
        stated += draw(_percents())
    for property_, range_ in FINDINGS[kind].items():
        if property_ == "clin:absenceOf":
            stated.append((property_, draw(st.sampled_from(("clin:Transplant", "clin:EarlierInfusion")))))
        elif range_ and (property_ == "clin:disease" or draw(st.integers(0, 5))):
            stated.append((property_, draw(concepts(range_, USUAL.get(property_, ())))))
    if kind in _DOUBTABLE and not draw(st.integers(0, 5)):
        stated.append(IN_DOUBT)
    return tuple(stated)


@st.composite
def findings(
    draw: st.DrawFn, service_date: date, kinds: Iterable[str] = KINDS, days_before: Iterable[int] = DAYS_BEFORE
) -> Finding:
    """A finding of one of the classes, on a day so many days before the service date."""
    kind = draw(st.sampled_from(sorted(kinds)))
    day = service_date - timedelta(draw(st.sampled_from(tuple(days_before))))
    return Finding(kind, day, draw(statements(kind)), draw(concepts("case:Basis")))


@st.composite
def products(draw: st.DrawFn) -> Product:
    """A product, which is never both unmanipulated and manipulated."""
    usual = ("clin:Unmanipulated", "clin:GeneticModification")
    processing = draw(st.frozensets(concepts("clin:Processing", usual), max_size=2))
    if "clin:Unmanipulated" in processing:
        processing -= _MANIPULATION
    donor = draw(st.none() | concepts("clin:LymphocyteDonor"))
    return Product(processing, donor, draw(st.sampled_from((None, "true", "false"))))


def _plain(service_date: date) -> tuple[Finding, ...]:
    """What a case that meets the criteria has."""
    return (
        Finding("clin:Transplant", service_date - timedelta(300), (("clin:graftSource", "clin:CordBlood"),)),
        Finding(
            "clin:DiseaseStatusAssessment",
            service_date - timedelta(30),
            (("clin:disease", "clin:AcuteMyeloidLeukemia"), ("clin:diseaseStatus", "clin:Relapsed")),
        ),
        Finding("clin:AcuteGvHDAssessment", service_date - timedelta(7), (("clin:grade", "0"),)),
        Finding("clin:StatedAbsence", service_date - timedelta(7), (("clin:absenceOf", "clin:EarlierInfusion"),)),
    )


@st.composite
def _with_kin(draw: st.DrawFn, one: Finding, service_date: date) -> tuple[Finding, ...]:
    """A finding, and up to two of its class: of its kind on its day or another, or of another kind on its day."""
    found = [one]
    for how in draw(st.lists(st.sampled_from(("day", "kind", "both")), max_size=2)):
        day = one.day if how != "kind" else service_date - timedelta(draw(st.sampled_from(DAYS_BEFORE)))
        stated = draw(statements(one.kind))
        if how != "day":
            alike = tuple(pair for pair in one.stated if pair[0] in _KIND)
            stated = alike + tuple(pair for pair in stated if pair[0] not in _KIND)
        found.append(replace(one, day=day, stated=stated))
    return tuple(found)


def _mostly(value: str | None, others: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    """The value twice out of three times, else nothing or another."""
    return st.integers(0, 5).flatmap(lambda roll: st.none() if roll == 0 else others if roll == 1 else st.just(value))


@st.composite
def pictures(draw: st.DrawFn, max_findings: int = 3) -> Picture:
    """A well-formed case: parts of a plain one, changed, left out and joined by findings of every class."""
    service_date = draw(st.sampled_from(SERVICE_DATES))
    plain = [finding for finding in _plain(service_date) if draw(st.integers(0, 4))]
    more = draw(st.lists(findings(service_date), min_size=1, max_size=max_findings))
    stated = [kin for finding in (*plain, *more) for kin in draw(_with_kin(finding, service_date))]
    return Picture(
        service_date=service_date,
        line_of_business=draw(_mostly("case:Commercial", concepts("case:LineOfBusiness"))),
        service=draw(_mostly("clin:DonorLymphocyteInfusion", concepts("clin:Service"))),
        codes=draw(st.frozensets(st.sampled_from(_CODES), max_size=1)),
        reason=draw(_mostly("clin:AcuteMyeloidLeukemia", concepts("clin:Disease"))),
        purposes=draw(st.frozensets(concepts("clin:Purpose"), max_size=2)),
        product=draw(st.just(Product(frozenset({"clin:Unmanipulated"}))) | products() | st.none()),
        findings=tuple(stated),
    )


def differing(batch: Sequence[Picture], first: Sequence[T], second: Sequence[T]) -> list[tuple[Picture, T, T]]:
    """The cases of a batch that came to two things, with both: what a failing assertion must show."""
    return [row for row in zip(batch, first, second, strict=True) if row[1] != row[2]]


@st.composite
def later_findings(draw: st.DrawFn, picture: Picture) -> Finding:
    """A finding of any class, dated after the service date."""
    return draw(findings(picture.service_date, days_before=(-1, -2, -400)))


@st.composite
def superseded_findings(draw: st.DrawFn, picture: Picture) -> Finding | None:
    """A finding older than one of its key that states a value up to the service date; None where there is none.

    Not of a class whose findings are told apart by a key that the newer one does not state: it may be of another key.
    Nor where one of the same day or older does not state its key: the older finding may supersede that one.
    """

    def counts(finding: Finding) -> bool:
        values = {property_ for property_, _ in finding.stated} - {*_KIND, IN_DOUBT[0]}
        if _KEYS.get(finding.kind) and finding.value(_KEYS[finding.kind]) is None:
            return False
        states = finding.kind == "clin:EarlierInfusion" or bool(values)
        before = finding.day < picture.service_date or (
            finding.day == picture.service_date and finding.kind != "clin:EarlierInfusion"
        )
        return finding.kind in LATEST_COUNTS and states and before

    newer = [finding for finding in picture.findings if counts(finding)]
    if not newer:
        return None
    with_older = [
        finding for finding in newer if any(other.kind == finding.kind and other.day < finding.day for other in newer)
    ]
    wanted: bool = draw(st.booleans())
    one = draw(st.sampled_from(with_older if with_older and wanted else newer))
    other = tuple(pair for pair in draw(statements(one.kind)) if pair[0] not in _KIND)
    alike = tuple(pair for pair in one.stated if pair[0] in _KIND)
    # On a day that others of its class have too, if there is one.
    days = {finding.day for finding in picture.findings if finding.kind == one.kind and finding.day < one.day}
    day = draw(st.sampled_from(sorted(days or {one.day - timedelta(1)})))
    key = _KEYS.get(one.kind)
    if key and any(
        finding.day <= day for finding in picture.findings if finding.kind == one.kind and finding.value(key) is None
    ):
        return None
    return Finding(one.kind, day, alike + other)


def batches(size: int = 20) -> st.SearchStrategy[list[Picture]]:
    """So many cases at once, no two alike: the engines are asked once for all of them."""
    return st.lists(pictures(), min_size=size, max_size=size, unique=True)


# ---------------------------------------------------------------------- trees of conditions

Part: TypeAlias = Tree | str
CONDITIONS = ("a", "b", "c", "d", "e")


def _composed(parts: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    lists = st.lists(parts, min_size=0, max_size=3).map(tuple)
    return st.one_of(st.builds(Tree, st.sampled_from(sorted(OPERATORS)), lists), counting(parts))


def counting(parts: st.SearchStrategy[Part], most: int = 3) -> st.SearchStrategy[Tree]:
    """Trees that hold where at least so many of their parts do."""
    lists = st.lists(parts, min_size=1, max_size=most).map(tuple)
    return lists.flatmap(
        lambda chosen: st.integers(1, len(chosen)).map(lambda least: Tree("atLeast", chosen, least=least))
    )


# Trees over a few conditions, which they repeat, and values for all of these.
TREES: st.SearchStrategy[Part] = st.recursive(st.sampled_from(CONDITIONS), _composed, max_leaves=12)
VALUES = st.fixed_dictionaries({name: st.sampled_from(Value) for name in CONDITIONS})
