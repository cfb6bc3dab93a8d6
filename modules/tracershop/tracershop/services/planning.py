"""The vial planner's act: a whole plan at once, or nothing of it (TS-045)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.access.decision import require
from portal.audit.services import record
from portal.live.services import publish
from portal.records.errors import Refused
from portal.records.services import writes
from tracershop.models import Order, Vial
from tracershop.models.reach import ACCEPT, VIALS
from tracershop.rules.vial_plan import Uncovered
from tracershop.selectors import topics
from tracershop.selectors.planner import OPEN, batch_statuses, obstacle_of, serves
from tracershop.services.lots import hold_verdicts
from tracershop.services.production import locked_orders
from tracershop.services.vials import lock_vials
from tracershop.words import sentence


@dataclass(frozen=True)
class VialChoice:
    """A vial, as old as the person saw it, is to serve an order, or none."""

    vial_id: int
    version: int
    order_id: int | None


@dataclass(frozen=True)
class AppliedPlan:
    """The orders whose vials are others now, and how many vials changed hands."""

    orders: list[Order]
    vials: int


@writes
def apply_plan(
    *, actor: Any, choices: Collection[VialChoice], now: datetime | None = None
) -> AppliedPlan:
    """Let the vials serve the orders that were chosen, all or none.

    What is so already is left alone, so that a plan pressed twice has one effect. Everything is
    locked in the order of keys – lots, orders, vials – as by whoever allocates or releases.
    Refused(code="plan_changed") when a vial is not any more as the person saw it,
    Refused(code="plan_unfit") when one cannot serve its order; each is named in the details.
    """
    require(actor, ACCEPT)
    require(actor, VIALS)
    now = now or timezone.now()
    by_vial = {choice.vial_id: choice for choice in choices}
    if len(by_vial) < len(choices):
        raise Refused(_("A vial is chosen for two orders."), code="plan_unfit")
    present = dict(Vial.objects.filter(pk__in=by_vial).values_list("pk", "order_id"))
    changes = [c for c in by_vial.values() if present.get(c.vial_id, 0) != c.order_id]
    if not changes:
        return AppliedPlan([], 0)
    # lots first, as wherever verdicts count; a vial whose lot changes is told by its version
    hold_verdicts(
        Vial.objects.filter(pk__in=[c.vial_id for c in changes]).values_list("lot", flat=True)
    )
    order_ids = {c.order_id for c in changes} | {present.get(c.vial_id) for c in changes}
    wanted = {key for key in order_ids if key is not None}
    orders = {order.pk: order for order in locked_orders(actor, wanted)} if wanted else {}
    vials = lock_vials(actor, [c.vial_id for c in changes])
    _refuse_changed(vials, by_vial)
    _refuse_unfit(actor, vials, by_vial, orders, now)
    before = _vials_by_order(orders)
    for vial in vials:
        vial.order = orders.get(by_vial[vial.pk].order_id or 0)
        vial.save()
    after = _vials_by_order(orders)
    for key, order in orders.items():
        record("tracershop.vials_allocated", order, data={"vials": [before[key], after[key]]})
    _announce(list(orders.values()), vials)
    return AppliedPlan([orders[key] for key in sorted(orders)], len(vials))


def _refuse_changed(vials: list[Vial], by_vial: dict[int, VialChoice]) -> None:
    changed = [vial for vial in vials if vial.version != by_vial[vial.pk].version]
    if changed:
        raise Refused(
            _("Nothing was allocated: these vials changed meanwhile."),
            code="plan_changed",
            details=[_where(vial) for vial in changed],
        )


def _where(vial: Vial) -> str:
    facts = {"lot": vial.lot, "position": vial.position or "–", "number": vial.order_id}
    if vial.order_id is None:
        return str(_("Vial %(lot)s, position %(position)s: it is free now.") % facts)
    return str(_("Vial %(lot)s, position %(position)s: it serves order %(number)s now.") % facts)


def _refuse_unfit(
    actor: Any,
    vials: list[Vial],
    by_vial: dict[int, VialChoice],
    orders: dict[int, Order],
    now: datetime,
) -> None:
    for order in orders.values():
        require(actor, ACCEPT, order)
        if order.status not in OPEN:
            raise Refused(
                _("Nothing was allocated."),
                code="plan_unfit",
                details=[
                    _("Order %(number)s is %(status)s; its vials stay as they are.")
                    % {"number": order.pk, "status": order.get_status_display()}
                ],
            )
    batches = batch_statuses(vials)
    unfit = []
    for vial in vials:
        order_id = by_vial[vial.pk].order_id
        if order_id is None:
            continue
        order = orders[order_id]
        obstacle = obstacle_of(vial, batches, now)
        why = sentence(obstacle) if obstacle else _misfit(vial, order)
        if why:
            unfit.append(
                _("Vial %(lot)s, position %(position)s, for order %(number)s: %(why)s")
                % {
                    "lot": vial.lot,
                    "position": vial.position or "–",
                    "number": order_id,
                    "why": why,
                }
            )
    if unfit:
        raise Refused(_("Nothing was allocated."), code="plan_unfit", details=unfit)


def _misfit(vial: Vial, order: Order) -> str:
    if vial.tracer_id != order.tracer_id or vial.customer_id != order.customer_id:
        return str(_("It is of another tracer or customer."))
    if serves(vial, order):
        return ""
    late = vial.filled_at > order.deliver_at
    return sentence(Uncovered.FILLED_LATER if late else Uncovered.EXPIRED)


def _vials_by_order(orders: Collection[int]) -> dict[int, list[int]]:
    found = defaultdict(list)
    rows = Vial.objects.filter(order__in=list(orders)).order_by("pk").values_list("order_id", "pk")
    for order_id, key in rows:
        found[order_id].append(key)
    return found


def _announce(orders: list[Order], vials: list[Vial]) -> None:
    """Once for each day and customer, not for each of three hundred vials."""
    days = {order.deliver_on for order in orders}
    days |= {timezone.localtime(vial.filled_at).date() for vial in vials}
    for day in sorted(days):
        publish(topics.day_topic(day), "planned")
    for customer_id in sorted({order.customer_id for order in orders}):
        publish(topics.customer_topic(customer_id), "planned")
    publish(topics.VIALS, "planned")
