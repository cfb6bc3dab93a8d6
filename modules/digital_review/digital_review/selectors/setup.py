"""Review types as their set-up pages show them, and whether they are whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet

from digital_review.models import FormSlot, Outcome, OutcomeSpecialist, ReviewType
from digital_review.models.reach import SET_UP
from digital_review.rules.review_types import Problem, Result, Slot, Whole, problems_of
from portal.access.decision import can, visible
from portal.flows.selectors import latest as latest_flow
from portal.flows.selectors import machine_of
from portal.forms.selectors import latest, usable

_IN_FORCE = Q(responsible__deleted_at__isnull=True)


def may_see_setup(user: Any, model: str) -> bool:
    """Who may listen to the lists of the set-up."""
    return can(user, SET_UP)


def review_types(user: Any) -> QuerySet[ReviewType]:
    """The review types that the person sets up, with how many cases each has."""
    found = visible(user, ReviewType.objects.all(), SET_UP).select_related("unit", "flow")
    cases = Count("cases", filter=Q(cases__deleted_at__isnull=True), distinct=True)
    return found.annotate(case_count=cases).order_by("name", "pk")


def whole_of(review_type: ReviewType) -> Whole:
    """The review type as its rules look at it. A query for each form and one for the flow."""
    flow = latest_flow(review_type.flow)
    slots = []
    for slot in _slots(review_type):
        version = latest(slot.design)
        slots.append(
            Slot(
                slot.code,
                slot.title,
                usable(version).form if version is not None else None,
                slot.filled_by == FormSlot.FilledBy.MEETING,
                slot.signed_by == FormSlot.SignedBy.SPECIALIST,
            )
        )
    outcomes = Outcome.objects.filter(review_type=review_type)
    outcomes = outcomes.annotate(signers=Count("responsible", filter=_IN_FORCE))
    return Whole(
        machine_of(flow) if flow is not None else None,
        tuple(slots),
        tuple(
            Result(each.code, each.name, each.met, each.signers)
            for each in outcomes.order_by("order", "pk")
        ),
        diagnosis=review_type.diagnosis,
        local_diagnosis=review_type.local_diagnosis,
        working_diagnosis=review_type.working_diagnosis,
    )


def _slots(review_type: ReviewType) -> QuerySet[FormSlot]:
    found = FormSlot.objects.filter(review_type=review_type)
    return found.select_related("design").order_by("order", "pk")


def what_is_wrong(review_type: ReviewType) -> list[Problem]:
    """Everything that keeps cases from being started, then what is still to be done."""
    return problems_of(whole_of(review_type))


@dataclass(frozen=True)
class TypeSetup:
    """A review type with its parts, for its page."""

    review_type: ReviewType
    slots: list[FormSlot]
    outcomes: list[Outcome]
    """Each with ``named``: its responsible specialists in force."""
    problems: list[Problem]

    @property
    def blocking(self) -> list[Problem]:
        return [each for each in self.problems if each.blocks]

    @property
    def still_open(self) -> list[Problem]:
        return [each for each in self.problems if not each.blocks]


def type_setup(user: Any, pk: int) -> TypeSetup | None:
    """One review type of the person's set-up; None where there is none."""
    found = review_types(user).filter(pk=pk).first()
    if found is None:
        return None
    named = OutcomeSpecialist.objects.select_related("person").order_by("person__name", "pk")
    outcomes = Outcome.objects.filter(review_type=found)
    outcomes = outcomes.prefetch_related(Prefetch("responsible", named, to_attr="named"))
    return TypeSetup(
        found,
        list(_slots(found)),
        list(outcomes.order_by("order", "pk")),
        what_is_wrong(found),
    )
