"""A triple store that speaks the SPARQL 1.1 Graph Store HTTP Protocol: each named graph replaced by one request.

What was sent is written down as it is sent, so that a broken run goes on where it stopped. No redirect is followed, so
credentials go to the host that was named and to no other.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from urllib.request import getproxies, proxy_bypass

from kb_tools import __version__
from kb_tools.errors import KbError
from kb_tools.publish.graphs import NamedGraph

try:
    import urllib3
except ImportError as missing:
    raise KbError("loading into a store needs urllib3", hint="pip install 'kb-tools[load]'") from missing

# Further tries where the store is busy, and where it does not answer: the first at once, the second after twice WAIT
# seconds, each other after twice the wait of the one before. A store that names a time is heeded up to LONGEST_WAIT.
TRIES, UNANSWERED_TRIES = 5, 3
WAIT = 0.5
LONGEST_WAIT = 60
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0
BUSY = frozenset({429, 500, 502, 503, 504})
VARIABLES = "KB_STORE_USER and KB_STORE_PASSWORD, or KB_STORE_TOKEN"
ENDPOINTS = "http://HOST:7878/store for Oxigraph, http://HOST:3030/DATASET/data for Fuseki"
PROXY = "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
AGAIN = "run again: it goes on where it stopped"
# Characters shown of an answer.
SHOWN = 200


class StoreError(KbError):
    """A store that cannot be reached, or does not take what is sent."""


def authorization(environment: Mapping[str, str]) -> str:
    """The value of the Authorization header, from the variables of the environment.

    Raises:
        StoreError: none of the variables is set, or both ways are, or one cannot stand in a header.
    """
    user, password, token = (environment.get(f"KB_STORE_{name}", "") for name in ("USER", "PASSWORD", "TOKEN"))
    if token and (user or password):
        raise StoreError("the environment has a token and a user or password", hint=f"set only {VARIABLES}")
    if not token and not (user and password):
        raise StoreError("the environment has no credentials, or not all", hint=f"set {VARIABLES}")
    if token:
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise StoreError("KB_STORE_TOKEN holds a character that no token has", hint="set it without line breaks")
        return f"Bearer {token}"
    if ":" in user:
        raise StoreError("KB_STORE_USER holds a colon", hint="set a user name without one")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class GraphStore:
    """A store behind the URL of its graph store endpoint.

    Args:
        sign_in: the value of the Authorization header, if any.
        answer_seconds: how long an answer may take.

    Raises:
        StoreError: the URL is none of a store, or would carry the credentials in the clear.
    """

    def __init__(self, url: str, sign_in: str = "", answer_seconds: float = ANSWER_SECONDS) -> None:
        # What cannot be read as a URL is not shown: it may hold credentials.
        try:
            parts = urllib3.util.parse_url(url)
        except urllib3.exceptions.LocationParseError:
            raise StoreError("the URL of the store is not a URL", hint=f"for instance {ENDPOINTS}") from None
        if parts.auth:
            raise StoreError("a URL may hold no credentials", hint=f"set {VARIABLES}, and use --user-from-env")
        if parts.scheme not in {"http", "https"} or not parts.host or parts.fragment:
            raise StoreError("the URL is not that of a store", hint=f"for instance {ENDPOINTS}")
        self.url = parts.url
        self._shown = _plain(self.url.partition("?")[0])
        if sign_in and parts.scheme == "http" and not _is_loopback(parts.host):
            raise StoreError("http would carry the credentials in the clear", where=self._shown, hint="use https")
        headers = {"User-Agent": f"kb-tools/{__version__}"} | ({"Authorization": sign_in} if sign_in else {})
        retries = urllib3.Retry(
            total=TRIES,
            connect=UNANSWERED_TRIES,
            read=UNANSWERED_TRIES,
            other=0,
            redirect=False,
            status_forcelist=BUSY,
            backoff_factor=WAIT,
            backoff_max=LONGEST_WAIT,
            retry_after_max=LONGEST_WAIT,
            raise_on_status=False,
        )
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=answer_seconds)
        proxy = _proxy(parts.scheme, parts.host)
        try:
            self._http = (
                urllib3.ProxyManager(proxy, headers=headers, retries=retries, timeout=timeout)
                if proxy
                else urllib3.PoolManager(headers=headers, retries=retries, timeout=timeout)
            )
        except urllib3.exceptions.HTTPError:
            raise StoreError("the proxy cannot be used", hint=PROXY) from None

    def put(self, graph: NamedGraph) -> None:
        """Replaces the graph of that name.

        Raises:
            StoreError: the store cannot be reached, or does not take it.
        """
        answer = self._ask("PUT", graph.name, graph.body)
        if answer.status not in {200, 201, 204} or _is_page(answer):
            raise self._refusal(answer, graph)

    def has(self, name: str) -> bool:
        """Whether the store says that it has a graph of that name; taken for granted where it cannot be asked."""
        return self._ask("HEAD", name).status in {200, 204, 405, 501}

    def _ask(self, method: str, name: str, body: bytes | None = None) -> urllib3.BaseHTTPResponse:
        joint = "&" if "?" in self.url else "?"
        content = {"Content-Type": "application/n-triples"} if body is not None else {}
        try:
            return self._http.request(
                method,
                f"{self.url}{joint}graph={quote(name, safe='')}",
                body=body,
                headers={**self._http.headers, **content},
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise self._failure(error, name) from None

    def _failure(self, error: Exception, name: str) -> StoreError:
        """What stands behind an error of the connection, in one line."""
        reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
        match reason:
            case urllib3.exceptions.SSLError():
                what, hint = "no trusted TLS connection", "check the certificate; SSL_CERT_FILE names further ones"
            case urllib3.exceptions.NameResolutionError():
                what, hint = "no such host", "check the URL"
            case urllib3.exceptions.ConnectTimeoutError():
                what, hint = "cannot be reached", "check the URL, and that the store runs"
            case urllib3.exceptions.ProxyError():
                what, hint = "the proxy cannot be reached", PROXY
            case urllib3.exceptions.TimeoutError():
                what, hint = f"took too long to answer on {name}", AGAIN
            case urllib3.exceptions.ProtocolError():
                what, hint = f"broke the connection on {name}", AGAIN
            case _:
                what, hint = f"failed: {_plain(str(reason))}", "check the URL"
        return StoreError(what, where=self._shown, hint=hint)

    def _refusal(self, answer: urllib3.BaseHTTPResponse, graph: NamedGraph) -> StoreError:
        """What an answer other than yes says, in one line."""
        status = answer.status
        body = _plain(answer.data[: 4 * SHOWN].decode("utf-8", "replace"))
        if 300 <= status < 400:
            target = _plain(answer.headers.get("Location", "nowhere").partition("?")[0])
            return StoreError(
                f"redirects to {target}, which is not followed", where=self._shown, hint="name that URL if it is right"
            )
        if status in BUSY:
            what, hint = f"still answers {status} after {TRIES + 1} tries", AGAIN
            return StoreError(what, where=self._shown, hint=hint)
        what, hint = {
            401: ("asks for other credentials (401)", f"set {VARIABLES}, and use --user-from-env"),
            403: ("does not allow this user to write (403)", "use an account that may"),
            404: ("is not a graph store (404)", f"name its graph store, such as {ENDPOINTS}"),
            405: ("is not a graph store that can be written (405)", f"name its graph store, such as {ENDPOINTS}"),
            413: (
                f"takes no graph as large as {graph.name}, {len(graph.body)} bytes (413)",
                "raise the store's limit on the size of a request",
            ),
        }.get(status, (f"does not take {graph.name} ({status}): {body}", "see the store's log"))
        if status == 200 and _is_page(answer):
            what, hint = (
                "answers with a web page: not a graph store",
                f"name its graph store, such as {ENDPOINTS}",
            )
        return StoreError(what, where=self._shown, hint=hint)


def _is_page(answer: urllib3.BaseHTTPResponse) -> bool:
    return "html" in answer.headers.get("Content-Type", "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for a host, if any; none for this machine."""
    return None if _is_loopback(host) or proxy_bypass(host) else getproxies().get(scheme)


