"""A sheet, or a form alone, made a page."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

from django.utils.translation import gettext as _

from portal.forms.fields import Typed, name_of, removed_rows
from portal.forms.presentation.structure import (
    Field,
    Option,
    Page,
    Part,
    Row,
    Said,
    SectionPage,
    Widget,
)
from portal.forms.rules.answers import Answers, At
from portal.forms.rules.definition import (
    Appearance,
    Choice,
    Form,
    Group,
    Item,
    Kind,
    Section,
    Severity,
)
from portal.forms.rules.filling import Filled, Finding
from portal.forms.rules.values import BadValue, Missing, Value
from portal.forms.selectors import ReadSheet
from portal.forms.services.sheets import finding_key
from portal.forms.words import as_typed, bad_value_in_words, finding_in_words, in_words

PAPER_ROWS = 4
"""As many rows of a repeating group are printed to be written in."""
MOST_BUTTONS = 6
"""More choices than these are a list (DR-096)."""


_WIDGETS: Mapping[Kind, Widget] = {
    Kind.TEXT: Widget.LINE,
    Kind.LONG_TEXT: Widget.TEXT,
    Kind.INTEGER: Widget.NUMBER,
    Kind.DECIMAL: Widget.NUMBER,
    Kind.DATE: Widget.DATE,
    Kind.PARTIAL_DATE: Widget.MOMENT,
    Kind.TIME: Widget.MOMENT,
    Kind.DATETIME: Widget.MOMENT,
    Kind.MULTIPLE_CHOICE: Widget.TICKS,
    Kind.FILE: Widget.FILE,
    Kind.COMPUTED: Widget.COMPUTED,
    Kind.SIGNATURE: Widget.SIGNATURE,
}
_TYPED = frozenset(Kind) - {Kind.COMPUTED, Kind.SIGNATURE}
_EXAMPLES = {
    Kind.PARTIAL_DATE: "31-01-2026, 01-2026, 2026",
    Kind.TIME: "09:30",
    Kind.DATETIME: "31-01-2026 09:30",
}


def language_among(form: Form, wanted: str) -> str:
    """The language of a form's labels for somebody who reads ``wanted``."""
    short = wanted.partition("-")[0]
    for each in (wanted, short):
        if each in form.languages:
            return each
    return form.languages[0] if form.languages else wanted


def present(
    read: ReadSheet,
    wanted: str,
    typed: Typed | None = None,
    faults: Mapping[str, BadValue] | None = None,
) -> Page:
    """A sheet for who reads ``wanted``; ``typed`` stands in the fields as it was typed, ``faults``
    says what of it could not be read. ``read`` has the answers with what was typed put in."""
    return _Presenting(
        read.form, wanted, read.answers, read.filled, typed or {}, faults or {}, read.masked
    ).page()


def blank(form: Form, wanted: str, answers: Answers | None = None, *, masked: bool = False) -> Page:
    """A form to be filled in on paper: every item, whatever shows it. ``answers``: what is known
    already, such as whose form it is."""
    return _Presenting(form, wanted, answers or Answers(), None, {}, {}, masked).page()


