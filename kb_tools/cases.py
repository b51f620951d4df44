"""Patient cases in: files read, each case isolated from all others, checked, and what counts of it derived.

Of a file only what its cases reach is taken, and each case gets nodes of its own, so that no file and no case can
change another, and none can say anything of a term of the vocabulary.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import pyoxigraph as ox
from rdflib import BNode, Graph, Literal, URIRef
from rdflib.namespace import RDF, RDFS, SKOS, XSD
from rdflib.term import Node

from kb_tools import printable, shacl
from kb_tools.digest import digest
from kb_tools.errors import KbError, KnowledgeBaseError, UnreadableInput
from kb_tools.knowledge_base import KnowledgeBase
from kb_tools.namespaces import CASE, SH, TERM_NAMESPACES
from kb_tools.rdf import (
    FORMAT_NAMES,
    FORMATS,
    MAX_BYTES,
    PACKED,
    Triple,
    base_of,
    check_kind,
    graph_of,
    lines,
    packed,
    parse,
    read_bytes,
    to_quads,
    to_rdflib,
    unopened,
)
from kb_tools.reading import NDJSON, Reading

if TYPE_CHECKING:
    from kb_tools.fhir import FhirReader
    from kb_tools.fhir_case import Imported
    from kb_tools.plain import PlainFormat

# What is said of each node of a case.
Statements: TypeAlias = dict[URIRef, list[tuple[URIRef, Node]]]

# What is derived, and never stated in a file: of the case the findings that count, and of a finding how it stands.
DERIVED_LINKS = {CASE.countableFinding, CASE.latestFinding, CASE.currentFinding, CASE.perhapsFinding}
DERIVED_OF_FINDINGS = {
    *(CASE.supersededBy, CASE.differsFrom, CASE.contradictedBy),
    *(CASE.mayBeBefore, CASE.mayBeSupersededBy, CASE.mayNotBeOf, CASE.sharesDoubtOf),
}
DERIVED = DERIVED_LINKS | DERIVED_OF_FINDINGS
MANIFEST = "manifest.ttl"
# A file with one case, plain or FHIR, and a file with one plain case a line.
JSON, JSON_LINES = ".json", ".jsonl"
SUFFIXES = (*FORMATS, JSON, JSON_LINES, NDJSON)
# Standard input that begins so is no TriG.
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*\"|\[\s*[\[{\"0-9])")
ISOLATED = "urn:kb:"
# What a case may have: nodes, and findings of one class and day, each of which is compared with every other. And how
# many times the statements of a file its cases may take together where they share nodes, beyond a first few.
MAX_NODES, MAX_ALIKE = 5_000, 100
MAX_SHARED, FIRST_FEW = 10, 100_000
# Characters shown of a value that breaks a shape.
_LONGEST = 80
# How XML Schema writes numbers.
_NUMBERS = {
    XSD.integer: re.compile(r"[+-]?[0-9]+"),
    XSD.decimal: re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"),
}
# How alike two names must be for the one to be taken for a misspelling of the other (difflib's ratio).
_CLOSE = 0.8


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

    @property
    def given(self) -> str:
        """The input, as it is called where what is written goes to others: never by the name of its file."""
        return f"{self.position or 'input'} (sha256 {self.digest[:16]})"

    @property
    def told(self) -> str:
        """The case, as it is called where what is written goes to others."""
        return printable.line(f"{self.name}, {self.given}" if self.name else self.given)

    @property
    def title(self) -> str:
        return printable.line(f"{self.source}#{self.name}" if self.name else self.source)

    def triples(self) -> Iterator[Triple]:
        for subject, pairs in self.about.items():
            for predicate, object_ in pairs:
                yield subject, predicate, object_

    def values(self, node: Node | None, predicate: URIRef) -> list[Node]:
        if not isinstance(node, URIRef):
            return []
        return [object_ for each, object_ in self.about.get(node, ()) if each == predicate]

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


@dataclass(frozen=True)
class Malformed:
    """A case that breaks the case shapes, and so is not determined."""

    case: Case
    violations: tuple[Violation, ...]


def find_files(paths: Sequence[str]) -> Iterator[tuple[str, Path | None] | UnreadableInput]:
    """The files that the arguments name: files themselves, the RDF and JSON files under folders, "-" (with no path).

    A folder's manifest.ttl says what its cases must come to and is no case. Where FHIR resources stand by themselves,
    all FHIR of their folder comes out as that folder. A path that is missing, or a folder without a file to read, comes
    out as the error it is, so that the others can go on.
    """
    for argument in paths:
        path = Path(argument)
        if argument == "-":
            yield "standard input", None
        elif path.is_dir():
            yield from _in_folder(path)
        else:
            yield argument, path


def _in_folder(folder: Path) -> Iterator[tuple[str, Path] | UnreadableInput]:
    """What there is to read in a folder and all below it, and what there is that cannot be read."""
    failed: list[OSError] = []
    walked = list(os.walk(folder, onerror=failed.append))
    refused = [unopened(error, Path(error.filename)) for error in failed]
    inner = (Path(place, name) for place, folders, _ in walked for name in folders)
    refused += [_not_entered(each) for each in inner if each.is_symlink()]
    files = sorted(Path(place, name) for place, _, names in walked for name in names if name != MANIFEST)
    known: list[Path] = []
    closed: list[Path] = []
    for each in files:
        ending = each.suffix.lower()
        if ending not in SUFFIXES and not (ending in PACKED and Path(each.stem).suffix.lower() in SUFFIXES):
            continue
        try:
            check_kind(each)
            (closed if ending in PACKED else known).append(each)
        except UnreadableInput as error:
            refused.append(error)
        except OSError as error:
            refused.append(unopened(error, each))
    together = _read_together([*known, *closed])
    yield from refused
    yield from (packed(each) for each in closed if each not in together)
    if not (known or refused or closed):
        mend = f"name a folder with {', '.join(SUFFIXES)} files"
        yield UnreadableInput("no case files in this folder", where=str(folder), mend=mend)
    places = dict.fromkeys(each.parent if each in together else each for each in known)
    yield from ((str(each), each) for each in places)


def _not_entered(link: Path) -> UnreadableInput:
    """What is said of a link to a folder: it may lead anywhere, back to where it stands too."""
    return UnreadableInput("a link to a folder is not followed", where=str(link), mend="name the folder itself")


def _ending(path: Path | None, format_name: str | None, data: bytes) -> str:
    """The ending that stands for the format of an input; of standard input what it begins with tells that.

    Raises:
        UnreadableInput: a file of an ending that is not read, or more on standard input than can be held.
    """
    if format_name:
        return f".{format_name}"
    if path is None:
        return _told_by_the_first_line(data)
    ending = path.suffix.lower()
    if ending in PACKED:
        raise packed(path)
    if ending not in SUFFIXES:
        what = f"unknown format {path.suffix or '(no extension)'}"
        raise UnreadableInput(what, where=str(path), mend=f"use {', '.join(SUFFIXES)}")
    return ending


def _told_by_the_first_line(data: bytes) -> str:
    """The ending that stands for the format of what comes without a name."""
    if not _JSON.match(data):
        return ".trig"
    first, _, more = data.partition(b"\n")
    if not more.strip() or not _is_a_line(first):
        return JSON
    from kb_tools.fhir import is_fhir

    return NDJSON if is_fhir(first) else JSON_LINES


def _is_a_line(text: bytes) -> bool:
    """Whether a text is a JSON value by itself."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _read_together(paths: Iterable[Path]) -> set[Path]:
    """The files with FHIR that are read together, folder by folder."""
    from kb_tools.fhir import read_together

    return read_together(paths)


