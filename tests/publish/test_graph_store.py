"""kb export --to: into a real Oxigraph server, and against a server that fails in chosen ways."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

import pyoxigraph as ox
import pytest

from kb_tools.cache import cache_folder
from kb_tools.publish.graph_store import GraphStore, Sent, StoreError, authorization, load
from kb_tools.publish.graphs import NamedGraph

RunKb = Callable[..., CompletedProcess[str]]
ROOT = Path(__file__).parents[2]
AGAIN = "run again: it goes on where it stopped"
ENDPOINTS = "http://HOST:7878/store for Oxigraph, http://HOST:3030/DATASET/data for Fuseki"
# Those of all that is on file: 17 of CP.MP.101, 3 of CG-TRANS-03, and one for each other file.
GRAPHS = 64
SIGN_IN = "set KB_STORE_USER and KB_STORE_PASSWORD, or KB_STORE_TOKEN"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, and nothing in the environment that names a proxy or credentials."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("KB_STORE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a run would have waited between its tries; it waits none."""
    found: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", found.append)
    return found


def graph(name: str, words: str = "one") -> NamedGraph:
    return NamedGraph(
        f"https://example.org/{name}", f'<https://example.org/s> <https://example.org/p> "{words}" .\n'.encode()
    )


# ---------------------------------------------------------------------- a server that fails as it is told to


