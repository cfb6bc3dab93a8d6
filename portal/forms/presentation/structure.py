"""What a page of a form is made of: plain values only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Widget(StrEnum):
    """How a field is filled in."""

    LINE = "line"
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    MOMENT = "moment"
    TICK = "tick"
    BUTTONS = "buttons"
    LIST = "list"
    TICKS = "ticks"
    FILE = "file"
    COMPUTED = "computed"
    SIGNATURE = "signature"


@dataclass(frozen=True)
class Option:
    """One choice of a field."""

    code: str
    label: str
    chosen: bool = False


@dataclass(frozen=True)
class Said:
    """A sentence beside a field. A soft one is confirmed by its ``key``."""

    text: str
    hard: bool
    key: str = ""


@dataclass(frozen=True)
class Field:
    """One question with its answer."""

    name: str
    """Its name on the page, as `portal.forms.fields` reads it."""
    code: str
    label: str
    kind: str
    widget: Widget
    help: str = ""
    unit: str = ""
    example: str = ""
    typed: str = ""
    """What stands in the field."""
    worded: str = ""
    """The answer as it is read; a reason for a missing value too."""
    options: tuple[Option, ...] = ()
    reasons: tuple[Option, ...] = ()
    """The reasons that may stand instead of a value."""
    reason: str = ""
    longest: int | None = None
    shown: bool = True
    required: bool = False
    missing: bool = False
    masked: bool = False
    editable: bool = True
    unsaved: bool = False
    """Whether it stands here as it was typed and not saved."""
    said: tuple[Said, ...] = ()

    @property
    def id(self) -> str:
        """What its parts on a page are called; a code has no character that is none of an id."""
        return self.name.replace(".", "-")

    @property
    def file(self) -> str:
        """The key of the file that was given as the answer."""
        key = self.typed.partition(" ")[0] if self.widget is Widget.FILE else ""
        return key if self.worded and key.isdecimal() else ""

    @property
    def grouped(self) -> bool:
        """Whether it has several controls, which one label cannot name."""
        return self.widget in (Widget.BUTTONS, Widget.TICKS)

    @property
    def open(self) -> bool:
        """Whether the reader may fill it in."""
        return (
            self.editable
            and not self.masked
            and self.widget not in (Widget.COMPUTED, Widget.SIGNATURE)
        )

    @property
    def hard(self) -> bool:
        return any(each.hard for each in self.said)


@dataclass(frozen=True)
class Row:
    """Fields that stand together; ``number`` is a repeating group's, as its fields' names have it,
    ``place`` counts from 1 in what is shown."""

    fields: tuple[Field, ...]
    number: int | None = None
    place: int = 1

    @property
    def shown(self) -> bool:
        return any(each.shown for each in self.fields)


@dataclass(frozen=True)
class Part:
    """Items in a row, or a group of them."""

    code: str
    title: str
    rows: tuple[Row, ...]
    help: str = ""
    repeats: bool = False
    more: bool = False
    """Whether a row may be added."""
    fewer: bool = False
    """Whether a row may be taken away."""
    said: tuple[Said, ...] = ()
    shown: bool = True
    next: str = ""
    """The field that a further row begins with: typed, even as nothing, it adds the row."""
    gone: str = ""
    """The numbers of the rows that were taken away and are not saved yet: ``0,3``."""

    @property
    def id(self) -> str:
        return f"part-{self.code}"

    @property
    def heads(self) -> tuple[Field, ...]:
        """The columns of a repeating group: the fields of its first row."""
        return self.rows[0].fields if self.rows else ()


@dataclass(frozen=True)
class SectionPage:
    """A block of the form, with how much of it is answered."""

    code: str
    number: int
    title: str
    parts: tuple[Part, ...]
    help: str = ""
    answered: int = 0
    required: int = 0
    wrong: int = 0

    @property
    def id(self) -> str:
        return f"section-{self.number}"

    @property
    def shown(self) -> bool:
        return any(part.shown for part in self.parts)

    @property
    def complete(self) -> bool:
        return self.answered == self.required and not self.wrong

    def fields(self) -> Iterator[Field]:
        return (each for part in self.parts for row in part.rows for each in row.fields)


@dataclass(frozen=True)
class Page:
    """A form as it is shown."""

    title: str
    language: str
    """That of its labels."""
    sections: tuple[SectionPage, ...]
    description: str = ""
    masked: bool = False
    answered: int = 0
    required: int = 0

    def parts(self) -> Iterator[Part]:
        return (part for section in self.sections for part in section.parts)

    def fields(self) -> Iterator[Field]:
        return (each for section in self.sections for each in section.fields())

    @property
    def shown(self) -> tuple[SectionPage, ...]:
        return tuple(each for each in self.sections if each.shown)

    def field(self, name: str) -> Field | None:
        return next((each for each in self.fields() if each.name == name), None)

    def label_of(self, name: str) -> str:
        """What people call an item or a group; its code where it has no name."""
        labels = {each.code: each.label for each in self.fields()}
        labels |= {part.code: part.title for part in self.parts() if part.code}
        return labels.get(name) or name


def plain(page: Page) -> dict[str, Any]:
    """What ``json.dumps`` takes: what is shown of the page."""
    return {
        **asdict(page),
        "sections": [
            {
                **asdict(section),
                "parts": [_plain_part(each) for each in section.parts if each.shown],
            }
            for section in page.shown
        ],
    }


def _plain_part(part: Part) -> dict[str, Any]:
    rows = [
        {"place": row.place, "fields": [_plain_field(each) for each in row.fields]}
        for row in part.rows
        if row.shown
    ]
    heads = [f"{each.label} ({each.unit})" if each.unit else each.label for each in part.heads]
    return {**asdict(part), "rows": rows, "heads": heads}


def _plain_field(each: Field) -> dict[str, Any]:
    return {**asdict(each), "widget": each.widget.value}
