"""What happens by itself before a meeting: information, registration, reports (UC8, UC9, Sc 3)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import ngettext_lazy

from digital_review.models import Case, FormSlot, Meeting, Participant, ReviewType
from digital_review.models.reach import BUREAU, MANAGE
from digital_review.rules.planning import days_due, in_time
from digital_review.selectors.meeting_topics import announce_meeting
from digital_review.selectors.meetings import (
    candidates,
    has_ended,
    invited,
    items_of,
    next_meeting,
    people_at,
    readiness,
    slots_of,
)
from digital_review.selectors.room import deputy
from digital_review.services.agenda import fill
from digital_review.services.meetings import tell_of_meeting
from portal.access.decision import require
from portal.audit.services import record
from portal.records.context import ServiceActor
from portal.records.services import locked, writes


@writes
def prepare_meetings(*, actor: Any, now: datetime | None = None) -> None:
    """Of each review type's next meeting what is due by now; each thing is said once.

    * As long as reports are in time, whoever has become ready is registered (UC8).
    * The information is there for the pathologist, some weeks before (DR-073, Sc 3).
    * After the last day for reports, who has none stays to be reviewed (DR-074, UC9).
    """
    require(actor, MANAGE)
    now = now or timezone.now()
    for kind in ReviewType.objects.select_related("unit"):
        found = next_meeting(kind.pk, now)
        if found is None:
            continue
        meeting = locked(Meeting.objects.select_related("review_type__unit"), found.pk)
        if meeting.status == Meeting.Status.PLANNED:
            _prepare(actor, meeting, timezone.localtime(now))


def _prepare(actor: Any, meeting: Meeting, now: datetime) -> None:
    kind, day = meeting.review_type, timezone.localtime(meeting.starts_at).date()
    if in_time(day, now.date(), kind.report_days_before):
        _register(actor, meeting)
    elif meeting.reports_checked_at is None:
        _check_reports(meeting, now)
    if meeting.information_sent_at is None and now.date() >= days_due(
        day, kind.information_days_before
    ):
        _inform(meeting, now)


def _register(actor: Any, meeting: Meeting) -> None:
    if number := fill(actor, meeting):
        text = ngettext_lazy(
            "%(n)s patient is registered for the %(review)s meeting of %(when)s.",
            "%(n)s patients are registered for the %(review)s meeting of %(when)s.",
            number,
        )
        people = [*invited(meeting), *_planners(meeting)]
        tell_of_meeting(meeting, people, text, n=number)
        announce_meeting(meeting, "list")


def _inform(meeting: Meeting, now: datetime) -> None:
    items = items_of(ServiceActor("meetings"), meeting).filter(status="to_discuss")
    slots = slots_of(meeting.review_type_id)
    missing = sum(not readiness(item.case, slots).complete for item in items)
    meeting.information_sent_at = now
    meeting.save()
    record(
        "digital_review.information_sent",
        meeting,
        data={"patients": len(items), "incomplete": missing},
    )
    text = ngettext_lazy(
        "The information on %(n)s patient of the %(review)s meeting of %(when)s is ready for you.",
        "The information on %(n)s patients of the %(review)s meeting of %(when)s is ready for you.",
        len(items),
    )
    tell_of_meeting(meeting, _pathologists(meeting), text, n=len(items))
    if missing:
        lacking = ngettext_lazy(
            "%(n)s patient of the %(review)s meeting of %(when)s lacks information.",
            "%(n)s patients of the %(review)s meeting of %(when)s lack information.",
            missing,
        )
        tell_of_meeting(meeting, _planners(meeting), lacking, n=missing)
    announce_meeting(meeting, "information")


def _check_reports(meeting: Meeting, now: datetime) -> None:
    late = [case.patient.number for case in without_report(meeting.review_type_id)]
    meeting.reports_checked_at = now
    meeting.save()
    record("digital_review.reports_checked", meeting, data={"without_report": late})
    if late:
        text = ngettext_lazy(
            "%(n)s patient stays to be reviewed: no report in time for the %(review)s meeting of"
            " %(when)s.",
            "%(n)s patients stay to be reviewed: no report in time for the %(review)s meeting of"
            " %(when)s.",
            len(late),
        )
        people = [*_pathologists(meeting), meeting.chairman, *_planners(meeting)]
        tell_of_meeting(meeting, people, text, n=len(late))
    announce_meeting(meeting, "reports")


def without_report(review_type_id: int) -> list[Case]:
    """Cases whose pathologist has begun, or was asked for, a report that is not complete."""
    waiting: QuerySet[Case] = candidates(review_type_id).filter(
        information_complete=False,
        forms__slot__filled_by=FormSlot.FilledBy.PATHOLOGIST,
        forms__status="draft",
        forms__deleted_at__isnull=True,  # related rows come with those that were removed
    )
    cases = waiting.select_related("patient", "flow_version", "outcome").distinct()
    return [case for case in cases if not has_ended(case)]


def _pathologists(meeting: Meeting) -> list[Any]:
    stand_in = deputy(meeting, Participant.Part.PATHOLOGIST)
    return [meeting.pathologist, *([stand_in] if stand_in else [])]


def _planners(meeting: Meeting) -> list[Any]:
    kind = meeting.review_type
    return [*people_at(MANAGE, kind), *people_at(BUREAU, kind)]
