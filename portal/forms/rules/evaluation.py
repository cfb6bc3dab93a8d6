"""What a rule gives, with three values: a missing value makes it *unknown* (None).

* ``and`` is false when one side is false, whatever the other; unknown when neither side is false
  and one is unknown. ``or`` likewise with true. ``not`` of unknown is unknown. (Kleene.)
* A comparison, a sum, a function with an unknown part is unknown.
* ``x in [a, b]`` is true when one equals ``x``; else unknown when one is unknown; else false.
* ``x ?? 0`` is ``x``, or 0 when ``x`` is unknown. ``answered(x)``, ``marked(x, "code")``,
  ``count(…)`` are never unknown.
* What cannot be worked out (a division by zero, a day that does not exist) is unknown.
* Partial dates are compared as the days they may be: *2026* against 3 March 2026 is unknown,
  *2025* is before it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import Any, Protocol

from rule_engine import ast

from portal.forms.rules.dates import PartialDate
from portal.forms.rules.expressions import RuleError, function_name, is_name, name_of, parse
from portal.forms.rules.functions import FUNCTIONS, GATHERINGS, LITERALS, literal
from portal.forms.rules.terms import Term, Terms
from portal.forms.rules.values import Missing

_RECKONING = Context(
    prec=28, Emax=999, Emin=-999, traps=[InvalidOperation, DivisionByZero, Overflow]
)
_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "tdiv": operator.truediv,
    "mod": operator.mod,
}
_COMPARISON: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


class Values(Protocol):
    """By name: a value, None or `Missing`; for a column a sequence of them; for a group its number
    of rows, None while it is unknown whether the group is shown. A name not there is missing."""

    def get(self, name: str, /) -> Any: ...


def evaluate(text: str, terms: Terms, values: Values, today: date) -> Any:
    """What the rule gives, or None: unknown. The rule was checked with the same ``terms``.

    RuleError when a value is not of its term's type; nothing else is ever raised.
    """
    with localcontext(_RECKONING):
        return _Evaluation(terms, values, today).value(parse(text))


def holds(text: str, terms: Terms, values: Values, today: date) -> bool:
    """Whether the rule is true. Unknown is not."""
    return evaluate(text, terms, values, today) is True


class _Evaluation:
    def __init__(self, terms: Terms, values: Values, today: date) -> None:
        self.terms, self.values, self.today = terms, values, today

    def value(self, node: Any) -> Any:  # noqa: C901 one line a kind of node
        """The value of a part; None when unknown; a tuple for a column."""
        match node:
            case _ if is_name(node):
                return self.named(name_of(node))
            case ast.ArrayExpression():
                return tuple(self.value(each) for each in node.value)
            case ast.LiteralExpressionBase():
                return node.value
            case ast.FunctionCallExpression():
                return self.call(function_name(node), list(node.arguments))
            case ast.LogicExpression():
                return self.joined(node)
            case ast.UnaryExpression():
                right = self.value(node.right)
                if right is None:
                    return None
                return not right if node.type == "not" else -right
            case ast.ComparisonExpression():
                return compared(node.type, self.value(node.left), self.value(node.right))
            case ast.ContainsExpression():
                return within(self.value(node.member), self.value(node.container))
            case ast.CoalesceExpression():
                return self.coalesced(node)
            case ast.TernaryExpression():
                condition = self.value(node.condition)
                if condition is None:
                    return None
                return self.value(node.case_true if condition else node.case_false)
            case ast.BinaryExpressionBase():
                left, right = self.value(node.left), self.value(node.right)
                return _or_unknown(_ARITHMETIC[node.type], left, right)
        raise RuleError("rule_form", what=type(node).__name__.removesuffix("Expression"))

    def raw(self, name: str) -> Any:
        """What stands under a name, with its reason when it is missing."""
        if name == "today":
            return self.today
        term = self.terms.get(name)
        if term is None:
            raise RuleError("unknown_name", name=name)
        found = self.values.get(name)
        if not term.column:
            return _fitting(name, term, found)
        if not isinstance(found, Sequence) or isinstance(found, str):
            found = ()
        return tuple(_fitting(name, term, each) for each in found)

    def named(self, name: str) -> Any:
        found = self.raw(name)
        term = self.terms.get(name)
        if term is not None and term.column:
            return tuple(_known(each) for each in found)
        return _known(found)

    def joined(self, node: Any) -> bool | None:
        """Kleene's ``and`` and ``or``: one side may decide alone."""
        deciding = node.type == "or"
        sides = (self.value(node.left), self.value(node.right))
        if deciding in sides:
            return deciding
        return None if None in sides else not deciding

    def coalesced(self, node: Any) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, tuple) and self._is_column(node.left):
            return tuple(right if each is None else each for each in left)
        return right if left is None else left

    def _is_column(self, node: Any) -> bool:
        if isinstance(node, ast.CoalesceExpression):
            return self._is_column(node.left)
        term = self.terms.get(name_of(node)) if is_name(node) else None
        return term is not None and term.column

    def call(self, name: str, arguments: list[Any]) -> Any:
        if name == "answered":
            return _known(self.raw(name_of(arguments[0]))) is not None
        if name == "marked":
            found = self.raw(name_of(arguments[0]))
            return isinstance(found, Missing) and found.code == arguments[1].value
        if name == "rows":
            rows = self.values.get(name_of(arguments[0]))
            return None if rows is None else Decimal(rows)
        if name in LITERALS:
            return literal(name, arguments[0].value)
        if name in GATHERINGS or name == "count":
            return self.gathered(name, arguments)
        return _or_unknown(FUNCTIONS[name].compute, *map(self.value, arguments))

    def gathered(self, name: str, arguments: list[Any]) -> Any:
        """Of a column, or of several values. Without any value ``sum`` is 0, the others unknown."""
        values = [self.value(node) for node in arguments]
        if len(arguments) == 1 and self._is_column(arguments[0]):
            values = list(values[0])
        if name == "count":
            return Decimal(sum(each is not None for each in values))
        if None in values or (not values and name != "sum"):
            return None
        return _or_unknown(GATHERINGS[name].compute, values)


