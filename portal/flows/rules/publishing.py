"""Everything that must hold before a version of a machine is published, all of it at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from portal.flows.rules.definition import Action, Machine, State, StateKind, Transition, Unit
from portal.forms.rules.checking import check_rule
from portal.forms.rules.definition import CHOICES, CODE, Kind
from portal.forms.rules.expressions import RESERVED, RuleError
from portal.forms.rules.faults import Fault, Faulty, Place
from portal.forms.rules.functions import NAMES
from portal.forms.rules.publishing import twice, words_faults
from portal.forms.rules.terms import Type

LONGEST_DELAY: Mapping[Unit, int] = {Unit.DAYS: 3_660, Unit.MONTHS: 120}
_FACT = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")
_NOT_A_FACT = frozenset({Kind.COMPUTED, Kind.FILE, Kind.SIGNATURE})


class Argument(StrEnum):
    """What an action's argument may be."""

    TEXT = "a text"
    NUMBER = "a whole number"
    TRUTH = "true or false"
    ROLE = "a role"
    TIMER = "a timer of this machine"


@dataclass(frozen=True)
class ActionKind:
    """An action that the application can do: the arguments it needs, and those it may have."""

    needs: Mapping[str, Argument] = field(default_factory=dict)
    takes: Mapping[str, Argument] = field(default_factory=dict)
    allowed: Mapping[str, Callable[[str], bool]] = field(default_factory=dict)
    """Which texts an argument may be, such as the codes of the forms that there are."""


Registry = Mapping[str, ActionKind]


def require_publishable(machine: Machine, registry: Registry, roles: Collection[str]) -> None:
    """Faulty, with every fault there is, unless the machine can be published."""
    found = faults_of(machine, registry, roles)
    if found:
        raise Faulty(found)


def faults_of(machine: Machine, registry: Registry, roles: Collection[str]) -> list[Fault]:
    """What keeps the machine from being published. ``registry``: every action there is."""
    return [
        *_name_faults(machine),
        *_fact_faults(machine),
        *_transition_faults(machine, roles),
        *_shape_faults(machine),
        *_timer_faults(machine, registry),
        *(
            fault
            for action, place in _actions(machine)
            for fault in _action_faults(machine, action, registry, roles, place)
        ),
    ]


def _state(state: State) -> Place:
    return (("state", state.code),)


def _name_faults(machine: Machine) -> Iterator[Fault]:
    languages = machine.languages
    if not languages:
        yield Fault((), "no_language")
    yield from twice((language, ()) for language in languages)
    yield from words_faults(languages, {"title": machine.title}, ())
    yield from words_faults(languages, {"description": machine.description}, (), optional=True)
    for what, parts in (
        ("state", machine.states),
        ("transition", machine.transitions),
        ("timer", machine.timers),
    ):
        places: list[tuple[str, Place]] = [(each.code, ((what, each.code),)) for each in parts]
        yield from twice(places)
        for code, place in places:
            if not CODE.fullmatch(code):
                yield Fault(place, "bad_code", {"code": code})
    if not CODE.fullmatch(machine.code):
        yield Fault((), "bad_code", {"code": machine.code})
    for state in machine.states:
        yield from words_faults(languages, {"title": state.title}, _state(state))
        yield from words_faults(languages, {"help": state.help}, _state(state), optional=True)
    for each in machine.transitions:
        yield from words_faults(languages, {"title": each.title}, (("transition", each.code),))


def _fact_faults(machine: Machine) -> Iterator[Fault]:
    yield from twice((fact.name, (("fact", fact.name),)) for fact in machine.facts)
    for fact in machine.facts:
        place: Place = (("fact", fact.name),)
        if not _FACT.fullmatch(fact.name) or fact.name in RESERVED | NAMES:
            yield Fault(place, "bad_code", {"code": fact.name})
        if fact.kind in _NOT_A_FACT or (fact.codes and fact.kind not in CHOICES):
            key = "kind" if fact.kind in _NOT_A_FACT else "codes"
            yield Fault(place, "not_for_kind", {"key": key, "kind": fact.kind})
        if fact.kind in CHOICES and not fact.codes:
            yield Fault(place, "empty_list")
        yield from words_faults(machine.languages, {"title": fact.title}, place, optional=True)


def _transition_faults(machine: Machine, roles: Collection[str]) -> Iterator[Fault]:
    timed = {timer.transition for timer in machine.timers}
    terms = {name: term for name, term in machine.terms.items() if term.type is not Type.DOCUMENT}
    for each in machine.transitions:
        place: Place = (("transition", each.code),)
        yield from _end_faults(machine, each, place)
        for role in each.roles:
            if role not in roles:
                yield Fault(place, "unknown_role", {"name": role})
        if each.forced and each.guard:
            yield Fault(place, "forced_guard")
        if not each.roles and (each.forced or each.code not in timed):
            yield Fault(place, "nobody")
        try:
            if each.guard:
                check_rule(each.guard, terms, Type.TRUTH)
        except RuleError as error:
            yield error.at((*place, ("guard", "")))


