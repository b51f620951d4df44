"""The example cases of a policy, and what each of them must come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdflib import Graph, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.as_json import AsJson
from kb_tools.cases.case import Case
from kb_tools.cases.inputs import MANIFEST
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.result import Determination, NotDetermined
from kb_tools.determine.run import Run
from kb_tools.errors import KbError, KnowledgeBaseError, UnreadableInput
from kb_tools.model.logic import Value
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE
from kb_tools.rdf.terms import local_name

LISTS = {
    CASE.holding: Value.HOLDS,
    CASE.failing: Value.FAILS,
    CASE.unknown: Value.UNKNOWN,
    CASE.conflicting: Value.CONFLICTING,
}


@dataclass(frozen=True)
class Expectation:
    """What one case must come to under one revision.

    Attributes:
        values: the value of every condition that the revision reads.
        to_send: exactly the conditions to be asked for.
        advisories: exactly the advisories given that depend on a condition.
    """

    name: str
    path: Path
    case: str
    revision: str
    outcome: str
    values: dict[str, Value]
    to_send: frozenset[str]
    advisories: frozenset[str]


@dataclass(frozen=True)
class ExampleResult:
    """One expectation and how the case differs from it; nothing when it came out as expected."""

    expectation: Expectation
    differences: tuple[str, ...]
    determination: Determination | None

    def to_dict(self) -> dict[str, Any]:
        """Give the result as JSON values."""
        return {
            "name": self.expectation.name,
            "revision": self.expectation.revision,
            "outcome": self.determination.outcome.value if self.determination else None,
            "differences": list(self.differences),
        }


@dataclass(frozen=True)
class ExamplesReport(AsJson):
    """What the example cases of one policy came to, and what they cover.

    Attributes:
        policy: its identifier.
        covered: what the cases show, a line each; empty where that was not asked for.
        gaps: what no case shows, a line each; empty where that was not asked for.
        drafts: the revisions among these that are drafts, and were determined as if they were released.
    """

    policy: str
    results: tuple[ExampleResult, ...]
    covered: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    drafts: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[ExampleResult, ...]:
        """The results that differ from what was expected."""
        return tuple(result for result in self.results if result.differences)

    @property
    def passed(self) -> bool:
        """Whether every case came out as expected and nothing is left uncovered."""
        return not self.failed and not self.gaps

    def to_dict(self) -> dict[str, Any]:
        """Give the report as an element of the list of `kb test --format json`."""
        return {
            "policy": self.policy,
            "expectations": [result.to_dict() for result in self.results],
            "coverage": list(self.covered),
            "gaps": list(self.gaps),
            **({"drafts": list(self.drafts)} if self.drafts else {}),
        }


def read_manifest(kb: Repository, folder: Path) -> list[Expectation]:
    """The expectations of the manifest in a folder of cases, by name.

    Raises:
        KnowledgeBaseError: there is no manifest, it is empty, or an expectation is incomplete.
    """
    path = folder / MANIFEST
    if not kb.has(path):
        raise KnowledgeBaseError("no manifest of example cases", where=str(path), hint="write one")
    graph = kb.graph([path])
    nodes = {
        node for manifest in graph.subjects(RDF.type, CASE.Manifest) for node in graph.objects(manifest, CASE.expects)
    }
    if not nodes:
        raise KnowledgeBaseError("the manifest expects nothing", where=str(path), hint="list its expectations")
    return [_expectation(graph, path, node) for node in sorted(nodes, key=str)]


def _expectation(graph: Graph, path: Path, node: Node) -> Expectation:
    name = local_name(node)

    def one(predicate: URIRef) -> str:
        found = list(graph.objects(node, predicate))
        if len(found) != 1:
            raise KnowledgeBaseError(
                f"expectation {name} states {len(found)} {local_name(predicate)}", where=str(path), hint="state one"
            )
        return str(found[0])

    values: dict[str, Value] = {}
    for predicate, value in LISTS.items():
        for condition in graph.objects(node, predicate):
            if str(condition) in values:
                raise KnowledgeBaseError(
                    f"expectation {name} gives {local_name(condition)} two values", where=str(path), hint="keep one"
                )
            values[str(condition)] = value
    return Expectation(
        name=name,
        path=path.parent / one(CASE.inFile),
        case=one(CASE.ofCase),
        revision=local_name(one(CASE.underRevision)),
        outcome=local_name(one(CASE.outcome)),
        values=values,
        to_send=frozenset(str(condition) for condition in graph.objects(node, CASE.toSend)),
        advisories=frozenset(str(advisory) for advisory in graph.objects(node, CASE.advisory)),
    )


def run_manifest(
    kb: Repository,
    policy: Policy,
    engine: str,
    progress: Callable[[int], None] = lambda done: None,
    revision: str | None = None,
) -> Iterator[ExampleResult]:
    """Determines every case of a policy's manifest under the revision that it names, and compares.

    Args:
        progress: called with the number of results so far.
        revision: determine the cases of this one alone.
    """
    expectations = [one for one in read_manifest(kb, policy.cases_folder) if revision in (None, one.revision)]
    reader = CaseReader(kb)
    files: dict[Path, dict[str, Case] | KbError] = {}
    by_revision: dict[str, list[Expectation]] = {}
    for expectation in expectations:
        by_revision.setdefault(expectation.revision, []).append(expectation)
        if expectation.path not in files:
            try:
                cases = reader.read(expectation.path.name, expectation.path)
                files[expectation.path] = {case.iri: case for case in cases}
            except UnreadableInput as error:
                files[expectation.path] = error
    done = 0
    for name, group in sorted(by_revision.items()):
        try:
            run = Run(kb, policy, engine, revision=name)
        except KbError as error:
            yield from (ExampleResult(expectation, (str(error),), None) for expectation in group)
            continue
        found = {expectation.name: _find(files[expectation.path], expectation) for expectation in group}
        cases = [case for case in found.values() if isinstance(case, Case)]
        answers = dict(zip([case.node for case in cases], run.answers(cases), strict=True))
        for expectation in group:
            case = found[expectation.name]
            if isinstance(case, str):
                yield ExampleResult(expectation, (case,), None)
            else:
                answer = answers[case.node]
                if isinstance(answer, Determination):
                    yield ExampleResult(expectation, tuple(_differences(kb, expectation, answer)), answer)
                elif isinstance(answer, NotDetermined):
                    yield ExampleResult(expectation, (str(answer.error),), None)
                else:
                    differences = tuple(f"malformed: {violation.message}" for violation in answer.violations)
                    yield ExampleResult(expectation, differences, None)
            done += 1
            progress(done)


def _find(cases: dict[str, Case] | KbError, expectation: Expectation) -> Case | str:
    if isinstance(cases, KbError):
        return str(cases)
    return cases.get(expectation.case, f"no case {expectation.case} in {expectation.path.name}")


def _differences(kb: Repository, expected: Expectation, found: Determination) -> Iterator[str]:
    if found.outcome.value != expected.outcome:
        yield f"outcome: expected {expected.outcome}, came to {found.outcome.value}"
    values = {iri: result.value for iri, result in found.condition_results.items()}
    for iri in sorted(values.keys() | expected.values.keys()):
        wanted, came = expected.values.get(iri), values.get(iri)
        if wanted is not came:
            yield f"{kb.curie(iri)}: expected {_word(wanted)}, came to {_word(came)}"
    yield from _set_difference(kb, "to send (case:toSend)", expected.to_send, found.to_send)
    given = frozenset(advisory.iri for advisory in found.advisories if advisory.when)
    yield from _set_difference(kb, "advisories (case:advisory)", expected.advisories, given)


def _word(value: Value | None) -> str:
    return value.value if value else "no value"


def _set_difference(kb: Repository, what: str, expected: frozenset[str], found: frozenset[str]) -> Iterator[str]:
    for iri in sorted(expected - found):
        yield f"{what}: {kb.curie(iri)} expected and missing"
    for iri in sorted(found - expected):
        yield f"{what}: {kb.curie(iri)} not expected"
