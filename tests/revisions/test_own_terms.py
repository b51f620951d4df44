"""Policies with a vocabulary, findings and conditions of their own: read like what all share, and sealed apart."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from own_terms import ROOT, bring, changed
from rdflib import URIRef
from rdflib.namespace import RDF, SH

from kb_tools.ask import dataset
from kb_tools.cases.case import Case
from kb_tools.cases.check import CaseChecker
from kb_tools.cases.form import CaseForms
from kb_tools.cases.narrowed import narrowed
from kb_tools.cases.reader import CaseReader
from kb_tools.cases.schema import schema
from kb_tools.checks import run_checks
from kb_tools.determine.result import Determination
from kb_tools.determine.run import Run
from kb_tools.errors import UnreadableInput
from kb_tools.model.logic import Value
from kb_tools.model.repository import Repository
from kb_tools.model.revision import Revision
from kb_tools.model.soundness import skip_broken
from kb_tools.publish.shapes import self_contained
from kb_tools.rdf.files import FORMATS
from kb_tools.rdf.namespaces import POL
from kb_tools.revisions.seal import freeze

CHECKS = [
    *("files-read", "prefixes", "ontology-headers", "terms-defined", "undefined-terms", "terms-in-place"),
    *("property-kinds", "dangling-iris", "conditions", "condition-reads", "condition-form", "pieces-are-local"),
    *("finding-classes", "seal"),
]
OWN = "https://w3id.org/policykb/EX.5/"
CASE_PREFIX = "PREFIX case: <https://w3id.org/policykb/case#>"


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The knowledge base with its seals, and two further policies, frozen, with terms of their own."""
    root = tmp_path_factory.mktemp("grown")
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("cases"))
    bring(root, "EX.5", "x")
    bring(root, "TST.7", "t")
    kb = Repository(root)
    for identifier in ("EX.5", "TST.7"):
        policy = kb.policy(identifier)
        freeze(kb, policy, policy.entry("2024-01"))
    return root


@pytest.fixture(scope="module")
def known(grown: Path) -> Repository:
    """The same, read once."""
    return Repository(grown)


def problems(root: Path, *checks: str) -> dict[str, list[str]]:
    results = run_checks(Repository(root), checks or CHECKS)
    return {result.check.id: [f"{one.where}: {one.message}" for one in result.problems] for result in results}


def broken(root: Path) -> list[str]:
    """The revisions of which the seal is broken."""
    found = problems(root, "seal")["seal"]
    return sorted({line.partition(":")[0].removeprefix("policies/") for line in found})


def test_two_policies_with_terms_of_their_own_pass_all_checks_and_break_no_seal(grown: Path) -> None:
    assert problems(grown) == {check: [] for check in CHECKS}
    assert sum(1 for _ in grown.glob("policies/*/*/seal.json")) >= 12


def read(kb: Repository, content: str, format_: str = "json") -> Case:
    (case,) = CaseReader(kb).stream("-", None, io.BytesIO(content.encode()), format_)
    assert isinstance(case, Case), case
    return case


def as_json(*findings: dict[str, str]) -> str:
    request = {"service": "DonorLymphocyteInfusion", "serviceDate": "2026-07-01"}
    stated = [{"basis": "ChartEvidence", **finding} for finding in findings]
    return json.dumps({"patient": "p", "lineOfBusiness": "Commercial", "request": request, "findings": stated})


HIGH = {"type": "XWeight", "date": "2026-05-01", "Xclass": "XHigh"}
NORMAL = {"type": "XWeight", "date": "2026-06-20", "Xclass": "XNormal"}
OPERATION = {"type": "XOperation", "date": "2026-06-01"}


