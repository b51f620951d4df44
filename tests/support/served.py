"""The workbench on the knowledge base with CP.MP.101 alone, loaded once a session, and a client that asks it."""

from __future__ import annotations

from collections.abc import Iterator

import one_policy
import pytest
from starlette.testclient import TestClient

from kb_tools.ask.pool import Pool
from kb_tools.model.repository import Repository
from kb_tools.serve.app import application
from kb_tools.serve.workbench import Workbench

# Where a program on this machine calls from; only such programs are answered everywhere.
HERE = ("127.0.0.1", 50000)


@pytest.fixture(scope="session")
def bench() -> Workbench:
    return Workbench(Repository(one_policy.root()))


@pytest.fixture(scope="session")
def client(bench: Workbench) -> Iterator[TestClient]:
    """A client. Only what it asks of queries starts a process."""
    pool = Pool(bench.kb, size=2, timeout=20, patience=20)
    yield TestClient(
        application(bench, pool=pool), base_url="http://127.0.0.1:8014", client=HERE, follow_redirects=False
    )
    pool.close()
