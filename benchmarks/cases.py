"""Cases for benchmarks: as many as wanted, the same ones for the same seed, varied over the whole vocabulary."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta

HEAD = """PREFIX : <https://w3id.org/policykb/example/generated-{number}#>
PREFIX case: <https://w3id.org/policykb/case#>
PREFIX clin: <https://w3id.org/policykb/clinical#>
PREFIX cpt: <https://w3id.org/policykb/code/cpt/>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
"""
SERVICE = date(2026, 7, 1)
DISEASES = ["AcuteMyeloidLeukemia", "MultipleMyeloma", "FollicularLymphoma", "Melanoma", "SickleCellDisease"]
STATEMENTS = {
    "Transplant": [
        "clin:graftSource clin:" + source for source in ("Allogeneic", "CordBlood", "Autologous", "Syngeneic")
    ],
    "DiseaseStatusAssessment": [
        "clin:diseaseStatus clin:" + status for status in ("Relapsed", "Refractory", "CompleteRemission", "Active")
    ],
    "MRDTest": [
        f"clin:method clin:{method} ; clin:mrdResult clin:{result}"
        for method in ("FlowCytometry", "PolymeraseChainReaction")
        for result in ("MRDDetected", "MRDNotDetected")
    ],
    "RelapseRiskAssessment": [
        "clin:relapseRisk clin:" + risk for risk in ("RaisedRelapseRisk", "RelapseRiskNotRaised")
    ],
    "ChimerismTest": [
        f"clin:lineage clin:{lineage} ; clin:donorPercent {percent}"
        for lineage in ("WholeBlood", "TCells")
        for percent in (50, 89.9, 90, 95, 100)
    ],
    "AcuteGvHDAssessment": [f"clin:grade {grade}" for grade in range(5)],
    "ChronicGvHDAssessment": [
        "clin:chronicSeverity clin:" + severity for severity in ("NoChronicGvHD", "MildChronicGvHD")
    ],
    "EarlierInfusion": ["clin:response clin:PositiveResponse"],
}
PURPOSES = ["TreatRelapse", "LowerRelapseRisk", "RaiseDonorChimerism"]
PROCESSING = ["Unmanipulated", "Cryopreservation", "CD4Selection", "GeneticModification"]
PLANS = ["Commercial", "Marketplace", "Medicaid", "MedicareAdvantage"]


def generate(count: int, seed: int = 101) -> Iterator[str]:
    """`count` well-formed cases as Turtle, with 4 to 12 findings each."""
    chance = random.Random(seed)
    for number in range(count):
        disease = chance.choice(DISEASES)
        findings = [
            _finding(chance, kind, disease) for kind in chance.choices(list(STATEMENTS), k=chance.randint(4, 12))
        ]
        yield (
            HEAD.format(number=number)
            + f"""
:case a case:Case ;
    case:patient :patient ;
    case:coverage [ a case:Coverage ; case:lineOfBusiness case:{chance.choice(PLANS)} ] ;
    case:request [ a case:Request ;
        case:service clin:DonorLymphocyteInfusion ; case:procedureCode cpt:38242 ;
        case:serviceDate "{SERVICE}"^^xsd:date ;
        case:reason clin:{disease} ; case:purpose clin:{chance.choice(PURPOSES)} ;
        case:product [ a case:Product ; clin:processing clin:{chance.choice(PROCESSING)} ] ] ;
    case:finding {" , ".join(findings)} .
"""
        )


def _finding(chance: random.Random, kind: str, disease: str) -> str:
    day = SERVICE - timedelta(days=chance.randint(-30, 700))
    of = f"clin:disease clin:{disease} ; " if kind == "DiseaseStatusAssessment" else ""
    stated = chance.choice(STATEMENTS[kind])
    basis = chance.choice(["ChartEvidence", "Attestation"])
    return f'[ a clin:{kind} ; case:date "{day}"^^xsd:date ; case:basis case:{basis} ; {of}{stated} ]'
