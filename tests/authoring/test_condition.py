"""kb new condition: both shapes, right for bounds, words to go on from, and example cases."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rdflib import Graph, Literal, URIRef
from rdflib.compare import isomorphic
from rdflib.namespace import SKOS
from rdflib.term import Node
from several_policies import DATA, invented_alone

from kb_tools.authoring.condition import Asked, Limit, write_condition
from kb_tools.cases.reader import CaseReader
from kb_tools.checks import run_checks
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.errors import KbError
from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import BASE, CASE, CLIN, COND, POL, SH, SHAPE

SIDES = ("holds", "fails", "unknown")
GVHD = "clin:AcuteGvHDAssessment"
GRADE_3 = Asked("gvhd-3", GVHD, Limit(True, "3"))
CHECKS = ("conditions", "condition-reads", "condition-form", "condition-severity", "pieces-are-local", "terms-in-place",
          "undefined-terms", "terms-defined", "shape-form", "prefixes", "property-kinds")  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return invented_alone(tmp_path, "EX.5")


def written(root: Path, asked: Asked) -> list[str]:
    paths = write_condition(Repository(root).policy("EX.5"), asked)
    return [path.relative_to(root).as_posix() for path in paths]


def shape(graph: Graph, node: Node, names: dict[Node, Node], old: Literal | None = None) -> Graph:
    """What is said of a shape and all in it, under other names and with 3 in place of a number; without its message."""
    found, waiting, seen = Graph(), [node], {node}
    while waiting:
        for subject, predicate, value in graph.triples((waiting.pop(), None, None)):
            if predicate == SH.message:
                continue
            found.add((names.get(subject, subject), predicate, Literal(3) if value == old else names.get(value, value)))
            if value not in seen and not isinstance(value, Literal):
                seen.add(value)
                waiting.append(value)
    return found


def test_a_threshold_has_the_shapes_of_the_one_on_file_with_another_number(root: Path) -> None:
    files = written(root, GRADE_3)
    assert files == [
        "shapes/conditions/gvhd.ttl",
        *(f"policies/EX.5/cases/gvhd-3-{side}.ttl" for side in SIDES),
    ]
    graph = Repository(root).conditions
    for link, old, new in (
        (POL.holdsWhen, "AcuteGvHDGrade2OrHigher", "Gvhd3"),
        (POL.failsWhen, "AcuteGvHDBelowGrade2", "NotGvhd3"),
    ):
        assert graph.value(COND["gvhd-3"], link) == COND[new]
        names: dict[Node, Node] = {COND[old]: COND[new], COND[f"{old}-finding"]: COND[f"{new}-finding"]}
        assert isomorphic(shape(graph, COND[old], names, Literal(2)), shape(graph, COND[new], {}))


def test_what_is_written_passes_the_checks_but_for_what_is_to_do(root: Path) -> None:
    written(root, GRADE_3)
    written(root, Asked("severe", "ChronicGvHDAssessment", values=("SevereChronicGvHD",), own=True))
    kb = Repository(root)
    found = {result.check.id: result.problems for result in run_checks(kb, [*CHECKS, "to-do", "examples"], "EX.5")}
    assert {id_: problems for id_, problems in found.items() if problems and id_ not in ("to-do", "examples")} == {
        # The definitions of another policy, which is not on file here.
        "prefixes": found["prefixes"]
    }
    assert [problem.where for problem in found["prefixes"]] == ["shapes/conditions/chimerism.ttl:5"]
    assert {problem.where for problem in found["to-do"]} == {"cond:gvhd-3", "ex5cond:severe"}
    assert len(found["examples"]) == 6


def test_a_condition_on_terms_may_be_the_policy_s_own(root: Path) -> None:
    files = written(root, Asked("severe", "ChronicGvHDAssessment", values=("SevereChronicGvHD",), own=True))
    assert files[:2] == ["policies/EX.5/shapes/conditions/severe.ttl", "policies/EX.5/policy.ttl"]
    kb = Repository(root)
    own = "https://w3id.org/policykb/EX.5/condition#"
    assert kb.policy("EX.5").own_prefixes["ex5cond"] == own
    listed = [
        [
            str(term).rpartition("#")[2]
            for term in shape(kb.conditions, URIRef(own + name), {}).objects()
            if "GvHD" in str(term)
        ]
        for name in ("Severe", "NotSevere")
    ]
    assert sorted(set(listed[0]) - {"ChronicGvHDAssessment"}) == ["SevereChronicGvHD"]
    assert sorted(set(listed[1]) - {"ChronicGvHDAssessment"}) == [
        "MildChronicGvHD", "ModerateChronicGvHD", "NoChronicGvHD"
    ]  # fmt: skip


def test_the_cases_state_a_value_on_each_side_and_none(root: Path) -> None:
    written(root, Asked("gvhd-at-most-1", GVHD, Limit(False, "1")))
    kb = Repository(root)
    grades = []
    for side in SIDES:
        path = root / f"policies/EX.5/cases/gvhd-at-most-1-{side}.ttl"
        [_] = CaseReader(kb).read(path.name, path)
        grades.append([int(str(grade)) for grade in Graph().parse(path).objects(None, CLIN.grade)])
    assert grades == [[1], [2], []]


def test_a_bound_from_above_that_is_not_reached_counts_for_what_is_below(root: Path) -> None:
    path = root / "ontology/clinical/gvhd.ttl"
    path.write_text(path.read_text(encoding="utf-8") + "\nclin:grade case:below clin:gradeBelow .\n", encoding="utf-8")
    written(root, GRADE_3)
    text = (root / "shapes/conditions/gvhd.ttl").read_text(encoding="utf-8")
    assert "[ sh:path clin:gradeBelow ; sh:minCount 1 ; sh:maxInclusive 3 ]" in text
    graph = Repository(root).conditions
    assert len(list(shape(graph, COND.NotGvhd3, {}).triples((None, SH["or"], None)))) == 1
    assert not list(shape(graph, COND.Gvhd3, {}).triples((None, SH["or"], None)))
    assert (CLIN.grade, CASE.below, CLIN.gradeBelow) in Repository(root).ontology


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked("Gvhd", GVHD, Limit(True, "3")), "'Gvhd' is no name of a condition; write small letters and digits, "),
        (
            Asked("mrd-is-detected", GVHD, Limit(True, "3")),
            "condition mrd-is-detected is there already; choose another",
        ),
        (
            Asked("x", "clin:AcuteGvHDAsessment", Limit(True, "3")),
            "no class of findings, nor property of the request or the coverage, clin:AcuteGvHDAsessment; did you",
        ),
        (
            Asked("x", "Drug", Limit(True, "3")),
            "clin:Drug is a kind of product; write its shapes by hand; docs/policies.md names conditions to copy",
        ),
        (
            Asked("x", "clin:MRDTest", values=("MRDDetected",)),
            "findings of clin:MRDTest count apart for each clin:method;",
        ),
        (
            Asked("x", "clin:Transplant", values=("Allogeneic",)),
            "findings of clin:Transplant count whether or not they state a term; write its",
        ),
        (
            Asked("x", GVHD, values=("Severe",)),
            "clin:AcuteGvHDAssessment has 0 properties whose value is a term; ask for",
        ),
        (
            Asked("x", "clin:EarlierInfusion", Limit(True, "2")),
            "clin:EarlierInfusion has 0 properties whose value is a",
        ),
        (Asked("x", GVHD), "clin:AcuteGvHDAssessment has 0 properties whose value is a term; ask for the other kind"),
        (
            Asked("x", GVHD, Limit(True, "2"), of="Marrow"),
            "findings of clin:AcuteGvHDAssessment do not count apart; lea",
        ),
        (Asked("x", GVHD, Limit(True, "2"), within="6 months"), "'6 months' is no window; give whole years and months"),
        (
            Asked("x", "case:patientAge", values=("Adult",)),
            "the value of case:patientAge is no term; give a limit with",
        ),
        (Asked("x", "case:reason", Limit(True, "2")), "the value of case:reason is no number; give the terms that it"),
        (Asked("x", "case:reason", values=("cpt:38242",)), "codes name a service; give them with --reads case:service"),
        (
            Asked("x", "case:service", values=("cpt:38242",)),
            "no value of case:service is named; name the service besid",
        ),
        (Asked("x", GVHD, Limit(True, "٣")), "'٣' is no limit; give a whole number, as clin:grade takes"),
        (
            Asked("relapse-risk-raised", "clin:RelapseRiskAssessment", values=("RelapseRiskNotRaised",)),
            "the shapes of relapse-risk-raised would have the name of cond:RelapseRiskRaised, which is there already;",
        ),
        (Asked("x", "case:reason", values=("DLBCL",)), "no value of case:reason DLBCL; known: "),
        (
            Asked("x", "case:reason", values=("xcrit:Wilt",)),
            "no value of case:reason xcrit:Wilt; describe it in policies/EX.5/ontology first, as docs",
        ),
        (
            Asked("x", "case:patientAge", Limit(True, "18"), within="P1Y"),
            "case:patientAge is no class of findings; leave",
        ),
        (Asked("x", GVHD, Limit(True, "three")), "'three' is no limit; give a whole number, as clin:grade takes"),
        (Asked("x", GVHD, Limit(True, "2.5")), "'2.5' is no limit; give a whole number, as clin:grade takes"),
        (Asked("x", GVHD, Limit(True, "0")), "clin:grade is never on both sides of 0; its shape says: minInclusive 0"),
    ],
)
def test_what_cannot_be_written_is_one_line_and_nothing_is_changed(root: Path, asked: Asked, message: str) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*.ttl")}
    with pytest.raises(KbError) as error:
        written(root, asked)
    assert str(error.value).startswith(message)
    assert {path: path.read_bytes() for path in root.rglob("*.ttl")} == before


def test_what_findings_count_apart_by_is_to_be_required(root: Path) -> None:
    (root / "ontology/clinical/vaccination.ttl").write_text(PREFIXES + VOCABULARY, encoding="utf-8")
    optional = FINDINGS.replace("sh:path clin:vaccine ; sh:minCount 1 ;", "sh:path clin:vaccine ;")
    (root / "shapes/findings/vaccination.ttl").write_text(PREFIXES + optional, encoding="utf-8")
    with pytest.raises(KbError) as error:
        written(root, Asked("flu-shot", "clin:VaccinationRecord", values=("true",), of="Influenza"))
    assert str(error.value) == (
        "findings of clin:VaccinationRecord count apart for each clin:vaccine; make clin:vaccine required in its shape "
        "(sh:minCount 1), or write its shapes by hand; docs/policies.md names conditions to copy"
    )


def test_nothing_is_written_over(root: Path) -> None:
    case = root / "policies/EX.5/cases/gvhd-3-fails.ttl"
    case.write_text("# Mine.\n", encoding="utf-8")
    with pytest.raises(KbError, match=r"gvhd-3-fails\.ttl: is there already; choose another name"):
        written(root, GRADE_3)
    assert "gvhd-3" not in (root / "shapes/conditions/gvhd.ttl").read_text(encoding="utf-8")


# What is asked; and what a case states in place of the written ones: request, findings and what the condition comes to.
OWN = "https://w3id.org/policykb/EX.5/condition#"
TRIED: list[tuple[Asked, list[tuple[str, str, Value]]]] = [
    (Asked("adult", "case:patientAge", Limit(True, "18"), own=True), []),
    (
        Asked("lymphoma", "case:reason", values=("NonHodgkinLymphoma",), own=True),
        # A kind of it; what it is a kind of, which may be it or not.
        [("case:reason clin:FollicularLymphoma", "", Value.HOLDS), ("case:reason clin:Lymphoma", "", Value.UNKNOWN)],
    ),
    (
        Asked("infusion", "case:service", values=("DonorLymphocyteInfusion", "cpt:38242"), own=True),
        [
            ("case:procedureCode cpt:38242", "", Value.HOLDS),
            ("case:procedureCode cpt:38999", "", Value.UNKNOWN),
            ("case:procedureCode cpt:38242 ; case:service clin:StemCellBoost", "", Value.CONFLICTING),
        ],
    ),
    (
        Asked("infusion-within-a-year", "clin:EarlierInfusion", within="P1Y", own=True),
        # The first day of the year, the day before it.
        [
            ("", 'clin:EarlierInfusion ; case:date "2025-07-01"^^xsd:date', Value.HOLDS),
            ("", 'clin:EarlierInfusion ; case:date "2025-06-30"^^xsd:date', Value.UNKNOWN),
        ],
    ),
    (
        Asked("diet-of-6-months", "bs6v:SupervisedDiet", Limit(True, "6"), property="dietMonths", own=True),
        # Of all diets one is enough; a short one says nothing against that there was a longer one.
        [
            ("", 'bs6v:SupervisedDiet ; case:date "2026-05-01"^^xsd:date ; bs6v:dietMonths 5', Value.UNKNOWN),
            ("", 'bs6v:SupervisedDiet ; case:date "2026-05-01"^^xsd:date ; bs6v:dietMonthsAtLeast 7', Value.HOLDS),
        ],
    ),
    (
        Asked("flu-shot", "clin:VaccinationRecord", values=("true",), of="Influenza", own=True),
        [
            (
                "",
                'clin:VaccinationRecord ; case:date "2026-05-01"^^xsd:date ; '
                "clin:vaccine clin:Measles ; clin:vaccinated true",
                Value.UNKNOWN,
            )
        ],
    ),
]


# A kind of findings that count apart for each of some terms, and whose value is yes or no, as none on file is.
PREFIXES = f"""PREFIX case: <{CASE}>
PREFIX clin: <{CLIN}>
PREFIX owl: <http://www.w3.org/2002/07/owl#>
PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX sh: <{SH}>
PREFIX shape: <{SHAPE}>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
"""
VOCABULARY = """
clin:VaccinationRecord a owl:Class ; rdfs:subClassOf case:Finding ; rdfs:label "vaccination record"@en ;
    case:countedBy clin:vaccinated ; case:differsBy clin:vaccinated ; case:keyProperty clin:vaccine ;
    case:latestCounts true ; case:ofReasonOnly false ; case:onServiceDate true .
