"""JSON: everything that a determination says, for other programs."""

from __future__ import annotations

from collections.abc import Sequence

from kb_tools.determine.run import Answer, Determinations
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository


def answers(kb: Repository, answered: Sequence[Answer], errors: Sequence[KbError], explain: bool) -> str:
    """A run of kb validate. It is complete with or without --explain."""
    return Determinations((*answered, *errors)).to_json()
