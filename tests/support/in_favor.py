"""Answers to the questions of a form, in favor of the criteria."""

from __future__ import annotations

from typing import Any

from kb_tools.rdf.namespaces import CASE

Json = dict[str, Any]
CLINICAL = "https://w3id.org/policykb/clinical#"
SERVICE_DATE = "2026-07-01"
# Answers in favor of the criteria. A disease is the one that the questionnaire chooses beforehand, else this one.
DISEASE = "AcuteMyeloidLeukemia"
IN_FAVOR: dict[str, list[Json]] = {
    "Transplant/date": [{"valueDate": "2020-01-15"}],
    "EarlierInfusion/date": [{"valueDate": "2026-06-30"}],
    "DiseaseStatusAssessment/date": [{"valueDate": SERVICE_DATE}],
    "MRDTest/date": [{"valueDate": SERVICE_DATE}],
    "RelapseRiskAssessment/date": [{"valueDate": SERVICE_DATE}],
    "ChimerismTest/date": [{"valueDate": SERVICE_DATE}],
    "AcuteGvHDAssessment/date": [{"valueDate": SERVICE_DATE}],
    "ChimerismTest/donorPercent": [{"valueDecimal": 89.5}],
    "AcuteGvHDAssessment/grade": [{"valueInteger": 1}],
}
IN_FAVOR |= {
    link: [{"valueCoding": {"system": system, "code": code}} for code in codes]
    for link, system, codes in (
        ("Request/service", CLINICAL, ["DonorLymphocyteInfusion"]),
        ("Request/reason", CLINICAL, [DISEASE]),
        ("Request/purpose", CLINICAL, ["TreatRelapse", "LowerRelapseRisk", "RaiseDonorChimerism"]),
        ("Product/processing", CLINICAL, ["Unmanipulated"]),
        ("Coverage/lineOfBusiness", str(CASE), ["Commercial"]),
        ("Transplant/graftSource", CLINICAL, ["UnrelatedDonor"]),
        ("DiseaseStatusAssessment/disease", CLINICAL, [DISEASE]),
        ("DiseaseStatusAssessment/diseaseStatus", CLINICAL, ["Relapsed"]),
        ("ChimerismTest/lineage", CLINICAL, ["TCells"]),
        ("MRDTest/mrdResult", CLINICAL, ["MRDDetected"]),
        ("RelapseRiskAssessment/relapseRisk", CLINICAL, ["RaisedRelapseRisk"]),
        ("EarlierInfusion/response", CLINICAL, ["PositiveResponse"]),
    )
}


def in_favor(item: Json) -> list[Json]:
    """The items of a response that answer an item, and all under it, in favor of the criteria."""
    if item["type"] == "group":
        inner = [answered for nested in item["item"] for answered in in_favor(nested)]
        return [{"linkId": item["linkId"], "item": inner}] if inner and item["linkId"] != "StatedAbsence" else []
    chosen = [
        {"valueCoding": option["valueCoding"]}
        for option in item.get("answerOption", ())
        if option.get("initialSelected")
    ]
    answers = chosen or IN_FAVOR.get(item["linkId"], [])
    return [{"linkId": item["linkId"], "answer": answers}] if answers else []
