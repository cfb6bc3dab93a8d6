"""Bookings: taken from HL7, ordered for, purged (TS-020 to TS-026)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.audit.services import record
from portal.inbox.errors import NotUnderstood
from portal.inbox.models import InboundMessage
from portal.inbox.services import read_raw
from portal.live.services import publish
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from portal.records.purging import purge
from portal.records.services import writes
from portal.registry import registry
from tracershop.interfaces.errors import FormatError
from tracershop.interfaces.hl7_orders import (
    BookingAct,
    BookingMessage,
    parse_order_message,
    without_patient,
)
from tracershop.models import Booking, BookingChange, Order, RoomMapping
from tracershop.selectors.booking_plan import DayPlan, plan_day
from tracershop.selectors.schedule import site_zone
from tracershop.selectors.topics import BOOKINGS
from tracershop.services.booking_change_notes import Former, note_booking_changes
from tracershop.services.ordering import place_activity_order, place_injection_order
from tracershop.words import told

HL7 = ServiceActor("booking import")


def check_order_message(raw: bytes) -> bytes:
    """Before the acknowledgement: can it be understood? Returns it without the patient (TS-022).

    NotUnderstood carries what is left of it, for an operator to correct; a message whose very
    header cannot be read is a FormatError, and nothing of it is kept.
    """
    stripped = without_patient(raw)
    try:
        parse_order_message(stripped, site_zone())
    except FormatError as error:
        raise NotUnderstood(str(error), keep=stripped) from None
    return stripped


def take_order_message(message: InboundMessage) -> str:
    """Make, change or cancel the bookings that a stored message speaks of."""
    bookings = parse_order_message(read_raw(message), site_zone())
    return ", ".join(take_bookings(actor=HL7, messages=bookings))


@writes
def take_booking(*, actor: Any, booking: BookingMessage) -> str:
    """One booking of one message; repeating it changes nothing."""
    return take_bookings(actor=actor, messages=[booking])[0]


@writes
def take_bookings(
    *, actor: Any, messages: Sequence[BookingMessage], now: datetime | None = None
) -> list[str]:
    """The bookings of one message, all or none; says of each what became of it.

    Repeating it changes nothing. What it means for orders placed already is noted when all of them
    are as the message has them (TS-025).
    """
    known = _locked_bookings({each.accession for each in messages})
    formers = {booking.pk: Former.of(booking) for booking in known.values() if booking.order_id}
    outcomes = [_take(known, each) for each in messages]
    note_booking_changes(formers, now)
    return outcomes


def _locked_bookings(accessions: Collection[str]) -> dict[str, Booking]:
    """Those known already, by accession number; locked in the order of their keys."""
    rows = Booking.objects.select_for_update(no_key=True).filter(accession__in=accessions)
    return {booking.accession: booking for booking in rows.order_by("pk")}


def _take(known: dict[str, Booking], message: BookingMessage) -> str:
    booking = known.get(message.accession)
    if message.act == BookingAct.NO_CHANGE:
        return "no change"
    if message.act == BookingAct.CANCEL:
        return _cancel(booking)
    if booking is None:
        values = _values(message, None)
        known[message.accession] = Booking.objects.create(accession=message.accession, **values)
        publish(BOOKINGS, "booked", known[message.accession].pk)
        return "booked"
    return _change(booking, message)


def _cancel(booking: Booking | None) -> str:
    if booking is None:
        return "cancelled, not known"
    if booking.status == Booking.Status.CANCELLED:
        return "cancelled already"
    booking.status = Booking.Status.CANCELLED
    booking.save()
    publish(BOOKINGS, "cancelled", booking.pk)
    return "cancelled"


def _change(booking: Booking, message: BookingMessage) -> str:
    values = _values(message, booking)
    if all(getattr(booking, name) == value for name, value in values.items()):
        return "known already"
    for name, value in values.items():
        setattr(booking, name, value)
    booking.automatic_at = None  # what it is now, automatic ordering has not seen yet
    booking.save()
    publish(BOOKINGS, "changed", booking.pk)
    return "changed"


def _values(message: BookingMessage, booking: Booking | None) -> dict[str, Any]:
    return {
        "starts_at": message.starts_at,
        "procedure_code": message.procedure_code,
        "procedure_text": message.procedure_text,
        "room": message.room,
        "status": Booking.Status.BOOKED,
        "endpoint_id": _endpoint_of(message.room, booking),
    }


def _endpoint_of(room: str, booking: Booking | None) -> int | None:
    """Where the room is mapped to. What is ordered stays where it was ordered for, while it is in
    the same room, though the room's mapping ended since."""
    if booking is not None and booking.order_id and booking.room == room:
        return booking.endpoint_id
    return RoomMapping.objects.filter(room=room).values_list("endpoint_id", flat=True).first()


