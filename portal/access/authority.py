"""Who may grant what where (PT-013): asked by the services that grant and by the pages that offer.

A holder of ``access.administer`` gives any role at or below their unit. A *module admin*, who holds
``access.grant_role`` through a role of a module, gives roles of that module alone, at or below the
unit, and never more than they hold there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q
from django.utils.translation import gettext_lazy as _

from portal.access.decision import Holding, can, held_by, require
from portal.access.models import Role, RoleGrant
from portal.access.reach import data_scoped_privileges, unit_of
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.registry import registry

GRANT = "access.grant_role"
ADMINISTER = "access.administer"
COMPOSED = "access"
"""The module under which roles stand that administrators composed."""
_Scope = RoleGrant.DataScope


def house_wide_codes() -> frozenset[str]:
    """Privileges that reach what belongs to no unit."""
    return frozenset(each.code for each in registry.privileges() if each.house_wide)


def codes_by_request() -> frozenset[str]:
    """Codes of the roles whose module declares that they take an approved request (PT-003)."""
    return frozenset(f"{module}.{role.code}" for module, role in registry.roles() if role.approval)


def needs_approval(role: Role) -> bool:
    """Whether the role is given by an approved request, or by who administers access there."""
    return role.code in codes_by_request()


def is_root(path: str) -> bool:
    return len(path) == Unit.steplen


def covers(holding: Holding, unit: Unit, *, below: bool) -> bool:
    """Whether the holding is at least as wide as a grant at ``unit`` would be.

    A role that one holds at a unit alone gives no say over what lies below it.
    """
    return holding.reaches(unit.path) and (holding.below or not below)


def administers(actor: Any, unit: Unit, *, below: bool = True) -> bool:
    """Whether the actor administers access at the unit (and below it)."""
    if isinstance(actor, ServiceActor):
        return True
    return any(covers(each, unit, below=below) for each in held_by(actor).of(ADMINISTER))


def has_say(actor: Any, unit: Unit) -> bool:
    """Whether the actor grants some role or other at the unit and below it: keeps its groups."""
    if isinstance(actor, ServiceActor):
        return True
    held = held_by(actor)
    return any(covers(each, unit, below=True) for each in held.of(GRANT) + held.of(ADMINISTER))


def modules_of(module: str, privileges: Iterable[str]) -> set[str]:
    """Whose a role is: its module's; one that was composed is of all whose privileges it holds."""
    return {code.split(".")[0] for code in privileges} if module == COMPOSED else {module}


def check_house_wide(role: Role, unit: Unit) -> None:
    """Raise Refused unless a role that reaches the whole house is granted at the top of it."""
    if not is_root(unit.path) and house_wide_codes() & set(role.privileges):
        raise Refused(
            _("This role reaches the whole house: it is granted at the top of the tree alone."),
            code="house_wide",
        )


def check_may_grant(
    actor: Any,
    role: Role,
    unit: Unit,
    *,
    below: bool,
    data_scope: str = _Scope.OWN,
    people: Collection[int] = (),
) -> None:
    """Raise PermissionDenied or Refused unless the actor may grant this role there.

    ``people`` are the keys of those whose rows a grant of the scope *people* would reach. Refused
    with code ``house_wide``, and those of :func:`check_say`.
    """
    check_house_wide(role, unit)
    check_say(actor, role, unit, below=below, data_scope=data_scope, people=people)


def check_say(
    actor: Any,
    role: Role,
    unit: Unit,
    *,
    below: bool,
    data_scope: str = _Scope.OWN,
    people: Collection[int] = (),
) -> None:
    """Raise unless the actor has a say over such a grant, so that they may end it.

    Refused with code ``outside_unit``, ``other_module`` or ``above_own``; PermissionDenied for
    those who grant nothing anywhere.
    """
    if administers(actor, unit, below=below):
        return
    require(actor, GRANT)
    held = held_by(actor)
    covering = [each for each in held.holdings if covers(each, unit, below=below)]
    granting = [each for each in covering if GRANT in each.privileges]
    if not granting:
        raise Refused(_("You may not grant roles at this unit."), code="outside_unit")
    if not modules_of(role.module, role.privileges) <= _modules_through(granting):
        raise Refused(_("You grant roles of your own module alone."), code="other_module")
    here = {code for each in covering for code in each.privileges}
    if not set(role.privileges) <= here:
        raise Refused(_("This role holds more than you hold at this unit."), code="above_own")
    if data_scope != _Scope.OWN:
        _check_scope(actor, role, covering, data_scope, people)


def _modules_through(granting: Iterable[Holding]) -> set[str]:
    return {module for each in granting for module in modules_of(each.module, each.privileges)}


