"""What a mapping would order for the bookings that wait for it (TS-023)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from portal.access.decision import visible
from tracershop.models import Booking, ProcedureMapping
from tracershop.models.reach import ORDER_BOOKINGS
from tracershop.rules.moments import local_day
from tracershop.selectors.booking_plan import DayPlan, plan_day
from tracershop.selectors.booking_waiting import WAITING
from tracershop.selectors.schedule import site_zone
from tracershop.words import told

DAYS = 3
"""So many days are enough to see whether the amount is right."""


@dataclass(frozen=True)
class PreviewOrder:
    """One order that it would make: MBq, or a number of injections."""

    at: datetime
    bookings: int
    ordered_mbq: int | None = None
    injections: int | None = None


@dataclass(frozen=True)
class PreviewDay:
    day: date
    orders: list[PreviewOrder]
    left_out: list[tuple[str, int]]
    """Reasons, and how many bookings each keeps from being ordered."""


def preview_mapping(user: Any, mapping: ProcedureMapping, now: datetime) -> list[PreviewDay]:
    """For the next days on which its bookings wait; the mapping need not be saved."""
    rows = (
        visible(user, Booking.objects.all(), ORDER_BOOKINGS)
        .filter(
            WAITING,
            endpoint=mapping.endpoint,
            procedure_code=mapping.procedure_code,
            starts_at__gte=now,
        )
        .order_by("starts_at")
        .values_list("pk", "starts_at")
    )
    by_day: dict[date, list[int]] = {}
    for key, starts_at in rows:
        by_day.setdefault(local_day(starts_at, site_zone(), "starts_at"), []).append(key)
    return [
        _day(plan_day(user, day, only=keys, now=now, assume=mapping))
        for day, keys in list(by_day.items())[:DAYS]
    ]


def _day(plan: DayPlan) -> PreviewDay:
    orders = [
        PreviewOrder(plan.slots[line.slot.key].deliver_at, len(line.booking_keys), line.ordered_mbq)
        for line in plan.plan.lines
    ]
    orders += [
        PreviewOrder(line.injected_at, 1, injections=line.injections)
        for line in plan.plan.injections
    ]
    reasons = Counter(told(each) for each in plan.plan.unplaced)
    return PreviewDay(plan.day, orders, sorted(reasons.items()))
