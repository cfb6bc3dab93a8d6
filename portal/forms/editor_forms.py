"""The settings of a part as fields: read from it, and taken back into it.

What is typed is kept as it is wherever it can be read again; publishing judges it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.forms.design_forms import language_name
from portal.forms.editor_words import APPEARANCES, KINDS, SEVERITIES
from portal.forms.rules.definition import (
    RESULTS,
    Appearance,
    Check,
    Form,
    Group,
    Item,
    Kind,
    Limits,
    Section,
    Severity,
    Source,
)
from portal.forms.rules.editing import of_kind
from portal.forms.rules.expressions import LONGEST
from portal.forms.rules.items import FITS
from portal.forms.rules.texts import Words
from portal.forms.rules.values import BadValue, Habits, to_json, typed

HABITS = Habits()
_AS_SENT = (
    *("unit", "code_list", "pattern", "rule", "required_if", "note"),
    *("decimals", "longest", "personal", "editable", "required"),
)


class RuleField(forms.CharField):
    """A rule; the page checks and tries it as it is typed."""

    is_rule = True

    def __init__(self, label: Any) -> None:
        attrs = {"rows": 2, "spellcheck": "false", "autocomplete": "off", "class": "rule__text"}
        super().__init__(
            label=label, required=False, max_length=LONGEST, widget=forms.Textarea(attrs)
        )


@dataclass(frozen=True)
class Block:
    """Fields that stand together under a heading."""

    title: Any
    fields: Sequence[Any]
    check: int | None = None
    """The number of the edit check that they are of."""
    open: bool = True


def _line(label: Any, help_text: Any = "", **options: Any) -> forms.CharField:
    options.setdefault("max_length", 1000)
    return forms.CharField(label=label, required=False, help_text=help_text, **options)


def _text(label: Any, rows: int = 2, help_text: Any = "") -> forms.CharField:
    attrs = {"rows": rows}
    return _line(label, help_text, max_length=20_000, widget=forms.Textarea(attrs=attrs))


def _number(label: Any, least: int, most: int) -> forms.IntegerField:
    attrs = {"inputmode": "numeric", "autocomplete": "off"}
    widget = forms.TextInput(attrs=attrs)
    return forms.IntegerField(
        label=label, required=False, min_value=least, max_value=most, widget=widget
    )


def _tick(label: Any, help_text: Any = "") -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, help_text=help_text)


def _choice(label: Any, choices: Any, *, empty: Any = "–") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, required=False, choices=[("", empty), *choices] if empty else list(choices)
    )


class PartForm(forms.Form):
    """The settings of one part of a form."""

    def __init__(self, data: Any, *, form: Form, part: Any, connectors: Sequence[str] = ()) -> None:
        super().__init__(data, auto_id="part_%s", label_suffix="")
        self.form, self.part, self.connectors = form, part, connectors
        self.blocks_of: list[tuple[Any, list[str], int | None, bool]] = []
        build = {Form: self._form, Section: self._section, Group: self._group, Item: self._item}
        build[type(part)]()

    @property
    def blocks(self) -> Iterator[Block]:
        for title, names, check, is_open in self.blocks_of:
            yield Block(title, [self[name] for name in names], check, is_open)

    # fields -----------------------------------------------------------------------------------

    def _block(
        self,
        title: Any,
        found: Mapping[str, tuple[forms.Field, Any]],
        check: int | None = None,
        *,
        closed: bool = False,
    ) -> None:
        for name, (made, initial) in found.items():
            self.fields[name] = made
            self.initial[name] = initial
        if found:
            given = any(initial for _, initial in found.values())
            self.blocks_of.append((title, list(found), check, given or not closed))

    def _words(self, key: str, label: Any, words: Words, rows: int = 1) -> dict[str, Any]:
        return {
            f"{key}.{language}": (
                _text(f"{label} · {language_name(language)}", rows),
                dict(words.by_language).get(language, ""),
            )
            for language in self.form.languages
        }

    def _form(self) -> None:
        self._block("", self._words("title", _("Title"), self.part.title))
        about = self._words("description", _("Description"), self.part.description, 3)
        self._block("", about)

    def _section(self) -> None:
        self._block("", self._words("title", _("Title"), self.part.title))
        self._block(_("Help"), self._words("help", _("Help"), self.part.help, 2), closed=True)
        shown = {"show_if": (RuleField(_("Show only if")), self.part.show_if)}
        self._block(_("When it is shown"), shown)

    def _group(self) -> None:
        self._block("", self._words("title", _("Title"), self.part.title))
        repeats = _tick(_("Repeats"), _("It has rows, as many as somebody adds."))
        rows: dict[str, Any] = {"repeats": (repeats, self.part.repeats)}
        if self.part.repeats:
            rows["rows_least"] = (_number(_("Rows at least"), 0, 1000), self.part.rows_least)
            rows["rows_most"] = (_number(_("Rows at most"), 0, 1000), self.part.rows_most)
        self._block(_("Rows"), rows)
        self._block(_("Help"), self._words("help", _("Help"), self.part.help, 2), closed=True)
        shown = {"show_if": (RuleField(_("Show only if")), self.part.show_if)}
        self._block(_("When it is shown"), shown)

    def _item(self) -> None:
        item: Item = self.part
        kind = _choice(pgettext_lazy("of an item", "Kind"), KINDS.items(), empty="")
        self._block("", {"kind": (kind, item.kind), **self._words("label", _("Label"), item.label)})
        self._block(_("What it holds"), self._fitting(self._holds(item)))
        if item.kind is Kind.COMPUTED:
            results = [(k.value, label) for k, label in KINDS.items() if k in RESULTS]
            self._block(
                _("What it is"),
                {
                    "result": (_choice(_("Kind of the result"), results), item.result or ""),
                    "rule": (RuleField(_("Rule")), item.rule),
                },
            )
        asked: dict[str, Any] = {
            "show_if": (RuleField(_("Show only if")), item.show_if),
            "required": (_tick(_("Must be answered")), item.required),
            "required_if": (RuleField(_("Must be answered if")), item.required_if),
        }
        self._block(_("When it is asked"), self._fitting(asked))
        self._checks(item)
        self._block(_("Where it comes from and goes to"), self._sources(item), closed=True)
        tick = _tick(_("Personal data"), _("Masked for those who may not see it."))
        more: dict[str, Any] = {"personal": (tick, item.personal)}
        if item.kind is not Kind.COMPUTED:
            by_hand = _tick(_("Can be edited"), _("Otherwise it is looked up, not typed."))
            more["editable"] = (by_hand, item.editable)
        note = _text(_("Note"), 2, _("For who designs and checks: to be confirmed by a …"))
        more |= {**self._words("help", _("Help"), item.help, 2), "note": (note, item.note)}
        self._block(_("Privacy, help and notes"), more)

    def _fitting(self, found: dict[str, Any]) -> dict[str, Any]:
        """Those that have a meaning for the item's kind."""
        kind = self.part.kind
        return {
            name: each
            for name, each in found.items()
            if kind in FITS.get(name.partition(".")[0], frozenset(Kind))
        }

    def _holds(self, item: Item) -> dict[str, Any]:
        lists = [(each.code, each.code) for each in self.form.code_lists]
        reasons = [(each.code, each.code) for each in self.form.missing_codes]
        several = forms.MultipleChoiceField(
            label=_("Reasons that may stand instead"),
            required=False,
            choices=reasons,
            widget=forms.CheckboxSelectMultiple,
        )
        limits, expected = item.limits or Limits(), item.expected or Limits()
        pattern = _line(_("Pattern"), _("Such as [A-Z]{2}\\d+"))
        found: dict[str, Any] = {
            "unit": (_line(_("Unit")), item.unit),
            "decimals": (_number(_("Decimals at most"), 0, 12), item.decimals),
            "code_list": (_choice(_("Code list"), lists), item.code_list),
            "appearance": (_choice(_("Shown as"), APPEARANCES.items()), item.appearance or ""),
            "limits.least": (_line(_("At least")), limits.least or ""),
            "limits.most": (_line(_("At most")), limits.most or ""),
            "expected.least": (_line(_("Expected from")), expected.least or ""),
            "expected.most": (_line(_("Expected to")), expected.most or ""),
            "longest": (_number(_("Characters at most"), 1, 20_000), item.longest),
            "pattern": (pattern, item.pattern),
            "default": (self._default(item), item.default),
        }
        if reasons:
            found["missing_codes"] = (several, list(item.missing_codes))
        return found

    def _default(self, item: Item) -> forms.Field:
        label = _("Answer to begin with")
        if item.kind is Kind.BOOLEAN:
            return _choice(label, [("true", _("Yes")), ("false", _("No"))])
        if item.kind is Kind.SINGLE_CHOICE:
            codes = [(each, each) for each in self.form.codes_of(item)]
            if item.default and item.default not in dict(codes):
                codes.append((item.default, item.default))
            return _choice(label, codes)
        if item.kind is Kind.MULTIPLE_CHOICE:
            return _text(label, 2, _("One code a line."))
        return _line(label)

    def _checks(self, item: Item) -> None:
        for number, check in enumerate(item.checks):
            key = f"check.{number}"
            self._block(
                _("Edit check %(code)s") % {"code": check.code},
                {
                    f"{key}.code": (_line(_("Code"), max_length=64), check.code),
                    f"{key}.when": (RuleField(_("Wrong if")), check.when),
                    f"{key}.severity": (
                        _choice(_("Then"), SEVERITIES.items(), empty=""),
                        check.severity,
                    ),
                    **self._words(f"{key}.message", _("What is said"), check.message),
                },
                number,
            )

    def _sources(self, item: Item) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, label, column in (
            ("first_value", _("First value from"), _("Field there")),
            ("written_to", _("Written to"), _("Field there ")),
        ):
            source: Source | None = getattr(item, key)
            names = list(self.connectors)
            if source is not None and source.connector not in names:
                names.append(source.connector)
            if names:
                choices = [(each, each) for each in names]
                found[f"{key}.connector"] = (
                    _choice(label, choices),
                    source.connector if source else "",
                )
                found[f"{key}.field"] = (_line(column), source.field if source else "")
        return self._fitting(found)

    # taking back ------------------------------------------------------------------------------

    def taken(self) -> Any:
        """The part with what was sent; the form is valid."""
        part = self.part
        if isinstance(part, Form):
            return replace(part, title=self._said("title"), description=self._said("description"))
        values: dict[str, Any] = {"help": self._said("help")}
        sent = self.cleaned_data
        values["show_if"] = sent["show_if"]
        if isinstance(part, Item):
            return self._taken_item(part, values)
        values["title"] = self._said("title")
        if isinstance(part, Group):
            values["repeats"] = sent["repeats"]
            for key in ("rows_least", "rows_most"):
                values[key] = sent.get(key) if sent["repeats"] else None
        return replace(part, **values)

    def _said(self, key: str) -> Words:
        texts = {each: self.cleaned_data.get(f"{key}.{each}", "") for each in self.form.languages}
        return Words.of({each: text for each, text in texts.items() if text})

    def _taken_item(self, item: Item, values: dict[str, Any]) -> Item:
        sent = self.cleaned_data
        if sent["kind"] and sent["kind"] != item.kind:
            return of_kind(item, Kind(sent["kind"]))
        values["label"] = self._said("label")
        readers: dict[str, Callable[[Any], Any]] = {
            **dict.fromkeys(_AS_SENT, lambda value: value),
            "appearance": lambda value: Appearance(value) if value else None,
            "result": lambda value: Kind(value) if value else None,
            "default": self._as_written,
            "missing_codes": tuple,
        }
        values |= {key: read(sent[key]) for key, read in readers.items() if key in sent}
        if values.get("required"):
            values["required_if"] = ""
        values |= self._taken_limits() | self._taken_sources()
        values["checks"] = tuple(
            self._taken_check(f"check.{number}", check) for number, check in enumerate(item.checks)
        )
        return replace(item, **values)

    def _taken_limits(self) -> dict[str, Limits | None]:
        sent, found = self.cleaned_data, {}
        for key in ("limits", "expected"):
            if f"{key}.least" in sent:
                ends = [self._as_written(sent[f"{key}.{end}"]) or None for end in ("least", "most")]
                found[key] = Limits(*ends) if any(ends) else None
        return found

    def _taken_sources(self) -> dict[str, Source | None]:
        sent, found = self.cleaned_data, {}
        for key in ("first_value", "written_to"):
            if f"{key}.connector" in sent:
                connector, column = sent[f"{key}.connector"], sent[f"{key}.field"]
                found[key] = Source(connector, column) if connector else None
        return found

    def _taken_check(self, key: str, check: Check) -> Check:
        sent = self.cleaned_data
        return Check(
            sent[f"{key}.code"] or check.code,
            sent[f"{key}.when"],
            self._said(f"{key}.message"),
            Severity(sent[f"{key}.severity"]),
        )

    def _as_written(self, text: str) -> str:
        """A value as the definition writes it, where it is one: ``3.5`` for ``3,5``."""
        if not text or text == "today":
            return text
        item = self.part
        if item.kind is Kind.COMPUTED:
            item = replace(item, kind=item.result or Kind.TEXT)
        try:
            value = to_json(typed(self.form, item, text, HABITS))
        except BadValue:
            return text
        if isinstance(value, bool):
            return "true" if value else "false"
        return value if isinstance(value, str) else text
