"""Operators' pages: the outside systems, and what is written to them."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages as notes
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.access.acts import ask
from portal.access.decision import can, require
from portal.audit.services import Access, log_access
from portal.connectors import selectors
from portal.connectors.forms import CorrectionForm, FilterForm
from portal.connectors.models import QueuedWrite
from portal.connectors.problems import OutsideFailure
from portal.connectors.selectors import HANDLE, SEE
from portal.connectors.services import operating, probing
from portal.inbox.forms import ReasonForm
from portal.records.errors import Refused

PAGE_SIZE = 50


@require_GET
def list_systems(request: HttpRequest) -> HttpResponse:
    require(request.user, SEE)
    template = "connectors/_systems.html" if request.htmx else "connectors/systems.html"
    return render(request, template, {"systems": selectors.systems(request.user)})


@require_GET
def show_system(request: HttpRequest, code: str) -> HttpResponse:
    require(request.user, SEE)
    found = next((each for each in selectors.systems(request.user) if each.code == code), None)
    if found is None:
        raise Http404
    template = "connectors/_system.html" if request.htmx else "connectors/system.html"
    return render(request, template, {"each": found})


@require_POST
def probe(request: HttpRequest, code: str) -> HttpResponse:
    """Ask it now: the one page that waits for an outside system, and only as long as it may."""
    require(request.user, SEE)
    try:
        probing.probe(code)
    except OutsideFailure as failure:
        notes.warning(request, f"{failure.problem.words} {failure.problem.detail}")
    else:
        notes.success(request, _("It answers."))
    return redirect("connectors:system", code)


@require_GET
def list_writes(request: HttpRequest) -> HttpResponse:
    require(request.user, SEE)
    form = FilterForm(request.GET)
    chosen = form.chosen()
    found = selectors.writes(request.user, **chosen)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    template = "connectors/_writes.html" if request.htmx else "connectors/writes.html"
    return render(request, template, {"form": form, "page": page, "filtered": any(chosen.values())})


@require_GET
def show_write(request: HttpRequest, pk: int) -> HttpResponse:
    """The facts; what is to be written is one click further, for opening it is logged."""
    row = _write(request, pk)
    values = {
        "write": row,
        "behind": selectors.waiting_behind(row),
        "happenings": selectors.happenings(row),
        "corrections": row.corrections.only("pk", "corrects"),
        "is_open": row.state in QueuedWrite.OPEN,
        "may_act": row.state in QueuedWrite.OPEN and can(request.user, HANDLE),
    }
    template = "connectors/_write.html" if request.htmx else "connectors/write.html"
    return render(request, template, values)


def _write(request: HttpRequest, pk: int) -> QueuedWrite:
    require(request.user, SEE)
    return get_object_or_404(selectors.writes(request.user), pk=pk)


@require_GET
def show_payload(request: HttpRequest, pk: int) -> HttpResponse:
    """What is to be written, escaped. Logged as opening."""
    row = _write(request, pk)
    if row.payload is not None:
        log_access(Access.OPEN, row)
    values = {"write": row, "text": _text(row.payload)}
    template = "connectors/_payload.html" if request.htmx else "connectors/payload.html"
    return render(request, template, values)


def _text(payload: Any) -> str:
    return "" if payload is None else json.dumps(payload, ensure_ascii=False, indent=2)


@require_http_methods(["GET", "POST"])
def correct(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, HANDLE)
    row = _write(request, pk)
    if row.state != QueuedWrite.State.REFUSED:
        raise Refused(_("Only what was refused can be corrected."), code="not_refused")
    if request.method == "GET":
        log_access(Access.OPEN, row)
        form = CorrectionForm(initial={"payload": _text(row.payload)})
    else:
        form = CorrectionForm(request.POST)
        if form.is_valid():
            done = operating.correct_write(actor=request.user, write_id=pk, **form.cleaned_data)
            notes.success(request, _("The corrected copy waits to be written in its place."))
            return redirect("connectors:write", done.pk)
    status = 422 if form.errors else 200
    return render(request, "connectors/correct.html", {"write": row, "form": form}, status=status)


@require_http_methods(["GET", "POST"])
def send_again(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, HANDLE)
    row = _write(request, pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda reason: operating.send_again(actor=request.user, write_id=row.pk, reason=reason),
        title=_("Send write %(number)s again") % {"number": row.pk},
        words=_("It is sent now, just as it is."),
        back=reverse("connectors:write", args=[row.pk]),
    )


@require_http_methods(["GET", "POST"])
def drop(request: HttpRequest, pk: int) -> HttpResponse:
    require(request.user, HANDLE)
    row = _write(request, pk)
    return ask(
        request,
        ReasonForm(request.POST or None),
        lambda reason: operating.drop_write(actor=request.user, write_id=row.pk, reason=reason),
        title=_("Drop write %(number)s") % {"number": row.pk},
        words=_("It is never written; the outside system keeps what it has."),
        back=reverse("connectors:write", args=[row.pk]),
        danger=True,
    )
