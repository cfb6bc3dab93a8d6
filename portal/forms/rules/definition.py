"""A form as data: sections, groups, items, code lists, and the rules between them.

Rules are texts in the language of `expressions.py`. A check says what is *wrong*: it fires when its
rule is true, and never when it is unknown. `publishing.py` decides whether a form may be used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import ClassVar

from portal.forms.rules.codec import read_whole, write
from portal.forms.rules.faults import Place
from portal.forms.rules.texts import NO_WORDS, Words

SCHEMA = 1
"""The number of this way of writing forms; a change that old readers misread raises it."""

CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
"""What a form, section, group or item is called: also its name in rules and exports."""


class Kind(StrEnum):
    """What an item holds."""

    TEXT = "text"
    LONG_TEXT = "long text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    PARTIAL_DATE = "partial date"
    TIME = "time"
    DATETIME = "datetime"
    BOOLEAN = "boolean"
    SINGLE_CHOICE = "single choice"
    MULTIPLE_CHOICE = "multiple choice"
    FILE = "file"
    COMPUTED = "computed"
    SIGNATURE = "signature"


CHOICES = frozenset({Kind.SINGLE_CHOICE, Kind.MULTIPLE_CHOICE})
NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL})
TEXTS = frozenset({Kind.TEXT, Kind.LONG_TEXT})
MOMENTS = frozenset({Kind.DATE, Kind.PARTIAL_DATE, Kind.TIME, Kind.DATETIME})
RESULTS = NUMBERS | {Kind.TEXT, Kind.DATE, Kind.BOOLEAN, Kind.SINGLE_CHOICE}
"""What a computed item may give."""


class Severity(StrEnum):
    """A hard finding refuses the answer; a soft one asks for a look, and may stand."""

    HARD = "hard"
    SOFT = "soft"


class Appearance(StrEnum):
    """How choices are put on screen and paper; empty: as suits their number."""

    TICK = "tick"
    BUTTONS = "buttons"
    LIST = "list"


@dataclass(frozen=True)
class Choice:
    """One code with its label: of a code list, or a reason for a missing value."""

    PLACE: ClassVar = "choice"
    code: str
    label: Words


@dataclass(frozen=True)
class CodeList:
    """Choices that several items may share."""

    PLACE: ClassVar = "code list"
    code: str
    choices: tuple[Choice, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(each.code for each in self.choices)


@dataclass(frozen=True)
class Limits:
    """From ``least`` to ``most``, both included and either open; written as the item's values are.

    For dates and datetimes ``today`` is a limit too.
    """

    least: str | None = None
    most: str | None = None


@dataclass(frozen=True)
class Check:
    """An edit check: ``when`` this rule is true, ``message`` is said at the item."""

    PLACE: ClassVar = "check"
    code: str
    when: str
    message: Words
    severity: Severity = Severity.SOFT


@dataclass(frozen=True)
class Source:
    """A field of an outside system, by the name of its connector."""

    connector: str
    field: str


@dataclass(frozen=True)
class Item:
    """One question with its answer."""

    PLACE: ClassVar = "item"
    code: str
    kind: Kind
    label: Words
    help: Words = NO_WORDS
    note: str = ""
    """For those who design and check the form, such as *to be confirmed by a haematologist*."""
    unit: str = ""
    decimals: int | None = None
    """The most digits behind the comma; as many are shown for a computed item."""
    code_list: str = ""
    appearance: Appearance | None = None
    limits: Limits | None = None
    """Outside these an answer is refused."""
    expected: Limits | None = None
    """Outside these a look is asked for."""
    longest: int | None = None
    """The most characters of a text."""
    pattern: str = ""
    personal: bool = False
    """Personal data: masked for those who may not see it."""
    editable: bool = True
    required: bool = False
    required_if: str = ""
    show_if: str = ""
    checks: tuple[Check, ...] = ()
    rule: str = ""
    """Of a computed item: what it is."""
    result: Kind | None = None
    """Of a computed item: the kind of what the rule gives."""
    default: str = ""
    """The answer to begin with, written as in JSON: ``2``, ``2026-01-31``, ``true``, a code."""
    first_value: Source | None = None
    written_to: Source | None = None
    missing_codes: tuple[str, ...] = ()
    """Which of the form's reasons for a missing value may stand here."""

    @property
    def holds(self) -> Kind:
        """The kind of its value: a computed item's is that of its result."""
        return self.result if self.kind is Kind.COMPUTED and self.result else self.kind


@dataclass(frozen=True)
class Group:
    """Items that belong together under one heading; one that repeats has rows of them."""

    PLACE: ClassVar = "group"
    TAG: ClassVar = "group"
    code: str
    title: Words
    items: tuple[Item, ...]
    help: Words = NO_WORDS
    show_if: str = ""
    repeats: bool = False
    rows_least: int | None = None
    rows_most: int | None = None


@dataclass(frozen=True)
class Section:
    """A page or a block of the form."""

    PLACE: ClassVar = "section"
    COUNTED: ClassVar = True
    code: str
    title: Words
    parts: tuple[Item | Group, ...]
    help: Words = NO_WORDS
    show_if: str = ""


@dataclass(frozen=True)
class Spot:
    """Where an item stands in its form."""

    item: Item
    section: Section
    group: Group | None
    place: Place

    @property
    def rows(self) -> Group | None:
        """The repeating group that gives the item its rows."""
        return self.group if self.group is not None and self.group.repeats else None


@dataclass(frozen=True)
class Form:
    """A form definition: what a version of a form is made of."""

    code: str
    title: Words
    languages: tuple[str, ...]
    sections: tuple[Section, ...]
    description: Words = NO_WORDS
    code_lists: tuple[CodeList, ...] = ()
    missing_codes: tuple[Choice, ...] = ()

    @cached_property
    def spots(self) -> dict[str, Spot]:
        """Every item by its code, in the order of the form (of equal codes the last)."""
        return {spot.item.code: spot for spot in self.all_spots()}

    def all_spots(self) -> Iterator[Spot]:
        """Every item in the order of the form, also those with equal codes."""
        for number, section in enumerate(self.sections, 1):
            inside: Place = (("section", str(number)),)
            for part in section.parts:
                if isinstance(part, Item):
                    yield Spot(part, section, None, (*inside, ("item", part.code)))
                    continue
                for item in part.items:
                    place = (*inside, ("group", part.code), ("item", item.code))
                    yield Spot(item, section, part, place)

    @cached_property
    def groups(self) -> dict[str, Group]:
        parts = [part for section in self.sections for part in section.parts]
        return {part.code: part for part in parts if isinstance(part, Group)}

    def choices_of(self, item: Item) -> tuple[Choice, ...]:
        """What can be chosen there; nothing where the item has no code list."""
        for each in self.code_lists:
            if each.code == item.code_list:
                return each.choices
        return ()

    def codes_of(self, item: Item) -> tuple[str, ...]:
        return tuple(choice.code for choice in self.choices_of(item))


def form_to_json(form: Form) -> dict[str, object]:
    """What ``json.dumps`` takes, with the number of the schema."""
    return {"schema": SCHEMA, **write(form)}


def form_from_json(data: object) -> Form:
    """The form in ``data``, or in a JSON text. Faulty with everything that cannot be read."""
    return read_whole(Form, data, SCHEMA)
