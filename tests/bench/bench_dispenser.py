"""A file in the dispenser's folder → its vial on another person's open board.

Real beat, worker and web processes; the person's page is a websocket client that fetches the board
anew at every change, as the page does. Counted from the file's last byte until the fetched board
shows the vial. Files come at moments that have nothing to do with the scans.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.test import Client
from django.utils import timezone
from tracershop.interfaces.dispensed import DispensedVial
from tracershop.interfaces.dispenser_writer import write_val
from tracershop.services.dispenser import watched_folder
from websockets.sync.client import ClientConnection, connect

from portal.demo.processes import RunningService, Service
from tests.bench.measures import Measure
from tests.support import processes
from tests.support.services import ROOT, RUN_FOLDER
from tests.tracershop.factories import World, shop_world

FILES = 25
LONGEST_S = 30.0


def run() -> dict[str, Any]:
    """Median and 95th percentile in seconds."""
    world = shop_world()
    folder = watched_folder()
    folder.mkdir(parents=True, exist_ok=True)
    cookie = _session_of(world)
    with tempfile.TemporaryDirectory() as logs:
        os.environ[RUN_FOLDER] = logs
        with (
            processes.site_process() as site,
            processes.celery_worker(concurrency=2),
            _beat(Path(logs)),
        ):
            taken_s = _measure(world, site.url, cookie, folder)
    taken_s.sort()
    p95 = statistics.quantiles(taken_s, n=20)[-1]
    what = "file in the dispenser's folder → vial on another person's board"
    beat = "read every second, taken once stable from one scan to the next"
    return {
        "measures": [
            Measure(
                name=f"{what}, median of {FILES}",
                number=statistics.median(taken_s),
                unit="s",
                compared_with=beat,
            ),
            Measure(name=f"{what}, 95th percentile", number=p95, unit="s", compared_with=beat),
        ]
    }


def _measure(world: World, url: str, cookie: str, folder: Path) -> list[float]:
    today = timezone.localdate()
    address = f"{url.replace('http', 'ws')}/ws/live/"
    headers = {"Cookie": f"sessionid={cookie}"}
    taken_s = []
    chance = random.Random(1)
    with connect(address, additional_headers=headers, origin=url, proxy=None) as socket:
        _subscribe(socket, f"tracershop/day/{today:%Y-%m-%d}")
        for number in range(FILES + 2):
            lot = f"FDG-{today:%y%m%d}-{100 + number}"
            content = write_val(_vial(world, lot, number))
            time.sleep(chance.random())
            (folder / f"VAL{number}").write_bytes(content)
            began_at = time.perf_counter()
            _wait_for(socket, lot, f"{url}/tracershop/board/?day={today:%Y-%m-%d}", cookie)
            if number >= 2:  # everything has been imported and connected
                taken_s.append(time.perf_counter() - began_at)
    return taken_s


def _vial(world: World, lot: str, number: int) -> DispensedVial:
    filled_at = timezone.localtime().replace(microsecond=0)
    return DispensedVial(
        lot=lot,
        customer_id=world.customer_a.dispenser_id,
        customer_name=world.customer_a.name,
        filled_at=filled_at,
        activity_mbq=2000.0 + number,
        volume_ml=3.0,
        product="18F",
        expires_at=(filled_at + timedelta(hours=10)).replace(second=0),
    )


def _session_of(world: World) -> str:
    client = Client()
    client.force_login(world.uncertified, backend="portal.accounts.backends.RegionalIdBackend")
    return client.cookies["sessionid"].value


def _subscribe(socket: ClientConnection, topic: str) -> None:
    socket.send(json.dumps({"type": "subscribe", "topics": [topic]}))
    while (answer := json.loads(socket.recv(LONGEST_S)))["type"] != "subscribed":
        if answer["type"] == "refused":
            raise AssertionError(f"{topic} was refused")


def _wait_for(socket: ClientConnection, lot: str, board: str, cookie: str) -> None:
    ends_at = time.monotonic() + LONGEST_S
    while time.monotonic() < ends_at:
        if json.loads(socket.recv(LONGEST_S))["type"] != "change":
            continue
        request = urllib.request.Request(
            board, headers={"Cookie": f"sessionid={cookie}", "HX-Request": "true"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=LONGEST_S) as answer:
            if lot in answer.read().decode():
                return
    raise AssertionError(f"{lot} did not appear within {LONGEST_S:.0f} s")


@contextmanager
def _beat(logs: Path) -> Generator[RunningService, None, None]:
    log = logs / "beat.log"
    service = Service(
        name="beat",
        argv=(
            *(sys.executable, "-m", "celery", "-A", "portal.config", "beat", "--loglevel", "INFO"),
            *("--schedule", str(logs / "beat-schedule"), "--pidfile="),
        ),
        url="",
        stop_signal=signal.SIGTERM,
        is_ready=lambda: log.exists() and b"beat: Starting" in log.read_bytes(),
        env=dict(os.environ),
        cwd=ROOT,
    )
    running = RunningService(service, log)
    try:
        yield running
    finally:
        running.stop()
