"""Login services as small real HTTP servers that a test can make misbehave.

`cas_server()` speaks CAS 3.0 (/login, /p3/serviceValidate, single logout), `token_provider()` the
part of OpenID Connect that the portal's server talks to, with tokens that say whatever a test wants
(`tests.support.processes.identity_provider` is a whole and well-behaved one).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.sax.saxutils import escape

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

HOST = "127.0.0.1"
Answer = tuple[int, dict[str, str], bytes]


class Answering(Protocol):
    def answer(self, path: str, query: dict[str, str]) -> Answer: ...


@contextmanager
def serving(service: Answering) -> Generator[str, None, None]:
    """Serve from threads on a free port; gives the address, without a slash at its end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = service.answer(address.path, query)
            try:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                return  # the portal had waited long enough

        do_POST = do_GET

        def log_message(self, *_args: Any) -> None:
            return

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- CAS -------------------------------------------------------------------------------------


@dataclass
class CasServer:
    """Who is logged in at the CAS server, and what is wrong with it today.

    ``fault``: '' (none), ``garbage``, ``entities``, ``error`` (500), ``slow``, ``neither``,
    ``redirect``. Tickets work once, and for the service that they were given for.
    """

    attributes: dict[str, str | list[str]]
    user: str = "RDAH0001"
    fault: str = ""
    slow_s: float = 1.0
    url: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    tickets: dict[str, str] = field(default_factory=dict)
    given: int = 0

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        self.asked.append((path, query))
        if path == "/cas/login":
            return 302, {"Location": self.location(query["service"])}, b""
        if path == "/cas/p3/serviceValidate":
            return self._validate(query)
        return 200, {}, b"CAS"

    def location(self, service: str) -> str:
        """Where a person who is logged in here is sent with a new ticket."""
        self.given += 1
        ticket = f"ST-{self.given}-abc"
        self.tickets[ticket] = service
        return f"{service}{'&' if '?' in service else '?'}{urlencode({'ticket': ticket})}"

    def _validate(self, query: dict[str, str]) -> Answer:
        if self.fault == "slow":
            time.sleep(self.slow_s)
        if self.fault == "error":
            return 500, {}, self._success()
        if self.fault == "redirect":
            return 302, {"Location": f"{self.url}login?service=x"}, b""
        if self.fault == "garbage":
            return 200, {}, b"<html><body>Maintenance</body>"
        if self.fault == "neither":
            return 200, {}, _response("")
        service = self.tickets.pop(query.get("ticket", ""), None)
        if service is None:
            return 200, {}, _failure("INVALID_TICKET", "ticket not recognized")
        if service != query.get("service"):
            return 200, {}, _failure("INVALID_SERVICE", "ticket was for another service")
        if self.fault == "entities":
            doctype = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
            return 200, {}, doctype + self._success().replace(b"RDAH", b"&b;")
        return 200, {}, self._success()

    def _success(self) -> bytes:
        attributes = "".join(
            f"<cas:{name}>{escape(value)}</cas:{name}>"
            for name, values in self.attributes.items()
            for value in ([values] if isinstance(values, str) else values)
        )
        return _response(
            f"<cas:authenticationSuccess><cas:user>{escape(self.user)}</cas:user>"
            f"<cas:attributes>{attributes}</cas:attributes></cas:authenticationSuccess>"
        )


def _response(inner: str) -> bytes:
    return (
        f'<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">{inner}</cas:serviceResponse>'
    ).encode()


def _failure(code: str, text: str) -> bytes:
    return _response(f'<cas:authenticationFailure code="{code}">{text}</cas:authenticationFailure>')


def logout_request(ticket: str) -> str:
    """A single-logout request (CAS protocol 3.0, appendix C)."""
    return (
        '<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="LR-1"'
        ' Version="2.0" IssueInstant="2026-11-22T10:00:00Z">'
        '<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">@NOT_USED@</saml:NameID>'
        f"<samlp:SessionIndex>{escape(ticket)}</samlp:SessionIndex></samlp:LogoutRequest>"
    )


@contextmanager
def cas_server() -> Generator[CasServer, None, None]:
    """A CAS server at whose ``url`` (with its slash) one person is logged in."""
    server = CasServer(
        attributes={
            "displayName": "Ane Holm",
            "mail": "ane@hospital.invalid",
            "memberOf": ["audit-people", "everybody"],
        }
    )
    with serving(server) as address:
        server.url = f"{address}/cas/"
        yield server


# --- OpenID Connect --------------------------------------------------------------------------


@dataclass
class TokenProvider:
    """Token, key and userinfo addresses of an OpenID Connect provider, as a test wants them.

    ``claims`` are put over those of a good ID token (None takes one away); ``faults`` names by path
    what is answered instead: a status and a body. ``slow_s`` delays every answer.
    """

    client_id: str
    issuer: str = ""
    nonce: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    slow_s: float = 0
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        time.sleep(self.slow_s)
        if path in self.faults:
            status, body = self.faults[path]
            return status, {"Content-Type": "application/json"}, body
        answers: dict[str, Any] = {
            "/jwks": {"keys": [self.jwk()]},
            "/token": {"access_token": "a", "token_type": "Bearer", "id_token": self.id_token()},
            "/userinfo": {"sub": "sub-ane", **self.userinfo},
        }
        if path not in answers:
            return 404, {}, b""
        body = json.dumps(answers[path]).encode()
        return 200, {"Content-Type": "application/json"}, body

    def jwk(self) -> dict[str, Any]:
        return json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key())) | {
            "kid": "key-1",
            "alg": "RS256",
            "use": "sig",
        }

    def id_token(self) -> str:
        now = time.time()
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": "sub-ane",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
            "preferred_username": "RDAH0001",
            "name": "Ane Holm",
            "email": "ane@hospital.invalid",
            "groups": ["audit-people"],
        }
        return self.sign(claims | self.claims)

    def logout_token(self, *, key: Any = None, headers: Any = None, **changes: Any) -> str:
        """A good logout token with ``changes`` over it; None takes a claim away."""
        now = time.time()
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + 120,
            "jti": f"jti-{time.time_ns()}",
            "sub": "sub-ane",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        return self.sign(claims | changes, key=key, headers=headers)

    def sign(self, claims: dict[str, Any], *, key: Any = None, headers: Any = None) -> str:
        said = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(
            said, key or self.key, algorithm="RS256", headers={"kid": "key-1", **(headers or {})}
        )


@contextmanager
def token_provider(settings: Any) -> Generator[TokenProvider, None, None]:
    """A provider that the portal's settings point at for as long as the block runs."""
    provider = TokenProvider(settings.OIDC_RP_CLIENT_ID)
    with serving(provider) as address:
        provider.issuer = settings.OIDC_OP_ISSUER = address
        settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{address}/authorize"
        settings.OIDC_OP_TOKEN_ENDPOINT = f"{address}/token"
        settings.OIDC_OP_USER_ENDPOINT = f"{address}/userinfo"
        settings.OIDC_OP_JWKS_ENDPOINT = f"{address}/jwks"
        settings.OIDC_VERIFY_KID = True
        yield provider
