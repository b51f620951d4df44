"""Every conformance check passes on the knowledge base, and fails on each slip that it is there to find."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from edits import Edit, appended, moved, removed, replaced, replaced_everywhere, written

from kb_tools.checks import CHECKS, CheckResult, Problem, Severity, run_checks
from kb_tools.checks.core import in_each
from kb_tools.commands.check import command
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository

ROOT = Path(__file__).parents[2]
POLICY = "policies/CP.MP.101"
TERMINOLOGY = "ontology/terminology.ttl"
KB = "https://w3id.org/policykb"
IRI = f"{KB}/CP.MP.101"
IDS = [check.id for check in CHECKS]


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[bool], Path]:
    """Copies the knowledge base, with its example cases only where asked: most checks do not need them."""

    def copy(cases: bool) -> Path:
        for folder in ("ontology", "shapes", "policies"):
            ignore = None if cases else shutil.ignore_patterns("cases")
            shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
        return tmp_path

    return copy


def keep_one_revision(root: Path, name: str) -> None:
    """Removes all other revisions, so that a check that takes time for each takes it once."""
    for folder in (root / POLICY).glob("*/revision.ttl"):
        if folder.parent.name != name:
            shutil.rmtree(folder.parent)


def result_of(root: Path, check: str) -> CheckResult:
    (result,) = run_checks(Repository(root), [check])
    return result


# ---------------------------------------------------------------------- slips


@dataclass(frozen=True)
class Slip:
    """One edit that breaks the knowledge base, and what the check must find in it.

    Attributes:
        where, says: the place of the first problem, and the decisive part of its message.
        cases: whether the check needs the example cases.
        only_revision: the revision to keep, for a check that takes time for each.
        problems: how many problems are found, all in the same place.
    """

    check: str
    name: str
    edit: Edit
    where: str
    says: str
    cases: bool = False
    only_revision: str = ""
    problems: int = 1

    def __str__(self) -> str:
        return f"{self.check}: {self.name}"


GVHD = "shapes/conditions/gvhd.ttl"
COVERAGE = "shapes/conditions/coverage.ttl"
TRANSPLANT = "shapes/conditions/transplant.ttl"
DISEASE = "shapes/conditions/disease.ttl"
CHIMERISM = "shapes/conditions/chimerism.ttl"
LOG = f"{POLICY}/revision-log.ttl"
CRITERIA = f"{POLICY}/2026-02/criteria.ttl"
REFERENCES = f"{POLICY}/2026-02/references.ttl"
PASSAGES = f"{POLICY}/2026-02/passages.ttl"
GRADE = "sh:path [ sh:alternativePath ( clin:grade clin:gradeAtLeast ) ]"
GRADE_2 = f"""    sh:qualifiedValueShape [
        sh:class clin:AcuteGvHDAssessment ;
        sh:property [ {GRADE} ; sh:minCount 1 ; sh:minInclusive 2 ] ] ;
    sh:qualifiedMinCount 1 ;"""
BELOW_GRADE_2 = "cond:AcuteGvHDBelowGrade2\n    a sh:NodeShape ;"

SLIPS = [
    Slip(
        "parses",
        "a statement is not closed",
        appended("ontology/case.ttl", "case:Case case:date ;"),
        "ontology/case.ttl:{last}",
        "not valid Turtle",
    ),
    Slip("parses", "a folder is gone", removed("shapes"), "shapes", "holds no .ttl file"),
    Slip(
        "generated",
        "the schema of cases is not written anew",
        written("docs/case.schema.json", "{}"),
        "docs/case.schema.json",
        "write it anew: kb case schema --shared > docs/case.schema.json",
    ),
    Slip(
        "files-read",
        "a file of a revision stands in a folder that kb does not look into",
        written(f"{POLICY}/2026-02/more/codes.ttl"),
        f"{POLICY}/2026-02/more/codes.ttl",
        "is never read",
    ),
    Slip(
        "files-read",
        "a revision has no revision.ttl",
        written(f"{POLICY}/2026-08/criteria.ttl"),
        f"{POLICY}/2026-08/criteria.ttl",
        "is never read",
    ),
    Slip(
        "files-read",
        "a file is not Turtle by its name",
        written(f"{POLICY}/2026-02/codes.nt"),
        f"{POLICY}/2026-02/codes.nt",
        "is never read",
    ),
    Slip(
        "prefixes",
        "a namespace is not that of the table",
        replaced(GVHD, "PREFIX sh:   <http://www.w3.org/ns/shacl#>", "PREFIX sh:   <http://www.w3.org/ns/shacl/>"),
        f"{GVHD}:7",
        "prefix sh: is http://www.w3.org/ns/shacl# in the prefix table",
    ),
    Slip(
        "prefixes",
        "a prefix is not in the table",
        replaced(
            f"{POLICY}/2026-02/codes.ttl",
            "PREFIX xsd: ",
            "@prefix foaf: <http://xmlns.com/foaf/0.1/> . foaf:a a foaf:b .\nPREFIX xsd: ",
        ),
        f"{POLICY}/2026-02/codes.ttl:8",
        "prefix foaf: is not in the prefix table",
    ),
    Slip(
        "prefixes",
        "a prefix stands in a comment, a string and an IRI only",
        replaced(
            GVHD,
            "PREFIX sh: ",
            'PREFIX oa: <http://www.w3.org/ns/oa#> # oa:x\n<urn:oa:x#oa:x> rdfs:label "oa:x \\" oa:y" .\nPREFIX sh: ',
        ),
        f"{GVHD}:7",
        "prefix oa: is not used",
    ),
    Slip(
        "prefixes",
        "a prefix is declared twice",
        replaced(GVHD, "PREFIX sh: ", f"PREFIX pol: <{KB}/policy#>\nPREFIX sh: "),
        f"{GVHD}:7",
        "prefix pol: is declared twice",
    ),
    Slip(
        "blank-node-labels",
        "a blank node has a label",
        appended(
            f"{POLICY}/discrepancies.ttl",
            'disc:x pol:concerns _:it . # _:not-this\ndisc:x rdfs:label "_:nor this"@en .',
        ),
        f"{POLICY}/discrepancies.ttl:{{last-1}}",
        "labels a blank node _:it",
    ),
    Slip(
        "literals",
        "a month does not exist",
        replaced(LOG, '"2026-02"^^xsd:gYearMonth', '"2026-13"^^xsd:gYearMonth'),
        LOG,
        'log:2026-02 states with pol:revisionMonth "2026-13", which is no xsd:gYearMonth',
    ),
    Slip(
        "literals",
        "a day does not exist",
        replaced(REFERENCES, '"2025-06-27"^^xsd:date', '"2025-06-31"^^xsd:date'),
        REFERENCES,
        'ref:nccn-all states with dcterms:issued "2025-06-31", which is no xsd:date',
    ),
    Slip(
        "literals",
        "a datatype is misspelt",
        replaced(REFERENCES, '"2025-06-27"^^xsd:date', '"2025-06-27"^^xsd:Date'),
        REFERENCES,
        'ref:nccn-all states with dcterms:issued "2025-06-27", which is no xsd:Date',
    ),
    Slip(
        "ontology-headers",
        "a version is raised in one place",
        replaced("ontology/clinical/mrd.ttl", 'owl:versionInfo "1.0.0"', 'owl:versionInfo "1.1.0"'),
        "ontology/clinical/mrd.ttl",
        "does not belong to owl:versionInfo 1.1.0",
    ),
    Slip(
        "ontology-headers",
        "a vocabulary has no header",
        written("ontology/more.ttl"),
        "ontology/more.ttl",
        "has 0 owl:Ontology headers",
    ),
    Slip(
        "ontology-headers",
        "a header has two labels",
        replaced("ontology/case.ttl", 'rdfs:label "patient case vocabulary"@en', 'rdfs:label "a"@en , "b"@en'),
        "ontology/case.ttl",
        "its header states 2 rdfs:label",
    ),
    Slip(
        "terms-defined",
        "a term has no definition",
        appended(
            "ontology/clinical/disease-status.ttl", 'clin:Cure a clin:DiseaseStatus ; skos:prefLabel "cured"@en .'
        ),
        "clin:Cure",
        "has 0 definitions",
    ),
    Slip(
        "terms-defined",
        "a term has two labels",
        appended("ontology/clinical/disease-status.ttl", 'clin:Relapsed rdfs:label "relapsed"@en .'),
        "clin:Relapsed",
        "has 2 labels; state one rdfs:label or skos:prefLabel",
    ),
    Slip(
        "terms-defined",
        "a condition has no label",
        replaced(GVHD, '    rdfs:label "acute GvHD of grade 2 or higher"@en ;\n', ""),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "has 0 labels",
    ),
    Slip(
        "terms-defined",
        "a property shape has no message",
        replaced(
            "shapes/case.ttl",
            '    sh:message "State at most one lymphocyte donor, clin:TransplantDonor or clin:DifferentDonor."@en .',
            "    .",
        ),
        "shape:Product-lymphocyteDonor",
        "has 0 messages",
    ),
    Slip(
        "undefined-terms",
        "a concept is misspelt in a condition",
        replaced(TRANSPLANT, "sh:hasValue clin:Autologous", "sh:hasValue clin:Autologus"),
        TRANSPLANT,
        "clin:Autologus is not defined",
    ),
    Slip(
        "undefined-terms",
        "a property is misspelt in the text of a rule",
        replaced(
            "shapes/derivation.ttl",
            "?class case:countsSince ?starting .\n            ?starting",
            "?class case:countsSinse ?starting .\n            ?starting",
        ),
        "shapes/derivation.ttl",
        "case:countsSinse is not defined",
    ),
    Slip(
        "undefined-terms",
        "a property is misspelt in a revision",
        replaced(CRITERIA, "pol:limitation", "pol:limitations"),
        CRITERIA,
        "pol:limitations is not defined",
    ),
    Slip(
        "terms-in-place",
        "a policy changes a concept of the vocabulary",
        appended(
            CRITERIA,
            f"<{KB}/clinical#Syngeneic> skos:broader <{KB}/clinical#Allogeneic> .",
        ),
        CRITERIA,
        "says something of clin:Syngeneic, which ontology/clinical describes; say it there, or remove it",
    ),
    Slip(
        "property-kinds",
        "a node is given as a text",
        replaced(CRITERIA, f"pol:otherwiseSee <{KB}/MC.CP.MP.101>", 'pol:otherwiseSee "MC.CP.MP.101"'),
        CRITERIA,
        'pol:otherwiseSee is given the text "MC.CP.MP.101"',
    ),
    Slip(
        "property-kinds",
        "a text is given as a node",
        replaced(
            GVHD,
            'pol:asksFor "The overall grade (0 to 4) and date of the latest acute GvHD assessment."@en',
            "pol:asksFor clin:grade",
        ),
        GVHD,
        "pol:asksFor is given clin:grade",
    ),
    Slip(
        "property-kinds",
        "a class is used as a property",
        appended(CRITERIA, "crit:plan pol:Applicability crit:service ."),
        CRITERIA,
        "pol:Applicability is used as a property and declared as 0 kinds of one",
    ),
    Slip(
        "dangling-iris",
        "a place is not described",
        replaced(CRITERIA, "pol:statedIn psg:criterion-II.A", "pol:statedIn psg:criterion-II.C"),
        CRITERIA,
        "crit:manipulated-lymphocytes points with pol:statedIn to psg:criterion-II.C, which nothing describes",
    ),
    Slip(
        "dangling-iris",
        "a code is not described",
        replaced(COVERAGE, "clin:DonorLymphocyteInfusion cpt:38242", "clin:DonorLymphocyteInfusion cpt:38243"),
        COVERAGE,
        "points with rdf:first to cpt:38243, which nothing describes",
    ),
    Slip(
        "hierarchy",
        "a group says what is narrower",
        appended("ontology/clinical/diseases.ttl", "clin:SolidTumor skos:narrower clin:Melanoma ."),
        "clin:SolidTumor",
        "states skos:narrower clin:Melanoma; state instead that clin:Melanoma is skos:broader clin:SolidTumor",
    ),
    Slip(
        "hierarchy",
        "a disease states what follows from its group",
        appended("ontology/clinical/diseases.ttl", "clin:FollicularLymphoma skos:broader clin:Lymphoma ."),
        "clin:FollicularLymphoma",
        "states skos:broader clin:Lymphoma, which follows from clin:BCellNonHodgkinLymphoma; remove it",
    ),
    Slip(
        "hierarchy",
        "a disease stands under itself",
        appended("ontology/clinical/diseases.ttl", "clin:Melanoma skos:broader clin:Melanoma ."),
        "clin:Melanoma",
        "stands under itself by skos:broader; remove one step of the circle",
    ),
    Slip(
        "terminology",
        "a mapping says what it means in a misspelt way",
        replaced(TERMINOLOGY, "read:concept clin:AcuteMyeloidLeukemia ;", "read:concpet clin:AcuteMyeloidLeukemia ;"),
        TERMINOLOGY,
        '"acute myeloid leukemia, not having achieved remission": read:concpet; A mapping states its system, codes and '
        "what they mean, and nothing else: check the spelling of the property.",
    ),
    Slip(
        "terminology",
        "a code states a value that there is not",
        replaced(TERMINOLOGY, "clin:gradeAtLeast 1", "clin:gradeAtLeast 7"),
        TERMINOLOGY,
        "http://hl7.org/fhir/sid/icd-10-cm D89.810 is mapped to a finding whose clin:gradeAtLeast is not one allowed "
        "value; State clin:gradeAtLeast at most once, as a whole number from 0 to 4, not above the upper bound.",
    ),
    Slip(
        "owl-rl-profile",
        "a class is a union",
        appended("ontology/case.ttl", "case:Case owl:unionOf ( case:Request case:Coverage ) ."),
        "ontology/case.ttl",
        "case:Case uses owl:unionOf, which may leave OWL 2 RL",
    ),
    Slip(
        "owl-rl-profile",
        "an ontology is imported",
        appended("ontology/case.ttl", f"<{KB}/case> owl:imports prov:Entity ."),
        "ontology/case.ttl",
        f"<{KB}/case> uses owl:imports, which may leave OWL 2 RL",
    ),
    Slip(
        "owl-rl-consistent",
        "a criterion is an indication and an exclusion",
        replaced(CRITERIA, "pol:exclusion crit:manipulated-lymphocytes", "pol:exclusion crit:indication"),
        POLICY,
        "Disjoint classes pol:Indication and pol:Exclusion have a common individual crit:indication; "
        "correct the statement that is wrong (in every revision)",
        only_revision="2026-02",
    ),
    Slip(
        "owl-rl-consistent",
        "a revision is of two policies",
        replaced(
            f"{POLICY}/2026-02/revision.ttl",
            f"pol:revisionOf <{IRI}>",
            f"pol:revisionOf <{IRI}> , <{KB}/MC.CP.MP.101>",
        ),
        POLICY,
        f"<{IRI}> and <{KB}/MC.CP.MP.101> are inferred to be the same",
        only_revision="2026-02",
    ),
    Slip(
        "conditions",
        "a condition asks nothing",
        replaced(
            GVHD,
            '    pol:asksFor "The overall grade (0 to 4) and date of the latest acute GvHD assessment."@en ;\n',
            "",
        ),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "states 0 pol:asksFor",
    ),
    Slip(
        "conditions",
        "a condition has no shape against it",
        replaced(
            GVHD,
            "pol:holdsWhen cond:AcuteGvHDGrade2OrHigher ;\n    pol:failsWhen cond:AcuteGvHDBelowGrade2 .",
            "pol:holdsWhen cond:AcuteGvHDGrade2OrHigher .",
        ),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "states 0 pol:failsWhen",
    ),
    Slip(
        "conditions",
        "a condition names a property shape",
        replaced(GVHD, "pol:failsWhen cond:AcuteGvHDBelowGrade2 ", "pol:failsWhen cond:AcuteGvHDBelowGrade2-finding "),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "pol:failsWhen cond:AcuteGvHDBelowGrade2-finding is no sh:NodeShape",
    ),
    Slip(
        "conditions",
        "a condition holds and fails by one shape",
        replaced(GVHD, "pol:failsWhen cond:AcuteGvHDBelowGrade2 ", "pol:failsWhen cond:AcuteGvHDGrade2OrHigher "),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "holds and fails by one shape",
    ),
    Slip(
        "conditions",
        "a condition is never unknown",
        replaced(
            GVHD,
            "pol:possibleValue pol:Holds , pol:Fails , pol:Unknown , ",
            "pol:possibleValue pol:Holds , pol:Fails , ",
        ),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "does not list pol:Unknown as pol:possibleValue",
    ),
    Slip(
        "condition-reads",
        "a condition says that it reads something else",
        replaced(COVERAGE, "pol:reads case:lineOfBusiness", "pol:reads case:reason"),
        "cond:plan-is-not-medicare",
        "its shapes read case:lineOfBusiness, its pol:reads names case:reason",
    ),
    Slip(
        "condition-reads",
        "a condition says that it reads more",
        replaced(
            GVHD,
            "pol:reads clin:AcuteGvHDAssessment",
            "pol:reads clin:ChronicGvHDAssessment , clin:AcuteGvHDAssessment",
        ),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "its shapes read clin:AcuteGvHDAssessment, "
        "its pol:reads names clin:AcuteGvHDAssessment, clin:ChronicGvHDAssessment",
    ),
    Slip(
        "condition-reads",
        "a shape reads another property too",
        replaced(
            COVERAGE,
            "sh:path ( case:request case:service )",
            "sh:path ( case:request [ sh:alternativePath ( case:service case:purpose ) ] )",
        ),
        "cond:service-is-dli",
        "its shapes read case:procedureCode, case:purpose, case:service, "
        "its pol:reads names case:procedureCode, case:service",
    ),
    Slip(
        "condition-reads",
        "a shape reads findings of another class",
        replaced(
            TRANSPLANT,
            "sh:path clin:absenceOf ; sh:hasValue clin:Transplant",
            "sh:path clin:absenceOf ; sh:hasValue clin:EarlierInfusion",
        ),
        "cond:after-allogeneic-transplant",
        "its shapes read clin:EarlierInfusion, clin:Transplant, its pol:reads names clin:Transplant",
    ),
    Slip(
        "condition-reads",
        "a shape counts findings of every class",
        replaced(GVHD, "        sh:class clin:AcuteGvHDAssessment ;\n", ""),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "cond:AcuteGvHDGrade2OrHigher-finding counts current findings of every class: say sh:class",
    ),
    Slip(
        "condition-reads",
        "a shape says the class of some of what it counts",
        replaced(
            GVHD,
            "        sh:class clin:AcuteGvHDAssessment ;\n",
            "sh:or ( [ sh:class clin:AcuteGvHDAssessment ] [ sh:property [ sh:path clin:grade ] ] ) ;\n",
        ),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "counts current findings of every class: say sh:class",
    ),
    Slip(
        "condition-reads",
        "a shape holds every current finding to something",
        replaced(GVHD, GRADE_2, "    sh:node [ sh:class clin:AcuteGvHDAssessment ] ;\n" + GRADE_2),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "cond:AcuteGvHDGrade2OrHigher-finding holds sh:node against current findings of every class",
    ),
    Slip(
        "condition-reads",
        "a shape looks past findings whose class it does not say",
        replaced(
            GVHD,
            f"    sh:path case:currentFinding ;\n{GRADE_2}",
            "    sh:path ( case:currentFinding clin:grade ) ;\n    sh:minInclusive 2 ;",
        ),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "cond:AcuteGvHDGrade2OrHigher-finding looks along case:currentFinding / clin:grade from case",
    ),
    Slip(
        "condition-reads",
        "a shape looks at findings that do not count",
        replaced(GVHD, f"sh:path case:currentFinding ;\n{GRADE_2}", f"sh:path case:finding ;\n{GRADE_2}"),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "looks along case:finding from case",
    ),
    Slip(
        "condition-reads",
        "a shape goes back from a finding to its case",
        replaced(
            GVHD,
            "sh:minInclusive 2 ] ] ;",
            "sh:minInclusive 2 ] ; sh:property [ sh:path [ sh:inversePath case:currentFinding ] ; sh:maxCount 1 ] ] ;",
        ),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "cond:AcuteGvHDGrade2OrHigher-finding follows sh:inversePath of case:currentFinding",
    ),
    Slip(
        "condition-reads",
        "a shape looks at what is said of a concept",
        replaced(
            DISEASE,
            "sh:path ( case:request case:reason ) ;\n    sh:minCount 1",
            "sh:path ( case:request case:reason clin:icd10cm ) ;\n    sh:minCount 1",
        ),
        "cond:reason-is-hematologic-malignancy",
        "looks along case:request / case:reason / clin:icd10cm from case",
    ),
    Slip(
        "condition-reads",
        "a shape looks at whether there is a product at all",
        replaced(
            "shapes/conditions/product.ttl",
            "sh:path ( case:request case:product clin:processing ) ;",
            "sh:path ( case:request case:product ) ;",
        ),
        "cond:lymphocytes-genetically-modified",
        "looks along case:request / case:product from case",
    ),
    Slip(
        "condition-reads",
        "a shape compares two properties",
        replaced(GVHD, "sh:minInclusive 2 ] ] ;", "sh:minInclusive 2 ; sh:lessThan clin:gradeAtMost ] ] ;"),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "cond:AcuteGvHDGrade2OrHigher-finding uses sh:lessThan on value",
    ),
    Slip(
        "condition-reads",
        "a shape is described elsewhere",
        replaced(
            TRANSPLANT,
            "sh:or ( cond:EveryTransplantAutologous cond:NoTransplant )",
            f"sh:or ( cond:EveryTransplantAutologous cond:NoTransplant <{KB}/shape#Finding> )",
        ),
        "cond:after-allogeneic-transplant",
        "shape:Finding is described outside shapes/conditions",
    ),
    *(
        Slip(
            "condition-form",
            f"a shape counts findings {how}",
            replaced(GVHD, GRADE_2, GRADE_2.replace("sh:qualifiedMinCount 1 ;", counted)),
            "cond:acute-gvhd-of-grade-2-or-higher",
            "pol:holdsWhen: cond:AcuteGvHDGrade2OrHigher-finding counts findings otherwise than by "
            "sh:qualifiedMinCount 1 or sh:qualifiedMaxCount 0 alone; rewrite it",
        )
        for how, counted in (
            ("to two", "sh:qualifiedMinCount 2 ;"),
            ("to one at most", "sh:qualifiedMaxCount 1 ;"),
            ("to exactly one", "sh:qualifiedMinCount 1 ; sh:qualifiedMaxCount 1 ;"),
            ("to none at least", "sh:qualifiedMinCount 0 ;"),
            ("of any kind", ""),
        )
    ),
    *(
        Slip(
            "condition-form",
            f"a shape comes to findings by {how}",
            replaced(GVHD, f"    sh:path case:currentFinding ;\n{GRADE_2}", f"    sh:path {path} ;\n{GRADE_2}"),
            "cond:acute-gvhd-of-grade-2-or-higher",
            "pol:holdsWhen: cond:AcuteGvHDGrade2OrHigher-finding comes to findings by a longer path than "
            "case:currentFinding alone; rewrite it",
        )
        for how, path in (
            ("a list of one step", "( case:currentFinding )"),
            ("either of one and the same", "[ sh:alternativePath ( case:currentFinding case:currentFinding ) ]"),
            ("any number of steps", "[ sh:oneOrMorePath case:currentFinding ]"),
        )
    ),
    *(
        Slip(
            "condition-form",
            f"a shape holds {operator} over one that counts findings",
            replaced(GVHD, BELOW_GRADE_2, f"{BELOW_GRADE_2} {operator} {over} ;"),
            "cond:acute-gvhd-of-grade-2-or-higher",
            f"pol:failsWhen: cond:AcuteGvHDBelowGrade2 holds {operator} over a shape that counts findings; rewrite it",
        )
        for operator, over in (
            ("sh:not", "cond:AcuteGvHDGrade2OrHigher"),
            ("sh:xone", "( cond:AcuteGvHDGrade2OrHigher cond:AcuteGvHDGrade2OrHigher )"),
        )
    ),
    Slip(
        "condition-form",
        "an unnamed shape holds sh:not over one that counts findings",
        replaced(GVHD, BELOW_GRADE_2, f"{BELOW_GRADE_2} sh:or ( [ sh:not cond:AcuteGvHDGrade2OrHigher ] ) ;"),
        "cond:acute-gvhd-of-grade-2-or-higher",
        "pol:failsWhen: holds sh:not over a shape that counts findings; rewrite it",
    ),
    Slip(
        "shape-form",
        "a parameter is misspelt",
        replaced("shapes/case.ttl", "    sh:minCount 1 ;", "    sh:minCont 1 ;"),
        "shape:Case-patient",
        "uses sh:minCont, which is not of SHACL Core; did you mean sh:minCount?",
    ),
    Slip(
        "shape-form",
        "a shape that is misspelt is held against values",
        replaced("shapes/case.ttl", "sh:node shape:Pseudonym", "sh:node shape:Pseudonm"),
        "shape:Case-patient",
        "gives sh:node shape:Pseudonm; give it a shape that is described",
    ),
    Slip(
        "shape-form",
        "a policy brings a shape with a function in another language",
        appended(f"{POLICY}/policy.ttl", '<urn:x:s> a sh:NodeShape ; sh:js [ sh:jsFunctionName "f" ] .'),
        "<urn:x:s>",
        "an unnamed node in it uses sh:jsFunctionName, which is not of SHACL Core; say it in Core",
        problems=2,
    ),
    Slip(
        "pieces-are-local",
        "a case shape counts findings",
        replaced("shapes/case.ttl", "    sh:path case:finding ;", "    sh:path case:finding ;\n    sh:maxCount 50 ;"),
        "shape:Case-finding",
        "counts findings (sh:maxCount); rewrite it, or many cases take the slow path",
    ),
    Slip(
        "condition-severity",
        "a condition's shape is a warning",
        replaced(
            GVHD,
            "cond:AcuteGvHDBelowGrade2\n    a sh:NodeShape ;",
            "cond:AcuteGvHDBelowGrade2\n    a sh:NodeShape ; sh:severity sh:Warning ;",
        ),
        "cond:AcuteGvHDBelowGrade2",
        "carries sh:severity sh:Warning; remove it",
    ),
    Slip(
        "condition-severity",
        "a condition goes beyond SHACL Core",
        replaced(
            GVHD,
            "cond:AcuteGvHDBelowGrade2\n    a sh:NodeShape ;",
            'cond:AcuteGvHDBelowGrade2\n    a sh:NodeShape ; sh:sparql [ rdfs:label "" ] ;',
        ),
        "cond:AcuteGvHDBelowGrade2",
        "uses sh:sparql; a condition is untargeted SHACL Core",
    ),
    Slip(
        "condition-severity",
        "a condition's shape has a target",
        replaced(
            GVHD,
            "cond:AcuteGvHDBelowGrade2\n    a sh:NodeShape ;",
            "cond:AcuteGvHDBelowGrade2\n    a sh:NodeShape ; sh:targetClass case:Case ;",
        ),
        "cond:AcuteGvHDBelowGrade2",
        "uses sh:targetClass; a condition is untargeted SHACL Core",
    ),
    Slip(
        "entailments",
        "a condition entails one that is narrower",
        appended(DISEASE, "cond:disease-relapsed-refractory-or-progressing pol:entails cond:disease-is-relapsed ."),
        "cond:disease-relapsed-refractory-or-progressing",
        "pol:entails cond:disease-is-relapsed, but on a case that states disease status assessment disease status "
        "progressing the one holds and the other is unknown; correct the shapes or remove it",
    ),
    Slip(
        "entailments",
        "a limit is moved past that of a condition that is excluded",
        replaced(CHIMERISM, "sh:minCount 1 ; sh:maxExclusive 100 ] ]", "sh:minCount 1 ; sh:maxExclusive 80 ] ]"),
        "cond:chimerism-is-mixed",
        "pol:excludes cond:chimerism-is-full, but on a case that states chimerism test donor cells, percent 80 the one "
        "holds and the other is unknown",
    ),
    Slip(
        "entailments",
        "a condition excludes one that reads another kind of fact",
        appended(DISEASE, "cond:mrd-is-detected pol:excludes cond:disease-is-relapsed ."),
        "cond:mrd-is-detected",
        "pol:excludes cond:disease-is-relapsed, which reads another kind of fact, so that they cannot be related; "
        "remove it",
    ),
    Slip(
        "entailments",
        "a condition that never holds entails another",
        replaced(
            DISEASE,
            "sh:in ( clin:Relapsed clin:RelapsedAndRefractory ) ] ] ;\n    sh:qualifiedMinCount 1 ;",
            "sh:in ( clin:Relapsed clin:RelapsedAndRefractory ) ] ; sh:not [ sh:class clin:DiseaseStatusAssessment ] ]"
            " ;\n    sh:qualifiedMinCount 1 ;",
        ),
        "cond:disease-is-relapsed",
        "pol:entails cond:disease-relapsed-refractory-or-progressing, but holds on no case that can be made",
    ),
    Slip(
        "conditions-used",
        "no advisory hangs on a condition any more",
        replaced(f"{POLICY}/2026-02/advisories.ttl", "    pol:adviseWhen cond:lymphocyte-donor-differs ;\n", ""),
        "cond:lymphocyte-donor-differs",
        "is read by no criterion and no advisory",
    ),
    Slip(
        "finding-classes",
        "a class stands under another",
        replaced(
            "ontology/clinical/gvhd.ttl", "clin:grade\n", "clin:Late rdfs:subClassOf clin:MRDTest .\n\nclin:grade\n"
        ),
        "clin:Late",
        "stands under clin:MRDTest; a class of findings stands under case:Finding",
    ),
    Slip(
        "finding-classes",
        "a class counts since what starts no period",
        replaced(
            "ontology/clinical/mrd.ttl", "case:countsSince clin:Transplant", "case:countsSince clin:EarlierInfusion"
        ),
        "clin:MRDTest",
        "counts since clin:EarlierInfusion, whose findings start no period",
    ),
    Slip(
        "finding-classes",
        "a class starts a period by what it cannot state",
        replaced(
            "ontology/clinical/transplant.ttl",
            "case:startsPeriodBy clin:graftSource",
            "case:startsPeriodBy clin:method",
        ),
        "clin:Transplant",
        "case:startsPeriodBy clin:method is not allowed by its shape",
    ),
    Slip(
        "finding-classes",
        "it is not said by what a period starts",
        replaced(
            "ontology/clinical/mrd.ttl",
            "    case:keyProperty clin:method ;\n",
            "    case:keyProperty clin:method ;\n    case:startsPeriodWith clin:MRDDetected ;\n",
        ),
        "clin:MRDTest",
        "states case:startsPeriodWith and no case:startsPeriodBy",
    ),
    Slip(
        "finding-classes",
        "no finding surely starts a period",
        replaced("ontology/clinical/transplant.ttl", "    case:startsPeriodWith clin:Allogeneic ;\n", ""),
        "clin:Transplant",
        "states no case:startsPeriodWith",
    ),
    Slip(
        "finding-classes",
        "what starts a period can be in doubt",
        replaced(
            "shapes/findings/transplant.ttl",
            "    sh:property shape:Finding-basis ;\n",
            "    sh:property shape:Finding-basis ;\n    sh:property shape:Finding-inDoubt ;\n",
        ),
        "clin:Transplant",
        "starts a period, and so cannot be in doubt",
    ),
    Slip(
        "finding-classes",
        "the shape of a class is open",
        replaced(
            "shapes/findings/mrd.ttl",
            "sh:targetClass clin:MRDTest ;\n    sh:closed true ;",
            "sh:targetClass clin:MRDTest ;\n    sh:closed false ;",
        ),
        "clin:MRDTest",
        "is targeted by no closed node shape",
    ),
    Slip(
        "finding-classes",
        "a class counts by what it cannot state",
        replaced(
            "ontology/clinical/mrd.ttl", "case:countedBy clin:mrdResult", "case:countedBy clin:mrdResult , clin:grade"
        ),
        "clin:MRDTest",
        "case:countedBy clin:grade is not allowed by its shape",
    ),
    Slip(
        "finding-classes",
        "it is not said whether the latest counts",
        replaced(
            "ontology/clinical/relapse-risk.ttl",
            "    case:differsBy clin:relapseRisk ;\n    case:latestCounts true ;\n",
            "    case:differsBy clin:relapseRisk ;\n",
        ),
        "clin:RelapseRiskAssessment",
        "does not state case:latestCounts once",
    ),
    Slip(
        "finding-classes",
        "it is not said by what a class counts",
        replaced("ontology/clinical/relapse-risk.ttl", "    case:countedBy clin:relapseRisk ;\n", ""),
        "clin:RelapseRiskAssessment",
        "states no case:countedBy",
    ),
    Slip(
        "finding-classes",
        "it is not said by what two findings differ",
        replaced("ontology/clinical/relapse-risk.ttl", "    case:differsBy clin:relapseRisk ;\n", ""),
        "clin:RelapseRiskAssessment",
        "states no case:differsBy",
    ),
    Slip(
        "wider-terms",
        "a wider term is taken for none of its kinds",
        replaced_everywhere("shapes/conditions/disease.ttl", "clin:HematologicMalignancy", "clin:Lymphoma"),
        "cond:reason-is-hematologic-malignancy",
        "fails by clin:HematologicMalignancy, which may be clin:AdultTCellLeukemia, and holds by "
        "clin:AdultTCellLeukemia; let the wider term speak for neither side",
    ),
    Slip(
        "product-kinds",
        "the shape of a kind of product is open",
        replaced("shapes/products/device.ttl", "    sh:closed true ;\n", ""),
        "clin:Device",
        "is targeted by no closed node shape in shapes/products; add one: until then no case can state it",
    ),
    Slip(
        "product-kinds",
        "the shape of a kind of product stands among those of findings",
        moved("shapes/products/device.ttl", "shapes/findings/device.ttl"),
        "clin:Device",
        "has its shape shape:Device in shapes/findings/device.ttl; move it to shapes/products",
    ),
    Slip(
        "product-kinds",
        "a kind of product stands under another",
        replaced(
            "ontology/clinical/device.ttl",
            "clin:deviceType\n",
            "clin:Implant a owl:Class ; rdfs:subClassOf clin:Device .\nclin:deviceType\n",
        ),
        "clin:Device",
        "has clin:Implant under it; a kind of product stands under case:Product",
    ),
    Slip(
        "product-kinds",
        "two kinds of products state the same",
        replaced(
            "shapes/products/site.ttl",
            "    sh:property shape:SiteOfService-site ;\n",
            "    sh:property shape:SiteOfService-site , shape:Device-deviceType ;\n",
        ),
        "clin:deviceType",
        "is stated of clin:Device, clin:SiteOfService; a condition reads a kind of product as a whole",
    ),
    Slip(
        "policy-shapes",
        "an advisory has no place in the document",
        replaced(
            f"{POLICY}/2026-02/criteria.ttl",
            "    cito:citesAsEvidence ref:kolb-2004 ;\n    pol:statedIn psg:criterion-II.A .",
            "    cito:citesAsEvidence ref:kolb-2004 .",
        ),
        "crit:manipulated-lymphocytes",
        "[shape:",
        only_revision="2026-02",
    ),
    Slip(
        "history",
        "a log row records another revision",
        replaced(
            LOG,
            f"pol:records <{IRI}/2022-10>",
            f"pol:records <{IRI}/2022-10> , <{IRI}/2021-10>",
        ),
        "log:2022-10",
        f"of month 2022-10 records <{IRI}/2021-10>, <https://",
    ),
    Slip(
        "history",
        "no discrepancy records the missing row",
        replaced(
            f"{POLICY}/discrepancies.ttl",
            f"    pol:recordsMissingRowOf <{IRI}/2019-10> ;\n",
            "",
        ),
        f"{POLICY}/2019-10",
        "has 0 log rows and 0 discrepancies that record a missing one",
    ),
    Slip(
        "history",
        "the month is not that of the folder",
        replaced(f"{POLICY}/2024-04/revision.ttl", '"2024-04"^^xsd:gYearMonth', '"2024-05"^^xsd:gYearMonth'),
        f"{POLICY}/2024-04",
        "gives pol:revisionMonth 2024-05; give 2024-04",
    ),
    Slip(
        "history",
        "a folder describes another revision as well",
        appended(f"{POLICY}/2024-04/revision.ttl", f"<{IRI}/2024-06> a pol:Revision ."),
        f"{POLICY}/2024-04",
        f"describes <{IRI}/2024-04>, <{IRI}/2024-06> as pol:Revision",
    ),
    Slip(
        "history",
        "a revision is of another policy",
        replaced(
            f"{POLICY}/2024-04/revision.ttl",
            f"pol:revisionOf <{IRI}>",
            f"pol:revisionOf <{KB}/MC.CP.MP.101>",
        ),
        f"{POLICY}/2024-04",
        f"is not pol:revisionOf <{IRI}> alone",
    ),
    Slip(
        "history",
        "a revision was made from one that is not the one before it",
        replaced(
            f"{POLICY}/2024-04/revision.ttl",
            f"prov:wasRevisionOf <{IRI}/2023-11>",
            f"prov:wasRevisionOf <{IRI}/2023-10>",
        ),
        f"{POLICY}/2024-04",
        f"was revised from <{IRI}/2023-10>; by the folders it is <{IRI}/2023-11>",
    ),
    Slip(
        "history",
        "the rows of the log are numbered out of order",
        replaced(LOG, "pol:order 9 ;", "pol:order 10 ;"),
        "log:2026-02",
        "has pol:order 10; by its month it is row 9",
    ),
    Slip(
        "log-dates",
        "an approval is not the one printed",
        replaced(LOG, '"2026-05-26"^^xsd:date', '"2026-05-25"^^xsd:date'),
        "log:2026-02",
        'pol:approval is 2026-05-25 where "5/26/2026" is printed',
    ),
    Slip(
        "log-dates",
        "an approval is printed and not taken",
        replaced(LOG, '    pol:approval "2022-10"^^xsd:gYearMonth ;\n', ""),
        "log:2022-10",
        'pol:approval is not given where "10/22" is printed',
    ),
    Slip(
        "approvals",
        "an approval of another month than its revision",
        replaced(LOG, 'pol:approval "2024-04"^^xsd:gYearMonth', 'pol:approval "2024-05"^^xsd:gYearMonth'),
        "log:2024-04",
        "pol:approval is 2024-05, and its revision is of 2024-04: a date of effect is no approval, and the revision ",
    ),
    Slip(
        "in-force",
        "a revision is approved after the next one",
        replaced(LOG, 'pol:approval "2023-10"^^xsd:gYearMonth', 'pol:approval "2023-12"^^xsd:gYearMonth'),
        POLICY,
        "revision 2023-11 is in force from 2023-11-01, revision 2023-10 from 2023-12-01: not in their order",
    ),
    Slip(
        "in-force",
        "a policy has no revision",
        written("policies/CP.MP.999/policy.ttl", f"<{KB}/CP.MP.999> a <{KB}/policy#Policy> ."),
        "policies/CP.MP.999",
        "has no revision; begin one with kb draft start DOCUMENT --policy CP.MP.999 --revision YYYY-MM, or write YYYY-",
    ),
    Slip(
        "on-file",
        "a revision states what it says is not known",
        replaced(
            f"{POLICY}/2023-08/revision.ttl",
            "pol:revisionMonth ",
            "pol:disposition pol:NotSupportedByCurrentEvidence ;\n    pol:revisionMonth ",
        ),
        f"{POLICY}/2023-08",
        "states pol:DispositionPart, which it holds as pol:NotOnFile; say pol:DocumentOnFile in its revision.ttl, or",
    ),
    Slip(
        "on-file",
        "a file of a revision is lost",
        removed(f"{POLICY}/2026-02/codes.ttl"),
        f"{POLICY}/2026-02",
        "states nothing of pol:Codes, which it holds as pol:DocumentOnFile; write codes.ttl, or say pol:NotOnFile in "
        "its revision.ttl, or pol:hasNone true where the document has none",
    ),
    Slip(
        "on-file",
        "a part is passed over",
        replaced(f"{POLICY}/2023-08/revision.ttl", "pol:part pol:Evidence", "pol:part pol:Background"),
        f"{POLICY}/2023-08/revision.ttl",
        "does not say whether pol:Evidence is on file; add to pol:partOnFile [ a pol:PartHolding ; pol:part pol:Evid",
    ),
    Slip(
        "inferences",
        "a log row between is passed over",
        replaced(f"{POLICY}/2024-04/revision.ttl", "pol:inferredFrom log:2025-02 , ", "pol:inferredFrom "),
        f"{POLICY}/2024-04",
        "pol:Criteria is inferred across log:2025-02, not named by pol:inferredFrom",
    ),
    Slip(
        "inferences",
        "no document is named",
        replaced(
            f"{POLICY}/2024-04/revision.ttl",
            f"log:2026-02 , <{IRI}/2026-02> ;",
            "log:2026-02 ;",
        ),
        f"{POLICY}/2024-04",
        "pol:Criteria is inferred, and not from one revision whose document is on file",
    ),
    Slip(
        "inferences",
        "the criteria are those of another revision than the one inferred from",
        replaced(
            f"{POLICY}/2024-04/revision.ttl",
            f"pol:criteriaAsIn <{IRI}/2026-02>",
            f"pol:criteriaAsIn <{IRI}/2019-10>",
        ),
        f"{POLICY}/2024-04",
        "pol:Criteria is inferred from 2026-02, which pol:criteriaAsIn does not name",
    ),
    Slip(
        "criteria",
        "a tree has two operators",
        replaced(
            CRITERIA,
            "pol:allOf ( cond:acute-gvhd-of-grade-2-or-higher )",
            "pol:allOf ( cond:acute-gvhd-of-grade-2-or-higher ) ; pol:anyOf ( cond:mrd-is-detected )",
        ),
        f"{POLICY}/2026-02",
        "crit:acute-gvhd has 2 lists of parts",
    ),
    Slip(
        "criteria",
        "a tree has no parts",
        replaced(CRITERIA, "pol:allOf ( cond:acute-gvhd-of-grade-2-or-higher )", "pol:allOf ( )"),
        f"{POLICY}/2026-02",
        "crit:acute-gvhd has no parts",
    ),
    Slip(
        "criteria",
        "a tree is a part of itself",
        replaced(CRITERIA, "pol:allOf ( cond:acute-gvhd-of-grade-2-or-higher )", "pol:allOf ( crit:acute-gvhd )"),
        f"{POLICY}/2026-02",
        "crit:acute-gvhd is a part of itself",
    ),
    Slip(
        "criteria",
        "a leaf is no condition",
        replaced(
            f"{POLICY}/2019-10/criteria.ttl",
            "[ pol:noneOf ( cond:benefit-of-earlier-dli-is-documented ) ]",
            "def:mixed-chimerism",
        ),
        f"{POLICY}/2019-10/criteria.ttl",
        "def:mixed-chimerism is no condition",
    ),
    Slip(
        "criteria",
        "a revision has no indication",
        replaced(f"{POLICY}/2019-10/criteria.ttl", "pol:indication crit:indication ;", ""),
        f"{POLICY}/2019-10",
        "revision 2019-10 states no indication; add pol:indication",
    ),
    Slip(
        "criteria",
        "a revision does not say when it applies",
        replaced(f"{POLICY}/2019-10/criteria.ttl", "    pol:appliesWhen crit:service ;\n", ""),
        f"{POLICY}/2019-10",
        "revision 2019-10 does not say when it applies; add pol:appliesWhen",
    ),
    Slip(
        "criteria",
        "an exclusion limits what is no indication",
        replaced(
            f"{POLICY}/2019-10/criteria.ttl",
            "crit:manipulated-lymphocytes\n    a pol:Exclusion ;",
            "crit:manipulated-lymphocytes\n    a pol:Exclusion ;\n    pol:limits crit:repeat-infusion ;",
        ),
        f"{POLICY}/2019-10/criteria.ttl",
        "crit:manipulated-lymphocytes limits crit:repeat-infusion, which is no indication of revision 2019-10",
    ),
    Slip(
        "stable-iris",
        "a criterion carries its revision",
        appended(CRITERIA, f"<{IRI}/2026-02/criterion/plan> a pol:Applicability ."),
        f"{POLICY}/2026-02",
        f"<{IRI}/2026-02/criterion/plan> carries a revision in its IRI",
    ),
    Slip(
        "stable-iris",
        "a criterion stands in another policy",
        appended(CRITERIA, f"<{KB}/CP.MP.102/criterion/plan> a pol:Applicability ."),
        f"{POLICY}/2026-02",
        f"<{KB}/CP.MP.102/criterion/plan> stands outside <{IRI}/>",
    ),
    Slip(
        "reference-numbers",
        "a number is given twice",
        replaced(REFERENCES, "pol:number 2 ;", "pol:number 3 ;"),
        f"{POLICY}/2026-02",
        "lists 29 references, whose numbers are wrong at 2, 3;",
    ),
    Slip(
        "citations",
        "a criterion cites what is not listed",
        replaced(CRITERIA, "cito:citesAsEvidence ref:kolb-2004 ;", "cito:citesAsEvidence ref:kolb-2005 ;"),
        f"{POLICY}/2026-02",
        "crit:manipulated-lymphocytes cites ref:kolb-2005, which is not in the list of references",
    ),
    Slip(
        "citations",
        "a revision without a list cites",
        appended(
            f"{POLICY}/2019-10/criteria.ttl",
            f"crit:service <http://purl.org/spar/cito/citesAsEvidence> <{IRI}/reference/kolb-2004> .",
        ),
        f"{POLICY}/2019-10",
        "crit:service cites ref:kolb-2004, which is not in the list of references",
    ),
    Slip(
        "passages",
        "a revision that is read from its document states no passage of it",
        removed("policies/CG-TRANS-03/2024-10/passages.ttl"),
        "policies/CG-TRANS-03/2024-10",
        "states no passage of its document, and 23 statements point to such; write passages.ttl: kb draft start ",
    ),
    Slip(
        "passages",
        "a document whose passages have no digests does not say why",
        replaced("policies/CG-TRANS-03/2024-10/passages.ttl", "    skos:scopeNote ", "    rdfs:comment "),
        "<https://w3id.org/policykb/CG-TRANS-03/2024-10/document>",
        "has passages without digests; kb draft start DOCUMENT --policy CG-TRANS-03 --revision 2024-10 makes them, or",
    ),
    Slip(
        "passages",
        "a sentence is neither stated nor left out",
        replaced(PASSAGES, "    pol:accountedAs pol:Boilerplate .", '    skos:scopeNote "Read."@en .'),
        "psg:reminder-1.1",
        "is stated by nothing; point to it by pol:statedIn, or state pol:accountedAs",
    ),
    Slip(
        "passages",
        "a criterion's passage is said to be left out",
        appended(PASSAGES, "psg:criterion-II.B pol:accountedAs pol:LegalNotice ."),
        "psg:criterion-II.B",
        "is stated, and marked as left out by pol:accountedAs; correct one",
    ),
    Slip(
        "passages",
        "a passage has no digest",
        replaced(PASSAGES, "    pol:digest ", "    skos:editorialNote "),
        "psg:header-title",
        "has no pol:digest, as other passages of this document have; add it",
    ),
    Slip(
        "passages",
        "a part of what is no passage",
        replaced(PASSAGES, "    dcterms:isPartOf psg:background-10.2 ;", "    dcterms:isPartOf psg:background-10.9 ;"),
        "psg:background-10.2-mixed",
        "is part of psg:background-10.9, which is no passage of this document; correct it",
    ),
    Slip(
        "passages",
        "a number is given twice",
        replaced(PASSAGES, '"Header, reference number" ; pol:order 2 ;', '"Header, reference number" ; pol:order 1 ;'),
        "CP.MP.101/2026-02",
        "the passages are not numbered 1 to 155: 2 is missing, or a number stands twice",
    ),
    Slip(
        "to-do",
        "a draft is not finished",
        appended(CRITERIA, 'crit:acute-gvhd pol:toDo "Read II.B again."@en .'),
        f"{POLICY}/2026-02",
        "crit:acute-gvhd: to do: Read II.B again.",
    ),
    Slip(
        "examples",
        "a case is in no expectation",
        written(f"{POLICY}/cases/nobody-asks.ttl"),
        f"{POLICY}/cases/nobody-asks.ttl",
        "is named by no expectation",
        cases=True,
    ),
    Slip(
        "examples",
        "an expectation is not listed",
        replaced(f"{POLICY}/cases/manifest.ttl", "        :refractory-leukemia-meets ,\n", ""),
        f"{POLICY}/cases/manifest.ttl",
        "refractory-leukemia-meets> with case:expects, so it is never run",
        cases=True,
    ),
    Slip(
        "examples",
        "an expectation names a revision without criteria",
        replaced(
            f"{POLICY}/cases/manifest.ttl",
            f"case:underRevision <{IRI}/2026-02>",
            f"case:underRevision <{IRI}/2022-10>",
        ),
        f"{POLICY}/cases/manifest.ttl",
        "names revision 2022-10, whose criteria are not on file",
        cases=True,
    ),
    Slip(
        "seal",
        "a threshold of a released condition is raised",
        replaced(GVHD, "sh:minInclusive 2 ]", "sh:minInclusive 3 ]"),
        f"{POLICY}/2026-02",
        "cond:AcuteGvHDGrade2OrHigher-finding changed: - sh:qualifiedValueShape/sh:property/sh:minInclusive 2 + ",
        only_revision="2026-02",
    ),
    Slip(
        "named-by",
        "nothing names the policy",
        replaced(f"{POLICY}/policy.ttl", "    pol:namedBy clin:DonorLymphocyteInfusion , cpt:38242 ;\n", ""),
        f"{POLICY}/policy.ttl",
        "is named by no service and no code, so no case finds it; add pol:namedBy",
        only_revision="2026-02",
    ),
    Slip(
        "named-by",
        "a code that the conditions take as the service does not name the policy",
        replaced(
            f"{POLICY}/policy.ttl", "clin:DonorLymphocyteInfusion , cpt:38242 ;", "clin:DonorLymphocyteInfusion ;"
        ),
        f"{POLICY}/policy.ttl",
        "does not say that cpt:38242 names it, as its conditions on the service do; add it to pol:namedBy",
        only_revision="2026-02",
    ),
    Slip(
        "named-by",
        "a service names the policy that its conditions take for another",
        replaced(f"{POLICY}/policy.ttl", "pol:namedBy ", "pol:namedBy clin:StemCellBoost , "),
        f"{POLICY}/policy.ttl",
        "says that clin:StemCellBoost names it, against its conditions on the service; remove it from pol:namedBy",
        only_revision="2026-02",
    ),
]


# ---------------------------------------------------------------------- tests


def test_the_checks_are_counted_and_each_has_a_slip() -> None:
    assert len(IDS) == len(set(IDS)) == 43
    assert {slip.check for slip in SLIPS} == set(IDS)


# make test runs kb check besides.
@pytest.mark.extended
@pytest.mark.parametrize("check", IDS)
def test_the_knowledge_base_passes(kb: Repository, check: str) -> None:
    (result,) = run_checks(kb, [check])
    assert result.problems == ()
    assert result.passed
    assert result.check.id == check


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_is_found(copied: Callable[[bool], Path], slip: Slip) -> None:
    root = copied(slip.cases)
    if slip.only_revision:
        keep_one_revision(root, slip.only_revision)
    slip.edit(root)
    result = result_of(root, slip.check)
    assert len(result.problems) == slip.problems, result.problems
    assert {problem.where for problem in result.problems} == {in_lines(root, slip.where)}
    assert slip.says in result.problems[0].message
    assert "\n" not in result.problems[0].message
    assert not result.passed


def in_lines(root: Path, where: str) -> str:
    """A place with "{last}" filled in: the number of the last line of its file that holds anything."""
    file = root / where.partition(":")[0]
    if not file.is_file():
        return where
    last = len(file.read_text(encoding="utf-8").rstrip("\n").split("\n"))
    return where.replace("{last}", str(last)).replace("{last-1}", str(last - 1))


# ---------------------------------------------------------------------- running


def test_an_unknown_check_is_refused_with_those_known(kb: Repository) -> None:
    with pytest.raises(KbError, match=r"no check prefixs; known: parses, files-read, .*examples"):
        list(run_checks(kb, ["prefixes", "prefixs"]))


def test_all_checks_run_where_none_is_named(kb: Repository) -> None:
    results = run_checks(kb)
    assert [next(results).check.id for _ in range(3)] == IDS[:3]


def test_where_a_file_does_not_parse_no_check_on_graphs_passes(copied: Callable[[bool], Path]) -> None:
    root = copied(False)
    removed("policies/CG-TRANS-03")(root)
    appended(LOG, "log:2015-11 pol:order .")(root)
    results = list(run_checks(Repository(root)))
    assert [result.check.id for result in results] == IDS
    parses, files_read, *others = results
    assert [problem.where for problem in parses.problems] == [in_lines(root, f"{LOG}:{{last}}")]
    assert files_read.passed
    assert not any(result.passed or result.problems for result in others)
    assert {result.skipped.partition(":")[0] for result in others} == {"not run, because the check parses failed"}


def test_why_checks_did_not_run_is_printed_once(copied: Callable[[bool], Path]) -> None:
    root = copied(False)
    removed("policies/CG-TRANS-03")(root)
    appended(LOG, "log:2015-11 pol:order .")(root)
    shown = CliRunner().invoke(command, ["--kb", str(root)]).stdout
    assert shown.count("not run, because the check parses failed") == 1
    assert shown.count("not run ") == len(IDS) - 2


def test_a_check_named_alone_does_not_pass_where_a_file_does_not_parse(copied: Callable[[bool], Path]) -> None:
    root = copied(False)
    appended(LOG, "log:2015-11 pol:order .")(root)
    result = result_of(root, "owl-rl-consistent")
    assert result.skipped and not result.passed


def test_an_error_of_the_knowledge_base_is_a_problem_of_the_check(copied: Callable[[bool], Path]) -> None:
    root = copied(False)
    replaced("ontology/prefixes.ttl", 'sh:prefix "hcpcs"', 'sh:prefix "cpt"')(root)
    result = result_of(root, "undefined-terms")
    assert [problem.where for problem in result.problems] == ["ontology/prefixes.ttl"]
    assert result.problems[0].message.endswith("; choose another prefix")


def test_a_policy_that_declares_a_shared_prefix_for_something_else_is_told(copied: Callable[[bool], Path]) -> None:
    root = copied(False)
    replaced(f"{POLICY}/policy.ttl", 'sh:prefix "log" ', 'sh:prefix "cond" ')(root)
    result = result_of(root, "prefixes")
    told = Problem(
        f"{POLICY}/policy.ttl",
        "prefix cond: is declared for something else by the shared table; choose another, here and in the files of "
        "this policy",
    )
    assert told in result.problems


def test_a_month_that_is_none_is_a_problem_of_its_file(copied: Callable[[bool], Path]) -> None:
    root = copied(False)
    replaced(f"{POLICY}/2024-04/revision.ttl", '"2024-04"^^xsd:gYearMonth', '"soon"^^xsd:gYearMonth')(root)
    result = result_of(root, "in-force")
    assert result.problems == (
        Problem(f"{POLICY}/2024-04/revision.ttl", '"soon" is neither a day nor a month; correct it'),
    )


def test_a_check_that_broken_data_stops_is_a_problem(copied: Callable[[bool], Path]) -> None:
    root = copied(False)
    replaced(f"{POLICY}/2026-02/passages.ttl", '"Header, title" ; pol:order 1 ;', '"Header, title" ; pol:order "x" ;')(
        root
    )
    result = result_of(root, "passages")
    what = "ValueError: invalid literal for int() with base 10: 'x'"
    assert result.problems == (Problem(str(root), f"the check stopped: {what}; correct the data it was reading"),)


def test_what_leaves_every_answer_right_is_a_warning() -> None:
    warnings = [check.id for check in CHECKS if check.severity is Severity.WARNING]
    assert warnings == ["pieces-are-local", "conditions-used", "approvals"]


def test_a_problem_of_some_revisions_names_them(copied: Callable[[bool], Path]) -> None:
    root = copied(False)
    for folder in ("2015-11", "2023-10", "2023-11", "2024-04", "2025-02", "2026-02"):
        removed(f"{POLICY}/{folder}")(root)
    for revision in ("2022-10", "2023-08"):
        appended(
            f"{POLICY}/{revision}/revision.ttl",
            f"<{IRI}/{revision}> a pol:Policy .",
        )(root)
    appended(f"{POLICY}/2023-02/revision.ttl", "<urn:x> a pol:Policy , pol:Revision .")(root)
    appended(f"{POLICY}/2022-10/revision.ttl", "<urn:x> a pol:Policy , pol:Revision .")(root)
    messages = [problem.message for problem in result_of(root, "owl-rl-consistent").problems]
    assert len(messages) == 3
    assert (
        sum(
            message.endswith("common individual urn:x; correct the statement that is wrong (in 2022-10, 2023-02)")
            for message in messages
        )
        == 1
    )


def test_a_stale_schema_is_one_problem_that_says_what_renews_it(kb: Repository, tmp_path: Path) -> None:
    assert result_of(kb.root, "generated").problems == ()
    for folder in ("ontology", "shapes", "policies"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "docs").mkdir()
    assert result_of(tmp_path, "generated").problems == ()
    for name in ("case.schema.json", "case-context.jsonld"):
        shutil.copy(ROOT / "docs" / name, tmp_path / "docs" / name)
    (tmp_path / "docs/case.schema.json").write_text('{"title": "an old one"}', encoding="utf-8")
    (problem,) = result_of(tmp_path, "generated").problems
    assert str(problem.where) == "docs/case.schema.json"
    assert problem.message == (
        "is not what the vocabularies and the case shapes say now; write it anew: kb case schema --shared > "
        "docs/case.schema.json (make docs writes all that is generated)"
    )


def test_problems_that_look_alike_in_one_revision_name_it_once(kb: Repository) -> None:
    policy = kb.policy("CP.MP.101")
    every = [entry.name for entry in policy.history]
    for where, said in ((["2026-02", "2026-02"], "2026-02"), ([*every, *every], "every revision")):
        assert list(in_each(policy, {Problem("file", "is wrong"): where})) == [Problem("file", f"is wrong (in {said})")]
