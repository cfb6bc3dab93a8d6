"""From bookings to orders (TS-024): which booking goes to which slot, and how much is needed there.

A booking's injection takes place at start + delay. An activity tracer is ordered in the latest
slot of its endpoint and tracer that delivers at or before the injection, on the injection's local
date; what is needed there is Σ units·2^((t_injection−t_slot)/T½), rounded up once per slot. An
injection tracer becomes one order per booking, at its injection time.

A slot whose deadline has passed is still *the* latest slot: the booking is then left unplaced with
that reason. Sliding it silently to an earlier slot would order far more activity than anyone saw,
for a delivery nobody expects; a person may choose that, or ask production to order late (TS-004).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from enum import StrEnum

from tracershop.rules.deadlines import (
    Deadline,
    OrderingObstacle,
    OrderingObstacleCode,
    check_ordering_window,
    is_closed,
)
from tracershop.rules.decay import ActivityTooLargeError, activity_at, round_up_mbq
from tracershop.rules.findings import Facts, Finding, Ref
from tracershop.rules.moments import as_utc, local_day, minutes_after


class BookingKind(StrEnum):
    """What the tracer's orders are counted in: MBq, or injections."""

    ACTIVITY = "activity"
    INJECTION = "injection"


@dataclass(frozen=True, slots=True)
class BookedProcedure:
    """A booking with what the mapping says of its procedure (TS-023).

    `units` are MBq at the injection, or a whole number of injections, by `kind`; `delay_min` are
    the minutes from the booked start to the injection (negative when it comes first).
    """

    key: int
    starts_at: datetime
    tracer: Ref
    endpoint: Ref
    delay_min: float
    units: float
    kind: BookingKind
    half_life_s: float


@dataclass(frozen=True, slots=True)
class OpenSlot:
    """A weekly slot on one date. `obstacle` says why it cannot be ordered in; None if it can."""

    key: int
    endpoint: Ref
    tracer: Ref
    deliver_at: datetime
    obstacle: OrderingObstacle | None = None

    @property
    def orderable(self) -> bool:
        return self.obstacle is None


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one booking adds to a slot: `activity_mbq` is counted at the slot's delivery."""

    booking_key: int
    injected_at: datetime
    activity_mbq: float


@dataclass(frozen=True, slots=True)
class ActivityLine:
    """One activity order: `exact_mbq` needed at the slot, `ordered_mbq` the same rounded up."""

    slot: OpenSlot
    contributions: tuple[Contribution, ...]
    exact_mbq: float
    ordered_mbq: int

    @property
    def booking_keys(self) -> tuple[int, ...]:
        return tuple(contribution.booking_key for contribution in self.contributions)


@dataclass(frozen=True, slots=True)
class InjectionLine:
    """One injection order, for one booking."""

    booking_key: int
    tracer: Ref
    endpoint: Ref
    injected_at: datetime
    injections: int


class UnplacedReason(StrEnum):
    CLOSED_DAY = "closed_day"
    NO_SLOT = "no_slot"  # the endpoint has no slot for the tracer on that date
    ALL_SLOTS_LATER = "all_slots_later"  # also: first_deliver_at
    DEADLINE_PASSED = "deadline_passed"  # also: deadline_at, and deliver_at for an activity order
    UNITS_INVALID = "units_invalid"  # not above zero, or not a whole number of injections
    TOO_MUCH = "too_much"  # also: deliver_at


class Unplaced(Finding[UnplacedReason]):
    """Why a booking cannot be ordered for. Its facts always hold booking_key, endpoint, tracer,
    units, injected_at and day (the injection's local date)."""


@dataclass(frozen=True, slots=True)
class BookingPlan:
    """Every booking is in exactly one of the three."""

    lines: tuple[ActivityLine, ...]
    injections: tuple[InjectionLine, ...]
    unplaced: tuple[Unplaced, ...]


_REASON_OF_OBSTACLE = {
    OrderingObstacleCode.CLOSED_DAY: UnplacedReason.CLOSED_DAY,
    OrderingObstacleCode.DEADLINE_PASSED: UnplacedReason.DEADLINE_PASSED,
}


@dataclass(frozen=True, slots=True)
class _Planned:
    """A booking with its injection worked out."""

    booking: BookedProcedure
    injected_at: datetime
    day: date

    def unplaced(self, reason: UnplacedReason, more: Facts | None = None) -> Unplaced:
        facts = {
            "booking_key": self.booking.key,
            "endpoint": self.booking.endpoint,
            "tracer": self.booking.tracer,
            "units": self.booking.units,
            "injected_at": self.injected_at,
            "day": self.day,
        }
        return Unplaced(reason, {**facts, **(more or {})})

    def blocked_by(self, obstacle: OrderingObstacle, more: Facts | None = None) -> Unplaced:
        return self.unplaced(_REASON_OF_OBSTACLE[obstacle.code], {**obstacle.facts, **(more or {})})


