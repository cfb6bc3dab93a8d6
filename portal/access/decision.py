"""The one place that decides: ``can()`` and ``visible()`` (PT-016). Both deny by default.

What a person holds is read once per user object (one query, however many rows the page has).
How a privilege reaches rows is said by the model's :class:`~portal.access.policies.AccessPolicy`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.utils import timezone

from portal.access.models import RoleGrant
from portal.records.context import ServiceActor

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Holding:
    """One grant as it bears on decisions."""

    grant_id: int
    role: str
    privileges: frozenset[str]
    unit_path: str
    unit_name: str
    below: bool

    def reaches(self, path: str) -> bool:
        return path.startswith(self.unit_path) if self.below else path == self.unit_path


@dataclass
class Held:
    """Everything a person holds today, and a cache for scopes that need a query of their own."""

    user: Any
    holdings: list[Holding]
    cache: dict[Any, Any] = field(default_factory=dict)

    def of(self, privilege: str) -> list[Holding]:
        return [holding for holding in self.holdings if privilege in holding.privileges]

    def privileges(self) -> set[str]:
        return {code for holding in self.holdings for code in holding.privileges}


def held_by(user: Any) -> Held:
    """What the user holds; kept on the user object, so once per request."""
    held = getattr(user, "_portal_held", None)
    if held is None:
        held = Held(user, _load(user))
        user._portal_held = held  # noqa: SLF001
    return held


def forget_held(user: Any) -> None:
    """After a grant changed, or at each push of a long-lived websocket."""
    user.__dict__.pop("_portal_held", None)


def _load(user: Any) -> list[Holding]:
    if not (user.is_authenticated and user.is_active):
        return []
    grants = (
        RoleGrant.objects.in_force(timezone.localdate())
        .filter(unit__deleted_at__isnull=True)
        .values_list("pk", "role__name", "role__privileges", "unit__path", "unit__name", "below")
    )
    # a union and not OR, for which the database would read every grant of the house
    rows = grants.filter(user=user).union(grants.filter(group__user=user), all=True)
    return [Holding(pk, role, frozenset(codes), *rest) for pk, role, codes, *rest in rows]


def can(user: Any, privilege: str, obj: Model | None = None) -> bool:
    """May ``user`` use ``privilege`` – on ``obj``, or, without one, anywhere at all?"""
    return bool(reasons(user, privilege, obj))


def reasons(user: Any, privilege: str, obj: Model | None = None) -> list[str]:
    """Why ``can`` says yes, one line each; [] means no. This *is* the decision, put in words."""
    if isinstance(user, ServiceActor):
        return [f"the service {user.name}"]
    if user is None or not user.is_active:
        return []
    held = held_by(user)
    if obj is None:
        return [f"role {holding.role} at {holding.unit_name}" for holding in held.of(privilege)]
    policy = getattr(type(obj), "access", None)
    return policy.reasons(held, privilege, obj) if policy else []


def require(user: Any, privilege: str, obj: Model | None = None) -> None:
    """Raise PermissionDenied unless ``can``."""
    if not can(user, privilege, obj):
        msg = f"{privilege} is needed"
        raise PermissionDenied(msg)


def visible(user: Any, queryset: QuerySet[M], privilege: str | None = None) -> QuerySet[M]:
    """The rows that ``user`` may see (or use ``privilege`` on), narrowed in SQL."""
    if isinstance(user, ServiceActor):
        return queryset
    policy = getattr(queryset.model, "access", None)
    if policy is None or user is None or not user.is_active:
        return queryset.none()
    held = held_by(user)
    conditions = policy.conditions(held, (privilege,) if privilege else policy.view)
    if any(not condition for condition in conditions):  # an empty one: every row
        return queryset
    return policy.narrowed(queryset, conditions) if conditions else queryset.none()
