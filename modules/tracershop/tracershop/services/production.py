"""What production says to orders: accept, reject, take a rejection back (TS-041)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from portal.access.decision import require, visible
from portal.audit.services import record
from portal.notifications.services import notify
from portal.records.errors import Refused
from portal.records.services import writes
from tracershop.models import Order, Vial
from tracershop.models.reach import ACCEPT
from tracershop.rules.orders import OrderAct, OrderStatus, TransitionRefused, transition
from tracershop.selectors.booking_waiting import was_ordered_anew
from tracershop.selectors.topics import announce_order, announce_vial


@dataclass(frozen=True)
class Decision:
    """What a decision did: which orders it changed, and which were so already."""

    changed: list[Order]
    unchanged: list[Order]


@writes
def accept_orders(*, actor: Any, order_ids: Collection[int]) -> Decision:
    """Commit to deliver. All or none; those accepted already stay so, and it is said."""
    return _decide(actor, order_ids, OrderAct.ACCEPT, "")


@writes
def reject_orders(*, actor: Any, order_ids: Collection[int], reason: str) -> Decision:
    """Say no, with a reason that the customer reads."""
    if not reason.strip():
        raise Refused(_("Rejecting an order needs a reason."), code="reason_needed")
    return _decide(actor, order_ids, OrderAct.REJECT, reason.strip())


@writes
def unreject_orders(*, actor: Any, order_ids: Collection[int]) -> Decision:
    """Take a rejection back: the order is *Ordered* again."""
    return _decide(actor, order_ids, OrderAct.UNREJECT, "")


def _decide(actor: Any, order_ids: Collection[int], act: OrderAct, reason: str) -> Decision:
    decision = Decision([], [])
    for order in locked_orders(actor, order_ids):
        require(actor, ACCEPT, order)
        try:
            outcome = transition(OrderStatus(order.status), act)
        except TransitionRefused:
            raise Refused(
                _("Order %(number)s is %(status)s; nothing was changed.")
                % {"number": order.pk, "status": order.get_status_display()},
                code="wrong_status",
            ) from None
        if not outcome.changed:
            decision.unchanged.append(order)
            continue
        if act == OrderAct.UNREJECT and was_ordered_anew(order):
            raise Refused(
                _("The bookings of order %(number)s were ordered anew; it stays rejected.")
                % {"number": order.pk},
                code="ordered_anew",
            )
        old = order.status
        order.status = outcome.new_status
        order.status_reason = reason
        order.save()
        if outcome.new_status == OrderStatus.REJECTED:
            free_vials(order)
            notify(
                order.ordered_by,
                str(
                    _("Order %(number)s was rejected: %(reason)s")
                    % {"number": order.pk, "reason": reason}
                ),
                url=f"/tracershop/orders/{order.pk}/",
                level="warning",
            )
        record(f"tracershop.order_{act}", order, data={"status": [old, order.status]})
        announce_order(order, order.status)
        decision.changed.append(order)
    return decision


def free_vials(order: Order) -> None:
    """The vials allocated to the order serve nobody any more."""
    for vial in Vial.objects.select_for_update(no_key=True).filter(order=order).order_by("pk"):
        vial.order = None
        vial.save()
        announce_vial(vial, "freed")


def locked_orders(actor: Any, order_ids: Collection[int]) -> list[Order]:
    """The orders, locked in one order of keys, so that two such acts never wait for each other.

    Raises Refused(code="gone") when one of them is not (any more) visible to the actor.
    """
    wanted = sorted(set(order_ids))
    orders = list(
        visible(actor, Order.objects.filter(pk__in=wanted))
        .select_for_update(no_key=True, of=("self",))
        .select_related("customer__unit", "endpoint", "tracer__isotope", "ordered_by")
        .order_by("pk")
    )
    if not wanted or len(orders) < len(wanted):
        raise Refused(_("An order of the selection does not exist (any more)."), code="gone")
    return orders
