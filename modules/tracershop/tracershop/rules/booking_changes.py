"""What an order amounts to when its bookings are as they are now (TS-025).

It is the plan of `rules/bookings.py` made anew for the bookings that the order was placed for: the
same sum, the same rounding. A booking that no plan would put into this order any more *leaves* it:
it is for another slot, day, tracer or endpoint, or for nothing.

The order's own slot stays one to plan for although its deadline has passed; of the other slots only
those that can still be ordered in are given, so that a booking is never sent to a delivery that
nobody can order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from enum import StrEnum

from tracershop.rules.bookings import (
    BookedProcedure,
    BookingKind,
    OpenSlot,
    Unplaced,
    UnplacedReason,
    plan_bookings,
)
from tracershop.rules.deadlines import Deadline, DeadlineKind
from tracershop.rules.findings import Finding, Ref
from tracershop.rules.moments import as_utc, local_day, minutes_after

_OWN_SLOT = 0  # other slots have keys from 1 on; of two slots at one moment the lower key is taken
_NO_DEADLINE = Deadline(DeadlineKind.DAILY, time(0))  # activity tracers are placed by their slots


class LeavingReason(StrEnum):
    CANCELLED = "cancelled"
    NOT_MAPPED = "not_mapped"  # its room or its procedure
    OTHER_ENDPOINT = "other_endpoint"
    OTHER_TRACER = "other_tracer"
    OTHER_DAY = "other_day"
    BEFORE_DELIVERY = "before_delivery"  # facts: injected_at
    NEARER_SLOT = "nearer_slot"  # facts: injected_at, deliver_at
    TOO_MUCH = "too_much"
    UNITS_INVALID = "units_invalid"


class Leaving(Finding[LeavingReason]):
    """Why a booking is no longer one of the order's."""


@dataclass(frozen=True, slots=True)
class OrderedFor:
    """What the order is of. `at` is the delivery of its slot, or the time of its injections."""

    kind: BookingKind
    endpoint: Ref
    tracer: Ref
    at: datetime


@dataclass(frozen=True, slots=True)
class TiedBooking:
    """A booking of the order as it is now. `endpoint` is None where its room is not mapped,
    `procedure` where one of the two is not."""

    key: int
    cancelled: bool
    endpoint: Ref | None
    procedure: BookedProcedure | None


@dataclass(frozen=True, slots=True)
class Part:
    """What a booking adds to the order: MBq at the slot, or a number of injections."""

    injected_at: datetime
    activity_mbq: float | None = None
    injections: int | None = None


@dataclass(frozen=True, slots=True)
class Recomputed:
    """The order as its bookings make it now. Every booking is in `parts` or in `leaving`.

    `ordered_mbq` or `injections` by the order's kind; zero when none of its bookings is left.
    `injected_at` is when the injections are, None for an activity order or when none is left.
    """

    parts: Mapping[int, Part]
    leaving: Mapping[int, Leaving]
    ordered_mbq: int | None = None
    injections: int | None = None
    injected_at: datetime | None = None

    @property
    def is_nothing(self) -> bool:
        return not (self.ordered_mbq or self.injections)


def recompute_order(
    order: OrderedFor,
    bookings: Iterable[TiedBooking],
    *,
    other_slots: Sequence[OpenSlot],
    zone: tzinfo,
) -> Recomputed:
    """The order for these bookings. `other_slots`: those of the day that can still be ordered in.

    Does not depend on the order of its input.
    """
    leaving: dict[int, Leaving] = {}
    staying: list[BookedProcedure] = []
    for booking in bookings:
        reason = _another_order(order, booking)
        if reason is not None:
            leaving[booking.key] = Leaving(reason)
        elif booking.procedure is not None:
            staying.append(booking.procedure)
    if order.kind == BookingKind.ACTIVITY:
        return _in_slot(order, staying, leaving, other_slots, zone)
    return _injected(order, staying, leaving, zone)


def _another_order(order: OrderedFor, booking: TiedBooking) -> LeavingReason | None:
    if booking.cancelled:
        return LeavingReason.CANCELLED
    if booking.endpoint is not None and booking.endpoint != order.endpoint:
        return LeavingReason.OTHER_ENDPOINT
    if booking.procedure is None:
        return LeavingReason.NOT_MAPPED
    if booking.procedure.tracer != order.tracer or booking.procedure.kind != order.kind:
        return LeavingReason.OTHER_TRACER
    return None


def _in_slot(
    order: OrderedFor,
    staying: list[BookedProcedure],
    leaving: dict[int, Leaving],
    other_slots: Sequence[OpenSlot],
    zone: tzinfo,
) -> Recomputed:
    own_slot = OpenSlot(_OWN_SLOT, order.endpoint, order.tracer, order.at)
    plan = plan_bookings(
        staying,
        [own_slot, *other_slots],
        closed_days=(),  # a day closed since is for production to settle, order by order
        injection_deadline=_NO_DEADLINE,
        now=order.at,
        zone=zone,
    )
    parts: dict[int, Part] = {}
    ordered_mbq = 0
    for line in plan.lines:
        if line.slot.key == _OWN_SLOT:
            ordered_mbq = line.ordered_mbq
            for each in line.contributions:
                parts[each.booking_key] = Part(each.injected_at, activity_mbq=each.activity_mbq)
        else:
            for each in line.contributions:
                leaving[each.booking_key] = Leaving(
                    LeavingReason.NEARER_SLOT,
                    {"injected_at": each.injected_at, "deliver_at": line.slot.deliver_at},
                )
    for unplaced in plan.unplaced:
        leaving[_key_of(unplaced)] = _leaving_of(unplaced, order, zone)
    return Recomputed(parts, leaving, ordered_mbq=ordered_mbq)


def _key_of(unplaced: Unplaced) -> int:
    return int(str(unplaced.facts["booking_key"]))


def _leaving_of(unplaced: Unplaced, order: OrderedFor, zone: tzinfo) -> Leaving:
    if unplaced.facts["day"] != local_day(order.at, zone, "at"):
        return Leaving(LeavingReason.OTHER_DAY)
    if unplaced.code == UnplacedReason.ALL_SLOTS_LATER:
        facts = {"injected_at": unplaced.facts["injected_at"]}
        return Leaving(LeavingReason.BEFORE_DELIVERY, facts)
    return Leaving(LeavingReason(unplaced.code))  # too much, or an amount that cannot be


def _injected(
    order: OrderedFor, staying: list[BookedProcedure], leaving: dict[int, Leaving], zone: tzinfo
) -> Recomputed:
    parts: dict[int, Part] = {}
    for each in staying:
        injected_at = minutes_after(each.starts_at, each.delay_min, "starts_at")
        if local_day(injected_at, zone, "injected_at") != local_day(order.at, zone, "at"):
            leaving[each.key] = Leaving(LeavingReason.OTHER_DAY)
        elif each.units < 1 or not float(each.units).is_integer():
            leaving[each.key] = Leaving(LeavingReason.UNITS_INVALID)
        else:
            parts[each.key] = Part(injected_at, injections=int(each.units))
    first_at = min(
        (part.injected_at for part in parts.values()),
        key=lambda at: as_utc(at, "injected_at"),
        default=None,
    )
    injections = sum(part.injections or 0 for part in parts.values())
    return Recomputed(parts, leaving, injections=injections, injected_at=first_at)
