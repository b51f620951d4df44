"""kb serve answers from one reading of the knowledge base, at all its doors, or refuses."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE, CompletedProcess

import pytest
from starlette.testclient import TestClient

from kb_tools.ask.pool import Pool
from kb_tools.ask.request import Inquiry
from kb_tools.errors import Changed, KbError, KnowledgeBaseError
from kb_tools.model.repository import Repository
from kb_tools.serve.app import application
from kb_tools.serve.case.desk import Chosen
from kb_tools.serve.case.workers import Workers
from kb_tools.serve.workbench import Workbench

ROOT = Path(__file__).parents[2]
Run = Callable[..., CompletedProcess[str]]
CHANGED = "the knowledge base changed since the server started; start it again"
CASE = '{"patient": "p", "request": {"serviceDate": "2026-07-01"}}'
CHOSEN: Chosen = {"policy": "CP.MP.101", "revision": "2026-02", "asOf": None}
LABELLED = "policies/CP.MP.101/policy.ttl"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the knowledge base with one policy, whose files can be changed."""
    for folder in ("ontology", "shapes", "policies/CP.MP.101"):
        shutil.copytree(ROOT / folder, tmp_path / "kb" / folder)
    return tmp_path / "kb"


@pytest.fixture
def workers(root: Path) -> Iterator[Callable[[str], Workers]]:
    """Makes processes that must answer from files of a digest."""
    made: list[Workers] = []

    def make(held: str) -> Workers:
        made.append(Workers(root, 1, held))
        return made[-1]

    yield make
    for found in made:
        found.close()


def change(root: Path) -> None:
    """Add a word to the title of the policy, a file, and remove a revision."""
    path = root / LABELLED
    text = path.read_text(encoding="utf-8")
    assert text.count('"Donor Lymphocyte Infusion"') == 1
    path.write_text(text.replace("Donor Lymphocyte Infusion", "Altered Infusion"), encoding="utf-8")
    (root / "ontology/more.ttl").write_text("<urn:x:a> <urn:x:b> <urn:x:c> .\n", encoding="utf-8")
    shutil.rmtree(root / "policies/CP.MP.101/2019-10")


def test_what_is_held_is_read_no_more(root: Path) -> None:
    held, other = Repository(root), Repository(root)
    digest = held.hold()
    assert (held.held, held.digest, other.digest, other.held) == (digest, digest, digest, "")
    change(root)
    assert (held.digest, other.digest == digest) == (digest, False)
    assert held.policy().title == "Donor Lymphocyte Infusion"
    assert other.policy().title == "Altered Infusion"
    assert "2019-10" in held.policy().revision_folders
    assert "2019-10" not in other.policy().revision_folders
    assert held.files("ontology") == [path for path in other.files("ontology") if path.name != "more.ttl"]
    assert [held.has(root / LABELLED), held.has(root / "ontology/more.ttl")] == [True, False]
    assert [path.name for path in held.files_in(root / "policies/CP.MP.101")] == [
        "discrepancies.ttl",
        "policy.ttl",
        "revision-log.ttl",
    ]
    with pytest.raises(KnowledgeBaseError, match="no such file"):
        held.triples(root / "ontology/more.ttl")
    with pytest.raises(Changed, match=CHANGED):
        Repository(root).hold(digest)


def test_a_process_that_starts_after_a_change_determines_nothing(root: Path, workers: Callable[[str], Workers]) -> None:
    digest = Repository(root).hold()
    before, after = workers(digest), workers(digest)
    found = before.ask("read", CASE, "json", CHOSEN)
    change(root)
    assert before.ask("read", CASE, "json", {**CHOSEN, "revision": "2019-10"})["answer"]["status"]
    assert before.ask("read", CASE, "json", CHOSEN) == found
    for _ in range(2):
        with pytest.raises(Changed, match=CHANGED):
            after.ask("read", CASE, "json", CHOSEN)


