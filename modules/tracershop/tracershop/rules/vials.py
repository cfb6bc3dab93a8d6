"""What is remarkable about a vial as it comes in (TS-062)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from tracershop.rules.findings import Finding
from tracershop.rules.lots import LotNumber
from tracershop.rules.moments import as_utc, local_day


@dataclass(frozen=True, slots=True)
class VialFacts:
    """A vial as the dispenser or a person tells of it.

    `lot` is None while it could not be read, `use_before` when none was given; `typed_fields` are
    the names of the values that a person typed instead of the instrument measuring them.
    """

    lot: LotNumber | None
    filled_at: datetime
    use_before: datetime | None
    activity_mbq: float
    volume_ml: float
    typed_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VialLimits:
    """What a vial plausibly holds; both ends are plausible. ValueError when an end is beyond
    the other."""

    min_activity_mbq: float
    max_activity_mbq: float
    min_volume_ml: float
    max_volume_ml: float

    def __post_init__(self) -> None:
        if not self.min_activity_mbq <= self.max_activity_mbq:
            raise ValueError("min_activity_mbq is above max_activity_mbq")
        if not self.min_volume_ml <= self.max_volume_ml:
            raise ValueError("min_volume_ml is above max_volume_ml")


class VialWarningCode(StrEnum):
    LOT_DATE_DIFFERS = "lot_date_differs"  # facts: lot, lot_date, filled_on
    PAST_USE_BEFORE = "past_use_before"  # facts: use_before
    ACTIVITY_IMPLAUSIBLE = "activity_implausible"  # facts: activity_mbq, min_mbq, max_mbq
    VOLUME_IMPLAUSIBLE = "volume_implausible"  # facts: volume_ml, min_ml, max_ml
    TYPED_BY_HAND = "typed_by_hand"  # facts: fields
    # The dispenser's clock may be wrong, an hour at the change of summer time above all: for F-18
    # that makes almost half of the activity.
    FILLED_IN_FUTURE = "filled_in_future"  # facts: filled_at, arrived_at
    ARRIVED_LATE = "arrived_late"  # facts: filled_at, arrived_at


CLOCKS_AGREE = timedelta(minutes=5)
"""So much ahead of ours a dispenser's clock may be, and nobody is told."""
USUAL_DELAY = timedelta(minutes=45)
"""A file is written as its vial is filled: one that comes later is late, or an hour is missing."""


class VialWarning(Finding[VialWarningCode]):
    """One thing to look at before the vial is used."""


def vial_warnings(
    facts: VialFacts,
    limits: VialLimits,
    *,
    now: datetime,
    zone: tzinfo,
    arrived_at: datetime | None = None,
) -> list[VialWarning]:
    """All warnings of a vial, in the order of `VialWarningCode`.

    The lot's date is compared with the day of filling on the calendar of `zone`. A lot that could
    not be read and an expiry that was not given make no warning here. `arrived_at` is when the
    dispenser's file came; without one the dispenser's clock is not judged.
    """
    found = [*_date_warnings(facts, now, zone), *_value_warnings(facts, limits)]
    return found if arrived_at is None else [*found, *_clock_warnings(facts.filled_at, arrived_at)]


def _clock_warnings(filled_at: datetime, arrived_at: datetime) -> Iterator[VialWarning]:
    ahead = as_utc(filled_at, "filled_at") - as_utc(arrived_at, "arrived_at")
    facts = {"filled_at": filled_at, "arrived_at": arrived_at}
    if ahead > CLOCKS_AGREE:
        yield VialWarning(VialWarningCode.FILLED_IN_FUTURE, facts)
    elif -ahead > USUAL_DELAY:
        yield VialWarning(VialWarningCode.ARRIVED_LATE, facts)


def _date_warnings(facts: VialFacts, now: datetime, zone: tzinfo) -> Iterator[VialWarning]:
    filled_on = local_day(facts.filled_at, zone, "filled_at")
    if facts.lot is not None and facts.lot.filled_on != filled_on:
        yield VialWarning(
            VialWarningCode.LOT_DATE_DIFFERS,
            {"lot": str(facts.lot), "lot_date": facts.lot.filled_on, "filled_on": filled_on},
        )
    now_utc = as_utc(now, "now")
    if facts.use_before is not None and as_utc(facts.use_before, "use_before") <= now_utc:
        yield VialWarning(VialWarningCode.PAST_USE_BEFORE, {"use_before": facts.use_before})


def _value_warnings(facts: VialFacts, limits: VialLimits) -> Iterator[VialWarning]:
    if not limits.min_activity_mbq <= facts.activity_mbq <= limits.max_activity_mbq:
        yield VialWarning(
            VialWarningCode.ACTIVITY_IMPLAUSIBLE,
            {
                "activity_mbq": facts.activity_mbq,
                "min_mbq": limits.min_activity_mbq,
                "max_mbq": limits.max_activity_mbq,
            },
        )
    if not limits.min_volume_ml <= facts.volume_ml <= limits.max_volume_ml:
        yield VialWarning(
            VialWarningCode.VOLUME_IMPLAUSIBLE,
            {
                "volume_ml": facts.volume_ml,
                "min_ml": limits.min_volume_ml,
                "max_ml": limits.max_volume_ml,
            },
        )
    if facts.typed_fields:
        yield VialWarning(VialWarningCode.TYPED_BY_HAND, {"fields": facts.typed_fields})
