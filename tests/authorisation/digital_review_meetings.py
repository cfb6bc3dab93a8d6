"""Digital Review's part of the table: meetings and their room.

Whoever is tried in a room is invited to it first, and named deputy of chairman and secretary: what
they may not do then is not theirs by their role.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from digital_review.models import AgendaItem, Meeting, Participant

from tests.authorisation.expectations import Arguments, Row, Topic, pk_of, post


def _roles(*codes: str) -> frozenset[str]:
    return frozenset(f"digital_review.{code}" for code in codes)


MANAGER = _roles("review_manager")
TAKE_PART = MANAGER | _roles(
    "clinician", "review_pathologist", "chairman", "secretary", "specialist"
)
SEE = TAKE_PART | _roles("trial_bureau")
LEAD = MANAGER | _roles("chairman")
WRITE = LEAD | _roles("secretary")
SIGN = MANAGER | _roles("clinician", "specialist")


def _invited(name: str, **more: str) -> Arguments:
    """The object's number, its meeting's room being open to the person."""

    def arguments(objects: Mapping[str, Any], person: Any) -> dict[str, Any]:
        obj = objects[name]
        meeting = obj if isinstance(obj, Meeting) else obj.meeting
        for part in ("chairman", "secretary"):
            row = {"meeting": meeting, "person": person, "part": part}
            if not Participant.objects.filter(**row).exists():
                Participant.objects.create(**row, deputises_for=meeting.chairman)
        return {"pk": obj.pk, **{key: objects[of].pk for key, of in more.items()}}

    return arguments


def _with_pen(name: str) -> Arguments:
    """Likewise, and the person has the pen."""

    def arguments(objects: Mapping[str, Any], person: Any) -> dict[str, Any]:
        found = _invited(name)(objects, person)
        meeting = Meeting.objects.get(pk=AgendaItem.objects.get(pk=found["pk"]).meeting_id)
        meeting.writer = person
        meeting.save()
        return dict(found)

    return arguments


_MEETING, _ITEM = {"args": pk_of("meeting")}, {"args": pk_of("listed_patient")}
_ROOM, _TABLE = {"args": _invited("running_meeting")}, {"args": _invited("shown_patient")}

URLS: dict[str, Row] = {
    "digital_review:meetings": Row(SEE),
    "digital_review:meeting_new": Row(MANAGER),
    "digital_review:meeting": Row(SEE, **_MEETING),
    "digital_review:meeting_change": Row(MANAGER, **_MEETING),
    "digital_review:meeting_cancel": Row(MANAGER, **_MEETING),
    "digital_review:meeting_invite": Row(MANAGER, **_MEETING),
    "digital_review:meeting_deputy": Row(
        MANAGER, args=lambda objects, _: {"pk": objects["meeting"].pk, "part": "chairman"}
    ),
    "digital_review:meeting_uninvite": Row(MANAGER, args=pk_of("participant")),
    "digital_review:meeting_video": Row(SEE, args=_invited("meeting")),
    "digital_review:meeting_findings": Row(SEE, args=pk_of("held_meeting")),
    # without fields: who may sign is told so (422) before any key is asked for
    "digital_review:finding_sign": post(SIGN, args=pk_of("finding")),
    "digital_review:meeting_add": post(
        MANAGER, **_MEETING, data=lambda objects, _: {"case": objects["ready_case"].pk}, exact=True
    ),
    "digital_review:meeting_add_all": post(MANAGER, **_MEETING, exact=True),
    "digital_review:meeting_remove": Row(MANAGER, **_ITEM),
    "digital_review:meeting_move": Row(MANAGER, **_ITEM),
    "digital_review:meeting_place": post(
        MANAGER, **_ITEM, data=lambda _o, _p: {"to": 1}, exact=True
    ),
    # the room
    "digital_review:room": Row(SEE, **_ROOM),
    "digital_review:room_agenda": Row(SEE, **_ROOM),
    "digital_review:room_patient": Row(SEE, **_ROOM),
    "digital_review:room_follow": Row(SEE, **_ROOM),
    "digital_review:room_minutes": Row(SEE, **_ROOM),
    "digital_review:room_here": post(SEE, **_ROOM, exact=True),
    "digital_review:room_written": Row(SEE, **_TABLE),
    "digital_review:room_opinions": Row(SEE, **_TABLE),
    "digital_review:room_form": Row(SEE, args=_invited("shown_patient", form_pk="shown_form")),
    "digital_review:room_start": post(LEAD, args=_invited("meeting"), exact=True),
    "digital_review:room_end": Row(LEAD, **_ROOM),
    "digital_review:room_take_pen": post(WRITE, **_ROOM, exact=True),
    "digital_review:room_give_pen": post(LEAD, **_ROOM, exact=True),
    "digital_review:room_show": post(LEAD, **_TABLE, exact=True),
    "digital_review:room_write": post(
        WRITE,
        args=_with_pen("shown_patient"),
        data=lambda _o, _p: {"conclusion": "x", "opened_version": 1, "sequence": 1},
        exact=True,
    ),
    "digital_review:room_opine": post(
        TAKE_PART,
        **_TABLE,
        data=lambda objects, _: {"outcome": objects["review_outcome"].pk},
        exact=True,
    ),
    "digital_review:room_disclose": post(LEAD, **_TABLE, exact=True),
    "digital_review:room_minority": Row(WRITE, args=_with_pen("shown_patient")),
    "digital_review:room_finish": Row(WRITE, args=_with_pen("shown_patient")),
    "digital_review:room_postpone": Row(LEAD, **_TABLE),
}


def _topic(kind: str, name: str) -> Any:
    def topic(objects: Mapping[str, Any], person: Any) -> str:
        if kind in ("room", "minutes"):
            _invited("shown_patient")(objects, person)
        return f"digital_review/{kind}/{objects[name].pk}"

    return topic


TOPICS: dict[str, Topic] = {
    "digital_review/meetings": Topic(
        lambda _o, _p: "digital_review/meetings", SEE, on_objects=False
    ),
    r"digital_review/meeting/(?P<pk>\d+)": Topic(_topic("meeting", "meeting"), SEE),
    r"digital_review/room/(?P<pk>\d+)": Topic(_topic("room", "running_meeting"), SEE),
    r"digital_review/minutes/(?P<pk>\d+)": Topic(_topic("minutes", "shown_form"), SEE),
}
