"""The knowledge base with BS.6 in it, an invented policy of another domain in a folder and namespaces of its own."""

from __future__ import annotations

import pytest
from several_policies import beside_those_on_file

from kb_tools.model.repository import Repository


@pytest.fixture(scope="session")
def with_bs6(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The knowledge base of the checkout, and the folder of BS.6 as it is."""
    return Repository(beside_those_on_file(tmp_path_factory.mktemp("bs6"), "BS.6"))
