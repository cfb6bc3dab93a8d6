"""History and background that clinicians add to a case (DR-037, DR-039, UC21)."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from digital_review.models import Anamnesis, Case
from digital_review.models.reach import ANAMNESIS
from digital_review.selectors.topics import announce_case
from portal.access.decision import require, visible
from portal.audit.services import Access, log_access, record
from portal.records.errors import Refused
from portal.records.services import check_version, locked, soft_delete, writes


@writes
def add_anamnesis(*, actor: Any, case_id: int, text: str) -> Anamnesis:
    """Store it with the patient's case, under the clinician's name. Refused: ``empty``."""
    case = locked(
        visible(actor, Case.objects.all()).select_related("patient", "review_type__unit"), case_id
    )
    require(actor, ANAMNESIS, case)
    anamnesis = Anamnesis.objects.create(
        case=case, text=_written(text), written_by=actor, written_at=timezone.now()
    )
    record("digital_review.anamnesis_added", case, data={"anamnesis": anamnesis.pk})
    log_access(Access.ADD, anamnesis, patient=case.patient.number)
    announce_case(case, "anamnesis")
    return anamnesis


@writes
def change_anamnesis(*, actor: Any, anamnesis_id: int, version: int, text: str) -> Anamnesis:
    """Write it otherwise; what it was before stays in its history. StaleRecord when somebody else
    did so since ``version``. Refused: ``empty``."""
    anamnesis = _anamnesis(actor, anamnesis_id)
    written = _written(text)
    check_version(anamnesis, version, {"text": written})
    if written != anamnesis.text:
        anamnesis.text = written
        anamnesis.save()
        record("digital_review.anamnesis_changed", anamnesis.case, data={"anamnesis": anamnesis.pk})
        log_access(Access.CHANGE, anamnesis, patient=anamnesis.case.patient.number)
        announce_case(anamnesis.case, "anamnesis")
    return anamnesis


@writes
def remove_anamnesis(*, actor: Any, anamnesis_id: int, reason: str) -> None:
    """Take it off the patient's page, e.g. because it is of another patient."""
    if not reason.strip():
        raise Refused(_("Say why it is removed."), code="reason_needed")
    anamnesis = _anamnesis(actor, anamnesis_id)
    soft_delete(anamnesis)
    record("digital_review.anamnesis_removed", anamnesis.case, data={"anamnesis": anamnesis.pk})
    announce_case(anamnesis.case, "anamnesis")


def _anamnesis(actor: Any, anamnesis_id: int) -> Anamnesis:
    seen = visible(actor, Anamnesis.objects.all())
    anamnesis = locked(
        seen.select_related("case__patient", "case__review_type__unit"), anamnesis_id
    )
    require(actor, ANAMNESIS, anamnesis)
    return anamnesis


def _written(text: str) -> str:
    if not text.strip():
        raise Refused(_("Write the history and background."), code="empty")
    return text.strip()
