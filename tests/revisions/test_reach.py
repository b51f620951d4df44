"""What a revision reaches: what a seal covers, that all of it breaks the seal, and that nothing else does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import pytest
from rdflib import BNode, Literal, URIRef
from rdflib.namespace import RDF, RDFS, SKOS
from rdflib.term import Node

from kb_tools.checks import run_checks
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import CASE, CLIN, COND, POL, SH, SHAPE
from kb_tools.rdf.terms import Triple
from kb_tools.revisions.reach import LAYERS, Layers, reached, since_sealed
from kb_tools.revisions.seal import differing, digests

ROOT = Path(__file__).parents[2]
CLINICAL, FINDINGS = "ontology/clinical", "shapes/findings"
CASE_SHAPES = "shapes/case.ttl"
# Revisions of CP.MP.101 with criteria, and those of which only the log is known.
LATE = ["2023-10", "2023-11", "2024-04", "2025-02", "2026-02"]
WITH_CRITERIA = ["2019-10", *LATE]
LOG_ONLY = ["2015-11", "2022-10", "2023-02", "2023-08"]

FACTS = "vocabulary-facts"
SHAPES = "case-shapes-and-derivation"

# By revision and layer, the statements on nodes with a name that went (-) and came (+).
Changes: TypeAlias = dict[str, dict[str, list[str]]]
Edit: TypeAlias = Callable[[str, str, str], None]


@pytest.fixture(scope="module")
def before(kb: Repository, policy: Policy) -> dict[str, Layers]:
    """What each revision reaches, before anything is changed."""
    found = {entry.name: reached(kb, policy, entry) for entry in policy.history}
    assert sorted(found) == sorted([*WITH_CRITERIA, *LOG_ONLY])
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A knowledge base of one's own, without example cases and seals."""
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("cases", "seal.*"))
    return tmp_path


@pytest.fixture
def edit(root: Path) -> Edit:
    """Puts one part of a file, which stands in it exactly once, another way; "" for the end of the file.

    Of a folder, that file is meant which holds the part; for "", the first.
    """

    def edited(file: str, old: str, new: str) -> None:
        if (root / file).is_dir():
            paths = sorted((root / file).iterdir())
            file = str(next((path for path in paths if old in path.read_text(encoding="utf-8")), file))
        text = (root / file).read_text(encoding="utf-8")
        assert not old or text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        (root / file).write_text(text.replace(old, new) if old else text + new, encoding="utf-8")

    return edited


def changes(root: Path, before: dict[str, Layers]) -> Changes:
    """What differs from what was reached before, as a seal made then sees it."""
    kb = Repository(root)
    policy = kb.policy("CP.MP.101")
    found: Changes = {}
    for name, sealed in before.items():
        now = since_sealed(sealed, reached(kb, policy, policy.entry(name)))
        for layer in differing(digests(sealed), digests(now)):
            lines = [
                f"{sign} {' '.join(str(term) if isinstance(term, Literal) else kb.curie(str(term)) for term in triple)}"
                for sign, one, other in (("-", sealed, now), ("+", now, sealed))
                for triple in set(one[layer]) - set(other[layer])
                if not any(isinstance(term, BNode) for term in triple)
            ]
            found.setdefault(name, {})[layer] = sorted(lines)
    return found


# ---------------------------------------------------------------------- what each revision reaches


def subjects(triples: Iterable[Triple]) -> set[Node]:
    return {subject for subject, _, _ in triples}


@pytest.mark.parametrize("name", [*WITH_CRITERIA, *LOG_ONLY])
def test_every_condition_that_a_revision_reads_is_covered_with_its_shapes(
    name: str, kb: Repository, policy: Policy, before: dict[str, Layers]
) -> None:
    revision = Revision.load(policy, policy.entry(name))
    covered = subjects(before[name]["conditions"])
    read = {URIRef(iri) for iri in revision.conditions}
    conditions = {node for node in covered if (node, None, POL.Condition) in kb.conditions}
    assert conditions == read
    assert bool(read) == (name in WITH_CRITERIA)
    for condition in revision.conditions.values():
        assert {URIRef(condition.holds_when), URIRef(condition.fails_when)} <= covered
    # Nothing is pointed to and left out, other conditions excepted.
    described = set(kb.conditions.subjects())
    left_out = {object_ for _, _, object_ in before[name]["conditions"] if object_ in described} - covered
    assert left_out == set()


