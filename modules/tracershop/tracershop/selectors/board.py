"""The day board (TS-040): a fixed number of queries, whatever the number of orders."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from portal.access.decision import visible
from portal.inbox.models import InboundMessage
from tracershop.models import Batch, Booking, BookingChange, Order, Vial
from tracershop.models.reach import ACCEPT, SEE_ALL
from tracershop.rules.decay import ActivityTooLargeError, activity_at
from tracershop.rules.moments import local_moment
from tracershop.rules.orders import OrderStatus, lowest_status
from tracershop.rules.release import CONDEMNED
from tracershop.selectors.planning import RunPlan, plans_of
from tracershop.selectors.schedule import closed_days


@dataclass
class SlotGroup:
    """The orders of one endpoint at one delivery, and what is there for them."""

    endpoint: Any
    deliver_at: datetime
    orders: list[Order] = field(default_factory=list)

    @property
    def live(self) -> list[Order]:
        """Orders that are to be delivered: all but the rejected ones."""
        return [order for order in self.orders if order.status != OrderStatus.REJECTED]

    @property
    def status(self) -> str:
        return str(lowest_status(OrderStatus(order.status) for order in self.orders) or "")

    @property
    def ordered_mbq(self) -> float:
        return math.fsum(order.activity_mbq or 0 for order in self.live)

    @property
    def total_mbq(self) -> float:
        """Ordered × overhead."""
        return math.fsum(order.total_mbq or 0 for order in self.live)

    @property
    def injections(self) -> int:
        return sum(order.injections or 0 for order in self.live)

    @property
    def allocated_mbq(self) -> float:
        """What the orders' vials hold together at the delivery."""
        return math.fsum(vial_mbq_at(vial, self.deliver_at) for vial in self.vials)

    @property
    def served(self) -> int:
        """How many of the orders to be delivered have a vial, or were released without one."""
        released = OrderStatus.RELEASED
        return sum(bool(order.active_vials) or order.status == released for order in self.live)

    @property
    def vials(self) -> list[Vial]:
        return [vial for order in self.orders for vial in order.active_vials]

    def ids(self, status: str) -> list[int]:
        return [order.pk for order in self.orders if order.status == status]

    @property
    def acceptable(self) -> list[int]:
        return self.ids(OrderStatus.ORDERED)

    @property
    def releasable(self) -> list[int]:
        return self.ids(OrderStatus.ACCEPTED)


@dataclass
class TracerSection:
    """One tracer's deliveries of the day, and the free vials for them."""

    tracer: Any
    groups: list[SlotGroup] = field(default_factory=list)
    free_vials: list[Vial] = field(default_factory=list)
    runs: list[RunPlan] = field(default_factory=list)

    @property
    def status(self) -> str:
        statuses = [OrderStatus(group.status) for group in self.groups if group.status]
        return str(lowest_status(statuses) or "")

    @property
    def total_mbq(self) -> float:
        return math.fsum(group.total_mbq for group in self.groups)

    @property
    def order_count(self) -> int:
        return sum(len(group.orders) for group in self.groups)


@dataclass(frozen=True)
class StripDay:
    """One day of the week strip: how many orders, and the least advanced status."""

    day: date
    count: int
    status: str
    closed: str


@dataclass
class Board:
    day: date
    sections: list[TracerSection]
    held_vials: list[Vial]
    week: list[StripDay]
    quarantined_files: int
    unmapped_bookings: int
    closed: str
    changed_bookings: int
    """Open changes of bookings whose orders are of this day (TS-025)."""
    batches: dict[str, str]
    """The verdict on each lot of the day's vials that has one."""

    @property
    def short_runs(self) -> list[RunPlan]:
        return [run for section in self.sections for run in section.runs if run.is_short]

    @property
    def awaits_vials(self) -> bool:
        """Whether there is something to plan."""
        open_orders = any(
            group.acceptable or group.releasable for s in self.sections for group in s.groups
        )
        return open_orders and any(section.free_vials for section in self.sections)

    @property
    def order_count(self) -> int:
        return sum(section.order_count for section in self.sections)


def vial_mbq_at(vial: Vial, at: datetime) -> float:
    """The vial's activity (MBq) at a time; one of no known tracer has no half-life: as filled."""
    if vial.tracer is None:
        return vial.activity_mbq
    half_life_s = vial.tracer.isotope.half_life_s
    try:
        return activity_at(vial.activity_mbq, half_life_s, vial.filled_at, at)
    except ActivityTooLargeError:
        return 0.0


