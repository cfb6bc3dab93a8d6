"""Who holds what; administrators see it at or below the units where they may grant."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from portal.access.authority import ADMINISTER, GRANT, areas, house_wide_codes, is_root, modules_of
from portal.access.decision import Holding, held_by
from portal.access.models import (
    DirectoryGroup,
    GroupMember,
    ObjectException,
    PeopleGroup,
    Role,
    RoleGrant,
)
from portal.access.policies import ByUnit
from portal.organisation.models import Unit


def _in_reach(actor: Any, lookup: str, *privileges: str) -> Q | None:
    """Rows whose unit (at ``lookup``) one of the privileges reaches; None for no row."""
    held = held_by(actor)
    found = [q for code in privileges if (q := ByUnit(lookup).q(held, code)) is not None]
    return reduce(or_, found) if found else None


def _any_of(conditions: Iterable[Q]) -> Q:
    """Any of the conditions; of none no row."""
    return reduce(or_, conditions, Q(pk__in=[]))


def grants(
    actor: Any, *, person: str = "", role: Role | None = None, unit: Unit | None = None
) -> QuerySet[RoleGrant]:
    """Granted roles over which the actor has a say, also those that begin later or are over.

    ``unit`` narrows to it and below; ``person`` to a part of a name, regional ID or mail address.
    """
    found = RoleGrant.objects.filter(_any_of(area.grants() for area in areas(actor)))
    if person:
        found = found.filter(
            Q(user__name__icontains=person)
            | Q(user__username__icontains=person)
            | Q(user__email__icontains=person)
            | Q(group__name__icontains=person)
        )
    if role:
        found = found.filter(role=role)
    if unit:
        found = found.filter(unit__path__startswith=unit.path)
    return found.select_related("role", "unit", "user", "group", "profile", "granted_by").order_by(
        "unit__path", "user__name", "role__name", "pk"
    )


def units_to_grant_at(actor: Any) -> QuerySet[Unit]:
    """Open units at which the actor may grant some role, in the tree's order."""
    reach = _any_of(q for area in areas(actor) if (q := area.units()) is not None)
    return Unit.objects.filter(reach, closed_on__isnull=True).order_by("path")


def units_to_administer(actor: Any) -> QuerySet[Unit]:
    return _units(actor, ADMINISTER)


def _units(actor: Any, *privileges: str) -> QuerySet[Unit]:
    reach = _in_reach(actor, "", *privileges)
    if reach is None:
        return Unit.objects.none()
    return Unit.objects.filter(reach, closed_on__isnull=True).order_by("path")


def roles_to_grant(actor: Any, unit: Unit | None = None) -> QuerySet[Role]:
    """Roles that the actor may grant at the unit; without one, at any."""
    found: set[int] = set()
    for area in areas(actor):
        if unit is None:
            found |= area.roles
        elif area.holds(unit):
            found |= area.roles_at(unit)
    return roles().filter(pk__in=found)


def roles() -> QuerySet[Role]:
    return Role.objects.order_by("module", "name", "pk")


def roles_to_map(actor: Any) -> QuerySet[Role]:
    """Roles for directory groups; what reaches the whole house is the top's to map."""
    if any(is_root(holding.unit_path) for holding in held_by(actor).of(ADMINISTER)):
        return roles()
    return roles().exclude(privileges__overlap=sorted(house_wide_codes()))


def mappings(actor: Any) -> QuerySet[DirectoryGroup]:
    """Directory groups and what they give, where the actor administers access."""
    reach = _in_reach(actor, "unit", ADMINISTER)
    if reach is None:
        return DirectoryGroup.objects.none()
    found = DirectoryGroup.objects.filter(reach).select_related("role", "unit")
    return found.order_by("name", "unit__path", "role__name")


def groups(actor: Any, *, text: str = "") -> QuerySet[PeopleGroup]:
    """Groups of people that the actor keeps, with ``member_count`` and ``role_count``."""
    found = PeopleGroup.objects.filter(_kept(actor, "unit__path__startswith"))
    if text:
        found = found.filter(
            Q(name__icontains=text)
            | Q(members__user__name__icontains=text, members__deleted_at__isnull=True)
        )
    now = Q(deleted_at__isnull=True)
    members = GroupMember.objects.filter(now, group=OuterRef("pk"))
    held = RoleGrant.objects.filter(now, group=OuterRef("pk"))
    return (
        found.annotate(member_count=_count(members), role_count=_count(held))
        .select_related("unit")
        .order_by("unit__path", "name", "pk")
        .distinct()
    )


def units_to_keep_groups_at(actor: Any) -> QuerySet[Unit]:
    """Open units at and below which the actor grants roles."""
    kept = _kept(actor, "path__startswith")
    return Unit.objects.filter(kept, closed_on__isnull=True).order_by("path")


def _kept(actor: Any, lookup: str) -> Q:
    held = held_by(actor)
    say = held.of(GRANT) + held.of(ADMINISTER)
    return _any_of(Q(**{lookup: each.unit_path}) for each in say if each.below)


def _count(rows: Any) -> Coalesce:
    counted = rows.order_by().values("group").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


def groups_to_grant_to(actor: Any) -> QuerySet[PeopleGroup]:
    """Groups that the actor keeps and is not in: nobody grants a role to themselves."""
    own = GroupMember.objects.filter(user=actor).values("group")
    return groups(actor).exclude(pk__in=own)


def exceptions(actor: Any, *, text: str = "") -> QuerySet[ObjectException]:
    """Exceptions over which the actor has a say: by the object's unit, the privilege's module."""
    held = held_by(actor)
    ways = [_at(each) for each in held.of(ADMINISTER)]
    for each in held.of(GRANT):
        modules = modules_of(each.module, each.privileges)
        ways.append(_at(each) & _any_of(Q(privilege__startswith=f"{m}.") for m in sorted(modules)))
    found = ObjectException.objects.filter(_any_of(ways))
    if text:
        found = found.filter(
            Q(user__name__icontains=text)
            | Q(user__username__icontains=text)
            | Q(object_repr__icontains=text)
        )
    return found.select_related("user", "unit", "granted_by").order_by(
        "object_type", "object_repr", "user__name", "pk"
    )


def _at(holding: Holding) -> Q:
    """Records of the units that the holding reaches; at the top also those of no unit."""
    if not holding.below:
        return Q(unit__path=holding.unit_path)
    here = Q(unit__path__startswith=holding.unit_path)
    return here | Q(unit__isnull=True) if is_root(holding.unit_path) else here


def people_with(privilege: str) -> Any:
    """Active people who hold the privilege somewhere today: whom to tell."""
    granted = RoleGrant.objects.in_force(timezone.localdate()).filter(
        role__privileges__contains=[privilege], unit__deleted_at__isnull=True
    )
    return (
        get_user_model()
        .objects.filter(is_active=True)
        .filter(Q(role_grants__in=granted) | Q(pk__in=_in_groups_of(granted)))
        .distinct()
    )


def _in_groups_of(granted: QuerySet[RoleGrant]) -> Any:
    groups = granted.filter(group__isnull=False).values("group")
    return GroupMember.objects.filter(group__in=groups).values("user")