def _plain(text: str) -> str:
    """The beginning of a text from outside, without what could steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)[:SHOWN].strip()


# ---------------------------------------------------------------------- what was sent


@dataclass
class Sent:
    """The digest of each graph that a store has taken, kept in a file beside those of other stores."""

    path: Path
    digests: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, url: str) -> Sent:
        """What earlier runs sent to that URL; nothing, where the file does not say."""
        path = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:24]}.json"
        try:
            kept = json.loads(path.read_bytes())
            digests = {str(name): str(digest) for name, digest in kept["graphs"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            digests = {}
        return cls(path, digests)

    def write(self) -> None:
        """Replaces the file as a whole, so that a run that is ended leaves no half of one."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False, encoding="utf-8") as temporary:
                json.dump({"graphs": self.digests}, temporary, indent=1)
            Path(temporary.name).replace(self.path)
        except OSError as error:
            raise StoreError(
                f"the record of what was sent cannot be written: {error.strerror}",
                where=str(self.path),
                hint="set XDG_CACHE_HOME",
            ) from error


def load(store: GraphStore, graphs: Iterable[NamedGraph], sent: Sent, again: bool = False) -> Iterator[bool]:
    """Sends each graph, and says of each whether it had to be; one that the store has unchanged is not.

    Args:
        again: send those too.

    Raises:
        StoreError: one could not be sent; those before it are.
    """
    for graph in graphs:
        if not again and sent.digests.get(graph.name) == graph.digest and store.has(graph.name):
            yield False
            continue
        # From here until the store has answered nobody knows what it holds.
        if sent.digests.pop(graph.name, None):
            sent.write()
        store.put(graph)
        sent.digests[graph.name] = graph.digest
        sent.write()
        yield True
