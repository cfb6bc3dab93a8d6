"""Where a person may change the tree, and that nobody widens their own reach by it."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require
from portal.access.models import RoleGrant
from portal.organisation.apps import CHANGE
from portal.organisation.models import Unit
from portal.records.context import ServiceActor
from portal.records.errors import Refused
from portal.registry import registry

_BELOW = "/"
"""Stands for any unit below: no step of a path has it."""


def require_at(actor: Any, *units: Unit) -> None:
    """Raise PermissionDenied unless the actor may change the tree at each of the units."""
    for unit in units:
        require(actor, CHANGE, unit)


def check_own_reach(actor: Any, unit: Unit, target: Unit, *, merged: bool = False) -> None:
    """Refuse a move under ``target``, or a merger into it, that gives the actor more than now.

    Every grant of theirs counts, in whatever profile and whenever it holds. Raises Refused with
    code ``self_grant``, naming the privileges that would be gained.
    """
    if isinstance(actor, ServiceActor):
        return
    grants = list(
        RoleGrant.objects.of_person(actor)
        .filter(Q(ends_on__isnull=True) | Q(ends_on__gte=timezone.localdate()))
        .values_list("role__privileges", "unit__path", "below")
    )
    now, there = unit.path, target.path
    gained = _reaching(grants, there + _BELOW) - _reaching(grants, now + _BELOW)
    if merged:
        at_unit = {code for codes, path, _below in grants if path == now for code in codes}
        gained |= at_unit - _reaching(grants, there)
        gained |= _reaching(grants, there) - _reaching(grants, now)
    if gained:
        labels = {privilege.code: str(privilege.label) for privilege in registry.privileges()}
        raise Refused(
            _("You would gain rights by this yourself; somebody else has to do it."),
            code="self_grant",
            details=sorted(labels.get(code, code) for code in gained),
        )


def _reaching(grants: list[tuple[list[str], str, bool]], path: str) -> set[str]:
    return {
        code
        for codes, at, below in grants
        if (path.startswith(at) if below else path == at)
        for code in codes
    }
