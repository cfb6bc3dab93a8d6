"""Planning meetings: when, who, and telling them (DR-050 to DR-052, DR-011)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from digital_review.models import AgendaItem, Meeting, OutcomeSpecialist, Participant, ReviewType
from digital_review.models.reach import LEAD, MANAGE, MINUTES, PATHOLOGY, SIGN_REVIEW
from digital_review.selectors.meeting_topics import announce_meeting
from digital_review.selectors.meetings import OFFICES, PART_NEEDS, invited
from digital_review.services.agenda import ask_follow_ups, fill
from digital_review.services.telling import tell
from portal.access.decision import can, require, visible
from portal.audit.services import differences, record
from portal.organisation.models import Unit
from portal.records.errors import Refused
from portal.records.services import change_many, check_version, locked, soft_delete, writes

Part = Participant.Part
_INVITED = _("You are invited to the %(review)s meeting of %(when)s.")
_OFFICERS = {"chairman_id": LEAD, "secretary_id": MINUTES, "pathologist_id": PATHOLOGY}


@dataclass(frozen=True)
class MeetingData:
    """What is planned (DR-051). The place and the video link may be empty."""

    starts_at: datetime
    chairman_id: int
    secretary_id: int
    pathologist_id: int
    pathologist_hospital_id: int | None = None
    place: str = ""
    video_room: str = ""
    opinions_first: bool = True


_FIELDS = tuple(MeetingData.__dataclass_fields__)


@writes
def plan_meeting(
    *,
    actor: Any,
    review_type_id: int,
    data: MeetingData,
    participant_ids: Iterable[int] = (),
    reason: str = "",
) -> Meeting:
    """A new meeting: its list is filled, everybody concerned is told, follow-ups that fall due by
    then are asked of the hospitals (Sc 8). Refused: ``past``, ``officer``, ``address``, ``person``.
    """
    review_type = visible(actor, ReviewType.objects.select_related("unit"), MANAGE)
    kind = review_type.filter(pk=review_type_id).first()
    if kind is None:
        raise Refused(_("There is no such review type."), code="gone")
    meeting = Meeting(review_type=kind)
    _set(meeting, data)
    require(actor, MANAGE, meeting)
    _must_be_ahead(meeting)
    meeting.save()
    for person_id in dict.fromkeys(participant_ids):
        _add(meeting, _person(person_id), Part.CLINICIAN)
    record("digital_review.meeting_planned", meeting, data=_told(meeting))
    fill(actor, meeting)
    ask_follow_ups(actor, meeting)
    _tell(meeting, _INVITED)
    announce_meeting(meeting, "planned")
    return meeting


@writes
def change_meeting(
    *, actor: Any, meeting_id: int, version: int | None, data: MeetingData, reason: str
) -> Meeting:
    """Change or reschedule a planned meeting, with a reason. Who is concerned is told of what
    concerns them: another moment, another place, an office that they have now or no more."""
    meeting = planned(actor, meeting_id)
    _needs(reason)
    check_version(meeting, version, {name: getattr(data, name) for name in _FIELDS})
    old, before = _told(meeting), {person.pk: person for person in invited(meeting)}
    moved = meeting.starts_at != data.starts_at
    _set(meeting, data)
    if moved:
        _must_be_ahead(meeting)
        # what is due before the meeting is due at other moments now
        meeting.information_sent_at = meeting.reports_checked_at = None
    meeting.save()
    _end_stale_deputies(meeting)
    changed = differences(old, _told(meeting))
    record("digital_review.meeting_changed", meeting, data=changed)
    if moved:
        ask_follow_ups(actor, meeting)
    if changed:
        text = (
            _("The %(review)s meeting is moved to %(when)s.")
            if moved
            else _("The %(review)s meeting of %(when)s is changed.")
        )
        _tell(meeting, text, before)
    announce_meeting(meeting, "changed")
    return meeting


@writes
def cancel_meeting(*, actor: Any, meeting_id: int, reason: str) -> Meeting:
    """Cancel a planned meeting, with a reason. Its patients belong on the next list again."""
    meeting = planned(actor, meeting_id)
    _needs(reason)
    waiting = AgendaItem.objects.filter(meeting=meeting, status="to_discuss")
    change_many(waiting.select_for_update(no_key=True), status="postponed")
    meeting.status = Meeting.Status.CANCELLED
    meeting.save()
    record("digital_review.meeting_cancelled", meeting)
    _tell(meeting, _("The %(review)s meeting of %(when)s is cancelled."))
    announce_meeting(meeting, "cancelled")
    return meeting


# --- participants ------------------------------------------------------------------------------


@writes
def invite(
    *, actor: Any, meeting_id: int, person_id: int, part: str, reason: str = ""
) -> Participant:
    """Invite somebody. Refused: ``part``, ``not_allowed``, ``twice``."""
    meeting = open_meeting(actor, meeting_id)
    if part not in PART_NEEDS or part in (Part.CHAIRMAN, Part.SECRETARY):
        raise Refused(_("Nobody is invited as this; name a deputy instead."), code="part")
    row = _add(meeting, _person(person_id), Part(part))
    record("digital_review.participant_invited", meeting, data=_row_told(row))
    tell_of_meeting(meeting, [row.person], _INVITED)
    announce_meeting(meeting, "participants")
    return row


@writes
def name_deputy(
    *,
    actor: Any,
    meeting_id: int,
    part: str,
    person_id: int,
    reason: str,
    specialist_id: int | None = None,
) -> Participant:
    """Somebody stands in for an officer in this meeting alone, or (``specialist_id``) for a
    specialist who signs its findings (DR-011); a former deputy of theirs ends.

    They need the office's privilege themselves. Refused: ``part``, ``not_allowed``, ``self``.
    """
    meeting = open_meeting(actor, meeting_id)
    _needs(reason)
    officer, person = _stood_in_for(meeting, part, specialist_id), _person(person_id)
    if person == officer:
        raise Refused(_("Nobody stands in for themselves."), code="self")
    if part == Part.SPECIALIST and not can(person, SIGN_REVIEW, meeting):
        raise Refused(
            _("%(name)s has no role in this review that allows it.") % {"name": person},
            code="not_allowed",
        )
    rows = Participant.objects.filter(meeting=meeting, part=part)
    for former in rows.filter(deputises_for=officer):
        soft_delete(former)
    if taken := rows.filter(person=person).first():
        soft_delete(taken)  # invited as a second pathologist, say: now for the first
    row = _add(meeting, person, Part(part), officer)
    record("digital_review.deputy_named", meeting, data=_row_told(row))
    text = _("You stand in for %(officer)s at the %(review)s meeting of %(when)s.")
    tell_of_meeting(meeting, [person], text, officer=officer)
    announce_meeting(meeting, "participants")
    return row


def _stood_in_for(meeting: Meeting, part: str, specialist_id: int | None) -> Any:
    if part in OFFICES:
        return getattr(meeting, part)
    if part == Part.SPECIALIST and specialist_id is not None:
        named = OutcomeSpecialist.objects.filter(
            outcome__review_type=meeting.review_type_id, person=specialist_id
        )
        if row := named.select_related("person").first():
            return row.person
    raise Refused(_("There are deputies for officers and specialists alone."), code="part")


@writes
def uninvite(*, actor: Any, participant_id: int, reason: str = "") -> None:
    """Take somebody off the list of participants, or end a deputyship."""
    row = Participant.objects.filter(pk=participant_id).select_related("person").first()
    if row is None:
        raise Refused(_("This record does not exist (any more)."), code="gone")
    meeting = open_meeting(actor, row.meeting_id)
    row = locked(Participant.objects.select_related("person"), participant_id)
    soft_delete(row)
    record("digital_review.participant_removed", meeting, data=_row_told(row))
    if row.person not in invited(meeting):
        text = _("You are no longer invited to the %(review)s meeting of %(when)s.")
        tell_of_meeting(meeting, [row.person], text)
    announce_meeting(meeting, "participants")


# --- of the meeting ----------------------------------------------------------------------------


def planned(actor: Any, meeting_id: int) -> Meeting:
    """The meeting, locked, that the actor manages and that has not begun."""
    meeting = managed(actor, meeting_id)
    if meeting.status != Meeting.Status.PLANNED:
        raise Refused(_("Only a planned meeting can be changed."), code="not_planned")
    return meeting


def open_meeting(actor: Any, meeting_id: int) -> Meeting:
    """Likewise, planned or running: somebody may come late."""
    meeting = managed(actor, meeting_id)
    if meeting.status not in (Meeting.Status.PLANNED, Meeting.Status.RUNNING):
        raise Refused(_("This meeting is over."), code="over")
    return meeting


def managed(actor: Any, meeting_id: int) -> Meeting:
    found = visible(actor, Meeting.objects.select_related("review_type__unit"))
    meeting = locked(found, meeting_id)
    require(actor, MANAGE, meeting)
    return meeting


def _set(meeting: Meeting, data: MeetingData) -> None:
    for name in _FIELDS:
        setattr(meeting, name, getattr(data, name))
    meeting.place, meeting.video_room = data.place.strip(), data.video_room.strip()
    if "/" in meeting.video_room and not meeting.video_room.startswith("https://"):
        raise Refused(_("A video link begins with https://."), code="address")
    for name, privilege in _OFFICERS.items():
        person = get_user_model().objects.filter(pk=getattr(data, name)).first()
        if person is None or not can(person, privilege, meeting):
            label = Part(name.removesuffix("_id")).label
            text = _("%(name)s may not be the meeting's %(office)s.")
            raise Refused(text % {"name": person, "office": label}, code="officer")
    hospital = data.pathologist_hospital_id
    if hospital is not None and not Unit.objects.open().filter(pk=hospital).exists():
        raise Refused(_("There is no such hospital."), code="hospital")


def _must_be_ahead(meeting: Meeting) -> None:
    if meeting.starts_at <= timezone.now():
        raise Refused(_("A meeting is planned for a moment to come."), code="past")


def _needs(reason: str) -> None:
    if not reason.strip():
        raise Refused(_("This needs a reason."), code="reason_needed")


def _person(person_id: int) -> Any:
    person = get_user_model().objects.filter(pk=person_id, is_active=True).first()
    if person is None:
        raise Refused(_("There is no such person."), code="person")
    return person


def _add(meeting: Meeting, person: Any, part: Part, officer: Any = None) -> Participant:
    if not can(person, PART_NEEDS[part], meeting):
        raise Refused(
            _("%(name)s has no role in this review that allows it.") % {"name": person},
            code="not_allowed",
        )
    if Participant.objects.filter(meeting=meeting, person=person, part=part).exists():
        raise Refused(_("%(name)s is on the list already.") % {"name": person}, code="twice")
    return Participant.objects.create(
        meeting=meeting, person=person, part=part, deputises_for=officer
    )


def _end_stale_deputies(meeting: Meeting) -> None:
    """Who stood in for somebody that is not the officer any more stands in for nobody."""
    for row in Participant.objects.filter(meeting=meeting, deputises_for__isnull=False):
        if row.part in OFFICES and row.deputises_for_id != getattr(meeting, f"{row.part}_id"):
            soft_delete(row)


def _told(meeting: Meeting) -> dict[str, Any]:
    names = ("chairman", "secretary", "pathologist", "pathologist_hospital")
    people = {name: str(getattr(meeting, name) or "") for name in names}
    rest = ("starts_at", "place", "video_room", "opinions_first")
    return {**people, **{name: getattr(meeting, name) for name in rest}}


def _row_told(row: Participant) -> dict[str, Any]:
    deputises = str(row.deputises_for) if row.deputises_for else ""
    return {"person": str(row.person), "part": row.part, "deputises_for": deputises}


def _tell(meeting: Meeting, text: Any, also: dict[int, Any] | None = None) -> None:
    """Everybody concerned, now and (``also``) before the change."""
    people = {**(also or {}), **{person.pk: person for person in invited(meeting)}}
    tell_of_meeting(meeting, people.values(), text)


def tell_of_meeting(meeting: Meeting, people: Iterable[Any], text: Any, **more: Any) -> None:
    """Each of them once, in their language, with a link; never names a patient.

    ``text`` is lazy and may name ``review``, ``when`` and what ``more`` has.
    """
    facts = {"review": meeting.review_type, "when": _in_words(meeting.starts_at), **more}
    path = reverse("digital_review:meeting", args=[meeting.pk])
    tell(people, text, facts, path=path, subject=_("Digital Review: about a meeting"))


def _moment(at: datetime) -> str:
    return date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")


_in_words = lazy(_moment, str)
"""As the language has it into which it is put."""
