"""A form's fields on a page: their names, and what was typed into them as answers.

=================  ======================================================================
``A18``            the answer of an item
``results.0.E2``   of an item in a row (from 0) of a repeating group
``A18!``           a missing-value code instead of an answer; empty takes it away again
``scan``           of a file its key and its name: ``17 letter.pdf``
``results-``       the rows that were taken away, by their numbers: ``0,3``
=================  ======================================================================

Rows keep their numbers as long as a page is open; those taken away go at the very end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from portal.forms.rules.answers import MOST_ROWS, Answers, At
from portal.forms.rules.definition import Form, Item, Kind
from portal.forms.rules.values import BadValue, Habits, Missing, Reference, Value, typed

Typed = Mapping[str, str]
"""What was typed, by the name of its field."""
_NOT_TYPED = frozenset({Kind.COMPUTED, Kind.SIGNATURE})


def name_of(form: Form, at: At) -> str:
    """The field's name for an answer's place."""
    rows = form.spots[at.item].rows
    return at.item if rows is None else f"{rows.code}.{at.row}.{at.item}"


def at_of(form: Form, name: str) -> At | None:
    """The place that a field's name stands for; None for what is no field of the form."""
    parts = name.removesuffix("!").split(".")
    spot = form.spots.get(parts[-1])
    if spot is None or spot.item.kind in _NOT_TYPED:
        return None
    if spot.rows is None:
        return At(spot.item.code) if len(parts) == 1 else None
    if len(parts) != 3 or parts[0] != spot.rows.code or not parts[1].isdecimal():
        return None
    row = int(parts[1]) if len(parts[1]) <= 4 else MOST_ROWS
    return At(spot.item.code, row) if row < MOST_ROWS else None


def take_in(
    form: Form, answers: Answers, typed_in: Typed, habits: Habits
) -> tuple[Answers, dict[str, BadValue]]:
    """The answers with what was typed put in, and by field what could not be read.

    A field that is no field of the form is passed over; so is one that cannot be edited.
    """
    faults: dict[str, BadValue] = {}
    for name, text in typed_in.items():
        at = at_of(form, name)
        if at is None or name.endswith("!") or not form.spots[at.item].item.editable:
            continue
        if typed_in.get(f"{name}!"):
            continue  # a reason was given instead
        try:
            answers = answers.given(form, at, _read(form, form.spots[at.item].item, text, habits))
        except BadValue as error:
            faults[name] = error
    for name, text in typed_in.items():
        at = at_of(form, name) if name.endswith("!") else None
        if at is None or not form.spots[at.item].item.editable:
            continue
        if text:
            answers = answers.given(form, at, Missing(text))
        elif isinstance(answers.get(form, at), Missing):
            answers = answers.given(form, at, None)
    return _without_rows(form, answers, typed_in), faults


def _read(form: Form, item: Item, text: str, habits: Habits) -> Value | None:
    if item.kind is not Kind.FILE or not text.strip():
        return typed(form, item, text, habits)
    key, _, name = text.strip().partition(" ")
    if not (key.isascii() and key.isdecimal()):
        raise BadValue("wrong_kind", kind=item.kind)
    return Reference(key, name)


def removed_rows(form: Form, typed_in: Typed) -> dict[str, frozenset[int]]:
    """The rows that were taken away, by group."""
    found = {}
    for name, text in typed_in.items():
        group = form.groups.get(name.removesuffix("-")) if name.endswith("-") else None
        if group is not None and group.repeats:
            numbers = frozenset(int(each) for each in text.split(",") if each.strip().isdecimal())
            found[group.code] = numbers
    return found


def _without_rows(form: Form, answers: Answers, typed_in: Typed) -> Answers:
    for group, numbers in removed_rows(form, typed_in).items():
        kept = tuple(
            row for number, row in enumerate(answers.rows.get(group, ())) if number not in numbers
        )
        answers = replace(answers, rows={**answers.rows, group: kept})
    return answers
