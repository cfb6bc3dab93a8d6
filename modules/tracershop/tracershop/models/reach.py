"""How Tracershop's privileges reach its rows: shops by representation, production by unit."""

from __future__ import annotations

from typing import Any

from portal.access.policies import AccessPolicy, AnyOf, Anywhere, ByException, ByRelation, ByUnit

SEE_OWN = "tracershop.see_own_orders"
SEE_ALL = "tracershop.see_all_orders"
PLACE = "tracershop.place_order"
ORDER_BOOKINGS = "tracershop.order_from_bookings"
MAP = "tracershop.manage_mappings"
REPRESENT = "tracershop.grant_representation"
ORDER_LATE = "tracershop.order_for_customers"
ACCEPT = "tracershop.accept_order"
RELEASE = "tracershop.release_order"
VIALS = "tracershop.manage_vials"
CERTIFY = "tracershop.certify_releaser"
SETUP = "tracershop.manage_setup"
RECALL = "tracershop.recall_batch"


def represented(user: Any) -> Any:
    """Keys of the customers that the person represents (TS-101)."""
    from tracershop.models.customers import Representation

    return Representation.objects.filter(user=user).values_list("customer_id", flat=True)


def _exceptions() -> Any:
    from tracershop.models.customers import CustomerUserObjectPermission

    return CustomerUserObjectPermission


def shop_policy(customer: str, **more: str) -> AccessPolicy:
    """The policy of a model whose customer is found by the lookup ``customer`` ('' itself).

    ``more``: who may restore such a row, and what else then comes back.
    """
    own = ByRelation("", represented, "represents")
    all_units = ByUnit("unit")
    return AccessPolicy(
        view=(SEE_OWN, SEE_ALL),
        scopes={
            # an exception (PT-014) opens one customer for looking, to one person
            SEE_OWN: AnyOf((own, ByException(_exceptions))),
            PLACE: own,
            ORDER_BOOKINGS: own,
            MAP: own,
            REPRESENT: AnyOf((own, all_units)),
            SEE_ALL: all_units,
            ORDER_LATE: all_units,
            ACCEPT: all_units,
            RELEASE: all_units,
            VIALS: all_units,
            SETUP: all_units,
            RECALL: all_units,
        },
        through=customer,
        **more,
    )


def house_policy(privilege: str = SETUP, **more: str) -> AccessPolicy:
    """Of what belongs to no customer (tracers, runs, deadlines …): production looks at it, who
    holds ``privilege`` keeps it; both wherever they hold it."""
    anywhere = Anywhere()
    scopes = {SEE_ALL: anywhere, privilege: anywhere}
    return AccessPolicy(view=(SEE_ALL, privilege), scopes=scopes, **more)


# of a set-up record: who brings it back from *Removed*, and who is told then
SETUP_RESTORE = {"restore": SETUP, "after_restore": "tracershop.services.setup.is_back"}


def vial_policy() -> AccessPolicy:
    """A vial is seen by production wherever it holds the privilege, also one that has no customer
    yet; a shop sees the vials of what it received."""
    anywhere = Anywhere()
    return AccessPolicy(
        view=(SEE_OWN, SEE_ALL),
        scopes={
            SEE_OWN: ByRelation("order__customer", represented, "represents"),
            SEE_ALL: anywhere,
            VIALS: anywhere,
            RELEASE: anywhere,
        },
    )


def production_policy() -> AccessPolicy:
    """What belongs to production alone, and to no unit: batches, their results, their recalls."""
    anywhere = Anywhere()
    return AccessPolicy(
        view=(SEE_ALL,),
        scopes={SEE_ALL: anywhere, VIALS: anywhere, RELEASE: anywhere, RECALL: anywhere},
    )
