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
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pyoxigraph as ox

from kb_tools import confine, query_answer
from kb_tools.errors import KbError, UnknownRevision, UnreadableInput
from kb_tools.sparql import BASE, Checked, QueryError, absolute, check

# The process that asks needs neither the graphs nor rdflib; the one that answers loads them.
if TYPE_CHECKING:
    from kb_tools.knowledge_base import KnowledgeBase, Policy, RevisionEntry

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
    """A parameter of a question: its variable, its type, a default other than the query's own, and what it is."""

    name: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Question:
    """A question of the library.

    Attributes:
        scope: the graphs it reads: "revision" (what is shared and one revision) or "all".
    """

    name: str
    title: str
    scope: str
    parameters: tuple[Parameter, ...]
    text: str

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
        notes: what a reader must know of the answer, one line each.
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


def read_question(path: Path) -> Question:
    """A question file: comment lines on top (the question in words, `Scope:`, `Param:`), then the query.

    A parameter is a line `# Param: NAME TYPE [= DEFAULT]: what it is`, its type one of iri, revision, policy, date,
    integer, text. The query binds it by `VALUES ?NAME { … }`, so that it runs as it stands in any store.
    """
    text = path.read_text(encoding="utf-8")
    head = [line[1:].strip() for line in text.splitlines() if line.startswith("#")]
    parameters = []
    scope, title = "revision", []
    for line in head:
        if found := re.fullmatch(r"Param: (\w+) (\w+)(?: = (\S+))?: (.+)", line):
            parameters.append(Parameter(found[1], found[2], found[3] or "", found[4]))
        elif line.startswith("Scope: "):
            scope = line.removeprefix("Scope: ")
        else:
            title.append(line)
    return Question(path.stem, " ".join(title), scope, tuple(parameters), text)


def bind(kb: KnowledgeBase, policy: Policy | None, question: Question, given: Mapping[str, str]) -> str:
    """The query of a question with its parameters bound to the values given, or to their defaults.

    Args:
        policy: the policy whose revisions are named, where several are on file.

    Raises:
        QueryError: a parameter is unknown, or its value is not of its type.
    """
    known = {parameter.name: parameter for parameter in question.parameters}
    for name in given:
        if name not in known:
            raise QueryError(
                f"question {question.name} has no parameter {name}", mend=f"it has: {', '.join(known) or 'none'}"
            )
    text = question.text
    for name, parameter in known.items():
        value = given.get(name, parameter.default)
        if value or name in given:
            text = _bound(text, name, [_term(kb, policy, parameter, value)])
    return text


def _bound(text: str, name: str, terms: Sequence[Term]) -> str:
    """The query with a variable bound to these terms, where it binds it to others."""
    before, _, rest = text.partition(f"VALUES ?{name} {{")
    return f"{before}VALUES ?{name} {{ {' '.join(map(str, terms))} }}{rest.partition('}')[2]}"


XSD = "http://www.w3.org/2001/XMLSchema#"


def _term(kb: KnowledgeBase, policy: Policy | None, parameter: Parameter, value: str) -> Term:
    """The term that a value given for a parameter stands for."""
    if parameter.type == "revision":
        named = kb.policy(value.split("/")[-2]) if "/" in value else policy or kb.policy()
        return ox.NamedNode(named.entry(value).iri)
    if parameter.type == "policy":
        return ox.NamedNode(kb.policy(value).iri)
    if parameter.type == "iri":
        return _iri(kb, parameter, value)
    datatype = {"date": ox.NamedNode(XSD + "date"), "integer": ox.NamedNode(XSD + "integer")}.get(parameter.type)
    try:
        if parameter.type == "date":
            value = (date.today() if value == "today" else date.fromisoformat(value)).isoformat()
        elif parameter.type == "integer":
            value = str(int(value))
        # Also where it is no text at all, but bytes that stand for none.
        value.encode()
    except ValueError:
        raise QueryError(f"{parameter.name}: {value!a} is no {parameter.type}", mend=parameter.meaning) from None
    return ox.Literal(value, datatype=datatype)


def _iri(kb: KnowledgeBase, parameter: Parameter, value: str) -> ox.NamedNode:
    """The IRI that is written as prefix:name, or whole."""
    prefix, colon, local = value.partition(":")
    try:
        if value.startswith("<") and value.endswith(">"):
            return ox.NamedNode(absolute(value[1:-1]))
        if colon and prefix in kb.prefixes:
            return ox.NamedNode(kb.prefixes[prefix] + local)
        if "://" in value:
            return ox.NamedNode(value)
    except ValueError:
        pass
    raise QueryError(f"{parameter.name}: {value!a} is no IRI", mend="write prefix:name or a whole IRI")


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
    return answer


def resolve(kb: KnowledgeBase, asked: Inquiry, frame: Result) -> Request:
    """The query that an inquiry comes to, and the revisions that its default graph holds.

    Args:
        frame: gets the title, the graphs in words and the notes.

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
    frame.graphs = ", ".join(f"{policy.identifier}/{entry.name}" for policy, entry in chosen) or "all graphs"
    if len(chosen) > 3:
        frame.graphs = f"the revisions of {len(chosen)} policies"
    text = asked.text
    if question:
        frame.title = question.title
        text = bind(kb, kb.policy(asked.policy) if asked.policy else None, question, given)
        if question.revision and not union:
            text = _bound(text, "revision", [ox.NamedNode(entry.iri) for _, entry in chosen])
    revisions = [(policy.identifier, entry.name) for policy, entry in chosen]
    return Request(kb.root, text, revisions, asked.data, asked.entail, asked.max_rows, asked.format)


def _choose(
    kb: KnowledgeBase, named: str | None, revision: str | None, day: date | None, notes: list[str]
) -> list[tuple[Policy, RevisionEntry]]:
    """The revision named, or those in force on a day, today if none is given: of the policy named, or of all."""
    from kb_tools.dataset import policies

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
