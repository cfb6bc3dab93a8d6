"""What a shop sees of its own orders: calendar, slots and orders of a day (TS-006, TS-008)."""

from __future__ import annotations

import calendar
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count

from portal.access.decision import can, visible
from tracershop.models import CatalogueEntry, Customer, Order
from tracershop.models.reach import ORDER_LATE, PLACE
from tracershop.rules.orders import OrderStatus, lowest_status
from tracershop.selectors.deliveries import (
    EndpointDay,
    allow_changes,
    allow_late,
    endpoint_days,
    order_lines,
)
from tracershop.selectors.schedule import Calendar, SlotOnDay, catalogue_of, visible_slots

_LOOK_AHEAD_DAYS = 28


@dataclass(frozen=True)
class DayCell:
    """One day of the calendar: how many orders, and the least advanced status."""

    day: date
    count: int
    status: str
    closed: str
    """Why the day is closed; empty when it is not."""


@dataclass
class ShopDay:
    day: date
    closed: str
    endpoints: list[EndpointDay]
    week: list[DayCell]
    month: list[list[DayCell]]
    may_order: bool
    on_behalf: bool
    next_delivery: date | None
    """The next day with a delivery, where this one has none."""


def customers_for(user: Any) -> list[Customer]:
    """The customers whose orders the person sees, by name."""
    return list(visible(user, Customer.objects.select_related("unit")).order_by("name"))


def orders_on_behalf(user: Any, customer: Customer) -> bool:
    """Whether the person would order as production for the customer, not as the customer."""
    return not can(user, PLACE, customer) and can(user, ORDER_LATE, customer)


def shop_day(user: Any, customer: Customer, day: date, now: datetime) -> ShopDay:
    """Everything that the shop page of a day shows; a fixed number of queries."""
    weeks = calendar.Calendar().monthdatescalendar(day.year, day.month)
    monday = day - timedelta(days=day.weekday())
    this_week = [monday + timedelta(days=n) for n in range(7)]
    first = min(weeks[0][0], this_week[0])
    last = max(weeks[-1][-1], this_week[-1], day + timedelta(days=_LOOK_AHEAD_DAYS))
    days = Calendar(first, last)
    on_behalf = orders_on_behalf(user, customer)
    may_order = on_behalf or can(user, PLACE, customer)
    slots = list(visible_slots(user).filter(endpoint__customer=customer))
    entries = catalogue_of_customer(user, customer)
    lines = order_lines(user, customer, day, day)
    allow_changes(lines, days, now, may_order=may_order, on_behalf=on_behalf)
    cells = day_cells(user, customer, first, last, days)
    endpoints = endpoint_days(days.on(day, slots, entries, now), entries, lines, days, day, now)
    if on_behalf:
        allow_late(endpoints)
    return ShopDay(
        day=day,
        closed=days.closed.get(day, ""),
        endpoints=endpoints,
        week=[cells[each] for each in this_week],
        month=[[cells[each] for each in week] for week in weeks],
        may_order=may_order,
        on_behalf=on_behalf,
        next_delivery=_next_delivery(days, slots, entries, day, now),
    )


def catalogue_of_customer(user: Any, customer: Customer) -> dict[tuple[int, int], CatalogueEntry]:
    """What the customer's endpoints may order, by (endpoint, tracer)."""
    return {
        key: entry
        for key, entry in catalogue_of(user).items()
        if entry.endpoint.customer_id == customer.pk
    }


def slot_on(user: Any, slot_id: int, day: date, now: datetime) -> SlotOnDay | None:
    """One visible slot on one day, as the order form needs it; None where there is none."""
    slots = list(visible_slots(user).select_related("endpoint__customer__unit").filter(pk=slot_id))
    entries = catalogue_of(user)
    return next(iter(Calendar(day, day).on(day, slots, entries, now)), None)


def entry_for(user: Any, endpoint_id: int, tracer_id: int) -> CatalogueEntry | None:
    """What a visible endpoint may order of a tracer."""
    return (
        visible(user, CatalogueEntry.objects.all())
        .select_related("endpoint__customer__unit", "tracer__isotope")
        .filter(endpoint_id=endpoint_id, tracer_id=tracer_id)
        .first()
    )


def visible_order(user: Any, pk: int) -> Order | None:
    """An order with all that its forms show; None where it is not the person's to see."""
    return (
        visible(user, Order.objects.all())
        .select_related(
            "customer__unit",
            "endpoint__customer",
            "tracer__isotope",
            "slot__endpoint",
            "slot__run__tracer__isotope",
            "moved_from_slot__endpoint",
            "moved_from_slot__run__tracer__isotope",
        )
        .filter(pk=pk)
        .first()
    )


def day_cells(
    user: Any, customer: Customer, first: date, last: date, days: Calendar
) -> dict[date, DayCell]:
    """Each day from ``first`` to ``last`` as the calendar shows it."""
    counted: dict[date, dict[str, int]] = defaultdict(dict)
    rows = (
        visible(user, Order.objects.filter(customer=customer, deliver_on__range=(first, last)))
        .order_by()
        .values_list("deliver_on", "status")
        .annotate(number=Count("pk"))
    )
    for day, status, number in rows:
        counted[day][status] = number
    every = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return {
        day: DayCell(
            day,
            sum(counted[day].values()),
            str(lowest_status(OrderStatus(status) for status in counted[day]) or ""),
            days.closed.get(day, ""),
        )
        for day in every
    }


def _next_delivery(
    days: Calendar, slots: list[Any], entries: dict[tuple[int, int], Any], day: date, now: datetime
) -> date | None:
    for ahead in range(1, _LOOK_AHEAD_DAYS + 1):
        each = day + timedelta(days=ahead)
        if each in days.closed:
            continue
        if any(slot.orderable for slot in days.on(each, slots, entries, now)):
            return each
    return None
