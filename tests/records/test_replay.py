"""Recorded determinations given again: the same bytes, the same in other words, or what differs, by its name."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest
from bundles import DATA, MEETING, RunKb, content, resources
from installed import FAST
from rdflib import Graph
from rdflib.namespace import PROV, RDF, RDFS

import kb_tools
from kb_tools import ArgumentError, Case, KbError, KnowledgeBase, ReplayReport
from kb_tools.batch.rows import AGE
from kb_tools.rdf.namespaces import CASE
from kb_tools.records.answer import written
from kb_tools.records.replay import Status

ROOT = Path(__file__).parents[2]
CASES = ROOT / "policies/CP.MP.101/cases"
EXCLUDED = CASES / "acute-gvhd-of-grade-2-excludes.ttl"
COND = "https://w3id.org/policykb/condition#"
CRIT = "https://w3id.org/policykb/CP.MP.101/criterion/"


@pytest.fixture(scope="module")
def library() -> KnowledgeBase:
    return kb_tools.open(ROOT)


@pytest.fixture(scope="module")
def recorded(library: KnowledgeBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One determination by grade 2, and one that is met, recorded with their cases."""
    folder = tmp_path_factory.mktemp("recorded") / "records"
    cases = [library.read_case(EXCLUDED), library.read_case(CASES / "a-first-infusion-meets.ttl")]
    record = library.recorder(folder, keep_cases=True)
    library.determine(cases, revision="2026-02", engine=FAST, record=record)
    return folder


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(recorded, tmp_path / "records"))


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., KnowledgeBase]:
    """A copy of the knowledge base in which a text, which stands in a file, is another."""

    def edit(*edits: tuple[str, str, str]) -> KnowledgeBase:
        root = tmp_path / "kb"
        for name in ("ontology", "shapes", "policies"):
            shutil.copytree(ROOT / name, root / name)
        for file, old, new in edits:
            path = root / file
            text = path.read_text(encoding="utf-8")
            assert old in text
            path.write_text(text.replace(old, new), encoding="utf-8")
        return kb_tools.open(root)

    return edit


def statuses(report: ReplayReport) -> list[str]:
    return [record.status.value for record in report.records]


def differences(report: ReplayReport, record: int = 0) -> list[tuple[str, str, Any, Any]]:
    return [
        (found.what, found.name or found.of, found.before, found.now) for found in report.records[record].differences
    ]


def of_states(report: ReplayReport) -> list[tuple[str, str]]:
    return [(found.what, found.of) for state in report.states for found in state.differences]


# ---------------------------------------------------------------------- the same bytes


def test_every_example_case_that_is_kept_comes_to_the_same_bytes(library: KnowledgeBase, tmp_path: Path) -> None:
    folder = tmp_path / "records"
    cases = [case for case in library.read_cases(CASES) if isinstance(case, Case)]
    record = library.recorder(folder, keep_cases=True)
    for revision in ("2019-10", "2026-02", None):
        library.determine(cases, revision=revision, engine=FAST, pieces=True, record=record)
    report = library.replay(folder)
    assert len(report.records) == len(record.heads) > 400
    assert set(statuses(report)) == {"same bytes"}
    assert (report.is_same, report.broken, report.head) == (True, (), record.head)


def test_a_case_that_is_given_is_found_by_what_it_says_and_not_by_its_name(
    library: KnowledgeBase, tmp_path: Path
) -> None:
    folder = tmp_path / "records"
    library.determine(library.read_case(EXCLUDED), engine=FAST, record=library.recorder(folder))
    assert [record.reason for record in library.replay(folder).records] == ["its case was not given"]
    text = EXCLUDED.read_text(encoding="utf-8").replace("acute-gvhd-of-grade-2-excludes", "another")
    assert statuses(library.replay(folder, library.read_case(text=text))) == ["same bytes"]
    other = library.read_case(CASES / "a-first-infusion-meets.ttl")
    report = library.replay(folder, [other])
    assert statuses(report) == ["not replayed"]
    assert report.is_same


