"""An HTTP service whose faults can be switched, from a port of its own.

The control port answers while the service refuses connections: ``GET /`` is a page with buttons,
``GET /state`` says what is switched and what was asked, ``POST /fault/<name>`` switches.
"""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

HOST = "127.0.0.1"
SLOW_S = 35.0


class Fault(StrEnum):
    """What can be wrong with an outside system."""

    NONE = "none"
    SLOW = "slow"
    REFUSED = "refused"
    HALF = "half"
    CREDENTIALS = "credentials"
    STALE = "stale"
    WRONG = "wrong"
    FAILING = "failing"
    REJECTING = "rejecting"


FAULTS: Mapping[Fault, str] = {
    Fault.NONE: "works",
    Fault.SLOW: "does what it is asked, and answers after 35 s",
    Fault.REFUSED: "refuses connections",
    Fault.HALF: "breaks off in the middle of its answer",
    Fault.CREDENTIALS: "does not know the portal's credentials (401)",
    Fault.STALE: "answers with what it had before",
    Fault.WRONG: "answers what is no JSON",
    Fault.FAILING: "answers that it failed (500)",
    Fault.REJECTING: "refuses what is written (422)",
}


@dataclass(frozen=True)
class Answer:
    """What a service says to a request."""

    status: int
    body: Any = None


@dataclass(frozen=True)
class Asked:
    """A request to a service. ``stale``: it is to answer with what it had before."""

    method: str
    parts: list[str]
    sent: Any = None
    idempotency_key: str = ""
    stale: bool = False


Service = Callable[[Asked], Answer]


@dataclass
class StandIn:
    """One running service: ``start()``, ``stop()``; in between ``fault`` may be set."""

    name: str
    service: Service
    token: str
    port: int = 0
    control_port: int = 0
    slow_s: float = SLOW_S
    calls: list[tuple[str, str]] = field(default_factory=list)
    _fault: Fault = Fault.NONE
    _servers: dict[str, ThreadingHTTPServer] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)
    _switched: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def control_url(self) -> str:
        return f"http://{HOST}:{self.control_port}"

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | str) -> None:
        with self._lock:
            self._fault = Fault(fault)
            self._switched.set()  # nobody waits out the 35 s of a fault that is over
            self._switched = threading.Event()
            if self._fault == Fault.REFUSED:
                self._close("service")
            elif "service" not in self._servers:
                self.port = self._open("service", self.port, _ServiceHandler)

    def start(self) -> None:
        self.control_port = self._open("control", self.control_port, _ControlHandler)
        self.port = self._open("service", self.port, _ServiceHandler)

    def stop(self) -> None:
        self._ended.set()
        self._switched.set()
        for name in list(self._servers):
            self._close(name)

    def wait(self) -> None:
        """Until ``stop()``."""
        self._ended.wait()

    def sleep(self) -> None:
        """The time of a slow answer, or until the fault is switched or everything ends."""
        self._switched.wait(self.slow_s)

    def _open(self, name: str, port: int, handler: type[BaseHTTPRequestHandler]) -> int:
        server = ThreadingHTTPServer((HOST, port), type(handler.__name__, (handler,), {"of": self}))
        server.daemon_threads = True
        self._servers[name] = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return int(server.server_address[1])

    def _close(self, name: str) -> None:
        server = self._servers.pop(name, None)
        if server is not None:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    of: StandIn

    def log_message(self, *_: Any) -> None:
        """Nothing: addresses hold patients' numbers."""

    def say(
        self, status: int, body: bytes, kind: str = "application/json", *, half: bool = False
    ) -> None:
        with suppress(ConnectionError):  # who asked did not wait
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if half else body)


class _ServiceHandler(_Handler):
    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        fault, path = self.of.fault, urlsplit(self.path).path
        sent = self._sent()
        self.of.calls.append((self.command, path))
        given = self.headers.get("Authorization", "")
        if fault == Fault.CREDENTIALS or not hmac.compare_digest(
            given.encode(), f"Bearer {self.of.token}".encode()
        ):
            self.say(401, b'{"error": "unknown credentials"}')
        elif fault == Fault.FAILING:
            self.say(500, b'{"error": "failing"}')
        elif fault == Fault.REJECTING and self.command == "PUT":
            self.say(422, b'{"error": "rejected"}')
        else:
            parts = [unquote(part) for part in path.split("/") if part]
            key = self.headers.get("Idempotency-Key", "")
            asked = Asked(self.command, parts, sent, key, stale=fault == Fault.STALE)
            self._say_with(fault, self.of.service(asked))

    def _say_with(self, fault: Fault, answer: Answer) -> None:
        body = json.dumps(answer.body, ensure_ascii=False).encode()
        if fault == Fault.SLOW:  # done, but told late: who asks again asks for what was done
            self.of.sleep()
        if fault == Fault.WRONG:
            body = b"<html>Session expired</html>" + body
        self.say(answer.status, body, half=fault == Fault.HALF)

    def _sent(self) -> Any:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        try:
            return json.loads(raw) if raw else None
        except ValueError:
            return None


class _ControlHandler(_Handler):
    def do_GET(self) -> None:
        state = {"name": self.of.name, "fault": self.of.fault, "calls": self.of.calls[-200:]}
        if self.path == "/state":
            self.say(200, json.dumps(state).encode())
        elif self.path == "/":
            self.say(200, _page(self.of).encode(), "text/html; charset=utf-8")
        else:
            self.say(404, b"{}")

    def do_POST(self) -> None:
        name = self.path.removeprefix("/fault/")
        try:
            self.of.fault = Fault(name)
        except ValueError:
            self.say(404, json.dumps({"faults": list(Fault)}).encode())
            return
        if "text/html" in self.headers.get("Accept", ""):
            with suppress(ConnectionError):
                self.send_response(303)
                self.send_header("Location", "/")
                self.end_headers()
        else:
            self.say(200, json.dumps({"fault": self.of.fault}).encode())


def _page(stand_in: StandIn) -> str:
    buttons = "".join(
        f'<form method="post" action="/fault/{fault}"><button>{fault}</button> {what}'
        f"{' <strong>(now)</strong>' if fault == stand_in.fault else ''}</form>"
        for fault, what in FAULTS.items()
    )
    return (
        f'<!doctype html><html lang="en"><title>{stand_in.name}</title>'
        f"<h1>The demo's {stand_in.name}</h1><p>It {FAULTS[stand_in.fault]}.</p>{buttons}"
    )
