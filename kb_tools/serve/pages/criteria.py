"""Criteria as pages show them: the tree beside its places, what it cites, its readings, and what is open."""

from __future__ import annotations

from typing import TypedDict

from kb_tools.model.logic import Tree
from kb_tools.model.parts import operator_words
from kb_tools.model.revision import Revision
from kb_tools.model.statements import Criterion as Stated
from kb_tools.model.statements import Passage
from kb_tools.serve.pages.open import Discrepancy, concerning
from kb_tools.serve.view import Citation, Link, Place, View, citation, place


class Part(TypedDict):
    """A part of a criterion: a condition, or an operator ("all of") over parts.

    `criterion` is the part itself where the document gives it a place of its own.
    """

    condition: Link | None
    operator: str | None
    criterion: Link | None
    parts: list[Part]


class _Stated(TypedDict):
    iri: str
    label: str
    role: str
    place: str
    definition: str
    readings: list[str]
    content: Part | None
    remainderOf: Link | None
    otherwiseSee: Link | None
    places: list[Place]
    citations: list[Citation]
    discrepancies: list[Discrepancy]


class Criterion(_Stated, total=False):
    """A criterion as a revision states it.

    `role` is "applicability", "indication", "limitation", "remainder", "exclusion" or "part". `content` is null for a
    remainder, which covers all that its indication (`remainderOf`) does not. With several indications, `scope` says
    which of them a limitation or exclusion limits, if not all, and what a remainder covers.
    """

    scope: str


def criterion_of(view: View, revision: Revision, stated: Stated) -> Criterion:
    """A criterion of a revision as JSON values."""
    graphs, alone = (revision.entry.iri,), revision.indications
    rest = stated.tree is None and stated.role == "remainder"
    found: Criterion = {
        "iri": stated.iri,
        "label": stated.label,
        "role": stated.role,
        "place": stated.notation,
        "definition": stated.definition,
        "readings": list(stated.notes),
        "content": content(view, revision, stated),
        "remainderOf": view.link(alone[0].iri, graphs) if rest and len(alone) == 1 else None,
        "otherwiseSee": view.link(stated.otherwise[1], graphs) if stated.otherwise else None,
        "places": [place(found) for found in stated.places],
        "citations": [citation(found) for found in stated.citations],
        "discrepancies": open_at(view, revision, stated.iri, stated.places),
    }
    if scope := scope_of(revision, stated):
        found["scope"] = scope
    return found


def scope_of(revision: Revision, stated: Stated) -> str:
    """Which of several indications a limitation or exclusion limits; what a remainder of several covers."""
    rest = stated.role == "remainder" and len(revision.indications) > 1
    return revision.uncovered if rest else revision.scope_of(stated)


def content(view: View, revision: Revision, stated: Stated) -> Part | None:
    """What a criterion of a revision is made of; None for a remainder."""
    return {**part_of(view, revision, stated.tree), "criterion": None} if stated.tree else None


def part_of(view: View, revision: Revision, part: Tree | str) -> Part:
    """A tree, or the IRI of a condition, as JSON values."""
    if not isinstance(part, Tree):
        return {"condition": view.link(part), "operator": None, "criterion": None, "parts": []}
    named: Link | None = {"iri": part.iri, "label": part.label, "notation": part.notation} if part.iri else None
    parts = [part_of(view, revision, below) for below in part.parts]
    return {"condition": None, "operator": operator_words(part), "criterion": named, "parts": parts}


def open_at(view: View, revision: Revision, iri: str, places: tuple[Passage, ...]) -> list[Discrepancy]:
    """The discrepancies that concern a statement, of the document in which it has its places."""
    things = view.bench.things
    documents = {graph for stated in places for graph in things[stated.iri].graphs}
    return [
        found
        for found in concerning(view, revision.policy, iri)
        if not documents or any(documents & things[where["iri"]].graphs for where in found["places"])
    ]
