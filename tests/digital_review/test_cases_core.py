"""The portal's conducting of cases, tried on Digital Review's."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from digital_review.models import Case, CasePassage
from django.utils import timezone

from portal.audit.models import AuditEntry
from portal.flows.models import FlowVersion
from portal.flows.services import cases
from portal.flows.services.cases import (
    Conduct,
    begin_case,
    move_cases,
    possible,
    run_timers,
    run_timers_of,
    settle,
    take_transition,
)
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from tests.digital_review.factories import FLOW, World, make_case, make_patient, review_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return review_world()


class Done(list[tuple[Any, str]]):
    """The actions that were done, and the facts as they are."""

    facts: dict[str, Any]


@pytest.fixture
def done() -> Done:
    done = Done()
    done.facts = {}
    return done


@pytest.fixture(autouse=True)
def _own_actions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which actions there are is tried with the module's own conduct."""
    monkeypatch.setattr(cases, "actions_for", lambda version: {})


@pytest.fixture
def conduct(done: Done) -> Conduct:
    return Conduct(
        area="digital_review",
        case_model=Case,
        passage_model=CasePassage,
        facts=lambda case: done.facts,
        roles=lambda actor, case: {"review_manager"} if "manager" in actor.username else set(),
        perform=lambda actor, case, action: done.append((actor, action.name)),
        topic=lambda case: f"digital_review/case/{case.pk}",
        missing=lambda case: ["Pathology"],
    )


def with_flow(world: World, **changes: Any) -> FlowVersion:
    """The world's flow in its next version, published, with parts of it other than before."""
    old = world.review_type.flow.versions.latest("number")
    content = {**deepcopy(old.content), **changes}
    return FlowVersion.objects.create(
        design=old.design,
        number=old.number + 1,
        state="published",
        content=content,
        published_at=timezone.now(),
    )


def test_a_case_begins_in_the_start_state(world: World, conduct: Conduct) -> None:
    case = Case(
        patient=make_patient(world),
        review_type=world.review_type,
        registered_on=timezone.localdate(),
        flow_version=world.review_type.flow.versions.get(),
    )
    with acting(actor=world.people["bureau"]):
        begin_case(conduct, actor=world.people["bureau"], case=case)
    passage = case.passages.get()
    assert (passage.from_state, passage.to_state) == ("", "precrf_start")
    assert passage.taken_by == world.people["bureau"]


@pytest.mark.requirement("DR-100", "DR-101")
def test_a_case_goes_on_by_itself_as_far_as_its_facts_allow(
    world: World, conduct: Conduct, done: Done
) -> None:
    case = make_case(world)
    bureau = world.people["bureau"]
    assert settle(conduct, actor=bureau, case=case) == []
    done.facts = {"precrf.complete": True, "pathology.signed": True}
    assert settle(conduct, actor=bureau, case=case) == ["precrf_completed", "pathology_signed"]
    case.refresh_from_db()
    assert case.flow_state == "review_ready"
    assert [each.taken_by for each in case.passages.all()] == [None, None]


@pytest.mark.requirement("DR-102")
def test_a_forced_transition_needs_role_and_reason_and_keeps_what_was_missing(
    world: World, conduct: Conduct
) -> None:
    case, manager = make_case(world), world.people["manager"]
    for who, reason in ((world.people["bureau"], "urgent"), (manager, " ")):
        with pytest.raises(Refused) as refused:
            take_transition(conduct, actor=who, case_id=case.pk, code="force_review",
                            reason=reason)  # fmt: skip
        assert refused.value.code == "not_possible"
    take_transition(conduct, actor=manager, case_id=case.pk, code="force_review", reason="urgent")
    passage = case.passages.get()
    assert (passage.forced, passage.reason, passage.missing) == (True, "urgent", ["Pathology"])
    entry = AuditEntry.objects.get(action="digital_review.case_forced")
    assert (entry.reason, entry.data["missing"]) == ("urgent", ["Pathology"])


def test_who_may_not_see_a_case_cannot_move_it(world: World, conduct: Conduct) -> None:
    with pytest.raises(Refused) as refused:
        take_transition(conduct, actor=world.people["datamanager"],
                        case_id=make_case(world).pk, code="force_review", reason="x")  # fmt: skip
    assert refused.value.code == "gone"


def test_possibilities_say_why_not(world: World, conduct: Conduct) -> None:
    ways = possible(conduct, world.people["bureau"], make_case(world))
    told = {way.transition.code: [*way.why_not] for way in ways}
    assert told == {"precrf_completed": ["role", "guard_unknown"], "force_review": ["role"]}


