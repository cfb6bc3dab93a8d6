"""Who may release what, and for how long still (TS-085)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q

from portal.access.selectors import people_with
from tracershop.models import Certification, Tracer
from tracershop.models.reach import RELEASE

WARNED_DAYS = 30


@dataclass(frozen=True)
class Cell:
    """One person and one tracer. ``state``: none, waiting, active, warning or expired."""

    tracer: Tracer
    certification: Certification | None
    state: str
    days_left: int | None
    """Days until it ends, today's own being 0; negative since it ended."""


@dataclass(frozen=True)
class PersonsRights:
    person: Any
    has_role: bool
    """Without a production role a certification releases nothing."""
    cells: list[Cell]


def certification_matrix(today: date) -> tuple[list[Tracer], list[PersonsRights]]:
    """Every tracer, and everybody who could release or was certified: three queries."""
    tracers = list(Tracer.objects.order_by("name"))
    rows = Certification.objects.select_related("granted_by").filter(tracer__in=tracers)
    certified = {(row.user_id, row.tracer_id): row for row in rows}
    people = get_user_model().objects.filter(
        Q(pk__in={user for user, _tracer in certified})
        | Q(pk__in=people_with(RELEASE).values("pk"))
    )
    with_role = Q(pk__in=people_with(RELEASE).values("pk"))
    people = people.annotate(has_role=with_role).order_by("name", "pk")
    return tracers, [
        PersonsRights(
            person,
            person.has_role,
            [_cell(tracer, certified.get((person.pk, tracer.pk)), today) for tracer in tracers],
        )
        for person in people
    ]


def _cell(tracer: Tracer, found: Certification | None, today: date) -> Cell:
    if found is None:
        return Cell(tracer, None, "none", None)
    days_left = (found.expires_on - today).days
    if days_left < 0:
        state = "expired"
    elif found.valid_from > today:
        state = "waiting"
    else:
        state = "warning" if days_left <= WARNED_DAYS else "active"
    return Cell(tracer, found, state, days_left)
