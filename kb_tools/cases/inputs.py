"""Which files hold cases, and in which format each of them is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

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
        elif not argument:
            yield UnreadableInput("an empty argument names no file", hint="name a file or a folder; . is this folder")
        elif path.is_dir():
            yield from _in_folder(path)
        else:
            yield argument, path


@dataclass
class Listing:
    """What stands in a folder and in all below it.

    Attributes:
        known: the files of the endings that are read, in the order of their names.
        closed: those that are packed.
        others: the files of other endings.
        hidden: how many files and folders are hidden, where these are left out.
        refused: what is of these endings, or a folder, and cannot be read.
    """

    known: list[Path] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    hidden: int = 0
    refused: list[UnreadableInput] = field(default_factory=list)


def list_folder(
    folder: Path, endings: Sequence[str], with_hidden: bool = True, except_below: Path | None = None
) -> Listing:
    """What there is to read in a folder and in all below it, and what there is that cannot be read.

    Args:
        endings: of the files that are read.
        with_hidden: whether files and folders are looked at whose names begin with a dot.
        except_below: a folder that is not looked at.
    """
    found = Listing()
    failed: list[OSError] = []
    links: list[Path] = []
    files: list[Path] = []
    left_out = os.path.realpath(except_below) if except_below else None
    for place, folders, names in os.walk(folder, onerror=failed.append):
        if not with_hidden:
            for listed in (folders, names):
                hidden = [name for name in listed if name.startswith(".")]
                found.hidden += len(hidden)
                listed[:] = [name for name in listed if name not in hidden]
        if left_out:
            folders[:] = [name for name in folders if os.path.realpath(Path(place, name)) != left_out]
        links += [path for name in folders if (path := Path(place, name)).is_symlink()]
        files += [Path(place, name) for name in names]
    found.refused += [unopened(error, Path(error.filename)) for error in failed]
    found.refused += [_not_entered(path) for path in links]
    for file in sorted(files):
        if not is_packed(file, endings) and file.suffix.lower() not in endings:
            found.others.append(file)
            continue
        try:
            check_kind(file)
            (found.closed if is_packed(file, endings) else found.known).append(file)
        except UnreadableInput as error:
            found.refused.append(error)
        except OSError as error:
            found.refused.append(unopened(error, file))
    return found


def is_packed(file: PurePath, endings: Sequence[str]) -> bool:
    """Whether a file is a packed one of these endings, by its name."""
    return file.suffix.lower() in PACKED and PurePath(file.stem).suffix.lower() in endings


def _in_folder(folder: Path) -> Iterator[tuple[str, Path] | UnreadableInput]:
    """What there is to read in a folder and all below it, and what there is that cannot be read."""
    found = list_folder(folder, SUFFIXES)
    refused = found.refused
    known, closed = ([path for path in paths if path.name != MANIFEST] for paths in (found.known, found.closed))
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
