"""The rule language: its grammar, its limits, and a rule that was read.

The grammar is that of `rule_engine`, less everything a form has no use for: no attributes of
Python objects (a dot only joins two names, ``precrf.A49``), no subscripts, no comprehensions, no
regular expressions, no powers, no bytes, no ``null``. What stays is compared, reckoned and joined
in `evaluation.py`, with three values: true, false and *unknown*. `rule_engine`'s own evaluation is
not used: there a missing value equals a missing value, ``not`` of a missing value is true, and
values of different types differ silently.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import rule_engine
from rule_engine import ast
from rule_engine.errors import EngineError, RuleSyntaxError
from rule_engine.parser import Parser

from portal.forms.rules.faults import Fault, Place

LONGEST = 2_000
"""The most characters of a rule."""
MOST_TOKENS = 400
DEEPEST = 60
"""The most levels of operators and brackets in one another."""
LONGEST_NUMBER = 24
RESERVED = frozenset(
    {"and", "or", "not", "in", "for", "if", "elif", "else", "while"}
    | {"true", "false", "null", "inf", "nan", "today"}
)
"""Words that no item may be called."""

_ALLOWED = frozenset(
    {"TRUE", "FALSE", "FLOAT", "STRING", "SYMBOL", "ATTR", "AND", "OR", "NOT", "IN", "COALESCE"}
    | {"LPAREN", "RPAREN", "LBRACKET", "RBRACKET", "COMMA", "QMARK", "COLON"}
    | {"ADD", "SUB", "MUL", "TDIV", "MOD", "EQ", "NE", "GT", "GE", "LT", "LE"}
)


class RuleError(Exception):
    """A rule that cannot be used, or cannot be asked with these values."""

    def __init__(self, fault: str, /, **facts: object) -> None:
        self.fault, self.facts = fault, facts
        super().__init__(str(self.at(())))

    def at(self, place: Place) -> Fault:
        """The same as a fault of a definition."""
        return Fault(place, self.fault, self.facts)


class _Words:
    """The words of a rule one by one, as the parser asks for them; the first wrong one stops it."""

    def __init__(self, lexer: Any) -> None:
        self._lexer = lexer.clone()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lexer, name)

    def input(self, text: str) -> None:
        self._lexer.input(text)
        self._read = 0
        self._before = ""

    def token(self) -> Any:
        token = self._lexer.token()
        if token is None:
            return None
        self._read += 1
        if self._read > MOST_TOKENS:
            raise RuleError("rule_too_long", most=LONGEST, tokens=MOST_TOKENS)
        if not self._fits(token):
            raise _wrong_word(token)
        self._before = token.type
        return token

    def _fits(self, token: Any) -> bool:
        text = str(token.value)
        if token.type == "SYMBOL" and text.startswith("$"):
            return False
        if token.type == "ATTR":
            return self._before == "SYMBOL"
        if token.type == "FLOAT":
            return len(text) <= LONGEST_NUMBER and set(text) <= set("0123456789.")
        if token.type == "STRING":
            return "\\" not in text and text[0] in "\"'"
        return token.type in _ALLOWED


class Word(NamedTuple):
    """One word of a rule: its kind as the grammar names it, its text, where it begins (from 0)."""

    type: str
    text: str
    start: int


def words_of(text: str) -> list[Word]:
    """The words of a rule that can be read. RuleError."""
    parse(text)
    words = _Words(_PARSER._lexer)  # noqa: SLF001 the library offers no other way to its words
    words.input(text)
    tokens = iter(words.token, None)
    return [Word(token.type, str(token.value), token.lexpos) for token in tokens]


def _wrong_word(token: Any) -> RuleError:
    return RuleError("rule_word", word=str(token.value)[:20], position=token.lexpos + 1)


class _Parser(Parser):  # type: ignore[misc]
    """The library's parser, reading through `_Words`."""

    def parse(self, text: str, context: Any, **kwargs: Any) -> Any:
        return super().parse(text, context, lexer=_Words(self._lexer), **kwargs)


_PARSER = _Parser()


@lru_cache(maxsize=8_192)
def parse(text: str) -> Any:
    """The rule in ``text`` as a tree of `rule_engine.ast` nodes. RuleError, and nothing else."""
    if len(text) > LONGEST:
        raise RuleError("rule_too_long", most=LONGEST, tokens=MOST_TOKENS)
    if not text.strip():
        raise RuleError("rule_ends")
    try:
        tree = _PARSER.parse(text, rule_engine.Context()).expression
    except RuleSyntaxError as error:
        raise _syntax_error(error) from error
    except EngineError as error:
        raise RuleError("rule_constant", reason=str(error.message)) from error
    except (ArithmeticError, ValueError, TypeError) as error:
        raise RuleError("rule_constant", reason=str(error)) from error
    except RecursionError as error:
        raise RuleError("rule_too_deep") from error
    if _depth(tree) > DEEPEST:
        raise RuleError("rule_too_deep")
    return tree


def _syntax_error(error: RuleSyntaxError) -> RuleError:
    token = error.token
    if token is None:
        return RuleError("rule_ends")
    if token.type == "error":
        return RuleError("rule_word", word=str(token.value)[:1], position=token.lexpos + 1)
    return RuleError("rule_syntax", word=str(token.value)[:20], position=token.lexpos + 1)


def children(node: Any) -> Iterator[Any]:
    """The parts of a node, in the order they are written. RuleError for a form we do not have."""
    match node:
        case ast.SymbolExpression() | ast.GetAttributeExpression():
            return
        case ast.ArrayExpression():
            yield from node.value
        case ast.LiteralExpressionBase():
            return
        case ast.FunctionCallExpression():
            function_name(node)
            yield from node.arguments
        case ast.TernaryExpression():
            yield from (node.condition, node.case_true, node.case_false)
        case ast.ContainsExpression():
            yield from (node.member, node.container)
        case ast.UnaryExpression():
            yield node.right
        case ast.BinaryExpressionBase() | ast.CoalesceExpression():
            yield from (node.left, node.right)
        case _:
            raise RuleError("rule_form", what=type(node).__name__.removesuffix("Expression"))


def _depth(tree: Any) -> int:
    """How deep the tree goes, without going deeper than is allowed."""
    level, depth = [tree], 0
    while level and depth <= DEEPEST:
        level = [child for node in level for child in children(node)]
        depth += 1
    return depth


def name_of(node: Any) -> str:
    """``A18`` or ``precrf.A49``, of a node that is a name."""
    if isinstance(node, ast.SymbolExpression):
        return str(node.name)
    if isinstance(node, ast.GetAttributeExpression):
        return f"{name_of(node.object)}.{node.name}"
    raise RuleError("rule_form", what="a dot")


def is_name(node: Any) -> bool:
    return isinstance(node, (ast.SymbolExpression, ast.GetAttributeExpression))


def function_name(node: Any) -> str:
    if not isinstance(node.function, ast.SymbolExpression):
        raise RuleError("rule_form", what="a call of something that is no function")
    return str(node.function.name)


def names_in(text: str) -> tuple[str, ...]:
    """Every name that a rule reads, each once, in the order written; ``today`` is none."""
    found: dict[str, None] = {}
    waiting = [parse(text)]
    while waiting:
        node = waiting.pop(0)
        if is_name(node):
            found[name_of(node)] = None
        else:
            waiting = [*children(node), *waiting]
    return tuple(name for name in found if name != "today")
