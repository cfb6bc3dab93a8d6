"""Placing, editing and deleting orders (TS-001 to TS-005). Every rule of the form is here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import can, require, visible
from portal.audit.services import Access, differences, log_access, record
from portal.live.services import publish
from portal.records.errors import Refused
from portal.records.services import check_version, locked, soft_delete, writes
from tracershop.models import (
    Booking,
    CatalogueEntry,
    Customer,
    DeliverySlot,
    Endpoint,
    Order,
    StandingOrder,
    Tracer,
)
from tracershop.models.reach import ORDER_LATE, PLACE
from tracershop.rules.orders import OrderStatus, may_edit
from tracershop.selectors.schedule import Calendar, SlotOnDay, site_zone
from tracershop.selectors.topics import BOOKINGS, announce_order
from tracershop.services.order_checks import (
    check_activity,
    check_due,
    check_injections,
    check_kind,
    entry_of,
    use_of,
)
from tracershop.words import told


@dataclass(frozen=True)
class Allowance:
    """On what footing the actor orders: as a representative, or as production for a customer."""

    on_behalf: bool
    late_reason: str


@writes
def place_activity_order(
    *,
    actor: Any,
    slot_id: int,
    day: date,
    activity_mbq: float,
    comment: str = "",
    intended_use: str = Order.Use.HUMAN,
    late_reason: str = "",
    standing_order: StandingOrder | None = None,
    now: datetime | None = None,
) -> Order:
    """Order ``activity_mbq`` MBq of a tracer, or of the bare isotope, at a slot on a day (TS-003).

    Refused: not one's customer, not in the catalogue, no such slot that day, a closed day, the
    deadline passed (production may, with ``late_reason``), an amount that is not above zero.
    """
    slot = (
        visible(actor, DeliverySlot.objects.all())
        .select_related("endpoint__customer__unit", "run__tracer")
        .filter(pk=slot_id)
        .first()
    )
    if slot is None:
        raise Refused(_("There is no such delivery slot."), code="gone")
    tracer = slot.run.tracer
    entry = entry_of(slot.endpoint, tracer)
    check_kind(tracer, by_slot=True)
    check_activity(activity_mbq)
    allowance = _allowance(actor, slot.endpoint.customer, late_reason)
    found = _slot_on(slot, entry, day, allowance, now or timezone.now())
    return _place(
        actor,
        Order(
            kind=tracer.kind,
            customer=slot.endpoint.customer,
            endpoint=slot.endpoint,
            tracer=tracer,
            slot=slot,
            deliver_on=day,
            deliver_at=found.deliver_at,
            activity_mbq=float(activity_mbq),
            overhead_factor=entry.overhead_factor,
            comment=comment.strip(),
            intended_use=use_of(intended_use),
            standing_order=standing_order,
        ),
        allowance,
    )


@writes
def place_injection_order(
    *,
    actor: Any,
    endpoint_id: int,
    tracer_id: int,
    inject_at: datetime,
    injections: int,
    intended_use: str,
    comment: str = "",
    late_reason: str = "",
    standing_order: StandingOrder | None = None,
    now: datetime | None = None,
) -> Order:
    """Order a number of injections at a time; at most as many as the catalogue allows."""
    endpoint = (
        visible(actor, Endpoint.objects.all())
        .select_related("customer__unit")
        .filter(pk=endpoint_id)
        .first()
    )
    tracer = Tracer.objects.filter(pk=tracer_id).first()
    if endpoint is None or tracer is None:
        raise Refused(_("There is no such endpoint or tracer."), code="gone")
    entry = entry_of(endpoint, tracer)
    check_kind(tracer, by_slot=False)
    check_injections(injections, entry)
    allowance = _allowance(actor, endpoint.customer, late_reason)
    day = inject_at.astimezone(site_zone()).date()
    now = now or timezone.now()
    _check_window(Calendar(day, day), tracer.kind, day, now, allowance)
    if inject_at <= now:
        raise Refused(_("The time of the injections has passed."), code="past")
    return _place(
        actor,
        Order(
            kind=Order.Kind.INJECTION,
            customer=endpoint.customer,
            endpoint=endpoint,
            tracer=tracer,
            deliver_on=day,
            deliver_at=inject_at,
            injections=injections,
            comment=comment.strip(),
            intended_use=use_of(intended_use),
            standing_order=standing_order,
        ),
        allowance,
    )


@writes
def edit_order(
    *,
    actor: Any,
    order_id: int,
    expected_version: int,
    activity_mbq: float | None = None,
    injections: int | None = None,
    comment: str = "",
    intended_use: str = Order.Use.HUMAN,
    late_reason: str = "",
    now: datetime | None = None,
) -> Order:
    """Change amount, use or comment while the order is *Ordered*, before its deadline."""
    order = _editable(actor, order_id)
    entry = entry_of(order.endpoint, order.tracer)
    if order.kind != Order.Kind.INJECTION:
        check_activity(activity_mbq)
        check_due(order, float(activity_mbq or 0), order.ordered_for_at, order.deliver_at)
        new: dict[str, Any] = {"activity_mbq": float(activity_mbq or 0)}
    else:
        check_injections(injections, entry)
        new = {"injections": injections}
    new |= {"comment": comment.strip(), "intended_use": use_of(intended_use)}
    check_version(order, expected_version, new)
    allowance = _allowance(actor, order.customer, late_reason)
    calendar = Calendar(order.deliver_on, order.deliver_on)
    _check_window(calendar, order.kind, order.deliver_on, now or timezone.now(), allowance)
    changes = differences({name: getattr(order, name) for name in new}, new)
    if not changes:
        return order
    for name, value in new.items():
        setattr(order, name, value)
    order.late_reason = allowance.late_reason or order.late_reason
    order.save()
    record("tracershop.order_edited", order, data=changes, reason=allowance.late_reason)
    log_access(Access.CHANGE, order)
    announce_order(order, "edited")
    return order


@writes
def delete_order(
    *,
    actor: Any,
    order_id: int,
    expected_version: int | None = None,
    late_reason: str = "",
    now: datetime | None = None,
) -> None:
    """Take back an order that is still *Ordered*, before its deadline. Its bookings can be ordered
    anew. A day that was closed meanwhile does not keep the order there."""
    # bookings by key, then the order: as whoever orders for bookings or changes them
    bookings = list(
        Booking.objects.select_for_update(no_key=True).filter(order=order_id).order_by("pk")
    )
    order = _editable(actor, order_id)
    check_version(order, expected_version, {})
    allowance = _allowance(actor, order.customer, late_reason)
    calendar = Calendar(order.deliver_on, order.deliver_on)
    if order.deliver_on not in calendar.closed:
        _check_window(calendar, order.kind, order.deliver_on, now or timezone.now(), allowance)
    for booking in bookings:
        booking.order = None
        booking.ordered_mbq = None
        booking.save()
    soft_delete(order)
    record("tracershop.order_deleted", order, reason=allowance.late_reason)
    log_access(Access.DELETE, order)
    announce_order(order, "deleted")
    if bookings:
        publish(BOOKINGS, "freed")


def _place(actor: Any, order: Order, allowance: Allowance) -> Order:
    order.ordered_by = actor
    order.late_reason = allowance.late_reason
    order.save()
    data = {
        "customer": order.customer.name,
        "tracer": order.tracer.name,
        "deliver_at": order.deliver_at,
        "activity_mbq": order.activity_mbq,
        "injections": order.injections,
    }
    if order.standing_order_id:
        data["standing_order"] = order.standing_order_id
    record("tracershop.order_placed", order, data=data, reason=allowance.late_reason)
    log_access(Access.CREATE, order)
    announce_order(order, "placed")
    return order


def _editable(actor: Any, order_id: int) -> Order:
    order = locked(
        visible(actor, Order.objects.all()).select_related(
            "customer__unit", "endpoint__customer", "tracer__isotope"
        ),
        order_id,
    )
    if not may_edit(OrderStatus(order.status)):
        raise Refused(
            _("The order is %(status)s; it can no longer be changed here.")
            % {"status": order.get_status_display()},
            code="not_editable",
        )
    return order


def _allowance(actor: Any, customer: Customer, late_reason: str) -> Allowance:
    """Whether the actor may order for the customer at all, and if late."""
    if can(actor, PLACE, customer):
        return Allowance(on_behalf=False, late_reason="")
    require(actor, ORDER_LATE, customer)
    return Allowance(on_behalf=True, late_reason=late_reason.strip())


def _slot_on(
    slot: DeliverySlot, entry: CatalogueEntry, day: date, allowance: Allowance, now: datetime
) -> SlotOnDay:
    calendar = Calendar(day, day)
    entries = {(slot.endpoint_id, slot.run.tracer_id): entry}
    found = calendar.on(day, [slot], entries, now)
    if not found:
        raise Refused(_("This slot does not deliver on that day."), code="no_such_slot")
    _check_window(calendar, slot.run.tracer.kind, day, now, allowance)
    if found[0].deliver_at <= now:
        raise Refused(_("The time of the delivery has passed."), code="past")
    return found[0]


def _check_window(
    calendar: Calendar, kind: str, day: date, now: datetime, allowance: Allowance
) -> None:
    if calendar.deadline(kind, day) is None:
        raise Refused(_("No deadline is set up for this kind of order."), code="no_deadline")
    obstacle = calendar.window(kind, day, now)
    if obstacle is None:
        return
    late = obstacle.code == "deadline_passed"
    if late and allowance.on_behalf and allowance.late_reason:
        return
    if late and allowance.on_behalf:
        raise Refused(
            _("The deadline has passed: ordering late needs a reason."), code="late_reason_needed"
        )
    raise Refused(told(obstacle), code=obstacle.code)
