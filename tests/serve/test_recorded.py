"""The pages of decision records: the list, what they come to, one of them, and what is broken in them."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import kb_tools
from kb_tools.errors import KbError
from kb_tools.model.repository import Repository
from kb_tools.rdf.shacl import fastest
from kb_tools.records.chain import append
from kb_tools.records.folder import RecordFolder
from kb_tools.records.recorder import RecordMaker
from kb_tools.records.shelf import Shelf
from kb_tools.serve.app import application
from kb_tools.serve.pages import recorded as page
from kb_tools.serve.workbench import Workbench

ROOT = Path(__file__).parents[2]
CASES = ROOT / "policies/CP.MP.101/cases"
NAMES = ("acute-gvhd-of-grade-2-excludes", "refractory-leukemia-meets", "no-acute-gvhd-assessment-is-asked-for")
BASE = "https://w3id.org/policykb/"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of three cases, and of the last of them once more as the draft of an order."""
    folder = RecordFolder(tmp_path_factory.mktemp("shown") / "records")
    folder.begin()
    library = kb_tools.open(ROOT)
    maker = RecordMaker(library.repository, folder)
    cases = [library.read_case(CASES / f"{name}.ttl") for name in NAMES]
    answers = [library.determine(case, revision="2026-02", engine=fastest()) for case in cases]
    append(folder.chain, maker.contents(answers, engine=fastest()))
    draft = maker.contents(answers[2:], engine=fastest(), door="/cds-services/order-sign", preview=True)
    append(folder.chain, draft)
    return folder.path


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "records"))


@pytest.fixture(scope="module")
def shown(bench: Workbench) -> Callable[[Path], TestClient]:
    def client(folder: Path) -> TestClient:
        app = application(bench, shelf=Shelf(folder))
        return TestClient(app, base_url="http://127.0.0.1:8014", follow_redirects=False)

    return client


def as_json(client: TestClient, address: str) -> Any:
    found = client.get(address, headers={"Accept": "application/json"})
    assert found.status_code == 200, found.text
    return found.json()


# ---------------------------------------------------------------------- what is shown


def test_records_are_listed_the_newest_first_with_what_they_came_to(
    made: Path, shown: Callable[[Path], TestClient]
) -> None:
    found = as_json(shown(made), "/records")
    assert [one["number"] for one in found["records"]] == [4, 3, 2, 1]
    assert [one["outcome"]["label"] for one in found["records"]] == [
        *["information needed"] * 2,
        "criteria met",
        "criteria not met",
    ]
    assert [(one["door"], one["preview"]) for one in found["records"]] == [
        ("/cds-services/order-sign", True),
        *[("", False)] * 3,
    ]
    chain = found["chain"]
    assert (chain["records"], chain["determinations"], chain["previews"]) == (4, 4, 1)
    assert (chain["whole"], chain["complete"], chain["broken"]) == (True, True, [])
    last = json.loads((made / "records.jsonl").read_text().splitlines()[-1])
    assert chain["head"] == f"4/{last['digest']}"


