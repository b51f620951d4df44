"""FHIR R4 in: bundles, folders of resources and bulk NDJSON become cases, each with the record of its reading.

What is read at once is one bundle, or the resources of one patient. Of bulk data, whose files are not in the order of
patients, a first pass keeps only where in the files each patient's resources stand.
"""

from __future__ import annotations

import os
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

from kb_tools.errors import UnreadableInput
from kb_tools.fhir_case import CaseBuilder, Imported
from kb_tools.fhir_resources import (
    HINTING,
    READ_TYPES,
    REQUESTS,
    STATING,
    SUBJECT,
    Resource,
    is_subsetted,
    last_two,
    library,
    load,
    type_of,
    unversioned,
    version_of,
)
from kb_tools.knowledge_base import KnowledgeBase
from kb_tools.rdf import MAX_BYTES, PACKED, lines, packed, read_bytes, unopened
from kb_tools.reading import NDJSON
from kb_tools.terminology import Terminology

# The environment variable with the key that makes pseudonyms.
KEY = "KB_PSEUDONYM_KEY"
# Other JSON may hold these words in a text: what matches is parsed before it is believed.
_RESOURCE = re.compile(rb'"(?:resourceType|hook)"\s*:')
# Where they come first they are at the top, and nothing need be parsed.
_FIRST = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"resourceType"\s*:\s*"(\w{1,64})"')
# What is a case by itself, or is refused; other resources stand loose.
_GIVING_CASES = ("Bundle", "Parameters", "resource")
# The ending of files with a plain case a line, and all endings of files with JSON.
_PLAIN_LINES = ".jsonl"
_JSON = (".json", _PLAIN_LINES, NDJSON)
_BUNDLES = ("transaction", "batch", "collection", "document", "message", "searchset")
# The hooks of CDS Hooks that an error may name.
_HOOKS = (
    *("patient-view", "order-select", "order-sign", "order-dispatch", "appointment-book", "encounter-start"),
    *("encounter-discharge", "allergyintolerance-create", "medication-refill", "problem-list-item-create"),
)
# What each line of the log of a bulk export holds (the log format of the SMART bulk data client).
_LOGGED = {"exportId", "timestamp", "eventId", "eventDetail", "duration"}
# A PAS bundle by which someone asks what became of an earlier request.
_INQUIRY = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition/profile-pas-inquiry-request-bundle"
# Codes of an OperationOutcome with which a server says that it left something out, whatever the severity.
_LEFT_OUT = ("incomplete", "suppressed", "too-costly", "throttled", "timeout", "forbidden", "security")
# What an entry of a bundle may hold beside a resource.
_WITHOUT_RESOURCE = {"id", "extension", "link", "fullUrl", "search", "request", "response"}
# So many places a notice lists.
_FEW = 3


def is_fhir(data: bytes) -> bool:
    """Whether a JSON text is one of FHIR: an object with a resourceType at its top."""
    if not _RESOURCE.search(data):
        return False
    try:
        content = _top(data)
    except UnreadableInput:
        return True
    return isinstance(content, dict) and ("resourceType" in content or _is_hook(content))


def _is_hook(content: dict[str, Any]) -> bool:
    """Whether a JSON object is a request of CDS Hooks, which holds FHIR resources and is none itself."""
    return isinstance(content.get("hook"), str) and ("hookInstance" in content or "context" in content)


