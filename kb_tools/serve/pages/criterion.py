"""A criterion: what it says on the day, its history, what it reads, and the example cases on each side."""

from __future__ import annotations

from typing import TypedDict

from kb_tools.determine.examples import Expectation
from kb_tools.model.logic import Value, evaluate
from kb_tools.model.parts import BASES
from kb_tools.rdf.namespaces import POL
from kb_tools.revisions.words import content_of
from kb_tools.serve.pages.criteria import Criterion as Stated
from kb_tools.serve.pages.criteria import Part, content, criterion_of
from kb_tools.serve.pages.examples import Example, by_value
from kb_tools.serve.pages.open import Discrepancy, concerning
from kb_tools.serve.pages.thing import subjects
from kb_tools.serve.view import InForce, Link, Standing, View


class Earlier(TypedDict):
    """A criterion in one revision: its place, and what became of its content since the revision before on file.

    `change` is "first on file", "as before", "content changed", "moved", "not in this revision", or "not on file".
    """

    revision: Link
    basis: str
    change: str
    place: str
    role: str
    label: str
    content: Part | None


class Criterion(TypedDict):
    """A criterion. `stated` is how `statedBy` states it: the revision in force, or else the latest that has it."""

    iri: str
    title: str
    policy: Link
    inForce: InForce
    stated: Stated
    statedBy: Link
    standing: Standing
    history: list[Earlier]
    conditions: list[Link]
    log: list[Link]
    discrepancies: list[Discrepancy]
    examples: dict[str, list[Example]]


def data(view: View, target: str) -> Criterion:
    """The content of the page of a criterion."""
    bench = view.bench
    having = [iri for iri in bench.entries if target in bench.criteria_of(iri)]
    policy, _ = bench.entries[having[0]]
    standing = view.standing(having, "criterion")
    chosen = standing["shown"]["iri"]
    revision = bench.revision(chosen)
    stated = bench.criteria_of(chosen)[target]
    conditions = dict.fromkeys(stated.tree.conditions() if stated.tree else ())
    return {
        "iri": target,
        "title": stated.label,
        "policy": view.link(policy.iri),
        "inForce": view.in_force(policy),
        "stated": criterion_of(view, revision, stated),
        "statedBy": standing["shown"],
        "standing": standing,
        "history": _history(view, target, policy.iri),
        "conditions": view.links(conditions),
        "log": view.links(subjects(view, str(POL.affects), target)),
        "discrepancies": concerning(view, policy, target),
        "examples": by_value(view, lambda expected: _value(view, expected, policy.iri, target)),
    }


def _history(view: View, target: str, policy: str) -> list[Earlier]:
    bench, rows = view.bench, list[Earlier]()
    before = None
    for iri, (owner, entry) in bench.entries.items():
        if owner.iri != policy:
            continue
        known = entry.bases.get("Criteria", "NotOnFile") != "NotOnFile"
        now = bench.criteria_of(iri).get(target) if known else None
        if not known:
            change = "not on file"
        elif now is None:
            change = "not in this revision"
        elif before is None:
            change = "first on file"
        elif content_of(before) != content_of(now):
            change = "content changed"
        else:
            change = "as before" if before.notation == now.notation else f"moved from {before.notation}"
        rows.append(
            {
                "revision": view.link(iri),
                "basis": "draft" if entry.draft else BASES[entry.on_file["Criteria"]],
                "change": change,
                "place": now.notation if now else "",
                "role": now.role if now else "",
                "label": now.label if now else "",
                "content": content(view, bench.revision(iri), now) if now else None,
            }
        )
        before = now if known else before
    return rows


def _value(view: View, expected: Expectation, policy: str, target: str) -> Value | None:
    """The value of the criterion in an example case."""
    revision = f"{policy}/{expected.revision}"
    stated = view.bench.criteria_of(revision).get(target) if revision in view.bench.entries else None
    if stated is None:
        return None
    tree = stated.tree
    if tree is None:
        return ~evaluate(view.bench.revision(revision).indication_tree, expected.values)
    return evaluate(tree, expected.values)
