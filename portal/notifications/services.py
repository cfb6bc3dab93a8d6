"""Telling people: on screen at once, by mail through the outbox."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from portal.audit.services import record
from portal.live.services import publish
from portal.notifications.models import Notification, OutboxMail
from portal.records.services import locked, writes

MAX_ATTEMPTS = 8
FIRST_DELAY = timedelta(seconds=30)


def person_topic(user: Any) -> str:
    return f"person/{user.pk}"


def is_oneself(user: Any, pk: str) -> bool:
    return str(user.pk) == pk


def notify(user: Any, text: str, *, url: str = "", level: str = Notification.Level.INFO) -> None:
    """Put a message on the person's screen, within the caller's transaction."""
    Notification.objects.create(user=user, text=text, url=url, level=level)
    publish(person_topic(user), "notification")


def tasks_changed(users: Any) -> None:
    """*My tasks* of these people may have changed."""
    for user in users:
        publish(person_topic(user), "tasks")


@writes
def mark_read(*, actor: Any, notification_id: int) -> None:
    """Only one's own: another's is not found."""
    notification = locked(Notification.objects.filter(user=actor), notification_id)
    if notification.read_at is None:
        notification.read_at = timezone.now()
        notification.save(update_fields={"read_at"})
        publish(person_topic(actor), "notification")


def queue_mail(to: str, subject: str, text: str) -> OutboxMail:
    """Put a mail into the outbox, within the caller's transaction. Nothing personal but a link."""
    return OutboxMail.objects.create(to=to, subject=subject, text=text)


def send_due_mail(limit: int = 50) -> int:
    """Try every mail that is due, each in a transaction of its own; returns how many went out."""
    sent = 0
    due = OutboxMail.objects.filter(
        state=OutboxMail.State.WAITING, next_attempt_at__lte=timezone.now()
    ).values_list("pk", flat=True)[:limit]
    for pk in list(due):
        sent += _try_mail(pk)
    return sent


@transaction.atomic
def _try_mail(pk: int) -> bool:
    mail = (
        OutboxMail.objects.select_for_update(no_key=True, skip_locked=True)
        .filter(pk=pk, state=OutboxMail.State.WAITING)
        .first()
    )
    if mail is None:
        return False
    mail.attempts += 1
    try:
        EmailMessage(mail.subject, mail.text, settings.DEFAULT_FROM_EMAIL, [mail.to]).send()
    except (OSError, smtplib.SMTPException) as error:
        mail.last_error = str(error)[:500]
        mail.next_attempt_at = timezone.now() + FIRST_DELAY * 2 ** (mail.attempts - 1)
        if mail.attempts >= MAX_ATTEMPTS:
            mail.state = OutboxMail.State.GIVEN_UP
            record("notifications.mail_given_up", mail, data={"error": mail.last_error})
    else:
        mail.state = OutboxMail.State.SENT
        mail.sent_at = timezone.now()
    mail.save()
    return mail.state == OutboxMail.State.SENT


def check_outbox() -> None:
    """Health check: no mail was given up in the last day, none waits for more than an hour."""
    now = timezone.now()
    given_up = OutboxMail.objects.filter(
        state=OutboxMail.State.GIVEN_UP, changed_at__gt=now - timedelta(days=1)
    ).count()
    late = OutboxMail.objects.filter(
        state=OutboxMail.State.WAITING, created_at__lt=now - timedelta(hours=1)
    ).count()
    if given_up or late:
        raise RuntimeError(f"{given_up} mails given up, {late} waiting for over an hour")
