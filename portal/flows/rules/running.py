"""Where a case stands in its machine, where it can go from there, and going there.

A transition back to the same state is no entering: the state's own actions are not done again, and
of its timers only that of the transition begins anew. So a monthly reminder does not put off a
deadline of six months.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from portal.flows.rules.definition import Action, Machine, StateKind, Timer, Transition, Unit
from portal.flows.rules.publishing import Registry, timers_in
from portal.forms.rules.dates import add_months
from portal.forms.rules.evaluation import evaluate
from portal.forms.rules.expressions import names_in
from portal.forms.rules.faults import Fault, Faulty
from portal.forms.rules.values import Missing

Facts = Mapping[str, Any]
"""The machine's facts by name; one that is not there, or None, is missing."""


class WhyNot(StrEnum):
    """Why a transition cannot be taken."""

    GUARD_FALSE = "guard_false"
    GUARD_UNKNOWN = "guard_unknown"
    ROLE = "role"
    ELSEWHERE = "elsewhere"
    """It does not leave the state in which the case stands."""
    NO_REASON = "no_reason"
    """It is forced, and that takes a reason."""
    TIMER_NOT_DUE = "timer_not_due"
    NO_SUCH = "no_such"


class NotPossible(Exception):  # noqa: N818 named for what it is
    """A transition that cannot be taken, and every reason why."""

    def __init__(self, transition: str, why: Iterable[WhyNot]) -> None:
        self.transition, self.why = transition, tuple(why)
        super().__init__(f"{transition}: {', '.join(self.why)}")


@dataclass(frozen=True)
class Position:
    """Where a case stands, since when, and which timers run since when."""

    state: str
    since: datetime
    timers: tuple[tuple[str, datetime], ...] = ()


@dataclass(frozen=True)
class Possibility:
    """A transition that leaves the state; open when nothing is against it."""

    transition: Transition
    why_not: tuple[WhyNot, ...] = ()
    missing: tuple[str, ...] = ()
    """The facts without which the guard is unknown."""

    @property
    def open(self) -> bool:
        return not self.why_not


@dataclass(frozen=True)
class Step:
    """What came of beginning, or of a transition: the new position, and what is to be done."""

    position: Position
    actions: tuple[Action, ...]
    transition: Transition | None = None


@dataclass(frozen=True)
class Due:
    """A timer that ran out, and when."""

    timer: Timer
    at: datetime


def begin(machine: Machine, at: datetime, registry: Registry) -> Step:
    """A new case, in the start state."""
    return _enter(machine, machine.start.code, at, registry, ())


def is_done(machine: Machine, state: str) -> bool:
    """Whether the case has come to an end."""
    return machine.by_code[state].kind is StateKind.HALTING


def possibilities(
    machine: Machine, state: str, *, facts: Facts, roles: Collection[str], today: date
) -> tuple[Possibility, ...]:
    """Every transition that leaves the state, open or with why not, in the machine's order."""
    return tuple(
        _possibility(machine, each, facts, roles, today) for each in machine.leaving(state)
    )


def _possibility(
    machine: Machine,
    transition: Transition,
    facts: Facts,
    roles: Collection[str] | None,
    today: date,
) -> Possibility:
    """``roles`` None: a timer asks, which needs none."""
    why: list[WhyNot] = []
    missing: tuple[str, ...] = ()
    if roles is not None and not set(transition.roles) & set(roles):
        why.append(WhyNot.ROLE)
    if transition.guard:
        truth = evaluate(transition.guard, machine.terms, facts, today)
        if truth is False:
            why.append(WhyNot.GUARD_FALSE)
        elif truth is None:
            why.append(WhyNot.GUARD_UNKNOWN)
            missing = tuple(name for name in names_in(transition.guard) if _blank(facts.get(name)))
    return Possibility(transition, tuple(why), missing)


def _blank(value: object) -> bool:
    return value is None or isinstance(value, Missing)


def take(
    machine: Machine,
    position: Position,
    code: str,
    *,
    facts: Facts,
    roles: Collection[str],
    at: datetime,
    registry: Registry,
    today: date,
    reason: str = "",
) -> Step:
    """A person takes a transition. NotPossible, with every reason."""
    transition = machine.transition(code)
    if transition is None:
        raise NotPossible(code, [WhyNot.NO_SUCH])
    why = list(_possibility(machine, transition, facts, roles, today).why_not)
    if position.state not in transition.sources:
        why.append(WhyNot.ELSEWHERE)
    if transition.forced and not reason.strip():
        why.append(WhyNot.NO_REASON)
    if why:
        raise NotPossible(code, why)
    return _go(machine, position, transition, at, registry)


