"""Moving cases to a new version of their flow, and their timers, on pages and in tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from digital_review.models import Case, CasePassage
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.audit.models import AuditEntry
from portal.flows import selectors, tasks
from portal.flows.models import FlowVersion
from portal.flows.services import cases
from portal.flows.services.cases import Conduct
from tests.digital_review.factories import FLOW, World, make_case, review_world
from tests.support.accounts import sign_in
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return review_world()


FACTS: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def conduct(monkeypatch: pytest.MonkeyPatch) -> Conduct:
    conduct = Conduct(
        area="digital_review",
        case_model=Case,
        passage_model=CasePassage,
        facts=lambda case: FACTS,
        roles=lambda actor, case: set(),
        perform=_perform,
        topic=lambda case: f"digital_review/case/{case.pk}",
    )
    monkeypatch.setattr(cases, "actions_for", lambda version: {})
    monkeypatch.setattr(cases, "conducts", lambda: [conduct])
    monkeypatch.setattr(selectors, "conduct_of", lambda design: conduct)
    FACTS.clear()
    return conduct


def _perform(actor: Any, case: Any, action: Any) -> None:
    if case.flow_state == "precrf_start" and FACTS.get("broken") == case.pk:
        raise ValueError("the mail server is away")


def version_after(old: FlowVersion, **changes: Any) -> FlowVersion:
    old.state = "retired"
    old.save()
    return FlowVersion.objects.create(
        design=old.design,
        number=old.number + 1,
        state="published",
        content={**old.content, **changes},
        published_at=timezone.now(),
    )


def renamed(old: FlowVersion) -> FlowVersion:
    """The next version, in which the start has another code."""
    return version_after(
        old,
        states=[
            {**state, "code": "beginning"} if state["code"] == "precrf_start" else state
            for state in FLOW["states"]  # type: ignore[attr-defined]
        ],
        transitions=[
            {**way, "sources": [s.replace("precrf_start", "beginning") for s in way["sources"]]}
            for way in FLOW["transitions"]  # type: ignore[attr-defined]
        ],
    )


@pytest.mark.requirement("DR-107")
def test_cases_are_moved_on_the_page_state_by_state_with_a_reason(
    world: World, client: Client
) -> None:
    first, second = make_case(world), make_case(world, "SK-2", flow_state="review_ready")
    new = renamed(first.flow_version)
    sign_in(client, world.people["manager"])
    url = reverse("flows:move", args=[new.design_id])
    page = client.get(url).content.decode()
    assert "From version 1 to version 2" in page
    sent = {"from": first.flow_version_id, "where-review_ready": "review_ready"}
    assert client.post(url, {**sent, "where-precrf_start": "beginning"}).status_code == 422
    stranded = client.post(url, {**sent, "where-precrf_start": "", "reason": "Clearer"})
    assert stranded.status_code == 422
    assert stranded.content.decode().count("It has no place there: say what it becomes.") == 1
    first.refresh_from_db()
    assert first.flow_version.number == 1
    moved = client.post(url, {**sent, "where-precrf_start": "beginning", "reason": "Clearer"})
    assert moved["Location"] == url
    standings = {
        (each.version.number, each.state): each.cases for each in selectors.standings(new.design)
    }
    assert standings == {(2, "beginning"): 1, (2, "review_ready"): 1}
    assert second.passages.get().reason == "Clearer"
    entry = AuditEntry.objects.get(action="flows.cases_moved")
    assert entry.data["cases"] == 2
    assert entry.reason == "Clearer"
    assert "All of them stand on version 2" in client.get(url).content.decode()


def test_who_may_not_publish_moves_nobody(world: World, client: Client) -> None:
    case = make_case(world)
    new = renamed(case.flow_version)
    sign_in(client, world.people["chairman"])
    url = reverse("flows:move", args=[new.design_id])
    assert client.get(url).status_code == 404
    assert client.post(url, {"from": case.flow_version_id, "reason": "x"}).status_code == 404


# --- timers ---------------------------------------------------------------------------------------


def with_timer(world: World, **way: Any) -> FlowVersion:
    remind = {
        "code": "remind",
        "title": {"en": "Remind", "nl": "Herinner"},
        "sources": ["precrf_start"],
        "target": "precrf_start",
        "actions": [{"name": "notify", "arguments": {"role": "datamanager"}}],
        **way,
    }
    return version_after(
        world.review_type.flow.versions.get(),
        transitions=[*FLOW["transitions"], remind],  # type: ignore[misc]
        timers=[{"code": "month", "transition": "remind", "after": 30}],
    )


def due_case(world: World, version: FlowVersion, number: str = "SK-1") -> Case:
    old = timezone.now() - timedelta(days=31)
    return make_case(
        world,
        number,
        flow_version=version,
        flow_since=old,
        flow_timers={"month": old.isoformat()},
        flow_due_at=old + timedelta(days=30),
    )


@pytest.mark.requirement("DR-100", "DR-101")
def test_the_task_runs_timers_that_are_due_once(world: World) -> None:
    case = due_case(world, with_timer(world))
    early = make_case(world, "SK-2", flow_version=case.flow_version)
    tasks.run_timers()
    tasks.run_timers()
    assert [each.timer for each in case.passages.all()] == ["month"]
    assert not early.passages.exists()
    tasks.check_timers()


def test_a_timer_whose_guard_is_not_true_waits(world: World) -> None:
    case = due_case(world, with_timer(world, guard="not precrf.complete"))
    FACTS["precrf.complete"] = True
    tasks.run_timers()
    assert not case.passages.exists()
    FACTS["precrf.complete"] = False
    tasks.run_timers()
    assert case.passages.count() == 1


@pytest.mark.requirement("OP-004")
def test_operators_are_told_which_case_failed_and_the_others_go_on(world: World) -> None:
    version = with_timer(world)
    bad, good = due_case(world, version), due_case(world, version, "SK-2")
    FACTS["broken"] = bad.pk
    tasks.run_timers()
    assert not bad.passages.exists(), "its step is undone whole"
    assert good.passages.count() == 1
    with pytest.raises(RuntimeError, match=f"Case {bad.pk}"):
        tasks.check_timers()
    FACTS.clear()
    tasks.run_timers()
    assert bad.passages.count() == 1
    tasks.check_timers()
    cache.clear()


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_take_each_timer_once(world: World) -> None:
    version = with_timer(world)
    due = [due_case(world, version, f"SK-{number}") for number in range(3)]
    results = at_once(*[tasks.run_timers] * 2)
    assert results == [None, None]
    assert [case.passages.count() for case in due] == [1, 1, 1]
    tasks.check_timers()
