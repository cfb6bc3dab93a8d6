"""The operators' page: what runs, what does not and why (OP-004)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from portal.access.decision import can, require
from portal.audit.chain import CHAINS
from portal.audit.models import Verification
from portal.inbox.models import InboundMessage
from portal.notifications.models import OutboxMail
from portal.operations.health import is_ready, run_checks
from portal.registry import registry

SEE = "operations.see_status"
SHOWN_MAILS = 20


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    require(request.user, SEE)
    return render(request, "operations/status.html", _facts(request))


@require_safe
def lamps(request: HttpRequest) -> HttpResponse:
    """The part of the page that is asked for anew every quarter of a minute."""
    require(request.user, SEE)
    return render(request, "operations/status_lamps.html", _facts(request))


@require_safe
def problems(request: HttpRequest) -> HttpResponse:
    """What is wrong now, for the home page."""
    require(request.user, SEE)
    failed = [result for result in run_checks() if not result.ok]
    return render(
        request,
        "operations/problems.html",
        {"failed": failed, "quarantined": registry.quarantined},
    )


def _facts(request: HttpRequest) -> dict[str, Any]:
    results = run_checks()
    return {
        "results": results,
        "failed": [result for result in results if not result.ok],
        "ready": is_ready(results),
        "quarantined": registry.quarantined,
        "modules": registry.installed_modules(),
        "inbox": _depths(InboundMessage.objects.all(), InboundMessage.State),
        "inbox_url": _inbox_url(request),
        "outbox": _depths(OutboxMail.objects.all(), OutboxMail.State),
        "given_up": _given_up(request),
        "verifications": [
            Verification.objects.filter(chain=chain).first() or {"chain": chain} for chain in CHAINS
        ],
        "release": settings.PORTAL_RELEASE,
    }


def _depths(rows: Any, states: Any) -> list[dict[str, Any]]:
    counts = dict(rows.order_by().values_list("state").annotate(Count("pk")))
    return [
        {"code": state.value, "label": state.label, "count": counts.get(state.value, 0)}
        for state in states
    ]


def _inbox_url(request: HttpRequest) -> str:
    if not can(request.user, "inbox.read_messages"):
        return ""
    try:
        return reverse("inbox:list")
    except NoReverseMatch:
        return ""


def _given_up(request: HttpRequest) -> list[OutboxMail]:
    if not can(request.user, "notifications.see_outbox"):
        return []
    given_up = OutboxMail.objects.filter(state=OutboxMail.State.GIVEN_UP)
    return list(given_up.order_by("-changed_at")[:SHOWN_MAILS])
