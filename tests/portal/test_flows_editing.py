"""What the editor does to a machine: one act, and all that hangs on it follows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.flows.rules import editing
from portal.flows.rules.definition import (
    Fact,
    Machine,
    StateKind,
    machine_from_json,
    machine_to_json,
)
from portal.flows.rules.publishing import faults_of
from portal.forms.rules.definition import Kind
from portal.forms.rules.texts import Words
from tests.support.definitions import REGISTRY, ROLES, mds_bmf

pytestmark = pytest.mark.requirement("DR-105")

MACHINE = mds_bmf()
FACTS = MACHINE.facts


def test_a_flow_made_of_nothing_can_be_published() -> None:
    machine = editing.new_machine("lymphoma", "Lymphoma", ("en",))
    machine, begin = editing.add_state(machine)
    machine, end = editing.add_state(machine)
    machine, way = editing.add_transition(machine, begin, end)
    kinds = [each.kind for each in machine.states]
    assert kinds == [StateKind.START, StateKind.ORDINARY]
    titled = [
        replace(machine.by_code[begin], title=Words.of(en="Begin")),
        replace(machine.by_code[end], title=Words.of(en="End"), kind=StateKind.HALTING),
    ]
    for state in titled:
        machine = editing.put(machine, state)
    transition = machine.transition(way)
    assert transition is not None
    machine = editing.put(
        machine, replace(transition, title=Words.of(en="Go"), roles=("chairman",))
    )
    assert faults_of(machine, REGISTRY, ROLES) == []


@given(st.sampled_from(editing.WHATS), st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_renaming_changes_no_meaning(what: editing.What, number: int) -> None:
    parts = editing.parts(MACHINE, what)
    part = parts[number % len(parts)]
    there = editing.renamed(MACHINE, what, part.code, "quite_another")
    assert editing.part(there, what, part.code) is None
    assert faults_of(there, REGISTRY, ROLES) == []
    assert editing.renamed(there, what, "quite_another", part.code) == MACHINE


@given(st.sampled_from(editing.WHATS), st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_what_is_removed_is_named_nowhere_any_more(what: editing.What, number: int) -> None:
    parts = editing.parts(MACHINE, what)
    code = parts[number % len(parts)].code
    left = editing.without(MACHINE, what, code)
    assert editing.part(left, what, code) is None
    hanging = {fault.code for fault in faults_of(left, REGISTRY, ROLES)}
    assert hanging.isdisjoint({"no_state", "no_source", "no_transition"})
    assert machine_from_json(machine_to_json(left)) == left


@given(st.sampled_from(editing.WHATS), st.integers(0, 30), st.integers(-40, 40))
@settings(max_examples=60, deadline=None)
def test_moving_a_part_keeps_all_others_in_their_order(
    what: editing.What, number: int, by: int
) -> None:
    parts = editing.parts(MACHINE, what)
    code = parts[number % len(parts)].code
    moved = [each.code for each in editing.parts(editing.moved(MACHINE, what, code, by), what)]
    assert sorted(moved) == sorted(each.code for each in parts)
    assert [each for each in moved if each != code] == [p.code for p in parts if p.code != code]


def guarded(*guards: str) -> Machine:
    ways = [
        replace(each, guard=guard) for each, guard in zip(MACHINE.transitions, guards, strict=False)
    ]
    return replace(MACHINE, transitions=tuple(ways), facts=())


def test_the_facts_that_guards_read_are_put_into_the_machine() -> None:
    offered = (Fact("a.b", Kind.BOOLEAN), Fact("c", Kind.INTEGER), Fact("d", Kind.DATE))
    used = editing.with_facts_used(guarded("c > 1", "a.b", ""), offered)
    assert [fact.name for fact in used.facts] == ["a.b", "c"]
    # while a guard is half typed nothing is taken away
    half = editing.with_facts_used(
        replace(used, transitions=guarded("c >", "").transitions), offered
    )
    assert [fact.name for fact in half.facts] == ["a.b", "c"]
    none = editing.with_facts_used(replace(used, transitions=guarded("").transitions), offered)
    assert none.facts == ()


def test_a_fact_that_is_offered_no_more_stays_to_be_named_as_a_fault() -> None:
    machine = replace(guarded("old.one"), facts=(Fact("old.one", Kind.BOOLEAN),))
    assert editing.with_facts_used(machine, ()).facts == machine.facts


def test_a_language_that_goes_takes_its_words_along() -> None:
    english = editing.in_languages(MACHINE, ("en",))
    assert faults_of(english, REGISTRY, ROLES) == []
    assert all(state.title.languages == ("en",) for state in english.states)
    more = editing.in_languages(english, ("en", "cs"))
    assert {fault.code for fault in faults_of(more, REGISTRY, ROLES)} == {"no_words"}


def test_actions_are_added_and_removed_by_their_number() -> None:
    state = MACHINE.by_code["review_ready"]
    more = editing.with_action(MACHINE, "state", state.code, state.on_entry[0])
    assert more.by_code[state.code].on_entry == state.on_entry * 2
    assert editing.without_action(more, "state", state.code, 1) == MACHINE
    assert editing.without_action(more, "state", state.code, 9) == more