def run_out(
    machine: Machine,
    position: Position,
    due: Due,
    *,
    facts: Facts,
    at: datetime,
    registry: Registry,
    today: date,
) -> Step:
    """A timer takes its transition. NotPossible when its guard is not true, or it is not due."""
    if due not in timers_due(machine, position, at):
        raise NotPossible(due.timer.transition, [WhyNot.TIMER_NOT_DUE])
    transition = machine.transition(due.timer.transition)
    if transition is None:
        raise NotPossible(due.timer.transition, [WhyNot.NO_SUCH])
    found = _possibility(machine, transition, facts, None, today)
    if not found.open:
        raise NotPossible(transition.code, found.why_not)
    return _go(machine, position, transition, at, registry)


def timers_due(machine: Machine, position: Position, now: datetime) -> tuple[Due, ...]:
    """The timers of the case that have run out by ``now``, the earliest first."""
    timers = {timer.code: timer for timer in machine.timers_of(position.state)}
    found = [
        Due(timers[code], runs_out_at(timers[code], started))
        for code, started in position.timers
        if code in timers
    ]
    return tuple(sorted((each for each in found if each.at <= now), key=lambda each: each.at))


def runs_out_at(timer: Timer, started: datetime) -> datetime:
    """When a timer that started then runs out: days and months of the calendar in its zone."""
    if timer.unit is Unit.DAYS:
        return started + timedelta(days=timer.after)
    return datetime.combine(add_months(started.date(), timer.after), started.timetz())


def _go(
    machine: Machine, position: Position, transition: Transition, at: datetime, registry: Registry
) -> Step:
    if transition.target != position.state:
        step = _enter(machine, transition.target, at, registry, transition.actions)
        return Step(step.position, step.actions, transition)
    anew = {timer.code for timer in machine.timers if timer.transition == transition.code}
    timers = {code: at if code in anew else since for code, since in position.timers}
    started = _started(machine, position.state, transition.actions, registry)
    timers |= dict.fromkeys(started, at)
    kept = Position(position.state, position.since, tuple(timers.items()))
    return Step(kept, transition.actions, transition)


def _enter(
    machine: Machine, state: str, at: datetime, registry: Registry, before: tuple[Action, ...]
) -> Step:
    """Into a state: its actions after those of the way there, its timers from now."""
    actions = (*before, *machine.by_code[state].on_entry)
    own = [timer.code for timer in machine.timers_of(state) if not timer.by_action]
    codes = dict.fromkeys([*own, *_started(machine, state, actions, registry)])
    return Step(Position(state, at, tuple((code, at) for code in codes)), actions)


def _started(
    machine: Machine, state: str, actions: tuple[Action, ...], registry: Registry
) -> list[str]:
    """The timers that actions start, as far as they belong to the state."""
    possible = {timer.code for timer in machine.timers_of(state)}
    named = [code for action in actions for code in timers_in(action, registry)]
    return [code for code in named if code in possible]


def stranded(states: Iterable[str], new: Machine, where: Mapping[str, str]) -> list[Fault]:
    """Which of the states that cases stand in have no place in the new version.

    ``where``: the new state for an old one; without it a state keeps its code.
    """
    return [
        Fault((("state", state),), "no_place", {"state": state})
        for state in dict.fromkeys(states)
        if where.get(state, state) not in new.by_code
    ]


def move(position: Position, new: Machine, where: Mapping[str, str], at: datetime) -> Position:
    """The case on another version of its machine. Faulty when its state has no place there.

    Timers that the new version has too run on; its others begin now. No action is done: moving is
    an administrator's act, not an event of the case.
    """
    faults = stranded([position.state], new, where)
    if faults:
        raise Faulty(faults)
    state = where.get(position.state, position.state)
    running = dict(position.timers)
    timers = {
        timer.code: running.get(timer.code, at)
        for timer in new.timers_of(state)
        if timer.code in running or not timer.by_action
    }
    since = position.since if state == position.state else at
    return Position(state, since, tuple(timers.items()))
