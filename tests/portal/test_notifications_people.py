"""My tasks, messages on screen, and who is mailed (PT-045, PT-048)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from portal.accounts.models import User
from portal.notifications import my_tasks
from portal.notifications.digest import send_digests
from portal.notifications.models import Notification, NotificationChoice, OutboxMail
from portal.notifications.my_tasks import MyTask, task_count, tasks_for
from portal.notifications.services import (
    choices_of,
    choose_mail,
    mark_all_read,
    mark_read,
    notify,
    unread_count,
)
from portal.records.errors import Refused
from tests.support.factories import make_user

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


@pytest.fixture
def person() -> User:
    return make_user("Signe Holm")


@pytest.fixture
def client_of_person(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="portal.accounts.backends.RegionalIdBackend")
    return client


class FakeModule:
    def __init__(self, label: str) -> None:
        self.label = label
        self.verbose_name = label.capitalize()
        self.icon = "square"


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What modules tell: label → source."""
    told: dict[str, Any] = {}
    monkeypatch.setattr(
        my_tasks.registry,
        "task_sources",
        lambda: [(FakeModule(label), source) for label, source in told.items()],
    )
    return told


# --- my tasks --------------------------------------------------------------------------------


@pytest.mark.requirement("PT-045")
def test_tasks_are_grouped_by_module_urgent_first_then_oldest_due(
    person: User, sources: dict[str, Any]
) -> None:
    sources["reading"] = lambda user: [MyTask("Read", "/r/", due_at=NOW)]
    sources["releasing"] = lambda user: [
        MyTask("No date", "/1/"),
        MyTask("Later", "/2/", due_at=NOW + timedelta(days=1), count=3),
        MyTask("Sooner", "/3/", due_at=NOW),
        MyTask("Urgent", "/4/", urgent=True),
        MyTask("Another without date", "/5/"),
    ]
    groups = tasks_for(person)
    assert [group.module for group in groups] == ["Releasing", "Reading"]
    assert [task.title for task in groups[0].tasks] == [
        "Urgent", "Sooner", "Later", "No date", "Another without date",
    ]  # fmt: skip
    assert task_count(person) == 8


@pytest.mark.requirement("PT-045")
def test_a_module_that_fails_says_so_and_leaves_the_others_alone(
    person: User, sources: dict[str, Any], client_of_person: Client
) -> None:
    def broken(user: User) -> Iterable[MyTask]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")
        return []

    sources["broken"] = broken
    sources["reading"] = lambda user: [MyTask("Read <it>", "/r/")]
    sources["idle"] = lambda user: []
    page = client_of_person.get("/notifications/tasks/").content.decode()
    assert "Its tasks cannot be told just now" in page
    assert "Read &lt;it&gt;" in page
    assert "Idle" not in page


@pytest.mark.requirement("PT-045")
def test_the_page_s_frame_counts_tasks_and_listens_for_changes(
    person: User, sources: dict[str, Any], client_of_person: Client
) -> None:
    sources["reading"] = lambda user: [MyTask("Read", "/r/", count=4)]
    page = client_of_person.get("/notifications/tasks/").content.decode()
    assert f'data-live-topic="person/{person.pk}"' in page
    count = client_of_person.get("/notifications/tasks/count/").content.decode()
    assert '<span class="header__count">4</span>' in count
    assert count.count("<a ") == 1
    fragment = client_of_person.get("/notifications/tasks/list/").content.decode()
    assert "<html" not in fragment
    assert 'href="/r/"' in fragment


@pytest.mark.requirement("PT-045")
def test_without_tasks_the_page_says_what_comes_here(client_of_person: Client) -> None:
    assert "Nothing waits for you" in client_of_person.get("/notifications/tasks/").content.decode()


@pytest.mark.requirement("PT-005")
@pytest.mark.parametrize(
    "path", ["", "count/", "choices/", "tasks/", "tasks/list/", "tasks/count/"]
)
def test_nothing_of_this_answers_anonymously(path: str) -> None:
    answer = Client().get(f"/notifications/{path}")
    assert answer.status_code == 302
    assert "/accounts/login" in answer["Location"]


# --- messages --------------------------------------------------------------------------------


@pytest.mark.requirement("PT-048")
def test_a_message_is_shown_until_it_is_read(person: User, client_of_person: Client) -> None:
    notify(person, "Order 7 is released", url="/operations/")
    note = Notification.objects.get(user=person)
    page = client_of_person.get("/notifications/").content.decode()
    assert "<strong>Order 7 is released</strong>" in page
    assert '<span class="header__count">1</span>' in page
    answer = client_of_person.post(f"/notifications/{note.pk}/read/", {"next": note.url})
    assert answer["Location"] == "/operations/"
    assert unread_count(person) == 0
    page = client_of_person.get("/notifications/").content.decode()
    assert "<strong>Order 7 is released</strong>" not in page
    assert "Order 7 is released" in page


@pytest.mark.requirement("PT-048")
def test_all_messages_are_marked_read_at_once_and_only_one_s_own(
    person: User, client_of_person: Client
) -> None:
    other = make_user("Another")
    for text in ("one", "two"):
        notify(person, text)
        notify(other, text)
    client_of_person.post("/notifications/read/")
    assert (unread_count(person), unread_count(other)) == (0, 2)
    assert mark_all_read(actor=person) == 0
    with pytest.raises(Refused) as refused:
        mark_read(actor=person, notification_id=Notification.objects.filter(user=other)[0].pk)
    assert refused.value.code == "gone"


