"""Which days of a year are probably closed: the public holidays, and days that many take off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import holidays

# of the days that the library has as optional, 1 May is no day off in hospitals
_OPTIONAL = ((6, 5), (12, 24), (12, 31))

YEARS = range(2000, 2100)
"""Years for which days are proposed."""


@dataclass(frozen=True, slots=True)
class ProposedDay:
    """A day that may be closed; `public` holidays are, of the others a site decides."""

    day: date
    name: str
    public: bool


def proposed_days(year: int, *, language: str = "da") -> list[ProposedDay]:
    """The Danish public holidays of the year, with Constitution Day, 24 and 31 December, in order.

    Names in Danish (``da``), in English for every other language. Source: the library `holidays`,
    which follows the law; Store bededag is none since 2024.
    """
    spoken = "da" if language.startswith("da") else "en_US"
    public = _denmark(year, spoken, "public")
    optional = {
        day: name
        for day, name in _denmark(year, spoken, "optional").items()
        if (day.month, day.day) in _OPTIONAL and day not in public
    }
    days = [ProposedDay(day, name, public=True) for day, name in public.items()]
    days += [ProposedDay(day, name, public=False) for day, name in optional.items()]
    return sorted(days, key=lambda each: each.day)


def _denmark(year: int, language: str, category: Any) -> dict[date, str]:
    return dict(holidays.Denmark(years=year, language=language, categories=(category,)))
