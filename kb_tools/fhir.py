"""FHIR R4 in: bundles, folders of resources and bulk NDJSON become cases, each with the record of its reading.

What is read at once is one bundle, or the resources of one patient. Of bulk NDJSON, whose files are not in the order of
patients, a first pass keeps only where in the files each patient's resources stand.
"""

from __future__ import annotations

import os
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

from kb_tools.errors import UnreadableInput
from kb_tools.fhir_case import CaseBuilder, Imported
from kb_tools.fhir_resources import READ_TYPES, SUBJECT, Resource, last_two, library, load, type_of
from kb_tools.knowledge_base import KnowledgeBase
from kb_tools.rdf import MAX_BYTES, read_bytes, unopened
from kb_tools.reading import NDJSON
from kb_tools.terminology import Terminology

# The environment variable with the key that makes pseudonyms.
KEY = "KB_PSEUDONYM_KEY"
# Other JSON may hold these words in a text: what matches is parsed before it is believed.
_RESOURCE = re.compile(rb'"resourceType"\s*:')
# Where they come first they are at the top, and nothing need be parsed.
_FIRST = re.compile(rb'\s*\{\s*"resourceType"\s*:\s*"(\w{1,64})"')
_BUNDLES = ("transaction", "batch", "collection", "document", "message", "searchset")


def is_fhir(data: bytes) -> bool:
    """Whether a JSON text is one of FHIR: an object with a resourceType at its top."""
    if not _RESOURCE.search(data):
        return False
    try:
        content = _top(data)
    except UnreadableInput:
        return True
    return isinstance(content, dict) and "resourceType" in content


def loose_resources(paths: Iterable[Path]) -> set[Path]:
    """The files whose FHIR resources stand by themselves, in no bundle: of NDJSON the first line tells."""
    found = set()
    for path in paths:
        try:
            if path.suffix.lower() == NDJSON:
                with path.open("rb") as file:
                    top = _top(next(iter(_lines(file)), (0, 0, b""))[2])
            elif path.suffix.lower() == ".json" and is_fhir(data := read_bytes(path)):
                top = _top(data)
            else:
                continue
        except (OSError, UnreadableInput):
            continue
        if type_of(top) not in ("Bundle", "resource"):
            found.add(path)
    return found


