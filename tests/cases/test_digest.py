"""The digest of a case against its definition, written down plainly."""

from __future__ import annotations

import hashlib
import io

from bundles import DATA

from kb_tools.cases.case import Case
from kb_tools.cases.digest import digest
from kb_tools.cases.reader import CaseReader
from kb_tools.model.repository import Repository


def sha256(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def defined(case: Case) -> str:
    """Four rounds: of each node its digest of the round before, and what it says, in order; of all nodes, in order."""
    known = {node: "case" if node == case.node else "" for node in case.about}
    for _ in range(4):
        known = {
            node: sha256(
                [known[node], *sorted(f"{p} _:{known[o]}" if o in known else f"{p} {o.n3()}" for p, o in pairs)]  # type: ignore[index]
            )
            for node, pairs in case.about.items()
        }
    return sha256(sorted(known.values()))


def test_a_digest_is_what_its_definition_says(kb: Repository) -> None:
    reader, seen = CaseReader(kb, record=False), set()
    for path in sorted(DATA.glob("*.json")):
        for case in reader.stream("a", path, io.BytesIO()):
            if isinstance(case, Case):
                assert case.digest == digest(case.node, case.about) == defined(case)
                seen.add(case.digest)
    assert len(seen) > 30
