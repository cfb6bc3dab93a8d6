"""Acting in another role, to see for support what its holders see (PT-006).

Whoever acts holds that role alone, for an hour at most; every entry of the audit trail and of the
access log names both identities, and nothing can be signed.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.authority import check_house_wide
from portal.access.decision import forget_held, held_by, require
from portal.access.models import Role
from portal.access.standing import (
    ACT_AS,
    ACTING_LASTS,
    NEVER_ACTED,
    keep_role,
    leave_role,
    standing_of,
    take_standing,
)
from portal.audit.services import record
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.records.services import writes


def roles_to_act_in() -> QuerySet[Role]:
    """Roles that give no say over roles; acting in another would make it one's own for good."""
    return Role.objects.exclude(privileges__overlap=sorted(NEVER_ACTED)).order_by(
        "module", "name", "pk"
    )


def units_to_act_at(actor: Any) -> QuerySet[Unit]:
    """Open units at or below those for which the actor may act in other roles."""
    paths = [holding.unit_path for holding in held_by(actor).of(ACT_AS) if holding.below]
    if not paths:
        return Unit.objects.none()
    found = Unit.objects.none()
    for path in paths:
        found |= Unit.objects.open().filter(path__startswith=path)
    return found.order_by("path")


@writes
def begin_acting(
    *, actor: Any, session: MutableMapping[str, Any], role: Role, unit: Unit, reason: str
) -> None:
    """Act in ``role`` at ``unit`` and below, in this session, for an hour at most.

    Raises PermissionDenied; Refused: ``already_acting``, ``outside_unit``, ``role_too_high``,
    ``house_wide``, ``reason``.
    """
    if isinstance(actor, ServiceActor):
        raise TypeError("a service acts in no role")
    if getattr(actor, "acting_as", ""):
        raise Refused(_("You are acting in another role. Stop that first."), code="already_acting")
    require(actor, ACT_AS)
    if not reason.strip():
        raise Refused(_("Say why: it goes into the audit trail."), code="reason")
    if not units_to_act_at(actor).filter(pk=unit.pk).exists():
        raise Refused(_("You may not act in other roles at this unit."), code="outside_unit")
    if not roles_to_act_in().filter(pk=role.pk).exists():
        raise Refused(_("Nobody acts in a role that gives a say over roles."), code="role_too_high")
    check_house_wide(role, unit)
    now = timezone.now()
    words = f"{role.name} – {unit.name}"
    facts = {"role": role.code, "unit": unit.code, "until": now + ACTING_LASTS}
    record("access.acting_begun", actor, data=facts)
    keep_role(session, role_id=role.pk, unit_id=unit.pk, words=words, since=now)
    take_standing(actor, session, now)
    forget_held(actor)


@writes
def end_acting(*, actor: Any, session: MutableMapping[str, Any]) -> None:
    """Be oneself again. Nothing happens to who is, or whose hour has passed."""
    note_end_of_acting(actor)
    leave_role(session)
    take_standing(actor, session, timezone.now())
    forget_held(actor)


def note_end_of_acting(user: Any) -> None:
    """Write into the audit trail that the person, who may be acting, ceases to."""
    standing = standing_of(user)
    if standing is not None and standing.acting_as:
        record("access.acting_ended", user, data={"acted_as": standing.acting_as})
