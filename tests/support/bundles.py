"""FHIR bundles for tests: one that meets the criteria, edits of it, and what became of them."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from kb_tools.cases.case import Case
from kb_tools.cases.fhir.reader import KEY
from kb_tools.cases.isolate import Content
from kb_tools.cases.reader import CaseReader
from kb_tools.cases.record import Note
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.model.repository import Repository

DATA = Path(__file__).parents[1] / "data/fhir"
MEETING = "a-relapse-after-an-allogeneic-transplant-meets"
CLINICAL = "https://w3id.org/policykb/clinical#"
RunKb = Callable[..., CompletedProcess[str]]


def content(name: str = MEETING) -> dict[str, Any]:
    """One of the bundles, to be changed."""
    found: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return found


def resources(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The first resource of each type."""
    found: dict[str, dict[str, Any]] = {}
    for entry in bundle["entry"]:
        found.setdefault(entry["resource"]["resourceType"], entry["resource"])
    return found


def data(bundle: Any) -> bytes:
    return json.dumps(bundle).encode()


@cache
def _reader(kb: Repository, key: str | None) -> CaseReader:
    """One reader for all bundles, which reads the terminologies once; the key is read when it is made."""
    return CaseReader(kb)


def case_of(kb: Repository, bundle: Any, tmp_path: Path) -> Case:
    path = tmp_path / "case.json"
    path.write_bytes(data(bundle))
    (case,) = _reader(kb, os.environ.get(KEY)).stream("case.json", path, io.BytesIO())
    assert isinstance(case, Case), case
    return case


def determined_of(kb: Repository, run: Run, bundle: Any, tmp_path: Path) -> Determination:
    """What a bundle comes to."""
    (found,) = run.answers([case_of(kb, bundle, tmp_path)])
    assert isinstance(found, Determination)
    return found


def notes_of(read: Case | Content) -> tuple[Note, ...]:
    """What became of each resource of something that was read from FHIR."""
    assert read.reading
    return read.reading.notes


def record(case: Case) -> list[str]:
    return [str(note) for note in notes_of(case)]
