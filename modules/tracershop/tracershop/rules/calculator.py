"""The dose calculator of the order form (TS-007)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tracershop.rules.decay import ActivityTooLargeError, activity_at, round_up_mbq
from tracershop.rules.findings import Facts
from tracershop.rules.moments import as_utc


@dataclass(frozen=True, slots=True)
class InjectionRow:
    """One planned injection: the activity (MBq) that is to be there at `injected_at` (aware)."""

    injected_at: datetime
    activity_mbq: float


class CalculatorErrorCode(StrEnum):
    NO_ROWS = "no_rows"
    BEFORE_DELIVERY = "before_delivery"
    ACTIVITY_NOT_POSITIVE = "activity_not_positive"
    TOO_MUCH = "too_much"


class CalculatorError(ValueError):
    """The rows cannot be calculated.

    `row_number` counts from 1; it is None, and `facts` are empty, when there are no rows.
    Otherwise `facts` hold the row's injected_at and activity_mbq, and deliver_at.
    """

    def __init__(self, code: CalculatorErrorCode, row_number: int | None, facts: Facts) -> None:
        super().__init__(f"row {row_number}: {code}")
        self.code = code
        self.row_number = row_number
        self.facts = facts


def activity_needed(rows: Sequence[InjectionRow], deliver_at: datetime, half_life_s: float) -> int:
    """MBq to order at `deliver_at` for these injections: Σ A·2^((t−t_delivery)/T½), rounded up.

    An injection at the moment of delivery counts as it is. CalculatorError naming the row for an
    injection before the delivery, an activity that is not above zero, or one that would need more
    than can be produced (too many half-lives later); and when there are no rows.
    """
    if not rows:
        raise CalculatorError(CalculatorErrorCode.NO_ROWS, None, {})
    return round_up_mbq(
        math.fsum(
            _at_delivery(row, number, deliver_at, half_life_s)
            for number, row in enumerate(rows, start=1)
        )
    )


def _at_delivery(row: InjectionRow, number: int, deliver_at: datetime, half_life_s: float) -> float:
    facts: Facts = {
        "injected_at": row.injected_at,
        "deliver_at": deliver_at,
        "activity_mbq": row.activity_mbq,
    }
    if not (math.isfinite(row.activity_mbq) and row.activity_mbq > 0):
        raise CalculatorError(CalculatorErrorCode.ACTIVITY_NOT_POSITIVE, number, facts)
    if as_utc(row.injected_at, "injected_at") < as_utc(deliver_at, "deliver_at"):
        raise CalculatorError(CalculatorErrorCode.BEFORE_DELIVERY, number, facts)
    try:
        return activity_at(row.activity_mbq, half_life_s, row.injected_at, deliver_at)
    except ActivityTooLargeError:
        raise CalculatorError(CalculatorErrorCode.TOO_MUCH, number, facts) from None
