"""What the forms of cases are tried on: one of each standing, of a review and hospital in one."""

from __future__ import annotations

from typing import Any

from digital_review.models import Case, CaseForm, FormSlot, Patient, ReviewType
from digital_review.services.case_forms import RULES
from digital_review.services.signing import FORM, SCAN
from django.utils import timezone

from portal.forms.models import AnswerFile
from portal.organisation.models import Unit
from portal.signing.models import Signature, SigningKey
from tests.digital_review.factories import (
    CRF,
    FLOW,
    FOLLOW_UP,
    PATHOLOGY,
    PRE_CRF,
    publish_flow,
    publish_form,
)
from tests.support.factories import make_user
from tests.support.signing import give_pin

_SLOTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "precrf": (PRE_CRF, {"filled_by": "hospital", "signed_by": "doctor", "begins": "start"}),
    "pathology": (PATHOLOGY, {"filled_by": "pathologist", "begins": "action"}),
    "crf": (CRF, {"filled_by": "meeting", "signed_by": "specialist", "begins": "meeting"}),
    "follow_up": (FOLLOW_UP, {"filled_by": "hospital", "begins": "action", "repeats": True}),
}


def case_form_world(unit: Unit) -> dict[str, Any]:
    kind = ReviewType.objects.create(
        unit=unit,
        code=f"forms-{unit.pk}",
        name=f"Forms {unit}",
        flow=publish_flow(unit, {**FLOW, "code": "forms"}),
        diagnosis="crf.diagnosis",
    )
    slots = {
        code: FormSlot.objects.create(
            review_type=kind,
            code=code,
            title=code,
            design=publish_form(unit, {**content, "code": f"forms_{code}"}),
            **values,
        )
        for code, (content, values) in _SLOTS.items()
    }
    case = Case.objects.create(
        patient=Patient.objects.create(number=f"F{unit.pk}", hospital=unit),
        review_type=kind,
        registered_on=timezone.localdate(),
        flow_version=kind.flow.versions.get(),
        flow_state="precrf_start",
        flow_since=timezone.now(),
    )
    signed = _form(case, slots["precrf"], number=3, transcribed=True)
    signed.status, signed.signature = "locked", _signature(unit, signed)
    signed.save()
    return {
        "case_of_forms": case,
        "draft_form": _form(case, slots["precrf"]),
        "complete_form": _form(case, slots["precrf"], number=2, status="complete"),
        "signed_form": signed,
        "form_file": _scan(signed),
        "pathology_form": _form(case, slots["pathology"]),
        "crf_to_sign": _form(case, slots["crf"], status="complete"),
    }


def _form(case: Case, slot: FormSlot, **values: Any) -> CaseForm:
    if values.get("status") == "complete":
        values["completed_at"] = timezone.now()
    return CaseForm.objects.create(
        case=case,
        slot=slot,
        form_version=slot.design.versions.get(),
        asked_at=timezone.now(),
        **values,
    )


def _scan(form: CaseForm) -> AnswerFile:
    return AnswerFile.objects.create(
        sheet_type=RULES.name,
        sheet_id=form.pk,
        item=SCAN,
        name="paper.pdf",
        media_type="application/pdf",
        size=5,
        sha256="0" * 64,
        content=b"%PDF-",
        uploaded_by=make_user(f"Scanner {form.pk}"),
    )


def _signature(unit: Unit, form: CaseForm) -> Signature:
    """As of somebody who is gone: it does not hold, and is there to be withdrawn."""
    signer = make_user(f"Signer of forms of {unit}")
    key: SigningKey = give_pin(signer)
    return Signature.objects.create(
        signable=FORM,
        object_type=RULES.name,
        object_id=str(form.pk),
        signer=signer,
        printed_name=str(signer),
        meaning="Signed",
        payload="{}",
        digest="0" * 64,
        key=key,
        proof="",
        countersignature="",
        countersign_key_id="none",
    )