def test_a_query_after_a_change_is_answered_by_no_other_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb = Repository(root)
    kb.hold()
    query = Inquiry(root=root, text='SELECT ?x { ?x ?p "Donor Lymphocyte Infusion"@en }')
    for copies in (True, False):
        pool = Pool(kb, size=1, timeout=60, patience=60)
        pool.__dict__["copies"] = copies and pool.copies
        assert pool.ask(query).truth is None
        pool.close()
    change(root)
    for copies in (True, False):
        pool = Pool(kb, size=1, timeout=60, patience=60)
        pool.__dict__["copies"] = copies and pool.copies
        with pytest.raises(Changed, match=CHANGED):
            pool.ask(query)
        pool.close()


def test_after_a_change_pages_stay_as_they_were_and_what_starts_anew_is_refused(root: Path) -> None:
    kb = Repository(root)
    kb.hold()
    change(root)
    pool = Pool(kb, size=1, timeout=60, patience=60)
    client = TestClient(application(Workbench(kb), pool=pool), base_url="http://127.0.0.1:8014")
    assert "Donor Lymphocyte Infusion" in client.get("/CP.MP.101").text
    assert client.get("/CP.MP.101/2019-10").status_code == 200
    for answer in (
        client.post("/api/determine", content=CASE, headers={"Content-Type": "application/json"}),
        client.get("/sparql?query=ASK{}"),
    ):
        assert (answer.status_code, answer.json()["detail"]) == (503, CHANGED)
        assert str(root) not in answer.text
    fhir = client.post("/fhir/$determine", content="{}", headers={"Content-Type": "application/fhir+json"})
    assert (fhir.status_code, CHANGED in fhir.text) == (503, True)
    pool.close()


def test_what_is_wrong_with_the_knowledge_base_is_no_fault_of_the_client_and_names_no_path(root: Path) -> None:
    kb = Repository(root)
    bench = Workbench(kb)
    bench.read()
    broken = root / "shapes/case.ttl"
    broken.write_text("this is no Turtle", encoding="utf-8")
    client = TestClient(application(bench), base_url="http://127.0.0.1:8014")
    answer = client.post("/api/determine", content=CASE, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["detail"].startswith("not valid Turtle: ")
    assert str(root) not in answer.text


def test_an_error_is_answered_where_nothing_can_be_read(root: Path) -> None:
    (root / LABELLED).write_text("this is no Turtle", encoding="utf-8")
    client = TestClient(application(Workbench(Repository(root))), base_url="http://127.0.0.1:8014")
    for accept in ("text/html", "application/json"):
        answer = client.get("/", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["X-Content-Type-Options"]) == (500, "nosniff")
        assert "not valid T" in answer.text
        assert str(root) not in answer.text


@pytest.mark.parametrize(
    "name", [LABELLED, "shapes/case.ttl", "ontology/pol.ttl", "policies/CP.MP.101/2026-02/revision.ttl"]
)
def test_a_broken_knowledge_base_is_refused_at_the_start(root: Path, run_kb: Run, name: str) -> None:
    (root / name).write_text("this is no Turtle", encoding="utf-8")
    refused = run_kb("serve", "--port", "0", "--kb", str(root))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"kb: {root / name}:1: not valid T")
    assert refused.stderr.count("\n") == 1


def test_a_request_that_does_not_end_keeps_kb_serve_from_ending_for_a_few_seconds_alone() -> None:
    program = "from kb_tools.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--kb", str(ROOT)]
    head = "POST /try HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    query = "SELECT%20(COUNT(*)%20AS%20?n)%7B?a%20?b%20?c.?d%20?e%20?f.?g%20?h%20?i%7D"
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().partition(" (")[0].rstrip("/").rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port)) as slow,
            socket.create_connection(("127.0.0.1", port)) as long,
        ):
            slow.sendall(f"{head}Content-Length: 100\r\n\r\nabc".encode())
            long.sendall(f"GET /sparql?query={query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            with socket.create_connection(("127.0.0.1", port)) as other:
                # Those before it are begun.
                other.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert other.recv(12) == b"HTTP/1.1 200"
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=25)
    assert (process.returncode in (0, -signal.SIGTERM), out) == (True, "")


def test_an_error_keeps_its_kind_through_a_process(root: Path, workers: Callable[[str], Workers]) -> None:
    with pytest.raises(KbError, match="no policy X on file") as refused:
        workers("").ask("read", CASE, "json", {**CHOSEN, "policy": "X"})
    assert type(refused.value) is KbError
    assert json.dumps(refused.value.where) == '""'
