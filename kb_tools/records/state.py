"""What a determination rests on beside its case: the tool, the engine, the libraries, the revision and all it reaches.

The words of the knowledge base are held as they are, so that a later difference of wording can be named. They are the
project's own, and the same for every case.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from kb_tools import __version__
from kb_tools.errors import KnowledgeBaseError
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.records.chain import FORMAT
from kb_tools.revisions.reach import reached
from kb_tools.revisions.seal import digests, read_seal

# What beside the engine a determination is made with.
LIBRARIES = ("pyoxigraph", "rdflib")
# The groups of words, in the order in which differences are told.
WORDS = ("criteria", "conditions", "advisories", "revision", "terms")


def state_of(kb: Repository, revision: Revision, engine: str) -> dict[str, Any]:
    """All that a determination under a revision depends on, as it is now."""
    policy, entry = revision.policy, revision.entry
    layers = digests(reached(kb, policy, entry))
    return {
        "format": FORMAT,
        "tool": f"kb {__version__}",
        "python": platform.python_version(),
        "engine": engine,
        "libraries": {name: _version(name) for name in sorted({engine, *LIBRARIES})},
        "policy": policy.identifier,
        "revision": entry.name,
        "revisionIri": entry.iri,
        "criteriaBasis": entry.bases.get("Criteria"),
        "seal": _seal(policy, revision),
        "reached": {name: layer.digest for name, layer in layers.items()},
        "words": _words(kb, revision),
    }


def encoded(state: Mapping[str, Any]) -> bytes:
    """A state as the file that holds it: the same bytes for the same state."""
    return (json.dumps(state, sort_keys=True, separators=(",", ":")) + "\n").encode()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _seal(policy: Policy, revision: Revision) -> str | None:
    """The digest that the seal of a revision gives; None where it has no seal that can be relied on."""
    try:
        return read_seal(policy.revision_folders[revision.entry.name], revision.entry.iri)[0].digest
    except KnowledgeBaseError:
        return None


def _words(kb: Repository, revision: Revision) -> dict[str, Any]:
    """The words that an answer under a revision is made of, by what they are said of."""
    criteria = (inner for criterion in revision.criteria for inner in criterion.with_parts())
    return {
        "criteria": {
            criterion.iri: {
                "place": criterion.notation,
                "label": criterion.label,
                "passages": [place.to_dict() for place in criterion.places],
                "references": [reference.to_dict() for reference in criterion.citations],
            }
            for criterion in criteria
        },
        "conditions": {
            condition.iri: {"label": condition.label, "asksFor": condition.asks_for}
            for condition in revision.conditions.values()
        },
        "advisories": {advisory.iri: advisory.to_dict() for advisory in revision.advisories},
        "revision": {
            revision.entry.iri: {
                "disposition": revision.disposition[1] if revision.disposition else None,
                "notices": list(revision.notices),
            }
        },
        "terms": {iri: {"label": label} for iri, label in kb.labels.items()},
    }


# ---------------------------------------------------------------------- comparing


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, str, Any, Any]]:
    """In what two states differ, but for words.

    Returns:
        what it is ("tool", "engine", "library", "seal", "reached", …), which of several, and the two values.
    """
    found: list[tuple[str, str, Any, Any]] = []
    for key in ("tool", "python", "engine", "criteriaBasis", "seal"):
        if before.get(key) != now[key]:
            found.append((key, "", before.get(key), now[key]))
    for key, what in (("libraries", "library"), ("reached", "reached")):
        one, other = before.get(key) or {}, now[key]
        names = dict.fromkeys((*one, *other))
        # Of two engines the versions say nothing: that they are two is said above.
        engines = {before.get("engine"), now["engine"]} if before.get("engine") != now["engine"] else set()
        found += [
            (what, name, one.get(name), other.get(name))
            for name in names
            if one.get(name) != other.get(name) and name not in engines
        ]
    return found


def rewordings(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Any, Any]]:
    """In what the words of two states differ.

    Yields:
        the group (one of WORDS), the IRI, what of it ("label", "text", …), and the two values.
    """
    for group in WORDS:
        ones, others = before["words"].get(group, {}), now["words"].get(group, {})
        for iri in dict.fromkeys((*ones, *others)):
            one, other = ones.get(iri, {}), others.get(iri, {})
            for key in dict.fromkeys((*one, *other)):
                if one.get(key) != other.get(key):
                    yield group, iri, key, one.get(key), other.get(key)
