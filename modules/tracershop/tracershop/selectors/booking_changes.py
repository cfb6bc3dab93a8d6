"""Orders whose bookings changed after they were placed, and what they would be now (TS-025)."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Min, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.access.decision import can, visible
from portal.notifications.my_tasks import MyTask
from tracershop.models import Booking, BookingChange, CatalogueEntry, DeliverySlot, Order
from tracershop.models.reach import ORDER_BOOKINGS, ORDER_LATE, PLACE
from tracershop.rules.booking_changes import (
    OrderedFor,
    Part,
    Recomputed,
    TiedBooking,
    recompute_order,
)
from tracershop.rules.bookings import BookingKind, OpenSlot
from tracershop.rules.moments import elapsed_s
from tracershop.selectors.booking_plan import booked_procedure, mappings_of
from tracershop.selectors.schedule import Calendar, SlotOnDay
from tracershop.words import told

_SAME_MBQ = 1e-6  # relative: what the database's floats may lose


def recomputed_orders(orders: Collection[Order], now: datetime) -> dict[int, Recomputed]:
    """What each order is with its bookings as they are now; as many queries for any number.

    The orders come with ``tracer`` read; whoever asks has seen to it that they may be seen.
    """
    if not orders:
        return {}
    bookings = defaultdict(list)
    rows = Booking.objects.filter(order__in=orders).select_related("endpoint").order_by("pk")
    for booking in rows:
        bookings[booking.order_id].append(booking)
    mappings = mappings_of([each for tied in bookings.values() for each in tied])
    slots = _slots_of(orders, now)
    return {
        order.pk: recompute_order(
            _ordered_for(order),
            [_tied(each, mappings) for each in bookings[order.pk]],
            other_slots=_open_slots(order, slots[order.deliver_on]),
            zone=timezone.get_default_timezone(),
        )
        for order in orders
    }


def _ordered_for(order: Order) -> OrderedFor:
    kind = BookingKind.INJECTION if order.kind == Order.Kind.INJECTION else BookingKind.ACTIVITY
    # of an order that production moved to an earlier slot: the one that it was ordered for (TS-042)
    return OrderedFor(kind, order.endpoint_id, order.tracer_id, order.ordered_for_at)


def _tied(booking: Booking, mappings: dict[int, Any]) -> TiedBooking:
    mapping = mappings.get(booking.pk)
    return TiedBooking(
        key=booking.pk,
        cancelled=booking.status == Booking.Status.CANCELLED,
        endpoint=booking.endpoint_id,
        procedure=booked_procedure(booking, mapping) if mapping else None,
    )


def _slots_of(orders: Collection[Order], now: datetime) -> dict[date, list[SlotOnDay]]:
    """The slots of the orders' endpoints on the orders' days, by day."""
    days = sorted({order.deliver_on for order in orders})
    endpoints = {order.endpoint_id for order in orders}
    entries = {
        (row.endpoint_id, row.tracer_id): row
        for row in CatalogueEntry.objects.filter(endpoint__in=endpoints)
    }
    slots = DeliverySlot.objects.filter(endpoint__in=endpoints)
    weekly = list(slots.select_related("endpoint", "run__tracer"))
    calendar = Calendar(days[0], days[-1])
    return {day: calendar.on(day, weekly, entries, now) for day in days}


def _open_slots(order: Order, slots: list[SlotOnDay]) -> list[OpenSlot]:
    own_slot = order.moved_from_slot_id or order.slot_id
    return [
        OpenSlot(number, slot.slot.endpoint_id, slot.slot.run.tracer_id, slot.deliver_at)
        for number, slot in enumerate(slots, start=1)
        if slot.orderable and slot.slot.pk != own_slot
    ]


def is_as_ordered(booking: Booking, order: Order, part: Part | None) -> bool:
    """Does the order still hold for the booking exactly what it needs?"""
    if part is None:
        return False
    if part.injections is not None:
        at_the_time = elapsed_s(part.injected_at, order.ordered_for_at) == 0
        return at_the_time and part.injections == order.injections
    needed_mbq, ordered_mbq = part.activity_mbq or 0, booking.ordered_mbq or 0
    return abs(needed_mbq - ordered_mbq) <= _SAME_MBQ * ordered_mbq


def fingerprint(order: Order, recomputed: Recomputed) -> str:
    """Of what applying would do: an act must be of the figures that were looked at."""
    injected_at = recomputed.injected_at.isoformat() if recomputed.injected_at else ""
    seen = [
        order.version,
        recomputed.ordered_mbq,
        recomputed.injections,
        injected_at,
        sorted(recomputed.parts),
    ]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:16]


# --- the page ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ChangedBooking:
    """A changed booking in words for the page."""

    change: BookingChange
    leaving: str
    """Why it is no longer one of the order's; '' while it is."""
    elsewhere: bool
    """It is another customer's now: where and when is not told (TS-006)."""