def plan_bookings(
    bookings: Iterable[BookedProcedure],
    slots: Sequence[OpenSlot],
    *,
    closed_days: Collection[date],
    injection_deadline: Deadline,
    now: datetime,
    zone: tzinfo,
) -> BookingPlan:
    """Place every booking in an order, or say why it cannot be.

    `slots` are those that exist on the dates concerned (weekday, parity, expiry), those past their
    deadline among them, marked by their obstacle. `injection_deadline` is that of injection orders,
    which have no slot. The plan does not depend on the order of its input. Bookings that were
    ordered already are the caller's to leave out; the same key twice is a ValueError.
    """

    def injection_window(day: date) -> OrderingObstacle | None:
        return check_ordering_window(
            delivery_day=day,
            deadline=injection_deadline,
            closed_days=closed_days,
            now=now,
            zone=zone,
        )

    planned = sorted(
        (_with_injection(booking, zone) for booking in bookings),
        key=lambda each: (as_utc(each.injected_at, "injected_at"), each.booking.key),
    )
    _require_distinct(planned)
    unplaced: list[Unplaced] = []
    injections: list[InjectionLine] = []
    by_slot: dict[OpenSlot, list[Contribution]] = {}
    for each in planned:
        placed = _place(each, slots, closed_days, injection_window, zone)
        if isinstance(placed, Unplaced):
            unplaced.append(placed)
        elif isinstance(placed, InjectionLine):
            injections.append(placed)
        else:
            slot, contribution = placed
            by_slot.setdefault(slot, []).append(contribution)
    lines = sorted(
        (_activity_line(slot, contributions) for slot, contributions in by_slot.items()),
        key=lambda line: (as_utc(line.slot.deliver_at, "deliver_at"), line.slot.key),
    )
    return BookingPlan(tuple(lines), tuple(injections), tuple(unplaced))


def _with_injection(booking: BookedProcedure, zone: tzinfo) -> _Planned:
    injected_at = minutes_after(booking.starts_at, booking.delay_min, "starts_at")
    return _Planned(
        booking, injected_at.astimezone(zone), local_day(injected_at, zone, "injected_at")
    )


def _require_distinct(planned: Sequence[_Planned]) -> None:
    twice = [key for key, n in Counter(each.booking.key for each in planned).items() if n > 1]
    if twice:
        raise ValueError(f"bookings given twice: {twice}")


def _units_valid(booking: BookedProcedure) -> bool:
    if not (math.isfinite(booking.units) and booking.units > 0):
        return False
    return booking.kind == BookingKind.ACTIVITY or float(booking.units).is_integer()


def _place(
    each: _Planned,
    slots: Sequence[OpenSlot],
    closed_days: Collection[date],
    injection_window: Callable[[date], OrderingObstacle | None],
    zone: tzinfo,
) -> tuple[OpenSlot, Contribution] | InjectionLine | Unplaced:
    if not _units_valid(each.booking):
        return each.unplaced(UnplacedReason.UNITS_INVALID)
    if is_closed(each.day, closed_days):
        return each.unplaced(UnplacedReason.CLOSED_DAY)
    if each.booking.kind == BookingKind.ACTIVITY:
        return _in_a_slot(each, slots, zone)
    return _as_injection(each, injection_window(each.day))


def _as_injection(each: _Planned, obstacle: OrderingObstacle | None) -> InjectionLine | Unplaced:
    if obstacle is not None:
        return each.blocked_by(obstacle)
    booking = each.booking
    return InjectionLine(
        booking.key, booking.tracer, booking.endpoint, each.injected_at, int(booking.units)
    )


def _in_a_slot(
    each: _Planned, slots: Sequence[OpenSlot], zone: tzinfo
) -> tuple[OpenSlot, Contribution] | Unplaced:
    booking = each.booking
    that_day = [
        slot
        for slot in slots
        if slot.endpoint == booking.endpoint
        and slot.tracer == booking.tracer
        and local_day(slot.deliver_at, zone, "deliver_at") == each.day
    ]
    if not that_day:
        return each.unplaced(UnplacedReason.NO_SLOT)
    injected_utc = as_utc(each.injected_at, "injected_at")
    in_time = [slot for slot in that_day if as_utc(slot.deliver_at, "deliver_at") <= injected_utc]
    if not in_time:
        first = min(that_day, key=lambda slot: as_utc(slot.deliver_at, "deliver_at"))
        return each.unplaced(UnplacedReason.ALL_SLOTS_LATER, {"first_deliver_at": first.deliver_at})
    # Of two slots at one moment (two runs feeding it) the lower key, so that a preview and its
    # confirmation agree.
    latest = max(in_time, key=lambda slot: (as_utc(slot.deliver_at, "deliver_at"), -slot.key))
    where: Facts = {"deliver_at": latest.deliver_at}
    if latest.obstacle is not None:
        return each.blocked_by(latest.obstacle, where)
    try:
        at_slot_mbq = activity_at(
            booking.units, booking.half_life_s, each.injected_at, latest.deliver_at
        )
    except ActivityTooLargeError:
        return each.unplaced(UnplacedReason.TOO_MUCH, where)
    return latest, Contribution(booking.key, each.injected_at, at_slot_mbq)


def _activity_line(slot: OpenSlot, contributions: Sequence[Contribution]) -> ActivityLine:
    exact_mbq = math.fsum(contribution.activity_mbq for contribution in contributions)
    return ActivityLine(slot, tuple(contributions), exact_mbq, round_up_mbq(exact_mbq))
