"""The workbench on the knowledge base of the checkout, loaded once a session, and a client that asks it."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from kb_tools.model.repository import Repository
from kb_tools.serve.app import application


@pytest.fixture(scope="session")
def client(kb: Repository) -> TestClient:
    return TestClient(application(kb), base_url="http://127.0.0.1:8014", follow_redirects=False)