def read_together(paths: Iterable[Path]) -> set[Path]:
    """The files with FHIR that are read together.

    Where resources stand in no bundle, all of their folder that may be of the same patients is read with them: what of
    it cannot be read is not lost in silence.
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
        if ending == _PLAIN_LINES:
            with path.open("rb") as file:
                return False if any(is_fhir(line) for _, _, line in lines(file)) else None
        content = _top(read_bytes(path))
    except (OSError, UnreadableInput):
        # It may be of a patient whose others can be read.
        return False
    if isinstance(content, dict) and "resourceType" not in content and "request" in content:
        # A case as plain JSON.
        return None
    return type_of(content) not in _GIVING_CASES


@dataclass(frozen=True, slots=True)
class _Line:
    """Where a resource of bulk data stands: its file, the byte at which it begins, and its line, 0 for a whole file."""

    path: Path
    start: int
    number: int

    def __str__(self) -> str:
        return f"{self.path}:{self.number}" if self.number else str(self.path)

    def read(self) -> Any:
        with self.path.open("rb") as file:
            file.seek(self.start)
            return load(file.readline() if self.number else file.read(), str(self), one_line=bool(self.number))


@dataclass
class _Patient:
    """One patient of bulk data: where what is of this patient stands, and whether a request is of it."""

    lines: list[_Line] = field(default_factory=list)
    requests: bool = False


@dataclass
class _Index:
    """The resources of bulk data.

    Attributes:
        owners: what there is of each patient as the references name them, "" for what does not say of whom it is.
        medications: where these stand, by type and id; they are of no patient.
        unread: how many there are of each type that is not read.
        warnings: what the server said of the whole.
        lost: where what could not be read stands, and of which patient it is; "" where it may be of any.
        files: the files, each with what others are told in place of its name; "" where it is the only one.
    """

    owners: dict[str, _Patient] = field(default_factory=lambda: defaultdict(_Patient))
    medications: dict[str, list[_Line]] = field(default_factory=lambda: defaultdict(list))
    unread: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    lost: list[tuple[str, _Line]] = field(default_factory=list)
    files: dict[Path, str] = field(default_factory=dict)

    def position(self, line: _Line) -> str:
        """Where something stands, in words without the name of a file."""
        file = self.files[line.path] or ("" if line.number else "the file")
        return ", ".join(part for part in (file, f"line {line.number}" if line.number else "") if part)

    def add(self, kind: str, content: dict[str, Any], line: _Line) -> None:
        """Notes whose a resource is."""
        owner = _owner(kind, content)
        if kind == "OperationOutcome":
            self.unread[kind] += 1
            self.warnings += [each for each in _warnings(content, "OperationOutcome") if each not in self.warnings]
        elif kind == "Medication":
            self.medications[f"Medication/{content.get('id')}"].append(line)
        elif not _may_state(kind, content):
            self.unread[kind] += 1
        elif owner and not _is_patient(owner):
            self.unread[f"{kind} of something else"] += 1
        else:
            self.owners[owner].lines.append(line)
            self.owners[owner].requests |= kind in REQUESTS

    def log(self, content: dict[str, Any]) -> None:
        """Notes a line of the log of an export, which is of no patient; an error in it may have left something out."""
        self.unread["line of the export's log"] += 1
        told = "The log of the export tells of an error: what was exported may be incomplete."
        if str(content.get("eventId")).endswith("_error") and told not in self.warnings:
            self.warnings.append(told)

    def lose(self, content: Any, place: _Line) -> None:
        """Notes that something could not be read; `content` is what is known of it.

        One that is no resource of R4 can say whose it is; a bundle or Parameters may be of many.
        """
        owner = _owner("", content) if isinstance(content, dict) and type_of(content) == "resource" else ""
        self.lost.append((owner if _is_patient(owner) else "", place))

    def lost_of(self, owner: str) -> list[_Line]:
        """Where what may be of a patient and could not be read stands."""
        return [place for whose, place in self.lost if not (whose and owner) or last_two(whose) == last_two(owner)]

    def patients(self) -> dict[str, _Patient]:
        """What there is of each patient, in the order in which they first appear, and of "", nobody.

        A patient named with a server and without one is the same, if no other server is named.
        """
        servers = {owner.removesuffix(last_two(owner)) for owner in self.owners} - {""}
        found: dict[str, _Patient] = defaultdict(_Patient)
        for owner, stated in self.owners.items():
            patient = found[owner if len(servers) > 1 else last_two(owner)]
            patient.lines += stated.lines
            patient.requests |= stated.requests
        return found


class FhirReader:
    """Reads FHIR inputs, one case after another."""

    def __init__(self, kb: KnowledgeBase, terminology: Sequence[Path] = ()) -> None:
        """Prepares reading; the key of the pseudonyms is that of the environment, else one for this run.

        Args:
            terminology: files that say what the codes of a plan's own systems mean.

        Raises:
            KbError: the FHIR library is not installed, or a terminology cannot be used.
        """
        library()
        key = os.environ.get(KEY, "").encode("utf-8", "surrogateescape")
        notices = () if key else (f"The pseudonym of the patient holds for this run only: {KEY} is not set.",)
        self._builder = CaseBuilder(kb, Terminology(kb, terminology), key or secrets.token_bytes(32), notices)

    # ------------------------------------------------------------------ inputs

    def bundle(self, data: bytes, source: str) -> Imported:
        """The case of one bundle, or of one resource by itself.

        Raises:
            UnreadableInput: not FHIR R4 JSON, or not one case.
        """
        return self._bundle(load(data, source), source)

    def stream(self, source: str, stdin: BinaryIO) -> Iterator[Imported | UnreadableInput]:
        """The cases of NDJSON that comes as a stream, a bundle a line; for a line that cannot be read, the error."""
        found = False
        for number, _, line in lines(stdin):
            found = True
            where = f"{source}:{number}"
            try:
                content = load(line, where, one_line=True)
                if type_of(content) in READ_TYPES:
                    mend = "bulk data is read twice: give it as a file"
                    raise UnreadableInput("a resource in no bundle", where=where, mend=mend)
                yield replace(self._bundle(content, where), part=f"line {number}")
            except UnreadableInput as error:
                error.position = f"line {number}"
                yield error
        if not found:
            yield _nothing(source)

    def files(self, source: str, paths: Sequence[Path]) -> Iterator[Imported | UnreadableInput]:
        """The cases of files: one for each bundle, and one for each patient of the resources in no bundle.

        For what cannot be read the error comes out. Files with such resources are read twice.

        Args:
            source: what the cases of patients are called by.
        """
        index = _Index()
        found = False
        for number, path in enumerate(paths, 1):
            index.files[path] = f"file {number}" if len(paths) > 1 else ""
            for each in self._first_pass(path, index):
                found = True
                yield each
        for each in self._patients(source, index):
            found = True
            yield each
        if not found:
            yield _nothing(source)

    def _first_pass(self, path: Path, index: _Index) -> Iterator[Imported | UnreadableInput]:
        """The cases of the bundles of a file, and the errors; of other resources it is noted where they stand.

        A bundle that is no case may hold what is of a patient of the others, and so is lost like them.
        """
        try:
            for line, text in _texts(path):
                content = None
                try:
                    content = load(text, str(line), one_line=bool(line.number))
                    kind = type_of(content)
                    if line.number and _is_logged(content):
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
            index.lose(None, _Line(path, 0, 0))
            error.position = index.files[path]
            yield error

    def _patients(self, source: str, index: _Index) -> Iterator[Imported | UnreadableInput]:
        """The cases of the patients of whom there is a request and nothing is lost, and the errors of the others."""
        patients = index.patients()
        nobody = patients.pop("", _Patient()).lines
        if len(patients) > 1:
            for line in nobody:
                index.lose(None, line)
                what = "a resource that does not say of which patient it is"
                error = UnreadableInput(what, where=str(line), mend="give it a reference to a Patient")
                error.position = index.position(line)
                yield error
        elif nobody:
            # Of a single patient everything is, or is set aside.
            known = patients or {"": _Patient()}
            patients = {owner: _Patient(only.lines + nobody, requests=True) for owner, only in known.items()}
        for number, (owner, patient) in enumerate(patients.items(), 1):
            if patient.requests:
                alone = len(patients) == 1
                title, part = (source, "") if alone else (f"{source} patient {number}", f"patient {number}")
                try:
                    yield replace(self._patient(title, patient, index, index.lost_of(owner)), part=part)
                except UnreadableInput as error:
                    error.position = part
                    yield error
        others = sum(not each.requests for each in patients.values())
        if others:
            what = f"{others} patient{'s' * (others > 1)} without a request: not determined"
            mend = "send a Claim or ServiceRequest with the rest, all files of one export in one folder"
            yield UnreadableInput(what, where=source, mend=mend)

    def _patient(self, title: str, patient: _Patient, index: _Index, lost: Sequence[_Line]) -> Imported:
        """The case of one patient of bulk data.

        Raises:
            UnreadableInput: something that may be of the patient is lost, or what there is is not one case.
        """
        if lost:
            more = " and more" if len(lost) > _FEW else ""
            what, told = (
                f"not determined, since {', '.join(places)}{more} could not be read and may be of this patient"
                for places in (map(str, lost[:_FEW]), map(index.position, lost[:_FEW]))
            )
            raise UnreadableInput(what, where=title, mend="correct that, and send all again", told=told)
        contents = [line.read() for line in patient.lines]
        named = {name for content in contents if (name := _medication(content)) in index.medications}
        contents += [line.read() for name in sorted(named) for line in index.medications[name]]
        with _few_levels(title):
            resources = [
                Resource(f"resource[{i}] {type_of(content)}", type_of(content), content)
                for i, content in enumerate(contents)
            ]
            return self._builder.build(title, resources, _counted(index.unread), notices=index.warnings)

    # ------------------------------------------------------------------ one bundle

    def _bundle(self, content: Any, source: str) -> Imported:
        """The case of a bundle, or of one resource by itself."""
        kind = type_of(content)
        if kind == "resource":
            raise _no_resource(content, source)
        if kind == "Parameters":
            raise UnreadableInput("Parameters are not read", where=source, mend="send the Bundle that they hold")
        version = content.get("fhirVersion")
        if isinstance(version, str) and not version.startswith("4.0"):
            raise UnreadableInput("another version of FHIR", where=source, mend="convert it to FHIR R4 (4.0.1)")
        if kind != "Bundle":
            with _few_levels(source):
                return self._builder.build(source, [Resource(kind, kind, content)], ())
        part = _part_of_a_search(content)
        if part:
            mend = "send all that was found, in one bundle"
            raise UnreadableInput(f"a part of a search, {part}", where=source, mend=mend)
        if content.get("type") not in _BUNDLES:
            raise UnreadableInput(
                "a bundle of a type that is not read", where=source, mend=f"send one of {', '.join(sorted(_BUNDLES))}"
            )
        notices = _told_of_the_whole(content, source)
        with _few_levels(source):
            return self._builder.build(source, *_entries(content, source), _made(content), notices)


def _entries(bundle: dict[str, Any], source: str) -> tuple[list[Resource], list[str]]:
    """The resources of a bundle that are read, and what else there is.

    Raises:
        UnreadableInput: an entry cannot be told what it is: it may be of anything.
    """
    resources: list[Resource] = []
    unread: Counter[str] = Counter()
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise UnreadableInput("an entry that is no list", where=source, mend="write the entries in brackets")
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict) or ("resource" not in entry and not entry.keys() <= _WITHOUT_RESOURCE):
            raise UnreadableInput(f"entry[{i}] holds no resource", where=source, mend="put it into resource")
        if "resource" not in entry:
            unread["entry without a resource"] += 1
            continue
        inner, request, url = entry["resource"], entry.get("request"), entry.get("fullUrl")
        kind = type_of(inner)
        if isinstance(request, dict) and request.get("method") == "DELETE":
            unread["entry that deletes"] += 1
            continue
        if kind in ("resource", "Bundle", "Parameters"):
            what = "no resource of FHIR R4" if kind == "resource" else f"a {kind} within the bundle"
            mend = "give each resource an entry of its own"
            if version_of(inner):
                what, mend = version_of(inner), "convert all to FHIR R4 (4.0.1)"
            raise UnreadableInput(f"entry[{i}] is {what}", where=source, mend=mend)
        resource = Resource(f"entry[{i}] {kind}", kind, inner, url if isinstance(url, str) else "")
        if kind == "Medication" or _may_state(kind, inner):
            resources.append(resource)
        else:
            unread[kind] += 1
    return resources, _counted(unread)


def _no_resource(content: Any, source: str) -> UnreadableInput:
    """Why a JSON text is no resource of R4, as far as that can be told."""
    if isinstance(content, dict) and "resourceType" not in content and _is_hook(content):
        hook = f" ({content['hook']})" if content["hook"] in _HOOKS else ""
        mend = "put the draft order, made active, and the resources of its prefetch into a Bundle, and send that"
        what = f"a CDS Hooks request{hook}: the service for these is not there yet"
        return UnreadableInput(what, where=source, mend=mend)
    if version_of(content):
        return UnreadableInput(version_of(content), where=source, mend="convert it to FHIR R4 (4.0.1)")
    return UnreadableInput("no FHIR R4 resource", where=source, mend="send a Bundle")


def _is_logged(content: Any) -> bool:
    """Whether a line is one of the log of a bulk export."""
    return isinstance(content, dict) and {"exportId", "eventId"} <= content.keys() <= _LOGGED


def _told_of_the_whole(bundle: dict[str, Any], source: str) -> list[str]:
    """What is to be known of a bundle as a whole.

    Raises:
        UnreadableInput: it requests nothing, or the server could not answer.
    """
    entries = [each if isinstance(each, dict) else {} for each in _listed(bundle.get("entry"))]
    notices: list[str] = []
    first = entries[0].get("resource") if entries else None
    if bundle.get("type") == "document" and isinstance(first, dict) and type_of(first) == "Composition":
        if first.get("status") == "entered-in-error":
            raise UnreadableInput("a document entered in error", where=source, mend="send the one that replaces it")
        notices += ["The document is preliminary."] if first.get("status") == "preliminary" else []
    meta = bundle.get("meta")
    profiles = _listed(meta.get("profile")) if isinstance(meta, dict) else []
    if any(str(each).partition("|")[0] == _INQUIRY for each in profiles):
        what = "an inquiry about an earlier request, and no request"
        raise UnreadableInput(what, where=source, mend="send the request itself")
    notices += ["The bundle is tagged SUBSETTED: elements of it were left out."] if is_subsetted(bundle) else []
    for i, entry in enumerate(entries):
        if type_of(entry.get("resource")) == "OperationOutcome":
            notices += _warnings(entry["resource"], f"entry[{i}] OperationOutcome", source)
    return notices


def _warnings(outcome: dict[str, Any], place: str, source: str = "") -> list[str]:
    """What an OperationOutcome says of what it comes with, if that may be incomplete.

    Raises:
        UnreadableInput: the server could not answer.
    """
    issues = [each for each in _listed(outcome.get("issue")) if isinstance(each, dict)]
    if source and any(each.get("severity") in ("error", "fatal") for each in issues):
        what = f"{place}: the server tells of an error, so what it sent may be incomplete"
        raise UnreadableInput(what, where=source, mend="ask again, and send all that is found")
    if any(each.get("severity") != "information" or each.get("code") in _LEFT_OUT for each in issues):
        return [f"{place}: the server warns: what it sent may be incomplete."]
    return []


def _part_of_a_search(bundle: dict[str, Any]) -> str:
    """What shows that a bundle holds not all that a search found; "" if nothing does."""
    relations = {each.get("relation") for each in _listed(bundle.get("link")) if isinstance(each, dict)}
    if "next" in relations:
        return "and more follows"
    if relations & {"previous", "prev"}:
        return "and more comes before"
    total = bundle.get("total")
    found = sum(map(_is_found, _listed(bundle.get("entry"))))
    if total is not None and not isinstance(total, int):
        return "and its total is no whole number"
    return f"{found} of the {total} found" if total is not None and total > found else ""


def _is_found(entry: Any) -> bool:
    """Whether an entry of a bundle is one of what a search was for, and not what came with it."""
    search = entry.get("search") if isinstance(entry, dict) and "resource" in entry else {"mode": "include"}
    return not (isinstance(search, dict) and search.get("mode") in ("include", "outcome"))


@contextmanager
def _few_levels(source: str) -> Iterator[None]:
    """Turns an overflow of the stack into the error that it is."""
    try:
        yield
    except RecursionError as error:
        raise UnreadableInput("nested too deeply", where=source, mend="a FHIR resource has a few levels") from error


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _made(bundle: dict[str, Any]) -> date | None:
    """The day on which a bundle says that it was put together."""
    stamp = bundle.get("timestamp")
    try:
        return date.fromisoformat(stamp[:10]) if isinstance(stamp, str) else None
    except ValueError:
        return None


def _may_state(kind: str, content: dict[str, Any]) -> bool:
    """Whether a resource is of a type that is read, or contains one that may state a fact."""
    return kind in READ_TYPES or any(
        type_of(each) in (*STATING, *HINTING) for each in _listed(content.get("contained"))
    )


def _owner(kind: str, content: dict[str, Any]) -> str:
    """Of whom a resource of bulk data is, as its reference says; "" where it does not say so, or names several."""
    if kind == "Patient":
        return f"Patient/{content.get('id')}"
    names = {SUBJECT[kind]} if kind in SUBJECT else set(SUBJECT.values())
    found = {unversioned(text) for name in names if last_two(text := _reference(content.get(name)))}
    return found.pop() if len(found) == 1 else ""


def _is_patient(owner: str) -> bool:
    return last_two(owner).startswith("Patient/")


def _medication(content: Any) -> str:
    """The Medication that an administration names, as type and id."""
    return last_two(_reference(content.get("medicationReference")))


def _reference(value: Any) -> str:
    """Where a Reference leads, "" for what is none."""
    text = value.get("reference") if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""


def _nothing(source: str) -> UnreadableInput:
    return UnreadableInput("nothing in it to determine", where=source, mend="send bundles, or resources of a patient")


def _counted(unread: Counter[str]) -> list[str]:
    return [f"{name} \N{MULTIPLICATION SIGN}{count}" for name, count in sorted(unread.items())]


def _texts(path: Path) -> Iterator[tuple[_Line, bytes]]:
    """The resources of a file as texts: the lines of NDJSON, else all of it.

    Raises:
        UnreadableInput: the file cannot be opened, is packed, or has a name that says that it is no FHIR.
    """
    ending = path.suffix.lower()
    if ending in PACKED:
        raise packed(path)
    if ending == _PLAIN_LINES:
        raise UnreadableInput(f"FHIR in a {_PLAIN_LINES} file", where=str(path), mend=f"name it {NDJSON}")
    try:
        with path.open("rb") as file:
            if ending == NDJSON:
                yield from ((_Line(path, start, number), line) for number, start, line in lines(file))
            else:
                yield _Line(path, 0, 0), file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unopened(error, path) from error


def _quick_type(data: bytes) -> str:
    """The type of a resource of which the type comes first, "" of another: nothing is parsed."""
    found = _FIRST.match(data)
    return found[1].decode() if found else ""


def _top(data: bytes) -> Any:
    """What a JSON text says at its top; of one that begins with its type no more than that."""
    kind = _quick_type(data)
    return {"resourceType": kind} if kind else load(data, "", one_line=True)
