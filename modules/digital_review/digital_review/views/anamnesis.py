"""Adding and editing history and background (UC21, Sc 7)."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from digital_review.forms.patient import AnamnesisForm
from digital_review.models import Anamnesis, Case
from digital_review.models.reach import ANAMNESIS
from digital_review.services.anamnesis import add_anamnesis, change_anamnesis, remove_anamnesis
from digital_review.urls_names import case_tab_url
from digital_review.views.case_page import opened_version
from portal.access.acts import ask
from portal.access.decision import require, visible
from portal.access.forms import ReasonForm


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """A new one, under the writer's name."""
    cases = visible(request.user, Case.objects.select_related("patient", "review_type__unit"))
    case = get_object_or_404(cases, pk=pk)
    require(request.user, ANAMNESIS, case)
    form = AnamnesisForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        add_anamnesis(actor=request.user, case_id=case.pk, text=form.cleaned_data["text"])
        messages.success(request, _("The anamnesis is stored with the patient."))
        return redirect(case_tab_url(case.pk, "anamnesis"))
    return _page(request, form, case, _("Add anamnesis"), None)


@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Write one otherwise; the former wording stays in its history."""
    anamnesis = _anamnesis(request, pk)
    form = AnamnesisForm(request.POST or None, initial={"text": anamnesis.text})
    if request.method == "POST" and form.is_valid():
        change_anamnesis(
            actor=request.user,
            anamnesis_id=anamnesis.pk,
            version=opened_version(request),
            text=form.cleaned_data["text"],
        )
        messages.success(request, _("The anamnesis is stored with the patient."))
        return redirect(case_tab_url(anamnesis.case_id, "anamnesis"))
    return _page(request, form, anamnesis.case, _("Edit anamnesis"), anamnesis.version)


@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one off the page, with a reason."""
    anamnesis = _anamnesis(request, pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        partial(remove_anamnesis, actor=request.user, anamnesis_id=anamnesis.pk),
        title=_("Remove anamnesis"),
        words=_("It leaves the patient's page; its history is kept."),
        back=case_tab_url(anamnesis.case_id, "anamnesis"),
        danger=True,
    )


def _anamnesis(request: HttpRequest, pk: int) -> Anamnesis:
    rows = visible(request.user, Anamnesis.objects.all())
    related = rows.select_related("case__patient", "case__review_type__unit")
    anamnesis: Anamnesis = get_object_or_404(related, pk=pk)
    require(request.user, ANAMNESIS, anamnesis)
    return anamnesis


def _page(
    request: HttpRequest, form: Any, case: Case, heading: str, version: int | None
) -> HttpResponse:
    context = {
        "form": form,
        "case": case,
        "patient": case.patient,
        "heading": heading,
        "version": version,
        "back": case_tab_url(case.pk, "anamnesis"),
    }
    status = 422 if form.errors else 200
    return render(request, "digital_review/case/edit.html", context, status=status)
