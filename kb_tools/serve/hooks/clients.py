"""Whose calls of CDS Hooks are answered: clients with a key that is listed, or, without a list, this machine alone.

A client proves who it is with a JSON Web Token on every call, discovery included (CDS Hooks 2.0, "Trusting CDS
Clients"). Keys come from the list alone: nothing is fetched.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from starlette.requests import Request

from kb_tools.cases import strict_json
from kb_tools.errors import KbError, UnreadableInput

# Signatures by two keys alone: never none, never a shared secret.
ALGORITHMS = ("ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
# Longest time from issue to expiry of a token, and how far two clocks may be apart, in seconds.
LONGEST, LEEWAY = 600, 30
# The most tokens that are remembered until they expire, so that none is taken twice.
MAX_TOKENS = 100_000
_REQUIRED = ["aud", "exp", "iat", "iss", "jti"]
_LEAST_BITS = 2048
_FORM = 'write {"clients": [{"iss": "https://ehr.example", "jwks": {"keys": [...]}}]}, each key with its kid'
_DIALECT = strict_json.Dialect(
    fraction=float, integer=int, too_large="list fewer clients", too_deep="it has a few levels"
)


class Untrusted(Exception):
    """A call of nobody who is trusted.

    Args:
        status: of HTTP.
    """

    def __init__(self, status: int, what: str) -> None:
        self.status = status
        super().__init__(what)


class Clients(Protocol):
    """Who may call."""

    def check(self, request: Request) -> None:
        """Raises `Untrusted` for a call that is not to be answered."""


class ThisMachine:
    """Programs on this machine, and nobody else."""

    def check(self, request: Request) -> None:
        host = request.client.host if request.client else ""
        try:
            near = ip_address(host).is_loopback
        except ValueError:
            near = False
        if not near:
            raise Untrusted(403, "calls are taken from this machine alone; start kb serve with --trusted-clients FILE")


@dataclass(frozen=True)
class _Key:
    """A public key, and the only algorithm that it is for, if its list says so."""

    key: Any
    only: str


@dataclass(frozen=True)
class _Client:
    """A client that is listed: its keys by kid, and the address of its key set if one is listed."""

    keys: Mapping[str, _Key]
    jku: str


class TrustedClients:
    """Clients whose keys are listed."""

    def __init__(self, clients: Mapping[str, _Client]) -> None:
        self._clients = clients
        self._used = _Used()

    def check(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Untrusted(401, "no token; send Authorization: Bearer with a JSON Web Token")
        self.check_token(token.strip(), str(request.url.replace(query="", fragment="")))

    def check_token(self, token: str, url: str) -> None:
        """Hold a token to the list.

        Args:
            url: that was called, which the token has to be for.

        Raises:
            Untrusted: it is not of a client that is listed, not for this call, expired, or used before.
        """
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except jwt.PyJWTError as error:
            raise Untrusted(401, "the token is no JSON Web Token") from error
        if header.get("alg") not in ALGORITHMS:
            raise Untrusted(401, f"the token is signed by no algorithm of {', '.join(ALGORITHMS)}")
        if header.get("typ") != "JWT":
            raise Untrusted(401, "the token is not of typ JWT")
        client = self._clients.get(issuer) if isinstance(issuer, str) else None
        if client is None:
            raise Untrusted(401, "the token is of no client that is trusted here (iss)")
        if "jku" in header and header["jku"] != client.jku:
            raise Untrusted(401, "the token names another key set than is listed for its client (jku)")
        key = client.keys.get(str(header.get("kid")))
        if key is None:
            raise Untrusted(401, "the token names no key that is listed for its client (kid)")
        if key.only not in ("", header["alg"]):
            raise Untrusted(401, "the token is signed by another algorithm than is listed for its key (alg)")
        claims = self._claims(token, key.key, header["alg"], issuer, url)
        if claims["exp"] - claims["iat"] > LONGEST:
            raise Untrusted(401, f"the token holds longer than {LONGEST} s (exp)")
        self._used.add((str(issuer), str(claims["jti"])), claims["exp"] + LEEWAY)

    @staticmethod
    def _claims(token: str, key: Any, algorithm: str, issuer: Any, url: str) -> dict[str, Any]:
        import jwt

        options: Any = {"require": _REQUIRED}
        try:
            return jwt.decode(token, key, [algorithm], options, audience=url, issuer=issuer, leeway=LEEWAY)
        except jwt.ExpiredSignatureError as error:
            raise Untrusted(401, "the token is expired (exp)") from error
        except jwt.ImmatureSignatureError as error:
            raise Untrusted(401, "the token is of the future (iat, nbf)") from error
        except jwt.InvalidAudienceError as error:
            raise Untrusted(401, "the token is not for the address that was called (aud)") from error
        except jwt.MissingRequiredClaimError as error:
            raise Untrusted(401, f"the token says nothing of {error.claim}") from error
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise Untrusted(401, "the signature of the token does not hold") from error


class _Used:
    """The tokens that were used and are not expired."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._until: list[tuple[float, tuple[str, str]]] = []
        self._names: set[tuple[str, str]] = set()

    def add(self, name: tuple[str, str], until: float) -> None:
        """Remember a token until it expires; raises `Untrusted` for one that is known, or when there is no room."""
        with self._lock:
            while self._until and self._until[0][0] < time.time():
                self._names.discard(heapq.heappop(self._until)[1])
            if name in self._names:
                raise Untrusted(401, "the token was used before (jti)")
            if len(self._names) >= MAX_TOKENS:
                raise Untrusted(503, "too many tokens are in use; ask again when some have expired")
            self._names.add(name)
            heapq.heappush(self._until, (until, name))