def test_older_records_stand_on_pages_of_their_own(
    made: Path, shown: Callable[[Path], TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PER_PAGE", 3)
    client = shown(made)
    first = as_json(client, "/records")
    assert ([one["number"] for one in first["records"]], first["older"]) == ([4, 3, 2], 2)
    second = as_json(client, "/records?before=2")
    assert ([one["number"] for one in second["records"]], second["older"]) == ([1], None)
    assert 'href="/records?before=2"' in client.get("/records").text
    assert as_json(client, "/records?before=1")["records"] == []
    wrong = client.get("/records?before=x", headers={"Accept": "application/json"})
    assert (wrong.status_code, wrong.json()["detail"]) == (400, "'x' is no number of a record; write digits")


def rows(client: TestClient, name: str) -> list[dict[str, str]]:
    found = client.get(f"/records/tables/{name}?format=csv")
    assert (found.status_code, found.headers["content-type"].partition(";")[0]) == (200, "text/csv")
    assert found.headers["content-disposition"] == f'inline; filename="records-{name}.csv"'
    return list(csv.DictReader(found.text.splitlines()))


def test_what_records_come_to_can_be_taken_along_as_tables(made: Path, shown: Callable[[Path], TestClient]) -> None:
    client = shown(made)
    assert [
        (one["outcome"].rpartition("#")[2], one["determinations"], one["draftOrders"])
        for one in rows(client, "outcomes")
    ] == [
        ("CriteriaMet", "1", "0"),
        ("CriteriaNotMet", "1", "0"),
        ("InformationNeeded", "2", "1"),
    ]
    assert [(one["sendIn"], one["determinations"]) for one in rows(client, "missing")] == [
        ("The overall grade (0 to 4) and date of the latest acute GvHD assessment.", "2")
    ]
    deciding = [one for one in rows(client, "criteria") if one["deciding"] != "0" and one["value"] == "holds"]
    (decides,) = [one for one in deciding if "acute-gvhd" in one["criterion"]]
    assert (decides["determinations"], decides["deciding"], decides["criterionLabel"]) == (
        *("1", "1"),
        "II.B acute GvHD of grade 2 or higher",
    )
    said = client.get("/records/tables/outcomes", headers={"Accept": "application/json"})
    assert said.json()["results"]["bindings"][0]["determinations"]["value"] == "1"
    assert client.get("/records/tables/outcomes?format=xlsx").content.startswith(b"PK")
    other = client.get("/records/tables/outcome", headers={"Accept": "application/json"})
    assert (other.status_code, "did you mean outcomes?" in other.json()["detail"]) == (404, True)


def test_one_record_says_what_was_determined_and_what_it_rests_on(
    made: Path, shown: Callable[[Path], TestClient], kb: Repository
) -> None:
    client = shown(made)
    found = as_json(client, "/records/3")
    held = [json.loads(line) for line in (made / "records.jsonl").read_text().splitlines()]
    assert (found["sha256"], found["previous"]) == (held[2]["digest"], held[1]["digest"])
    (answer,) = found["answers"]
    assert (answer["outcome"]["label"], answer["revision"]["iri"]) == ("information needed", f"{BASE}CP.MP.101/2026-02")
    assert {one["thing"]["iri"]: one["value"] for one in answer["criteria"]} == held[2]["answer"]["criterionValues"]
    assert len(answer["conditions"]) == len(held[2]["answer"]["conditionValues"])
    assert found["caseSha256"] == held[2]["case"]["sha256"]
    (state,) = found["states"]
    assert (state["sha256"], state["engine"], state["fault"]) == (held[2]["state"], fastest(), "")
    seal = json.loads((kb.root / "policies/CP.MP.101/2026-02/seal.json").read_text())
    assert state["seal"] in json.dumps(seal)
    text = client.get("/records/3").text
    assert "The overall grade (0 to 4) and date of the latest acute GvHD assessment." in text
    assert (found["hasPrevious"], found["hasNext"]) == (True, True)
    assert "no approval and no denial" in client.get("/records").text


def test_pages_follow_what_is_recorded_meanwhile(folder: Path, shown: Callable[[Path], TestClient]) -> None:
    client = shown(folder)
    assert as_json(client, "/records")["chain"]["records"] == 4
    again = json.loads((folder / "records.jsonl").read_text().splitlines()[0])
    kept = {key: again[key] for key in again if key not in ("digest", "format", "tool", "number", "previous")}
    append(folder / "records.jsonl", [kept])
    found = as_json(client, "/records")
    assert (found["chain"]["records"], found["records"][0]["number"], found["chain"]["whole"]) == (5, 5, True)
    # Half a line that is just being written is no fault of the chain before it, and is looked at again.
    whole = (folder / "records.jsonl").read_bytes()
    (folder / "records.jsonl").write_bytes(whole + b'{"digest":"')
    broken = as_json(client, "/records")["chain"]
    assert (broken["records"], broken["whole"]) == (5, False)
    (folder / "records.jsonl").write_bytes(whole)
    assert as_json(client, "/records")["chain"]["whole"] is True


def test_where_no_records_are_shown_there_is_no_page_and_no_link_to_one(client: TestClient) -> None:
    assert [client.get(path).status_code for path in ("/records", "/records/1", "/records/tables/outcomes")] == [
        404
    ] * 3
    assert 'href="/records"' not in client.get("/").text


def test_every_page_links_to_records_that_are_shown(made: Path, shown: Callable[[Path], TestClient]) -> None:
    client = shown(made)
    assert all('href="/records"' in client.get(path).text for path in ("/", "/questions", "/try"))


# ---------------------------------------------------------------------- what is broken


def test_a_changed_byte_is_told_and_its_record_is_not_shown(folder: Path, shown: Callable[[Path], TestClient]) -> None:
    chain = folder / "records.jsonl"
    client = shown(folder)
    assert as_json(client, "/records")["chain"]["whole"] is True
    lines = chain.read_text().splitlines(keepends=True)
    chain.write_text("".join([lines[0], lines[1].replace('"holds"', '"fails"', 1), *lines[2:]]))
    # What was verified before is not read again but where it is asked for.
    assert as_json(client, "/records")["chain"]["whole"] is True
    assert client.get("/records/2").status_code == 404
    assert client.get("/records?again=yes").headers["location"] == "/records"
    found = as_json(client, "/records")
    assert found["chain"]["broken"] == ["line 2: record 2 was altered: it is not what its digest was made of"]
    assert [one["number"] for one in found["records"]] == [4, 3, 1]
    assert "Broken" in client.get("/records").text


def test_a_missing_record_is_told(folder: Path, shown: Callable[[Path], TestClient]) -> None:
    chain = folder / "records.jsonl"
    lines = chain.read_text().splitlines(keepends=True)
    chain.write_text("".join([lines[0], *lines[2:]]))
    client = shown(folder)
    assert as_json(client, "/records")["chain"]["broken"] == ["line 2: record 2 is missing"]
    missing = client.get("/records/2", headers={"Accept": "application/json"})
    assert (missing.status_code, missing.json()["detail"]) == (404, "there is no record 2 that is as it was written")


def test_records_that_were_replaced_are_read_anew(folder: Path, shown: Callable[[Path], TestClient]) -> None:
    client = shown(folder)
    assert as_json(client, "/records")["chain"]["records"] == 4
    chain = folder / "records.jsonl"
    chain.write_text("".join(chain.read_text().splitlines(keepends=True)[:2]))
    assert as_json(client, "/records")["chain"]["records"] == 2
    chain.rename(folder / "away")
    gone = client.get("/records", headers={"Accept": "application/json"})
    assert (gone.status_code, gone.json()["detail"].partition(";")[0]) == (
        500,
        "the records cannot be shown: holds no records: records.jsonl is not there",
    )
    assert str(folder) not in gone.text


def test_a_record_of_another_format_is_told_without_where_it_lies(
    folder: Path, shown: Callable[[Path], TestClient]
) -> None:
    append(folder / "records.jsonl", [{"format": 99, "tool": "kb 9.0"}])
    found = shown(folder).get("/records", headers={"Accept": "application/json"})
    assert found.status_code == 500
    assert re.match(
        r"the records cannot be shown: record 5 was written by kb 9\.0 in format 99, and this is kb [0-9.]+, which "
        r"reads formats 1 and 2; use the version that wrote it, or a later one$",
        found.json()["detail"],
    )


@pytest.mark.parametrize(("change", "fault"), [("altered", "was altered"), ("gone", "is missing")])
def test_a_state_that_is_not_as_it_was_written_is_told(
    folder: Path, shown: Callable[[Path], TestClient], change: str, fault: str
) -> None:
    (state,) = (folder / "states").iterdir()
    state.write_bytes(state.read_bytes() + b" ") if change == "altered" else state.unlink()
    client = shown(folder)
    (found,) = as_json(client, "/records/1")["states"]
    assert (fault in found["fault"], found["seal"]) == (True, "")
    assert fault in client.get("/records/1").text


def test_what_is_no_folder_of_records_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(KbError, match="holds no records"):
        Shelf(tmp_path)


def test_one_request_reads_on_for_no_longer_than_it_may(folder: Path) -> None:
    shelf = Shelf(folder)
    looks = [shelf.look(0) for _ in range(4)]
    assert [look.records for look in looks] == [1, 2, 3, 4]
    assert [look.is_complete for look in looks] == [False, False, False, True]
    assert shelf.counts.made == 4