def test_reading_leads_to_no_other_site(person: User, client_of_person: Client) -> None:
    notify(person, "one")
    note = Notification.objects.get(user=person)
    answer = client_of_person.post(
        f"/notifications/{note.pk}/read/", {"next": "https://evil.invalid/"}
    )
    assert answer["Location"] == "/notifications/"


def test_htmx_gets_the_list_alone(person: User, client_of_person: Client) -> None:
    notify(person, "one")
    part = client_of_person.get("/notifications/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "one" in part
    count = client_of_person.get("/notifications/count/").content.decode()
    assert '<span class="header__count">1</span>' in count


# --- by mail ---------------------------------------------------------------------------------


@pytest.mark.requirement("PT-048")
def test_alarms_are_mailed_unless_chosen_otherwise_and_the_mail_holds_only_a_link(
    person: User, settings: Settings
) -> None:
    settings.PORTAL_BASE_URL = "https://portal.invalid"
    notify(person, "Jens Hansen 010190-1234 waits", url="/secret/", level=Notification.Level.ALARM)
    notify(person, "Only on screen")
    mail = OutboxMail.objects.get()
    assert mail.to == person.email
    assert mail.text == "Read it here: https://portal.invalid/notifications/"
    for secret in ("Hansen", "010190", "/secret/", person.name):
        assert secret not in mail.subject + mail.text


@pytest.mark.requirement("PT-048")
def test_a_person_chooses_which_messages_come_by_mail_and_how(
    person: User, client_of_person: Client
) -> None:
    page = client_of_person.get("/notifications/choices/").content.decode()
    assert page.count("checked") == 3
    chosen = {"info": "at_once", "warning": "never", "alarm": "daily"}
    client_of_person.post("/notifications/choices/", chosen)
    assert choices_of(person) == chosen
    notify(person, "alarm", level=Notification.Level.ALARM)
    notify(person, "warning", level=Notification.Level.WARNING)
    assert not OutboxMail.objects.exists()
    notify(person, "news")
    assert OutboxMail.objects.count() == 1
    choose_mail(actor=person, choices={"warning": "never"})
    assert {row.version for row in NotificationChoice.objects.filter(user=person)} == {1}


def test_an_unknown_kind_of_message_cannot_be_chosen(
    person: User, client_of_person: Client
) -> None:
    sent = {"info": "pigeon", "warning": "never", "alarm": "never"}
    assert client_of_person.post("/notifications/choices/", sent).status_code == 422
    for choices in ({"x": "never"}, {"info": "pigeon"}):
        with pytest.raises(Refused):
            choose_mail(actor=person, choices=choices)


# --- one mail a day --------------------------------------------------------------------------

MORNING = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)  # 07:30 in Copenhagen


@pytest.mark.requirement("PT-048")
def test_one_mail_a_day_tells_how_much_is_unread_and_nothing_of_it(person: User) -> None:
    choose_mail(actor=person, choices={"info": "daily"})
    for text in ("Jens Hansen 010190-1234 waits", "more", "read already"):
        notify(person, text, level=Notification.Level.INFO)
    mark_read(actor=person, notification_id=Notification.objects.latest("pk").pk)
    notify(make_user("Other"), "not chosen daily")
    assert send_digests(MORNING - timedelta(hours=1)) == 0  # it is not time yet
    assert send_digests(MORNING) == 1
    mail = OutboxMail.objects.get()
    assert (mail.to, mail.subject) == (person.email, "2 messages for you in Hospital Portal")
    assert "Hansen" not in mail.text
    assert send_digests(MORNING + timedelta(hours=2)) == 0  # one a day
    assert send_digests(MORNING + timedelta(days=1)) == 0  # told already


@pytest.mark.requirement("PT-048")
def test_a_digest_is_in_the_person_s_language(person: User) -> None:
    User.all_objects.filter(pk=person.pk).update(language="da")
    notify(person, "warning", level=Notification.Level.WARNING)
    assert send_digests(MORNING) == 1
    assert "meddelelse" in OutboxMail.objects.get().subject


def test_digests_of_many_people_are_found_with_a_fixed_number_of_queries(
    django_assert_num_queries: Any,
) -> None:
    people = [make_user(f"Person {number}", email="") for number in range(12)]
    for person in people:
        notify(person, "warning", level=Notification.Level.WARNING)
    with django_assert_num_queries(4):
        assert send_digests(MORNING) == 0  # nobody has an address


def test_who_has_no_mail_address_gets_no_mail() -> None:
    person = make_user("No Mail", email="")
    notify(person, "alarm", level=Notification.Level.ALARM)
    assert not OutboxMail.objects.exists()


def test_a_message_that_quotes_something_long_is_cut_short(person: User) -> None:
    notify(person, "Rejected: " + "x" * 1000)
    text = Notification.objects.get(user=person).text
    assert len(text) == 300
    assert text.startswith("Rejected: xxx")
    assert text.endswith("x…")


def test_reading_leads_to_the_list_when_it_was_sent_to_no_address(
    person: User, client_of_person: Client
) -> None:
    notify(person, "Something")
    pk = Notification.objects.get(user=person).pk
    answer = client_of_person.post(f"/notifications/{pk}/read/", {"next": "nowhere"})
    assert (answer.status_code, answer["Location"]) == (302, "/notifications/")
