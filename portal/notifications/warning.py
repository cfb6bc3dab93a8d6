"""Telling operators that something needs them: once, however often it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Max, Q
from django.utils import translation

from portal.notifications.models import Notification
from portal.notifications.services import notify, tasks_changed

LOCK_CLASS = 7304  # of advisory locks


@transaction.atomic
def warn_once(people: Any, words: Callable[[], str], *, url: str, since: datetime) -> int:
    """Warn each of ``people`` (a queryset of users) who does not know yet; returns how many.

    Who has an unread warning that leads to ``url``, or has read one after ``since`` (when the
    newest of it came up), is not told again: a flood is one warning. Nothing is remembered but the
    warnings themselves, so it may be called at any time and after any crash. ``words`` is called
    in each person's language.
    """
    with connection.cursor() as cursor:  # two of us at once would tell everybody twice
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [LOCK_CLASS, url])
        if not cursor.fetchone()[0]:
            return 0
    ours = Q(notifications__url=url, notifications__deleted_at__isnull=True)
    unread = Notification.objects.filter(url=url, read_at__isnull=True).values("user")
    told = list(
        people.exclude(pk__in=unread)
        .annotate(told_at=Max(F("notifications__read_at"), filter=ours))
        .filter(Q(told_at__isnull=True) | Q(told_at__lt=since))
    )
    for person in told:
        with translation.override(person.language or None):
            notify(person, words(), url=url, level=Notification.Level.WARNING)
    if told:
        tasks_changed(told)
    return len(told)
