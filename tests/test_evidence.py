"""What conditions read of a case, and their values: as the design's tables say, and as the whole case has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import pytest
from hypothesis import given
from rdflib import Graph, URIRef
from rdflib.namespace import RDF, SKOS
from strategies import FINDINGS, VOCABULARY, Finding, Picture, Product, batches, differing, examples, read

from kb_tools import shacl
from kb_tools.cases import Case, CaseChecker, Malformed, concept_facts
from kb_tools.evidence import Evaluator, finding_class, predicates_in_paths
from kb_tools.knowledge_base import KnowledgeBase, Policy
from kb_tools.namespaces import CASE, COND, POL, SH
from kb_tools.rdf import graph_of
from kb_tools.revision import Condition, Revision
from kb_tools.truth import Value

Values = dict[str, Value]


def of_possible(condition: Condition) -> set[Value]:
    return {Value[each.upper()] for each in condition.possible}


@cache
def every_condition() -> tuple[Condition, ...]:
    """Every condition of the knowledge base, as the revisions that read it have it."""
    policy = VOCABULARY.policy()
    found = {
        iri: condition
        for name in ("2026-02", "2019-10")
        for iri, condition in Revision.load(policy, policy.entry(name)).conditions.items()
    }
    assert found.keys() == set(map(str, VOCABULARY.conditions.subjects(RDF.type, POL.Condition)))
    return tuple(found[iri] for iri in sorted(found))


@cache
def checker(engine: str) -> CaseChecker:
    return CaseChecker(VOCABULARY, engine)


def checked(pictures: Sequence[Picture], engine: str) -> list[Case]:
    """The cases with what counts of them derived; that none is malformed is asserted."""
    answers = checker(engine).check(read(pictures))
    assert [each.violations for each in answers if isinstance(each, Malformed)] == []
    return [each for each in answers if isinstance(each, Case)]


@cache
def evaluator(engine: str) -> Evaluator:
    return Evaluator(VOCABULARY, every_condition(), engine)


def evaluated(cases: Sequence[Case], engine: str) -> list[Values]:
    found = evaluator(engine).evaluate(cases)
    return [{iri.removeprefix(COND): value for iri, (value, _) in each.items()} for each in found]


# ---------------------------------------------------------------------- the design's sections 3.4 and 3.5, transcribed

ALLOGENEIC = {
    "clin:Allogeneic",
    "clin:MatchedRelatedDonor",
    "clin:UnrelatedDonor",
    "clin:HaploidenticalDonor",
    "clin:CordBlood",
}
MEDICARE = {"case:Medicare", "case:MedicareAdvantage", "case:DualEligibleSpecialNeeds", "case:MedicareMedicaid"}
MANIPULATED = {
    "clin:ExVivoManipulation",
    "clin:Enrichment",
    "clin:CD4Selection",
    "clin:Depletion",
    "clin:CD8Depletion",
    "clin:Activation",
    "clin:Expansion",
    "clin:GeneticModification",
}
DISEASE_STATUS, MRD, CHIMERISM = "clin:DiseaseStatusAssessment", "clin:MRDTest", "clin:ChimerismTest"
ACUTE, CHRONIC = "clin:AcuteGvHDAssessment", "clin:ChronicGvHDAssessment"
RISK, INFUSION = "clin:RelapseRiskAssessment", "clin:EarlierInfusion"
TRANSPLANT, ABSENCE = "clin:Transplant", "clin:StatedAbsence"
SINCE_TRANSPLANT = {DISEASE_STATUS, MRD, CHIMERISM, ACUTE, CHRONIC}
SHARE = ("clin:donorPercent", "clin:donorPercentAtLeast", "clin:donorPercentAtMost", "clin:donorPercentBelow")
STATES_A_VALUE: dict[str, tuple[str, ...]] = {
    DISEASE_STATUS: ("clin:diseaseStatus",),
    MRD: ("clin:mrdResult",),
    RISK: ("clin:relapseRisk",),
    CHIMERISM: SHARE,
    ACUTE: ("clin:grade", "clin:gradeAtLeast", "clin:gradeAtMost"),
    CHRONIC: ("clin:chronicSeverity",),
}
KEY = {MRD: "clin:method", CHIMERISM: "clin:lineage"}


def upwards(concept: str) -> set[str]:
    """The concept and all that is broader."""
    prefix, name = concept.split(":")
    broader = VOCABULARY.ontology.transitive_objects(URIRef(VOCABULARY.prefixes[prefix] + name), SKOS.broader)
    return {VOCABULARY.curie(str(each)) for each in broader}


def countable(picture: Picture) -> list[Finding]:
    """What states a value, is not after the service date, nor before the transplant or of another disease."""
    transplants = [
        each.day
        for each in picture.findings
        if each.value("clin:graftSource") in ALLOGENEIC and each.day <= picture.service_date
    ]
    latest = max(transplants, default=date.min)

    def counts(finding: Finding) -> bool:
        needed = STATES_A_VALUE.get(finding.kind)
        if needed and not any(finding.value(each) for each in needed):
            return False
        if finding.day > picture.service_date or (finding.kind == INFUSION and finding.day == picture.service_date):
            return False
        if finding.kind in SINCE_TRANSPLANT and finding.day < latest:
            return False
        if finding.kind == DISEASE_STATUS:
            disease = finding.value("clin:disease")
            assert disease is not None
            return picture.reason is not None and (
                disease in upwards(picture.reason) or picture.reason in upwards(disease)
            )
        return True

    return [each for each in picture.findings if counts(each)]


class Current:
    """The findings that count, by kind; those of one key are all of one day."""

    def __init__(self, picture: Picture) -> None:
        found = countable(picture)
        self.of: dict[str, list[Finding]] = {
            kind: [each for each in found if each.kind == kind] for kind in (TRANSPLANT, ABSENCE)
        }
        self.of[ABSENCE] = [
            each
            for each in self.of[ABSENCE]
            if not any(other.kind == each.value("clin:absenceOf") and other.day > each.day for other in found)
        ]
        self.keyed: dict[str, dict[str | None, list[Finding]]] = defaultdict(lambda: defaultdict(list))
        for each in found:
            if each.kind not in self.of:
                key = each.value(KEY[each.kind]) if each.kind in KEY else None
                self.keyed[each.kind][key].append(each)
        for by_key in self.keyed.values():
            for key, group in by_key.items():
                by_key[key] = [each for each in group if each.day == max(other.day for other in group)]

    def groups(self, kind: str) -> list[list[Finding]]:
        return list(self.keyed[kind].values())

    def said(self, kind: str, property_: str) -> set[str | None]:
        return {each.value(property_) for group in self.groups(kind) for each in group} - {None}

    def absent(self, kind: str) -> bool:
        return any(each.value("clin:absenceOf") == kind for each in self.of[ABSENCE])


def at_least(finding: Finding, limit: float, exact: str, lower: str) -> bool:
    """Whether the whole range that the finding states is at or above the limit."""
    return any(number is not None and number >= limit for number in (finding.number(exact), finding.number(lower)))


def below(finding: Finding, limit: float, exact: str, upper: str, open_upper: str = "") -> bool:
    """Whether the whole range that the finding states is below the limit."""
    closed = any(number is not None and number < limit for number in (finding.number(exact), finding.number(upper)))
    bound = finding.number(open_upper)
    return closed or (bound is not None and bound <= limit)


def share_at_least(finding: Finding, limit: float) -> bool:
    return at_least(finding, limit, "clin:donorPercent", "clin:donorPercentAtLeast")


def share_below(finding: Finding, limit: float) -> bool:
    return below(finding, limit, "clin:donorPercent", "clin:donorPercentAtMost", "clin:donorPercentBelow")


def every_group(groups: Collection[Sequence[Finding]], shows: Callable[[Finding], bool]) -> bool:
    """Whether something shows it, and so does every group, where a finding of the same group may contradict."""
    return bool(groups) and all(any(shows(each) for each in group) for group in groups)


def designed(picture: Picture) -> Values:
    """The value of every condition, by the tables of the design."""
    now = Current(picture)
    sources = {each.value("clin:graftSource") for each in now.of[TRANSPLANT]}
    statuses = now.said(DISEASE_STATUS, "clin:diseaseStatus")
    shares, acute = now.groups(CHIMERISM), [each for group in now.groups(ACUTE) for each in group]
    measured = [each for group in shares for each in group]
    tests, severities = now.groups(MRD), now.said(CHRONIC, "clin:chronicSeverity")
    responses, risks = now.said(INFUSION, "clin:response"), now.said(RISK, "clin:relapseRisk")
    purposes, line, product = picture.purposes, picture.line_of_business, picture.product or Product()
    dli = {"clin:DonorLymphocyteInfusion", None}
    malignant = picture.reason is not None and "clin:HematologicMalignancy" in upwards(picture.reason)

    def detects(finding: Finding) -> bool:
        return finding.value("clin:mrdResult") == "clin:MRDDetected"

    def detects_not(finding: Finding) -> bool:
        return finding.value("clin:mrdResult") == "clin:MRDNotDetected"

    evidence: dict[str, tuple[bool, bool]] = {
        "service-is-dli": (
            picture.service == "clin:DonorLymphocyteInfusion" or "cpt:38242" in picture.codes,
            picture.service not in dli,
        ),
        "plan-is-not-medicare": (line in {"case:Commercial", "case:Marketplace", "case:Medicaid"}, line in MEDICARE),
        "plan-is-medicaid": (line == "case:Medicaid", line in {"case:Commercial", "case:Marketplace"} | MEDICARE),
        "after-allogeneic-transplant": (
            bool(sources & ALLOGENEIC),
            sources == {"clin:Autologous"} or now.absent(TRANSPLANT),
        ),
        "reason-is-hematologic-malignancy": (malignant, picture.reason is not None and not malignant),
        "disease-relapsed-refractory-or-progressing": (
            bool(statuses & {"clin:Relapsed", "clin:Refractory", "clin:RelapsedAndRefractory", "clin:Progressing"}),
            "clin:CompleteRemission" in statuses,
        ),
        "disease-is-relapsed": (
            bool(statuses & {"clin:Relapsed", "clin:RelapsedAndRefractory"}),
            bool(statuses & {"clin:CompleteRemission", "clin:Refractory"}),
        ),
        "lowering-relapse-risk-is-a-purpose": (
            "clin:LowerRelapseRisk" in purposes,
            bool(purposes) and "clin:LowerRelapseRisk" not in purposes,
        ),
        "mrd-is-detected": (any(detects(each) for group in tests for each in group), every_group(tests, detects_not)),
        "relapse-risk-is-raised": ("clin:RaisedRelapseRisk" in risks, "clin:RelapseRiskNotRaised" in risks),
        "raising-donor-chimerism-is-the-only-purpose": (
            purposes == {"clin:RaiseDonorChimerism"},
            bool(purposes - {"clin:RaiseDonorChimerism"}),
        ),
        "raising-donor-chimerism-is-a-purpose": (
            "clin:RaiseDonorChimerism" in purposes,
            bool(purposes) and "clin:RaiseDonorChimerism" not in purposes,
        ),
        "chimerism-is-mixed": (
            any(share_below(each, 90) for each in measured),
            every_group(shares, lambda each: share_at_least(each, 90)),
        ),
        "chimerism-is-full": (
            every_group(shares, lambda each: share_at_least(each, 100)),
            any(share_below(each, 100) for each in measured),
        ),
        "lymphocytes-genetically-modified": (
            "clin:GeneticModification" in product.processing,
            bool(product.processing) and "clin:GeneticModification" not in product.processing,
        ),
        "lymphocytes-manipulated-ex-vivo": (
            bool(product.processing & MANIPULATED),
            bool(product.processing) and not product.processing & MANIPULATED,
        ),
        "given-within-a-clinical-trial": (product.trial == "true", product.trial == "false"),
        "lymphocyte-donor-differs": (
            product.donor == "clin:DifferentDonor",
            product.donor == "clin:TransplantDonor",
        ),
        "acute-gvhd-of-grade-2-or-higher": (
            any(at_least(each, 2, "clin:grade", "clin:gradeAtLeast") for each in acute),
            any(below(each, 2, "clin:grade", "clin:gradeAtMost") for each in acute),
        ),
        "chronic-gvhd-is-present": (bool(severities - {"clin:NoChronicGvHD"}), "clin:NoChronicGvHD" in severities),
        "earlier-dli-was-given": (bool(now.groups(INFUSION)), now.absent(INFUSION)),
        "benefit-of-earlier-dli-is-documented": (
            "clin:PositiveResponse" in responses,
            bool(responses & {"clin:NoResponse", "clin:ResponseNotDocumented"}),
        ),
    }
    words = {
        (True, False): Value.HOLDS,
        (False, True): Value.FAILS,
        (False, False): Value.UNKNOWN,
        (True, True): Value.CONFLICTING,
    }
    return {name: words[sides] for name, sides in evidence.items()}


def test_every_condition_has_the_value_that_the_design_gives_it() -> None:
    seen: dict[str, set[Value]] = defaultdict(set)

    @given(batches(20))
    @examples(28, shrink=False)
    def compared(pictures: list[Picture]) -> None:
        found = evaluated(checked(pictures, "pyshifty"), "pyshifty")
        assert len(found) == 20
        assert differing(pictures, found, [designed(picture) for picture in pictures]) == []
        for values in found:
            for name, value in values.items():
                seen[name].add(value)

    compared()
    # The random cases are worth something only if they bring every condition to every value that it can take.
    assert seen == {each.iri.removeprefix(COND): of_possible(each) for each in every_condition()}


def test_random_findings_can_state_all_that_the_case_shapes_let_a_finding_state() -> None:
    shapes = VOCABULARY.graph([VOCABULARY.root / "shapes/case.ttl"])

    def allowed(kind: str) -> set[str]:
        prefix, name = kind.split(":")
        class_ = URIRef(VOCABULARY.prefixes[prefix] + name)
        found = (each for each in shapes.subjects(SH.targetClass, class_) if (each, SH.closed, None) in shapes)
        return {VOCABULARY.curie(str(path)) for shape in found for path in shapes[shape : SH.property / SH.path]}

    always = {"case:date", "case:basis"}
    assert {kind: set(properties) | always for kind, properties in FINDINGS.items()} == {
        kind: allowed(kind) for kind in (*SINCE_TRANSPLANT, RISK, INFUSION, TRANSPLANT, ABSENCE)
    }


# ---------------------------------------------------------------------- fact by fact as on the whole case


def of_whole_cases(cases: Sequence[Case], engine: str) -> list[Values]:
    """The value of every condition, its shapes held against the whole graph of each case."""
    data = graph_of(concept_facts(VOCABULARY.ontology))
    for case in cases:
        for triple in case.triples():
            data.add(triple)
    shapes = graph_of(VOCABULARY.conditions)
    for condition in every_condition():
        for side, shape in (("holds", condition.holds_when), ("fails", condition.fails_when)):
            wrapper = URIRef(f"urn:whole:{side}:{condition.iri}")
            shapes.add((wrapper, RDF.type, SH.NodeShape))
            shapes.add((wrapper, SH.targetClass, CASE.Case))
            shapes.add((wrapper, SH.node, URIRef(shape)))
    refused = {(result.focus, result.shape) for result in shacl.validate(data, shapes, engine)}
    words = {
        (True, False): Value.HOLDS,
        (False, True): Value.FAILS,
        (False, False): Value.UNKNOWN,
        (True, True): Value.CONFLICTING,
    }
    return [
        {
            condition.iri.removeprefix(COND): words[
                (str(case.node), f"urn:whole:holds:{condition.iri}") not in refused,
                (str(case.node), f"urn:whole:fails:{condition.iri}") not in refused,
            ]
            for condition in every_condition()
        }
        for case in cases
    ]


@pytest.mark.parametrize(("engine", "count"), [("pyshifty", 6), ("pyshacl", 3)])
def test_facts_evaluated_condition_by_condition_give_the_values_of_the_whole_case(engine: str, count: int) -> None:
    @given(batches(20))
    @examples(count, shrink=False)
    def compared(pictures: list[Picture]) -> None:
        cases = checked(pictures, engine)
        assert differing(pictures, evaluated(cases, engine), of_whole_cases(cases, engine)) == []

    compared()


@given(batches(20))
@examples(5, shrink=False)
def test_both_engines_find_the_same_cases_well_formed_and_give_the_same_values(pictures: list[Picture]) -> None:
    first, second = checked(pictures, "pyshacl"), checked(pictures, "pyshifty")
    assert differing(pictures, evaluated(first, "pyshacl"), evaluated(second, "pyshifty")) == []


# ---------------------------------------------------------------------- reading

DAY = date(2026, 7, 1)
PLAIN = Picture(
    service_date=DAY,
    line_of_business="case:Commercial",
    service="clin:DonorLymphocyteInfusion",
    codes=frozenset({"cpt:38242"}),
    reason="clin:MultipleMyeloma",
    findings=(
        Finding(
            MRD, DAY - timedelta(9), (("clin:method", "clin:FlowCytometry"), ("clin:mrdResult", "clin:MRDDetected"))
        ),
        Finding(
            MRD, DAY - timedelta(9), (("clin:method", "clin:FlowCytometry"), ("clin:mrdResult", "clin:MRDNotDetected"))
        ),
        Finding(ABSENCE, DAY - timedelta(5), (("clin:absenceOf", INFUSION),)),
        Finding(ACUTE, DAY + timedelta(1), (("clin:grade", "3"),)),
    ),
)


def facts_of(picture: Picture, name: str) -> tuple[list[str], set[tuple[str, str]]]:
    """The findings that a condition read, by their names in the file, and the other facts."""
    (case,) = checked([picture], "pyshifty")
    (found,) = evaluator("pyshifty").evaluate([case])
    _, facts = found[COND + name]
    findings = sorted(case.in_file(node).rpartition("#")[2] for node in facts.findings)
    return findings, {(VOCABULARY.curie(str(p)), VOCABULARY.curie(str(o))) for _, p, o in facts.statements}


def test_a_condition_reads_the_current_findings_of_its_class_and_no_others() -> None:
    assert facts_of(PLAIN, "mrd-is-detected") == (["finding0", "finding1"], set())
    assert facts_of(PLAIN, "acute-gvhd-of-grade-2-or-higher") == ([], set())


def test_a_stated_absence_is_read_by_the_conditions_on_the_class_that_was_absent() -> None:
    assert facts_of(PLAIN, "earlier-dli-was-given") == (["finding2"], set())
    assert facts_of(PLAIN, "after-allogeneic-transplant") == ([], set())
    (case,) = checked([PLAIN], "pyshifty")
    kinds = {
        case.in_file(node)[-8:]: VOCABULARY.curie(str(finding_class(case, node)))
        for node in case.values(case.node, CASE.finding)
        if isinstance(node, URIRef)
    }
    assert kinds == {"finding0": MRD, "finding1": MRD, "finding2": INFUSION, "finding3": ACUTE}


def test_a_condition_reads_the_properties_that_it_names_wherever_the_request_states_them() -> None:
    assert facts_of(PLAIN, "service-is-dli") == (
        [],
        {("case:service", "clin:DonorLymphocyteInfusion"), ("case:procedureCode", "cpt:38242")},
    )
    assert facts_of(PLAIN, "plan-is-not-medicare") == ([], {("case:lineOfBusiness", "case:Commercial")})
    assert facts_of(PLAIN, "lymphocytes-genetically-modified") == ([], set())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many triples of data the engine was given, call by call."""
    calls: list[int] = []
    real = shacl.validate

    def counted(data: Graph, shapes: Graph, engine: str = "pyshacl", *, rules: bool = False) -> list[shacl.Result]:
        calls.append(len(data))
        return real(data, shapes, engine, rules=rules)

    monkeypatch.setattr(shacl, "validate", counted)
    return calls


