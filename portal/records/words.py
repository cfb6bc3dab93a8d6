"""A field's value as a page has it: choices, names and times instead of codes and keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from django.db.models import Field, Model
from django.utils import timezone
from django.utils.formats import date_format, localize
from django.utils.translation import gettext as _

from portal.records.personal import Masked

LONGEST = 300


def in_words(value: Any, choices: Mapping[Any, Any] | None = None) -> str:
    """``choices`` maps codes to labels; '' for nothing, and a mask stays a mask."""
    if isinstance(value, Masked):
        return value
    if value is None or value == "":
        return ""
    if isinstance(value, Model):
        return str(value)  # which masks what is personal
    if isinstance(value, list | tuple | set) or hasattr(value, "iterator"):
        return ", ".join(in_words(item, choices) for item in value)
    if choices and (label := choices.get(value, choices.get(str(value)))) is not None:
        return str(label)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {in_words(each)}" for name, each in value.items())
    text = _plain(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value, "SHORT_DATE_FORMAT")
    if isinstance(value, memoryview | bytes):
        return _("%(size)s bytes") % {"size": len(value)}
    return str(localize(value))


def choices_of(field: Field) -> dict[Any, Any]:
    """The labels of a model field's choices, or of those of an array's items."""
    base = getattr(field, "base_field", field)
    return dict(base.flatchoices) if base.choices else {}


def flat(choices: Iterable[Any]) -> dict[Any, Any]:
    """The labels of a form field's choices; groups are opened. Keys as the form has them."""
    labels: dict[Any, Any] = {}
    for value, label in choices:
        if isinstance(label, list | tuple):
            labels.update(flat(label))
        else:
            labels[value] = label
    return labels
