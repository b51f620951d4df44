"""Where the knowledge base is found, which revision is in force when, and what a second policy needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from history import REVISIONS
from rdflib import URIRef
from rdflib.namespace import RDFS, SKOS

from kb_tools.determine.examples import run_manifest
from kb_tools.errors import KbError, KnowledgeBaseError, UnknownRevision
from kb_tools.model import repository as model_repository
from kb_tools.model.logic import Tree
from kb_tools.model.policy import Policy
from kb_tools.model.repository import Repository, find_root
from kb_tools.model.revision import Revision
from kb_tools.rdf.namespaces import CITO, POL

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parents[1] / "data"
CRITERION = "https://w3id.org/policykb/CP.MP.101/criterion/"
COND = "https://w3id.org/policykb/condition#"

RunKb = Callable[..., CompletedProcess[str]]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the knowledge base without its example cases, to be broken."""
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("cases"))
    return tmp_path


@pytest.fixture(scope="module")
def two_policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the knowledge base with a second policy: one more folder, and nothing else."""
    root = tmp_path_factory.mktemp("two-policies")
    for folder in ("ontology", "shapes", "policies"):
        shutil.copytree(ROOT / folder, root / folder)
    shutil.copytree(DATA / "TST.7", root / "policies/TST.7")
    shutil.copy(DATA / "case.ttl", root / "policies/TST.7/cases/residual-disease-meets.ttl")
    return root


# ---------------------------------------------------------------------- finding it


def test_the_folder_that_is_given_goes_before_every_other(
    copy: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_ROOT", str(ROOT))
    assert find_root(copy) == copy


def test_the_environment_goes_before_the_working_folder(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("KB_ROOT", str(copy))
    assert find_root() == copy


def test_it_is_found_upwards_from_the_working_folder(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KB_ROOT", raising=False)
    for folder in (copy, copy / "policies", copy / "policies/CP.MP.101/2026-02"):
        monkeypatch.chdir(folder)
        assert find_root() == copy


def test_an_empty_environment_variable_names_nothing(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_ROOT", "")
    monkeypatch.chdir(copy)
    assert find_root() == copy


def test_the_installed_copy_is_the_last_resort(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KB_ROOT", raising=False)
    monkeypatch.chdir("/")
    monkeypatch.setattr(model_repository, "INSTALLED", (copy / "nowhere", copy))
    assert find_root() == copy


def test_where_there_is_none_the_error_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KB_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model_repository, "INSTALLED", (tmp_path / "data",))
    with pytest.raises(KnowledgeBaseError) as error:
        find_root()
    assert str(error.value) == f"{tmp_path}: no knowledge base found; use --kb DIR or set KB_ROOT"


@pytest.mark.parametrize("named_by", ["option", "environment"])
def test_a_folder_that_is_named_and_holds_none_is_an_error_though_another_is_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("KB_ROOT", raising=False)
    if named_by == "environment":
        monkeypatch.setenv("KB_ROOT", str(tmp_path))
    with pytest.raises(KnowledgeBaseError) as error:
        find_root(tmp_path if named_by == "option" else None)
    assert str(error.value) == (f"{tmp_path}: no knowledge base here; name a folder that holds ontology/prefixes.ttl")


# ---------------------------------------------------------------------- prefixes


def test_every_prefix_of_the_table_and_of_the_policy_shortens_an_iri(kb: Repository) -> None:
    assert {"case", "clin", "cond", "cpt", "pol", "sh", "crit", "psg", "psg1910"} <= kb.prefixes.keys()
    for prefix, namespace in kb.prefixes.items():
        assert kb.curie(namespace + "name") == f"{prefix}:name"


def test_the_longest_namespace_that_fits_gives_the_prefix_and_none_gives_brackets(kb: Repository) -> None:
    assert kb.curie("https://w3id.org/policykb/code/cpt/38242") == "cpt:38242"
    assert kb.curie(f"{CRITERION}indication") == "crit:indication"
    assert kb.curie("https://w3id.org/policykb/CP.MP.101") == "<https://w3id.org/policykb/CP.MP.101>"


def test_a_prefix_of_two_policies_is_that_of_each_in_its_own_and_of_neither_elsewhere(copy: Path) -> None:
    folder = copy / "policies/TST.7"
    shutil.copytree(DATA / "TST.7", folder)
    text = (folder / "policy.ttl").read_text(encoding="utf-8")
    (folder / "policy.ttl").write_text(text.replace('sh:prefix "tcrit"', 'sh:prefix "crit"'), encoding="utf-8")
    kb = Repository(copy)
    assert kb.clashing_prefixes == {"crit": ["CP.MP.101", "TST.7"]}
    assert "crit" not in kb.prefixes
    assert kb.policy("CP.MP.101").prefixes["crit"] == CRITERION
    assert kb.policy("TST.7").prefixes["crit"] == "https://w3id.org/policykb/TST.7/criterion/"


def test_a_shared_prefix_for_two_namespaces_is_an_error_that_names_the_file(copy: Path) -> None:
    table = copy / "ontology/prefixes.ttl"
    text = table.read_text(encoding="utf-8")
    row = '[ sh:prefix "cpt" ; sh:namespace "https://example.org/"^^xsd:anyURI ] ,'
    table.write_text(text.replace("sh:declare", f"sh:declare {row}", 1), encoding="utf-8")
    with pytest.raises(KnowledgeBaseError) as error:
        _ = Repository(copy).prefixes
    assert str(error.value) == (
        f"{table}: prefix cpt is declared for https://example.org/ and for https://w3id.org/policykb/code/cpt/; "
        "choose another prefix"
    )


def test_a_file_of_the_knowledge_base_that_does_not_parse_is_an_error_with_its_line(copy: Path) -> None:
    path = copy / "ontology/case.ttl"
    path.write_text("PREFIX case: <urn:case>\n\ncase:Case a [", encoding="utf-8")
    with pytest.raises(KnowledgeBaseError) as error:
        _ = Repository(copy).ontology
    assert str(error.value).startswith(f"{path}:3: not valid Turtle: ")


# ---------------------------------------------------------------------- policies and revisions

ON_FILE = {"2019-10": "DocumentOnFile", "2026-02": "DocumentOnFile"} | dict.fromkeys(
    ["2023-10", "2023-11", "2024-04", "2025-02"], "InferredFromLog"
)


def test_a_policy_is_named_or_the_only_one_or_that_of_the_environment(
    kb: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [policy.title for policy in kb.policies()] == [
        "Donor Lymphocyte Infusion for Hematologic Malignancies after Allogeneic Transplant",
        "Donor Lymphocyte Infusion",
    ]
    assert kb.policy("CG-TRANS-03").identifier == "CG-TRANS-03"
    monkeypatch.setenv("KB_POLICY", "CP.MP.101")
    assert kb.policy().identifier == kb.policy_of(None, "2026-02").identifier == "CP.MP.101"
    # What names another policy is of that, and what the preferred one does not have is an error of its own.
    assert kb.policy_of(None, "2024-10").identifier == "CG-TRANS-03"
    assert kb.policy_of(None, "CG-TRANS-03/2024-10").identifier == "CG-TRANS-03"
    assert kb.policy_of(None, "2020-01").identifier == "CP.MP.101"
    monkeypatch.setenv("KB_POLICY", "CP.MP.102")
    with pytest.raises(KbError, match=r"^no policy CP\.MP\.102 on file; did you mean CP\.MP\.101"):
        kb.policy()
    monkeypatch.delenv("KB_POLICY")
    with pytest.raises(KbError, match=r"^2 policies on file; choose one with --policy: CG-TRANS-03, CP\.MP\.101$"):
        kb.policy()
    # Where one is on file, it is that, whatever the environment names.
    monkeypatch.setenv("KB_POLICY", "CG-TRANS-03")
    shutil.copytree(ROOT / "policies/CP.MP.101", tmp_path / "policies/CP.MP.101")
    assert Repository(tmp_path).policy().identifier == "CP.MP.101"


def test_a_policy_that_is_not_on_file_is_an_error_that_lists_those_that_are(kb: Repository) -> None:
    with pytest.raises(KbError) as error:
        kb.policy("CP.MP.102")
    assert str(error.value) == "no policy CP.MP.102 on file; did you mean CP.MP.101?"


def test_the_history_is_the_folders_in_order_of_their_months(policy: Policy) -> None:
    assert [entry.name for entry in policy.history] == REVISIONS
    assert {name: str(folder.relative_to(ROOT)) for name, folder in policy.revision_folders.items()} == {
        name: f"policies/CP.MP.101/{name}" for name in REVISIONS
    }
    assert [entry.month.strftime("%Y-%m") for entry in policy.history] == REVISIONS
    assert [entry.iri for entry in policy.history] == [f"https://w3id.org/policykb/CP.MP.101/{n}" for n in REVISIONS]


def test_the_rows_of_the_log_stand_with_their_revisions(policy: Policy) -> None:
    printed = {
        entry.name: (entry.row.order, entry.row.revision_printed, entry.row.approval_printed) if entry.row else None
        for entry in policy.history
    }
    assert printed == {
        "2015-11": (1, "11/15", "11/15"),
        "2019-10": None,
        "2022-10": (2, "10/22", "10/22"),
        "2023-02": (3, "02/23", "02/23"),
        "2023-08": (4, "08/23", "08/23"),
        "2023-10": (5, "10/23", "10/23"),
        "2023-11": (6, "11/23", ""),
        "2024-04": (7, "04/24", "04/24"),
        "2025-02": (8, "02/25", "02/25"),
        "2026-02": (9, "02/26", "5/26/2026"),
    }


def test_what_is_on_file_of_each_revision_is_what_is_known_and_no_more(policy: Policy) -> None:
    for entry in policy.history:
        assert entry.bases.get("Criteria") == ON_FILE.get(entry.name, "NotOnFile")
        assert entry.criteria_on_file == (entry.name in ON_FILE)
        others = {basis for part, basis in entry.bases.items() if part not in ("Criteria", "DispositionPart")}
        assert others == {"DocumentOnFile" if entry.name == "2026-02" else "NotOnFile"}


@pytest.mark.parametrize("name", ["2026-02", "CP.MP.101/2026-02", "https://w3id.org/policykb/CP.MP.101/2026-02"])
def test_a_revision_is_found_by_its_month_with_or_without_its_policy(policy: Policy, name: str) -> None:
    assert policy.entry(name).name == "2026-02"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("2026-03", "; nearest: 2026-02"),
        ("2018-01", "; nearest: 2019-10"),
        ("2026-20", "; nearest: 2026-02"),
        ("CP.MP.102/2026-02", ""),
        ("02/26", ""),
    ],
)
def test_an_unknown_revision_is_an_error_that_lists_those_known_and_names_the_nearest(
    policy: Policy, name: str, nearest: str
) -> None:
    with pytest.raises(UnknownRevision) as error:
        policy.entry(name)
    assert str(error.value) == f"CP.MP.101 has no revision {name}; known: {', '.join(REVISIONS)}{nearest}"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("2015-11", "2019-10"), ("2022-10", "2023-10"), ("2023-02", "2023-10"), ("2023-08", "2023-10")],
)
def test_a_revision_whose_criteria_are_not_on_file_is_an_error_that_names_the_nearest(
    policy: Policy, name: str, nearest: str
) -> None:
    with pytest.raises(UnknownRevision) as error:
        policy.require_criteria(policy.entry(name))
    assert str(error.value) == (
        f"the criteria of CP.MP.101 revision {name} are not on file; nearest on file: --revision {nearest}"
    )


# ---------------------------------------------------------------------- in force

# From which day on each revision counts: its approval, else the first day of its month.
FROM = {name: date.fromisoformat(f"{name}-01") for name in REVISIONS} | {"2026-02": date(2026, 5, 26)}
SINCE = dict.fromkeys(REVISIONS, "approval") | {"2019-10": "revision month", "2023-11": "revision month"}
BOUNDARIES = [(new, day) for new in REVISIONS for day in (FROM[new], FROM[new] + timedelta(days=1))]
BOUNDARIES += [(old, FROM[new] - timedelta(days=1)) for old, new in pairwise(REVISIONS)]


@pytest.mark.parametrize(("name", "day"), BOUNDARIES, ids=str)
def test_on_every_boundary_day_the_revision_that_began_last_is_in_force(policy: Policy, name: str, day: date) -> None:
    if name not in ON_FILE:
        with pytest.raises(UnknownRevision, match=f"^the criteria of CP.MP.101 revision {name} are not on file; "):
            policy.in_force(day)
        return
    selection = policy.in_force(day)
    assert selection.revision.name == name
    assert selection.revision.effective == FROM[name]
    expected = [
        f"Revision {name} is assumed to be in force on {day}: from {FROM[name]}, its {SINCE[name]}. "
        "The plan sets the actual effective date."
    ]
    if date(2026, 2, 1) <= day < date(2026, 5, 26):
        expected.append(
            "By revision month, revision 2026-02 would have been chosen; it counts from its approval, 5/26/2026."
        )
    if name == "2019-10":
        expected.append(
            "The revision log has no row for 2019-10: reviews that it does not list are likely until 2022-10."
        )
    assert list(selection.notices) == expected


@pytest.mark.parametrize("day", [date(2026, 2, 1), date(2026, 5, 25)])
def test_between_its_month_and_its_approval_a_revision_is_named_and_not_in_force(policy: Policy, day: date) -> None:
    selection = policy.in_force(day)
    assert selection.revision.name == "2025-02"
    assert selection.notices[1] == (
        "By revision month, revision 2026-02 would have been chosen; it counts from its approval, 5/26/2026."
    )


def test_on_the_day_before_a_revision_month_only_one_revision_is_named(policy: Policy) -> None:
    assert len(policy.in_force(date(2026, 1, 31)).notices) == 1


def marked(copy: Path, *names: str) -> Policy:
    """The policy with these revisions as drafts."""
    for name in names:
        file = copy / f"policies/CP.MP.101/{name}/revision.ttl"
        mark = f'<https://w3id.org/policykb/CP.MP.101/{name}> pol:toDo "A draft."@en .'
        file.write_text(file.read_text(encoding="utf-8") + mark, encoding="utf-8")
    return Repository(copy).policy()


def test_a_draft_is_in_force_on_no_date_and_no_notice_names_it(copy: Path) -> None:
    policy = marked(copy, "2015-11", "2022-10", "2026-02")
    assert [entry.name for entry in policy.history] == REVISIONS
    assert [entry.name for entry in policy.released] == [
        name for name in REVISIONS if name not in ("2015-11", "2022-10", "2026-02")
    ]
    with pytest.raises(UnknownRevision) as error:
        policy.in_force(date(2018, 1, 1))
    assert str(error.value) == (
        "no revision of CP.MP.101 was in force on 2018-01-01; the first known is 2019-10, from 2019-10-01"
    )
    later = policy.in_force(date(2030, 1, 1))
    assert (later.revision.name, len(later.notices)) == ("2025-02", 1)
    assert policy.in_force(date(2022, 11, 1)).notices[-1].endswith("are likely until 2023-02.")
    with pytest.raises(UnknownRevision) as error:
        policy.entry("2099-01")
    assert str(error.value).endswith(
        "known: 2015-11 (draft), 2019-10, 2022-10 (draft), "
        + ", ".join([*REVISIONS[3:-1], "2026-02 (draft); nearest: 2026-02"])
    )


def test_where_every_revision_is_a_draft_none_is_in_force(copy: Path) -> None:
    policy = marked(copy, *REVISIONS)
    with pytest.raises(UnknownRevision) as error:
        policy.in_force(date(2030, 1, 1))
    assert str(error.value) == "no revision of CP.MP.101 was in force on 2030-01-01; none on file is released"


def test_a_case_is_not_determined_under_a_draft(copy: Path, run_kb: RunKb) -> None:
    marked(copy, "2026-02")
    case = str(ROOT / "policies/CP.MP.101/cases/acute-gvhd-of-grade-2-excludes.ttl")
    done = run_kb("validate", case, "--kb", str(copy), "--format", "json")
    (found,) = [json.loads(line) for line in [done.stdout]]
    assert "2025-02" in json.dumps(found)
    assert '2026-02"' not in json.dumps(found)
    done = run_kb("validate", case, "--kb", str(copy), "--revision", "2026-02")
    message = "kb: CP.MP.101 revision 2026-02 is a draft; kb draft status lists what is left of it; kb draft done "
    message += "releases it\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


def test_before_the_first_revision_none_was_in_force(policy: Policy) -> None:
    with pytest.raises(UnknownRevision) as error:
        policy.in_force(date(2015, 10, 31))
    assert str(error.value) == (
        "no revision of CP.MP.101 was in force on 2015-10-31; the first known is 2015-11, from 2015-11-01"
    )


# ---------------------------------------------------------------------- the graph of a revision


def criteria(policy: Policy, name: str) -> dict[str, str]:
    """The criteria of a revision, each with its place."""
    revision = Revision.load(policy, policy.entry(name))
    return {criterion.iri.removeprefix(CRITERION): criterion.notation for criterion in revision.criteria}


def test_a_revision_with_the_criteria_of_another_has_those_it_names_and_no_other(policy: Policy) -> None:
    latest = {
        "service": "Scope",
        "plan": "Medicare note",
        "indication": "I",
        "chimerism-alone": "I, note",
        "other-indications": "II",
        "manipulated-lymphocytes": "II.A",
        "acute-gvhd": "II.B",
    }
    assert criteria(policy, "2026-02") == latest
    for name in ("2023-11", "2024-04", "2025-02"):
        assert criteria(policy, name) == latest
    assert criteria(policy, "2023-10") == {key: place for key, place in latest.items() if key != "plan"}
    assert criteria(policy, "2019-10") == {
        "service": "Scope",
        "indication": "I",
        "other-indications": "II.A",
        "manipulated-lymphocytes": "II.B",
        "repeat-infusion": "II.C",
    }


def test_only_what_belongs_to_the_criteria_is_filled_in(policy: Policy) -> None:
    graph = policy.revision_graph(policy.entry("2023-10"))
    assert (URIRef(CRITERION + "plan"), None, None) not in graph
    lender = URIRef(policy.entry("2026-02").iri)
    assert (lender, None, None) not in graph
    iri = URIRef(policy.entry("2023-10").iri)
    for link in (POL.gives, POL.lists, POL.listsReference, POL.reports, POL.advises, POL.disposition):
        assert (iri, link, None) not in graph
    indication = URIRef(CRITERION + "indication")
    theirs = policy.revision_graph(policy.entry("2026-02"))
    for property_ in (RDFS.label, SKOS.notation, SKOS.definition, POL.statedIn):
        assert set(graph.objects(indication, property_)) == set(theirs.objects(indication, property_)) != set()
    assert (indication, CITO.citesAsEvidence, None) in theirs
    assert (indication, CITO.citesAsEvidence, None) not in graph, "what an inferred revision cited is not known"


def content(part: Tree | str) -> object:
    """A tree as nested lists, without the names of its parts."""
    return [part.operator, *map(content, part.parts)] if isinstance(part, Tree) else part.removeprefix(COND)


def test_the_criteria_filled_in_mean_what_they_mean_where_they_come_from(policy: Policy) -> None:
    later = Revision.load(policy, policy.entry("2026-02"))
    earlier = Revision.load(policy, policy.entry("2023-10"))
    assert content(earlier.criteria_tree) == content(later.criteria_tree)
    assert content(earlier.applicability_tree) == ["allOf", ["allOf", "service-is-dli"]]
    assert content(later.applicability_tree) == [
        "allOf",
        ["allOf", "service-is-dli"],
        ["allOf", "plan-is-not-medicare"],
    ]


def test_a_definition_that_is_borrowed_is_filled_in_and_nothing_else_of_the_lender(policy: Policy) -> None:
    graph = policy.revision_graph(policy.entry("2019-10"))
    definition = "https://w3id.org/policykb/CP.MP.101/definition/"
    assert (URIRef(definition + "mixed-chimerism"), RDFS.label, None) in graph
    assert (URIRef(definition + "full-chimerism"), None, None) not in graph
    assert (URIRef(CRITERION + "plan"), None, None) not in graph


def test_what_two_revisions_say_of_a_criterion_never_meets_in_one_graph(policy: Policy) -> None:
    exclusion = URIRef(CRITERION + "manipulated-lymphocytes")
    for name, place in (("2019-10", "II.B"), ("2026-02", "II.A")):
        graph = policy.revision_graph(policy.entry(name))
        assert [str(notation) for notation in graph.objects(exclusion, SKOS.notation)] == [place]
        assert all(f"/{name}/passage/" in str(passage) for passage in graph.objects(exclusion, POL.statedIn))


# ---------------------------------------------------------------------- a second policy


@pytest.mark.usefixtures("no_policy_preferred")
def test_a_second_policy_is_a_folder_with_prefixes_criteria_and_a_log_of_its_own(two_policies: Path) -> None:
    kb = Repository(two_policies)
    assert [policy.identifier for policy in kb.policies()] == ["CG-TRANS-03", "CP.MP.101", "TST.7"]
    assert kb.curie("https://w3id.org/policykb/TST.7/criterion/gvhd") == "tcrit:gvhd"
    second = kb.policy("TST.7")
    assert (second.title, [entry.name for entry in second.history]) == ("Residual Disease", ["2024-01"])
    revision = Revision.load(second, second.entry("TST.7/2024-01"))
    assert [(criterion.role, criterion.notation) for criterion in revision.criteria] == [
        ("applicability", "Scope"),
        ("indication", "1"),
        ("exclusion", "2"),
    ]
    assert content(revision.indication_tree) == ["anyOf", "mrd-is-detected", "relapse-risk-is-raised"]
    with pytest.raises(KbError) as error:
        kb.policy()
    assert str(error.value) == "3 policies on file; choose one with --policy: CG-TRANS-03, CP.MP.101, TST.7"


def test_the_cases_of_a_second_policy_are_run_with_its_manifest(two_policies: Path) -> None:
    kb = Repository(two_policies)
    (verdict,) = run_manifest(kb, kb.policy("TST.7"), "pyshifty")
    assert (verdict.expectation.name, verdict.differences) == ("residual-disease-meets", ())


@pytest.mark.parametrize(
    ("policy", "grade", "outcome", "code"),
    [
        ("TST.7", 1, "CRITERIA MET", 0),
        ("TST.7", 2, "CRITERIA NOT MET", 1),
        ("CP.MP.101", 1, "CRITERIA MET", 0),
    ],
)
def test_a_case_is_determined_under_the_policy_that_is_named(
    two_policies: Path,
    run_kb: RunKb,
    vary: Callable[[str, str], str],
    policy: str,
    grade: int,
    outcome: str,
    code: int,
) -> None:
    text = vary("clin:grade 1", f"clin:grade {grade}").encode()
    ran = run_kb("validate", "-", "--policy", policy, "--kb", str(two_policies), stdin=text)
    assert (ran.stdout.splitlines()[1], ran.stderr, ran.returncode) == (outcome, "", code)


@pytest.mark.usefixtures("no_policy_preferred")
def test_a_revision_that_one_policy_has_is_named_by_its_month_alone(two_policies: Path, run_kb: RunKb) -> None:
    root = str(two_policies)
    for name in ("2024-01", "TST.7/2024-01"):
        for command in ("show", "shapes"):
            alone, named = (
                run_kb(command, name, "--kb", root),
                run_kb(command, "2024-01", "--policy", "TST.7", "--kb", root),
            )
            assert (alone.stdout, alone.stderr, alone.returncode) == (named.stdout, "", 0)
    for command in ("show", "shapes"):
        ran = run_kb(command, "2020-01", "--kb", root)
        assert (ran.stdout, ran.stderr, ran.returncode) == (
            "",
            "kb: no policy on file has revision 2020-01; kb show lists the policies with their revisions\n",
            2,
        )
        ran = run_kb(command, "TST.7/2024-01", "--policy", "CP.MP.101", "--kb", root)
        assert (ran.stderr, ran.returncode) == (
            "kb: revisions of two policies: CP.MP.101 and TST.7; name two of one policy\n",
            2,
        )


def test_every_policy_on_file_is_shown_with_its_history(two_policies: Path, run_kb: RunKb) -> None:
    lines = run_kb("show", "--kb", str(two_policies)).stdout.splitlines()
    assert [line for line in lines if not line.startswith(("20", "Revision"))] == [
        "CG-TRANS-03  Donor Lymphocyte Infusion for Hematologic Malignancies after Allogeneic Transplant",
        "CP.MP.101  Donor Lymphocyte Infusion",
        "TST.7  Residual Disease",
    ]
    assert lines[-1].split() == ["2024-01", "01/24", "2024-01-01", "criteria", "-"]


def test_a_second_policy_passes_the_checks_of_the_knowledge_base(two_policies: Path, run_kb: RunKb) -> None:
    checks = ("prefixes", "undefined-terms", "dangling-iris", "history", "in-force", "examples")
    only = [word for check in checks for word in ("--only", check)]
    ran = run_kb("check", *only, "--kb", str(two_policies))
    assert ran.stdout.splitlines()[-1] == "6 checks, 6 passed, 0 problems"
    assert ran.returncode == 0
