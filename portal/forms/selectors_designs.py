"""Reading designs for their pages: lists, versions, what changed. Of forms and flows alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portal.access.decision import held_by, visible
from portal.forms.kinds import DesignKind
from portal.forms.models import DesignVersion
from portal.forms.rules.definition import Form
from portal.forms.rules.difference import Change, Risk, difference, items_at_risk
from portal.organisation.models import Unit
from portal.registry import registry

State = DesignVersion.State


def designs(kind: DesignKind, user: Any, *, text: str = "", area: str = "") -> QuerySet[Any]:
    """The designs in reach, each with its newest version's state, and who changed it last.

    Adds ``newest_id``, ``newest_number``, ``newest_state``, ``published_number``, ``last_at``,
    ``last_by``. One query.
    """
    of_design: Any = kind.version.objects.filter(design=OuterRef("pk"))  # type: ignore[misc]
    newest = of_design.order_by("-number")
    published = of_design.filter(state=State.PUBLISHED)
    steps = kind.version.history.model.objects.filter(design_id=OuterRef("pk"))  # type: ignore[attr-defined]
    last = steps.order_by("-history_id")
    found = visible(user, kind.design.objects.select_related("unit")).annotate(
        newest_id=Subquery(newest.values("pk")[:1]),
        newest_number=Subquery(newest.values("number")[:1]),
        newest_state=Subquery(newest.values("state")[:1]),
        published_number=Subquery(published.values("number")[:1]),
        last_at=Coalesce(Subquery(last.values("history_date")[:1]), "changed_at"),
        last_by=Subquery(last.values("history_user__name")[:1]),
    )
    if text:
        found = found.filter(Q(title__icontains=text) | Q(code__icontains=text))
    if area:
        found = found.filter(area=area)
    return found.order_by("title", "pk")


def area_labels() -> dict[str, str]:
    """What uses designs, by code."""
    return {area.code: str(area.label) for area in registry.design_areas()}


def units_to_design_at(kind: DesignKind, user: Any) -> QuerySet[Unit]:
    """Open units at which the person may make a design, in the tree's order."""
    reach = Q(pk__in=())
    for holding in held_by(user).of(kind.may_design):
        path = "path__startswith" if holding.below else "path"
        reach |= Q(**{path: holding.unit_path})
    return Unit.objects.filter(reach, closed_on__isnull=True).order_by("path")


def versions_of(kind: DesignKind, design: Any) -> list[Any]:
    """Every version, the newest first, with who published it."""
    rows: Any = kind.version.objects.filter(design=design)  # type: ignore[misc]
    return list(rows.select_related("published_by").defer("content").order_by("-number"))


@dataclass(frozen=True)
class Difference:
    """What changed between two versions of a form."""

    changes: list[Change]
    at_risk: dict[str, tuple[Risk, ...]]
    """Items whose answers are at risk, with why."""


def difference_between(old: Form, new: Form) -> Difference:
    """What a person reads before publishing."""
    changes = difference(old, new)
    return Difference(changes, items_at_risk(changes, old))