clin:vaccinated a owl:DatatypeProperty ; rdfs:label "vaccinated"@en ; rdfs:domain clin:VaccinationRecord .
clin:vaccine a owl:ObjectProperty ; rdfs:label "vaccine"@en ; rdfs:domain clin:VaccinationRecord .
clin:Vaccine a owl:Class ; rdfs:subClassOf skos:Concept ; rdfs:label "vaccine"@en .
clin:Influenza a clin:Vaccine ; skos:prefLabel "influenza"@en .
clin:Measles a clin:Vaccine ; skos:prefLabel "measles"@en .
"""
FINDINGS = """
shape:VaccinationRecord a sh:NodeShape ; sh:targetClass clin:VaccinationRecord ; sh:closed true ;
    sh:ignoredProperties ( rdf:type case:supersededBy case:differsFrom case:contradictedBy
                           case:mayBeBefore case:mayBeSupersededBy case:mayNotBeOf case:sharesDoubtOf ) ;
    sh:property shape:Finding-date , shape:Finding-basis , shape:Finding-inDoubt ,
        shape:VaccinationRecord-vaccine , shape:VaccinationRecord-vaccinated .
shape:VaccinationRecord-vaccine a sh:PropertyShape ; sh:path clin:vaccine ; sh:minCount 1 ; sh:maxCount 1 ;
    sh:class clin:Vaccine ; sh:message "State exactly one clin:vaccine."@en .
