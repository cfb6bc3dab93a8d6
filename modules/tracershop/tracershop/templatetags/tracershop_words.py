"""Words, icons and figures of Tracershop's templates."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.formats import number_format
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from tracershop import words
from tracershop.models import Order, Vial
from tracershop.selectors.board import vial_mbq_at

register = template.Library()

_TONES = {"ordered": "amber", "accepted": "blue", "released": "green", "rejected": "grey"}
_ICONS = {"ordered": "clock", "accepted": "check", "released": "shield", "rejected": "cross"}
_KINDS = {"activity": _("activity"), "injection": _("injections"), "isotope": _("isotope")}
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
    "tracershop.order_automatic": (_("Ordered automatically"), "refresh"),
    "tracershop.order_booking_changed": (_("A booking changed"), "calendar"),
    "tracershop.booking_change_put_aside": (_("Changed booking put aside"), "pause"),
    "tracershop.order_shipped": (_("Packed for shipping"), "truck"),
    "tracershop.release_corrected": (_("Release corrected"), "pencil"),
    "tracershop.vials_recalled": (_("Vials recalled"), "bell"),
    "tracershop.batch_opened": (_("First vial: in quarantine"), "vial"),
    "tracershop.batch_created": (_("Made by hand"), "plus"),
    "tracershop.batch_edited": (_("Changed"), "pencil"),
    "tracershop.batch_judged": (_("Verdict given"), "signature"),
    "tracershop.result_entered": (_("Result entered"), "flask"),
    "tracershop.result_corrected": (_("Result corrected"), "pencil"),
    "tracershop.alarm_put_aside": (_("Alarm put aside"), "check"),
    "tracershop.recall_started": (_("Recall started"), "bell"),
    "tracershop.recall_called": (_("Customer called"), "phone"),
    "tracershop.recall_reminded": (_("Customers reminded"), "mail"),
    "tracershop.recall_closed": (_("Recall closed"), "lock"),
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
def kind_word(kind: str) -> Any:
    """A kind of order in one word, beside its deadline."""
    return _KINDS.get(kind, kind)


@register.filter
def use_word(use: str) -> Any:
    return Order.Use(use).label if use in Order.Use.values else use


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


@register.filter
def verdict_warning(code: str) -> str:
    """What was confirmed at a verdict, without its figures."""
    return words.verdict_warning(code)


@register.filter
def limits(of: Any, unit: str) -> str:
    """The limits of a test or a result in words, "–" where there are none."""
    low, high = (_amount(of.lower_limit), _amount(of.upper_limit))
    if low and high:
        return f"{low} – {high} {unit}".strip()
    if low:
        return f"≥ {low} {unit}".strip()
    return f"≤ {high} {unit}".strip() if high else "–"


def _amount(value: float | None) -> str:
    return "" if value is None else number_format(f"{value:.6f}".rstrip("0").rstrip("."))
