"""The digest of a case: what a record calls an input by, in place of the name of its file.

The same statements give the same digest, however often and in whatever order they stand, and whatever the file calls
its nodes: it holds no identifier. It tells inputs apart, and is no proof of what they say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

from rdflib import URIRef
from rdflib.term import Node

from kb_tools.rdf.terms import KEPT, LONGEST_KEPT

# A case has three levels, so that after as many rounds every node has been compared by all that it leads to.
_ROUNDS = 4


def digest(case: Node, about: Mapping[URIRef, Sequence[tuple[URIRef, Node]]]) -> str:
    """Digest what is said of the nodes of a case.

    Args:
        case: the node of the case itself.
        about: the statements, by subject; every node of the file is a subject.

    Returns:
        hexadecimal digits.
    """
    known = {node: "case" if node == case else "" for node in about}
    leading: dict[URIRef, tuple[list[str], list[tuple[URIRef, URIRef]]]] = {}
    # What leads nowhere: its digest of each round depends on none but its own of the round before.
    ends: dict[URIRef, list[str]] = {}
    for node, pairs in about.items():
        own: list[str] = []
        links: list[tuple[URIRef, URIRef]] = []
        for predicate, object_ in pairs:
            if type(object_) is URIRef and object_ in known:
                links.append((predicate, object_))
            else:
                written_of = _line if len(object_) <= LONGEST_KEPT else _line.__wrapped__  # type: ignore[arg-type]
                own.append(written_of(predicate, object_))
        if links:
            leading[node] = own, links
        else:
            ends[node] = _rounds_of_an_end(known[node], sorted(own))
    for number in range(_ROUNDS):
        fresh = {
            node: _sha256(known[node], *sorted([*own, *[f"{p} _:{known[o]}" for p, o in links]]))
            for node, (own, links) in leading.items()
        }
        known = {node: rounds[number] for node, rounds in ends.items()} | fresh
    return _sha256(*sorted(known.values()))


def _rounds_of_an_end(digest: str, lines: Sequence[str]) -> list[str]:
    """The digest of each round of a node that leads to no other: what it says is the same in every round."""
    said = _encoded("".join([f"\n{line}" for line in lines]))
    found: list[str] = []
    for _ in range(_ROUNDS):
        digest = hashlib.sha256(digest.encode() + said).hexdigest()
        found.append(digest)
    return found


@lru_cache(KEPT)
def _line(predicate: URIRef, value: Node) -> str:
    """What a node says itself; the same is said of many."""
    return f"{predicate} {value.n3()}"


def _sha256(*parts: str) -> str:
    return hashlib.sha256(_encoded("\n".join(parts))).hexdigest()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
