"""What meetings are tried on: one that is planned, one that runs with a patient on its table, one
that was held, all of a review of the unit's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from digital_review.models import (
    AgendaItem,
    Case,
    CaseForm,
    FormSlot,
    Meeting,
    Outcome,
    Participant,
    Patient,
    ReviewType,
)
from django.utils import timezone

from portal.organisation.models import Unit
from tests.digital_review.factories import CRF, FLOW, publish_flow, publish_form
from tests.support.factories import give, make_user


def meeting_world(unit: Unit) -> dict[str, Any]:
    kind = ReviewType.objects.create(
        unit=unit,
        code=f"meetings-{unit.pk}",
        name=f"Meetings {unit}",
        flow=publish_flow(unit, {**FLOW, "code": "meetings"}),
        diagnosis="crf.diagnosis",
    )
    slot = FormSlot.objects.create(
        review_type=kind,
        code="crf",
        title="CRF",
        design=publish_form(unit, {**CRF, "code": "meetings"}),
        filled_by="meeting",
        signed_by="specialist",
        begins="meeting",
    )
    outcome = Outcome.objects.create(review_type=kind, code="saa", name="SAA")
    officer = make_user(f"Officer of {unit}")
    give(officer, "digital_review.review_manager", unit)
    secretary = make_user(f"Secretary of {unit}")
    give(secretary, "digital_review.secretary", unit)
    planned, running, held = (
        _meeting(kind, officer, secretary, status) for status in ("planned", "running", "held")
    )
    listed = _item(planned, _case(kind, unit, 1))
    shown = _item(running, _case(kind, unit, 2), form=True, slot=slot)
    running.shown, running.writer = shown, secretary
    running.save()
    discussed = _item(
        held, _case(kind, unit, 3), form=True, slot=slot, status="discussed", complete=True
    )
    return {
        "meeting": planned,
        "running_meeting": running,
        "held_meeting": held,
        "listed_patient": listed,
        "shown_patient": shown,
        "shown_form": shown.form,
        "finding": discussed.form,
        "ready_case": _case(kind, unit, 4, information_complete=True, flow_state="review_ready"),
        "review_outcome": outcome,
        "participant": Participant.objects.create(
            meeting=planned, person=make_user(f"Guest of {unit}"), part="guest"
        ),
    }


def _meeting(kind: ReviewType, officer: Any, secretary: Any, status: str) -> Meeting:
    return Meeting.objects.create(
        review_type=kind,
        starts_at=timezone.now() + timedelta(hours=1),
        chairman=officer,
        secretary=secretary,
        pathologist=officer,
        status=status,
        video_room="https://meet.example.org/review",
    )


def _case(kind: ReviewType, unit: Unit, number: int, **values: Any) -> Case:
    patient = Patient.objects.create(number=f"M{unit.pk}-{number}", hospital=unit)
    return Case.objects.create(
        patient=patient,
        review_type=kind,
        registered_on=timezone.localdate(),
        flow_version=kind.flow.versions.get(),
        flow_since=timezone.now(),
        **{"flow_state": "precrf_start", **values},
    )


def _item(
    meeting: Meeting,
    case: Case,
    *,
    form: bool = False,
    slot: FormSlot | None = None,
    status: str = "to_discuss",
    complete: bool = False,
) -> AgendaItem:
    sheet = None
    if form and slot is not None:
        sheet = CaseForm.objects.create(
            case=case,
            slot=slot,
            form_version=slot.design.versions.get(),
            asked_at=timezone.now(),
            status="complete" if complete else "draft",
        )
    return AgendaItem.objects.create(meeting=meeting, case=case, form=sheet, status=status)
