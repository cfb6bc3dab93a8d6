"""Which bookings wait to be ordered for: told once, for every page, task and plan."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from tracershop.models import Booking, Order

NOT_ORDERED = Q(order__isnull=True) | Q(order__status=Order.Status.REJECTED)
"""A rejected order serves nobody: its bookings are free to be ordered anew. They stay tied to it
until then, so that they are its own again when production takes the rejection back."""

WAITING = NOT_ORDERED & Q(status=Booking.Status.BOOKED)


def is_ordered(booking: Booking) -> bool:
    """The same for a booking in hand, whose ``order`` was read with it."""
    return booking.order is not None and booking.order.status != Order.Status.REJECTED


def was_ordered_anew(order: Order) -> bool:
    """Whether a booking of the rejected order was ordered again, in another order. Read from the
    bookings' history: one that left the order otherwise was tied to none in between."""
    next_row = Booking.history.filter(
        id=OuterRef("id"), version=OuterRef("version") + 1, order__isnull=False
    ).exclude(order=order.pk)
    rows = Booking.history.filter(order=order)
    return rows.filter(Exists(next_row)).exists()
