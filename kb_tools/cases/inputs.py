"""Which files hold cases, and in which format each of them is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kb_tools.cases.record import NDJSON
from kb_tools.errors import UnreadableInput
from kb_tools.rdf.files import FORMATS, PACKED, check_kind, must_exist, packed, unopened

MANIFEST = "manifest.ttl"
# A file with one case, plain or FHIR, and a file with one plain case a line.
JSON, JSON_LINES = ".json", ".jsonl"
# Stands for the format of a folder with FHIR that is read together.
FOLDER = "/"
SUFFIXES = (*FORMATS, JSON, JSON_LINES, NDJSON)
# Standard input that begins so is no TriG.
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*\"|\[\s*[\[{\"0-9])")


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
    refused += [_not_entered(path) for path in inner if path.is_symlink()]
    files = sorted(Path(place, name) for place, _, names in walked for name in names if name != MANIFEST)
    known: list[Path] = []
    closed: list[Path] = []
    for file in files:
        ending = file.suffix.lower()
        if ending not in SUFFIXES and not (ending in PACKED and Path(file.stem).suffix.lower() in SUFFIXES):
            continue
        try:
            check_kind(file)
            (closed if ending in PACKED else known).append(file)
        except UnreadableInput as error:
            refused.append(error)
        except OSError as error:
            refused.append(unopened(error, file))
    together = files_read_together([*known, *closed])
    yield from refused
    yield from (packed(path) for path in closed if path not in together)
    if not (known or refused or closed):
        hint = f"name a folder with {', '.join(SUFFIXES)} files"
        yield UnreadableInput("no case files in this folder", where=str(folder), hint=hint)
    places = dict.fromkeys(path.parent if path in together else path for path in known)
    yield from ((str(place), place) for place in places)


def _not_entered(link: Path) -> UnreadableInput:
    """The error for a link to a folder: it may lead anywhere, even back to the folder that holds it."""
    return UnreadableInput("a link to a folder is not followed", where=str(link), hint="name the folder itself")


def format_of(path: Path | None, format_name: str | None, data: bytes) -> str:
    """The ending that stands for the format of an input, FOLDER for one; what standard input begins with tells its own.

    Raises:
        UnreadableInput: a file of an ending that is not read, or more on standard input than can be held.
    """
    if path and path.is_dir():
        return FOLDER
    if format_name:
        return f".{format_name}"
    if path is None:
        return _format_by_first_line(data)
    ending = path.suffix.lower()
    if ending in PACKED:
        raise packed(path)
    if ending not in SUFFIXES:
        must_exist(path)
        what = f"unknown format {path.suffix or '(no extension)'}"
        raise UnreadableInput(what, where=str(path), hint=f"use {', '.join(SUFFIXES)}")
    return ending


def _format_by_first_line(data: bytes) -> str:
    """The ending that stands for the format of what comes without a name."""
    if not _JSON.match(data):
        return ".trig"
    first, _, more = data.partition(b"\n")
    if not more.strip() or not _is_a_line(first):
        return JSON
    from kb_tools.cases.fhir.reader import is_fhir

    return NDJSON if is_fhir(first) else JSON_LINES


def _is_a_line(text: bytes) -> bool:
    """Whether a text is a JSON value by itself."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def files_read_together(paths: Iterable[Path]) -> set[Path]:
    """The files with FHIR that are read together, folder by folder."""
    from kb_tools.cases.fhir.reader import read_together

    return read_together(paths)
