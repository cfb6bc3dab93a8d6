"""Reads of the access review: its lines, and when a unit is due (PT-017)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from portal.access.decision import Holding, held_by
from portal.access.models import AccessReview, ReviewLine, RoleGrant
from portal.access.policies import ByUnit
from portal.access.rules import review_due_on
from portal.organisation.models import Unit

REVIEW = "access.review_access"


# --- reviews and their lines ----------------------------------------------------------------------


def reviews(actor: Any) -> QuerySet[AccessReview]:
    """Reviews at units where the actor reviews access, newest first."""
    reach = ByUnit("unit").q(held_by(actor), REVIEW)
    if reach is None:
        return AccessReview.objects.none()
    return (
        AccessReview.objects.filter(reach)
        .select_related("unit", "opened_by", "closed_by")
        .order_by("-pk")
    )


def units_to_review(actor: Any) -> QuerySet[Unit]:
    """Open units whose review, with all that is below them, is the actor's."""
    held = [each for each in held_by(actor).of(REVIEW) if each.below]
    if not held:
        return Unit.objects.none()
    reach = Q()
    for each in held:
        reach |= Q(path__startswith=each.unit_path)
    return Unit.objects.filter(reach, closed_on__isnull=True).order_by("path")


def lines(review: AccessReview) -> QuerySet[ReviewLine]:
    """The lines in the order of the tree."""
    return (
        ReviewLine.objects.filter(review=review)
        .select_related("unit", "person", "group", "decided_by", "grant", "member", "exception")
        .order_by("unit__path", "holder", "pk")
    )


def still_held(today: date) -> Q:
    """Condition for lines about what is held still."""
    grant = Q(grant__isnull=False, grant__deleted_at__isnull=True) & (
        Q(grant__ends_on__isnull=True) | Q(grant__ends_on__gte=today)
    )
    member = Q(member__isnull=False, member__deleted_at__isnull=True)
    exception = Q(exception__isnull=False, exception__deleted_at__isnull=True)
    return grant | member | exception


def undecided(review: AccessReview) -> QuerySet[ReviewLine]:
    """Lines that somebody has to decide: what ended by itself meanwhile needs no decision."""
    return ReviewLine.objects.filter(
        still_held(timezone.localdate()), review=review, decision=ReviewLine.Decision.OPEN
    ).order_by("unit__path", "pk")


# --- when it is due -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Due:
    """A unit that the actor reviews, and by when it is to be reviewed next."""

    unit_name: str
    unit_path: str
    due_on: date | None
    review: AccessReview | None
    """The one that is under way."""
    left: int = 0
    """Its lines that are still to be decided."""


def due_for(actor: Any) -> list[Due]:
    """For each unit at which the actor reviews access: when. At most four queries."""
    held = {each.unit_path: each for each in held_by(actor).of(REVIEW) if each.below}
    if not held:
        return []
    above = {
        path[:end] for path in held for end in range(Unit.steplen, len(path) + 1, Unit.steplen)
    }
    found = AccessReview.objects.filter(unit__path__in=above).select_related("unit")
    signed: dict[str, date] = {}
    under_way: dict[str, AccessReview] = {}
    for review in found.order_by("pk"):
        if review.closed_at is None:
            if review.unit.path in held:
                under_way[review.unit.path] = review
        else:
            signed[review.unit.path] = timezone.localdate(review.closed_at)
    left = {review.pk: undecided(review).count() for review in under_way.values()}
    never = [path for path in held if path not in under_way and not _covering(signed, path)]
    first = _first_grants(never)
    return [
        _due(holding, signed, under_way, left, first.get(path))
        for path, holding in sorted(held.items())
    ]


def _due(
    holding: Holding,
    signed: dict[str, date],
    under_way: dict[str, AccessReview],
    left: dict[int, int],
    first: datetime | None,
) -> Due:
    path = holding.unit_path
    last = max(_covering(signed, path), default=None)
    review = under_way.get(path)
    first_on = timezone.localdate(first) if first else None
    return Due(
        holding.unit_name,
        path,
        review.due_on if review else review_due_on(last, first_on),
        review,
        left[review.pk] if review else 0,
    )


def _covering(signed: dict[str, date], path: str) -> list[date]:
    """When the unit, or one above it, was signed off."""
    return [day for at, day in signed.items() if path.startswith(at)]


def _first_grants(paths: Collection[str]) -> dict[str, datetime]:
    if not paths:
        return {}
    names = {f"first_{number}": path for number, path in enumerate(paths)}
    found = RoleGrant.all_objects.aggregate(
        **{
            name: Min("created_at", filter=Q(unit__path__startswith=path))
            for name, path in names.items()
        }
    )
    return {names[name]: at for name, at in found.items() if at is not None}
