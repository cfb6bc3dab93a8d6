"""Pages for what went wrong. They must render even when almost nothing works (TS-124)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.template import loader


def _page(request: HttpRequest, template: str, status: int, **context: Any) -> HttpResponse:
    # no context processors: they read the database, which may be what is missing
    html = loader.get_template(template).render(
        {
            "error_number": getattr(request, "id", ""),
            "portal_name": settings.PORTAL_NAME,
            "support_contact": settings.PORTAL_SUPPORT_CONTACT,
            "acting_as": getattr(request, "acting_as", ""),
            "csrf_token": get_token(request),
            **context,
        }
    )
    # the number stands in the header too: a page that htmx asked for a part shows it
    return HttpResponse(html, status=status, headers={"X-Error-Number": getattr(request, "id", "")})


@login_not_required
def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, "403.html", 403)


@login_not_required
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _page(request, "404.html", 404)


@login_not_required
def unexpected(request: HttpRequest) -> HttpResponse:
    return _page(request, "500.html", 500)
