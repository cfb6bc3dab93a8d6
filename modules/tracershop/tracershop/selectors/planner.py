"""The vial planner (TS-045): which vials could serve which orders of a day, and which should."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from portal.access.decision import visible
from tracershop.models import Batch, Order, Vial
from tracershop.models.reach import SEE_ALL
from tracershop.rules.decay import FLOAT_DUST
from tracershop.rules.orders import OrderStatus
from tracershop.rules.release import BLOCKING, BatchStatus
from tracershop.rules.vial_plan import (
    PlanOrder,
    PlanVial,
    Uncovered,
    fits,
    plan_vials,
    why_uncovered,
)
from tracershop.selectors.board import free_vials_for, vial_mbq_at
from tracershop.words import sentence

_SECOND_TIME_S = 0.3
"""For what the plan left over: the page waits for both."""
OPEN = (OrderStatus.ORDERED, OrderStatus.ACCEPTED)


@dataclass
class OrderRow:
    """An order, and the vials that the plan gives it."""

    order: Order
    needed_mbq: float | None
    """Overhead included; None for injections."""
    vials: list[Vial] = field(default_factory=list)
    why: str = ""
    """Why the plan gives it none, in words."""

    @property
    def given_mbq(self) -> float:
        return math.fsum(vial_mbq_at(vial, self.order.deliver_at) for vial in self.vials)

    @property
    def surplus_mbq(self) -> float:
        return self.given_mbq - (self.needed_mbq or 0.0)

    @property
    def covered(self) -> bool:
        if self.needed_mbq is None:
            return bool(self.vials)
        return self.given_mbq >= self.needed_mbq * (1 - FLOAT_DUST)

    @property
    def without_overhead(self) -> bool:
        """What was ordered is there, the overhead is not."""
        due_mbq = self.order.due_mbq
        return not self.covered and due_mbq is not None and self.given_mbq >= due_mbq

    @property
    def missing_mbq(self) -> float:
        return max(0.0, -self.surplus_mbq)


@dataclass
class VialRow:
    """A vial, the orders that it may serve, and the one that the plan gives it to."""

    vial: Vial
    batch_status: str
    obstacle: Uncovered | None
    orders: list[tuple[Order, float]]
    """With what the vial holds at the order's delivery, MBq."""
    chosen: int | None


@dataclass
class TracerPlanner:
    tracer: Any
    orders: list[OrderRow] = field(default_factory=list)
    vials: list[VialRow] = field(default_factory=list)

    @property
    def uncovered(self) -> int:
        return sum(not row.covered for row in self.orders)

    @property
    def surplus_mbq(self) -> float:
        rows = [row for row in self.orders if row.needed_mbq is not None and row.covered]
        return math.fsum(row.surplus_mbq for row in rows)


@dataclass
class Planner:
    day: date
    tracers: list[TracerPlanner]

    @property
    def vial_count(self) -> int:
        return sum(len(each.vials) for each in self.tracers)

    @property
    def order_count(self) -> int:
        return sum(len(each.orders) for each in self.tracers)

    @property
    def uncovered(self) -> int:
        return sum(each.uncovered for each in self.tracers)


def planner_for(
    user: Any, day: date, now: datetime, wishes: Mapping[int, int | None] | None = None
) -> Planner:
    """The plan of ``day``: as proposed, or as ``wishes`` say (order by vial, None for no order).

    A wish for an order that the vial cannot serve is left out; the number of queries is fixed.
    """
    orders = list(
        visible(user, Order.objects.filter(deliver_on=day, status__in=OPEN), SEE_ALL)
        .select_related("endpoint__customer", "tracer__isotope")
        .order_by("deliver_at", "endpoint__name", "pk")
    )
    _attach_vials(orders)
    free = free_vials_for(user, orders)
    batches = batch_statuses([*free, *(v for order in orders for v in order.active_vials)])
    usable = usable_vials(free, batches, now)
    if wishes is None:
        proposed = propose(orders, usable)
        wishes = {key: order for order, keys in proposed.items() for key in keys}
        wishes |= {vial.pk: order.pk for order in orders for vial in order.active_vials}
    sections: dict[int, TracerPlanner] = {}
    rows: dict[int, OrderRow] = {}
    for order in orders:
        section = sections.setdefault(order.tracer_id, TracerPlanner(order.tracer))
        rows[order.pk] = OrderRow(order, order.total_mbq)
        section.orders.append(rows[order.pk])
    by_kind = defaultdict(list)
    for order in orders:
        by_kind[order.tracer_id, order.customer_id].append(order)
    allocated = [vial for order in orders for vial in order.active_vials]
    for vial in sorted([*allocated, *free], key=lambda vial: (vial.lot, vial.filled_at, vial.pk)):
        fitting = by_kind[vial.tracer_id, vial.customer_id]
        chosen = wishes.get(vial.pk)
        if chosen not in {order.pk for order in fitting}:
            chosen = None
        if chosen is not None:
            rows[chosen].vials.append(vial)
        vial_row = VialRow(
            vial,
            batches.get(vial.lot, ""),
            obstacle_of(vial, batches, now),
            [(order, vial_mbq_at(vial, order.deliver_at)) for order in fitting],
            chosen,
        )
        sections[vial.tracer_id].vials.append(vial_row)
    plan_vials_of_all = [_plan_vial(vial) for vial in usable]
    for row in rows.values():
        if not row.covered and not row.vials:
            row.why = _why(row.order, plan_vials_of_all, free, batches, now)
    return Planner(day, sorted(sections.values(), key=lambda each: each.tracer.name))


