"""What changed between two machines: every change, nothing else, and who would lose their place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.flows.rules import editing
from portal.flows.rules.definition import (
    Action,
    Fact,
    Machine,
    State,
    StateKind,
    Timer,
    Transition,
    Unit,
)
from portal.flows.rules.difference import ORDERED, difference, parts_of, states_removed
from portal.forms.rules.codec import Settings
from portal.forms.rules.definition import Kind
from portal.forms.rules.difference import Change
from portal.forms.rules.texts import Words
from tests.support.definitions import mds_bmf

pytestmark = pytest.mark.requirement("DR-107")

texts = st.sampled_from(["", "one", "two"]).map(lambda text: Words.of(en=text))
codes = st.sampled_from(["a", "b", "c", "d"])
actions = st.lists(
    st.builds(
        Action,
        st.sampled_from(["notify", "schedule"]),
        st.sampled_from([Settings(), Settings.of(role="x"), Settings.of(days=2, urgent=True)]),
    ),
    max_size=2,
).map(tuple)


def some(part: Any, **fields: Any) -> Any:
    """A few parts with codes of their own."""
    each = st.builds(part, code=codes, **fields)
    return st.lists(each, max_size=4, unique_by=lambda part: part.code).map(tuple)


machines = st.builds(
    Machine,
    code=st.just("m"),
    title=texts,
    languages=st.sampled_from([("en",), ("en", "nl")]),
    states=some(State, title=texts, kind=st.sampled_from(StateKind), on_entry=actions),
    transitions=some(
        Transition,
        title=texts,
        sources=st.lists(codes, max_size=2).map(tuple),
        target=codes,
        guard=st.sampled_from(["", "x", "not x"]),
        forced=st.booleans(),
        actions=actions,
    ),
    timers=some(Timer, transition=codes, after=st.integers(1, 3), unit=st.sampled_from(Unit)),
    facts=st.lists(
        st.builds(Fact, st.sampled_from(["x", "y"]), st.sampled_from([Kind.BOOLEAN, Kind.DATE])),
        max_size=2,
        unique_by=lambda fact: fact.name,
    ).map(tuple),
)


@given(machines, machines)
@settings(max_examples=150, deadline=None)
def test_the_changes_make_the_new_version_out_of_the_old(old: Machine, new: Machine) -> None:
    changes = difference(old, new)
    parts = {part: dict(attributes) for part, attributes in parts_of(old).items()}
    there = parts_of(new)
    for change in changes:
        if change.what == "removed":
            del parts[change.part]
        elif change.what == "added":
            parts[change.part] = dict(there[change.part])
        elif not change.attribute.startswith("order of"):
            assert change.old != change.new
            assert parts[change.part].get(change.attribute) == change.old
            parts[change.part][change.attribute] = change.new
    lacking = {part: {k: v for k, v in each.items() if v} for part, each in parts.items()}
    assert lacking == {part: {k: v for k, v in each.items() if v} for part, each in there.items()}
    assert (changes == []) == (difference(new, old) == [])


@given(machines)
@settings(max_examples=50, deadline=None)
def test_nothing_differs_from_itself(machine: Machine) -> None:
    assert difference(machine, machine) == []


@given(machines, st.data())
@settings(max_examples=60, deadline=None)
def test_another_order_is_a_change_of_its_own(machine: Machine, data: st.DataObject) -> None:
    what = data.draw(st.sampled_from(ORDERED))
    turned = tuple(reversed(getattr(machine, what)))
    changes = difference(machine, replace(machine, **{what: turned}))
    expected = [f"order of {what}"] if len(turned) > 1 else []
    assert [change.attribute for change in changes] == expected


def test_each_change_says_where_what_before_and_after() -> None:
    old = mds_bmf()
    force = old.transition("force_review")
    assert force is not None
    new = editing.put(old, replace(force, roles=("chairman",)))
    new = editing.without(new, "state", "followup_required")
    changes = difference(old, new)
    assert (
        Change(("transition", "force_review"), "changed", "roles", force.roles, ("chairman",))
        in changes
    )
    assert states_removed(changes) == ["followup_required"]
    gone = {change.part for change in changes if change.what == "removed"}
    assert gone == {("state", "followup_required")} | {
        ("transition", each.code)
        for each in old.transitions
        if each.target == "followup_required" or each.sources == ("followup_required",)
    } | {
        ("timer", timer.code)
        for timer in old.timers
        if new.transition(timer.transition) is None
    }  # fmt: skip


def test_two_actions_of_one_name_are_both_seen() -> None:
    old = mds_bmf()
    told = Action("notify", Settings.of(role="chairman", text="one"))
    one = editing.with_action(old, "state", "review_ready", told)
    two = editing.with_action(one, "state", "review_ready", told)
    (change,) = difference(one, two)
    assert change.attribute == "on_entry"
    assert change.new[-2:] == ("notify(role=chairman, text=one)",) * 2