@dataclass(frozen=True)
class Ordered:
    """What a confirmation made, and the plan it was."""

    orders: list[Order]
    plan: DayPlan


@writes
def order_bookings(
    *,
    actor: Any,
    day: date,
    booking_ids: Collection[int],
    fingerprint: str,
    automatic: bool = False,
    now: datetime | None = None,
) -> Ordered:
    """Order for the ticked bookings, exactly as the preview with this fingerprint said.

    All or nothing. Bookings are locked and those ordered already are left out of the plan, so a
    second confirmation of the same preview orders nothing twice: it is refused. ``automatic``:
    nobody pressed, the mappings are fully automatic (TS-026); the audit trail says so.
    """
    now = now or timezone.now()
    _lock(booking_ids)
    plan = plan_day(actor, day, only=booking_ids, now=now)
    if plan.plan.unplaced:
        details = [
            f"{plan.bookings[each.facts['booking_key']].accession}: {told(each)}"  # type: ignore[index]
            for each in plan.plan.unplaced
        ]
        raise Refused(
            _("Some bookings cannot be placed; nothing was ordered."),
            code="unplaced",
            details=details,
        )
    if set(plan.bookings) != set(booking_ids) or plan.unmapped or plan.fingerprint != fingerprint:
        raise Refused(
            _("The bookings changed since you looked; look at the plan again."), code="plan_changed"
        )
    orders = [_order_line(actor, plan, line, now) for line in plan.plan.lines]
    orders += [_order_injections(actor, plan, line, now) for line in plan.plan.injections]
    if not orders:
        raise Refused(_("No booking is ticked."), code="nothing")
    if automatic:
        with acting(actor=ServiceActor("automatic ordering", on_behalf_of=actor)):
            for order in orders:
                record("tracershop.order_automatic", order)
    record(
        "tracershop.bookings_ordered",
        data={
            "day": day,
            "orders": [order.pk for order in orders],
            "bookings": len(plan.bookings),
            "automatic": automatic,
        },
    )
    publish(BOOKINGS, "ordered")
    return Ordered(orders, plan)


def _lock(booking_ids: Collection[int]) -> None:
    """The bookings, then the rejected orders that they are still tied to: production may be about
    to take a rejection back."""
    rows = Booking.objects.select_for_update(no_key=True).filter(pk__in=set(booking_ids))
    tied_to = {key for key in rows.order_by("pk").values_list("order", flat=True) if key}
    list(
        Order.objects.select_for_update(no_key=True)
        .filter(pk__in=tied_to)
        .order_by("pk")
        .values_list("pk", flat=True)
    )


def _order_line(actor: Any, plan: DayPlan, line: Any, now: datetime) -> Order:
    slot = plan.slots[line.slot.key]
    order = place_activity_order(
        actor=actor,
        slot_id=slot.slot.pk,
        day=slot.deliver_at.date(),
        activity_mbq=line.ordered_mbq,
        now=now,
    )
    for contribution in line.contributions:
        _tie(plan.bookings[contribution.booking_key], order, contribution.activity_mbq)
    return order


def _order_injections(actor: Any, plan: DayPlan, line: Any, now: datetime) -> Order:
    order = place_injection_order(
        actor=actor,
        endpoint_id=line.endpoint,
        tracer_id=line.tracer,
        inject_at=line.injected_at,
        injections=line.injections,
        intended_use=Order.Use.HUMAN,
        now=now,
    )
    _tie(plan.bookings[line.booking_key], order, None)
    return order


def _tie(booking: Booking, order: Order, activity_mbq: float | None) -> None:
    booking.order = order
    booking.ordered_mbq = activity_mbq
    booking.save()


@writes
def purge_old_bookings(*, actor: Any, now: datetime | None = None) -> int:
    """Remove bookings of examinations longer ago than the set number of days (TS-022)."""
    days = registry.settings_for("tracershop").booking_keep_days
    limit = (now or timezone.now()) - timedelta(days=days)
    purge(BookingChange.all_objects.filter(booking__starts_at__lt=limit))
    count = purge(Booking.all_objects.filter(starts_at__lt=limit))
    if count:
        record("tracershop.bookings_purged", data={"count": count, "older_than_days": days})
    return count
