"""The knowledge base with PR.8 in it, a made-up policy that reads kinds of products, one of them its own."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from several_policies import beside_those_on_file

from kb_tools.cases.case import Case
from kb_tools.cases.reader import CaseReader
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository


@pytest.fixture(scope="session")
def with_pr8(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The knowledge base of the checkout and PR.8."""
    return Repository(beside_those_on_file(tmp_path_factory.mktemp("pr8"), "PR.8", cases=False))


def of(kind: str, **stated: Any) -> dict[str, Any]:
    """A product of a kind."""
    return {"type": kind, **stated}


def line(number: int, products: Any) -> bytes:
    """A case for PR.8 as a line of plain JSON, which states these products and nothing else."""
    request = {"service": "PumpInfusion", "serviceDate": "2026-07-01", "product": products}
    return json.dumps({"id": f"case-{number}", "patient": "p", "request": request}).encode()


def read(kb: Repository, lines: list[bytes]) -> list[Case | KbError]:
    """The cases of lines of plain JSON, or why there is none."""
    return list(CaseReader(kb).stream("cases.jsonl", None, BytesIO(b"\n".join(lines)), "jsonl"))
