"""Real processes and servers for tests of faults and of whole ways through the portal.

Each is a context manager. Those that start a process give a `RunningService`: `stop()` ends it in
order, `kill()` is a SIGKILL to the process and all it started, `start_again()` starts it at the
same address, `log` is its output. They use this test process' own database, Redis and state folder
(see `services.py`), so the test must commit what they are to see: `transactional_db`, or
`@pytest.mark.django_db(transaction=True)`.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from aiosmtpd.controller import Controller
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from portal.demo.embedded import free_port
from portal.demo.processes import RunningService, Service
from tests.support.services import ROOT, RUN_FOLDER

if TYPE_CHECKING:
    from portal.demo import identity_provider as provider

HOST = "127.0.0.1"
_PYTHON = (sys.executable, "-W", "ignore::DeprecationWarning")
_numbers = itertools.count(1)


def _log(name: str) -> Path:
    """A log file of its own for each process, among the run's temporary files."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return Path(os.environ[RUN_FOLDER]) / worker / "logs" / f"{name}-{next(_numbers)}.log"


def answers(port: int) -> bool:
    """Whether something accepts connections on a port of the loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


@contextmanager
def running(service: Service) -> Generator[RunningService, None, None]:
    """Run any service for as long as the block lasts, killed or not in between."""
    started = RunningService(service, _log(service.name))
    try:
        yield started
    finally:
        started.stop()


def _environment(changes: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(changes or {})}


# --- the portal's own processes --------------------------------------------------------------


def _answers_ping(asking: Celery, name: str) -> bool:
    """By a connection of its own: a pooled one may be from before Redis was killed."""
    try:
        with asking.connection_for_write() as broker:
            return bool(asking.control.ping(destination=[name], timeout=0.3, connection=broker))
    except (OSError, RedisError, OperationalError):
        return False


@contextmanager
def celery_worker(
    *, concurrency: int = 1, beat: bool = False, env: Mapping[str, str] | None = None
) -> Generator[RunningService, None, None]:
    """A Celery worker that takes tasks from this test's Redis; ready when it answers a ping.

    With `beat` it also sends the periodic tasks that the modules declare.
    """
    from portal.config import celery

    name = f"test{next(_numbers)}@localhost"
    environment = _environment(env)
    schedule = _log(f"beat-{next(_numbers)}").with_suffix(".schedule")
    broker = environment["REDIS_URL"]
    # never the current app: shared tasks of this process would go to its broker from then on
    own = broker == os.environ["REDIS_URL"]
    asking = celery if own else Celery(broker=broker, set_as_current=False)
    service = Service(
        name="worker",
        argv=(
            *(*_PYTHON, "-m", "celery", "-A", "portal.config", "worker", "--loglevel", "INFO"),
            *("--hostname", name, "--concurrency", str(concurrency)),
            *(("--beat", "--schedule", str(schedule)) if beat else ()),
        ),
        url=name,
        stop_signal=signal.SIGTERM,
        is_ready=lambda: _answers_ping(asking, name),
        env=environment,
        cwd=ROOT,
    )
    with running(service) as worker:
        yield worker


@contextmanager
def hl7_listener(*, env: Mapping[str, str] | None = None) -> Generator[RunningService, None, None]:
    """`manage.py hl7_listener` on a free port; `url` is `mllp://127.0.0.1:<port>`."""
    port = free_port()
    service = Service(
        name="hl7-listener",
        argv=(*_PYTHON, str(ROOT / "manage.py"), "hl7_listener"),
        url=f"mllp://{HOST}:{port}",
        stop_signal=signal.SIGTERM,
        is_ready=lambda: answers(port),
        env=_environment({"PORTAL_HL7_HOST": HOST, "PORTAL_HL7_PORT": str(port), **(env or {})}),
        cwd=ROOT,
    )
    with running(service) as listener:
        yield listener


@contextmanager
def site_process(*, env: Mapping[str, str] | None = None) -> Generator[RunningService, None, None]:
    """The whole ASGI application in a process that a test can kill; `url` is its address."""
    with asgi_process("portal.config.asgi:application", env=env) as site:
        yield site


@contextmanager
def asgi_process(
    application: str, *, env: Mapping[str, str] | None = None
) -> Generator[RunningService, None, None]:
    """Any ASGI application (`module:name`) in the server that the portal runs in."""
    port = free_port()
    service = Service(
        name="web",
        argv=(
            *(*_PYTHON, "-m", "uvicorn", application),
            *("--host", HOST, "--port", str(port), "--timeout-graceful-shutdown", "2"),
        ),
        url=f"http://{HOST}:{port}",
        stop_signal=signal.SIGTERM,
        is_ready=lambda: answers(port),
        env=_environment({"PORTAL_BASE_URL": f"http://{HOST}:{port}", **(env or {})}),
        cwd=ROOT,
    )
    with running(service) as site:
        yield site


@contextmanager
def site_in_thread(application: Any = None) -> Generator[str, None, None]:
    """An ASGI application (the portal's own) served from a thread of this process; its address.

    Faster than a process, measured by coverage, and sees settings that the test changes.
    """
    if application is None:
        from portal.config.asgi import application
    config = uvicorn.Config(
        application,
        host=HOST,
        port=0,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="site")
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the site's thread ended before it served")
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join()


# --- what stands around the portal -----------------------------------------------------------


@dataclass
class IdentityProvider:
    """A running OpenID Connect provider; `issuer` is what the settings say it is."""

    issuer: str
    people: list[provider.Person]

    def add(self, person: provider.Person) -> None:
        """Let a person log in with one click; the same `sub` again changes their claims."""
        self.people[:] = [other for other in self.people if other.sub != person.sub] + [person]
        request = urllib.request.Request(
            f"{self.issuer}/users/{person.sub}",
            data=json.dumps(person.claims()).encode(),
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)


@contextmanager
def identity_provider(listening: socket.socket) -> Generator[IdentityProvider, None, None]:
    """`oidc-provider-mock` on the socket that `services.py` keeps for it, without people yet."""
    from portal.demo import identity_provider as provider  # slow: only for those who use it

    people: list[provider.Person] = []
    listening.listen()
    with provider.running_in_thread(people, listening=listening) as issuer:
        yield IdentityProvider(issuer, people)


@dataclass
class MailServer:
    """A running SMTP server and what it was given."""

    port: int
    messages: list[Message] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Accept a message (aiosmtpd calls this)."""
        self.messages.append(message_from_bytes(envelope.content))
        return "250 OK"

    def wait_for(self, count: int, within_s: float = 10) -> list[Message]:
        """The messages, once there are `count`; AssertionError where they do not come."""
        deadline = time.monotonic() + within_s
        while len(self.messages) < count:
            assert time.monotonic() < deadline, f"{len(self.messages)} of {count} messages came"
            time.sleep(0.02)
        return self.messages


@contextmanager
def mail_server() -> Generator[MailServer, None, None]:
    """An SMTP server on a free port; the portal needs `EMAIL_HOST`, `EMAIL_PORT` to find it."""
    mail = MailServer(port=free_port())
    controller = Controller(mail, hostname=HOST, port=mail.port)
    controller.start()
    try:
        yield mail
    finally:
        controller.stop()