@dataclass
class _Presenting:
    form: Form
    wanted: str
    answers: Answers
    filled: Filled | None
    """None for paper to be filled in: everything is shown, nothing is wrong."""
    typed: Typed
    faults: Mapping[str, BadValue]
    masked: bool
    language: str = field(init=False)

    def __post_init__(self) -> None:
        self.language = language_among(self.form, self.wanted)
        self.removed = removed_rows(self.form, self.typed)
        self.numbers = {
            code: _numbers(self.removed.get(code, frozenset()), self.rows_of(group))
            for code, group in self.form.groups.items()
            if group.repeats
        }
        filled = self.filled
        self.shown = frozenset(filled.shown) if filled is not None else None
        self.required = frozenset(filled.required) if filled is not None else frozenset()
        self.missing = frozenset(filled.missing) if filled is not None else frozenset()
        self.findings: dict[At, list[Finding]] = {}
        for each in filled.findings if filled is not None else ():
            self.findings.setdefault(each.at, []).append(each)
        self.options = {
            each.code: tuple(Option(*pair) for pair in self.labels(each.choices))
            for each in self.form.code_lists
        }
        self.reasons = dict(self.labels(self.form.missing_codes))

    def labels(self, choices: Sequence[Choice]) -> list[tuple[str, str]]:
        return [(each.code, self.text(each.label)) for each in choices]

    def rows_of(self, group: Group) -> int:
        """How many rows are shown; on empty paper some to write in."""
        found = max(len(self.answers.rows.get(group.code, ())), group.rows_least or 0)
        if self.filled is None:
            return max(found, min(group.rows_most or PAPER_ROWS, PAPER_ROWS))
        return found

    def text(self, words: Any) -> str:
        return str(words.text(self.language, self.form.languages))

    def page(self) -> Page:
        sections = tuple(
            self.section(section, number) for number, section in enumerate(self.form.sections, 1)
        )
        done, asked = self.filled.completeness if self.filled is not None else (0, 0)
        return Page(
            title=self.text(self.form.title),
            description=self.text(self.form.description),
            language=self.language,
            sections=sections,
            masked=self.masked,
            answered=done,
            required=asked,
        )

    def section(self, section: Section, number: int) -> SectionPage:
        parts: list[Part] = []
        loose: list[Field] = []
        for part in section.parts:
            if isinstance(part, Item):
                loose.append(self.field(part, At(part.code)))
                continue
            if loose:
                parts.append(_part(loose))
                loose = []
            parts.append(self.group(part))
        if loose:
            parts.append(_part(loose))
        rows = [row for part in parts for row in part.rows]
        fields = [each for row in rows for each in row.fields if each.shown]
        required = [each for each in fields if each.required]
        return SectionPage(
            section.code,
            number,
            self.text(section.title),
            tuple(parts),
            self.text(section.help),
            answered=sum(not each.missing for each in required),
            required=len(required),
            wrong=sum(each.hard for each in fields),
        )

    def group(self, group: Group) -> Part:
        title, help_text = self.text(group.title), self.text(group.help)
        if not group.repeats:
            fields = tuple(self.field(item, At(item.code)) for item in group.items)
            return _part(fields, group.code, title, help_text)
        numbers, gone = self.numbers[group.code], sorted(self.removed.get(group.code, ()))
        rows = tuple(
            Row(
                tuple(self.field(item, At(item.code, index), number) for item in group.items),
                number,
                index + 1,
            )
            for index, number in enumerate(numbers)
        )
        return Part(
            group.code,
            title,
            rows,
            help_text,
            repeats=True,
            more=group.rows_most is None or len(rows) < group.rows_most,
            fewer=len(rows) > (group.rows_least or 0),
            said=self.said(At(group.code), group.code),
            shown=self.filled is None or group.code in self.filled.groups,
            next=self.next_of(group, {*numbers, *gone}),
            gone=",".join(map(str, gone)),
        )

    def next_of(self, group: Group, used: Collection[int]) -> str:
        """After every row that there ever was on this page: numbers are not used twice."""
        number = max(used, default=-1) + 1
        editable = [item for item in group.items if item.editable and item.kind in _TYPED]
        return name_of(self.form, At(editable[0].code, number)) if editable else ""

    def field(self, item: Item, at: At, number: int | None = None) -> Field:
        named = at if number is None else At(at.item, number)
        name = name_of(self.form, named)
        value = self.value(item, at)
        masked = item.personal and self.masked
        typed, reason, unsaved = self.standing(item, name, value)
        chosen = set(typed.split("\n"))
        return Field(
            name=name,
            code=item.code,
            label=self.text(item.label),
            kind=item.kind.value,
            widget=widget_of(self.form, item, unreadable=name in self.faults),
            help=self.text(item.help),
            unit=item.unit,
            example=_EXAMPLES.get(item.kind, ""),
            typed=typed,
            worded=in_words(self.form, item, value, self.language, mask=masked),
            options=tuple(
                Option(each.code, each.label, each.code in chosen) for each in self.offered(item)
            ),
            reasons=tuple(
                Option(code, self.reasons[code], code == reason)
                for code in item.missing_codes
                if code in self.reasons
            ),
            reason=reason,
            longest=item.longest,
            shown=self.shown is None or at in self.shown,
            required=at in self.required or (self.filled is None and item.required),
            missing=at in self.missing,
            masked=masked,
            editable=item.editable,
            unsaved=unsaved,
            said=self.said(at, name),
        )

    def offered(self, item: Item) -> tuple[Option, ...]:
        if item.holds is Kind.BOOLEAN:
            return (Option("true", _("Yes")), Option("false", _("No")))
        return self.options.get(item.code_list, ())

    def value(self, item: Item, at: At) -> Value | None:
        if item.kind is Kind.COMPUTED:
            return self.filled.values.get(at) if self.filled is not None else None
        return self.answers.get(self.form, at)

    def standing(self, item: Item, name: str, value: Value | None) -> tuple[str, str, bool]:
        """What stands in the field, which reason is chosen, and whether that is not saved yet."""
        typed = self.typed
        text = typed.get(name, as_typed(value))
        if item.kind is Kind.DATE and name in typed and name not in self.faults:
            text = as_typed(value)  # as the browser's picker takes it
        given = value.code if isinstance(value, Missing) else ""
        reason = typed.get(f"{name}!", given)
        return text, reason, name in typed or f"{name}!" in typed

    def said(self, at: At, name: str) -> tuple[Said, ...]:
        found = []
        if name in self.faults:
            found.append(Said(bad_value_in_words(self.faults[name]), hard=True))
        for each in self.findings.get(at, ()):
            text = finding_in_words(self.form, each, self.language)
            hard = each.severity is Severity.HARD
            found.append(Said(text, hard, "" if hard else finding_key(self.form, each)))
        return tuple(found)


def widget_of(form: Form, item: Item, *, unreadable: bool = False) -> Widget:
    """How an item is filled in; ``unreadable``: what was typed is no value, and must be seen."""
    if item.kind is Kind.DATE and unreadable:
        return Widget.MOMENT  # the browser's picker would show nothing of it
    if item.kind is Kind.BOOLEAN:
        if item.appearance is Appearance.TICK:
            return Widget.TICK
        return Widget.LIST if item.appearance is Appearance.LIST else Widget.BUTTONS
    if item.kind is Kind.SINGLE_CHOICE:
        if item.appearance is None:
            few = len(form.codes_of(item)) <= MOST_BUTTONS
            return Widget.BUTTONS if few else Widget.LIST
        return Widget.LIST if item.appearance is Appearance.LIST else Widget.BUTTONS
    return _WIDGETS[item.kind]


def _part(fields: Sequence[Field], code: str = "", title: str = "", help_text: str = "") -> Part:
    """Fields that stand once."""
    shown = any(each.shown for each in fields)
    return Part(code, title, (Row(tuple(fields)),), help_text, shown=shown)


def _numbers(removed: Collection[int], rows: int) -> list[int]:
    """The numbers of the rows that are left: those taken away keep theirs."""
    return list(islice((number for number in count() if number not in removed), rows))
