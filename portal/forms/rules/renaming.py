"""Another code for an item or a group: every rule that reads it follows.

Names are found as the language reads them, word by word: a text in quotes that happens to be the
same, a function, a name of another form (``precrf.A18``) stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from portal.forms.rules.definition import Form, Section
from portal.forms.rules.expressions import RuleError, names_in, words_of
from portal.forms.rules.tree import Address, changed_at, part_at, walk

RULES = frozenset({"show_if", "required_if", "when", "rule"})
"""The settings that are rules, wherever they stand."""


def renamed_in_rule(rule: str, names: Mapping[str, str], groups: frozenset[str]) -> str:
    """The rule with other names; one that cannot be read stays as it is."""
    try:
        words = words_of(rule) if rule.strip() else []
    except RuleError:
        return rule
    pieces, end = [], 0
    for number, word in enumerate(words):
        follows = words[number + 1].type if number + 1 < len(words) else ""
        joined = number > 1 and words[number - 1].type == "ATTR"
        # behind a dot it is an item only where a group of the form stands before it
        of_form = not joined or words[number - 2].text in groups
        before_dot = follows == "ATTR" and word.text not in groups
        if word.type == "SYMBOL" and follows != "LPAREN" and of_form and not before_dot:
            pieces += [rule[end : word.start], names.get(word.text, word.text)]
            end = word.start + len(word.text)
    return "".join([*pieces, rule[end:]])


def renamed_in_form(form: Form, part: Any, names: Mapping[str, str]) -> Any:
    """``part`` (the form, or something in it) with other names in all its rules."""
    groups = frozenset(form.groups)

    def renamed(thing: Any, key: str = "") -> Any:
        if key in RULES and isinstance(thing, str):
            return renamed_in_rule(thing, names, groups)
        if isinstance(thing, tuple):
            return tuple(renamed(each) for each in thing)
        if is_dataclass(thing) and not isinstance(thing, type):
            found = {each.name: getattr(thing, each.name) for each in fields(thing)}
            return replace(thing, **{name: renamed(value, name) for name, value in found.items()})
        return thing

    return renamed(part)


def recoded(form: Form, at: Address, new: str) -> Form:
    """The form with another code for the part there; rules follow where it alone had the old one.

    A section's code is no name in rules.
    """
    part: Any = part_at(form, at)
    same = [each for way, each in walk(form) if way and getattr(each, "code", "") == part.code]
    if not isinstance(part, Section) and len(same) == 1:
        form = renamed_in_form(form, form, {part.code: new})
    return changed_at(form, at, lambda each: replace(each, code=new))


def rules_in(form: Form) -> Iterator[tuple[Address, str, str]]:
    """Every rule: the address of its part, what it is for, its text."""
    for at, part in walk(form):
        for key in ("show_if", "required_if", "rule"):
            if rule := getattr(part, key, ""):
                yield at, key, rule
        for check in getattr(part, "checks", ()):
            yield at, f"check {check.code}", check.when


def readers_of(form: Form, codes: frozenset[str]) -> list[tuple[Address, str, str]]:
    """The rules that read any of the items or groups, outside themselves or not."""
    found = []
    for at, key, rule in rules_in(form):
        try:
            names = names_in(rule)
        except RuleError:
            continue
        read = {piece for name in names for piece in _own_names(form, name)}
        if read & codes:
            found.append((at, key, rule))
    return found


def _own_names(form: Form, name: str) -> tuple[str, ...]:
    first, _, rest = name.partition(".")
    if not rest:
        return (name,)
    return (first, rest) if first in form.groups else ()
