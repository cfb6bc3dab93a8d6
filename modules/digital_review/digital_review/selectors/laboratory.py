"""Results of the laboratory: on the patient's page, and as first values of forms (DR-038)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from digital_review.interfaces.laboratory import (
    Measured,
    Result,
    StrangeResults,
    first_values,
    read_results,
)
from portal.connectors.problems import Code, Problem
from portal.connectors.services import read

LABORATORY, RESULTS = "laboratory", "results"
_SAMPLES = 8
"""So many of the newest samples are shown side by side."""


@dataclass(frozen=True)
class Line:
    """One test: its value in each of the shown samples, '' where it was not done."""

    code: str
    name: str
    unit: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Results:
    """What the laboratory says of a patient. ``as_of`` None: nothing is known, ``problem`` says
    why; ``problem`` beside an ``as_of``: that is the newest there is."""

    as_of: datetime | None
    fresh: bool
    problem: Problem | None
    topic: str
    samples: tuple[datetime, ...] = ()
    lines: tuple[Line, ...] = ()
    older: int = 0
    """How many older samples are not shown."""
    known: bool = True
    """False: the laboratory has nothing under this number."""
    newest: tuple[Result, ...] = field(default=(), repr=False)


def results_of(number: str) -> Results:
    """The results of the patient with this number: kept ones at once, else asked for, once."""
    reading = read(LABORATORY, RESULTS, number)
    told: dict[str, Any] = {
        "as_of": reading.as_of,
        "fresh": reading.fresh,
        "problem": reading.problem,
        "topic": reading.topic,
    }
    if not reading.value:
        return Results(**told, known=not reading.is_known)
    try:
        found = read_results(reading.value)
    except StrangeResults as error:
        told |= {"as_of": None, "problem": Problem(Code.WRONG, str(error))}
        return Results(**told)
    samples = sorted({each.taken_at for each in found}, reverse=True)
    shown = tuple(samples[:_SAMPLES])
    return Results(
        **told,
        samples=shown,
        lines=_lines(found, shown),
        older=len(samples) - len(shown),
        newest=tuple(found),
    )


def _lines(found: list[Result], samples: tuple[datetime, ...]) -> tuple[Line, ...]:
    """A line a test and unit: values of different units never stand in one line."""
    by_test: dict[tuple[str, str], dict[datetime, str]] = {}
    names: dict[tuple[str, str], str] = {}
    for each in found:
        test = (each.code, each.unit)
        names.setdefault(test, each.name)
        by_test.setdefault(test, {}).setdefault(each.taken_at, each.value)
    return tuple(
        Line(code, names[code, unit], unit, tuple(values.get(at, "") for at in samples))
        for (code, unit), values in by_test.items()
        if any(at in values for at in samples)
    )


def known_of(number: str) -> dict[str, dict[str, Measured | date]]:
    """First values of a patient's forms, by source and field; none where nothing is known."""
    results = results_of(number)
    if not results.newest:
        return {}
    return {LABORATORY: first_values(results.newest, timezone.get_current_timezone())}  # type: ignore[arg-type]
