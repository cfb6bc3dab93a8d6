"""What a name in a rule stands for: its type, and the codes it may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

from portal.forms.rules.dates import PartialDate
from portal.forms.rules.definition import Form, Item, Kind


class Type(StrEnum):
    """The types of the rule language, as a designer would name them."""

    NUMBER = "a number"
    TEXT = "a text"
    TRUTH = "yes or no"
    DATE = "a date"
    PARTIAL_DATE = "a partial date"
    TIME = "a time"
    DATETIME = "a date with time"
    CHOICE = "a choice"
    CHOICES = "several choices"
    DOCUMENT = "a file or signature"


OF_KIND: Mapping[Kind, Type] = {
    Kind.TEXT: Type.TEXT,
    Kind.LONG_TEXT: Type.TEXT,
    Kind.INTEGER: Type.NUMBER,
    Kind.DECIMAL: Type.NUMBER,
    Kind.DATE: Type.DATE,
    Kind.PARTIAL_DATE: Type.PARTIAL_DATE,
    Kind.TIME: Type.TIME,
    Kind.DATETIME: Type.DATETIME,
    Kind.BOOLEAN: Type.TRUTH,
    Kind.SINGLE_CHOICE: Type.CHOICE,
    Kind.MULTIPLE_CHOICE: Type.CHOICES,
    Kind.FILE: Type.DOCUMENT,
    Kind.SIGNATURE: Type.DOCUMENT,
}

_PYTHON: Mapping[Type, tuple[type, ...]] = {
    Type.NUMBER: (int, Decimal),
    Type.TEXT: (str,),
    Type.TRUTH: (bool,),
    Type.DATE: (date,),
    Type.PARTIAL_DATE: (PartialDate,),
    Type.TIME: (time,),
    Type.DATETIME: (datetime,),
    Type.CHOICE: (str,),
    Type.CHOICES: (tuple,),
    Type.DOCUMENT: (object,),
}


@dataclass(frozen=True)
class Term:
    """A name's type; for choices its codes; ``column``: one value for every row of a group."""

    type: Type
    codes: tuple[str, ...] = ()
    missing_codes: tuple[str, ...] = ()
    column: bool = False
    group: bool = False
    """The name of a repeating group itself, for ``rows(group)``."""

    def holds(self, value: object) -> bool:
        """Whether one value is of this type. A datetime is no date, a truth no number."""
        right = type(value) in _PYTHON[self.type] or self.type is Type.DOCUMENT
        if isinstance(value, Decimal):
            return right and value.is_finite()
        if isinstance(value, datetime):
            return right and value.tzinfo is not None
        if isinstance(value, time):
            return right and value.tzinfo is None
        return right and (not isinstance(value, tuple) or all(type(v) is str for v in value))


Terms = Mapping[str, Term]


def term_of(form: Form, item: Item, *, column: bool = False) -> Term:
    """What an item stands for in a rule."""
    kind = item.holds if item.holds is not Kind.COMPUTED else Kind.TEXT
    return Term(OF_KIND[kind], form.codes_of(item), item.missing_codes, column)


def terms_of(form: Form, row_of: str = "", outside: Terms | None = None) -> dict[str, Term]:
    """Every name that a rule of ``form`` can read; ``outside`` are names of other forms or events.

    An item of a repeating group is a column; inside the same group (``row_of``) it is the value of
    the same row, and ``group.item`` still the column.
    """
    terms: dict[str, Term] = dict(outside or {})
    for spot in form.all_spots():
        rows = spot.rows
        terms[spot.item.code] = term_of(
            form, spot.item, column=rows is not None and rows.code != row_of
        )
        if rows is not None:
            terms[f"{rows.code}.{spot.item.code}"] = term_of(form, spot.item, column=True)
    for group in form.groups.values():
        if group.repeats:
            terms[group.code] = Term(Type.NUMBER, group=True)
    return terms
