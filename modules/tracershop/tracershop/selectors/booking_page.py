"""The bookings page: a day's plan, ticked or not, and what cannot be ordered for (TS-024)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Min

from portal.access.decision import can, visible
from tracershop.models import Booking, Endpoint, Tracer
from tracershop.models.reach import MAP, ORDER_BOOKINGS
from tracershop.rules.moments import local_moment
from tracershop.selectors.booking_changes import open_changes
from tracershop.selectors.booking_plan import DayPlan, plan_day
from tracershop.selectors.booking_waiting import WAITING
from tracershop.selectors.schedule import SlotOnDay, site_zone
from tracershop.words import told


@dataclass(frozen=True)
class PlannedBooking:
    """A booking with its part of the order: MBq at the delivery, or a number of injections."""

    booking: Booking
    injected_at: datetime
    ticked: bool
    activity_mbq: float | None = None
    injections: int | None = None
    automatic: bool = False
    """It is ordered by itself before the deadline, if nobody does so earlier (TS-026)."""


@dataclass
class PlannedOrder:
    """One order that the ticked bookings make; nothing is ordered where none is ticked."""

    tracer: Tracer
    endpoint: Endpoint
    deliver_at: datetime
    deadline_at: datetime | None
    bookings: list[PlannedBooking] = field(default_factory=list)
    ordered_mbq: int | None = None
    injections: int | None = None
    all_ticked_mbq: int | None = None


@dataclass(frozen=True)
class LeftOut:
    """A booking that cannot be ordered for, and why."""

    booking: Booking
    reason: str
    tracer: Tracer | None = None


@dataclass
class BookingPage:
    day: date
    orders: list[PlannedOrder]
    left_out: list[LeftOut]
    unmapped: list[Booking]
    ordered: list[Booking]
    ticked: list[int]
    fingerprint: str
    order_count: int
    """How many orders the ticked bookings make."""
    week: list[tuple[date, int]]
    """Days of the week with how many bookings are not ordered yet."""
    unmapped_rooms: int
    changed_orders: int
    """Orders with bookings that changed after they were placed (TS-025)."""

    @property
    def known(self) -> list[int]:
        """Every booking with a tick box."""
        return [each.booking.pk for order in self.orders for each in order.bookings]


def booking_page(
    user: Any,
    day: date,
    now: datetime,
    *,
    ticked: Collection[int] = (),
    known: Collection[int] = (),
) -> BookingPage:
    """Everything the page of a day shows.

    ``known`` are the bookings that the person had a tick box for and ``ticked`` those left ticked;
    a booking that came since is ticked. At first all are.
    """
    whole = plan_day(user, day, now=now)
    placeable = _keys(whole)
    chosen = [key for key in placeable if key not in known or key in ticked]
    plan = whole if len(chosen) == len(placeable) else plan_day(user, day, only=chosen, now=now)
    return BookingPage(
        day=day,
        orders=_orders(whole, plan, set(chosen)),
        left_out=[_left_out(whole, each) for each in whole.plan.unplaced],
        unmapped=whole.unmapped,
        ordered=whole.ordered,
        ticked=chosen,
        fingerprint=_chosen_only(plan, chosen),
        order_count=len(plan.plan.lines) + len(plan.plan.injections),
        week=_week(user, day),
        unmapped_rooms=unmapped_rooms(user, now),
        changed_orders=open_changes(user, ORDER_BOOKINGS).values("order").distinct().count(),
    )


def unmapped_rooms(user: Any, now: datetime) -> int:
    """How many rooms wait for a mapping; only those who may map are told."""
    return len(rooms_waiting(now)) if can(user, MAP) else 0


def rooms_waiting(now: datetime) -> list[dict[str, Any]]:
    """Rooms that nobody has mapped, with how many bookings to come wait and when the first of them
    is; the most urgent first.

    They belong to no customer yet, so they are not narrowed: the room's code, a number and a date
    are all that is told of them, to those who may map (TS-023).
    """
    return list(
        Booking.objects.filter(WAITING, endpoint__isnull=True, starts_at__gte=now)
        .exclude(room="")
        .order_by()
        .values("room")
        .annotate(waiting=Count("pk"), next_at=Min("starts_at"))
        .order_by("next_at", "room")
    )


def _keys(plan: DayPlan) -> list[int]:
    lines = [key for line in plan.plan.lines for key in line.booking_keys]
    return lines + [line.booking_key for line in plan.plan.injections]


def _chosen_only(plan: DayPlan, chosen: list[int]) -> str:
    return plan.fingerprint if chosen else ""


def _orders(whole: DayPlan, plan: DayPlan, chosen: set[int]) -> list[PlannedOrder]:
    amounts = {_delivery(plan, line): line.ordered_mbq for line in plan.plan.lines}
    orders = []
    for line in whole.plan.lines:
        slot = whole.slots[line.slot.key]
        order = _planned(slot.tracer, slot.slot.endpoint, slot.deliver_at, slot.deadline_at)
        order.ordered_mbq = amounts.get(_delivery(whole, line))
        for part in line.contributions:
            order.bookings.append(
                PlannedBooking(
                    whole.bookings[part.booking_key],
                    part.injected_at,
                    part.booking_key in chosen,
                    activity_mbq=part.activity_mbq,
                    automatic=_is_automatic(whole, part.booking_key),
                )
            )
        orders.append(order)
    for single in whole.plan.injections:
        mapping = whole.mappings[single.booking_key]
        order = _planned(mapping.tracer, mapping.endpoint, single.injected_at, None)
        ticked = single.booking_key in chosen
        order.injections = single.injections if ticked else None
        booking = whole.bookings[single.booking_key]
        order.bookings.append(
            PlannedBooking(
                booking,
                single.injected_at,
                ticked,
                injections=single.injections,
                automatic=_is_automatic(whole, single.booking_key),
            )
        )
        orders.append(order)
    return sorted(orders, key=lambda each: (each.endpoint.name, each.tracer.name, each.deliver_at))


def _is_automatic(plan: DayPlan, booking_key: int) -> bool:
    return plan.mappings[booking_key].automatic and plan.bookings[booking_key].automatic_at is None


def _planned(
    tracer: Tracer, endpoint: Endpoint, deliver_at: datetime, deadline_at: datetime | None
) -> PlannedOrder:
    return PlannedOrder(tracer, endpoint, deliver_at, deadline_at)


def _delivery(plan: DayPlan, line: Any) -> tuple[int, datetime]:
    slot: SlotOnDay = plan.slots[line.slot.key]
    return slot.slot.pk, slot.deliver_at


def _left_out(plan: DayPlan, finding: Any) -> LeftOut:
    key = finding.facts["booking_key"]
    return LeftOut(plan.bookings[key], told(finding), plan.mappings[key].tracer)


def _week(user: Any, day: date) -> list[tuple[date, int]]:
    zone = site_zone()
    monday = day - timedelta(days=day.weekday())
    days = [monday + timedelta(days=n) for n in range(7)]
    starts = visible(user, Booking.objects.all(), ORDER_BOOKINGS).filter(
        WAITING,
        starts_at__gte=local_moment(time(0), days[0], zone),
        starts_at__lt=local_moment(time(0), days[-1] + timedelta(days=1), zone),
    )
    counted = dict.fromkeys(days, 0)
    for starts_at in starts.values_list("starts_at", flat=True):
        counted[starts_at.astimezone(zone).date()] += 1
    return list(counted.items())
