"""The knowledge base with BS.6 in it, a made-up policy of another domain that brings its own kinds of findings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kb_tools.model.repository import Repository

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data/BS.6"


@pytest.fixture(scope="session")
def with_bs6(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The knowledge base of the checkout and BS.6, each of whose files is put where its kind stands."""
    root = tmp_path_factory.mktemp("bs6")
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("cases"))
    places = {
        "vocabulary.ttl": "ontology/clinical/weight.ttl",
        "findings.ttl": "shapes/findings/weight.ttl",
        "conditions.ttl": "shapes/conditions/weight.ttl",
    }
    shutil.copytree(DATA, root / "policies/BS.6", ignore=shutil.ignore_patterns(*places))
    for name, place in places.items():
        shutil.copy(DATA / name, root / place)
    return Repository(root)
