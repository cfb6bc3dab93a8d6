"""Ordering as in the week before (TS-008)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import visible
from portal.audit.services import record
from portal.records.errors import Refused
from portal.records.services import locked, writes
from tracershop.models import Customer, Order
from tracershop.selectors.copying import CopyLine, copy_plan, ordered_at
from tracershop.services.ordering import place_activity_order, place_injection_order


@writes
def copy_last_week(
    *,
    actor: Any,
    customer_id: int,
    monday: date,
    seals: Collection[str],
    now: datetime | None = None,
) -> list[Order]:
    """Order for the week from ``monday`` what is ticked of the week before, as it was shown.

    ``seals`` are those of :class:`CopyLine`. All or nothing: Refused ``unplaced`` with the reason
    for each that does not go (any more), ``changed`` when one is not as it was shown, ``nothing``
    when none is ticked. Confirmed twice, or by two people at once, it is ordered once: the
    customer's copies wait for each other, and what is there already does not go.
    """
    now = now or timezone.now()
    customer = locked(visible(actor, Customer.objects.select_related("unit")), customer_id)
    by_seal = {line.seal: line for line in copy_plan(actor, customer, monday, now).lines}
    if not seals:
        raise Refused(_("No order is ticked."), code="nothing")
    if not set(seals) <= set(by_seal):
        raise Refused(
            _("The orders changed since you looked; look at the copy again."), code="changed"
        )
    ticked = [line for seal, line in by_seal.items() if seal in set(seals)]
    stay = [line for line in ticked if not line.goes]
    if stay:
        raise Refused(
            _("Some orders cannot be copied; nothing was ordered."),
            code="unplaced",
            details=[f"{line.order}: {line.reason}" for line in stay],
        )
    orders = [_place(actor, line, now) for line in ticked]
    record(
        "tracershop.week_copied",
        customer,
        data={"week_from": monday, "orders": [order.pk for order in orders]},
    )
    return orders


def _place(actor: Any, line: CopyLine, now: datetime) -> Order:
    order = line.order
    common: dict[str, Any] = {
        "actor": actor,
        "intended_use": order.intended_use,
        "comment": order.comment,
        "now": now,
    }
    slot = ordered_at(order)
    if slot is not None:
        return place_activity_order(
            slot_id=slot.pk, day=line.copy.day, activity_mbq=order.activity_mbq or 0, **common
        )
    return place_injection_order(
        endpoint_id=order.endpoint_id,
        tracer_id=order.tracer_id,
        inject_at=line.copy.deliver_at,
        injections=order.injections or 0,
        **common,
    )
