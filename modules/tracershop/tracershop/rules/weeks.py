"""Which weeks a weekly event falls in. Weeks are ISO 8601 weeks, beginning on Monday."""

from __future__ import annotations

from datetime import date
from enum import StrEnum


class WeekParity(StrEnum):
    """Every week, or only those whose ISO number is even or odd.

    A year of 53 weeks brings two odd weeks after one another (53, then 1): that is what the
    calendars on the wall say too.
    """

    EVERY = "every"
    EVEN = "even"
    ODD = "odd"


def in_week(parity: WeekParity, day: date) -> bool:
    """Does the ISO week of `day` have this parity?"""
    if parity == WeekParity.EVERY:
        return True
    is_even = day.isocalendar().week % 2 == 0
    return is_even == (parity == WeekParity.EVEN)


def require_weekday(weekday: int) -> None:
    """ValueError unless 0 (Monday) to 6 (Sunday)."""
    if weekday not in range(7):
        raise ValueError(f"weekday must be 0 (Monday) to 6 (Sunday), not {weekday!r}")


def occurs_on(
    weekday: int,
    parity: WeekParity,
    day: date,
    first_day: date | None = None,
    expires_on: date | None = None,
) -> bool:
    """Does an event of this weekday (0 = Monday) and parity take place on `day`?

    `first_day` and `expires_on` are the first and the last day on which it can, both inclusive;
    None is without end.
    """
    require_weekday(weekday)
    if first_day is not None and day < first_day:
        return False
    if expires_on is not None and day > expires_on:
        return False
    return day.weekday() == weekday and in_week(parity, day)