class CaseReader:
    """Reads case files and gives every case nodes of its own."""

    def __init__(self, kb: KnowledgeBase, terminology: Sequence[Path] = ()) -> None:
        """`terminology`: files that say what the codes of a plan's own systems mean."""
        self.kb = kb
        self._terminology = terminology
        self._count = 0
        self._inputs = 0

    @cached_property
    def _plain(self) -> PlainFormat:
        from kb_tools.plain import PlainFormat

        return PlainFormat(self.kb)

    @cached_property
    def _fhir(self) -> FhirReader:
        from kb_tools.fhir import FhirReader

        return FhirReader(self.kb, self._terminology)

    def stream(
        self, source: str, path: Path | None, stdin: BinaryIO, format_name: str | None = None
    ) -> Iterator[Case | UnreadableInput]:
        """The cases of one input, and in place of what cannot be read the error.

        Where a case stands on each line, or many patients in one file, what is wrong stops no other.

        Args:
            path: None for standard input; a folder for the FHIR that is read together in it.
            format_name: a key of FORMAT_NAMES, "json", "jsonl" or "ndjson"; None for what the name of the file says,
                or the first line of standard input.
        """
        number = self.count()
        for each in self._guarded(source, self._stream(source, path, stdin, format_name)):
            each.position = ", ".join(part for part in (number, each.position) if part)
            if isinstance(each, Case) and each.reading:
                each.reading = replace(each.reading, source=each.given)
            yield each

    def count(self) -> str:
        """The name of the next input by its position. What cannot be opened counts too."""
        self._inputs += 1
        return f"input {self._inputs}"

    @staticmethod
    def _guarded(source: str, found: Iterator[Case | UnreadableInput]) -> Iterator[Case | UnreadableInput]:
        """What is found, and where reading breaks off in a way that nobody foresaw, that: no input stops another."""
        try:
            yield from found
        except KbError:
            raise
        except Exception as error:
            what = f"cannot be read: {type(error).__name__}: {error}"
            yield UnreadableInput(what, where=source, mend="correct it", told="cannot be read")

    def _stream(
        self, source: str, path: Path | None, stdin: BinaryIO, format_name: str | None
    ) -> Iterator[Case | UnreadableInput]:
        try:
            if path and path.is_dir():
                inside = sorted(_read_together(each for each in path.iterdir() if each.is_file()))
                yield from map(self._imported, self._fhir.files(source, inside))
                return
            data = b"" if path or format_name else stdin.read(MAX_BYTES + 1)
            ending = _ending(path, format_name, data)
            if len(data) > MAX_BYTES and ending in (NDJSON, JSON_LINES):
                # What is beyond must not be lost.
                mend = f"name the format: --input-format {ending.removeprefix('.')}"
                raise UnreadableInput(f"more than {MAX_BYTES // 2**20} MiB", where=source, mend=mend)
            yield from self._of_a_format(ending, source, path, BytesIO(data) if data else stdin)
        except UnreadableInput as error:
            yield error
        except OSError as error:
            yield unopened(error, path or Path(source))

    def _of_a_format(
        self, ending: str, source: str, path: Path | None, stdin: BinaryIO
    ) -> Iterator[Case | UnreadableInput]:
        """The cases of one file or stream, by the ending that stands for its format."""
        if ending == NDJSON and path and path.is_file():
            yield from map(self._imported, self._fhir.files(source, [path]))
        elif ending in (NDJSON, JSON_LINES):
            with path.open("rb") if path else nullcontext(stdin) as file:
                if ending == NDJSON:
                    yield from map(self._imported, self._fhir.stream(source, file))
                else:
                    yield from self._lines(source, file)
        elif ending == JSON:
            from kb_tools.fhir import is_fhir

            data = read_bytes(path) if path else stdin.read(MAX_BYTES + 1)
            yield self._imported(self._fhir.bundle(data, source)) if is_fhir(data) else self._plain_case(source, data)
        else:
            format_ = FORMATS.get(ending) or FORMAT_NAMES[ending.removeprefix(".")]
            yield from self.read(source, path, b"" if path else stdin.read(MAX_BYTES + 1), format_)

    def _lines(self, source: str, file: BinaryIO) -> Iterator[Case | UnreadableInput]:
        """The case of each line of a .jsonl file, or why there is none; empty lines are nothing."""
        empty = True
        for number, _, line in lines(file):
            empty = False
            found: Case | UnreadableInput
            try:
                found = self._plain_case(f"{source}:{number}", line, one_line=True)
            except UnreadableInput as error:
                found = error
            found.position = f"line {number}"
            yield found
        if empty:
            yield UnreadableInput("no case in this file", where=source, mend="write one case a line, as JSON")

    def _plain_case(self, source: str, data: bytes, one_line: bool = False) -> Case:
        triples, places = self._plain.triples(data, source, one_line)
        (case,) = self._cases(source, triples)
        case.places = places
        return case

    def _imported(self, imported: Imported | UnreadableInput) -> Case | UnreadableInput:
        if isinstance(imported, UnreadableInput):
            return imported
        try:
            (case,) = self._cases(imported.source, imported.triples)
        except UnreadableInput as error:
            error.position = imported.part
            return error
        case.places, case.reading, case.notices = imported.places, imported.reading, imported.notices
        case.position = imported.part
        return case

    def read(
        self, source: str, path: Path | None, stdin: bytes = b"", format_: ox.RdfFormat | None = None
    ) -> list[Case]:
        """The cases of one RDF file, in order of their names.

        Raises:
            UnreadableInput: the file cannot be read, says something of a term of the vocabulary, or holds no case.
        """
        data = read_bytes(path) if path else stdin
        known = format_ or FORMATS.get(path.suffix.lower() if path else ".trig")
        assert known is not None, "_ending lets no other pass"
        return self._cases(source, parse(data, known, str(path or source), base_of(data)))

    def _cases(self, source: str, triples: Iterable[Triple]) -> list[Case]:
        # Each statement once: what a file says twice it says once.
        about: dict[Node, dict[tuple[URIRef, Node], None]] = defaultdict(dict)
        for subject, predicate, object_ in triples:
            if is_term(subject):
                raise UnreadableInput(
                    f"says something of {self.kb.curie(str(subject))}, a term of the vocabulary",
                    where=source,
                    mend="a case may use the vocabulary and not define it: remove the statement",
                )
            assert isinstance(predicate, URIRef)
            about[subject][predicate, _number_or_text(object_)] = None
        roots = [node for node, pairs in about.items() if (RDF.type, CASE.Case) in pairs]
        if not roots:
            raise UnreadableInput("no case in this file", where=source, mend="a case is a node of class case:Case")
        reached: set[Node] = set()
        # Blank nodes have no name to sort by: they keep the order of the file.
        named = sorted(roots, key=lambda root: str(root) if isinstance(root, URIRef) else "")
        room = FIRST_FEW + MAX_SHARED * sum(map(len, about.values()))
        cases = []
        for root in named:
            case = self._isolate(source, root, about, reached)
            room -= sum(map(len, case.about.values()))
            if room < 0:
                what = f"cases share so much that together they say more than {MAX_SHARED} times what the file says"
                raise UnreadableInput(what, where=source, mend="split the file, or give each case nodes of its own")
            cases.append(case)
        stray = sorted(
            {
                self.kb.curie(str(object_))
                for node, pairs in about.items()
                if node not in reached
                for predicate, object_ in pairs
                if predicate == RDF.type and is_term(object_)
            }
        )
        if stray:
            notice = f"The file also holds {', '.join(stray)} that no case is linked to: not read."
            for case in cases:
                case.notices = (notice,)
        return cases

    def _isolate(
        self, source: str, root: Node, about: Mapping[Node, Iterable[tuple[URIRef, Node]]], reached: set[Node]
    ) -> Case:
        self._count += 1
        renamed: dict[Node, URIRef] = {}

        def own(node: Node) -> URIRef:
            if node not in renamed:
                renamed[node] = URIRef(f"{ISOLATED}{self._count}:{len(renamed)}")
                waiting.append(node)
            return renamed[node]

        waiting: deque[Node] = deque()
        mine: Statements = {}
        case = own(root)
        while waiting:
            node = waiting.popleft()
            reached.add(node)
            pairs = mine.setdefault(renamed[node], [])
            for predicate, object_ in about.get(node, ()):
                keep = isinstance(object_, Literal) or predicate == RDF.type or is_term(object_)
                pairs.append((predicate, object_ if keep else own(object_)))
            if len(renamed) > MAX_NODES:
                what = f"a case of more than {MAX_NODES} nodes"
                raise UnreadableInput(what, where=source, mend="leave out what is not of the request")
        _check_alike(source, mine)
        name = str(root).rpartition("#")[2].rpartition("/")[2] if isinstance(root, URIRef) else ""
        return Case(
            source=source,
            name=name,
            iri=str(root) if isinstance(root, URIRef) else "",
            node=case,
            about=mine,
            names={new: old for old, new in renamed.items()},
            digest=digest(case, mine),
        )