shape:VaccinationRecord-vaccinated a sh:PropertyShape ; sh:path clin:vaccinated ; sh:maxCount 1 ;
    sh:datatype xsd:boolean ; sh:message "State at most one clin:vaccinated, true or false."@en .
"""


def test_its_value_is_right_on_each_side_of_it(root: Path) -> None:
    shutil.copytree(DATA / "BS.6", root / "policies/BS.6")
    (root / "ontology/clinical/vaccination.ttl").write_text(PREFIXES + VOCABULARY, encoding="utf-8")
    (root / "shapes/findings/vaccination.ttl").write_text(PREFIXES + FINDINGS, encoding="utf-8")
    for asked, _ in TRIED:
        written(root, asked)
    criteria = root / "policies/EX.5/2024-01/criteria.ttl"
    listed = " ".join(f"<{OWN}{asked.name}>" for asked, _ in TRIED)
    text = criteria.read_text(encoding="utf-8")
    criteria.write_text(text.replace("cond:mrd-is-detected cond:relapse-risk-is-raised", listed), encoding="utf-8")
    folder, expected = root / "policies/EX.5/cases", []
    for asked, others in TRIED:
        sides = ((side, value) for side, value in zip(SIDES, (Value.HOLDS, Value.FAILS, Value.UNKNOWN), strict=True))
        expected += [(f"{asked.name}-{side}", asked.name, value) for side, value in sides]
        for number, (request, finding, value) in enumerate(others):
            name = f"{asked.name}-{number}"
            shutil.copy(folder / f"{asked.name}-unknown.ttl", folder / f"{name}.ttl")
            stated = (folder / f"{name}.ttl").read_text(encoding="utf-8").replace("-unknown#", f"-{number}#")
            spaces = {"bs6v": f"{BASE}BS.6/vocabulary#", "clin": CLIN, "cpt": f"{BASE}code/cpt/"}
            stated = "".join(f"PREFIX {prefix}: <{space}>\n" for prefix, space in spaces.items()) + stated
            if request:
                stated = stated.replace("a case:Request ;", f"a case:Request ; {request} ;")
            if finding:
                stated = stated.replace("^^xsd:date ] .", "^^xsd:date ] ; case:finding :finding .")
                stated += f":finding a {finding} ; case:basis case:ChartEvidence .\n"
            (folder / f"{name}.ttl").write_text(stated, encoding="utf-8")
            expected.append((name, asked.name, value))
    kb = Repository(root)
    words = {asked.name: str(kb.conditions.value(URIRef(OWN + asked.name), POL.asksFor)) for asked, _ in TRIED}
    diet, shot = words["diet-of-6-months"], words["flu-shot"]
    assert diet == "Every supervised diet, with its date and duration of the diet, or that there was none."
    assert shot == "Whether vaccinated, by the latest vaccination record of influenza, with its date."
    said = kb.conditions.value(URIRef(OWN + "flu-shot"), SKOS.definition)
    assert str(said) == "The latest vaccination record of influenza up to the service date states vaccinated: true."
    cases = [CaseReader(kb).read(f"{name}.ttl", folder / f"{name}.ttl")[0] for name, _, _ in expected]
    answers = list(Run(kb, kb.policy("EX.5"), "pyshifty", "2024-01").answers(iter(cases)))
    found = []
    for (name, condition, _), answer in zip(expected, answers, strict=True):
        assert isinstance(answer, Determination), (name, answer)
        found.append((name, condition, answer.condition_results[OWN + condition].value))
    assert found == expected
