"""The websocket: who may listen to what, at subscription and at each push (PT-060, TS-120).

A real client on the served site, with Redis between.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from pytest_django import Settings
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from portal.access.services import end_grant
from portal.accounts.models import User
from portal.config import asgi
from portal.live.consumer import MAX_TOPICS
from portal.live.services import publish
from portal.live.topics import may_listen
from portal.notifications.services import person_topic
from portal.records.context import ServiceActor
from tests.support import processes
from tests.support.factories import give, make_unit, make_user

ANSWER_S = 10
SILENT_S = 0.3
BOARD = "tracershop/vials"


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="portal.accounts.backends.RegionalIdBackend")
    return client


class Page:
    """What a page does with its socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def receive(self) -> dict[str, Any]:
        return json.loads(self.connection.recv(timeout=ANSWER_S))

    def subscribe(self, topic: str) -> dict[str, Any]:
        self.connection.send(json.dumps({"type": "subscribe", "topics": [topic]}))
        return self.receive()

    def is_silent(self) -> bool:
        try:
            self.connection.recv(timeout=SILENT_S)
        except TimeoutError:
            return True
        return False


@contextmanager
def socket(
    url: str, client: Client | None = None, origin: str | None = None
) -> Generator[Page, None, None]:
    cookies = "; ".join(
        f"{name}={morsel.value}" for name, morsel in (client.cookies.items() if client else ())
    )
    with connect(
        url.replace("http://", "ws://") + "/ws/live/",
        origin=origin or url,  # type: ignore[arg-type]
        additional_headers={"Cookie": cookies},
        proxy=None,
    ) as connection:
        yield Page(connection)


@contextmanager
def welcomed(url: str, client: Client) -> Generator[Page, None, None]:
    with socket(url, client) as page:
        assert page.receive()["type"] == "welcome"
        yield page


@pytest.mark.requirement("PT-060", "PT-005")
def test_an_anonymous_person_is_refused(portal_url: str) -> None:
    with pytest.raises((InvalidStatus, ConnectionClosed)), socket(portal_url) as page:
        page.receive()


