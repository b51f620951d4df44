"""Witnesses of a verdict as cases: each is generated, and determined under both revisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import islice, product
from pathlib import Path
from typing import TypeAlias

from rdflib import BNode, Literal, URIRef
from rdflib.namespace import RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.cases.case import ISOLATED, Case, Statements
from kb_tools.cases.inputs import MANIFEST
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.ages_seen import AgesSeen
from kb_tools.determine.evaluate import Evaluator, finding_class, statements
from kb_tools.determine.examples import read_manifest
from kb_tools.errors import UnreadableInput
from kb_tools.model.logic import Value
from kb_tools.model.policy import Policy
from kb_tools.model.products import read_as
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import BASE, CASE, CLIN
from kb_tools.revisions.entailments import derive
from kb_tools.revisions.replay import Replay, Replayer
from kb_tools.revisions.small_cases import SmallCase, Unit, age_of
from kb_tools.revisions.verdict import Witness

# How many ways of putting a witness together are tried, of the examples and with facts made for it.
ATTEMPTS = 20
# How many sources of the facts of one kind are tried in each.
SOURCES = 5


@dataclass(frozen=True)
class _Example:
    """An example case and the values of its conditions, as the manifest states them."""

    path: Path
    iri: str
    values: dict[str, Value]


@dataclass(frozen=True)
class _Made:
    """Facts of one kind, made from what the shapes name, and the values that they give to the conditions.

    Attributes:
        ages: what the shapes see of how old findings are.
    """

    small: SmallCase
    ages: AgesSeen
    values: dict[str, Value]


_Source: TypeAlias = _Example | _Made


class WitnessBuilder:
    """Puts a witness together as a case and holds it to its word.

    A condition's facts are taken from an example of the policy in which it has the wanted value, as the manifest
    states it; what no expectation states, as of a condition that is new, is evaluated. Where the examples do not give
    the facts, they are made from what the shapes name. The case is determined under both revisions, and bears the
    witness out only if both outcomes and the values of the conditions are as it says.
    """

    def __init__(self, kb: Repository, old: Revision, new: Revision, engine: str) -> None:
        self.kb = kb
        self.old, self.new = old, new
        self.replayer = Replayer(kb, old, new, engine)
        self._conditions = {**old.conditions, **new.conditions}
        self._kinds = {iri: condition.reads for iri, condition in self._conditions.items()}
        self._reader = CaseReader(kb)
        self._read: dict[Path, dict[str, Case]] = {}

    @cached_property
    def _examples(self) -> list[_Example]:
        """The examples, those that say least first: what a witness does not need is not to distract.

        Of two revisions of one policy, the examples on file beside the newer one.
        """
        return sorted(
            (
                example
                for policy in {side.policy.iri: side.policy for side in (self.old, self.new)}.values()
                for example in _examples(self.kb, policy)
            ),
            key=lambda example: (
                example.path.stat().st_size if example.path.is_file() else 0,
                example.path,
                example.iri,
            ),
        )

    def build(self, witness: Witness, which: str = "") -> Replay | None:
        """The witness as a case under both revisions; None where no case could be made that comes to what it says.

        Args:
            which: what tells the case from those of other witnesses of the two; by default its direction.
        """
        names = [side.entry.name for side in (self.old, self.new)]
        if self.old.policy.iri != self.new.policy.iri:
            names = [f"{side.policy.identifier}-{side.entry.name}" for side in (self.old, self.new)]
        name = f"witness-{'-'.join(names)}-{which or witness.direction.value}"
        self._evaluate(witness.values)
        for candidates in (self._of_examples, self._of_made_facts):
            for case in islice(candidates(witness.values), ATTEMPTS):
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
        stated = {iri for example in self._examples for iri in example.values}
        unstated = [self._conditions[iri] for iri in wanted if iri not in stated]
        if not unstated:
            return
        cases = {case.node: (case, example) for example in self._examples if (case := self._case(example))}
        checked = self.replayer.checker.check([case for case, _ in cases.values()])
        sound = [case for case in checked if isinstance(case, Case)]
        found = Evaluator(self.kb, unstated, self.replayer.engine).evaluate(sound)
        for case, results in zip(sound, found, strict=True):
            _, example = cases[case.node]
            example.values.update({iri: evidence.value for iri, evidence in results.items()})

    @staticmethod
    def _agrees(found: Replay, values: Mapping[str, Value]) -> bool:
        results = {**found.before.condition_results, **found.after.condition_results}
        return all(results[iri].value is value for iri, value in values.items())

    # ------------------------------------------------------------------ candidates

    def _of_examples(self, wanted: Mapping[str, Value]) -> Iterator[Case]:
        """Example cases with the facts of as few kinds as possible exchanged for those of other examples."""
        for example in sorted(self._examples, key=lambda example: len(self._wrong(example.values, wanted))):
            kinds = self._wrong(example.values, wanted)
            choices = [self._that_give(self._examples, wanted, kind) for kind in kinds]
            if all(choices) and (case := self._case(example)):
                yield from self._exchanged(case, kinds, choices)

    def _of_made_facts(self, wanted: Mapping[str, Value]) -> Iterator[Case]:
        """A case that says nothing, given facts of each kind: made ones first, then those of examples."""
        kinds = self._wrong({}, wanted)
        choices = [
            [*self._that_give(self._made(wanted, kind), wanted, kind), *self._that_give(self._examples, wanted, kind)]
            for kind in kinds
        ]
        for chosen in product(*choices):
            case = with_reason(self.kb, silent_case(self._service_date(chosen)), kinds)
            yield from self._exchanged(case, kinds, [[source] for source in chosen])

    def _service_date(self, sources: Iterable[_Source]) -> date:
        """The day on which the newer revision takes effect, or the first after it that made facts can be dated for."""
        day = self.new.entry.effective
        made = [source for source in sources if isinstance(source, _Made)]
        for source in made * len(made):
            day = source.ages.service_for(source.small.ages, day) or day
        return day

    def _wrong(self, values: Mapping[str, Value], wanted: Mapping[str, Value]) -> list[frozenset[str]]:
        """The kinds of facts that do not give the wanted values."""
        return sorted({self._kinds[iri] for iri, value in wanted.items() if values.get(iri) is not value}, key=sorted)

    def _that_give(
        self, sources: Iterable[_Source], wanted: Mapping[str, Value], kind: frozenset[str]
    ) -> list[_Source]:
        """The first few sources whose facts of a kind give the wanted values."""
        of_kind = {iri: value for iri, value in wanted.items() if self._kinds[iri] == kind}
        fits = (source for source in sources if all(source.values.get(iri) is value for iri, value in of_kind.items()))
        return list(islice(fits, SOURCES))

    def _made(self, wanted: Iterable[str], kind: frozenset[str]) -> Iterator[_Made]:
        """The small cases of the conditions that read a kind of fact."""
        of_kind = [self._conditions[iri] for iri in wanted if self._kinds[iri] == kind]
        for group in derive(self.kb, of_kind, self.replayer.engine):
            ages = AgesSeen(self.kb.evaluated, [one for one in of_kind if one.iri in group.conditions])
            yield from (_Made(small, ages, values) for small, values in group.cases)

    def _exchanged(
        self, case: Case, kinds: Sequence[frozenset[str]], choices: Sequence[Sequence[_Source]]
    ) -> Iterator[Case]:
        """The case with the facts of each kind taken from one of its choices."""
        if not kinds:
            yield case
            return
        for source in choices[0]:
            donor = (
                written(self.kb, source.small, case, source.ages) if isinstance(source, _Made) else self._case(source)
            )
            if donor:
                yield from self._exchanged(with_facts(self.kb, case, kinds[0], donor), kinds[1:], choices[1:])


def _examples(kb: Repository, policy: Policy) -> Iterator[_Example]:
    """The example cases of a policy with the values that `kb test` holds them to; none where it has no examples."""
    if (policy.cases_folder / MANIFEST).is_file():
        found: dict[tuple[Path, str], dict[str, Value]] = {}
        for expectation in read_manifest(kb, policy.cases_folder):
            found.setdefault((expectation.path, expectation.case), {}).update(expectation.values)
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


def with_facts(kb: Repository, case: Case, kind: frozenset[str], donor: Case) -> Case:
    """The case with its facts of one kind replaced by the donor's, on nodes of the case's own."""
    kinds = read_as(kb)

    def is_read(property_: Node) -> bool:
        return str(kinds.get(property_, property_)) in kind

    about: Statements = {node: [pair for pair in pairs if not is_read(pair[0])] for node, pairs in case.about.items()}

    def concerned(whose: Case) -> list[URIRef]:
        found = whose.values(whose.node, CASE.finding)
        return [
            finding for finding in found if isinstance(finding, URIRef) and str(finding_class(whose, finding)) in kind
        ]

    gone = concerned(case)
    about[case.node] = [pair for pair in about[case.node] if pair[1] not in gone]
    for finding in concerned(donor):
        node = _fresh(about, case.node)
        about[node] = list(donor.about[finding])
        about[case.node].append((CASE.finding, node))
    for _, (path, predicate, value) in statements(donor, donor.node):
        if is_read(predicate):
            about[_at(kb, about, case.node, path, predicate)].append((predicate, value))
    return replace(case, about=about)


def _fresh(about: Statements, root: URIRef) -> URIRef:
    """A node that a case does not have yet; by its name it belongs to the case."""
    return URIRef(f"{root}-{len(about)}")


def _at(kb: Repository, about: Statements, root: URIRef, path: Sequence[URIRef], property_: Node) -> URIRef:
    """The node of a case that states a property at the end of a path; what is missing on the way is made."""
    node = root
    for step in path:
        class_ = kb.ontology.value(step, RDFS.range)
        if class_ == CASE.Product:
            class_ = read_as(kb).get(property_, CASE.Product)
        linked = (value for predicate, value in about[node] if predicate == step and isinstance(value, URIRef))
        following = next((value for value in linked if (RDF.type, class_) in about[value]), None)
        if following is None:
            following = _fresh(about, root)
            about[node].append((step, following))
            about[following] = [] if class_ is None else [(RDF.type, class_)]
        node = following
    return node


# ---------------------------------------------------------------------- facts that are made


def silent_case(day: date) -> Case:
    """A case that says what every case must, and nothing else; `day` is that of the service."""
    node, patient, coverage, request = (URIRef(f"{ISOLATED}witness:{number}") for number in range(4))
    about: Statements = {
        node: [
            (RDF.type, CASE.Case),
            (CASE.patient, patient),
            (CASE.coverage, coverage),
            (CASE.request, request),
        ],
        patient: [],
        coverage: [(RDF.type, CASE.Coverage)],
        request: [(RDF.type, CASE.Request), (CASE.serviceDate, Literal(day))],
    }
    return Case(source="", name="", iri="", node=node, about=about, names={node: node})


def with_reason(kb: Repository, case: Case, kinds: Sequence[frozenset[str]]) -> Case:
    """The case with a disease treated, where facts of these kinds must be of it and no condition says which it is."""
    ontology = kb.ontology
    of_reason = {str(class_) for class_ in ontology.subjects(CASE.ofReasonOnly, Literal(True))}
    request = case.value(case.node, CASE.request)
    # A group that is in no other: its kinds tell several findings apart.
    diseases = ontology.subjects(RDF.type, ontology.value(CASE.reason, RDFS.range))
    groups = [
        disease
        for disease in sorted(diseases, key=str)
        if (None, SKOS.broader, disease) in ontology and (disease, SKOS.broader, None) not in ontology
    ]
    read = frozenset[str]().union(*kinds)
    if not isinstance(request, URIRef) or not groups or str(CASE.reason) in read or not read & of_reason:
        return case
    return replace(case, about={**case.about, request: [*case.about[request], (CASE.reason, groups[0])]})


def written(kb: Repository, small: SmallCase, case: Case, ages: AgesSeen) -> Case:
    """A small case as one that can be submitted: its findings with date, basis and what distinguishes them.

    Args:
        case: the case that the facts are for; they are dated as long before its service as they say, else the day
            before it, and are of its disease.
        ages: what the shapes see of how old findings are.
    """
    node = URIRef(f"{ISOLATED}made:0")
    about: Statements = {node: [(RDF.type, CASE.Case)]}
    for place, unit in enumerate(small.units):
        apart = [
            pair
            for pair in _apart(kb, unit, place, case, alone=len(small.units) == 1)
            if all(pair[0] not in dict(content) for content in unit)
        ]
        for content in unit:
            old = age_of(content)
            day = ages.day_of(old, case.service_date) or case.service_date - timedelta(1)
            finding = _fresh(about, node)
            about[node].append((CASE.finding, finding))
            about[finding] = [
                *(pair for pair in content if pair not in old),
                *apart,
                (CASE.date, Literal(day)),
                (CASE.basis, CASE.ChartEvidence),
            ]
    for path, property_, value in small.stated:
        about[_at(kb, about, node, path, property_)].append((property_, value))
    return Case(source="", name="", iri="", node=node, about=about, names={})


def _apart(kb: Repository, unit: Unit, place: int, case: Case, alone: bool) -> Iterator[tuple[URIRef, Node]]:
    """What distinguishes the findings of a unit from those of others: the value of their key, or their disease.

    A unit that is not alone is of a disease that has no kinds: a group would concern the other units too.
    """
    ontology = kb.ontology
    (_, class_), *_ = unit[0]
    key = ontology.value(class_, CASE.keyProperty)
    if (class_, CASE.ofReasonOnly, Literal(True)) in ontology:
        reason = case.value(case.value(case.node, CASE.request), CASE.reason)
        if reason is not None:
            kinds = (node for node in ontology.transitive_subjects(SKOS.broader, reason) if node is not None)
            without_kinds = sorted((kind for kind in kinds if (None, SKOS.broader, kind) not in ontology), key=str)
            diseases = [reason] if alone else without_kinds
            yield CLIN.disease, diseases[min(place, len(diseases) - 1)]
    elif isinstance(key, URIRef):
        values = sorted(ontology.subjects(RDF.type, ontology.value(key, RDFS.range)), key=str)
        yield key, values[min(place, len(values) - 1)]
