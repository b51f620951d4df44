"""Reads cases from FHIR R4: bundles, resources and bulk data."""

from __future__ import annotations

import os
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

from kb_tools.cases.fhir.builder import CaseBuilder
from kb_tools.cases.fhir.bulk import PLAIN_LINES, BulkIndex, BulkLine, BulkPatient, lines_of_files, reference_of
from kb_tools.cases.fhir.bundle import (
    Contents,
    as_list,
    contents_of,
    contents_together,
    counts_in_words,
    is_hook,
    is_logged,
)
from kb_tools.cases.fhir.r4 import FIRST, KNOWN_TYPES, READ_TYPES, SHARED_TYPES, library, load, top, type_of
from kb_tools.cases.fhir.references import last_two
from kb_tools.cases.fhir.resource import Resource
from kb_tools.cases.isolate import Content
from kb_tools.cases.record import NDJSON
from kb_tools.cases.terminology import Terminology
from kb_tools.errors import UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf.files import PACKED, lines, packed, read_bytes

# The environment variable with the key that makes pseudonyms.
KEY = "KB_PSEUDONYM_KEY"
# The notice of a case whose pseudonym no other run gives.
HOLDS_FOR_THIS_RUN = f"The pseudonym of the patient holds for this run only: {KEY} is not set."
# Other JSON may hold these words in a text: what matches is parsed before it is believed.
_RESOURCE = re.compile(rb'"(?:resourceType|hook)"\s*:')
# What is a case by itself, or is refused; other resources stand loose.
_GIVING_CASES = ("Bundle", "Parameters", "resource")
_JSON = (".json", PLAIN_LINES, NDJSON)
# So many places a notice lists.
_FEW = 3


def is_fhir(data: bytes) -> bool:
    """Whether a JSON text is one of FHIR: an object with a resourceType at its top."""
    if not _RESOURCE.search(data):
        return False
    try:
        content = top(data)
    except UnreadableInput:
        return True
    return isinstance(content, dict) and ("resourceType" in content or is_hook(content))


def is_of_bulk_data(line: bytes) -> bool:
    """Whether a line that begins with its type is a resource in no bundle, of a type that is read."""
    first = FIRST.match(line)
    return first is not None and first[1].decode() in KNOWN_TYPES


def read_together(paths: Iterable[Path]) -> set[Path]:
    """The files with FHIR that are read together: where resources stand in no bundle, all of their folder.

    So what cannot be read of the same patients is not lost in silence.
    """
    found: dict[Path, bool] = {path: loose for path in paths if (loose := _is_loose(path)) is not None}
    folders = {path.parent for path, loose in found.items() if loose}
    return {path for path in found if path.parent in folders}


def _is_loose(path: Path) -> bool | None:
    """Whether FHIR resources stand in no bundle in a file; None for one that has nothing to do with FHIR."""
    ending = path.suffix.lower()
    if ending == NDJSON:
        return True
    if (Path(path.stem).suffix.lower() if ending in PACKED else ending) not in _JSON:
        return None
    try:
        if ending in PACKED:
            raise packed(path)
        if ending == PLAIN_LINES:
            with path.open("rb") as file:
                return False if any(is_fhir(line) for _, _, line in lines(file)) else None
        content = top(read_bytes(path))
    except (OSError, UnreadableInput):
        # It may be of a patient whose others can be read.
        return False
    if isinstance(content, dict) and "resourceType" not in content and "request" in content:
        return None  # A case as plain JSON.
    return type_of(content) not in _GIVING_CASES


