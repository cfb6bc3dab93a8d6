"""What a shop sees of its own orders: calendar, slots and orders of a day (TS-006, TS-008)."""

from __future__ import annotations

import calendar
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Prefetch

from portal.access.decision import can, visible
from portal.documents.models import IssuedDocument
from portal.signing.services import Verdict, verify_many
from tracershop.models import CatalogueEntry, Customer, Endpoint, Order, Release, Tracer, Vial
from tracershop.models.reach import ORDER_LATE, PLACE
from tracershop.rules.orders import OrderStatus, lowest_status, may_edit
from tracershop.selectors.schedule import Calendar, SlotOnDay, catalogue_of, visible_slots
from tracershop.words import told

CERTIFICATE = "tracershop.release_certificate"
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
class OrderLine:
    """An order as the shop sees it, with what was released for it."""

    order: Order
    release: Release | None = None
    verdict: Verdict | None = None
    has_certificate: bool = False
    may_change: bool = False
    may_delete: bool = False


@dataclass
class Offer:
    """One delivery that can be ordered (or why not), and what is ordered there."""

    deliver_at: datetime | None
    deadline_at: datetime | None
    obstacle: Any
    orderable: bool
    slot: SlotOnDay | None = None
    ahead: bool = True
    """The delivery is still to come."""
    lines: list[OrderLine] = field(default_factory=list)

    @property
    def could_be_late(self) -> bool:
        """Too late for the customer, but production can still order it."""
        late = self.obstacle is not None and self.obstacle.code == "deadline_passed"
        return late and self.ahead and not self.orderable

    @property
    def reason(self) -> str:
        """Why it cannot be ordered (in time), in words."""
        return told(self.obstacle) if self.obstacle else ""


@dataclass
class TracerDay:
    """One tracer at one endpoint on one day. ``entry`` is None where only old orders are left."""

    tracer: Tracer
    entry: CatalogueEntry | None
    offers: list[Offer] = field(default_factory=list)
    other_lines: list[OrderLine] = field(default_factory=list)
    """Orders whose slot does not exist on the day (any more)."""


@dataclass
class EndpointDay:
    endpoint: Endpoint
    tracers: list[TracerDay] = field(default_factory=list)


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
    entries = {
        key: entry
        for key, entry in catalogue_of(user).items()
        if entry.endpoint.customer_id == customer.pk
    }
    lines = _lines(user, customer, day)
    for line in lines:
        editable = may_order and may_edit(OrderStatus(line.order.status))
        in_time = on_behalf or not days.is_late(line.order.kind, day, now)
        line.may_change = editable and in_time and day not in days.closed
        line.may_delete = editable and (in_time or day in days.closed)
    cells = _cells(user, customer, first, last, days)
    endpoints = _endpoints(days.on(day, slots, entries, now), entries, lines, days, day, now)
    if on_behalf:  # production may order late, with a reason
        _allow_late(endpoints)
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


def _lines(user: Any, customer: Customer, day: date) -> list[OrderLine]:
    in_force = Release.objects.filter(corrected_at__isnull=True).select_related(
        "released_by", "signature"
    )
    orders = (
        visible(user, Order.objects.filter(customer=customer, deliver_on=day))
        .select_related("endpoint", "tracer__isotope", "ordered_by")
        .prefetch_related(
            Prefetch("releases", queryset=in_force, to_attr="releases_in_force"),
            Prefetch("vials", queryset=Vial.objects.order_by("pk"), to_attr="active_vials"),
        )
        .order_by("deliver_at", "pk")
    )
    lines = [OrderLine(order, next(iter(order.releases_in_force), None)) for order in orders]
    signed = [line for line in lines if line.release and line.release.signature]
    verdicts = verify_many([line.release.signature for line in signed])  # type: ignore[union-attr]
    for line, verdict in zip(signed, verdicts, strict=True):
        line.verdict = verdict
    certified = set(
        IssuedDocument.objects.filter(
            kind=CERTIFICATE,
            object_type="tracershop.release",
            object_id__in=[str(line.release.pk) for line in lines if line.release],
        ).values_list("object_id", flat=True)
    )
    for line in lines:
        line.has_certificate = line.release is not None and str(line.release.pk) in certified
    return lines


def _cells(
    user: Any, customer: Customer, first: date, last: date, days: Calendar
) -> dict[date, DayCell]:
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


def _endpoints(
    slots: list[SlotOnDay],
    entries: dict[tuple[int, int], CatalogueEntry],
    lines: list[OrderLine],
    days: Calendar,
    day: date,
    now: datetime,
) -> list[EndpointDay]:
    """By endpoint and tracer: what can be delivered that day, and what is ordered."""
    found: dict[tuple[int, int], TracerDay] = {}
    endpoints: dict[int, Endpoint] = {}

    def tracer_day(endpoint: Endpoint, tracer: Tracer) -> TracerDay:
        endpoints.setdefault(endpoint.pk, endpoint)
        key = (endpoint.pk, tracer.pk)
        return found.setdefault(key, TracerDay(tracer, entries.get(key)))

    for slot in slots:
        if slot.entry is not None and slot.tracer.kind == Tracer.Kind.ACTIVITY:
            ahead = slot.deliver_at > now
            open_now = slot.orderable and ahead
            offer = Offer(slot.deliver_at, slot.deadline_at, slot.obstacle, open_now, slot, ahead)
            tracer_day(slot.slot.endpoint, slot.tracer).offers.append(offer)
    for entry in entries.values():
        if entry.tracer.kind == Tracer.Kind.INJECTION and entry.max_injections:
            offer = _injection_offer(days, day, now)
            tracer_day(entry.endpoint, entry.tracer).offers.append(offer)
    for line in lines:
        _sort_in(line, tracer_day(line.order.endpoint, line.order.tracer))
    grouped: dict[int, EndpointDay] = {}
    by_name = sorted(found, key=lambda key: (endpoints[key[0]].name, found[key].tracer.name))
    for endpoint_id, tracer_id in by_name:
        group = grouped.setdefault(endpoint_id, EndpointDay(endpoints[endpoint_id]))
        group.tracers.append(found[endpoint_id, tracer_id])
    return list(grouped.values())


def _injection_offer(days: Calendar, day: date, now: datetime) -> Offer:
    kind = Tracer.Kind.INJECTION
    deadline_at = days.deadline(kind, day)
    obstacle = days.window(kind, day, now) if deadline_at else None
    ahead = day >= now.astimezone(days.zone).date()
    open_now = deadline_at is not None and obstacle is None and ahead
    return Offer(None, deadline_at, obstacle, open_now, ahead=ahead)


def _sort_in(line: OrderLine, tracer_day: TracerDay) -> None:
    for offer in tracer_day.offers:
        if offer.slot is None or offer.slot.slot.pk == line.order.slot_id:
            offer.lines.append(line)
            return
    tracer_day.other_lines.append(line)


def _allow_late(endpoints: list[EndpointDay]) -> None:
    offers = [each for group in endpoints for tracer in group.tracers for each in tracer.offers]
    for offer in offers:
        offer.orderable = offer.orderable or offer.could_be_late


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
