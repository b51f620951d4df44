"""Quantities in other units: converted by an exact factor where that is safe, else refused in one line."""

from __future__ import annotations

import builtins
import shutil
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from bundle_edits import added
from bundles import case_of, content, record
from rdflib import URIRef
from wn3 import line

from kb_tools.cases import units
from kb_tools.cases.case import Case
from kb_tools.cases.form import CaseForms
from kb_tools.cases.numbers import StandIns
from kb_tools.cases.reader import CaseReader
from kb_tools.cases.schema import schema
from kb_tools.cases.units import CannotConvert, converted
from kb_tools.errors import KbError, UnreadableInput
from kb_tools.model.repository import Repository
from kb_tools.rdf.namespaces import CASE, CLIN

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("pseudonym_key")


@pytest.mark.parametrize(
    ("number", "unit", "wanted", "exact"),
    [
        ("220", "[lb_av]", "kg", "99.7903214"),
        ("35.0", "kg/m2", "kg/m2", "35.0"),
        ("70", "[in_i]", "cm", "177.8"),
        ("1500000", "/kg", "10*6/kg", "1.5"),
        ("5", "10*9/L", "/uL", "5000"),
        ("1.1", "g/dL", "g/L", "11"),
        ("5", "umol/L", "mmol/L", "0.005"),
        ("1", "a", "mo", "12"),
        ("3", "wk", "d", "21"),
    ],
)
def test_a_quantity_is_converted_exactly(number: str, unit: str, wanted: str, exact: str) -> None:
    assert str(converted(Decimal(number), unit, wanted)) == exact


@pytest.mark.parametrize(
    ("unit", "wanted", "why"),
    [
        ("mmol/mol", "%", "are ratios"),
        ("%", "1", "are ratios"),
        ("mmol/L", "mg/dL", "that takes the molar mass, which is not known"),
        ("mg/dL", "mmol/L", "that takes the molar mass, which is not known"),
        ("mol/L", "/L", "is no unit of what"),
        ("cm", "kg", "is no unit of what kg measures"),
        ("wk", "mo", "months and years have no one number of days"),
        ("a", "d", "months and years have no one number of days"),
        ("[degF]", "Cel", "is not converted into Cel"),
        ("10*6{cells}/kg", "10*6/kg", "says what was counted"),
        ("[lb_av]/[in_i]2", "kg/m2", "has no exact value"),
        ("lb", "kg", "lb is not read as a unit of UCUM"),
        ("", "kg", "none is not read as a unit of UCUM"),
    ],
)
def test_what_needs_more_than_a_factor_is_refused(unit: str, wanted: str, why: str) -> None:
    with pytest.raises(CannotConvert, match=why) as refused:
        converted(Decimal(7), unit, wanted)
    assert "\n" not in str(refused.value)


def test_without_the_library_units_are_not_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name == "ucumvert":
            raise ImportError
        return real(name, *more, **named)

    units._registry.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    assert converted(Decimal(7), "g", "g") == 7
    with pytest.raises(KbError, match=r"ucumvert is not installed; pip install 'kb-tools\[units\]'"):
        converted(Decimal(7), "oz", "g")


# ---------------------------------------------------------------------- a finding that states a quantity

WEIGHT = """
clin:BodyWeightMeasurement
    a owl:Class ;
    rdfs:subClassOf case:Finding ;
    rdfs:label "body weight"@en ;
    skos:definition "A measurement of the weight of the body."@en ;
    case:countedBy clin:bodyWeight , clin:bodyWeightAtLeast ;
    case:differsBy clin:bodyWeight , clin:bodyWeightAtLeast ;
    case:latestCounts true ;
    case:ofReasonOnly false ;
    case:onServiceDate true .

clin:bodyWeight
    a owl:DatatypeProperty ;
    rdfs:label "body weight"@en ;
    skos:definition "The weight of the body, in kilograms."@en ;
    rdfs:domain clin:BodyWeightMeasurement ;
    case:unit "kg" ;
    case:atLeast clin:bodyWeightAtLeast .

clin:bodyWeightAtLeast
    a owl:DatatypeProperty ;
    rdfs:label "body weight at least"@en ;
    skos:definition "The weight of the body is this or more, in kilograms."@en ;
    rdfs:domain clin:BodyWeightMeasurement .
"""


