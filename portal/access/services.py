"""Granting and ending roles; the tie from directory groups to roles; exceptions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Model
from django.utils import translation
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from guardian.shortcuts import assign_perm, remove_perm

from portal.access.decision import Holding, can, forget_held, held_by, require
from portal.access.models import DirectoryGroup, Role, RoleGrant
from portal.audit.services import record
from portal.organisation.models import Unit
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from portal.records.services import check_version, locked, soft_delete, writes
from portal.registry import registry

DIRECTORY = ServiceActor("directory login")


def role_code(module: str, code: str) -> str:
    return f"{module}.{code}"


def sync_predefined_roles() -> None:
    """Bring the roles that modules declare into the database; names in the site's language."""
    with translation.override(None), transaction.atomic(), acting(actor=ServiceActor("set-up")):
        for module, declared in registry.roles():
            values = {
                "name": str(declared.label),
                "module": module,
                "privileges": sorted(declared.privileges),
                "predefined": True,
            }
            code = role_code(module, declared.code)
            role = Role.all_objects.filter(code=code).first() or Role(code=code)
            if any(getattr(role, name) != value for name, value in values.items()):
                for name, value in values.items():
                    setattr(role, name, value)
                role.save()
                record("access.role_defined", role, data=values)


@writes
def grant_role(
    *,
    actor: Any,
    user: Any,
    role: Role,
    unit: Unit,
    reason: str,
    below: bool = True,
    starts_on: date | None = None,
    ends_on: date | None = None,
    by_request: bool = False,
) -> RoleGrant:
    """Grant a role to a person at a unit.

    Never to oneself, only at or below a unit where one may grant, never more than one holds there
    (unless one administers access there), and never a second *single* role of a module. A role that
    needs approval is granted ``by_request`` that was approved, or by who administers access there.
    """
    check_may_grant(actor, role, unit, below=below)
    if needs_approval(role) and not (by_request or _administers(actor, unit, below=below)):
        raise Refused(
            _("This role is given by an approved request alone."), code="needs_approval"
        )
    if user == actor:
        raise Refused(_("Nobody grants a role to themselves."), code="self_grant")
    if starts_on and ends_on and ends_on < starts_on:
        raise Refused(_("The role would end before it begins."), code="dates")
    get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
    if RoleGrant.objects.filter(user=user, role=role, unit=unit).exists():
        raise Refused(_("The person holds this role at this unit already."), code="already_held")
    other = _other_single_role(user, role)
    if other:
        raise Refused(
            _("The person is %(role)s already; end that role first.") % {"role": other.role},
            code="single_role",
        )
    grant = RoleGrant(
        user=user, role=role, unit=unit, below=below, starts_on=starts_on, ends_on=ends_on
    )
    grant.granted_by = actor if not isinstance(actor, ServiceActor) else None
    grant.save()
    record("access.role_granted", grant, data=_facts(grant))
    forget_held(user)
    return grant


@writes
def end_grant(*, actor: Any, grant_id: int, reason: str) -> RoleGrant:
    """End a granted role; the row stays, inactive."""
    grant = locked(RoleGrant.objects.select_related("role", "unit", "user"), grant_id)
    check_may_grant(actor, grant.role, grant.unit, below=grant.below)
    soft_delete(grant)
    record("access.role_ended", grant, data=_facts(grant))
    if grant.user:
        forget_held(grant.user)
    return grant


def needs_approval(role: Role) -> bool:
    """Whether the role's module declares that it takes an approved request (PT-003)."""
    return any(
        declared.approval and role.code == role_code(module, declared.code)
        for module, declared in registry.roles()
    )


def _administers(actor: Any, unit: Unit, *, below: bool) -> bool:
    if isinstance(actor, ServiceActor):
        return True
    return any(_covers(h, unit, below=below) for h in held_by(actor).of("access.administer"))


