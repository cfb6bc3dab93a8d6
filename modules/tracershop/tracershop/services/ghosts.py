"""Ghost orders: production adds what no shop ordered, marked as such (TS-043)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require, visible
from portal.audit.services import Access, log_access, record
from portal.records.errors import Refused
from portal.records.services import writes
from tracershop.models import DeliverySlot, Endpoint, Order, Tracer
from tracershop.models.reach import ACCEPT, ORDER_LATE
from tracershop.rules.slots import deliver_at
from tracershop.selectors.schedule import as_weekly, closed_days, site_zone
from tracershop.selectors.topics import announce_order
from tracershop.services.order_checks import check_activity, check_injections, entry_of, use_of


@writes
def add_ghost_order(
    *,
    actor: Any,
    slot_id: int,
    day: date,
    activity_mbq: float,
    reason: str,
    comment: str = "",
    intended_use: str = Order.Use.HUMAN,
    now: datetime | None = None,
) -> Order:
    """Add ``activity_mbq`` MBq at a slot on a day, whatever the customer's deadline.

    Refused: not in the catalogue, no such slot that day, a closed day, a delivery in the past, an
    amount that is not above zero, no reason.
    """
    slot = (
        visible(actor, DeliverySlot.objects.all(), ACCEPT)
        .select_related("endpoint__customer__unit", "run__tracer")
        .filter(pk=slot_id)
        .first()
    )
    if slot is None:
        raise Refused(_("There is no such delivery slot."), code="gone")
    _check_right(actor, slot.endpoint)
    entry = entry_of(slot.endpoint, slot.run.tracer)
    check_activity(activity_mbq)
    if not as_weekly(slot).occurs_on(day):
        raise Refused(_("This slot does not deliver on that day."), code="no_such_slot")
    return _add(
        actor,
        Order(
            kind=slot.run.tracer.kind,
            customer=slot.endpoint.customer,
            endpoint=slot.endpoint,
            tracer=slot.run.tracer,
            slot=slot,
            deliver_on=day,
            deliver_at=deliver_at(slot.deliver_time, day, site_zone()),
            activity_mbq=float(activity_mbq),
            overhead_factor=entry.overhead_factor,
            comment=comment.strip(),
            intended_use=use_of(intended_use),
        ),
        reason,
        now,
    )


@writes
def add_ghost_injections(
    *,
    actor: Any,
    endpoint_id: int,
    tracer_id: int,
    inject_at: datetime,
    injections: int,
    reason: str,
    comment: str = "",
    intended_use: str = Order.Use.HUMAN,
    now: datetime | None = None,
) -> Order:
    """Add a number of injections at a time; at most as many as the catalogue allows."""
    endpoint = (
        visible(actor, Endpoint.objects.all(), ACCEPT)
        .select_related("customer__unit")
        .filter(pk=endpoint_id)
        .first()
    )
    tracer = Tracer.objects.filter(pk=tracer_id, kind=Tracer.Kind.INJECTION).first()
    if endpoint is None or tracer is None:
        raise Refused(_("There is no such endpoint or tracer."), code="gone")
    _check_right(actor, endpoint)
    check_injections(injections, entry_of(endpoint, tracer))
    return _add(
        actor,
        Order(
            kind=tracer.kind,
            customer=endpoint.customer,
            endpoint=endpoint,
            tracer=tracer,
            deliver_on=inject_at.astimezone(site_zone()).date(),
            deliver_at=inject_at,
            injections=injections,
            comment=comment.strip(),
            intended_use=use_of(intended_use),
        ),
        reason,
        now,
    )


def _check_right(actor: Any, endpoint: Endpoint) -> None:
    require(actor, ORDER_LATE, endpoint)
    require(actor, ACCEPT, endpoint)


def _add(actor: Any, order: Order, reason: str, now: datetime | None) -> Order:
    if not reason.strip():
        raise Refused(_("A ghost order needs a reason."), code="reason_needed")
    if closed := closed_days(order.deliver_on, order.deliver_on).get(order.deliver_on):
        raise Refused(_("It is a closed day: %(why)s") % {"why": closed}, code="closed_day")
    if order.deliver_at <= (now or timezone.now()):
        raise Refused(_("The time of the delivery has passed."), code="past")
    order.ghost = True
    order.ordered_by = actor
    order.late_reason = reason.strip()
    order.save()
    data = {
        "customer": order.customer.name,
        "tracer": order.tracer.name,
        "deliver_at": order.deliver_at,
        "activity_mbq": order.activity_mbq,
        "injections": order.injections,
    }
    record("tracershop.ghost_order_added", order, data=data, reason=order.late_reason)
    log_access(Access.CREATE, order)
    announce_order(order, "placed")
    return order
