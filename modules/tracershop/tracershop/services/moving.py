"""Orders that production moves to an earlier delivery of the same day (TS-042), and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require
from portal.audit.services import Access, log_access, record
from portal.notifications.services import notify
from portal.records.errors import Refused
from portal.records.services import check_version, writes
from tracershop.models import DeliverySlot, Order
from tracershop.models.reach import ACCEPT
from tracershop.rules.orders import OrderStatus
from tracershop.rules.slots import deliver_at
from tracershop.selectors.schedule import as_weekly, site_zone
from tracershop.selectors.topics import announce_order
from tracershop.services.order_checks import check_due
from tracershop.services.production import locked_orders


@writes
def move_order(
    *,
    actor: Any,
    order_id: int,
    slot_id: int,
    expected_version: int | None = None,
    reason: str = "",
    now: datetime | None = None,
) -> Order:
    """Deliver the order at an earlier slot of its endpoint, day and tracer; what decays until the
    time that it was ordered for is given on top (``Order.due_mbq``).

    Moved again, it keeps the slot and time that it was ordered for. Moved to where it is, nothing
    changes. Refused: released or rejected, no such slot that day, not earlier than ordered, the
    time has passed, more than can be made.
    """
    order = _movable(actor, order_id, expected_version)
    slot = (
        DeliverySlot.objects.select_related("run")
        .filter(pk=slot_id, endpoint=order.endpoint_id, run__tracer=order.tracer_id)
        .first()
    )
    if slot is None or order.slot is None or not as_weekly(slot).occurs_on(order.deliver_on):
        raise Refused(
            _("The endpoint has no such delivery of this tracer on that day."), code="no_such_slot"
        )
    if slot.pk == order.slot_id:
        return order
    at = deliver_at(slot.deliver_time, order.deliver_on, site_zone())
    wanted_at = order.ordered_for_at
    if at >= wanted_at:
        raise Refused(
            _("An order can only be moved to an earlier delivery than it was ordered for."),
            code="not_earlier",
        )
    if at <= (now or timezone.now()):
        raise Refused(_("The time of the delivery has passed."), code="past")
    check_due(order, order.activity_mbq or 0.0, wanted_at, at)
    old_at = order.deliver_at
    order.moved_from_slot = order.moved_from_slot or order.slot
    order.moved_from_at = wanted_at
    order.slot, order.deliver_at = slot, at
    order.save()
    text = _("Order %(number)s is delivered at %(at)s already, for %(wanted_at)s.")
    _tell(order, "moved", old_at, text, wanted_at, reason)
    return order


@writes
def restore_order(
    *, actor: Any, order_id: int, expected_version: int | None = None, reason: str = ""
) -> Order:
    """Deliver a moved order when it was ordered for; one that is not moved stays as it is."""
    order = _movable(actor, order_id, expected_version)
    if order.moved_from_at is None:
        return order
    old_at = order.deliver_at
    order.slot, order.deliver_at = order.moved_from_slot, order.moved_from_at
    order.moved_from_slot = order.moved_from_at = None
    order.save()
    text = _("Order %(number)s is delivered at %(at)s again, as it was ordered.")
    _tell(order, "restored", old_at, text, order.deliver_at, reason)
    return order


def _movable(actor: Any, order_id: int, expected_version: int | None) -> Order:
    (order,) = locked_orders(actor, [order_id])
    require(actor, ACCEPT, order)
    check_version(order, expected_version, {})
    if order.status not in (OrderStatus.ORDERED, OrderStatus.ACCEPTED):
        raise Refused(
            _("Order %(number)s is %(status)s; nothing was changed.")
            % {"number": order.pk, "status": order.get_status_display()},
            code="wrong_status",
        )
    return order


def _tell(
    order: Order, what: str, old_at: datetime, text: Any, wanted_at: datetime, reason: str
) -> None:
    record(
        f"tracershop.order_{what}",
        order,
        data={"deliver_at": [old_at, order.deliver_at], "ordered_for_at": wanted_at},
        reason=reason.strip(),
    )
    log_access(Access.CHANGE, order)
    words = str(text) % {
        "number": order.pk,
        "at": _clock(order.deliver_at),
        "wanted_at": _clock(wanted_at),
    }
    if reason.strip():
        words = f"{words} {reason.strip()}"
    notify(order.ordered_by, words, url=f"/tracershop/orders/{order.pk}/")
    announce_order(order, what)


def _clock(at: datetime) -> str:
    return date_format(at.astimezone(site_zone()), "SHORT_DATETIME_FORMAT")
