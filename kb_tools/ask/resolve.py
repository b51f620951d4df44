"""What an inquiry comes to: its query with the parameters bound, and the graphs that it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pyoxigraph as ox

from kb_tools.ask.bind import Binder, Bound, Chosen, revision_name
from kb_tools.ask.dataset import default_graph, policies
from kb_tools.ask.names import Names
from kb_tools.ask.on_file import basis_of
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.ask.sparql import Checked, NothingNamed, QueryError, check, trusted
from kb_tools.errors import UnknownRevision
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository

# The forms of query whose answer each format can write.
FORMATS = {
    "table": ("SELECT", "ASK"),
    "csv": ("SELECT",),
    "tsv": ("SELECT",),
    "json": ("SELECT", "ASK"),
    "markdown": ("SELECT", "ASK"),
    "turtle": ("CONSTRUCT", "DESCRIBE"),
}


@dataclass(frozen=True)
class Request:
    """What to run, and on what.

    Attributes:
        revisions: the revision of each policy that the default graph holds; empty for the union of all graphs.
        closed: the revision whose closure is the default graph, if one is.
        graphs: the named graphs that make up any other default graph; None for all.
        data: further RDF files and folders, whose content is added to the default graph.
        entail: how it is closed: "owlrl" or "rdfs".
        frame: what is to be said beside the answer.
    """

    kb: Repository
    checked: Checked
    revisions: Sequence[Chosen]
    closed: Chosen | None
    graphs: Sequence[str] | None
    data: Sequence[Path]
    entail: str
    max_rows: int
    frame: RawResult


def resolve(kb: Repository, asked: Inquiry) -> Request:
    """The query that an inquiry comes to, and the graphs that it reads.

    Raises:
        QueryError: the parts of the inquiry do not fit each other, or its query is refused or no SPARQL.
        KbError: a policy or revision is not known, or none is in force.
    """
    known = policies(kb)
    question, frame = asked.ready, RawResult(prefixes=kb.prefixes)
    given, revision = dict(asked.parameters), asked.revision
    union = asked.union or (question is not None and question.scope == "all")
    if question and question.revision and not union and "revision" in given:
        if revision or asked.as_of:
            raise QueryError("the revision is named twice", hint="use --revision or --param revision=, not both")
        revision = given.pop("revision")
    if question and union and not asked.union and (revision or asked.as_of):
        raise QueryError(f"question {question.name} reads all revisions", hint="leave out --revision and --as-of")
    named = asked.policy
    preferred = None if named else kb.preferred
    if preferred and not union and "/" not in (revision or ""):
        named = preferred.identifier
    chosen = [] if union else _choose(kb, known, named, revision, asked.as_of, frame.notes)
    # Of a policy that is named one revision is chosen, unless all are read.
    policy = None
    if named:
        policy = chosen[0][0] if chosen else known[kb.policy(named).identifier]
    frame.graphs = _in_words(chosen)
    graphs = default_graph(kb, chosen) if chosen else None
    # What is asked of one policy is asked by its prefixes.
    owners = {owner.identifier: owner for owner, _ in chosen}
    of_one = policy or (next(iter(owners.values())) if len(owners) == 1 else None)
    if of_one:
        frame.prefixes = of_one.prefixes
    frame.notes += [f"{identifier} is skipped: {error}" for identifier, error in kb.skipped.items()]
    names = Names(kb, graphs, frame.graphs, policy.iri if policy else "", checked=not asked.data)
    bound = Bound(asked.text)
    parts = question.parts if question else ()
    if question:
        frame.title = question.title
        if question.revision and chosen and not (revision or asked.as_of):
            frame.choices.append(f"for revision {frame.graphs}, assumed in force today; --revision YYYY-MM for another")
        try:
            meant = of_one or (known.get(preferred.identifier) if preferred else None)
            bound = Binder(names, known, policy, meant).bind(question, given, chosen)
        except NothingNamed as error:
            # What is unknown may be so because it is not on file.
            lacking = basis_of(names, parts, chosen).lines if chosen else ()
            hint = f"{error.hint} ({'; '.join(lacking)})" if lacking else error.hint
            raise QueryError(error.what, where=error.where, hint=hint, unquoted=error.unquoted) from None
        frame.choices += bound.choices
        frame.query = bound.text
    read = bound.revisions or chosen or [(owner, entry) for owner in known.values() for entry in owner.history]
    basis = basis_of(names, parts, read)
    frame.basis, frame.missing = list(basis.lines), basis.missing
    checked = _checked(kb, asked, bound.text, chosen, frame.prefixes)
    return Request(
        kb=kb,
        checked=checked,
        revisions=chosen,
        closed=chosen[0] if asked.entail != "none" else None,
        graphs=graphs if checked.graphs is None else checked.graphs,
        data=asked.data,
        entail=asked.entail,
        max_rows=asked.max_rows,
        frame=frame,
    )


def _in_words(chosen: Sequence[Chosen]) -> str:
    if len(chosen) > 3:
        return f"the revisions of {len(chosen)} policies"
    names = (f"{policy.identifier}/{entry.name}{' (draft)' if entry.draft else ''}" for policy, entry in chosen)
    return ", ".join(names) or "all graphs"


def _checked(
    kb: Repository, asked: Inquiry, text: str, chosen: Sequence[Chosen], prefixes: Mapping[str, str]
) -> Checked:
    """The query, which may run and fits the format and the closure that are asked for.

    Raises:
        QueryError: it is refused, is no SPARQL, or does not fit them.
    """
    checked = trusted(text) if asked.ready else check(text, prefixes, kb.clashing_prefixes)
    if asked.dataset:
        graphs, named = (sorted(set(map(_named, given))) for given in asked.dataset)
        checked = replace(checked, graphs=graphs, named=named)
    if asked.format and checked.form not in FORMATS[asked.format]:
        fits = " or ".join(name for name, forms in FORMATS.items() if checked.form in forms)
        raise QueryError(f"--format {asked.format} does not fit {checked.form} queries", hint=f"use {fits}")
    if asked.entail != "none" and (len(chosen) != 1 or checked.graphs is not None):
        raise QueryError("a closure is computed of one revision", hint="name a --policy, and leave out --all and FROM")
    return checked


def _named(given: str) -> str:
    """The name of a graph, which is an IRI.

    Raises:
        QueryError: it is none.
    """
    try:
        return ox.NamedNode(given).value
    except ValueError:
        hint = "write it whole, as https://…"
        raise QueryError(f"graph {given!a} is no IRI", hint=hint, unquoted="the name of a graph is no IRI") from None


def _choose(
    kb: Repository,
    known: Mapping[str, Policy],
    named: str | None,
    revision: str | None,
    day: date | None,
    notes: list[str],
) -> list[Chosen]:
    """The revision named, or those in force on a day, today if none is given: of the policy named, or of all."""
    if revision:
        revision = revision_name(kb, named, "revision", revision)
        owner = revision.split("/")[-2] if "/" in revision else named
        if named not in (None, owner):
            what = f"revision {revision} is not of {named}"
            raise QueryError(what, hint="name one policy", unquoted="the revision is not of the policy")
        policy = known[kb.policy_of(owner, revision).identifier]
        return [(policy, policy.entry(revision))]
    chosen: list[Chosen] = []
    missing: UnknownRevision | None = None
    for policy in [known[kb.policy(named).identifier]] if named else known.values():
        try:
            chosen.append((policy, policy.in_force(day or date.today()).revision))
        except UnknownRevision as error:
            notes.append(f"{policy.identifier} is skipped: {error}")
            missing = error
    if missing and not chosen:
        raise missing
    return chosen
