"""Queries one beside the other, in prepared copies: what they answer, what they cannot do, and what is left of them."""

from __future__ import annotations

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hostile import DOUBLING, HOSTILE

from kb_tools.ask import confine, dataset
from kb_tools.ask import pool as ask_pool
from kb_tools.ask.execute import execute
from kb_tools.ask.library import questions
from kb_tools.ask.pool import Pool
from kb_tools.ask.prepared import BEGUN, order
from kb_tools.ask.request import Inquiry, RawResult
from kb_tools.ask.resolve import resolve
from kb_tools.ask.sparql import QueryError, check, trusted
from kb_tools.errors import Busy, KbError, UnknownRevision
from kb_tools.model.repository import Repository

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="copies and /proc are of Linux")
SIZE = 2
FOREVER = HOSTILE["count of a cross product"]


@pytest.fixture(scope="module")
def pool(kb: Repository) -> Iterator[Pool]:
    """A pool whose queries may take long."""
    pool = Pool(kb, SIZE, timeout=60, patience=30)
    pool.start()
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def hasty(kb: Repository) -> Iterator[Pool]:
    """A pool whose queries may take next to no time."""
    pool = Pool(kb, SIZE, timeout=0.4, patience=30)
    yield pool
    pool.close()


@pytest.mark.parametrize(
    "question", ["criterion-history", "said-in-section", "example-cases", "criteria", "where-cited"]
)
@pytest.mark.parametrize("policy", ["CP.MP.101", "CG-TRANS-03"])
def test_what_is_asked_by_default_of_a_policy_is_found_without_a_file(question: str, policy: str, pool: Pool) -> None:
    asked = Inquiry(question=question, policy=policy)
    if (policy, question) == ("CG-TRANS-03", "where-cited"):
        with pytest.raises(QueryError, match="question where-cited asks for a reference, and CG-TRANS-03 has none"):
            pool.ask(asked)
    else:
        assert pool.ask(asked).rows


def processes(pool: Pool) -> tuple[int, list[int]]:
    """The process that is prepared, and its copies that live."""
    assert pool._process is not None
    prepared = pool._process.pid
    children = Path(f"/proc/{prepared}/task/{prepared}/children").read_text().split()
    return prepared, [int(child) for child in children if "State:\tZ" not in status(int(child))]


def status(process: int) -> str:
    try:
        return Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "State:\tZ"


def numbers(result: RawResult) -> list[str]:
    return [term.value for row in result.rows for term in row if term is not None]


# ---------------------------------------------------------------------- answers


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_every_ready_question_is_what_its_file_says_and_is_answered_by_a_copy(pool: Pool, question: object) -> None:
    asked = Inquiry(question=question.name, parameters={"revision": "2026-02"} if question.revision else {})  # type: ignore[attr-defined]
    assert asked.ready is not None
    read, found = trusted(asked.ready.text), check(asked.ready.text)
    assert (read.form, read.graphs, read.named) == (found.form, found.graphs, found.named)
    answer = pool.ask(asked)
    assert answer.title == asked.ready.title
    assert answer.variables
    assert not answer.more


def test_an_answer_is_that_of_a_process_that_is_not_confined(pool: Pool, kb: Repository) -> None:
    for asked in (
        Inquiry(kb.root, question="where-cited", parameters={"reference": "12"}, revision="2026-02"),
        Inquiry(kb.root, text="CONSTRUCT WHERE { ?x a pol:Code }", max_rows=2),
        Inquiry(kb.root, text="ASK { <urn:x:none> ?p ?o }", union=True),
    ):
        assert vars(pool.ask(asked)) == vars(execute(resolve(kb, asked)))


