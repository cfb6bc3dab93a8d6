"""The outbox against a real SMTP server: delivered, retried, given up visibly (PT-048)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.audit.models import AuditEntry
from portal.notifications import outbox, tasks
from portal.notifications.models import OutboxMail
from portal.notifications.outbox import (
    FIRST_DELAY,
    MAX_ATTEMPTS,
    check_outbox,
    give_up_mail,
    queue_mail,
    retry_mail,
    send_due_mail,
)
from portal.records.errors import Refused
from tests.support import processes
from tests.support.factories import give, make_unit, make_user

pytestmark = pytest.mark.django_db(transaction=True)

State = OutboxMail.State


def make_due(mail: OutboxMail) -> OutboxMail:
    mail = OutboxMail.objects.get(pk=mail.pk)
    mail.next_attempt_at = timezone.now() - timedelta(seconds=1)
    mail.save()
    return mail


@pytest.fixture
def no_mail_server(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = processes.HOST, processes.free_port()


@pytest.mark.requirement("PT-048")
def test_a_mail_is_delivered_once(mail_server: processes.MailServer) -> None:
    mail = queue_mail("ward@hospital.invalid", "Besked på portalen", "Læs den her: http://x/")
    tasks.send_mail()
    tasks.send_mail()
    (message,) = mail_server.wait_for(1)
    assert message["To"] == "ward@hospital.invalid"
    assert "Læs den her" in message.get_payload(decode=True).decode()
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == (State.SENT, 1)
    assert mail.history.first().history_service == "mail sender"


@pytest.mark.requirement("PT-048")
def test_while_the_server_is_away_a_mail_is_tried_at_growing_intervals(
    no_mail_server: None, settings: Settings
) -> None:
    mail = queue_mail("ward@hospital.invalid", "Subject", "Text")
    waits = []
    for attempt in range(1, 4):
        before = timezone.now()
        assert send_due_mail() == 0
        assert send_due_mail() == 0  # not before its time
        mail.refresh_from_db()
        assert (mail.state, mail.attempts) == (State.WAITING, attempt)
        assert "refused" in mail.last_error
        waits.append((mail.next_attempt_at - before) // FIRST_DELAY)
        make_due(mail)
    assert waits == [1, 2, 4]
    with processes.mail_server() as server:
        settings.EMAIL_PORT = server.port
        assert send_due_mail() == 1
        assert len(server.wait_for(1)) == 1


@pytest.mark.requirement("PT-048")
def test_a_mail_that_never_goes_is_given_up_visibly_and_can_be_tried_again(
    no_mail_server: None, settings: Settings
) -> None:
    mail = queue_mail("ward@hospital.invalid", "Subject", "Text")
    check_outbox()
    for _attempt in range(MAX_ATTEMPTS):
        make_due(mail)
        send_due_mail()
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == (State.GIVEN_UP, MAX_ATTEMPTS)
    entry = AuditEntry.objects.get(action="notifications.mail_given_up")
    assert entry.object_id == str(mail.pk)
    with pytest.raises(RuntimeError, match="1 mails given up"):
        check_outbox()

    operator = make_user("Operator")
    give(operator, "operations.operator", make_unit("region"))
    client = Client()
    client.force_login(operator, backend="portal.accounts.backends.RegionalIdBackend")
    page = client.get("/operations/").content.decode()
    assert f"/notifications/outbox/{mail.pk}/retry/" in page
    client.post(f"/notifications/outbox/{mail.pk}/retry/")
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == (State.WAITING, 0)
    retried = AuditEntry.objects.get(action="notifications.mail_retried")
    assert retried.actor_id == operator.pk
    check_outbox()
    with processes.mail_server() as server:
        settings.EMAIL_PORT = server.port
        assert send_due_mail() == 1
    with pytest.raises(Refused) as refused:
        retry_mail(actor=operator, mail_id=mail.pk)
    assert refused.value.code == "not_given_up"


@pytest.mark.requirement("PT-048")
def test_operators_see_every_mail_and_give_one_up_with_a_reason() -> None:
    operator = make_user("Operator")
    give(operator, "operations.operator", make_unit("region"))
    client = Client()
    client.force_login(operator, backend="portal.accounts.backends.RegionalIdBackend")
    assert "No mail" in client.get("/notifications/outbox/").content.decode()
    mail = queue_mail("nowhere@hospital.invalid", "Subject", "Text")
    assert "nowhere@hospital.invalid" in client.get("/notifications/outbox/").content.decode()
    sent = client.get("/notifications/outbox/", {"state": "sent"}).content.decode()
    assert "nowhere@hospital.invalid" not in sent
    url = f"/notifications/outbox/{mail.pk}/give-up/"
    assert client.post(url, {"reason": ""}).status_code == 422
    assert client.post(url, {"reason": "the address is wrong"}).status_code == 302
    mail.refresh_from_db()
    assert mail.state == State.GIVEN_UP
    entry = AuditEntry.objects.get(action="notifications.mail_given_up")
    assert (entry.actor_name, entry.reason) == ("Operator", "the address is wrong")
    with pytest.raises(Refused):
        give_up_mail(actor=operator, mail_id=mail.pk, reason="again")


def test_only_who_may_see_the_outbox_sees_it_and_retries() -> None:
    mail = queue_mail("ward@hospital.invalid", "Subject", "Text")
    client = Client()
    client.force_login(make_user("Nobody"), backend="portal.accounts.backends.RegionalIdBackend")
    assert client.get("/notifications/outbox/").status_code == 403
    for act in ("retry", "give-up"):
        assert client.post(f"/notifications/outbox/{mail.pk}/{act}/").status_code == 403


@pytest.mark.requirement("PT-048")
def test_a_mail_that_cannot_be_sent_at_all_does_not_stop_those_behind_it(
    mail_server: processes.MailServer,
) -> None:
    poisoned = queue_mail("ward@hospital.invalid", "Two\nlines", "Text")
    queue_mail("ward@hospital.invalid", "Subject", "Text")
    assert send_due_mail() == 1
    poisoned.refresh_from_db()
    assert poisoned.state == State.WAITING
    assert "newlines" in poisoned.last_error


def test_mail_that_waits_for_over_an_hour_is_a_fault() -> None:
    mail = queue_mail("ward@hospital.invalid", "Subject", "Text")
    mail.created_at = timezone.now() - timedelta(hours=2)
    mail.save()
    with pytest.raises(RuntimeError, match="1 waiting"):
        outbox.check_outbox()
