"""The outbox: mail is tried until it is delivered, or given up where an operator sees it."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.access.decision import require
from portal.audit.services import record
from portal.notifications.models import OutboxMail
from portal.records.errors import Refused
from portal.records.services import locked, writes

MAX_ATTEMPTS = 8
FIRST_DELAY = timedelta(seconds=30)
SEE = "notifications.see_outbox"


def address(url_name: str) -> str:
    """The whole address of a page, as a mail needs it."""
    return settings.PORTAL_BASE_URL.rstrip("/") + reverse(url_name)


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


@writes
def retry_mail(*, actor: Any, mail_id: int, reason: str = "") -> OutboxMail:
    """Send a mail that was given up once more, from the first attempt on."""
    require(actor, SEE)
    mail = locked(OutboxMail.objects.all(), mail_id)
    if mail.state != OutboxMail.State.GIVEN_UP:
        raise Refused(_("This mail has not been given up."), code="not_given_up")
    mail.state = OutboxMail.State.WAITING
    mail.attempts = 0
    mail.next_attempt_at = timezone.now()
    mail.save()
    record("notifications.mail_retried", mail, data={"last_error": mail.last_error})
    return mail


@writes
def give_up_mail(*, actor: Any, mail_id: int, reason: str) -> OutboxMail:
    """Try a mail that waits no more: to an address that is wrong, say."""
    require(actor, SEE)
    mail = locked(OutboxMail.objects.all(), mail_id)
    if mail.state != OutboxMail.State.WAITING:
        raise Refused(_("This mail does not wait any more."), code="not_waiting")
    mail.state = OutboxMail.State.GIVEN_UP
    mail.save()
    record("notifications.mail_given_up", mail, data={"error": mail.last_error})
    return mail