def board_for(user: Any, day: date) -> Board:
    """Everything the board of ``day`` shows to ``user``."""
    orders = list(
        visible(user, Order.objects.all(), SEE_ALL)
        .filter(deliver_on=day)
        .select_related("endpoint__customer", "tracer__isotope", "slot__run", "ordered_by")
        .order_by("tracer__name", "deliver_at", "endpoint__name", "pk")
    )
    vials = list(_vials_of_day(user, day))
    by_order = defaultdict(list)
    for vial in vials:
        by_order[vial.order_id].append(vial)
    for order in orders:
        order.active_vials = by_order.get(order.pk, [])
    sections = _sections(orders)
    for vial in by_order.get(None, []):
        if not vial.is_held and vial.tracer_id in sections:
            sections[vial.tracer_id].free_vials.append(vial)
        elif not vial.is_held:
            sections[vial.tracer_id] = TracerSection(vial.tracer, free_vials=[vial])
    for plan in plans_of(orders, day):
        if plan.tracer.pk in sections:
            sections[plan.tracer.pk].runs = [run for run in plan.runs if run.orders]
    return Board(
        day=day,
        sections=sorted(sections.values(), key=lambda section: section.tracer.name),
        held_vials=[vial for vial in by_order.get(None, []) if vial.is_held],
        week=week_strip(user, day),
        quarantined_files=InboundMessage.objects.filter(
            channel="dispenser", state=InboundMessage.State.QUARANTINED
        ).count(),
        unmapped_bookings=_unmapped(day),
        closed=closed_days(day, day).get(day, ""),
        changed_bookings=BookingChange.objects.filter(
            order__deliver_on=day, settled_at__isnull=True
        ).count(),
        batches=dict(
            Batch.objects.filter(lot__in={vial.lot for vial in vials}).values_list("lot", "status")
        ),
    )


def _sections(orders: list[Order]) -> dict[int, TracerSection]:
    sections: dict[int, TracerSection] = {}
    groups: dict[tuple[int, int, datetime], SlotGroup] = {}
    for order in orders:
        section = sections.setdefault(order.tracer_id, TracerSection(order.tracer))
        key = (order.tracer_id, order.endpoint_id, order.deliver_at)
        if key not in groups:
            groups[key] = SlotGroup(order.endpoint, order.deliver_at)
            section.groups.append(groups[key])
        groups[key].orders.append(order)
    return sections


def _bounds(day: date) -> tuple[datetime, datetime]:
    zone = timezone.get_default_timezone()
    return (
        local_moment(time(0, 0), day, zone),
        local_moment(time(0, 0), day + timedelta(days=1), zone),
    )


def _vials_of_day(user: Any, day: date) -> Any:
    """Vials filled that day, and those that serve an order of that day."""
    first, last = _bounds(day)
    seen = visible(user, Vial.objects.all(), SEE_ALL).select_related(
        "tracer__isotope", "customer", "order"
    )
    filled = seen.filter(filled_at__gte=first, filled_at__lt=last)
    serving = seen.filter(order__deliver_on=day)
    return (filled | serving).order_by("filled_at", "pk")


def _unmapped(day: date) -> int:
    first, last = _bounds(day)
    return Booking.objects.filter(
        endpoint__isnull=True,
        status=Booking.Status.BOOKED,
        starts_at__gte=first,
        starts_at__lt=last,
    ).count()


def week_strip(user: Any, day: date, privilege: str = SEE_ALL) -> list[StripDay]:
    """Monday to Sunday of the day's week."""
    monday = day - timedelta(days=day.weekday())
    days = [monday + timedelta(days=offset) for offset in range(7)]
    rows = (
        visible(user, Order.objects.all(), privilege)
        .filter(deliver_on__range=(days[0], days[-1]))
        .values_list("deliver_on", "status")
        .annotate(n=Count("pk"))
        .order_by()
    )
    counts: dict[date, dict[str, int]] = defaultdict(dict)
    for deliver_on, status, number in rows:
        counts[deliver_on][status] = number
    closed = closed_days(days[0], days[-1])
    return [
        StripDay(
            day=each,
            count=sum(counts[each].values()),
            status=str(lowest_status(OrderStatus(s) for s in counts[each]) or ""),
            closed=closed.get(each, ""),
        )
        for each in days
    ]


def orders_for_release(user: Any, order_ids: list[int]) -> list[Order]:
    """The orders of a release, with the vials they have."""
    orders = list(
        visible(user, Order.objects.all(), ACCEPT)
        .filter(pk__in=order_ids)
        .select_related("endpoint__customer__unit", "tracer__isotope", "ordered_by")
        .order_by("deliver_at", "pk")
    )
    vials = defaultdict(list)
    for vial in Vial.objects.filter(order__in=orders).select_related("tracer__isotope", "customer"):
        vials[vial.order_id].append(vial)
    for order in orders:
        order.active_vials = vials[order.pk]
    return orders


def candidate_vials(user: Any, orders: list[Order]) -> list[Vial]:
    """Free vials that may serve the orders: none of a batch that was rejected or recalled."""
    condemned = Batch.objects.filter(status__in=CONDEMNED).values("lot")
    return free_vials_for(user, orders, without_lots=condemned)


def free_vials_for(user: Any, orders: list[Order], *, without_lots: Any = ()) -> list[Vial]:
    """Free vials of the orders' tracers and customers, filled within a day of their delivery."""
    if not orders:
        return []
    first = min(order.deliver_at for order in orders) - timedelta(days=1)
    last = max(order.deliver_at for order in orders) + timedelta(hours=12)
    return list(
        visible(user, Vial.objects.all(), SEE_ALL)
        .filter(
            order__isnull=True,
            tracer__in={order.tracer_id for order in orders},
            customer__in={order.customer_id for order in orders},
            filled_at__range=(first, last),
        )
        .exclude(lot__in=without_lots)
        .select_related("tracer__isotope", "customer")
        .order_by("filled_at", "pk")
    )