def _check_scope(
    actor: Any, role: Role, covering: list[Holding], data_scope: str, people: Collection[int]
) -> None:
    """Nobody lets others reach more rows than they reach themselves."""
    named = held_by(actor).named_people()

    def reaches(holding: Holding) -> bool:
        if holding.data_scope == _Scope.UNIT:
            return True
        return holding.data_scope == data_scope == _Scope.PEOPLE and set(people) <= {
            *named[holding.grant_id],
            actor.pk,
        }

    for code in data_scoped_privileges() & set(role.privileges):
        if not any(reaches(each) for each in covering if code in each.privileges):
            raise Refused(
                _("The role would reach more rows than you reach at this unit."), code="above_own"
            )


def check_may_except(actor: Any, privilege: str, obj: Model) -> None:
    """Raise unless the actor may give others this privilege on this one object.

    Whoever administers access at the object's unit does; a module admin gives what is of their
    module and what they hold on the object. What belongs to no unit is the top's. Refused with code
    ``outside_unit``, ``other_module`` or ``above_own``; PermissionDenied as :func:`check_say`.
    """
    if isinstance(actor, ServiceActor):
        return
    held, unit = held_by(actor), unit_of(obj)

    def reaches(holding: Holding) -> bool:
        if unit is None:
            return holding.below and is_root(holding.unit_path)
        return holding.reaches(unit.path)

    if any(reaches(each) for each in held.of(ADMINISTER)):
        return
    if not (held.of(GRANT) or held.of(ADMINISTER)):
        raise PermissionDenied(f"{GRANT} is needed")
    granting = [each for each in held.of(GRANT) if reaches(each)]
    if not granting:
        raise Refused(_("You may not grant anything at the object's unit."), code="outside_unit")
    if privilege.split(".")[0] not in _modules_through(granting):
        raise Refused(_("You grant what is of your own module alone."), code="other_module")
    if not can(actor, privilege, obj):
        raise Refused(_("You do not hold this privilege on the object."), code="above_own")


# --- the same for lists and choices ---------------------------------------------------------------


@dataclass(frozen=True)
class Area:
    """A part of the tree in which the actor has the same say everywhere (at least)."""

    path: str
    below: bool
    """All of it from ``path`` down; else grants that hold at the unit of ``path`` alone."""
    roles: frozenset[int]
    """Keys of the roles over which the actor has a say there."""
    house_wide: frozenset[int]
    """Those of them that are granted at the top alone."""
    by_request: frozenset[int]
    """Those that the actor does not give by themselves."""

    def grants(self) -> Q:
        """Condition for the grants in it."""
        place = (
            Q(unit__path__startswith=self.path)
            if self.below
            else Q(unit__path=self.path, below=False)
        )
        return place & Q(role__in=self.roles)

    def units(self) -> Q | None:
        """Condition for units at which some role can be granted; None for no unit."""
        given = self.roles - self.by_request
        if given - self.house_wide:
            return Q(path__startswith=self.path) if self.below else Q(path=self.path)
        return Q(path=self.path) if given and is_root(self.path) else None

    def holds(self, unit: Unit) -> bool:
        return unit.path.startswith(self.path) if self.below else unit.path == self.path

    def roles_at(self, unit: Unit) -> frozenset[int]:
        """Roles that can be granted at a unit of the area."""
        given = self.roles - self.by_request
        return given if is_root(unit.path) else given - self.house_wide


def areas(actor: Any) -> list[Area]:
    """Where the actor has a say over which roles; one query.

    What one holds grows on the way down the tree, and only where a role is held: so the units of
    one's own roles divide the tree.
    """
    held = held_by(actor)
    if not (held.of(GRANT) or held.of(ADMINISTER)):
        return []
    roles = list(Role.objects.values_list("pk", "module", "privileges", "code"))
    house_wide, requested = house_wide_codes(), codes_by_request()
    at_the_top = frozenset(pk for pk, _m, codes, _code in roles if house_wide & set(codes))
    by_request = frozenset(pk for pk, _m, _codes, code in roles if code in requested)
    found = []
    for path in sorted({each.unit_path for each in held.holdings}):
        for below in (True, False):
            covering = [h for h in held.holdings if h.reaches(path) and (h.below or not below)]
            if mine := _roles_within(covering, roles):
                administers = any(ADMINISTER in each.privileges for each in covering)
                waiting = frozenset() if administers else mine & by_request
                found.append(Area(path, below, mine, mine & at_the_top, waiting))
    return found


def _roles_within(covering: list[Holding], roles: Iterable[tuple[Any, ...]]) -> frozenset[int]:
    if any(ADMINISTER in each.privileges for each in covering):
        return frozenset(pk for pk, *_rest in roles)
    modules = _modules_through(each for each in covering if GRANT in each.privileges)
    here = {code for each in covering for code in each.privileges}
    return frozenset(
        pk
        for pk, module, codes, _code in roles
        if modules_of(module, codes) <= modules and set(codes) <= here
    )