@dataclass(frozen=True)
class ChangedOrder:
    """An order with its open changes: what it is, and what it would be."""

    order: Order
    changes: list[ChangedBooking]
    recomputed: Recomputed
    fingerprint: str
    hindrance: str
    """Why the person cannot apply it; '' when they can."""
    leaves: bool
    """A booking goes to another slot or day, and has to be ordered for anew."""


def open_changes(user: Any, privilege: str | None = None) -> QuerySet[BookingChange]:
    """Changes that nobody has settled, of orders that are still on their way."""
    return visible(user, BookingChange.objects.all(), privilege).filter(
        settled_at__isnull=True,
        order__deleted_at__isnull=True,
        order__status__in=[
            Order.Status.ORDERED,
            Order.Status.ACCEPTED,
            Order.Status.RELEASED,
        ],
    )


def changed_orders(user: Any, now: datetime) -> list[ChangedOrder]:
    """Every order with an open change, the next delivery first."""
    changes = open_changes(user).select_related(
        "booking__endpoint",
        "order__customer__unit",
        "order__endpoint",
        "order__tracer__isotope",
        "order__ordered_by",
    )
    by_order = defaultdict(list)
    orders: dict[int, Order] = {}
    for change in changes.order_by("order__deliver_at", "order", "new_starts_at", "pk"):
        orders.setdefault(change.order_id, change.order)
        by_order[change.order_id].append(change)
    recomputed = recomputed_orders(list(orders.values()), now)
    calendar = _calendar(orders.values())
    return [
        _changed_order(user, order, by_order[key], recomputed[key], calendar, now)
        for key, order in orders.items()
    ]


def _calendar(orders: Collection[Order]) -> Calendar | None:
    days = [order.deliver_on for order in orders]
    return Calendar(min(days), max(days)) if days else None


def _changed_order(
    user: Any,
    order: Order,
    changes: list[BookingChange],
    recomputed: Recomputed,
    calendar: Calendar | None,
    now: datetime,
) -> ChangedOrder:
    shown = [_changed_booking(order, change, recomputed) for change in changes]
    return ChangedOrder(
        order=order,
        changes=shown,
        recomputed=recomputed,
        fingerprint=fingerprint(order, recomputed),
        hindrance=hindrance(user, order, calendar, now) if calendar else "",
        leaves=any(
            each.leaving and each.change.booking.status == Booking.Status.BOOKED for each in shown
        ),
    )


def _changed_booking(order: Order, change: BookingChange, recomputed: Recomputed) -> ChangedBooking:
    leaving = recomputed.leaving.get(change.booking_id)
    endpoint = change.booking.endpoint
    return ChangedBooking(
        change=change,
        leaving=told(leaving) if leaving else "",
        elsewhere=endpoint is None or endpoint.customer_id != order.customer_id,
    )


def hindrance(user: Any, order: Order, calendar: Calendar, now: datetime) -> str:
    """Why the person cannot apply changed bookings to the order; '' when they can (TS-005).

    Production may late as well, and after accepting; who represents the customer, while the order
    is *Ordered* and before its deadline. ``calendar`` reaches over the order's day.
    """
    if order.status == Order.Status.RELEASED:
        return _("It is released: production corrects it, or puts the change aside.")
    if can(user, ORDER_LATE, order):
        return ""
    if not (can(user, PLACE, order) and can(user, ORDER_BOOKINGS, order)):
        return _("You do not order for this customer.")
    if order.status != Order.Status.ORDERED:
        return _("It is accepted: only production changes it now.")
    if calendar.is_late(order.kind, order.deliver_on, now):
        return _("The deadline has passed: only production changes it now.")
    return ""


def may_put_aside(user: Any, order: Order) -> bool:
    """Production, and who orders from the customer's bookings."""
    return can(user, ORDER_LATE, order) or can(user, ORDER_BOOKINGS, order)


def change_tasks(user: Any) -> Iterator[MyTask]:
    """One task for all changed bookings that the person may settle."""
    privilege = next((code for code in (ORDER_LATE, ORDER_BOOKINGS) if can(user, code)), None)
    if privilege is None:
        return
    found = open_changes(user, privilege).aggregate(
        number=Count("order", distinct=True), due_at=Min("order__deliver_at")
    )
    if found["number"]:
        text = ngettext(
            "Settle changed bookings of %(n)s order",
            "Settle changed bookings of %(n)s orders",
            found["number"],
        )
        yield MyTask(
            text % {"n": found["number"]},
            reverse("tracershop:booking_changes"),
            icon="refresh",
            due_at=found["due_at"],
            count=found["number"],
            urgent=True,
        )
