"""People, units and roles for tests: written directly, past the services' rules."""

from __future__ import annotations

from datetime import date
from typing import Any

from portal.access.decision import forget_held
from portal.access.models import Role, RoleGrant
from portal.accounts.models import User
from portal.organisation.models import Unit


def make_unit(code: str, parent: Unit | None = None, **values: Any) -> Unit:
    """A unit of the tree, a root where no parent is named."""
    fields = {"name": code.replace("-", " ").capitalize(), "kind": Unit.Kind.DEPARTMENT, **values}
    if parent is None:
        return Unit.add_root(code=code, **fields)
    return Unit.objects.get(pk=parent.pk).add_child(code=code, **fields)


def make_user(name: str, **values: Any) -> User:
    """A member of staff, or with ``kind="external"`` an external person, who can log in."""
    username = values.pop("username", name.lower().replace(" ", "."))
    fields: dict[str, Any] = {"kind": User.Kind.STAFF, "email": f"{username}@hospital.invalid"}
    fields |= values
    if fields["kind"] == User.Kind.EXTERNAL:
        fields.setdefault("expires_on", date(2030, 1, 1))
    user = User(username=username, name=name, **fields)
    user.set_unusable_password()
    user.save()
    return user


def make_role(code: str, *privileges: str) -> Role:
    """A role of these privileges, e.g. ``make_role("t.keeper", "organisation.change_units")``; what
    is there already stays as it is."""
    values = {"name": code, "module": code.split(".")[0], "privileges": list(privileges)}
    return Role.objects.get_or_create(code=code, defaults=values)[0]


def give(user: User, role_code: str, unit: Unit, **values: Any) -> RoleGrant:
    """The person holds the predefined role, e.g. ``tracershop.shop_internal``, at the unit."""
    grant = RoleGrant.objects.create(
        user=user, role=Role.objects.get(code=role_code), unit=unit, **values
    )
    forget_held(user)
    return grant
