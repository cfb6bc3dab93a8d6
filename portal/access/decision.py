"""The one place that decides: ``can()`` and ``visible()`` (PT-016). Both deny by default.

What a person holds is read once per user object (one query, however many rows the page has).
How a privilege reaches rows is said by the model's :class:`~portal.access.policies.AccessPolicy`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, Case, F, Model, Q, QuerySet, Value, When
from django.utils import timezone

from portal.access.models import NamedPeople, Profile, Role, RoleGrant
from portal.access.standing import ACT_AS, NEVER_ACTED, Standing, standing_of
from portal.organisation.models import Unit
from portal.records.context import ServiceActor

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Holding:
    """One grant as it bears on decisions."""

    grant_id: int
    """0 for a role in which one acts for support: nobody granted it."""
    role: str
    module: str
    privileges: frozenset[str]
    unit_path: str
    unit_name: str
    below: bool
    data_scope: str

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

    def named_people(self) -> dict[int, frozenset[int]]:
        """For each grant held, whose rows it reaches by name; read once, when it is asked for."""
        if NamedPeople not in self.cache:
            self.cache[NamedPeople] = _named_people(self.holdings)
        return self.cache[NamedPeople]


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


_COLUMNS = ("role__name", "role__module", "role__privileges", "unit__path", "unit__name")


def _load(user: Any) -> list[Holding]:
    if not (user.is_authenticated and user.is_active):
        return []
    standing = standing_of(user)
    if standing is not None and standing.role_id is not None:
        return _other_role(user, standing)
    grants = (
        RoleGrant.objects.in_force(timezone.localdate())
        # whatever comes to be granted at a unit while it is being closed
        .filter(unit__deleted_at__isnull=True, unit__closed_on__isnull=True)
        .values_list("pk", *_COLUMNS, "below", "data_scope")
    )
    own = grants.filter(
        Q(profile__isnull=True) | Q(profile__in=_profile(user, standing)), user=user
    )
    by_group = grants.filter(group__members__user=user, group__members__deleted_at__isnull=True)
    # a union and not OR, for which the database would read every grant of the house
    rows = own.union(by_group, all=True)
    return [_holding(*row) for row in rows]


def _holding(pk: int, role: str, module: str, codes: Iterable[str], *rest: Any) -> Holding:
    return Holding(pk, role, module, frozenset(codes), *rest)


def _profile(user: Any, standing: Standing | None) -> QuerySet[Profile]:
    """The profile in which the person stands; without a session the one used last."""
    profiles = Profile.objects.filter(user=user)
    if standing is not None:
        return profiles.filter(pk=standing.profile_id)
    return profiles.order_by(F("last_used_at").desc(nulls_last=True), "pk")[:1]


def _other_role(user: Any, standing: Standing) -> list[Holding]:
    """Acting in another role, a person holds that alone; nothing, when they may not (any more)."""
    role = Role.objects.filter(pk=standing.role_id).first()
    unit = Unit.objects.open().filter(pk=standing.unit_id).first()
    if role is None or unit is None or NEVER_ACTED & set(role.privileges):
        return []
    at_or_above = [unit.path[:end] for end in range(unit.steplen, len(unit.path) + 1, unit.steplen)]
    own = RoleGrant.objects.in_force(timezone.localdate()).of_person(user)
    may = own.filter(role__privileges__contains=[ACT_AS], unit__path__in=at_or_above, below=True)
    if not may.exists():
        return []
    held = (role.name, role.module, role.privileges, unit.path, unit.name)
    return [_holding(0, *held, True, RoleGrant.DataScope.UNIT)]


def _named_people(holdings: list[Holding]) -> dict[int, frozenset[int]]:
    grants = [each.grant_id for each in holdings]
    named = NamedPeople.objects.filter(grant__in=grants)
    alone = named.filter(user__isnull=False).values_list("grant_id", "user_id")
    in_groups = named.filter(
        group__deleted_at__isnull=True, group__members__deleted_at__isnull=True
    ).values_list("grant_id", "group__members__user_id")
    found: dict[int, set[int]] = {grant: set() for grant in grants}
    for grant, person in alone.union(in_groups):
        if person is not None:
            found[grant].add(person)
    return {grant: frozenset(people) for grant, people in found.items()}


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
    if not conditions:
        return queryset.none()
    if all(conditions):  # an empty one: every row
        queryset = policy.narrowed(queryset, conditions)
    return _with_masks(user, queryset, policy) if policy.personal else queryset


def _with_masks(user: Any, queryset: QuerySet[M], policy: Any) -> QuerySet[M]:
    """The same rows, each knowing whether ``user`` may see its personal data: no query a row."""
    ways = policy.conditions(held_by(user), (policy.personal,))
    everywhere = not all(ways)
    whens = (
        []
        if everywhere
        else [When(policy.of_row(queryset.model, way), then=Value(True)) for way in ways]
    )
    shown = Case(*whens, default=Value(everywhere), output_field=BooleanField())
    return queryset.annotate(**{shown_to(user): shown})


def shown_to(user: Any) -> str:
    """Attribute of a row: whether ``user`` may see its personal data."""
    return f"shown_to_{user.pk}"
