"""External people of shops (TS-100, TS-101): the account, its role and its customer in one act."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _

from portal.access.decision import can, forget_held, require, visible
from portal.access.models import Role
from portal.access.services import grant_role
from portal.accounts.models import User
from portal.accounts.services.external import create_external_account
from portal.records.errors import Refused
from portal.records.services import locked, writes
from tracershop.models import Customer, Representation
from tracershop.models.reach import PLACE, SETUP
from tracershop.selectors.external_people import people_to_add
from tracershop.services.representation import let_represent

ROLE = "tracershop.shop_external"


@writes
def admit_external(
    *, actor: Any, customer_id: int, name: str, email: str, expires_on: date, reason: str
) -> User:
    """Make an account at the customer's unit, with the shop's role there and the customer.

    All or nothing. Refused as :func:`portal.accounts.services.external.create_external_account`
    and :func:`let_represent` do; ``gone`` for a customer out of reach.
    """
    require(actor, SETUP)
    customer = locked(visible(actor, Customer.objects.select_related("unit"), SETUP), customer_id)
    account = create_external_account(
        actor=actor,
        email=email,
        name=name,
        expires_on=expires_on,
        unit=customer.unit,
        reason=reason,
    )
    _open_shop(actor, account, customer, reason)
    return account


@writes
def add_customer(*, actor: Any, user: User, customer_id: int, reason: str) -> Representation:
    """Let an external person order for one more customer; with the shop's role where they have
    none (any more).

    PermissionDenied outside the actor's set-up; Refused ``gone`` for a customer out of reach, or a
    person who neither orders for the actor's customers nor has an account that they manage.
    """
    require(actor, SETUP)
    customer = locked(visible(actor, Customer.objects.select_related("unit"), SETUP), customer_id)
    if not people_to_add(actor).filter(pk=user.pk).exists():
        raise Refused(_("There is no such external person."), code="gone")
    return _open_shop(actor, user, customer, reason)


def _open_shop(actor: Any, user: User, customer: Customer, reason: str) -> Representation:
    forget_held(user)
    if not can(user, PLACE):
        role = Role.objects.get(code=ROLE)
        grant_role(actor=actor, user=user, role=role, unit=customer.unit, reason=reason)
    return let_represent(actor=actor, user=user, customer_id=customer.pk, reason=reason)
