"""A machine as data: states, transitions with guard, roles and actions, timers.

Guards are rules in the language of `portal.forms.rules.expressions` over the machine's *facts*:
named values that the application supplies (``precrf.complete``, ``crf.A49``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import ClassVar

from portal.forms.rules.codec import Settings, read_whole, write
from portal.forms.rules.definition import Kind
from portal.forms.rules.terms import OF_KIND, Term
from portal.forms.rules.texts import NO_WORDS, Words

SCHEMA = 1
"""The number of this way of writing machines."""
NO_SETTINGS = Settings()


class StateKind(StrEnum):
    """A machine begins in its start state and is done in a halting one."""

    START = "start"
    ORDINARY = "ordinary"
    HALTING = "halting"


class Unit(StrEnum):
    """What a delay is counted in."""

    DAYS = "days"
    MONTHS = "months"


@dataclass(frozen=True)
class Fact:
    """A named value that guards can read."""

    PLACE: ClassVar = "fact"
    name: str
    """May hold dots: ``precrf.complete``."""
    kind: Kind
    codes: tuple[str, ...] = ()
    title: Words = NO_WORDS


@dataclass(frozen=True)
class Action:
    """Something to do, from the application's closed registry, with its arguments."""

    PLACE: ClassVar = "action"
    name: str
    arguments: Settings = NO_SETTINGS


@dataclass(frozen=True)
class State:
    """Where a case can stand."""

    PLACE: ClassVar = "state"
    code: str
    title: Words
    kind: StateKind = StateKind.ORDINARY
    help: Words = NO_WORDS
    on_entry: tuple[Action, ...] = ()


@dataclass(frozen=True)
class Transition:
    """A way from one or more states to another, or back to the same."""

    PLACE: ClassVar = "transition"
    code: str
    title: Words
    sources: tuple[str, ...]
    target: str
    guard: str = ""
    """Open only when this rule is true; unknown keeps it closed."""
    roles: tuple[str, ...] = ()
    """Who may take it; nobody: only a timer does."""
    forced: bool = False
    """Taken by a person's decision alone, with a reason: it has no guard."""
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True)
class Timer:
    """Takes a transition some time after a state it leaves was entered."""

    PLACE: ClassVar = "timer"
    code: str
    transition: str
    after: int
    unit: Unit = Unit.DAYS
    by_action: bool = False
    """Does not start on entering the state, but by an action that names this timer."""


@dataclass(frozen=True)
class Machine:
    """A flow definition: what a version of a flow is made of."""

    code: str
    title: Words
    languages: tuple[str, ...]
    states: tuple[State, ...]
    transitions: tuple[Transition, ...]
    timers: tuple[Timer, ...] = ()
    facts: tuple[Fact, ...] = ()
    description: Words = NO_WORDS

    @cached_property
    def by_code(self) -> dict[str, State]:
        return {state.code: state for state in self.states}

    @cached_property
    def start(self) -> State:
        """The start state of a machine that was published."""
        return next(state for state in self.states if state.kind is StateKind.START)

    @cached_property
    def terms(self) -> dict[str, Term]:
        """What the facts' names stand for in guards."""
        return {fact.name: Term(OF_KIND[fact.kind], fact.codes) for fact in self.facts}

    def leaving(self, state: str) -> tuple[Transition, ...]:
        """The transitions that leave a state, in the order of the machine."""
        return tuple(each for each in self.transitions if state in each.sources)

    def transition(self, code: str) -> Transition | None:
        return next((each for each in self.transitions if each.code == code), None)

    def timers_of(self, state: str) -> tuple[Timer, ...]:
        """The timers that can run in a state: those whose transition leaves it."""
        codes = {each.code for each in self.leaving(state)}
        return tuple(timer for timer in self.timers if timer.transition in codes)


def machine_to_json(machine: Machine) -> dict[str, object]:
    """What ``json.dumps`` takes, with the number of the schema."""
    return {"schema": SCHEMA, **write(machine)}


def machine_from_json(data: object) -> Machine:
    """The machine in ``data``, or in a JSON text. Faulty with everything that cannot be read."""
    return read_whole(Machine, data, SCHEMA)
