"""Operators' pages of outside systems and of what is written to them."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from portal.audit.models import AccessEntry
from portal.connectors.health import check_system
from portal.connectors.models import QueuedWrite
from portal.connectors.services import read, workers, write
from portal.connectors.services.writing import deliver_waiting
from portal.connectors.stand_ins.server import Fault
from portal.operations.metrics import exposition
from tests.support.accounts import sign_in
from tests.support.factories import give, make_unit, make_user
from tests.support.outside import Outside, outside_systems

pytestmark = pytest.mark.django_db

FORM = ("registry", "form", "104217/pre-crf/1")


@pytest.fixture
def outside(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Generator[Outside, None, None]:
    monkeypatch.setattr(workers, "_send", lambda *arguments: None)
    with outside_systems(tmp_path) as running:
        settings.PORTAL_OUTSIDE_SYSTEMS = {
            **running.tables(),
            "archive": {"kind": "carrier pigeon", "address": "x", "resources": {"a": {}}},
        }
        yield running


@pytest.fixture
def page(server_keys: Any) -> Client:
    person = make_user("Olga Operator", language="en")
    give(person, "connectors.operator", make_unit("region"))
    client = Client()
    sign_in(client, person)
    return client


def _refused(outside: Outside) -> QueuedWrite:
    outside.registry.fault = Fault.REJECTING
    row = write(*FORM, {"A18": "<script>"}, idempotency_key="1")
    deliver_waiting("registry")
    outside.registry.fault = Fault.NONE
    return row


def _text(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response.content
    return response.content.decode()


def test_every_system_is_listed_with_how_it_does(outside: Outside, page: Client) -> None:
    outside.laboratory.fault = Fault.CREDENTIALS
    read("registry", "patient", "104217")
    read("laboratory", "results", "104217")
    write(*FORM, {"A18": 1}, idempotency_key="1")
    shown = _text(page.get("/connectors/"))
    for words in ("Registry", "Laboratory", "archive", "Working", "Away", "Not set up"):
        assert words in shown
    assert "does not accept the portal" in _text(page.get("/connectors/systems/laboratory/"))
    wrong = _text(page.get("/connectors/systems/archive/"))
    assert "kind: &#x27;carrier pigeon&#x27; is none of http_json, sql" in wrong
    assert page.get("/connectors/systems/nowhere/").status_code == 404


def test_the_pages_cost_a_constant_number_of_queries(
    outside: Outside, page: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        write("registry", "form", f"{number}", {}, idempotency_key=f"{number}")
    for path in ("/connectors/", "/connectors/systems/registry/", "/connectors/writes/"):
        page.get(path)
        with django_assert_max_num_queries(30):
            page.get(path)


def test_an_operator_asks_whether_a_system_works(outside: Outside, page: Client) -> None:
    outside.registry.fault = Fault.FAILING
    told = page.post("/connectors/systems/registry/probe/", follow=True)
    assert "It answered that it failed. HTTP 500" in _text(told)
    outside.registry.fault = Fault.NONE
    assert "It answers." in _text(page.post("/connectors/systems/registry/probe/", follow=True))
    assert "not set up" in _text(page.post("/connectors/systems/archive/probe/", follow=True))


def test_the_queue_is_narrowed_by_system_and_state(outside: Outside, page: Client) -> None:
    row = _refused(outside)
    waiting = write("registry", "form", "other", {}, idempotency_key="2")
    shown = _text(page.get("/connectors/writes/?state=refused"))
    assert f'id="write-{row.pk}"' in shown
    assert f'id="write-{waiting.pk}"' not in shown
    assert "Nothing is like this" in _text(page.get("/connectors/writes/?system=laboratory"))
    assert f'id="write-{row.pk}"' in _text(page.get("/connectors/writes/?state=nonsense"))


def test_what_is_written_is_shown_escaped_and_its_opening_is_logged(
    outside: Outside, page: Client
) -> None:
    row = _refused(outside)
    assert "A18" not in _text(page.get(f"/connectors/writes/{row.pk}/"))
    before = AccessEntry.objects.count()
    shown = _text(page.get(f"/connectors/writes/{row.pk}/payload/"))
    assert "&lt;script&gt;" in shown
    assert '<script>"' not in shown
    assert AccessEntry.objects.count() == before + 1


def test_a_refused_write_is_corrected_on_its_page(outside: Outside, page: Client) -> None:
    row = _refused(outside)
    shown = _text(page.get(f"/connectors/writes/{row.pk}/"))
    assert "HTTP 422" in shown
    address = f"/connectors/writes/{row.pk}/correct/"
    assert "&lt;script&gt;" in _text(page.get(address))
    for wrong, words in (("{", "This is no JSON"), ("[1]", "one JSON object")):
        sent = {"payload": wrong, "reason": "because"}
        assert words in _text(page.post(address, sent), 422)
    assert "This field is required" in _text(page.post(address, {"payload": "{}"}), 422)
    done = page.post(address, {"payload": '{"A18": 1}', "reason": "a number"}, follow=True)
    assert f"/connectors/writes/{row.pk}/" in _text(done), "it names what it corrects"
    assert deliver_waiting("registry") == 1
    assert outside.patients.forms[FORM[2]] == {"A18": 1}
    assert page.get(address).status_code == 422


def test_a_write_is_sent_again_and_dropped_with_a_reason(outside: Outside, page: Client) -> None:
    row = _refused(outside)
    again = f"/connectors/writes/{row.pk}/send-again/"
    assert "Send write" in _text(page.get(again))
    _text(page.post(again, {"reason": ""}), 422)
    _text(page.post(again, {"reason": "mended"}, follow=True))
    row.refresh_from_db()
    assert row.state == QueuedWrite.State.WAITING
    shown = _text(page.post(f"/connectors/writes/{row.pk}/drop/", {"reason": "x"}, follow=True))
    assert "dropped" in shown
    assert "Drop…" not in shown
    row.refresh_from_db()
    assert row.state == QueuedWrite.State.DROPPED


def test_a_page_brought_by_a_push_is_the_part_alone(outside: Outside, page: Client) -> None:
    row = _refused(outside)
    for path in ("", "systems/registry/", "writes/", f"writes/{row.pk}/"):
        part = _text(page.get(f"/connectors/{path}", headers={"HX-Request": "true"}))
        assert "<html" not in part


def test_refused_writes_are_among_an_operator_s_tasks(outside: Outside, page: Client) -> None:
    _refused(outside)
    assert "1 write was refused by an outside system" in _text(page.get("/notifications/tasks/"))


@pytest.mark.requirement("OP-004")
def test_metrics_tell_queues_and_systems_that_are_away(outside: Outside) -> None:
    row = _refused(outside)
    write("registry", "form", "other", {}, idempotency_key="2")
    outside.laboratory.fault = Fault.FAILING
    read("laboratory", "results", "104217")
    told = exposition().decode()
    for line in (
        'portal_outside_writes{state="refused",system="registry"} 1.0',
        'portal_outside_writes{state="waiting",system="registry"} 1.0',
        'portal_outside_writes{state="waiting",system="laboratory"} 0.0',
        'portal_outside_away{system="laboratory"} 1.0',
        'portal_outside_away{system="registry"} 0.0',
        'portal_outside_breaker_open{system="laboratory"} 0.0',
        'portal_scrape_failed{part="outside"} 0.0',
    ):
        assert line in told
    assert 'portal_outside_oldest_age_seconds{state="refused",system="registry"}' in told
    assert row.key not in told


def test_the_lamp_of_a_system_tells_what_is_known_without_asking_it(outside: Outside) -> None:
    check_system("registry")
    outside.registry.fault = Fault.CREDENTIALS
    read("registry", "patient", "104217")
    calls = len(outside.registry.calls)
    with pytest.raises(RuntimeError, match="credentials: HTTP 401"):
        check_system("registry")
    assert len(outside.registry.calls) == calls
    with pytest.raises(RuntimeError, match="carrier pigeon"):
        check_system("archive")
    with pytest.raises(RuntimeError, match="not declared"):
        check_system("nowhere")