def test_a_revision_covers_the_criteria_that_it_shares_and_the_definition_that_it_borrows(
    policy: Policy, before: dict[str, Layers]
) -> None:
    gvhd, mixed = (URIRef(f"{policy.iri}/{name}") for name in ("criterion/acute-gvhd", "definition/mixed-chimerism"))
    assert gvhd in subjects(before["2024-04"]["revision"])
    assert gvhd not in subjects(before["2019-10"]["revision"])
    assert mixed in subjects(before["2019-10"]["revision"])
    assert mixed not in subjects(before["2024-04"]["revision"])


ALWAYS = {CLIN.Transplant, CLIN.DiseaseStatusAssessment, CLIN.StatedAbsence}
READ_LATE = {*ALWAYS, CLIN.MRDTest, CLIN.RelapseRiskAssessment, CLIN.AcuteGvHDAssessment}
FINDINGS_READ = {
    "2019-10": {*ALWAYS, CLIN.ChimerismTest, CLIN.EarlierInfusion},
    **dict.fromkeys(LATE, READ_LATE),
    "2026-02": {*READ_LATE, CLIN.ChimerismTest, CLIN.ChronicGvHDAssessment},
}


def test_the_classes_of_findings_that_conditions_and_rules_read_are_covered_and_no_others(
    kb: Repository, before: dict[str, Layers]
) -> None:
    classes = set(kb.ontology.subjects(RDFS.subClassOf, CASE.Finding))
    for name, read in FINDINGS_READ.items():
        shapes, facts = before[name][SHAPES], before[name][FACTS]
        targets = {object_ for _, predicate, object_ in shapes if predicate == SH.targetClass}
        assert targets == {*read, CASE.Case, CASE.Coverage, CASE.Request, CASE.Product}
        assert subjects(facts) & classes == read
        assert {object_ for _, predicate, object_ in shapes if predicate == RDF.first} & classes == read
        flags = {predicate for subject, predicate, _ in facts if subject == CLIN.Transplant}
        assert flags == {
            CASE.countedBy, CASE.latestCounts, CASE.ofReasonOnly, CASE.onServiceDate,
            CASE.startsPeriodBy, CASE.startsPeriodWith, CASE.startsNoPeriodWith,
        }  # fmt: skip


def test_what_decides_a_case_besides_is_covered_where_a_case_can_be_decided(before: dict[str, Layers]) -> None:
    for name in LOG_ONLY:
        assert (before[name][SHAPES], before[name][FACTS]) == ([], [])
    for name in WITH_CRITERIA:
        shapes, facts = before[name][SHAPES], before[name][FACTS]
        assert {SHAPE.CountableFindings, SHAPE.CurrentFindings, SHAPE.Contradictions} <= subjects(shapes)
        assert SH.construct in {predicate for _, predicate, _ in shapes}
        assert not {SH.message} & {predicate for _, predicate, _ in shapes}
        assert (CLIN.AcuteMyeloidLeukemia, SKOS.broaderTransitive, CLIN.HematologicMalignancy) in facts
        assert (CLIN.Melanoma, RDF.type, CLIN.Disease) in facts


def test_a_relation_between_two_conditions_belongs_to_a_revision_that_reads_both(before: dict[str, Layers]) -> None:
    only, lowering = COND["raising-donor-chimerism-is-the-only-purpose"], COND["lowering-relapse-risk-is-a-purpose"]
    covered = before["2026-02"]["conditions"]
    assert (only, POL.excludes, lowering) in covered
    # 2019-10 reads the entailed condition, and 2026-02 does not.
    assert (only, POL.entails, COND["raising-donor-chimerism-is-a-purpose"]) not in covered