@pytest.mark.requirement("DR-072")
def test_a_timer_takes_its_transition_when_due_and_its_guard_is_true(
    world: World, conduct: Conduct, done: Done
) -> None:
    remind = {
        "code": "remind", "title": {"en": "Remind", "nl": "Herinner"}, "sources": ["precrf_start"],
        "target": "precrf_start", "guard": "not precrf.complete",
        "actions": [{"name": "notify", "arguments": {"role": "datamanager"}}],
    }  # fmt: skip
    version = with_flow(
        world,
        transitions=[*FLOW["transitions"], remind],  # type: ignore[misc]
        timers=[{"code": "month", "transition": "remind", "after": 30}],
    )
    old = timezone.now() - timedelta(days=31)
    case = make_case(world, flow_version=version, flow_since=old,
                     flow_timers={"month": old.isoformat()}, flow_due_at=old)  # fmt: skip
    actor = ServiceActor("flow timers")
    assert run_timers_of(conduct, actor=actor, case_id=case.pk) == 0, "unknown never fires"
    done.facts = {"precrf.complete": False}
    assert run_timers_of(conduct, actor=actor, case_id=case.pk) == 1
    assert run_timers_of(conduct, actor=actor, case_id=case.pk) == 0
    assert [name for _, name in done] == ["notify"]
    case.refresh_from_db()
    assert case.flow_due_at > timezone.now() + timedelta(days=29)
    assert case.passages.get().timer == "month"


def test_what_fails_with_one_case_does_not_stop_the_others(
    world: World, conduct: Conduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    bad, good = (make_case(world, number, flow_due_at=now) for number in ("SK-1", "SK-2"))
    seen: list[int] = []

    def run(_conduct: Conduct, *, actor: Any, case_id: int) -> int:
        seen.append(case_id)
        if case_id == bad.pk:
            raise ValueError("broken")
        return 1

    monkeypatch.setattr(cases, "conducts", lambda: [conduct])
    monkeypatch.setattr(cases, "run_timers_of", run)
    assert run_timers() == (1, [f"Case {bad.pk}"])
    assert sorted(seen) == [bad.pk, good.pk]


@pytest.mark.requirement("DR-107")
def test_cases_move_to_a_new_version_only_by_an_act_and_only_where_they_have_a_place(
    world: World, conduct: Conduct
) -> None:
    case, manager = make_case(world), world.people["manager"]
    old = case.flow_version
    states = [
        {**state, "code": "beginning"} if state["code"] == "precrf_start" else state
        for state in FLOW["states"]  # type: ignore[attr-defined]
    ]
    ways = [
        {**way, "sources": [s.replace("precrf_start", "beginning") for s in way["sources"]]}
        for way in FLOW["transitions"]  # type: ignore[attr-defined]
    ]
    new = with_flow(world, states=states, transitions=ways)

    def move(who: Any, where: dict[str, str], reason: str = "A clearer name") -> int:
        return move_cases(conduct, actor=who, version_id=old.pk, to_version_id=new.pk,
                          where=where, reason=reason)  # fmt: skip

    with pytest.raises(Refused) as stranded:
        move(manager, {})
    assert (stranded.value.code, stranded.value.details) == ("stranded", ["precrf_start"])
    with pytest.raises(Refused) as unseen:
        move(world.people["bureau"], {"precrf_start": "beginning"})
    assert unseen.value.code == "gone"
    assert move(manager, {"precrf_start": "beginning"}) == 1
    case.refresh_from_db()
    assert (case.flow_version, case.flow_state) == (new, "beginning")
    assert case.passages.get().reason == "A clearer name"


def test_a_machine_that_goes_round_by_itself_is_stopped(
    world: World, conduct: Conduct, done: Done
) -> None:
    back: Callable[..., dict[str, Any]] = lambda **way: {  # noqa: E731
        "title": {"en": "x", "nl": "x"},
        "roles": ["system"],
        "guard": "precrf.complete",
        **way,
    }
    version = with_flow(
        world,
        transitions=[
            back(code="there", sources=["precrf_start"], target="review_ready"),
            back(code="back", sources=["review_ready"], target="precrf_start"),
            *FLOW["transitions"],  # type: ignore[misc]
        ],
    )
    done.facts = {"precrf.complete": True}
    with pytest.raises(Refused) as ring:
        settle(conduct, actor=world.people["bureau"], case=make_case(world, flow_version=version))
    assert ring.value.code == "ring"
