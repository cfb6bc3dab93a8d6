"""What the patient's page is tried on: a patient of the unit's own, in its own review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from digital_review.models import (
    AgendaItem,
    Anamnesis,
    Case,
    CaseForm,
    FormSlot,
    Letter,
    Meeting,
    Outcome,
    Patient,
    ReviewType,
    Slide,
)
from digital_review.services.slide_files import image_path
from django.utils import timezone

from portal.documents.services import issue
from portal.organisation.models import Unit
from tests.digital_review.factories import CRF, FLOW, publish_flow, publish_form
from tests.digital_review.slide_files import pyramid
from tests.support.factories import give, make_user


def overview_world(unit: Unit) -> dict[str, Any]:
    kind = ReviewType.objects.create(
        unit=unit,
        code=f"patients-{unit.pk}",
        name=f"Patients {unit}",
        flow=publish_flow(unit, {**FLOW, "code": "patients"}),
        diagnosis="crf.diagnosis",
    )
    slot = FormSlot.objects.create(
        review_type=kind,
        code="crf",
        title="CRF",
        design=publish_form(unit, {**CRF, "code": "patients"}),
        filled_by="meeting",
        signed_by="specialist",
        begins="meeting",
    )
    writer = make_user(f"Writer of {unit}")
    give(writer, "digital_review.review_manager", unit)
    case = Case.objects.create(
        patient=Patient.objects.create(number=f"OV-{unit.pk}", initials="O.V.", hospital=unit),
        review_type=kind,
        registered_on=timezone.localdate(),
        flow_version=kind.flow.versions.get(),
        flow_state="follow_up_required",
        flow_since=timezone.now(),
    )
    return {
        "case": case,
        "anamnesis": Anamnesis.objects.create(
            case=case, text="pale", written_by=writer, written_at=timezone.now()
        ),
        "letter": _letter(case, slot, writer),
        "slide": _slide(case),
        "slide_meeting": _meeting(case, kind, writer),
    }


def _letter(case: Case, slot: FormSlot, writer: Any) -> Letter:
    version = slot.design.versions.get()
    form = CaseForm.objects.create(
        case=case, slot=slot, form_version=version, asked_at=timezone.now()
    )
    outcome = Outcome.objects.create(review_type=case.review_type, code="saa", name="SAA")
    letter = Letter.objects.create(
        case=case,
        form=form,
        kind=Letter.Kind.ONCOLOGIST,
        outcome=outcome,
        written_by=writer,
        written_at=timezone.now(),
    )
    issue(
        kind="digital_review.letter_oncologist",
        obj=letter,
        title="Letter",
        number=f"DR-{letter.pk}",
        data={},
        template=Path(__file__).with_name("plain.typ"),
    )
    return letter


def _slide(case: Case) -> Slide:
    stored_as = f"overview-{case.pk}.slide"
    image_path(stored_as).write_bytes(pyramid())
    return Slide.objects.create(
        case=case,
        label="HE",
        kind="image",
        tiles="ready",
        stored_as=stored_as,
        width=1024,
        height=768,
    )


def _meeting(case: Case, kind: ReviewType, officer: Any) -> Meeting:
    officers = dict.fromkeys(("chairman", "secretary", "pathologist"), officer)
    meeting = Meeting.objects.create(
        review_type=kind, starts_at=timezone.now(), status="running", **officers
    )
    AgendaItem.objects.create(meeting=meeting, case=case)
    return meeting