class Server(ThreadingHTTPServer):
    """A graph store in memory. What stands in `script` is answered first: a status with headers, or a deed."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[int | tuple[int, dict[str, str]] | str] = []
        self.graphs: dict[str, bytes] = {}
        self.seen: list[tuple[str, str]] = []
        self.signed: list[str | None] = []
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/store"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _serve(self) -> None:
        server = self.server
        name = parse_qs(urlsplit(self.path).query)["graph"][0]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server.seen.append((self.command, name.rpartition("/")[2]))
        server.signed.append(self.headers.get("Authorization"))
        server.paths.append(self.path)
        step = server.script.pop(0) if server.script else "store"
        if step == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return None
        if step == "sleep":
            # By then nobody listens any more.
            threading.Event().wait(0.6)
            self.close_connection = True
            return None
        if isinstance(step, tuple | int):
            status, headers = step if isinstance(step, tuple) else (step, {})
            return self._answer(status, headers, b"said \x1b[31mso\nmuch")
        if self.command == "HEAD":
            return self._answer(200 if name in server.graphs else 404, {}, b"")
        assert self.headers["Content-Type"] == "application/n-triples"
        status = 204 if name in server.graphs else 201
        server.graphs[name] = body
        return self._answer(status, {}, b"")

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_PUT = do_HEAD = _serve


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def send(server: Server, tmp_path: Path) -> Callable[..., list[bool]]:
    """Loads graphs as one run of the command does, with what earlier runs noted."""

    def run(*graphs: NamedGraph, again: bool = False, sign_in: str = "", answer_seconds: float = 5) -> list[bool]:
        store = GraphStore(server.url, sign_in, answer_seconds=answer_seconds)
        return list(load(store, graphs, Sent.read(tmp_path / "sent", store.url), again))

    return run


Send = Callable[..., list[bool]]


# ---------------------------------------------------------------------- what is sent


def test_each_graph_replaces_the_one_of_its_name(server: Server, send: Send) -> None:
    server.graphs = {"https://example.org/a": b"old", "https://example.org/mine": b"left alone"}
    assert send(graph("a"), graph("b#é")) == [True, True]
    assert server.graphs == {
        "https://example.org/a": graph("a").body,
        "https://example.org/mine": b"left alone",
        "https://example.org/b#é": graph("b").body,
    }
    assert server.paths[1] == "/store?graph=https%3A%2F%2Fexample.org%2Fb%23%C3%A9"
    assert server.signed == [None, None]


def test_a_query_in_the_url_is_kept(server: Server) -> None:
    GraphStore(server.url + "?database=kb").put(graph("a"))
    assert server.paths == ["/store?database=kb&graph=https%3A%2F%2Fexample.org%2Fa"]


def test_an_unchanged_graph_is_not_sent_again_unless_asked(server: Server, send: Send) -> None:
    send(graph("a"), graph("b"))
    assert send(graph("a"), graph("b", "two")) == [False, True]
    assert send(graph("a"), graph("b", "two"), again=True) == [True, True]
    assert server.seen == [
        ("PUT", "a"), ("PUT", "b"), ("HEAD", "a"), ("PUT", "b"), ("PUT", "a"), ("PUT", "b"),
    ]  # fmt: skip


def test_a_graph_that_the_store_has_lost_is_sent_again(server: Server, send: Send) -> None:
    send(graph("a"), graph("b"))
    del server.graphs["https://example.org/a"]
    assert send(graph("a"), graph("b")) == [True, False]


@pytest.mark.parametrize(("status", "sent"), [(405, False), (501, False), (400, True)])
def test_a_store_that_cannot_be_asked_is_taken_at_its_word(server: Server, send: Send, status: int, sent: bool) -> None:
    send(graph("a"))
    server.script = [status]
    assert send(graph("a")) == [sent]


def test_another_store_is_sent_everything(server: Server, send: Send, tmp_path: Path) -> None:
    send(graph("a"))
    with serving() as other:
        store = GraphStore(other.url)
        assert list(load(store, [graph("a")], Sent.read(tmp_path / "sent", store.url))) == [True]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"graphs": []}', '{"graphs": null}', "\x00"])
def test_a_note_that_cannot_be_read_counts_as_none(server: Server, send: Send, tmp_path: Path, content: str) -> None:
    send(graph("a"))
    (note,) = (tmp_path / "sent").iterdir()
    note.write_text(content, encoding="utf-8")
    assert send(graph("a")) == [True]
    assert json.loads(note.read_bytes()) == {"graphs": {graph("a").name: graph("a").digest}}


def test_a_note_that_cannot_be_written_is_reported(server: Server, send: Send, tmp_path: Path) -> None:
    (tmp_path / "sent").write_text("a file where the folder goes")
    with pytest.raises(StoreError, match=r"the record of what was sent cannot be written: .*; set XDG_CACHE_HOME$"):
        send(graph("a"))


# ---------------------------------------------------------------------- busy, broken, slow


def test_a_busy_store_is_tried_again(server: Server, send: Send, waits: list[float]) -> None:
    server.script = [503, 503]
    assert send(graph("a")) == [True]
    assert server.seen == [("PUT", "a")] * 3
    assert waits == [1.0]


def test_the_time_that_a_store_names_is_heeded_up_to_a_minute(server: Server, send: Send, waits: list[float]) -> None:
    server.script = [(429, {"Retry-After": "7"}), (503, {"Retry-After": "86400"})]
    assert send(graph("a")) == [True]
    assert waits == [7, 60]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_tries_are_bounded(server: Server, send: Send, waits: list[float], status: int) -> None:
    server.script = [status] * 50
    with pytest.raises(StoreError) as error:
        send(graph("a"))
    assert str(error.value) == f"{server.url}: still answers {status} after 6 tries; {AGAIN}"
    assert len(server.seen) == 6
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_a_dropped_connection_is_tried_again(server: Server, send: Send, waits: list[float]) -> None:
    server.script = ["drop", "drop"]
    assert send(graph("a")) == [True]
    assert server.graphs == {graph("a").name: graph("a").body}


def test_a_broken_run_goes_on_where_it_stopped(server: Server, send: Send, waits: list[float]) -> None:
    names = ["a", "b", "c", "d"]
    server.script = ["store", "store", *["drop"] * 4]
    with pytest.raises(StoreError) as error:
        send(*map(graph, names))
    assert str(error.value) == f"{server.url}: broke the connection on https://example.org/c; {AGAIN}"
    server.seen.clear()
    assert send(*map(graph, names)) == [False, False, True, True]
    assert [name for method, name in server.seen if method == "PUT"] == ["c", "d"]


def test_a_graph_whose_sending_broke_off_is_not_taken_for_what_it_was(
    server: Server, send: Send, waits: list[float]
) -> None:
    send(graph("a", "one"))
    server.script = ["drop"] * 4
    with pytest.raises(StoreError):
        send(graph("a", "two"))
    # The store may hold either now.
    assert send(graph("a", "one")) == [True]


def test_a_store_that_does_not_answer_in_time_is_given_up(server: Server, send: Send, waits: list[float]) -> None:
    server.script = ["sleep"] * 4
    with pytest.raises(StoreError) as error:
        send(graph("a"), answer_seconds=0.1)
    assert str(error.value) == f"{server.url}: took too long to answer on https://example.org/a; {AGAIN}"
    assert len(server.seen) == 4


# ---------------------------------------------------------------------- no for an answer


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (401, f"asks for other credentials (401); {SIGN_IN}, and use --user-from-env"),
        (403, "does not allow this user to write (403); use an account that may"),
        (404, f"is not a graph store (404); name its graph store, such as {ENDPOINTS}"),
        (405, f"is not a graph store that can be written (405); name its graph store, such as {ENDPOINTS}"),
        (
            413,
            "takes no graph as large as https://example.org/a, 56 bytes (413); "
            "raise the store's limit on the size of a request",
        ),
        (400, "does not take https://example.org/a (400): said [31mso much; see the store's log"),
        (
            (200, {"Content-Type": "text/html"}),
            f"answers with a web page: not a graph store; name its graph store, such as {ENDPOINTS}",
        ),
        (202, "does not take https://example.org/a (202): said [31mso much; see the store's log"),
        ((301, {}), "redirects to nowhere, which is not followed; name that URL if it is right"),
    ],
)
def test_a_refusal_is_reported_in_a_line_and_not_tried_again(
    server: Server, send: Send, answer: int | tuple[int, dict[str, str]], line: str
) -> None:
    server.script = [answer]
    with pytest.raises(StoreError) as error:
        send(graph("a"))
    assert str(error.value) == f"{server.url}: {line}"
    assert len(server.seen) == 1


def test_nothing_listens(waits: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/store"
    with pytest.raises(StoreError) as error:
        GraphStore(url).put(graph("a"))
    assert str(error.value) == f"{url}: cannot be reached; check the URL, and that the store runs"
    assert waits == [1.0, 2.0]


def test_no_such_host(waits: list[float]) -> None:
    with pytest.raises(StoreError) as error:
        GraphStore("http://no-such-host.invalid/store").put(graph("a"))
    assert str(error.value) == "http://no-such-host.invalid/store: no such host; check the URL"


@pytest.mark.parametrize(
    "url", ["store", "ftp://h/store", "file:///etc/passwd", "http://", "http://h:x/", "http://h/#f"]
)
def test_what_is_not_the_url_of_a_store_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match=r"^the URL (is not that of a store|of the store is not a URL); for instance "):
        GraphStore(url)


# ---------------------------------------------------------------------- TLS


def test_a_server_without_tls_behind_https(server: Server) -> None:
    url = server.url.replace("http://", "https://")
    with pytest.raises(StoreError) as error:
        GraphStore(url).put(graph("a"))
    assert str(error.value) == (
        f"{url}: no trusted TLS connection; check the certificate; SSL_CERT_FILE names further ones"
    )
    assert server.seen == []


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the command openssl to make a certificate")
def test_a_certificate_that_nobody_vouches_for_is_refused_until_it_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.url.replace("http://", "https://")
    with pytest.raises(StoreError, match="no trusted TLS connection"):
        GraphStore(url, "Bearer secret").put(graph("a"))
    assert (server.seen, waits) == ([], [])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    GraphStore(url, "Bearer secret").put(graph("a"))
    assert server.signed == ["Bearer secret"]


# ---------------------------------------------------------------------- credentials


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"KB_STORE_TOKEN": "t0ken"}, "Bearer t0ken"),
        ({"KB_STORE_USER": "ann", "KB_STORE_PASSWORD": "pä:ss"}, "Basic YW5uOnDDpDpzcw=="),
    ],
)
def test_credentials_come_from_the_environment(variables: dict[str, str], expected: str) -> None:
    assert authorization(variables) == expected


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({}, f"the environment has no credentials, or not all; {SIGN_IN}"),
        ({"KB_STORE_USER": "ann"}, f"the environment has no credentials, or not all; {SIGN_IN}"),
        ({"KB_STORE_PASSWORD": "hidden"}, f"the environment has no credentials, or not all; {SIGN_IN}"),
        (
            {"KB_STORE_USER": "ann", "KB_STORE_TOKEN": "hidden"},
            f"the environment has a token and a user or password; set only {SIGN_IN.removeprefix('set ')}",
        ),
        (
            {"KB_STORE_TOKEN": "hidden\r\nX-Other: 1"},
            "KB_STORE_TOKEN holds a character that no token has; set it without line breaks",
        ),
        (
            {"KB_STORE_USER": "a:b", "KB_STORE_PASSWORD": "hidden"},
            "KB_STORE_USER holds a colon; set a user name without one",
        ),
    ],
)
def test_credentials_that_cannot_be_used(variables: dict[str, str], line: str) -> None:
    with pytest.raises(StoreError) as error:
        authorization(variables)
    assert str(error.value) == line


def test_credentials_never_follow_a_redirect(server: Server, send: Send) -> None:
    with serving() as other:
        server.script = [(307, {"Location": other.url + "?graph=g&secret=1"})]
        with pytest.raises(StoreError) as error:
            send(graph("a"), sign_in="Bearer secret")
        assert other.seen == []
        assert str(error.value) == (
            f"{server.url}: redirects to {other.url}, which is not followed; name that URL if it is right"
        )


@pytest.mark.parametrize(
    "url", ["http://example.org/store", "http://localhost.example.org/", "http://127.1/", "http://10.0.0.1/"]
)
def test_credentials_are_not_sent_in_the_clear(url: str) -> None:
    with pytest.raises(StoreError, match=r"http would carry the credentials in the clear; use https$"):
        GraphStore(url, "Bearer secret")
    GraphStore(url)


@pytest.mark.parametrize(
    "url", ["http://localhost/", "http://LOCALHOST/", "http://127.0.0.2/", "http://[::1]/", "https://h/"]
)
def test_credentials_may_go_to_this_machine_and_by_https(url: str) -> None:
    GraphStore(url, "Bearer secret")


def test_credentials_in_the_url_are_refused_and_not_shown() -> None:
    with pytest.raises(StoreError) as error:
        GraphStore("https://ann:hidden@example.org/store")
    assert str(error.value) == f"a URL may hold no credentials; {SIGN_IN}, and use --user-from-env"


def test_a_proxy_is_used_for_other_hosts_and_never_for_this_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/store"))
    GraphStore("http://kb.example/store").put(graph("a"))
    assert server.paths == ["http://kb.example/store?graph=https%3A%2F%2Fexample.org%2Fa"]
    with serving() as store:
        GraphStore(store.url, "Bearer secret").put(graph("a"))
        assert store.signed == ["Bearer secret"]
    assert server.signed == [None]


# ---------------------------------------------------------------------- the command


def test_the_command_says_how_far_it_came_and_never_shows_credentials(
    server: Server, run_kb: RunKb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_STORE_USER", "ann-of-the-store")
    monkeypatch.setenv("KB_STORE_PASSWORD", "pass-of-ann")
    server.script = ["store", "store", 401]
    found = run_kb("export", "--to", server.url, "--user-from-env")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.splitlines() == [
        f"kb: 2 of {GRAPHS} graphs are in the store",
        f"kb: {server.url}: asks for other credentials (401); {SIGN_IN}, and use --user-from-env",
    ]
    assert set(server.signed) == {"Basic YW5uLW9mLXRoZS1zdG9yZTpwYXNzLW9mLWFubg=="}
    again = run_kb("export", "--to", server.url, "--user-from-env")
    assert (again.returncode, again.stdout, again.stderr) == (
        0,
        f"graphs sent: {GRAPHS - 2}, unchanged in the store: 2\n",
        "",
    )
    for note in (Path(os.environ["XDG_CACHE_HOME"]) / "kb-tools/sent").iterdir():
        assert "ann" not in note.read_text(encoding="utf-8")


def test_credentials_stay_where_they_are_unless_asked_for(
    server: Server, run_kb: RunKb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KB_STORE_TOKEN", "secret")
    assert run_kb("export", "--revision", "2015-11", "--to", server.url).returncode == 0
    assert set(server.signed) == {None}


def test_graphs_sent_earlier_that_are_no_more_are_named(server: Server, run_kb: RunKb) -> None:
    sent = Sent.read(cache_folder() / "sent", server.url)
    assert list(load(GraphStore(server.url), [graph("stays"), graph("lost")], sent)) == [True, True]
    del server.graphs["https://example.org/lost"]
    found = run_kb("export", "--to", server.url)
    assert found.stderr == (
        "kb: the store also has graphs sent earlier that are not among these: https://example.org/stays\n"
    )


def test_without_the_http_library_the_command_says_what_to_install() -> None:
    blocked = "import sys; sys.modules['urllib3'] = None; from kb_tools.cli import main; main()"
    found = subprocess.run(
        [sys.executable, "-c", blocked, "export", "--kb", ROOT, "--revision", "2015-11", "--to", "http://localhost:9/"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (
        2,
        "kb: loading into a store needs urllib3; pip install 'kb-tools[load]'\n",
    )


# ---------------------------------------------------------------------- real stores


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


@contextlib.contextmanager
def running(*command: object, port: int) -> Iterator[None]:
    """A server's process, from when it listens until the end of the test."""
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert process.poll() is None, "the server did not start"
                assert time.monotonic() < deadline, "the server does not listen"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))


