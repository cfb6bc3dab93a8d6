"""Whether a rule makes sense: every name exists, every type fits, every code is in its list."""

from __future__ import annotations

from typing import Any

from rule_engine import ast

from portal.forms.rules.expressions import RuleError, function_name, is_name, name_of, parse
from portal.forms.rules.functions import FUNCTIONS, GATHERINGS, LITERALS, ON_MISSING, literal
from portal.forms.rules.terms import Term, Terms, Type

_TEXTS = {Type.TEXT, Type.CHOICE}
_DATES = {Type.DATE, Type.PARTIAL_DATE}
_ORDERED = {Type.NUMBER, Type.DATE, Type.PARTIAL_DATE, Type.TIME, Type.DATETIME}


def type_of_rule(text: str, terms: Terms) -> Term:
    """The type that a rule gives, with these names. RuleError says what does not fit."""
    return _single(_Checker(terms), parse(text))


def check_rule(text: str, terms: Terms, wanted: Type) -> None:
    """RuleError unless the rule gives what is wanted of it there."""
    found = type_of_rule(text, terms).type
    if found is not wanted and {found, wanted} != _TEXTS:
        raise RuleError("rule_result", found=found, wanted=wanted)


def _single(checker: _Checker, node: Any) -> Term:
    """The type of a part that has one value, not one for every row."""
    term = checker.term(node)
    if term.column:
        raise RuleError("column", what=_described(node))
    return term


