"""The library: a knowledge base, and what can be asked of it.

    >>> import kb_tools
    >>> kb = kb_tools.open()
    >>> case = kb.read_case(kb.root / "policies/CP.MP.101/cases/refractory-leukemia-meets.ttl")
    >>> kb.determine(case, revision="2026-02").outcome
    <Outcome.MET: 'CriteriaMet'>

Whatever cannot be done is a KbError, with the text that the command prints.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from kb_tools.calendar_day import calendar_day
from kb_tools.errors import ArgumentError, KbError, KnowledgeBaseError, UnreadableInput

if TYPE_CHECKING:
    from rdflib import Graph

    from kb_tools.ask.result import QueryResult
    from kb_tools.authoring.start import Started
    from kb_tools.cases.case import Case, Malformed
    from kb_tools.cases.reader import CaseReader
    from kb_tools.checks.core import CheckResult
    from kb_tools.determine.examples import ExamplesReport
    from kb_tools.determine.result import Determination
    from kb_tools.determine.run import Answer, Determinations
    from kb_tools.document.trace import Trace
    from kb_tools.model.history import RevisionEntry
    from kb_tools.model.policy import Policy
    from kb_tools.model.repository import Repository
    from kb_tools.records.recorder import Recorder
    from kb_tools.records.replay import ReplayReport
    from kb_tools.revisions.change import Diff

    Source: TypeAlias = str | os.PathLike[str] | bytes | Mapping[str, Any] | Graph

# Longest time that a query may take, in seconds.
MAX_TIMEOUT = 24 * 60 * 60
ENTAILMENTS = ("none", "rdfs", "owlrl")


def open(path: str | os.PathLike[str] | None = None) -> KnowledgeBase:
    """Open a knowledge base.

    Args:
        path: its folder; None for KB_ROOT, else upwards from the working folder, else the installed copy.

    Raises:
        KnowledgeBaseError: there is none.
        ArgumentError: `path` is no path.

    >>> import kb_tools
    >>> kb_tools.open("/nowhere")
    Traceback (most recent call last):
        ...
    kb_tools.errors.KnowledgeBaseError: /nowhere: no knowledge base here; name a folder that holds ontology/prefixes.ttl
    """
    from kb_tools.model.repository import Repository, find_root

    return KnowledgeBase(Repository(find_root(None if path is None else Path(_path(path)))))


class KnowledgeBase:
    """A knowledge base that is open: `kb_tools.open()` gives one.

    Attributes:
        repository: its files and graphs, for the modules of kb_tools; no part of what is promised.
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._readers: dict[tuple[tuple[Path, ...], bool], CaseReader] = {}

    def __repr__(self) -> str:
        return f"<KnowledgeBase {self.root}>"

    @property
    def root(self) -> Path:
        """The folder of the knowledge base."""
        return self.repository.root

    # ------------------------------------------------------------------ policies and revisions

    def policies(self) -> tuple[Policy, ...]:
        """List the policies on file, each with `identifier`, `title` and `history`.

        Raises:
            KnowledgeBaseError: there is none.

        >>> [policy.identifier for policy in kb.policies()]
        ['CG-TRANS-03', 'CP.MP.101']
        """
        return tuple(self.repository.policies())

    @property
    def skipped(self) -> Mapping[str, KbError]:
        """The policies that were left out so far since they cannot be read, each with what is wrong with it.

        One policy that is broken stops no other. What is asked of it by name raises that error.
        """
        return self.repository.skipped

    def revisions(self, policy: str | None = None) -> tuple[RevisionEntry, ...]:
        """List the revisions of a policy, oldest first, drafts included.

        Args:
            policy: its identifier; needed only where several are on file.

        Raises:
            KbError: there is no such policy, or several and none is named.

        >>> [revision.name for revision in kb.revisions() if revision.criteria_on_file][-1]
        '2026-02'
        """
        return tuple(self.repository.policy(_text("policy", policy)).history)

    # ------------------------------------------------------------------ cases

    def read_case(
        self,
        source: Source | None = None,
        *,
        text: str | None = None,
        format: str | None = None,
        terminology: Iterable[str | os.PathLike[str]] = (),
    ) -> Case:
        """Read one case.

        Takes what `read_cases` takes.

        Raises:
            UnreadableInput: it cannot be read, or holds no case, or several.
            ArgumentError: an argument is of another type.

        >>> case = kb.read_case({"request": {"serviceDate": "2026-07-01"}})
        >>> kb.read_case("nowhere.ttl")
        Traceback (most recent call last):
            ...
        kb_tools.errors.UnreadableInput: nowhere.ttl: No such file or directory; check the path and its permissions
        """
        if not (source is None or isinstance(source, str | os.PathLike | bytes | Mapping) or _is_graph(source)):
            raise _no_source(source)
        found = list(self.read_cases(source, text=text, format=format, terminology=terminology))
        if len(found) == 1 and not isinstance(found[0], KbError):
            return found[0]
        for item in found:
            if isinstance(item, KbError):
                raise item
        where = "" if source is None or not isinstance(source, str | os.PathLike) else os.fspath(source)
        raise UnreadableInput(f"{len(found)} cases where one is wanted", where=where, hint="use read_cases")

    def read_cases(
        self,
        source: Source | Iterable[Source] | None = None,
        *,
        text: str | None = None,
        format: str | None = None,
        terminology: Iterable[str | os.PathLike[str]] = (),
        record: bool = True,
    ) -> Iterator[Case | KbError]:
        """Read cases, one after the other, as they are asked for.

        What cannot be read stops nothing: in its place comes the error, which is not raised.

        Args:
            source: the path of a file or of a folder ("-" is standard input); the content of a file as bytes; a case or
                a FHIR resource as a dict, as `json.load` gives it; an rdflib Graph; or any number of these. A str is
                always a path.
            text: the content of a file as text, in place of `source`.
            format: "turtle", "trig", "ntriples", "jsonld", "json", "jsonl" or "ndjson"; None for what the name of the
                file says, or for what the content begins with.
            terminology: files that say what the codes of your own systems mean in FHIR.
            record: whether a case of FHIR gets the record of its reading, `case.reading`; reading is faster without.

        Raises:
            ArgumentError: an argument is of another type.

        >>> [case.name for case in kb.read_cases(kb.root / "policies/CP.MP.101/cases/refractory-leukemia-meets.ttl")]
        ['case']
        """
        if (source is None) == (text is None):
            raise ArgumentError("a source and a text" if text else "nothing to read", hint="give a source, or text=")
        if text is not None:
            source = _typed("text", text, str).encode("utf-8", "surrogatepass")
        sources: Iterable[Any]
        if isinstance(source, str | os.PathLike | bytes | Mapping) or _is_graph(source):
            sources = [source]
        elif isinstance(source, Iterable):
            sources = source
        else:
            raise _no_source(source)
        if format is not None:
            _one_of("format", format, _formats())
        files = tuple(Path(_path(path)) for path in _listed("terminology", terminology))
        return self._read(sources, format, files, record)

    def _read(
        self, sources: Iterable[Any], format_: str | None, terminology: tuple[Path, ...], record: bool
    ) -> Iterator[Case | KbError]:
        from kb_tools.cases.inputs import find_files
        from kb_tools.cases.reader import CaseReader

        if (terminology, record) not in self._readers:
            self._readers[terminology, record] = CaseReader(self.repository, terminology, record)
        reader = self._readers[terminology, record]
        for source in sources:
            if isinstance(source, str | os.PathLike):
                for found in find_files([_path(source)]):
                    if isinstance(found, KbError):
                        found.position = reader.count()
                        yield found
                    else:
                        yield from reader.stream(*found, sys.stdin.buffer, format_)
                continue
            try:
                name, content, implied = _content(source)
            except UnreadableInput as error:
                error.position = reader.count()
                yield error
            else:
                yield from reader.stream(name, None, BytesIO(content), implied or format_)

    # ------------------------------------------------------------------ what cases come to

    @overload
    def determine(
        self,
        cases: Case,
        *,
        revision: str | None = None,
        as_of: date | str | None = None,
        policy: str | None = None,
        engine: str | None = None,
        pieces: bool | None = None,
        record: Recorder | None = None,
    ) -> Determination | Malformed: ...
    @overload
    def determine(
        self,
        cases: Iterator[Case],
        *,
        revision: str | None = None,
        as_of: date | str | None = None,
        policy: str | None = None,
        engine: str | None = None,
        pieces: bool | None = None,
        record: Recorder | None = None,
    ) -> Iterator[Answer]: ...
    @overload
    def determine(
        self,
        cases: Iterator[Case | KbError],
        *,
        revision: str | None = None,
        as_of: date | str | None = None,
        policy: str | None = None,
        engine: str | None = None,
        pieces: bool | None = None,
        record: Recorder | None = None,
    ) -> Iterator[Answer | KbError]: ...
    @overload
    def determine(
        self,
        cases: Collection[Case | KbError],
        *,
        revision: str | None = None,
        as_of: date | str | None = None,
        policy: str | None = None,
        engine: str | None = None,
        pieces: bool | None = None,
        record: Recorder | None = None,
    ) -> Determinations: ...
    def determine(
        self,
        cases: Case | Iterator[Case | KbError] | Collection[Case | KbError],
        *,
        revision: str | None = None,
        as_of: date | str | None = None,
        policy: str | None = None,
        engine: str | None = None,
        pieces: bool | None = None,
        record: Recorder | None = None,
    ) -> Determination | Malformed | Iterator[Answer] | Iterator[Answer | KbError] | Determinations:
        """Determine what the criteria of a revision come to on one case, on many, or on a stream of them.

        One case gives its answer. A list gives Determinations. An iterator gives an iterator: cases are taken from it
        1,000 at a time, or 200 without pieces. An answer is a Determination, a Malformed (the case breaks the case
        shapes), or, of many, a NotDetermined (no revision could be used); in place of what could not be read stands
        the error.

        Args:
            revision: the revision for all cases, as "2026-02" or "CP.MP.101/2026-02"; None for the one in force on each
                case's service date.
            as_of: take the revision in force on this day for all cases; a date, or a text as "2026-02-01".
            policy: its identifier; None for the policy that has the revision, or else that each case names by its
                service or codes. "all" for every policy on file: a list of cases then has an answer for each case and
                policy.
            engine: the SHACL engine: "pyshacl", or "pyshifty" or "shacl", which are faster and extras; None: pyshacl.
            pieces: whether the engine is asked once about what many cases have in common, which gives the same answers
                sooner; None for yes, unless an engine is named.
            record: what `recorder` gives: each determination is recorded before it is given.

        Raises:
            UnknownRevision: there is no such revision, or its criteria are not on file.
            KbError: there is no such policy; the engine is not installed; of one case, no revision could be used; it
                cannot be recorded.
            ArgumentError: an argument is of another type.

        >>> kb.determine([case], revision="2026-02").malformed[0].violations[0].path
        'case:patient'
        >>> kb.determine(case, revision="2020-01")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        kb_tools.errors.UnknownRevision: CP.MP.101 has no revision 2020-01; known: ...
        """
        from kb_tools.cases.case import Case
        from kb_tools.determine.choice import choice_of
        from kb_tools.determine.result import NotDetermined
        from kb_tools.determine.run import Determinations, Run

        if revision is not None and as_of is not None:
            raise ArgumentError("a revision and a day", hint="give revision or as_of")
        if not isinstance(cases, Case | Iterable) or isinstance(cases, str | bytes | Mapping):
            raise _no_case(cases)
        asked, day = _engine(engine or "pyshacl"), _day("as_of", as_of)
        named = _text("revision", revision)
        choice = choice_of(self.repository, _text("policy", policy), named)
        by_pieces = engine is None if pieces is None else _typed("pieces", pieces, bool)
        if choice.every and isinstance(cases, Case):
            raise ArgumentError("one case under every policy has several answers", hint="give a list of cases")
        run = Run(self.repository, choice, asked, named, day, by_pieces)
        if isinstance(cases, Case):
            (answer,) = run.answers([cases])
            if isinstance(answer, NotDetermined):
                raise answer.error
            if record is not None:
                record.add([answer], engine=asked, as_of=day)
            return answer
        answers = run.stream(_cases(cases))
        if record is not None:
            answers = record.recorded(answers, engine=asked, as_of=day)
        return answers if isinstance(cases, Iterator) else Determinations(tuple(answers))

    def recorder(self, folder: str | os.PathLike[str], *, keep_cases: bool = False) -> Recorder:
        """Open a folder of decision records, or make one, to record determinations in it.

        Args:
            folder: the path of the folder. Any number of processes may record into one.
            keep_cases: whether each case is kept as it was read; else its digest alone is. The folder then holds data
                about the health of people.

        Raises:
            KbError: the folder cannot be written to, or holds something else.
            ArgumentError: an argument is of another type.
        """
        from kb_tools.records.recorder import Recorder

        return Recorder(self.repository, Path(_path(folder)), _typed("keep_cases", keep_cases, bool))

    def replay(
        self,
        folder: str | os.PathLike[str],
        cases: Case | Iterable[Case | KbError] = (),
        *,
        expect: str | None = None,
        engine: str | None = None,
    ) -> ReplayReport:
        """Verify the decision records of a folder, and determine again those whose cases are there.

        Args:
            folder: the path of the folder.
            cases: cases that may be those of the records; each is found by its digest. Cases that the folder keeps need
                not be given.
            expect: the head of the records as it was given when they were made: that record must be there.
            engine: the SHACL engine for all; None for that of each record.

        Raises:
            KbError: the folder holds no records, or they cannot be read, or are in a format that is not known.
            ArgumentError: an argument is of another type or value.
        """
        from kb_tools.cases.case import Case
        from kb_tools.records.chain import Head
        from kb_tools.records.replay import Replay, ReplayReport

        if not isinstance(cases, Case | Iterable) or isinstance(cases, str | bytes | Mapping):
            raise _no_case(cases)
        given = [cases] if isinstance(cases, Case) else [one for one in _cases(cases) if isinstance(one, Case)]
        expected = None if expect is None else Head.parse(_typed("expect", expect, str))
        chosen = None if engine is None else _engine(engine)
        return ReplayReport.of(Replay(self.repository, Path(_path(folder)), given, expected, chosen))

    def diff(
        self,
        old: str,
        new: str,
        cases: Case | Iterable[Case | KbError] | None = None,
        *,
        policy: str | None = None,
        engine: str = "pyshacl",
    ) -> Diff:
        """Compare two revisions of a policy: what changed, stricter or looser, and does the log say so.

        Revisions of two policies are compared by what each requires: what only one of them does, each with a case.

        Args:
            old, new: the revisions, as "2026-02" or "CP.MP.101/2026-02"; either may be a draft.
            cases: cases to determine under both; what becomes of them is the `impact` of the difference.
            policy: its identifier; needed only where several are on file and the revisions do not name it.
            engine: the SHACL engine: "pyshacl", or "pyshifty" or "shacl", which are faster and extras.

        Raises:
            UnknownRevision: there is no such revision, or its criteria are not on file.
            KbError: one revision twice; a policy is named and a revision is of another; the engine is not installed.
            ArgumentError: an argument is of another type.

        >>> kb.diff("2019-10", "2026-02").verdict.words
        'mixed, by applicability and criteria'
        """
        from kb_tools.cases.case import Case
        from kb_tools.revisions.compare import compare, compare_policies
        from kb_tools.revisions.impact import with_impact

        if isinstance(cases, Case):
            cases = [cases]
        if cases is not None and (not isinstance(cases, Iterable) or isinstance(cases, str | bytes | Mapping)):
            raise _no_case(cases)
        old, new = _typed("old", old, str), _typed("new", new, str)
        first, second = self.repository.policies_compared(_text("policy", policy), old, new)
        if first.iri == second.iri:
            found = compare(first, old, new, _engine(engine))
        else:
            found = compare_policies(first, old, second, new, _engine(engine))
        return found if cases is None else with_impact(found, _cases(cases), engine)

    # ------------------------------------------------------------------ questions

    def query(
        self,
        question: str,
        parameters: Mapping[str, str | int | date] | None = None,
        *,
        revision: str | None = None,
        as_of: date | str | None = None,
        union: bool = False,
        policy: str | None = None,
        data: Iterable[str | os.PathLike[str]] = (),
        entail: str = "none",
        timeout: float = 30,
        max_rows: int = 10_000,
    ) -> QueryResult:
        """Ask the knowledge base: a ready question, or SPARQL of your own.

        Args:
            question: the name of a ready question (`kb query` lists them), or the text of a SELECT, ASK, CONSTRUCT or
                DESCRIBE query, in which every prefix of the prefix table is declared.
            parameters: of a ready question, by name.
            revision: the revision in the default graph; None for the one in force today.
            as_of: take the revisions in force on this day; a date, or a text as "2026-02-01".
            union: whether the default graph is the union of all graphs.
            policy: its identifier; None for all.
            data: RDF files and folders whose content is added to the default graph.
            entail: "none", or the regime whose entailments count: "rdfs" or "owlrl".
            timeout: seconds after which the query is ended.
            max_rows: the most rows that are given; `complete` says whether there were more.

        Raises:
            QueryError: there is no such question or parameter, or the query is refused, fails or takes too long.
            UnknownRevision: there is no such revision, or none was in force.
            ArgumentError: an argument is of another type.

        >>> result = kb.query("where-cited", {"reference": 9}, revision="2026-02")
        >>> "place" in result.variables
        True
        >>> kb.query("SELECT ?n { VALUES ?n { 1 } }").rows
        ((1,),)
        """
        from kb_tools.ask.request import Inquiry
        from kb_tools.ask.result import QueryResult
        from kb_tools.ask.worker import run

        _typed("question", question, str)
        ready = _is_name(question)
        given = _typed("parameters", {} if parameters is None else parameters, Mapping)
        if given and not ready:
            raise ArgumentError("parameters of a query of your own", hint="write the values into it")
        for name, value in given.items():
            if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, str | int | date):
                raise ArgumentError(f"parameter {name} is a {type(value).__name__}", hint="give a str, int or date")
        if sum(map(bool, (revision, as_of, union))) > 1:
            raise ArgumentError("more than one of revision, as_of and union", hint="give one")
        if not 0 < _typed("timeout", timeout, int | float) <= MAX_TIMEOUT:
            raise ArgumentError(f"timeout {timeout:g}", hint=f"give more than 0 and at most {MAX_TIMEOUT} seconds")
        if _typed("max_rows", max_rows, int) < 1:
            raise ArgumentError(f"max_rows {max_rows}", hint="give 1 or more")
        inquiry = Inquiry(
            root=self.root,
            text="" if ready else question,
            question=question if ready else "",
            parameters={name: str(value) for name, value in given.items()},
            policy=_text("policy", policy),
            revision=_text("revision", revision),
            as_of=_day("as_of", as_of),
            union=bool(union),
            data=[Path(_path(path)) for path in _listed("data", data)],
            entail=_one_of("entail", entail, ENTAILMENTS),
            max_rows=max_rows,
        )
        return QueryResult(run(inquiry, timeout))

    # ------------------------------------------------------------------ the knowledge base itself

    def check(self, only: str | Iterable[str] | None = None, *, policy: str | None = None) -> Iterator[CheckResult]:
        """Run the conformance checks, and give each result as soon as it is known.

        Args:
            only: the ids of the checks to run; None for all.
            policy: leave out what is wrong with other policies than this one; what all share is checked too.

        Raises:
            KbError: there is no such check, or no such policy.
            ArgumentError: an argument is of another type.

        >>> [result.status for result in kb.check("prefixes")]
        ['passed']
        """
        from kb_tools.checks import run_checks

        wanted = () if only is None else [_typed("only", name, str) for name in _listed("only", only)]
        return run_checks(self.repository, wanted, _text("policy", policy))

    def check_what_changed(
        self,
        everything: bool = False,
        watched: Callable[[Iterator[Any]], Iterator[Any]] = iter,
        *,
        policy: str | None = None,
    ) -> list[CheckResult]:
        """Run all conformance checks, those alone on what changed since the last time, on all cores.

        Args:
            everything: whether all is checked again.
            watched: hands on what is found on the way, as somebody wants to see it.
            policy: leave out what is wrong with other policies than this one; what all share is checked too.

        Raises:
            KbError: there is no such policy.
            ArgumentError: an argument is of another type.

        >>> [result.check.id for result in kb.check_what_changed() if not result.passed]
        []
        """
        from kb_tools.checks.incremental import check_what_changed

        return check_what_changed(self.repository, everything, watched, _text("policy", policy))

    def test(
        self, coverage: bool = False, *, policy: str | None = None, revision: str | None = None, engine: str = "pyshacl"
    ) -> tuple[ExamplesReport, ...]:
        """Determine the example cases of every policy, and compare with what they must come to.

        Those of a draft are determined as if it were released.

        Args:
            coverage: whether to look for what the cases leave uncovered too.
            policy: its identifier; None for all, or for that of the revision: those that cannot be read are then left
                out, see `skipped`.
            revision: as "2026-02"; None for all.
            engine: the SHACL engine: "pyshacl", or "pyshifty" or "shacl", which are faster and extras.

        Raises:
            KnowledgeBaseError: the policy has no manifest, or one that is not complete, or cannot be read.
            UnknownRevision: there is no such revision.
            ArgumentError: an argument is of another value.
        """
        from kb_tools.determine.coverage import coverage as covered_by
        from kb_tools.determine.examples import ExamplesReport, run_manifest
        from kb_tools.model.soundness import skip_or_raise

        kb, named, month = self.repository, _text("policy", policy), _text("revision", revision)
        reports = []
        if month:
            named = kb.policy_of(named, month).identifier
            month = kb.policy(named).entry(month).name
        for chosen in [kb.policy(named)] if named else kb.policies():
            try:
                drafts = {entry.name for entry in chosen.history if entry.draft}
                as_released = chosen.as_released()
                results = tuple(run_manifest(as_released.kb, as_released, _engine(engine), revision=month))
                covered, gaps = covered_by(as_released.kb, as_released, results, month) if coverage else ((), ())
                drafts &= {result.expectation.revision for result in results}
            except KnowledgeBaseError as error:
                if named:
                    raise
                skip_or_raise(chosen, error)
            else:
                report = ExamplesReport(chosen.identifier, results, tuple(covered), tuple(gaps), tuple(sorted(drafts)))
                reports.append(report)
        return tuple(reports)

    def draft(self, document: str | os.PathLike[str], revision: str, *, policy: str | None = None) -> Started:
        """Begin a draft of a policy from a copy of its document, as `kb draft start` does. No text of it is kept.

        Args:
            document: the path of a plain text, PDF or HTML file.
            revision: the month of the new revision, as "2027-02".
            policy: its identifier; needed only where several are on file.

        Raises:
            UnreadableInput: the document cannot be read, or is of another policy.
            KbError: the revision is there already, is no month, or cannot be written.
            ArgumentError: an argument is of another type.
        """
        from kb_tools.authoring.start import start

        chosen = self.repository.policy(_text("policy", policy))
        return start(chosen, _typed("revision", revision, str), Path(_path(document)))

    def trace(
        self, document: str | os.PathLike[str], *, revision: str | None = None, policy: str | None = None
    ) -> Trace:
        """Hold a copy of the policy's document against the knowledge base.

        Args:
            document: the path of a plain text, PDF or HTML file.
            revision: the revision; None for the latest of which digests are kept.
            policy: its identifier; needed only where several are on file.

        Raises:
            UnreadableInput: the document cannot be read, or is of another policy.
            UnknownRevision: there is no such revision, or none of whose document digests are kept.
            ArgumentError: an argument is of another type.
        """
        from kb_tools.document.passages import passages, policy_traced, traceable
        from kb_tools.document.trace import trace, units_of

        path = Path(_path(document))
        named = _text("revision", revision)
        chosen = policy_traced(self.repository, _text("policy", policy), named)
        entry = traceable(chosen, named)
        return trace(chosen, entry, path.name, units_of(path, passages(chosen, entry)))


