"""Noticing that bookings changed after they were ordered for, and telling people (TS-025)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone, translation
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.access.decision import can
from portal.access.selectors import people_with
from portal.audit.services import record
from portal.notifications.services import notify, tasks_changed
from tracershop.models import Booking, BookingChange, Order
from tracershop.models.reach import ORDER_LATE, SEE_ALL, SEE_OWN
from tracershop.rules.booking_changes import Recomputed
from tracershop.selectors.booking_changes import is_as_ordered, recomputed_orders
from tracershop.selectors.topics import announce_order

PAGE = "/tracershop/booking-changes/"


@dataclass(frozen=True)
class Former:
    """A booking as it was before it changed."""

    starts_at: datetime
    procedure_code: str
    endpoint_id: int | None
    status: str

    @classmethod
    def of(cls, booking: Booking) -> Former:
        return cls(booking.starts_at, booking.procedure_code, booking.endpoint_id, booking.status)


def note_booking_changes(formers: Mapping[int, Former], now: datetime | None = None) -> None:
    """After bookings changed: what that means for the orders that were placed for them.

    Within the caller's transaction, which holds the bookings' locks. ``formers`` by the booking's
    key. A booking that is again as it was ordered closes its open change.
    """
    bookings = {
        booking.pk: booking
        for booking in Booking.objects.filter(pk__in=formers, order__isnull=False).order_by("pk")
        if Former.of(booking) != formers[booking.pk]
    }
    orders = list(
        Order.objects.select_for_update(no_key=True, of=("self",))
        .filter(pk__in={booking.order_id for booking in bookings.values()})
        .exclude(status=Order.Status.REJECTED)
        .select_related("customer__unit", "endpoint", "tracer__isotope", "ordered_by")
        .order_by("pk")
    )
    recomputed = recomputed_orders(orders, now or timezone.now())
    for order in orders:
        _note(
            order,
            [booking for booking in bookings.values() if booking.order_id == order.pk],
            recomputed[order.pk],
            formers,
        )


def _note(
    order: Order,
    bookings: list[Booking],
    recomputed: Recomputed,
    formers: Mapping[int, Former],
) -> None:
    open_changes = {
        change.booking_id: change
        for change in BookingChange.objects.select_for_update(no_key=True)
        # one order's, and what a booking left open at an order that it was tied to before
        .filter(settled_at__isnull=True, booking__in=[booking.pk for booking in bookings])
        .order_by("pk")
    }
    made = []
    for booking in bookings:
        overtaken = open_changes.get(booking.pk)
        if overtaken is not None:
            settle(overtaken, BookingChange.Outcome.OVERTAKEN)
        if is_as_ordered(booking, order, recomputed.parts.get(booking.pk)):
            continue
        made.append(_change(order, booking, formers[booking.pk], overtaken, recomputed))
    _propose(order, recomputed, [change.pk for change in made])
    if not made:
        announce_order(order, "booking_changed")
        return
    record(
        "tracershop.order_booking_changed",
        order,
        data={"what": sorted({change.what for change in made}), "needed": _needed(recomputed)},
    )
    announce_order(order, "booking_changed")
    _tell(order, recomputed, made)


def _change(
    order: Order,
    booking: Booking,
    former: Former,
    overtaken: BookingChange | None,
    recomputed: Recomputed,
) -> BookingChange:
    leaving = recomputed.leaving.get(booking.pk)
    same_order = overtaken is not None and overtaken.order_id == order.pk
    return BookingChange.objects.create(
        booking=booking,
        order=order,
        what=_what(booking, former),
        # what the order was placed for, however often it has moved since
        old_starts_at=overtaken.old_starts_at if overtaken and same_order else former.starts_at,
        new_starts_at=booking.starts_at,
        proposed_mbq=recomputed.ordered_mbq,
        proposed_injections=recomputed.injections,
        obstacle=leaving.code if leaving else "",
    )


def _what(booking: Booking, former: Former) -> str:
    if booking.status == Booking.Status.CANCELLED:
        return BookingChange.What.CANCELLED
    same = (booking.procedure_code, booking.endpoint_id) == (
        former.procedure_code,
        former.endpoint_id,
    )
    return BookingChange.What.MOVED if same else BookingChange.What.CHANGED


def _propose(order: Order, recomputed: Recomputed, made: list[int]) -> None:
    """The order's other open changes speak of the same order: they propose the same amount."""
    others = BookingChange.objects.select_for_update(no_key=True).filter(
        order=order, settled_at__isnull=True
    )
    for change in others.exclude(pk__in=made).order_by("pk"):
        change.proposed_mbq = recomputed.ordered_mbq
        change.proposed_injections = recomputed.injections
        change.save()


