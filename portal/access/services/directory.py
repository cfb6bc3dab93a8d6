"""The tie from the directory's groups to roles (PT-001)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.access.authority import ADMINISTER, administers, check_house_wide
from portal.access.decision import forget_held, require
from portal.access.granted import grant_facts, other_single_role, single_codes
from portal.access.models import DirectoryGroup, Profile, Role, RoleGrant
from portal.access.services.profiles import profile_named
from portal.audit.services import record
from portal.organisation.models import Unit
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from portal.records.services import locked, soft_delete, writes

DIRECTORY = ServiceActor("directory login")


@writes
def map_directory_group(
    *, actor: Any, name: str, role: Role, unit: Unit, reason: str, profile_name: str = ""
) -> DirectoryGroup:
    """From their next log-in on, people of the directory group hold the role at the unit.

    All but the actor: nobody gives a role to themselves, this way neither. Refused with code
    ``outside_unit``, ``house_wide`` or ``already_mapped``.
    """
    _check_administers(actor, unit)
    check_house_wide(role, unit)
    name = name.strip()
    if DirectoryGroup.objects.filter(name=name, role=role, unit=unit).exists():
        raise Refused(_("This group has this role at this unit already."), code="already_mapped")
    mapping = DirectoryGroup.objects.create(
        name=name,
        role=role,
        unit=unit,
        profile_name=profile_name.strip(),
        mapped_by=None if isinstance(actor, ServiceActor) else actor,
    )
    record("access.directory_group_mapped", mapping, data=_mapping_facts(mapping))
    return mapping


@writes
def end_directory_mapping(*, actor: Any, mapping_id: int, reason: str) -> DirectoryGroup:
    """People of the group lose the role at their next log-in, unless another group gives it."""
    mapping = locked(DirectoryGroup.objects.select_related("role", "unit"), mapping_id)
    _check_administers(actor, mapping.unit)
    soft_delete(mapping)
    record("access.directory_mapping_ended", mapping, data=_mapping_facts(mapping))
    return mapping


def _mapping_facts(mapping: DirectoryGroup) -> dict[str, Any]:
    return {
        "group": mapping.name,
        "role": mapping.role.code,
        "unit": mapping.unit.code,
        "profile": mapping.profile_name,
    }


def _check_administers(actor: Any, unit: Unit) -> None:
    require(actor, ADMINISTER)
    if not administers(actor, unit):
        raise Refused(_("You do not administer access at this unit."), code="outside_unit")


@transaction.atomic
def sync_directory_roles(user: Any, groups: Iterable[str]) -> None:
    """Make the person's directory roles those that the token's groups map to (PT-001).

    A role gone from the token is gone here. Of several single roles of one module the strongest
    (declared last) is kept. Grants made by people are left alone. A mapping gives nothing to who
    made it.
    """
    with acting(actor=ServiceActor(DIRECTORY.name, on_behalf_of=user), reason="token"):
        get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
        wanted = {
            (mapping.role_id, mapping.unit_id, mapping.profile_name): mapping
            for mapping in _strongest(
                DirectoryGroup.objects.filter(
                    Q(mapped_by__isnull=True) | ~Q(mapped_by=user),
                    name__in=list(groups),
                    role__deleted_at__isnull=True,
                ).select_related("role", "unit")
            )
        }
        current = RoleGrant.objects.filter(
            user=user, source=RoleGrant.Source.DIRECTORY
        ).select_related("role", "unit", "user", "profile")
        for grant in current:
            profile_name = grant.profile.name if grant.profile else ""
            if wanted.pop((grant.role_id, grant.unit_id, profile_name), None) is None:
                soft_delete(grant)
                record("access.directory_role_lost", grant, data=grant_facts(grant))
        for mapping in wanted.values():
            if other_single_role([user], mapping.role):
                continue
            place = {"user": user, "role": mapping.role, "unit": mapping.unit}
            place["profile"] = _profile(user, mapping)
            if RoleGrant.objects.filter(**place).exists():
                continue
            grant = RoleGrant.objects.create(**place, source=RoleGrant.Source.DIRECTORY)
            record("access.directory_role_granted", grant, data=grant_facts(grant))
    forget_held(user)


def _profile(user: Any, mapping: DirectoryGroup) -> Profile | None:
    name = mapping.profile_name
    return profile_named(user, name, mapping.unit) if name else None


def _strongest(mappings: Iterable[DirectoryGroup]) -> list[DirectoryGroup]:
    by_module = defaultdict(list)
    kept = []
    for mapping in mappings:
        singles = single_codes(mapping.role.module)
        if mapping.role.code in singles:
            by_module[mapping.role.module].append((singles.index(mapping.role.code), mapping))
        else:
            kept.append(mapping)
    for ranked in by_module.values():
        top = max(rank for rank, _mapping in ranked)
        kept += [mapping for rank, mapping in ranked if rank == top]
    return kept
