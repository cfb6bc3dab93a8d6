"""Accounts that nobody uses, or that expired: warned, then suspended (PT-004)."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from portal.accounts.models import User
from portal.accounts.rules import (
    INACTIVITY_NOTICE,
    Inactivity,
    NotAdmitted,
    inactivity,
    why_not_admitted,
)
from portal.accounts.services.external import suspend
from portal.audit.services import record
from portal.notifications.outbox import queue_mail
from portal.notifications.services import notify
from portal.records.context import ServiceActor, acting
from portal.records.services import locked

KEEPER = ServiceActor("account keeper")


def suspend_inactive_accounts() -> int:
    """Warn and suspend whoever has not used the portal for the set time; returns how many ended.

    External accounts that expired are suspended at once. A local administrator's account waits
    for its day and is suspended only when it has expired.
    """
    now, today = timezone.now(), timezone.localdate()
    open_ones = User.objects.filter(is_active=True, suspended_at__isnull=True).annotate(
        used_at=Greatest(Coalesce("last_seen_at", "created_at"), "changed_at")
    )
    due = open_ones.filter(
        Q(expires_on__lt=today)
        | Q(
            emergency=False,
            used_at__lte=now - settings.PORTAL_SUSPEND_AFTER + INACTIVITY_NOTICE,
        )
    )
    return sum(_look_after(pk, now) for pk in list(due.values_list("pk", flat=True)))


def _look_after(pk: int, now: datetime) -> bool:
    """One account in a transaction of its own; whether it was suspended."""
    with transaction.atomic(), acting(actor=KEEPER):
        account = locked(User.objects.all(), pk)
        if not account.is_active:
            return False
        if why_not_admitted(account, timezone.localdate(now)) is NotAdmitted.EXPIRED:
            _suspend(account, "expired")
            return True
        found = inactivity(
            now=now,
            used_at=max(account.last_seen_at or account.created_at, account.changed_at),
            warned_at=account.warned_at,
            after=settings.PORTAL_SUSPEND_AFTER,
            notice=INACTIVITY_NOTICE,
        )
        if found is Inactivity.WARN:
            _warn(account, now)
        if found is Inactivity.SUSPEND:
            _suspend(account, "not used")
        return found is Inactivity.SUSPEND


def _suspend(account: User, reason: str) -> None:
    with acting(reason=reason):
        suspend(account, {"last_seen_at": account.last_seen_at})


def _warn(account: User, now: datetime) -> None:
    """On the screen of the next log-in, and by mail: who is away sees no screen."""
    # not by saving: a warning is no change of the account, and must not count as its use
    User.all_objects.filter(pk=account.pk).update(warned_at=now)
    record("accounts.inactivity_warned", account, data={"last_seen_at": account.last_seen_at})
    with translation.override(account.language or settings.LANGUAGE_CODE):
        text = _(
            "You have not used %(portal)s for a long time. Your account will be suspended in"
            " %(days)d days unless you log in."
        ) % {"portal": settings.PORTAL_NAME, "days": INACTIVITY_NOTICE.days}
        subject = _("Your account in %(portal)s") % {"portal": settings.PORTAL_NAME}
        link = _("Log in here: %(url)s") % {"url": settings.PORTAL_BASE_URL}
    notify(account, text)
    if account.email:
        queue_mail(account.email, subject, f"{text}\n\n{link}")
