"""The people of a review: added with their role in one act, deactivated and never deleted.

The account is the portal's (an external one, by mail address and one-time link); what this module
adds is the role at a hospital or a review. A person's signatures outlive the account (13 no. 4).
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _

from digital_review.models.reach import MANAGE as MANAGE_REVIEWS
from digital_review.selectors.people import MODULE, people_of, reach_of
from portal.access.decision import require
from portal.access.models import Role
from portal.access.services import end_grant, grant_role
from portal.accounts.reach import MANAGE
from portal.accounts.services.external import (
    create_external_account,
    demand_reason,
    suspend_account,
)
from portal.organisation.models import Unit
from portal.records.errors import Refused
from portal.records.services import writes


@writes
def add_person(
    *,
    actor: Any,
    name: str,
    title: str,
    email: str,
    unit: Unit,
    role: Role,
    expires_on: date,
    reason: str,
) -> Any:
    """An account for somebody new, with a role at the unit; a link is mailed (UC13, DR-008).

    All or nothing. The user name is the mail address: it says nothing of the role (DR-176).
    Refused as `create_external_account` and `grant_role` do; ``other_role`` for another module's.
    """
    require(actor, MANAGE_REVIEWS)
    if role.module != MODULE:
        raise Refused(_("This role is not one of Digital Review."), code="other_role")
    account = create_external_account(
        actor=actor, email=email, name=name, expires_on=expires_on, unit=unit, reason=reason
    )
    if title.strip():
        account.title = title.strip()
        account.save(update_fields={"title"})
    grant_role(actor=actor, user=account, role=role, unit=unit, reason=reason)
    return account


@writes
def deactivate_person(*, actor: Any, user_id: int, reason: str) -> Any:
    """Close the account, or take the roles of somebody whose account is not the actor's.

    Nothing is deleted: what the person wrote and signed stays and is verified as before (UC14,
    DR-009). Refused: ``reason``, ``own_account``, ``gone``, ``suspended``.
    """
    require(actor, MANAGE)
    require(actor, MANAGE_REVIEWS)
    demand_reason(reason)
    person = people_of(actor).filter(pk=user_id).first()
    if person is None:
        raise Refused(_("There is no such person in your reviews."), code="gone")
    if person == actor:
        raise Refused(_("Nobody manages their own account."), code="own_account")
    if person.is_managed:
        return suspend_account(actor=actor, user_id=person.pk, reason=reason)
    for grant in reach_of(actor).grants.filter(user=person.pk).order_by("pk"):
        end_grant(actor=actor, grant_id=grant.pk, reason=reason)
    return get_user_model().objects.get(pk=person.pk)
