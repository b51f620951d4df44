"""Example cases held against what their manifest says they must come to, and what they cover."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rdflib import Graph, Literal, URIRef
from rdflib.collection import Collection
from rdflib.namespace import RDF, RDFS
from rdflib.term import Node

from kb_tools.cases import MANIFEST, Case, CaseReader
from kb_tools.determination import Determination, NotDetermined, Outcome, Run
from kb_tools.errors import KbError, KnowledgeBaseError, UnreadableInput
from kb_tools.knowledge_base import KnowledgeBase, Policy, local_name
from kb_tools.namespaces import CASE, POL, SH, SHAPE
from kb_tools.truth import Value

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
class Verdict:
    """One expectation and how the case differs from it; nothing when it came out as expected."""

    expectation: Expectation
    differences: tuple[str, ...]
    determination: Determination | None


def read_manifest(kb: KnowledgeBase, folder: Path) -> list[Expectation]:
    """The expectations of the manifest in a folder of cases, by name.

    Raises:
        KnowledgeBaseError: there is no manifest, it is empty, or an expectation is incomplete.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise KnowledgeBaseError("no manifest of example cases", where=str(path), mend="write one")
    graph = kb.graph([path])
    nodes = {
        node for manifest in graph.subjects(RDF.type, CASE.Manifest) for node in graph.objects(manifest, CASE.expects)
    }
    if not nodes:
        raise KnowledgeBaseError("the manifest expects nothing", where=str(path), mend="list its expectations")
    return [_expectation(graph, path, node) for node in sorted(nodes, key=str)]


def _expectation(graph: Graph, path: Path, node: Node) -> Expectation:
    name = local_name(node)

    def one(predicate: URIRef) -> str:
        found = list(graph.objects(node, predicate))
        if len(found) != 1:
            raise KnowledgeBaseError(
                f"expectation {name} states {len(found)} {local_name(predicate)}", where=str(path), mend="state one"
            )
        return str(found[0])

    values: dict[str, Value] = {}
    for predicate, value in LISTS.items():
        for condition in graph.objects(node, predicate):
            if str(condition) in values:
                raise KnowledgeBaseError(
                    f"expectation {name} gives {local_name(condition)} two values", where=str(path), mend="keep one"
                )
            values[str(condition)] = value
    return Expectation(
        name=name,
        path=path.parent / one(CASE.inFile),
        case=one(CASE.ofCase),
        revision=local_name(one(CASE.underRevision)),
        outcome=local_name(one(CASE.outcome)),
        values=values,
        to_send=frozenset(str(each) for each in graph.objects(node, CASE.toSend)),
        advisories=frozenset(str(each) for each in graph.objects(node, CASE.advisory)),
    )


def run_manifest(
    kb: KnowledgeBase, policy: Policy, engine: str, progress: Callable[[int], None] = lambda done: None
) -> Iterator[Verdict]:
    """Determines every case of a policy's manifest under the revision that it names, and compares.

    Args:
        progress: called with the number of verdicts so far.
    """
    expectations = read_manifest(kb, policy.cases_folder)
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
    for revision, group in sorted(by_revision.items()):
        try:
            run = Run(kb, policy, engine, revision=revision)
        except KbError as error:
            yield from (Verdict(expectation, (str(error),), None) for expectation in group)
            continue
        found = {expectation.name: _find(files[expectation.path], expectation) for expectation in group}
        cases = [case for case in found.values() if isinstance(case, Case)]
        answers = dict(zip([case.node for case in cases], run.answers(cases), strict=True))
        for expectation in group:
            case = found[expectation.name]
            if isinstance(case, str):
                yield Verdict(expectation, (case,), None)
            else:
                answer = answers[case.node]
                if isinstance(answer, Determination):
                    yield Verdict(expectation, tuple(_differences(kb, expectation, answer)), answer)
                elif isinstance(answer, NotDetermined):
                    yield Verdict(expectation, (str(answer.error),), None)
                else:
                    said = tuple(f"malformed: {each.message}" for each in answer.violations)
                    yield Verdict(expectation, said, None)
            done += 1
            progress(done)


def _find(cases: dict[str, Case] | KbError, expectation: Expectation) -> Case | str:
    if isinstance(cases, KbError):
        return str(cases)
    return cases.get(expectation.case, f"no case {expectation.case} in {expectation.path.name}")


def _differences(kb: KnowledgeBase, expected: Expectation, found: Determination) -> Iterator[str]:
    if found.outcome.value != expected.outcome:
        yield f"outcome: expected {expected.outcome}, came to {found.outcome.value}"
    values = {iri: result.value for iri, result in found.condition_results.items()}
    for iri in sorted(values.keys() | expected.values.keys()):
        wanted, came = expected.values.get(iri), values.get(iri)
        if wanted is not came:
            yield f"{kb.curie(iri)}: expected {_word(wanted)}, came to {_word(came)}"
    yield from _set_difference(kb, "to send", expected.to_send, found.to_send)
    given = frozenset(each.iri for each in found.advisories if each.when)
    yield from _set_difference(kb, "advisories", expected.advisories, given)


def _word(value: Value | None) -> str:
    return value.value if value else "no value"


def _set_difference(kb: KnowledgeBase, what: str, expected: frozenset[str], found: frozenset[str]) -> Iterator[str]:
    for iri in sorted(expected - found):
        yield f"{what}: {kb.curie(iri)} expected and missing"
    for iri in sorted(found - expected):
        yield f"{what}: {kb.curie(iri)} not expected"


