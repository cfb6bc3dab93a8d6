"""Reading what a request asks for: a bad value is a clear answer, not a crash."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.records.errors import Refused

_FIRST_YEAR, _LAST_YEAR = 2000, 2099  # calendars look some weeks further on both sides


def day_of(request: HttpRequest) -> date:
    """``?day=2026-11-21``, or today; anything else does not exist, nor does another century."""
    text = request.GET.get("day") or request.POST.get("day")
    if not text:
        return timezone.localdate()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Http404 from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise Http404
    return day


def ids_of(values: list[str]) -> list[int]:
    """Keys of a selection; several may stand in one value, separated by commas."""
    try:
        return [int(part) for value in values for part in value.split(",") if part]
    except ValueError:
        raise Http404 from None


def required(request: HttpRequest, name: str, label: Any) -> str:
    value = request.POST.get(name, "").strip()
    if not value:
        raise Refused(_("%(field)s is missing.") % {"field": label}, code="missing")
    return value


def required_key(request: HttpRequest, name: str, label: Any) -> int:
    value = required(request, name, label)
    if not value.isdecimal():
        raise Refused(_("%(field)s is not usable.") % {"field": label}, code="unusable")
    return int(value)
