"""Numbers and times as the reader's language has them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format, number_format

from portal.records.personal import Masked

register = template.Library()


@register.filter
def mbq(value: float | str | None, digits: int = 0) -> str:
    """Activity in MBq, grouped, without the unit (that stands in the column's head).

    What a template finds of something that is not there is the empty text.
    """
    if value is None or isinstance(value, str):
        return "–"
    # rounded first: number_format cuts the digits off
    rounded = round(value, digits)
    return number_format(rounded, decimal_pos=digits, use_l10n=True, force_grouping=True)


@register.filter
def clock(value: datetime | None) -> str:
    """Hours and minutes in the site's zone."""
    return timezone.localtime(value).strftime("%H:%M") if value else "–"


@register.filter
def day(value: date | datetime | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, Masked):
        return value
    if isinstance(value, datetime):
        value = timezone.localtime(value).date()
    return date_format(value, "SHORT_DATE_FORMAT")


@register.filter
def moment(value: datetime | None) -> str:
    """Day and clock in the site's zone."""
    if value is None:
        return "–"
    if isinstance(value, Masked):
        return value
    return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """``mapping[key]``, or nothing."""
    return mapping.get(key) if mapping else None
