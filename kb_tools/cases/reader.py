"""Reads cases of every format, each put on nodes of its own."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pyoxigraph as ox
from rdflib import Literal, URIRef
from rdflib.namespace import RDF, XSD
from rdflib.term import Node

from kb_tools.cases.case import ISOLATED, Case, is_term
from kb_tools.cases.digest import digest
from kb_tools.cases.inputs import JSON, JSON_LINES, files_read_together, format_of
from kb_tools.cases.record import NDJSON
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.repository import KnowledgeBase
from kb_tools.rdf.files import FORMAT_NAMES, FORMATS, MAX_BYTES, base_of, lines, parse, read_bytes, unopened
from kb_tools.rdf.namespaces import CASE
from kb_tools.rdf.terms import Triple

if TYPE_CHECKING:
    from kb_tools.cases.case import Statements
    from kb_tools.cases.fhir.builder import Imported
    from kb_tools.cases.fhir.reader import FhirReader
    from kb_tools.cases.plain import PlainReader
# What a case may have: nodes, and findings of one class and day, each of which is compared with every other. And how
# many times the statements of a file its cases may take together where they share nodes, beyond a first few.
MAX_NODES, MAX_ALIKE = 5_000, 100
MAX_SHARED, FIRST_FEW = 10, 100_000
# How XML Schema writes numbers.
_NUMBERS = {
    XSD.integer: re.compile(r"[+-]?[0-9]+"),
    XSD.decimal: re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"),
}


class CaseReader:
    """Reads case files and gives every case nodes of its own."""

    def __init__(self, kb: KnowledgeBase, terminology: Sequence[Path] = ()) -> None:
        """`terminology`: files that say what the codes of a plan's own systems mean."""
        self.kb = kb
        self._terminology = terminology
        self._count = 0
        self._inputs = 0

    @cached_property
    def _plain(self) -> PlainReader:
        from kb_tools.cases.form import CaseForms
        from kb_tools.cases.plain import PlainReader

        return PlainReader(CaseForms(self.kb))

    @cached_property
    def _fhir(self) -> FhirReader:
        from kb_tools.cases.fhir.reader import FhirReader

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
            yield UnreadableInput(what, where=source, hint="correct it", told="cannot be read")

    def _stream(
        self, source: str, path: Path | None, stdin: BinaryIO, format_name: str | None
    ) -> Iterator[Case | UnreadableInput]:
        try:
            if path and path.is_dir():
                inside = sorted(files_read_together(each for each in path.iterdir() if each.is_file()))
                yield from map(self._imported, self._fhir.files(source, inside))
                return
            data = b"" if path or format_name else stdin.read(MAX_BYTES + 1)
            ending = format_of(path, format_name, data)
            if len(data) > MAX_BYTES and ending in (NDJSON, JSON_LINES):
                # What is beyond must not be lost.
                hint = f"name the format: --input-format {ending.removeprefix('.')}"
                raise UnreadableInput(f"more than {MAX_BYTES // 2**20} MiB", where=source, hint=hint)
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
            from kb_tools.cases.fhir.reader import is_fhir

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
            yield UnreadableInput("no case in this file", where=source, hint="write one case a line, as JSON")

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
        assert known is not None, "format_of lets no other pass"
        return self._cases(source, parse(data, known, str(path or source), base_of(data)))

    def _cases(self, source: str, triples: Iterable[Triple]) -> list[Case]:
        # Each statement once: what a file says twice it says once.
        about: dict[Node, dict[tuple[URIRef, Node], None]] = defaultdict(dict)
        for subject, predicate, object_ in triples:
            if is_term(subject):
                raise UnreadableInput(
                    f"says something of {self.kb.curie(str(subject))}, a term of the vocabulary",
                    where=source,
                    hint="a case may use the vocabulary and not define it: remove the statement",
                )
            assert isinstance(predicate, URIRef)
            about[subject][predicate, _number_or_text(object_)] = None
        roots = [node for node, pairs in about.items() if (RDF.type, CASE.Case) in pairs]
        if not roots:
            raise UnreadableInput("no case in this file", where=source, hint="a case is a node of class case:Case")
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
                raise UnreadableInput(what, where=source, hint="split the file, or give each case nodes of its own")
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
                raise UnreadableInput(what, where=source, hint="leave out what has nothing to do with the request")
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
        raise UnreadableInput(what, where=source, hint="state each finding once")


def _number_or_text(node: Node) -> Node:
    """The node itself, or as a mere text what is stated to be a number and is none.

    Python takes more for a number than XML Schema does ("NaN", "1_000", digits of every script), and pySHACL ends where
    it compares "NaN" with a limit. A text it compares and refuses.
    """
    pattern = _NUMBERS.get(node.datatype) if isinstance(node, Literal) and node.datatype else None
    return node if pattern is None or pattern.fullmatch(str(node)) else Literal(str(node))
