"""How far the administration of signing keys reaches: the people of one's own units."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, Q

from portal.access.decision import Held, Holding
from portal.access.policies import ByUnit
from portal.organisation.models import Membership, Unit

REVOKE = "signing.revoke_keys"
_UNIT = ByUnit("unit")


class KeysOfUnit:
    """Keys of people who belong to a unit at which, or above which, the role is held.

    Held at the top of a tree it also reaches those who belong to no unit: most staff come from the
    directory, which says what they may do and not where they belong.
    """

    def q(self, held: Held, privilege: str) -> Q | None:
        units = _UNIT.q(held, privilege)
        if units is None:
            return None
        reached = Q(user__in=Membership.objects.filter(units).values("user_id"))
        if any(_at_the_top(holding) for holding in held.of(privilege)):
            reached |= ~Q(user__in=Membership.objects.values("user_id"))
        return reached

    def reasons(self, held: Held, privilege: str, obj: Model) -> list[str]:
        key: Any = obj
        memberships = list(Membership.objects.filter(user_id=key.user_id).select_related("unit"))
        if not memberships:
            return [
                f"role {holding.role} at {holding.unit_name}"
                for holding in held.of(privilege)
                if _at_the_top(holding)
            ]
        return [
            line
            for membership in memberships
            for line in _UNIT.reasons(held, privilege, membership)
        ]


def _at_the_top(holding: Holding) -> bool:
    return holding.below and len(holding.unit_path) == Unit.steplen
