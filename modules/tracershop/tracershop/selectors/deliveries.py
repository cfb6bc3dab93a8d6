"""What can be ordered for a day, delivery by delivery, and what is ordered there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db.models import Prefetch

from portal.access.decision import visible
from portal.documents.models import IssuedDocument
from portal.signing.services import Verdict, verify_many
from tracershop.models import CatalogueEntry, Customer, Endpoint, Order, Release, Tracer, Vial
from tracershop.rules.orders import OrderStatus, may_edit
from tracershop.selectors.schedule import Calendar, SlotOnDay
from tracershop.words import told

CERTIFICATE = "tracershop.release_certificate"


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


def order_lines(user: Any, customer: Customer, first: date, last: date) -> list[OrderLine]:
    """The customer's orders from ``first`` to ``last``, with all that their lines show."""
    in_force = Release.objects.filter(corrected_at__isnull=True).select_related(
        "released_by", "signature"
    )
    orders = (
        visible(user, Order.objects.filter(customer=customer, deliver_on__range=(first, last)))
        .select_related("endpoint", "tracer", "ordered_by", "standing_order")
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


def allow_changes(
    lines: list[OrderLine], days: Calendar, now: datetime, *, may_order: bool, on_behalf: bool
) -> None:
    """Say of each line whether the person may change or delete the order (TS-005)."""
    for line in lines:
        day = line.order.deliver_on
        editable = may_order and may_edit(OrderStatus(line.order.status))
        in_time = on_behalf or not days.is_late(line.order.kind, day, now)
        line.may_change = editable and in_time and day not in days.closed
        line.may_delete = editable and (in_time or day in days.closed)


def endpoint_days(
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
        if slot.entry is not None and slot.tracer.by_slot:
            ahead = slot.deliver_at > now
            open_now = slot.orderable and ahead
            offer = Offer(slot.deliver_at, slot.deadline_at, slot.obstacle, open_now, slot, ahead)
            tracer_day(slot.slot.endpoint, slot.tracer).offers.append(offer)
    for entry in entries.values():
        if not entry.tracer.by_slot and entry.max_injections:
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


def allow_late(endpoints: list[EndpointDay]) -> None:
    """Production may order late, with a reason."""
    offers = [each for group in endpoints for tracer in group.tracers for each in tracer.offers]
    for offer in offers:
        offer.orderable = offer.orderable or offer.could_be_late