def test_a_definition_that_a_condition_names_is_covered_wherever_it_is_stated(root: Path, edit: Edit) -> None:
    file = "policies/CP.MP.101/2019-10/criteria.ttl"
    text = (root / file).read_text(encoding="utf-8")
    edit(file, text[text.index("    pol:borrowsDefinition\n") : text.index("crit:service\n")], "    .\n\n")
    kb = Repository(root)
    covered = reached(kb, kb.policy(), kb.policy().entry("2019-10"))
    mixed = URIRef("https://w3id.org/policykb/CP.MP.101/definition/mixed-chimerism")
    assert mixed in subjects(covered["conditions"])
    assert mixed not in subjects(covered["revision"])


# ---------------------------------------------------------------------- what is new and not reached


NEW_TERMS = """
clin:Leukapheresis
    a owl:Class ;
    rdfs:subClassOf case:Finding ;
    rdfs:label "leukapheresis"@en ;
    skos:definition "Invented for a test."@en ;
    case:countedBy clin:yield ;
    case:differsBy clin:yield ;
    case:latestCounts true ;
    case:ofReasonOnly false ;
    case:onServiceDate true .

clin:yield
    a owl:ObjectProperty ;
    rdfs:label "yield"@en ;
    skos:definition "Invented for a test."@en ;
    rdfs:domain clin:Leukapheresis ;
    rdfs:range clin:Yield .

clin:Yield
    a owl:Class ;
    rdfs:subClassOf skos:Concept ;
    rdfs:label "yield"@en ;
    skos:definition "Invented for a test."@en .

clin:HighYield a clin:Yield ; skos:prefLabel "high"@en ;
    skos:definition "Invented for a test."@en .
clin:Hypertension a clin:Disease ; skos:prefLabel "hypertension"@en ;
    skos:definition "Invented for a test."@en .
clin:MixedLineageLeukemia a clin:Disease ; skos:prefLabel "mixed lineage leukemia"@en ;
    skos:definition "Invented for a test."@en ; skos:broader clin:AcuteLeukemia .
"""

NEW_SHAPES = """
shape:Leukapheresis
    a sh:NodeShape ;
    sh:targetClass clin:Leukapheresis ;
    sh:closed true ;
    sh:ignoredProperties ( rdf:type ) ;
    sh:property shape:Finding-date ;
    sh:property shape:Finding-basis ;
    sh:property shape:Leukapheresis-yield ;
    sh:message "A leukapheresis states its date, basis and yield, and nothing else."@en .

shape:Leukapheresis-yield
    a sh:PropertyShape ;
    sh:path clin:yield ;
    sh:maxCount 1 ;
    sh:class clin:Yield ;
    sh:message "State at most one yield."@en .
"""

NEW_CONDITION = """
PREFIX case: <https://w3id.org/policykb/case#>
PREFIX clin: <https://w3id.org/policykb/clinical#>
PREFIX cond: <https://w3id.org/policykb/condition#>
PREFIX pol:  <https://w3id.org/policykb/policy#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX sh:   <http://www.w3.org/ns/shacl#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>

cond:yield-is-high
    a pol:Condition ;
    rdfs:label "the yield is high"@en ;
    skos:definition "Invented for a test."@en ;
    pol:asksFor "The yield."@en ;
    pol:reads clin:Leukapheresis ;
    pol:possibleValue pol:Holds , pol:Fails , pol:Unknown ;
    pol:holdsWhen cond:YieldHigh ;
    pol:failsWhen cond:YieldNotHigh .

cond:YieldHigh
    a sh:NodeShape ;
    sh:property cond:YieldHigh-finding .

cond:YieldHigh-finding
    a sh:PropertyShape ;
    sh:path case:currentFinding ;
    sh:qualifiedValueShape [
        sh:class clin:Leukapheresis ;
        sh:property [ sh:path clin:yield ; sh:minCount 1 ; sh:in ( clin:HighYield ) ] ] ;
    sh:qualifiedMinCount 1 ;
    sh:message "The yield is not high."@en .

cond:YieldNotHigh
    a sh:NodeShape ;
    sh:property cond:YieldNotHigh-finding .

cond:YieldNotHigh-finding
    a sh:PropertyShape ;
    sh:path case:currentFinding ;
    sh:qualifiedValueShape [
        sh:class clin:Leukapheresis ;
        sh:property [ sh:path clin:yield ; sh:minCount 1 ; sh:not [ sh:in ( clin:HighYield ) ] ] ] ;
    sh:qualifiedMinCount 1 ;
    sh:message "The yield is not stated to be other than high."@en .
"""


