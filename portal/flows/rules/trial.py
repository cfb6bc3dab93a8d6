"""A trial run: a machine with facts set by hand, people in roles chosen, time passing at a word.

Nothing is stored. The whole trial goes to the page and back as JSON, and what comes back is read as
strictly as anything from outside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from portal.flows.rules.definition import Action, Fact, Machine
from portal.flows.rules.publishing import Registry
from portal.flows.rules.running import (
    Due,
    Facts,
    NotPossible,
    Position,
    begin,
    run_out,
    runs_out_at,
    take,
    timers_due,
)
from portal.forms.rules.definition import CHOICES, Choice, CodeList, Form, Item
from portal.forms.rules.texts import Words

MOST_STEPS = 200
LONGEST_DAYS = 4_000


@dataclass(frozen=True)
class Happened:
    """One thing of the trial, told afterwards."""

    at: datetime
    transition: str
    """Empty: the beginning."""
    from_state: str
    state: str
    """Where it led."""
    timer: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Trial:
    """Where the trial stands, at which moment, and how it came there."""

    position: Position
    now: datetime
    happened: tuple[Happened, ...]


def started(machine: Machine, at: datetime, registry: Registry) -> Trial:
    """A trial in the start state. ValueError for a machine that has not one."""
    if not any(state.kind == "start" for state in machine.states):
        raise ValueError("the machine has no start state")
    step = begin(machine, at, registry)
    return Trial(step.position, at, (Happened(at, "", "", step.position.state),))


def stepped(
    trial: Trial,
    machine: Machine,
    code: str,
    *,
    facts: Facts,
    roles: frozenset[str],
    registry: Registry,
    reason: str = "",
) -> Trial:
    """A transition taken by hand. NotPossible, with every reason."""
    step = take(
        machine,
        trial.position,
        code,
        facts=facts,
        roles=roles,
        at=trial.now,
        registry=registry,
        today=trial.now.date(),
        reason=reason,
    )
    told = Happened(trial.now, code, trial.position.state, step.position.state, "", reason)
    return Trial(step.position, trial.now, (*trial.happened, told)[-MOST_STEPS:])


def later(trial: Trial, machine: Machine, days: int, *, facts: Facts, registry: Registry) -> Trial:
    """So many days later: each timer takes its transition at its moment, if its guard is true."""
    until = trial.now + timedelta(days=min(max(days, 0), LONGEST_DAYS))
    asked: set[tuple[str, datetime, str]] = set()
    while len(trial.happened) < MOST_STEPS:
        due = next(
            (
                each
                for each in timers_due(machine, trial.position, until)
                if (each.timer.code, each.at, trial.position.state) not in asked
            ),
            None,
        )
        if due is None:
            break
        asked.add((due.timer.code, due.at, trial.position.state))
        trial = _run_out(trial, machine, due, facts, registry)
    return replace(trial, now=until)


def _run_out(trial: Trial, machine: Machine, due: Due, facts: Facts, registry: Registry) -> Trial:
    at = max(due.at, trial.now)
    try:
        step = run_out(
            machine, trial.position, due, facts=facts, at=at, registry=registry, today=at.date()
        )
    except NotPossible:
        return trial
    here, there = trial.position.state, step.position.state
    told = Happened(at, due.timer.transition, here, there, due.timer.code)
    return Trial(step.position, at, (*trial.happened, told))


def running_timers(trial: Trial, machine: Machine) -> list[tuple[str, datetime]]:
    """The timers that run, and when each runs out."""
    timers = {timer.code: timer for timer in machine.timers_of(trial.position.state)}
    return [
        (code, runs_out_at(timers[code], since))
        for code, since in trial.position.timers
        if code in timers
    ]


def facts_form(facts: tuple[Fact, ...]) -> Form:
    """The facts as a form's items, so that what is typed is read as answers are."""
    lists = tuple(
        CodeList(fact.name, tuple(Choice(code, Words.of(en=code)) for code in fact.codes))
        for fact in facts
        if fact.kind in CHOICES
    )
    return Form("facts", Words(), ("en",), (), code_lists=lists)


def fact_item(fact: Fact) -> Item:
    return Item(
        fact.name, fact.kind, fact.title, code_list=fact.name if fact.kind in CHOICES else ""
    )


def trial_to_json(trial: Trial) -> dict[str, Any]:
    """What `trial_from_json` reads; of what happened, where and when."""
    return {
        "state": trial.position.state,
        "since": trial.position.since.isoformat(),
        "timers": {code: since.isoformat() for code, since in trial.position.timers},
        "now": trial.now.isoformat(),
        "happened": [
            [
                each.at.isoformat(),
                each.transition,
                each.from_state,
                each.state,
                each.timer,
                each.reason,
            ]
            for each in trial.happened
        ],
    }


def trial_from_json(data: object, machine: Machine) -> Trial:
    """ValueError for anything that is not a trial of this machine."""
    match data:
        case {
            "state": str(state),
            "since": str(since),
            "timers": dict(timers),
            "now": str(now),
            "happened": list(happened),
        } if state in machine.by_code and len(happened) <= MOST_STEPS:
            running = tuple((str(code), _moment(at)) for code, at in timers.items())
            position = Position(state, _moment(since), running)
            return Trial(position, _moment(now), tuple(map(_happened, happened)))
    raise ValueError("no trial of this machine")


def _happened(data: object) -> Happened:
    match data:
        case [str(at), str(transition), str(before), str(state), str(timer), str(reason)]:
            return Happened(_moment(at), transition, before, state, timer, reason)
    raise ValueError("nothing that happened in a trial")


def _moment(text: object) -> datetime:
    found = datetime.fromisoformat(text if isinstance(text, str) else "")
    if found.tzinfo is None or not 1900 < found.year < 2200:
        raise ValueError("no moment")
    return found


def actions_of(happened: Happened, machine: Machine) -> tuple[Action, ...]:
    """What is to be done when this happens: of the way there, then of the state entered."""
    transition = machine.transition(happened.transition)
    state = machine.by_code.get(happened.state)
    own = transition.actions if transition is not None else ()
    entered = state is not None and happened.from_state != happened.state
    return (*own, *(state.on_entry if state is not None and entered else ()))