def test_a_case_of_fhir_comes_to_the_same_bytes_from_its_bundle_and_from_what_was_kept(
    library: KnowledgeBase, tmp_path: Path, pseudonym_key: None
) -> None:
    case = library.read_case(DATA / f"{MEETING}.json")
    for keep in (False, True):
        folder = tmp_path / f"records-{keep}"
        library.determine(case, engine=FAST, record=library.recorder(folder, keep_cases=keep))
        given = () if keep else [library.read_case(DATA / f"{MEETING}.json")]
        assert statuses(library.replay(folder, given)) == ["same bytes"]


def test_of_two_readings_of_one_case_the_one_that_was_recorded_counts(
    library: KnowledgeBase, tmp_path: Path, pseudonym_key: None
) -> None:
    noted = content()
    resources(noted)["Claim"]["item"][0].pop("servicedDate")
    resources(noted)["Claim"]["item"][0]["servicedPeriod"] = {"start": "2026-07-01", "end": "2026-07-02"}
    plain, other = library.read_case(content()), library.read_case(noted)
    assert (plain.digest, plain.notices) == (other.digest, other.notices[:-1])
    folder = tmp_path / "records"
    library.determine(other, engine=FAST, record=library.recorder(folder))
    assert statuses(library.replay(folder, [plain, other])) == ["same bytes"]
    report = library.replay(folder, [plain])
    assert (statuses(report), differences(report)) == (
        ["differs"],
        [("notices", "", ["in-force", "reading", AGE], ["in-force", AGE])],
    )


@pytest.mark.parametrize("choice", [{}, {"as_of": "2025-06-01"}, {"revision": "2019-10"}])
def test_the_revision_is_chosen_again_as_it_was(library: KnowledgeBase, tmp_path: Path, choice: dict[str, str]) -> None:
    folder = tmp_path / "records"
    record = library.recorder(folder, keep_cases=True)
    library.determine(library.read_case(EXCLUDED), engine=FAST, record=record, **choice)  # type: ignore[call-overload]
    assert statuses(library.replay(folder)) == ["same bytes"]


# ---------------------------------------------------------------------- other words


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (
            ("policies/CP.MP.101/2026-02/criteria.ttl", "genetically modified or manipulated lymph", "changed lymph"),
            ("criterion II.A, label", "genetically modified or manipulated lymphocytes", "changed lymphocytes"),
        ),
        (
            ("shapes/conditions/gvhd.ttl", '"acute GvHD of grade 2 or higher"@en', '"acute GvHD, grade 2 to 4"@en'),
            (
                "cond:acute-gvhd-of-grade-2-or-higher, label",
                "acute GvHD of grade 2 or higher",
                "acute GvHD, grade 2 to 4",
            ),
        ),
        (
            (
                "policies/CP.MP.101/2026-02/advisories.ttl",
                '"a guide, not a guarantee and not medical advice"',
                '"a guide"',
            ),
            ("adv:guide-only, label", "a guide, not a guarantee and not medical advice", "a guide"),
        ),
        (
            ("ontology/clinical/gvhd.ttl", '"acute GvHD assessment"@en', '"assessment of acute GvHD"@en'),
            ("clin:AcuteGvHDAssessment, label", "acute GvHD assessment", "assessment of acute GvHD"),
        ),
    ],
)
def test_a_change_of_wording_is_the_same_determination_and_the_words_are_named(
    recorded: Path,
    edited: Callable[..., KnowledgeBase],
    edit: tuple[str, str, str],
    named: tuple[str, str, str],
) -> None:
    report = edited(edit).replay(recorded)
    assert statuses(report)[0] == "same determination, other words"
    assert differences(report) == [("words", *named)]
    assert not report.is_same


def test_words_that_an_answer_does_not_use_are_not_named(recorded: Path, edited: Callable[..., KnowledgeBase]) -> None:
    report = edited(
        ("ontology/clinical/gvhd.ttl", '"chronic GvHD assessment"@en', '"assessment of chronic GvHD"@en'),
        ("policies/CP.MP.101/2026-02/advisories.ttl", "Chronic GvHD is on file.", "There is chronic GvHD."),
    ).replay(recorded)
    # The first case states no chronic GvHD, so that neither its facts nor its advisories have these words.
    assert statuses(report)[0] == "same bytes"
    assert ("reached", "revision") in of_states(report)