# ---------------------------------------------------------------------- coverage


def coverage(kb: KnowledgeBase, verdicts: list[Verdict]) -> tuple[list[str], list[str]]:
    """What the cases show, as lines, and what no case shows.

    Every condition must be seen in each value that it can take, every outcome under each revision, and every criterion
    must decide a settled case: the indication one that is met and one that is not, the others one where they stand
    against the request, or the policy does not apply. And of every class of findings that conditions read, each doubt
    that a finding of it can be in must keep such a condition unknown in some case.
    """
    lines: list[str] = []
    gaps: list[str] = []
    seen: dict[str, set[str]] = {}
    possible: dict[str, frozenset[str]] = {}
    for verdict in verdicts:
        if verdict.determination:
            for iri, result in verdict.determination.condition_results.items():
                possible[iri] = result.condition.possible
                seen.setdefault(iri, set()).add(result.value.name.capitalize())
    for iri in sorted(seen):
        lines.append(f"{kb.curie(iri)}: {', '.join(sorted(value.lower() for value in seen[iri]))}")
        gaps.extend(f"{kb.curie(iri)} is never {value.lower()}" for value in sorted(possible[iri] - seen[iri]))
        gaps.extend(f"{kb.curie(iri)} cannot be {value.lower()} and is" for value in sorted(seen[iri] - possible[iri]))
    for revision in sorted({verdict.expectation.revision for verdict in verdicts}):
        found = [
            each.determination for each in verdicts if each.determination and each.expectation.revision == revision
        ]
        lines.extend(_decided(revision, found, gaps))
        outcomes = {each.outcome for each in found}
        gaps.extend(f"{revision}: no case comes to {each.value}" for each in Outcome if each not in outcomes)
    lines.extend(_doubted(kb, verdicts, gaps))
    unseen = sorted(set(map(str, kb.conditions.subjects(RDF.type, POL.Condition))) - seen.keys())
    gaps.extend(f"{kb.curie(iri)} is read by no case" for iri in unseen)
    return lines, gaps


def _doubted(kb: KnowledgeBase, verdicts: list[Verdict], gaps: list[str]) -> Iterator[str]:
    """For each class of findings, the doubts that keep a condition unknown in some case; gaps where one never does."""
    seen: dict[str, set[str]] = {}
    for verdict in verdicts:
        results = verdict.determination.condition_results.values() if verdict.determination else ()
        for result in results:
            for read in result.condition.reads:
                if (URIRef(read), RDFS.subClassOf, CASE.Finding) in kb.ontology:
                    seen.setdefault(read, set()).update(doubt.rule for doubt in result.doubts)
    for read, rules in sorted(seen.items()):
        possible = set(possible_doubts(kb, URIRef(read)))
        yield f"{kb.curie(read)} in doubt: {', '.join(sorted(rules)) or 'never'}"
        gaps.extend(f"{kb.curie(read)} is never in doubt by case:{rule}" for rule in sorted(possible - rules))


def possible_doubts(kb: KnowledgeBase, class_: URIRef) -> Iterator[str]:
    """The local names of the properties by which findings of a class, or statements of their absence, can be in doubt.

    Read off what the vocabulary says of the class and what the case shapes let a finding state.
    """

    def says(flag: URIRef) -> bool:
        return (class_, flag, Literal(True)) in kb.ontology

    shapes = kb.graph([kb.root / "shapes/case.ttl"])

    def may_state(kind: URIRef) -> bool:
        return any(
            (shape, SH.property, SHAPE["Finding-inDoubt"]) in shapes for shape in shapes.subjects(SH.targetClass, kind)
        )

    absent = {
        each for head in shapes.objects(SHAPE["StatedAbsence-absenceOf"], SH["in"]) for each in Collection(shapes, head)
    }
    if says(CASE.sinceTransplant):
        yield "mayBeBefore"
    if (class_, CASE.keyProperty, None) in kb.ontology:
        yield "mayBeSupersededBy"
    if says(CASE.ofReasonOnly):
        yield "mayNotBeOf"
    if may_state(class_) or class_ in absent:
        yield "inDoubt"
    if may_state(class_) and says(CASE.latestCounts):
        yield "sharesDoubtOf"


def _decided(revision: str, found: list[Determination], gaps: list[str]) -> Iterator[str]:
    """For each criterion of a revision, how many cases it decides in each direction; gaps where it decides none."""
    if not found:
        return
    every = [(part, criterion.role) for criterion in found[0].revision.criteria for part in criterion.with_parts()]
    for criterion, role in every:
        for outcome in _must_decide(role):
            count = sum(
                each.outcome is outcome
                and any(result.decides and result.criterion.iri == criterion.iri for result in each.every_criterion)
                for each in found
            )
            yield f"{revision}: {criterion.notation} decides {count} cases of {outcome.value}"
            if not count:
                gaps.append(f"{revision}: {criterion.notation} decides no case of {outcome.value}")


def _must_decide(role: str) -> tuple[Outcome, ...]:
    if role == "applicability":
        return (Outcome.NOT_APPLICABLE,)
    return (Outcome.MET, Outcome.NOT_MET) if role == "indication" else (Outcome.NOT_MET,)
