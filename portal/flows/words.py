"""The sentences for what the rules of flows find, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.flows.presentation import state_title, transition_title
from portal.flows.rules.definition import Action, Machine, StateKind, Timer, Unit
from portal.flows.rules.editing import WHATS
from portal.flows.rules.running import Possibility, WhyNot
from portal.forms.fault_words import sentence_of
from portal.forms.rules.definition import Kind
from portal.forms.rules.difference import Change
from portal.forms.rules.faults import Fault, Place
from portal.records.words import in_words

STATE_KINDS = {
    StateKind.START: gettext_lazy("start"),
    StateKind.ORDINARY: gettext_lazy("ordinary"),
    StateKind.HALTING: gettext_lazy("end"),
}
UNITS = {Unit.DAYS: gettext_lazy("days"), Unit.MONTHS: gettext_lazy("months")}
KINDS = {
    Kind.TEXT: gettext_lazy("text"),
    Kind.LONG_TEXT: gettext_lazy("long text"),
    Kind.INTEGER: gettext_lazy("whole number"),
    Kind.DECIMAL: gettext_lazy("number"),
    Kind.DATE: gettext_lazy("date"),
    Kind.PARTIAL_DATE: gettext_lazy("partial date"),
    Kind.TIME: gettext_lazy("time"),
    Kind.DATETIME: gettext_lazy("date with time"),
    Kind.BOOLEAN: gettext_lazy("yes or no"),
    Kind.SINGLE_CHOICE: gettext_lazy("choice"),
    Kind.MULTIPLE_CHOICE: gettext_lazy("several choices"),
}
_PARTS = {
    "flow": gettext_lazy("The flow"),
    "state": gettext_lazy("State"),
    "transition": gettext_lazy("Transition"),
    "timer": gettext_lazy("Timer"),
    "fact": gettext_lazy("Fact"),
}
_ATTRIBUTES = {
    "title": gettext_lazy("title"),
    "description": gettext_lazy("description"),
    "help": gettext_lazy("help"),
    "kind": gettext_lazy("kind"),
    "on_entry": gettext_lazy("actions on entry"),
    "sources": gettext_lazy("from"),
    "target": gettext_lazy("to"),
    "guard": gettext_lazy("guard"),
    "roles": gettext_lazy("who may take it"),
    "forced": gettext_lazy("forced"),
    "actions": gettext_lazy("actions"),
    "transition": gettext_lazy("transition"),
    "after": gettext_lazy("after"),
    "unit": gettext_lazy("unit"),
    "by_action": gettext_lazy("started by an action"),
    "codes": gettext_lazy("codes"),
    "languages": gettext_lazy("languages"),
    "order of states": gettext_lazy("order of the states"),
    "order of transitions": gettext_lazy("order of the transitions"),
    "order of timers": gettext_lazy("order of the timers"),
}


def action_words(action: Action) -> str:
    """``notify: role chairman, text …``; the names are the application's own."""
    name = action.name.replace("_", " ")
    given = ", ".join(f"{key} {in_words(value)}" for key, value in action.arguments.pairs)
    return f"{name}: {given}" if given else name


def delay_words(timer: Timer) -> str:
    if timer.unit is Unit.MONTHS:
        return ngettext("%(n)s month", "%(n)s months", timer.after) % {"n": timer.after}
    return ngettext("%(n)s day", "%(n)s days", timer.after) % {"n": timer.after}


def part_words(what: str, code: str, machine: Machine) -> str:
    """``State “Review ready”``."""
    name = code
    if what == "state":
        name = state_title(machine, code)
    elif what == "transition":
        name = transition_title(machine, code)
    label = str(_PARTS.get(what, what))
    return _("%(part)s “%(name)s”") % {"part": label, "name": name} if name else label


def change_words(change: Change, old: Machine, new: Machine) -> dict[str, Any]:
    """``label``, ``old`` and ``new`` for one row of ``<c-diff>``."""
    machine = old if change.what == "removed" else new
    label = part_words(*change.part, machine)
    if change.what != "changed":
        there, gone = _("there"), ""
        before, after = (there, gone) if change.what == "removed" else (gone, there)
        return {"label": label, "old": before, "new": after, "what": change.what}
    name, _dot, language = change.attribute.partition(".")
    attribute = str(_ATTRIBUTES.get(name, name)) + (f" ({language})" if language else "")
    return {
        "label": f"{label}, {attribute}",
        "old": in_words(change.old),
        "new": in_words(change.new),
        "what": change.what,
    }


def why_not_words(possibility: Possibility) -> list[str]:
    """Why a transition is closed, one sentence each."""
    sentences = {
        WhyNot.GUARD_FALSE: _("its guard is not true"),
        WhyNot.GUARD_UNKNOWN: _("its guard is unknown: missing %(facts)s")
        % {"facts": ", ".join(possibility.missing) or "–"},
        WhyNot.ROLE: _("none of these roles may take it"),
        WhyNot.ELSEWHERE: _("it does not leave this state"),
        WhyNot.NO_REASON: _("it takes a reason"),
        WhyNot.TIMER_NOT_DUE: _("its timer has not run out"),
        WhyNot.NO_SUCH: _("there is no such transition"),
    }
    return [sentences[each] for each in possibility.why_not]


def role_words(codes: Iterable[str], roles: Mapping[str, Any]) -> str:
    return ", ".join(str(roles.get(code, code)) for code in codes)


def place_query(place: Place) -> str:
    """The editor's address of where a fault lies: ``?transition=force#id_guard``."""
    steps = dict(place)
    what = next((each for each in WHATS if each in steps), None)
    if what is None:
        return "?flow=1" if not place else ""
    field = "#id_guard" if "guard" in steps else "#part"
    return f"?{urlencode({what: steps[what]})}{field}"


def fault_rows(faults: Iterable[Fault]) -> list[dict[str, str]]:
    """``words`` and ``query`` of each fault, in the order found, none twice."""
    rows = {sentence_of(fault): place_query(fault.place) for fault in faults}
    return [{"words": words, "query": query} for words, query in rows.items()]
