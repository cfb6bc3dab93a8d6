"""The functions of the rule language: a closed list, each with its types.

A value that is missing makes the result unknown, except where the function says otherwise. What
cannot be worked out (a day that does not exist, a root of a negative number) is unknown too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from portal.forms.rules.dates import PartialDate, add_months, months_between, years_between
from portal.forms.rules.terms import Type

_NUMBER = frozenset({Type.NUMBER})
_DATE = frozenset({Type.DATE})
_TEXT = frozenset({Type.TEXT, Type.CHOICE})
_DATETIME = frozenset({Type.DATETIME})
_SOME_DATE = frozenset({Type.DATE, Type.PARTIAL_DATE})
_ORDERED = frozenset({Type.NUMBER, Type.DATE, Type.TIME, Type.DATETIME})


@dataclass(frozen=True)
class Function:
    """A function of single values, in their order."""

    takes: tuple[frozenset[Type], ...]
    gives: Type
    compute: Callable[..., Any]


def _whole(number: Decimal) -> int:
    """A number of days or digits. ValueError beyond what any form means."""
    if number != number.to_integral_value() or abs(number) > 1_000_000:
        raise ValueError("no whole number")
    return int(number)


def round_half_up(value: Decimal, digits: Decimal) -> Decimal:
    """Rounded as on paper: 2.5 becomes 3, and -2.5 becomes -3."""
    places = _whole(digits)
    if not 0 <= places <= 12:
        raise ValueError("digits")
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    if abs(exponent) > 100:
        raise ValueError("exponent")
    return base**exponent


def _minutes(start: datetime, end: datetime) -> Decimal:
    return Decimal(math.floor((end - start) / timedelta(minutes=1)))


def _days(start: date, end: date) -> Decimal:
    return Decimal((end - start).days)


def _earliest(value: date | PartialDate) -> date:
    return value.earliest if isinstance(value, PartialDate) else value


def _latest(value: date | PartialDate) -> date:
    return value.latest if isinstance(value, PartialDate) else value


def _of_dates(reckon: Callable[[date, date], int]) -> Callable[[date, date], Decimal]:
    return lambda start, end: Decimal(reckon(start, end))


FUNCTIONS: Mapping[str, Function] = {
    # days
    "age": Function((_DATE, _DATE), Type.NUMBER, _of_dates(years_between)),
    "years_between": Function((_DATE, _DATE), Type.NUMBER, _of_dates(years_between)),
    "months_between": Function((_DATE, _DATE), Type.NUMBER, _of_dates(months_between)),
    "days_between": Function((_DATE, _DATE), Type.NUMBER, _days),
    "minutes_between": Function((_DATETIME, _DATETIME), Type.NUMBER, _minutes),
    "add_days": Function(
        (_DATE, _NUMBER), Type.DATE, lambda day, n: day + timedelta(days=_whole(n))
    ),
    "add_months": Function((_DATE, _NUMBER), Type.DATE, lambda day, n: add_months(day, _whole(n))),
    "date_of": Function((_DATETIME,), Type.DATE, lambda at: at.date()),
    "time_of": Function(
        (_DATETIME,), Type.TIME, lambda at: at.time().replace(second=0, microsecond=0)
    ),
    "year_of": Function((_SOME_DATE,), Type.NUMBER, lambda day: Decimal(day.year)),
    "earliest": Function((_SOME_DATE,), Type.DATE, _earliest),
    "latest": Function((_SOME_DATE,), Type.DATE, _latest),
    # numbers
    "round": Function((_NUMBER, _NUMBER), Type.NUMBER, round_half_up),
    "floor": Function((_NUMBER,), Type.NUMBER, lambda n: n.to_integral_value(ROUND_FLOOR)),
    "ceiling": Function((_NUMBER,), Type.NUMBER, lambda n: n.to_integral_value(ROUND_CEILING)),
    "abs": Function((_NUMBER,), Type.NUMBER, abs),
    "sqrt": Function((_NUMBER,), Type.NUMBER, Decimal.sqrt),
    "power": Function((_NUMBER, _NUMBER), Type.NUMBER, _power),
    "exp": Function((_NUMBER,), Type.NUMBER, lambda n: _power(Decimal(1).exp(), n)),
    "ln": Function((_NUMBER,), Type.NUMBER, Decimal.ln),
    "log10": Function((_NUMBER,), Type.NUMBER, Decimal.log10),
    # texts and choices
    "length": Function((_TEXT,), Type.NUMBER, lambda text: Decimal(len(text))),
    "chosen": Function((frozenset({Type.CHOICES}),), Type.NUMBER, lambda v: Decimal(len(v))),
}


@dataclass(frozen=True)
class Gathering:
    """A function of several values, or of one item in all rows of its group."""

    takes: frozenset[Type]
    gives: Type | None
    """None: what it takes."""
    compute: Callable[[list[Any]], Any]


GATHERINGS: Mapping[str, Gathering] = {
    "sum": Gathering(_NUMBER, Type.NUMBER, lambda values: sum(values, Decimal(0))),
    "mean": Gathering(_NUMBER, Type.NUMBER, lambda values: sum(values) / Decimal(len(values))),
    "min": Gathering(_ORDERED, None, min),
    "max": Gathering(_ORDERED, None, max),
}

LITERALS: Mapping[str, tuple[Type, str]] = {
    "date": (Type.DATE, '"2026-01-31"'),
    "time": (Type.TIME, '"09:30"'),
}
"""Constants: ``date("2026-01-31")``."""

ON_MISSING: Mapping[str, Type] = {
    "answered": Type.TRUTH,
    "marked": Type.TRUTH,
    "count": Type.NUMBER,
    "rows": Type.NUMBER,
}
"""Whether there is an answer, which reason stands in its place, how many answers there are: never
unknown. ``rows(group)``: unknown as long as it is unknown whether the group is shown."""

NAMES = frozenset({*FUNCTIONS, *GATHERINGS, *LITERALS, *ON_MISSING})


def literal(name: str, text: str) -> date | time:
    """The constant ``date("…")`` or ``time("…")``. ValueError."""
    if name == "date" and len(text) == len("2026-01-31"):
        return date.fromisoformat(text)
    if name == "time" and len(text) == len("09:30"):
        return time.fromisoformat(text)
    raise ValueError(text)
