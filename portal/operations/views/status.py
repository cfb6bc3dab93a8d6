"""The operators' page: what runs, what does not and why (OP-004)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.access.decision import can, require
from portal.audit.chain import CHAINS
from portal.notifications.models import OutboxMail
from portal.operations import state
from portal.operations.configuration import (
    modules_with_clinical_settings,
    non_clinical_reason,
)
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
        "inbox": state.inbox_depths(),
        "inbox_url": _inbox_url(request),
        "outbox": state.outbox_depths(),
        "given_up": _given_up(request),
        "verifications": _verifications(),
        "signatures": state.last_signature_verification(),
        "backup": _backup(),
        "disk": state.disk(),
        "live": _asked(state.websocket_connections),
        "waiting_tasks": _asked(state.waiting_tasks),
        "configurations": _configurations(),
        "release": settings.PORTAL_RELEASE,
    }


def _configurations() -> list[dict[str, Any]]:
    now = timezone.now()
    return [
        {"module": module, "reason": non_clinical_reason(module.label, now)}
        for module in modules_with_clinical_settings()
    ]


def _verifications() -> list[Any]:
    newest = state.last_verifications()
    return [newest.get(chain) or {"chain": chain} for chain in CHAINS]


def _asked(ask: Callable[[], int]) -> int | None:
    """None where Redis does not answer: its own lamp says so."""
    try:
        return ask()
    except redis.RedisError:
        return None


def _backup() -> dict[str, Any] | None:
    """None where this installation tells of no backup (the demo)."""
    if not settings.PORTAL_BACKUP_STAMP:
        return None
    try:
        return {"at": state.last_backup_at()}
    except (OSError, ValueError):  # its lamp says why
        return {"at": None}


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
