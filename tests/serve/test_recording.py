"""Each determination that a program asks for is recorded before it is given, and is not given without its record."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest
from bundles import RunKb, content, data
from hook_calls import call_of, drafts
from jsonschema import Draft202012Validator
from pas import pas_of
from starlette.testclient import TestClient
from varied_cases import varied

from kb_tools.batch.replaying import replayed
from kb_tools.errors import KbError, Unrecorded
from kb_tools.model.repository import Repository
from kb_tools.records.chain import Broken, Record, append, read
from kb_tools.records.folder import RecordFolder
from kb_tools.records.recorder import RecordMaker
from kb_tools.records.replay import Replay, Status
from kb_tools.serve.app import application
from kb_tools.serve.case.desk import Chosen, Desk
from kb_tools.serve.case.lines import LineDesk
from kb_tools.serve.programs.watching import Log
from kb_tools.serve.recording import Recording
from kb_tools.serve.workbench import Workbench

pytest.importorskip("fhirclient")

PLANTED = "Zebulon-Quarks-7781"
CASE = {"id": PLANTED, "patient": PLANTED, "request": {"serviceDate": "2026-07-01"}}
LINE = json.dumps(CASE).encode()
FHIR, JSON, LINES = "application/fhir+json", "application/json", "application/x-ndjson"
EXCLUDED = "acute-gvhd-of-grade-2-excludes"
NOT_GIVEN = "no determination is given without its record; ask again later"
FULL = f"the record cannot be written: {os.strerror(ENOSPC)}; {NOT_GIVEN}"


class Served:
    """A server that records, and what it recorded."""

    def __init__(self, bench: Workbench, folder: Path, log: Path) -> None:
        self.folder = folder
        self.recording = Recording(folder, keep_cases=True)
        self.client = TestClient(
            application(bench, log=Log(str(log)), recording=self.recording),
            base_url="http://127.0.0.1",
            client=("127.0.0.1", 50000),
        )

    def post(self, address: str, body: bytes, kind: str) -> Any:
        return self.client.post(address, content=body, headers={"Content-Type": kind})

    def determine(self) -> Any:
        return self.post("/api/determine?revision=2026-02", LINE, JSON)

    def made(self, work: Callable[[], Any]) -> tuple[Any, list[dict[str, Any]]]:
        """What some work gives, and the records that were made meanwhile."""
        before = len(self.records())
        given = work()
        return given, self.records()[before:]

    def records(self) -> list[dict[str, Any]]:
        found = list(read(self.folder / "records.jsonl"))
        assert not [item for item in found if isinstance(item, Broken)]
        return [dict(item.content) for item in found if isinstance(item, Record)]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "requests.jsonl"


@pytest.fixture(scope="module")
def served(bench: Workbench, tmp_path_factory: pytest.TempPathFactory, log: Path) -> Served:
    return Served(bench, tmp_path_factory.mktemp("served") / "records", log)


def everything(folder: Path) -> str:
    return "\n".join(f"{path}\n{path.read_text()}" for path in sorted(folder.rglob("*")) if path.is_file())


# ---------------------------------------------------------------------- what is recorded


def hook(name: str, **changes: Any) -> bytes:
    return json.dumps(call_of(content(), name, **changes)).encode()


@pytest.mark.parametrize(
    ("address", "body", "kind", "recorded"),
    [
        ("/api/determine", lambda: LINE, JSON, [("named", None)]),
        ("/api/determine", lambda: LINE + b"\nno case\n" + LINE, LINES, [("named", None)] * 2),
        ("/fhir/$determine", lambda: data(content()), FHIR, [("named", None)]),
        ("/fhir/Claim/$submit", lambda: data(pas_of()), FHIR, [("named", None)]),
        ("/cds-services/order-sign", lambda: hook("order-sign"), JSON, [("service date", True)]),
        ("/cds-services/order-sign", lambda: hook("order-sign", status="active"), JSON, [("service date", None)]),
        ("/cds-services/order-select", lambda: hook("order-select"), JSON, [("service date", True)]),
    ],
)
def test_each_door_records_what_it_determines_and_says_that_it_did(
    served: Served, address: str, body: Callable[[], bytes], kind: str, recorded: list[tuple[str, bool | None]]
) -> None:
    query = "" if "cds" in address else "?revision=2026-02"
    response, made = served.made(lambda: served.post(address + query, body(), kind))
    assert response.status_code == 200
    assert [(one["door"], one["chosen"], one.get("preview")) for one in made] == [(address, *one) for one in recorded]
    assert [one["answer"]["outcome"] in response.text for one in made if "api" in address] == [True] * len(
        made if "api" in address else []
    )


def test_the_day_by_which_a_revision_was_chosen_is_recorded(served: Served) -> None:
    response, (made,) = served.made(lambda: served.post("/api/determine?asOf=2025-06-01", LINE, JSON))
    assert response.json()["determinations"][0]["revision"] == made["revision"] == "2025-02"
    assert (made["chosen"], made["asOf"]) == ("day", "2025-06-01")


def test_rows_are_the_same_as_without_records_and_each_has_its_own(
    served: Served, client: TestClient, kb: Repository
) -> None:
    lines = b"\n".join([*(line.strip() for line in varied(kb, 60, 7)), b'{"id": "x", "patient": 1}', b"no case"])
    address, headers = "/api/determine?rows=compact&revision=2026-02", {"Content-Type": LINES}
    response, made = served.made(lambda: served.post(address, lines, LINES))
    assert response.content == client.post(address, content=lines, headers=headers).content
    outcomes = [json.loads(line)["outcome"] for line in response.text.splitlines()]
    assert [one["answer"]["outcome"] for one in made] == [
        outcome for outcome in outcomes if outcome not in ("Malformed", "Unreadable", "NotDetermined")
    ]
    assert len(made) > 20


def test_where_no_case_is_kept_the_rows_of_a_chunk_share_one_record(kb: Repository, tmp_path: Path) -> None:
    folder = RecordFolder(tmp_path / "records")
    folder.begin()
    desk, lines = Desk(kb, RecordMaker(kb, folder)), [line.strip() for line in varied(kb, 40, 7)]
    chosen: Chosen = {"policy": "CP.MP.101", "revision": None, "asOf": None}
    numbers = list(range(len(lines)))
    found = LineDesk(desk).rows(chosen, numbers, b"\n".join(lines))
    assert found.body == LineDesk(Desk(kb)).rows(chosen, numbers, b"\n".join(lines)).body
    (made,) = desk.records
    without = ("Malformed", "Unreadable", "NotDetermined")
    assert made["determined"] == sum(outcome not in without for outcome in found.content["outcomes"]) > 10
    assert (made["of"], made["door"], made["chosen"]) == (40, "/api/determine", "service date")
    append(folder.chain, desk.records)
    (again,) = replayed(kb, folder.path, lines).values()
    assert again.cases == {Status.SAME_VALUES: made["determined"]}
    desk.records = []
    LineDesk(desk).rows(chosen, [1], b"no case")
    assert desk.records == []


def test_of_a_call_that_is_refused_no_order_is_recorded(served: Served) -> None:
    call = call_of(content())
    (first,) = call["context"]["draftOrders"]["entry"]
    other = {**first["resource"], "id": "other", "occurrenceDateTime": "soon"}
    call["context"]["draftOrders"] = drafts(first["resource"], other)
    response, made = served.made(lambda: served.post("/cds-services/order-sign", json.dumps(call).encode(), JSON))
    assert (response.status_code, made) == (422, [])


def test_what_is_not_determined_or_only_tried_is_not_recorded(served: Served) -> None:
    def work() -> None:
        assert served.post("/api/determine", b"no case", JSON).status_code == 422
        assert served.post("/api/determine", b'{"patient": "p", "request": {}}', JSON).json()["malformed"]
        assert served.post("/fhir/Claim/$submit", data(content()) + b"x", FHIR).status_code == 400
        assert served.post("/api/determine?revision=2019-99", LINE, JSON).status_code == 404
        form = {"reads": "", "request.serviceDate": "2026-07-01", "patient": "p"}
        served.client.post("/try", data=form, headers={"Content-Type": "application/x-www-form-urlencoded"})

    assert served.made(work)[1] == []


def test_what_was_recorded_comes_to_the_same_bytes_again(served: Served, bench: Workbench) -> None:
    served.determine()
    replay = Replay(bench.kb, served.folder)
    found = list(replay.records())
    assert {one.status for one in found} == {Status.SAME}
    assert (len(found), replay.broken) == (len(served.records()), [])


def test_a_planted_identifier_is_in_no_record_and_in_no_log(served: Served, log: Path) -> None:
    bundle = json.loads(json.dumps(content()).replace('"family": "', f'"family": "{PLANTED} '))
    served.determine()
    served.post("/fhir/$determine", data(bundle), FHIR)
    served.post("/api/determine", LINE + b"\n" + LINE, LINES)
    assert len(served.records()) >= 3
    for told in (everything(served.folder), log.read_text(), served.client.get("/ready").text):
        assert PLANTED.lower() not in told.lower()


def test_the_head_is_told_for_whoever_keeps_it_elsewhere(served: Served) -> None:
    served.determine()
    told = served.client.get("/ready").json()["records"]
    ready = served.client.get("/openapi.json").json()["paths"]["/ready"]["get"]["responses"]["200"]
    Draft202012Validator(ready["content"]["application/json"]["schema"]).validate(served.client.get("/ready").json())
    number, _, digest = told["head"].partition("/")
    assert (int(number), told["made"]) == (len(served.records()), served.recording.made)
    assert json.loads((served.folder / "records.jsonl").read_text().splitlines()[-1])["digest"] == digest


# ---------------------------------------------------------------------- where it cannot be


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk that takes half of what is written to records, and then no more."""
    whole = os.write

    def write(file: int, written: Any) -> int:
        name = Path(f"/proc/self/fd/{file}").readlink().name
        if len(written) < 2 or not name.startswith(("records", ".aside")):
            return whole(file, written)
        if os.lseek(file, 0, os.SEEK_CUR) == os.fstat(file).st_size > 0 and written[:1] != b"{":
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        return whole(file, written[: len(written) // 2])

    monkeypatch.setattr(os, "write", write)
    yield


ASKED = [
    ("/api/determine", lambda: LINE, JSON),
    ("/fhir/$determine", lambda: data(content()), FHIR),
    ("/fhir/Claim/$submit", lambda: data(pas_of()), FHIR),
    ("/cds-services/order-sign", lambda: hook("order-sign"), JSON),
]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no names of open files")
@pytest.mark.parametrize(("address", "body", "kind"), ASKED)
def test_on_a_full_disk_nothing_is_given_and_nothing_half_written_stays(
    served: Served, full: None, address: str, body: Callable[[], bytes], kind: str
) -> None:
    before = (served.folder / "records.jsonl").read_bytes()
    response = served.post(address, body(), kind)
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")
    said = response.json()
    if address.startswith("/api"):
        assert (said["detail"], response.headers["content-type"]) == (FULL, "application/problem+json")
    else:
        assert (said["resourceType"], said["issue"][0]["code"]) == ("OperationOutcome", "transient")
        assert said["issue"][0]["details"]["text"] == FULL
    assert (served.folder / "records.jsonl").read_bytes() == before


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no names of open files")
def test_lines_that_cannot_be_recorded_say_so_and_are_not_determined_again_and_again(
    served: Served, full: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    response, made = served.made(lambda: served.post("/api/determine", LINE + b"\n" + LINE, LINES))
    assert [json.loads(line) for line in response.text.splitlines()] == [
        {"line": number, "errors": [FULL]} for number in (1, 2)
    ]
    assert made == []


def test_the_server_is_not_ready_while_it_cannot_record_and_is_again_once_it_can(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served.determine().status_code == 200
    away = served.folder.with_name("away")
    served.folder.rename(away)
    try:
        assert served.determine().status_code == 503
        ready = served.client.get("/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "not recording")
        assert ready.json()["detail"] == f"the record cannot be written: No such file or directory; {NOT_GIVEN}"
        assert not served.folder.exists()
        assert str(served.folder.parent) not in served.determine().text + ready.text
    finally:
        away.rename(served.folder)
    assert served.client.get("/ready").json()["status"] != "not recording"
    assert served.determine().status_code == 200


def test_records_that_were_taken_away_meanwhile_are_not_begun_anew(served: Served) -> None:
    chain = served.folder / "records.jsonl"
    served.determine()
    before = chain.read_bytes()
    for left in (b"", before[: before.rstrip().rfind(b"\n") + 1]):
        chain.write_bytes(left)
        said = served.determine()
        number = served.recording.head.number
        what = f"record {number}, which was written here, is there no more, so nothing was recorded after it"
        assert (said.status_code, said.json()["detail"]) == (503, f"{what}; {NOT_GIVEN}")
        assert said.json()["title"] == "The decision record could not be written"
        assert chain.read_bytes() == left
    chain.write_bytes(before)
    assert served.determine().status_code == 200


def test_a_last_record_that_was_altered_stops_recording(served: Served, tmp_path: Path) -> None:
    chain = served.folder / "records.jsonl"
    served.determine()
    before = chain.read_bytes()
    chain.write_bytes(before[:-3] + b"x" + before[-2:])
    said = served.determine()
    assert (said.status_code, said.json()["detail"].partition(",")[0]) == (
        503,
        "the last record is not as it was written",
    )
    copied = tmp_path / "records"
    shutil.copytree(served.folder, copied)
    with pytest.raises(Unrecorded, match="the last record is not as it was written"):
        Recording(copied)
    chain.write_bytes(before)


def test_what_records_refer_to_is_written_again_where_it_is_gone_meanwhile(served: Served) -> None:
    served.determine()
    shutil.rmtree(served.folder / "states")
    served.determine()
    (state,) = (served.folder / "states").iterdir()
    assert state.stem == served.records()[-1]["state"]
    shutil.rmtree(served.folder / "states")
    (served.folder / "states").write_text("in the way")
    response = served.determine()
    assert response.status_code == 503
    assert response.json()["detail"].startswith("the record cannot be written: ")
    assert str(served.folder) not in response.text
    (served.folder / "states").unlink()
    served.determine()


def test_a_client_that_hangs_up_while_its_determination_is_made_leaves_a_whole_record(
    served: Served, bench: Workbench
) -> None:
    scope = {
        **{"type": "http", "method": "POST", "path": "/api/determine", "query_string": b"", "root_path": ""},
        **{"headers": [(b"host", b"localhost"), (b"content-type", b"application/json")], "scheme": "http"},
        **{"server": ("localhost", 80), "http_version": "1.1", "raw_path": b"/api/determine"},
    }

    async def talk() -> None:
        parts = [{"type": "http.request", "body": LINE}]

        async def receive() -> Any:
            return parts.pop(0) if parts else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            raise OSError("the client is gone")

        with pytest.raises(OSError, match="gone"):
            await served.client.app(scope, receive, send)

    _, made = served.made(lambda: asyncio.run(talk()))
    assert [one["answer"]["outcome"] for one in made] == ["InformationNeeded"]


# ---------------------------------------------------------------------- several who write


def test_two_servers_on_one_folder_share_one_chain(tmp_path: Path) -> None:
    servers = [Recording(tmp_path / "records") for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(servers[number % 2].record, [{"n": number}, {"n": number}]) for number in range(40)]
        for one in asked:
            one.result()
    found = [one for one in read(tmp_path / "records/records.jsonl") if isinstance(one, Record)]
    assert [one.head.number for one in found] == list(range(1, 81))
    numbers = [one.content["n"] for one in found]
    # The records of one answer stand together.
    assert numbers[::2] == numbers[1::2]
    assert sorted(numbers[::2]) == list(range(40))
    assert (servers[0].made + servers[1].made, found[-1].head in [one.head for one in servers]) == (80, True)
    for server in servers:
        server.close()


def test_what_waits_while_the_disk_is_waited_for_goes_into_one_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from kb_tools.serve import recording

    writes: list[int] = []
    begun, go = threading.Event(), threading.Event()

    def slow(path: Path, contents: Any, after: Any = None) -> Any:
        writes.append(len(contents))
        begun.set()
        assert go.wait(20)
        return append(path, contents, after)

    monkeypatch.setattr(recording, "append", slow)
    one = Recording(tmp_path / "records")
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(one.record, [{}])
        assert begun.wait(20)
        others = [pool.submit(one.record, [{}]) for _ in range(5)]
        while len(one._waiting) < 5:
            pass
        go.set()
        for done in (first, *others):
            done.result()
    assert writes == [1, 5]
    one.close()


def test_a_folder_of_something_else_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(KbError, match="is not empty, and holds no records"):
        Recording(tmp_path)


def test_cases_are_kept_only_where_records_are_made(run_kb: RunKb) -> None:
    done = run_kb("serve", "--case", "keep")
    assert (done.returncode, "--case keep goes with --record." in done.stderr) == (2, True)


def test_the_command_says_at_its_end_what_it_recorded_where(
    run_kb: RunKb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def served(*arguments: Any) -> None:
        (recording,) = (one for one in arguments if isinstance(one, Recording))
        recording.record([{"n": 1}, {"n": 2}])
        raise KeyboardInterrupt

    monkeypatch.setattr("kb_tools.serve.server.serve", served)
    done = run_kb("serve", "--record", "records")
    head = json.loads((tmp_path / "records/records.jsonl").read_text().splitlines()[-1])
    said = f"kb: 2 determinations recorded in records; head 2/{head['digest']}\nkb: interrupted\n"
    assert (done.returncode, done.stderr) == (130, said)