@pytest.mark.parametrize(
    ("asked", "error", "line"),
    [
        (Inquiry(text="DROP ALL"), QueryError, "updates are refused: the knowledge base is only read"),
        (Inquiry(text="SELECT * { SERVICE <http://127.0.0.1:9/> {} }"), QueryError, "SERVICE asks another server"),
        (Inquiry(text="SELECT"), QueryError, "line 1: not a SPARQL query, it ends too early"),
        (Inquiry(text="SELECT * " + "{" * 3000 + "}" * 3000), QueryError, "the query is nested too deeply"),
        (Inquiry(text="SELECT ?x { ?x ?y 1 BIND (2 AS ?x) }"), QueryError, "line 1: not a query that can be run"),
        (Inquiry(text="ASK {}", revision="2031-01"), UnknownRevision, "CP.MP.101 has no revision 2031-01"),
        (Inquiry(question="code"), QueryError, "no question code; did you mean codes?"),
        (
            Inquiry(question="where-cited", parameters={"page": "3"}),
            QueryError,
            "question where-cited has no parameter",
        ),
        (
            Inquiry(question="where-cited", parameters={"reference": "no such"}),
            QueryError,
            "reference: 'no such' names",
        ),
        (Inquiry(text="ASK {}", dataset=(["x"], [])), QueryError, "graph 'x' is no IRI"),
    ],
    ids=lambda value: "",
)
def test_what_is_wrong_is_said_in_one_line(pool: Pool, asked: Inquiry, error: type[KbError], line: str) -> None:
    with pytest.raises(error) as raised:
        pool.ask(asked)
    assert str(raised.value).startswith(line)
    assert "Errno" not in str(raised.value)


def test_the_graphs_of_the_protocol_stand_in_place_of_those_of_from(pool: Pool) -> None:
    graph = "https://w3id.org/policykb/CP.MP.101/2026-02"
    count = "SELECT (COUNT(*) AS ?n) FROM <urn:x:y> { $ }"
    one, none = (
        numbers(pool.ask(Inquiry(text=count.replace("$", pattern), dataset=([graph], []))))
        for pattern in ("?s ?p ?o", "GRAPH ?g { ?s ?p ?o }")
    )
    named = numbers(pool.ask(Inquiry(text=count.replace("$", "GRAPH ?g { ?s ?p ?o }"), dataset=([], [graph]))))
    assert one == named != ["0"] == none


def test_chance_is_not_the_same_for_each_query(pool: Pool) -> None:
    text = "SELECT (STRUUID() AS ?a) (RAND() AS ?b) {}"
    assert not set(numbers(pool.ask(Inquiry(text=text)))) & set(numbers(pool.ask(Inquiry(text=text))))


def test_an_order_tells_nothing_of_the_query() -> None:
    assert order(Inquiry(text="ASK {}", revision="2026-02")) == order(Inquiry(text="SELECT", revision="2026-02"))
    junk = Inquiry(question="codes", parameters={"revision": "x" * 9})
    assert order(junk) == order(Inquiry(text="ASK {}", policy="x" * 5000)) == b"{}"


# ---------------------------------------------------------------------- limits


@pytest.mark.parametrize("name", HOSTILE)
def test_a_query_that_takes_too_long_is_ended(hasty: Pool, name: str) -> None:
    with pytest.raises(QueryError, match=r"the query took more than 0\.4 s; narrow it"):
        hasty.ask(Inquiry(text=HOSTILE[name], union=True))


def test_after_queries_that_were_ended_others_are_answered(hasty: Pool) -> None:
    hasty.timeout = 60
    assert numbers(hasty.ask(Inquiry(text="SELECT ?n { VALUES ?n { 7 } }"))) == ["7"]


