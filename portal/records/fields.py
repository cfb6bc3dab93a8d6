"""Form fields for what people type, in whatever language they read the portal (PT-046).

Amounts with comma or point, times of a 24-hour clock, days by the browser's own picker. Every form
with a number, a time or a day uses these.
"""

from __future__ import annotations

from datetime import time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from portal.typed import BadValue, number_typed, time_typed

_SAID = {
    "ambiguous": _("“%(text)s” can be read in two ways: write %(thousands)s or %(decimals)s."),
    "no_number": _("“%(text)s” is not a number."),
    "no_time": _("“%(text)s” is not a time; write it like 09:30."),
}


def parse_amount(text: str) -> float:
    """A number above or equal to zero, with decimal comma or point; spaces group digits.

    ValidationError for anything else, and for ``1.200``, which can be read in two ways.
    """
    try:
        value = number_typed(text)
    except BadValue as error:
        raise ValidationError(_SAID[error.code], error.code, error.facts) from error
    if value.is_signed():
        raise ValidationError(_SAID["no_number"], "no_number", {"text": text})
    return float(value)


def parse_clock(text: str) -> time:
    """``9:30``, ``09.30`` or ``0930``. ValidationError for anything else."""
    try:
        return time_typed(text)
    except BadValue as error:
        raise ValidationError(_SAID[error.code], error.code, error.facts) from error


class DateInput(forms.DateInput):
    """The browser's own date picker: it shows the day as the person's language has it."""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%d")


class AmountField(forms.CharField):
    """A number typed with decimal comma or point, as a float; None when empty."""

    def __init__(self, **options: Any) -> None:
        attrs = {"inputmode": "decimal", "autocomplete": "off"}
        options.setdefault("widget", forms.TextInput(attrs=attrs))
        options.setdefault("max_length", 30)
        super().__init__(**options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return parse_amount(text) if text else None

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, (int, float)):
            return number_format(f"{value:.6f}".rstrip("0").rstrip("."), force_grouping=False)
        return value


class ClockField(forms.CharField):
    """A time of day on a 24-hour clock, whatever the browser's own time field would show."""

    def __init__(self, **options: Any) -> None:
        attrs = {"inputmode": "numeric", "autocomplete": "off", "placeholder": "09:30"}
        options.setdefault("widget", forms.TextInput(attrs=attrs))
        options.setdefault("max_length", 10)
        super().__init__(**options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return parse_clock(text) if text else None

    def prepare_value(self, value: Any) -> Any:
        return f"{value:%H:%M}" if isinstance(value, time) else value
