"""SPARQL on the knowledge base: refused where it could do harm, and ended where it takes too long.

A query is read before it is run: SERVICE and every update are refused by the parsed query, not by a search of its text.
It then runs in a process of its own, which may open no connection, may take no more than its memory, and is ended when
its time is over.
"""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pyoxigraph as ox

from kb_tools import confine, query_answer
from kb_tools.errors import KbError, UnknownRevision, UnreadableInput
from kb_tools.sparql import BASE, Checked, QueryError, check

# The process that asks needs neither the graphs nor rdflib; the one that answers loads them.
if TYPE_CHECKING:
    from kb_tools.knowledge_base import KnowledgeBase, Policy, RevisionEntry
    from kb_tools.names import Names
    from kb_tools.on_file import Basis

__all__ = [
    "FORMATS",
    "Inquiry",
    "Parameter",
    "QueryError",
    "Question",
    "Request",
    "Result",
    "Term",
    "bind",
    "check",
    "execute",
    "find_question",
    "questions",
    "read_question",
    "resolve",
    "run",
    "serve",
]

Term: TypeAlias = ox.NamedNode | ox.BlankNode | ox.Literal
# Size of what a query finds, in bytes.
MAX_ANSWER = 256 * 1024**2
# The forms of query whose answer each format can write.
FORMATS = {
    "table": ("SELECT", "ASK"),
    "csv": ("SELECT",),
    "tsv": ("SELECT",),
    "json": ("SELECT", "ASK"),
    "markdown": ("SELECT", "ASK"),
    "turtle": ("CONSTRUCT", "DESCRIBE"),
}
QUESTIONS = Path(__file__).parent / "queries" / "questions"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a question: its variable, its type, a default other than the query's own, and what it is.

    Attributes:
        kinds: what a value of it is, as the prefix table shortens that: classes of things, or properties of texts.
    """

    name: str
    type: str
    default: str
    meaning: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """A question of the library.

    Attributes:
        scope: the graphs it reads: "revision" (what is shared and one revision) or "all".
        parts: the parts of revisions that it reads, as the prefix table shortens them, or "all".
    """

    name: str
    title: str
    scope: str
    parameters: tuple[Parameter, ...]
    text: str
    parts: tuple[str, ...] = ()

    @property
    def revision(self) -> Parameter | None:
        """The parameter that is the revision of the default graph."""
        mine = (each for each in self.parameters if each.name == each.type == "revision")
        return next(mine, None) if self.scope == "revision" else None


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


# ---------------------------------------------------------------------- the library


def questions() -> list[Question]:
    """The ready questions, by name."""
    return [read_question(path) for path in sorted(QUESTIONS.glob("*.rq"))]


def find_question(name: str) -> Question:
    """The ready question of that name.

    Raises:
        QueryError: there is none; the error names one whose name is close.
    """
    path = QUESTIONS / f"{name}.rq"
    known = [each.stem for each in QUESTIONS.glob("*.rq")]
    if name not in known:
        close = get_close_matches(name, known, 1)
        mend = f"is {close[0]} meant?" if close else "kb query lists them; a file is named with its .rq"
        raise QueryError(f"no question {name}", mend=mend)
    return read_question(path)


_PARAMETER = re.compile(r"Param: (\w+) (\w+)(?: of (\w+:\w+(?: \w+:\w+)*))?(?: = (\S+))?: (.+)")


def read_question(path: Path) -> Question:
    """A question file: comment lines on top (the question in words, `Scope:`, `Parts:`, `Param:`), then the query.

    `# Parts: pol:Codes pol:References` names the parts of a revision that the question reads, or `all`.

    A parameter is a line `# Param: NAME TYPE [of KIND …] [= DEFAULT]: what it is`, its type one of iri, class, text,
    namespace, revision, policy, date, integer. A kind is a class: the parameter is an instance of it (iri), a subclass
    (class), or the number or place of an instance (text); for a text also a property whose values are meant. The query
    binds it by `VALUES ?NAME { … }`, so that it runs as it stands in any store.
    """
    text = path.read_text(encoding="utf-8")
    head = [line[1:].strip() for line in text.splitlines() if line.startswith("#")]
    parameters = []
    scope, title, parts = "revision", [], ""
    for line in head:
        if found := _PARAMETER.fullmatch(line):
            kinds = tuple((found[3] or "").split())
            parameters.append(Parameter(found[1], found[2], found[4] or "", found[5], kinds))
        elif line.startswith("Scope: "):
            scope = line.removeprefix("Scope: ")
        elif line.startswith("Parts: "):
            parts = line.removeprefix("Parts: ")
        else:
            title.append(line)
    return Question(path.stem, " ".join(title), scope, tuple(parameters), text, tuple(parts.split()))


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
            raise QueryError(
                f"question {question.name} has no parameter {name}", mend=f"it has: {', '.join(known) or 'none'}"
            )
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
    from kb_tools.dataset import policies

    known = {entry.iri: (policy, entry) for policy in policies(kb).values() for entry in policy.history}
    return [known[term.value] for term in terms if term.value in known]


_TO_DO = ox.NamedNode(BASE + "policy#toDo")
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
            from kb_tools.names import within

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
        mend = WRITTEN.get(parameter.type, "write it in UTF-8")
        raise QueryError(f"{parameter.name}: {value!a} is no {parameter.type}", mend=mend) from None
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
    from kb_tools.names import Names

    names = Names(kb, None, "the knowledge base", kb.policy(policy).iri if policy else "")
    return "/".join(names.find(parameter, ["pol:Revision"], written).iri.split("/")[-2:])


# ---------------------------------------------------------------------- running


def run(asked: Inquiry | Request, timeout: float, loading: Callable[[], None] = lambda: None) -> Result:
    """Runs a query in a process of its own.

    Args:
        timeout: seconds after which the process is ended.
        loading: called when graphs that are many are first loaded, which may take minutes and does not count.

    Raises:
        QueryError: it is refused, fails, takes too long or too much memory.
    """
    with tempfile.TemporaryDirectory(prefix="kb-", ignore_cleanup_errors=True) as scratch:
        answer = _worker(asked, timeout, scratch)
        if answer is None:
            loading()
            _worker(asked, None, scratch)
            answer = _worker(asked, timeout, scratch)
    assert answer is not None
    return answer


def _worker(asked: Inquiry | Request, timeout: float | None, scratch: str) -> Result | None:
    """What the process answers; None where the graphs are yet to be loaded, and without a timeout loads them."""
    # Not multiprocessing, which would run the main module again, whatever program that is.
    code = "import sys; sys.path[:] = sys.argv[1:]; from kb_tools.query import serve; serve()"
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, *sys.path],
            input=pickle.dumps((asked, timeout)),
            capture_output=True,
            timeout=timeout,
            env={**os.environ, "TMPDIR": scratch, "TEMP": scratch},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise QueryError(f"the query took more than {timeout:g} s", mend="narrow it, or raise --timeout") from None
    if done.returncode > 0:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise QueryError(f"the query failed: {said}", mend="simplify it")
    if done.returncode:
        raise QueryError("the query ran out of memory, or is nested too deeply", mend="narrow it")
    try:
        found = query_answer.read(done.stdout, Result)
    except (ValueError, TypeError):
        raise QueryError("the query failed: its answer cannot be read", mend="simplify it") from None
    if isinstance(found, KbError):
        raise found
    return found


def serve() -> None:
    """The process that runs one query: reads what is asked from standard input, and writes the answer."""
    asked, timeout = pickle.load(sys.stdin.buffer)
    # rdflib's parser takes some 20 calls for one level of nesting.
    sys.setrecursionlimit(5000)
    confine.connect_nowhere()
    if timeout is not None:
        # The process that asked ends this one in time, if it is still there.
        confine.end_after(timeout + 1)
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    found: Result | KbError | None
    try:
        found = _answer(asked, loading=timeout is None)
    except KbError as error:
        found = error
    except (MemoryError, RecursionError):
        found = QueryError("the query is too large or nested too deeply", mend="simplify it")
    except Exception as error:  # whatever it is, the user gets one line
        found = QueryError(f"the query failed: {error}", mend="correct it")
    out.write(query_answer.write(found))
    out.flush()
    # A store on disk has things to tidy up, for which it would open files.
    os._exit(0)


def _answer(asked: Inquiry | Request, loading: bool) -> Result | None:
    """The answer; None where the graphs are yet to be loaded, which is done when `loading`."""
    from kb_tools import dataset
    from kb_tools.knowledge_base import KnowledgeBase, find_root

    kb = KnowledgeBase(find_root(asked.root))
    if not loading and not dataset.loaded(kb):
        # What is refused is refused before the long wait.
        check(asked.text or find_question(asked.question).text if isinstance(asked, Inquiry) else asked.text)
        return None
    frame = Result()
    request = resolve(kb, asked, frame) if isinstance(asked, Inquiry) else asked
    plan = _plan(kb, request)
    views = [plan.graphs] if plan.closed is None else []
    if loading:
        dataset.load(kb, views)
        return None
    if not dataset.loaded(kb, views):
        return None
    answer = _execute(kb, request, plan, confined=True)
    answer.title, answer.graphs, answer.notes = frame.title, frame.graphs, [*frame.notes, *answer.notes]
    answer.choices, answer.basis, answer.missing = frame.choices, frame.basis, frame.missing
    return answer


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
            raise QueryError("the revision is named twice", mend="use --revision or --param revision=, not both")
        revision = given.pop("revision")
    if question and union and not asked.union and (revision or asked.as_of):
        raise QueryError(f"question {question.name} goes over all revisions", mend="leave out --revision and --as-of")
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
            raise QueryError(what, where=error.where, mend=error.mend) from None
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
    from kb_tools.dataset import default_graph
    from kb_tools.names import Names

    graphs = default_graph(kb, chosen) if chosen else None
    return Names(kb, graphs, where, policy.iri if policy else "", checked=not asked.data)


def _basis(names: Names, parts: Sequence[str], revisions: Sequence[tuple[Policy, RevisionEntry]]) -> Basis:
    """What is on file of the parts that are read of these revisions, or of all revisions if none is given."""
    from kb_tools.dataset import policies
    from kb_tools.on_file import basis_of

    if not revisions:
        revisions = [(policy, entry) for policy in policies(names.kb).values() for entry in policy.history]
    return basis_of(names, parts, revisions)


def _choose(
    kb: KnowledgeBase, named: str | None, revision: str | None, day: date | None, notes: list[str]
) -> list[tuple[Policy, RevisionEntry]]:
    """The revision named, or those in force on a day, today if none is given: of the policy named, or of all."""
    from kb_tools.dataset import policies

    revision = _revision(kb, named, "revision", revision) if revision else None
    if revision and "/" in revision:
        owner = revision.split("/")[-2]
        if named not in (None, owner):
            raise QueryError(f"revision {revision} is not of {named}", mend="name one policy")
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
            notes.append(f"{policy.identifier} is left out: {error}")
            missing = error
    if missing and not chosen:
        raise missing
    return chosen


@dataclass(frozen=True)
class _Plan:
    """What a query reads: a closure of one revision, or a default graph of named graphs, None for all."""

    checked: Checked
    graphs: list[str] | None
    closed: tuple[Policy, RevisionEntry] | None


def _plan(kb: KnowledgeBase, request: Request) -> _Plan:
    from kb_tools.dataset import default_graph, policies

    known = policies(kb)
    checked = check(request.text, kb.prefixes)
    if request.format and checked.form not in FORMATS[request.format]:
        fits = " or ".join(name for name, forms in FORMATS.items() if checked.form in forms)
        raise QueryError(f"--format {request.format} does not fit {checked.form} queries", mend=f"use {fits}")
    chosen = []
    for identifier, name in request.revisions:
        policy = known[kb.policy(identifier).identifier]
        chosen.append((policy, policy.entry(name)))
    if request.entail != "none":
        if len(chosen) != 1 or checked.graphs is not None:
            raise QueryError(
                "a closure is computed of one revision", mend="name a --policy, and leave out --all and FROM"
            )
        return _Plan(checked, None, chosen[0])
    if checked.graphs is not None:
        return _Plan(checked, checked.graphs, None)
    return _Plan(checked, default_graph(kb, chosen) if chosen else None, None)


def execute(request: Request) -> Result:
    """Checks and runs a query in this process, without the limits that `run` sets.

    Raises:
        QueryError: it is refused, or is no SPARQL.
    """
    from kb_tools.knowledge_base import KnowledgeBase

    kb = KnowledgeBase(request.root)
    return _execute(kb, request, _plan(kb, request), confined=False)


def _execute(kb: KnowledgeBase, request: Request, plan: _Plan, confined: bool) -> Result:
    from kb_tools import dataset

    checked = plan.checked
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, dataset.reading(kb):
        further = [quad for path in request.data for quad in _data(path)]
        if plan.closed:
            store = dataset.open_store(kb)
            further.extend(dataset.closure(kb, *plan.closed, request.entail))
        else:
            store = dataset.open_view(kb, plan.graphs)
        if further:
            store = dataset.extended(kb, store, further, Path(scratch))
        prefixes = kb.prefixes
        if checked.form in FORMATS["turtle"]:
            # Now, since no file can be opened later.
            from kb_tools.dump import serialize
        if confined:
            if not dataset.on_disk(kb):
                confine.open_no_file()
            confine.limit_memory()
        try:
            found = store.query(
                checked.text,
                base_iri=BASE,
                prefixes=prefixes,
                # Given, they stand in place of those of FROM.
                default_graph=None if checked.graphs is None else [ox.DefaultGraph()],
                named_graphs=None if checked.named is None else list(map(ox.NamedNode, checked.named)),
            )
        except SyntaxError as error:
            raise _not_run(str(error)) from None
        result = _result(found, request.max_rows)
        result.prefixes = prefixes
        if not result.rows and not result.truth and not result.triples:
            result.notes += [f"{kb.curie(iri)} stands in no statement here" for iri in _unknown(store, checked.iris)]
        for name in [*(checked.graphs or ()), *(checked.named or ())]:
            if not store.contains_named_graph(ox.NamedNode(name)):
                result.notes.append(f"FROM <{name}>: there is no such graph here, and none is fetched")
        if result.triples is not None:
            quads = (ox.Quad(each.subject, each.predicate, each.object) for each in result.triples)
            result.turtle = serialize(quads, "turtle", prefixes).decode()
        shown = {term.value for row in result.rows for term in row if isinstance(term, ox.NamedNode)}
        result.labels = {iri: label for iri in sorted(shown) if (label := _label(store, iri))}
        for iri in filter(partial(_is_draft, store), shown):
            result.labels[iri] = f"{result.labels.get(iri, '')} (draft)".strip()
    return result


def _unknown(store: ox.Store, iris: Sequence[str]) -> Iterator[str]:
    """Those IRIs that no statement of any graph has, and no graph is named with: perhaps misspelt."""
    for iri in iris:
        with suppress(ValueError):
            node = ox.NamedNode(iri)
            patterns: list[tuple[Any, Any, Any]] = [(node, None, None), (None, node, None), (None, None, node)]
            found = (store.quads_for_pattern(*pattern, None) for pattern in patterns)
            if not store.contains_named_graph(node) and not any(next(quads, None) for quads in found):
                yield iri


def _is_draft(store: ox.Store, iri: str) -> bool:
    """Whether this is a revision that its own graph marks as a draft."""
    node = ox.NamedNode(iri)
    return any(store.quads_for_pattern(node, _TO_DO, None, node))


def _not_run(message: str) -> QueryError:
    """What Oxigraph does not run though it is SPARQL by its grammar, with the reason where its message gives one."""
    at = re.match(r"error at (\d+):", message)
    reasons = re.findall(
        r"(?:^|, |of |expected )((?:The|BIND|Duplicated|Repeated|SELECT \*|Already|IRI) [\w* ]+)", message
    )
    reason = reasons[0] if reasons else "a variable is bound twice, or selected beside an aggregate without GROUP BY"
    return QueryError(f"{f'line {at[1]}: ' if at else ''}not a query that can be run: {reason}", mend="correct it")


def _data(path: Path) -> Iterator[ox.Quad]:
    """What a file, or the files in a folder, say, as quads of the default graph."""
    from kb_tools.rdf import FORMATS as SUFFIXES
    from kb_tools.rdf import parse_file, to_quads

    files = sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files:
        raise UnreadableInput("no RDF files in this folder", where=str(path), mend=f"it may hold {', '.join(SUFFIXES)}")
    for file in files:
        # Blank nodes of two files are never one.
        fresh: dict[str, ox.BlankNode] = {}
        for quad in to_quads(parse_file(file, relative=True)):
            yield ox.Quad(*(_fresh(term, fresh) for term in (quad.subject, quad.predicate, quad.object)))


def _fresh(term: Any, fresh: dict[str, ox.BlankNode]) -> Any:
    return fresh.setdefault(term.value, ox.BlankNode()) if isinstance(term, ox.BlankNode) else term


def _result(found: ox.QuerySolutions | ox.QueryBoolean | ox.QueryTriples, max_rows: int) -> Result:
    if isinstance(found, ox.QueryBoolean):
        return Result(truth=bool(found))
    result = Result()
    size = 0
    if isinstance(found, ox.QueryTriples):
        distinct: dict[ox.Triple, None] = {}
        for triple in found:
            if triple in distinct:
                continue
            if len(distinct) == max_rows:
                result.more = True
                break
            distinct[triple] = None
            size = _grown(size, triple)
        result.triples = list(distinct)
        return result
    result.variables = [each.value for each in found.variables]
    for solution in found:
        if len(result.rows) == max_rows:
            result.more = True
            break
        result.rows.append(list(solution))
        size = _grown(size, solution)
    return result


def _grown(size: int, terms: Iterable[Any]) -> int:
    """The size with that of these terms.

    Raises:
        QueryError: it is too much.
    """
    size += sum(len(term.value) for term in terms if term is not None)
    if size > MAX_ANSWER:
        raise QueryError(f"the answer is larger than {MAX_ANSWER // 2**20} MiB", mend="narrow the query")
    return size


def _label(store: ox.Store, iri: str) -> str:
    """The name of an IRI: in the default graph, or else in any."""
    for graph in (ox.DefaultGraph(), None):
        for property_ in (
            "http://www.w3.org/2000/01/rdf-schema#label",
            "http://www.w3.org/2004/02/skos/core#prefLabel",
        ):
            found = store.quads_for_pattern(ox.NamedNode(iri), ox.NamedNode(property_), None, graph)
            names = [quad.object.value for quad in found if isinstance(quad.object, ox.Literal)]
            if names:
                return min(names)
    return ""
