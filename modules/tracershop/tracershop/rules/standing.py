"""On which days a standing order is to be placed (TS-008)."""

from __future__ import annotations

from datetime import date, timedelta

from tracershop.rules.weeks import WeekParity, in_week, require_weekday

# How far ahead standing orders are placed. A weekly deadline lies up to 7 days before the delivery,
# and the closed days of Christmas or Easter move a daily one back by as much: in 14 days every
# order is in time, and what cannot be placed is told while it can still be ordered by hand.
# Further ahead a changed amount would come too late for too many orders.
PLACED_AHEAD_DAYS = 14


def standing_days(
    *,
    weekday: int,
    parity: WeekParity,
    starts_on: date,
    ends_on: date | None,
    placed_until: date | None,
    today: date,
) -> list[date]:
    """The days that have not been looked at yet, earliest first, up to ``PLACED_AHEAD_DAYS`` ahead.

    ``weekday`` 0 is Monday; ``starts_on``, ``ends_on`` and ``placed_until`` are inclusive. Weeks of
    the other parity are no days of the order: its slot never delivers in them. Days gone by are
    among them when nobody looked at them in time: they are to be told of, not forgotten.
    """
    require_weekday(weekday)
    first = starts_on
    if placed_until is not None:
        first = max(first, placed_until + timedelta(days=1))
    last = today + timedelta(days=PLACED_AHEAD_DAYS)
    if ends_on is not None:
        last = min(last, ends_on)
    day = first + timedelta(days=(weekday - first.weekday()) % 7)
    found = []
    while day <= last:
        if in_week(parity, day):
            found.append(day)
        day += timedelta(days=7)
    return found
