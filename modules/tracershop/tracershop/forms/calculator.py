"""The dose calculator's rows as typed, and what they add up to (TS-007)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _

from portal.records.fields import parse_amount, parse_clock
from tracershop.rules.calculator import CalculatorError, InjectionRow, activity_needed
from tracershop.rules.moments import local_moment
from tracershop.selectors.schedule import SlotOnDay, site_zone
from tracershop.words import sentence

MOST_ROWS = 40


@dataclass
class TypedRow:
    """One row as it stands in the form; an empty one counts for nothing."""

    number: int
    clock: str = ""
    activity: str = ""
    error: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.clock.strip() or self.activity.strip())


class Calculator:
    """Rows of injections for one delivery. ``needed_mbq`` is None while a row is wrong or none is
    filled in; ``errors`` name the row."""

    def __init__(self, typed: Sequence[tuple[str, str]], slot: SlotOnDay) -> None:
        self.rows = [
            TypedRow(number, clock, activity)
            for number, (clock, activity) in enumerate(typed[:MOST_ROWS], start=1)
        ]
        self.slot = slot
        self.needed_mbq: int | None = None
        self.errors: list[str] = []
        self._calculate()

    @classmethod
    def of(cls, sent: QueryDict, slot: SlotOnDay) -> Calculator:
        """From the form's fields ``row_time`` and ``row_mbq``, and the row button pressed."""
        typed = list(zip(sent.getlist("row_time"), sent.getlist("row_mbq"), strict=False))
        act = sent.get("act", "")
        if act == "add_row":
            typed.append(("", ""))
        elif act.startswith("remove_row_"):
            gone = act.removeprefix("remove_row_")
            typed = [row for number, row in enumerate(typed, start=1) if str(number) != gone]
        return cls(typed or [("", "")], slot)

    @property
    def filled(self) -> list[TypedRow]:
        return [row for row in self.rows if not row.is_empty]

    @property
    def can_add(self) -> bool:
        return len(self.rows) < MOST_ROWS

    def _calculate(self) -> None:
        injections = [self._read(row) for row in self.filled]
        good = [row for row in injections if row is not None]
        if self.errors or not good:
            return
        half_life_s = self.slot.tracer.isotope.half_life_s
        try:
            self.needed_mbq = activity_needed(good, self.slot.deliver_at, half_life_s)
        except CalculatorError as error:
            row = self.filled[(error.row_number or 1) - 1]
            # the rule counts filled rows, the person all of them
            self._note(row, sentence(error.code, {**_local(error.facts), "row": row.number}))

    def _read(self, row: TypedRow) -> InjectionRow | None:
        try:
            clock = parse_clock(row.clock)
            activity = parse_amount(row.activity)
        except ValidationError as error:
            text = _("Row %(row)s: %(error)s")
            self._note(row, text % {"row": row.number, "error": " ".join(error.messages)})
            return None
        day = self.slot.deliver_at.astimezone(site_zone()).date()
        return InjectionRow(local_moment(clock, day, site_zone()), activity)

    def _note(self, row: TypedRow, text: str) -> None:
        row.error = text
        self.errors.append(text)


def _local(facts: Any) -> dict[str, Any]:
    return {
        name: f"{value.astimezone(site_zone()):%H:%M}" if isinstance(value, datetime) else value
        for name, value in facts.items()
    }