def settle(change: BookingChange, outcome: str, by: Any = None) -> None:
    """The change is over; nobody (``by`` None) settled one that a later one overtook."""
    change.settled_at = timezone.now()
    change.settled_by = by
    change.outcome = outcome
    change.save()


# --- telling people ------------------------------------------------------------------------------


def _tell(order: Order, recomputed: Recomputed, made: list[BookingChange]) -> None:
    people = _concerned(order)
    for person in people:
        with translation.override(person.language or settings.LANGUAGE_CODE):
            text = _("%(what)s of order %(number)s (%(tracer)s, %(endpoint)s): %(old)s → %(new)s.")
            told = text % {
                "what": _what_words(made),
                "number": order.pk,
                "tracer": order.tracer,
                "endpoint": order.endpoint,
                "old": _amount(order.activity_mbq, order.injections, order.deliver_at),
                "new": _amount(
                    recomputed.ordered_mbq, recomputed.injections, recomputed.injected_at
                ),
            }
            notify(person, told, url=PAGE, level="warning")
    tasks_changed(people)


def _what_words(made: list[BookingChange]) -> str:
    if all(change.what == BookingChange.What.CANCELLED for change in made):
        text = ngettext("%(n)s cancelled booking", "%(n)s cancelled bookings", len(made))
    else:
        text = ngettext("%(n)s changed booking", "%(n)s changed bookings", len(made))
    return text % {"n": len(made)}


def _amount(
    activity_mbq: float | None, injections: int | None, injected_at: datetime | None
) -> str:
    if activity_mbq:
        return f"{number_format(round(activity_mbq), use_l10n=True, force_grouping=True)} MBq"
    if injections and injected_at:
        at = date_format(timezone.localtime(injected_at), "TIME_FORMAT")
        text = ngettext("%(n)s injection at %(at)s", "%(n)s injections at %(at)s", injections)
        return text % {"n": injections, "at": at}
    return _("nothing")


def _needed(recomputed: Recomputed) -> dict[str, Any]:
    return {
        "activity_mbq": recomputed.ordered_mbq,
        "injections": recomputed.injections,
        "injected_at": recomputed.injected_at,
    }


def _concerned(order: Order) -> list[Any]:
    """Who ordered it, while they may see it, and production."""
    people = {
        person.pk: person
        for person in people_with(ORDER_LATE).order_by("pk")
        if can(person, ORDER_LATE, order)
    }
    owner = order.ordered_by
    if can(owner, SEE_OWN, order) or can(owner, SEE_ALL, order):
        people[owner.pk] = owner
    return [people[key] for key in sorted(people)]


def tell_settled(actor: Any, order: Order) -> None:
    """Their tasks are fewer; the owner is told of what another did."""
    people = _concerned(order)
    tasks_changed(people)
    owner = order.ordered_by
    if owner == actor or owner not in people:
        return
    with translation.override(owner.language or settings.LANGUAGE_CODE):
        text = _("The changed bookings of order %(number)s are settled: it is %(amount)s.")
        amount = _amount(order.activity_mbq, order.injections, order.deliver_at)
        if order.deleted_at is not None:
            amount = _("taken back")
        notify(owner, text % {"number": order.pk, "amount": amount}, url=order_page(order))


def order_page(order: Order) -> str:
    return f"/tracershop/orders/{order.pk}/"
