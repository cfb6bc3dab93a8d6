"""What Prometheus is told, and whom it tells (OP-004, PT-005)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import shared_task
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from portal.audit.verification import verify_all
from portal.demo.processes import RunningService
from portal.inbox.models import InboundMessage
from portal.operations import metrics, state
from portal.operations.health import check_backup, note_beat, run_checks
from portal.operations.tasks import beat_alive
from portal.registry import registry
from tests.support.factories import give, make_unit, make_user
from tests.support.services import ROOT

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped() -> Samples:
    return samples(metrics.exposition().decode())


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


# --- whom it tells ---------------------------------------------------------------------------


@pytest.fixture
def token(tmp_path: Path, settings: Settings) -> str:
    path = tmp_path / "token"
    path.write_text("a-long-secret\n")
    settings.PORTAL_METRICS_TOKEN_FILE = str(path)
    return "a-long-secret"


@pytest.mark.requirement("OP-004", "PT-005")
@pytest.mark.django_db
def test_without_a_setting_nobody_reads_the_metrics_not_even_an_operator() -> None:
    assert Client().get("/metrics").status_code == 403
    operator = make_user("Operator")
    give(operator, "operations.operator", make_unit("house"))
    client = Client()
    client.force_login(operator, backend="portal.accounts.backends.RegionalIdBackend")
    assert client.get("/metrics").status_code == 403


@pytest.mark.requirement("OP-004", "PT-005")
@pytest.mark.django_db
def test_the_token_of_the_file_lets_in_and_nothing_else_does(token: str) -> None:
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    assert b"portal_release_info" in answer.content
    for wrong in ("", token, f"Basic {token}", f"Bearer {token}x", "Bearer ", "Bearer é"):
        refused = Client().get("/metrics", headers={"Authorization": wrong})
        assert refused.status_code == 403
        assert b"portal_" not in refused.content
    assert Client().post("/metrics").status_code in (403, 405)


@pytest.mark.requirement("OP-004", "PT-005")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        (["10.1.0.0/16"], "10.1.2.3", 200),
        (["10.1.0.0/16", "fd00::/8"], "fd00::7", 200),
        (["10.1.0.0/16"], "10.2.2.3", 403),
        (["10.1.0.0/16"], "", 403),
        (["no network"], "10.1.2.3", 403),
    ],
)
def test_only_listed_addresses_are_let_in(
    settings: Settings, networks: list[str], address: str, status: int
) -> None:
    settings.PORTAL_METRICS_NETWORKS = networks
    assert Client(REMOTE_ADDR=address).get("/metrics").status_code == status


@pytest.mark.requirement("OP-004", "PT-005")
@pytest.mark.django_db
def test_where_both_locks_are_set_both_must_open(token: str, settings: Settings) -> None:
    settings.PORTAL_METRICS_NETWORKS = ["10.0.0.0/8"]
    right = {"Authorization": f"Bearer {token}"}
    assert Client(REMOTE_ADDR="10.0.0.1").get("/metrics", headers=right).status_code == 200
    assert Client(REMOTE_ADDR="10.0.0.1").get("/metrics").status_code == 403
    assert Client(REMOTE_ADDR="11.0.0.1").get("/metrics", headers=right).status_code == 403


@pytest.mark.parametrize("content", [None, "", "\n"])
def test_a_token_file_that_is_missing_or_empty_lets_nobody_in(
    tmp_path: Path, settings: Settings, content: str | None
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    settings.PORTAL_METRICS_TOKEN_FILE = str(path)
    for header in ("Bearer", "Bearer ", "Bearer x"):
        assert Client().get("/metrics", headers={"Authorization": header}).status_code == 403


# --- requests --------------------------------------------------------------------------------


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db
def test_requests_are_counted_by_the_name_of_their_route_and_never_by_their_address() -> None:
    before = scraped()
    for number in (101, 102, 103):
        Client().get(f"/operations/audit/{number}/?patient=010190-1234")
    Client().get("/no/such/page/010190-1234")
    after = scraped()
    labels = {"method": "GET", "route": "operations:audit_entry", "status": "302"}
    name = ("portal_requests_total", tuple(sorted(labels.items())))
    assert after[name] - before.get(name, 0) == 3
    assert value(after, "portal_request_seconds_count", route="operations:audit_entry") >= 3
    assert "010190" not in metrics.exposition().decode()


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db
def test_the_queries_of_a_request_are_counted() -> None:
    def total() -> float:
        return scraped().get(("portal_request_queries_sum", (("route", "health_ready"),)), 0)

    before = total()
    with CaptureQueriesContext(connection) as captured:
        Client().get("/health/ready")
    assert total() - before == len(captured) > 0


@pytest.mark.django_db
def test_a_made_up_method_makes_no_label_of_its_own() -> None:
    Client().generic("BREW", "/health/live")
    assert "BREW" not in metrics.exposition().decode()


# --- tasks -----------------------------------------------------------------------------------


@shared_task(name="tests.fails")
def fails() -> None:
    raise ZeroDivisionError


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db
def test_tasks_are_counted_with_their_outcome_and_their_time() -> None:
    before = scraped()
    beat_alive.apply()
    fails.apply()
    after = scraped()
    for name, outcome in ((beat_alive.name, "success"), ("tests.fails", "failure")):
        labels = (("outcome", outcome), ("task", name))
        grown = after["portal_tasks_total", labels] - before.get(("portal_tasks_total", labels), 0)
        assert grown == 1
        assert value(after, "portal_task_seconds_count", task=name) >= 1


@pytest.mark.requirement("OP-004")
@pytest.mark.processes
def test_a_worker_s_tasks_are_told_by_the_web_process_through_the_shared_folder(
    tmp_path: Path, transactional_db: None
) -> None:
    from tests.support.processes import celery_worker

    with celery_worker(env={"PORTAL_METRICS_DIR": str(tmp_path)}) as worker:
        _run_one_task(worker)
    told = subprocess.run(
        [sys.executable, "-c", SCRAPE],
        env={**os.environ, "PORTAL_METRICS_DIR": str(tmp_path)},
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    counted = samples(told.stdout)
    assert value(counted, "portal_tasks_total", task=beat_alive.name, outcome="success") == 1


SCRAPE = """
import django; django.setup()
from portal.operations.metrics import exposition
print(exposition().decode())
"""


def _run_one_task(worker: RunningService) -> None:
    from portal.operations.health import last_beat_at

    assert last_beat_at() is None
    beat_alive.delay()
    deadline = timezone.now() + timedelta(seconds=30)
    while last_beat_at() is None:
        assert timezone.now() < deadline, worker.log.read_text()[-2000:]


# --- the state -------------------------------------------------------------------------------


def receive(state_: str, identity: str, minutes_ago: int) -> None:
    InboundMessage.objects.create(
        channel="hl7", source="ris", identity=identity, sha256="", size_bytes=1, state=state_,
        received_at=timezone.now() - timedelta(minutes=minutes_ago),
    )  # fmt: skip


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db
def test_depths_ages_and_faults_are_told(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    for number in range(3):
        receive("received", f"r{number}", minutes_ago=number)
    receive("quarantined", "q", minutes_ago=60)
    receive("done", "d", minutes_ago=600)
    monkeypatch.setitem(registry.quarantined, "qa", "its models do not load")
    settings.PORTAL_BACKUP_STAMP = str(tmp_path / "stamp")
    (tmp_path / "stamp").write_text((timezone.now() - timedelta(hours=2)).isoformat())
    note_beat(timezone.now() - timedelta(seconds=30))
    verify_all()
    found = scraped()
    assert value(found, "portal_inbox_messages", state="received") == 3
    assert value(found, "portal_inbox_messages", state="quarantined") == 1
    assert ("portal_inbox_messages", (("state", "done"),)) not in found
    assert 100 < value(found, "portal_inbox_oldest_age_seconds", state="received") < 180
    assert value(found, "portal_outbox_mails", state="given_up") == 0
    assert value(found, "portal_audit_faults", chain="trail") == 0
    assert value(found, "portal_audit_verification_age_seconds", chain="access") < 60
    assert value(found, "portal_module_quarantined", module="qa") == 1
    assert value(found, "portal_module_quarantined", module="tracershop") == 0
    assert value(found, "portal_module_non_clinical", module="tracershop") == 0
    assert 7100 < value(found, "portal_backup_age_seconds") < 7300
    assert value(found, "portal_disk_bytes", kind="free") > 0
    assert 29 < value(found, "portal_beat_age_seconds") < 60
    assert value(found, "portal_tasks_waiting") == 0
    assert value(found, "portal_websocket_connections") == 0
    assert {v for (name, _labels), v in found.items() if name == "portal_scrape_failed"} == {0}


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db
def test_a_scrape_costs_the_same_few_queries_whatever_waits() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            metrics.exposition()
        return len(captured)

    few = queries()
    assert few <= 8
    for number in range(40):
        receive("received", f"r{number}", minutes_ago=1)
    verify_all()
    assert queries() == few


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db
def test_what_cannot_be_asked_is_said_and_takes_nothing_else_away(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.PORTAL_BACKUP_STAMP = __file__  # whose first line is no time
    found = scraped()
    assert value(found, "portal_scrape_failed", part="live") == 1
    assert value(found, "portal_scrape_failed", part="backup") == 1
    assert value(found, "portal_scrape_failed", part="inbox") == 0
    assert not any(name == "portal_websocket_connections" for name, _labels in found)


@pytest.mark.requirement("OP-004", "PT-060")
def test_an_open_live_connection_is_counted_until_it_closes(portal_url: str) -> None:
    from websockets.sync.client import connect

    person = make_user("Listener")
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    cookie = client.cookies["sessionid"].value
    address = portal_url.replace("http", "ws") + "/ws/live/"
    headers = {"Cookie": f"sessionid={cookie}", "Origin": portal_url}
    with connect(address, additional_headers=headers) as socket:
        assert "welcome" in socket.recv(timeout=10)
        soon(lambda: state.websocket_connections() == 1)
    soon(lambda: state.websocket_connections() == 0)


def soon(holds: Callable[[], bool]) -> None:
    """Redis is told of a subscription by another connection than the one that is asked."""
    deadline = timezone.now() + timedelta(seconds=10)
    while not holds():
        assert timezone.now() < deadline


# --- backup ----------------------------------------------------------------------------------


def lamp(name: str) -> Any:
    return next((result for result in run_checks() if result.name == name), None)


@pytest.mark.requirement("OP-004", "OP-003")
@pytest.mark.django_db
def test_the_age_of_the_last_backup_is_a_lamp_where_backups_leave_a_stamp(
    settings: Settings, tmp_path: Path
) -> None:
    assert lamp("backup") is None
    stamp = tmp_path / "stamp"
    settings.PORTAL_BACKUP_STAMP = str(stamp)
    assert "no backup has left its stamp yet" in lamp("backup").reason
    stamp.touch()
    assert lamp("backup").ok
    stamp.write_text((timezone.now() - timedelta(hours=9)).isoformat() + "\nfull\n")
    assert "9 h ago" in lamp("backup").reason
    settings.PORTAL_BACKUP_MAX_AGE = timedelta(hours=10)
    assert lamp("backup").ok
    stamp.write_text((timezone.now() + timedelta(hours=1)).isoformat())
    with pytest.raises(RuntimeError, match="of the future"):
        check_backup()
    stamp.write_text("2026-11-22T04:00:00")
    assert "has no zone" in lamp("backup").reason
    assert not lamp("backup").critical
