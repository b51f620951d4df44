"""Reading RDF files, with limits on their size and nesting."""

from __future__ import annotations

import codecs
import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pyoxigraph as ox

from kb_tools import printable
from kb_tools.errors import UnreadableInput
from kb_tools.rdf import nesting
from kb_tools.rdf.namespaces import GIVEN
from kb_tools.rdf.terms import to_rdflib, without_remarks

if TYPE_CHECKING:
    from kb_tools.rdf.terms import Triple

TURTLE = ox.RdfFormat.TURTLE
FORMATS = {
    ".ttl": ox.RdfFormat.TURTLE,
    ".trig": ox.RdfFormat.TRIG,
    ".nt": ox.RdfFormat.N_TRIPLES,
    ".jsonld": ox.RdfFormat.JSON_LD,
}
FORMAT_NAMES = {
    "turtle": ox.RdfFormat.TURTLE,
    "trig": ox.RdfFormat.TRIG,
    "ntriples": ox.RdfFormat.N_TRIPLES,
    "jsonld": ox.RdfFormat.JSON_LD,
}
# Files of these endings are not read, and are not passed over in silence either.
PACKED = (".gz", ".bz2", ".xz", ".zip", ".zst")
# A case is a few kilobytes; 32 MiB hold thousands. Above that a file is refused before it is read.
MAX_BYTES = 32 * 1024 * 1024


def base_of(data: bytes) -> str:
    """The base of the relative IRIs in a file of a user: the same for the same content, and without its name."""
    return f"{GIVEN}file/{hashlib.sha256(data).hexdigest()[:32]}/"


def unix_lines(data: bytes) -> bytes:
    """The content of a text file with a line feed at the end of each line, where a checkout on Windows has two signs.

    A text in Turtle can go over several lines, and would be another text with other line ends.
    """
    return data.replace(b"\r\n", b"\n")


def parse(data: bytes, format_: ox.RdfFormat, where: str, base: str | None = None) -> list[Triple]:
    """The triples of a file, those of named graphs included.

    Args:
        where: what errors name.
        base: what relative IRIs are relative to; None where they are an error.

    Raises:
        UnreadableInput: too large, nested too deeply, or not RDF of that format; the error names `where` and the line.
    """
    if len(data) > MAX_BYTES:
        raise _too_large(f"more than {MAX_BYTES // 2**20} MiB", where)
    data = unix_lines(data.removeprefix(codecs.BOM_UTF8))
    _check_nesting(data, format_, where)
    try:
        quads = list(ox.parse(data, format=format_, base_iri=base, lenient=False))
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        reason = printable.line((error.msg or "syntax error")[:200])
        hint = "correct the syntax"
        if "remote context" in reason.lower():
            hint = "write the @context into the file: no remote context is ever fetched"
        elif "utf-8" in reason.lower():
            hint = "save the file as UTF-8"
        elif "has not been declared" in reason:
            hint = "declare the prefix above its first use, or correct it"
        what, unquoted = f"not valid {format_.name}: {reason}", f"not valid {format_.name}"
        raise UnreadableInput(what, where=where + line, hint=hint, unquoted=unquoted) from error
    except (ValueError, UnicodeDecodeError) as error:
        what, unquoted = f"not valid {format_.name}: {error}", f"not valid {format_.name}"
        raise UnreadableInput(what, where=where, hint="correct the syntax", unquoted=unquoted) from error
    if any(isinstance(q.object, ox.Triple) for q in quads):
        raise UnreadableInput("a triple stands as a term (RDF 1.2)", where=where, hint="use RDF 1.1")
    with without_remarks():
        return [(to_rdflib(q.subject), to_rdflib(q.predicate), to_rdflib(q.object)) for q in quads]


