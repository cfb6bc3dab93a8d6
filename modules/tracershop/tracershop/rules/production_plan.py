"""What a run has to make (TS-044): the orders' activity carried back to its end of synthesis (EOS).

needed = Σ total·2^((t_delivery−t_EOS)/T½) over the orders that the run feeds, a moved order by the
delivery it was moved to; beside it what recent batches had at their own ends of synthesis.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum

from tracershop.rules.decay import activity_at
from tracershop.rules.moments import elapsed_s, local_day, local_moment

LARGEST_YIELDS = 10
"""So many recent batches tell what a run gives."""


@dataclass(frozen=True, slots=True)
class Demand:
    """``total_mbq`` is wanted at ``deliver_at``, overhead included."""

    total_mbq: float
    deliver_at: datetime


@dataclass(frozen=True, slots=True)
class Yields:
    """What recent batches held at the end of their synthesis, MBq."""

    count: int
    median_mbq: float
    least_mbq: float
    greatest_mbq: float


class Shortage(StrEnum):
    NONE = "none"
    POSSIBLE = "possible"  # more than the poorest of the recent batches
    LIKELY = "likely"  # more than half of the recent batches
    UNKNOWN = "unknown"  # something is needed, and nobody knows what a run gives


def needed_at_eos_mbq(demands: Iterable[Demand], half_life_s: float, eos_at: datetime) -> float:
    """The activity (MBq) that all demands together need at the end of synthesis, not rounded.

    ValueError for a naive datetime; ActivityTooLargeError for what nobody can produce.
    """
    return math.fsum(
        activity_at(demand.total_mbq, half_life_s, demand.deliver_at, eos_at) for demand in demands
    )


def too_early(demands: Iterable[Demand], eos_at: datetime) -> list[Demand]:
    """What is to be delivered before the run ends: no run can serve that."""
    return [demand for demand in demands if elapsed_s(eos_at, demand.deliver_at) < 0]


def yields_of(at_eos_mbq: Collection[float]) -> Yields | None:
    """Median and range of what recent batches held; None when there are none."""
    if not at_eos_mbq:
        return None
    return Yields(len(at_eos_mbq), statistics.median(at_eos_mbq), min(at_eos_mbq), max(at_eos_mbq))


def shortage(needed_mbq: float, yields: Yields | None) -> Shortage:
    """How likely the run falls short of what is needed, as recent batches tell."""
    if needed_mbq <= 0:
        return Shortage.NONE
    if yields is None:
        return Shortage.UNKNOWN
    if needed_mbq > yields.median_mbq:
        return Shortage.LIKELY
    return Shortage.POSSIBLE if needed_mbq > yields.least_mbq else Shortage.NONE


def eos_before(
    ends_at: time, run_weekday: int, deliver_at: datetime, slot_weekday: int, zone: tzinfo
) -> datetime:
    """The end of synthesis of the run that feeds a delivery: on its day, or in the days before when
    the run belongs to another weekday (a run on Sunday evening for Monday morning)."""
    day = local_day(deliver_at, zone, "deliver_at")
    return local_moment(ends_at, day - timedelta(days=(slot_weekday - run_weekday) % 7), zone)


def eos_nearest(ends_at: time, calibrated_at: datetime, zone: tzinfo) -> datetime:
    """The end of synthesis next to a batch's calibration, which may lie beyond midnight."""
    day = local_day(calibrated_at, zone, "calibrated_at")
    ends = [local_moment(ends_at, day + timedelta(days=n), zone) for n in (-1, 0, 1)]
    return min(ends, key=lambda each: abs(elapsed_s(each, calibrated_at)))
