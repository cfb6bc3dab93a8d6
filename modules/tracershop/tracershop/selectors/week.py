"""A customer's week: each day's deliveries, what is ordered there, and what can be (TS-008)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from portal.access.decision import can, visible
from tracershop.models import Customer, Endpoint, Order, Tracer
from tracershop.models.reach import PLACE
from tracershop.rules.orders import OrderStatus, lowest_status
from tracershop.selectors.deliveries import (
    EndpointDay,
    Offer,
    OrderLine,
    allow_late,
    endpoint_days,
)
from tracershop.selectors.schedule import Calendar, visible_slots
from tracershop.selectors.shop import DayCell, catalogue_of_customer, orders_on_behalf

DAYS = 7


@dataclass(frozen=True)
class WeekDelivery:
    """One delivery in the week: where to, of what, and its orders. Without ``offer`` it is no
    longer in the week's plan."""

    endpoint: Endpoint
    tracer: Tracer
    offer: Offer | None
    lines: list[OrderLine]

    @property
    def sorted_by(self) -> tuple[bool, datetime | None, str, str]:
        """Slots by their time, then injections, which have none of their own."""
        at = self.offer.deliver_at if self.offer else self.lines[0].order.deliver_at
        return (at is None, at, self.endpoint.name, self.tracer.name)


@dataclass(frozen=True)
class WeekDeadline:
    """Until when a day's deliveries can be ordered; ``kinds`` of order share it."""

    deadline_at: datetime | None
    is_open: bool
    kinds: list[str]


@dataclass
class WeekDay:
    cell: DayCell
    deliveries: list[WeekDelivery] = field(default_factory=list)

    @property
    def deadlines(self) -> list[WeekDeadline]:
        """A deadline is one of the day and the kind of order: it is said once, not at each slot."""
        found: dict[tuple[datetime | None, bool], list[str]] = {}
        for delivery in self.deliveries:
            if delivery.offer is None:
                continue
            is_open = delivery.offer.obstacle is None
            kinds = found.setdefault((delivery.offer.deadline_at, is_open), [])
            if delivery.tracer.kind not in kinds:
                kinds.append(delivery.tracer.kind)
        # those not set up last
        order = sorted(found, key=lambda key: (key[0] is None, key[0]))
        return [WeekDeadline(*key, kinds=found[key]) for key in order]


@dataclass
class ShopWeek:
    monday: date
    days: list[WeekDay]
    may_order: bool
    on_behalf: bool
    several_endpoints: bool

    @property
    def count(self) -> int:
        return sum(day.cell.count for day in self.days)


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def shop_week(user: Any, customer: Customer, day: date, now: datetime) -> ShopWeek:
    """The ISO week of ``day``; a fixed number of queries."""
    monday = monday_of(day)
    dates = [monday + timedelta(days=n) for n in range(DAYS)]
    days = Calendar(dates[0], dates[-1])
    on_behalf = orders_on_behalf(user, customer)
    slots = list(visible_slots(user).filter(endpoint__customer=customer))
    entries = catalogue_of_customer(user, customer)
    lines = _lines(user, customer, dates)
    week = ShopWeek(
        monday=monday,
        days=[],
        may_order=on_behalf or can(user, PLACE, customer),
        on_behalf=on_behalf,
        several_endpoints=len({endpoint for endpoint, _tracer in entries}) > 1,
    )
    for each in dates:
        found = days.on(each, slots, entries, now)
        groups = endpoint_days(found, entries, lines[each], days, each, now)
        if on_behalf:
            allow_late(groups)
        shown = [delivery for delivery in _deliveries(groups) if _is_shown(delivery)]
        in_order = sorted(shown, key=lambda delivery: delivery.sorted_by)
        week.days.append(WeekDay(_cell(each, lines[each], days), in_order))
    return week


def _lines(user: Any, customer: Customer, dates: list[date]) -> dict[date, list[OrderLine]]:
    orders = (
        visible(user, Order.objects.filter(customer=customer))
        .filter(deliver_on__range=(dates[0], dates[-1]))
        .select_related("endpoint", "tracer")
        .order_by("deliver_at", "pk")
    )
    found: dict[date, list[OrderLine]] = defaultdict(list)
    for order in orders:
        found[order.deliver_on].append(OrderLine(order))
    return found


def _cell(day: date, lines: list[OrderLine], days: Calendar) -> DayCell:
    statuses = {OrderStatus(line.order.status) for line in lines}
    status = str(lowest_status(statuses) or "")
    return DayCell(day, len(lines), status, days.closed.get(day, ""))


def _deliveries(groups: list[EndpointDay]) -> Iterator[WeekDelivery]:
    for group in groups:
        for each in group.tracers:
            for offer in each.offers:
                yield WeekDelivery(group.endpoint, each.tracer, offer, offer.lines)
            if each.other_lines:
                yield WeekDelivery(group.endpoint, each.tracer, None, each.other_lines)


def _is_shown(delivery: WeekDelivery) -> bool:
    """Injections have no slot: where none is ordered nor can be, there is nothing to say."""
    offer = delivery.offer
    return bool(delivery.lines) or offer is None or offer.slot is not None or offer.orderable
