"""What roles are made of: those that modules declare, and those that administrators compose."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils import translation
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from portal.access.authority import (
    ADMINISTER,
    COMPOSED,
    covers,
    house_wide_codes,
    is_root,
)
from portal.access.decision import held_by, require
from portal.access.models import DirectoryGroup, Role, RoleGrant
from portal.audit.services import record
from portal.organisation.models import Unit
from portal.records.context import ServiceActor, acting
from portal.records.errors import Refused
from portal.records.services import check_version, locked, writes
from portal.registry import registry


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
    ``above_own`` for an added privilege that the actor does not hold; ``house_wide`` for one that
    reaches the whole house where the role is held below the top; ``unknown``, ``empty``.
    StaleRecord when somebody else changed the role meanwhile.
    """
    require(actor, "access.administer")
    wanted = sorted(set(privileges))
    if not wanted or not name.strip():
        raise Refused(_("A role has a name and at least one privilege."), code="empty")
    if unknown := set(wanted) - {privilege.code for privilege in registry.privileges()}:
        raise Refused(_("There is no such privilege."), code="unknown", details=sorted(unknown))
    if role_id is None:
        role = Role(code=_composed_code(name), module=COMPOSED, privileges=[])
    else:
        role = locked(Role.objects.all(), role_id)
        _check_may_change(actor, role)
        sent = {"name": name.strip(), "privileges": wanted}
        check_version(role, expected_version, sent)
    added = set(wanted) - set(role.privileges)
    if not isinstance(actor, ServiceActor) and not added <= held_by(actor).privileges():
        raise Refused(_("You can only give privileges that you hold."), code="above_own")
    if role.pk:
        _check_stays_at_the_top(role, added)
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
    administers = held_by(actor).of(ADMINISTER)
    for unit, below in _used_at(role):
        if not any(covers(each, unit, below=below) for each in administers):
            raise Refused(
                _("The role is in use where you do not administer access."), code="used_elsewhere"
            )


def _used_at(role: Role) -> list[tuple[Unit, bool]]:
    """Where the role is held, or would be at a log-in; and whether also below."""
    grants = RoleGrant.objects.filter(role=role).select_related("unit")
    mappings = DirectoryGroup.objects.filter(role=role).select_related("unit")
    return [(each.unit, each.below) for each in grants] + [(each.unit, True) for each in mappings]


def _check_stays_at_the_top(role: Role, added: set[str]) -> None:
    if added & house_wide_codes() and not all(is_root(unit.path) for unit, _b in _used_at(role)):
        raise Refused(
            _("The role is held below the top: there nothing may reach the whole house."),
            code="house_wide",
        )
