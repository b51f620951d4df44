"""Reads cases of every format: what a format's own reader gives is isolated in one way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from functools import cached_property, partial
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import pyoxigraph as ox

from kb_tools.cases.case import Case
from kb_tools.cases.inputs import FOLDER, JSON, JSON_LINES, files_read_together, format_of
from kb_tools.cases.isolate import Content, isolate
from kb_tools.cases.record import NDJSON
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf.files import FORMAT_NAMES, FORMATS, MAX_BYTES, base_of, lines, parse, read_bytes, unopened

if TYPE_CHECKING:
    from kb_tools.cases.fhir.reader import FhirReader
    from kb_tools.cases.plain import PlainReader
    from kb_tools.cases.terminology import Terminology

# What a format's reader gives for an input, its file or the stream.
_Found: TypeAlias = Iterator[Content | UnreadableInput]
_FormatReader: TypeAlias = Callable[[str, Path | None, BinaryIO], _Found]


class CaseReader:
    """Reads case files and gives every case nodes of its own."""

    def __init__(self, kb: Repository, terminology: Sequence[Path] = (), record: bool = True) -> None:
        """Prepares reading.

        Args:
            terminology: files that say what the codes of a plan's own systems mean.
            record: whether a case of FHIR gets the record of its reading, which takes time.
        """
        self.kb = kb
        self._terminology = terminology
        self._record = record
        self._numbers = count(1)
        self._inputs = 0

    @cached_property
    def _plain(self) -> PlainReader:
        from kb_tools.cases.form import CaseForms
        from kb_tools.cases.plain import PlainReader

        return PlainReader(CaseForms(self.kb))

    @cached_property
    def _fhir(self) -> FhirReader:
        from kb_tools.cases.fhir.reader import FhirReader

        return FhirReader(self.kb, self._terminology, self._record)

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
        for found in self._cases(source, self._contents(source, path, stdin, format_name)):
            found.position = ", ".join(part for part in (number, found.position) if part)
            if isinstance(found, Case) and found.reading:
                found.reading = replace(found.reading, source=found.given)
            yield found

    @property
    def terminology(self) -> Terminology:
        """What codes mean to it where it reads FHIR."""
        return self._fhir.terminology

    def asks_for_a_known_service(self, order: dict[str, Any]) -> bool:
        """Whether a ServiceRequest of FHIR names a service that is known here, or leaves open which of them."""
        return self._fhir.asks_for_a_known_service(order)

    def preview(self, parts: Mapping[str, Any], source: str, day: date) -> Case:
        """The case of an order of FHIR that may be a draft, with its chart; see `FhirReader.preview`.

        Raises:
            UnreadableInput: it is not one case.
        """
        (found,) = isolate(self.kb, self._fhir.preview(parts, source, day), self._numbers)
        found.position = self.count()
        return found

    def count(self) -> str:
        """The name of the next input by its position. What cannot be opened counts too."""
        self._inputs += 1
        return f"input {self._inputs}"

    def recount(self) -> None:
        """Name the next input as the first, for one who asks anew: the same input gives the same answer again."""
        self._inputs = 0

    def read(
        self, source: str, path: Path | None, stdin: bytes = b"", format_: ox.RdfFormat | None = None
    ) -> list[Case]:
        """The cases of one RDF file, in order of their names.

        Raises:
            UnreadableInput: the file cannot be read, says something of a term of the vocabulary, or holds no case.
        """
        known = format_ or FORMATS[path.suffix.lower() if path else ".trig"]
        (content,) = self._rdf(known, source, path, BytesIO(stdin))
        return isolate(self.kb, content, self._numbers)

    def _cases(self, source: str, contents: _Found) -> Iterator[Case | UnreadableInput]:
        """The cases of all that is read; where reading breaks off in a way that nobody foresaw, that is the error."""
        try:
            for content in contents:
                if isinstance(content, UnreadableInput):
                    yield content
                    continue
                try:
                    yield from isolate(self.kb, content, self._numbers)
                except UnreadableInput as error:
                    error.position = content.part
                    yield error
        except KbError:
            raise
        except Exception as error:
            what = f"cannot be read: {type(error).__name__}: {error}"
            said = "cannot be read"
            yield UnreadableInput(what, where=source, hint="correct it", reported=said, unquoted=said)

    # ------------------------------------------------------------------ formats

    @cached_property
    def _readers(self) -> Mapping[str, _FormatReader]:
        """The reader of each format, by the ending that stands for it."""
        known = FORMATS | {f".{name}": format_ for name, format_ in FORMAT_NAMES.items()}
        return {
            **{ending: partial(self._rdf, format_) for ending, format_ in known.items()},
            FOLDER: self._folder,
            JSON: self._json,
            JSON_LINES: self._json_lines,
            NDJSON: self._ndjson,
        }

    def _contents(self, source: str, path: Path | None, stdin: BinaryIO, format_name: str | None) -> _Found:
        """What the reader of its format gives for an input; what cannot be read at all comes out as the error."""
        try:
            data = b"" if path or format_name else stdin.read(MAX_BYTES + 1)
            ending = format_of(path, format_name, data)
            if len(data) > MAX_BYTES and ending in (NDJSON, JSON_LINES):
                # What is beyond must not be lost.
                hint = f"name the format: --input-format {ending.removeprefix('.')}"
                raise UnreadableInput(f"more than {MAX_BYTES // 2**20} MiB", where=source, hint=hint)
            yield from self._readers[ending](source, path, BytesIO(data) if data else stdin)
        except UnreadableInput as error:
            yield error
        except OSError as error:
            yield unopened(error, path or Path(source))

    @staticmethod
    def _rdf(format_: ox.RdfFormat, source: str, path: Path | None, stdin: BinaryIO) -> Iterator[Content]:
        """All that a file of RDF says, which may be several cases."""
        data = _data(path, stdin)
        yield Content(source, parse(data, format_, str(path or source), base_of(data)))

    def _json(self, source: str, path: Path | None, stdin: BinaryIO) -> _Found:
        """The case of a .json file, which is one of FHIR if it says so."""
        from kb_tools.cases.fhir.reader import is_fhir

        data = _data(path, stdin)
        yield self._fhir.bundle(data, source) if is_fhir(data) else self._plain.read(data, source)

    def _json_lines(self, source: str, path: Path | None, stdin: BinaryIO) -> _Found:
        """The case of each line of a .jsonl file, or why there is none; empty lines are nothing."""
        empty = True
        with path.open("rb") if path else nullcontext(stdin) as file:
            for number, _, line in lines(file):
                empty = False
                try:
                    yield self._plain.read(line, f"{source}:{number}", part=f"line {number}")
                except UnreadableInput as error:
                    error.position = f"line {number}"
                    yield error
        if empty:
            yield UnreadableInput("no case in this file", where=source, hint="write one case a line, as JSON")

    def _ndjson(self, source: str, path: Path | None, stdin: BinaryIO) -> _Found:
        """The cases of FHIR, a resource or a bundle a line; what is no file, and so is read once, has bundles alone."""
        if path and path.is_file():
            yield from self._fhir.files(source, [path])
        else:
            with path.open("rb") if path else nullcontext(stdin) as file:
                yield from self._fhir.stream(source, file)

    def _folder(self, source: str, path: Path | None, stdin: BinaryIO) -> _Found:
        """The cases of the FHIR that is read together in a folder."""
        assert path is not None, "only a path is of a folder"
        inside = sorted(files_read_together(inner for inner in path.iterdir() if inner.is_file()))
        yield from self._fhir.files(source, inside)


def _data(path: Path | None, stdin: BinaryIO) -> bytes:
    """The content of a file, or of the stream where there is none; of one that is too large, a byte too many."""
    return read_bytes(path) if path else stdin.read(MAX_BYTES + 1)
