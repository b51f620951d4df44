"""FHIR bulk data: the lines of its files, and which patient each of them is about."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kb_tools.cases.fhir.bundle import may_state, warnings_of
from kb_tools.cases.fhir.r4 import REQUESTS, SHARED_TYPES, SUBJECT, load, type_of
from kb_tools.cases.fhir.references import last_two, unversioned
from kb_tools.cases.record import NDJSON
from kb_tools.errors import UnreadableInput
from kb_tools.rdf.files import MAX_BYTES, PACKED, lines, packed, unopened

# The ending of files with a plain case a line, and all endings of files with JSON.
PLAIN_LINES = ".jsonl"


@dataclass(frozen=True, slots=True)
class BulkLine:
    """Where a resource of bulk data stands: its file, the byte at which it begins, its line (0 for an entire file)."""

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
class BulkPatient:
    """One patient of bulk data: where what is of this patient stands, and whether a request is of it."""

    lines: list[BulkLine] = field(default_factory=list)
    requests: bool = False


@dataclass
class BulkIndex:
    """The resources of bulk data.

    Attributes:
        owners: what there is of each patient as the references name them, "" for what does not say of whom it is.
        shared: where what is of no patient stands, medications and payers, by type and id.
        unread: how many there are of each type that is not read, or only where something refers to it.
        warnings: what the server said of the whole.
        lost: where what could not be read stands, and of which patient it is; "" where it may be of any.
        files: the files, each with what is reported to others in place of its name; "" where it is the only one.
    """

    owners: dict[str, BulkPatient] = field(default_factory=lambda: defaultdict(BulkPatient))
    shared: dict[str, list[BulkLine]] = field(default_factory=lambda: defaultdict(list))
    unread: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    lost: list[tuple[str, BulkLine]] = field(default_factory=list)
    files: dict[Path, str] = field(default_factory=dict)

    def position(self, line: BulkLine) -> str:
        """Where something stands, in words without the name of a file."""
        file = self.files[line.path] or ("" if line.number else "the file")
        return ", ".join(part for part in (file, f"line {line.number}" if line.number else "") if part)

    def add(self, kind: str, content: dict[str, Any], line: BulkLine) -> None:
        """Notes whose a resource is."""
        owner = _owner(kind, content)
        if kind == "OperationOutcome":
            self.unread[kind] += 1
            warnings = warnings_of(content, "OperationOutcome")
            self.warnings += [warning for warning in warnings if warning not in self.warnings]
        elif kind in SHARED_TYPES:
            self.shared[f"{kind}/{content.get('id')}"].append(line)
            self.unread[kind] += 1
        elif not may_state(kind, content):
            self.unread[kind] += 1
        elif owner and not _is_patient(owner):
            self.unread[f"{kind} of something else"] += 1
        else:
            self.owners[owner].lines.append(line)
            self.owners[owner].requests |= kind in REQUESTS

    def log(self, content: dict[str, Any]) -> None:
        """Notes a line of the log of an export, which is of no patient; an error in it may have left something out."""
        self.unread["line of the export's log"] += 1
        warning = "The log of the export reports an error: what was exported may be incomplete."
        if str(content.get("eventId")).endswith("_error") and warning not in self.warnings:
            self.warnings.append(warning)

    def lose(self, content: Any, place: BulkLine) -> None:
        """Notes that something could not be read; `content` is what is known of it.

        One that is no resource of R4 can say whose it is; a bundle or Parameters may be of many.
        """
        owner = _owner("", content) if isinstance(content, dict) and type_of(content) == "resource" else ""
        self.lost.append((owner if _is_patient(owner) else "", place))

    def lost_of(self, owner: str) -> list[BulkLine]:
        """Where what may be of a patient and could not be read stands."""
        return [place for whose, place in self.lost if not (whose and owner) or last_two(whose) == last_two(owner)]

    def patients(self) -> dict[str, BulkPatient]:
        """What there is of each patient, in the order in which they first appear, and of "", nobody.

        A patient named with a server and without one is the same, if no other server is named.
        """
        servers = {owner.removesuffix(last_two(owner)) for owner in self.owners} - {""}
        found: dict[str, BulkPatient] = defaultdict(BulkPatient)
        for owner, stated in self.owners.items():
            patient = found[owner if len(servers) > 1 else last_two(owner)]
            patient.lines += stated.lines
            patient.requests |= stated.requests
        return found


def _owner(kind: str, content: dict[str, Any]) -> str:
    """Of whom a resource of bulk data is, as its reference says; "" where it does not say so, or names several."""
    if kind == "Patient":
        return f"Patient/{content.get('id')}"
    names = {SUBJECT[kind]} if kind in SUBJECT else set(SUBJECT.values())
    found = {unversioned(text) for name in names if last_two(text := reference_of(content.get(name)))}
    return found.pop() if len(found) == 1 else ""


def _is_patient(owner: str) -> bool:
    return last_two(owner).startswith("Patient/")


def reference_of(value: Any) -> str:
    """Where a Reference leads, "" for what is none."""
    text = value.get("reference") if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""


def lines_of_files(path: Path) -> Iterator[tuple[BulkLine, bytes]]:
    """The resources of a file as texts: the lines of NDJSON, else all of it.

    Raises:
        UnreadableInput: the file cannot be opened, is packed, or has a name that says that it is no FHIR.
    """
    ending = path.suffix.lower()
    if ending in PACKED:
        raise packed(path)
    if ending == PLAIN_LINES:
        raise UnreadableInput(f"FHIR in a {PLAIN_LINES} file", where=str(path), hint=f"name it {NDJSON}")
    try:
        with path.open("rb") as file:
            if ending == NDJSON:
                yield from ((BulkLine(path, start, number), line) for number, start, line in lines(file))
            else:
                yield BulkLine(path, 0, 0), file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unopened(error, path) from error