@pytest.mark.requirement("PT-060")
@pytest.mark.django_db(transaction=True)
def test_a_page_of_another_site_is_refused(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1", "testserver"]  # the suite's own settings allow any host
    client = logged_in(make_user("Signe Holm"))
    with processes.site_in_thread(importlib.reload(asgi).application) as url:
        with socket(url, client) as page:
            assert page.receive()["type"] == "welcome"
        with pytest.raises(InvalidStatus), socket(url, client, origin="http://evil.invalid"):
            pytest.fail("a page of another site got a socket")


@pytest.mark.requirement("PT-060")
def test_the_socket_says_which_release_serves_it(portal_url: str, settings: Settings) -> None:
    settings.PORTAL_RELEASE = "9.9.9"
    with socket(portal_url, logged_in(make_user("Signe Holm"))) as page:
        assert page.receive() == {"type": "welcome", "release": "9.9.9"}


@pytest.mark.requirement("PT-060", "TS-120")
@pytest.mark.parametrize("topic", ["no/such/topic", "person/1234567", BOARD, "person/", "../etc"])
def test_unknown_topics_and_those_of_others_are_refused(portal_url: str, topic: str) -> None:
    with welcomed(portal_url, logged_in(make_user("Signe Holm"))) as page:
        assert page.subscribe(topic) == {"type": "refused", "topic": topic}


@pytest.mark.requirement("PT-060")
def test_a_push_comes_after_the_commit_and_says_only_what_changed(portal_url: str) -> None:
    person = make_user("Signe Holm")
    topic = person_topic(person)
    with welcomed(portal_url, logged_in(person)) as page:
        assert page.subscribe(topic) == {"type": "subscribed", "topic": topic}
        with transaction.atomic():
            publish(topic, "thing", 7)
            assert page.is_silent()
        assert page.receive() == {"type": "change", "topic": topic, "what": "thing", "id": 7}


@pytest.mark.requirement("PT-060")
def test_what_is_rolled_back_is_not_pushed(portal_url: str) -> None:
    person = make_user("Signe Holm")
    topic = person_topic(person)
    with welcomed(portal_url, logged_in(person)) as page:
        page.subscribe(topic)
        with transaction.atomic():
            publish(topic, "thing", 7)
            transaction.set_rollback(True)
        assert page.is_silent()


@pytest.mark.requirement("PT-060", "TS-120")
def test_who_lost_the_right_is_told_so_at_the_next_push_and_gets_no_more(portal_url: str) -> None:
    person = make_user("Signe Holm")
    grant = give(person, "tracershop.production_user", make_unit("hospital"))
    with welcomed(portal_url, logged_in(person)) as page:
        assert page.subscribe(BOARD)["type"] == "subscribed"
        publish(BOARD, "vial", 1)
        assert page.receive()["what"] == "vial"
        end_grant(actor=ServiceActor("test"), grant_id=grant.pk, reason="left")
        publish(BOARD, "vial", 2)
        assert page.receive() == {"type": "refused", "topic": BOARD}
        publish(BOARD, "vial", 3)
        assert page.is_silent()


@pytest.mark.requirement("PT-060", "PT-004")
def test_nothing_is_pushed_to_a_session_that_ended(portal_url: str) -> None:
    person = make_user("Signe Holm")
    client, topic = logged_in(person), person_topic(person)
    with welcomed(portal_url, client) as page:
        page.subscribe(topic)
        client.logout()
        publish(topic, "thing", 1)
        assert page.receive() == {"type": "refused", "topic": topic}


@pytest.mark.requirement("PT-060", "PT-004")
def test_nothing_is_pushed_to_a_person_whose_account_was_closed(portal_url: str) -> None:
    person = make_user("Signe Holm")
    topic = person_topic(person)
    with welcomed(portal_url, logged_in(person)) as page:
        page.subscribe(topic)
        person.is_active = False
        person.save()
        publish(topic, "thing", 1)
        assert page.receive() == {"type": "refused", "topic": topic}


@pytest.mark.requirement("TS-120")
@pytest.mark.parametrize(
    "sent",
    [
        "not JSON",
        "[]",
        "null",
        '"subscribe"',
        '{"type": "change", "topic": "person/1"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "topics": "person/1"}',
        '{"type": "subscribe", "topics": [1]}',
        '{"type": "subscribe", "topics": [""]}',
        '{"type": "subscribe", "topics": ["' + "x" * 201 + '"]}',
        '{"type": "subscribe", "topics": [' + ",".join(['"a"'] * (MAX_TOPICS + 1)) + "]}",
        b"\x00\xff",
    ],
    ids=range(12),
)
def test_what_is_no_subscription_is_answered_and_the_socket_lives_on(
    portal_url: str, sent: str | bytes
) -> None:
    person = make_user("Signe Holm")
    with welcomed(portal_url, logged_in(person)) as page:
        page.connection.send(sent)
        assert page.receive()["type"] == "error"
        assert page.subscribe(person_topic(person))["type"] == "subscribed"


@pytest.mark.requirement("TS-120")
def test_a_page_gets_no_more_than_its_number_of_topics(portal_url: str) -> None:
    unit = make_unit("hospital")
    person = make_user("Signe Holm")
    give(person, "tracershop.production_user", unit)
    days = [f"tracershop/day/2026-{n // 28 + 1:02}-{n % 28 + 1:02}" for n in range(MAX_TOPICS)]
    with welcomed(portal_url, logged_in(person)) as page:
        page.connection.send(json.dumps({"type": "subscribe", "topics": days}))
        assert {page.receive()["type"] for _day in days} == {"subscribed"}
        assert page.subscribe(BOARD) == {"type": "refused", "topic": BOARD}


def test_the_same_topic_twice_is_one_subscription(portal_url: str) -> None:
    person = make_user("Signe Holm")
    topic = person_topic(person)
    with welcomed(portal_url, logged_in(person)) as page:
        page.subscribe(topic)
        page.subscribe(topic)
        publish(topic, "thing", 1)
        assert page.receive()["what"] == "thing"
        assert page.is_silent()


@pytest.mark.requirement("PT-060")
@pytest.mark.django_db(transaction=True)
def test_a_change_is_kept_when_redis_is_away(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:1/0"]},
        }
    }
    person = make_user("Signe Holm")
    with transaction.atomic():
        person.title = "Physicist"
        person.save()
        publish(person_topic(person), "thing")
    assert User.objects.get(pk=person.pk).title == "Physicist"


@pytest.mark.django_db
def test_nobody_may_listen_without_being_active() -> None:
    person = make_user("Signe Holm")
    assert may_listen(person, person_topic(person))
    person.is_active = False
    assert not may_listen(person, person_topic(person))