def test_other_words_of_the_tool_are_told_as_such(
    recorded: Path, run_kb: RunKb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kb_tools.determine.in_words._ROLES", {"exclusion": "bar "})
    done = run_kb("replay", str(recorded))
    assert done.returncode == 1
    first, second, *_ = done.stdout.splitlines()
    assert first.endswith("CriteriaNotMet  same determination, other words")
    assert (
        second == "  - words that are no label or text of the knowledge base: of the tool, or of how the case was read"
    )


# ---------------------------------------------------------------------- what differs


def test_another_threshold_is_named_with_the_values_that_it_changes(
    recorded: Path, edited: Callable[..., KnowledgeBase]
) -> None:
    report = edited(
        ("shapes/conditions/gvhd.ttl", "sh:minCount 1 ; sh:minInclusive 2 ]", "sh:minCount 1 ; sh:minInclusive 3 ]"),
        ("shapes/conditions/gvhd.ttl", "sh:minCount 1 ; sh:maxExclusive 2 ]", "sh:minCount 1 ; sh:maxExclusive 3 ]"),
    ).replay(recorded)
    assert statuses(report) == ["differs", "same bytes"]
    found = differences(report)
    assert ("outcome", "", "CriteriaNotMet", "CriteriaMet") in found
    assert ("criterionValues", "crit:acute-gvhd", "holds", "fails") in found
    assert ("conditionValues", "cond:acute-gvhd-of-grade-2-or-higher", "holds", "fails") in found
    assert [one[1] for one in found if one[0] == "conditionValues"] == ["cond:acute-gvhd-of-grade-2-or-higher"]
    assert of_states(report) == [("reached", "conditions")]
    assert not report.is_same


def test_a_seal_that_is_another_is_named(folder: Path, edited: Callable[..., KnowledgeBase], tmp_path: Path) -> None:
    changed = edited(
        ("policies/CP.MP.101/2026-02/advisories.ttl", '"a guide, not a guarantee', '"a guide and no guarantee')
    )
    policy = changed.repository.policy()
    from kb_tools.revisions.seal import freeze

    freeze(changed.repository, policy, policy.entry("2026-02"), again=True)
    report = kb_tools.open(changed.root).replay(folder)
    assert of_states(report) == [("seal", ""), ("reached", "revision")]
    assert statuses(report) == ["same determination, other words"] * 2


def test_another_engine_is_named_and_comes_to_the_same(library: KnowledgeBase, recorded: Path) -> None:
    report = library.replay(recorded, engine="pyshacl")
    assert statuses(report) == ["same bytes"] * 2
    assert of_states(report) == [("engine", "")]
    # All was replayed, and all is the same.
    assert report.is_same


def test_another_version_of_the_tool_or_of_a_library_is_named(
    library: KnowledgeBase, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kb_tools.records.state.__version__", "9.1.0")
    monkeypatch.setattr("kb_tools.records.state.version", lambda name: "1.0" if name == "rdflib" else None)
    report = library.replay(recorded)
    (state,) = report.states
    assert [(found.what, found.of, found.now) for found in state.differences] == [
        ("tool", "", "kb 9.1.0"),
        ("library", "pyoxigraph", None),
        ("library", "rdflib", "1.0"),
        ("library", FAST, None),
    ]
    assert (statuses(report), report.is_same, state.records) == (["same bytes"] * 2, True, 2)


def test_without_its_case_what_differs_is_told_and_is_no_agreement(
    library: KnowledgeBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "records"
    library.determine(library.read_case(EXCLUDED), engine=FAST, record=library.recorder(folder))
    assert library.replay(folder).is_same
    monkeypatch.setattr("kb_tools.records.state.__version__", "9.1.0")
    report = library.replay(folder)
    assert (statuses(report), of_states(report)) == (["not replayed"], [("tool", "")])
    assert not report.is_same


def test_a_revision_that_is_on_file_no_more_is_named(folder: Path, edited: Callable[..., KnowledgeBase]) -> None:
    changed = edited()
    shutil.rmtree(changed.root / "policies/CP.MP.101/2026-02")
    report = kb_tools.open(changed.root).replay(folder)
    assert statuses(report) == ["not replayed"] * 2
    assert report.records[0].reason.startswith("CP.MP.101 has no revision 2026-02; known: ")
    assert of_states(report) == [("revision", "")]
    assert not report.is_same


def test_another_revision_in_force_on_that_day_is_named_and_the_recorded_one_is_replayed(
    library: KnowledgeBase, tmp_path: Path, edited: Callable[..., KnowledgeBase]
) -> None:
    folder = tmp_path / "records"
    library.determine(library.read_case(EXCLUDED), engine=FAST, record=library.recorder(folder, keep_cases=True))
    changed = edited(("policies/CP.MP.101/revision-log.ttl", '"2026-05-26"^^xsd:date', '"2026-08-26"^^xsd:date'))
    report = changed.replay(folder)
    assert statuses(report) == ["differs"]
    assert differences(report)[0] == ("revision", "", "2026-02", "2025-02")
    assert [found[0] for found in differences(report)] == ["revision", "notices"]


def test_a_case_that_is_malformed_now_is_told(folder: Path, edited: Callable[..., KnowledgeBase]) -> None:
    report = edited(
        ("shapes/case.ttl", "sh:path case:basis ;\n    sh:minCount 1 ;", "sh:path case:basis ;\n    sh:minCount 2 ;")
    ).replay(folder)
    assert statuses(report) == ["differs", "differs"]
    assert differences(report) == [("outcome", "", "CriteriaNotMet", "malformed")]


# ---------------------------------------------------------------------- broken, missing, of another kind


def test_what_is_broken_is_told_and_the_other_records_are_replayed(library: KnowledgeBase, folder: Path) -> None:
    chain = folder / "records.jsonl"
    first, second = chain.read_bytes().splitlines(keepends=True)
    chain.write_bytes(first.replace(b"CriteriaNotMet", b"CriteriaMet   ") + second)
    report = library.replay(folder)
    assert [str(found) for found in report.broken] == [
        "line 1: record 1 was altered: it is not what its digest was made of"
    ]
    assert (statuses(report), report.is_same) == (["same bytes"], False)


def test_the_head_that_was_printed_finds_a_removed_end(library: KnowledgeBase, folder: Path) -> None:
    head = str(library.replay(folder).head)
    assert library.replay(folder, expect=head).is_same
    chain = folder / "records.jsonl"
    chain.write_bytes(chain.read_bytes().splitlines(keepends=True)[0])
    assert library.replay(folder).is_same
    report = library.replay(folder, expect=head)
    assert [str(found) for found in report.broken] == [
        "record 2, which was expected, is not there: the records end before it"
    ]
    assert not report.is_same


def test_every_byte_of_a_state_and_of_a_kept_case_is_held_to_its_digest(library: KnowledgeBase, folder: Path) -> None:
    for kind, broken in (("states", "the state that it names"), ("cases", "the case that is kept")):
        path = min((folder / kind).iterdir())
        whole = path.read_bytes()
        for place in (0, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            report = library.replay(folder)
            assert str(report.broken[0]).endswith(f"{broken} was altered: its name is not its digest")
            assert not report.is_same
        path.write_bytes(whole)
    assert library.replay(folder).is_same


def test_a_state_that_is_missing_is_told(library: KnowledgeBase, folder: Path) -> None:
    (path,) = (folder / "states").iterdir()
    path.unlink()
    assert [str(found) for found in library.replay(folder).broken] == [
        f"line 1: record 1: the state that it names is missing: states/{path.name}"
    ]


def test_a_kept_case_may_be_removed_and_the_chain_still_holds(library: KnowledgeBase, folder: Path) -> None:
    shutil.rmtree(folder / "cases")
    report = library.replay(folder)
    assert [record.reason for record in report.records] == ["its case is kept no longer"] * 2
    assert (report.broken, report.is_same) == ((), True)
    assert statuses(library.replay(folder, [library.read_case(EXCLUDED)])) == ["same bytes", "not replayed"]


def test_what_says_less_than_a_record_is_told(library: KnowledgeBase, folder: Path) -> None:
    from kb_tools.records.chain import append

    append(folder / "records.jsonl", [{"made": "2026-07-01T00:00:00Z"}])
    report = library.replay(folder)
    assert [str(found) for found in report.broken] == ["line 3: record 3 does not say what a record says"]
    assert len(report.records) == 2


def test_a_folder_without_records_is_none(library: KnowledgeBase, tmp_path: Path, run_kb: RunKb) -> None:
    hint = "give the folder that was named with --record"
    for name, what in (("", "holds no records: records.jsonl is not there"), ("nowhere", "No such file or directory")):
        with pytest.raises(KbError) as refused:
            library.replay(tmp_path / name)
        assert str(refused.value) == f"{tmp_path / name}: {what}; {hint}"
        done = run_kb("replay", str(tmp_path / name))
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"kb: {refused.value}\n")
    with pytest.raises(ArgumentError, match="is no head of records"):
        library.replay(tmp_path, expect="4")


def test_records_of_a_later_format_are_refused_in_one_line(
    folder: Path, run_kb: RunKb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kb_tools.records.chain._KNOWN", (2,))
    done = run_kb("replay", str(folder))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "record 1 was written by kb" in done.stderr
    assert "in format 1, and this is kb" in done.stderr


def test_a_folder_without_any_record_is_whole(library: KnowledgeBase, tmp_path: Path) -> None:
    library.recorder(tmp_path / "records")
    report = library.replay(tmp_path / "records")
    assert (report.records, report.is_same, str(report.head)) == ((), True, f"0/{'0' * 64}")


# ---------------------------------------------------------------------- the command


def test_the_command_prints_a_line_a_record_and_the_head(recorded: Path, run_kb: RunKb, library: KnowledgeBase) -> None:
    done = run_kb("replay", str(recorded))
    one, two = (record.content["made"] for record in library.replay(recorded).records)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"record 1  {one}  CP.MP.101/2026-02  CriteriaNotMet  same bytes",
        f"record 2  {two}  CP.MP.101/2026-02  CriteriaMet  same bytes",
        "2 records: 2 same bytes; the chain is whole",
        f"head {library.replay(recorded).head}",
    ]


def test_the_command_gives_the_answers_again_as_they_were_digested(
    recorded: Path, run_kb: RunKb, library: KnowledgeBase
) -> None:
    done = run_kb("replay", str(recorded), "--format", "json", "--answers")
    found = json.loads(done.stdout)
    assert (done.returncode, found["same"], found["broken"]) == (0, True, [])
    report = library.replay(recorded)
    for record, replayed in zip(found["records"], report.records, strict=True):
        assert replayed.again is not None
        text = written(replayed.again)
        assert json.loads(text) == record.pop("answer")
        assert hashlib.sha256(text).hexdigest() == replayed.content["answer"]["sha256"]
    assert found == report.to_dict()
    assert "words" not in found["states"][0]


def test_an_input_that_cannot_be_read_is_told_and_the_others_are_used(folder: Path, run_kb: RunKb) -> None:
    shutil.rmtree(folder / "cases")
    done = run_kb("replay", str(folder), "nowhere.ttl", str(EXCLUDED))
    assert done.returncode == 2
    assert "nowhere.ttl: No such file or directory" in done.stderr
    assert done.stdout.splitlines()[0].endswith("same bytes")


def test_a_write_that_was_broken_off_is_told_before_the_record_after_it(
    library: KnowledgeBase, folder: Path, run_kb: RunKb
) -> None:
    with (folder / "records.jsonl").open("ab") as file:
        file.write(b'{"digest":"00')
    library.determine(library.read_case(EXCLUDED), engine=FAST, record=library.recorder(folder))
    done = run_kb("replay", str(folder))
    assert done.returncode == 0
    assert "before record 3: a write was broken off; its 13 bytes were removed\nrecord 3  " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--format", "turtle", "case.ttl"], "--format turtle determines nothing: leave out cases and engine."),
        (
            ["--format", "turtle", "--engine", "pyshacl"],
            "--format turtle determines nothing: leave out cases and engine.",
        ),
        (["--answers"], "--answers goes with --format json."),
    ],
)
def test_options_that_do_not_go_together_are_refused(run_kb: RunKb, arguments: list[str], what: str) -> None:
    done = run_kb("replay", "records", *arguments)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"Error: {what}")


