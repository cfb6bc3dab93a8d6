"""Telling operators that something is in quarantine (TS-061)."""

from __future__ import annotations

from django.db.models import Max
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.inbox.models import InboundMessage
from portal.inbox.selectors import operators
from portal.inbox.services.processing import TOPIC
from portal.live.services import publish
from portal.notifications.warning import warn_once


def alert_operators() -> int:
    """Put a warning on the screen of every operator who does not know yet; returns how many."""
    newest = InboundMessage.objects.filter(state=InboundMessage.State.QUARANTINED).aggregate(
        at=Max("processed_at")
    )["at"]
    if newest is None:
        return 0
    told = warn_once(
        operators(),
        lambda: _("Something received could not be processed and is in quarantine."),
        url=f"{reverse('inbox:list')}?state={InboundMessage.State.QUARANTINED.value}",
        since=newest,
    )
    if told:
        publish(TOPIC, "messages")
    return told
