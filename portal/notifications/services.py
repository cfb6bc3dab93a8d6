"""Telling people: on screen at once, by mail through the outbox."""

from __future__ import annotations

import smtplib
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from portal.access.decision import require
from portal.audit.services import record
from portal.live.services import publish
from portal.notifications.models import Notification, NotificationChoice, OutboxMail
from portal.records.errors import Refused
from portal.records.services import change_many, locked, writes

MAILED_BY_DEFAULT = {Notification.Level.ALARM}
MAX_ATTEMPTS = 8
_LONGEST_TEXT = 300  # what the column holds
FIRST_DELAY = timedelta(seconds=30)


def person_topic(user: Any) -> str:
    return f"person/{user.pk}"


def is_oneself(user: Any, pk: str) -> bool:
    return str(user.pk) == pk


def notify(user: Any, text: str, *, url: str = "", level: str = Notification.Level.INFO) -> None:
    """Put a message on the person's screen, within the caller's transaction.

    Those who chose so are mailed that there is one: the mail holds a link and nothing of the
    message, which may name a patient (PT-048).
    """
    text = Truncator(text).chars(_LONGEST_TEXT)  # it may quote what people wrote
    Notification.objects.create(user=user, text=text, url=url, level=level)
    publish(person_topic(user), "notification")
    if user.email and wants_mail(user, level):
        with translation.override(user.language or settings.LANGUAGE_CODE):
            queue_mail(
                user.email,
                _("A message for you in %(portal)s") % {"portal": settings.PORTAL_NAME},
                _("Read it here: %(url)s") % {"url": _address("notifications:list")},
            )


def _address(url_name: str) -> str:
    return settings.PORTAL_BASE_URL.rstrip("/") + reverse(url_name)


def choices_of(user: Any) -> dict[str, bool]:
    """For each level whether the person is mailed too."""
    chosen = dict(
        user.notification_choices.filter(deleted_at__isnull=True).values_list("level", "by_mail")
    )
    return {
        level: chosen.get(level, level in MAILED_BY_DEFAULT) for level in Notification.Level.values
    }


def wants_mail(user: Any, level: str) -> bool:
    return choices_of(user)[level]


@writes
def choose_mail(*, actor: Any, levels: Collection[str]) -> None:
    """One's own choice: mail for messages of these levels, and not for the others."""
    unknown = set(levels) - set(Notification.Level.values)
    if unknown:
        raise Refused(_("There is no such kind of message."), code="unknown_level")
    get_user_model().objects.select_for_update(no_key=True).get(pk=actor.pk)
    rows = {row.level: row for row in NotificationChoice.objects.filter(user=actor)}
    for level, current in choices_of(actor).items():
        wanted = level in levels
        if wanted == current:
            continue
        row = rows.get(level) or NotificationChoice(user=actor, level=level)
        row.by_mail = wanted
        row.save()


def unread(user: Any) -> Any:
    return Notification.objects.filter(user=user, read_at__isnull=True)


def unread_count(user: Any) -> int:
    return unread(user).count()


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


@writes
def mark_all_read(*, actor: Any) -> int:
    """All of one's own unread messages; returns how many."""
    count = change_many(unread(actor).select_for_update(no_key=True), read_at=timezone.now())
    if count:
        publish(person_topic(actor), "notification")
    return count


@writes
def retry_mail(*, actor: Any, mail_id: int, reason: str = "") -> OutboxMail:
    """Send a mail that was given up once more, from the first attempt on."""
    require(actor, "notifications.see_outbox")
    mail = locked(OutboxMail.objects.all(), mail_id)
    if mail.state != OutboxMail.State.GIVEN_UP:
        raise Refused(_("This mail has not been given up."), code="not_given_up")
    mail.state = OutboxMail.State.WAITING
    mail.attempts = 0
    mail.next_attempt_at = timezone.now()
    mail.save()
    record("notifications.mail_retried", mail, data={"last_error": mail.last_error})
    return mail


def queue_mail(to: str, subject: str, text: str) -> OutboxMail:
    """Put a mail into the outbox, within the caller's transaction. Nothing personal but a link."""
    return OutboxMail.objects.create(to=to, subject=subject, text=text)


def send_due_mail(limit: int = 50) -> int:
    """Try every mail that is due, each in a transaction of its own; returns how many went out."""
    sent = 0
    due = OutboxMail.objects.filter(
        state=OutboxMail.State.WAITING, next_attempt_at__lte=timezone.now()
    )
    for pk in list(due.order_by("next_attempt_at", "pk").values_list("pk", flat=True)[:limit]):
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
    except (OSError, smtplib.SMTPException, ValueError) as error:
        # ValueError: what the mail itself holds cannot be sent; it must not stop those behind it
        mail.last_error = (str(error) or repr(error))[:500]
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
