"""The check that what is generated from the vocabularies and the case shapes says what they say now.

What is generated holds what all policies share: a policy that comes with terms of its own makes none of it stale.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from kb_tools.cases.form import CaseForms
from kb_tools.cases.schema import schema
from kb_tools.checks.core import Problem
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository

# What is generated, with the command that writes it anew. None of it is there where no documentation is.
_GENERATED: dict[str, tuple[str, Callable[[CaseForms], Any]]] = {
    "docs/case.schema.json": ("kb case schema --shared", schema),
    "docs/case-context.jsonld": ("kb case schema --shared --context", lambda plain: {"@context": plain.context}),
}


def none(_: Repository) -> Iterator[Problem]:
    """Nothing that is generated is of one policy, or of the vocabularies alone."""
    return iter(())


def stale(kb: Repository) -> Iterator[Problem]:
    """Files of the documentation that are generated and not current, each with the command that renews it."""
    for file, (command, made) in _GENERATED.items():
        path = kb.root / file
        if not path.is_file():
            continue
        try:
            wanted = json.loads(json.dumps(made(CaseForms(kb.shared))))
        except KbError:
            continue  # What is wrong with the vocabularies or the shapes, other checks say.
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = None
        if found != wanted:
            what = "is not what the vocabularies and the case shapes say now"
            yield Problem(file, f"{what}; write it anew: {command} > {file} (make docs writes all that is generated)")
