"""Reads about grants that the services need: whom they reach, and how they stand in the audit."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth import get_user_model

from portal.access.models import GroupMember, NamedPeople, PeopleGroup, Role, RoleGrant
from portal.registry import registry

_Scope = RoleGrant.DataScope


def single_codes(module: str) -> list[str]:
    """Codes of a module's single roles, weakest first as the module declares them."""
    return [f"{m}.{role.code}" for m, role in registry.roles() if m == module and role.single]


def other_single_role(people: Iterable[Any], role: Role) -> RoleGrant | None:
    """Another single role of the same module that one of the people holds, in whatever way."""
    singles = single_codes(role.module)
    if role.code not in singles:
        return None
    return (
        RoleGrant.objects.filter(role__code__in=singles)
        .of_people(people)
        .exclude(role=role)
        .select_related("role", "user", "group")
        .first()
    )


def members_of(group: PeopleGroup) -> list[Any]:
    """The people in the group now."""
    in_group = GroupMember.objects.filter(group=group).values("user")
    return list(get_user_model().objects.filter(pk__in=in_group).order_by("pk"))


def named_keys(people: Iterable[Any], groups: Collection[PeopleGroup]) -> frozenset[int]:
    """Keys of all these people, and of those who are in the groups now."""
    in_groups = (
        GroupMember.objects.filter(group__in=groups).values_list("user_id", flat=True)
        if groups
        else ()
    )
    return frozenset({*(person.pk for person in people), *in_groups})


def named_in(grant: RoleGrant) -> Any:
    """The people and groups whose rows the grant reaches by name."""
    return NamedPeople.objects.filter(grant=grant).select_related("user", "group").order_by("pk")


def reached_people(grant: RoleGrant) -> frozenset[int]:
    """Keys of those whose rows a grant of the scope *people* reaches now."""
    if grant.data_scope != _Scope.PEOPLE:
        return frozenset()
    named = list(named_in(grant))
    return named_keys(
        [each.user for each in named if each.user], [each.group for each in named if each.group]
    )


def grant_facts(grant: RoleGrant) -> dict[str, Any]:
    """A grant as it stands in the audit trail."""
    facts = {
        "role": grant.role.code,
        "unit": grant.unit.code,
        "person": str(grant.user or grant.group),
        "source": grant.source,
        "below": grant.below,
        "starts_on": grant.starts_on,
        "ends_on": grant.ends_on,
        "data_scope": str(grant.data_scope),
    }
    if grant.profile_id:
        facts["profile"] = str(grant.profile)
    if grant.data_scope == _Scope.PEOPLE:
        facts["people"] = sorted(str(each) for each in named_in(grant))
    return facts
