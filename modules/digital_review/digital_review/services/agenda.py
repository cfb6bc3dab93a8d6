"""A meeting's list of patients (DR-053 to DR-058)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from digital_review.models import AgendaItem, Case, Meeting
from digital_review.models.reach import MANAGE
from digital_review.rules.planning import Why, follow_up_is_due, reordered
from digital_review.selectors.meeting_topics import announce_meeting
from digital_review.selectors.meetings import (
    Eligible,
    candidates,
    deadlines,
    eligible_of,
    has_ended,
)
from digital_review.services.cases import start_follow_up
from portal.access.decision import require, visible
from portal.audit.services import record
from portal.records.errors import Refused
from portal.records.services import create_many, locked, soft_delete, writes


@writes
def add_patient(*, actor: Any, meeting_id: int, case_id: int, reason: str = "") -> AgendaItem:
    """Put a case from the eligible list on the meeting's (UC20). Refused: ``not_eligible``."""
    meeting = _listed(actor, meeting_id)
    found = _locked_eligible(actor, candidates(meeting.review_type_id).filter(pk=case_id))
    if not found:
        raise Refused(
            _("This patient is on a list already, or not ready for a meeting."), code="not_eligible"
        )
    [item] = _append(meeting, found)
    announce_meeting(meeting, "list")
    return item


@writes
def add_all(*, actor: Any, meeting_id: int, reason: str = "") -> int:
    """Put every case on the list that belongs there (DR-056); how many were put."""
    meeting = _listed(actor, meeting_id)
    added = fill(actor, meeting)
    announce_meeting(meeting, "list")
    return added


def fill(actor: Any, meeting: Meeting) -> int:
    """Within the caller's transaction, which holds the meeting's lock or has just made it."""
    found = _locked_eligible(actor, candidates(meeting.review_type_id))
    return len(_append(meeting, _not_removed(meeting, found)))


@writes
def remove_patient(*, actor: Any, item_id: int, reason: str) -> None:
    """Take a patient off the list, with a reason; everything known of them stays (UC19, Sc 9)."""
    item = _item(actor, item_id)
    if not reason.strip():
        raise Refused(_("Taking a patient off the list needs a reason."), code="reason_needed")
    soft_delete(item)
    record("digital_review.patient_removed", item.case, data=_where(item.meeting))
    announce_meeting(item.meeting, "list")


@writes
def move_patient(*, actor: Any, item_id: int, to_meeting_id: int, reason: str) -> AgendaItem:
    """To another meeting of the same review type (DR-055), at the end of its list."""
    item = _item(actor, item_id)
    if not reason.strip():
        raise Refused(_("Moving a patient needs a reason."), code="reason_needed")
    target = _listed(actor, to_meeting_id)
    if target.review_type_id != item.meeting.review_type_id or target == item.meeting:
        raise Refused(_("Choose another meeting of the same review."), code="meeting")
    soft_delete(item)
    [moved] = _append(target, [Eligible(item.case, Why.NOT_REACHED)], act=None)
    data = {"from": str(item.meeting), "to": str(target)}
    record("digital_review.patient_moved", item.case, data=data)
    for meeting in (item.meeting, target):
        announce_meeting(meeting, "list")
    return moved


@writes
def reorder_patient(*, actor: Any, item_id: int, to: int, reason: str = "") -> None:
    """Another place in the list, counted from 1; also while the meeting runs."""
    item = AgendaItem.objects.filter(pk=item_id).first()
    if item is None:
        raise Refused(_("This record does not exist (any more)."), code="gone")
    meeting = _listed(actor, item.meeting_id, running=True)
    rows = {
        row.pk: row
        for row in AgendaItem.objects.filter(meeting=meeting).select_for_update(no_key=True)
    }
    if item_id not in rows:
        raise Refused(_("This record does not exist (any more)."), code="gone")
    for position, key in enumerate(reordered(list(rows), item_id, to), 1):
        if rows[key].position != position:
            rows[key].position = position
            rows[key].save()
    announce_meeting(meeting, "list")


def _locked_eligible(actor: Any, cases: QuerySet[Case]) -> list[Eligible]:
    """Judged once more when nobody else can put them on another list."""
    keys = [each.case.pk for each in eligible_of(visible(actor, cases))]
    list(Case.objects.filter(pk__in=keys).order_by("pk").select_for_update(no_key=True))
    return eligible_of(cases.filter(pk__in=keys))


def _not_removed(meeting: Meeting, found: Sequence[Eligible]) -> list[Eligible]:
    """Whom somebody took off this very list is not put back by itself."""
    gone = AgendaItem.all_objects.filter(meeting=meeting, deleted_at__isnull=False)
    removed = set(gone.values_list("case", flat=True))
    return [each for each in found if each.case.pk not in removed]


def _append(
    meeting: Meeting, found: Sequence[Eligible], act: str | None = "digital_review.patient_listed"
) -> list[AgendaItem]:
    last = AgendaItem.objects.filter(meeting=meeting).aggregate(last=Max("position"))["last"] or 0
    items = create_many(
        AgendaItem,
        [
            AgendaItem(meeting=meeting, case=each.case, position=position)
            for position, each in enumerate(found, last + 1)
        ],
    )
    for each in found if act else ():
        record(act or "", each.case, data={**_where(meeting), "why": each.why})
    return items


def _where(meeting: Meeting) -> dict[str, Any]:
    return {"meeting": str(meeting), "meeting_id": meeting.pk}


def _listed(actor: Any, meeting_id: int, *, running: bool = False) -> Meeting:
    """The meeting, locked, that the actor manages and whose list may still be changed."""
    found = visible(actor, Meeting.objects.select_related("review_type__unit"))
    meeting = locked(found, meeting_id)
    require(actor, MANAGE, meeting)
    if meeting.status not in (("planned", "running") if running else ("planned",)):
        raise Refused(_("The list of this meeting is closed."), code="closed")
    return meeting


def ask_follow_ups(actor: Any, meeting: Meeting) -> None:
    """Of repeating patients the follow-up forms that fall due by the meeting (DR-052, Sc 8).

    Within the caller's transaction. Hospitals are asked to have them ready with the information.
    """
    day = timezone.localtime(meeting.starts_at).date()
    ready_on = max(deadlines(meeting).information_on, timezone.localdate())
    for case in visible(actor, candidates(meeting.review_type_id)):
        if has_ended(case) or not follow_up_is_due(case.follow_up_due_on, day):
            continue
        try:
            with transaction.atomic():
                start_follow_up(actor=actor, case_id=case.pk, due_on=ready_on)
        except Refused as refusal:
            if refusal.code not in ("open", "no_follow_up"):
                raise


def _item(actor: Any, item_id: int) -> AgendaItem:
    """A patient who is to be discussed at a planned meeting; meeting first, then the item."""
    item = visible(actor, AgendaItem.objects.all()).filter(pk=item_id).first()
    if item is None:
        raise Refused(_("This record does not exist (any more)."), code="gone")
    meeting = _listed(actor, item.meeting_id)
    item = locked(AgendaItem.objects.select_related("case__review_type__unit"), item_id)
    item.meeting = meeting
    return item
