"""What outside systems say of a patient: results of the laboratory, the registry's copy of a form.

Each is a part of a page that loads by itself: the page never waits for another system (DR-043).
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import get_language
from django.views.decorators.http import require_GET

from digital_review.models import Case, CaseForm
from digital_review.selectors.laboratory import results_of
from digital_review.selectors.registry import registry_copy
from digital_review.views.form_signing import form_for
from portal.access.decision import visible
from portal.audit.services import Access, log_access


def laboratory_tab(request: HttpRequest, row: Any) -> dict[str, Any]:
    """What the tab of the patient's page needs; ``row.case`` is one that the person sees."""
    return _results_context(row.case)


@require_GET
def results(request: HttpRequest, pk: int) -> HttpResponse:
    """The results alone: a page of its own, and the part that a push fetches anew."""
    cases = Case.objects.select_related("patient", "review_type")
    case = get_object_or_404(visible(request.user, cases), pk=pk)
    if not request.htmx:  # type: ignore[attr-defined]
        log_access(Access.OPEN, case, patient=case.patient.number, data={"part": "laboratory"})
    template = "_laboratory.html" if request.htmx else "laboratory.html"  # type: ignore[attr-defined]
    return render(request, f"digital_review/case/{template}", _results_context(case))


def _results_context(case: Case) -> dict[str, Any]:
    found = results_of(case.patient.number)
    return {
        "case": case,
        "results": found,
        "as_of": found.as_of,
        "results_url": reverse("digital_review:case_results", args=[case.pk]),
    }


@require_GET
def form_in_registry(request: HttpRequest, pk: int) -> HttpResponse:
    """How the registry's copy of a form compares with ours; empty where nothing is written.

    Loads by itself on the form's page, at each opening.
    """
    form = form_for(request.user, pk)
    return render(request, "digital_review/case/_registry.html", _copy_context(form))


def _copy_context(form: CaseForm) -> dict[str, Any]:
    return {"form": form, "copy": registry_copy(form, get_language() or "en")}