def _check_nesting(data: bytes, format_: ox.RdfFormat, where: str) -> None:
    """Refuses what would end the process, or take all memory, in the parser.

    Raises:
        UnreadableInput: nested too deeply, or contexts of JSON-LD with too many terms for how deep they apply.
    """
    is_json = format_ == ox.RdfFormat.JSON_LD
    at = nesting.too_deep_at(data, nesting.JSON if is_json else nesting.TURTLE)
    if at is not None:
        line = data.count(b"\n", 0, at) + 1
        what = f"nested more than {nesting.MAX_DEPTH} levels deep"
        raise UnreadableInput(what, where=f"{where}:{line}", hint="give the inner nodes names, and describe them apart")
    try:
        too_large = is_json and nesting.contexts_too_large(data)
    except json.JSONDecodeError as error:
        what = f"not valid JSON-LD: {error.msg}, column {error.colno}"
        raise UnreadableInput(what, where=f"{where}:{error.lineno}", hint="correct the syntax") from error
    except UnicodeDecodeError as error:
        raise UnreadableInput("not valid JSON-LD: not UTF-8", where=where, hint="save the file as UTF-8") from error
    if too_large:
        what = "contexts with too many terms for so many levels"
        raise UnreadableInput(what, where=where, hint="leave out terms that are not used, or split the file")


def _too_large(size: str, where: str) -> UnreadableInput:
    return UnreadableInput(
        f"{size}, and a file may have {MAX_BYTES // 2**20} MiB", where=where, hint="split it into smaller files"
    )


def parse_file(path: Path, format_: ox.RdfFormat | None = None, relative: bool = False) -> list[Triple]:
    """The triples of the file at `path`, in the format of its name unless `format_` is given.

    Args:
        relative: whether relative IRIs are read, under a base that the content gives.

    Raises:
        UnreadableInput: no such file, too large, of no known format, or not RDF.
    """
    if format_ is None:
        format_ = FORMATS.get(path.suffix.lower())
    if format_ is None:
        must_exist(path)
        raise UnreadableInput(
            f"unknown format {path.suffix or '(no extension)'}", where=str(path), hint="use " + ", ".join(FORMATS)
        )
    data = read_bytes(path)
    return parse(data, format_, str(path), base_of(data) if relative else None)


def read_bytes(path: Path) -> bytes:
    """The content of the file at `path`; one byte more than a file may have where it grew meanwhile.

    Raises:
        UnreadableInput: no such file, or too large.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _too_large(f"{path.stat().st_size / 2**20:.0f} MiB", str(path))
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unopened(error, path) from error


def check_kind(path: Path) -> None:
    """Refuses what stands in a folder and is no file: a named pipe or a socket, which could be waited for without end.

    Raises:
        UnreadableInput: it is such.
        OSError: there is no such file: a link leads nowhere, or in a circle.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "a named pipe" if stat.S_ISFIFO(mode) else "no file"
        what = f"{kind} in a folder is not read"
        raise UnreadableInput(what, where=str(path), hint="name it by itself, or remove it")


def lines(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """The lines of a file that are not blank, each with its number and the byte at which it begins.

    One that is longer than a file may be is cut, at one byte more, and never left out.
    """
    number = start = 0
    while line := file.readline(MAX_BYTES + 1):
        number += 1
        if line.strip() or len(line) > MAX_BYTES:
            yield number, start, line.rstrip(b"\r\n")
        start += len(line)
        rest = line
        while len(line) > MAX_BYTES and rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_BYTES)
            start += len(rest)


def packed(path: object) -> UnreadableInput:
    """What is said of a packed file."""
    return UnreadableInput("packed, and not read", where=str(path), hint="unpack it")


def must_exist(path: Path) -> None:
    """Hold a path of an unknown ending to a file that is there.

    Raises:
        UnreadableInput: there is nothing at `path`, or it cannot be looked at.
    """
    try:
        path.stat()
    except OSError as error:
        raise unopened(error, path) from error


def unopened(error: OSError, path: Path) -> UnreadableInput:
    """What the system says of a file that cannot be read, as one line."""
    return UnreadableInput(
        error.strerror or "cannot be read", where=str(path), hint="check the path and its permissions"
    )
