"""What codes mean: the rows of the terminology, what a plan adds to them, and what contradicts them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from rdflib import Literal, URIRef
from rdflib.namespace import DCTERMS, RDF, RDFS, SKOS

from kb_tools.cases.meaning import Meaning
from kb_tools.cases.terminology import Terminology
from kb_tools.errors import KnowledgeBaseError, UnreadableInput
from kb_tools.model.repository import TERMINOLOGY, Repository
from kb_tools.rdf.namespaces import CLIN, READ
from kb_tools.rdf.terms import local_name

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
HL7 = "http://terminology.hl7.org/CodeSystem/"
CPT = "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
SCT = "http://snomed.info/sct"
CLINICAL_STATUS = "http://terminology.hl7.org/CodeSystem/condition-clinical"
SOPT = "https://nahdo.org/sopt"
LOCAL = "https://plan.example/codes"


@pytest.fixture(scope="module")
def terminology(kb: Repository) -> Terminology:
    return Terminology(kb)


def named(meaning: Meaning | None) -> set[str]:
    assert meaning
    return {local_name(concept) for concept in meaning.concepts}


def test_every_row_has_a_label_a_source_and_a_system_that_is_described(kb: Repository) -> None:
    graph = kb.graph([kb.root / TERMINOLOGY])
    rows = list(graph.subjects(RDF.type, READ.Mapping))
    assert len(rows) > 80
    for row in rows:
        label = str(graph.value(row, RDFS.label))
        assert str(graph.value(row, DCTERMS.source)).startswith(("http://", "https://")), label
        assert (graph.value(row, READ.system), RDF.type, READ.CodeSystem) in graph, label
        meanings = [*graph.objects(row, READ.concept), *graph.objects(row, READ.finding)]
        assert meanings or list(graph.objects(row, SKOS.scopeNote)), label


def test_how_many_codes_of_each_system_are_mapped(terminology: Terminology) -> None:
    assert Counter(system for system, _, _ in terminology) == {
        ICD: 587,
        PCS: 30,
        CPT: 4,
        HCPCS: 2,
        SCT: 37,
        "http://loinc.org": 2,
        CLINICAL_STATUS: 6,
        SOPT: 33,
        "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set": 18,
        f"{HL7}v3-ObservationInterpretation": 6,
        "http://terminology.hl7.org/CodeSystem/v3-ActCode": 4,
    }


def covers(block: str, code: str) -> bool:
    """Whether a code or category of ICD-10-CM, or a block of categories, holds a code."""
    if "-" in block:
        first, last = block.split("-")
        return first <= code[:3] <= last
    return code.startswith(block)


def test_a_code_is_mapped_to_a_disease_under_which_the_vocabulary_classes_it(
    kb: Repository, terminology: Terminology
) -> None:
    seen = 0
    for system, code, meaning in terminology:
        for disease in meaning.concepts if system == ICD else ():
            if (disease, RDF.type, CLIN.Disease) in kb.ontology:
                broader = kb.ontology.transitive_objects(disease, SKOS.broader)
                blocks = [str(block) for concept in broader for block in kb.ontology.objects(concept, CLIN.icd10cm)]
                assert any(covers(block, code) for block in blocks), code
                seen += 1
    assert seen > 500


@pytest.mark.parametrize(
    ("code", "concepts", "not_present"),
    [
        ("C92.00", {"AcuteMyeloidLeukemia"}, False),
        ("C92.01", {"AcuteMyeloidLeukemia", "InRemission"}, True),
        ("C92.02", {"AcuteMyeloidLeukemia", "Relapsed"}, False),
        ("C90.02", {"MultipleMyeloma", "Relapsed"}, False),
        ("C81.9A", {"HodgkinLymphoma", "InRemission"}, True),
        ("C83.39", {"DiffuseLargeBCellLymphoma"}, False),
        ("D89.813", set(), False),
        ("Z94.84", set(), False),
    ],
)
def test_what_the_last_digit_says(terminology: Terminology, code: str, concepts: set[str], not_present: bool) -> None:
    meaning = terminology.meaning(ICD, code)
    assert named(meaning) == concepts
    assert meaning and meaning.not_present is not_present


def test_no_code_is_taken_for_refractory_or_complete_remission_but_the_one_that_says_so(
    terminology: Terminology,
) -> None:
    codes = {
        (local_name(system), code)
        for system, code, meaning in terminology
        if CLIN.CompleteRemission in meaning.concepts
    }
    assert codes == {("sct", "103338009")}
    assert not [code for _, code, meaning in terminology if CLIN.Refractory in meaning.concepts]


def test_what_codes_state_as_findings(terminology: Terminology) -> None:
    stated = {
        code: (local_name(meaning.kind), {(local_name(p), str(o).rpartition("#")[2]) for p, o in meaning.values})
        for system, code, meaning in terminology
        if meaning.kind and system != PCS
    }
    assert stated == {
        "D89.810": ("AcuteGvHDAssessment", {("gradeAtLeast", "1")}),
        "D89.812": ("AcuteGvHDAssessment", {("gradeAtLeast", "1")}),
        "38240": ("Transplant", {("graftSource", "Allogeneic")}),
        "38241": ("Transplant", {("graftSource", "Autologous")}),
        "38242": ("EarlierInfusion", set()),
        "S2142": ("Transplant", {("graftSource", "CordBlood")}),
        "S2150": ("Transplant", set()),
        "58390007": ("Transplant", {("graftSource", "Allogeneic")}),
        "425983008": ("Transplant", {("graftSource", "Autologous")}),
        "234336002": ("Transplant", set()),
        "23719005": ("Transplant", set()),
        "402355000": ("AcuteGvHDAssessment", {("gradeAtLeast", "1")}),
        "1144907001": ("AcuteGvHDAssessment", {("gradeAtLeast", "1")}),
        "1144963000": ("AcuteGvHDAssessment", {("gradeAtLeast", "1")}),
        "104480-9": ("ChimerismTest", {("lineage", "BoneMarrow")}),
        "97509-4": ("DiseaseStatusAssessment", set()),
    }


@pytest.mark.parametrize(
    ("code", "source"),
    [
        ("30233G0", "Autologous"),
        ("30243X0", "Autologous"),
        ("30243Y2", "Allogeneic"),
        ("30233Y4", "Allogeneic"),
        ("30243U4", "Allogeneic"),
        ("30243Y3", "UnrelatedDonor"),
        ("30233U3", "UnrelatedDonor"),
        ("30233X2", "CordBlood"),
        ("30243X4", "CordBlood"),
    ],
)
def test_whose_cells_an_inpatient_transplant_is_of(terminology: Terminology, code: str, source: str) -> None:
    meaning = terminology.meaning(PCS, code)
    assert meaning and meaning.values == {(CLIN.graftSource, CLIN[source])}
    # White cells may be lymphocytes or not, and nothing is read of red ones.
    assert terminology.meaning(PCS, "30233Q1") is None and terminology.meaning(PCS, "30233N1") is None


@pytest.mark.parametrize(
    ("code", "leaves_open", "past"),
    [
        ("D89.810", set(), set()),
        ("D89.811", {"ChronicGvHDAssessment"}, set()),
        ("D89.812", {"ChronicGvHDAssessment"}, set()),
        ("D89.813", {"AcuteGvHDAssessment", "ChronicGvHDAssessment"}, set()),
        ("Z94.81", set(), {"Transplant"}),
        ("Z94.84", set(), {"Transplant"}),
        ("T86.03", set(), {"Transplant"}),
        ("C92.02", set(), set()),
    ],
)
def test_what_codes_leave_open(terminology: Terminology, code: str, leaves_open: set[str], past: set[str]) -> None:
    meaning = terminology.meaning(ICD, code)
    assert meaning
    assert ({local_name(term) for term in meaning.leaves_open}, {local_name(term) for term in meaning.past}) == (
        leaves_open,
        past,
    )


@pytest.mark.parametrize(
    ("code", "disease"),
    [
        # A kind that is not stated may be any of the group.
        ("C95.91", "Leukemia"),
        ("C91.91", "LymphoidLeukemia"),
        ("C92.91", "MyeloidLeukemia"),
        ("C93.91", "MonocyticLeukemia"),
        ("C95.01", "AcuteLeukemia"),
        ("C95.11", "ChronicLeukemia"),
        ("C83.9A", "NonFollicularLymphoma"),
        ("C85.9A", "NonHodgkinLymphoma"),
        ("C85.1A", "BCellNonHodgkinLymphoma"),
        ("C84.9A", "TCellNonHodgkinLymphoma"),
        ("C88.91", "ImmunoproliferativeDisease"),
        # Kinds of acute myeloid leukemia with categories of their own.
        *[(f"{cat}1", "AcuteMyeloidLeukemia") for cat in ("C92.3", "C92.5", "C94.0", "C94.2", "C94.4")],
        ("C93.01", "AcuteMonocyticLeukemia"),
        # In this category alone the character A is a site.
        ("C84.7B", "AnaplasticLargeCellLymphomaALKNegative"),
        # Divided by remission from October 2024.
        ("C86.51", "AngioimmunoblasticTCellLymphoma"),
        ("C88.41", "MarginalZoneLymphomaOfMucosa"),
    ],
)
def test_a_remission_is_of_the_disease_that_its_code_names(terminology: Terminology, code: str, disease: str) -> None:
    meaning = terminology.meaning(ICD, code)
    assert named(meaning) == {disease, "InRemission"}
    assert meaning and meaning.not_present


@pytest.mark.parametrize("code", ["C84.7A", "C86.50", "C86.5", "C88.40", "C83.390", "C96.6", "D46.4"])
def test_what_says_nothing_of_remission_states_none(terminology: Terminology, code: str) -> None:
    meaning = terminology.meaning(ICD, code)
    assert len(named(meaning)) == 1 and meaning and not meaning.not_present


def test_two_categories_of_stated_kinds_are_two_diseases(kb: Repository, terminology: Terminology) -> None:
    """Or else a relapse of the one would count as a relapse of the other."""
    stated = [
        *("C91.30", "C91.40", "C91.50", "C91.60", "C91.A0", "C91.Z0", "C92.20", "C92.Z0", "C93.30", "C93.Z0", "C94.30"),
        *("C94.80", "C90.10", "C90.20", "C90.30", "C83.00", "C83.70", "C85.20", "C83.80", "C85.80", "C84.00", "C84.10"),
        *(
            "C84.40",
            "C84.60",
            "C84.70",
            "C84.Z0",
            "C86.0",
            "C86.1",
            "C86.2",
            "C86.3",
            "C86.4",
            "C86.5",
            "C86.6",
            "C88.0",
        ),
        *(
            "C88.2",
            "C88.3",
            "C88.4",
            "C88.8",
            "C96.0",
            "C96.21",
            "C96.4",
            "C96.A",
            "C96.Z",
            "C94.6",
            "C92.00",
            "C91.00",
        ),
    ]
    diseases = {code: next(iter(terminology.meaning(ICD, code).concepts)) for code in stated}  # type: ignore[union-attr]
    assert len(set(diseases.values())) == len(stated) == 46
    for one in diseases.values():
        assert not set(kb.ontology.transitive_objects(one, SKOS.broader)) & (set(diseases.values()) - {one})


def test_lymphoblastic_lymphoma_is_a_lymphoma_and_acute_lymphoblastic_leukemia(
    kb: Repository, terminology: Terminology
) -> None:
    (disease,) = terminology.meaning(ICD, "C83.50").concepts  # type: ignore[union-attr]
    broader = {local_name(node) for node in kb.ontology.transitive_objects(disease, SKOS.broader)}
    assert {"NonHodgkinLymphoma", "AcuteLymphoblasticLeukemia", "Lymphoma", "Leukemia"} <= broader


def test_a_code_of_five_digits_sent_as_hcpcs_is_one_of_cpt(terminology: Terminology) -> None:
    assert terminology.meaning(HCPCS, "38242") == terminology.meaning(CPT, "38242")
    assert terminology.name(HCPCS, "38242") == "CPT 38242"
    assert terminology.name(HCPCS, "S2150") == "HCPCS S2150"
    assert terminology.meaning(CPT, "S2150") is None


def test_a_dual_eligible_plan_is_medicare_and_private_insurance_is_left_open(
    kb: Repository, terminology: Terminology
) -> None:
    for code in ("1", "122", "13", "14", "141", "142", "191"):
        (line,) = terminology.meaning(SOPT, code).concepts  # type: ignore[union-attr]
        assert "Medicare" in {local_name(node) for node in kb.ontology.transitive_objects(line, SKOS.broader)}
    assert named(terminology.meaning(SOPT, "2")) == {"Medicaid"}
    assert named(terminology.meaning(SOPT, "5")) == set()


def test_a_system_is_known_by_its_aliases(terminology: Terminology) -> None:
    assert terminology.meaning("urn:oid:2.16.840.1.113883.6.90", "C92.02") == terminology.meaning(ICD, "C92.02")
    assert terminology.meaning(ICD, "c92.02") is None


def test_our_own_terms_are_codes(terminology: Terminology) -> None:
    assert named(terminology.meaning(str(CLIN), "Relapsed")) == {"Relapsed"}
    assert terminology.meaning(str(CLIN), "ChimerismTest") == Meaning(kind=URIRef(CLIN + "ChimerismTest"))
    assert terminology.meaning(str(CLIN), "disease") is None


@pytest.mark.parametrize(
    ("system", "code", "name"),
    [
        (ICD, "C92.02", "ICD-10-CM C92.02"),
        (ICD, "I10", "ICD-10-CM I10"),
        (ICD, "Jane Roe", "a code of ICD-10-CM"),
        (SCT, "260373001", "SNOMED CT 260373001"),
        (SCT, "123456789", "a code of SNOMED CT"),
        (LOCAL, "Jane Roe", "a code of an unknown system"),
        ("", "Jane Roe", "a code without a system"),
        (str(CLIN), "Relapsed", "clin:Relapsed"),
        (str(CLIN), "Jane Roe", "a code of our vocabularies"),
    ],
)
def test_a_code_is_named_only_if_it_can_be_no_text(terminology: Terminology, system: str, code: str, name: str) -> None:
    assert terminology.name(system, code) == name


PCS_ALIAS = "http://hl7.org/fhir/sid/icd-10-pcs"


@pytest.mark.parametrize(
    ("system", "code", "classes"),
    [
        # Codes that were deleted stand in old records.
        *[(PCS, code, {"Transplant"}) for code in ("30240Y2", "30243Y1", "30243G1", "30233X1", "30243U9", "30230AZ")],
        (PCS_ALIAS, "30240Y2", {"Transplant"}),
        (PCS, "30240y2", {"Transplant"}),
        # What is mapped means what its mapping says.
        (PCS, "30243Y2", set()),
        # White and red cells, plasma, another operation, and what only begins or ends so.
        *[(PCS, code, set()) for code in ("30233Q1", "30233N1", "30243K1", "30253Y", "30243Y12", "130243Y", "0DTJ0ZZ")],
        *[
            (ICD, code, {"DiseaseStatusAssessment"})
            for code in ("C92.99", "C81", "C96.ZZ", "D46.Z1", "D47.10", "C9292")
        ],
        *[(ICD, code, set()) for code in ("C92.02", "C97", "C80.1", "D47.2", "D44", "I10", "Z94.84")],
        (LOCAL, "30240Y2", set()),
        ("", "30240Y2", set()),
        (str(CLIN), "C92.99", set()),
    ],
)
def test_what_a_code_that_is_not_mapped_may_mean(
    terminology: Terminology, system: str, code: str, classes: set[str]
) -> None:
    assert {local_name(class_) for class_ in terminology.may_mean(system, code)} == classes


def test_the_codes_that_may_state_a_status_are_those_of_the_blocks_of_malignancies(
    kb: Repository, terminology: Terminology
) -> None:
    blocks = {str(block) for block in kb.ontology.objects(CLIN.HematologicMalignancy, CLIN.icd10cm)}
    categories = [f"{letter}{number:02}.{rest}" for letter in "BCD" for number in range(100) for rest in range(10)]
    for code in (f"{category}?" for category in categories):
        assert bool(terminology.may_mean(ICD, code)) is any(covers(block, code) for block in blocks), code


@pytest.mark.parametrize(
    ("code", "disease"),
    [
        ("91860005", "AcuteMyeloidLeukemia"),
        ("91856007", "AcuteLymphoblasticLeukemia"),
        ("92817004", "ChronicMyeloidLeukemia"),
        ("92813000", "ChronicLymphocyticLeukemia"),
        ("94716000", "MyeloidLeukemia"),
        ("91854005", "AcuteLeukemia"),
    ],
)
def test_a_leukemia_in_remission_by_snomed_ct(terminology: Terminology, code: str, disease: str) -> None:
    meaning = terminology.meaning(SCT, code)
    assert named(meaning) == {disease, "InRemission"}
    assert meaning and meaning.not_present


@pytest.mark.parametrize(
    ("code", "leaves_open"),
    [
        ("234522008", {"DiseaseStatusAssessment"}),
        ("1144908006", {"ChronicGvHDAssessment"}),
        ("1144963000", {"ChronicGvHDAssessment"}),
        ("444547006", {"AcuteGvHDAssessment", "ChronicGvHDAssessment"}),
        ("846606007", {"AcuteGvHDAssessment", "ChronicGvHDAssessment"}),
        ("1268379007", {"AcuteGvHDAssessment", "ChronicGvHDAssessment"}),
    ],
)
def test_what_codes_of_snomed_ct_leave_open(terminology: Terminology, code: str, leaves_open: set[str]) -> None:
    meaning = terminology.meaning(SCT, code)
    assert meaning and {local_name(term) for term in meaning.leaves_open} == leaves_open


def test_only_the_share_of_the_recipient_is_the_rest(terminology: Terminology) -> None:
    assert [code for _, code, meaning in terminology if meaning.complement] == ["104480-9"]


@pytest.mark.parametrize(
    ("code", "disease"),
    [
        ("D61.9", "AplasticAnemia"),
        ("D61.01", "AplasticAnemia"),
        ("D60.9", "NonmalignantHematologicDisease"),
        ("D57.1", "SickleCellDisease"),
        ("D56.1", "Thalassemia"),
        ("C50.911", "SolidTumor"),
        ("C7A.1", "SolidTumor"),
        ("C79.51", "SolidTumor"),
        ("C64.1", "RenalCellCarcinoma"),
        ("C43.9", "Melanoma"),
    ],
)
def test_what_is_no_hematologic_malignancy_is_read_off_the_vocabulary(
    kb: Repository, terminology: Terminology, code: str, disease: str
) -> None:
    meaning = terminology.meaning(ICD, code)
    assert named(meaning) == {disease}
    (concept,) = meaning.concepts  # type: ignore[union-attr]
    assert CLIN.HematologicMalignancy not in set(kb.ontology.transitive_objects(concept, SKOS.broader))


@pytest.mark.parametrize(
    "code", ["D57.3", "D56.3", "D61.1", "D61.2", "D61.810", "D61.811", "D61.818", "D61.82", "C80.0", "C80.1", "C80.2"]
)
def test_what_may_go_with_a_malignancy_or_is_no_disease_names_none(terminology: Terminology, code: str) -> None:
    meaning = terminology.meaning(ICD, code)
    assert meaning and (meaning.concepts, meaning.kind, len(meaning.notes)) == (frozenset(), None, 1)


@pytest.mark.parametrize(
    "code", ["D61", "D61.8", "D61.81", "C80", "D50.9", "D75.81", "D47.2", "C81", "C92.X", "J18.9", "C64x"]
)
def test_what_the_vocabulary_does_not_tell_is_not_known(terminology: Terminology, code: str) -> None:
    assert terminology.meaning(ICD, code) is None


def test_no_code_of_a_hematologic_malignancy_is_read_off_the_vocabulary(terminology: Terminology) -> None:
    """Or else a code that is not known, and may say that it is in remission, would say nothing of it."""
    for block in ("C81", "C82", "C83", "C84", "C85", "C86", "C88", "C90", "C91", "C92", "C93", "C94", "C95", "C96"):
        assert terminology.meaning(ICD, f"{block}.XX") is None
    assert terminology.meaning(LOCAL, "D61.9") is None


ICD_HINT = f"give the system {ICD}"


@pytest.mark.parametrize(
    ("system", "code", "hint"),
    [
        (ICD, "C9202", "ICD-10-CM C92.02 may be meant, without its dot: write C92.02"),
        (ICD, "D89810", "ICD-10-CM D89.810 may be meant, without its dot: write D89.810"),
        (ICD, "C50911", "ICD-10-CM C50.911 may be meant, without its dot: write C50.911"),
        (ICD, "c92.02", "ICD-10-CM C92.02 may be meant, in small letters or with blanks: write C92.02"),
        (ICD, " C92.02", "ICD-10-CM C92.02 may be meant, in small letters or with blanks: write C92.02"),
        *[
            (uri, "C92.02", f"ICD-10-CM C92.02 may be meant, under the URI of another system: {ICD_HINT}")
            for uri in (
                f"{ICD}/",
                "https://hl7.org/fhir/sid/icd-10-cm",
                "HTTP://www.hl7.org/fhir/sid/ICD-10-CM",
                "2.16.840.1.113883.6.90",
                "http://hl7.org/fhir/sid/icd-10",
                "http://hl7.org/fhir/sid/icd-10/",
                "urn:oid:2.16.840.1.113883.6.3",
            )
        ],
        ("", "C92.02", f"ICD-10-CM C92.02 may be meant, without a system: {ICD_HINT}"),
        (
            f"{ICD}/",
            "C9202",
            "ICD-10-CM C92.02 may be meant, without its dot and under the URI of another system: write C92.02 and "
            f"{ICD_HINT}",
        ),
        (
            f"{SCT}/",
            "91860005",
            f"SNOMED CT 91860005 may be meant, under the URI of another system: give the system {SCT}",
        ),
        (
            "https://www.ama-assn.org/go/cpt",
            "38240",
            f"CPT 38240 may be meant, under the URI of another system: give the system {CPT}",
        ),
    ],
)
def test_what_a_code_written_otherwise_may_be_meant_for(
    terminology: Terminology, system: str, code: str, hint: str
) -> None:
    assert terminology.meaning(system, code) is None
    near = terminology.near(system, code)
    assert near and near.hint == hint
    assert near.meaning in {meaning for _, _, meaning in terminology} | {terminology.meaning(ICD, "C50.911")}


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (ICD, "C92.02"),
        (ICD, "J18.9"),
        (LOCAL, "C92.02"),
        ("", "Jane Roe"),
        ("", "x"),
        (str(CLIN), "relapsed"),
        (SCT, "1"),
    ],
)
def test_what_is_known_or_like_nothing_that_is_known_is_meant_for_nothing(
    terminology: Terminology, system: str, code: str
) -> None:
    assert terminology.near(system, code) is None


GVHD = {"AcuteGvHDAssessment", "ChronicGvHDAssessment"}
STATUS_CLASS = {"DiseaseStatusAssessment"}


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("Acute GVHD overall grade", GVHD),
        ("no GvHD", GVHD),
        ("Graft-versus-host disease", GVHD),
        ("GRAFT VS. HOST", GVHD),
        ("AML in complete remission", STATUS_CLASS),
        ("Relapsed/refractory", STATUS_CLASS),
        ("risk of relapse: high", {"RelapseRiskAssessment"} | STATUS_CLASS),
        ("MRD+ (flow)", {"MRDTest"}),
        ("minimal\nresidual disease", {"MRDTest"}),
        ("Donor chimerism, CD3", {"ChimerismTest"}),
        ("allo-HSCT", {"Transplant"}),
        ("Second stem cell transplantation", {"Transplant"}),
        ("DLI #2", {"EarlierInfusion"}),
        # Whole words alone, and phrases that mention nothing.
        ("unremitting", set()),
        ("nephrelapse", set()),
        ("Hct", set()),
        ("Acute myeloblastic leukemia, not having achieved remission", set()),
        ("not having achieved remission, now in remission", STATUS_CLASS),
        ("Kidney transplant", set()),
        ("Kidney transplant, then marrow transplant", {"Transplant"}),
        ("", set()),
        ("Hemoglobin", set()),
    ],
)
def test_what_a_text_mentions(terminology: Terminology, text: str, classes: set[str]) -> None:
    assert {local_name(mention) for mention in terminology.mentions(text)} == classes


# ---------------------------------------------------------------------- a plan's own codes

PREFIXES = """PREFIX case: <https://w3id.org/policykb/case#>
PREFIX clin: <https://w3id.org/policykb/clinical#>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX read: <https://w3id.org/policykb/reading#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
"""
PLAN = f"""<{LOCAL}> a read:CodeSystem ; rdfs:label "plan" .
[] a read:Mapping ; read:system <{LOCAL}> ; skos:notation "MKT" ; read:concept case:Marketplace .
[] a read:Mapping ; read:system <{LOCAL}> ; skos:notation "CHIM-T" ;
    read:finding [ a clin:ChimerismTest ; clin:lineage clin:TCells ] .
