"""Whose calls of CDS Hooks are answered: those of clients with a listed key; without a list, those of this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from kb_tools.errors import KbError
from kb_tools.serve.app import application
from kb_tools.serve.hooks import clients
from kb_tools.serve.hooks.clients import trusted_clients
from kb_tools.serve.workbench import Workbench

jwt = pytest.importorskip("jwt")
ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")

Json = dict[str, Any]
ISSUER = "https://ehr.example"
BASE = "http://127.0.0.1:8014"
URL = f"{BASE}/cds-services"
CURVE = ec.generate_private_key(ec.SECP384R1())
OTHER = ec.generate_private_key(ec.SECP384R1())
LONG = rsa.generate_private_key(65537, 2048)
SHORT = rsa.generate_private_key(65537, 1024)


def public(key: Any, kid: str) -> Json:
    algorithm = (
        jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else jwt.algorithms.RSAAlgorithm
    )
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid}


ONLY = {**public(LONG, "only"), "alg": "RS384"}
LISTED: Json = {
    "clients": [
        {"iss": ISSUER, "jku": f"{ISSUER}/jwks", "jwks": {"keys": [public(CURVE, "c"), public(LONG, "r"), ONLY]}}
    ]
}


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Any], Path]:
    def written(content: Any) -> Path:
        path = tmp_path / "clients.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return written


@pytest.fixture
def ehr(bench: Workbench, file: Callable[[Any], Path]) -> TestClient:
    """A program that is not on this machine."""
    app = application(bench, ["127.0.0.1"], clients=trusted_clients(file(LISTED)))
    return TestClient(app, base_url=BASE, client=("192.0.2.7", 50000))


def token(key: Any = CURVE, algorithm: str = "ES384", header: Json | None = None, **claims: Any) -> str:
    now = int(time.time())
    content = {"iss": ISSUER, "aud": URL, "iat": now, "exp": now + 300, "jti": str(uuid4()), **claims}
    stated = {name: value for name, value in content.items() if value is not None}
    return str(jwt.encode(stated, key, algorithm, {"kid": "c", **(header or {})}))


def get(ehr: TestClient, sent: str | None) -> Any:
    return ehr.get("/cds-services", headers={"Authorization": sent} if sent else {})


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"), [(CURVE, "ES384", "c"), (LONG, "RS384", "r"), (LONG, "PS256", "r")]
)
def test_a_client_with_a_listed_key_is_answered(ehr: TestClient, key: Any, algorithm: str, kid: str) -> None:
    assert get(ehr, f"Bearer {token(key, algorithm, {'kid': kid})}").status_code == 200


def test_a_token_is_for_the_address_that_is_called_whatever_it_asks(ehr: TestClient) -> None:
    assert ehr.get("/cds-services?a=1", headers={"Authorization": f"Bearer {token()}"}).status_code == 200
    several = token(aud=["https://other.example", URL])
    assert get(ehr, f"Bearer {several}").status_code == 200
    response = ehr.post("/cds-services/order-sign", content=b"{}", headers={"Authorization": f"Bearer {token()}"})
    assert response.status_code == 401
    called = token(aud=f"{URL}/order-sign")
    response = ehr.post("/cds-services/order-sign", json={}, headers={"Authorization": f"Bearer {called}"})
    assert response.status_code == 422


def signed_by_nobody() -> str:
    """A token with a signature that is none."""
    header, content, _ = token().split(".")
    return f"{header}.{content}." + "A" * 128


def bearer_without(claim: str) -> str:
    changes: Json = {claim: None}
    return f"Bearer {token(**changes)}"


def after(**seconds: int) -> Json:
    """Claims that are so many seconds from the moment at which they are sent, however long the tests take."""
    return {name: int(time.time()) + number for name, number in seconds.items()}


REFUSED: dict[str, tuple[Callable[[], str | None], str]] = {
    "no token": (lambda: None, "no token; send Authorization: Bearer with a JSON Web Token"),
    "another scheme": (lambda: "Basic eDp5", "no token; send Authorization: Bearer with a JSON Web Token"),
    "no JWT": (lambda: "Bearer abc", "the token is no JSON Web Token"),
    "unsigned": (
        lambda: "Bearer " + jwt.encode({"iss": ISSUER}, None, "none", {"kid": "c"}),
        f"the token is signed by no algorithm of {', '.join(clients.ALGORITHMS)}",
    ),
    "a shared secret": (
        lambda: f"Bearer {token('s' * 64, 'HS384')}",
        f"the token is signed by no algorithm of {', '.join(clients.ALGORITHMS)}",
    ),
    "another type": (lambda: f"Bearer {token(header={'typ': 'at+jwt'})}", "the token is not of typ JWT"),
    "foreign": (
        lambda: f"Bearer {token(iss='https://other.example')}",
        "the token is of no client that is trusted here (iss)",
    ),
    "no issuer": (lambda: f"Bearer {token(iss=None)}", "the token is of no client that is trusted here (iss)"),
    "another key set": (
        lambda: f"Bearer {token(header={'jku': 'https://other.example/jwks'})}",
        "the token names another key set than is listed for its client (jku)",
    ),
    "an unknown key": (
        lambda: f"Bearer {token(header={'kid': 'x'})}",
        "the token names no key that is listed for its client (kid)",
    ),
    "the key of another": (lambda: f"Bearer {token(OTHER)}", "the signature of the token does not hold"),
    "a key of another kind": (
        lambda: f"Bearer {token(LONG, 'RS384')}",
        "the signature of the token does not hold",
    ),
    "another algorithm than its key is for": (
        lambda: f"Bearer {token(LONG, 'RS256', {'kid': 'only'})}",
        "the token is signed by another algorithm than is listed for its key (alg)",
    ),
    "a signature of nobody": (
        lambda: f"Bearer {signed_by_nobody()}",
        "the signature of the token does not hold",
    ),
    "for another address": (
        lambda: f"Bearer {token(aud='https://other.example/cds-services')}",
        "the token is not for the address that was called (aud)",
    ),
    "expired": (lambda: f"Bearer {token(**after(iat=-900, exp=-600))}", "the token is expired (exp)"),
    "of the future": (
        lambda: f"Bearer {token(**after(iat=900, exp=1200))}",
        "the token is of the future (iat, nbf)",
    ),
    "too long": (lambda: f"Bearer {token(**after(exp=4000))}", "the token holds longer than 600 s (exp)"),
}


REFUSED |= {
    f"without {name}": (partial(bearer_without, name), f"the token says nothing of {name}")
    for name in ("aud", "exp", "iat", "jti")
}


@pytest.mark.parametrize(("sent", "text"), REFUSED.values(), ids=REFUSED)
def test_nobody_else_is(ehr: TestClient, sent: Callable[[], str | None], text: str) -> None:
    response = get(ehr, sent())
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    outcome = response.json()
    assert [(issue["code"], issue["details"]["text"]) for issue in outcome["issue"]] == [("security", text)]


def test_a_token_is_taken_once(ehr: TestClient) -> None:
    sent = f"Bearer {token()}"
    assert [get(ehr, sent).status_code for _ in range(2)] == [200, 401]
    assert get(ehr, sent).json()["issue"][0]["details"]["text"] == "the token was used before (jti)"


def test_tokens_are_remembered_within_bounds_and_until_they_expire(
    ehr: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "MAX_TOKENS", 3)
    assert [get(ehr, f"Bearer {token()}").status_code for _ in range(4)] == [200, 200, 200, 503]
    later = time.time() + 1000
    monkeypatch.setattr("kb_tools.serve.hooks.clients.time.time", lambda: later)
    used = clients._Used()
    for number in range(3):
        used.add(("i", str(number)), later - 10 + number)
    used.add(("i", "0"), later + 10)


def test_feedback_and_services_want_a_token_too(ehr: TestClient) -> None:
    for path in ("/cds-services/order-sign", "/cds-services/order-sign/feedback"):
        assert ehr.post(path, content=b"{}").status_code == 401


def test_without_a_list_only_this_machine_is_answered(bench: Workbench) -> None:
    for host, status in (("127.0.0.1", 200), ("::1", 200), ("192.0.2.7", 403), ("testclient", 403)):
        near = TestClient(application(bench), base_url=BASE, client=(host, 50000))
        response = near.get("/cds-services")
        assert response.status_code == status
        if status == 403:
            assert response.json()["issue"][0]["details"]["text"] == (
                "calls are taken from this machine alone; start kb serve with --trusted-clients FILE"
            )


FORM = 'write {"clients": [{"iss": "https://ehr.example", "jwks": {"keys": [...]}}]}, each key with its kid'


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "clients.json:1: "),
        ({}, f"clients.json: no clients; {FORM}"),
        ({"clients": []}, f"clients.json: no clients; {FORM}"),
        ({"clients": [{}]}, f"clients.json: clients[0]: no iss, or one that is listed already; {FORM}"),
        ({"clients": [*LISTED["clients"], *LISTED["clients"]]}, "clients[1]: no iss, or one that is listed already"),
        ({"clients": [{"iss": ISSUER}]}, f"clients[0]: no keys; {FORM}"),
        ({"clients": [{"iss": ISSUER, "jwks": {"keys": [{"kty": "EC"}]}}]}, "keys[0]: no kid, or one that is"),
        (
            {"clients": [{"iss": ISSUER, "jwks": {"keys": [{"kty": "oct", "kid": "s", "k": "c2VjcmV0"}]}}]},
            "keys[0]: no public key of EC or RSA; list the public key of a pair",
        ),
        (
            {"clients": [{"iss": ISSUER, "jwks": {"keys": [{**public(CURVE, "c"), "d": "AA"}]}}]},
            "keys[0]: no public key of EC or RSA; list the public key of a pair",
        ),
        (
            {"clients": [{"iss": ISSUER, "jwks": {"keys": [{"kty": "EC", "kid": "c"}]}}]},
            "keys[0]: a key that cannot be",
        ),
        (
            {"clients": [{"iss": ISSUER, "jwks": {"keys": [public(SHORT, "s")]}}]},
            "keys[0]: a key of less than 2048 bits; list a longer one",
        ),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_in_one_line(
    file: Callable[[Any], Path], content: Any, text: str
) -> None:
    with pytest.raises(KbError) as error:
        trusted_clients(file(content))
    assert text in str(error.value)


def test_without_the_library_it_says_what_to_install(
    file: Callable[[Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kb_tools.serve.hooks.clients.find_spec", lambda name: None)
    with pytest.raises(KbError, match=r"not installed: pyjwt, cryptography; pip install 'kb-tools\[jwt\]'"):
        trusted_clients(file(LISTED))


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KbError, match=r"none\.json: No such file or directory; check the path"):
        trusted_clients(tmp_path / "none.json")
