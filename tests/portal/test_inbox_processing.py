"""What was kept is handed on: in order, once, nothing half done, and what fails is seen."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from portal.access.models import GroupMember, PeopleGroup, Role, RoleGrant
from portal.inbox.errors import ContentGone
from portal.inbox.models import InboundMessage
from portal.inbox.services import (
    alert_operators,
    kick,
    process_message,
    process_waiting,
    store_message,
)
from portal.inbox.services.processing import LOCK_CLASS, MAX_ATTEMPTS
from portal.inbox.tasks import process_waiting as process_waiting_task
from portal.inbox.tasks import purge_old
from portal.notifications.models import Notification
from tests.support.factories import give, make_unit, make_user
from tests.support.inbox_dummy import FILES, KIND, PATIENT, install, message
from tests.support.inbox_dummy_handlers import times_taken

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _dummy(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def received(act: str = "ok", *, source: str = "RIS|RH", channel: str = "hl7") -> int:
    """A stored message that waits; its number."""
    number = InboundMessage.objects.count() + 1
    raw = message(str(number), act)
    pk, _new = store_message(
        channel=channel,
        kind=KIND,
        source=source,
        identity=f"{source}|{number}",
        raw=raw,
        keep=raw,
    )
    return pk


def state(pk: int) -> str:
    return InboundMessage.objects.get(pk=pk).state


def let_it_be_due(pk: int) -> None:
    earlier = timezone.now() - timedelta(hours=1)
    InboundMessage.objects.filter(pk=pk).update(processed_at=earlier)


@pytest.mark.requirement("TS-021")
def test_a_waiting_message_is_processed_once() -> None:
    pk = received()
    assert process_waiting("hl7") == 1
    assert process_waiting("hl7") == 0
    assert process_message(pk) is None
    done = InboundMessage.objects.get(pk=pk)
    assert (done.state, done.attempts) == ("done", 1)
    assert done.outcome == "taken in by the dummy as RIS|RH|1"
    assert done.processed_at is not None
    assert times_taken(pk) == 1


@pytest.mark.requirement("TS-021", "TS-061")
@pytest.mark.parametrize(
    ("act", "reason"),
    [("refuse", "ZTS-1: there is no such room"), ("forbid", "This day is closed.")],
)
def test_what_the_handler_refuses_goes_to_quarantine_with_the_reason_and_nothing_half_done(
    act: str, reason: str
) -> None:
    pk = received(act)
    after = received()
    process_waiting("hl7")
    message_then = InboundMessage.objects.get(pk=pk)
    assert (message_then.state, message_then.outcome) == ("quarantined", reason)
    assert times_taken(pk) == 0
    assert state(after) == "done"


@pytest.mark.parametrize("act", ["fail", "database-error"])
def test_another_error_is_tried_five_times_further_and_further_apart(act: str) -> None:
    pk = received(act)
    for attempt in range(1, MAX_ATTEMPTS):
        assert process_waiting("hl7") == 1
        waiting = InboundMessage.objects.get(pk=pk)
        assert (waiting.state, waiting.attempts) == ("received", attempt)
        assert process_waiting("hl7") == 0, "it is not tried again at once"
        pause = timedelta(seconds=5 * 2 ** (attempt - 1))
        InboundMessage.objects.filter(pk=pk).update(
            processed_at=timezone.now() - pause + timedelta(seconds=2)
        )
        assert process_waiting("hl7") == 0, "not before its time either"
        let_it_be_due(pk)
    assert process_waiting("hl7") == 1
    given_up = InboundMessage.objects.get(pk=pk)
    assert (given_up.state, given_up.attempts) == ("quarantined", MAX_ATTEMPTS)
    error = {"fail": "RuntimeError", "database-error": "DataError"}[act]
    assert f"Attempt 5 failed: {error}, error number " in given_up.outcome
    assert times_taken(pk) == 0


@pytest.mark.requirement("TS-022")
def test_an_error_that_quotes_the_patient_reaches_neither_log_nor_outcome(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    pk = received("fail")
    process_waiting("hl7")
    outcome = InboundMessage.objects.get(pk=pk).outcome
    assert outcome.rpartition(" ")[2].rstrip(".") in caplog.text, "its number is in the log"
    assert "inbox_dummy_handlers.py" in caplog.text, "and so is the place"
    assert PATIENT not in caplog.text + outcome


@pytest.mark.requirement("TS-021")
def test_messages_of_one_source_keep_their_order_when_one_has_to_wait() -> None:
    create = received("fail", source="RIS")
    cancel = received("ok", source="RIS")
    other = received("ok", source="Lab")
    process_waiting("hl7")
    assert (state(create), state(cancel), state(other)) == ("received", "received", "done")
    for _attempt in range(MAX_ATTEMPTS - 1):
        let_it_be_due(create)
        process_waiting("hl7")
    assert (state(create), state(cancel)) == ("quarantined", "done")


def test_messages_are_processed_in_order_of_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.inbox.services.processing._BATCH", 3)
    expected = [received(source=f"sender {number % 2}") for number in range(8)]
    process_waiting("hl7")
    done = InboundMessage.objects.filter(state="done").order_by("processed_at")
    assert list(done.values_list("pk", flat=True)) == expected


def test_a_message_that_no_module_takes_any_more_goes_to_quarantine() -> None:
    pk = received()
    InboundMessage.objects.filter(pk=pk).update(kind="ZZZ^Z99")
    process_waiting("hl7")
    gone = InboundMessage.objects.get(pk=pk)
    assert (gone.state, gone.outcome) == (
        "quarantined",
        "No installed module takes this kind of message.",
    )


def test_a_message_whose_content_is_gone_goes_to_quarantine_with_that_reason() -> None:
    pk = received()
    InboundMessage.objects.filter(pk=pk).update(raw=None)
    process_waiting("hl7")
    assert InboundMessage.objects.get(pk=pk).outcome == "The content was removed after its time."
    assert issubclass(ContentGone, ValueError)


def test_the_sweep_takes_every_channel_and_the_hourly_task_purges() -> None:
    first, second = received(), received(channel=FILES)
    process_waiting_task()
    assert (state(first), state(second)) == ("done", "done")
    long_ago = timezone.now() - timedelta(days=365)
    InboundMessage.objects.update(received_at=long_ago)
    purge_old()
    assert InboundMessage.objects.get(pk=first).raw is None
    assert InboundMessage.objects.get(pk=second).raw is not None, "files are archived"


def test_time_that_is_up_leaves_the_rest_to_the_next_sweep() -> None:
    pk = received()
    assert process_waiting("hl7", within_s=-1) == 0
    assert state(pk) == "received"


@pytest.mark.requirement("TS-021")
@pytest.mark.django_db(transaction=True)
def test_two_workers_never_process_one_channel_at_once() -> None:
    pk = received()
    with connections["default"].copy().cursor() as other:  # another session
        other.execute("SELECT pg_advisory_lock(%s, hashtext('hl7'))", [LOCK_CLASS])
        assert process_waiting("hl7") == 0
        assert state(pk) == "received"
        other.execute("SELECT pg_advisory_unlock_all()")
        other.connection.close()
    assert process_waiting("hl7") == 1
    assert state(pk) == "done"


@pytest.mark.django_db(transaction=True)
def test_a_message_that_somebody_has_in_hand_waits_and_so_does_what_came_after_it() -> None:
    pk, after = received(), received()
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            InboundMessage.objects.select_for_update(no_key=True).get(pk=pk)
            held.set()
            release.wait(30)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)
    try:
        assert process_waiting("hl7") == 0
        assert (state(pk), state(after)) == ("received", "received")
    finally:
        release.set()
        thread.join()
    assert process_waiting("hl7") == 2


@pytest.mark.requirement("TS-021")
@pytest.mark.django_db(transaction=True)
def test_a_database_lost_in_the_middle_of_processing_costs_the_message_no_attempt() -> None:
    pk = received("cut-connection")
    with pytest.raises(OperationalError):
        process_waiting("hl7")
    connection.close()
    message_then = InboundMessage.objects.get(pk=pk)
    assert (message_then.state, message_then.attempts) == ("received", 0)
    assert times_taken(pk) == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE classid = %s", [LOCK_CLASS])
        assert cursor.fetchone()[0] == 0, "the channel is free for the next worker"


def test_without_redis_nobody_is_asked_and_nothing_breaks(
    services: Any, caplog: pytest.LogCaptureFixture
) -> None:
    if services.redis is None:
        pytest.skip("the Redis of this run is not ours to stop")
    services.redis.kill()
    try:
        kick("hl7")
    finally:
        services.redis.start_again()
    assert "no worker could be asked" in caplog.text


# --- the alert -----------------------------------------------------------------------------------


def warnings_of(person: Any) -> int:
    return Notification.objects.filter(user=person, level="warning").count()


@pytest.mark.requirement("TS-061")
def test_what_goes_to_quarantine_alerts_those_who_may_see_it_and_nobody_else() -> None:
    unit = make_unit("production")
    operator, other, left = make_user("Olga"), make_user("Otto"), make_user("Lars", is_active=False)
    through_a_group = make_user("Greta")
    group = PeopleGroup.objects.create(name="night shift", unit=unit)
    GroupMember.objects.create(group=group, user=through_a_group)
    give(operator, "inbox.operator", unit)
    give(left, "inbox.operator", unit)
    RoleGrant.objects.create(role=Role.objects.get(code="inbox.operator"), unit=unit, group=group)
    assert alert_operators() == 0
    received("refuse")
    process_waiting_task()
    assert [warnings_of(p) for p in (operator, through_a_group, other, left)] == [1, 1, 0, 0]
    told = Notification.objects.get(user=operator)
    assert told.url == "/inbox/?state=quarantined"


def test_a_flood_of_bad_messages_is_one_alert_until_it_is_read() -> None:
    operator = make_user("Olga")
    give(operator, "inbox.operator", make_unit("production"))
    for _number in range(3):
        received("refuse")
    process_waiting_task()
    received("refuse")
    process_waiting_task()
    assert warnings_of(operator) == 1
    told = Notification.objects.get(user=operator)
    told.read_at = timezone.now()
    told.save()
    process_waiting_task()
    assert warnings_of(operator) == 1, "what was there when it was read is known"
    received("refuse")
    process_waiting_task()
    assert warnings_of(operator) == 2