class FhirReader:
    """Reads FHIR inputs, one case after another."""

    def __init__(
        self, kb: Repository, terminology: Sequence[Path] = (), record: bool = True, pseudonyms: bool = True
    ) -> None:
        """Prepares reading; the key of the pseudonyms is that of the environment, else one for this run.

        Args:
            terminology: files that say what the codes of a plan's own systems mean.
            record: whether each case gets the record of its reading.
            pseudonyms: whether these are shown to anyone; without, nothing is said of how long they hold.

        Raises:
            KbError: the FHIR library is not installed, or a terminology cannot be used.
        """
        library()
        key = os.environ.get(KEY, "").encode("utf-8", "surrogateescape")
        notices = (HOLDS_FOR_THIS_RUN,) if pseudonyms and not key else ()
        self._builder = CaseBuilder(Terminology(kb, terminology), key or secrets.token_bytes(32), notices, record)
        self._record = record

    # ------------------------------------------------------------------ inputs

    def bundle(self, data: bytes, source: str) -> Content:
        """The case of one bundle, or of one resource by itself.

        Raises:
            UnreadableInput: not FHIR R4 JSON, or not one case.
        """
        return self._bundle(load(data, source), source)

    def preview(self, parts: Mapping[str, Any], source: str, day: date) -> Content:
        """The case of an order that may be a draft, with the chart that goes with it: what it comes to as it stands.

        Args:
            parts: the order and the chart, bundles or resources by themselves, by what each is called.
            day: taken as the date of service where the order states none.

        Raises:
            UnreadableInput: not FHIR R4, or not one case.
        """
        with _few_levels(source):
            return self._builder.build(source, contents_together(parts, source, self._record), day)

    @property
    def terminology(self) -> Terminology:
        """What codes mean to it."""
        return self._builder.terminology

    def asks_for_a_known_service(self, order: dict[str, Any]) -> bool:
        """Whether a ServiceRequest names a service that is known here, or leaves open which of them."""
        return self._builder.asks_for_a_known_service(Resource("order", "ServiceRequest", order, tracked=False))

    def line(self, data: bytes, where: str) -> Content:
        """The case of the bundle on one line.

        Raises:
            UnreadableInput: not FHIR R4 JSON, not one case, or a resource in no bundle.
        """
        content = load(data, where, one_line=True)
        if type_of(content) in READ_TYPES:
            hint = "bulk data is read twice: give it as a file"
            raise UnreadableInput("a resource in no bundle", where=where, hint=hint)
        return self._bundle(content, where)

    def stream(self, source: str, stdin: BinaryIO) -> Iterator[Content | UnreadableInput]:
        """The cases of NDJSON that comes as a stream, a bundle a line; for a line that cannot be read, the error."""
        found = False
        for number, _, line in lines(stdin):
            found = True
            try:
                yield replace(self.line(line, f"{source}:{number}"), part=f"line {number}")
            except UnreadableInput as error:
                error.position = f"line {number}"
                yield error
        if not found:
            yield _nothing(source)

    def files(self, source: str, paths: Sequence[Path]) -> Iterator[Content | UnreadableInput]:
        """The cases of files: one for each bundle, and one for each patient of the resources in no bundle.

        For what cannot be read the error comes out. Files with such resources are read twice.

        Args:
            source: what the cases of patients are called by.
        """
        index = BulkIndex()
        found = False
        for number, path in enumerate(paths, 1):
            index.files[path] = f"file {number}" if len(paths) > 1 else ""
            for case in self._first_pass(path, index):
                found = True
                yield case
        for case in self._patients(source, index):
            found = True
            yield case
        if not found:
            yield _nothing(source)

    def _first_pass(self, path: Path, index: BulkIndex) -> Iterator[Content | UnreadableInput]:
        """The cases of the bundles of a file, and the errors; of other resources it is noted where they stand.

        A bundle that is no case may hold what is of a patient of the others, and so is lost like them.
        """
        try:
            for line, text in lines_of_files(path):
                content = None
                try:
                    content = load(text, str(line), one_line=bool(line.number))
                    kind = type_of(content)
                    if line.number and is_logged(content):
                        index.log(content)
                    elif kind in _GIVING_CASES:
                        yield replace(self._bundle(content, str(line)), part=index.position(line))
                    else:
                        index.add(kind, content, line)
                except UnreadableInput as error:
                    index.lose(content, line)
                    error.position = index.position(line)
                    yield error
        except UnreadableInput as error:
            index.lose(None, BulkLine(path, 0, 0))
            error.position = index.files[path]
            yield error

    def _patients(self, source: str, index: BulkIndex) -> Iterator[Content | UnreadableInput]:
        """The cases of the patients of whom there is a request and nothing is lost, and the errors of the others."""
        patients = index.patients()
        nobody = patients.pop("", BulkPatient()).lines
        if len(patients) > 1:
            for line in nobody:
                index.lose(None, line)
                what = "a resource that does not say of which patient it is"
                error = UnreadableInput(what, where=str(line), hint="give it a reference to a Patient")
                error.position = index.position(line)
                yield error
        elif nobody:
            # Of a single patient everything is, or is skipped.
            known = patients or {"": BulkPatient()}
            patients = {owner: BulkPatient(only.lines + nobody, requests=True) for owner, only in known.items()}
        for number, (owner, patient) in enumerate(patients.items(), 1):
            if patient.requests:
                alone = len(patients) == 1
                title, part = (source, "") if alone else (f"{source} patient {number}", f"patient {number}")
                try:
                    yield replace(self._patient(title, patient, index, index.lost_of(owner)), part=part)
                except UnreadableInput as error:
                    error.position = part
                    yield error
        others = sum(not patient.requests for patient in patients.values())
        if others:
            what = f"{others} patient{'s' * (others > 1)} without a request: not determined"
            hint = "send a Claim or ServiceRequest with the rest, all files of one export in one folder"
            yield UnreadableInput(what, where=source, hint=hint)

    def _patient(self, title: str, patient: BulkPatient, index: BulkIndex, lost: Sequence[BulkLine]) -> Content:
        """The case of one patient of bulk data.

        Raises:
            UnreadableInput: something that may be of the patient is lost, or what there is is not one case.
        """
        if lost:
            more = " and more" if len(lost) > _FEW else ""
            what, reported = (
                f"not determined, since {', '.join(places)}{more} could not be read and may be of this patient"
                for places in (map(str, lost[:_FEW]), map(index.position, lost[:_FEW]))
            )
            raise UnreadableInput(what, where=title, hint="correct that, and send all again", reported=reported)
        found = [line.read() for line in patient.lines]
        named = {name for content in found for name in _shared(content) if name in index.shared}
        found += [line.read() for name in sorted(named) for line in index.shared[name]]
        resources: list[Resource] = []
        with _few_levels(title):
            for i, content in enumerate(found):
                kind = type_of(content)
                resources.append(Resource(f"resource[{i}] {kind}", kind, content, tracked=self._record))
            unread = index.unread - Counter(resource.type for resource in resources if resource.type in SHARED_TYPES)
            contents = Contents(resources, counts_in_words(unread), notices=index.warnings)
            return self._builder.build(title, contents)

    def _bundle(self, content: Any, source: str) -> Content:
        """The case of a bundle, or of one resource by itself."""
        with _few_levels(source):
            return self._builder.build(source, contents_of(_held(content), source, self._record))


def _held(content: Any) -> Any:
    """What the Parameters of an operation hold as their one resource; anything else as it is."""
    if type_of(content) != "Parameters":
        return content
    match content.get("parameter"):
        case [{"name": "resource", "resource": dict(held)}]:
            return held
    return content


@contextmanager
def _few_levels(source: str) -> Iterator[None]:
    """Turns an overflow of the stack into the error that it is."""
    try:
        yield
    except RecursionError as error:
        raise UnreadableInput("nested too deeply", where=source, hint="a FHIR resource has a few levels") from error


def _shared(content: Any) -> list[str]:
    """The Medication that an administration names, and the payers that a plan or a claim does, as type and id."""
    payors = as_list(content.get("payor"))
    references = map(reference_of, (content.get("medicationReference"), content.get("insurer"), *payors))
    return [name for reference in references if (name := last_two(reference))]


def _nothing(source: str) -> UnreadableInput:
    return UnreadableInput("nothing in it to determine", where=source, hint="send bundles, or resources of a patient")
