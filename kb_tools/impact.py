"""Cases replayed under two revisions: which flip, and why; and the witness of a verdict as a case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from rdflib import URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.cases import DERIVED, Case, CaseChecker, CaseReader, Malformed, Statements
from kb_tools.determination import BATCH, Determination, Determiner, Outcome
from kb_tools.diff import Diff, Witness
from kb_tools.evidence import finding_class, statements
from kb_tools.knowledge_base import KnowledgeBase, Policy
from kb_tools.manifest import read_manifest
from kb_tools.namespaces import CASE
from kb_tools.truth import Value

# How many ways of putting a witness together are tried before it is left in words.
ATTEMPTS = 200


@dataclass(frozen=True)
class Replay:
    """One case under both revisions."""

    before: Determination
    after: Determination

    @property
    def flipped(self) -> bool:
        """Whether its outcome differs."""
        return self.before.outcome is not self.after.outcome


@dataclass(frozen=True)
class Flip:
    """A case whose outcome differs, and what flipped it.

    Attributes:
        criteria: the criteria, by place and name, that turn the case away or keep it open where it is not met.
        conditions: the labels of the conditions that give them their values.
        rows: the log statements that name the change of these criteria, else those that tell of it in general, by IRI.
    """

    case: str
    before: Outcome
    after: Outcome
    criteria: tuple[str, ...]
    conditions: tuple[str, ...]
    rows: tuple[str, ...]


class Replayer:
    """Determines cases under both revisions of a difference; each case is read, checked and prepared once."""

    def __init__(self, kb: KnowledgeBase, diff: Diff, engine: str) -> None:
        self.checker = CaseChecker(kb, engine)
        self.before = Determiner(kb, diff.old, engine)
        self.after = Determiner(kb, diff.new, engine)

    def replay(self, cases: Iterable[Case]) -> Iterator[Replay | Malformed]:
        """Each case under both revisions, in the order of the cases."""
        waiting = iter(cases)
        while batch := list(islice(waiting, BATCH)):
            checked = self.checker.check(batch)
            sound = [each for each in checked if isinstance(each, Case)]
            pairs = zip(self.before.determine(sound), self.after.determine(sound), strict=True)
            for each in checked:
                yield each if isinstance(each, Malformed) else Replay(*next(pairs))


def flip_of(diff: Diff, replay: Replay) -> Flip:
    """What flipped a case: the criteria of the side on which it is not met, and what gives them their values."""
    side = replay.after if replay.after.outcome is not Outcome.MET else replay.before
    if side.outcome.settled:
        deciding = [each for each in side.criterion_results if each.decides]
    else:
        open_ = [each for each in side.criterion_results if not each.value.settled]
        deciding = [each for each in open_ if side.to_send.intersection(each.grounds)]
    conditions = dict.fromkeys(iri for each in deciding for iri in each.grounds)
    changed = {change.iri: change.named or change.general for change in diff.changes}
    rows = dict.fromkeys(row for each in deciding for row in changed.get(each.criterion.iri, ()))
    return Flip(
        case=replay.before.case.title,
        before=replay.before.outcome,
        after=replay.after.outcome,
        criteria=tuple(
            f"{each.criterion.notation} of {side.revision.entry.name}, {each.criterion.label}: {each.value.value}"
            for each in deciding
        ),
        conditions=tuple(f"{diff.conditions[iri]}: {side.condition_results[iri].value.value}" for iri in conditions),
        rows=tuple(rows),
    )


# ---------------------------------------------------------------------- witnesses as cases


class WitnessBuilder:
    """Puts a witness together as a case, from facts of the policy's example cases, and holds it to its word.

    A condition's facts are taken from an example in which it has the wanted value. The case is determined under both
    revisions, and is a witness only if both outcomes are those of the verdict.
    """

    def __init__(self, kb: KnowledgeBase, diff: Diff, engine: str) -> None:
        self.kb = kb
        self.diff = diff
        self.replayer = Replayer(kb, diff, engine)
        conditions = {**diff.old.conditions, **diff.new.conditions}
        self._kinds = {iri: condition.reads for iri, condition in conditions.items()}
        self._examples = list(_examples(kb, diff.new.policy))

    def build(self, witness: Witness, name: str) -> Replay | None:
        """The witness as a case under both revisions; None where the examples do not give the facts for it.

        Args:
            name: what the case is to be called.
        """
        for case in islice(self._candidates(witness.values), ATTEMPTS):
            named = replace(case, source=name, name="", iri="")
            (found,) = self.replayer.replay([named])
            if (
                isinstance(found, Replay)
                and found.before.outcome is witness.before
                and found.after.outcome is witness.after
                and self._agrees(found, witness.values)
            ):
                return found
        return None

    @staticmethod
    def _agrees(found: Replay, values: Mapping[str, Value]) -> bool:
        results = {**found.before.condition_results, **found.after.condition_results}
        return all(results[iri].value is value for iri, value in values.items())

    def _candidates(self, wanted: Mapping[str, Value]) -> Iterator[Case]:
        """Example cases with the facts of as few kinds as possible exchanged for those of other examples."""

        def wrong(values: Mapping[str, Value]) -> list[frozenset[str]]:
            kinds = (self._kinds[iri] for iri, value in wanted.items() if values.get(iri) is not value)
            return sorted(set(kinds), key=sorted)

        ranked = sorted(self._examples, key=lambda each: (len(wrong(each[1])), each[0].source))
        for case, values in ranked:
            missing = wrong(values)
            choices = [
                [donor for donor, theirs in self._examples if self._gives(theirs, wanted, kind)] for kind in missing
            ]
            if all(choices):
                yield from _exchanged(case, missing, choices)

    def _gives(self, values: Mapping[str, Value], wanted: Mapping[str, Value], kind: frozenset[str]) -> bool:
        return all(values.get(iri) is value for iri, value in wanted.items() if self._kinds[iri] == kind)


def _examples(kb: KnowledgeBase, policy: Policy) -> Iterator[tuple[Case, dict[str, Value]]]:
    """The example cases of a policy with the values that the manifest states, which `kb test` holds them to."""
    values: dict[Path, dict[str, Value]] = {}
    for expectation in read_manifest(kb, policy.cases_folder):
        values.setdefault(expectation.path, {}).update(expectation.values)
    reader = CaseReader(kb)
    for path, stated in sorted(values.items()):
        for case in reader.read(path.name, path):
            yield case, stated


def _exchanged(case: Case, kinds: Sequence[frozenset[str]], choices: Sequence[Sequence[Case]]) -> Iterator[Case]:
    """The case with the facts of each kind taken from one of its choices; the first few choices of each are tried."""
    if not kinds:
        yield case
        return
    for donor in choices[0][:5]:
        yield from _exchanged(_with_facts(case, kinds[0], donor), kinds[1:], choices[1:])


def _with_facts(case: Case, kind: frozenset[str], donor: Case) -> Case:
    """The case with its facts of one kind replaced by the donor's; nothing derived is kept."""
    about: Statements = {
        node: [
            (predicate, value) for predicate, value in pairs if predicate not in DERIVED and str(predicate) not in kind
        ]
        for node, pairs in case.about.items()
    }
    kept = [
        value
        for value in case.values(case.node, CASE.finding)
        if isinstance(value, URIRef) and str(finding_class(case, value)) not in kind
    ]
    given = [
        value
        for value in donor.values(donor.node, CASE.finding)
        if isinstance(value, URIRef) and str(finding_class(donor, value)) in kind
    ]
    root = [pair for pair in about[case.node] if pair[0] != CASE.finding]
    about[case.node] = [*root, *((CASE.finding, each) for each in (*kept, *given))]
    for each in given:
        about[each] = [pair for pair in donor.about[each] if pair[0] not in DERIVED]
    for _, (path, predicate, value) in statements(donor, donor.node):
        if str(predicate) in kind:
            about[_at(about, case.node, path, donor)].append((predicate, value))
    return replace(case, about=about, names={**case.names, **donor.names})


def _at(about: Statements, node: URIRef, path: Sequence[URIRef], donor: Case) -> URIRef:
    """The node of a case at the end of a path; what is missing on the way is made as the donor has it."""
    theirs: Node | None = donor.node
    for step in path:
        theirs = donor.value(theirs, step)
        following = next((value for predicate, value in about[node] if predicate == step), None)
        if not isinstance(following, URIRef):
            following = URIRef(f"{node}-{len(about)}")
            about[node].append((step, following))
            about[following] = [(RDF.type, kind) for kind in donor.values(theirs, RDF.type)]
        node = following
    return node
