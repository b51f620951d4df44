"""What must hold of the answers, whichever way what a case leaves unsaid turns out: properties over generated cases.

Shared by the tests, which take some hundred cases, and the benchmark, which takes twenty thousand. Each property takes
cases and gives the violations that it found and how many checks it made. A settled outcome is CriteriaMet,
CriteriaNotMet or PolicyNotApplicable.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from io import BytesIO
from itertools import combinations, zip_longest
from random import Random

import oracle
import pyoxigraph as ox
from fhir_of import fhir_of
from generated import DOUBT, KEYS, NUMBERS, STATUS, TRANSPLANT, VALUES
from history import WITH_DOCUMENT
from installed import FAST
from small_cases import every_condition, in_batches
from strategies import CONCEPTS, FINDINGS, VOCABULARY, Finding, Picture, Product, built, named, turtle

from kb_tools.cases.case import Case
from kb_tools.cases.derive import Derivation
from kb_tools.cases.form import CaseForms
from kb_tools.cases.reader import CaseReader
from kb_tools.determine.evaluate import Evaluator
from kb_tools.determine.result import Determination, Outcome, outcome_of
from kb_tools.determine.run import Run
from kb_tools.model.logic import evaluate
from kb_tools.model.revision import Revision
from kb_tools.rdf.terms import to_quads
from kb_tools.render import case_json as as_plain
from kb_tools.render import determination_json as as_json


@dataclass
class Found:
    """What a property found.

    Attributes:
        checks: how many comparisons were made, by what was varied.
        violations: where the property does not hold: what was varied, the case, the case varied, and what came out.
    """

    checks: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[str, Picture, Picture, str]] = field(default_factory=list)

    def smallest(self) -> list[tuple[str, Picture, Picture, str]]:
        """Of each thing varied, the smallest case of which the property does not hold."""
        first: dict[str, tuple[str, Picture, Picture, str]] = {}
        for violation in sorted(self.violations, key=lambda one: len(one[1].findings)):
            first.setdefault(violation[0], violation)
        return list(first.values())


# ---------------------------------------------------------------------- what a case comes to

Outcomes = Mapping[str, Outcome]


class Asked:
    """What cases come to under each revision, asked of rules, shapes and criteria alone: fast enough for many.

    An outcome that is not settled is given as "information needed", conflicting or not.
    """

    def __init__(self, engine: str = FAST) -> None:
        policy = VOCABULARY.policy()
        self._revisions = {name: Revision.load(policy, policy.entry(name)) for name in WITH_DOCUMENT}
        self._derivation = Derivation(VOCABULARY)
        self._evaluator = Evaluator(VOCABULARY, every_condition(), engine)

    def outcomes(self, pictures: Iterable[Picture]) -> Iterator[Outcomes]:
        for batch in in_batches(pictures):
            for evidence in self._evaluator.evaluate(self._derivation.of(built(batch))):
                values = {iri: value.value for iri, value in evidence.items()}
                yield {
                    name: outcome_of(
                        evaluate(revision.applicability_tree, values), evaluate(revision.criteria_tree, values), False
                    )
                    for name, revision in self._revisions.items()
                }


@dataclass(frozen=True)
class Variant:
    """A case varied.

    Attributes:
        what: what was varied.
        stays: whether a settled outcome must stay as it is; else it must not become the opposite one.
    """

    what: str
    picture: Picture
    stays: bool = True


def _varied(asked: Asked, pictures: Iterable[Picture], variants: Callable[[Picture], Iterable[Variant]]) -> Found:
    """Holds every variant of every case that has a settled outcome against that outcome."""
    found = Found()
    for batch in in_batches(pictures):
        pairs = [
            (picture, before, variant)
            for picture, before in zip(batch, asked.outcomes(batch), strict=True)
            if any(outcome.settled for outcome in before.values())
            for variant in variants(picture)
        ]
        after = asked.outcomes(variant.picture for _, _, variant in pairs)
        for (picture, before, variant), now in zip(pairs, after, strict=True):
            found.checks[variant.what] += 1
            for revision, was in before.items():
                if was.settled and not _is_allowed(was, now[revision], variant.stays):
                    came = f"{revision}: {was.value} became {now[revision].value}"
                    found.violations.append((variant.what, picture, variant.picture, came))
    return found


def _is_allowed(was: Outcome, now: Outcome, stays: bool) -> bool:
    return now is was or not (stays or now.settled)


# ---------------------------------------------------------------------- (a) completion: stating what was left open


def completion(asked: Asked, pictures: Iterable[Picture]) -> Found:
    """However one thing that a case leaves open is stated, a settled outcome stays as it was.

    Not a completion, since the design's section 3.4 or 3.5 fixes what the case means as it stands:

    - giving a value to a finding without one, where others of its class count. Such a finding says nothing, whatever
      its day (the example case "an assessment without a status replaces none"), so its value is news;
    - making a status of a group one of a kind in it, where it took the place of an older one: it was of all the group;
    - what kind of active disease it is: "active" is neither for nor against, so a remission of another disease decides;
    - what contradicts a finding of the same key and day that it did not contradict before.

    And where what is stated shows a doubt or a contradiction, the outcome may become open, never the opposite one:

    - a number in place of a bound, where another finding of the class said the same until then and no longer does;
    - method, lineage or kind of disease, where it or another finding of the class is stated to be in doubt, since a
      doubt is of all of one key;
    - what a finding leaves open that contradicts another of its key and day already;
    - the kind of a group, where a later status of the group took its place: that was of all the group;
    - a graft source beside a statement that there was no transplant: what is now known contradicts it.
    """
    return _varied(asked, pictures, completions)


def completions(picture: Picture) -> Iterator[Variant]:
    """Each way of stating one thing that a case leaves open."""
    parts = (_of_reason, _of_purposes, _of_service, _of_line_of_business, _of_processing, _of_product)
    yield from (variant for part in parts for variant in part(picture))
    how = oracle.standing(picture).of
    for place, finding in enumerate(picture.findings):
        for what, stated in _of_finding(picture, place, how):
            if not _contradicts(picture, place, stated):
                yield Variant(what, _with(picture, place, stated), _stays(picture, place, stated, how))
        if finding.value(DOUBT[0]):
            yield Variant("a doubt lifted", _with(picture, place, without(finding, DOUBT[0])))


def _of_reason(picture: Picture) -> Iterator[Variant]:
    if picture.reason is None:
        for disease in _distinguished(CONCEPTS["clin:Disease"], [*_diseases(picture), "clin:HematologicMalignancy"]):
            yield Variant("reason", replace(picture, reason=disease))


def _of_purposes(picture: Picture) -> Iterator[Variant]:
    every = CONCEPTS["clin:Purpose"]
    for chosen in oracle.choices(range(len(every))) if not picture.purposes else ():
        if chosen:
            yield Variant("purposes", replace(picture, purposes=frozenset(every[number] for number in chosen)))


def _of_service(picture: Picture) -> Iterator[Variant]:
    if picture.service is None:
        # The code is a name of the service too: another service beside it would contradict it.
        named_by_code = "cpt:38242" in picture.codes
        for concept in ["clin:DonorLymphocyteInfusion"] if named_by_code else CONCEPTS["clin:Service"]:
            yield Variant("service", replace(picture, service=concept))
        yield Variant("procedure code", replace(picture, codes=picture.codes | {"cpt:38242"}))


def _of_line_of_business(picture: Picture) -> Iterator[Variant]:
    line = picture.line_of_business
    for concept in CONCEPTS["case:LineOfBusiness"] if line is None else _kinds_of("case:LineOfBusiness", line):
        yield Variant("line of business", replace(picture, line_of_business=concept))


def _of_processing(picture: Picture) -> Iterator[Variant]:
    product = picture.product or Product()
    for stated in product.processing:
        for narrower in _kinds_of("clin:Processing", stated):
            processing = product.processing - {stated} | {narrower}
            yield Variant("kind of processing", replace(picture, product=replace(product, processing=processing)))
    for concept in CONCEPTS["clin:Processing"] if not product.processing else ():
        yield Variant("processing", replace(picture, product=replace(product, processing=frozenset({concept}))))


def _of_product(picture: Picture) -> Iterator[Variant]:
    product = picture.product or Product()
    for concept in CONCEPTS["clin:LymphocyteDonor"] if product.donor is None else ():
        yield Variant("lymphocyte donor", replace(picture, product=replace(product, donor=concept)))
    for value in ("true", "false") if product.trial is None else ():
        yield Variant("clinical trial", replace(picture, product=replace(product, trial=value)))


def _of_finding(picture: Picture, place: int, how: Sequence[str]) -> Iterator[tuple[str, Finding]]:
    """What a finding leaves open, stated, with what that is."""
    finding = picture.findings[place]
    kind = finding.kind
    if kind == TRANSPLANT:
        yield from _of_transplant(finding)
    if kind in KEYS and finding.value(KEYS[kind]) is None:
        for concept in CONCEPTS[str(FINDINGS[kind][KEYS[kind]])]:
            yield KEYS[kind], stating(finding, KEYS[kind], concept)
    if kind == STATUS:
        yield from _of_status(picture, place)
    others_count = any(
        how[number] != oracle.NOT and number != place and other.kind == kind
        for number, other in enumerate(picture.findings)
    )
    if kind in VALUES and finding.value(VALUES[kind]) is None and not others_count:
        for value in CONCEPTS[str(FINDINGS[kind][VALUES[kind]])]:
            yield "value", stating(finding, VALUES[kind], value)
    if kind in NUMBERS:
        bare, possible = without(finding, *NUMBERS[kind].properties), NUMBERS[kind].range(finding)
        if bare == finding and not others_count:
            yield from (("value", stating(bare, NUMBERS[kind].exact, value)) for value in NUMBERS[kind].values)
        if len(possible) > 1:
            yield from (("exact number", stating(bare, NUMBERS[kind].exact, exact)) for exact in sorted(possible))


def _of_transplant(finding: Finding) -> Iterator[tuple[str, Finding]]:
    source = finding.value("clin:graftSource")
    # The document does not say whether it takes the graft of a twin for an allogeneic one.
    twin = ["clin:Allogeneic", "clin:Autologous"] if source == "clin:Syngeneic" else []
    every = CONCEPTS["clin:GraftSource"]
    for concept in every if source is None else [*_kinds_of("clin:GraftSource", source), *twin]:
        yield "graft source", stating(finding, "clin:graftSource", concept)


def _of_status(picture: Picture, place: int) -> Iterator[tuple[str, Finding]]:
    finding = picture.findings[place]
    if not replaced_by(picture, place):
        kinds = _kinds_of("clin:Disease", str(finding.value("clin:disease")))
        for disease in _distinguished(kinds, [str(picture.reason), *_diseases(picture)]):
            yield "kind of disease", stating(finding, "clin:disease", disease)
    if finding.value(VALUES[STATUS]) == "clin:InRemission":
        for status in ("clin:CompleteRemission", "clin:PartialRemission"):
            yield "kind of remission", stating(finding, VALUES[STATUS], status)


def _stays(picture: Picture, place: int, stated: Finding, how: Sequence[str]) -> bool:
    """Whether the outcome must stay; else, by what is now stated, a doubt or a contradiction may show."""
    before = picture.findings[place]
    others = [other for number, other in enumerate(picture.findings) if number != place and how[number] != oracle.NOT]
    alike = [other for other in others if other.kind == stated.kind]
    if stated.kind == TRANSPLANT:
        return not any(other.value("clin:absenceOf") == TRANSPLANT for other in others)
    key = oracle.flags()[stated.kind].key
    if any(_of_one_key_and_day(before, other) and not _agree(before, other) for other in alike):
        return False
    if key and stated.value(key) != before.value(key):
        in_doubt = any(finding.value(DOUBT[0]) for finding in (before, *alike))
        # Of a group that may be the reason: the later status of the group was of all of it.
        replaced = any(other.value(key) == before.value(key) is not None and other.day > before.day for other in alike)
        return not in_doubt and not replaced
    if stated.kind in NUMBERS and NUMBERS[stated.kind].range(before):
        return not any(oracle.differ(stated, other) and not oracle.differ(before, other) for other in alike)
    return True


def _kinds_of(class_: str, group: str) -> list[str]:
    return [concept for concept in CONCEPTS[class_] if concept != group and oracle.under(concept, group)]


def _diseases(picture: Picture) -> list[str]:
    """The diseases of which the case states a status."""
    return [disease for finding in picture.findings if (disease := finding.value("clin:disease"))]


def _distinguished(diseases: Iterable[str], others: Sequence[str]) -> list[str]:
    """One of all diseases that stand alike to each of some others: of all that are in none of them, say."""
    found: dict[tuple[tuple[bool, bool, bool], ...], str] = {}
    for disease in diseases:
        how = tuple(
            (oracle.under(disease, other), oracle.under(other, disease), oracle.share_a_kind(disease, other))
            for other in others
        )
        found.setdefault(how, disease)
    return list(found.values())


def stating(finding: Finding, property_: str, value: str) -> Finding:
    """The finding with one thing stated, or stated otherwise."""
    return replace(finding, stated=(*without(finding, property_).stated, (property_, value)))


def without(finding: Finding, *properties: str) -> Finding:
    return replace(finding, stated=tuple(pair for pair in finding.stated if pair[0] not in properties))


def _with(picture: Picture, place: int, finding: Finding) -> Picture:
    findings = list(picture.findings)
    findings[place] = finding
    return replace(picture, findings=tuple(findings))


def _contradicts(picture: Picture, place: int, stated: Finding) -> bool:
    """Whether what is now stated contradicts another finding of its key and day that it did not contradict before."""
    before = picture.findings[place]
    return any(
        number != place and _of_one_key_and_day(before, other) and not _agree(stated, other) and _agree(before, other)
        for number, other in enumerate(picture.findings)
    )


def _of_one_key_and_day(one: Finding, two: Finding) -> bool:
    key = oracle.flags()[one.kind].key
    return (one.kind, one.day) == (two.kind, two.day) and (key is None or one.value(key) == two.value(key))


def _agree(one: Finding, two: Finding) -> bool:
    """Whether two findings of a class can both be true."""
    if one.kind in NUMBERS:
        first, second = (NUMBERS[one.kind].range(finding) for finding in (one, two))
        return not (first and second) or bool(first & second)
    stated = {finding.value(VALUES[one.kind]) for finding in (one, two)} - {None} if one.kind in VALUES else set()
    return len(stated) <= 1 or stated == {"clin:InRemission", "clin:CompleteRemission"}


# ---------------------------------------------------------------------- (b) removal


def removal(asked: Asked, pictures: Iterable[Picture]) -> Found:
    """Removing a finding never turns met into not met or back, where nothing that it took the place of counts again.

    Taken literally the property is not true, and cannot be: removing the latest remission lets the relapse before it
    count again, and removing one of two findings that say different things, of two methods say, leaves the other to
    decide. What is true, and tested:

    - of a finding that does not count, everything stays as it was;
    - of one that perhaps counts, and took the place of nothing, a settled outcome stays as it was. (One that is linked
      to others: never the opposite, since what it contradicts may then decide or cease to.)
    - of a finding that counts, and took the place of nothing, where no other of its class that counts or perhaps counts
      says otherwise, and of any transplant not stated allogeneic: never the opposite. What rested on it is open.
    - with all that it took the place of, the same is true of a finding that did take the place of others.
    """
    return _varied(asked, pictures, removals)


def removals(picture: Picture) -> Iterator[Variant]:
    """The case without one finding, and without what this took the place of, where removing it may settle nothing."""
    how = oracle.standing(picture)
    for place, finding in enumerate(picture.findings):
        gone = {place, *replaced_by(picture, place)}
        left = replace(picture, findings=tuple(e for number, e in enumerate(picture.findings) if number not in gone))
        with_others = " with what it replaced" if len(gone) > 1 else ""
        linked = any(place in pair for pair in how.links)
        if how.of[place] == oracle.NOT:
            yield Variant("a finding that does not count", left)
        elif how.of[place] == oracle.PERHAPS:
            yield Variant("a finding that perhaps counts" + with_others, left, stays=not linked)
        elif finding.kind == TRANSPLANT:
            if not oracle.under(finding.value("clin:graftSource"), "clin:Allogeneic"):
                yield Variant("a transplant not stated allogeneic" + with_others, left, stays=False)
        elif not any(
            how.of[number] != oracle.NOT and number not in gone and oracle.differ(other, finding)
            for number, other in enumerate(picture.findings)
        ):
            yield Variant("a finding that no other speaks against" + with_others, left, stays=False)


def replaced_by(picture: Picture, place: int) -> list[int]:
    """The findings that do not count because of one: those that do without it, by their places in the case."""
    rest = [number for number in range(len(picture.findings)) if number != place]
    left = replace(picture, findings=tuple(picture.findings[number] for number in rest))
    before, after = oracle.standing(picture).of, oracle.standing(left).of
    again = [number for number, now in zip(rest, after, strict=True) if before[number] == oracle.NOT != now]
    if again:
        # What these in turn took the place of.
        kept = [number for number in rest if number not in again]
        fewer = replace(picture, findings=tuple(picture.findings[number] for number in (*kept, place)))
        again += [(*kept, place)[number] for number in replaced_by(fewer, len(kept))]
    return again


# ---------------------------------------------------------------------- whole answers


class Answering:
    """Whole determinations, as the command gives them, under one revision."""

    def __init__(self, revision: str, engine: str = FAST) -> None:
        self._run = Run(VOCABULARY, VOCABULARY.policy(), engine, revision=revision)

    def answers(self, cases: Sequence[Case]) -> list[Determination]:
        found = list(self._run.answers(cases))
        assert all(isinstance(answer, Determination) for answer in found), "a generated case is malformed"
        return [answer for answer in found if isinstance(answer, Determination)]

    def json(self, cases: Sequence[Case]) -> list[str]:
        """The JSON of each determination, byte for byte, but for the names of files, cases and nodes."""
        return [
            _without_names(as_json.answers(VOCABULARY, [answer], [], explain=True)) for answer in self.answers(cases)
        ]


def _without_names(text: str) -> str:
    return re.sub(r'("(?:case|file|node)": )(?:"[^"]*"|null)', r"\1null", text)


def _came(answer: Determination) -> str:
    """What a determination comes to, a line each, but for names and what only one format tells."""
    values = [f"{iri}: {result.value}, {result.perhaps}" for iri, result in answer.condition_results.items()]
    given = [f"advisory {advisory.iri}" for advisory in answer.advisories]
    return "\n".join([answer.outcome.value, *values, *(f"to send {item}" for item in sorted(answer.to_send)), *given])


# One reader for all: it gives each case a number of its own.
_READER = CaseReader(VOCABULARY)


def _read(text: bytes, format_name: str = "ttl") -> Case:
    """The case of one text, as the command reads it from standard input."""
    (case,) = _READER.stream("case", None, BytesIO(text), format_name)
    assert isinstance(case, Case), case
    return case


def _as_turtle(picture: Picture) -> Case:
    return _read(turtle(picture.statements(named("case"))))


def _compared(
    what: str,
    batch: Sequence[Picture],
    others: Sequence[Picture],
    first: Sequence[str],
    second: Sequence[str],
    found: Found,
) -> None:
    for picture, other, one, two in zip(batch, others, first, second, strict=True):
        found.checks[what] += 1
        if one != two:
            found.violations.append((what, picture, other, difference(one, two)))


def difference(one: str, two: str) -> str:
    """The first line in which two answers differ."""
    pairs = zip_longest(one.splitlines(), two.splitlines(), fillvalue="nothing")
    return next(f"{first.strip()} became {second.strip()}" for first, second in pairs if first != second)


# ---------------------------------------------------------------------- (c) twice, in any order, under any names


def repetition(pictures: Iterable[Picture], revision: str, chance: Random) -> Found:
    """Stating every triple twice, in any order, under any names, changes no byte of the answer but the names."""
    answering, found = Answering(revision), Found()
    for batch in in_batches(pictures, 100):
        before = answering.json(list(map(_as_turtle, batch)))
        after = answering.json([_restated(case, chance) for case in batch])
        _compared("every statement twice", batch, batch, before, after, found)
    return found


def _restated(picture: Picture, chance: Random) -> Case:
    names: dict[str, str] = {}

    def write(node: str) -> str:
        styles = (
            f"_:{chance.choice('abz')}{len(names)}",
            f"<urn:x:{chance.random()}:{node}>",
            f"<https://e.org/{node}>",
        )
        return names.setdefault(node, chance.choice(styles))

    lines = picture.statements(write) * 2
    chance.shuffle(lines)
    return _read(turtle(lines))


# ---------------------------------------------------------------------- (d) one picture in every format


def formats(pictures: Iterable[Picture], revision: str) -> Found:
    """Turtle, JSON-LD and plain JSON of one picture come to the same bytes."""
    answering, found, plain = Answering(revision), Found(), CaseForms(VOCABULARY)
    for batch in in_batches(pictures, 100):
        cases = list(map(_as_turtle, batch))
        texts = answering.json(cases)
        _compared("JSON-LD", batch, batch, texts, answering.json([_as_json_ld(case) for case in cases]), found)
        _compared("plain JSON", batch, batch, texts, answering.json([_as_plain_json(plain, e) for e in cases]), found)
    return found


def fhir(pictures: Iterable[Picture], revision: str) -> Found:
    """FHIR of one picture comes to the values, advisories and outcome that its Turtle comes to."""
    answering, found = Answering(revision), Found()
    for batch in in_batches((picture for picture in pictures if _fhir_says_it(picture)), 100):
        cases = list(map(_as_turtle, batch))
        came, imported = (
            [_came(answer) for answer in answering.answers(ones)] for ones in (cases, list(map(_as_fhir, cases)))
        )
        _compared("FHIR", batch, batch, came, imported, found)
    return found


def _as_json_ld(case: Case) -> Case:
    written = ox.serialize(to_quads(case.triples()), format=ox.RdfFormat.JSON_LD)
    assert written is not None
    return _read(written, "jsonld")


def _as_plain_json(plain: CaseForms, case: Case) -> Case:
    return _read(json.dumps(as_plain.write(plain, case)).encode(), "json")


def _as_fhir(case: Case) -> Case:
    return _read(json.dumps(fhir_of(case)).encode(), "json")


def _fhir_says_it(picture: Picture) -> bool:
    """Whether FHIR can say it, and its reader takes it as it is.

    A claim names its service once, and no resource says that it is in doubt. Of a number and a bound that exclude each
    other the reader of FHIR makes a doubt of its own; in the other formats each is held against the limits by itself.
    """
    twice = "cpt:38242" in picture.codes and picture.service not in (None, "clin:DonorLymphocyteInfusion")
    numbers = [finding for finding in picture.findings if finding.kind in NUMBERS]
    excluding = any(
        _of_one_key_and_day(one, two)
        and not _agree(one, two)
        and any(number.value(NUMBERS[one.kind].exact) is None for number in (one, two))
        for one, two in combinations(numbers, 2)
    )
    return not (twice or excluding or any(finding.value(DOUBT[0]) for finding in picture.findings))


# ---------------------------------------------------------------------- (e) both engines, (f) another day


def engines(pictures: Iterable[Picture], revision: str) -> Found:
    """pySHACL and the fast engine give the same bytes."""
    found = Found()
    fast, reference = Answering(revision, "pyshifty"), Answering(revision, "pyshacl")
    for batch in in_batches(pictures, 200):
        cases = built(batch)
        _compared("engines", batch, batch, fast.json(cases), reference.json(cases), found)
    return found


def shift(pictures: Iterable[Picture], revision: str, chance: Random) -> Found:
    """Shifting every date by one number of days changes nothing but the dates: ages are those of before."""
    answering, found = Answering(revision), Found()
    for batch in in_batches(pictures, 200):
        moved = [_moved(picture, chance.choice((1, -1, 59, -366, 1461, 10_000))) for picture in batch]
        first, second = ([_without_dates(text) for text in answering.json(built(ones))] for ones in (batch, moved))
        _compared("dates", batch, moved, first, second, found)
    return found


def _moved(picture: Picture, days: int) -> Picture:
    by = timedelta(days)
    findings = tuple(replace(finding, day=finding.day + by) for finding in picture.findings)
    return replace(picture, service_date=picture.service_date + by, findings=findings)


def _without_dates(text: str) -> str:
    return re.sub(r"\d{4}-\d{2}-\d{2}", "DAY", text)
