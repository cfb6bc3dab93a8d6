"""What one item says of itself: whether its settings fit its kind, and whether a value fits it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from decimal import Decimal
from typing import Any

from portal.forms.rules.definition import (
    CHOICES,
    NUMBERS,
    RESULTS,
    TEXTS,
    Appearance,
    Form,
    Item,
    Kind,
    Limits,
)
from portal.forms.rules.faults import Fault, Place
from portal.forms.rules.patterns import PatternError, read_pattern
from portal.forms.rules.values import (
    LONGEST_LINE,
    LONGEST_TEXT,
    BadValue,
    Habits,
    Missing,
    Value,
    from_json,
    typed,
)

_LIMITED = NUMBERS | {Kind.DATE, Kind.TIME, Kind.DATETIME}
_TYPED_IN = frozenset(Kind) - {Kind.COMPUTED, Kind.FILE, Kind.SIGNATURE}
_ASKED = frozenset(Kind) - {Kind.COMPUTED}
_COMPUTED = frozenset({Kind.COMPUTED})
FITS: Mapping[str, frozenset[Kind]] = {
    "unit": NUMBERS | _COMPUTED,
    "decimals": frozenset({Kind.DECIMAL}) | _COMPUTED,
    "code_list": CHOICES | _COMPUTED,
    "appearance": CHOICES | {Kind.BOOLEAN},
    "limits": _LIMITED,
    "expected": _LIMITED | _COMPUTED,
    "longest": TEXTS,
    "pattern": frozenset({Kind.TEXT}),
    "required": _ASKED,
    "required_if": _ASKED,
    "rule": _COMPUTED,
    "result": _COMPUTED,
    "default": _TYPED_IN,
    "first_value": _TYPED_IN,
    "missing_codes": _ASKED,
}
"""Which settings have a meaning for which kinds; the others have one for all."""


def settings_faults(form: Form, item: Item, place: Place) -> Iterator[Fault]:
    """Every setting that does not fit the item's kind, or another setting."""
    given = {each.name for each in fields(item) if _given(item, each)}
    for key in sorted(given & FITS.keys()):
        if item.kind not in FITS[key]:
            yield Fault(place, "not_for_kind", {"key": key, "kind": item.kind})
    yield from _kind_faults(item, place)
    if item.required and item.required_if:
        yield Fault(place, "both_required")
    if item.decimals is not None and not 0 <= item.decimals <= 12:
        yield Fault(place, "bad_value", {"key": "decimals", "value": item.decimals})
    if item.longest is not None and not 1 <= item.longest <= LONGEST_TEXT:
        yield Fault(place, "bad_value", {"key": "longest", "value": item.longest})
    if item.pattern:
        yield from _pattern_faults(item.pattern, place)
    if item.default and item.kind in _TYPED_IN and _value(form, item, item.default) is None:
        yield Fault(place, "bad_value", {"key": "default", "value": item.default})
    for key, limits in (("limits", item.limits), ("expected", item.expected)):
        if limits is not None and item.holds in _LIMITED:
            yield from _limit_faults(form, item, key, limits, place)


def _given(item: Item, each: Any) -> bool:
    default = each.default if each.default is not MISSING else None
    return bool(getattr(item, each.name) != default)


def _kind_faults(item: Item, place: Place) -> Iterator[Fault]:
    if item.kind is Kind.COMPUTED:
        if not item.rule or item.result is None:
            yield Fault(place, "rule_needed")
        elif item.result not in RESULTS:
            yield Fault(place, "bad_value", {"key": "result", "value": item.result})
    if item.appearance is Appearance.TICK and item.kind is Kind.SINGLE_CHOICE:
        yield Fault(place, "not_for_kind", {"key": "appearance", "kind": item.kind})


def _pattern_faults(pattern: str, place: Place) -> Iterator[Fault]:
    try:
        read_pattern(pattern)
    except PatternError as error:
        facts = {"position": error.position + 1, "reason": error.reason}
        yield Fault(place, "bad_pattern", facts)


def _limit_faults(
    form: Form, item: Item, key: str, limits: Limits, place: Place
) -> Iterator[Fault]:
    ends: list[Any] = []
    for text in (limits.least, limits.most):
        if text is None or (text == "today" and item.holds in (Kind.DATE, Kind.DATETIME)):
            continue
        end = _value(form, item, text)
        if end is None:
            yield Fault(place, "bad_value", {"key": key, "value": text})
        else:
            ends.append(end)
    if len(ends) == 2 and ends[0] > ends[1]:
        facts = {"least": limits.least, "most": limits.most}
        yield Fault(place, "limits_crossed", facts)


def _value(form: Form, item: Item, text: str) -> Value | None:
    """A value that a designer wrote; None for what is none."""
    try:
        if item.holds in NUMBERS:
            return from_json(form, item, text)
        return typed(form, item, text, Habits())
    except BadValue:
        return None


@dataclass(frozen=True)
class Misfit:
    """A value outside what its item allows: a code, the facts, and whether it may stand."""

    code: str
    facts: Mapping[str, object] = field(default_factory=dict, hash=False)
    soft: bool = False


def misfits(form: Form, item: Item, value: Value, today: date) -> Iterator[Misfit]:
    """Everything about a value that its item does not allow, or does not expect."""
    if isinstance(value, Missing):
        if value.code not in item.missing_codes:
            yield Misfit("not_in_list", {"text": value.code})
        return
    if isinstance(value, str) and item.kind in TEXTS:
        yield from _text_misfits(item, value)
    elif isinstance(value, Decimal):
        yield from _number_misfits(item, value)
    elif item.holds in CHOICES:
        chosen = value if isinstance(value, tuple) else (value,)
        unknown = [each for each in chosen if each not in form.codes_of(item)]
        if unknown:
            yield Misfit("not_in_list", {"text": ", ".join(map(str, unknown))})
    for limits, soft in ((item.limits, False), (item.expected, True)):
        if limits is not None and item.holds in _LIMITED:
            yield from _limit_misfits(form, item, limits, value, today, soft=soft)


def _text_misfits(item: Item, value: str) -> Iterator[Misfit]:
    longest = item.longest or (LONGEST_LINE if item.kind is Kind.TEXT else LONGEST_TEXT)
    if len(value) > longest:
        yield Misfit("too_long", {"most": longest})
    elif item.pattern and not read_pattern(item.pattern).matches(value):
        yield Misfit("pattern", {"pattern": item.pattern})


def _number_misfits(item: Item, value: Decimal) -> Iterator[Misfit]:
    if item.kind is Kind.INTEGER and value != value.to_integral_value():
        yield Misfit("not_whole")
    exponent = value.normalize().as_tuple().exponent
    digits = -exponent if isinstance(exponent, int) else 0
    if item.kind is Kind.DECIMAL and item.decimals is not None and digits > item.decimals:
        yield Misfit("too_many_decimals", {"most": item.decimals})


def _limit_misfits(
    form: Form, item: Item, limits: Limits, value: Value, today: date, *, soft: bool
) -> Iterator[Misfit]:
    beyond: tuple[tuple[str | None, str, Callable[[Any, Any], bool]], ...] = (
        (limits.least, "too_low", lambda v, end: v < end),
        (limits.most, "too_high", lambda v, end: v > end),
    )
    for text, code, outside in beyond:
        if text is None:
            continue
        if text == "today":
            found: Any = value.date() if item.holds is Kind.DATETIME else value  # type: ignore[union-attr]
            end: Any = today
        else:
            found, end = value, _value(form, item, text)
        if end is not None and outside(found, end):
            yield Misfit(code, {"limit": text, "unit": item.unit}, soft)
