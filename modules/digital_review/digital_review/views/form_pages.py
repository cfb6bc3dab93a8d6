"""The pages of the forms of cases: the portal's, with what Digital Review adds."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from digital_review.models import CaseForm
from digital_review.models.reach import SEE
from digital_review.services import signing
from digital_review.services.case_forms import RULES
from portal.access.decision import can
from portal.access.masking import HIDDEN, may_see_personal, unmasked
from portal.forms.views.sheet_page import Act, SheetPage
from portal.records.context import current_act


def crumbs(form: CaseForm) -> list[tuple[str, str]]:
    """To the patient, for who sees patients; to the list, for the hospital's people."""
    if can(current_act().person, SEE, form.case):
        case = reverse("digital_review:case", args=[form.case_id])
        return [
            (_("Patients in review"), reverse("digital_review:overview")),
            (form.case.patient.number, case),
        ]
    return [(_("Forms to fill in"), reverse("digital_review:forms"))]


def facts(form: CaseForm) -> list[tuple[str, Any]]:
    """Whose form it is; masked for who may not see it."""
    patient = form.case.patient
    initials, born_on = HIDDEN, HIDDEN
    if may_see_personal(form):
        with unmasked():
            initials = patient.initials or "–"
            born_on = _day(patient.born_on)
    found = [
        (_("Patient number"), patient.number),
        (_("Initials"), initials),
        (_("Date of birth"), born_on),
        (_("Hospital"), patient.hospital.name),
        (_("Review"), form.case.review_type.name),
    ]
    if form.due_on is not None and form.status == CaseForm.Status.DRAFT:
        found.append((_("To be filled in by"), _day(form.due_on)))
    return found


def _day(day: date | None) -> str:
    return date_format(day, "SHORT_DATE_FORMAT") if day is not None else "–"


def acts(request: HttpRequest, form: CaseForm) -> list[Act]:
    """Signing, where it is the person's turn; withdrawing."""
    found = []
    if signing.may_sign(request.user, form):
        found.append(Act(_("Sign…"), _url("form_sign", form), "signature"))
    elif signing.may_attest(request.user, form):
        found.append(Act(_("Signed on paper…"), _url("form_attest", form), "upload"))
    if signing.may_withdraw(request.user, form):
        found.append(Act(_("Withdraw the signature…"), _url("form_withdraw", form), "history"))
    if form.transcribed:
        found.append(Act(_("Paper original"), _url("form_paper", form), "file"))
    return found


def _url(name: str, form: CaseForm) -> str:
    return reverse(f"digital_review:{name}", args=[form.pk])


PAGE = SheetPage(
    name="form",
    rules=RULES,
    crumbs=crumbs,
    facts=facts,
    acts=acts,
    related=(
        "slot",
        "case__patient__hospital",
        "case__review_type__unit",
        "case__outcome",
        "signature",
    ),
    side="digital_review/forms/_side.html",
)
