"""The trial run of a version: facts set by hand, roles ticked, time passing. Nothing is stored."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from portal.flows import kinds
from portal.flows.presentation import state_title, transition_title, words
from portal.flows.rules.definition import Fact, Machine, machine_from_json
from portal.flows.rules.drawing import places_in
from portal.flows.rules.running import NotPossible, Possibility, is_done, possibilities
from portal.flows.rules.trial import (
    Trial,
    actions_of,
    fact_item,
    facts_form,
    later,
    running_timers,
    started,
    stepped,
    trial_from_json,
    trial_to_json,
)
from portal.flows.views.designs import find_version
from portal.flows.words import KINDS, action_words, fault_rows, why_not_words
from portal.forms.rules.definition import Kind
from portal.forms.rules.faults import Fault
from portal.forms.rules.values import BadValue, Habits, Value, typed

TOLERATED = frozenset(
    {"no_words", "other_language", "no_way_in", "no_way_out", "dead_state", "no_end", "nobody"}
    | {"no_source", "unknown_role", "unknown_action", "unknown_argument", "argument_needed"}
    | {"bad_argument", "bad_value", "idle_timer", "timer_at_once", "leaves_the_end", "empty_list"}
)
"""Faults with which a draft can be tried all the same."""


@require_http_methods(["GET", "POST"])
def run(request: HttpRequest, pk: int) -> HttpResponse:
    """The trial as it stands after what was sent; the first time at the start."""
    version = find_version(request, pk)
    machine = machine_from_json(version.content)
    context: dict[str, Any] = {"version": version, "machine": machine}
    hindrances = [fault for fault in kinds.flow_faults(version.design, machine) if _hinders(fault)]
    if hindrances:
        context["faults"] = fault_rows(hindrances)
        return render(request, "flows/trial.html", context)
    registry = kinds.actions_offered(version.design)
    facts = tuple(machine.facts)
    values, wrong = _typed(facts, request.POST)
    roles = frozenset(request.POST.getlist("role"))
    trial = _trial(request.POST.get("trial", ""), machine)
    refused: list[str] = []
    if trial is None or "again" in request.POST:
        trial = started(machine, timezone.localtime(), registry)
    elif code := request.POST.get("take"):
        try:
            reason = request.POST.get("reason", "").strip()[:1000]
            trial = stepped(
                trial, machine, code, facts=values, roles=roles, registry=registry, reason=reason
            )
        except NotPossible as error:
            refused = _refusal(machine, error)
    elif "wait" in request.POST:
        text = request.POST.get("days", "")
        days = int(text) if text.isdecimal() and len(text) < 5 else 0
        trial = later(trial, machine, days, facts=values, registry=registry)
    context |= {
        "refused": refused,
        "trial": json.dumps(trial_to_json(trial)),
        "facts": [_fact_field(fact, machine, request.POST, wrong) for fact in facts],
        "roles": [
            (code, label, code in roles)
            for code, label in kinds.roles_offered(version.design).items()
        ],
        "flow": {"places": places_in(version.places), "passages": trial.happened},
        "state": trial.position.state,
        "state_title": state_title(machine, trial.position.state),
        "done": is_done(machine, trial.position.state),
        "now": trial.now,
        "ways": _ways(machine, trial, values, roles),
        "timers": [(code, at, at <= trial.now) for code, at in running_timers(trial, machine)],
        "happened": _told(machine, trial),
        "days": request.POST.get("days") or "7",
        "reason": request.POST.get("reason", "") if refused else "",
    }
    return render(request, "flows/trial.html", context, status=422 if refused else 200)


def _hinders(fault: Fault) -> bool:
    return fault.code not in TOLERATED


def _trial(text: str, machine: Machine) -> Trial | None:
    """What the page had; None where that is nothing of this machine (any more): it begins anew."""
    try:
        return trial_from_json(json.loads(text), machine)
    except (ValueError, RecursionError):
        return None


def _typed(facts: tuple[Fact, ...], sent: Any) -> tuple[dict[str, Value | None], dict[str, str]]:
    """The facts as they were typed, and what could not be read. A fact left empty is missing."""
    values: dict[str, Value | None] = {}
    wrong: dict[str, str] = {}
    form = facts_form(facts)
    habits = Habits(zone=timezone.get_current_timezone())
    for fact in facts:
        text = "\n".join(sent.getlist(f"fact-{fact.name}")) if sent else ""
        try:
            values[fact.name] = typed(form, fact_item(fact), text, habits)
        except BadValue:
            kind = KINDS.get(fact.kind, fact.kind)
            wrong[fact.name] = _("“%(text)s” cannot be read as: %(kind)s") % {
                "text": text[:60],
                "kind": kind,
            }
    return values, wrong


def _fact_field(fact: Fact, machine: Machine, sent: Any, wrong: dict[str, str]) -> dict[str, Any]:
    several = fact.kind is Kind.MULTIPLE_CHOICE
    choices = [(code, code) for code in fact.codes]
    if fact.kind is Kind.BOOLEAN:
        choices = [("true", _("yes")), ("false", _("no"))]
    given = sent.getlist(f"fact-{fact.name}") if sent else []
    return {
        "name": fact.name,
        "label": words(fact.title, machine) or fact.name,
        "kind": KINDS.get(fact.kind, fact.kind),
        "choices": choices,
        "several": several,
        "given": given,
        "text": given[0] if given else "",
        "error": wrong.get(fact.name, ""),
    }


def _ways(
    machine: Machine, trial: Trial, values: dict[str, Any], roles: frozenset[str]
) -> list[dict[str, Any]]:
    """Every transition from here, open or with why not."""
    found = possibilities(
        machine, trial.position.state, facts=values, roles=roles, today=trial.now.date()
    )
    return [
        {
            "code": each.transition.code,
            "title": transition_title(machine, each.transition.code),
            "target": state_title(machine, each.transition.target),
            "open": each.open,
            "forced": each.transition.forced,
            "guard": each.transition.guard,
            "why_not": why_not_words(each),
        }
        for each in found
    ]


def _refusal(machine: Machine, error: NotPossible) -> list[str]:
    transition = machine.transition(error.transition)
    if transition is None:
        return [_("there is no such transition")]
    return why_not_words(Possibility(transition, error.why))


def _told(machine: Machine, trial: Trial) -> list[dict[str, Any]]:
    """What happened, the last first, with what would be done."""
    return [
        {
            "at": each.at,
            "what": transition_title(machine, each.transition) if each.transition else _("Begun"),
            "state": state_title(machine, each.state),
            "timer": each.timer,
            "reason": each.reason,
            "actions": [action_words(action) for action in actions_of(each, machine)],
        }
        for each in reversed(trial.happened)
    ]
