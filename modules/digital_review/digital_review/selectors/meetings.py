"""Meetings: lists, a meeting's list of patients, who can be on it, who can take part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.utils import timezone

from digital_review.models import (
    AgendaItem,
    Case,
    CaseForm,
    CasePassage,
    FormSlot,
    Meeting,
    OutcomeSpecialist,
    Participant,
    ReviewType,
)
from digital_review.models.reach import (
    LEAD,
    MINUTES,
    PATHOLOGY,
    SEE,
    TAKE_PART,
)
from digital_review.rules.planning import Candidate, Last, Why, days_due, why_on_list
from portal.access.decision import visible
from portal.access.who_may import who_may
from portal.flows.rules.definition import StateKind
from portal.flows.selectors import machine_of

PART_NEEDS = {
    Participant.Part.CHAIRMAN: LEAD,
    Participant.Part.SECRETARY: MINUTES,
    Participant.Part.PATHOLOGIST: PATHOLOGY,
    Participant.Part.SPECIALIST: TAKE_PART,
    Participant.Part.CLINICIAN: TAKE_PART,
    Participant.Part.GUEST: SEE,
}
"""What somebody needs at the review to take this part."""
OFFICES = (Participant.Part.CHAIRMAN, Participant.Part.SECRETARY, Participant.Part.PATHOLOGIST)


def meetings_seen(user: Any) -> QuerySet[Meeting]:
    """The meetings that the person may see, with how many patients are on their lists."""
    counts = Count("items", filter=Q(items__deleted_at__isnull=True))
    done = Count("items", filter=Q(items__deleted_at__isnull=True, items__status="discussed"))
    found = visible(user, Meeting.objects.all(), SEE).annotate(patients=counts, discussed=done)
    return found.select_related("review_type__unit", "chairman", "secretary", "pathologist")


def coming(user: Any) -> list[Meeting]:
    """Of each review type the meeting that runs, or else the next that is planned."""
    found: dict[int, Meeting] = {}
    for meeting in meetings_seen(user).filter(status__in=("planned", "running")):
        first = found.setdefault(meeting.review_type_id, meeting)
        if meeting.status == "running" and first.status != "running":
            found[meeting.review_type_id] = meeting
    return sorted(found.values(), key=lambda each: each.starts_at)


def in_review(user: Any) -> list[Meeting]:
    """Those that run, or that are being prepared: their information is due to the pathologist."""
    today = timezone.localdate()
    return [
        meeting
        for meeting in meetings_seen(user).filter(status__in=("planned", "running"))
        if meeting.status == "running" or deadlines(meeting).information_on <= today
    ]


def future(user: Any) -> QuerySet[Meeting]:
    """Planned meetings after each review type's next."""
    return (
        meetings_seen(user)
        .filter(status="planned")
        .exclude(pk__in=[each.pk for each in coming(user)])
        .order_by("starts_at", "pk")
    )


def past(user: Any) -> QuerySet[Meeting]:
    """Held and cancelled ones, newest first."""
    held = meetings_seen(user).filter(status__in=("held", "cancelled"))
    return held.order_by("-starts_at", "-pk")


def next_meeting(review_type_id: int, now: datetime) -> Meeting | None:
    """The next meeting of the review type that is planned."""
    planned = Meeting.objects.filter(review_type=review_type_id, status="planned")
    return planned.filter(starts_at__gte=now).order_by("starts_at", "pk").first()


