"""Telling operators that something is in quarantine (TS-061)."""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import F, Max, Q
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from portal.inbox.models import InboundMessage
from portal.inbox.selectors import operators
from portal.inbox.services.processing import LOCK_CLASS, TOPIC
from portal.live.services import publish
from portal.notifications.models import Notification
from portal.notifications.services import notify, tasks_changed


@transaction.atomic
def alert_operators() -> int:
    """Put a warning on the screen of every operator who does not know yet; returns how many.

    Who has an unread warning, or has read one since the newest message went to quarantine, is not
    told again: a flood of bad messages is one warning. Nothing is remembered but the warnings
    themselves, so it may be called at any time and after any crash.
    """
    newest = InboundMessage.objects.filter(state=InboundMessage.State.QUARANTINED).aggregate(
        at=Max("processed_at")
    )["at"]
    if newest is None:
        return 0
    with connection.cursor() as cursor:  # two of us at once would tell everybody twice
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, 0)", [LOCK_CLASS + 1])
        if not cursor.fetchone()[0]:
            return 0
    url = f"{reverse('inbox:list')}?state={InboundMessage.State.QUARANTINED.value}"
    ours = Q(notifications__url=url, notifications__deleted_at__isnull=True)
    unread = Notification.objects.filter(url=url, read_at__isnull=True).values("user")
    people = list(
        operators()
        .exclude(pk__in=unread)
        .annotate(told_at=Max(F("notifications__read_at"), filter=ours))
        .filter(Q(told_at__isnull=True) | Q(told_at__lt=newest))
    )
    for person in people:
        with translation.override(person.language or None):
            notify(
                person,
                _("Something received could not be processed and is in quarantine."),
                url=url,
                level=Notification.Level.WARNING,
            )
    if people:
        tasks_changed(people)
        publish(TOPIC, "messages")
    return len(people)