@pytest.fixture(scope="module")
def weighing(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The knowledge base with a class of findings that state a quantity, made of the one for the grade of GvHD."""
    root = tmp_path_factory.mktemp("weighing")
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("cases"))
    gvhd = (ROOT / "ontology/clinical/gvhd.ttl").read_text(encoding="utf-8")
    prefixes = gvhd[: gvhd.index("<https://w3id.org/policykb/clinical/gvhd>")]
    (root / "ontology/clinical/weight.ttl").write_text(prefixes + WEIGHT, encoding="utf-8")
    shapes = (ROOT / "shapes/findings/gvhd.ttl").read_text(encoding="utf-8")
    shapes = shapes[: shapes.index("shape:ChronicGvHDAssessment")].replace(
        "    sh:property shape:AcuteGvHDAssessment-gradeAtMost ;\n", ""
    )
    for old, new in (
        ("AcuteGvHDAssessment", "BodyWeightMeasurement"),
        ("clin:gradeAtMost", "clin:bodyWeight"),
        ("clin:grade", "clin:bodyWeight"),
        ("xsd:integer", "xsd:decimal"),
        ("[+-]?[0-9]+$", "[+-]?(?:[0-9]+(?:\\\\.[0-9]+)?|\\\\.[0-9]+)$"),
        ("sh:maxInclusive 4", "sh:maxInclusive 700"),
        ("    sh:lessThanOrEquals clin:bodyWeight ;\n", ""),
        ("ExactGradeAndBound", "ExactWeightAndBound"),
    ):
        shapes = shapes.replace(old, new)
    (root / "shapes/findings/weight.ttl").write_text(shapes, encoding="utf-8")
    return Repository(root)


def weights_of(case: Case) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in case.values(case.node, CASE.finding):
        assert isinstance(node, URIRef)
        found |= {
            str(path).removeprefix(str(CLIN)): str(value) for path, value in case.about[node] if "bodyWeight" in path
        }
    return found


def read_line(kb: Repository, weight: object, key: str = "bodyWeight") -> Case | UnreadableInput:
    finding = {"type": "BodyWeightMeasurement", "date": "2026-06-01", "basis": "ChartEvidence", key: weight}
    (found,) = CaseReader(kb).stream("case.jsonl", None, BytesIO(line("2026-07-01", finding)), "jsonl")
    return found


@pytest.mark.parametrize(
    ("key", "weight", "stated"),
    [
        ("bodyWeight", 70.5, "70.5"),
        ("bodyWeight", "70.5 kg", "70.5"),
        ("bodyWeight", "220 [lb_av]", "99.7903214"),
        ("bodyWeightAtLeast", "100000 g", "100"),
    ],
)
def test_plain_json_takes_a_number_with_its_unit(weighing: Repository, key: str, weight: object, stated: str) -> None:
    case = read_line(weighing, weight, key)
    assert isinstance(case, Case)
    assert weights_of(case) == {key: stated}


def test_beside_a_number_with_its_unit_no_other_is_replaced(weighing: Repository) -> None:
    # By pieces, numbers are replaced by others that lie the same way to all limits and to each other.
    stand_ins = StandIns(weighing)
    pair = (("bodyWeight", ("70.5",)), ("bodyWeightAtLeast", ("60.5",)))
    assert stand_ins.of(pair) != pair
    with_unit = (("bodyWeight", "70.5 kg"), ("bodyWeightAtLeast", ("60.5",)))
    assert stand_ins.of(with_unit) == with_unit


@pytest.mark.parametrize(
    ("weight", "why"),
    [
        ("70 cm", "cm is no unit of what kg measures; state it in kg"),
        ("70 lb", "lb is not read as a unit of UCUM; state it in kg"),
        ("heavy", "a number, or one with its unit in UCUM, is expected; write 70, or in text 70 kg"),
        ("7e1 kg", "a number, or one with its unit in UCUM, is expected"),
        ("70", "a number, or one with its unit in UCUM, is expected"),
    ],
)
def test_plain_json_refuses_what_cannot_be_converted_in_one_line(weighing: Repository, weight: str, why: str) -> None:
    refused = read_line(weighing, weight)
    assert isinstance(refused, UnreadableInput)
    assert "findings[0].bodyWeight" in str(refused)
    assert why in str(refused)
    assert "\n" not in str(refused)


def test_the_schema_says_the_same(weighing: Repository, kb: Repository) -> None:
    key = schema(CaseForms(weighing))["$defs"]["BodyWeightMeasurement"]["properties"]["bodyWeight"]
    valid = [
        weight
        for weight in (70, "70 kg", "220 [lb_av]", "heavy", "70", True)
        if not list(jsonschema.Draft202012Validator(key).iter_errors(weight))
    ]
    assert valid == [70, "70 kg", "220 [lb_av]"]
    # A number without a unit, and a share, take a number alone.
    forms = CaseForms(kb).forms
    assert {key.unit for form in forms.values() for key in form.keys.values() if form.name != "Drug"} == {""}


def weighed(quantity: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "weight",
        "status": "final",
        "code": {"coding": [{"system": str(CLIN), "code": "BodyWeightMeasurement"}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-06-20",
        "valueQuantity": {"system": "http://unitsofmeasure.org", **quantity},
    }


@pytest.mark.parametrize(
    ("quantity", "stated", "told"),
    [
        ({"value": 70.5, "code": "kg"}, {"bodyWeight": "70.5"}, ""),
        ({"value": 220, "code": "[lb_av]"}, {"bodyWeight": "99.7903214"}, "its value in [lb_av] is converted into kg"),
        ({"value": 100000, "code": "g", "comparator": ">="}, {"bodyWeightAtLeast": "100"}, "converted into kg"),
        ({"value": 70, "code": "cm"}, {}, "its value is not in kg: cm is no unit of what kg measures"),
        ({"value": 70, "code": "mmol/L"}, {}, "its value is not in kg: mmol/L is no unit of what kg measures"),
        ({"value": 70, "code": "kg", "system": "urn:other"}, {}, "its unit is not kg in UCUM"),
    ],
)
def test_fhir_converts_a_quantity_and_its_bound_and_says_so(
    weighing: Repository, tmp_path: Path, quantity: dict[str, Any], stated: dict[str, str], told: str
) -> None:
    bundle = content()
    added(weighed(quantity))(bundle)
    case = case_of(weighing, bundle, tmp_path)
    assert weights_of(case) == stated
    assert told in "\n".join(record(case))
