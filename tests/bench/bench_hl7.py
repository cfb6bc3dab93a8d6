"""HL7: messages a second accepted and committed, against a bare python-hl7 server.

Both are processes of their own, store in the same (durable) database server and are sent the same
messages by the same client, in turns: ours, bare, bare, ours …
"""

from __future__ import annotations

import os
import secrets
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from hl7.client import MLLPClient

from portal.demo.embedded import free_port
from portal.demo.processes import RunningService, Service
from tests.bench.measures import Measure
from tests.support.services import ROOT

HOST = "127.0.0.1"
ROUNDS = 9
TARGET = 0.70
SENDERS = {1: 300, 8: 75}
"""Number of senders at once → messages that each of them sends in a round."""


def run(*, kind: str = "ORM^O01", env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Medians of messages a second and their ratio, for one sender and for several at once.

    `kind`: the type of the messages, of which an installed module must take some.
    """
    rates: dict[tuple[str, int], list[float]] = {}
    this_run = secrets.token_hex(4)  # the listener would know a control id of another run again
    with tempfile.TemporaryDirectory() as logs, _listener(logs, env) as ours, _bare(logs) as bare:
        servers = {"ours": ours, "bare": bare}
        for name, port in servers.items():  # connections, plans and pages in memory
            _send(port, kind, f"{this_run}-{name}", senders=8, each=20)
        for number in range(ROUNDS):
            in_turn = list(servers.items())[:: 1 if number % 2 else -1]
            for senders, each in SENDERS.items():
                for name, port in in_turn:
                    before = _stored(name)
                    rate = _send(port, kind, f"{this_run}-{number}-{senders}", senders, each)
                    if _stored(name) - before != senders * each:
                        raise AssertionError(f"{name} answered AA to what it has not stored")
                    rates.setdefault((name, senders), []).append(rate)
    medians = {key: statistics.median(values) for key, values in rates.items()}
    # Of each round by itself: what else the machine does hits both sides of a round alike.
    ratios = {
        n: statistics.median(
            ours / bare for ours, bare in zip(rates["ours", n], rates["bare", n], strict=True)
        )
        for n in SENDERS
    }
    return {
        "ratio": min(ratios.values()),
        "ratios": ratios,
        "medians_per_s": {f"{name}, {n} senders": rate for (name, n), rate in medians.items()},
        "measures": [measure for n in SENDERS for measure in _measures(n, medians, ratios[n])],
    }


def _measures(
    senders: int, medians: Mapping[tuple[str, int], float], ratio: float
) -> list[Measure]:
    what = "1 sender" if senders == 1 else f"{senders} senders at once"
    bare = medians["bare", senders]
    return [
        Measure(
            name=f"HL7 accepted and committed, {what}",
            number=medians["ours", senders],
            unit="messages/s",
            compared_with=f"a bare python-hl7 server with one INSERT: {bare:.0f} messages/s",
        ),
        Measure(
            name=f"the same as a ratio, {what}",
            number=ratio,
            unit="",
            target=f"≥ {TARGET}",
            compared_with="ours ÷ bare, median of the rounds",
        ),
    ]


def _message(kind: str, control_id: str) -> bytes:
    procedure = "PETFDG^FDG PET helkrop"
    order = {1: "XO", 2: "P1", 3: "F1", 5: "SC", 7: "^^^20261123093000", 20: control_id}
    request = {1: "1", 2: "P1", 3: "F1", 4: procedure, 20: control_id, 21: "PET1"}
    segments = [
        rf"MSH|^~\&|RIS|RH|PORTAL|RH|20261121081500||{kind}|{control_id}|P|2.3.1||||||8859/1",
        "PID|1||010190-1234^^^CPR||Hansen^Jens^Erik||19900101|M|||Vej 1^^København^^2100",
        "PV1|1|O|PET^^^RH|||||||||||||||V100200",
        _segment("ORC", order),
        _segment("OBR", request),
    ]
    return "".join(f"{segment}\r" for segment in segments).encode("latin-1")


def _segment(name: str, fields: Mapping[int, str]) -> str:
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def _send(port: int, kind: str, name: str, senders: int, each: int) -> float:
    """Messages a second, all of them answered AA; AssertionError at any other answer."""
    start = threading.Barrier(senders + 1)
    refused: list[bytes] = []

    def send(sender: int) -> None:
        messages = [_message(kind, f"{name}-{sender}-{number}") for number in range(each)]
        with MLLPClient(HOST, port) as client:
            start.wait()
            for message in messages:
                answer = client.send_message(message)
                if b"MSA|AA|" not in answer:
                    refused.append(answer)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(senders)]
    for thread in threads:
        thread.start()
    start.wait()
    began_at = time.perf_counter()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - began_at
    if refused:
        raise AssertionError(f"{len(refused)} messages were refused: {refused[0]!r}")
    return senders * each / took_s


def _stored(name: str) -> int:
    table = {"ours": "inbox_inboundmessage", "bare": "bare_messages"}[name]
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _listener(logs: str, env: Mapping[str, str] | None) -> Generator[int, None, None]:
    port = free_port()
    argv = (sys.executable, str(ROOT / "manage.py"), "hl7_listener", "--port", str(port))
    with _running("listener", argv, port, logs, {**os.environ, **(env or {})}):
        yield port


@contextmanager
def _bare(logs: str) -> Generator[int, None, None]:
    port = free_port()
    arguments = ("--port", str(port), "--database-url", os.environ["DATABASE_URL"])
    argv = (sys.executable, "-m", "tests.bench.bare_hl7_server", *arguments)
    with _running("bare", argv, port, logs, dict(os.environ)):
        yield port


@contextmanager
def _running(
    name: str, argv: tuple[str, ...], port: int, logs: str, env: dict[str, str]
) -> Generator[None, None, None]:
    def answers() -> bool:
        try:
            MLLPClient(HOST, port).close()
        except ConnectionRefusedError:
            return False
        return True

    service = Service(
        name=name,
        argv=argv,
        url=f"mllp://{HOST}:{port}",
        stop_signal=signal.SIGTERM,
        is_ready=answers,
        env=env,
        cwd=ROOT,
    )
    running = RunningService(service, Path(logs) / f"{name}.log")
    try:
        yield
    finally:
        running.stop()
