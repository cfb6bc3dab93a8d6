"""Words, icons and figures of Tracershop's templates."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tracershop import words
from tracershop.models import Order, Vial
from tracershop.selectors.board import vial_mbq_at

register = template.Library()

_TONES = {"ordered": "amber", "accepted": "blue", "released": "green", "rejected": "grey"}
_ICONS = {"ordered": "clock", "accepted": "check", "released": "shield", "rejected": "cross"}
_ACTS = {
    "tracershop.order_placed": (_("Ordered"), "plus"),
    "tracershop.order_edited": (_("Changed"), "pencil"),
    "tracershop.order_deleted": (_("Deleted"), "trash"),
    "tracershop.ghost_order_added": (_("Added by production"), "plus"),
    "tracershop.order_moved": (_("Moved to an earlier delivery"), "clock"),
    "tracershop.order_restored": (_("Delivered again as ordered"), "history"),
    "tracershop.order_accept": (_("Accepted"), "check"),
    "tracershop.order_reject": (_("Rejected"), "cross"),
    "tracershop.order_unreject": (_("Rejection taken back"), "refresh"),
    "tracershop.vials_allocated": (_("Vials allocated"), "vial"),
    "tracershop.order_released": (_("Released"), "shield"),
}


@register.simple_tag
def chip(code: str, label: Any = "") -> str:
    """``<c-status>`` for tables of hundreds of rows: each chip is rendered once for a language."""
    return _drawn("tracershop/board/_chip.html", get_language(), code, str(label))


@register.simple_tag
def chip_icon(name: str) -> str:
    """``<c-icon>``, likewise."""
    return _drawn("tracershop/board/_icon.html", get_language(), name, "")


@functools.lru_cache(maxsize=500)
def _drawn(template_name: str, _language: str, code: str, label: str) -> str:
    # rendered with escaping; strip() alone would forget that
    return mark_safe(render_to_string(template_name, {"code": code, "label": label}).strip())


@register.filter
def uncovered_words(code: Any) -> str:
    """Why a vial, or an order, is left out of a plan."""
    return words.sentence(code)


@register.filter
def status_tone(status: str) -> str:
    return _TONES.get(status, "grey")


@register.filter
def status_icon(status: str) -> str:
    return _ICONS.get(status, "info")


@register.filter
def status_word(status: str) -> Any:
    return Order.Status(status).label if status in Order.Status.values else ""


@register.filter
def vial_warning(code: str) -> str:
    return words.vial_warning(code)


@register.filter
def mbq_at(vial: Vial, at: datetime) -> float:
    return vial_mbq_at(vial, at)


@register.filter
def act_word(action: str) -> Any:
    return _ACTS[action][0] if action in _ACTS else action


@register.filter
def act_icon(action: str) -> str:
    return _ACTS[action][1] if action in _ACTS else "info"