def propose(orders: Iterable[Order], usable: Collection[Vial]) -> dict[int, tuple[int, ...]]:
    """For each order with what it lacks, keys of free vials: whole need first, then, from what is
    left, what was ordered without the overhead. Orders need ``active_vials``."""
    lacking = [order for order in orders if _lacks_mbq(order, order.total_mbq) != 0]
    vials = [_plan_vial(vial) for vial in usable]
    plan = plan_vials(vials, [_plan_order(order, order.total_mbq) for order in lacking])
    used = {key for keys in plan.vials_of.values() for key in keys}
    left = [vial for vial in vials if vial.key not in used]
    short = [
        order
        for order in lacking
        if order.pk in plan.uncovered
        and order.due_mbq is not None
        and _lacks_mbq(order, order.due_mbq) != 0
    ]
    again = [_plan_order(order, order.due_mbq) for order in short]
    rest = plan_vials(left, again, time_limit_s=_SECOND_TIME_S)
    return {**plan.vials_of, **rest.vials_of}


def propose_at_release(
    orders: Collection[Order], usable: Collection[Vial]
) -> dict[int, tuple[int, ...]]:
    """As :func:`propose`, and what it does not cover gets what is left and fits: who releases an
    order is told that it is less than was ordered."""
    proposed = propose(orders, usable)
    used = {key for keys in proposed.values() for key in keys}
    for order in orders:
        if order.pk not in proposed and _lacks_mbq(order, order.total_mbq) != 0:
            left = [vial for vial in usable if vial.pk not in used and serves(vial, order)]
            proposed[order.pk] = tuple(vial.pk for vial in left)
            used.update(proposed[order.pk])
    return proposed


def batch_statuses(vials: Iterable[Vial]) -> dict[str, str]:
    """The verdict on each vial's lot, by lot; none where no batch is kept."""
    lots = {vial.lot for vial in vials}
    return dict(Batch.objects.filter(lot__in=lots).values_list("lot", "status"))


def usable_vials(vials: Iterable[Vial], batches: Mapping[str, str], now: datetime) -> list[Vial]:
    """Those that nothing stands against: of no rejected, recalled or quarantined batch, and not
    expired."""
    return [vial for vial in vials if obstacle_of(vial, batches, now) is None]


def obstacle_of(vial: Vial, batches: Mapping[str, str], now: datetime) -> Uncovered | None:
    """Why the vial serves no order at all, whichever it is."""
    status = batches.get(vial.lot)
    if status is not None and BatchStatus(status) in BLOCKING:
        return Uncovered.BLOCKED
    if vial.expires_at is not None and vial.expires_at <= now:
        return Uncovered.EXPIRED
    return None


def serves(vial: Vial, order: Order) -> bool:
    """Whether the vial may serve the order: tracer, customer, expiry, time of filling."""
    return fits(_plan_vial(vial), _as_planned(order, None))


def _attach_vials(orders: list[Order]) -> None:
    vials = defaultdict(list)
    for vial in Vial.objects.filter(order__in=orders).select_related("tracer__isotope", "customer"):
        vials[vial.order_id].append(vial)
    for order in orders:
        order.active_vials = vials[order.pk]


def _lacks_mbq(order: Order, wanted_mbq: float | None) -> float | None:
    """What the order's own vials leave to be wished for; None: one vial."""
    own = order.active_vials
    if wanted_mbq is None:
        return 0.0 if own else None
    have_mbq = math.fsum(vial_mbq_at(vial, order.deliver_at) for vial in own)
    left_mbq = wanted_mbq - have_mbq
    return left_mbq if left_mbq > wanted_mbq * FLOAT_DUST else 0.0


def _plan_order(order: Order, wanted_mbq: float | None) -> PlanOrder:
    return _as_planned(order, _lacks_mbq(order, wanted_mbq))


def _as_planned(order: Order, needed_mbq: float | None) -> PlanOrder:
    return PlanOrder(
        key=order.pk,
        tracer=order.tracer_id,
        customer=order.customer_id,
        half_life_s=order.tracer.isotope.half_life_s,
        needed_mbq=needed_mbq,
        deliver_at=order.deliver_at,
    )


def _plan_vial(vial: Vial) -> PlanVial:
    return PlanVial(
        key=vial.pk,
        tracer=vial.tracer_id or 0,
        customer=vial.customer_id or 0,
        activity_mbq=vial.activity_mbq,
        measured_at=vial.filled_at,
        expires_at=vial.expires_at,
        volume_ml=vial.volume_ml,
    )


def _why(
    order: Order,
    usable: list[PlanVial],
    free: list[Vial],
    batches: Mapping[str, str],
    now: datetime,
) -> str:
    why = why_uncovered(_plan_order(order, order.total_mbq), usable)
    if why == Uncovered.NO_VIAL:
        own = (
            obstacle_of(vial, batches, now)
            for vial in free
            if (vial.tracer_id, vial.customer_id) == (order.tracer_id, order.customer_id)
        )
        why = next((each for each in own if each), why)
    return sentence(why)
