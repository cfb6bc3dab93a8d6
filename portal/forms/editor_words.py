"""The editor's words for what forms are made of, and for the rule language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.forms.rules.definition import Appearance, Kind, Severity
from portal.forms.rules.difference import Risk

KINDS: Mapping[Kind, Any] = {
    Kind.TEXT: _("text"),
    Kind.LONG_TEXT: _("long text"),
    Kind.INTEGER: _("whole number"),
    Kind.DECIMAL: _("decimal number"),
    Kind.DATE: _("date"),
    Kind.PARTIAL_DATE: _("partial date"),
    Kind.TIME: _("time"),
    Kind.DATETIME: _("date with time"),
    Kind.BOOLEAN: _("yes or no"),
    Kind.SINGLE_CHOICE: _("one choice"),
    Kind.MULTIPLE_CHOICE: _("several choices"),
    Kind.FILE: _("file"),
    Kind.COMPUTED: _("computed"),
    Kind.SIGNATURE: _("signature"),
}
APPEARANCES: Mapping[Appearance, Any] = {
    Appearance.TICK: _("ticks"),
    Appearance.BUTTONS: _("buttons"),
    Appearance.LIST: _("list"),
}
SEVERITIES: Mapping[Severity, Any] = {
    Severity.SOFT: _("ask for a look; it may stand"),
    Severity.HARD: _("refuse it"),
}
RISKS: Mapping[Risk, Any] = {
    Risk.REMOVED: _("answers have no place any more"),
    Risk.KIND_CHANGED: _("answers are of another kind"),
    Risk.UNIT_CHANGED: _("the same number means another amount"),
    Risk.CODE_REMOVED: _("answers may name a choice that is gone"),
    Risk.NARROWED: _("answers may lie outside the new limits"),
    Risk.ROWS_CHANGED: _("one answer became rows, or rows one answer"),
    Risk.HIDDEN: _("answers may be hidden, and count no more"),
    Risk.RECOMPUTED: _("computed values become others"),
}
PARTS: Mapping[str, Any] = {
    "form": _("Form"),
    "section": _("Section"),
    "group": _("Group"),
    "item": _("Item"),
}
RULES: Mapping[str, Any] = {
    "show_if": _("shown only if"),
    "required_if": _("must be answered if"),
    "rule": _("rule"),
}
CHANGES: Mapping[str, Any] = {
    "added": _("added"),
    "removed": _("removed"),
    "changed": _("changed"),
}
COMPARISONS: Mapping[str, Any] = {
    "==": pgettext_lazy("comparison", "is"),
    "!=": pgettext_lazy("comparison", "is not"),
    "<": _("is less than"),
    "<=": _("is at most"),
    ">": _("is more than"),
    ">=": _("is at least"),
    "answered": _("is answered"),
    "missing": _("is not answered"),
    "includes": _("includes"),
}
FUNCTIONS: Mapping[str, tuple[str, Any]] = {
    "age": ("age(born, at)", _("whole years between two dates")),
    "years_between": ("years_between(from, to)", _("whole years between two dates")),
    "months_between": ("months_between(from, to)", _("whole months between two dates")),
    "days_between": ("days_between(from, to)", _("days between two dates")),
    "minutes_between": ("minutes_between(from, to)", _("whole minutes between two moments")),
    "add_days": ("add_days(date, n)", _("the date n days later")),
    "add_months": ("add_months(date, n)", _("the date n months later")),
    "date_of": ("date_of(moment)", _("the day of a date with time")),
    "time_of": ("time_of(moment)", _("the clock of a date with time")),
    "year_of": ("year_of(date)", _("the year of a date")),
    "earliest": ("earliest(date)", _("the first day that a partial date may be")),
    "latest": ("latest(date)", _("the last day that a partial date may be")),
    "round": ("round(x, digits)", _("rounded half up")),
    "floor": ("floor(x)", _("the whole number below")),
    "ceiling": ("ceiling(x)", _("the whole number above")),
    "abs": ("abs(x)", _("without its sign")),
    "sqrt": ("sqrt(x)", _("the square root")),
    "power": ("power(x, n)", _("x to the power n")),
    "exp": ("exp(x)", _("e to the power x")),
    "ln": ("ln(x)", _("the natural logarithm")),
    "log10": ("log10(x)", _("the logarithm to the base 10")),
    "length": ("length(text)", _("how many characters")),
    "chosen": ("chosen(choices)", _("how many choices")),
    "sum": ("sum(a, b, …)", _("the sum, of values or of an item in all rows")),
    "mean": ("mean(a, b, …)", _("the mean")),
    "min": ("min(a, b, …)", _("the least")),
    "max": ("max(a, b, …)", _("the greatest")),
    "count": ("count(a, b, …)", _("how many are answered")),
    "answered": ("answered(item)", _("whether there is an answer")),
    "marked": ('marked(item, "code")', _("whether this reason stands instead of an answer")),
    "rows": ("rows(group)", _("how many rows the group has")),
    "date": ('date("2026-01-31")', _("a fixed date")),
    "time": ('time("09:30")', _("a fixed time")),
}
"""Every function of the language: how it is written, and what it gives."""