def _check_alike(source: str, about: Statements) -> None:
    """Refuses a case with too many findings of one class and day.

    Raises:
        UnreadableInput: it has.
    """
    kinds = Counter(
        (kind, day)
        for pairs in about.values()
        for predicate, day in pairs
        if predicate == CASE.date
        for named, kind in pairs
        if named == RDF.type
    )
    if any(count > MAX_ALIKE for count in kinds.values()):
        what = f"a case with more than {MAX_ALIKE} findings of one class and day"
        raise UnreadableInput(what, where=source, mend="state each finding once")


class CaseChecker:
    """Holds cases against the case shapes and derives what counts of those that pass, many at a time."""

    def __init__(self, kb: KnowledgeBase, engine: str) -> None:
        self.kb = kb
        self.engine = engine
        self.shapes = kb.graph([kb.root / "shapes/case.ttl", kb.root / "shapes/submission.ttl"])
        if (None, SH.targetClass, CASE.Case) not in self.shapes:
            raise KnowledgeBaseError(
                "no shape is of a case", where=str(kb.root / "shapes/case.ttl"), mend="restore it from version control"
            )

    @cached_property
    def concepts(self) -> list[Triple]:
        """What the shapes need of the vocabularies: which concept is of which class, and what is broader."""
        return list(concept_facts(self.kb.ontology))

    @cached_property
    def _concept_classes(self) -> set[Node]:
        return concept_classes(self.kb.ontology)

    def check(self, cases: Sequence[Case]) -> list[Case | Malformed]:
        """Each case with what counts of it derived, or what breaks the case shapes in it, in the order given."""
        data = graph_of(self.concepts)
        for case in cases:
            for triple in case.triples():
                # A case uses concepts and makes none: a node of its own is no disease, whatever it calls itself.
                if triple[1] != RDF.type or triple[2] not in self._concept_classes:
                    data.add(triple)
        found: dict[str, list[Violation]] = defaultdict(list)
        by_number = {number_of(case.node): case for case in cases}
        for result in shacl.validate(data, self.shapes, self.engine):
            found[number_of(result.focus)].append(self._violation(by_number[number_of(result.focus)], result))
        sound = {number: case for number, case in by_number.items() if number not in found}
        derived = self._derive(sound)
        return [
            Malformed(case, tuple(sorted(set(found[number]))))
            if number in found
            else replace(case, about=_merged(case.about, derived[number]))
            for number, case in by_number.items()
        ]

    def derive(self, cases: Sequence[Case]) -> list[Case]:
        """Well-formed cases with what counts of them derived; whether they are well-formed is not looked at."""
        derived = self._derive({number_of(case.node): case for case in cases})
        return [replace(case, about=_merged(case.about, derived[number_of(case.node)])) for case in cases]

    def _violation(self, case: Case, result: shacl.Result) -> Violation:
        """A result in the words of the file: its own nodes, CURIEs, and a guess at what was meant."""
        path = self.kb.curie(result.path) if ":" in result.path else ""
        focus = URIRef(result.focus)
        kind = case.value(focus, RDF.type)
        name = (
            case.in_file(focus)
            or case.places.get(case.names[focus])
            or f"a {self.kb.curie(str(kind)) if kind else 'node'} without a name"
        )
        value = "" if result.value == result.focus else result.value
        if result.component == str(SH.ClosedConstraintComponent):
            guess = self._property_meant(path, result.shape)
        else:
            guess = self._term_meant(case, value)
        if value.startswith(ISOLATED):
            value = case.in_file(URIRef(value))
        elif value.startswith("http"):
            value = self.kb.curie(value)
        elif value and (result.path == str(CASE.patient) or focus == case.value(case.node, CASE.patient)):
            value = "a text"  # It may be the name of the patient.
        return Violation(
            focus=printable.line(name),
            path=printable.line(path),
            value=_printable(value),
            message=result.message + (f" Did you mean {guess[0]}?" if guess else ""),
            shape=self.kb.curie(result.shape),
        )

    def _property_meant(self, path: str, shape: str) -> list[str]:
        """The property of a closed shape that one which it does not allow comes close to."""
        named = (self.shapes.value(each, SH.path) for each in self.shapes.objects(URIRef(shape), SH.property))
        allowed = sorted(self.kb.curie(str(each)) for each in named)
        same = [each for each in allowed if each.partition(":")[2] == path.partition(":")[2]]
        return same or difflib.get_close_matches(path, allowed, n=1, cutoff=_CLOSE)

    def _term_meant(self, case: Case, value: str) -> list[str]:
        """The term that a value, or the class of a value, comes close to when the vocabulary has none of its name."""
        kinds = case.values(URIRef(value), RDF.type) if value.startswith(ISOLATED) else []
        for iri in (value, *map(str, kinds)):
            if iri.startswith(TERM_NAMESPACES) and (URIRef(iri), None, None) not in self.kb.ontology:
                return difflib.get_close_matches(self.kb.curie(iri), self._terms, n=1, cutoff=_CLOSE)
        return []

    @cached_property
    def _terms(self) -> list[str]:
        return sorted({self.kb.curie(str(term)) for term in self.kb.ontology.subjects() if is_term(term)})

    @cached_property
    def _rules(self) -> list[str]:
        """The queries that derive what counts, in their order."""
        graph = self.kb.graph([self.kb.root / "shapes/derivation.ttl"])
        ordered = sorted((int(str(order)), rule) for rule, order in graph.subject_objects(SH.order))
        if not ordered:
            where = str(self.kb.root / "shapes/derivation.ttl")
            raise KnowledgeBaseError("no rule of what counts", where=where, mend="restore it from version control")
        return [str(graph.value(rule, SH.construct)) for _, rule in ordered]

    def _derive(self, cases: Mapping[str, Case]) -> dict[str, list[Triple]]:
        """What counts of each case, by its number."""
        derived: dict[str, list[Triple]] = {number: [] for number in cases}
        store = ox.Store()
        store.bulk_extend(to_quads(self.kb.ontology))
        store.bulk_extend(quad for case in cases.values() for quad in to_quads(case.triples()))
        for rule in self._rules:
            found = store.query(rule, prefixes=self.kb.prefixes)
            assert isinstance(found, ox.QueryTriples)
            # Two rules can derive one statement, and so can one rule in two ways.
            new = [quad for triple in dict.fromkeys(found) if (quad := ox.Quad(*triple)) not in store]
            store.extend(new)
            for quad in new:
                triple = (quad.subject, quad.predicate, quad.object)
                subject, predicate, object_ = map(to_rdflib, triple)
                derived[number_of(str(subject))].append((subject, predicate, object_))
        return derived