# ---------------------------------------------------------------------- as RDF


def test_records_are_entities_that_an_activity_made_of_a_case_a_revision_and_a_state(
    recorded: Path, run_kb: RunKb
) -> None:
    done = run_kb("replay", str(recorded), "--format", "turtle")
    assert (done.returncode, done.stderr) == (0, "")
    assert run_kb("replay", str(recorded), "--format", "turtle").stdout == done.stdout
    graph = Graph().parse(data=done.stdout, format="turtle")
    records = sorted(graph.subjects(RDF.type, CASE.DecisionRecord), key=lambda node: str(graph.value(node, RDFS.label)))
    assert len(records) == 2
    assert graph.value(records[1], CASE.previousRecord) == records[0]
    for record in records:
        activity = graph.value(record, PROV.wasGeneratedBy)
        assert graph.value(activity, RDF.type) == PROV.Activity
        revision, state = graph.value(record, CASE.underRevision), graph.value(record, CASE.inState)
        case = graph.value(record, CASE.ofCase)
        assert set(graph.objects(activity, PROV.used)) == {case, revision, state}
        assert set(graph.objects(record, PROV.wasDerivedFrom)) == {case, revision}
        assert (case, RDF.type, CASE.RecordedCase) in graph
        assert len(list(graph.objects(record, CASE.criterionValue))) == 7
        assert len(list(graph.objects(record, CASE.conditionValue))) == 18