# ---------------------------------------------------------------------- the list


def trusted_clients(file: Path) -> TrustedClients:
    """The clients that a file lists.

    Raises:
        KbError: PyJWT is not installed, or the file cannot be read, lists none, or a key that cannot be used.
    """
    if find_spec("jwt") is None or find_spec("cryptography") is None:
        raise KbError("not installed: pyjwt, cryptography", hint="pip install 'kb-tools[jwt]'")
    try:
        content = strict_json.load(file.read_bytes(), str(file), _DIALECT)
    except OSError as error:
        raise UnreadableInput(error.strerror or str(error), where=str(file), hint="check the path") from error
    listed = content.get("clients") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise UnreadableInput("no clients", where=str(file), hint=_FORM)
    clients: dict[str, _Client] = {}
    for number, client in enumerate(listed):
        where = f"{file}: clients[{number}]"
        issuer = client.get("iss") if isinstance(client, dict) else None
        if not isinstance(issuer, str) or not issuer or issuer in clients:
            raise UnreadableInput("no iss, or one that is listed already", where=where, hint=_FORM)
        clients[issuer] = _Client(_keys(client.get("jwks"), where), str(client.get("jku", "")))
    return TrustedClients(clients)


def _keys(jwks: Any, where: str) -> dict[str, _Key]:
    """The public keys of a key set, by kid."""
    import jwt

    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(listed, list) or not listed:
        raise UnreadableInput("no keys", where=where, hint=_FORM)
    keys: dict[str, _Key] = {}
    for number, content in enumerate(listed):
        place = f"{where}.jwks.keys[{number}]"
        kid = content.get("kid") if isinstance(content, dict) else None
        if not isinstance(kid, str) or not kid or kid in keys:
            raise UnreadableInput("no kid, or one that is listed already", where=place, hint=_FORM)
        if content.get("kty") not in ("EC", "RSA") or "d" in content:
            raise UnreadableInput("no public key of EC or RSA", where=place, hint="list the public key of a pair")
        try:
            key = jwt.PyJWK(content).key
        except Exception as error:
            raise UnreadableInput("a key that cannot be read", where=place, hint="list it as a JSON Web Key") from error
        if content["kty"] == "RSA" and key.key_size < _LEAST_BITS:
            raise UnreadableInput(f"a key of less than {_LEAST_BITS} bits", where=place, hint="list a longer one")
        keys[kid] = _Key(key, str(content.get("alg", "")))
    return keys