# ---------------------------------------------------------------------- arguments


def _typed(name: str, value: Any, kind: Any) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = " or ".join(type_.__name__ for type_ in getattr(kind, "__args__", (kind,)))
        raise ArgumentError(f"{name} is of the type {type(value).__name__}", hint=f"give one of the type {wanted}")
    return value


def _text(name: str, value: Any) -> str | None:
    return None if value is None else str(_typed(name, value, str))


def _path(value: Any) -> str:
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise ArgumentError(f"a {type(value).__name__} where a path is wanted", hint="give a str or a pathlib.Path")
    return os.fspath(value)


def _listed(name: str, values: Any) -> list[Any]:
    """Several values, or one by itself."""
    if isinstance(values, str | os.PathLike):
        return [values]
    return list(_typed(name, values, Iterable))


def _one_of(name: str, value: Any, known: Collection[str]) -> str:
    if value not in known:
        raise ArgumentError(f"{name} {value!a}", hint=f"known: {', '.join(known)}")
    return str(value)


def _engine(name: Any) -> str:
    from kb_tools.rdf.shacl import ENGINES

    return _one_of("engine", name, ENGINES)


def _formats() -> tuple[str, ...]:
    from kb_tools.rdf.files import FORMAT_NAMES

    return (*FORMAT_NAMES, "json", "jsonl", "ndjson")