def test_evidence_met_before_is_not_evaluated_again(asked: list[int]) -> None:
    other_days = tuple(replace(each, day=each.day - timedelta(20)) for each in PLAIN.findings[:3])
    alike = replace(PLAIN, findings=other_days)
    changed = replace(PLAIN, reason="clin:Melanoma")
    cases = checked([PLAIN, alike, changed, PLAIN], "pyshifty")
    del asked[:]
    fresh = Evaluator(VOCABULARY, every_condition(), "pyshifty")
    first = fresh.evaluate(cases[:2])
    assert len(asked) == 1
    again = fresh.evaluate([cases[3]])
    assert len(asked) == 1
    third = fresh.evaluate([cases[2]])
    assert len(asked) == 2
    only_concepts = len(graph_of(concept_facts(VOCABULARY.ontology)))
    # Of the third case only its reason is new: its node and class, the step to the request, and the reason.
    assert asked[1] == only_concepts + 3
    values = [{iri: value for iri, (value, _) in each.items()} for each in (*first, *again, *third)]
    assert values[0] == values[1] == values[2]
    assert {iri for iri in values[0] if values[0][iri] is not values[3][iri]} == {
        COND + "reason-is-hematologic-malignancy"
    }


def test_no_case_asks_nothing_of_the_engine(asked: list[int]) -> None:
    assert Evaluator(VOCABULARY, every_condition(), "pyshifty").evaluate([]) == []
    assert asked == []


def test_the_properties_of_a_path_are_found_however_it_is_composed() -> None:
    shapes = Graph().parse(
        format="turtle",
        data="""
        PREFIX sh: <http://www.w3.org/ns/shacl#>
        PREFIX : <urn:x:>
        :one sh:path ( :a [ sh:zeroOrMorePath :b ] ) ; sh:in ( :no ) .
        :two sh:property [ sh:path [ sh:alternativePath ( :c [ sh:inversePath :d ] ) ] ] .
        :three sh:path :e ; sh:hasValue :neither .
        """,
    )
    named = {str(each).removeprefix("urn:x:") for each in predicates_in_paths(shapes)}
    assert named >= {"a", "b", "c", "d", "e"}
    assert not named & {"no", "neither", "one", "two", "three"}


def test_the_fixture_and_the_strategies_read_the_same_knowledge_base(kb: KnowledgeBase, policy: Policy) -> None:
    assert (kb.root, policy.folder) == (VOCABULARY.root, VOCABULARY.policy().folder)
