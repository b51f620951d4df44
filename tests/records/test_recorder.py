"""What is recorded of a determination, that nothing of a person is in it, and what is answered where it cannot be."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bundles import RunKb, content, resources
from installed import FAST

import kb_tools
from kb_tools import ArgumentError, Case, Determination, KbError, KnowledgeBase
from kb_tools.batch.rows import AGE, DIFFER, READING
from kb_tools.records.answer import NOTICES, recorded_answer, written
from kb_tools.records.chain import Broken, Record, read
from kb_tools.records.folder import Altered, RecordFolder
from kb_tools.records.recorder import Recorder

ROOT = Path(__file__).parents[2]
CASES = ROOT / "policies/CP.MP.101/cases"
EXCLUDED = CASES / "acute-gvhd-of-grade-2-excludes.ttl"
Vary = Callable[[str, str], str]


@pytest.fixture(scope="module")
def library() -> KnowledgeBase:
    return kb_tools.open(ROOT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "records"


def contents(folder: Path) -> list[dict[str, Any]]:
    found = list(read(folder / "records.jsonl"))
    assert not [item for item in found if isinstance(item, Broken)]
    return [dict(item.content) for item in found if isinstance(item, Record)]


def everything(folder: Path) -> str:
    """All that stands in a folder of records, the names of files included."""
    return "\n".join(
        f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in sorted(folder.rglob("*")) if path.is_file()
    )


def determined(library: KnowledgeBase, case: Case, folder: Path, **more: Any) -> Determination:
    found = library.determine(case, engine=FAST, record=library.recorder(folder), **more)
    assert isinstance(found, Determination)
    return found


# ---------------------------------------------------------------------- what a record says


def test_a_record_says_what_is_needed_to_determine_again_and_to_compare(library: KnowledgeBase, folder: Path) -> None:
    case = library.read_case(EXCLUDED)
    answer = determined(library, case, folder, revision="2026-02")
    (said,) = contents(folder)
    crit, cond = "https://w3id.org/policykb/CP.MP.101/criterion/", "https://w3id.org/policykb/condition#"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said["made"])
    assert (said["policy"], said["revision"], said["chosen"]) == ("CP.MP.101", "2026-02", "named")
    assert said["case"] == {"sha256": case.digest, "kept": None}
    held = said["answer"]
    assert (held["outcome"], held["applicability"], held["criteria"]) == ("CriteriaNotMet", "holds", "fails")
    assert held["criterionValues"][f"{crit}acute-gvhd"] == "holds"
    assert held["decides"] == [f"{crit}acute-gvhd"]
    assert set(held["conditionValues"]) == set(answer.condition_results)
    assert held["conditionValues"][f"{cond}mrd-is-detected"] == "unknown"
    assert held["toSend"] is None
    assert held["disposition"] == "https://w3id.org/policykb/policy#NotSupportedByCurrentEvidence"
    assert held["advisories"] == [advisory.iri for advisory in answer.advisories]
    assert held["notices"] == ["age-of-findings"]
    assert held["sha256"] == hashlib.sha256(written(answer)).hexdigest()


def test_the_state_that_a_record_names_says_what_the_answer_rests_on(library: KnowledgeBase, folder: Path) -> None:
    determined(library, library.read_case(EXCLUDED), folder, revision="2026-02")
    (said,) = contents(folder)
    (path,) = (folder / "states").iterdir()
    assert path.name == f"{said['state']}.json"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == said["state"]
    state = json.loads(path.read_text(encoding="utf-8"))
    seal = json.loads((ROOT / "policies/CP.MP.101/2026-02/seal.json").read_text(encoding="utf-8"))
    assert (state["tool"], state["engine"], state["revision"]) == (f"kb {kb_tools.__version__}", FAST, "2026-02")
    assert set(state["libraries"]) == {FAST, "pyoxigraph", "rdflib"}
    assert None not in state["libraries"].values()
    assert state["seal"] == seal["digest"]
    # What is reached is what was sealed, but for what the case shapes allow a case to state since; tests/revisions hold
    # that a change of it is seen.
    sealed = {name: layer["digest"] for name, layer in seal["layers"].items()}
    assert state["reached"].keys() == sealed.keys()
    assert {name for name in sealed if state["reached"][name] != sealed[name]} <= {"case-shapes-and-derivation"}
    assert state["words"]["conditions"]["https://w3id.org/policykb/condition#after-allogeneic-transplant"]["label"] == (
        "after an allogeneic transplant"
    )


def test_an_open_case_is_recorded_with_what_to_send_in_as_it_is_grouped(library: KnowledgeBase, folder: Path) -> None:
    determined(library, library.read_case(CASES / "a-bare-request-is-asked-for-everything.ttl"), folder)
    (said,) = contents(folder)
    (operator,) = said["answer"]["toSend"]
    assert (operator, said["answer"]["outcome"], said["chosen"]) == ("allOf", "InformationNeeded", "service date")
    assert any("anyOf" in part for part in said["answer"]["toSend"][operator] if isinstance(part, dict))


def test_a_value_that_a_doubt_leaves_open_is_recorded_with_the_value_that_it_perhaps_has(
    library: KnowledgeBase, folder: Path
) -> None:
    cases = [case for case in library.read_cases(CASES) if isinstance(case, Case)]
    answers = library.determine(cases, revision="2026-02", engine=FAST, pieces=True, record=library.recorder(folder))
    doubtful = 0
    for said, answer in zip(contents(folder), answers.determined, strict=True):
        for iri, result in answer.condition_results.items():
            wanted = result.value.value
            if result.value is not result.perhaps:
                doubtful += 1
                assert said["answer"]["conditionValues"][iri] == [wanted, result.perhaps.value]
            else:
                assert said["answer"]["conditionValues"][iri] == wanted
    assert doubtful > 10


def test_the_kinds_of_notices_are_those_of_the_rows_of_runs(library: KnowledgeBase, folder: Path) -> None:
    assert NOTICES == ("in-force", "revision", "payer", READING, DIFFER, AGE)


def test_one_state_and_one_case_are_written_once_however_many_records_name_them(
    library: KnowledgeBase, folder: Path
) -> None:
    case = library.read_case(EXCLUDED)
    for _ in range(2):
        recorder = library.recorder(folder, keep_cases=True)
        library.determine([case, case], revision="2026-02", engine=FAST, record=recorder)
        assert len(recorder.heads) == 2
    assert [len(list((folder / name).iterdir())) for name in ("states", "cases")] == [1, 1]
    assert [said["answer"] for said in contents(folder)] == [contents(folder)[0]["answer"]] * 4


def test_how_the_revision_was_chosen_is_recorded(library: KnowledgeBase, folder: Path) -> None:
    case = library.read_case(EXCLUDED)
    determined(library, case, folder, revision="2025-02")
    determined(library, case, folder)
    determined(library, case, folder, as_of="2025-06-01")
    # The day asked for is the date of service: that date is not held.
    determined(library, case, folder, as_of=case.service_date)
    assert [(said["chosen"], said.get("asOf"), said["revision"]) for said in contents(folder)] == [
        ("named", None, "2025-02"),
        ("service date", None, "2026-02"),
        ("day", "2025-06-01", "2025-02"),
        ("service date", None, "2026-02"),
    ]


def test_a_revision_that_was_chosen_by_a_day_needs_that_day(library: KnowledgeBase, folder: Path) -> None:
    answer = library.determine(library.read_case(EXCLUDED), as_of="2025-06-01", engine=FAST)
    with pytest.raises(ArgumentError, match="the revision was chosen by a day; give that day as as_of"):
        library.recorder(folder).add([answer], engine=FAST)
    assert contents(folder) == []


# ---------------------------------------------------------------------- the same case, the same answer


def test_the_same_case_gives_the_same_recorded_answer_however_its_file_and_its_nodes_are_called(
    library: KnowledgeBase, well_formed: str
) -> None:
    plain = library.read_case(text=well_formed)
    otherwise = library.read_case(text=well_formed.replace("https://example.org/case#", "https://other.example/x#"))
    one, other = (library.determine(case, revision="2026-02", engine=FAST) for case in (plain, otherwise))
    assert isinstance(one, Determination)
    assert isinstance(other, Determination)
    assert one.to_json() != other.to_json()
    assert written(one) == written(other)
    assert recorded_answer(one)["case"] == f"sha256:{plain.digest}"


def test_a_recorded_answer_is_the_answer_but_for_the_names_of_case_file_and_nodes(
    library: KnowledgeBase, well_formed: str
) -> None:
    answer = library.determine(library.read_case(text=well_formed), revision="2026-02", engine=FAST)
    assert isinstance(answer, Determination)
    whole, held = answer.to_dict(), recorded_answer(answer)
    assert {key for key in whole if whole[key] != held[key]} == {"case", "file", "conditionResults"}
    for one, other in zip(whole["conditionResults"], held["conditionResults"], strict=True):
        assert [{**fact, "node": None} for fact in one["facts"]] == other["facts"]


# ---------------------------------------------------------------------- nothing of a person


def planted(well_formed: str) -> str:
    """The well-formed case with identifiers, names and texts wherever a file may have some."""
    doubt = '    case:inDoubt "PLANT-text of Jane PLANT" ;\n    clin:grade 1'
    return well_formed.replace("https://example.org/case#", "https://example.org/PLANT-member-4711#").replace(
        "clin:grade 1", doubt.lstrip()
    )


def test_nothing_of_the_input_stands_in_a_record(library: KnowledgeBase, tmp_path: Path, well_formed: str) -> None:
    folder, path = tmp_path / "records", tmp_path / "PLANT-Jane-Roe.ttl"
    path.write_text(planted(well_formed), encoding="utf-8")
    answer = determined(library, library.read_case(path), folder)
    assert "PLANT" in answer.to_json()
    assert b"doubt: PLANT-text" in written(answer)
    found = everything(folder)
    assert "PLANT" not in found
    dates = set(re.findall(r"\d{4}-\d\d-\d\d", well_formed))
    assert len(dates) >= 5
    assert {day for day in dates if day in found} == set()


def test_nothing_of_a_fhir_bundle_that_tells_of_a_person_stands_in_a_record(
    library: KnowledgeBase, tmp_path: Path, pseudonym_key: None
) -> None:
    bundle = content()
    bundle["id"] = "PLANT-bundle"
    patient = resources(bundle)["Patient"]
    patient |= {
        "name": [{"family": "PLANT", "given": ["Jane"]}],
        "birthDate": "1961-03-14",
        "telecom": [{"system": "phone", "value": "+1 555 PLANT"}],
        "address": [{"line": ["1 PLANT street"], "postalCode": "99999"}],
        "identifier": [{"system": "https://plan.example/member", "value": "PLANT-1"}],
    }
    for resource in resources(bundle).values():
        resource["text"] = {"status": "generated", "div": "<div>PLANT</div>"}
    resources(bundle)["Claim"]["identifier"] = [{"value": "PLANT-claim"}]
    resources(bundle)["Condition"]["code"]["text"] = "PLANT relapse of Jane"
    resources(bundle)["Observation"]["note"] = [{"text": "PLANT"}]
    path = tmp_path / "PLANT.json"
    path.write_text(json.dumps(bundle), encoding="utf-8")
    for keep in (False, True):
        folder = tmp_path / f"records-{keep}"
        recorder = library.recorder(folder, keep_cases=keep)
        case = library.read_case(path)
        assert isinstance(library.determine(case, engine=FAST, record=recorder), Determination)
        found = everything(folder)
        assert [word for word in ("PLANT", "Jane", "1961-03-14", "M-1") if word in found] == []
        # The dates of what was found are in the case that is kept, and nowhere else.
        assert ("2025-01-15" in found) is keep


def test_a_case_that_is_kept_has_its_statements_and_none_of_its_names(
    library: KnowledgeBase, tmp_path: Path, well_formed: str
) -> None:
    folder = tmp_path / "records"
    case = library.read_case(text=planted(well_formed))
    library.determine(case, engine=FAST, record=library.recorder(folder, keep_cases=True))
    (path,) = (folder / "cases").iterdir()
    assert contents(folder)[0]["case"] == {"sha256": case.digest, "kept": path.stem}
    held = json.loads(path.read_text(encoding="utf-8"))
    assert len(held["statements"]) == len(list(case.triples()))
    # A text of the case is part of what it says.
    assert "PLANT-text" in path.read_text(encoding="utf-8")
    assert "member-4711" not in everything(folder)
    assert "currentFinding" not in path.read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_a_case_that_is_kept_is_for_the_owner_alone(library: KnowledgeBase, folder: Path) -> None:
    recorder = library.recorder(folder, keep_cases=True)
    library.determine(library.read_case(EXCLUDED), engine=FAST, record=recorder)
    (path,) = (folder / "cases").iterdir()
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)


# ---------------------------------------------------------------------- streams and lists


def test_answers_of_a_stream_are_recorded_before_they_are_given(
    library: KnowledgeBase, folder: Path, vary: Vary
) -> None:
    texts = [vary("clin:grade 1", f"clin:grade {grade}").encode() for grade in (1, 7, 2)]
    recorder = library.recorder(folder)
    stream = library.determine(library.read_cases([*texts, b"nothing"]), engine=FAST, record=recorder)
    assert contents(folder) == []
    first = next(iter(stream))
    assert isinstance(first, Determination)
    # The malformed case and what is no case have no determination to record.
    assert [said["answer"]["outcome"] for said in contents(folder)] == ["CriteriaMet", "CriteriaNotMet"]
    assert [type(answer).__name__ for answer in stream] == ["Malformed", "Determination", "UnreadableInput"]
    assert [head.number for head in recorder.heads] == [1, 2]
    assert recorder.head == recorder.heads[-1]


def test_where_nothing_was_recorded_there_is_no_head(library: KnowledgeBase, folder: Path) -> None:
    recorder = library.recorder(folder)
    assert recorder.add([], engine=FAST) == []
    assert recorder.head is None


def test_two_recorders_at_once_share_one_chain(library: KnowledgeBase, folder: Path) -> None:
    case = library.read_case(EXCLUDED)
    one, other = library.recorder(folder), library.recorder(folder)
    for recorder in (one, other, one):
        library.determine(case, engine=FAST, record=recorder)
    assert [head.number for head in one.heads] == [1, 3]
    assert [head.number for head in other.heads] == [2]
    assert len(contents(folder)) == 3


# ---------------------------------------------------------------------- the command


def test_the_command_says_what_it_recorded_and_prints_the_answers_as_without(run_kb: RunKb, tmp_path: Path) -> None:
    without = run_kb("validate", str(EXCLUDED), "--engine", FAST)
    done = run_kb("validate", str(EXCLUDED), "--engine", FAST, "--record", "records")
    (record,) = [item for item in read(tmp_path / "records/records.jsonl") if isinstance(item, Record)]
    assert (done.returncode, done.stdout) == (without.returncode, without.stdout)
    assert done.stderr == f"kb: 1 determination recorded in records; head {record.head}\n"


def test_a_malformed_case_is_told_as_not_recorded(run_kb: RunKb, tmp_path: Path, vary: Vary) -> None:
    (tmp_path / "case.ttl").write_text(vary("clin:grade 1", "clin:grade 7"), encoding="utf-8")
    done = run_kb("validate", "case.ttl", "--record", "records")
    assert (done.returncode, done.stderr) == (1, "kb: 0 determinations recorded in records\n")
    assert contents(tmp_path / "records") == []


@pytest.mark.parametrize("format_", ["text", "json", "turtle", "fhir", "junit"])
def test_where_an_answer_cannot_be_recorded_none_is_given(run_kb: RunKb, tmp_path: Path, format_: str) -> None:
    run_kb("validate", str(EXCLUDED), "--engine", FAST, "--record", "records")
    path = tmp_path / "records/records.jsonl"
    path.write_bytes(path.read_bytes().replace(b"CriteriaNotMet", b"CriteriaMet   "))
    done = run_kb("validate", str(EXCLUDED), "--engine", FAST, "--record", "records", "--format", format_)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "kb: records/records.jsonl: the last record is not as it was written, so nothing was recorded after it; "
        "kb replay says what is broken; record into another folder\n"
    )


LIMITED = """
import resource, sys
from kb_tools import cli
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv = ["kb", *sys.argv[2:]]
cli.main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of the system")
@pytest.mark.parametrize("full", ["at once", "for the state", "within the record"])
def test_on_a_full_disk_there_is_one_line_and_no_answer(run_kb: RunKb, tmp_path: Path, full: str) -> None:
    run_kb("validate", str(EXCLUDED), "--engine", FAST, "--record", "records")
    before = everything(tmp_path / "records")
    # Under another revision a new state is to be written, too.
    revision = "2025-02" if full == "for the state" else "2026-02"
    written_already = (tmp_path / "records/records.jsonl").stat().st_size
    room = {"at once": 0, "for the state": 9_000, "within the record": written_already + 100}[full]
    command = ["validate", str(EXCLUDED), "--engine", FAST, "--record", "records", "--revision", revision]
    environment = os.environ | {"KB_ROOT": str(ROOT), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(room), *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        "kb: records/.*: the record cannot be written: File too large; check the folder, its permissions and the room "
        "on its disk; nothing was recorded\n",
        done.stderr,
    )
    assert everything(tmp_path / "records") == before


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder of records that nobody but root may write to, in a folder that everyone may enter."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        path.chmod(0o755)
        (path / "records").mkdir()
        (path / "records/records.jsonl").touch()
        (path / "records/records.jsonl").chmod(0o444)
        (path / "records").chmod(0o555)
        yield path / "records"
        (path / "records").chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_a_folder_that_is_read_only_is_told_before_anything_is_determined(closed: Path) -> None:
    code = (
        "import os, sys; from kb_tools.records.recorder import Recorder; from kb_tools.errors import KbError\n"
        "from pathlib import Path\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "for name in sys.argv[1:]:\n"
        "    try: Recorder(None, Path(name))\n"
        "    except KbError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(closed), str(closed / "new")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    hint = "check the folder, its permissions and the room on its disk; nothing was recorded"
    assert done.stdout.splitlines() == [
        f"{closed}/records.jsonl: the record cannot be written: Permission denied; {hint}",
        f"{closed}/new: the record cannot be written: Permission denied; {hint}",
    ], done.stderr


def test_a_folder_of_something_else_is_refused_before_anything_is_written(run_kb: RunKb, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/note.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    done = run_kb("validate", str(EXCLUDED), "--record", "other")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "kb: other: is not empty, and holds no records; give another folder\n"
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["note.txt"]
    done = run_kb("validate", str(EXCLUDED), "--record", "file/records")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("kb: file/records: the record cannot be written: Not a directory; ")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--case", "keep"], "--case keep goes with --record."),
        (["--record", "records", "--prepare"], "--prepare determines nothing that --record could record."),
    ],
)
def test_options_that_do_not_go_together_are_refused(run_kb: RunKb, arguments: list[str], what: str) -> None:
    done = run_kb("validate", str(EXCLUDED), *arguments)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"Error: {what}")


