"""What is done with a case from its page: steps of its flow, forcing, asking the hospital."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from digital_review.forms.cases import AskForm, FollowUpForm
from digital_review.models import Case, CaseForm
from digital_review.models.reach import BUREAU, MANAGE, PATHOLOGY
from digital_review.services import cases as services
from digital_review.services.conduct import CONDUCT, missing_of
from portal.access.acts import ask
from portal.access.decision import can, require, visible
from portal.access.forms import ReasonForm
from portal.flows.rules.running import Possibility
from portal.flows.selectors import machine_of
from portal.flows.services.cases import possible, take_transition


@dataclass(frozen=True)
class CaseAct:
    """Something that the person may do with the case: shown as a button or in the menu."""

    label: Any
    url: str
    icon: str = ""
    main: bool = False
    """A step that the flow waits for."""


def acts_for(user: Any, case: Case) -> list[CaseAct]:
    """What the person may do with the case now, the flow's own steps first."""
    ways = possible(CONDUCT, user, case)
    found = [
        CaseAct(_title(way), _url("case_step", case, way.transition.code), "flow", main=True)
        for way in ways
        if way.open and not way.transition.forced
    ]
    if can(user, BUREAU, case) and _may_begin_follow_up(case):
        found.append(CaseAct(_("Start follow-up"), _url("case_follow_up", case), "clipboard"))
    if any(can(user, each, case) for each in (BUREAU, MANAGE, PATHOLOGY)):
        found.append(CaseAct(_("Ask the hospital"), _url("ask_hospital", case), "mail"))
    if can(user, MANAGE, case) and any(way.open and way.transition.forced for way in ways):
        found.append(CaseAct(_("Force the review"), _url("force_review", case), "warning"))
    return found


def _may_begin_follow_up(case: Case) -> bool:
    slots = services.follow_up_slots(case.review_type)
    drafts = CaseForm.objects.filter(case=case, slot__in=slots, status=CaseForm.Status.DRAFT)
    return bool(slots) and not drafts.exists()


def _title(way: Possibility) -> str:
    return way.transition.title.text(get_language() or "en")


def _url(name: str, case: Case, *more: str) -> str:
    return reverse(f"digital_review:{name}", args=[case.pk, *more])


def case_for(user: Any, pk: int) -> Case:
    """The case, where the person may see it; else there is none (404)."""
    cases = Case.objects.select_related(
        "patient__hospital", "review_type__unit", "flow_version", "outcome"
    )
    return get_object_or_404(visible(user, cases), pk=pk)


@require_http_methods(["GET", "POST"])
def step(request: HttpRequest, pk: int, code: str) -> HttpResponse:
    """Take a step of the flow, after asking."""
    case = case_for(request.user, pk)
    way = next(
        (w for w in possible(CONDUCT, request.user, case) if w.transition.code == code), None
    )
    if way is None or way.transition.forced:
        raise Http404
    if not set(way.transition.roles) & set(CONDUCT.roles(request.user, case)):
        raise PermissionDenied
    target = machine_of(case.flow_version).by_code[way.transition.target]
    return ask(
        request,
        forms.Form(request.POST or None),
        lambda: take_transition(CONDUCT, actor=request.user, case_id=pk, code=code),
        title=_title(way),
        words=_("Patient %(patient)s goes on to “%(state)s”.")
        % {"patient": case.patient.number, "state": target.title.text(get_language() or "en")},
        back=_url("case", case),
    )


@require_http_methods(["GET", "POST"])
def force(request: HttpRequest, pk: int) -> HttpResponse:
    """What is missing, point by point; why it is done all the same (DR-058, DR-102)."""
    case = case_for(request.user, pk)
    require(request.user, MANAGE, case)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda reason: services.force_review(actor=request.user, case_id=pk, reason=reason),
        title=_("Force the review"),
        words=_(
            "Patient %(patient)s goes to the review although this is missing. It is kept with your"
            " name and reason, and stays to be done."
        )
        % {"patient": case.patient.number},
        lines=missing_of(case) or [_("Nothing is missing.")],
        back=_url("case", case),
        danger=True,
    )


@require_http_methods(["GET", "POST"])
def ask_hospital(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for new samples, a repeated biopsy, a letter (DR-057)."""
    case = case_for(request.user, pk)
    if not any(can(request.user, each, case) for each in (BUREAU, MANAGE, PATHOLOGY)):
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
        FollowUpForm(request.POST or None),
        lambda due_on: services.start_follow_up(actor=request.user, case_id=pk, due_on=due_on),
        title=_("Start follow-up"),
        words=_("%(hospital)s is asked for a follow-up of patient %(patient)s.")
        % {"hospital": case.patient.hospital.name, "patient": case.patient.number},
        back=_url("case", case),
    )
