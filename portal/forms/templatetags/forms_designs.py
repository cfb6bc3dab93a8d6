"""Words for what changed between two versions of a design."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext as _

from portal.forms.design_forms import language_name
from portal.forms.editor_words import CHANGES, RISKS
from portal.forms.fault_words import place_of

register = template.Library()


@register.filter
def risk_words(risk: Any) -> str:
    return str(RISKS.get(risk, risk))


@register.filter
def change_words(what: str) -> str:
    return str(CHANGES.get(what, what))


@register.filter
def part_words(part: tuple[str, str]) -> str:
    """``item A18``; the form itself has no code."""
    return _("the form") if part == ("form", "") else place_of((part,))


@register.filter
def value_words(value: Any) -> str:
    """A value as the definition has it, for reading."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)


@register.filter
def language_words(code: str) -> str:
    return language_name(code)


@register.filter
def text_in(words: Any, language: str) -> str:
    """A text in exactly this language; empty where it is missing."""
    return dict(words.by_language).get(language, "")


@register.filter
def text_kind(key: str) -> str:
    """What a text is for."""
    words = {
        "title": _("title"),
        "label": _("label"),
        "help": _("help"),
        "description": _("description"),
        "message": _("message"),
    }
    return words.get(key, key)


@register.filter
def count_of(counts: dict[str, int], key: str) -> int:
    return counts.get(key, 0)
