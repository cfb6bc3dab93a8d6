"""Bookings that change after they were ordered for (TS-025): applied, put aside.

Locks go in one order everywhere: bookings by key, then orders by key, then changes by key. So two
messages about one order, a message and an act, an act and the deletion of the order wait for each
other and never in a circle, and each computes from what the one before it committed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.access.decision import require, visible
from portal.audit.services import Access, differences, log_access, record
from portal.live.services import publish
from portal.records.errors import Refused
from portal.records.services import locked, soft_delete, writes
from tracershop.models import Booking, BookingChange, CatalogueEntry, Order
from tracershop.models.reach import ORDER_BOOKINGS
from tracershop.rules.booking_changes import Recomputed
from tracershop.selectors.booking_changes import (
    fingerprint,
    hindrance,
    may_put_aside,
    recomputed_orders,
)
from tracershop.selectors.schedule import Calendar
from tracershop.selectors.topics import BOOKINGS, announce_order
from tracershop.services.booking_change_notes import settle, tell_settled
from tracershop.services.order_checks import LARGEST_ORDER_MBQ
from tracershop.services.production import free_vials

REASON = gettext_lazy("booking moved")
"""Stands in the audit trail where production applies a change late."""


@writes
def apply_booking_changes(
    *, actor: Any, order_id: int, seen: str, now: datetime | None = None
) -> Order:
    """Give the order the amount that its bookings need now; take it back when that is nothing.

    Settles all its open changes. ``seen`` is the fingerprint of what the person looked at: where
    something changed since, it is refused. Bookings that leave the order wait to be ordered anew.
    """
    now = now or timezone.now()
    order, changes = _locked(actor, order_id)
    if problem := hindrance(actor, order, Calendar(order.deliver_on, order.deliver_on), now):
        raise Refused(problem, code="not_applicable")
    recomputed = recomputed_orders([order], now)[order.pk]
    if fingerprint(order, recomputed) != seen:
        raise Refused(
            _("The bookings changed since you looked; look at the figures again."), code="changed"
        )
    late_reason = _late_reason(actor, order, now)
    if recomputed.is_nothing:
        _take_back(order, late_reason)
    else:
        _edit(order, recomputed, late_reason, now)
    for booking in Booking.objects.filter(order=order).order_by("pk"):
        part = recomputed.parts.get(booking.pk)
        booking.ordered_mbq = part.activity_mbq if part else None
        booking.order = order if part else None
        booking.save()
    for change in changes:
        settle(change, BookingChange.Outcome.APPLIED, actor)
    announce_order(order, "deleted" if recomputed.is_nothing else "edited")
    publish(BOOKINGS, "change_applied")
    tell_settled(actor, order)
    return order


def _late_reason(actor: Any, order: Order, now: datetime) -> str:
    """Why production changes what the customer no longer could; '' where that is not so."""
    late = Calendar(order.deliver_on, order.deliver_on).is_late(order.kind, order.deliver_on, now)
    return str(REASON) if late or order.status != Order.Status.ORDERED else ""


def _edit(order: Order, recomputed: Recomputed, late_reason: str, now: datetime) -> None:
    if recomputed.ordered_mbq is not None:
        if recomputed.ordered_mbq > LARGEST_ORDER_MBQ:
            raise Refused(_("That is more than can be ordered at once."), code="amount")
        new: dict[str, Any] = {"activity_mbq": float(recomputed.ordered_mbq)}
    else:
        _check_injections(order, recomputed, now)
        new = {"injections": recomputed.injections, "deliver_at": recomputed.injected_at}
    changes = differences({name: getattr(order, name) for name in new}, new)
    for name, value in new.items():
        setattr(order, name, value)
    order.late_reason = late_reason or order.late_reason
    order.save()
    record("tracershop.order_edited", order, data=changes, reason=late_reason or str(REASON))
    log_access(Access.CHANGE, order)


def _check_injections(order: Order, recomputed: Recomputed, now: datetime) -> None:
    entry = CatalogueEntry.objects.filter(endpoint=order.endpoint, tracer=order.tracer).first()
    if entry is not None and (recomputed.injections or 0) > entry.max_injections:
        raise Refused(
            _("At most %(limit)s injections can be ordered at once.")
            % {"limit": entry.max_injections},
            code="too_many_injections",
        )
    if recomputed.injected_at is not None and recomputed.injected_at <= now:
        raise Refused(_("The time of the injections has passed."), code="past")


def _take_back(order: Order, late_reason: str) -> None:
    free_vials(order)
    soft_delete(order)
    record("tracershop.order_deleted", order, reason=late_reason or str(REASON))
    log_access(Access.DELETE, order)


@writes
def put_aside_booking_changes(*, actor: Any, order_id: int, reason: str) -> None:
    """Leave the order as it is, and say why. Bookings that left it wait to be ordered anew;
    a cancelled one stays its own, should it be booked again."""
    if not reason.strip():
        raise Refused(_("Putting a change aside needs a reason."), code="reason_needed")
    order, changes = _locked(actor, order_id)
    if not may_put_aside(actor, order):
        require(actor, ORDER_BOOKINGS, order)
    recomputed = recomputed_orders([order], timezone.now())[order.pk]
    for booking in Booking.objects.filter(
        pk__in=list(recomputed.leaving), status=Booking.Status.BOOKED
    ):
        booking.order = None
        booking.ordered_mbq = None
        booking.save()
    for change in changes:
        settle(change, BookingChange.Outcome.PUT_ASIDE, actor)
    record("tracershop.booking_change_put_aside", order, data={"changes": len(changes)})
    announce_order(order, "booking_changed")
    publish(BOOKINGS, "change_put_aside")
    tell_settled(actor, order)


def _locked(actor: Any, order_id: int) -> tuple[Order, list[BookingChange]]:
    """The order with its open changes, locked after its bookings."""
    rows = visible(actor, Order.objects.all())
    if not rows.filter(pk=order_id).exists():
        raise Refused(_("This record does not exist (any more)."), code="gone")
    lock_bookings_of([order_id])
    order = locked(
        rows.select_related("customer__unit", "endpoint", "tracer__isotope", "ordered_by"), order_id
    )
    changes = list(
        BookingChange.objects.select_for_update(no_key=True)
        .filter(order=order, settled_at__isnull=True)
        .order_by("pk")
    )
    if not changes:
        raise Refused(_("These changes are settled already."), code="settled")
    if order.status == Order.Status.REJECTED:
        raise Refused(_("The order is rejected."), code="not_applicable")
    return order, changes


def lock_bookings_of(order_ids: Iterable[int]) -> None:
    """Lock the orders' bookings, before the orders themselves."""
    list(
        Booking.objects.select_for_update(no_key=True)
        .filter(order__in=list(order_ids))
        .order_by("pk")
        .values_list("pk", flat=True)
    )
