"""Outside systems that speak JSON over HTTPS.

``read`` is a path with ``{key}``, asked by GET; ``write`` one that takes a PUT with the header
``Idempotency-Key``. Redirects are not followed: where data goes is said by the configuration.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from time import monotonic
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth

from portal.connectors.configuration import (
    ABSENT,
    ConfigurationError,
    OutsideSystem,
    Resource,
)
from portal.connectors.interfaces.json_values import from_text
from portal.connectors.problems import Code, OutsideFailure

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_PIECE_BYTES = 65536


def open_client(system: OutsideSystem) -> HttpJson:
    """ConfigurationError where the address, the credentials or a path cannot be used."""
    parts = urlsplit(system.address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError("address: it is no https:// address")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigurationError("address: only https:// leaves this machine")
    if parts.username or parts.query or parts.fragment:
        raise ConfigurationError("address: host and path alone")
    if system.auth not in {"none", "basic", "bearer"}:
        raise ConfigurationError(f"auth: {system.auth!r} is none of none, basic, bearer")
    if (system.auth != "none") != bool(system.secret_file):
        raise ConfigurationError("auth and secret_file: both or neither")
    for resource in system.resources.values():
        for name in ("read", "write"):
            _check_path(f"resources.{resource.name}.{name}", getattr(resource, name))
    return HttpJson(system)


def _check_path(place: str, path: str) -> None:
    if not path:
        return
    try:
        names = [name for _text, name, _spec, _how in string.Formatter().parse(path) if name]
    except ValueError as error:
        raise ConfigurationError(f"{place}: {error}") from None
    if names != ["key"]:
        raise ConfigurationError(f"{place}: it must hold {{key}} once, and no other name")
    if "://" in path:
        raise ConfigurationError(f"{place}: a path below the address, not an address")


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class HttpJson:
    """A client of one system. Each call has a connection of its own: any thread may use it."""

    def __init__(self, system: OutsideSystem) -> None:
        self._system = system

    def read(self, resource: Resource, key: str) -> Any:
        """The JSON value at the resource's path, ABSENT for 404."""
        status, body = self._call("GET", self._address(resource.read, key))
        if status in {404, 410}:
            return ABSENT
        return from_text(body)

    def write(
        self, resource: Resource, key: str, payload: Mapping[str, Any], idempotency_key: str
    ) -> None:
        """Accepted when this returns; by the header the other side knows a second sending."""
        status, _body = self._call(
            "PUT",
            self._address(resource.write, key),
            json=payload,
            headers={"Idempotency-Key": idempotency_key},
        )
        if status in {404, 410}:
            raise OutsideFailure(Code.REFUSED, f"HTTP {status}")

    def probe(self) -> None:
        """Whether it answers. Without a path for it, that it accepts a connection must do."""
        status, _body = self._call("GET", self._join(self._system.probe))
        if self._system.probe and status >= 400:
            raise OutsideFailure(Code.FAILED, f"HTTP {status}")

    def _join(self, path: str) -> str:
        return f"{self._system.address.rstrip('/')}/{path.lstrip('/')}"

    def _address(self, path: str, key: str) -> str:
        if key in {".", ".."}:  # a path's dots would be taken for folders
            raise OutsideFailure(Code.REFUSED, "this key cannot stand in a path")
        return self._join(path.format(key=quote(key, safe="")))

    def _auth(self) -> AuthBase | None:
        if self._system.auth == "none":
            return None
        secret = self._system.secret()
        if self._system.auth == "bearer":
            return _Bearer(secret)
        user, _colon, password = secret.partition(":")
        return HTTPBasicAuth(user.encode(), password.encode())

    def _call(self, method: str, address: str, **sent: Any) -> tuple[int, bytes]:
        system = self._system
        ends_at = monotonic() + system.connect_timeout_s + system.read_timeout_s
        sent["headers"] = {"Accept": "application/json", **sent.get("headers", {})}
        with requests.Session() as session:
            session.trust_env = False  # no proxy, no .netrc: as configured or not at all
            try:
                response = session.request(
                    method,
                    address,
                    auth=self._auth(),
                    timeout=(system.connect_timeout_s, system.read_timeout_s),
                    allow_redirects=False,
                    stream=True,
                    verify=system.ca_file or True,
                    **sent,
                )
                _look_at_status(response, is_read=method == "GET")
                return response.status_code, self._body(response, ends_at)
            except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
                raise OutsideFailure(Code.SLOW, type(error).__name__) from None
            except (
                requests.exceptions.ChunkedEncodingError,
                requests.exceptions.ContentDecodingError,
                urllib3.exceptions.HTTPError,
            ) as error:
                raise OutsideFailure(Code.HALF, type(error).__name__) from None
            except requests.exceptions.ConnectionError as error:
                raise OutsideFailure(_away_or_half(error), _cause(error)) from None
            except (requests.exceptions.RequestException, OSError) as error:
                raise OutsideFailure(Code.AWAY, type(error).__name__) from None

    def _body(self, response: requests.Response, ends_at: float) -> bytes:
        """All of it, unless it is too long or drips for longer than the time-outs."""
        pieces, size = [], 0
        while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > self._system.most_bytes:
                raise OutsideFailure(Code.WRONG, f"more than {self._system.most_bytes} bytes")
            if monotonic() > ends_at:
                raise OutsideFailure(Code.SLOW, "it was still answering")
        return b"".join(pieces)


def _look_at_status(response: requests.Response, *, is_read: bool) -> None:
    status = response.status_code
    if status in {401, 403, 407}:
        raise OutsideFailure(Code.CREDENTIALS, f"HTTP {status}")
    if status >= 500 or status in {408, 425, 429}:
        raise OutsideFailure(Code.FAILED, f"HTTP {status}")
    if 300 <= status < 400:
        raise OutsideFailure(Code.WRONG, f"HTTP {status}: redirects are not followed")
    if status >= 400 and status not in {404, 410}:
        raise OutsideFailure(Code.REFUSED, f"HTTP {status}")
    kind = response.headers.get("Content-Type", "")
    if is_read and status < 300 and "json" not in kind.lower():
        raise OutsideFailure(Code.WRONG, "its answer is not application/json")


def _away_or_half(error: BaseException) -> Code:
    """A connection that broke after it stood is half an answer; none at all is being away."""
    return Code.HALF if "ProtocolError" in _cause(error) else Code.AWAY


def _cause(error: BaseException) -> str:
    """The names of what went wrong, without texts: those quote the address, and so the key."""
    inner = error.args[0] if error.args else None
    names = [type(error).__name__]
    while isinstance(inner, BaseException):
        names.append(type(inner).__name__)
        inner = getattr(inner, "reason", None)
    return ", ".join(names)
