"""Staff and local administrators, suspended and reactivated by who manages people (PT-004)."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require, visible
from portal.accounts.models import User
from portal.accounts.reach import PEOPLE
from portal.accounts.services.external import demand_reason, reactivate, suspend
from portal.records.errors import Refused
from portal.records.services import locked, writes

OF_THE_HOUSE = Q(kind=User.Kind.STAFF) | Q(emergency=True)
"""Whose accounts no unit manages."""


@writes
def suspend_person(*, actor: Any, user_id: int, reason: str) -> User:
    """Keep somebody out, whatever the login service says of them; they are logged out at once.

    Raises PermissionDenied without ``accounts.manage_people``; Refused with code ``reason``,
    ``own_account``, ``suspended``, or ``gone`` for an external account, which its unit manages.
    """
    person = _managed(actor, user_id, reason)
    if not person.is_active:
        raise Refused(_("The account is closed or suspended already."), code="suspended")
    suspend(person, {})
    return person


@writes
def reactivate_person(*, actor: Any, user_id: int, reason: str) -> User:
    """Let somebody in again who was suspended, by hand or for not using the portal.

    Raises as :func:`suspend_person`; Refused with code ``not_suspended``, or ``past`` for a local
    administrator whose account expired.
    """
    person = _managed(actor, user_id, reason)
    reactivate(person)
    return person


def _managed(actor: Any, user_id: int, reason: str) -> User:
    require(actor, PEOPLE)
    demand_reason(reason)
    person = locked(visible(actor, User.objects.filter(OF_THE_HOUSE), PEOPLE), user_id)
    if person == actor:
        raise Refused(_("Nobody manages their own account."), code="own_account")
    return person
