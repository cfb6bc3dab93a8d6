"""What every page's frame needs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from portal.access.decision import held_by
from portal.registry import registry


def portal(request: HttpRequest) -> dict[str, Any]:
    return {
        "portal_name": settings.PORTAL_NAME,
        "portal_release": settings.PORTAL_RELEASE,
        "portal_support": settings.PORTAL_SUPPORT_CONTACT,
        "portal_demo": getattr(settings, "PORTAL_DEMO", False),
        "navigation": SimpleLazyObject(lambda: navigation(request)),
        "unread_count": SimpleLazyObject(lambda: _unread(request)),
    }


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The left rail: the parts of the portal in which the person has something to do."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    held = held_by(user).privileges()
    groups = []
    for module in registry.modules():
        items = [
            {
                "label": item.label,
                "icon": item.icon,
                "url": reverse(item.url_name),
                "current": request.path.startswith(reverse(item.url_name)),
            }
            for item in module.navigation
            if not item.privileges or held & set(item.privileges)
        ]
        if items:
            groups.append({"label": module.verbose_name, "icon": module.icon, "items": items})
    return groups


def _unread(request: HttpRequest) -> int:
    return request.user.notifications.filter(read_at__isnull=True, deleted_at__isnull=True).count()