def test_a_query_that_takes_too_much_memory_or_finds_too_much_is_ended(
    kb: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a quarter of the memory that a query may take, which is filled in a quarter of the time."""
    assert confine.MAX_MEMORY == 4 * 2**30
    less = "from kb_tools.ask import confine; confine.MAX_MEMORY //= 4; main()"
    monkeypatch.setattr(ask_pool, "_CODE", ask_pool._CODE.replace("main()", less))
    small = Pool(kb, 1, max_size=1000)
    try:
        with pytest.raises(QueryError, match="the query ran out of memory, or is nested too deeply; narrow it"):
            small.ask(Inquiry(text=DOUBLING))
        with pytest.raises(QueryError, match="the answer is larger than 0 MiB; narrow the query"):
            small.ask(Inquiry(text="SELECT * { ?s ?p ?o }"))
    finally:
        small.close()


def test_a_copy_opens_no_file_no_connection_and_waits_for_the_query(pool: Pool) -> None:
    with pool._lock:
        copy = pool._waiting.pop() if pool._waiting else pool._made(order(Inquiry()))
    with open(copy.giving, "wb", closefd=False) as file:
        pickle.dump(Inquiry(text=FOREVER, union=True), file)
    assert os.read(copy.answered, 1) == BEGUN
    limits = Path(f"/proc/{copy.process}/limits").read_text()
    (files,) = (line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files"))
    (memory,) = (line.split()[3] for line in limits.splitlines() if line.startswith("Max address space"))
    assert (files, memory) == (["0", "0"], str(4 * 1024**3))
    assert "Seccomp:\t2" in Path(f"/proc/{copy.process}/status").read_text()
    pool._cancel(copy)
    assert os.read(copy.answered, 1) == b""
    copy.forget()


# ---------------------------------------------------------------------- processes


def test_never_more_queries_than_places_and_the_next_is_turned_away(pool: Pool) -> None:
    ends: list[Callable[[], None]] = []
    running = threading.Event()

    def started(cancel: Callable[[], None]) -> None:
        ends.append(cancel)
        running.set()

    with ThreadPoolExecutor(1) as thread:
        forever = thread.submit(pool.ask, Inquiry(text=FOREVER, union=True), started)
        assert running.wait(30)
        patience, pool.patience = pool.patience, 0
        with pytest.raises(Busy, match="as many queries run as may; ask again in a moment"):
            pool.ask(Inquiry(text="ASK {}"))
        pool.patience = patience
        # One place is left for ready questions.
        assert numbers(pool.ask(Inquiry(question="codes", revision="2026-02")))
        pool._replace(order(Inquiry()))
        assert len(processes(pool)[1]) == SIZE
        ends[0]()
        with pytest.raises(QueryError):
            forever.result(30)
    assert pool.ask(Inquiry(text="ASK {}")).truth is True


def test_no_question_is_asked_where_every_place_is_taken(pool: Pool) -> None:
    for _ in range(SIZE):
        pool._places.acquire()
    patience, pool.patience = pool.patience, 0
    with pytest.raises(Busy):
        pool.ask(Inquiry(question="codes"))
    pool.patience = patience
    for _ in range(SIZE):
        pool._places.release()


def test_many_are_answered_one_beside_the_other(pool: Pool) -> None:
    with ThreadPoolExecutor(6) as threads:
        texts = [f"SELECT ?n {{ VALUES ?n {{ {n} }} }}" for n in range(18)]
        found = list(threads.map(lambda text: numbers(pool.ask(Inquiry(text=text))), texts))
    assert found == [[str(n)] for n in range(18)]
    assert len(processes(pool)[1]) <= SIZE


@pytest.mark.parametrize("which", ["a copy that waits", "the prepared process"])
def test_what_is_killed_is_replaced(pool: Pool, which: str) -> None:
    pool.ask(Inquiry(text="ASK {}"))
    pool._replace(order(Inquiry()))
    prepared, copies = processes(pool)
    watched = watch(copies)
    # The copies end with the process that made them.
    for process in copies if which == "a copy that waits" else [prepared]:
        os.kill(process, signal.SIGKILL)
    gone(watched)
    assert pool.ask(Inquiry(text="ASK {}")).truth is True
    assert (processes(pool)[0] == prepared) == (which == "a copy that waits")


def watch(processes: list[int]) -> list[int]:
    """Files that can be read once the processes are gone."""
    return [os.pidfd_open(process) for process in processes]


def gone(watched: list[int]) -> None:
    """Wait until they are."""
    for file in watched:
        assert select.select([file], [], [], 30)[0]
        os.close(file)


def test_a_knowledge_base_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "policies/P.1").mkdir(parents=True)
    (tmp_path / "policies/P.1/policy.ttl").write_text("no Turtle")
    broken = Pool(Repository(tmp_path), 1)
    with pytest.raises(KbError, match="the process that answers queries does not start; kb check says"):
        broken.ask(Inquiry(text="ASK {}"))
    broken.close()


def test_nothing_is_left_after_the_end(kb: Repository, pool: Pool) -> None:
    # The pool of the other tests opens no more meanwhile.
    pool._replace(b"{}")
    files = len(list(Path("/proc/self/fd").iterdir()))
    own = Pool(kb, SIZE)
    own.ask(Inquiry(text="ASK {}"))
    own._replace(order(Inquiry()))
    prepared, copies = processes(own)
    own.close()
    assert [status(process) for process in (prepared, *copies)] == ["State:\tZ"] * (SIZE + 1)
    assert len(list(Path("/proc/self/fd").iterdir())) <= files


ORPHAN = """
import sys
from pathlib import Path
from kb_tools.ask.pool import Pool
from kb_tools.ask.request import Inquiry
from kb_tools.model.repository import Repository
pool = Pool(Repository(Path(sys.argv[1])), 1)
pool.ask(Inquiry(text="ASK {}"))
pool._replace(b"{}")
print(pool._process.pid, pool._waiting[0].process, flush=True)
sys.stdin.read()
"""


def test_nothing_is_left_where_the_process_that_asks_is_killed(kb: Repository) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(kb.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as asking:
        assert asking.stdout is not None
        left = [int(number) for number in asking.stdout.readline().split()]
        watched = watch(left)
        asking.kill()
        gone(watched)


def test_where_graphs_are_on_disk_a_process_of_its_own_answers(
    kb: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(dataset, "KEPT_FROM", 0)
    pool = Pool(kb, 1)
    pool.start()
    with monkeypatch.context() as patched:
        patched.setattr(ask_pool, "run", lambda asked, timeout, started: RawResult(title=f"{asked.text} {timeout}"))
        assert pool.ask(Inquiry(text="ASK {}")).title == "ASK {} 30"
    # Ended before its time, and before its process starts.
    pool.timeout = 3600
    with pytest.raises(QueryError):
        pool.ask(Inquiry(kb.root, text=FOREVER, union=True), lambda cancel: cancel())
    ends: list[Callable[[], None]] = []
    begun = threading.Event()
    start = subprocess.Popen.__init__

    def beginning(process: subprocess.Popen[bytes], *arguments: object, **options: object) -> None:
        start(process, *arguments, **options)  # type: ignore[call-overload]
        begun.set()

    monkeypatch.setattr(subprocess.Popen, "__init__", beginning)
    with ThreadPoolExecutor(1) as thread:
        forever = thread.submit(pool.ask, Inquiry(kb.root, text=FOREVER, union=True), ends.append)
        assert begun.wait(30)
        ends[0]()
        with pytest.raises(QueryError):
            forever.result(30)
    assert pool._process is None


def test_a_copy_answers_ready_questions_one_after_the_other_and_one_query(kb: Repository) -> None:
    pool = Pool(kb, 1, patience=30)
    asked = [Inquiry(question="codes", revision=revision) for revision in ("2026-02", "2019-10", "2026-02")]
    answers = [numbers(pool.ask(inquiry)) for inquiry in asked]
    assert answers[0] == answers[2] != answers[1] == []
    (copy,) = processes(pool)[1]
    with pytest.raises(UnknownRevision):
        pool.ask(Inquiry(question="codes", revision="2031-01"))
    assert processes(pool)[1] == [copy]
    pool.ask(Inquiry(text="ASK {}"))
    pool._replace(b"{}")
    assert processes(pool)[1] != [copy]
    pool.close()
