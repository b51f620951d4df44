"""The bundle that meets the criteria, edited: what it comes to. A plugin of pytest, for the tests of several files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bundle_edits import Edit, doubts_of
from bundles import content, determined_of
from installed import FAST

from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository

Determined = Callable[[Edit], Determination]
Outcome = Callable[[Edit], tuple[str, tuple[str, ...]]]


@pytest.fixture(scope="session")
def run(kb: Repository, policy: Policy) -> Run:
    """Determines under 2026-02."""
    return Run(kb, policy, FAST, "2026-02")


@pytest.fixture
def determined(kb: Repository, run: Run, tmp_path: Path) -> Determined:
    """The bundle that meets the criteria, determined after an edit."""

    def of(edit: Edit) -> Determination:
        bundle = content()
        edit(bundle)
        return determined_of(kb, run, bundle, tmp_path)

    return of


@pytest.fixture
def outcome(determined: Determined) -> Outcome:
    """What the bundle that meets the criteria comes to after an edit, with the notices and doubts of its reading."""

    def of(edit: Edit) -> tuple[str, tuple[str, ...]]:
        found = determined(edit)
        return found.outcome.value, (*found.case.notices, *doubts_of(found))

    return of