@dataclass(frozen=True, slots=True)
class _Line:
    """Where a resource of bulk NDJSON stands: its file, the byte at which its line begins, and its number."""

    path: Path
    start: int
    number: int


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

    def bundle(self, data: bytes, source: str, one_line: bool = False) -> Imported:
        """The case of one bundle, or of one resource by itself.

        Raises:
            UnreadableInput: not FHIR R4 JSON, or not one case.
        """
        content = load(data, source, one_line)
        if not isinstance(content, dict):
            raise UnreadableInput("no FHIR resource", where=source, mend="send a Bundle")
        try:
            return self._bundle(content, source)
        except RecursionError as error:
            raise UnreadableInput("nested too deeply", where=source, mend="a FHIR resource has a few levels") from error

    def ndjson(self, source: str, path: Path | None, stdin: BinaryIO) -> Iterator[Imported | UnreadableInput]:
        """The cases of an NDJSON file: one a line where lines are bundles, else one a patient.

        A line that cannot be read comes out as the error it is. Lines of resources need a file: it is read twice.
        """
        loose: list[Path] = []
        try:
            with path.open("rb") if path else nullcontext(stdin) as file:
                for number, _, line in _lines(file):
                    where = f"{source}:{number}"
                    if not line.strip():
                        continue
                    try:
                        if path and type_of(_top(line, where)) != "Bundle":
                            loose = [path]
                            break
                        yield self.bundle(line, where, one_line=True)
                    except UnreadableInput as error:
                        yield error
        except OSError as error:
            yield unopened(error, path or Path(source))
            return
        if loose:
            yield from self.patients(source, loose)

    def patients(self, source: str, paths: Iterable[Path]) -> Iterator[Imported | UnreadableInput]:
        """The cases of resources in files, grouped by patient, in the order in which patients first appear."""
        index: dict[str, list[_Line]] = defaultdict(list)
        unread: Counter[str] = Counter()
        for path in paths:
            yield from self._index(path, index, unread)
        nobody = index.pop("", [])
        shared = [f"{name} \N{MULTIPLICATION SIGN}{count}" for name, count in sorted(unread.items())]
        if not index and nobody:
            index["?"] = []
        for number, places in enumerate(index.values(), 1):
            title = source if len(index) == 1 else f"{source} patient {number}"
            resources = []
            for i, place in enumerate([*places, *nobody]):
                content = load(_line_at(place), f"{place.path}:{place.number}", one_line=True)
                resources.append(Resource(f"resource[{i}] {type_of(content)}", type_of(content), content))
            try:
                yield self._builder.build(title, resources, shared)
            except UnreadableInput as error:
                yield error
            except RecursionError:
                yield UnreadableInput("nested too deeply", where=title, mend="a FHIR resource has a few levels")

    def _index(self, path: Path, index: dict[str, list[_Line]], unread: Counter[str]) -> Iterator[UnreadableInput]:
        """Notes for each resource of a file whose it is; in place of what cannot be read comes the error."""
        try:
            with path.open("rb") as file:
                for number, start, line in _lines(file, whole=path.suffix.lower() != NDJSON):
                    if not line.strip():
                        continue
                    try:
                        content = load(line, f"{path}:{number}", one_line=True)
                    except UnreadableInput as error:
                        yield error
                        continue
                    kind = type_of(content)
                    if kind in READ_TYPES:
                        index[_owner(kind, content)].append(_Line(path, start, number))
                    elif kind == "Medication":
                        index[""].append(_Line(path, start, number))
                    else:
                        unread[kind] += 1
        except OSError as error:
            yield unopened(error, path)

    # ------------------------------------------------------------------ one bundle

    def _bundle(self, content: dict[str, Any], source: str) -> Imported:
        version = content.get("fhirVersion")
        if isinstance(version, str) and not version.startswith("4.0"):
            raise UnreadableInput("another version of FHIR", where=source, mend="convert it to FHIR R4 (4.0.1)")
        if content.get("resourceType") != "Bundle":
            return self._builder.build(source, [Resource(type_of(content), type_of(content), content)], ())
        if content.get("type") not in _BUNDLES:
            raise UnreadableInput(
                "a bundle of a type that is not read", where=source, mend=f"send one of {', '.join(sorted(_BUNDLES))}"
            )
        resources: list[Resource] = []
        unread: Counter[str] = Counter()
        entries = content.get("entry")
        for i, entry in enumerate(entries if isinstance(entries, list) else ()):
            inner = entry.get("resource") if isinstance(entry, dict) else None
            if not isinstance(inner, dict):
                unread["entry without a resource"] += 1
                continue
            request = entry.get("request")
            kind = type_of(inner)
            url = entry.get("fullUrl")
            if isinstance(request, dict) and request.get("method") == "DELETE":
                unread["entry that deletes"] += 1
            elif kind in READ_TYPES or kind == "Medication":
                resources.append(Resource(f"entry[{i}] {kind}", kind, inner, url if isinstance(url, str) else ""))
            else:
                unread[kind] += 1
        counted = [f"{name} \N{MULTIPLICATION SIGN}{count}" for name, count in sorted(unread.items())]
        return self._builder.build(source, resources, counted, _made(content))


def _made(bundle: dict[str, Any]) -> date | None:
    """The day on which a bundle says that it was put together."""
    stamp = bundle.get("timestamp")
    try:
        return date.fromisoformat(stamp[:10]) if isinstance(stamp, str) else None
    except ValueError:
        return None


def _owner(kind: str, content: dict[str, Any]) -> str:
    """Whose a resource of bulk data is, as the type and id of the patient; "" where it does not say so."""
    if kind == "Patient":
        return f"Patient/{content.get('id')}"
    reference = content.get(SUBJECT[kind])
    text = reference.get("reference") if isinstance(reference, dict) else None
    return last_two(text) if isinstance(text, str) else ""


def _lines(file: BinaryIO, whole: bool = False) -> Iterator[tuple[int, int, bytes]]:
    """The lines of a file with their numbers and where they begin, cut where too long; or all of it as one."""
    if whole:
        yield 1, 0, file.read(MAX_BYTES + 1)
        return
    number = start = 0
    while line := file.readline(MAX_BYTES + 1):
        number += 1
        yield number, start, line
        start += len(line)
        rest = line
        while len(line) > MAX_BYTES and rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_BYTES)
            start += len(rest)


def _line_at(line: _Line) -> bytes:
    with line.path.open("rb") as file:
        if line.path.suffix.lower() != NDJSON:
            return file.read()
        file.seek(line.start)
        return file.readline()


def _top(line: bytes, where: str = "") -> Any:
    """What a JSON text says at its top; of one that begins with its type no more than that, and nothing is parsed."""
    found = _FIRST.match(line)
    if found:
        return {"resourceType": found[1].decode()}
    return load(line, where, one_line=True) if line.strip() else None
