"""Standing orders: set up, changed, ended (TS-008). Placing them is in ``standing_placing``."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import can, require, visible
from portal.audit.services import differences, record
from portal.live.services import publish
from portal.records.errors import Refused
from portal.records.services import check_version, locked, soft_delete, writes
from tracershop.models import Customer, DeliverySlot, Endpoint, Order, StandingOrder, Tracer
from tracershop.models.reach import ORDER_LATE, PLACE
from tracershop.rules.orders import OrderStatus
from tracershop.selectors.schedule import site_zone
from tracershop.selectors.topics import customer_topic
from tracershop.services.order_checks import (
    check_activity,
    check_injections,
    check_kind,
    entry_of,
    use_of,
)
from tracershop.services.ordering import delete_order
from tracershop.services.standing_placing import Placement, place_days


@writes
def repeat_activity(
    *,
    actor: Any,
    slot_id: int,
    activity_mbq: float,
    starts_on: date,
    ends_on: date | None = None,
    intended_use: str = Order.Use.HUMAN,
    comment: str = "",
    now: datetime | None = None,
) -> Placement:
    """Order ``activity_mbq`` MBq at a slot whenever it delivers, from ``starts_on`` on.

    What is due in the coming days is placed at once, in the actor's name. Refused as an order is;
    also ``period`` and ``already_standing``.
    """
    slot = (
        visible(actor, DeliverySlot.objects.all())
        .select_related("endpoint__customer__unit", "run__tracer")
        .filter(pk=slot_id)
        .first()
    )
    if slot is None:
        raise Refused(_("There is no such delivery slot."), code="gone")
    entry_of(slot.endpoint, slot.run.tracer)
    check_kind(slot.run.tracer, by_slot=True)
    check_activity(activity_mbq)
    standing = StandingOrder(
        endpoint=slot.endpoint,
        tracer=slot.run.tracer,
        slot=slot,
        weekday=slot.weekday,
        activity_mbq=float(activity_mbq),
        starts_on=starts_on,
        ends_on=ends_on,
        intended_use=use_of(intended_use),
        comment=comment.strip(),
    )
    return _begin(actor, standing, now or timezone.now())


@writes
def repeat_injections(
    *,
    actor: Any,
    endpoint_id: int,
    tracer_id: int,
    weekday: int,
    inject_at: time,
    injections: int,
    starts_on: date,
    ends_on: date | None = None,
    intended_use: str = Order.Use.HUMAN,
    comment: str = "",
    now: datetime | None = None,
) -> Placement:
    """Order a number of injections at a time of a weekday (0 = Monday), from ``starts_on`` on."""
    endpoint = (
        visible(actor, Endpoint.objects.all())
        .select_related("customer__unit")
        .filter(pk=endpoint_id)
        .first()
    )
    tracer = Tracer.objects.filter(pk=tracer_id).first()
    if endpoint is None or tracer is None:
        raise Refused(_("There is no such endpoint or tracer."), code="gone")
    if weekday not in range(7):
        raise Refused(_("There is no such weekday."), code="weekday")
    check_kind(tracer, by_slot=False)
    check_injections(injections, entry_of(endpoint, tracer))
    standing = StandingOrder(
        endpoint=endpoint,
        tracer=tracer,
        weekday=weekday,
        inject_at=inject_at,
        injections=injections,
        starts_on=starts_on,
        ends_on=ends_on,
        intended_use=use_of(intended_use),
        comment=comment.strip(),
    )
    return _begin(actor, standing, now or timezone.now())


@writes
def change_standing_order(
    *,
    actor: Any,
    standing_order_id: int,
    expected_version: int,
    activity_mbq: float | None = None,
    injections: int | None = None,
    ends_on: date | None = None,
    intended_use: str = Order.Use.HUMAN,
    comment: str = "",
    now: datetime | None = None,
) -> Placement:
    """Change what is ordered, or until when; it is in the actor's name from now on.

    Orders that it placed already stay as they are.
    """
    standing = _locked(actor, standing_order_id)
    require(actor, PLACE, standing.customer)
    new: dict[str, Any] = {
        "ends_on": ends_on,
        "intended_use": use_of(intended_use),
        "comment": comment.strip(),
    }
    if standing.slot_id is not None:
        check_activity(activity_mbq)
        new["activity_mbq"] = float(activity_mbq or 0)
    else:
        check_injections(injections, entry_of(standing.endpoint, standing.tracer))
        new["injections"] = injections
    check_version(standing, expected_version, new)
    if ends_on is not None and ends_on < standing.starts_on:
        raise Refused(_("The last day is before the first one."), code="period")
    changes = differences({name: getattr(standing, name) for name in new}, new)
    if changes or standing.ordered_by_id != actor.pk:
        for name, value in new.items():
            setattr(standing, name, value)
        standing.ordered_by = actor
        _check_alone(standing)
        standing.save()
        record("tracershop.standing_order_changed", standing, data=changes)
    placement = place_days(standing, now or timezone.now())
    _announce(standing)
    return placement


@writes
def end_standing_order(
    *,
    actor: Any,
    standing_order_id: int,
    expected_version: int | None = None,
    last_day: date,
    delete_placed: bool = False,
    now: datetime | None = None,
) -> list[Order]:
    """Place nothing after ``last_day``. A pause is an end: it is added anew afterwards.

    With ``delete_placed`` the orders that it placed for later days are deleted, as far as they can
    be (TS-005). Returns those that stay. Production may end one too, whose owner has left.
    """
    standing = _locked(actor, standing_order_id)
    if not can(actor, ORDER_LATE, standing.customer):
        require(actor, PLACE, standing.customer)
    check_version(standing, expected_version, {})
    old = standing.ends_on
    if last_day < standing.starts_on:
        soft_delete(standing)
    else:
        standing.ends_on = last_day
        standing.save()
    data = {"ends_on": [old, last_day]}
    record("tracershop.standing_order_ended", standing, data=data)
    stay = [
        order
        for order in placed_after(standing, last_day)
        if not (delete_placed and _deleted(actor, order, now))
    ]
    _announce(standing)
    return stay


def placed_after(standing: StandingOrder, day: date) -> list[Order]:
    """The orders that it placed for days after ``day``, earliest first."""
    return list(Order.objects.filter(standing_order=standing, deliver_on__gt=day).order_by("pk"))


def _deleted(actor: Any, order: Order, now: datetime | None) -> bool:
    if order.status != OrderStatus.ORDERED:
        return False
    try:
        delete_order(actor=actor, order_id=order.pk, now=now)
    except Refused:  # too late, or accepted a moment ago
        return False
    return True


def _begin(actor: Any, standing: StandingOrder, now: datetime) -> Placement:
    # two people who add the same at once: the second sees the first one's
    customer = locked(Customer.objects.select_related("unit"), standing.endpoint.customer_id)
    require(actor, PLACE, customer)
    standing.customer = customer
    standing.ordered_by = actor
    if standing.starts_on < now.astimezone(site_zone()).date():
        raise Refused(_("The first day has passed."), code="period")
    if standing.ends_on is not None and standing.ends_on < standing.starts_on:
        raise Refused(_("The last day is before the first one."), code="period")
    _check_alone(standing)
    standing.save()
    data = {
        "customer": customer.name,
        "tracer": standing.tracer.name,
        "activity_mbq": standing.activity_mbq,
        "injections": standing.injections,
        "starts_on": standing.starts_on,
        "ends_on": standing.ends_on,
    }
    record("tracershop.standing_order_added", standing, data=data)
    placement = place_days(standing, now)
    _announce(standing)
    return placement


def _check_alone(standing: StandingOrder) -> None:
    """Two standing orders for the same delivery would order it twice."""
    same = StandingOrder.objects.filter(
        endpoint=standing.endpoint,
        tracer=standing.tracer,
        slot=standing.slot,
        weekday=standing.weekday,
        inject_at=standing.inject_at,
        intended_use=standing.intended_use,
    ).exclude(pk=standing.pk)
    same = same.filter(Q(ends_on__isnull=True) | Q(ends_on__gte=standing.starts_on))
    if standing.ends_on is not None:
        same = same.filter(starts_on__lte=standing.ends_on)
    if same.exists():
        raise Refused(
            _("There is a standing order for this delivery already: change its amount."),
            code="already_standing",
        )


def _locked(actor: Any, standing_order_id: int) -> StandingOrder:
    return locked(
        visible(actor, StandingOrder.objects.all()).select_related(
            "customer__unit", "endpoint__customer", "tracer", "slot__run__tracer", "ordered_by"
        ),
        standing_order_id,
    )


def _announce(standing: StandingOrder) -> None:
    publish(customer_topic(standing.customer_id), "standing", standing.pk)
