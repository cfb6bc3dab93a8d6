"""What Digital Review does each day by itself: reminders, follow-ups that are due, going on.

Each of them can run twice, or after a day on which it did not: nobody is told a second time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from digital_review.models import AgendaItem, Case, CaseForm, FormSlot, Meeting
from digital_review.rules.reminders import Asked, is_due
from digital_review.selectors.laboratory import known_of
from digital_review.services.cases import follow_up_slots, start_follow_up
from digital_review.services.conduct import refresh
from digital_review.services.opening import FILLED_BY, Known
from digital_review.services.telling import form_path, people_of, tell
from portal.audit.services import record
from portal.flows.rules.running import is_done
from portal.flows.selectors import machine_of
from portal.records.context import ServiceActor
from portal.records.services import locked, writes

logger = logging.getLogger(__name__)


def daily(now: datetime | None = None) -> dict[str, int]:
    """Everything that a day brings: how often each was done."""
    actor, now = ServiceActor("digital review"), now or timezone.now()
    return {
        "follow_ups": start_due_follow_ups(actor, now),
        "reminders": remind(actor, now),
        "went_on": go_on(actor),
    }


# --- reminders ----------------------------------------------------------------------------------


def remind(actor: Any, now: datetime) -> int:
    """Remind of forms that are still to be filled in (DR-072, DR-183); how many."""
    due = [form.pk for form in _drafts() if _is_due(form, now)]
    return _each(due, lambda pk: remind_of(actor=actor, form_id=pk, now=now))


def _drafts() -> QuerySet[CaseForm]:
    """Forms to be filled in, with the coming meeting of their patients."""
    coming = AgendaItem.objects.filter(
        case=OuterRef("case"),
        status=AgendaItem.Status.TO_DISCUSS,
        meeting__status=Meeting.Status.PLANNED,
    )
    return (
        CaseForm.objects.filter(status=CaseForm.Status.DRAFT, slot__filled_by__in=[*FILLED_BY])
        .select_related("case__review_type", "case__patient", "slot")
        .annotate(meeting_at=Subquery(coming.values("meeting__starts_at")[:1]))
        .order_by("pk")
    )


def _is_due(form: CaseForm, now: datetime) -> bool:
    return is_due(_asked(form), timezone.localdate(now))


def _asked(form: Any) -> Asked:
    kind = form.case.review_type
    before = (
        kind.report_days_before
        if form.slot.filled_by == FormSlot.FilledBy.PATHOLOGIST
        else kind.reminder_days_before
    )
    return Asked(
        asked_on=_day(form.asked_at),
        due_on=form.due_on,
        reminded_on=_day(form.reminded_at) if form.reminded_at else None,
        meeting_on=_day(form.meeting_at) if form.meeting_at else None,
        days=kind.reminder_days,
        days_before=before,
    )


def _day(moment: datetime) -> date:
    return timezone.localtime(moment).date()


@writes
def remind_of(*, actor: Any, form_id: int, now: datetime) -> bool:
    """Remind of one form, unless that was done meanwhile; whether it was."""
    form = locked(_drafts(), form_id)
    if not _is_due(form, now):
        return False
    form.reminded_at = now
    form.save()
    told = tell(
        people_of(FILLED_BY[form.slot.filled_by], form.case),
        _("Reminder: %(form)s of patient %(patient)s is still to be filled in."),
        {"form": form.slot.title, "patient": form.case.patient.number},
        path=form_path(form),
        subject=_("Digital Review: a reminder of a form to be filled in"),
    )
    record("digital_review.reminded", form, data={"slot": form.slot.code, "people": len(told)})
    return True


# --- follow-ups ---------------------------------------------------------------------------------


def start_due_follow_ups(actor: Any, now: datetime) -> int:
    """Ask hospitals for the follow-ups that are due (section 13 no. 6); how many."""
    due = Case.objects.filter(follow_up_due_on__lte=timezone.localdate(now)).order_by("pk")
    numbers = dict(due.values_list("pk", "patient__number"))
    return _each(numbers, lambda pk: _start_due(actor, pk, numbers[pk]))


def _start_due(actor: Any, case_id: int, number: str) -> bool:
    # the laboratory is asked before anything is locked
    return _start_if_due(actor=actor, case_id=case_id, known=known_of(number))


@writes
def _start_if_due(*, actor: Any, case_id: int, known: Known) -> bool:
    case = locked(Case.objects.select_related("review_type"), case_id)
    slots = follow_up_slots(case.review_type)
    drafts = CaseForm.objects.filter(case=case, slot__in=slots, status=CaseForm.Status.DRAFT)
    if case.follow_up_due_on is None or not slots or drafts.exists():
        return False
    start_follow_up(actor=actor, case_id=case_id, known=known)
    return True


# --- going on -----------------------------------------------------------------------------------


def go_on(actor: Any) -> int:
    """Offer each open case what its flow takes by itself: days pass, and guards may read them."""
    cases = Case.objects.select_related("flow_version").order_by("pk")
    open_ones = [
        case.pk for case in cases if not is_done(machine_of(case.flow_version), case.flow_state)
    ]
    return _each(open_ones, lambda pk: _go_on(actor=actor, case_id=pk))


@writes
def _go_on(*, actor: Any, case_id: int) -> bool:
    cases = Case.objects.select_related("flow_version__design", "review_type__unit", "patient")
    case = locked(cases, case_id)
    before = case.flow_state
    refresh(actor, case)
    return case.flow_state != before


def _each(keys: Iterable[int], act: Any) -> int:
    """What fails with one is logged and does not stop the others."""
    done = 0
    for pk in [*keys]:
        try:
            done += bool(act(pk))
        except Exception:
            logger.exception("digital review: case %s", pk)
    return done
