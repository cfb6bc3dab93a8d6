"""What every page's frame needs."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from portal.access.decision import held_by
from portal.access.profiles import profiles_of
from portal.access.standing import standing_of
from portal.notifications.my_tasks import task_count
from portal.notifications.services import person_topic, unread_count
from portal.operations.configuration import non_clinical_reason
from portal.registry import NavigationItem, registry

logger = logging.getLogger(__name__)


def portal(request: HttpRequest) -> dict[str, Any]:
    """Lazy where it costs a query: a fragment has no frame and pays for none."""
    return {
        "portal_name": settings.PORTAL_NAME,
        "portal_release": settings.PORTAL_RELEASE,
        "support_contact": settings.PORTAL_SUPPORT_CONTACT,
        "portal_demo": getattr(settings, "PORTAL_DEMO", False),
        "navigation": SimpleLazyObject(lambda: navigation(request)),
        "non_clinical": SimpleLazyObject(lambda: non_clinical(request)),
        "acting_as": getattr(getattr(request, "user", None), "acting_as", ""),
        "header_profiles": SimpleLazyObject(lambda: header_profiles(request)),
        "header_tasks": SimpleLazyObject(lambda: header_tasks(request)),
        "header_notifications": SimpleLazyObject(lambda: header_notifications(request)),
    }


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The left rail: where the person has something to do; the modules before the portal's own."""
    user = _person(request)
    if user is None:
        return []
    held = held_by(user).privileges()
    groups = []
    for module in sorted(registry.modules(), key=lambda each: each.is_portal):
        items = [
            {"label": item.label, "icon": item.icon, "url": url}
            for item in module.navigation
            if (not item.privileges or held & set(item.privileges)) and (url := _address(item))
        ]
        if items:
            groups.append({"label": module.verbose_name, "icon": module.icon, "items": items})
    _mark_current([item for group in groups for item in group["items"]], request.path)
    return groups


def _address(item: NavigationItem) -> str:
    """'' for an item that names no page: its own fault, not one of every page."""
    try:
        return reverse(item.url_name)
    except NoReverseMatch:
        logger.error("navigation names no page: %s", item.url_name)  # noqa: TRY400 the name says it all
        return ""


def _mark_current(items: list[dict[str, Any]], path: str) -> None:
    """The item under whose address the page lies; of several the innermost."""
    above = [item for item in items if path.startswith(item["url"])]
    innermost = max(above, key=lambda item: len(item["url"]), default=None)
    for item in items:
        item["current"] = item is innermost


def non_clinical(request: HttpRequest) -> str:
    """The words of the band over every page of a module that is not to be relied on (OP-005)."""
    label = request.path.lstrip("/").partition("/")[0]
    module = next((each for each in registry.modules() if each.label == label), None)
    if module is None or not module.clinical_settings or _person(request) is None:
        return ""
    reason = non_clinical_reason(label, timezone.now())
    if not reason:
        return ""
    words = _("%(module)s is in non-clinical mode: do not rely on it for patients. %(reason)s")
    return words % {"module": module.verbose_name, "reason": reason}


def header_profiles(request: HttpRequest) -> dict[str, Any] | None:
    """The profiles among which the person switches, and in which they stand; None without any."""
    user = _person(request)
    standing = standing_of(user) if user else None
    if standing is None or standing.acting_as:
        return None
    profiles = list(profiles_of(user).select_related("unit"))
    if not profiles:
        return None
    active = next((each for each in profiles if each.pk == standing.profile_id), None)
    return {"profiles": profiles, "active": active, "url": reverse("access:choose_profile")}


def header_tasks(request: HttpRequest) -> dict[str, Any] | None:
    """*My tasks* in the header, with how many wait."""
    user = _person(request)
    if user is None:
        return None
    return {
        "url": reverse("notifications:tasks"),
        "fragment_url": reverse("notifications:task_count"),
        "topic": person_topic(user),
        "count": SimpleLazyObject(lambda: task_count(user)),
    }


def header_notifications(request: HttpRequest) -> dict[str, Any] | None:
    """The bell in the header, with how many messages are unread."""
    user = _person(request)
    if user is None:
        return None
    return {
        "url": reverse("notifications:list"),
        "fragment_url": reverse("notifications:unread_count"),
        "topic": person_topic(user),
        "count": SimpleLazyObject(lambda: unread_count(user)),
    }


def _person(request: HttpRequest) -> Any:
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None