def test_a_new_class_concept_condition_and_policy_leave_every_seal_whole(
    root: Path, edit: Edit, before: dict[str, Layers]
) -> None:
    edit(CLINICAL, "", NEW_TERMS)
    edit(FINDINGS, "", NEW_SHAPES)
    (root / "shapes/conditions/leukapheresis.ttl").write_text(NEW_CONDITION.lstrip(), encoding="utf-8")
    new_policy = ROOT / "tests/data/TST.7"
    shutil.copytree(new_policy, root / "policies/TST.7", ignore=shutil.ignore_patterns("cases"))
    edit(
        "policies/TST.7/2024-01/criteria.ttl",
        "( cond:mrd-is-detected cond:relapse-risk-is-raised )",
        "( cond:mrd-is-detected cond:yield-is-high )",
    )
    assert changes(root, before) == {}
    # The new is in place and not merely ignored.
    kb = Repository(root)
    checked = ["terms-defined", "undefined-terms", "dangling-iris", "conditions", "condition-reads", "finding-classes"]
    assert [result.problems for result in run_checks(kb, checked)] == [()] * 6
    policy = kb.policy("TST.7")
    layers = reached(kb, policy, policy.entry("2024-01"))
    named = {kb.curie(str(subject)) for layer in LAYERS for subject, _, _ in layers[layer]}
    new = {"cond:YieldHigh", "shape:Leukapheresis", "shape:Leukapheresis-yield", "clin:Leukapheresis", "clin:HighYield"}
    assert new <= named
    # What the new policy does not read is not sealed with it: no other condition, and no other class.
    assert not {"cond:AllogeneicTransplant", "shape:ChimerismTest", "clin:ChimerismTest", "clin:WholeBlood"} & named


def test_what_is_said_of_a_class_concerns_only_the_revisions_that_read_it(
    edit: Edit, root: Path, before: dict[str, Layers]
) -> None:
    """No earlier infusion is read since 2023-10, and no GvHD was before that."""
    edit(FINDINGS, "sh:class clin:InfusionResponse ;", "sh:class clin:InfusionResponse ;\n    sh:nodeKind sh:IRI ;")
    edit(
        CLINICAL,
        "clin:ResponseNotDocumented a clin:Inf",
        "clin:NoResponse skos:broader clin:PositiveResponse .\nclin:ResponseNotDocumented a clin:Inf",
    )
    assert changes(root, before) == {
        "2019-10": {
            SHAPES: ["+ shape:EarlierInfusion-response sh:nodeKind sh:IRI"],
            FACTS: ["+ clin:NoResponse skos:broaderTransitive clin:PositiveResponse"],
        }
    }


# ---------------------------------------------------------------------- what is reached


