"""Meetings for tests: written by the services, as the review manager."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from digital_review.models import AgendaItem, Case, Meeting
from digital_review.services.meetings import MeetingData, invite, plan_meeting
from django.utils import timezone

from tests.digital_review.factories import World, make_case
from tests.support.factories import give, make_user

READY = {"information_complete": True, "flow_state": "review_ready"}
"""A case that is new and complete."""


def meeting_data(world: World, **values: Any) -> MeetingData:
    people = world.people
    fields: dict[str, Any] = {
        "starts_at": timezone.now() + timedelta(days=60),
        "chairman_id": people["chairman"].pk,
        "secretary_id": people["secretary"].pk,
        "pathologist_id": people["pathologist"].pk,
        "pathologist_hospital_id": world.north.pk,
        **values,
    }
    return MeetingData(**fields)


def plan(world: World, *, participants: tuple[Any, ...] = (), **values: Any) -> Meeting:
    """A planned meeting; everybody who is ready is on its list."""
    return plan_meeting(
        actor=world.people["manager"],
        review_type_id=world.review_type.pk,
        data=meeting_data(world, **values),
        participant_ids=[person.pk for person in participants],
    )


def plan_today(world: World, *numbers: str, **values: Any) -> Meeting:
    """A meeting in an hour with these patients on its list, and the specialist among its guests."""
    for number in numbers or ("SK-0001",):
        make_case(world, number, **READY)
    soon = timezone.now() + timedelta(hours=1)
    return plan(world, participants=(world.people["specialist"],), **{"starts_at": soon, **values})


def items(meeting: Meeting) -> list[AgendaItem]:
    found = AgendaItem.objects.filter(meeting=meeting).select_related("case__patient")
    return list(found.order_by("position", "pk"))


def numbers_on(meeting: Meeting) -> list[str]:
    return [item.case.patient.number for item in items(meeting)]


def another(world: World, role: str, name: str) -> Any:
    """One more person who holds the role at the review."""
    person = make_user(name)
    give(person, f"digital_review.{role}", world.review)
    return person


def fresh(case: Case) -> Case:
    return Case.objects.get(pk=case.pk)


__all__ = [
    "READY",
    "another",
    "fresh",
    "invite",
    "items",
    "meeting_data",
    "numbers_on",
    "plan",
    "plan_today",
]
