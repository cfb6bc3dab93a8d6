"""From a batch to vials, orders, endpoints, customers and bookings (TS-087): a fixed number of
queries, whatever the number of orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from portal.access.decision import visible
from tracershop.models import (
    Booking,
    Contact,
    Customer,
    Order,
    Recall,
    RecallNotice,
    Release,
    Representation,
    Vial,
)
from tracershop.models.reach import PLACE, SEE_ALL
from tracershop.selectors.batches import released_from


@dataclass
class TracedOrder:
    """An order that was released from the lot, or whose vials are to be of it."""

    order: Order
    release: Release | None = None
    """The last one from this lot; corrected ones too."""
    vials: list[Vial] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)
    notice: RecallNotice | None = None


@dataclass
class TracedCustomer:
    """A customer concerned: whom to call, in order, and what went there."""

    customer: Customer
    orders: list[TracedOrder] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    representatives: list[Any] = field(default_factory=list)

    @property
    def notices(self) -> list[RecallNotice]:
        return [each.notice for each in self.orders if each.notice is not None]

    @property
    def reached(self) -> str:
        """Whom production told by telephone; "" while nobody."""
        return next((notice.reached for notice in self.notices if notice.reached), "")

    @property
    def is_acknowledged(self) -> bool:
        return all(notice.acknowledged_at is not None for notice in self.notices)


@dataclass
class Trace:
    """Where a lot went."""

    lot: str
    customers: list[TracedCustomer]
    """Those that received of it."""
    waiting: list[TracedOrder]
    """Orders not released, whose vials are to be of it."""
    free_vials: list[Vial]

    @property
    def orders(self) -> list[TracedOrder]:
        return [order for customer in self.customers for order in customer.orders]

    @property
    def endpoint_count(self) -> int:
        return len({each.order.endpoint_id for each in self.orders})

    @property
    def booking_count(self) -> int:
        return sum(len(each.bookings) for each in self.orders)

    @property
    def customer_count(self) -> int:
        return len(self.customers)

    @property
    def acknowledged_count(self) -> int:
        return sum(customer.is_acknowledged for customer in self.customers)


def trace(lot: str, recall: Recall | None = None) -> Trace:
    """The whole of where the lot went; with ``recall`` its notices too. Six queries at most."""
    releases = list(
        released_from(lot)
        .select_related("order__endpoint", "order__customer", "order__tracer", "released_by")
        .order_by("order__deliver_at", "pk")
    )
    vials = list(
        Vial.objects.filter(lot=lot)
        .select_related("order__endpoint", "order__customer", "order__tracer", "customer")
        .order_by("filled_at", "pk")
    )
    traced = {each.order_id: TracedOrder(each.order, each) for each in releases}
    for release in releases:
        traced[release.order_id].release = release
    waiting: dict[int, TracedOrder] = {}
    for vial in vials:
        if vial.order is None:
            continue
        found = traced.get(vial.order_id or 0) or waiting.setdefault(
            vial.order.pk, TracedOrder(vial.order)
        )
        found.vials.append(vial)
    for booking in Booking.objects.filter(order__in=traced).order_by("starts_at"):
        traced[booking.order_id or 0].bookings.append(booking)
    if recall is not None:
        for notice in recall.notices.select_related("acknowledged_by"):
            if notice.order_id in traced:
                traced[notice.order_id].notice = notice
    return Trace(
        lot=lot,
        customers=_by_customer(traced.values()),
        waiting=list(waiting.values()),
        free_vials=[vial for vial in vials if vial.order_id is None],
    )


def _by_customer(orders: Iterable[TracedOrder]) -> list[TracedCustomer]:
    customers: dict[int, TracedCustomer] = {}
    for each in orders:
        customer = each.order.customer
        customers.setdefault(customer.pk, TracedCustomer(customer)).orders.append(each)
    for contact in Contact.objects.filter(customer__in=customers):
        customers[contact.customer_id].contacts.append(contact)
    represented = Representation.objects.filter(customer__in=customers, user__is_active=True)
    for row in represented.select_related("user").order_by("user__name"):
        customers[row.customer_id].representatives.append(row.user)
    return sorted(customers.values(), key=lambda each: each.customer.name)


def recalls_for(user: Any) -> QuerySet[Recall]:
    """Recalls for production, open ones first, with the numbers of notices and of answers."""
    done = Q(notices__acknowledged_at__isnull=False)
    return (
        visible(user, Recall.objects.all(), SEE_ALL)
        .select_related("batch__tracer", "started_by", "closed_by")
        .annotate(notice_count=Count("notices"), done_count=Count("notices", filter=done))
        .order_by("-closed_at", "-started_at")  # NULL, which is open, comes first
    )


def notices_for(user: Any) -> QuerySet[RecallNotice]:
    """Notices of the customers that the person represents."""
    return (
        visible(user, RecallNotice.objects.all(), PLACE)
        .select_related(
            "recall__batch__tracer", "customer", "order__endpoint", "order__tracer",
            "acknowledged_by",
        )
        .order_by("-recall__started_at", "customer__name", "order__deliver_at")
    )  # fmt: skip


def waiting_recalls(user: Any) -> QuerySet[Recall]:
    """Running recalls that wait for the person's answer."""
    own = visible(user, RecallNotice.objects.filter(acknowledged_at__isnull=True), PLACE)
    return (
        Recall.objects.filter(closed_at__isnull=True)
        .filter(Exists(own.filter(recall=OuterRef("pk"))))
        .select_related("batch")
        .order_by("started_at")
    )


def vials_of_orders(order_ids: Iterable[int], lot: str) -> dict[int, list[Vial]]:
    """By order, its vials of the lot: what a customer looks for on the shelf."""
    found = defaultdict(list)
    for vial in Vial.objects.filter(order__in=list(order_ids), lot=lot).order_by("filled_at"):
        found[vial.order_id or 0].append(vial)
    return found
