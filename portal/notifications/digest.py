"""One mail a day to those who chose so: that there is something to read, and how much."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, F, Max, Q
from django.utils import timezone, translation
from django.utils.translation import ngettext

from portal.notifications.models import Digest, Notification, NotificationChoice
from portal.notifications.outbox import address, queue_mail

By = NotificationChoice.Mail


def send_digests(now: datetime) -> int:
    """Once it is time, one mail to everybody with messages for it; returns how many were queued.

    Called again on the same day it sends nothing: the day's digest is kept, also when two run at
    the same moment (a person has one a day, says the database).
    """
    here = timezone.localtime(now)
    if here.time() < settings.PORTAL_DIGEST_AT:
        return 0
    counts = _unread_for_a_digest()
    had_one = set(
        Digest.objects.filter(day=here.date(), user__in=counts).values_list("user_id", flat=True)
    )
    people = get_user_model().objects.filter(pk__in=set(counts) - had_one, is_active=True)
    return sum(_send(person, here, counts[person.pk]) for person in people.exclude(email=""))


def _unread_for_a_digest() -> Counter[int]:
    """Number of unread messages that no digest told of, of levels that the person has daily."""
    told = Max("user__digests__created_at")
    waiting = (
        Notification.objects.filter(read_at__isnull=True)
        .annotate(told_at=told)
        .filter(Q(told_at__isnull=True) | Q(created_at__gt=F("told_at")))
        .values_list("user_id", "level")
        .annotate(number=Count("pk", distinct=True))
    )
    rows = list(waiting)
    chosen = {
        (user, level): mail
        for user, level, mail in NotificationChoice.objects.filter(
            user__in={user for user, *_rest in rows}
        ).values_list("user_id", "level", "mail")
    }
    counts: Counter[int] = Counter()
    for user, level, *_told, number in rows:
        if chosen.get((user, level), NotificationChoice.DEFAULTS[level]) == By.DAILY:
            counts[user] += number
    return counts


@transaction.atomic
def _send(person: object, here: datetime, number: int) -> bool:
    _digest, new = Digest.objects.get_or_create(user=person, day=here.date())
    if not new:
        return False
    with translation.override(person.language or settings.LANGUAGE_CODE):  # type: ignore[attr-defined]
        subject = ngettext(
            "%(number)d message for you in %(portal)s",
            "%(number)d messages for you in %(portal)s",
            number,
        )
        queue_mail(
            person.email,  # type: ignore[attr-defined]
            subject % {"number": number, "portal": settings.PORTAL_NAME},
            translation.gettext("Read it here: %(url)s") % {"url": address("notifications:list")},
        )
    return True