def _known(value: Any) -> Any:
    """The value, or None when it is missing, with a reason or without."""
    return None if isinstance(value, Missing) else value


def _fitting(name: str, term: Term, value: Any) -> Any:
    if value is None or isinstance(value, Missing):
        return value
    if not term.holds(value):
        raise RuleError("wrong_value", name=name, wanted=term.type)
    return Decimal(value) if type(value) is int else value


def _or_unknown(compute: Callable[..., Any], *values: Any) -> Any:
    """Unknown when a value is unknown, or when there is no result."""
    if any(value is None for value in values):
        return None
    try:
        found = compute(*values)
    except (ArithmeticError, ValueError):
        return None
    return None if isinstance(found, Decimal) and not found.is_finite() else found


def compared(how: str, left: Any, right: Any) -> bool | None:
    """A comparison of two known or unknown values."""
    if left is None or right is None:
        return None
    if isinstance(left, PartialDate) or isinstance(right, PartialDate):
        return _days_compared(how, _span(left), _span(right))
    return _COMPARISON[how](left, right)


def _span(value: Any) -> tuple[date, date]:
    return (value.earliest, value.latest) if isinstance(value, PartialDate) else (value, value)


def _days_compared(how: str, left: tuple[date, date], right: tuple[date, date]) -> bool | None:
    """True or false when every day that both may be says so; else unknown."""
    if how in ("eq", "ne"):
        if left[1] < right[0] or right[1] < left[0]:
            return how == "ne"
        return how == "eq" if left == right and left[0] == left[1] else None
    if how in ("gt", "ge"):
        how, left, right = {"gt": "lt", "ge": "le"}[how], right, left
    earlier = _COMPARISON[how]
    if earlier(left[1], right[0]):
        return True
    return None if earlier(left[0], right[1]) else False


def within(member: Any, container: Any) -> bool | None:
    """Whether one of several equals ``member``."""
    if member is None or container is None:
        return None
    answers = [compared("eq", member, each) for each in container]
    if True in answers:
        return True
    return None if None in answers else False
