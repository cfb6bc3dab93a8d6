"""Telling operators of what does not mend itself: nothing is given up silently (DR-134)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Min
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.access.selectors import people_with
from portal.connectors.breaker import condition
from portal.connectors.configuration import declared
from portal.connectors.models import QueuedWrite
from portal.connectors.problems import Code
from portal.notifications.warning import warn_once

State = QueuedWrite.State
SEE = "connectors.see_systems"
LATE_AFTER = timedelta(days=1)
_REMIND_EVERY = timedelta(days=1)


def alert_operators() -> int:
    """Warn those who do not know yet; returns how many warnings were put on screens."""
    people = people_with(SEE)
    return _of_refused(people) + _of_late(people) + _of_credentials(people) + _of_tables(people)


def _queue(state: str) -> str:
    return f"{reverse('connectors:writes')}?state={state}"


def _of_refused(people: Any) -> int:
    newest = QueuedWrite.objects.filter(state=State.REFUSED).aggregate(at=Max("tried_at"))["at"]
    if newest is None:
        return 0
    return warn_once(
        people,
        lambda: _("An outside system refused what was to be written to it."),
        url=_queue(State.REFUSED),
        since=newest,
    )


def _of_late(people: Any) -> int:
    oldest = QueuedWrite.objects.filter(state=State.WAITING).aggregate(at=Min("queued_at"))["at"]
    now = timezone.now()
    if oldest is None or now - oldest < LATE_AFTER:
        return 0
    return warn_once(
        people,
        lambda: _("What is to be written to an outside system has waited for more than a day."),
        url=_queue(State.WAITING),
        since=now - _REMIND_EVERY,
    )


def _of_credentials(people: Any) -> int:
    told = 0
    for code, system in declared().systems.items():
        known = condition(code)
        if known.problem is not None and known.problem.code == Code.CREDENTIALS:
            told += _about(
                people,
                code,
                lambda label=str(system): (
                    _("%(system)s does not accept the portal's credentials.") % {"system": label}
                ),
                known.last_success_at or timezone.now() - _REMIND_EVERY,
            )
    return told


def _of_tables(people: Any) -> int:
    since = timezone.now() - _REMIND_EVERY
    return sum(
        _about(
            people,
            code,
            lambda label=code: (
                _("The configuration of the outside system %(system)s is wrong.")
                % {"system": label}
            ),
            since,
        )
        for code in declared().quarantined
    )


def _about(people: Any, code: str, words: Any, since: datetime) -> int:
    return warn_once(people, words, url=reverse("connectors:system", args=[code]), since=since)