# ---------------------------------------------------------------------- files beside the chain


def test_a_file_that_was_altered_is_never_taken_for_the_one_that_was_written(tmp_path: Path) -> None:
    folder = RecordFolder(tmp_path)
    digest = folder.put("states", b"one")
    path = tmp_path / f"states/{digest}.json"
    path.write_bytes(b"two")
    with pytest.raises(Altered, match="was altered: its name is not its digest; restore it from a copy"):
        folder.get("states", digest)
    # Written again, it is what it was.
    assert folder.put("states", b"one") == digest
    assert folder.get("states", digest) == b"one"
    assert folder.get("states", "0" * 64) is None
    for name in ("../records", "", "A" * 64):
        with pytest.raises(Altered, match="is no SHA-256"):
            folder.get("states", name)


def test_a_case_that_would_be_read_otherwise_is_not_kept(
    library: KnowledgeBase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = library.read_case(EXCLUDED)
    recorder = Recorder(library.repository, folder, keep_cases=True)
    answer = library.determine(case, engine=FAST)
    assert isinstance(answer, Determination)
    monkeypatch.setattr(answer.case, "digest", "0" * 64)
    with pytest.raises(KbError, match="the case cannot be kept: read again it says something else"):
        recorder.add([answer], engine=FAST)
    assert contents(folder) == []
