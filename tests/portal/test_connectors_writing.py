"""The outbox: queued with what it belongs to, delivered exactly once and in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connections, transaction
from django.utils import timezone
from pytest_django import Settings

from portal.audit.models import AuditEntry
from portal.connectors import configuration
from portal.connectors.models import CachedAnswer, QueuedWrite
from portal.connectors.problems import Code
from portal.connectors.selectors import happenings, waiting_behind
from portal.connectors.services import (
    alerting,
    operating,
    probing,
    read,
    refresh,
    room,
    workers,
    write,
)
from portal.connectors.services.reading import keep
from portal.connectors.services.writing import deliver, deliver_waiting
from portal.connectors.stand_ins.server import Fault
from portal.notifications.models import Notification
from portal.records.errors import Refused
from tests.support.factories import give, make_unit, make_user
from tests.support.outside import Outside, outside_systems
from tests.support.threads import at_once

FORM = ("registry", "form", "104217/pre-crf/1")
State = QueuedWrite.State


@pytest.fixture
def outside(tmp_path: Path, settings: Settings) -> Generator[Outside, None, None]:
    with outside_systems(tmp_path) as running:
        settings.PORTAL_OUTSIDE_SYSTEMS = running.tables(failures_to_open=50)
        yield running


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What workers were asked; each test is its own worker."""
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(workers, "_send", lambda *arguments: sent.append(arguments))
    return sent


@pytest.fixture
def operator(db: None) -> Any:
    person = make_user("Olga Operator")
    give(person, "connectors.operator", make_unit("region"))
    return person


def _states() -> list[str]:
    return list(QueuedWrite.objects.order_by("pk").values_list("state", flat=True))