def check_may_grant(actor: Any, role: Role, unit: Unit, *, below: bool) -> None:
    """Raise PermissionDenied or Refused unless the actor may grant this role there."""
    if _administers(actor, unit, below=below):
        return
    held = held_by(actor)
    require(actor, "access.grant_role")
    if not any(_covers(h, unit, below=below) for h in held.of("access.grant_role")):
        raise Refused(_("You may not grant roles at this unit."), code="outside_unit")
    here = {code for h in held.holdings if _covers(h, unit, below=below) for code in h.privileges}
    if not set(role.privileges) <= here:
        raise Refused(_("This role holds more than you hold at this unit."), code="above_own")


def _covers(holding: Holding, unit: Unit, *, below: bool) -> bool:
    """Whether the holding is at least as wide as a grant at ``unit`` would be.

    A role that one holds at a unit alone gives no say over what lies below it.
    """
    return holding.reaches(unit.path) and (holding.below or not below)


def _single_codes(module: str) -> list[str]:
    """Codes of a module's single roles, weakest first as the module declares them."""
    return [role_code(m, role.code) for m, role in registry.roles() if m == module and role.single]


def _other_single_role(user: Any, role: Role) -> RoleGrant | None:
    singles = _single_codes(role.module)
    if role.code not in singles:
        return None
    return (
        RoleGrant.objects.filter(user=user, role__code__in=singles)
        .exclude(role=role)
        .select_related("role")
        .first()
    )


def _facts(grant: RoleGrant) -> dict[str, Any]:
    return {
        "role": grant.role.code,
        "unit": grant.unit.code,
        "person": str(grant.user or grant.group),
        "source": grant.source,
        "below": grant.below,
        "starts_on": grant.starts_on,
        "ends_on": grant.ends_on,
    }


@transaction.atomic
def sync_directory_roles(user: Any, groups: Iterable[str]) -> None:
    """Make the person's directory roles those that the token's groups map to (PT-001).

    A role gone from the token is gone here. Of several single roles of one module the strongest
    (declared last) is kept. Grants made by people are left alone.
    """
    with acting(actor=ServiceActor(DIRECTORY.name, on_behalf_of=user), reason="token"):
        get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
        wanted = {
            (mapping.role_id, mapping.unit_id): mapping
            for mapping in _strongest(
                DirectoryGroup.objects.filter(
                    name__in=list(groups), role__deleted_at__isnull=True
                ).select_related("role", "unit")
            )
        }
        current = RoleGrant.objects.filter(
            user=user, source=RoleGrant.Source.DIRECTORY
        ).select_related("role", "unit", "user")
        for grant in current:
            if wanted.pop((grant.role_id, grant.unit_id), None) is None:
                soft_delete(grant)
                record("access.directory_role_lost", grant, data=_facts(grant))
        for mapping in wanted.values():
            if RoleGrant.objects.filter(
                user=user, role=mapping.role, unit=mapping.unit
            ).exists() or _other_single_role(user, mapping.role):
                continue
            grant = RoleGrant.objects.create(
                user=user,
                role=mapping.role,
                unit=mapping.unit,
                source=RoleGrant.Source.DIRECTORY,
            )
            record("access.directory_role_granted", grant, data=_facts(grant))
    forget_held(user)


def _strongest(mappings: Iterable[DirectoryGroup]) -> list[DirectoryGroup]:
    by_module = defaultdict(list)
    kept = []
    for mapping in mappings:
        singles = _single_codes(mapping.role.module)
        if mapping.role.code in singles:
            by_module[mapping.role.module].append((singles.index(mapping.role.code), mapping))
        else:
            kept.append(mapping)
    for ranked in by_module.values():
        top = max(rank for rank, _mapping in ranked)
        kept += [mapping for rank, mapping in ranked if rank == top]
    return kept


@writes
def grant_exception(*, actor: Any, user: Any, privilege: str, obj: Model, reason: str) -> None:
    """Give one person one privilege on one object (PT-014)."""
    _check_exception(actor, user)
    assign_perm(privilege.split(".")[1], user, obj)
    record("access.exception_granted", obj, data={"privilege": privilege, "person": str(user)})
    forget_held(user)


@writes
def end_exception(*, actor: Any, user: Any, privilege: str, obj: Model, reason: str) -> None:
    _check_exception(actor, user)
    remove_perm(privilege.split(".")[1], user, obj)
    record("access.exception_ended", obj, data={"privilege": privilege, "person": str(user)})
    forget_held(user)


