"""Reading what a request asks for: a bad value is a clear answer, not a crash."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.records.errors import Refused

_FIRST_YEAR, _LAST_YEAR = 2000, 2099  # calendars look some weeks further on both sides
_LONGEST_KEY = 18  # digits that the database's keys hold, whatever they are


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
    keys = [key_of(part) for value in values for part in value.split(",") if part]
    if None in keys:
        raise Http404
    return keys  # type: ignore[return-value]


def key_of(text: str) -> int | None:
    """The key that ``text`` is; None for what cannot be one."""
    return int(text) if text.isdecimal() and len(text) <= _LONGEST_KEY else None


def required(request: HttpRequest, name: str, label: Any) -> str:
    value = request.POST.get(name, "").strip()
    if not value:
        raise Refused(_("%(field)s is missing.") % {"field": label}, code="missing")
    return value


def required_key(request: HttpRequest, name: str, label: Any) -> int:
    key = key_of(required(request, name, label))
    if key is None:
        raise Refused(_("%(field)s is not usable.") % {"field": label}, code="unusable")
    return key