@pytest.mark.requirement("DR-134")
@pytest.mark.django_db
def test_what_is_written_goes_with_the_transaction_it_belongs_to(
    outside: Outside,
    asked: list[Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with transaction.atomic():
        write(*FORM, {"A18": 1}, idempotency_key="one")
        transaction.set_rollback(True)
    assert not QueuedWrite.objects.exists()
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        write(*FORM, {"A18": 1}, idempotency_key="one")
        assert asked == []
    assert asked == [("portal.connectors.tasks.deliver", "registry", False)]
    assert outside.registry.calls == []
    assert deliver_waiting("registry") == 1
    assert outside.patients.forms == {"104217/pre-crf/1": {"A18": 1}}
    assert _states() == [State.DELIVERED]
    assert [entry.action for entry in happenings(QueuedWrite.objects.get())] == [
        "connectors.write_delivered",
        "connectors.write_queued",
    ]


@pytest.mark.django_db
def test_the_same_idempotency_key_is_one_write_and_never_another_one(outside: Outside) -> None:
    first = write(*FORM, {"A18": 1}, idempotency_key="one")
    assert write(*FORM, {"A18": 1}, idempotency_key="one") == first
    with pytest.raises(ValueError, match="idempotency"):
        write(*FORM, {"A18": 2}, idempotency_key="one")
    with pytest.raises(ValueError, match="idempotency"):
        write("registry", "form", "other", {"A18": 1}, idempotency_key="one")
    with pytest.raises(ValueError, match="no outside system"):
        write("nowhere", "form", "k", {}, idempotency_key="two")
    for what in (("registry", "patient"), ("laboratory", "results"), ("registry", "x")):
        with pytest.raises(ValueError, match="not for writing"):
            write(*what, "k", {}, idempotency_key="two")
    assert QueuedWrite.objects.count() == 1


@pytest.mark.requirement("DR-188")
@pytest.mark.django_db
def test_what_was_written_is_what_is_read_before_and_after_it_is_delivered(
    outside: Outside, asked: list[Any]
) -> None:
    outside.patients.forms[FORM[2]] = {"A18": "old"}
    assert read(*FORM).value == {"A18": "old"}
    outside.registry.fault = Fault.REFUSED
    write(*FORM, {"A18": "new"}, idempotency_key="one")
    for reading in (read(*FORM), refresh(*FORM)):
        assert (reading.value, reading.undelivered) == ({"A18": "new"}, True)
    deliver_waiting("registry")
    assert read(*FORM).undelivered
    outside.registry.fault = Fault.STALE
    assert deliver_waiting("registry", at_once=True) == 1
    reading = read(*FORM)
    assert (reading.value, reading.undelivered, reading.fresh) == ({"A18": "new"}, False, False)
    assert asked[-1] == ("portal.connectors.tasks.refresh_answer", *FORM)
    outside.registry.fault = Fault.NONE
    assert refresh(*FORM).value == {"A18": "new"}


@pytest.mark.requirement("DR-133", "DR-134")
@pytest.mark.django_db
@pytest.mark.parametrize(
    "fault", [Fault.REFUSED, Fault.SLOW, Fault.HALF, Fault.CREDENTIALS, Fault.FAILING]
)
def test_what_is_written_during_an_outage_arrives_exactly_once_after_it(
    outside: Outside, fault: Fault
) -> None:
    outside.registry.fault = fault
    write(*FORM, {"A18": 1}, idempotency_key="one")
    for _ in range(3):
        assert deliver_waiting("registry", at_once=True) == 0
    row = QueuedWrite.objects.get()
    assert (row.state, row.attempts) == (State.WAITING, 3)
    assert row.problem in set(Code)
    assert row.next_attempt_at > timezone.now() + timedelta(seconds=15)
    assert deliver_waiting("registry") == 0, "it pauses"
    outside.registry.fault = Fault.NONE
    assert probing.probe_those_away() == ["registry", "laboratory"]
    assert deliver_waiting("registry", at_once=True) == 1
    assert deliver_waiting("registry", at_once=True) == 0
    assert outside.patients.taken == [(FORM[2], "one")]


@pytest.mark.django_db
def test_a_system_that_is_back_is_sent_at_once_what_waited(
    outside: Outside, asked: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    outside.registry.fault = Fault.REFUSED
    write(*FORM, {"A18": 1}, idempotency_key="one")
    deliver_waiting("registry")
    outside.registry.fault = Fault.NONE
    with django_capture_on_commit_callbacks(execute=True):
        read("registry", "patient", "104217")
    assert asked[-1] == ("portal.connectors.tasks.deliver", "registry", True)


@pytest.mark.django_db
def test_writes_of_one_key_arrive_in_order_and_another_key_does_not_wait(outside: Outside) -> None:
    write(*FORM, {"n": 1}, idempotency_key="1")
    write(*FORM, {"n": 2}, idempotency_key="2")
    write("registry", "form", "other", {"n": 9}, idempotency_key="9")
    write(*FORM, {"n": 3}, idempotency_key="3")
    assert read(*FORM).value == {"n": 3}
    QueuedWrite.objects.filter(idempotency_key="1").update(
        next_attempt_at=timezone.now() + timedelta(hours=1)
    )
    assert deliver_waiting("registry") == 1
    assert outside.patients.taken == [("other", "9")]
    assert waiting_behind(QueuedWrite.objects.get(idempotency_key="1")) == 2
    assert deliver_waiting("registry", at_once=True) == 3
    assert [key for _form, key in outside.patients.taken] == ["9", "1", "2", "3"]
    assert read(*FORM).value == {"n": 3}


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_deliver_each_write_once(outside: Outside) -> None:
    for number in range(6):
        key = f"{number % 2}"
        write("registry", "form", key, {"n": number}, idempotency_key=str(number))
    done = at_once(*[lambda: deliver_waiting("registry", at_once=True)] * 3)
    assert all(isinstance(each, int) for each in done)
    while deliver_waiting("registry", at_once=True):
        pass
    assert _states() == [State.DELIVERED] * 6
    assert outside.patients.repeats == 0
    assert [key for form, key in outside.patients.taken if form == "0"] == ["0", "2", "4"]
    assert [key for form, key in outside.patients.taken if form == "1"] == ["1", "3", "5"]


@pytest.mark.django_db(transaction=True)
def test_a_writer_of_the_same_key_waits_for_the_earlier_one_to_commit(outside: Outside) -> None:
    """Else the later one could be sent first, and the earlier one would overwrite it."""
    began, may_end = threading.Event(), threading.Event()

    def first() -> None:
        try:
            with transaction.atomic():
                write(*FORM, {"n": 1}, idempotency_key="1")
                began.set()
                may_end.wait(10)
        finally:
            connections.close_all()

    def second() -> None:
        try:
            write(*FORM, {"n": 2}, idempotency_key="2")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert began.wait(10)
    threads[1].start()
    threads[1].join(0.5)
    assert threads[1].is_alive()
    assert not QueuedWrite.objects.exists()
    may_end.set()
    for thread in threads:
        thread.join(10)
    order = list(QueuedWrite.objects.order_by("place").values_list("idempotency_key", flat=True))
    assert order == ["1", "2"]


@pytest.mark.django_db
def test_what_the_other_side_refuses_waits_for_an_operator_and_holds_up_its_key(
    outside: Outside, operator: Any
) -> None:
    outside.registry.fault = Fault.REJECTING
    write(*FORM, {"n": 1}, idempotency_key="1")
    write(*FORM, {"n": 2}, idempotency_key="2")
    write("registry", "form", "other", {"n": 9}, idempotency_key="9")
    assert deliver_waiting("registry") == 0
    assert _states() == [State.REFUSED, State.WAITING, State.REFUSED]
    first = QueuedWrite.objects.get(idempotency_key="1")
    assert first.detail == "HTTP 422"
    outside.registry.fault = Fault.NONE
    assert deliver_waiting("registry", at_once=True) == 0

    operating.send_again(actor=operator, write_id=first.pk, reason="they mended it")
    assert deliver_waiting("registry") == 2
    assert [key for _form, key in outside.patients.taken] == ["1", "2"]


@pytest.mark.django_db
def test_a_corrected_write_takes_the_place_of_the_refused_one(
    outside: Outside, operator: Any
) -> None:
    outside.registry.fault = Fault.REJECTING
    original = write(*FORM, {"n": "one"}, idempotency_key="1")
    write(*FORM, {"n": 2}, idempotency_key="2")
    deliver_waiting("registry")
    outside.registry.fault = Fault.NONE
    corrected = operating.correct_write(
        actor=operator, write_id=original.pk, payload={"n": 1}, reason="a number is wanted"
    )
    assert deliver_waiting("registry") == 2
    assert outside.patients.taken == [(FORM[2], "1+1"), (FORM[2], "2")]
    assert outside.patients.forms[FORM[2]] == {"n": 2}
    original.refresh_from_db()
    assert (original.state, original.payload) == (State.CORRECTED, {"n": "one"})
    assert corrected.corrects == original
    assert AuditEntry.objects.filter(
        action="connectors.write_corrected", reason="a number is wanted"
    ).exists()


@pytest.mark.django_db
def test_a_dropped_write_is_never_sent_and_what_is_outside_is_read_again(
    outside: Outside, operator: Any
) -> None:
    outside.patients.forms[FORM[2]] = {"n": 0}
    outside.registry.fault = Fault.REFUSED
    row = write(*FORM, {"n": 1}, idempotency_key="1")
    operating.drop_write(actor=operator, write_id=row.pk, reason="entered by mistake")
    outside.registry.fault = Fault.NONE
    assert deliver_waiting("registry", at_once=True) == 0
    assert read(*FORM).value == {"n": 0}
    for act in (operating.send_again, operating.drop_write):
        with pytest.raises(Refused, match="settled"):
            act(actor=operator, write_id=row.pk, reason="again")


@pytest.mark.django_db
def test_who_holds_no_privilege_handles_no_write(outside: Outside) -> None:
    row = write(*FORM, {"n": 1}, idempotency_key="1")
    stranger = make_user("Sam Stranger")
    with pytest.raises(PermissionDenied):
        operating.drop_write(actor=stranger, write_id=row.pk, reason="x")
    assert _states() == [State.WAITING]


@pytest.mark.django_db
def test_what_only_waits_cannot_be_corrected_since_it_may_have_arrived(
    outside: Outside, operator: Any
) -> None:
    row = write(*FORM, {"n": 1}, idempotency_key="1")
    with pytest.raises(Refused, match="Only what was refused"):
        operating.correct_write(actor=operator, write_id=row.pk, payload={}, reason="x")


@pytest.mark.django_db
def test_what_was_accepted_before_its_acknowledgement_was_lost_is_not_done_twice(
    outside: Outside,
) -> None:
    """The stand-in does what it is asked and answers too late."""
    outside.registry.fault = Fault.SLOW
    row = write(*FORM, {"n": 1}, idempotency_key="1")
    assert deliver(row.pk) == Code.SLOW
    outside.registry.fault = Fault.NONE
    assert deliver_waiting("registry", at_once=True) == 1
    assert outside.patients.taken == [(FORM[2], "1")]
    assert outside.patients.repeats == 1


@pytest.mark.requirement("DR-134")
@pytest.mark.django_db
def test_operators_are_told_once_of_what_needs_them(outside: Outside, operator: Any) -> None:
    assert alerting.alert_operators() == 0
    outside.registry.fault = Fault.CREDENTIALS
    row = write(*FORM, {"n": 1}, idempotency_key="1")
    deliver_waiting("registry")
    assert alerting.alert_operators() == 1
    assert alerting.alert_operators() == 0
    told = Notification.objects.get()
    assert told.user == operator
    assert told.text == "Registry does not accept the portal's credentials."
    assert told.url == "/connectors/systems/registry/"

    QueuedWrite.objects.filter(pk=row.pk).update(queued_at=timezone.now() - timedelta(hours=25))
    assert alerting.alert_operators() == 1
    assert "more than a day" in Notification.objects.latest("pk").text
    outside.registry.fault = Fault.REJECTING
    deliver_waiting("registry", at_once=True)
    assert alerting.alert_operators() == 1
    assert "refused" in Notification.objects.latest("pk").text
    assert alerting.alert_operators() == 0


@pytest.mark.django_db
def test_after_a_week_without_the_system_it_still_waits(outside: Outside) -> None:
    outside.registry.fault = Fault.REFUSED
    row = write(*FORM, {"n": 1}, idempotency_key="1")
    QueuedWrite.objects.filter(pk=row.pk).update(
        queued_at=timezone.now() - timedelta(days=7), attempts=1000
    )
    deliver_waiting("registry")
    row.refresh_from_db()
    assert row.state == State.WAITING
    assert row.next_attempt_at <= timezone.now() + timedelta(minutes=10)
    outside.registry.fault = Fault.NONE
    assert deliver_waiting("registry", at_once=True) == 1


@pytest.mark.django_db
def test_what_was_delivered_is_removed_after_its_time_and_what_waits_never(
    outside: Outside, settings: Settings
) -> None:
    settings.PORTAL_OUTSIDE_WRITES_KEEP_DAYS = 30
    old = timezone.now() - timedelta(days=31)
    write(*FORM, {"n": 1}, idempotency_key="1")
    deliver_waiting("registry")
    write(*FORM, {"n": 2}, idempotency_key="2")
    QueuedWrite.objects.update(queued_at=old)
    QueuedWrite.objects.filter(idempotency_key="1").update(settled_at=old)
    assert room.forget_payloads(timezone.now()) == 1
    assert list(QueuedWrite.objects.order_by("pk").values_list("payload", flat=True)) == [
        None,
        {"n": 2},
    ]
    write(*FORM, {"n": 1}, idempotency_key="1")
    assert QueuedWrite.objects.count() == 2


@pytest.mark.django_db
def test_a_system_whose_table_is_wrong_gets_what_waited_when_it_is_mended(
    outside: Outside, settings: Settings
) -> None:
    sound = settings.PORTAL_OUTSIDE_SYSTEMS
    settings.PORTAL_OUTSIDE_SYSTEMS = {"registry": {"kind": "carrier pigeon"}}
    write(*FORM, {"n": 1}, idempotency_key="1")
    assert deliver_waiting("registry") == 0
    assert QueuedWrite.objects.get().problem == Code.CONFIGURATION
    assert read(*FORM).value == {"n": 1}
    assert read("registry", "patient", "1").problem.code == Code.CONFIGURATION
    settings.PORTAL_OUTSIDE_SYSTEMS = sound
    assert deliver_waiting("registry", at_once=True) == 1


@pytest.mark.django_db
def test_an_answer_that_was_under_way_when_it_was_written_is_not_kept(outside: Outside) -> None:
    outside.patients.forms[FORM[2]] = {"n": 0}
    outside.registry.fault = Fault.NONE
    asked_at = timezone.now()
    write(*FORM, {"n": 1}, idempotency_key="1")
    deliver_waiting("registry")
    keep(*FORM, {"n": 0}, found=True, as_of=asked_at)
    assert CachedAnswer.objects.get().value == {"n": 1}


@pytest.mark.django_db(transaction=True)
def test_while_a_write_is_being_sent_nobody_else_waits_for_it(outside: Outside) -> None:
    outside.registry.fault = Fault.SLOW
    row = write(*FORM, {"n": 1}, idempotency_key="1")

    def reader() -> float:
        time.sleep(0.3)
        began = time.monotonic()
        assert read(*FORM).undelivered
        write(*FORM, {"n": 2}, idempotency_key="2")
        return time.monotonic() - began

    problem, waited_s = at_once(lambda: deliver(row.pk), reader)
    assert problem == Code.SLOW
    assert waited_s < 0.6


class Broken:
    """A kind with a fault of its own."""

    def __init__(self, system: Any) -> None: ...

    def read(self, resource: Any, key: str) -> Any: ...

    def write(self, resource: Any, key: str, payload: Any, idempotency_key: str) -> None:
        if key == "a":
            raise KeyError(payload)

    def probe(self) -> None: ...


@pytest.mark.django_db
def test_a_fault_of_a_kind_holds_up_its_write_alone_and_quotes_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(configuration.KINDS, "broken", f"{__name__}.Broken")
    table = {"kind": "broken", "address": "x", "resources": {"form": {"write": "x"}}}
    settings.PORTAL_OUTSIDE_SYSTEMS = {"registry": table}
    write("registry", "form", "a", {"name": "secret"}, idempotency_key="1")
    write("registry", "form", "b", {}, idempotency_key="2")
    assert deliver_waiting("registry") == 1
    assert _states() == [State.WAITING, State.DELIVERED]
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text + QueuedWrite.objects.first().detail


@pytest.mark.django_db
@pytest.mark.parametrize("value", [float("nan"), "a\0b", "\ud800"])
def test_what_the_database_cannot_keep_is_refused_at_once(outside: Outside, value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|NUL|surrogates"):
        write(*FORM, {"n": value}, idempotency_key="1")
