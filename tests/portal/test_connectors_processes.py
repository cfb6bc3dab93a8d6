"""Several processes: a breaker that they share, a worker that dies, a queue that is delivered."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from portal.connectors.models import CachedAnswer, QueuedWrite
from portal.connectors.problems import Code
from portal.connectors.services import read, workers, write
from portal.connectors.stand_ins.server import Fault
from tests.support.outside import Outside, outside_systems
from tests.support.processes import celery_worker
from tests.support.services import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

FORM = ("registry", "form", "104217/pre-crf/1")


@pytest.fixture
def outside(tmp_path: Path, settings: Settings) -> Generator[Outside, None, None]:
    with outside_systems(tmp_path, slow_s=20.0) as running:
        settings.PORTAL_OUTSIDE_SYSTEMS = running.tables(read_timeout_s=25.0)
        yield running


def _until(holds: Callable[[], Any], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_processes_share_the_circuit_breaker(outside: Outside, settings: Settings) -> None:
    settings.PORTAL_OUTSIDE_SYSTEMS = outside.tables()
    environment = {"PORTAL_OUTSIDE_SYSTEMS": str(outside.write_toml())}
    outside.registry.fault = Fault.FAILING
    program = (
        "import django; django.setup()\n"
        "from portal.connectors.services import read\n"
        "print([read('registry', 'patient', str(n)).problem.code.value for n in range(4)])"
    )
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, **environment, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert told.splitlines()[-1] == "['failed', 'failed', 'failed', 'open']"
    calls = len(outside.registry.calls)
    assert read("registry", "patient", "104217").problem.code == Code.OPEN
    assert len(outside.registry.calls) == calls


@pytest.mark.requirement("DR-134")
def test_a_worker_killed_between_sending_and_its_acknowledgement_sends_again_and_it_counts_once(
    outside: Outside,
) -> None:
    environment = {
        "PORTAL_OUTSIDE_SYSTEMS": str(outside.write_toml(read_timeout_s=25.0)),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    outside.registry.fault = Fault.SLOW  # it does what it is asked, and answers late
    with celery_worker(env=environment) as worker:
        write(*FORM, {"A18": 1}, idempotency_key="one")
        _until(lambda: outside.patients.taken)
        worker.kill()
        assert QueuedWrite.objects.get().state == QueuedWrite.State.WAITING
        assert read(*FORM).undelivered
        outside.registry.fault = Fault.NONE
        worker.start_again()
        _until(lambda: _kicked_until_delivered())
    assert outside.patients.taken == [(FORM[2], "one")]
    assert outside.patients.repeats == 1


def _kicked_until_delivered() -> bool:
    """As the sweeper does every ten seconds; its lock is freed when the database notices."""
    workers.kick("registry", at_once=True)
    time.sleep(0.2)
    return QueuedWrite.objects.filter(state=QueuedWrite.State.DELIVERED).exists()


def test_a_stale_value_is_refreshed_by_a_worker_while_the_page_has_the_old_one(
    outside: Outside,
) -> None:
    environment = {
        "PORTAL_OUTSIDE_SYSTEMS": str(outside.write_toml()),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
    }
    read("registry", "patient", "104217")
    CachedAnswer.objects.update(stale=True)
    outside.patients.patients["104217"] = {"number": "104217", "initials": "Z.Z."}
    with celery_worker(env=environment):
        assert read("registry", "patient", "104217").value["initials"] == "A.B."
        _until(lambda: read("registry", "patient", "104217").value["initials"] == "Z.Z.")
