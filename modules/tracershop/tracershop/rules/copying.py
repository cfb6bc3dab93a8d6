"""Ordering a week as the week before it was ordered (TS-008): what goes, and what does not and why.

An order is copied to the same weekday and the same time by the clock on the wall, seven days later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

from tracershop.rules.deadlines import Deadline, OrderingObstacleCode, check_ordering_window
from tracershop.rules.findings import Finding, Ref
from tracershop.rules.moments import as_utc, local_moment
from tracershop.rules.slots import WeeklySlot, deliver_at

ONE_WEEK = timedelta(days=7)


class CopyObstacleCode(StrEnum):
    STANDING = "standing"  # its standing order places it anyway
    REJECTED = "rejected"
    GHOST = "ghost"  # production added it, no shop ordered it
    ALREADY_ORDERED = "already_ordered"
    NOT_IN_CATALOGUE = "not_in_catalogue"
    NO_SLOT = "no_slot"  # facts: day
    NO_DEADLINE = "no_deadline"
    CLOSED_DAY = "closed_day"  # facts: day
    DEADLINE_PASSED = "deadline_passed"  # facts: deadline_at
    TOO_MANY_INJECTIONS = "too_many_injections"  # facts: limit


CopyObstacle = Finding[CopyObstacleCode]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What an order is for. Two orders for the same delivery are the same order twice."""

    endpoint: Ref
    tracer: Ref
    use: str
    when: int | datetime
    """The key of the slot; of injections the moment, in UTC."""


@dataclass(frozen=True, slots=True)
class PresentOrder:
    """An order that is there for the new week already."""

    delivery: Delivery
    by_standing: bool = False
    """A standing order placed it."""


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order of the week that is copied, and what its endpoint may order today.

    ``slot`` is None for injections, and for a slot that was taken away (``slot_key`` stays).
    ``max_injections`` is None where the tracer is not in the endpoint's catalogue.
    """

    key: int
    endpoint: Ref
    tracer: Ref
    use: str
    day: date
    ordered_for_at: datetime
    slot_key: int | None
    slot: WeeklySlot | None
    injections: int | None
    max_injections: int | None
    deadline: Deadline | None
    rejected: bool = False
    ghost: bool = False
    standing: bool = False
    """Its standing order is still in force on the day of the copy."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One order of the week before: the day it would go to, and what forbids it."""

    key: int
    day: date
    deliver_at: datetime
    obstacle: CopyObstacle | None


def copy_week(
    past: Iterable[PastOrder],
    present: Iterable[PresentOrder],
    *,
    closed_days: Collection[date],
    now: datetime,
    zone: tzinfo,
) -> list[Copy]:
    """A :class:`Copy` for each order of the week before, in their order.

    ``present`` is what is ordered for the new week already: each counts for one order of the week
    before, so that copying once more finds nothing that goes.
    """
    past = list(past)
    there = _ordered_already(past, list(present), zone)
    return [
        Copy(
            order.key,
            order.day + ONE_WEEK,
            copied_to(order, zone),
            _obstacle(order, closed_days, now, zone, is_there=order.key in there),
        )
        for order in past
    ]


def _ordered_already(past: list[PastOrder], present: list[PresentOrder], zone: tzinfo) -> set[int]:
    """Keys of the orders of which the new week has one already."""
    left = Counter(each.delivery for each in present)
    # what a standing order places each week does not stand for what was ordered beside it
    by_standing = Counter(each.delivery for each in present if each.by_standing)
    for order in past:
        delivery = delivery_of_copy(order, zone)
        if order.standing and by_standing[delivery] > 0:
            by_standing[delivery] -= 1
            left[delivery] -= 1
    there = set()
    for order in past:
        delivery = delivery_of_copy(order, zone)
        if left[delivery] > 0 and not (order.rejected or order.ghost or order.standing):
            left[delivery] -= 1
            there.add(order.key)
    return there


def copied_to(order: PastOrder, zone: tzinfo) -> datetime:
    """The moment of the copy: the slot's time as it is now, else the same clock time."""
    day = order.day + ONE_WEEK
    if order.slot is not None:
        return deliver_at(order.slot.deliver_time, day, zone)
    return local_moment(order.ordered_for_at.astimezone(zone).time(), day, zone)


def delivery_of_copy(order: PastOrder, zone: tzinfo) -> Delivery:
    """What the copy would be for."""
    when: int | datetime
    when = copied_to(order, zone).astimezone(UTC) if order.slot_key is None else order.slot_key
    return Delivery(order.endpoint, order.tracer, order.use, when)


def delivery_of(
    endpoint: Ref, tracer: Ref, use: str, slot_key: int | None, deliver_at: datetime
) -> Delivery:
    """What an order is for that is there already."""
    when = as_utc(deliver_at, "deliver_at") if slot_key is None else slot_key
    return Delivery(endpoint, tracer, use, when)


def _obstacle(
    order: PastOrder, closed_days: Collection[date], now: datetime, zone: tzinfo, *, is_there: bool
) -> CopyObstacle | None:
    day = order.day + ONE_WEEK
    for code, holds in (
        (CopyObstacleCode.STANDING, order.standing),
        (CopyObstacleCode.REJECTED, order.rejected),
        (CopyObstacleCode.GHOST, order.ghost),
        (CopyObstacleCode.ALREADY_ORDERED, is_there),
        (CopyObstacleCode.NOT_IN_CATALOGUE, order.max_injections is None),
        (CopyObstacleCode.NO_SLOT, _slot_is_missing(order, day)),
        (CopyObstacleCode.NO_DEADLINE, order.deadline is None),
    ):
        if holds:
            return CopyObstacle(code, {"day": day})
    assert order.deadline is not None  # noqa: S101 told above
    window = check_ordering_window(
        delivery_day=day, deadline=order.deadline, closed_days=closed_days, now=now, zone=zone
    )
    if window is not None:
        closed = window.code == OrderingObstacleCode.CLOSED_DAY
        code = CopyObstacleCode.CLOSED_DAY if closed else CopyObstacleCode.DEADLINE_PASSED
        return CopyObstacle(code, {"day": day, **window.facts})
    if (order.injections or 0) > (order.max_injections or 0):
        limit = {"limit": order.max_injections}
        return CopyObstacle(CopyObstacleCode.TOO_MANY_INJECTIONS, limit)
    return None


def _slot_is_missing(order: PastOrder, day: date) -> bool:
    if order.slot_key is None:
        return False
    return order.slot is None or not order.slot.occurs_on(day)
