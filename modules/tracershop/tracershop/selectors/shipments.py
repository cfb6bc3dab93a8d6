"""What leaves: released orders that wait for it, shipments of a day, and what is in one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, cast

from django.db.models import Exists, OuterRef, Prefetch
from django.shortcuts import get_object_or_404

from portal.access.decision import visible
from portal.documents.models import IssuedDocument
from tracershop.models import Endpoint, Order, Package, Release, Shipment, ShippedOrder, Vial
from tracershop.models.reach import ACCEPT
from tracershop.rules.decay import activity_at
from tracershop.rules.orders import OrderStatus
from tracershop.rules.transport import Content

DELIVERY_NOTE = "tracershop.delivery_note"
TRANSPORT_DOCUMENT = "tracershop.transport_document"
PAPER_KINDS = {"delivery-note": DELIVERY_NOTE, "transport-document": TRANSPORT_DOCUMENT}
"""By the word in the address."""

if TYPE_CHECKING:

    class PackedOrder(Order):
        """An order as :func:`with_vials` and :func:`add_releases` give it."""

        cargo: list[Vial]
        in_force: Release | None
        certificate_number: str

        class Meta:
            abstract = True
else:
    PackedOrder = Order


@dataclass
class Departure:
    """Released orders of one endpoint, delivery and use that are in no shipment yet."""

    endpoint: Endpoint
    deliver_at: datetime
    is_human: bool
    orders: list[PackedOrder] = field(default_factory=list)

    @property
    def shippable(self) -> list[int]:
        """Of what was released without counting vials, nobody knows how much there is."""
        return [order.pk for order in self.orders if order.cargo]


@dataclass
class Cargo:
    """A shipment with everything that its papers and its page tell. Five queries, and one for its
    documents where they are asked for."""

    shipment: Shipment
    orders: list[PackedOrder]
    """With ``cargo`` (their vials) and ``in_force`` (their release, or None)."""
    packages: list[Package]

    @property
    def taken_back(self) -> list[PackedOrder]:
        """Orders whose release was corrected since they were packed."""
        return [order for order in self.orders if order.status != OrderStatus.RELEASED]

    @property
    def releases(self) -> list[int]:
        return sorted(order.in_force.pk for order in self.orders if order.in_force)

    def of(self, package: Package) -> list[PackedOrder]:
        return [order for order in self.orders if order.pk in package.orders]


def departures(user: Any, day: date) -> list[Departure]:
    """What leaves next: by time, then endpoint; human and preclinical apart. Two queries."""
    waiting = (
        visible(user, Order.objects.all(), ACCEPT)
        .filter(deliver_on=day, status=OrderStatus.RELEASED)
        .exclude(Exists(ShippedOrder.objects.filter(order=OuterRef("pk"))))
        .select_related("endpoint__customer__unit", "tracer__isotope")
        .order_by("deliver_at", "endpoint__name", "pk")
    )
    found: dict[tuple[datetime, Endpoint, bool], Departure] = {}
    for order in with_vials(waiting):
        key = (order.deliver_at, order.endpoint, order.is_human)
        group = found.setdefault(key, Departure(order.endpoint, order.deliver_at, order.is_human))
        group.orders.append(order)
    return list(found.values())


def shipments_of(user: Any, day: date) -> list[Shipment]:
    """The shipments of a day that the person may see, with their lines, papers and number of
    packages: four queries."""
    lines = ShippedOrder.objects.select_related("order__tracer").order_by("order_id")
    shipments = list(
        visible(user, Shipment.objects.all())
        .filter(Exists(ShippedOrder.objects.filter(shipment=OuterRef("pk"), order__deliver_on=day)))
        .select_related("customer__unit", "endpoint", "made_by")
        .prefetch_related(
            Prefetch("lines", queryset=lines, to_attr="active_lines"),
            Prefetch("packages", queryset=Package.objects.all(), to_attr="active_packages"),
        )
        .order_by("ships_at", "pk")
    )
    papers = papers_of(shipments)
    for shipment in shipments:
        shipment.in_force = [p for p in papers[shipment.pk] if not hasattr(p, "supersession")]
        shipment.taken_back = [
            line.order for line in shipment.active_lines if line.order.status != "released"
        ]
    return shipments


def find_shipment(user: Any, pk: int) -> Shipment:
    """Http404 where there is none that the person may see."""
    seen = visible(user, Shipment.objects.all()).select_related(
        "customer__unit", "endpoint", "made_by"
    )
    return get_object_or_404(seen, pk=pk)


def cargo_of(shipment: Shipment) -> Cargo:
    """What is in a shipment now."""
    orders = with_vials(
        Order.all_objects.filter(
            Exists(ShippedOrder.objects.filter(shipment=shipment, order=OuterRef("pk")))
        )
        .select_related("customer__unit", "endpoint", "tracer__isotope")
        .order_by("deliver_at", "pk")
    )
    add_releases(orders)
    return Cargo(
        shipment, orders, list(Package.objects.filter(shipment=shipment).order_by("number"))
    )


def papers_of(shipments: Iterable[Shipment]) -> dict[int, list[IssuedDocument]]:
    """Every paper ever issued of the shipments, newest first, without their bytes. One query."""
    found: dict[int, list[IssuedDocument]] = defaultdict(list)
    keys = [str(shipment.pk) for shipment in shipments]
    papers = IssuedDocument.objects.filter(
        object_type="tracershop.shipment", object_id__in=keys, kind__in=PAPER_KINDS.values()
    )
    for paper in papers.select_related("supersession").defer("pdf").order_by("-issued_at", "-pk"):
        found[int(paper.object_id)].append(paper)
    return found


def shipment_of(order: Order) -> Shipment | None:
    """The shipment that an order is in."""
    line = ShippedOrder.objects.filter(order=order).select_related("shipment").first()
    return line.shipment if line else None


def orders_to_ship(user: Any, order_ids: Sequence[int]) -> list[PackedOrder]:
    """The orders that somebody wants to pack, with their vials."""
    return with_vials(
        visible(user, Order.objects.all(), ACCEPT)
        .filter(pk__in=order_ids)
        .select_related("endpoint__customer__unit", "tracer__isotope")
        .order_by("deliver_at", "pk")
    )


def with_vials(orders: Iterable[Order]) -> list[PackedOrder]:
    """The orders, each with its vials as ``cargo``."""
    found = cast("list[PackedOrder]", list(orders))
    vials = defaultdict(list)
    for vial in Vial.objects.filter(order__in=found).order_by("lot", "pk"):
        vials[vial.order_id].append(vial)
    for order in found:
        order.cargo = vials[order.pk]
    return found


def add_releases(orders: Sequence[PackedOrder]) -> None:
    """Give each order its release in force as ``in_force``, None where it was taken back."""
    releases = Release.objects.filter(order__in=orders, corrected_at__isnull=True)
    by_order = {release.order_id: release for release in releases.select_related("released_by")}
    for order in orders:
        order.in_force = by_order.get(order.pk)


def activity_leaving(order: PackedOrder, ships_at: datetime) -> float:
    """What the order's vials hold together as they leave, MBq."""
    half_life_s = order.tracer.isotope.half_life_s
    return math.fsum(
        activity_at(vial.activity_mbq, half_life_s, vial.filled_at, ships_at)
        for vial in order.cargo
    )


def contents_of(orders: Iterable[PackedOrder], ships_at: datetime) -> list[Content]:
    return [
        Content(order.tracer.isotope.symbol, activity_leaving(order, ships_at)) for order in orders
    ]