def _check_exception(actor: Any, user: Any) -> None:
    if not can(actor, "access.administer"):
        require(actor, "access.administer")
    if user == actor:
        raise Refused(_("Nobody grants a right to themselves."), code="self_grant")


@writes
def map_directory_group(
    *, actor: Any, name: str, role: Role, unit: Unit, reason: str
) -> DirectoryGroup:
    """From their next log-in on, people of the directory group hold the role at the unit."""
    _check_administers(actor, unit)
    name = name.strip()
    if DirectoryGroup.objects.filter(name=name, role=role, unit=unit).exists():
        raise Refused(_("This group has this role at this unit already."), code="already_mapped")
    mapping = DirectoryGroup.objects.create(name=name, role=role, unit=unit)
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
    return {"group": mapping.name, "role": mapping.role.code, "unit": mapping.unit.code}


def _check_administers(actor: Any, unit: Unit) -> None:
    require(actor, "access.administer")
    if isinstance(actor, ServiceActor):
        return
    if not any(_covers(h, unit, below=True) for h in held_by(actor).of("access.administer")):
        raise Refused(_("You do not administer access at this unit."), code="outside_unit")


@writes
def compose_role(
    *,
    actor: Any,
    name: str,
    privileges: Iterable[str],
    reason: str,
    role_id: int | None = None,
    expected_version: int | None = None,
) -> Role:
    """Make a role of privileges that the actor holds, or change one that administrators made.

    Raises Refused: ``predefined`` roles are the modules'; ``self_grant`` for a role that the actor
    holds; ``used_elsewhere`` for one that is held where the actor does not administer;
    ``above_own`` for an added privilege that the actor does not hold; ``unknown``, ``empty``.
    StaleRecord when somebody else changed the role meanwhile.
    """
    require(actor, "access.administer")
    wanted = sorted(set(privileges))
    if not wanted or not name.strip():
        raise Refused(_("A role has a name and at least one privilege."), code="empty")
    if unknown := set(wanted) - {privilege.code for privilege in registry.privileges()}:
        raise Refused(_("There is no such privilege."), code="unknown", details=sorted(unknown))
    if role_id is None:
        role = Role(code=_composed_code(name), module="access", privileges=[])
    else:
        role = locked(Role.objects.all(), role_id)
        _check_may_change(actor, role)
        sent = {"name": name.strip(), "privileges": wanted}
        check_version(role, expected_version, sent)
    added = set(wanted) - set(role.privileges)
    if not isinstance(actor, ServiceActor) and not added <= held_by(actor).privileges():
        raise Refused(_("You can only give privileges that you hold."), code="above_own")
    before = {"name": role.name, "privileges": role.privileges}
    role.name, role.privileges = name.strip(), wanted
    role.save()
    record(
        "access.role_composed",
        role,
        data={"name": [before["name"], role.name], "privileges": [before["privileges"], wanted]},
    )
    return role


def _composed_code(name: str) -> str:
    stem = code = f"composed.{slugify(name)[:80] or 'role'}"
    number = 1
    while Role.all_objects.filter(code=code).exists():
        number += 1
        code = f"{stem}-{number}"
    return code


def _check_may_change(actor: Any, role: Role) -> None:
    if role.predefined:
        raise Refused(_("This role is its module's; make one of your own."), code="predefined")
    if isinstance(actor, ServiceActor):
        return
    grants = RoleGrant.objects.filter(role=role)
    if grants.of_person(actor).exists():
        raise Refused(_("Nobody changes a role that they hold."), code="self_grant")
    administers = held_by(actor).of("access.administer")
    used = [(grant.unit, grant.below) for grant in grants.select_related("unit")]
    mappings = DirectoryGroup.objects.filter(role=role).select_related("unit")
    used += [(mapping.unit, True) for mapping in mappings]
    for unit, below in used:
        if not any(_covers(h, unit, below=below) for h in administers):
            raise Refused(
                _("The role is in use where you do not administer access."), code="used_elsewhere"
            )
