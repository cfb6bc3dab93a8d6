"""A case goes through its machine: what is possible, what is done, what the timers do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statemachine import State as OracleState
from statemachine import StateMachine
from statemachine.exceptions import TransitionNotAllowed

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
from portal.flows.rules.publishing import faults_of
from portal.flows.rules.running import (
    Due,
    NotPossible,
    Position,
    Step,
    WhyNot,
    begin,
    is_done,
    move,
    possibilities,
    run_out,
    runs_out_at,
    stranded,
    take,
    timers_due,
)
from portal.forms.rules.definition import Kind
from portal.forms.rules.faults import Faulty
from portal.forms.rules.texts import Words
from tests.support.definitions import REGISTRY, ROLES, mds_bmf

BMF = mds_bmf()
START = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)


def go(position: Position, code: str, **more: Any) -> Step:
    """Take a transition of the MDS-BMF machine, in every role."""
    at = more.pop("at", START)
    settings: dict[str, Any] = {"facts": {}, "roles": ROLES, "today": at.date(), **more}
    return take(BMF, position, code, at=at, registry=REGISTRY, **settings)


def why_not(position: Position, code: str, **more: Any) -> tuple[WhyNot, ...]:
    with pytest.raises(NotPossible) as caught:
        go(position, code, **more)
    return caught.value.why


@pytest.mark.requirement("DR-100", "DR-101")
def test_a_patient_goes_from_the_pre_crf_to_the_signed_crf() -> None:
    step = begin(BMF, START, REGISTRY)
    assert step.position == Position("start", START)
    facts: dict[str, Any] = {}
    done: list[str] = []
    for fact, code in [
        ({}, "start_precrf"),
        ({"precrf.complete": True}, "complete_precrf"),
        ({}, "send_info"),
        ({"pathology.complete": True, "pathology.signed": True}, "sign_pathology"),
        ({"slides.received": True}, "data_complete"),
        ({"crf.complete": True, "crf.diagnosis": "none"}, "no_diagnosis"),
        ({"followup.complete": True}, "followup_complete"),
        ({"crf.diagnosis": "SAA"}, "diagnosis"),
        ({"crf.signed": True}, "sign_crf"),
    ]:
        assert not is_done(BMF, step.position.state)
        facts |= fact
        step = go(step.position, code, facts=facts)
        done += [action.name for action in step.actions]
    assert is_done(BMF, step.position.state)
    assert possibilities(BMF, "crf_signed", facts=facts, roles=ROLES, today=START.date()) == ()
    assert done == [
        "notify", "open_form", "notify", "notify", "open_form", "schedule",
        "start_timer", "request_followup", "schedule", "require_signature",
    ]  # fmt: skip


@pytest.mark.requirement("DR-100", "DR-101")
def test_every_transition_from_here_is_listed_with_why_it_is_closed() -> None:
    def listed(**facts: Any) -> dict[str, Any]:
        found = possibilities(
            BMF, "info_to_pathologist", facts=facts, roles={"pathologist"}, today=START.date()
        )
        return {each.transition.code: (each.why_not, each.missing) for each in found}

    assert listed(**{"pathology.complete": True}) == {
        "sign_pathology": ((WhyNot.GUARD_UNKNOWN,), ("pathology.signed",)),
        "force_review": ((WhyNot.ROLE,), ()),
    }
    assert listed(**{"pathology.complete": False})["sign_pathology"][0] == (WhyNot.GUARD_FALSE,)
    both = {"pathology.complete": True, "pathology.signed": True}
    assert listed(**both)["sign_pathology"] == ((), ())


def test_what_is_not_possible_is_refused_with_every_reason() -> None:
    at = Position("precrf_start", START)
    assert why_not(at, "complete_precrf", roles={"chairman"}) == (
        WhyNot.ROLE,
        WhyNot.GUARD_UNKNOWN,
    )
    assert why_not(at, "sign_crf", facts={"crf.signed": True}) == (WhyNot.ELSEWHERE,)
    assert why_not(at, "frobnicate") == (WhyNot.NO_SUCH,)
    assert why_not(at, "remind", facts={"precrf.complete": False}) == (WhyNot.ROLE,)
    assert why_not(Position("crf_signed", START), "force_review", reason="x") == (WhyNot.ELSEWHERE,)


@pytest.mark.requirement("DR-102", "DR-058")
def test_a_review_is_forced_from_every_state_before_it_with_a_reason() -> None:
    for state in ("precrf_start", "precrf_complete", "info_to_pathologist", "info_complete"):
        at = Position(state, START)
        assert why_not(at, "force_review", reason="  ") == (WhyNot.NO_REASON,)
        assert why_not(at, "force_review", reason="urgent", roles={"datamanager"}) == (WhyNot.ROLE,)
        assert go(at, "force_review", reason="urgent").position.state == "review_ready"


def test_a_reminder_comes_every_month_and_only_while_it_is_needed() -> None:
    position = go(Position("start", START), "start_precrf").position
    assert position.timers == (("reminder", START),)
    assert timers_due(BMF, position, datetime(2026, 2, 28, 8, 59, tzinfo=UTC)) == ()
    now = datetime(2026, 3, 1, tzinfo=UTC)
    (due,) = timers_due(BMF, position, now)
    assert due.at == datetime(2026, 2, 28, 9, tzinfo=UTC)

    def run(facts: dict[str, Any]) -> Step:
        settings: dict[str, Any] = {"at": now, "registry": REGISTRY, "today": now.date()}
        return run_out(BMF, position, due, facts=facts, **settings)

    with pytest.raises(NotPossible, match="guard_false"):
        run({"precrf.complete": True})
    step = run({"precrf.complete": False})
    # it stays in its state: only told, not opened again; and the next reminder is a month away
    assert [action.name for action in step.actions] == ["notify"]
    assert step.position == Position("precrf_start", START, (("reminder", now),))
    with pytest.raises(NotPossible, match="timer_not_due"):
        run_out(
            BMF, step.position, due, facts={}, at=now, registry=REGISTRY, today=now.date()
        )  # fmt: skip


@pytest.mark.requirement("DR-078")
def test_a_follow_up_is_due_six_months_after_the_meeting_that_asked_for_it() -> None:
    facts = {"crf.complete": True, "crf.diagnosis": "none"}
    asked = datetime(2026, 8, 31, 12, tzinfo=UTC)
    position = go(Position("review_ready", START), "no_diagnosis", facts=facts, at=asked).position
    assert position.timers == (("followup_due", asked),)
    assert timers_due(BMF, position, datetime(2027, 2, 28, 11, tzinfo=UTC)) == ()
    (due,) = timers_due(BMF, position, datetime(2027, 2, 28, 12, tzinfo=UTC))
    assert due.timer.code == "followup_due"
    assert go(position, "force_review", reason="now").position.timers == ()


def test_a_reminder_does_not_put_off_another_deadline() -> None:
    words = Words.of(en="x")
    machine = Machine(
        "m",
        words,
        ("en",),
        (
            State("a", words, StateKind.START),
            State("z", words, StateKind.HALTING),
        ),
        (
            Transition("remind", words, ("a",), "a", actions=(Action("schedule"),)),
            Transition("end", words, ("a",), "z"),
        ),
        (Timer("r", "remind", 1, Unit.MONTHS), Timer("e", "end", 45, Unit.DAYS)),
    )
    assert faults_of(machine, REGISTRY, ROLES) == []
    position = begin(machine, START, REGISTRY).position
    month = START + timedelta(days=31)
    more: dict[str, Any] = {"facts": {}, "registry": REGISTRY, "today": month.date()}
    (due,) = timers_due(machine, position, month)
    position = run_out(machine, position, due, at=month, **more).position
    end = START + timedelta(days=45)
    (due,) = timers_due(machine, position, end)
    assert due == Due(machine.timers[1], end)
    assert run_out(machine, position, due, at=end, **more).position.state == "z"


@given(st.datetimes(timezones=st.just(UTC), max_value=datetime(2900, 1, 1)), st.integers(1, 120))
def test_timers_of_months_end_on_the_same_day_or_the_last_of_its_month(
    started: datetime, months: int
) -> None:
    ends = runs_out_at(Timer("t", "x", months, Unit.MONTHS), started)
    assert ends.timetz() == started.timetz()
    assert (ends.year - started.year) * 12 + ends.month - started.month == months
    assert ends.day == started.day or (ends + timedelta(days=1)).day == 1


@pytest.mark.requirement("DR-107")
def test_no_patient_is_stranded_when_a_machine_changes() -> None:
    fewer = replace(BMF, states=tuple(s for s in BMF.states if s.code != "info_complete"))
    stand = ["precrf_start", "info_complete", "info_complete"]
    assert [str(fault) for fault in stranded(stand, fewer, {})] == [
        "state info_complete: state “info_complete” is not in the other version: say where it goes"
    ]
    where = {"info_complete": "review_ready"}
    assert stranded(stand, fewer, where) == []
    at = datetime(2026, 5, 1, tzinfo=UTC)
    assert move(Position("info_complete", START), fewer, where, at) == Position("review_ready", at)
    with pytest.raises(Faulty, match="say where it goes"):
        move(Position("info_complete", START), fewer, {}, at)
    with pytest.raises(Faulty):
        move(Position("info_complete", START), fewer, {"info_complete": "nowhere"}, at)


@pytest.mark.requirement("DR-107")
def test_timers_run_on_in_another_version_and_new_ones_begin() -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    more = replace(BMF, timers=(*BMF.timers, Timer("second", "remind", 9, Unit.DAYS)))
    here = Position("precrf_start", START, (("reminder", START),))
    assert move(here, more, {}, at).timers == (("reminder", START), ("second", at))
    waiting = Position("followup_required", START, (("followup_due", START),))
    assert move(waiting, more, {}, at) == waiting
    assert move(Position("followup_required", START), more, {}, at).timers == ()


# --- machines made at random, against python-statemachine

WORDS = Words.of(en="x")


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """A machine that could be published: a way through all its states, and others beside it."""
    count = draw(st.integers(2, 6))
    codes = [f"s{number}" for number in range(count)]
    ways = [((code,), after) for code, after in pairwise(codes)]
    leaving = st.lists(st.sampled_from(codes[:-1]), min_size=1, max_size=3, unique=True).map(tuple)
    ways += draw(st.lists(st.tuples(leaving, st.sampled_from(codes)), max_size=6))
    guarded = draw(st.lists(st.booleans(), min_size=len(ways), max_size=len(ways)))
    kinds = [StateKind.START, *[StateKind.ORDINARY] * (count - 2), StateKind.HALTING]
    return Machine(
        code="random",
        title=WORDS,
        languages=("en",),
        states=tuple(State(c, WORDS, kind) for c, kind in zip(codes, kinds, strict=True)),
        transitions=tuple(
            Transition(f"t{n}", WORDS, sources, target, f"f{n}" if guard else "", ("chairman",))
            for n, ((sources, target), guard) in enumerate(zip(ways, guarded, strict=True))
        ),
        facts=tuple(Fact(f"f{number}", Kind.BOOLEAN) for number in range(len(ways))),
    )


def oracle(machine: Machine, facts: dict[str, Any]) -> StateMachine:
    """The same machine as python-statemachine has it; ``facts`` are read as they are then."""
    states = {
        each.code: OracleState(
            initial=each.kind is StateKind.START, final=each.kind is StateKind.HALTING
        )
        for each in machine.states
    }
    events: dict[str, Any] = {}
    for each in machine.transitions:
        way: Any = None
        for source in each.sources:
            guard = f"is_{each.guard}" if each.guard else None
            one = states[source].to(states[each.target], cond=guard)
            way = one if way is None else way | one
        events[each.code] = way
    guards = {
        f"is_{fact.name}": (lambda self, name=fact.name: facts.get(name) is True)
        for fact in machine.facts
    }
    made: StateMachine = type("Oracle", (StateMachine,), {**states, **events, **guards})()
    return made


@given(machines(), st.data())
@settings(max_examples=60, deadline=None)
@pytest.mark.requirement("DR-100")
def test_a_machine_runs_as_python_statemachine_runs_it(
    machine: Machine, data: st.DataObject
) -> None:
    assert faults_of(machine, {}, {"chairman"}) == []
    facts: dict[str, Any] = {}
    other = oracle(machine, facts)
    position = begin(machine, START, {}).position
    for _ in range(8):
        name = data.draw(st.sampled_from([fact.name for fact in machine.facts]))
        facts[name] = data.draw(st.sampled_from([True, False, None]))
        (there,) = other.configuration
        assert position.state == there.id
        assert is_done(machine, position.state) == other.is_terminated
        found = possibilities(
            machine, position.state, facts=facts, roles={"chairman"}, today=START.date()
        )
        assert {each.transition.code for each in found if each.open} == {
            event.id for event in other.enabled_events()
        }
        code = data.draw(st.sampled_from([each.code for each in machine.transitions]))
        more: dict[str, Any] = {"at": START, "registry": {}, "today": date(2026, 1, 31)}
        try:
            step = take(machine, position, code, facts=facts, roles={"chairman"}, **more)
        except NotPossible:
            with pytest.raises(TransitionNotAllowed):
                other.send(code)
        else:
            other.send(code)
            position = step.position
