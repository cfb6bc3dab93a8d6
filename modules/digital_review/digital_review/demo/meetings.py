"""The demo's meetings: one held some weeks ago, one running, one in three weeks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from digital_review.demo import patients as told
from digital_review.demo.review import Scene, at, bring, latest_form, sign
from digital_review.models import AgendaItem, Case, Meeting, Outcome
from digital_review.services.cases import start_follow_up
from digital_review.services.meetings import MeetingData, plan_meeting
from digital_review.services.opinions import disclose_opinions, give_opinion, write_minority
from digital_review.services.room import (
    end_meeting,
    finish_patient,
    show_patient,
    start_meeting,
    write_minutes,
)

WEEKS_AGO, WEEKS_AHEAD = 9, 3


def make_meetings(scene: Scene) -> None:
    """The past one first: what is ready goes on the list of the next that is planned."""
    for patient in told.PAST:
        bring(scene, patient)
    _held(scene)
    for patient in told.TODAY:
        bring(scene, patient)
    _running(scene)
    plan(scene, at(scene.today + timedelta(weeks=WEEKS_AHEAD), 13), "Mødelokale 4, Landscentret")
    for patient in told.COMING:
        bring(scene, patient)


def plan(scene: Scene, starts_at: datetime, place: str) -> Meeting:
    return plan_meeting(
        actor=scene.who("manager"),
        review_type_id=scene.review_type.pk,
        data=MeetingData(
            starts_at,
            scene.who("chairman").pk,
            scene.who("secretary").pk,
            scene.who("pathologist").pk,
            place=place,
        ),
        participant_ids=[scene.who(part).pk for part in ("clinician", "mds", "bmf")],
        reason="demo",
    )


def _held(scene: Scene) -> None:
    """Discussed, with opinions; signed but for one; then dated back to the day it is told of."""
    held_at = at(scene.today - timedelta(weeks=WEEKS_AGO), 13)
    meeting = plan(scene, timezone.now() + timedelta(hours=1), "Auditorium, Landscentret")
    start_meeting(actor=scene.who("chairman"), meeting_id=meeting.pk)
    by_number = {patient.number: patient for patient in told.PAST}
    for item in _items(meeting):
        patient = by_number[item.case.patient.number]
        _opinions(scene, item, patient.outcome)
        _minutes(scene, item, told.central_review(patient, held_at.date(), _chairman(scene)))
        finish_patient(actor=scene.who("secretary"), item_id=item.pk)
        if patient.number != told.UNSIGNED:
            part = "mds" if patient.outcome in ("ewog_mds", "none") else "bmf"
            sign(latest_form(item.case, "crf"), scene.who(part), scene.key(part))
    end_meeting(actor=scene.who("chairman"), meeting_id=meeting.pk)
    _date_back(meeting, held_at)
    asked = Case.objects.get(patient__number=told.FOLLOW_UP_ASKED)
    start_follow_up(actor=scene.who("bureau"), case_id=asked.pk)


def _date_back(meeting: Meeting, held_at: datetime) -> None:
    """Services only hold meetings of today."""
    meeting = Meeting.objects.get(pk=meeting.pk)
    meeting.starts_at = meeting.started_at = held_at
    meeting.ended_at = held_at + timedelta(minutes=95)
    meeting.save()
    for place, item in enumerate(_items(meeting), 1):
        item.discussed_at = held_at + timedelta(minutes=18 * place)
        item.save()
        if item.form is not None:
            item.form.asked_at = held_at
            item.form.save()
        if item.case.round_began_at is not None:
            item.case.round_began_at = item.discussed_at
            item.case.save()


def _running(scene: Scene) -> None:
    """The first patient is on the table: opinions are in, the secretary is typing."""
    meeting = plan(scene, timezone.now() + timedelta(minutes=5), "Mødelokale 4, Landscentret")
    start_meeting(actor=scene.who("chairman"), meeting_id=meeting.pk)
    item = _items(meeting)[0]
    for part, code in (("pathologist", "ewog_mds"), ("mds", "ewog_mds"), ("clinician", "saa")):
        _opinion(scene, item, part, code)
    typed = {"C9": "Hypocellular; erythropoiesis in islands, left-shifted.", "C12": "Fits RC, but"}
    _minutes(scene, item, typed)


def _items(meeting: Meeting) -> list[AgendaItem]:
    items = AgendaItem.objects.filter(meeting=meeting).select_related("case__patient")
    return list(items.order_by("position"))


def _chairman(scene: Scene) -> str:
    return str(scene.who("chairman").name)


def _opinions(scene: Scene, item: AgendaItem, outcome: str) -> None:
    other = "cytopenia" if outcome != "none" else "saa"
    for part in ("pathologist", "mds", "clinician"):
        _opinion(scene, item, part, outcome)
    _opinion(scene, item, "bmf", other if item.position == 2 else outcome)
    disclose_opinions(actor=scene.who("chairman"), item_id=item.pk)
    if item.position == 2:
        text = "Klaus Bøgh would wait for the second biopsy."
        write_minority(actor=scene.who("chairman"), item_id=item.pk, text=text)


def _opinion(scene: Scene, item: AgendaItem, part: str, code: str) -> None:
    outcome = Outcome.objects.get(review_type=scene.review_type, code=code)
    text = "Seen with the slides." if part == "pathologist" else ""
    give_opinion(actor=scene.who(part), item_id=item.pk, outcome_id=outcome.pk, text=text)


def _minutes(scene: Scene, item: AgendaItem, typed: Any) -> None:
    show_patient(actor=scene.who("chairman"), meeting_id=item.meeting_id, item_id=item.pk)
    form = latest_form(item.case, "crf")
    write_minutes(
        actor=scene.who("secretary"),
        item_id=item.pk,
        typed=typed,
        opened_version=form.version,
        sequence=1,
    )
