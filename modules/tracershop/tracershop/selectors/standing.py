"""Standing orders as their page shows them (TS-008)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Prefetch, Q

from portal.access.decision import visible
from portal.access.selectors import people_with
from tracershop.models import Customer, Order, StandingOrder
from tracershop.models.reach import PLACE


@dataclass(frozen=True)
class StandingLine:
    """A standing order with the orders of it that are still to come."""

    standing: StandingOrder
    coming: list[Order]
    owner_may_order: bool

    @property
    def state(self) -> str:
        """running, stopped (its owner may not order any more)."""
        return "running" if self.owner_may_order else "stopped"


def standing_lines(user: Any, customer: Customer, today: date) -> list[StandingLine]:
    """Those of the customer that have not ended, by weekday and time; a fixed number of queries."""
    coming = Order.objects.filter(deliver_on__gte=today).order_by("deliver_on")
    rows = (
        visible(user, StandingOrder.objects.filter(customer=customer))
        .filter(Q(ends_on__isnull=True) | Q(ends_on__gte=today))
        .select_related("endpoint", "tracer__isotope", "slot", "ordered_by")
        .prefetch_related(Prefetch("orders", queryset=coming, to_attr="coming"))
        .order_by("weekday", "pk")
    )
    may_order = set(
        people_with(PLACE)
        .filter(represents__customer=customer, represents__deleted_at__isnull=True)
        .values_list("pk", flat=True)
    )
    lines = [StandingLine(row, row.coming, row.ordered_by_id in may_order) for row in rows]  # type: ignore[attr-defined]
    return sorted(lines, key=lambda line: (line.standing.weekday, _clock(line.standing)))


def visible_standing(user: Any, pk: int) -> StandingOrder | None:
    """A standing order with all that its forms show; None where it is not the person's to see."""
    return (
        visible(user, StandingOrder.objects.all())
        .select_related("customer__unit", "endpoint__customer", "tracer", "slot", "ordered_by")
        .filter(pk=pk)
        .first()
    )


def _clock(standing: StandingOrder) -> str:
    at = standing.slot.deliver_time if standing.slot else standing.inject_at
    return f"{at:%H:%M}"
