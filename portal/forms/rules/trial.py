"""A rule tried as it is written: what is wrong with it, and what it gives with some values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rule_engine import ast

from portal.forms.rules.checking import check_rule
from portal.forms.rules.evaluation import evaluate
from portal.forms.rules.expressions import RuleError, names_in, parse
from portal.forms.rules.functions import literal
from portal.forms.rules.terms import Term, Terms, Type
from portal.forms.rules.values import (
    BadValue,
    Habits,
    Missing,
    Reference,
    date_typed,
    datetime_typed,
    number_typed,
    partial_typed,
    time_typed,
)

REASON = "!"
"""Before a missing-value code: this reason stands instead of a value."""
ROWS = ";"
"""Between the values of several rows, or several choices."""


@dataclass(frozen=True)
class Trial:
    """What came of it."""

    fault: RuleError | None = None
    names: tuple[str, ...] = ()
    """The names that it reads, as far as it can be read."""
    bad: Mapping[str, BadValue] = field(default_factory=dict)
    """Values that could not be read, by name."""
    result: Any = None
    """None: unknown."""


def tried(
    rule: str, terms: Terms, wanted: Type, typed: Mapping[str, str], today: date, habits: Habits
) -> Trial:
    """The rule checked, and worked out with what was typed for the names that it reads."""
    try:
        names = tuple(name for name in names_in(rule) if name in terms)
        check_rule(rule, terms, wanted)
    except RuleError as error:
        return Trial(error, _readable_names(rule, terms))
    values: dict[str, Any] = {}
    bad: dict[str, BadValue] = {}
    for name in names:
        try:
            values[name] = value_of(terms[name], typed.get(name, ""), habits)
        except BadValue as error:
            bad[name] = error
    try:
        return Trial(None, names, bad, evaluate(rule, terms, values, today))
    except RuleError as error:
        return Trial(error, names, bad)


def _readable_names(rule: str, terms: Terms) -> tuple[str, ...]:
    try:
        return tuple(name for name in names_in(rule) if name in terms)
    except RuleError:
        return ()


def value_of(term: Term, text: str, habits: Habits) -> Any:
    """What was typed for a name; empty is no value. BadValue."""
    text = text.strip()
    if term.group:
        return int(number_typed(text)) if text else None
    if term.column:
        return tuple(_one(term, each.strip(), habits) for each in text.split(ROWS)) if text else ()
    return _one(term, text, habits)


def _one(term: Term, text: str, habits: Habits) -> Any:  # noqa: C901 one line a type
    if not text:
        return None
    if text.startswith(REASON) and text[1:] in term.missing_codes:
        return Missing(text[1:])
    match term.type:
        case Type.NUMBER:
            return number_typed(text)
        case Type.DATE:
            return date_typed(text, day_first=habits.day_first)
        case Type.PARTIAL_DATE:
            return partial_typed(text, day_first=habits.day_first)
        case Type.TIME:
            return time_typed(text)
        case Type.DATETIME:
            return datetime_typed(text, habits)
        case Type.TRUTH:
            if text not in ("true", "false"):
                raise BadValue("not_in_list", text=text[:60])
            return text == "true"
        case Type.CHOICE:
            return _code(term, text)
        case Type.CHOICES:
            return tuple(_code(term, each.strip()) for each in text.split(ROWS))
        case Type.DOCUMENT:
            return Reference(text)
    return text


def _code(term: Term, text: str) -> str:
    if text not in term.codes:
        raise BadValue("not_in_list", text=text[:60])
    return text


# --- a condition chosen instead of written --------------------------------------------------------

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "answered", "missing", "includes")


def comparisons_for(term: Term) -> tuple[str, ...]:
    """What can be asked of a name."""
    if term.group:
        return ("==", "<", "<=", ">", ">=")
    if term.column:
        return ("includes",) if term.type is not Type.DOCUMENT else ()
    if term.type is Type.DOCUMENT:
        return ("answered", "missing")
    if term.type is Type.CHOICES:
        return ("includes", "answered", "missing")
    ordered = term.type not in (Type.TEXT, Type.CHOICE, Type.TRUTH)
    return ("==", "!=", *(("<", "<=", ">", ">=") if ordered else ()), "answered", "missing")


def condition(name: str, term: Term, how: str, text: str, habits: Habits) -> str:
    """The text of a rule for one comparison. BadValue for a value that cannot be written."""
    if how not in comparisons_for(term):
        raise BadValue("not_in_list", text=how[:60])
    if how in ("answered", "missing"):
        return f"answered({name})" if how == "answered" else f"not answered({name})"
    value = _written(term, text.strip(), habits)
    if how == "includes":
        return f"{value} in {name}"
    return f"{f'rows({name})' if term.group else name} {how} {value}"


def _written(term: Term, text: str, habits: Habits) -> str:
    """A value as the rule language writes it. BadValue."""
    if term.type is Type.DATE and text == "today":
        return text
    if term.type in (Type.CHOICE, Type.CHOICES):
        return f'"{_code(term, text)}"'
    if not text:
        raise BadValue("wrong_kind", kind=term.type)
    if term.type is Type.NUMBER:
        return f"{number_typed(text):f}"
    if term.type is Type.TRUTH:
        return "true" if _one(term, text, habits) else "false"
    if term.type in (Type.DATE, Type.PARTIAL_DATE):
        return f'date("{date_typed(text, day_first=habits.day_first).isoformat()}")'
    if term.type is Type.TIME:
        at = time_typed(text).strftime("%H:%M")
        literal("time", at)
        return f'time("{at}")'
    if term.type is Type.TEXT and not {'"', "\\"} & set(text):
        return f'"{text}"'
    raise BadValue("wrong_kind", kind=term.type)


def joined(rule: str, how: str, more: str) -> str:
    """The rule with one condition more, by ``and`` or ``or``."""
    rule = rule.strip()
    if not rule:
        return more
    try:
        tree = parse(rule)
    except RuleError:
        return f"({rule}) {how} {more}"
    alone = isinstance(tree, ast.LogicExpression) and tree.type != how
    weak = isinstance(tree, (ast.TernaryExpression, ast.CoalesceExpression))
    return f"({rule}) {how} {more}" if alone or weak else f"{rule} {how} {more}"
