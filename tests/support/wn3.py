"""The knowledge base with WN.3 in it, a made-up policy whose conditions have windows, and cases for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import pytest
from rdflib import Namespace
from several_policies import beside_those_on_file

from kb_tools.cases.case import Case
from kb_tools.cases.reader import CaseReader
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import BASE

# Its own conditions.
WCOND = Namespace(f"{BASE}WN.3/condition#")


@pytest.fixture(scope="session")
def with_wn3(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The knowledge base of the checkout and WN.3."""
    return Repository(beside_those_on_file(tmp_path_factory.mktemp("wn3"), "WN.3", cases=False))


def revision_of(kb: Repository, name: str) -> Revision:
    """A revision of WN.3."""
    policy = kb.policy("WN.3")
    return Revision.load(policy, policy.entry(name))


def mrd(day: str, result: str = "MRDDetected", **more: str) -> dict[str, Any]:
    """A test for residual disease."""
    return {"type": "MRDTest", "date": day, "basis": "ChartEvidence", "mrdResult": result, **more}


def gvhd(day: str, grade: int) -> dict[str, Any]:
    """An assessment of acute GvHD."""
    return {"type": "AcuteGvHDAssessment", "date": day, "basis": "ChartEvidence", "grade": grade}


def line(service: str, *findings: dict[str, Any], **request: Any) -> bytes:
    """A case for WN.3 as a line of plain JSON."""
    request |= {"service": "DonorLymphocyteInfusion", "serviceDate": service, "reason": "AcuteMyeloidLeukemia"}
    content = {"patient": "p", "lineOfBusiness": "Commercial", "request": request, "findings": list(findings)}
    return json.dumps(content).encode()


def cases_of(kb: Repository, lines: Iterable[bytes]) -> list[Case]:
    """The cases that lines of plain JSON state, each with a name of its own."""
    named = (b'{"id": "case-%d", ' % number + text[1:] for number, text in enumerate(lines))
    found = list(CaseReader(kb).stream("cases.jsonl", None, BytesIO(b"\n".join(named)), "jsonl"))
    assert all(isinstance(case, Case) for case in found), found
    return [case for case in found if isinstance(case, Case)]