def _end_faults(machine: Machine, transition: Transition, place: Place) -> Iterator[Fault]:
    """The states at both ends of a transition."""
    for code in (*transition.sources, transition.target):
        if code not in machine.by_code:
            yield Fault(place, "no_state", {"code": code})
    if not transition.sources:
        yield Fault(place, "no_source")
    yield from twice((code, place) for code in transition.sources)
    for code in transition.sources:
        state = machine.by_code.get(code)
        if state is not None and state.kind is StateKind.HALTING:
            yield Fault(place, "leaves_the_end", {"state": code})


def _shape_faults(machine: Machine) -> Iterator[Fault]:
    """One start; every state reached from it; an end reached from every state."""
    starts = [state.code for state in machine.states if state.kind is StateKind.START]
    ends = {state.code for state in machine.states if state.kind is StateKind.HALTING}
    if len(starts) != 1:
        yield Fault((), "one_start", {"found": len(starts)})
    if not ends:
        yield Fault((), "no_end")
    steps = {(source, each.target) for each in machine.transitions for source in each.sources}
    reached = _reached(set(starts), steps)
    ending = _reached(ends, {(target, source) for source, target in steps})
    leaving = {source for source, target in steps if source != target}
    for state in machine.states:
        if starts and state.code not in reached:
            yield Fault(_state(state), "no_way_in")
        if state.code not in leaving and state.code not in ends:
            yield Fault(_state(state), "dead_state")
        elif ends and state.code not in ending:
            yield Fault(_state(state), "no_way_out")


def _reached(here: set[str], steps: set[tuple[str, str]]) -> set[str]:
    """Every state that can be reached from these."""
    found, waiting = set(here), sorted(here)
    while waiting:
        now = waiting.pop()
        more = {target for source, target in steps if source == now} - found
        found |= more
        waiting += sorted(more)
    return found


def _timer_faults(machine: Machine, registry: Registry) -> Iterator[Fault]:
    started = {code for action, _ in _actions(machine) for code in timers_in(action, registry)}
    for timer in machine.timers:
        place: Place = (("timer", timer.code),)
        transition = machine.transition(timer.transition)
        if transition is None:
            yield Fault(place, "no_transition", {"code": timer.transition})
        elif transition.forced:
            yield Fault(place, "forced_timer")
        most = LONGEST_DELAY[timer.unit]
        if not 1 <= timer.after <= most:
            yield Fault(place, "bad_delay", {"most": most, "unit": timer.unit})
        if timer.by_action and timer.code not in started:
            yield Fault(place, "idle_timer")
    for state in machine.states:
        yield from _at_once(machine, state)


def _at_once(machine: Machine, state: State) -> Iterator[Fault]:
    """Two timers of a state that start and end together, to different ends, are a toss."""
    by_delay: dict[tuple[int, Unit], set[str]] = {}
    for timer in machine.timers_of(state.code):
        transition = machine.transition(timer.transition)
        if not timer.by_action and transition is not None and not transition.guard:
            by_delay.setdefault((timer.after, timer.unit), set()).add(transition.code)
    for codes in by_delay.values():
        if len(codes) > 1:
            facts = {"count": len(codes), "state": state.code}
            yield Fault(_state(state), "timer_at_once", facts)


def _actions(machine: Machine) -> Iterator[tuple[Action, Place]]:
    for state in machine.states:
        for action in state.on_entry:
            yield action, (*_state(state), ("action", action.name))
    for each in machine.transitions:
        for action in each.actions:
            yield action, (("transition", each.code), ("action", action.name))


def _action_faults(
    machine: Machine, action: Action, registry: Registry, roles: Collection[str], place: Place
) -> Iterator[Fault]:
    kind = registry.get(action.name)
    if kind is None:
        facts = {"name": action.name, "allowed": ", ".join(sorted(registry))}
        yield Fault(place, "unknown_action", facts)
        return
    given = action.arguments.as_dict()
    wanted = {**kind.needs, **kind.takes}
    for name in kind.needs:
        if name not in given:
            yield Fault(place, "argument_needed", {"action": action.name, "name": name})
    for name, value in given.items():
        facts = {"action": action.name, "name": name}
        if name not in wanted:
            yield Fault(place, "unknown_argument", facts)
        elif not _is_a(machine, wanted[name], value, roles):
            yield Fault(place, "bad_argument", {**facts, "wanted": wanted[name]})
        elif name in kind.allowed and not kind.allowed[name](str(value)):
            yield Fault(place, "bad_value", {"key": name, "value": value})


def _is_a(machine: Machine, wanted: Argument, value: object, roles: Collection[str]) -> bool:
    if wanted is Argument.NUMBER:
        return type(value) is int
    if wanted is Argument.TRUTH:
        return isinstance(value, bool)
    if not isinstance(value, str) or not value.strip():
        return False
    if wanted is Argument.ROLE:
        return value in roles
    return wanted is Argument.TEXT or any(timer.code == value for timer in machine.timers)


def timers_in(action: Action, registry: Registry) -> tuple[str, ...]:
    """The timers that an action starts: its arguments of that kind."""
    kind = registry.get(action.name)
    wanted = {**kind.needs, **kind.takes} if kind else {}
    return tuple(
        str(value) for name, value in action.arguments.pairs if wanted.get(name) is Argument.TIMER
    )