@pytest.mark.parametrize(
    ("file", "old", "new", "revisions", "layer", "lines"),
    [
        pytest.param(
            "ontology/clinical/chimerism.ttl",
            "    case:countsSince clin:Transplant ;\n",
            "",
            ["2019-10", "2026-02"],
            FACTS,
            ["- clin:ChimerismTest case:countsSince clin:Transplant"],
            id="a flag of a class that is read",
        ),
        pytest.param(
            FINDINGS,
            "    sh:path clin:mrdResult ;\n    sh:maxCount 1 ;\n",
            "    sh:path clin:mrdResult ;\n    sh:maxCount 2 ;\n",
            LATE,
            SHAPES,
            ["+ shape:MRDTest-mrdResult sh:maxCount 2", "- shape:MRDTest-mrdResult sh:maxCount 1"],
            id="a shape of a class that is read",
        ),
        pytest.param(
            CASE_SHAPES,
            "    sh:maxCount 1 ;\n    sh:class clin:Service ;\n",
            "    sh:maxCount 2 ;\n    sh:class clin:Service ;\n",
            WITH_CRITERIA,
            SHAPES,
            ["+ shape:Request-service sh:maxCount 2", "- shape:Request-service sh:maxCount 1"],
            id="a shape of the request",
        ),
        pytest.param(
            CASE_SHAPES,
            "    sh:path clin:lymphocyteDonor ;\n    sh:maxCount 1 ;\n",
            "    sh:path clin:lymphocyteDonor ;\n    sh:maxCount 2 ;\n",
            ["2026-02"],
            SHAPES,
            ["+ shape:Product-lymphocyteDonor sh:maxCount 2", "- shape:Product-lymphocyteDonor sh:maxCount 1"],
            id="a shape of what a product may leave out and one revision reads",
        ),
        pytest.param(
            "ontology/clinical/transplant.ttl",
            "    case:startsNoPeriodWith clin:Autologous ;\n",
            "    case:startsNoPeriodWith clin:Autologous , clin:Syngeneic ;\n",
            WITH_CRITERIA,
            FACTS,
            ["+ clin:Transplant case:startsNoPeriodWith clin:Syngeneic"],
            id="what starts no period",
        ),
        pytest.param(
            CLINICAL,
            "skos:broader clin:AcuteMyeloidLeukemia ;\n    clin:icd10cm \"C92.4\"",
            "skos:broader clin:Leukemia ;\n    clin:icd10cm \"C92.4\"",
            WITH_CRITERIA,
            FACTS,
            None,
            id="a disease moved to another group",
        ),
        pytest.param(
            CLINICAL,
            "skos:definition \"Malignant melanoma of the skin.\"@en ;",
            "skos:definition \"Malignant melanoma of the skin.\"@en ; skos:broader clin:Lymphoma ;",
            WITH_CRITERIA,
            FACTS,
            [
                "+ clin:Melanoma skos:broaderTransitive clin:HematologicMalignancy",
                "+ clin:Melanoma skos:broaderTransitive clin:Lymphoma",
            ],
            id="a disease that no condition names, put under one that a condition names",
        ),
        pytest.param(
            CLINICAL,
            "clin:Melanoma\n    a clin:Disease ;",
            "clin:Melanoma\n    a clin:Term ;",
            WITH_CRITERIA,
            FACTS,
            ["- clin:Melanoma rdf:type clin:Disease", "- clin:Melanoma skos:broaderTransitive clin:SolidTumor"],
            id="a disease that no condition names, no longer one",
        ),
        pytest.param(
            CLINICAL,
            "skos:definition \"From donated umbilical cord blood.\"@en ; skos:broader clin:Allogeneic .",
            "skos:definition \"From donated umbilical cord blood.\"@en .",
            WITH_CRITERIA,
            FACTS,
            ["- clin:CordBlood skos:broaderTransitive clin:Allogeneic"],
            id="a source of grafts, no longer allogeneic",
        ),
        pytest.param(
            "ontology/case.ttl",
            "skos:definition \"A Medicaid managed care plan without Medicare.\"@en .",
            "skos:definition \"A Medicaid managed care plan without Medicare.\"@en ; skos:broader case:Medicare .",
            LATE[1:],
            FACTS,
            ["+ case:Medicaid skos:broaderTransitive case:Medicare"],
            id="a line of business put under another",
        ),
        pytest.param(
            "shapes/derivation.ttl",
            "?how skos:broader* ?with .",
            "?how skos:broader ?with .",
            WITH_CRITERIA,
            SHAPES,
            None,
            id="a rule of derivation",
        ),
    ],
)  # fmt: skip
def test_what_is_reached_breaks_the_seals_that_reach_it(
    file: str,
    old: str,
    new: str,
    revisions: list[str],
    layer: str,
    lines: list[str] | None,
    edit: Edit,
    root: Path,
    before: dict[str, Layers],
) -> None:
    edit(file, old, new)
    found = changes(root, before)
    assert sorted(found) == revisions
    assert [list(layers) for layers in found.values()] == [[layer]] * len(revisions)
    if lines is not None:
        assert [layers[layer] for layers in found.values()] == [lines] * len(revisions)


