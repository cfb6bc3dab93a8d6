"""The answers on one form: by item, and by row where a group repeats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from portal.forms.rules.definition import Form, Kind
from portal.forms.rules.faults import Fault, Faulty, Place
from portal.forms.rules.values import BadValue, Habits, Value, from_json, to_json, typed

Row = Mapping[str, Value]
MOST_ROWS = 1_000


class At(NamedTuple):
    """Where an answer stands: its item, and its row (from 0) where its group repeats."""

    item: str
    row: int | None = None


@dataclass(frozen=True)
class Answers:
    """What was answered. An item without an answer is not in it."""

    values: Row = field(default_factory=dict)
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    """By repeating group."""

    def get(self, form: Form, at: At) -> Value | None:
        """The answer there; None when there is none."""
        group = form.spots[at.item].rows
        if group is None:
            return self.values.get(at.item)
        rows = self.rows.get(group.code, ())
        return rows[at.row].get(at.item) if at.row is not None and at.row < len(rows) else None

    def given(self, form: Form, at: At, value: Value | None) -> Answers:
        """The same with one answer given, changed, or (None) taken away; rows are added to it."""
        group = form.spots[at.item].rows
        if group is None:
            return replace(self, values=_put(self.values, at.item, value))
        if at.row is None or not 0 <= at.row < MOST_ROWS:
            raise IndexError(at)
        rows = [*self.rows.get(group.code, ())]
        rows += [{} for _ in range(at.row + 1 - len(rows))]
        rows[at.row] = _put(rows[at.row], at.item, value)
        return replace(self, rows={**self.rows, group.code: tuple(rows)})

    def without_row(self, group: str, row: int) -> Answers:
        """The same less one row; those after it move up."""
        rows = self.rows.get(group, ())
        return replace(self, rows={**self.rows, group: rows[:row] + rows[row + 1 :]})


def _put(values: Row, code: str, value: Value | None) -> Row:
    kept = {each: found for each, found in values.items() if each != code}
    return kept if value is None else {**kept, code: value}


def answers_to_json(answers: Answers) -> dict[str, Any]:
    """What ``json.dumps`` takes."""
    return {
        "values": {code: to_json(value) for code, value in answers.values.items()},
        "rows": {
            group: [{code: to_json(value) for code, value in row.items()} for row in rows]
            for group, rows in answers.rows.items()
        },
    }


def answers_from_json(form: Form, data: object) -> Answers:
    """What `answers_to_json` wrote for this form. Faulty with every answer that does not fit."""
    faults: list[Fault] = []
    whole: dict[str, Any] = data if isinstance(data, dict) else {"": data}
    unknown = sorted(whole.keys() - {"values", "rows"})
    faults += [Fault((), "unknown_key", {"key": key}) for key in unknown]
    plain = {code for code, spot in form.spots.items() if spot.rows is None}
    values = _row(form, whole.get("values", {}), plain, (), faults)
    rows: dict[str, tuple[Row, ...]] = {}
    found = whole.get("rows", {})
    for code, listed in found.items() if isinstance(found, dict) else [("rows", None)]:
        group = form.groups.get(code)
        place: Place = (("group", str(code)),)
        if group is None or not group.repeats or not isinstance(listed, list):
            faults.append(Fault(place, "unknown_key", {"key": code}))
            continue
        if len(listed) > MOST_ROWS:
            faults.append(Fault(place, "too_many", {"most": MOST_ROWS}))
            continue
        items = {item.code for item in group.items}
        rows[code] = tuple(
            _row(form, row, items, (*place, ("row", str(number))), faults)
            for number, row in enumerate(listed, 1)
        )
    if faults:
        raise Faulty(faults)
    return Answers(values, rows)


def _row(form: Form, data: object, items: set[str], place: Place, faults: list[Fault]) -> Row:
    if not isinstance(data, dict):
        faults.append(
            Fault(place, "not_a", {"key": "values", "wanted": "an object", "found": "something"})
        )
        return {}
    found: dict[str, Value] = {}
    for code, each in data.items():
        here = (*place, ("item", str(code)))
        if code not in items:
            faults.append(Fault(here, "unknown_key", {"key": code}))
            continue
        try:
            value = from_json(form, form.spots[code].item, each)
        except BadValue:
            faults.append(Fault(here, "bad_value", {"key": code, "value": str(each)[:60]}))
            continue
        if value is not None:
            found[code] = value
    return found


def first_answers(form: Form) -> Answers:
    """A form to begin with: every default, and in a repeating group as many rows as it must have.

    What connectors supply (``first_value``) is added by who asks them.
    """
    answers = Answers()
    for at, default in _defaults(form):
        answers = answers.given(form, at, typed(form, form.spots[at.item].item, default, Habits()))
    return answers


def _defaults(form: Form) -> Iterator[tuple[At, str]]:
    for code, spot in form.spots.items():
        if not spot.item.default or spot.item.kind is Kind.COMPUTED:
            continue
        rows = spot.rows
        places = [None] if rows is None else range(rows.rows_least or 0)
        yield from ((At(code, row), spot.item.default) for row in places)
