"""Changing a machine as its editor does: one act, a new machine. It may not be publishable yet.

What hangs on a part follows it: a state that is renamed is renamed in its transitions, and one that
goes takes the transitions along that led to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, cast

from portal.flows.rules.definition import (
    Action,
    Fact,
    Machine,
    State,
    StateKind,
    Timer,
    Transition,
)
from portal.forms.rules.codec import Settings
from portal.forms.rules.expressions import RuleError, names_in
from portal.forms.rules.texts import Words

What = Literal["state", "transition", "timer"]
WHATS: tuple[What, ...] = ("state", "transition", "timer")
MOST_PARTS = 300
Part = State | Transition | Timer


def new_machine(code: str, title: str, languages: tuple[str, ...]) -> Machine:
    """A machine with nothing in it yet."""
    return Machine(code, Words.of(dict.fromkeys(languages, title)), languages, (), ())


def parts(machine: Machine, what: What) -> tuple[Part, ...]:
    return cast("tuple[Part, ...]", getattr(machine, f"{what}s"))


def part(machine: Machine, what: What, code: str) -> Part | None:
    return next((each for each in parts(machine, what) if each.code == code), None)


def free_code(machine: Machine, what: What) -> str:
    """``state_3``: one that no part of this sort has."""
    taken = {each.code for each in parts(machine, what)}
    number = len(taken) + 1
    while f"{what}_{number}" in taken:
        number += 1
    return f"{what}_{number}"


def add_state(machine: Machine) -> tuple[Machine, str]:
    """A state without words; the first one of a machine is its start."""
    code = free_code(machine, "state")
    starts = any(each.kind is StateKind.START for each in machine.states)
    kind = StateKind.ORDINARY if starts else StateKind.START
    state = State(code, Words(), kind)
    return replace(machine, states=(*machine.states, state)), code


def add_transition(machine: Machine, source: str = "", target: str = "") -> tuple[Machine, str]:
    """A transition without words, from one state to another where they are named."""
    code = free_code(machine, "transition")
    sources = (source,) if source in machine.by_code else ()
    added = Transition(code, Words(), sources, target if target in machine.by_code else "")
    return replace(machine, transitions=(*machine.transitions, added)), code


def add_timer(machine: Machine, transition: str = "") -> tuple[Machine, str]:
    """A timer of seven days for a transition."""
    code = free_code(machine, "timer")
    return replace(machine, timers=(*machine.timers, Timer(code, transition, 7))), code


def put(machine: Machine, changed: Part) -> Machine:
    """The machine with this part instead of the one of its code."""
    what = cast("What", changed.PLACE)
    kept = tuple(changed if each.code == changed.code else each for each in parts(machine, what))
    return _with(machine, what, kept)


def moved(machine: Machine, what: What, code: str, by: int) -> Machine:
    """The part so many rows further down its table, or up."""
    order = list(parts(machine, what))
    found = part(machine, what, code)
    if found is None:
        return machine
    at = order.index(found)
    order.remove(found)
    order.insert(min(max(at + by, 0), len(order)), found)
    return _with(machine, what, tuple(order))


def renamed(machine: Machine, what: What, old: str, new: str) -> Machine:
    """The part with another code, and so in everything that names it."""
    found = part(machine, what, old)
    if found is None or old == new:
        return machine
    kept = tuple(
        replace(each, code=new) if each.code == old else each for each in parts(machine, what)
    )
    machine = _with(machine, what, kept)
    if what == "state":
        return replace(
            machine,
            transitions=tuple(
                replace(
                    each,
                    sources=tuple(new if source == old else source for source in each.sources),
                    target=new if each.target == old else each.target,
                )
                for each in machine.transitions
            ),
        )
    if what == "transition":
        timers = tuple(
            replace(each, transition=new) if each.transition == old else each
            for each in machine.timers
        )
        return replace(machine, timers=timers)
    return _actions_named(machine, old, new)


def _actions_named(machine: Machine, old: str, new: str) -> Machine:
    """Actions that start the timer of that name."""

    def named(actions: Iterable[Action]) -> tuple[Action, ...]:
        return tuple(
            replace(
                action,
                arguments=Settings(
                    tuple(
                        (name, new if name == "timer" and value == old else value)
                        for name, value in action.arguments.pairs
                    )
                ),
            )
            for action in actions
        )

    return replace(
        machine,
        states=tuple(replace(each, on_entry=named(each.on_entry)) for each in machine.states),
        transitions=tuple(
            replace(each, actions=named(each.actions)) for each in machine.transitions
        ),
    )


def without(machine: Machine, what: What, code: str) -> Machine:
    """The machine without this part, and without what cannot be without it."""
    machine = _with(
        machine, what, tuple(each for each in parts(machine, what) if each.code != code)
    )
    if what == "state":
        gone = {each.code for each in machine.transitions if _hangs_on(each, code)}
        left = tuple(
            replace(each, sources=tuple(source for source in each.sources if source != code))
            for each in machine.transitions
            if each.code not in gone
        )
        machine = replace(machine, transitions=left)
        return _without_timers(machine, gone)
    return _without_timers(machine, {code}) if what == "transition" else machine


def _hangs_on(transition: Transition, state: str) -> bool:
    return transition.target == state or transition.sources == (state,)


def _without_timers(machine: Machine, transitions: set[str]) -> Machine:
    timers = tuple(each for each in machine.timers if each.transition not in transitions)
    return replace(machine, timers=timers)


def in_languages(machine: Machine, languages: tuple[str, ...]) -> Machine:
    """The machine in these languages; words of others go."""

    def kept(words: Words) -> Words:
        return Words(tuple(pair for pair in words.by_language if pair[0] in languages))

    return replace(
        machine,
        languages=languages,
        title=kept(machine.title),
        description=kept(machine.description),
        states=tuple(
            replace(each, title=kept(each.title), help=kept(each.help)) for each in machine.states
        ),
        transitions=tuple(replace(each, title=kept(each.title)) for each in machine.transitions),
        facts=tuple(replace(each, title=kept(each.title)) for each in machine.facts),
    )


def with_facts_used(machine: Machine, offered: Sequence[Fact]) -> Machine:
    """The machine with those facts that its guards read, as the application offers them.

    A fact that is not offered stays as it is, to be named at publishing; while a guard cannot be
    read, nothing is taken away.
    """
    used: set[str] = set()
    readable = True
    for each in machine.transitions:
        try:
            used |= set(names_in(each.guard)) if each.guard else set()
        except RuleError:
            readable = False
    if not readable:
        used |= {fact.name for fact in machine.facts}
    there = {fact.name: fact for fact in offered}
    known = [fact for fact in offered if fact.name in used]
    kept = [fact for fact in machine.facts if fact.name in used and fact.name not in there]
    return replace(machine, facts=tuple(_spoken(fact, machine) for fact in (*known, *kept)))


def _spoken(fact: Fact, machine: Machine) -> Fact:
    """Its title in the languages of the machine, or without one where it is not in all of them."""
    pairs = tuple(pair for pair in fact.title.by_language if pair[0] in machine.languages)
    whole = set(machine.languages) <= {language for language, text in pairs if text.strip()}
    return replace(fact, title=Words(pairs) if whole else Words())


def _with(machine: Machine, what: What, changed: tuple[Part, ...]) -> Machine:
    changes: dict[str, Any] = {f"{what}s": changed}
    return replace(machine, **changes)


def with_action(machine: Machine, what: What, code: str, action: Action) -> Machine:
    """One more action of a state or a transition, the last."""
    match part(machine, what, code):
        case State() as state:
            return put(machine, replace(state, on_entry=(*state.on_entry, action)))
        case Transition() as transition:
            return put(machine, replace(transition, actions=(*transition.actions, action)))
    return machine


def without_action(machine: Machine, what: What, code: str, number: int) -> Machine:
    """Without the action of that number, counted from 0."""

    def kept(actions: tuple[Action, ...]) -> tuple[Action, ...]:
        return actions[:number] + actions[number + 1 :]

    match part(machine, what, code):
        case State() as state:
            return put(machine, replace(state, on_entry=kept(state.on_entry)))
        case Transition() as transition:
            return put(machine, replace(transition, actions=kept(transition.actions)))
    return machine
