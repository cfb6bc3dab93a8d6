"""A patient's page: identity, state, what to do now, and tabs that load one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_GET, require_http_methods

from digital_review.forms.patient import ProtocolForm
from digital_review.models import Case
from digital_review.models.reach import ANAMNESIS, SEE
from digital_review.selectors.overview import CaseRow, Flows
from digital_review.selectors.topics import case_topic
from digital_review.services.case_facts import change_protocol, may_write_protocol
from digital_review.services.cases import force_review
from digital_review.services.conduct import CONDUCT
from digital_review.services.letters import may_write_letter
from digital_review.urls_names import case_tab_url
from digital_review.views import case_contents
from digital_review.views.case_acts import asking_acts
from digital_review.views.overview import asked_of
from portal.access.acts import ask
from portal.access.decision import can, require
from portal.access.forms import ReasonForm
from portal.audit.services import Access, log_access
from portal.flows.presentation import state_title, transition_title
from portal.flows.selectors import machine_of
from portal.flows.services.cases import possible, take_transition

_NOTED_S = 15 * 60


@dataclass(frozen=True)
class Tab:
    """A part of the page."""

    code: str
    label: Any
    icon: str
    template: str
    context: Callable[[HttpRequest, CaseRow], dict[str, Any]] | str
    """What its template needs; a dotted name where it lies elsewhere."""
    outside: bool = False
    """It asks another system, so the page does not wait for it (DR-043)."""


def _forms(request: HttpRequest, row: CaseRow) -> dict[str, Any]:
    from digital_review.views.case_forms_tab import shown_forms

    return {"forms": shown_forms(request.user, row.case)}


def _anamneses(request: HttpRequest, row: CaseRow) -> dict[str, Any]:
    return {
        "anamneses": case_contents.anamneses_of(request.user, row.case),
        "may_write": can(request.user, ANAMNESIS, row.case),
    }


def _slides(request: HttpRequest, row: CaseRow) -> dict[str, Any]:
    from digital_review.views.slides import slides_tab

    return slides_tab(request, row.case)


def _meetings(request: HttpRequest, row: CaseRow) -> dict[str, Any]:
    return {"items": case_contents.meetings_of(request.user, row.case)}


def _letters(request: HttpRequest, row: CaseRow) -> dict[str, Any]:
    return {
        "letters": case_contents.letters_of(request.user, row.case),
        "may_write": may_write_letter(request.user, row.case),
    }


def _history(request: HttpRequest, row: CaseRow) -> dict[str, Any]:
    passed = case_contents.passages_of(row.case)
    return {
        "passed": passed,
        "passages": [each.passage for each in reversed(passed)],
        "version": row.case.flow_version,
    }


TABS = {
    tab.code: tab
    for tab in (
        Tab("forms", lazy("Forms"), "clipboard", "digital_review/case/_forms.html", _forms),
        Tab(
            "anamnesis",
            lazy("Anamnesis"),
            "pencil",
            "digital_review/case/_anamneses.html",
            _anamneses,
        ),
        Tab(
            "laboratory",
            lazy("Laboratory"),
            "flask",
            "digital_review/case/_laboratory.html",
            "digital_review.views.outside.laboratory_tab",
            outside=True,
        ),
        Tab(
            "slides",
            lazy("Slides"),
            "microscope",
            "digital_review/case/_slides.html",
            _slides,
        ),
        Tab(
            "meetings",
            lazy("Meetings"),
            "calendar",
            "digital_review/case/_meetings.html",
            _meetings,
        ),
        Tab(
            "letters",
            lazy("Letters"),
            "mail",
            "digital_review/case/_letters.html",
            _letters,
        ),
        Tab("history", lazy("Course"), "flow", "digital_review/case/_history.html", _history),
    )
}


@require_GET
def case(request: HttpRequest, pk: int) -> HttpResponse:
    """The page with one tab open; choosing a tab or another patient swaps its middle alone."""
    row, flows = _row(request, pk)
    tab = TABS.get(request.GET.get("tab", ""), TABS["forms"])
    _note_opened(request, row, tab)
    standing = case_contents.standing(row.case)
    context = {
        "row": row,
        "case": row.case,
        "patient": row.patient,
        "acts": case_contents.acts_of(
            request.user, row.case, standing, asking_acts(request.user, row.case)
        ),
        "warnings": case_contents.warnings_of(request.user, row, standing),
        "may_write_protocol": may_write_protocol(request.user, row.case),
        "tabs": TABS.values(),
        "tab": tab,
        "list": request.GET.get("list", ""),
        "others": [] if _in_part(request) else _others(request, flows),
        "topic": case_topic(row.case.pk),
        **({} if tab.outside else _tab_context(request, row, tab)),
    }
    return render(request, "digital_review/case/case.html", context)


@require_GET
def case_tab(request: HttpRequest, pk: int, tab: str) -> HttpResponse:
    """One tab alone, as it is now."""
    row, _flows = _row(request, pk)
    if tab not in TABS:
        raise Http404
    chosen = TABS[tab]
    _note_opened(request, row, chosen)
    context = {"row": row, "case": row.case, "tab": chosen, **_tab_context(request, row, chosen)}
    context["topic"] = case_topic(row.case.pk)
    return render(request, "digital_review/case/_tab.html", context)


@require_http_methods(["GET", "POST"])
def go(request: HttpRequest, pk: int, code: str) -> HttpResponse:
    """Take a transition of the flow, after asking; forced, with what is missing and a reason."""
    row, _flows = _row(request, pk)
    ways = possible(CONDUCT, request.user, row.case)
    found = (each.transition for each in ways if each.open)
    way = next((each for each in found if each.code == code), None)
    if way is None:
        raise Http404
    machine = machine_of(row.case.flow_version)
    told = {"patient": row.patient.number, "state": state_title(machine, way.target)}
    # an empty form is sent too
    sent = request.POST if request.method == "POST" else None
    return ask(
        request,
        ReasonForm(sent) if way.forced else forms.Form(sent),
        partial(_take, request.user, row.case, code, forced=way.forced),
        title=transition_title(machine, code),
        words=_(
            "Patient %(patient)s goes to “%(state)s” although this is missing. It is kept with your"
            " name and reason, and stays to be done."
        )
        % told
        if way.forced
        else _("Patient %(patient)s goes on to “%(state)s”.") % told,
        lines=CONDUCT.missing(row.case) or [_("Nothing is missing.")] if way.forced else [],
        back=case_tab_url(row.case.pk, "history"),
        danger=way.forced,
    )


def _take(actor: Any, case: Case, code: str, *, forced: bool, reason: str = "") -> None:
    if forced:
        force_review(actor=actor, case_id=case.pk, code=code, reason=reason)
    else:
        take_transition(CONDUCT, actor=actor, case_id=case.pk, code=code)


@require_http_methods(["GET", "POST"])
def protocol(request: HttpRequest, pk: int) -> HttpResponse:
    """Protocol, and the comments of its committee."""
    row, _flows = _row(request, pk)
    if not may_write_protocol(request.user, row.case):
        raise Http404
    case = row.case
    form = ProtocolForm(
        request.POST or None,
        initial={"protocol": case.protocol, "protocol_comment": case.protocol_comment},
    )
    if request.method == "POST" and form.is_valid():
        opened = opened_version(request)
        change_protocol(actor=request.user, case_id=case.pk, version=opened, **form.cleaned_data)
        messages.success(request, _("The protocol is saved."))
        return redirect("digital_review:case", case.pk)
    context = {
        "form": form,
        "case": case,
        "patient": row.patient,
        "heading": _("Protocol"),
        "version": case.version,
        "back": case_tab_url(case.pk, "forms"),
    }
    status = 422 if form.errors else 200
    return render(request, "digital_review/case/edit.html", context, status=status)


# --- parts ----------------------------------------------------------------------------------------


def opened_version(request: HttpRequest) -> int:
    """The version on which the form in the request was opened; one that never was, where it is
    not said."""
    sent = request.POST.get("version", "")
    return int(sent) if sent.isascii() and sent.isdecimal() and len(sent) < 9 else 0


def _row(request: HttpRequest, pk: int) -> tuple[CaseRow, Flows]:
    require(request.user, SEE)
    found = case_contents.case_of(request.user, pk)
    if found is None:
        raise Http404
    return found


def _tab_context(request: HttpRequest, row: CaseRow, tab: Tab) -> dict[str, Any]:
    make = import_string(tab.context) if isinstance(tab.context, str) else tab.context
    # what an outside system says has a time of its own
    return {"as_of": timezone.now(), **make(request, row), "template": tab.template}


def _others(request: HttpRequest, flows: Flows) -> list[CaseRow]:
    return case_contents.others_of(request.user, asked_of(request, flows), flows)


def _in_part(request: HttpRequest) -> bool:
    """Whether the middle of the page alone is asked for: the list beside it stays as it is."""
    return bool(request.htmx)  # type: ignore[attr-defined]


def _note_opened(request: HttpRequest, row: CaseRow, tab: Tab) -> None:
    """In the access log, per patient and part (DR-181). What a page asks anew by itself because
    something changed is noted once in a quarter of an hour."""
    key = f"digital_review:noted:{request.session.session_key}:{row.case.pk}:{tab.code}"
    new = cache.add(key, 1, _NOTED_S)
    if new or "X-Portal-Live" not in request.headers:
        log_access(Access.OPEN, row.case, patient=row.patient.number, data={"part": tab.code})
