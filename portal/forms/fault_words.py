"""The sentences for what is wrong with a design, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from portal.forms.rules.faults import Fault, Place
from portal.forms.rules.terms import Type

TYPES: Mapping[str, Any] = {
    Type.NUMBER: lazy("a number"),
    Type.TEXT: lazy("a text"),
    Type.TRUTH: lazy("yes or no"),
    Type.DATE: lazy("a date"),
    Type.PARTIAL_DATE: lazy("a partial date"),
    Type.TIME: lazy("a time"),
    Type.DATETIME: lazy("a date with time"),
    Type.CHOICE: lazy("a choice"),
    Type.CHOICES: lazy("several choices"),
    Type.DOCUMENT: lazy("a file or signature"),
}
"""The types of the rule language."""

PLACES: Mapping[str, Any] = {
    "section": lazy("section"),
    "group": lazy("group"),
    "item": lazy("item"),
    "row": lazy("row"),
    "check": lazy("check"),
    "choice": lazy("choice"),
    "code list": lazy("code list"),
    "missing-value codes": lazy("missing-value codes"),
    "show if": lazy("show if"),
    "required if": lazy("required if"),
    "rule": lazy("rule"),
    "state": lazy("state"),
    "transition": lazy("transition"),
    "timer": lazy("timer"),
    "fact": lazy("fact"),
    "action": lazy("action"),
    "guard": lazy("guard"),
}
"""What parts of forms and flows are called."""


def place_of(place: Place) -> str:
    """``section 2, item A18``; nothing for the whole."""
    return ", ".join(f"{PLACES.get(what, what)} {which}".strip() for what, which in place)


def words_of(fault: Fault) -> str:
    """What is wrong, without the place."""
    return _(fault.sentence) % {key: _fact(value) for key, value in fault.facts.items()}


def sentence_of(fault: Fault) -> str:
    """What is wrong, with its place before it: ``section 2, item A18: …``."""
    where = place_of(fault.place)
    return f"{where}: {words_of(fault)}" if where else words_of(fault)


def _fact(value: object) -> object:
    """A fact's words; the names of types are translated, all else is the designer's own."""
    if not isinstance(value, str):
        return value
    types = value.split(" or ") if value not in TYPES else [value]
    if not all(each in TYPES for each in types):
        return value
    return _(" or ").join(str(TYPES[each]) for each in types)
