"""Forms to fill in and to sign: the list, and beginning them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from digital_review.forms.cases import (
    FollowUpForm,
    FormFilter,
    HospitalForm,
    NumberForm,
    PatientForm,
)
from digital_review.models import Case, ReviewType
from digital_review.models.reach import BUREAU, SEE, SEE_FORMS
from digital_review.rules.numbers import clean_number
from digital_review.selectors import topics
from digital_review.selectors.case_forms import (
    COLUMNS,
    forms_for,
    hospitals_for,
    titles_for,
)
from digital_review.selectors.laboratory import known_of
from digital_review.services.cases import PatientFacts, start_case, start_follow_up
from digital_review.services.looking_up import LookedUp, look_up
from portal.access.decision import can, require, visible
from portal.access.masking import HIDDEN, may_see_personal, unmasked
from portal.records.errors import Refused

PAGE_SIZE = 50


@require_GET
def form_list(request: HttpRequest) -> HttpResponse:
    """What waits for the person, what is due first; other forms by the filter."""
    user = request.user
    if not (can(user, SEE_FORMS) or can(user, SEE)):
        require(user, SEE_FORMS)
    form = FormFilter(
        request.GET or {"status": "to_do"},
        hospitals=hospitals_for(user),
        titles=titles_for(user),
    )
    sort = COLUMNS.sort_of(request.GET.get("sort", ""))
    found = forms_for(user, **form.chosen(), sort=sort)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    for each in page:
        _put_in_words(each)
    context = {
        "form": form,
        "page": page,
        "columns": COLUMNS.heads(sort),
        "sort": sort,
        "filtered": bool(set(request.GET) & {"status", "slot", "hospital", "number"}),
        "may_start": can(user, BUREAU),
        "topic": topics.FORMS,
    }
    name = "_forms.html" if request.htmx else "forms.html"  # type: ignore[attr-defined]
    return render(request, f"digital_review/forms/{name}", context)


def _put_in_words(form: Any) -> None:
    """What the row shows of it; who may see initials is known with the rows."""
    form.initials_for_reader = HIDDEN
    if may_see_personal(form):
        with unmasked():
            form.initials_for_reader = form.case.patient.initials
    form.is_overdue = form.due_on is not None and form.due_on < timezone.localdate()


# --- beginning a case -----------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """By number: who that is, to be verified; then begin (UC3, UC7). An unknown one begins
    nothing (UC5). What was looked up is looked up again when it is sent, and not taken from the
    page."""
    require(request.user, BUREAU)
    types = [*visible(request.user, ReviewType.objects.all(), BUREAU).order_by("name")]
    asked = NumberForm(
        request.POST or request.GET or None,
        review_types=ReviewType.objects.filter(pk__in=[each.pk for each in types]).order_by("name"),
    )
    if not asked.is_bound or not asked.is_valid():
        return _start_page(request, asked, status=422 if asked.is_bound else 200)
    looked_up = look_up(asked.cleaned_data["number"])
    typed = _typed_form(request, looked_up)
    refusal: Refused | None = None
    if request.method == "POST" and not looked_up.is_unknown and _is_valid(typed):
        try:
            case = _begin(request, asked, looked_up, typed)
        except Refused as error:
            refusal = error
        else:
            messages.success(
                request,
                _("The review of patient %(patient)s has begun; the hospital is told.")
                % {"patient": case.patient.number},
            )
            return redirect("digital_review:case", case.pk)
    wrong = refusal is not None or (typed is not None and bool(typed.errors))
    return _start_page(
        request,
        asked,
        looked_up=looked_up,
        typed=typed,
        refusal=refusal,
        known_as=_known_as(request.user, looked_up),
        status=422 if wrong or looked_up.is_unknown else 200,
    )


def _typed_form(request: HttpRequest, looked_up: LookedUp) -> Any:
    """What the registry leaves open: everything, the hospital, or nothing."""
    sent = request.POST if request.method == "POST" else None
    if looked_up.problem:
        return PatientForm(sent)
    if looked_up.known and looked_up.hospital is None:
        return HospitalForm(sent)
    return None


def _is_valid(form: Any) -> bool:
    return form is None or form.is_valid()


def _begin(request: HttpRequest, asked: NumberForm, looked_up: LookedUp, typed: Any) -> Case:
    if looked_up.problem:
        given = typed.cleaned_data
        facts = PatientFacts(
            looked_up.number, given["hospital"].pk, given["initials"], given["born_on"]
        )
    else:
        facts = looked_up.facts(hospital=typed.cleaned_data["hospital"] if typed else None)
    return start_case(
        actor=request.user,
        review_type_id=asked.cleaned_data["review_type"].pk,
        patient=facts,
        known=known_of(facts.number),
    )


def _known_as(user: Any, looked_up: LookedUp) -> list[Case]:
    """The cases that the patient has already, as far as the person sees them."""
    cases = Case.objects.filter(patient__number=looked_up.number).select_related(
        "patient", "review_type"
    )
    return [*visible(user, cases)]


def _start_page(
    request: HttpRequest, asked: NumberForm, *, status: int, **more: Any
) -> HttpResponse:
    context = {"asked": asked, **more}
    return render(request, "digital_review/forms/start.html", context, status=status)


# --- beginning a follow-up ------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def follow_up(request: HttpRequest) -> HttpResponse:
    """By number: whose follow-up, to be verified; then the hospital is asked (UC16, UC18)."""
    require(request.user, BUREAU)
    types = visible(request.user, ReviewType.objects.all(), BUREAU)
    asked = NumberForm(request.POST or request.GET or None, review_types=types.order_by("name"))
    case, refusal = None, None
    due = FollowUpForm(request.POST if request.method == "POST" else None)
    if asked.is_bound and asked.is_valid():
        case = _case_of(request.user, asked)
        if case is not None and request.method == "POST" and due.is_valid():
            try:
                form = start_follow_up(
                    actor=request.user,
                    case_id=case.pk,
                    known=known_of(case.patient.number),
                    **due.cleaned_data,
                )
            except Refused as error:
                refusal = error
            else:
                messages.success(request, _("The follow-up has begun; the hospital is told."))
                return redirect("digital_review:form", form.pk)
    context = {
        "asked": asked,
        "case": case,
        "unknown": asked.is_bound and not asked.errors and case is None,
        "number": clean_number(asked.cleaned_data.get("number", "")) if asked.is_bound else "",
        "due": due,
        "refusal": refusal,
    }
    wrong = refusal or context["unknown"] or asked.errors
    return render(
        request, "digital_review/forms/follow_up.html", context, status=422 if wrong else 200
    )


def _case_of(user: Any, asked: NumberForm) -> Case | None:
    found = Case.objects.filter(
        patient__number=clean_number(asked.cleaned_data["number"]),
        review_type=asked.cleaned_data["review_type"],
    )
    rows = visible(user, found.select_related("patient__hospital", "review_type"))
    return rows.first()
