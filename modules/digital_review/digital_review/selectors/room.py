"""The meeting room: who is who in it, what is on the table, who is there (DR-060)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

from digital_review.models import AgendaItem, Meeting, Participant
from digital_review.models.reach import LEAD, MINUTES, SEE
from portal.access.decision import can

logger = logging.getLogger(__name__)

HERE_S = 40
"""Whoever was not heard of for so long is not there any more; they say so every 20 s."""


@dataclass(frozen=True)
class Place:
    """What one person is in one meeting."""

    is_there: bool
    """Officer or participant, who may still see the review: may enter the room."""
    leads: bool
    """Chairman, or their deputy, who may still lead meetings."""
    keeps_minutes: bool
    """Secretary, or their deputy, who may still keep minutes."""
    holds_pen: bool
    """Writes the minutes at this moment, and nobody else does."""


NOWHERE = Place(is_there=False, leads=False, keeps_minutes=False, holds_pen=False)


def place_of(user: Any, meeting: Meeting) -> Place:
    """The person's place in the meeting; one query. Naming somebody does not lend a privilege."""
    if not can(user, SEE, meeting):
        return NOWHERE
    rows = Participant.objects.filter(meeting=meeting, person=user.pk)
    taken = list(rows.values_list("part", "deputises_for"))
    deputises = {part for part, officer in taken if officer is not None}
    officers = (meeting.chairman_id, meeting.secretary_id, meeting.pathologist_id)
    is_there = bool(taken) or user.pk in officers
    leads = user.pk == meeting.chairman_id or Participant.Part.CHAIRMAN in deputises
    keeps = user.pk == meeting.secretary_id or Participant.Part.SECRETARY in deputises
    leads, keeps = leads and can(user, LEAD, meeting), keeps and can(user, MINUTES, meeting)
    return Place(is_there, leads, keeps, (leads or keeps) and user.pk == meeting.writer_id)


def deputy(meeting: Meeting, part: str) -> Any:
    """Who deputises for this officer of the meeting, or None."""
    row = Participant.objects.filter(meeting=meeting, part=part, deputises_for__isnull=False)
    found = row.select_related("person").order_by("-pk").first()
    return found.person if found else None


def minute_keeper(meeting: Meeting) -> Any:
    """The secretary, or who deputises for them."""
    return deputy(meeting, Participant.Part.SECRETARY) or meeting.secretary


def on_the_table(case_id: int) -> Meeting | None:
    """The meeting that discusses this case at this moment: meanwhile its other forms are closed."""
    found = AgendaItem.objects.filter(case=case_id, status="to_discuss", meeting__status="running")
    item = found.select_related("meeting").first()
    return item.meeting if item is not None and item.meeting.shown_id == item.pk else None


# --- who is there ------------------------------------------------------------------------------


def _key(meeting_id: int, person_id: int) -> str:
    return f"digital_review:here:{meeting_id}:{person_id}"


def note_presence(meeting_id: int, person_id: int) -> bool:
    """Keep that the person is in the room; whether they were not there before."""
    key = _key(meeting_id, person_id)
    try:
        new = cache.get(key) is None
        cache.set(key, 1, timeout=HERE_S)
    except Exception as error:  # without Redis nobody is seen to be there; the meeting goes on
        logger.warning("presence in meeting %s is not kept: %s", meeting_id, error)
        return False
    return new


def note_leaving(meeting_id: int, person_id: int) -> None:
    """The page was left: they are gone at once, not only when they have not been heard of."""
    try:
        cache.delete(_key(meeting_id, person_id))
    except Exception as error:
        logger.warning("presence in meeting %s is not kept: %s", meeting_id, error)


def present(meeting_id: int, people: Iterable[Any]) -> Collection[int]:
    """Keys of those of the people who are in the room; one question to Redis for all."""
    keys = {_key(meeting_id, person.pk): person.pk for person in people}
    try:
        return {keys[key] for key in cache.get_many(keys)}
    except Exception as error:
        logger.warning("presence in meeting %s is not known: %s", meeting_id, error)
        return set()
