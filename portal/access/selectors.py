"""Who holds what; administrators see it at or below the units where they may grant."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.access.decision import held_by
from portal.access.models import DirectoryGroup, GroupMember, Role, RoleGrant
from portal.access.policies import ByUnit
from portal.organisation.models import Unit

GRANT = "access.grant_role"
ADMINISTER = "access.administer"


def _in_reach(actor: Any, lookup: str, *privileges: str) -> Q | None:
    """Rows whose unit (at ``lookup``) one of the privileges reaches; None for no row."""
    held = held_by(actor)
    found = [q for code in privileges if (q := ByUnit(lookup).q(held, code)) is not None]
    return reduce(or_, found) if found else None


def grants(
    actor: Any, *, person: str = "", role: Role | None = None, unit: Unit | None = None
) -> QuerySet[RoleGrant]:
    """Granted roles in the actor's reach, also those that begin later or are over.

    ``unit`` narrows to it and below; ``person`` to a part of a name, regional ID or mail address.
    """
    reach = _in_reach(actor, "unit", GRANT, ADMINISTER)
    if reach is None:
        return RoleGrant.objects.none()
    found = RoleGrant.objects.filter(reach)
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
    return found.select_related("role", "unit", "user", "group", "granted_by").order_by(
        "unit__path", "user__name", "role__name", "pk"
    )


def units_to_grant_at(actor: Any) -> QuerySet[Unit]:
    """Open units at which the actor may grant some role, in the tree's order."""
    return _units(actor, GRANT, ADMINISTER)


def units_to_administer(actor: Any) -> QuerySet[Unit]:
    return _units(actor, ADMINISTER)


def _units(actor: Any, *privileges: str) -> QuerySet[Unit]:
    reach = _in_reach(actor, "", *privileges)
    if reach is None:
        return Unit.objects.none()
    return Unit.objects.filter(reach, closed_on__isnull=True).order_by("path")


def roles_to_grant(actor: Any) -> QuerySet[Role]:
    """Roles that the actor could grant somewhere: those within what they hold, or all."""
    held = held_by(actor)
    if held.of(ADMINISTER):
        return roles()
    if not held.of(GRANT):
        return Role.objects.none()
    return roles().filter(privileges__contained_by=sorted(held.privileges()))


def roles() -> QuerySet[Role]:
    return Role.objects.order_by("module", "name", "pk")


def mappings(actor: Any) -> QuerySet[DirectoryGroup]:
    """Directory groups and what they give, where the actor administers access."""
    reach = _in_reach(actor, "unit", ADMINISTER)
    if reach is None:
        return DirectoryGroup.objects.none()
    found = DirectoryGroup.objects.filter(reach).select_related("role", "unit")
    return found.order_by("name", "unit__path", "role__name")


def people_with(privilege: str) -> Any:
    """Active people who hold the privilege somewhere today: whom to tell."""
    granted = RoleGrant.objects.in_force(timezone.localdate()).filter(
        role__privileges__contains=[privilege]
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