"""


ROW = f'[] a read:Mapping ; read:system <{LOCAL}> ; skos:notation "x" ; read:concept case:Marketplace .'
GRADE = "State clin:grade at most once, as a whole number from 0 to 4."
SOURCE = "State at most one clin:graftSource, one of the concepts of clin:GraftSource."
NOT_PRESENT = "Give read:notPresent at most once, true or false."
SPELLING = (
    "A mapping states its system, codes and what they mean, and nothing else: check the spelling of the property."
)


def added(kb: Repository, folder: Path, text: str) -> Terminology:
    path = folder / "plan.ttl"
    described = "" if f"<{LOCAL}> a" in text else f'<{LOCAL}> a read:CodeSystem ; rdfs:label "plan" .\n'
    path.write_text(PREFIXES + described + text, encoding="utf-8")
    return Terminology(kb, [path])


def test_a_plan_adds_codes_of_its_own_systems(kb: Repository, tmp_path: Path) -> None:
    terminology = added(kb, tmp_path, PLAN)
    assert named(terminology.meaning(LOCAL, "MKT")) == {"Marketplace"}
    chimerism = terminology.meaning(LOCAL, "CHIM-T")
    assert chimerism and chimerism.values == {(CLIN.lineage, CLIN.TCells)}
    assert terminology.name(LOCAL, "MKT") == "plan MKT"
    assert terminology.name(LOCAL, "Jane Roe") == "a code of plan"


def test_a_plan_adds_words_of_its_own(kb: Repository, tmp_path: Path) -> None:
    words = '[] a read:Words ; read:word "blasten" ; read:mentions clin:MRDTest .'
    terminology = added(kb, tmp_path, words)
    assert {local_name(mention) for mention in terminology.mentions("Blasten 5 %")} == {"MRDTest"}


def test_a_plan_may_repeat_what_is_known(kb: Repository, tmp_path: Path) -> None:
    row = f'[] a read:Mapping ; read:system <{SOPT}> ; skos:notation "511" ; read:concept case:Commercial .'
    assert named(added(kb, tmp_path, row).meaning(SOPT, "511")) == {"Commercial"}


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (
            f'[] a read:Mapping ; read:system <{SOPT}> ; skos:notation "14" ; read:concept case:Medicaid .',
            "https://nahdo.org/sopt 14 is mapped twice, differently; keep one mapping",
        ),
        (
            '[] a read:Mapping ; skos:notation "14" ; read:concept case:Medicaid .',
            "a node without a name: read:system; Give the mapping one read:system: the URI of the code system.",
        ),
        (
            f'[] a read:Mapping ; read:system <{LOCAL}> ; skos:notation "x" ; read:concept clin:Relaps .',
            f"{LOCAL} x is mapped to clin:Relaps, which is no concept or class of findings; "
            "map it to a term of the case or clinical vocabulary",
        ),
        (
            f'[] a read:Mapping ; read:system <{LOCAL}> ; skos:notation "x" ; '
            "read:finding [ a clin:MRDTest ; clin:grade 2 ] .",
            f"{LOCAL} x is mapped to a finding with clin:grade, no property of its class; "
            "use the properties of the class of the finding",
        ),
        *[
            (
                f'[] a read:Mapping ; read:system <{LOCAL}> ; skos:notation "x" ; {statement} .',
                f"{LOCAL} x is mapped to a finding whose {property_} is not one allowed value; {hint}",
            )
            for statement, property_, hint in (
                ("read:finding [ a clin:AcuteGvHDAssessment ; clin:grade 1 , 3 ]", "clin:grade", GRADE),
                ("read:finding [ a clin:AcuteGvHDAssessment ; clin:grade 7 ]", "clin:grade", GRADE),
                ('read:finding [ a clin:AcuteGvHDAssessment ; clin:grade "2" ]', "clin:grade", GRADE),
                ("read:finding [ a clin:AcuteGvHDAssessment ; clin:grade 1.5 ]", "clin:grade", GRADE),
                ("read:finding [ a clin:Transplant ; clin:graftSource clin:Alogeneic ]", "clin:graftSource", SOURCE),
                ("read:finding [ a clin:Transplant ; clin:graftSource clin:Relapsed ]", "clin:graftSource", SOURCE),
            )
        ],
        *[
            (
                f'[] a read:Mapping ; read:system <{LOCAL}> ; skos:notation "x" ; {statement} .',
                f"a node without a name: {path}; {hint}",
            )
            for statement, path, hint in (
                ("read:findng [ a clin:Transplant ]", "read:findng", SPELLING),
                ('read:concept clin:Relapsed ; read:notPresent "1"', "read:notPresent", NOT_PRESENT),
                ("read:concept clin:Relapsed ; read:notPresent 1", "read:notPresent", NOT_PRESENT),
                (
                    "read:finding [ a clin:Transplant ] , [ a clin:MRDTest ]",
                    "read:finding",
                    "Give read:finding at most once: a finding in brackets.",
                ),
            )
        ],
        (
            f'[] a read:Mapping ; read:system <{LOCAL}> ; skos:notation "x" ; '
            "read:finding [ a clin:Transplant , clin:MRDTest ] .",
            "a node without a name: rdf:type; Give the finding one class.",
        ),
        (
            f'[] a read:Maping ; read:system <{LOCAL}> ; skos:notation "x" ; read:concept clin:Relapsed .',
            "a node without a name: not of the form; What maps codes is of the class read:Mapping: check the spelling.",
        ),
        *[
            (
                f'[] a read:Mapping ; read:system <{LOCAL}> ; skos:notation "x" ; {statement} .',
                f"{LOCAL} x is mapped to {line}",
            )
            for statement, line in (
                (
                    "read:leavesOpen clin:Relapsed",
                    "clin:Relapsed, which is no class of findings; "
                    "map it to a class of findings of the clinical vocabulary",
                ),
                (
                    "read:concept clin:AcuteMyeloidLeukemia , clin:LymphoidLeukemia",
                    "clin:AcuteMyeloidLeukemia and clin:LymphoidLeukemia, which are different diseases; "
                    "map it to one, or to a group of both",
                ),
                *(
                    (
                        f"read:finding [ a clin:AcuteGvHDAssessment ; {bounds} ]",
                        f"a finding whose {names} exclude each other; state one number, or bounds that meet",
                    )
                    for bounds, names in (
                        ("clin:grade 0 ; clin:gradeAtLeast 2", "clin:grade and clin:gradeAtLeast"),
                        ("clin:gradeAtLeast 3 ; clin:gradeAtMost 1", "clin:gradeAtLeast and clin:gradeAtMost"),
                    )
                ),
            )
        ],
        (
            f'[] a read:Mapping ; read:system <{CLIN}> ; skos:notation "Relapsed" ; read:concept clin:Active .',
            f"codes of {CLIN} are mapped, the terms of our own vocabulary; leave the mapping out",
        ),
        (
            '[] a read:Mapping ; read:system <urn:x> ; skos:notation "1" ; read:concept clin:Active .',
            "codes of urn:x are mapped, which nothing describes; describe it as a read:CodeSystem",
        ),
        *(
            (
                f'[] a read:Mapping ; read:system <{LOCAL}> ; skos:notation "{code}" ; read:concept clin:Active .',
                "a node without a name: skos:notation; "
                "Give the mapping its codes as skos:notation, each a plain string without blanks at its ends.",
            )
            for code in (" x", "x ", " ")
        ),
        *(
            (
                f"<{SOPT}> a read:CodeSystem ; {statement} . {ROW}",
                f"{SOPT} is described already, differently; leave the description out, or state the same",
            )
            for statement in (
                'rdfs:label "SOP"',
                'rdfs:label "Source of Payment Typology" ; read:codePattern "[0-9]+"',
            )
        ),
        (
            f'<{LOCAL}> a read:CodeSystem ; rdfs:label "plan" ; read:includes <urn:nowhere> . {ROW}',
            f"{LOCAL} includes urn:nowhere, a code system that nothing describes; describe it, or leave it out",
        ),
        (f'<{LOCAL}> a read:CodeSystem ; rdfs:label "plan" .', "maps no code; give it nodes of class read:Mapping"),
        (
            f'<{LOCAL}> a read:CodeSystem ; rdfs:label "plan" ; read:codePattern "[" . {ROW}',
            f"a code pattern of {LOCAL} is no regular expression: unterminated character set at position 0; correct it",
        ),
        *[
            (f'<{LOCAL}> a read:CodeSystem ; rdfs:label "plan" ; read:unmapped [ {statement} ] . {ROW}', line)
            for statement, line in (
                (
                    'read:pattern "(" ; read:mayState clin:Transplant',
                    f"a code pattern of {LOCAL} is no regular expression: missing ), unterminated subpattern at "
                    "position 0; correct it",
                ),
                (
                    'read:pattern "T.*" ; read:mayState clin:Allogeneic',
                    f"unmapped codes of {LOCAL} may state clin:Allogeneic, which is no class of findings; "
                    "name a class of findings of the clinical vocabulary",
                ),
                (
                    'read:pattern "T.*"',
                    '"plan": read:unmapped; Give read:unmapped in brackets: one read:pattern, a plain string, and the '
                    "classes of findings that read:mayState names.",
                ),
            )
        ],
        (
            '[] a read:Words ; read:word "blasts" ; read:mentions clin:Relapsed .',
            "words mention clin:Relapsed, which is no class of findings; "
            "name a class of findings of the clinical vocabulary",
        ),
        *(
            (
                f"[] a read:Words ; read:word {word} ; read:mentions clin:MRDTest .",
                "a node without a name: read:word; "
                "Give read:word words of small letters and digits, each a plain string, with one blank between two.",
            )
            for word in ('"Blasts"', '"blast-cells"', '" blasts"', "1")
        ),
        (
            '[] a read:Words ; read:word "blasts" .',
            "a node without a name: read:mentions; Give read:mentions classes of findings.",
        ),
        (
            f'[] read:word "blasts" . {ROW}',
            "a node without a name: not of the form; What lists words of texts is of the class read:Words: check the "
            "spelling.",
        ),
        (
            f'<{LOCAL}> a read:CodeSystem ; rdfs:label "plan" ; read:classifies clin:Relapsed . {ROW}',
            f"{LOCAL} classifies clin:Relapsed, which is no disease; name a disease of the clinical vocabulary",
        ),
        (
            f'[] a read:Mapping ; read:system <{LOCAL}> ; skos:notation "x" ; read:complement true ; '
            "read:finding [ a clin:MRDTest ] .",
            f"{LOCAL} x is mapped as the complement of what is no percentage; leave read:complement out",
        ),
        *[
            (
                f'<{LOCAL}> a read:CodeSystem ; rdfs:label "plan" ; read:alias "{taken}" . {ROW}',
                f"{taken} is the URI of another code system; map codes under that",
            )
            for taken in (SOPT, ICD, "urn:oid:2.16.840.1.113883.6.96", str(CLIN))
        ],
        (
            "clin:Relapsed skos:broader clin:CompleteRemission .",
            "says something of clin:Relapsed, a term of the vocabulary; a terminology maps codes and defines no term",
        ),
    ],
)
def test_what_a_plan_cannot_add_is_one_line(kb: Repository, tmp_path: Path, row: str, line: str) -> None:
    with pytest.raises(UnreadableInput) as refused:
        added(kb, tmp_path, row)
    assert str(refused.value) == f"{tmp_path / 'plan.ttl'}: {line}"


def test_the_order_of_files_does_not_matter(kb: Repository, tmp_path: Path) -> None:
    one, other = tmp_path / "one.ttl", tmp_path / "other.ttl"
    mapping = '[] a read:Mapping ; read:system <{}> ; skos:notation "{}" ; read:concept {} .'
    one.write_text(PREFIXES + mapping.format("urn:a", "1", "clin:Active"), encoding="utf-8")
    system = '<urn:b> a read:CodeSystem ; rdfs:label "b" ; read:alias "urn:a" .'
    other.write_text(PREFIXES + system + mapping.format("urn:b", "2", "clin:Relapsed"), encoding="utf-8")
    for files in ([one, other], [other, one]):
        terminology = Terminology(kb, files)
        for uri in ("urn:a", "urn:b"):
            assert named(terminology.meaning(uri, "1")) == {"Active"}
            assert named(terminology.meaning(uri, "2")) == {"Relapsed"}
    other.write_text(PREFIXES + system + mapping.format("urn:b", "1", "clin:Relapsed"), encoding="utf-8")
    for files in ([one, other], [other, one]):
        with pytest.raises(UnreadableInput, match=r"urn:[ab] 1 is mapped twice, differently; keep one mapping"):
            Terminology(kb, files)


def test_a_code_may_be_mapped_again_without_the_note(kb: Repository, tmp_path: Path) -> None:
    row = f'[] a read:Mapping ; read:system <{ICD}> ; skos:notation "C92.00" ; read:concept clin:AcuteMyeloidLeukemia .'
    meaning = added(kb, tmp_path, row).meaning(ICD, "C92.00")
    assert named(meaning) == {"AcuteMyeloidLeukemia"}
    assert meaning and len(meaning.notes) == 1


def test_every_fault_of_the_knowledge_base_is_told(kb: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(Terminology.problems(kb)) == []
    graph = kb.graph([kb.root / TERMINOLOGY])
    for code, wrong in (("14", "2"), ("C92.02", "C91.02")):
        graph.add((next(graph.subjects(SKOS.notation, Literal(code))), SKOS.notation, Literal(wrong)))
    real = kb.graph
    monkeypatch.setattr(kb, "graph", lambda paths: graph if paths == [kb.root / TERMINOLOGY] else real(paths))
    assert {problem.what for problem in Terminology.problems(kb)} == {
        f"{SOPT} 2 is mapped twice, differently",
        f"{ICD} C91.02 is mapped twice, differently",
    }


def test_a_knowledge_base_that_maps_a_code_twice_is_broken(kb: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = kb.graph([kb.root / TERMINOLOGY])
    row = next(subject for subject in graph.subjects(SKOS.notation, Literal("14")))
    graph.add((row, SKOS.notation, Literal("2")))
    real = kb.graph
    monkeypatch.setattr(kb, "graph", lambda paths: graph if paths == [kb.root / TERMINOLOGY] else real(paths))
    with pytest.raises(KnowledgeBaseError, match=re.escape("https://nahdo.org/sopt 2 is mapped twice, differently")):
        Terminology(kb)


def test_a_plan_is_determined_by_its_own_codes(run_kb: Callable[..., CompletedProcess[str]], tmp_path: Path) -> None:
    (tmp_path / "plan.ttl").write_text(PREFIXES + PLAN, encoding="utf-8")
    bundle = (Path(__file__).parents[1] / "data/fhir/a-plan-of-unknown-kind-is-asked-for.json").read_text(
        encoding="utf-8"
    )
    (tmp_path / "case.json").write_text(
        bundle.replace('{"system": "https://nahdo.org/sopt", "code": "5"}', f'{{"system": "{LOCAL}", "code": "MKT"}}'),
        encoding="utf-8",
    )
    arguments = ("validate", "case.json", "--revision", "2026-02")
    assert "INFORMATION NEEDED" in run_kb(*arguments).stdout
    assert "CRITERIA MET" in run_kb(*arguments, "--terminology", "plan.ttl").stdout
    assert run_kb(*arguments, "--terminology", "none.ttl").stderr.startswith("kb: none.ttl: No such file")
