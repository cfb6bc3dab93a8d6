"""What is announced live of meetings, and who may listen."""

from __future__ import annotations

from typing import Any

from digital_review.models import AgendaItem, Meeting
from digital_review.models.reach import SEE
from digital_review.selectors.room import place_of
from portal.access.decision import can, visible
from portal.live.services import publish

MEETINGS = "digital_review/meetings"


def meeting_topic(meeting_id: int) -> str:
    """The meeting's plan: its list, its people, when it is."""
    return f"digital_review/meeting/{meeting_id}"


def room_topic(meeting_id: int) -> str:
    """The room while the meeting runs: what is shown, who writes, who is there."""
    return f"digital_review/room/{meeting_id}"


def minutes_topic(form_id: int) -> str:
    """What is being written about one patient: in the form of the central review."""
    return f"digital_review/minutes/{form_id}"


def announce_meeting(meeting: Meeting, what: str) -> None:
    """To the lists of meetings, the meeting's page and its room."""
    for topic in (MEETINGS, meeting_topic(meeting.pk), room_topic(meeting.pk)):
        publish(topic, what, meeting.pk)


def may_see_meetings(user: Any) -> bool:
    return can(user, SEE)


def may_see_meeting(user: Any, pk: str) -> bool:
    return visible(user, Meeting.objects.all(), SEE).filter(pk=pk).exists()


def may_enter_room(user: Any, pk: str) -> bool:
    meeting = visible(user, Meeting.objects.select_related("review_type__unit"), SEE)
    found = meeting.filter(pk=pk).first()
    return found is not None and place_of(user, found).is_there


def may_read_minutes(user: Any, pk: str) -> bool:
    items = visible(user, AgendaItem.objects.select_related("meeting__review_type__unit"), SEE)
    item = items.filter(form=pk).first()
    return item is not None and place_of(user, item.meeting).is_there