def content(url: str) -> ox.Dataset:
    with urlopen(Request(url, headers={"Accept": "application/n-quads"})) as answer:
        dataset = ox.Dataset(ox.parse(answer.read(), format=ox.RdfFormat.N_QUADS))
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    return dataset


def replaces_and_keeps(url: str, run_kb: RunKb) -> None:
    """What a store must come to hold, whichever it is."""
    name = "https://w3id.org/policykb/CP.MP.101/2026-02"
    GraphStore(url).put(NamedGraph(name, graph("a", "of another time").body))
    found = run_kb("export", "--to", url)
    assert (found.returncode, found.stdout, found.stderr) == (
        0,
        f"graphs sent: {GRAPHS}, unchanged in the store: 0\n",
        "",
    )
    written = run_kb("export", "--format", "nquads").stdout
    expected = ox.Dataset(ox.parse(written, format=ox.RdfFormat.N_QUADS))
    assert content(url) == expected
    assert len(expected) > 15_000
    assert run_kb("export", "--to", url).stdout == f"graphs sent: 0, unchanged in the store: {GRAPHS}\n"
    with urlopen(Request(f"{url}?graph={name}", method="DELETE")):
        pass
    assert run_kb("export", "--to", url).stdout == f"graphs sent: 1, unchanged in the store: {GRAPHS - 1}\n"
    assert content(url) == expected


