"""Revisions compared for tests: copies of the knowledge base with edits."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import installed
from strategies import VOCABULARY

from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import BASE
from kb_tools.revisions.change import Diff
from kb_tools.revisions.compare import diff_of

ROOT = Path(__file__).parents[2]
FAST = installed.FAST
# The revisions whose criteria are on file, oldest first.
ON_FILE = ("2019-10", "2023-10", "2023-11", "2024-04", "2025-02", "2026-02")


@cache
def loaded(name: str) -> Revision:
    policy = VOCABULARY.policy()
    return Revision.load(policy, policy.entry(name))


@cache
def difference(old: str, new: str) -> Diff:
    """The difference of two revisions of the knowledge base."""
    return diff_of(loaded(old), loaded(new), FAST)


# ---------------------------------------------------------------------- the log held against the changes

LOG = "https://w3id.org/policykb/CP.MP.101/log/"


# ---------------------------------------------------------------------- a revision made by hand


@dataclass(frozen=True)
class LogStatement:
    """A statement of the log row of 02/27: kinds of change, what it affects, and whether it claims no impact."""

    kinds: str
    affects: str
    no_impact: bool = False


REVIEW = LogStatement("pol:AnnualReview", "pol:WholePolicy")
Edits = Mapping[str, tuple[str, str]]


def copied(root: Path, edits: Edits, *statements: LogStatement, cases: bool = False) -> Repository:
    left_out = shutil.ignore_patterns("seal.*", *([] if cases else ["cases"]))
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, root / folder, ignore=left_out)
    policy = root / "policies/CP.MP.101"
    (policy / "2027-02").mkdir()
    for path in (policy / "2026-02").glob("*.ttl"):
        text = path.read_text(encoding="utf-8").replace("CP.MP.101/2026-02", "CP.MP.101/2027-02")
        text = text.replace('"2026-02"^^xsd:gYearMonth', '"2027-02"^^xsd:gYearMonth')
        (policy / "2027-02" / path.name).write_text(text, encoding="utf-8")
    for name, (old, new) in edits.items():
        path = root / name if "/" in name else policy / "2027-02" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")
    with (policy / "revision-log.ttl").open("a", encoding="utf-8") as log:
        log.write(_row(statements or (REVIEW,)))
    return Repository(root)


def _row(statements: Iterable[LogStatement]) -> str:
    lines = [
        'log:2027-02 a pol:LogRow ; rdfs:label "log row 02/27"@en ; pol:order 10 ; pol:revisionAsPrinted "02/27" ;'
        f' pol:revisionMonth "2027-02"^^xsd:gYearMonth ; pol:records <{BASE}CP.MP.101/2027-02> .'
    ]
    for order, statement in enumerate(statements, 1):
        claim = "pol:impactClaim pol:NoImpactOnCriteria ;" if statement.no_impact else ""
        lines.append(
            f"log:2027-02 pol:says log:2027-02-{order} . log:2027-02-{order} a pol:LogStatement ; pol:order {order} ;"
            f" pol:changeKind {statement.kinds} ; {claim} pol:affects {statement.affects} ."
        )
    return f"PREFIX cpt: <{BASE}code/cpt/>\nPREFIX ref: <{BASE}CP.MP.101/reference/>\n" + "\n".join(lines)


def against_2026_02(kb: Repository) -> Diff:
    policy = kb.policy()
    return diff_of(loaded("2026-02"), Revision.load(policy, policy.entry("2027-02")), FAST)


GRADE_3 = """
cond:acute-gvhd-of-grade-3-or-higher
    a pol:Condition ;
    rdfs:label "acute GvHD of grade 3 or higher"@en ;
    skos:definition "The latest assessment grades acute graft-versus-host disease 3 or 4."@en ;
    pol:asksFor "The overall grade (0 to 4) and date of the latest acute GvHD assessment."@en ;
    pol:reads clin:AcuteGvHDAssessment ;
    pol:possibleValue pol:Holds , pol:Fails , pol:Unknown , pol:Conflicting ;
    pol:holdsWhen cond:AcuteGvHDGrade3OrHigher ;
    pol:failsWhen cond:AcuteGvHDBelowGrade3 .

cond:AcuteGvHDGrade3OrHigher a sh:NodeShape ; sh:property [ sh:path case:currentFinding ;
    sh:qualifiedValueShape [
        sh:class clin:AcuteGvHDAssessment ;
        sh:property [ sh:path [ sh:alternativePath ( clin:grade clin:gradeAtLeast ) ] ;
            sh:minCount 1 ; sh:minInclusive 3 ] ] ;
    sh:qualifiedMinCount 1 ; sh:message "No grade of 3 or higher."@en ] .
cond:AcuteGvHDBelowGrade3 a sh:NodeShape ; sh:property [ sh:path case:currentFinding ;
    sh:qualifiedValueShape [
        sh:class clin:AcuteGvHDAssessment ;
        sh:property [ sh:path [ sh:alternativePath ( clin:grade clin:gradeAtMost ) ] ;
            sh:minCount 1 ; sh:maxExclusive 3 ] ] ;
    sh:qualifiedMinCount 1 ; sh:message "No grade below 3."@en ] .

cond:chronic-gvhd-is-present
    a pol:Condition ;"""
THRESHOLD: Edits = {
    "shapes/conditions/gvhd.ttl": ("\ncond:chronic-gvhd-is-present\n    a pol:Condition ;", GRADE_3),
    "criteria.ttl": (
        "pol:allOf ( cond:acute-gvhd-of-grade-2-or-higher )",
        "pol:allOf ( cond:acute-gvhd-of-grade-3-or-higher )",
    ),
}
