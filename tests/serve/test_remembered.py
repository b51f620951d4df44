"""Answers that are remembered: what is asked again, what is not kept, and that none is of an older knowledge base."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from kb_tools.ask.library import find_question
from kb_tools.ask.pool import Pool
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.errors import KbError
from kb_tools.serve import remembered
from kb_tools.serve.app import application
from kb_tools.serve.remembered import ROOM, Remembered, lasting
from kb_tools.serve.security import HEADERS
from kb_tools.serve.workbench import Workbench

CODES = "/questions/codes/answer"


class Counting(Pool):
    """A pool that answers how often it was asked."""

    now: int | None = 1
    asked = 0
    size_of_answer = 0

    @property
    def reading(self) -> int | None:
        return self.now

    def ask(self, asked: Inquiry, started: Callable[[Callable[[], None]], None] = lambda cancel: None) -> RawResult:
        if asked.parameters.get("reference") == "nobody":
            raise KbError("no such thing")
        self.asked += 1
        return RawResult(variables=[f"n{self.asked}"], notes=["x" * self.size_of_answer])


@pytest.fixture
def pool(bench: Workbench) -> Counting:
    return Counting(bench.kb, 1)


@pytest.fixture
def client(bench: Workbench, pool: Counting) -> TestClient:
    return TestClient(application(bench, pool=pool), base_url="http://127.0.0.1:8014")


def test_the_same_question_is_asked_once_and_answered_alike(client: TestClient, pool: Counting) -> None:
    first, again = client.get(CODES), client.get(CODES)
    assert pool.asked == 1
    assert (first.status_code, first.content, first.headers) == (200, again.content, again.headers)
    assert {name: again.headers[name] for name in HEADERS} == HEADERS
    assert client.get(CODES, headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/questions/criteria/answer", {}),
        (f"{CODES}?format=csv", {}),
        (f"{CODES}?revision=2019-10", {}),
        (f"{CODES}?on=2020-01-01", {}),
        (CODES, {"Accept": "text/csv"}),
    ],
)
def test_another_request_is_not_the_same(
    client: TestClient, pool: Counting, path: str, headers: dict[str, str]
) -> None:
    client.get(CODES)
    client.get(path, headers=headers)
    assert pool.asked == 2
    client.get(path, headers=headers)
    assert pool.asked == 2


def test_what_is_in_force_may_change_over_night(
    client: TestClient, pool: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get(CODES)

    class Tomorrow(date):
        @classmethod
        def today(cls) -> Tomorrow:
            return cls.fromordinal(date.today().toordinal() + 1)

    monkeypatch.setattr(remembered, "date", Tomorrow)
    client.get(CODES)
    assert pool.asked == 2


def test_nothing_is_remembered_of_a_knowledge_base_that_was_read_anew(client: TestClient, pool: Counting) -> None:
    client.get(CODES)
    pool.now = 2
    assert client.get(CODES).json()["head"]["vars"] == ["n2"]


def test_where_each_query_reads_the_knowledge_base_nothing_is_remembered(client: TestClient, pool: Counting) -> None:
    pool.now = None
    client.get(CODES)
    client.get(CODES)
    assert pool.asked == 2


def test_an_answer_is_not_kept_where_the_knowledge_base_was_read_while_it_was_made(
    client: TestClient, pool: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pool.ask

    def ask(*arguments: object) -> RawResult:
        assert pool.now is not None
        pool.now += 1
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pool, "ask", ask)
    client.get(CODES)
    client.get(CODES)
    assert pool.asked == 2


def test_a_prepared_process_that_is_started_anew_is_another_reading(bench: Workbench) -> None:
    own = Pool(bench.kb, 1, patience=30)
    own.start()
    first = own.reading
    own.close()
    own.ask(Inquiry(text="ASK {}"))
    assert (first, own.reading) == (1, 2)
    own.close()


@pytest.mark.parametrize(
    ("question", "given", "kept"),
    [
        ("codes", (), True),
        ("codes", ("revision",), True),
        ("where-cited", ("reference",), True),
        # Any text can be given for these.
        ("said-in-section", ("section",), False),
        ("terms-without-definition", ("namespace",), False),
    ],
)
def test_only_what_names_something_on_file_is_kept(question: str, given: tuple[str, ...], kept: bool) -> None:
    found = find_question(question)
    assert {parameter.name for parameter in found.parameters}.issuperset(given)
    assert lasting(found, given) is kept


def test_no_error_no_post_and_nothing_large_is_kept(client: TestClient, pool: Counting) -> None:
    for _ in range(2):
        assert client.get("/questions/where-cited/answer?reference=nobody").status_code == 400
        client.get("/questions/said-in-section/answer?section=Mrs.+Doe")
        client.post("/sparql", data={"query": "SELECT * {}"})
        client.get("/sparql", params={"query": "SELECT * {}"})
    assert pool.asked == 6
    pool.size_of_answer = remembered.MAX_SIZE
    client.get(CODES)
    client.get(CODES)
    assert pool.asked == 8


def test_what_is_remembered_is_bounded_and_holds_no_text_of_a_request(pool: Counting) -> None:
    kept = Remembered(pool)
    for number in range(3 * ROOM):
        scope = {"path": CODES, "query_string": b"", "headers": [(b"accept", b"text/x-%d" % number)]}
        kept.keep(scope, 1, Response(b"an answer"))
    assert len(kept._answers) == 2 * ROOM
    assert {len(key) for key, _ in kept._answers.items()} == {32}
