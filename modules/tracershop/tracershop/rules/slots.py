"""Weekly delivery slots, and the moments at which they deliver."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo

from tracershop.rules.deadlines import is_closed
from tracershop.rules.moments import local_moment
from tracershop.rules.weeks import WeekParity, occurs_on


@dataclass(frozen=True, slots=True)
class WeeklySlot:
    """A delivery every week, every even or every odd week.

    `weekday` 0 is Monday; `deliver_time` is what the clock on the wall shows; `first_day` and
    `expires_on` are inclusive, None is without end.
    """

    key: int
    weekday: int
    deliver_time: time
    parity: WeekParity = WeekParity.EVERY
    expires_on: date | None = None
    first_day: date | None = None

    def occurs_on(self, day: date) -> bool:
        """Does the slot exist on this date, closed days left aside?"""
        return occurs_on(self.weekday, self.parity, day, self.first_day, self.expires_on)


def deliver_at(slot_time: time, day: date, zone: tzinfo) -> datetime:
    """The moment of delivery of a slot on `day`, aware, in `zone`.

    A time left out by the change to summer time moves forward; of one that comes twice the first
    is taken.
    """
    return local_moment(slot_time, day, zone)


def slots_on(
    slots: Iterable[WeeklySlot], day: date, closed_days: Collection[date]
) -> list[WeeklySlot]:
    """The slots that exist on `day`, earliest first; none on a closed day."""
    if is_closed(day, closed_days):
        return []
    present = [slot for slot in slots if slot.occurs_on(day)]
    return sorted(present, key=lambda slot: (slot.deliver_time, slot.key))
