"""What a laboratory's answer says: its rows as results, and first values for forms.

An answer is a list of objects: ``taken_at`` (ISO 8601), ``sample`` (blood, marrow, biopsy …),
``code``, ``name``, ``value`` (text, as the laboratory reports it), ``unit``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo


class StrangeResults(ValueError):  # noqa: N818 what the other side sent
    """The answer is not of the shape above; the text says where, without values."""


@dataclass(frozen=True)
class Result:
    """One value of one sample. ``unit`` '' for what has none."""

    taken_at: datetime
    sample: str
    code: str
    name: str
    value: str
    unit: str


@dataclass(frozen=True)
class Measured:
    """A value with its unit: it answers only an item that is asked in the same one."""

    value: str
    unit: str


DATES: Mapping[str, tuple[str, ...]] = {
    "blood": ("count_taken",),
    "marrow": ("marrow_taken", "marrow_counted"),
    "biopsy": ("biopsy_taken",),
}
"""Fields that hold the day of a sample; ``<sample>_taken`` is one for every kind of sample."""


def read_results(answer: Any) -> list[Result]:
    """The results, newest sample first. StrangeResults when it is no such list."""
    if not isinstance(answer, list):
        raise StrangeResults("it is no list")
    found = [_result(row, number) for number, row in enumerate(answer, 1)]
    return sorted(found, key=lambda each: each.taken_at, reverse=True)


def _result(row: Any, number: int) -> Result:
    if not isinstance(row, Mapping):
        raise StrangeResults(f"row {number}: it is no object")
    texts = {}
    for name in ("sample", "code", "name", "value", "unit"):
        value = row.get(name)
        if value is None:
            value = ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise StrangeResults(f"row {number}: {name} is no text")
        texts[name] = str(value).strip()
    if not texts["code"]:
        raise StrangeResults(f"row {number}: it has no code")
    try:
        taken_at = datetime.fromisoformat(str(row.get("taken_at")))
    except ValueError:
        raise StrangeResults(f"row {number}: taken_at is no time") from None
    if taken_at.tzinfo is None:
        taken_at = taken_at.replace(tzinfo=UTC)
    return Result(taken_at, **{**texts, "name": texts["name"] or texts["code"]})


def first_values(results: Iterable[Result], zone: ZoneInfo) -> dict[str, Measured | date]:
    """By field: of each code the newest value, of each kind of sample the newest day."""
    found: dict[str, Measured | date] = {}
    for each in results:
        if each.value:
            found.setdefault(each.code, Measured(each.value, each.unit))
        day = each.taken_at.astimezone(zone).date()
        for name in {f"{each.sample}_taken", *DATES.get(each.sample, ())}:
            found.setdefault(name, day)
    return found


_SAME = str.maketrans({"×": "x", "µ": "u", "μ": "u", "⁹": "9", "¹": "1", "²": "2"})


def same_unit(one: str, other: str) -> bool:
    """Whether two ways of writing a unit mean the same: ``10⁹/L`` and ``x10^9/l``."""
    return _plain(one) == _plain(other)


def _plain(unit: str) -> str:
    text = unit.translate(_SAME).lower()
    return "".join(each for each in text if each not in " ^*").removeprefix("x")
