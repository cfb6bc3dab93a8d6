"""Until when an order may be placed (TS-004)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from tracershop.rules.findings import Finding
from tracershop.rules.moments import as_utc, local_moment
from tracershop.rules.weeks import require_weekday

ONE_DAY = timedelta(days=1)
FIRST_DAY_OF_WEEKEND = 5
# A calendar with a whole year closed is a mistake in the calendar, not a deadline a year back.
LONGEST_CLOSURE_DAYS = 366


class DeadlineKind(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Deadline:
    """*daily*: the last working day before the delivery, at `at`.
    *weekly*: the last `weekday` (0 = Monday) strictly before the delivery day, at `at`.

    A weekly deadline needs a weekday and a daily one has none: ValueError otherwise.
    """

    kind: DeadlineKind
    at: time
    weekday: int | None = None

    def __post_init__(self) -> None:
        if self.kind == DeadlineKind.DAILY:
            if self.weekday is not None:
                raise ValueError("weekday must be None for a daily deadline")
        elif self.weekday is None:
            raise ValueError("weekday is needed for a weekly deadline")
        else:
            require_weekday(self.weekday)


class OrderingObstacleCode(StrEnum):
    CLOSED_DAY = "closed_day"  # facts: delivery_day
    DEADLINE_PASSED = "deadline_passed"  # facts: delivery_day, deadline_at


class OrderingObstacle(Finding[OrderingObstacleCode]):
    """Why a day cannot be ordered for."""


def is_closed(day: date, closed_days: Collection[date]) -> bool:
    """Is there no delivery at all on this day?"""
    return day in closed_days


def is_working_day(day: date, closed_days: Collection[date]) -> bool:
    """Monday to Friday, and not a closed day."""
    return day.weekday() < FIRST_DAY_OF_WEEKEND and not is_closed(day, closed_days)


def deadline_day(deadline: Deadline, delivery_day: date, closed_days: Collection[date]) -> date:
    """The day on which the deadline for a delivery on `delivery_day` falls, always before it.

    Closed days move a daily deadline back; a weekly one stays where the calendar has it.
    ValueError when there was no working day in the year before the delivery.
    """
    if deadline.weekday is not None:
        days_back = (delivery_day.weekday() - deadline.weekday - 1) % 7 + 1
        return delivery_day - timedelta(days=days_back)
    for days_back in range(1, LONGEST_CLOSURE_DAYS + 1):
        day = delivery_day - days_back * ONE_DAY
        if is_working_day(day, closed_days):
            return day
    raise ValueError(f"closed_days leave no working day in the year before {delivery_day}")


def deadline_at(
    deadline: Deadline, delivery_day: date, closed_days: Collection[date], zone: tzinfo
) -> datetime:
    """The moment (aware, in `zone`) before which an order for `delivery_day` must be placed."""
    return local_moment(deadline.at, deadline_day(deadline, delivery_day, closed_days), zone)


def check_ordering_window(
    *,
    delivery_day: date,
    deadline: Deadline,
    closed_days: Collection[date],
    now: datetime,
    zone: tzinfo,
) -> OrderingObstacle | None:
    """May an order for `delivery_day` still be placed at `now`? None if so, else why not.

    At the very moment of the deadline it is too late. Days gone by need no check of their own:
    their deadline has passed.
    """
    now_utc = as_utc(now, "now")
    if is_closed(delivery_day, closed_days):
        return OrderingObstacle(OrderingObstacleCode.CLOSED_DAY, {"delivery_day": delivery_day})
    closes_at = deadline_at(deadline, delivery_day, closed_days, zone)
    if now_utc >= as_utc(closes_at, "closes_at"):
        return OrderingObstacle(
            OrderingObstacleCode.DEADLINE_PASSED,
            {"delivery_day": delivery_day, "deadline_at": closes_at},
        )
    return None
