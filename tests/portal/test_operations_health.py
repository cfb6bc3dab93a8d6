"""Health: alive, ready, and the operators' page (OP-004)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.audit.verification import verify_all
from portal.demo.processes import RunningService
from portal.inbox.models import InboundMessage
from portal.notifications.outbox import queue_mail
from portal.operations import health, tasks
from portal.operations.health import (
    BEAT_SILENT_AFTER,
    check_beat,
    check_disk,
    check_worker,
    last_beat_at,
    note_beat,
    run_checks,
)
from portal.registry import HealthCheck, registry
from tests.support.factories import give, make_unit, make_user
from tests.support.services import Services


def logged_in(name: str, *roles: str) -> Client:
    person = make_user(name)
    unit = make_unit(f"unit-of-{person.pk}")
    for role in roles:
        give(person, role, unit)
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    return client


@pytest.fixture
def no_database() -> Iterator[None]:
    """The connection's server is not there."""
    connection.close()
    host = connection.settings_dict["HOST"]
    connection.settings_dict["HOST"] = "/nowhere"
    yield
    connection.close()
    connection.settings_dict["HOST"] = host


@pytest.fixture
def no_redis(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"


# --- alive and ready -------------------------------------------------------------------------


@pytest.mark.requirement("OP-004")
def test_liveness_asks_nobody(no_redis: None) -> None:
    answer = Client().get("/health/live")  # without `db`: a query would fail this test
    assert (answer.status_code, answer.content) == (200, b"alive")


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db
def test_readiness_names_every_check_and_keeps_reasons_from_strangers() -> None:
    answer = Client().get("/health/ready")
    assert answer.status_code == 200
    told = answer.json()
    assert told["ready"]
    declared = {check.name for check in registry.health_checks()}
    assert set(told["checks"]) == {"database", "Redis", "worker", "beat", "disk", *declared}
    assert not told["checks"]["beat"]["ok"]
    assert all(set(check) == {"ok"} for check in told["checks"].values())
    nobody = logged_in("Nobody").get("/health/ready").json()
    assert all(set(check) == {"ok"} for check in nobody["checks"].values())
    operator = logged_in("Operator", "operations.operator").get("/health/ready").json()
    assert "no heartbeat" in operator["checks"]["beat"]["reason"]


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db(transaction=True)
def test_without_the_database_it_is_alive_and_not_ready(no_database: None) -> None:
    assert Client().get("/health/live").status_code == 200
    answer = Client().get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == {"ok": False}
    assert answer.json()["checks"]["Redis"] == {"ok": True}


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db
def test_without_redis_it_is_not_ready(no_redis: None) -> None:
    answer = Client().get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["Redis"] == {"ok": False}


@pytest.mark.django_db(transaction=True)
def test_when_redis_is_killed_every_other_check_still_answers(services: Services) -> None:
    if services.redis is None:
        pytest.skip("REDIS_URL names a server that is not ours to kill")
    services.redis.kill()
    try:
        results = {result.name: result for result in run_checks()}
    finally:
        services.redis.start_again()
    assert not results["Redis"].ok
    assert not results["worker"].ok
    assert results["database"].ok


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db
def test_a_check_that_fails_in_any_way_says_why_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        registry,
        "health_checks",
        lambda: [
            HealthCheck("broken", "nowhere.at.all"),
            HealthCheck("silent", f"{__name__}.fail_silently"),
            HealthCheck("well", f"{__name__}.do_well"),
        ],
    )
    results = {result.name: result for result in run_checks()}
    assert "nowhere" in results["broken"].reason
    assert results["silent"].reason == "KeyError()"
    assert results["well"].ok
    assert not any(results[name].critical for name in ("broken", "silent", "well"))


def fail_silently() -> None:
    raise KeyError


def do_well() -> None:
    return


@pytest.mark.requirement("OP-004")
def test_the_heartbeat_shows_that_beat_sends_and_a_worker_runs() -> None:
    cache.clear()
    with pytest.raises(RuntimeError, match="no heartbeat yet"):
        check_beat()
    with pytest.raises(RuntimeError, match="no worker answers"):
        check_worker()
    tasks.beat_alive()
    assert last_beat_at() is not None
    check_beat()
    check_worker()
    note_beat(timezone.now() - BEAT_SILENT_AFTER - timedelta(seconds=1))
    with pytest.raises(RuntimeError, match="the last heartbeat came at"):
        check_beat()
    cache.clear()


@pytest.mark.requirement("OP-004")
@pytest.mark.processes
def test_a_real_worker_answers_and_writes_the_heartbeat(celery_worker: RunningService) -> None:
    cache.delete(health.BEAT_KEY)
    check_worker()  # by its answer to a ping
    tasks.beat_alive.delay()
    deadline = timezone.now() + timedelta(seconds=20)
    while last_beat_at() is None and timezone.now() < deadline:
        pass
    check_beat()


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    check_disk()
    monkeypatch.setattr(health, "LEAST_FREE_BYTES", 10**18)
    with pytest.raises(RuntimeError, match="MiB are left"):
        check_disk()


# --- the operators' page ---------------------------------------------------------------------


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db
def test_operators_see_lamps_depths_modules_release_and_the_last_verification(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PORTAL_RELEASE = "7.8.9"
    monkeypatch.setitem(registry.quarantined, "qa", "its models do not load: <b>")
    queue_mail("ward@hospital.invalid", "Subject", "Text")
    InboundMessage.objects.create(
        channel="hl7", source="ris", identity="1", sha256="", size_bytes=1, state="quarantined"
    )
    verify_all()
    page = logged_in("Operator", "operations.operator").get("/operations/").content.decode()
    for words in (
        "7.8.9",
        "Module qa is quarantined",
        "its models do not load: &lt;b&gt;",
        "<strong>Beat</strong>: no heartbeat yet",
        "Sound",
        "HL7 listener",
    ):
        assert words in page
    for label, count in (("quarantined", 1), ("received", 0), ("waiting", 1), ("given up", 0)):
        assert f"<dt>{label}</dt>\n  <dd>{count}" in page
    assert 'href="/inbox/"' in page


@pytest.mark.requirement("OP-004")
@pytest.mark.django_db
def test_a_verification_with_faults_is_shown_with_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.audit.models import Verification

    Verification.objects.create(chain="trail", entries=3, faults=["trail: entry 2: was removed"])
    page = logged_in("Operator", "operations.operator").get("/operations/lamps/").content.decode()
    assert "trail: entry 2: was removed" in page
    assert "Broken" in page
    assert "<html" not in page


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["", "lamps/", "problems/"])
def test_nobody_else_sees_the_operators_pages(path: str) -> None:
    assert logged_in("Nobody").get(f"/operations/{path}").status_code == 403
    assert Client().get(f"/operations/{path}").status_code == 302
