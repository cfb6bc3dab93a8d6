"""The sentences for what is wrong with a design, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext as _

from portal.forms.rules.faults import Fault, Place
from portal.forms.rules.values import BadValue


def place_of(place: Place) -> str:
    """``section 2, item A18``; nothing for the whole."""
    return ", ".join(f"{_part(what)} {which}".strip() for what, which in place)


def _part(what: str) -> str:
    words = {
        "section": _("section"),
        "group": _("group"),
        "item": _("item"),
        "row": _("row"),
        "check": _("check"),
        "choice": _("choice"),
        "code list": _("code list"),
        "missing-value codes": _("missing-value codes"),
        "show if": _("show if"),
        "required if": _("required if"),
        "rule": _("rule"),
        "state": _("state"),
        "transition": _("transition"),
        "timer": _("timer"),
        "fact": _("fact"),
        "action": _("action"),
        "guard": _("guard"),
    }
    return words.get(what, what)


def words_of(fault: Fault) -> str:
    """What is wrong, without the place."""
    return _(fault.sentence) % fault.facts


def bad_value_in_words(error: BadValue) -> str:
    """Why what was typed is no value."""
    sentences = {
        "ambiguous": _("“%(text)s” can be read in two ways: write %(thousands)s or %(decimals)s."),
        "no_number": _("“%(text)s” is not a number."),
        "not_whole": _("“%(text)s” is not a whole number."),
        "no_date": _("“%(text)s” is not a date; write it like 31-01-2026."),
        "no_time": _("“%(text)s” is not a time; write it like 09:30."),
        "no_datetime": _("“%(text)s” is not a date with a time; write it like 31-01-2026 09:30."),
        "not_in_list": _("“%(text)s” is not one of the choices."),
    }
    return sentences.get(error.code, _("This cannot stand here.")) % error.facts


def sentence_of(fault: Fault) -> str:
    """What is wrong, with its place before it."""
    where = place_of(fault.place)
    return f"{where}: {words_of(fault)}" if where else words_of(fault)
