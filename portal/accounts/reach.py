"""How far the management of external accounts reaches: the accounts of one's own units."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, Q

from portal.access.decision import Held
from portal.access.policies import ByUnit
from portal.organisation.models import Membership

MANAGE = "accounts.manage_external"
OWN = "accounts.own_requests"
PEOPLE = "accounts.manage_people"
SESSIONS = "accounts.manage_sessions"
_UNIT = ByUnit("unit")


class ExternalOfUnit:
    """External accounts that belong to a unit at which, or above which, the role is held."""

    def q(self, held: Held, privilege: str) -> Q | None:
        units = _UNIT.q(held, privilege)
        if units is None:
            return None
        return Q(kind="external", pk__in=Membership.objects.filter(units).values("user_id"))

    def reasons(self, held: Held, privilege: str, obj: Model) -> list[str]:
        person: Any = obj
        if person.kind != "external":
            return []
        memberships = Membership.objects.filter(user=person).select_related("unit")
        return [
            line
            for membership in memberships
            for line in _UNIT.reasons(held, privilege, membership)
        ]
