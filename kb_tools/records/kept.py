"""A case as it was read, kept so that it can be determined again: what it says, on nodes without names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyoxigraph as ox
from rdflib import BNode

from kb_tools.cases.case import DERIVED, Case
from kb_tools.cases.isolate import Content, isolate
from kb_tools.errors import UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf.files import parse
from kb_tools.rdf.terms import Triple, to_quads


def encoded(case: Case) -> bytes:
    """A case as the file that keeps it: its statements as N-Triples, and what a reader must know of the reading.

    What the input calls its nodes, the patient among them, is not kept.
    """
    written = ox.serialize(to_quads(_nameless(case)), format=ox.RdfFormat.N_TRIPLES) or b""
    content = {"notices": list(case.notices), "statements": written.decode().splitlines()}
    return (json.dumps(content, indent=1) + "\n").encode()


def _nameless(case: Case) -> Iterator[Triple]:
    nodes = {node: BNode(f"n{number}") for number, node in enumerate(case.about)}
    for subject, predicate, object_ in case.triples():
        if predicate not in DERIVED:
            yield nodes[subject], predicate, nodes.get(object_, object_)  # type: ignore[index, call-overload]


def decoded(kb: Repository, content: bytes, name: str, numbers: Iterator[int]) -> Case:
    """The case that a file keeps.

    Args:
        name: what errors call it.
        numbers: gives the case its number; no two cases that are held together may have the same.

    Raises:
        UnreadableInput: it is no case.
    """
    try:
        found: dict[str, Any] = json.loads(content)
        statements = "".join(f"{line}\n" for line in found["statements"]).encode()
        notices = tuple(map(str, found["notices"]))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UnreadableInput("no case that was kept", where=name, hint="restore it from a copy") from error
    triples = parse(statements, ox.RdfFormat.N_TRIPLES, name)
    cases = isolate(kb, Content(name, triples, notices=notices), numbers)
    if len(cases) != 1:
        raise UnreadableInput(f"{len(cases)} cases where one was kept", where=name, hint="restore it from a copy")
    return cases[0]
