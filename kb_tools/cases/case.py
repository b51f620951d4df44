"""A patient case, a violation of the case shapes, and a case that has some."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain, count
from typing import Any, TypeAlias

from rdflib import URIRef
from rdflib.term import Node

from kb_tools import printable
from kb_tools.as_json import AsJson
from kb_tools.cases.record import Reading
from kb_tools.errors import KbError
from kb_tools.rdf.namespaces import CASE, is_our_term
from kb_tools.rdf.terms import Triple

# What is said of each node of a case.
Statements: TypeAlias = dict[URIRef, list[tuple[URIRef, Node]]]

# What is derived, and never stated in a file: of the case the findings that count, and of a finding how it stands.
DERIVED_LINKS = {CASE.countableFinding, CASE.latestFinding, CASE.currentFinding, CASE.perhapsFinding}
DERIVED_OF_FINDINGS = {
    *(CASE.supersededBy, CASE.differsFrom, CASE.contradictedBy),
    *(CASE.mayBeBefore, CASE.mayBeSupersededBy, CASE.mayNotBeOf, CASE.sharesDoubtOf),
}
DERIVED = DERIVED_LINKS | DERIVED_OF_FINDINGS
ISOLATED = "urn:kb:"


@dataclass(frozen=True)
class UnreadPayer:
    """A payer that is named, and of which it is not known which one of those on file it is: no other is taken for it.

    Attributes:
        why: why it is not known, without any value of the input.
        named: whether it is named by a name or a number at all, and not only by a reference that leads nowhere.
        among: the IRIs of the payers on file that are named, where it is not known which of them is meant.
    """

    why: str
    named: bool
    among: frozenset[str] = frozenset()


@dataclass
class Case:
    """One case, on nodes of its own.

    Attributes:
        source: the file it came from, as the user named it.
        name: what the file calls it: the last part of its IRI.
        iri: its IRI in the file, "" if it is a blank node.
        node: its node here.
        about: what it says, by subject.
        names: for each node here, the node of the file that it stands for.
        notices: what a reader must know of how the file was read.
        places: of nodes without a name, where in the file they stand, if that is known.
        reading: what was read of the FHIR resources that it is from, if it is from such.
        position: which input it is, in words without the name of its file.
        digest: of what it says.
        unread_payer: the payer that its source names and that it does not state, if there is one.
    """

    source: str
    name: str
    iri: str
    node: URIRef
    about: Statements = field(repr=False)
    names: dict[URIRef, Node] = field(repr=False)
    notices: tuple[str, ...] = ()
    places: Mapping[Node, str] = field(default_factory=dict, repr=False)
    reading: Reading | None = field(default=None, repr=False)
    position: str = ""
    digest: str = ""
    unread_payer: UnreadPayer | None = None

    @property
    def given(self) -> str:
        """The input, as it is called where what is written goes to others: never by the name of its file."""
        return f"{self.position or 'input'} (sha256 {self.digest[:16]})"

    @property
    def name_for_others(self) -> str:
        """The case, as it is called where what is written goes to others."""
        return printable.line(f"{self.name}, {self.given}" if self.name else self.given)

    @property
    def title(self) -> str:
        return printable.line(f"{self.source}#{self.name}" if self.name else self.source)

    def identity(self) -> dict[str, Any]:
        """What a result says of the case that it is of, as JSON values: its name, its file, and how that was read."""
        read = {"reading": [note.to_dict() for note in self.reading.notes]} if self.reading else {}
        return {"case": self.iri or self.title, "file": self.source, **read}

    def triples(self) -> Iterator[Triple]:
        for subject, pairs in self.about.items():
            for predicate, object_ in pairs:
                yield subject, predicate, object_

    def values(self, node: Node | None, predicate: URIRef) -> list[Node]:
        if not isinstance(node, URIRef):
            return []
        # As texts, which takes a fraction of rdflib's own comparison.
        same = predicate.__str__().__eq__
        return [object_ for property_, object_ in self.about.get(node, ()) if same(property_)]

    def value(self, node: Node | None, predicate: URIRef) -> Node | None:
        return next(iter(self.values(node, predicate)), None)

    @property
    def service_date(self) -> date:
        """The date of service. Only a case that passed the case shapes is sure to have one."""
        return date.fromisoformat(str(self.value(self.value(self.node, CASE.request), CASE.serviceDate)))

    def in_file(self, node: URIRef) -> str:
        """How the file calls a node: its IRI, or "" for a blank node."""
        named = self.names.get(node)
        return str(named) if isinstance(named, URIRef) else ""


@dataclass(frozen=True, order=True)
class Violation:
    """One way in which a case breaks the case shapes.

    Attributes:
        focus, path, value: the node, the property and the value, as the file names them; "" where there is none.
        message: what is wrong, and what to do.
        shape: the shape that says so.
    """

    focus: str
    path: str
    value: str
    message: str
    shape: str

    @property
    def place(self) -> str:
        """Where in the file it is."""
        return " ".join(part for part in (self.focus, self.path, self.value) if part)

    def to_dict(self) -> dict[str, str]:
        """Give the violation as JSON values."""
        return {
            "focus": self.focus,
            "path": self.path,
            "value": self.value,
            "shape": self.shape,
            "message": self.message,
        }


@dataclass(frozen=True)
class Malformed(AsJson):
    """A case that breaks the case shapes, and so is not determined."""

    case: Case
    violations: tuple[Violation, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the case and what is wrong with it, as `kb validate --format json` lists it under "malformed"."""
        return {**self.case.identity(), "violations": [violation.to_dict() for violation in self.violations]}


def is_term(node: Node) -> bool:
    """Whether a node is a term of the vocabularies, or a code, rather than something that a file describes."""
    return isinstance(node, URIRef) and is_our_term(node)


def number_of(node: str) -> str:
    """The number of the case that an isolated node belongs to."""
    return node.removeprefix(ISOLATED).partition(":")[0]


def readable(found: Iterable[Case | KbError], report: Callable[[KbError], None]) -> Iterator[Case]:
    """Give the cases of a stream, and report what stands in it in place of a case that could not be read."""
    for item in found:
        if isinstance(item, Case):
            yield item
        else:
            report(item)


def apart(cases: Iterable[Case]) -> list[Case]:
    """Give cases of which no two share a node, so that they can be put in one graph.

    Each reader numbers its own cases, and one case may be given twice: such a case gets nodes of another number.
    """
    taken: set[str] = set()
    found = []
    for case in cases:
        number = number_of(case.node)
        fresh = next(
            candidate
            for candidate in chain([number], (f"{number}.{again}" for again in count(2)))
            if candidate not in taken
        )
        taken.add(fresh)
        found.append(case if fresh == number else _renumbered(case, fresh))
    return found


def _renumbered(case: Case, number: str) -> Case:
    old = f"{ISOLATED}{number_of(case.node)}:"
    renamed = {node: URIRef(f"{ISOLATED}{number}:{node.removeprefix(old)}") for node in (*case.names, *case.about)}
    about: Statements = {
        renamed[subject]: [(predicate, renamed.get(object_, object_)) for predicate, object_ in pairs]  # type: ignore[call-overload]
        for subject, pairs in case.about.items()
    }
    names = {renamed[node]: name for node, name in case.names.items()}
    return replace(case, node=renamed[case.node], about=about, names=names)