def _merged(about: Statements, more: Iterable[Triple]) -> Statements:
    merged = {subject: list(pairs) for subject, pairs in about.items()}
    for subject, predicate, object_ in more:
        assert isinstance(subject, URIRef) and isinstance(predicate, URIRef)
        merged[subject].append((predicate, object_))
    return merged


def is_term(node: Node) -> bool:
    """Whether a node is a term of the vocabularies, or a code, rather than something that a file describes."""
    return isinstance(node, URIRef) and str(node).startswith(TERM_NAMESPACES)


def number_of(node: str) -> str:
    """The number of the case that an isolated node belongs to."""
    return node.removeprefix(ISOLATED).partition(":")[0]


def _number_or_text(node: Node) -> Node:
    """The node itself, or as a mere text what is stated to be a number and is none.

    Python takes more for a number than XML Schema does ("NaN", "1_000", digits of every script), and pySHACL ends where
    it compares "NaN" with a limit. A text it compares and refuses.
    """
    pattern = _NUMBERS.get(node.datatype) if isinstance(node, Literal) and node.datatype else None
    return node if pattern is None or pattern.fullmatch(str(node)) else Literal(str(node))


def _printable(text: str) -> str:
    """A value of a file as one short line, without what a terminal would obey."""
    line = printable.line(text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def concept_classes(ontology: Graph) -> set[Node]:
    """The classes whose members are concepts of the vocabularies."""
    return {each for each in ontology.transitive_subjects(RDFS.subClassOf, SKOS.Concept) if each is not None}


def concept_facts(ontology: Graph) -> Iterator[Triple]:
    """Every concept with its class and what is broader: all that shapes ask of the vocabularies."""
    classes = concept_classes(ontology)
    for subject, predicate, object_ in ontology:
        if predicate == SKOS.broader or (predicate == RDF.type and object_ in classes):
            yield subject, predicate, object_


def prepared(kb: KnowledgeBase, cases: Sequence[Case], derived: bool = True) -> Graph:
    """One graph of cases on the nodes that their files use, with what counts of them derived.

    Args:
        derived: False to leave out what is derived, so that the graph can be submitted.

    Raises:
        UnreadableInput: two cases describe one node: together in a graph, each would change the other.
    """
    graph = Graph(bind_namespaces="none")
    for prefix, namespace in kb.prefixes.items():
        graph.bind(prefix, namespace)
    owner: dict[Node, Case] = {}
    for case in cases:
        fresh = {new: BNode() if isinstance(old, BNode) else old for new, old in case.names.items()}
        for node, old in fresh.items():
            if case.about[node] and owner.setdefault(old, case) is not case:
                raise UnreadableInput(
                    f"{old} is described by {owner[old].title} too", where=case.title, mend="prepare them one at a time"
                )
        for subject, predicate, object_ in case.triples():
            if not derived and predicate in DERIVED:
                continue
            graph.add((fresh[subject], predicate, fresh.get(object_, object_)))  # type: ignore[index, call-overload]
    return graph
