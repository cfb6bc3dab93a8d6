"""Answers: what a person typed, as a typed value; in JSON; and written for people.

| kind                         | value                          | in JSON                         |
|------------------------------|--------------------------------|---------------------------------|
| text, long text              | `str`                          | text                            |
| integer, decimal             | `Decimal`                      | text, so that no digit is lost  |
| date, time, datetime         | `date`, `time`, aware `datetime` | ISO text                      |
| partial date                 | `PartialDate`                  | `2026`, `2026-03`, `2026-03-31` |
| boolean                      | `bool`                         | true, false                     |
| single, multiple choice      | a code; codes in the list's order | text; list of texts          |
| file, signature              | `Reference`                    | `{"key": …, "name": …}`         |
| any, with a reason           | `Missing`                      | `{"missing": code}`             |
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from portal.forms.rules.dates import PartialDate
from portal.forms.rules.definition import Form, Item, Kind
from portal.typed import BadValue, is_number, number_typed, time_typed

LONGEST_LINE = 1_000
LONGEST_TEXT = 20_000
_DAY = re.compile(r"(\d{1,2})[-./ ](\d{1,2})[-./ ](\d{4})", re.ASCII)
_MONTH = re.compile(r"(\d{1,2})[-./ ](\d{4})", re.ASCII)
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class Missing:
    """No value, and why: one of the form's missing-value codes."""

    code: str


@dataclass(frozen=True)
class Reference:
    """A file or a signature kept elsewhere: its key there, and what people call it."""

    key: str
    name: str = ""


Value = str | Decimal | bool | date | time | PartialDate | tuple[str, ...] | Reference | Missing
"""An answer (a `datetime` is a `date` to Python); no answer is None."""


@dataclass(frozen=True)
class Habits:
    """How the person writes: which comes first in a date, and what the clock shows."""

    day_first: bool = True
    zone: tzinfo = UTC


def typed(form: Form, item: Item, text: str, habits: Habits) -> Value | None:
    """The value of ``text`` as a person typed it; None when it is empty. BadValue.

    For a multiple choice the codes stand one per line.
    """
    text = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if not text:
        return None
    readers: dict[Kind, Callable[[str], Value]] = {
        Kind.INTEGER: integer_typed,
        Kind.DECIMAL: number_typed,
        Kind.DATE: lambda t: date_typed(t, day_first=habits.day_first),
        Kind.PARTIAL_DATE: lambda t: partial_typed(t, day_first=habits.day_first),
        Kind.TIME: time_typed,
        Kind.DATETIME: lambda t: datetime_typed(t, habits),
    }
    if item.kind in readers:
        return readers[item.kind](text)
    data: object = text
    if item.kind is Kind.BOOLEAN:
        data = {"true": True, "false": False}.get(text, text)
    elif item.kind is Kind.MULTIPLE_CHOICE:
        data = text.split("\n")
    return from_json(form, item, data)


def integer_typed(text: str) -> Decimal:
    """A whole number. BadValue."""
    value = number_typed(text)
    if value != value.to_integral_value():
        raise BadValue("not_whole", text=text[:60])
    return value.quantize(Decimal(1))


def date_typed(text: str, *, day_first: bool) -> date:
    """``31-01-2026`` (or month first), with any of ``-./``, or ISO ``2026-01-31``. BadValue.

    The year has four digits: of two, nobody can say the century of a patient's birth.
    """
    try:
        if _ISO_DAY.fullmatch(text):
            return date.fromisoformat(text)
        if found := _DAY.fullmatch(text):
            first, second, year = map(int, found.groups())
            return date(year, *((second, first) if day_first else (first, second)))
    except ValueError:
        pass
    raise BadValue("no_date", text=text[:60])


def partial_typed(text: str, *, day_first: bool) -> PartialDate:
    """A date, or ``2026``, ``2026-03``, ``03-2026``. BadValue."""
    try:
        if found := _MONTH.fullmatch(text):
            return PartialDate(int(found[2]), int(found[1]))
        return PartialDate.from_iso(text)
    except ValueError:
        day = date_typed(text, day_first=day_first)
        return PartialDate(day.year, day.month, day.day)


def datetime_typed(text: str, habits: Habits) -> datetime:
    """A date and a time with a space or ``T`` between; in the person's zone. BadValue."""
    day, _, clock = text.replace("T", " ").rpartition(" ")
    if not day:
        raise BadValue("no_datetime", text=text[:60])
    on = date_typed(day.strip(), day_first=habits.day_first)
    return datetime.combine(on, time_typed(clock), tzinfo=habits.zone)


def to_json(value: Value | None) -> Any:
    """The value as JSON has it."""
    match value:
        case Missing():
            return {"missing": value.code}
        case Reference():
            return {"key": value.key, "name": value.name}
        case bool() | None:
            return value
        case Decimal():
            return f"{value:f}"
        case date() | time():
            return value.isoformat()
        case tuple():
            return list(value)
    return str(value)


def from_json(form: Form, item: Item, data: object) -> Value | None:
    """The value that `to_json` wrote, of this item in this form. BadValue for any other."""
    if data is None or data == "":
        return None
    try:
        return _from_json(form, item, data)
    except (ValueError, TypeError, KeyError, InvalidOperation, OverflowError) as error:
        if isinstance(error, BadValue):
            raise
        raise BadValue("wrong_kind", kind=item.holds) from error


def _from_json(form: Form, item: Item, data: Any) -> Value:  # noqa: C901 one line a kind
    match data, item.holds:
        case {"missing": code, **rest}, _ if not rest:
            return Missing(_one_of(code, item.missing_codes))
        case {"key": str(key), "name": str(name), **rest}, Kind.FILE | Kind.SIGNATURE if not rest:
            return Reference(key, name)
        case list(), Kind.MULTIPLE_CHOICE if data:
            codes = form.codes_of(item)
            chosen = {_one_of(each, codes) for each in data}
            return tuple(code for code in codes if code in chosen)
        case bool(), Kind.BOOLEAN:
            return data
        case str(), Kind.SINGLE_CHOICE:
            return _one_of(data, form.codes_of(item))
        case str(), Kind.TEXT | Kind.LONG_TEXT:
            return data
        case str(), Kind.INTEGER if is_number(data):
            return integer_typed(_point(data))
        case str(), Kind.DECIMAL if is_number(data):
            return Decimal(_point(data))
        case str(), Kind.DATE if _ISO_DAY.fullmatch(data):
            return date.fromisoformat(data)
        case str(), Kind.PARTIAL_DATE:
            return PartialDate.from_iso(data)
        case str(), Kind.TIME:
            return _naive(time.fromisoformat(data))
        case str(), Kind.DATETIME:
            return _aware(datetime.fromisoformat(data))
    raise BadValue("wrong_kind", kind=item.holds)


def _point(text: str) -> str:
    """A number as JSON has it: with a point."""
    if "," in text:
        raise BadValue("no_number", text=text[:60])
    return text


def _one_of(code: object, codes: tuple[str, ...]) -> str:
    if not isinstance(code, str) or code not in codes:
        raise BadValue("not_in_list", text=str(code)[:60])
    return code


def _naive(value: time) -> time:
    if value.tzinfo is not None:
        raise BadValue("wrong_kind", kind=Kind.TIME)
    return value


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise BadValue("wrong_kind", kind=Kind.DATETIME)
    return value
