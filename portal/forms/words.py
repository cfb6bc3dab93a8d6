"""What forms say to people: values as their language writes them, and a sentence for every fault.

Labels and messages of a form are the designer's, in the form's own languages; numbers, dates and
the sentences here follow the language that is active.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format, get_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from portal.forms.rules.dates import PartialDate
from portal.forms.rules.definition import Form, Item, Kind, Severity
from portal.forms.rules.filling import Finding
from portal.forms.rules.values import BadValue, Habits, Missing, Reference, Value, typed
from portal.records.personal import HIDDEN, Masked
from portal.typed import number_typed

BAD_VALUES: Mapping[str, Any] = {
    "ambiguous": lazy("“%(text)s” can be read in two ways: write %(thousands)s or %(decimals)s."),
    "no_number": lazy("“%(text)s” is not a number."),
    "not_whole": lazy("“%(text)s” is not a whole number."),
    "no_date": lazy("“%(text)s” is not a date; write it like 31-01-2026."),
    "no_time": lazy("“%(text)s” is not a time; write it like 09:30."),
    "no_datetime": lazy("“%(text)s” is not a date with a time; write it like 31-01-2026 09:30."),
    "not_in_list": lazy("“%(text)s” is not one of the choices."),
    "wrong_kind": lazy("This cannot stand here."),
}
"""What was typed and is no value of its item, by the code of the `BadValue`."""

FINDINGS: Mapping[str, tuple[Any, Any]] = {
    "too_low": (
        lazy("The lowest value allowed is %(limit)s."),
        lazy("This is lower than expected (%(limit)s). Is it right?"),
    ),
    "too_high": (
        lazy("The highest value allowed is %(limit)s."),
        lazy("This is higher than expected (%(limit)s). Is it right?"),
    ),
    "too_long": (lazy("At most %(most)s characters."), ""),
    "pattern": (lazy("This is not written as it should be: %(pattern)s"), ""),
    "not_whole": (lazy("Only a whole number can stand here."), ""),
    "too_many_decimals": (lazy("At most %(most)s digits behind the comma."), ""),
    "not_in_list": (lazy("“%(text)s” is not one of the choices."), ""),
    "too_many_rows": (lazy("At most %(most)s rows; there are %(found)s."), ""),
}
"""What is said of a value outside what its item allows: where it is refused, and where it may
stand. A check says the designer's own words."""

HIDDEN_FINDINGS: Mapping[Severity, Any] = {
    Severity.HARD: lazy("There is something wrong with this answer, which you may not see."),
    Severity.SOFT: lazy("There is a question about this answer, which you may not see."),
}


# --- values ---------------------------------------------------------------------------------------


def in_words(
    form: Form, item: Item, value: Value | None, language: str, *, mask: bool = False
) -> str:
    """A value as people read it; '' for none. ``language``: of the form's labels."""
    if value is None:
        return ""
    if mask or isinstance(value, Masked):
        return HIDDEN
    if isinstance(value, Missing):
        return label_of(form.missing_codes, value.code, form, language)
    if isinstance(value, tuple):
        choices = form.choices_of(item)
        return ", ".join(label_of(choices, code, form, language) for code in value)
    if item.holds is Kind.SINGLE_CHOICE:
        return label_of(form.choices_of(item), str(value), form, language)
    return _plain(value)


def label_of(choices: Any, code: str, form: Form, language: str) -> str:
    """The label of a code; the code itself where it is none of the choices."""
    for choice in choices:
        if choice.code == code:
            return str(choice.label.text(language, form.languages)) or code
    return code


def _plain(value: Value) -> str:
    match value:
        case bool():
            return _("yes") if value else _("no")
        case Decimal():
            return str(number_format(value, use_l10n=True, force_grouping=False))
        case datetime():
            return moment_in_words(value)
        case date():
            return date_format(value, "SHORT_DATE_FORMAT")
        case time():
            return f"{value:%H:%M}"
        case PartialDate(year, None, _):
            return f"{year:04}"
        case PartialDate(year, month, None):
            return f"{month:02}-{year:04}"
        case PartialDate():
            return date_format(value.earliest, "SHORT_DATE_FORMAT")
        case Reference():
            return value.name or value.key
    return str(value)


def moment_in_words(value: datetime) -> str:
    """Day and clock in the site's zone."""
    return date_format(timezone.localtime(value), "SHORT_DATETIME_FORMAT")


def as_typed(value: Value | None) -> str:
    """A value as one would type it: read again it is the same value."""
    if isinstance(value, date | time | PartialDate):
        return _moment_as_typed(value)
    match value:
        case None | Missing() | Masked():
            return ""
        case bool():
            return "true" if value else "false"
        case tuple():
            return "\n".join(value)
        case Decimal():
            return _number_as_typed(value)
        case Reference():
            return f"{value.key} {value.name}"
    return str(value)


def _moment_as_typed(value: date | time | PartialDate) -> str:
    match value:
        case datetime():
            return f"{timezone.localtime(value):%d-%m-%Y %H:%M}"
        case date():
            return value.isoformat()
        case time():
            return f"{value:%H:%M}"
        case PartialDate(year, int(month), int(day)):
            return f"{day:02}-{month:02}-{year:04}"
        case PartialDate(year, int(month), None):
            return f"{month:02}-{year:04}"
    return str(value)


def _number_as_typed(value: Decimal) -> str:
    """With every digit, in a way that cannot be read in two ways: ``1.2``, and not ``1.200``."""
    text = f"{value:f}"
    try:
        number_typed(text)
    except BadValue as error:
        text = str(error.facts.get("decimals", text))
    return text.replace(".", get_format("DECIMAL_SEPARATOR"))


# --- what is wrong --------------------------------------------------------------------------------


def bad_value_in_words(error: BadValue) -> str:
    """What is said beside a field of which the text is no value."""
    return str(BAD_VALUES[error.code]) % error.facts


def finding_in_words(form: Form, finding: Finding, language: str) -> str:
    """What is said beside an answer that does not fit, or at which a check fired."""
    if finding.message:
        return finding.message.text(language, form.languages)
    if not finding.facts and finding.code != "not_whole":
        return str(HIDDEN_FINDINGS[finding.severity])
    hard, soft = FINDINGS[finding.code]
    sentence = (finding.severity is Severity.SOFT and soft) or hard
    facts = dict(finding.facts)
    if "limit" in facts:
        facts["limit"] = limit_in_words(form, form.spots[finding.at.item].item, str(facts["limit"]))
    return str(sentence) % facts


def limit_in_words(form: Form, item: Item, limit: str) -> str:
    """A limit as its item's values are read, with the unit."""
    if limit == "today":
        return _("today")
    holds = item.holds
    if holds in (Kind.INTEGER, Kind.DECIMAL):
        words = _plain(Decimal(limit))
    else:
        value = typed(form, item, limit, Habits(zone=timezone.get_current_timezone()))
        words = _plain(value) if value is not None else limit
    return f"{words} {item.unit}".strip()
