"""What in the set-up is probably not meant: slots at odd times, half-lives without a source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum

from tracershop.rules.findings import Finding
from tracershop.rules.isotopes import ISOTOPES
from tracershop.rules.slots import WeeklySlot
from tracershop.rules.weeks import WeekParity, require_weekday

MINUTES_A_DAY = 24 * 60
MINUTES_A_WEEK = 7 * MINUTES_A_DAY


class SetupDoubtCode(StrEnum):
    BEFORE_SYNTHESIS = "before_synthesis"  # facts: deliver_time, ends_at
    PAST_SHELF_LIFE = "past_shelf_life"  # facts: hours, shelf_life_h
    OVERLAP = "overlap"  # facts: deliver_time
    OVER = "over"  # facts: expires_on
    NOT_IN_CATALOGUE = "not_in_catalogue"  # facts: endpoint, tracer
    BY_INJECTIONS = "by_injections"  # facts: tracer
    SLOTS_OUT_OF_REACH = "slots_out_of_reach"  # facts: count
    ORDERS_STAY = "orders_stay"  # facts: count
    HALF_LIFE_IN_USE = "half_life_in_use"  # facts: count
    ORDERS_ON_CLOSED_DAY = "orders_on_closed_day"  # facts: day, count


class SetupDoubt(Finding[SetupDoubtCode]):
    """Why something is probably not meant as it was typed."""


@dataclass(frozen=True, slots=True)
class WeeklyRun:
    """End of synthesis every week: `weekday` 0 is Monday, `ends_at` by the clock on the wall."""

    weekday: int
    ends_at: time


def minutes_after(run: WeeklyRun, weekday: int, at: time) -> int:
    """Minutes from the last end of synthesis until then: 0 up to a week less a minute.

    Weeks repeat, so a time before the run's is after the run of the week before.
    """
    require_weekday(weekday)
    return (_of_week(weekday, at) - _of_week(run.weekday, run.ends_at)) % MINUTES_A_WEEK


def _of_week(weekday: int, at: time) -> int:
    return weekday * MINUTES_A_DAY + at.hour * 60 + at.minute


def same_weeks(one: WeekParity, other: WeekParity) -> bool:
    """Is there a week in which both occur?"""
    return one == other or WeekParity.EVERY in (one, other)


def overlaps(slot: WeeklySlot, others: Iterable[WeeklySlot]) -> bool:
    """Does another slot deliver at the very time of this one, on some day?

    `others` are those of the same endpoint and tracer; one of the same `key` is the slot itself.
    """
    return any(
        other.key != slot.key
        and (other.weekday, other.deliver_time) == (slot.weekday, slot.deliver_time)
        and same_weeks(slot.parity, other.parity)
        for other in others
    )


def slot_doubts(
    slot: WeeklySlot,
    run: WeeklyRun,
    *,
    shelf_life_min: int,
    others: Iterable[WeeklySlot],
    today: date,
) -> list[SetupDoubt]:
    """What in the times of a slot is probably a slip of the pen."""
    code = SetupDoubtCode
    found = []
    after_min = minutes_after(run, slot.weekday, slot.deliver_time)
    if slot.weekday == run.weekday and slot.deliver_time < run.ends_at:
        facts = {"deliver_time": slot.deliver_time, "ends_at": run.ends_at}
        found.append(SetupDoubt(code.BEFORE_SYNTHESIS, facts))
    elif after_min > shelf_life_min:
        hours = {"hours": after_min / 60, "shelf_life_h": shelf_life_min / 60}
        found.append(SetupDoubt(code.PAST_SHELF_LIFE, hours))
    if overlaps(slot, others):
        found.append(SetupDoubt(code.OVERLAP, {"deliver_time": slot.deliver_time}))
    if slot.expires_on is not None and slot.expires_on < today:
        found.append(SetupDoubt(code.OVER, {"expires_on": slot.expires_on}))
    return found


def needs_source(symbol: str, half_life_s: float, source: str) -> bool:
    """Is the half-life another than the table's, with the table's source still beside it?

    A number of one's own has a source of its own. For an isotope that the table does not have,
    any source will do, but there has to be one.
    """
    known = ISOTOPES.get(symbol)
    if known is None:
        return not source.strip()
    return half_life_s != known.half_life_s and source.strip() in ("", known.source)
