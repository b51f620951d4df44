"""A question with its parameters bound and its graphs chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pyoxigraph as ox

from kb_tools.ask.library import find_question
from kb_tools.ask.sparql import QueryError
from kb_tools.errors import UnknownRevision, did_you_mean

if TYPE_CHECKING:
    from kb_tools.ask.library import Parameter, Question
    from kb_tools.ask.names import Names
    from kb_tools.ask.on_file import Basis
    from kb_tools.model.history import RevisionEntry
    from kb_tools.model.policy import Policy
    from kb_tools.model.repository import KnowledgeBase

Term: TypeAlias = ox.NamedNode | ox.BlankNode | ox.Literal


@dataclass
class Inquiry:
    """What a user asks, before it is known what that comes to.

    Attributes:
        root: the folder of the knowledge base; None to look for it.
        text: SPARQL of the user's own; empty for the ready question of the name `question`.
        parameters: of the question, by name.
        union: whether the default graph is the union of all graphs.
    """

    root: Path | None = None
    text: str = ""
    question: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    policy: str | None = None
    revision: str | None = None
    as_of: date | None = None
    union: bool = False
    data: Sequence[Path] = ()
    entail: str = "none"
    max_rows: int = 10_000
    format: str = ""


@dataclass
class Request:
    """What to run, and on what.

    Attributes:
        revisions: the revision of each policy that the default graph holds; empty for the union of all graphs.
        data: further RDF files and folders, whose content is added to the default graph.
        entail: "owlrl", "rdfs" or "none".
        format: one of FORMATS, which the form of the query must fit; any form if empty.
    """

    root: Path
    text: str
    revisions: Sequence[tuple[str, str]]
    data: Sequence[Path] = ()
    entail: str = "none"
    max_rows: int = 10_000
    format: str = ""


@dataclass
class Result:
    """What a query found.

    Attributes:
        variables, rows: of a SELECT query.
        truth: of an ASK query.
        triples, turtle: of a CONSTRUCT or DESCRIBE query, each triple once; the same as canonical Turtle.
        labels: names of the IRIs in the rows.
        more: whether there was more than the number of rows asked for.
        title: the question in words.
        graphs: what the default graph holds, in words.
        choices: what the question was asked for where the user did not say it in full, one line each.
        basis: which parts that it reads are not on file or inferred, and which revisions are drafts, one line each.
        missing: "all" if no revision has all these parts on file, "some" if some have not, else "".
        notes: what else a reader must know of the answer, one line each.
        prefixes: the prefix table.
    """

    variables: list[str] = field(default_factory=list)
    rows: list[list[Term | None]] = field(default_factory=list)
    truth: bool | None = None
    triples: list[ox.Triple] | None = None
    turtle: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    more: bool = False
    title: str = ""
    graphs: str = ""
    choices: list[str] = field(default_factory=list)
    basis: list[str] = field(default_factory=list)
    missing: str = ""
    notes: list[str] = field(default_factory=list)
    prefixes: dict[str, str] = field(default_factory=dict)


@dataclass
class Bound:
    """The query of a question with its parameters bound.

    Attributes:
        revisions: the values of those that are revisions.
        choices: what they are bound to where the user did not say that in full, one line each.
    """

    text: str
    revisions: list[tuple[Policy, RevisionEntry]] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)


def bind(
    names: Names,
    policy: Policy | None,
    question: Question,
    given: Mapping[str, str],
    revisions: Sequence[tuple[Policy, RevisionEntry]] = (),
) -> Bound:
    """The query of a question with its parameters bound to the values given, or to their defaults.

    Args:
        names: of the things that may be meant.
        policy: the policy whose revisions are named, where several are on file.
        revisions: those of the default graph, which the question's own revision is then.

    Raises:
        QueryError: a parameter is unknown, or its value is not of its type.
    """
    known = {parameter.name: parameter for parameter in question.parameters}
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or f"it has: {', '.join(known) or 'none'}"
            raise QueryError(f"question {question.name} has no parameter {name}", hint=hint)
    bound = Bound(question.text)
    if revisions and question.revision:
        known.pop("revision")
        bound.text = _bound(bound.text, "revision", [ox.NamedNode(entry.iri) for _, entry in revisions])
    for name, parameter in known.items():
        value = given.get(name, parameter.default)
        if value or name in given:
            term = _term(names, policy, parameter, value, bound)
            bound.text = _bound(bound.text, name, [term])
        if name not in given:
            said = _in_words(names, _values(bound.text, name))
            bound.choices.append(f"for {name} {said}; --param {name}=VALUE for another")
        if parameter.type == "revision":
            bound.revisions += _known(names.kb, _values(bound.text, name))
    return bound


def _bound(text: str, name: str, terms: Sequence[Term]) -> str:
    """The query with a variable bound to these terms, where it binds it to others."""
    before, _, rest = text.partition(f"VALUES ?{name} {{")
    return f"{before}VALUES ?{name} {{ {' '.join(map(str, terms))} }}{rest.partition('}')[2]}"


def _values(text: str, name: str) -> list[Any]:
    """The terms that a query binds a variable to."""
    prologue = "\n".join(line for line in text.splitlines() if line.startswith("PREFIX "))
    clause = text[text.index(f"VALUES ?{name} {{") :]
    # A text may hold a brace: the clause ends where it can be read.
    for end in re.finditer("}", clause):
        with suppress(SyntaxError):
            found: Any = ox.Store().query(f"{prologue}\nSELECT ?{name} {{ {clause[: end.end()]} }}")
            return [solution[0] for solution in found]
    raise AssertionError(f"{name} is bound nowhere")


def _in_words(names: Names, terms: Sequence[Any]) -> str:
    return ", ".join(names.words(each.value) if isinstance(each, ox.NamedNode) else each.value for each in terms)


def _known(kb: KnowledgeBase, terms: Sequence[Any]) -> list[tuple[Policy, RevisionEntry]]:
    """Those of the revisions that are on file; the default of a question may be of a policy that is not."""
    from kb_tools.ask.dataset import policies

    known = {entry.iri: (policy, entry) for policy in policies(kb).values() for entry in policy.history}
    return [known[term.value] for term in terms if term.value in known]


XSD = "http://www.w3.org/2001/XMLSchema#"
_MONTH = re.compile(r"\d{4}-\d{2}")
# How a value of each of these types is written.
WRITTEN = {"date": "write YYYY-MM-DD, YYYY-MM for its first day, or today", "integer": "write a whole number"}


def _term(names: Names, policy: Policy | None, parameter: Parameter, value: str, bound: Bound) -> Term:
    """The term that a value given for a parameter stands for; what a reader must know of it is added to `bound`."""
    if parameter.type == "revision":
        value = _revision(names.kb, policy.identifier if policy else None, parameter.name, value)
        named = names.kb.policy(value.split("/")[-2]) if "/" in value else policy or names.kb.policy()
        return ox.NamedNode(named.entry(value).iri)
    if parameter.type == "policy":
        return ox.NamedNode(names.kb.policy(value).iri)
    if parameter.type in ("iri", "class"):
        thing = names.find(parameter.name, parameter.kinds, value, parameter.type == "class")
        if value not in (thing.iri, names.curie(thing.iri)):
            bound.choices.append(f"for {parameter.name} {names.words(thing.iri)}")
        if thing.graphs and not names.reads(thing.graphs):
            from kb_tools.ask.names import within

            known = within(thing.graphs)
            bound.choices.append(f"{names.curie(thing.iri)} is of {known}, and not of {names.where}")
        return ox.NamedNode(thing.iri)
    datatype = {"date": ox.NamedNode(XSD + "date"), "integer": ox.NamedNode(XSD + "integer")}.get(parameter.type)
    try:
        # Also where it is no text at all, but bytes that stand for none.
        value.encode()
        meant = value
        if parameter.type == "date":
            meant = _day(value).isoformat()
        elif parameter.type == "integer":
            meant = str(int(value))
    except ValueError:
        hint = WRITTEN.get(parameter.type, "write it in UTF-8")
        raise QueryError(f"{parameter.name}: {value!a} is no {parameter.type}", hint=hint) from None
    if parameter.type == "namespace":
        meant = names.namespace(value)
    elif parameter.kinds:
        meant, note = names.value(parameter.kinds, value)
        bound.choices += [f"{parameter.name}: {note}"] if note else []
    if meant != value and not (parameter.type == "date" and value == parameter.default):
        bound.choices.append(f"for {parameter.name} {meant}")
    return ox.Literal(meant, datatype=datatype)


def _day(written: str) -> date:
    """The day; of a month its first, as everywhere where revisions begin.

    Raises:
        ValueError: it is none.
    """
    if written == "today":
        return date.today()
    return date.fromisoformat(f"{written}-01" if _MONTH.fullmatch(written) else written)


def _revision(kb: KnowledgeBase, policy: str | None, parameter: str, written: str) -> str:
    """The revision that is named, as "2026-02" or "CP.MP.101/2026-02": so, or as its log or its label prints it.

    Raises:
        QueryError: no revision has that name, or several have.
    """
    if _MONTH.fullmatch(written.rpartition("/")[2]):
        return written
    from kb_tools.ask.names import Names

    names = Names(kb, None, "the knowledge base", kb.policy(policy).iri if policy else "")
    return "/".join(names.find(parameter, ["pol:Revision"], written).iri.split("/")[-2:])


def resolve(kb: KnowledgeBase, asked: Inquiry, frame: Result) -> Request:
    """The query that an inquiry comes to, and the revisions that its default graph holds.

    Args:
        frame: gets the title, the graphs in words, and what is to be said beside the answer.

    Raises:
        QueryError: the parts of the inquiry do not fit each other.
        KbError: a policy or revision is not known, or none is in force.
    """
    question = find_question(asked.question) if asked.question else None
    given, revision = dict(asked.parameters), asked.revision
    union = asked.union or (question is not None and question.scope == "all")
    if question and question.revision and not union and "revision" in given:
        if revision or asked.as_of:
            raise QueryError("the revision is named twice", hint="use --revision or --param revision=, not both")
        revision = given.pop("revision")
    if question and union and not asked.union and (revision or asked.as_of):
        raise QueryError(f"question {question.name} reads all revisions", hint="leave out --revision and --as-of")
    chosen = [] if union else _choose(kb, asked.policy, revision, asked.as_of, frame.notes)
    frame.graphs = ", ".join(map(_named, chosen)) or "all graphs"
    if len(chosen) > 3:
        frame.graphs = f"the revisions of {len(chosen)} policies"
    policy = kb.policy(asked.policy) if asked.policy else None
    names = _names(kb, asked, policy, chosen, frame.graphs)
    bound = Bound(asked.text)
    if question:
        frame.title = question.title
        if question.revision and chosen and not (revision or asked.as_of):
            frame.choices.append(f"for revision {frame.graphs}, assumed in force today; --revision YYYY-MM for another")
        try:
            bound = bind(names, policy, question, given, chosen)
        except QueryError as error:
            # What is unknown may be so because it is not on file.
            lacking = _basis(names, question.parts, chosen).lines if chosen else ()
            what = "; ".join([error.what, *lacking])
            raise QueryError(what, where=error.where, hint=error.hint) from None
        frame.choices += bound.choices
    basis = _basis(names, question.parts if question else (), bound.revisions or chosen)
    frame.basis, frame.missing = list(basis.lines), basis.missing
    revisions = [(policy.identifier, entry.name) for policy, entry in chosen]
    return Request(kb.root, bound.text, revisions, asked.data, asked.entail, asked.max_rows, asked.format)


def _named(revision: tuple[Policy, RevisionEntry]) -> str:
    policy, entry = revision
    return f"{policy.identifier}/{entry.name}{' (draft)' if entry.draft else ''}"


def _names(
    kb: KnowledgeBase,
    asked: Inquiry,
    policy: Policy | None,
    chosen: Sequence[tuple[Policy, RevisionEntry]],
    where: str,
) -> Names:
    """The names of what the inquiry reads: the revisions chosen with what is shared, or all graphs if none is."""
    from kb_tools.ask.dataset import default_graph
    from kb_tools.ask.names import Names

    graphs = default_graph(kb, chosen) if chosen else None
    return Names(kb, graphs, where, policy.iri if policy else "", checked=not asked.data)


def _basis(names: Names, parts: Sequence[str], revisions: Sequence[tuple[Policy, RevisionEntry]]) -> Basis:
    """What is on file of the parts that are read of these revisions, or of all revisions if none is given."""
    from kb_tools.ask.dataset import policies
    from kb_tools.ask.on_file import basis_of

    if not revisions:
        revisions = [(policy, entry) for policy in policies(names.kb).values() for entry in policy.history]
    return basis_of(names, parts, revisions)


def _choose(
    kb: KnowledgeBase, named: str | None, revision: str | None, day: date | None, notes: list[str]
) -> list[tuple[Policy, RevisionEntry]]:
    """The revision named, or those in force on a day, today if none is given: of the policy named, or of all."""
    from kb_tools.ask.dataset import policies

    revision = _revision(kb, named, "revision", revision) if revision else None
    if revision and "/" in revision:
        owner = revision.split("/")[-2]
        if named not in (None, owner):
            raise QueryError(f"revision {revision} is not of {named}", hint="name one policy")
        named = owner
    if named or revision:
        named = kb.policy(named).identifier
    known = policies(kb)
    if revision:
        policy = known[str(named)]
        return [(policy, policy.entry(revision))]
    chosen = []
    missing: UnknownRevision | None = None
    for policy in [known[named]] if named else known.values():
        try:
            chosen.append((policy, policy.in_force(day or date.today()).revision))
        except UnknownRevision as error:
            notes.append(f"{policy.identifier} is skipped: {error}")
            missing = error
    if missing and not chosen:
        raise missing
    return chosen
