"""Groups of people who are granted roles together (PT-013).

Whoever puts a person into a group gives them all that the group holds, so it takes the say over
each of its roles; nobody puts themselves into one.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.authority import ADMINISTER, GRANT, check_may_grant, check_say, has_say
from portal.access.decision import can, forget_held
from portal.access.granted import members_of, reached_people
from portal.access.models import GroupMember, PeopleGroup, RoleGrant
from portal.access.services.grants import (
    check_approval,
    check_not_oneself,
    check_say_over,
    check_single_role,
    take_away,
)
from portal.audit.services import record
from portal.organisation.models import Unit
from portal.records.errors import Refused
from portal.records.services import check_version, locked, soft_delete, writes


@writes
def create_group(*, actor: Any, name: str, unit: Unit, reason: str) -> PeopleGroup:
    """Make an empty group at a unit where one grants roles.

    Refused with code ``outside_unit``, ``closed_unit``, ``empty`` or ``name_taken``.
    """
    _check_keeps(actor, unit)
    if unit.closed_on is not None:
        raise Refused(_("This unit is closed."), code="closed_unit")
    group = PeopleGroup(unit=unit)
    _save_named(group, name)
    record("access.group_created", group, data={"name": group.name, "unit": unit.code})
    return group


@writes
def rename_group(
    *, actor: Any, group_id: int, name: str, expected_version: int, reason: str
) -> PeopleGroup:
    """Refused as :func:`create_group`; StaleRecord for the second of two."""
    group = _locked_group(actor, group_id)
    check_version(group, expected_version, {"name": name.strip()})
    before = group.name
    _save_named(group, name)
    record("access.group_renamed", group, data={"name": [before, group.name]})
    return group


@writes
def end_group(*, actor: Any, group_id: int, reason: str) -> PeopleGroup:
    """End the group and the roles granted to it. It takes the say over each of these."""
    group = _locked_group(actor, group_id)
    grants = list(_grants_of(group))
    for grant in grants:
        check_say_over(actor, grant)
    _check_say_where_named(actor, group)
    for grant in grants:
        take_away(locked(RoleGrant.objects.select_related("role", "unit", "group"), grant.pk))
    for member in GroupMember.objects.filter(group=group):
        soft_delete(member)
    soft_delete(group)
    record("access.group_ended", group, data={"name": group.name, "unit": group.unit.code})
    return group


@writes
def add_member(*, actor: Any, group_id: int, user: Any, reason: str) -> GroupMember:
    """Put a person into the group: as granting them every role that the group holds.

    Refused as :func:`~portal.access.services.grants.grant_role`, and ``already_member``.
    """
    group = _locked_group(actor, group_id)
    check_not_oneself(actor, [user])
    get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
    if GroupMember.objects.filter(group=group, user=user).exists():
        raise Refused(_("The person is in this group already."), code="already_member")
    for grant in _grants_of(group):
        check_may_grant(
            actor,
            grant.role,
            grant.unit,
            below=grant.below,
            data_scope=grant.data_scope,
            people=reached_people(grant),
        )
        check_approval(actor, grant.role, grant.unit, below=grant.below)
        check_single_role([user], grant.role)
    _check_say_where_named(actor, group, joining=user)
    member = GroupMember.objects.create(group=group, user=user)
    record("access.member_added", group, data=_facts(member))
    forget_held(user)
    return member


@writes
def remove_member(*, actor: Any, member_id: int, reason: str) -> GroupMember:
    """Take a person out of the group, and so every role that they held through it alone."""
    found = GroupMember.objects.filter(pk=member_id).values_list("group", flat=True).first()
    group = _locked_group(actor, found or 0)
    member = locked(GroupMember.objects.select_related("user", "group"), member_id)
    for grant in _grants_of(group):
        check_say_over(actor, grant)
    _check_say_where_named(actor, group)
    return take_out(member)


def take_out(member: GroupMember) -> GroupMember:
    """End a (locked) membership within the caller's transaction; the caller judged who may."""
    soft_delete(member)
    record("access.member_removed", member.group, data=_facts(member))
    forget_held(member.user)
    return member


# --- parts ----------------------------------------------------------------------------------------


def _locked_group(actor: Any, group_id: int) -> PeopleGroup:
    """Locked: nobody grants the group a role while its members change."""
    group = locked(PeopleGroup.objects.select_related("unit"), group_id)
    _check_keeps(actor, group.unit)
    return group


def _check_keeps(actor: Any, unit: Unit) -> None:
    if has_say(actor, unit):
        return
    if not (can(actor, GRANT) or can(actor, ADMINISTER)):
        raise PermissionDenied(f"{GRANT} is needed")
    raise Refused(_("You may not grant roles at this unit."), code="outside_unit")


def _save_named(group: PeopleGroup, name: str) -> None:
    group.name = name.strip()
    if not group.name:
        raise Refused(_("A group has a name."), code="empty")
    try:
        with transaction.atomic():
            group.save()
    except IntegrityError:
        raise Refused(
            _("There is a group of this name at the unit already."), code="name_taken"
        ) from None


def _grants_of(group: PeopleGroup) -> Any:
    """What the group holds, now or from a later day on."""
    return (
        RoleGrant.objects.filter(group=group, role__deleted_at__isnull=True)
        .exclude(ends_on__lt=timezone.localdate())
        .select_related("role", "unit", "user", "group")
        .order_by("pk")
    )


def _check_say_where_named(actor: Any, group: PeopleGroup, joining: Any = None) -> None:
    """Who is in a group decides whose rows are reached by the grants that name it.

    So it takes the say over those grants, and nobody widens one of their own.
    """
    naming = (
        RoleGrant.objects.filter(
            Q(named_people__group=group, named_people__deleted_at__isnull=True),
            data_scope=RoleGrant.DataScope.PEOPLE,
        )
        .select_related("role", "unit", "user", "group")
        .order_by("pk")
        .distinct()
    )
    for grant in naming:
        check_say(
            actor,
            grant.role,
            grant.unit,
            below=grant.below,
            data_scope=grant.data_scope,
            people=reached_people(grant) | ({joining.pk} if joining else set()),
        )
        check_not_oneself(actor, [grant.user] if grant.user else members_of(grant.group))


def _facts(member: GroupMember) -> dict[str, Any]:
    return {"group": member.group.name, "unit": member.group.unit.code, "person": str(member.user)}
