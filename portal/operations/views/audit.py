"""Browsing and exporting the logs. Reading them is logged too (PT-024)."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.access.decision import can, require
from portal.audit.chain import ACCESS, TRAIL
from portal.audit.services import Access, log_access
from portal.operations import exports
from portal.operations.forms import LogFilter
from portal.operations.reviews import REVIEW, last_review
from portal.operations.trail import LOGS, log_page, narrowed, readable
from portal.records.errors import Refused

BROWSE = "audit.browse_logs"
EXPORT = "audit.export_logs"
NAMES = {TRAIL: "audit trail", ACCESS: "access log"}


@require_safe
def browse(request: HttpRequest, log: str) -> HttpResponse:
    """The audit trail or the access log, newest first, narrowed by the form above it."""
    require(request.user, BROWSE)
    form = LogFilter(request.GET or {})
    wanted = form.cleaned_data if form.is_valid() else {}
    page = log_page(
        narrowed(LOGS[log], wanted),
        before=_key(request, "before"),
        after=_key(request, "after"),
    )
    log_access(Access.OPEN, NAMES[log], data=form.narrowing(), patient=wanted.get("patient", ""))
    return render(
        request,
        "operations/log.html",
        {
            "log": log,
            "form": form,
            "page": page,
            "narrowed": bool(form.narrowing()),
            "may_export": can(request.user, EXPORT),
            "review": last_review() if log == TRAIL else None,
            "may_review": log == TRAIL and can(request.user, REVIEW),
        },
    )


def _key(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


@require_safe
def entry(request: HttpRequest, log: str, pk: int) -> HttpResponse:
    """One entry with what changed, field by field."""
    require(request.user, BROWSE)
    found = get_object_or_404(LOGS[log], pk=pk)
    log_access(Access.OPEN, f"{NAMES[log]} entry {pk}", patient=found.patient)
    return render(
        request, "operations/log_entry.html", {"log": log, "entry": found, "lines": readable(found)}
    )


@require_safe
def export(request: HttpRequest) -> HttpResponse:
    """What the filter leaves, as CSV or Excel."""
    require(request.user, EXPORT)
    log = request.GET.get("log", TRAIL)
    form = LogFilter(request.GET)
    if log not in LOGS or not form.is_valid():
        raise Refused(_("The filter cannot be read."), code="bad_filter")
    kind = "xlsx" if request.GET.get("format") == "xlsx" else "csv"
    # what the export itself adds to the log is not part of it
    newest = LOGS[log].objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    entries = narrowed(LOGS[log], form.cleaned_data).filter(pk__lte=newest).order_by("pk")
    count = entries.count()
    if kind == "xlsx" and count > exports.LARGEST_SHEET:
        raise Refused(
            _("These are %(count)s entries: too many for a sheet. Narrow the filter or take CSV.")
            % {"count": count},
            code="too_many",
        )
    log_access(
        Access.EXPORT,
        NAMES[log],
        data={**form.narrowing(), "format": kind, "entries": count},
        patient=form.cleaned_data["patient"],
    )
    name = f"{NAMES[log].replace(' ', '-')}-{timezone.localdate():%Y-%m-%d}.{kind}"
    response: Any
    if kind == "xlsx":
        response = HttpResponse(
            exports.as_excel(entries.iterator(), NAMES[log]),
            content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        )
    else:
        response = StreamingHttpResponse(
            exports.as_csv(entries.iterator()), content_type="text/csv; charset=utf-8"
        )
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
