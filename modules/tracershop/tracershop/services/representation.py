"""Who represents which customer (TS-100, TS-101)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _

from portal.access.decision import can, forget_held
from portal.audit.services import record
from portal.records.errors import Refused
from portal.records.services import locked, soft_delete, writes
from tracershop.models import Customer, Representation
from tracershop.models.reach import PLACE, SETUP
from tracershop.selectors.representation import manageable


@writes
def let_represent(*, actor: Any, user: Any, customer_id: int, reason: str) -> Representation:
    """Let a shop user act for a customer.

    A superuser does so for internal colleagues and customers that they represent themselves;
    production admins for everybody at or below their unit. Nobody for themselves.
    """
    customer = _customer(actor, customer_id)
    if user == actor:
        raise Refused(_("Nobody grants a right to themselves."), code="self_grant")
    forget_held(user)
    user = get_user_model().objects.select_for_update(no_key=True).get(pk=user.pk)
    if not can(user, PLACE):
        raise Refused(_("%(name)s has no role in the shop.") % {"name": user}, code="no_role")
    if user.is_external and not can(actor, SETUP, customer):
        raise Refused(_("External users are managed by production."), code="external")
    if Representation.objects.filter(user=user, customer=customer).exists():
        raise Refused(_("The person represents this customer already."), code="already")
    representation = Representation.objects.create(user=user, customer=customer)
    record("tracershop.representation_granted", representation)
    return representation


@writes
def end_representation(*, actor: Any, representation_id: int, reason: str) -> None:
    """The person no longer acts for the customer; by those who may let somebody do so."""
    representation = locked(
        manageable(actor, Representation.objects.all()).select_related("user", "customer__unit"),
        representation_id,
    )
    if representation.user == actor:
        raise Refused(_("Nobody changes their own rights."), code="self_grant")
    if representation.user.is_external and not can(actor, SETUP, representation.customer):
        raise Refused(_("External users are managed by production."), code="external")
    soft_delete(representation)
    record("tracershop.representation_ended", representation)


def _customer(actor: Any, customer_id: int) -> Customer:
    customer = (
        manageable(actor, Customer.objects.all())
        .select_related("unit")
        .filter(pk=customer_id)
        .first()
    )
    if customer is None:
        raise Refused(_("There is no such customer."), code="gone")
    return customer
