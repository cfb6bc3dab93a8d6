"""Reckoning with calendar days, and dates of which only the year or the month is known."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)


@dataclass(frozen=True)
class PartialDate:
    """A date known to the year, the month or the day. ValueError for what is no date."""

    year: int
    month: int | None = None
    day: int | None = None

    def __post_init__(self) -> None:
        if self.day is not None and self.month is None:
            raise ValueError("a day needs a month")
        date(self.year, self.month or 1, self.day or 1)

    @classmethod
    def from_iso(cls, text: str) -> PartialDate:
        """``2026``, ``2026-03`` or ``2026-03-31``."""
        found = _PARTIAL.fullmatch(text)
        if not found:
            raise ValueError(text)
        return cls(*(None if part is None else int(part) for part in found.groups()))  # type: ignore[arg-type]

    @property
    def earliest(self) -> date:
        return date(self.year, self.month or 1, self.day or 1)

    @property
    def latest(self) -> date:
        month = self.month or 12
        return date(self.year, month, self.day or calendar.monthrange(self.year, month)[1])

    def __str__(self) -> str:
        month = "" if self.month is None else f"-{self.month:02}"
        day = "" if self.day is None else f"-{self.day:02}"
        return f"{self.year:04}{month}{day}"


def months_between(start: date, end: date) -> int:
    """Whole months from ``start`` to ``end``; negative when ``end`` comes first.

    A month is over on the day with the same number; where there is none (31 January, 29 February),
    on the first day of the month after.
    """
    if end < start:
        return -months_between(end, start)
    months = (end.year - start.year) * 12 + end.month - start.month
    return months - (end.day < start.day)


def years_between(start: date, end: date) -> int:
    """Whole years: an age. Who was born on 29 February turns a year older on 1 March."""
    months = months_between(start, end)
    return months // 12 if months >= 0 else -(-months // 12)


def add_months(day: date, months: int) -> date:
    """The same day ``months`` later (or earlier), or the last of that month. OverflowError."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if not date.min.year <= year <= date.max.year:
        raise OverflowError("no such year")
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