def _day(name: str, value: Any) -> date | None:
    if value is None or type(value) is date:
        return value
    try:
        return calendar_day(_typed(name, value, str))
    except ValueError:
        raise ArgumentError(f"{name} {value!a} is no calendar day", hint="give a date, or write YYYY-MM-DD") from None


def _is_graph(value: Any) -> bool:
    """Whether it is a graph of rdflib; where that is not loaded yet, nothing is."""
    return "rdflib" in sys.modules and isinstance(value, sys.modules["rdflib"].Graph)


def _is_name(question: str) -> bool:
    """Whether a text is the name of a question, and no query."""
    return question.replace("-", "").isalnum()


def _cases(given: Iterable[Any]) -> Iterator[Case | KbError]:
    from kb_tools.cases.case import Case

    for item in given:
        if not isinstance(item, Case | KbError):
            raise _no_case(item)
        yield item


def _no_case(value: Any) -> ArgumentError:
    return ArgumentError(f"a {type(value).__name__} where a case is wanted", hint="read it with read_case")


def _no_source(value: Any) -> ArgumentError:
    return ArgumentError(
        f"no case is read from a {type(value).__name__}",
        hint="give a path, the content as bytes or text=, a dict, or an rdflib Graph",
    )


def _content(source: Any) -> tuple[str, bytes, str | None]:
    """What errors call a source that is no path, its content as bytes, and the format where the source implies it.

    Raises:
        UnreadableInput: it cannot be written as JSON or RDF.
        ArgumentError: it is no source.
    """
    if isinstance(source, bytes):
        return "text", source, None
    if isinstance(source, Mapping):
        try:
            return "dict", json.dumps(dict(source), allow_nan=False).encode(), "json"
        except (TypeError, ValueError, RecursionError) as error:
            hint = "use texts, numbers, lists and dicts"
            raise UnreadableInput(f"not valid JSON: {error}", where="dict", hint=hint) from None
    if _is_graph(source):
        import pyoxigraph as ox

        from kb_tools.rdf.terms import to_quads

        try:
            # Of a dataset, the statements of all graphs, as of a file.
            written = ox.serialize(to_quads(statement[:3] for statement in source), format=ox.RdfFormat.N_TRIPLES)
        except (ValueError, AssertionError) as error:
            raise UnreadableInput(f"not valid RDF: {error}", where="graph", hint="correct its terms") from None
        return "graph", written or b"", "ntriples"
    raise _no_source(source)
