"""The demo's and the tests' identity provider: `oidc-provider-mock` with one-click people.

A real OpenID Connect provider over HTTP, with three things of ours on top: its login page lists
people by name and role and loads nothing from elsewhere, it can be stopped and started at the same
address, and it holds clients to PKCE (RFC 7636), which the library leaves out.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import socket
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import flask
import jinja2
import oidc_provider_mock
from werkzeug.serving import BaseWSGIServer, make_server

HOST = "127.0.0.1"
_HERE = Path(__file__).parent
_CSS = """
body { font: 1.1rem/1.5 system-ui, sans-serif; margin: 0; background: #f3f5f7; color: #16202a }
main { max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
form { display: grid; gap: .5rem; margin-bottom: 1.5rem }
button { font: inherit; text-align: left; padding: .6rem 1rem; border: 1px solid #8796a5;
  border-radius: .4rem; background: #fff; color: inherit; cursor: pointer;
  display: flex; justify-content: space-between; gap: 1rem }
button:hover, button:focus-visible { outline: 3px solid #1c6ea4 }
"""


@dataclass(frozen=True)
class Person:
    """Someone who can log in; `role` is only shown, `groups` is what the portal is told."""

    sub: str
    regional_id: str
    name: str
    email: str
    groups: tuple[str, ...] = ()
    role: str = ""

    def claims(self) -> dict[str, object]:
        """What the provider says of this person, in the claims the portal reads."""
        given_name, _, family_name = self.name.rpartition(" ")
        return {
            "preferred_username": self.regional_id,
            "name": self.name,
            "given_name": given_name,
            "family_name": family_name,
            "email": self.email,
            "email_verified": True,
            "groups": list(self.groups),
        }


def people_from(rows: Sequence[dict[str, Any]]) -> list[Person]:
    """Typed people out of what `manage.py demo_people --json` prints; other keys are ignored.

    External people are left out: the directory does not know them, they have a local account.
    """
    return [
        Person(
            sub=row["sub"],
            regional_id=row["regional_id"],
            name=row["name"],
            email=row["email"],
            groups=tuple(row["groups"]),
            role=str(row.get("role", "")),
        )
        for row in rows
        if not row.get("external")  # they have an account and a password of their own
    ]


def application(people: Sequence[Person]) -> flask.Flask:
    """The provider as a WSGI application."""
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the loopback has no TLS
    app = oidc_provider_mock.app(
        user_claims=[
            oidc_provider_mock.User(sub=person.sub, claims=person.claims()) for person in people
        ]
    )
    own = jinja2.FileSystemLoader(_HERE / "templates")
    app.jinja_loader = jinja2.ChoiceLoader([own, *filter(None, [app.jinja_loader])])
    app.context_processor(lambda: {"people": people})
    app.add_url_rule("/stand-in.css", view_func=_stylesheet)
    _require_pkce(app)
    return app


def _stylesheet() -> flask.Response:
    return flask.Response(_CSS, mimetype="text/css")


def _require_pkce(app: flask.Flask) -> None:
    challenges: dict[str, str] = {}

    @app.before_request
    def refuse_without_proof() -> flask.Response | None:
        if flask.request.path == "/oauth2/authorize":
            arguments = flask.request.args
            if not arguments.get("code_challenge"):
                return _error("invalid_request", "code_challenge is required")
            if arguments.get("code_challenge_method") != "S256":
                return _error("invalid_request", "code_challenge_method must be S256")
        if flask.request.path == "/oauth2/token" and "code" in flask.request.form:
            challenge = challenges.pop(flask.request.form["code"], "")
            verifier = flask.request.form.get("code_verifier", "")
            if not hmac.compare_digest(challenge, code_challenge(verifier)):
                return _error("invalid_grant", "code_verifier does not fit the code_challenge")
        return None

    @app.after_request
    def remember_challenge(response: flask.Response) -> flask.Response:
        if flask.request.path == "/oauth2/authorize" and response.location:
            for code in parse_qs(urlsplit(response.location).query).get("code", []):
                challenges[code] = flask.request.args["code_challenge"]
        return response


def code_challenge(verifier: str) -> str:
    """RFC 7636, 4.2: BASE64URL(SHA256(verifier)) without padding."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _error(error: str, description: str) -> flask.Response:
    response = flask.jsonify({"error": error, "error_description": description})
    response.status_code = 400
    return response


def server(
    people: Sequence[Person], *, port: int = 0, listening: socket.socket | None = None
) -> BaseWSGIServer:
    """A server on the loopback that does not serve yet.

    It listens on `port` (0: a free one), or on a socket that already listens.
    """
    return make_server(
        HOST,
        port,
        application(people),
        threaded=True,
        fd=listening.fileno() if listening is not None else None,
    )


@contextmanager
def running_in_thread(
    people: Sequence[Person], *, port: int = 0, listening: socket.socket | None = None
) -> Generator[str, None, None]:
    """Serve from a thread for as long as the block runs; gives the issuer's URL."""
    provider = server(people, port=port, listening=listening)
    thread = threading.Thread(target=provider.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://{HOST}:{provider.socket.getsockname()[1]}"
    finally:
        provider.shutdown()
        thread.join()
        provider.server_close()


def main() -> None:
    """`python -m portal.demo.identity_provider --people people.json --port 9400`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--people", type=Path, required=True, help="a JSON list")
    parser.add_argument("--port", type=int, default=9400)
    arguments = parser.parse_args()
    rows = json.loads(arguments.people.read_text(encoding="utf-8"))
    server(people_from(rows), port=arguments.port).serve_forever()


if __name__ == "__main__":
    main()