@pytest.mark.skipif(not program("oxigraph"), reason="the package oxigraph has no build for this platform")
def test_oxigraph_comes_to_hold_the_knowledge_base(tmp_path: Path, run_kb: RunKb) -> None:
    port = free_port()
    with running(program("oxigraph"), "serve", "--location", tmp_path / "db", "--bind", f"127.0.0.1:{port}", port=port):
        replaces_and_keeps(f"http://127.0.0.1:{port}/store", run_kb)
        query = "SELECT ?r { GRAPH ?r { ?r <https://w3id.org/policykb/policy#indication> ?i } } ORDER BY ?r"
        request = Request(
            f"http://127.0.0.1:{port}/query", query.encode(), {"Content-Type": "application/sparql-query"}
        )
        with urlopen(request) as answer:
            rows = json.load(answer)["results"]["bindings"]
        assert [row["r"]["value"].removeprefix("https://w3id.org/policykb/") for row in rows] == [
            "CG-TRANS-03/2024-10", "CP.MP.101/2019-10", "CP.MP.101/2023-10", "CP.MP.101/2023-11",
            "CP.MP.101/2024-04", "CP.MP.101/2025-02", "CP.MP.101/2026-02",
        ]  # fmt: skip
        elsewhere = run_kb("export", "--to", f"http://127.0.0.1:{port}/query")
        assert (elsewhere.returncode, elsewhere.stderr) == (
            2,
            f"kb: http://127.0.0.1:{port}/query: is not a graph store (404); "
            f"name its graph store, such as {ENDPOINTS}\n",
        )


@pytest.mark.skipif(not program("fuseki-server"), reason="Apache Jena Fuseki (fuseki-server) is not on PATH")
def test_fuseki_comes_to_hold_the_knowledge_base(run_kb: RunKb) -> None:
    port = free_port()
    with running(program("fuseki-server"), "--mem", "--update", f"--port={port}", "/kb", port=port):
        replaces_and_keeps(f"http://127.0.0.1:{port}/kb/data", run_kb)