def usual_next(review_type: ReviewType) -> datetime | None:
    """When the next meeting would be by the review type's cadence (DR-059); None: none before."""
    last = (
        Meeting.objects.filter(review_type=review_type)
        .exclude(status="cancelled")
        .order_by("-starts_at")
        .first()
    )
    if last is None:
        return None
    local = timezone.localtime(last.starts_at)
    month = local.month - 1 + review_type.cadence_months
    # the same day of the week in the same week of the month, as meetings are: not the 29th
    weeks, weekday = (local.day - 1) // 7, local.weekday()
    first = date(local.year + month // 12, month % 12 + 1, 1)
    day = 1 + (weekday - first.weekday()) % 7 + 7 * min(weeks, 3)
    return local.replace(year=first.year, month=first.month, day=day)


# --- patients --------------------------------------------------------------------------------


def items_of(user: Any, meeting: Meeting) -> QuerySet[AgendaItem]:
    """The meeting's patients as the person may see them, with their forms, in order."""
    forms = CaseForm.objects.select_related("slot").order_by("slot__order", "number")
    return (
        visible(user, AgendaItem.objects.filter(meeting=meeting))
        .select_related("case__patient__hospital", "case__review_type__unit", "case__outcome")
        .select_related("case__flow_version", "form__slot", "meeting")
        .prefetch_related(Prefetch("case__forms", forms))
        .order_by("position", "pk")
    )


@dataclass(frozen=True)
class Eligible:
    """A case that belongs on the next list, and why."""

    case: Case
    why: Why


def eligible(user: Any, review_type_id: int) -> list[Eligible]:
    """Cases of the review type that belong on the next list, as the person may see them (DR-056).

    Constant number of queries: what decides is read with the cases.
    """
    cases = visible(user, candidates(review_type_id)).select_related(
        "patient__hospital", "review_type__unit", "flow_version"
    )
    return eligible_of(cases)


def candidates(review_type_id: int) -> QuerySet[Case]:
    """Cases of the review type with what decides whether they belong on the next list."""
    items = AgendaItem.objects.filter(case=OuterRef("pk"))
    last = items.exclude(status="to_discuss").order_by("-meeting__starts_at", "-pk")
    return (
        Case.objects.filter(review_type=review_type_id)
        .annotate(
            on_a_list=Exists(items.filter(status="to_discuss")),
            last_status=Subquery(last.values("status")[:1]),
            forced=Exists(CasePassage.objects.filter(case=OuterRef("pk"), forced=True)),
        )
        .select_related("flow_version", "outcome")
        .order_by("registered_on", "pk")
    )


def eligible_of(cases: Iterable[Case]) -> list[Eligible]:
    """Which of the `candidates` belong on the next list, and why."""
    found = []
    for case in cases:
        why = why_on_list(
            Candidate(
                ended=has_ended(case),
                on_a_list=case.on_a_list,  # type: ignore[attr-defined]
                last=Last(case.last_status or Last.NEVER),  # type: ignore[attr-defined]
                complete=case.information_complete,
                forced=case.forced,  # type: ignore[attr-defined]
            )
        )
        if why is not None:
            found.append(Eligible(case, why))
    return found


def has_ended(case: Case) -> bool:
    """The flow has come to its end, or the review to a diagnosis."""
    state = machine_of(case.flow_version).by_code[case.flow_state]
    return state.kind is StateKind.HALTING or (case.outcome is not None and case.outcome.met)


@dataclass(frozen=True)
class Readiness:
    """How complete what the meeting needs is, of one patient."""

    missing: tuple[str, ...]
    """Titles of needed forms that are not there or not complete."""
    report_missing: bool
    """The pathologist's is among them."""

    @property
    def complete(self) -> bool:
        return not self.missing


def readiness(case: Case, slots: Iterable[FormSlot]) -> Readiness:
    """What of the forms needed before the meeting is complete; forms are read with the case."""
    latest: dict[int, CaseForm] = {}
    for form in case.forms.all():
        if form.slot_id not in latest or form.number > latest[form.slot_id].number:
            latest[form.slot_id] = form
    open_slots = [
        slot
        for slot in slots
        if slot.needed and (slot.pk not in latest or latest[slot.pk].status == "draft")
    ]
    return Readiness(
        tuple(slot.title for slot in open_slots),
        any(slot.filled_by == FormSlot.FilledBy.PATHOLOGIST for slot in open_slots),
    )


def slots_of(review_type_id: int) -> list[FormSlot]:
    return list(FormSlot.objects.filter(review_type=review_type_id).order_by("order", "pk"))


@dataclass(frozen=True)
class Deadlines:
    """By when the information goes to the pathologist, and the report is there (days)."""

    information_on: date
    report_on: date


def deadlines(meeting: Meeting) -> Deadlines:
    day = timezone.localtime(meeting.starts_at).date()
    kind = meeting.review_type
    return Deadlines(
        days_due(day, kind.information_days_before), days_due(day, kind.report_days_before)
    )


# --- people ----------------------------------------------------------------------------------


def people_at(privilege: str, review_type: ReviewType) -> list[Any]:
    """Active people who hold the privilege at the review today, by name."""
    return [person for person, _ways in who_may(privilege, review_type).people]


def specialists_of(review_type_id: int) -> list[Any]:
    """Who is named as responsible for an outcome of the review, by name."""
    named = OutcomeSpecialist.objects.filter(
        outcome__review_type=review_type_id, outcome__deleted_at__isnull=True
    )
    people = {row.person_id: row.person for row in named.select_related("person")}
    return sorted(people.values(), key=lambda each: (each.name, each.pk))


def invited(meeting: Meeting) -> list[Any]:
    """Everybody whom the meeting concerns: its officers and participants, each once, by name."""
    people = {
        person.pk: person for person in (meeting.chairman, meeting.secretary, meeting.pathologist)
    }
    for row in Participant.objects.filter(meeting=meeting).select_related("person"):
        people[row.person_id] = row.person
    return sorted(people.values(), key=lambda each: (each.name, each.pk))
