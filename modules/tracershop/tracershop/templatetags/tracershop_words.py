"""Words, icons and figures of Tracershop's templates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
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
    "tracershop.order_accept": (_("Accepted"), "check"),
    "tracershop.order_reject": (_("Rejected"), "cross"),
    "tracershop.order_unreject": (_("Rejection taken back"), "refresh"),
    "tracershop.vials_allocated": (_("Vials allocated"), "vial"),
    "tracershop.order_released": (_("Released"), "shield"),
    "tracershop.order_automatic": (_("Ordered automatically"), "refresh"),
    "tracershop.order_booking_changed": (_("A booking changed"), "calendar"),
    "tracershop.booking_change_put_aside": (_("Changed booking put aside"), "pause"),
    "tracershop.order_shipped": (_("Packed for shipping"), "truck"),
}


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