@pytest.mark.parametrize(
    ("findings", "value"),
    [
        ([], Value.UNKNOWN),
        ([HIGH], Value.HOLDS),
        ([HIGH, NORMAL], Value.FAILS),
        ([HIGH, OPERATION], Value.UNKNOWN),
        ([HIGH | {"date": "2026-06-01"}, OPERATION], Value.HOLDS),
        ([HIGH, OPERATION | {"date": "2026-04-30"}], Value.HOLDS),
        ([HIGH, {**HIGH, "Xclass": "XNormal"}], Value.CONFLICTING),
    ],
    ids=["nothing", "high", "normal later", "before the operation", "on its day", "after it", "both on a day"],
)
def test_a_case_states_terms_of_a_policy_in_json_and_is_determined_by_them(
    findings: list[dict[str, str]], value: Value, known: Repository
) -> None:
    run = Run(known, known.policy("EX.5"), "pyshifty", "2024-01")
    (answer,) = run.answers([read(known, as_json(*findings))])
    assert isinstance(answer, Determination)
    assert answer.condition_results[f"{OWN}condition#weight-is-high"].value is value
    # The rules of derivation, by SPARQL, say the same as what follows them without.
    (by_rules,) = CaseChecker(known, "pyshifty").check([read(known, as_json(*findings))])
    (by_parts,) = CaseChecker(known, "pyshifty", by_parts=True).check([read(known, as_json(*findings))])
    assert isinstance(by_rules, Case) and isinstance(by_parts, Case)
    assert set(by_rules.triples()) == set(by_parts.triples())


def test_a_case_may_not_say_anything_of_a_term_of_a_policy(known: Repository) -> None:
    case = f"{CASE_PREFIX} <urn:a> a case:Case . <{OWN}vocabulary#XHigh> <urn:b> <urn:c> ."
    with pytest.raises(UnreadableInput, match="says something of xown:XHigh, a term of the vocabulary"):
        CaseReader(known).read("case.ttl", None, case.encode(), FORMATS[".ttl"])


def test_what_is_made_of_the_vocabularies_knows_the_terms_of_a_policy(known: Repository) -> None:
    described = schema(CaseForms(known))["$defs"]
    assert sorted(name for name in described if name.startswith("X")) == ["XOperation", "XWeight", "XWeightClass"]
    revision = Revision.load(known.policy("EX.5"), known.policy("EX.5").entry("2024-01"))
    graph = self_contained(known, revision)
    assert (None, SH.targetClass, URIRef(f"{OWN}vocabulary#XWeight")) in graph
    assert f"{OWN}vocabulary#XHigh" in {str(term) for term in graph.objects(None, RDF.first)}
    names = dataset.graph_names(known)
    own = known.root / "policies/EX.5/ontology/weight.ttl"
    assert names[own] == f"{OWN}ontology/weight"
    assert f"{OWN}ontology/weight" in dataset.default_graph(known, [])


def test_the_form_of_a_case_of_one_policy_holds_what_that_policy_reads(known: Repository) -> None:
    plain = CaseForms(known)

    def keys(policy: str, *months: str) -> dict[str, list[str]]:
        chosen = known.policy(policy)
        forms = narrowed(plain, [Revision.load(chosen, chosen.entry(month)) for month in months]).forms
        return {name: list(form.keys) for name, form in forms.items()}

    asked = keys("EX.5", "2024-01")
    general, findings = (
        {"Case", "Request"},
        {"AcuteGvHDAssessment", "RelapseRiskAssessment", "StatedAbsence", "Transplant"},
    )
    assert set(asked) == general | findings | {"XOperation", "XWeight"}
    assert asked["Request"] == ["service", "procedureCodes", "serviceDate"]
    assert asked["XWeight"] == ["date", "basis", "inDoubt", "Xclass"]
    assert "lineOfBusiness" not in asked["Case"]
    old, new = keys("CP.MP.101", "2019-10"), keys("CP.MP.101", "2026-02")
    assert (old["Product"], new["Product"]) == (
        ["processing"],
        ["processing", "lymphocyteDonor", "withinClinicalTrial"],
    )
    assert {"EarlierInfusion", "MRDTest"} & set(old) == {"EarlierInfusion"}
    assert {"EarlierInfusion", "MRDTest"} & set(new) == {"MRDTest"}
    assert "lineOfBusiness" in new["Case"]
    described = schema(narrowed(plain, [Revision.load(known.policy("EX.5"), known.policy("EX.5").entry("2024-01"))]))
    assert "MRDTest" not in described["$defs"]
    assert described["$defs"]["StatedAbsence"]["properties"]["absenceOf"]["enum"] == ["XOperation", "Transplant"]


