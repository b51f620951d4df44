"""Cases replayed under two revisions: which flip, and why; and the witness of a verdict as a case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from rdflib import BNode, URIRef
from rdflib.namespace import RDF
from rdflib.term import Node

from kb_tools.cases import MANIFEST, Case, CaseChecker, CaseReader, Malformed, Statements
from kb_tools.determination import BATCH, CriterionResult, Determination, Determiner, Outcome
from kb_tools.diff import CONTENT, Diff, Witness
from kb_tools.errors import UnreadableInput
from kb_tools.evidence import Evaluator, finding_class, statements
from kb_tools.knowledge_base import KnowledgeBase, Policy
from kb_tools.manifest import read_manifest
from kb_tools.namespaces import BASE, CASE
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
        criteria: the criteria, by place and name, that changed, and turn the case away or keep it open where it is not
            met.
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
        self.engine = engine
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
    """What flipped a case: the criteria that changed and turn it away or keep it open, and the conditions in them."""
    changed = {each.iri: each for each in diff.changes if each.part == "Criteria" and each.kind in CONTENT}
    deciding = [(side, each) for side in _sides_that_tell(replay) for each in _deciding(side)]
    # What both revisions ask alike comes out alike under both, and flips nothing.
    deciding = [(side, each) for side, each in deciding if each.criterion.iri in changed] or deciding
    told = [changed[each.criterion.iri] for _, each in deciding if each.criterion.iri in changed]
    return Flip(
        case=replay.before.case.title,
        before=replay.before.outcome,
        after=replay.after.outcome,
        criteria=tuple(
            f"{each.criterion.notation} of {side.revision.entry.name}, {each.criterion.label}: {each.value.value}"
            for side, each in deciding
        ),
        conditions=_unique(
            f"{diff.conditions[iri]}: {side.condition_results[iri].value.value}"
            for side, each in deciding
            for iri in each.grounds
        ),
        rows=_unique(row for change in told for row in change.named or change.general),
    )


def _sides_that_tell(replay: Replay) -> tuple[Determination, ...]:
    """Where to look for what flipped a case.

    Before, if it is met after; else after. What was settled before and is open after, or was in conflict and is so no
    longer, was let go by one thing and is held by another: then both.
    """
    before, after = replay.before, replay.after
    if after.outcome is Outcome.MET:
        return (before,)
    if after.outcome.settled or before.outcome in (Outcome.MET, Outcome.NEEDED):
        return (after,)
    return before, after


def _deciding(side: Determination) -> list[CriterionResult]:
    """The criteria that turn a case away, or those that keep it open."""
    if side.outcome.settled:
        return [each for each in side.criterion_results if each.decides]
    return [
        each for each in side.criterion_results if not each.value.settled and side.to_send.intersection(each.grounds)
    ]


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


# ---------------------------------------------------------------------- witnesses as cases


@dataclass(frozen=True)
class _Example:
    """An example case and the values of its conditions, as the manifest states them."""

    path: Path
    iri: str
    values: dict[str, Value]


class WitnessBuilder:
    """Puts a witness together as a case, from facts of the policy's example cases, and holds it to its word.

    A condition's facts are taken from an example in which it has the wanted value, as the manifest states it; what no
    expectation states, as of a condition that is new, is evaluated. The case is determined under both revisions, and is
    a witness only if both outcomes are those of the verdict.
    """

    def __init__(self, kb: KnowledgeBase, diff: Diff, engine: str) -> None:
        self.kb = kb
        self.diff = diff
        self.replayer = Replayer(kb, diff, engine)
        self._conditions = {**diff.old.conditions, **diff.new.conditions}
        self._kinds = {iri: condition.reads for iri, condition in self._conditions.items()}
        self._reader = CaseReader(kb)
        self._read: dict[Path, dict[str, Case]] = {}
        # The examples that say least come first: what a witness does not need is not to distract.
        self._examples = sorted(
            _examples(kb, diff.new.policy),
            key=lambda each: (each.path.stat().st_size if each.path.is_file() else 0, each.path, each.iri),
        )

    def build(self, witness: Witness) -> Replay | None:
        """The witness as a case under both revisions; None where the examples do not give the facts for it."""
        old, new = self.diff.old.entry.name, self.diff.new.entry.name
        name = f"witness-{old}-{new}-{witness.direction.value}"
        self._evaluate(witness.values)
        for case in islice(self._candidates(witness.values), ATTEMPTS):
            (found,) = self.replayer.replay([_named(case, name)])
            if (
                isinstance(found, Replay)
                and found.before.outcome is witness.before
                and found.after.outcome is witness.after
                and self._agrees(found, witness.values)
            ):
                return found
        return None

    def _case(self, example: _Example) -> Case | None:
        """The case of an example; None if its file cannot be read or does not hold it."""
        if example.path not in self._read:
            self._read[example.path] = {}
            with suppress(UnreadableInput):
                self._read[example.path] = {
                    case.iri: case for case in self._reader.read(example.path.name, example.path)
                }
        return self._read[example.path].get(example.iri)

    def _evaluate(self, wanted: Iterable[str]) -> None:
        """Gives the examples the values of those conditions that no expectation states."""
        stated = {iri for each in self._examples for iri in each.values}
        unstated = [self._conditions[iri] for iri in wanted if iri not in stated]
        if not unstated:
            return
        cases = {case.node: (case, each) for each in self._examples if (case := self._case(each))}
        checked = self.replayer.checker.check([case for case, _ in cases.values()])
        sound = [each for each in checked if isinstance(each, Case)]
        found = Evaluator(self.kb, unstated, self.replayer.engine).evaluate(sound)
        for each, results in zip(sound, found, strict=True):
            _, example = cases[each.node]
            example.values.update({iri: each.value for iri, each in results.items()})

    @staticmethod
    def _agrees(found: Replay, values: Mapping[str, Value]) -> bool:
        results = {**found.before.condition_results, **found.after.condition_results}
        return all(results[iri].value is value for iri, value in values.items())

    def _candidates(self, wanted: Mapping[str, Value]) -> Iterator[Case]:
        """Example cases with the facts of as few kinds as possible exchanged for those of other examples."""

        def wrong(example: _Example) -> list[frozenset[str]]:
            kinds = (self._kinds[iri] for iri, value in wanted.items() if example.values.get(iri) is not value)
            return sorted(set(kinds), key=sorted)

        for example in sorted(self._examples, key=lambda each: len(wrong(each))):
            missing = wrong(example)
            choices = [[each for each in self._examples if self._gives(each, wanted, kind)] for kind in missing]
            if all(choices) and (case := self._case(example)):
                yield from self._exchanged(case, missing, choices)

    def _gives(self, example: _Example, wanted: Mapping[str, Value], kind: frozenset[str]) -> bool:
        return all(example.values.get(iri) is value for iri, value in wanted.items() if self._kinds[iri] == kind)

    def _exchanged(
        self, case: Case, kinds: Sequence[frozenset[str]], choices: Sequence[Sequence[_Example]]
    ) -> Iterator[Case]:
        """The case with the facts of each kind taken from one of its choices; the first few of each are tried."""
        if not kinds:
            yield case
            return
        for example in choices[0][:5]:
            if donor := self._case(example):
                yield from self._exchanged(_with_facts(case, kinds[0], donor), kinds[1:], choices[1:])


def _examples(kb: KnowledgeBase, policy: Policy) -> Iterator[_Example]:
    """The example cases of a policy with the values that `kb test` holds them to; none where it has no examples."""
    if (policy.cases_folder / MANIFEST).is_file():
        found: dict[tuple[Path, str], dict[str, Value]] = {}
        for each in read_manifest(kb, policy.cases_folder):
            found.setdefault((each.path, each.case), {}).update(each.values)
        yield from (_Example(path, iri, values) for (path, iri), values in found.items())


def _named(case: Case, name: str) -> Case:
    """The case with an IRI of its own and no other name, and without what exchanged facts have left behind."""
    reached = {case.node: None}
    for node in (waiting := [case.node]):
        for _, value in case.about.get(node, ()):
            if isinstance(value, URIRef) and value in case.about and value not in reached:
                reached[value] = None
                waiting.append(value)
    patient = case.value(case.node, CASE.patient)
    own = {case.node: f"{BASE}example/{name}#case", patient: f"{BASE}example/{name}#patient"}
    return replace(
        case,
        source=name,
        name="case",
        iri=own[case.node],
        about={node: case.about[node] for node in reached},
        names={node: URIRef(own[node]) if node in own else BNode() for node in reached},
    )


def _with_facts(case: Case, kind: frozenset[str], donor: Case) -> Case:
    """The case with its facts of one kind replaced by the donor's, on nodes of the case's own."""
    about: Statements = {
        node: [pair for pair in pairs if str(pair[0]) not in kind] for node, pairs in case.about.items()
    }

    def concerned(whose: Case) -> list[URIRef]:
        found = whose.values(whose.node, CASE.finding)
        return [each for each in found if isinstance(each, URIRef) and str(finding_class(whose, each)) in kind]

    gone = concerned(case)
    about[case.node] = [pair for pair in about[case.node] if pair[1] not in gone]
    for each in concerned(donor):
        node = _fresh(about, case.node)
        about[node] = list(donor.about[each])
        about[case.node].append((CASE.finding, node))
    for _, (path, predicate, value) in statements(donor, donor.node):
        if str(predicate) in kind:
            about[_at(about, case.node, path, donor)].append((predicate, value))
    return replace(case, about=about)


def _fresh(about: Statements, root: URIRef) -> URIRef:
    """A node that a case does not have yet; by its name it belongs to the case."""
    return URIRef(f"{root}-{len(about)}")


def _at(about: Statements, node: URIRef, path: Sequence[URIRef], donor: Case) -> URIRef:
    """The node of a case at the end of a path; what is missing on the way is made as the donor has it."""
    theirs: Node | None = donor.node
    for step in path:
        theirs = donor.value(theirs, step)
        following = next((value for predicate, value in about[node] if predicate == step), None)
        if not isinstance(following, URIRef):
            following = _fresh(about, node)
            about[node].append((step, following))
            about[following] = [(RDF.type, kind) for kind in donor.values(theirs, RDF.type)]
        node = following
    return node