def test_every_term_of_records_as_rdf_is_defined(recorded: Path, run_kb: RunKb, library: KnowledgeBase) -> None:
    graph = Graph().parse(data=run_kb("replay", str(recorded), "--format", "turtle").stdout, format="turtle")
    terms = {node for triple in graph for node in triple if str(node).startswith(str(CASE))}
    assert len(terms) > 15
    assert terms <= set(library.repository.ontology.subjects())


def test_records_as_rdf_say_where_the_chain_is_broken(folder: Path, run_kb: RunKb) -> None:
    chain = folder / "records.jsonl"
    chain.write_bytes(chain.read_bytes().splitlines(keepends=True)[1])
    (path,) = (folder / "states").iterdir()
    path.unlink()
    done = run_kb("replay", str(folder), "--format", "turtle")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "kb: line 1: record 1 is missing",
        "kb: line 1: record 2: the state that it names is missing",
    ]
    assert len(list(ox.parse(done.stdout.encode(), format=ox.RdfFormat.TURTLE))) > 50


def test_the_questions_on_determinations_count_records_too(
    recorded: Path, run_kb: RunKb, library: KnowledgeBase, tmp_path: Path
) -> None:
    (tmp_path / "records.ttl").write_text(
        run_kb("replay", str(recorded), "--format", "turtle").stdout, encoding="utf-8"
    )
    (tmp_path / "answers.ttl").write_text(
        run_kb("validate", str(EXCLUDED), "--revision", "2026-02", "--format", "turtle").stdout, encoding="utf-8"
    )
    counted = library.query("determinations-by-outcome", data=[tmp_path / "records.ttl", tmp_path / "answers.ttl"])
    assert [tuple(map(str, row))[2:] for row in counted.rows] == [("criteria met", "1"), ("criteria not met", "2")]
    found = library.query("determinations-by-criterion", data=[tmp_path / "records.ttl"])
    rows = {(str(row[1]).removeprefix(CRIT), str(row[3])): tuple(row[4:]) for row in found.rows}
    assert rows[("acute-gvhd", "holds")] == (1, 1)
    assert rows[("acute-gvhd", "fails")] == (1, 1)
    assert rows[("other-indications", "fails")] == (2, 0)


def test_the_states_of_a_replay_name_what_they_are(library: KnowledgeBase, recorded: Path) -> None:
    assert [status.value for status in Status] == [
        "same bytes",
        "same values",
        "same determination, other words",
        "differs",
        "not replayed",
    ]
    (state,) = library.replay(recorded).states
    assert (state.to_dict()["policy"], state.to_dict()["engine"], state.records) == ("CP.MP.101", FAST, 2)
