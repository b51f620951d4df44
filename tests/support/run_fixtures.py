"""What tests of runs share: those that use it say `pytestmark = pytest.mark.usefixtures("words_once")`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from kb_tools.batch import run
from kb_tools.batch.words import Word, words
from kb_tools.model.repository import Repository


@cache
def _words(root: Path) -> list[Word]:
    kb = Repository(root)
    return list(words(kb, [kb.policy()]))


@pytest.fixture
def words_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads the words for the codes once for all runs: they take longer than a run over a few cases."""
    monkeypatch.setattr(run, "words", lambda kb, policies: _words(kb.root))


@pytest.fixture
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for what is kept between runs, so that no test starts with what another one learned."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder
