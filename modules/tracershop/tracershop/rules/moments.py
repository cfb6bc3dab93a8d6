"""Moments in time: aware datetimes only, differences in absolute time.

Python compares and subtracts two datetimes of the *same* zone by the clock on the wall, which is
an hour wrong across a change to or from summer time. Everything here goes by way of UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo


def as_utc(moment: datetime, name: str) -> datetime:
    """`moment` in UTC. ValueError that begins with `name` when it has no zone."""
    if moment.utcoffset() is None:
        raise ValueError(f"{name} must be an aware datetime, not {moment!r}")
    return moment.astimezone(UTC)


def elapsed_s(from_at: datetime, until_at: datetime) -> float:
    """Seconds that really pass between two aware datetimes; negative when `until_at` is first."""
    return (as_utc(until_at, "until_at") - as_utc(from_at, "from_at")).total_seconds()


def minutes_after(moment: datetime, minutes: float, name: str) -> datetime:
    """The moment (UTC) that lies `minutes` of real time after `moment`."""
    return as_utc(moment, name) + timedelta(minutes=minutes)


def local_day(moment: datetime, zone: tzinfo, name: str) -> date:
    """The date on the calendar of `zone` at this moment."""
    return as_utc(moment, name).astimezone(zone).date()


def local_moment(clock_time: time, day: date, zone: tzinfo) -> datetime:
    """The moment when the clocks of `zone` show `clock_time` on `day`.

    A time that the change to summer time leaves out moves forward by the length of the gap
    (02:30 becomes 03:30); of a time that comes twice in autumn, the first is taken.
    """
    if clock_time.tzinfo is not None:
        raise ValueError(f"clock_time must be a time without a zone, not {clock_time!r}")
    on_the_clock = datetime.combine(day, clock_time.replace(fold=0), tzinfo=zone)
    # There and back: a time in the gap, which no clock shows, comes back as the one that follows.
    return on_the_clock.astimezone(UTC).astimezone(zone)
