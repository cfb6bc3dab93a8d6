"""Where an order may be delivered: what production moves it to, and adds to (TS-042, TS-043)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from portal.access.decision import visible
from tracershop.models import CatalogueEntry, DeliverySlot, Order, Tracer
from tracershop.models.reach import ACCEPT
from tracershop.rules.decay import ActivityTooLargeError, activity_at
from tracershop.rules.slots import deliver_at
from tracershop.selectors.schedule import as_weekly, closed_days, site_zone


@dataclass(frozen=True)
class Earlier:
    """A delivery that an order may be moved to, and what it has to be there, with overhead."""

    slot: DeliverySlot
    deliver_at: datetime
    total_mbq: float


def earlier_deliveries(order: Order, now: datetime) -> list[Earlier]:
    """Deliveries of the order's endpoint, day and tracer that lie before what was ordered, and
    still ahead; the one where it is now is left out."""
    slots = DeliverySlot.objects.filter(
        endpoint=order.endpoint_id, run__tracer=order.tracer_id
    ).select_related("run")
    found = []
    for slot in slots:
        at = deliver_at(slot.deliver_time, order.deliver_on, site_zone())
        there = as_weekly(slot).occurs_on(order.deliver_on)
        if not there or slot.pk == order.slot_id or not now < at < order.ordered_for_at:
            continue
        try:
            due_mbq = activity_at(
                order.activity_mbq or 0.0,
                order.tracer.isotope.half_life_s,
                order.ordered_for_at,
                at,
            )
        except ActivityTooLargeError:
            continue
        found.append(Earlier(slot, at, due_mbq * order.overhead_factor))
    return sorted(found, key=lambda each: (each.deliver_at, each.slot.pk))


def deliveries_of_day(user: Any, day: date, now: datetime) -> list[tuple[datetime, DeliverySlot]]:
    """Every delivery of the day that is still ahead and in a catalogue, of all customers."""
    if day in closed_days(day, day):
        return []
    catalogue = set(
        visible(user, CatalogueEntry.objects.all(), ACCEPT).values_list("endpoint_id", "tracer_id")
    )
    slots = visible(user, DeliverySlot.objects.all(), ACCEPT).select_related(
        "endpoint__customer", "run__tracer"
    )
    found = [
        (deliver_at(slot.deliver_time, day, site_zone()), slot)
        for slot in slots
        if as_weekly(slot).occurs_on(day) and (slot.endpoint_id, slot.run.tracer_id) in catalogue
    ]
    ahead = [each for each in found if each[0] > now]
    return sorted(ahead, key=lambda each: (each[0], each[1].endpoint.name, each[1].pk))


def injection_entries(user: Any) -> list[CatalogueEntry]:
    """What can be ordered by injections, of all customers."""
    return list(
        visible(user, CatalogueEntry.objects.all(), ACCEPT)
        .filter(tracer__kind=Tracer.Kind.INJECTION, max_injections__gt=0)
        .select_related("endpoint__customer", "tracer")
        .order_by("endpoint__name", "tracer__name")
    )
