"""What copying the week before would order, before anybody confirms it (TS-008)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from portal.access.decision import visible
from tracershop.models import CatalogueEntry, Customer, Order
from tracershop.rules.copying import Copy, PastOrder, PresentOrder, copy_week, delivery_of
from tracershop.rules.orders import OrderStatus
from tracershop.selectors.schedule import Calendar, as_weekly, catalogue_of
from tracershop.words import told

ONE_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class CopyLine:
    """One order of the week before, and what would become of it."""

    order: Order
    copy: Copy

    @property
    def goes(self) -> bool:
        return self.copy.obstacle is None

    @property
    def reason(self) -> str:
        """Why it does not go, in words."""
        return told(self.copy.obstacle) if self.copy.obstacle else ""

    @property
    def seal(self) -> str:
        """The order as it was shown: what is ticked is what is ordered."""
        return f"{self.order.pk}.{self.order.version}.{int(self.copy.deliver_at.timestamp())}"


@dataclass(frozen=True)
class CopyPlan:
    monday: date
    """Of the week that is ordered for."""
    lines: list[CopyLine]

    @property
    def going(self) -> list[CopyLine]:
        return [line for line in self.lines if line.goes]

    @property
    def staying(self) -> list[CopyLine]:
        return [line for line in self.lines if not line.goes]


def copy_plan(user: Any, customer: Customer, monday: date, now: datetime) -> CopyPlan:
    """Copying the week before ``monday`` to the week from ``monday``; a fixed number of queries."""
    before = _orders(user, customer, monday - ONE_WEEK)
    present = [
        _present(order)
        for order in _orders(user, customer, monday)
        if not order.ghost  # production's own, besides what the customer orders
    ]
    calendar = Calendar(monday, monday + timedelta(days=6))
    entries = catalogue_of(user)
    copies = copy_week(
        [_past(order, entries, calendar) for order in before],
        present,
        closed_days=calendar.closed,
        now=now,
        zone=calendar.zone,
    )
    return CopyPlan(
        monday,
        [CopyLine(order, copy) for order, copy in zip(before, copies, strict=True)],
    )


def ordered_at(order: Order) -> Any:
    """The slot that the customer ordered at; None for injections."""
    return order.moved_from_slot or order.slot


def _orders(user: Any, customer: Customer, monday: date) -> list[Order]:
    week = (monday, monday + timedelta(days=6))
    return list(
        visible(user, Order.objects.filter(customer=customer, deliver_on__range=week))
        .select_related("endpoint", "tracer", "slot", "moved_from_slot", "standing_order")
        .order_by("deliver_at", "pk")
    )


def _present(order: Order) -> PresentOrder:
    slot = ordered_at(order)
    delivery = delivery_of(
        order.endpoint_id,
        order.tracer_id,
        order.intended_use,
        slot.pk if slot else None,
        order.ordered_for_at,
    )
    return PresentOrder(delivery, by_standing=order.standing_order_id is not None)


def _past(
    order: Order, entries: dict[tuple[int, int], CatalogueEntry], calendar: Calendar
) -> PastOrder:
    slot = ordered_at(order)
    entry = entries.get((order.endpoint_id, order.tracer_id))
    standing = order.standing_order
    goes_on = (
        standing is not None
        and standing.deleted_at is None
        and (standing.ends_on is None or standing.ends_on >= order.deliver_on + ONE_WEEK)
    )
    return PastOrder(
        key=order.pk,
        endpoint=order.endpoint_id,
        tracer=order.tracer_id,
        use=order.intended_use,
        day=order.deliver_on,
        ordered_for_at=order.ordered_for_at,
        slot_key=slot.pk if slot else None,
        slot=as_weekly(slot) if slot and slot.deleted_at is None else None,
        injections=order.injections,
        max_injections=entry.max_injections if entry else None,
        deadline=calendar.deadlines.get(order.kind),
        rejected=order.status == OrderStatus.REJECTED,
        ghost=order.ghost,
        standing=goes_on,
    )
