"""Faults between receipt and processing, in real processes: nothing lost, nothing twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from hl7.client import MLLPClient

from portal.demo.processes import RunningService
from portal.inbox.models import InboundMessage
from portal.inbox.services import kick
from tests.support.database_proxy import DatabaseProxy, database_proxy
from tests.support.inbox_dummy import INBOX_DUMMY, hanging_in, message
from tests.support.inbox_dummy_handlers import times_taken
from tests.support.processes import celery_worker, hl7_listener

pytestmark = [
    pytest.mark.processes,
    pytest.mark.requirement("TS-021"),
    pytest.mark.django_db(transaction=True),
]


def send(listener: Any, raw: bytes) -> str:
    """MSA-1 of the answer, and MSA-3 where there is one."""
    host, _, port = listener.url.removeprefix("mllp://").partition(":")
    with MLLPClient(host, int(port)) as client:
        client.socket.settimeout(60)
        segment = client.send_message(raw).decode().split("\r")[1]
    return " ".join(filter(None, segment.split("|")[1::2])).strip()


def wait_until(is_so: Callable[[], bool], what: str, within_s: float = 120) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, f"never {what}"
        threading.Event().wait(0.05)


def all_done(count: int) -> bool:
    return InboundMessage.objects.filter(state="done").count() == count


def taken_once(count: int) -> bool:
    numbers = list(InboundMessage.objects.values_list("pk", flat=True))
    return len(numbers) == count and all(times_taken(pk) == 1 for pk in numbers)


def test_a_message_goes_from_the_socket_through_the_worker_by_itself() -> None:
    with hl7_listener(env=INBOX_DUMMY) as listener, celery_worker(env=INBOX_DUMMY):
        assert send(listener, message("1")) == "AA"
        wait_until(lambda: all_done(1), "processed")
        assert taken_once(1)
        assert send(listener, message("1")) == "AA"
        kick("hl7")
        assert send(listener, message("2")) == "AA"
        wait_until(lambda: all_done(2), "processed")
        assert taken_once(2)


def test_what_a_killed_listener_had_accepted_is_processed_once() -> None:
    with hl7_listener(env=INBOX_DUMMY) as listener:
        assert send(listener, message("1")) == "AA"
        listener.kill()
        assert InboundMessage.objects.get().state == "received"
        listener.start_again()
        assert send(listener, message("1")) == "AA", "its sender may have missed the first answer"
        assert send(listener, message("2")) == "AA"
        with celery_worker(env=INBOX_DUMMY):
            kick("hl7")  # as beat does every five seconds
            wait_until(lambda: all_done(2), "processed")
    assert taken_once(2)


def test_a_listener_that_is_told_to_stop_ends_in_order() -> None:
    with hl7_listener(env=INBOX_DUMMY) as listener:
        assert send(listener, message("1")) == "AA"
        listener.stop()
        assert listener.process.returncode == 0


def test_what_a_worker_was_killed_over_is_processed_once() -> None:
    with hl7_listener(env=INBOX_DUMMY) as listener, celery_worker(env=INBOX_DUMMY) as worker:
        assert send(listener, message("1", "hang-once")) == "AA"
        pk = InboundMessage.objects.get().pk
        wait_until(hanging_in(pk).exists, "in the middle of processing")
        worker.kill()
        waiting = InboundMessage.objects.get()
        assert (waiting.state, waiting.attempts) == ("received", 0)
        assert times_taken(pk) == 0
        wait_until(_lock_is_free, "given up by the dead worker")
        worker.start_again()
        wait_until(_swept_and_done, "processed")
    assert taken_once(1)


def _swept_and_done() -> bool:
    """As the periodic sweep does: ask again, for a broker's connection may be a stale one."""
    kick("hl7")
    return all_done(1)


def _lock_is_free() -> bool:
    """PostgreSQL notices a dead client when it next speaks to it; here it sleeps on our side, so
    at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        return cursor.fetchone()[0] == 0


@contextmanager
def listener_through_proxy() -> Generator[tuple[RunningService, DatabaseProxy], None, None]:
    with (
        database_proxy() as way,
        hl7_listener(env={**INBOX_DUMMY, "DATABASE_URL": way.url}) as listener,
    ):
        yield listener, way


def test_without_the_database_nothing_is_accepted_and_what_is_sent_again_is_there_once() -> None:
    with listener_through_proxy() as (listener, way):
        host, _, port = listener.url.removeprefix("mllp://").partition(":")
        with MLLPClient(host, int(port)) as client:
            client.socket.settimeout(60)
            assert b"MSA|AA|1" in client.send_message(message("1"))
            way.cut()
            assert b"MSA|AE|2|not stored, send it again" in client.send_message(message("2"))
            way.restore()
            assert b"MSA|AA|2" in client.send_message(message("2")), "on the same connection"
    assert InboundMessage.objects.count() == 2


def test_a_commit_whose_confirmation_is_lost_is_no_acceptance_and_no_second_message() -> None:
    with listener_through_proxy() as (listener, way):
        assert send(listener, message("1")) == "AA"
        way.lose_answer_to(b"RIS|RH|2")
        assert send(listener, message("2")) == "AE not stored, send it again"
        assert InboundMessage.objects.count() == 2, "it was stored, but nobody could know"
        way.restore()
        assert send(listener, message("2")) == "AA"
    assert InboundMessage.objects.count() == 2


def test_messages_are_accepted_without_redis_and_processed_when_it_is_back(services: Any) -> None:
    if services.redis is None:
        pytest.skip("the Redis of this run is not ours to stop")

    def swept() -> bool:
        kick("hl7")  # as beat does, every five seconds
        return all_done(2)

    with hl7_listener(env=INBOX_DUMMY) as listener, celery_worker(env=INBOX_DUMMY):
        services.redis.kill()
        try:
            assert send(listener, message("1")) == "AA"
            assert send(listener, message("2")) == "AA"
        finally:
            services.redis.start_again()
        wait_until(swept, "processed")
    assert taken_once(2)