class _Checker:
    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._found: dict[int, Term] = {}

    def term(self, node: Any) -> Term:
        """The type of a part of a rule; asked again, it is not worked out again.

        Without that a part would be worked out twice on every level above it: 2 to the 60th.
        """
        if id(node) not in self._found:
            self._found[id(node)] = self._term(node)
        return self._found[id(node)]

    def _term(self, node: Any) -> Term:  # noqa: C901 one line a kind of node
        match node:
            case _ if is_name(node):
                return self.name(name_of(node))
            case ast.BooleanExpression():
                return Term(Type.TRUTH)
            case ast.FloatExpression():
                return Term(Type.NUMBER)
            case ast.StringExpression():
                return Term(Type.TEXT)
            case ast.FunctionCallExpression():
                return self.call(function_name(node), list(node.arguments))
            case ast.LogicExpression():
                self.all_are(Type.TRUTH, node.left, node.right)
                return Term(Type.TRUTH)
            case ast.UnaryExpression():
                wanted = Type.TRUTH if node.type == "not" else Type.NUMBER
                self.all_are(wanted, node.right)
                return Term(wanted)
            case ast.ComparisonExpression():
                self.comparison(node)
                return Term(Type.TRUTH)
            case ast.ContainsExpression():
                self.membership(node)
                return Term(Type.TRUTH)
            case ast.CoalesceExpression():
                return self.coalesced(node)
            case ast.TernaryExpression():
                self.all_are(Type.TRUTH, node.condition)
                return self.same(node.case_true, node.case_false)
            case ast.BinaryExpressionBase():
                return self.arithmetic(node)
        raise RuleError("rule_form", what=type(node).__name__.removesuffix("Expression"))

    def name(self, name: str) -> Term:
        if name == "today":
            return Term(Type.DATE)
        if name not in self.terms or self.terms[name].group:
            raise RuleError("unknown_name", name=name)
        return self.terms[name]

    def all_are(self, wanted: Type, *nodes: Any) -> None:
        for node in nodes:
            if (found := _single(self, node).type) is not wanted:
                raise RuleError("wrong_type", what=_described(node), wanted=wanted, found=found)

    def arithmetic(self, node: Any) -> Term:
        if node.type == "add" and _single(self, node.left).type in _TEXTS:
            if (found := _single(self, node.right).type) not in _TEXTS:
                what = _described(node.right)
                raise RuleError("wrong_type", what=what, wanted=Type.TEXT, found=found)
            return Term(Type.TEXT)
        self.all_are(Type.NUMBER, node.left, node.right)
        return Term(Type.NUMBER)

    def comparison(self, node: Any) -> None:
        left, right = _single(self, node.left), _single(self, node.right)
        known = left.type not in (Type.CHOICES, Type.DOCUMENT)
        ordered = node.type in ("eq", "ne") or left.type in _ORDERED
        if not (known and ordered and _alike(left.type, right.type)):
            raise RuleError("not_comparable", left=left.type, right=right.type)
        self.codes(node.left, node.right)
        self.codes(node.right, node.left)

    def codes(self, name: Any, constant: Any) -> None:
        """A choice is compared with a code that it has."""
        term = self.term(name)
        if term.type not in (Type.CHOICE, Type.CHOICES) or not isinstance(
            constant, ast.StringExpression
        ):
            return
        if constant.value not in term.codes:
            facts = {"name": _described(name), "allowed": ", ".join(term.codes)}
            raise RuleError("not_a_code", code=constant.value, **facts)

    def membership(self, node: Any) -> None:
        """``"x" in choices``, ``item in ["a", "b"]``, ``3 in column``."""
        member = _single(self, node.member)
        if isinstance(node.container, ast.ArrayExpression):
            for each in node.container.value:
                if not _alike(member.type, (found := _single(self, each).type)):
                    raise RuleError("not_comparable", left=member.type, right=found)
                self.codes(node.member, each)
            return
        within = self.term(node.container)
        inside = Type.CHOICE if within.type is Type.CHOICES else within.type
        if not (within.column or within.type is Type.CHOICES) or not _alike(member.type, inside):
            raise RuleError("not_comparable", left=member.type, right=within.type)
        self.codes(node.container, node.member)

    def coalesced(self, node: Any) -> Term:
        left, right = self.term(node.left), _single(self, node.right)
        if left.type is Type.DOCUMENT or not _alike(left.type, right.type):
            raise RuleError("not_comparable", left=left.type, right=right.type)
        self.codes(node.left, node.right)
        return left

    def same(self, one: Any, other: Any) -> Term:
        left, right = _single(self, one), _single(self, other)
        if left.type is not right.type and not {left.type, right.type} <= _TEXTS:
            raise RuleError("not_comparable", left=left.type, right=right.type)
        return left if left == right else Term(Type.TEXT if left.type in _TEXTS else left.type)

    def call(self, name: str, arguments: list[Any]) -> Term:
        if name in GATHERINGS or name == "count":
            return self.gathering(name, arguments)
        if name in LITERALS:
            return self.literal(name, arguments)
        if name in ON_MISSING:
            return self.on_missing(name, arguments)
        function = FUNCTIONS.get(name)
        if function is None:
            raise RuleError("unknown_function", name=name)
        _count(name, arguments, len(function.takes))
        for node, wanted in zip(arguments, function.takes, strict=True):
            if (found := _single(self, node).type) not in wanted:
                facts = {"what": _described(node), "wanted": " or ".join(sorted(wanted))}
                raise RuleError("wrong_type", found=found, **facts)
        return Term(function.gives)

    def gathering(self, name: str, arguments: list[Any]) -> Term:
        """``sum(column)`` or ``sum(a, b, c)``."""
        if not arguments:
            raise RuleError("wrong_count", name=name, wanted="one or more", found=0)
        terms = [self.term(node) for node in arguments]
        if len(terms) > 1:
            terms = [_single(self, node) for node in arguments]
        if name == "count":
            return Term(Type.NUMBER)
        gathering = GATHERINGS[name]
        for node, term in zip(arguments, terms, strict=True):
            if term.type not in gathering.takes or term.type is not terms[0].type:
                wanted = " or ".join(sorted(gathering.takes))
                what = _described(node)
                raise RuleError("wrong_type", what=what, wanted=wanted, found=term.type)
        return Term(gathering.gives or terms[0].type)

    def literal(self, name: str, arguments: list[Any]) -> Term:
        _count(name, arguments, 1)
        kind, example = LITERALS[name]
        try:
            literal(name, arguments[0].value)
        except (ValueError, AttributeError, TypeError) as error:
            raise RuleError("literal_needed", name=name, example=example) from error
        return Term(kind)

    def on_missing(self, name: str, arguments: list[Any]) -> Term:
        _count(name, arguments, 2 if name == "marked" else 1)
        if not is_name(arguments[0]):
            raise RuleError("rule_form", what=f"{name}() of something that is no item")
        read = name_of(arguments[0])
        if name == "rows":
            if read not in self.terms or not self.terms[read].group:
                raise RuleError("unknown_name", name=read)
            return Term(Type.NUMBER)
        term = _single(self, arguments[0])
        if name == "marked":
            code = getattr(arguments[1], "value", None)
            if code not in term.missing_codes:
                allowed = ", ".join(term.missing_codes)
                raise RuleError("not_a_code", code=code, name=read, allowed=allowed)
        return Term(ON_MISSING[name])


def _alike(left: Type, right: Type) -> bool:
    return left is right or {left, right} in (_TEXTS, _DATES)


def _count(name: str, arguments: list[Any], wanted: int) -> None:
    if len(arguments) != wanted:
        raise RuleError("wrong_count", name=name, wanted=wanted, found=len(arguments))


def _described(node: Any) -> str:
    """A part of a rule, for a message: its name, its function, or its constant."""
    if is_name(node):
        return name_of(node)
    if isinstance(node, ast.FunctionCallExpression):
        return f"{function_name(node)}()"
    return f"“{node.value}”" if isinstance(node, ast.LiteralExpressionBase) else "a part"
