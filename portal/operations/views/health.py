"""Liveness and readiness, for load balancers and the demo (OP-004)."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from portal.access.decision import can
from portal.operations.health import is_ready, run_checks


@login_not_required
@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers. It asks nobody else."""
    return HttpResponse("alive", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """200 where pages can be served, 503 where not. Reasons are for operators only."""
    results = run_checks()
    well = is_ready(results)
    # who asks is in the database, so without that nobody is told more
    detailed = well and request.user.is_authenticated and can(request.user, "operations.see_status")
    checks = {
        result.name: {"ok": result.ok, **({"reason": result.reason} if detailed else {})}
        for result in results
    }
    return JsonResponse({"ready": well, "checks": checks}, status=200 if well else 503)