# ---------------------------------------------------------------------- concepts newer than a seal


def new_disease(*broader: str) -> str:
    over = f" ; skos:broader {' , '.join(broader)}" if broader else ""
    return f'clin:NewDisease a clin:Disease ; skos:prefLabel "new"@en ; skos:definition "Invented."@en{over} .\n'


@pytest.mark.parametrize(
    "broader",
    [(), ("clin:HematologicMalignancy",), ("clin:AcuteMyeloidLeukemia", "clin:AcuteLeukemia"), ("clin:SolidTumor",)],
)
def test_a_disease_newer_than_the_seal_leaves_it_whole(
    broader: tuple[str, ...], edit: Edit, root: Path, before: dict[str, Layers]
) -> None:
    edit(CLINICAL, "", new_disease(*broader))
    assert changes(root, before) == {}


def test_a_group_newer_than_the_seal_leaves_it_whole_where_its_members_stand_under_what_they_stood_under(
    edit: Edit, root: Path, before: dict[str, Layers]
) -> None:
    edit(CLINICAL, "", new_disease("clin:SolidTumor") + "clin:Melanoma skos:broader clin:NewDisease .\n")
    assert changes(root, before) == {}


def test_a_new_group_breaks_the_seal_where_it_brings_a_disease_under_another(
    edit: Edit, root: Path, before: dict[str, Layers]
) -> None:
    edit(CLINICAL, "", new_disease("clin:HematologicMalignancy") + "clin:Melanoma skos:broader clin:NewDisease .\n")
    lines = ["+ clin:Melanoma skos:broaderTransitive clin:HematologicMalignancy"]
    assert changes(root, before) == {name: {FACTS: lines} for name in WITH_CRITERIA}


def test_a_new_disease_breaks_the_seal_where_it_is_the_first_kind_of_two_groups(
    edit: Edit, root: Path, before: dict[str, Layers]
) -> None:
    """From then on a status of the one group may be one of the other."""
    edit(CLINICAL, "", new_disease("clin:HodgkinLymphoma", "clin:Myelofibrosis"))
    lines = [
        "+ clin:NewDisease rdf:type clin:Disease",
        *(
            f"+ clin:NewDisease skos:broaderTransitive clin:{disease}"
            for disease in (
                "HematologicMalignancy",
                "HodgkinLymphoma",
                "Lymphoma",
                "Myelofibrosis",
                "MyeloproliferativeNeoplasm",
            )
        ),
    ]
    assert changes(root, before) == {name: {FACTS: lines} for name in WITH_CRITERIA}


# ---------------------------------------------------------------------- line ends


def test_line_ends_of_windows_break_no_seal(root: Path, before: dict[str, Layers]) -> None:
    for path in root.rglob("*.ttl"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert changes(root, before) == {}


def test_line_ends_of_windows_written_as_escapes_break_no_seal(
    edit: Edit, root: Path, before: dict[str, Layers]
) -> None:
    edit(
        "shapes/derivation.ttl",
        "CONSTRUCT { $this case:countableFinding ?finding }\n",
        "CONSTRUCT { $this case:countableFinding ?finding }\\r\\n",
    )
    assert changes(root, before) == {}