def test_a_touched_class_breaks_the_seals_that_reach_it_and_no_other(grown: Path) -> None:
    for policy, prefix in (("EX.5", "x"), ("TST.7", "t")):
        file = grown / f"policies/{policy}/ontology/weight.ttl"
        whole = file.read_text(encoding="utf-8")
        changed(file, f"    case:countsSince {prefix}own:{prefix.upper()}Operation ;\n", "")
        assert broken(grown) == [f"{policy}/2024-01"]
        file.write_text(whole, encoding="utf-8")
    file = grown / "ontology/clinical/gvhd.ttl"
    whole = file.read_text(encoding="utf-8")
    changed(
        file, "    case:countedBy clin:chronicSeverity ;\n", "    case:countedBy clin:chronicSeverity , case:date ;\n"
    )
    assert broken(grown) == ["CP.MP.101/2026-02"]
    file.write_text(whole, encoding="utf-8")
    assert broken(grown) == []


def test_what_a_policy_says_of_a_term_of_others_is_found(grown: Path) -> None:
    file = grown / "policies/EX.5/ontology/weight.ttl"
    whole = file.read_text(encoding="utf-8")
    mine, others = "<https://w3id.org/policykb/clinical#Melanoma>", f"<{OWN.replace('EX.5', 'TST.7')}vocabulary#THigh>"
    file.write_text(f"{whole}{mine} skos:altLabel 'x' . {others} skos:altLabel 'x' .\n", encoding="utf-8")
    places = (("clin:Melanoma", "ontology/clinical"), ("town:THigh", "policies/TST.7/ontology/"))
    said = "policies/EX.5/ontology/weight.ttl: says something of"
    assert problems(grown, "terms-in-place")["terms-in-place"] == [
        f"{said} {term}, which {place} describes; say it there, or remove it" for term, place in places
    ]
    file.write_text(whole, encoding="utf-8")


def test_a_broken_vocabulary_of_a_policy_stops_no_other(grown: Path) -> None:
    file = grown / "policies/EX.5/ontology/weight.ttl"
    whole = file.read_text(encoding="utf-8")
    file.write_text(f"{whole}\nxown:X a ;\n", encoding="utf-8")
    kb = Repository(grown)
    assert (URIRef(f"{OWN}vocabulary#XWeight"), None, None) not in kb.ontology
    assert (URIRef(f"{OWN.replace('EX.5', 'TST.7')}vocabulary#TWeight"), None, None) in kb.ontology
    skipped = skip_broken(kb)
    assert list(skipped) == ["EX.5"] and "weight.ttl" in skipped["EX.5"].where
    file.write_text(whole, encoding="utf-8")


def test_a_policy_changes_nothing_that_another_reads(grown: Path, tmp_path: Path) -> None:
    """What its own folders say of shared terms is left out of all that is determined, and kb check tells of it."""
    root = shutil.copytree(grown, tmp_path / "kb")
    (path,) = (root / "policies/TST.7/shapes/conditions").glob("*.ttl")
    cond = "https://w3id.org/policykb/condition#"
    said = f"<{cond}RelapseRiskRaised-finding> <{SH.deactivated}> true ."
    window = f'<{cond}relapse-risk-is-raised> <{POL.within}> "P1D"^^<http://www.w3.org/2001/XMLSchema#duration> .'
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{said}\n{window}\n", encoding="utf-8")
    kb, before = Repository(root), Repository(grown)
    shape = URIRef(f"{cond}RelapseRiskRaised-finding")
    assert (shape, SH.deactivated, None) not in kb.conditions
    assert kb.conditions.value(URIRef(f"{cond}relapse-risk-is-raised"), POL.within) is None
    assert len(kb.evaluated) == len(before.evaluated)
    (result,) = run_checks(kb, ["terms-in-place"], "TST.7")
    assert len(result.problems) == 2
