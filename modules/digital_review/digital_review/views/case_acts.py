"""What is asked of the hospital from a patient's page: more information, a follow-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from digital_review.forms.cases import AskForm, FollowUpForm
from digital_review.models import Case, CaseForm
from digital_review.models.reach import BUREAU, MANAGE, PATHOLOGY
from digital_review.services import cases as services
from portal.access.acts import ask
from portal.access.decision import can, require, visible


@dataclass(frozen=True)
class CaseAct:
    """A page that asks the hospital for something."""

    label: Any
    url: str
    icon: str


def asking_acts(user: Any, case: Case) -> list[CaseAct]:
    """What the person may ask the case's hospital for."""
    found = []
    if can(user, BUREAU, case) and _may_begin_follow_up(case):
        found.append(CaseAct(_("Start follow-up"), _url("case_follow_up", case), "clipboard"))
    if _may_ask(user, case):
        found.append(CaseAct(_("Ask the hospital"), _url("ask_hospital", case), "mail"))
    return found


def _may_ask(user: Any, case: Case) -> bool:
    return any(can(user, each, case) for each in (BUREAU, MANAGE, PATHOLOGY))


def _may_begin_follow_up(case: Case) -> bool:
    slots = services.follow_up_slots(case.review_type)
    drafts = CaseForm.objects.filter(case=case, slot__in=slots, status=CaseForm.Status.DRAFT)
    return bool(slots) and not drafts.exists()


def _url(name: str, case: Case) -> str:
    return reverse(f"digital_review:{name}", args=[case.pk])


def case_for(user: Any, pk: int) -> Case:
    """The case, where the person may see it; else there is none (404)."""
    cases = Case.objects.select_related("patient__hospital", "review_type__unit", "outcome")
    return get_object_or_404(visible(user, cases), pk=pk)


@require_http_methods(["GET", "POST"])
def ask_hospital(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for new samples, a repeated biopsy, a letter (DR-057)."""
    case = case_for(request.user, pk)
    if not _may_ask(request.user, case):
        raise PermissionDenied
    return ask(
        request,
        AskForm(request.POST or None),
        lambda what: services.request_information(actor=request.user, case_id=pk, what=what),
        title=_("Ask the hospital"),
        words=_("The data managers of %(hospital)s are told, on their screen and by mail.")
        % {"hospital": case.patient.hospital.name},
        back=_url("case", case),
    )


@require_http_methods(["GET", "POST"])
def follow_up(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the hospital for a follow-up of this patient (UC16)."""
    case = case_for(request.user, pk)
    require(request.user, BUREAU, case)
    return ask(
        request,
        FollowUpForm(request.POST if request.method == "POST" else None),
        lambda due_on: services.start_follow_up(actor=request.user, case_id=pk, due_on=due_on),
        title=_("Start follow-up"),
        words=_("%(hospital)s is asked for a follow-up of patient %(patient)s.")
        % {"hospital": case.patient.hospital.name, "patient": case.patient.number},
        back=_url("case", case),
    )
