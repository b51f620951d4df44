"""What the example cases cover, and what they leave open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rdflib import Literal, URIRef
from rdflib.namespace import RDFS
from rdflib.term import Node

from kb_tools.determine.result import Determination, Outcome
from kb_tools.model.periods import counts_since, starts
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import CASE, SH, SHAPE

if TYPE_CHECKING:
    from kb_tools.determine.examples import ExampleResult


# ---------------------------------------------------------------------- coverage


def coverage(
    kb: Repository, policy: Policy, examples: Sequence[ExampleResult], under: str | None = None
) -> tuple[list[str], list[str]]:
    """What the cases of a policy show, as lines, and what no case shows.

    Every condition that its revisions read must be seen in each value that it can take, every outcome under each
    revision, and every criterion must decide a settled case: the indication one that is met and one that is not, the
    others one where they stand against the request, or the policy does not apply. And of every class of findings that
    conditions read, each doubt that a finding of it can be in must keep such a condition unknown in some case.

    Args:
        under: ask this revision alone which conditions must be seen.
    """
    lines: list[str] = []
    gaps: list[str] = []
    seen: dict[str, set[str]] = {}
    possible: dict[str, frozenset[str]] = {}
    for example in examples:
        if example.determination:
            for iri, result in example.determination.condition_results.items():
                possible[iri] = result.condition.possible
                seen.setdefault(iri, set()).add(result.value.name.capitalize())
    for iri in sorted(seen):
        lines.append(f"{kb.curie(iri)}: {', '.join(sorted(value.lower() for value in seen[iri]))}")
        gaps.extend(f"{kb.curie(iri)} is never {value.lower()}" for value in sorted(possible[iri] - seen[iri]))
        gaps.extend(f"{kb.curie(iri)} cannot be {value.lower()} and is" for value in sorted(seen[iri] - possible[iri]))
    for revision in sorted({example.expectation.revision for example in examples}):
        found = [
            example.determination
            for example in examples
            if example.determination and example.expectation.revision == revision
        ]
        lines.extend(_decided(revision, found, gaps))
        outcomes = {determination.outcome for determination in found}
        gaps.extend(f"{revision}: no case comes to {outcome.value}" for outcome in Outcome if outcome not in outcomes)
    lines.extend(_doubted(kb, examples, gaps))
    entries = [entry for entry in policy.history if entry.criteria_on_file and under in (None, entry.name)]
    read = {iri for entry in entries for iri in Revision.load(policy, entry).conditions}
    unseen = sorted(read - seen.keys())
    gaps.extend(f"{kb.curie(iri)} is read by no case" for iri in unseen)
    return lines, gaps


def _doubted(kb: Repository, examples: Sequence[ExampleResult], gaps: list[str]) -> Iterator[str]:
    """For each class of findings, the doubts that keep a condition unknown in some case; gaps where one never does."""
    seen: dict[str, set[str]] = {}
    for example in examples:
        results = example.determination.condition_results.values() if example.determination else ()
        for result in results:
            for read in result.condition.reads:
                if (URIRef(read), RDFS.subClassOf, CASE.Finding) in kb.ontology:
                    seen.setdefault(read, set()).update(doubt.rule for doubt in result.doubts)
    for read, rules in sorted(seen.items()):
        possible = set(possible_doubts(kb, URIRef(read)))
        yield f"{kb.curie(read)} in doubt: {', '.join(sorted(rules)) or 'never'}"
        gaps.extend(f"{kb.curie(read)} is never in doubt by case:{rule}" for rule in sorted(possible - rules))


def possible_doubts(kb: Repository, class_: URIRef) -> Iterator[str]:
    """The local names of the properties by which findings of a class, or statements of their absence, can be in doubt.

    Read off what the vocabulary says of the class and what the case shapes let a finding state. A key that every
    finding must state is never in doubt; and where nothing says by what findings differ, none takes another's place.
    """

    def says(flag: URIRef) -> bool:
        return (class_, flag, Literal(True)) in kb.ontology

    shapes = kb.case_shapes

    def may_state(kind: URIRef) -> bool:
        return any(
            (shape, SH.property, SHAPE["Finding-inDoubt"]) in shapes for shape in shapes.subjects(SH.targetClass, kind)
        )

    def may_lack(key: Node) -> bool:
        of_key = {
            shape
            for whole in shapes.subjects(SH.targetClass, class_)
            for shape in shapes.objects(whole, SH.property)
            if (shape, SH.path, key) in shapes
        }
        return not any(int(str(least)) > 0 for shape in of_key for least in shapes.objects(shape, SH.minCount))

    if any((start := starts(kb.ontology, since)) and start.may for since in counts_since(kb.ontology, class_)):
        yield "mayBeBefore"
    differs = says(CASE.latestCounts) and (class_, CASE.differsBy, None) in kb.ontology
    if differs and (says(CASE.ofReasonOnly) or any(map(may_lack, kb.ontology.objects(class_, CASE.keyProperty)))):
        yield "mayBeSupersededBy"
    if says(CASE.ofReasonOnly):
        yield "mayNotBeOf"
    if may_state(class_) or says(CASE.mayBeAbsent):
        yield "inDoubt"
    if may_state(class_) and differs:
        yield "sharesDoubtOf"


def _decided(revision: str, found: list[Determination], gaps: list[str]) -> Iterator[str]:
    """For each criterion of a revision, how many cases it decides in each direction; gaps where it decides none."""
    if not found:
        return
    every = [(part, criterion.role) for criterion in found[0].revision.criteria for part in criterion.with_parts()]
    for criterion, role in every:
        for outcome in _must_decide(role):
            count = sum(
                determination.outcome is outcome
                and any(
                    result.decides and result.criterion.iri == criterion.iri for result in determination.every_criterion
                )
                for determination in found
            )
            yield f"{revision}: {criterion.notation} decides {count} cases of {outcome.value}"
            if not count:
                gaps.append(f"{revision}: {criterion.notation} decides no case of {outcome.value}")


def _must_decide(role: str) -> tuple[Outcome, ...]:
    if role == "applicability":
        return (Outcome.NOT_APPLICABLE,)
    return (Outcome.MET, Outcome.NOT_MET) if role == "indication" else (Outcome.NOT_MET,)
